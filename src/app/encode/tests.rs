//! A terminal's parser shows what the buffer says, whatever came before.

use proptest::prelude::*;
use ratatui::{
    layout::Rect,
    style::{Color, Modifier, Style},
};
use vt100::Parser;

use super::*;
use crate::ui::theme::palette_index;

const AREA: Rect = Rect { x: 0, y: 0, width: 30, height: 6 };

/// Something that is drawn into a buffer.
type Mark = (u16, u16, String, Style);

fn colour() -> impl Strategy<Value = Color> {
    use Color::{
        Black, Blue, Cyan, DarkGray, Gray, Green, LightBlue, LightCyan, LightGreen, LightMagenta, LightRed,
        LightYellow, Magenta, Red, White, Yellow,
    };
    let named = prop::sample::select(vec![
        Black,
        Red,
        Green,
        Yellow,
        Blue,
        Magenta,
        Cyan,
        Gray,
        DarkGray,
        LightRed,
        LightGreen,
        LightYellow,
        LightBlue,
        LightMagenta,
        LightCyan,
        White,
    ]);
    prop_oneof![
        4 => Just(Color::Reset),
        3 => named,
        1 => any::<u8>().prop_map(Color::Indexed),
        1 => any::<(u8, u8, u8)>().prop_map(|(r, g, b)| Color::Rgb(r, g, b)),
    ]
}

fn style() -> impl Strategy<Value = Style> {
    // The parser knows no others, and takes dim for the opposite of bold.
    let known = Modifier::ITALIC | Modifier::UNDERLINED | Modifier::REVERSED;
    let strength = prop::sample::select(vec![Modifier::empty(), Modifier::BOLD, Modifier::DIM]);
    let modifier = prop_oneof![
        Just(Modifier::empty()),
        (any::<u16>(), strength)
            .prop_map(move |(bits, strength)| Modifier::from_bits_truncate(bits) & known | strength),
    ];
    (colour(), colour(), modifier).prop_map(|(fg, bg, modifier)| {
        // Instead of what the cell had, not beside it.
        Style::reset().fg(fg).bg(bg).remove_modifier(!modifier).add_modifier(modifier)
    })
}

fn mark() -> impl Strategy<Value = Mark> {
    let pieces =
        ["a", "0", "  ", "            ", "───", "…", "é", "e\u{301}", "世界", "🦀", "long enough for a row"];
    let text =
        prop::collection::vec(prop::sample::select(pieces.to_vec()), 1..4).prop_map(|parts| parts.concat());
    (0..AREA.width, 0..AREA.height, text, style())
}

/// Whether a frame begins with an empty buffer, what is drawn, and where the text cursor is.
type Frame = (bool, Vec<Mark>, Option<(u16, u16)>);

fn frames() -> impl Strategy<Value = Vec<Frame>> {
    let cursor = prop::option::weighted(0.3, (0..AREA.width, 0..AREA.height));
    prop::collection::vec((any::<bool>(), prop::collection::vec(mark(), 0..9), cursor), 1..6)
}

fn parser() -> Parser {
    let side = |cells: u16| cells.try_into().expect("not 0");
    Parser::new(side(AREA.height), side(AREA.width), 0)
}

/// Whether the colour of the parser is that of the buffer.
fn same(shown: vt100::Color, wanted: Color) -> bool {
    match shown {
        vt100::Color::Default => wanted == Color::Reset,
        vt100::Color::Idx(index) => palette_index(wanted) == Some(index),
        vt100::Color::Rgb(r, g, b) => wanted == Color::Rgb(r, g, b),
    }
}

