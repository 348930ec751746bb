//! A frame as an SVG: a grid of cells of a fixed size, so that a picture of the screen is made by the program
//! itself and is the same bytes every time.

use std::fmt::Write as _;

use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};
use unicode_width::UnicodeWidthStr as _;

use super::theme::{Ground, indexed_rgb, palette_index};

/// Width and height of a cell, in hundredths of a pixel: whole numbers print the same everywhere.
const CELL: (u32, u32) = (843, 1800);
/// Space around the grid, pixels.
const MARGIN: u32 = 14;
/// Where the baseline of text lies below the top of its cell, hundredths of a pixel.
const BASELINE: u32 = 1360;

/// How a run of cells looks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    fg: String,
    bg: Option<String>,
    bold: bool,
}

/// What the terminal of the picture has set for itself.
struct Terminal {
    foreground: &'static str,
    background: &'static str,
    /// Dim text of no colour.
    dim: &'static str,
    /// The sixteen colours, black first, the bright ones last.
    sixteen: [&'static str; 16],
}

/// A common dark one.
static DARK: Terminal = Terminal {
    foreground: "#d7dae0",
    background: "#14171c",
    dim: "#7a808c",
    sixteen: [
        "#14171c", "#c4473f", "#7fb069", "#e3b341", "#3f76c9", "#a86cc1", "#3fa7b5", "#a4abb8", //
        "#565d6b", "#ff7b72", "#a5d48e", "#f5d67b", "#79b0ff", "#d7a3ec", "#76d5e3", "#ffffff",
    ],
};

/// A common light one.
static LIGHT: Terminal = Terminal {
    foreground: "#1f2328",
    background: "#ffffff",
    dim: "#6e7781",
    sixteen: [
        "#24292f", "#cf222e", "#116329", "#9a6700", "#0969da", "#8250df", "#1b7c83", "#6e7781", //
        "#57606a", "#a40e26", "#1a7f37", "#7d5600", "#218bff", "#a475f9", "#3192aa", "#8c959f",
    ],
};

/// What is drawn with one pen: a path for each colour, in the order in which the colours came.
#[derive(Debug, Default)]
struct Paths(Vec<(String, String)>);

impl Paths {
    fn of(&mut self, colour: &str) -> &mut String {
        let at = self.0.iter().position(|(of, _)| of == colour).unwrap_or_else(|| {
            self.0.push((colour.to_owned(), String::new()));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    fn rect(&mut self, (x, y): (u32, u32), (width, height): (u32, u32), fill: &str) {
        let (x, y, width, height) = (px(x), px(y), px(width), px(height));
        let _ = write!(self.of(fill), "M{x} {y}h{width}v{height}H{x}z");
    }

    /// Writes them with the pen of that class, which fills or strokes.
    fn write(&self, svg: &mut String, class: &str, paint: &str) {
        for (colour, path) in &self.0 {
            let _ = writeln!(svg, "<path class=\"{class}\" {paint}=\"{colour}\" d=\"{path}\"/>");
        }
    }
}

/// One line of cells, by what lies on what.
#[derive(Debug, Default)]
struct Line {
    backs: Paths,
    shapes: Paths,
    corners: Paths,
    dots: Paths,
    words: String,
}

/// The frame in `buffer` as the text of an SVG, in a terminal with that background.
#[must_use]
pub fn svg(buffer: &Buffer, ground: Ground) -> String {
    let terminal = match ground {
        Ground::Dark => &DARK,
        Ground::Light => &LIGHT,
    };
    let Terminal { foreground, background, .. } = terminal;
    let area = buffer.area;
    let (width, height) = (grid(area.width, CELL.0), grid(area.height, CELL.1));
    let (full_width, full_height) = (width / 100 + 2 * MARGIN, height / 100 + 2 * MARGIN);
    // Dots are the ends of dashes of no length.
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{full_width}\" height=\"{full_height}\" \
         viewBox=\"0 0 {full_width} {full_height}\">\n\
         <style>text{{font-family:'DejaVu Sans Mono','Menlo','Consolas',monospace;font-size:14px}}\
         .b{{font-weight:bold}}.s{{shape-rendering:crispEdges}}.c,.d{{fill:none}}\
         .d{{stroke-width:3;stroke-linecap:round;stroke-dasharray:0 4.215}}</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{background}\"/>\n\
         <g transform=\"translate({MARGIN} {MARGIN})\" fill=\"{foreground}\">\n"
    );
    for y in 0..area.height {
        let line = Line::of(buffer, y, terminal);
        line.backs.write(&mut svg, "s", "fill");
        line.shapes.write(&mut svg, "s", "fill");
        line.corners.write(&mut svg, "c", "stroke");
        line.dots.write(&mut svg, "d", "stroke");
        svg.push_str(&line.words);
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

impl Line {
    /// The runs of one line. Blocks and lines are drawn as shapes: a font may leave gaps between them.
    fn of(buffer: &Buffer, y: u16, terminal: &Terminal) -> Self {
        let mut line = Self::default();
        let width = buffer.area.width;
        let mut x = 0;
        while x < width {
            let look = look(&buffer[(x, y)], terminal);
            let start = x;
            let mut text = String::new();
            while x < width && self::look(&buffer[(x, y)], terminal) == look {
                let symbol = buffer[(x, y)].symbol();
                let kind = |text: &str| (is_shape(text), is_dots(text));
                if !text.is_empty() && kind(symbol) != kind(&text) {
                    break;
                }
                text.push_str(symbol);
                x += cells(symbol);
            }
            line.run((start, y), x - start, &text, &look, terminal);
        }
        line
    }

    fn run(&mut self, (x, y): (u16, u16), cells: u16, text: &str, look: &Look, terminal: &Terminal) {
        let (left, top) = (grid(x, CELL.0), grid(y, CELL.1));
        if let Some(bg) = &look.bg {
            self.backs.rect((left, top), (grid(cells, CELL.0), CELL.1), bg);
        }
        if text.trim().is_empty() {
            return;
        }
        if is_dots(text) {
            dots(self.dots.of(&look.fg), (left, top), text);
            return;
        }
        if is_shape(text) {
            let mut column = 0;
            let symbols: Vec<char> = text.chars().collect();
            for alike in symbols.chunk_by(|a, b| a == b && is_wide(*a)) {
                self.shape((left + grid(column, CELL.0), top), alike, &look.fg);
                column += count(alike.len());
            }
            return;
        }
        // Renderers fold runs of spaces into one, so words further apart than that are set one by one.
        let words = text.split("  ");
        let mut column = x;
        for words_of_one in words {
            let trimmed = words_of_one.trim();
            if !trimmed.is_empty() {
                let lead = words_of_one.len() - words_of_one.trim_start().len();
                let place = (grid(column + count(lead), CELL.0), top + BASELINE);
                word(&mut self.words, place, trimmed, look, terminal);
            }
            column += count(words_of_one.width()) + 2;
        }
    }

    /// Block or line characters from the cell at `left`, `top` on: several of the same if they are as wide as their cell.
    fn shape(&mut self, (left, top): (u32, u32), alike: &[char], fill: &str) {
        let (width, height) = (grid(count(alike.len()), CELL.0), CELL.1);
        let symbol = alike[0];
        let code = u32::from(symbol);
        let (place, size) = match symbol {
            // U+2581 to U+2588: one to eight eighths of the height, from below.
            '\u{2581}'..='\u{2588}' => {
                let filled = height * (code - 0x2580) / 8;
                ((left, top + height - filled), (width, filled))
            }
            // U+2589 to U+258F: seven to one eighth of the width, from the left.
            '\u{2589}'..='\u{258f}' => ((left, top), (width * (0x2590 - code) / 8, height)),
            '─' => ((left, top + height / 2 - 50), (width, 100)),
            '│' => ((left + width / 2 - 50, top), (100, height)),
            '┃' => ((left + width / 2 - 150, top), (300, height)),
            corner => return arc(self.corners.of(fill), (left, top), corner),
        };
        self.shapes.rect(place, size, fill);
    }
}

fn cells(symbol: &str) -> u16 {
    count(symbol.width()).max(1)
}

/// A number of cells; no line has more than fit.
fn count(cells: usize) -> u16 {
    u16::try_from(cells).unwrap_or(u16::MAX)
}

fn word(svg: &mut String, (x, y): (u32, u32), text: &str, look: &Look, terminal: &Terminal) {
    let class = if look.bold { " class=\"b\"" } else { "" };
    let length = px(grid(cells(text), CELL.0));
    let (x, y, text) = (px(x), px(y), escaped(text));
    let fill = match &look.fg {
        fg if fg == terminal.foreground => String::new(),
        fg => format!(" fill=\"{fg}\""),
    };
    let _ = writeln!(svg, "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\"{fill}{class}>{text}</text>");
}

/// Whether text consists of characters that are drawn as shapes.
fn is_shape(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '\u{2580}'..='\u{258f}' | '─' | '│' | '╭' | '╮' | '╰' | '╯' | '┃'))
}

/// Whether several of that shape are one shape.
fn is_wide(symbol: char) -> bool {
    matches!(symbol, '\u{2581}'..='\u{2588}' | '─')
}

/// Whether text consists of braille.
fn is_dots(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '\u{2800}'..='\u{28ff}'))
}

/// The dots of braille characters, from the cell at `left`, `top` on: a line for each run of them, drawn with a pen that
/// leaves a dot at every half of a cell.
fn dots(path: &mut String, (left, top): (u32, u32), text: &str) {
    // By row: the bits of the dots in the two columns.
    const ROWS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
    let (width, height) = CELL;
    for (row, bits) in (0_u32..).zip(ROWS) {
        let set = text.chars().flat_map(|symbol| bits.map(|bit| u32::from(symbol) & bit != 0));
        let set: Vec<(u32, bool)> = (0..).zip(set).collect();
        for run in set.chunk_by(|a, b| a.1 == b.1).filter(|run| run[0].1) {
            let x = left + width * (2 * run[0].0 + 1) / 4;
            let length = width * u32::from(count(run.len() - 1)) / 2;
            let y = top + height * (2 * row + 1) / 8;
            // A little longer, so that the last dot is not lost to rounding.
            let _ = write!(path, "M{} {}h{}", px(x), px(y), px(length + 10));
        }
    }
}

/// A rounded corner from the middle of one edge of the cell to the middle of another.
fn arc(path: &mut String, (left, top): (u32, u32), corner: char) {
    let (width, height) = CELL;
    let (centre_x, centre_y) = (left + width / 2, top + height / 2);
    let end_x = if matches!(corner, '╭' | '╰') { left + width } else { left };
    let end_y = if matches!(corner, '╭' | '╮') { top + height } else { top };
    let bend_y = if end_y > top { centre_y + 400 } else { centre_y - 400 };
    let (x, y, end_x, end_y, bend_y) = (px(centre_x), px(centre_y), px(end_x), px(end_y), px(bend_y));
    let _ = write!(path, "M{x} {end_y}V{bend_y}Q{x} {y} {end_x} {y}");
}

fn grid(cells: u16, size: u32) -> u32 {
    u32::from(cells) * size
}

/// Hundredths of a pixel as pixels.
fn px(hundredths: u32) -> String {
    match hundredths % 100 {
        0 => format!("{}", hundredths / 100),
        rest if rest % 10 == 0 => format!("{}.{}", hundredths / 100, rest / 10),
        rest => format!("{}.{rest:02}", hundredths / 100),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn look(cell: &Cell, terminal: &Terminal) -> Look {
    let mut fg = colour(cell.fg, terminal).unwrap_or(terminal.foreground.to_owned());
    let mut bg = colour(cell.bg, terminal);
    if cell.modifier.contains(Modifier::DIM) {
        terminal.dim.clone_into(&mut fg);
    }
    if cell.modifier.contains(Modifier::REVERSED) {
        let back = bg.unwrap_or(terminal.background.to_owned());
        bg = Some(fg);
        fg = back;
    }
    Look { fg, bg, bold: cell.modifier.contains(Modifier::BOLD) }
}

/// A colour as the terminal shows it; `None` for its own.
fn colour(colour: Color, terminal: &Terminal) -> Option<String> {
    if let Color::Rgb(r, g, b) = colour {
        return Some(format!("#{r:02x}{g:02x}{b:02x}"));
    }
    let number = palette_index(colour)?;
    Some(match indexed_rgb(number) {
        Some((r, g, b)) => format!("#{r:02x}{g:02x}{b:02x}"),
        None => terminal.sixteen[usize::from(number)].to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use ratatui::{layout::Rect, style::Style};

    use super::*;

    #[test]
    fn text_is_escaped_and_set_on_the_grid() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 1));
        buffer.set_string(1, 0, "<&>", Style::new().fg(Color::Rgb(1, 2, 3)));
        let svg = svg(&buffer, Ground::Dark);
        assert!(svg.contains("&lt;&amp;&gt;"), "{svg}");
        assert!(svg.contains("x=\"8.43\" y=\"13.6\" textLength=\"25.29\" fill=\"#010203\""), "{svg}");
    }

    #[test]
    fn blocks_are_shapes() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 5, 1));
        buffer.set_string(0, 0, "▄▄▌▌x", Style::new());
        let svg = svg(&buffer, Ground::Dark);
        assert!(svg.contains("d=\"M0 9h16.86v9H0zM16.86 0h4.21v18H16.86zM25.29 0h4.21v18H25.29z\""), "{svg}");
        assert_eq!(svg.matches("<text").count(), 1);
    }

    #[test]
    fn braille_is_dots_on_the_grid() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 3, 1));
        buffer.set_string(0, 0, "⢈⠁x", Style::new());
        let svg = svg(&buffer, Ground::Dark);
        assert!(svg.contains(" d=\"M6.32 2.25h4.31M6.32 15.75h0.1\"/>"), "{svg}");
        assert_eq!(svg.matches("<text").count(), 1);
    }
}