/// The first cell in which the terminal differs from the buffer.
fn difference(screen: &vt100::Screen, buffer: &Buffer) -> Option<String> {
    for (y, row) in (0..).zip(buffer.content.chunks(usize::from(AREA.width))) {
        for (x, glyph) in (0..).zip(glyphs(row)) {
            let cell = screen.cell(y, x).expect("in the area");
            let wanted = glyph.look;
            let text = if cell.has_contents() { cell.contents() } else { " " };
            let modifiers = [
                (Modifier::BOLD, cell.bold()),
                (Modifier::DIM, cell.dim()),
                (Modifier::ITALIC, cell.italic()),
                (Modifier::UNDERLINED, cell.underline()),
                (Modifier::REVERSED, cell.inverse()),
            ];
            let seen = if glyph.is_rest() {
                cell.is_wide_continuation()
            } else {
                // Of a blank only the background is seen, unless something makes more of it.
                let bare = text == " " && !cell.inverse() && !cell.underline();
                text == glyph.symbol
                    && same(cell.bgcolor(), wanted.bg)
                    && (bare && glyph.look.on_blank() == glyph.look || same(cell.fgcolor(), wanted.fg))
                    && modifiers.iter().all(|(modifier, on)| {
                        let blind =
                            bare && !Modifier::REVERSED.union(Modifier::UNDERLINED).contains(*modifier);
                        blind || wanted.modifier.contains(*modifier) == *on
                    })
            };
            if !seen {
                return Some(format!("{x},{y}: {glyph:?} is {cell:?}"));
            }
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_terminal_shows_every_frame(frames in frames(), forgetful in 0..8_usize) {
        let (mut encoder, mut parser) = (Encoder::default(), parser());
        let mut buffer = Buffer::empty(AREA);
        for (number, (fresh, marks, cursor)) in frames.into_iter().enumerate() {
            if fresh {
                buffer = Buffer::empty(AREA);
            }
            for (x, y, text, style) in marks {
                buffer.set_string(x, y, text, style);
            }
            if number == forgetful {
                // Somebody else wrote all over it.
                parser.process("\x1b[H\x1b[7;41m".as_bytes());
                parser.process("garbage ".repeat(30).as_bytes());
                encoder.forget();
            }
            let position = cursor.map(Position::from);
            let bytes = encoder.frame(buffer.clone(), position);
            parser.process(&bytes);
            prop_assert_eq!(difference(parser.screen(), &buffer), None);
            prop_assert_eq!(parser.screen().hide_cursor(), cursor.is_none());
            if let Some((x, y)) = cursor.filter(|_| !bytes.is_empty()) {
                prop_assert_eq!(parser.screen().cursor_position(), (y, x));
            }
            prop_assert_eq!(encoder.frame(buffer.clone(), position), b"", "it is shown already");
            // Another program leaves its cursor and its colours behind.
            parser.process(b"\x1b[3;7H\x1b[0;1;4;35;42m");
        }
    }
}

/// The bytes of `to` after `from`, ESC left out.
fn bytes(from: &[&str], to: &[&str]) -> String {
    let buffer = |lines: &[&str]| {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 20, 4));
        for (y, line) in (0..).zip(lines) {
            buffer.set_string(0, y, line, Style::new());
        }
        buffer
    };
    let mut encoder = Encoder::default();
    encoder.frame(buffer(from), None);
    let bytes = encoder.frame(buffer(to), None);
    String::from_utf8(bytes).expect("text").replace('\x1b', "")
}

#[test]
fn the_way_is_short() {
    assert_eq!(bytes(&["12:30:01 up"], &["12:30:02 up"]), "[;8H[m2");
    // What lies between is written again where that is shorter than to pass over it.
    assert_eq!(bytes(&["12:30:59"], &["12:31:00"]), "[;5H[m1:00");
    assert_eq!(bytes(&["a.........b"], &["A.........B"]), "[H[mA[9CB");
    assert_eq!(bytes(&["a", "b", "c"], &["A", "B", "C"]), "[H[mA\n\x08B\n\x08C");
    assert_eq!(bytes(&["", " a", "", " b"], &["", " A", "", " B"]), "[2;2H[mA\n\n\x08B");
    // A blank end is erased, unless it is short; so is a row of which little stays.
    assert_eq!(bytes(&["name and a long tail"], &["name"]), "[;6H[m[K");
    assert_eq!(bytes(&["name abc"], &["name"]), "[;6H[m   ");
    assert_eq!(bytes(&["x a b c d e f g h i"], &["x           A"]), "[;3H[m[K[10CA");
}
