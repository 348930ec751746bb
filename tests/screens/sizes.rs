//! Every page at many sizes, pane by pane: nothing is drawn outside of a pane, and no figure is cut.

use ratatui::{buffer::Buffer, layout::Rect};
use twtop::ui::{self, Input, layout::Slot, view::Pane};

use crate::{HEIGHT, stage::Stage, traced};

/// Stands in every cell before a pane is drawn. Nothing on the screen looks like it.
const MARK: &str = "\u{a4}";

/// Keys that lead to every page.
const PAGES: [&str; 14] = [
    "1",
    "1<Enter>",
    "1w",
    "2",
    "2<Enter>",
    "3",
    "4",
    "4<Enter>",
    "4w",
    "5",
    "6",
    "6<Enter>",
    "7",
    "/remote:203.0.113.0/24<Enter>4<Enter>",
];

/// Widths and heights at which something changes, and one on either side.
const WIDTHS: [u16; 11] = [60, 61, 75, 76, 80, 99, 100, 119, 120, 160, 200];
const HEIGHTS: [u16; 14] = [16, 19, 20, 22, 24, 31, 32, 34, 36, 40, 45, 54, 55, 60];

/// The buffer of a whole screen on which nothing but `slot` was drawn.
fn alone(stage: &Stage, slot: &Slot) -> Buffer {
    let (width, height) = stage.view.size;
    let mut buffer = Buffer::empty(Rect::new(0, 0, width, height));
    for cell in &mut buffer.content {
        cell.set_symbol(MARK);
    }
    // What is inside of a pane was cleared by the frame before.
    for y in slot.area.top()..slot.area.bottom() {
        for x in slot.area.left()..slot.area.right() {
            buffer[(x, y)].set_symbol(" ");
        }
    }
    ui::render_pane(&mut buffer, &stage.scene(), slot);
    buffer
}

/// The first cell outside of the pane that was drawn on; its scrollbar may stand in the gap at its right.
fn stray(buffer: &Buffer, slot: &Slot) -> Option<(u16, u16)> {
    let area = slot.area;
    let within = Rect { width: area.width + u16::from(slot.chrome == ui::layout::Chrome::Rule), ..area };
    let cells = (0..buffer.area.height).flat_map(|y| (0..buffer.area.width).map(move |x| (x, y)));
    cells.into_iter().find(|&at| !within.contains(at.into()) && buffer[at].symbol() != MARK)
}

/// A figure, of digits and what stands between them, that ends in an ellipsis.
fn cut_figure(line: &str) -> Option<&str> {
    let is_figure = |text: &str| {
        let digits = text.strip_suffix('…').unwrap_or("");
        !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | '.' | ':' | '%'))
    };
    line.split([' ', '≤', '│']).find(|word| is_figure(word))
}

/// Whether a pane shows sentences or names, which may end in an address or a number of their own.
fn is_prose(pane: Pane) -> bool {
    matches!(pane, Pane::Facts | Pane::Findings | Pane::Story | Pane::Sockets | Pane::Counters)
}

fn lines(buffer: &Buffer, area: Rect) -> Vec<String> {
    let line = |y| (area.left()..area.right()).map(|x| buffer[(x, y)].symbol()).collect();
    (area.top()..area.bottom()).map(line).collect()
}

#[test]
fn a_cut_figure_is_recognised() {
    assert_eq!(cut_figure("TIME_WAIT  3,2… 90%"), Some("3,2…"));
    assert_eq!(cut_figure(" ≤25…"), Some("25…"));
    assert_eq!(cut_figure("2001…:443  3128 2001:db8:8f:2::…→:22"), None);
    assert_eq!(cut_figure("listener, … 12 evil\\x1…"), None);
}

#[test]
fn every_pane_of_every_page_keeps_to_its_place_and_cuts_no_figure() {
    keep_to_their_places(&mut traced((160, 45), HEIGHT, ""), &WIDTHS, "pay-web");
}

#[test]
fn with_a_mark_every_pane_keeps_to_its_place_too() {
    let mut stage = traced((160, 45), HEIGHT, "[[[[[[[[[[[[[[[m<Home>");
    keep_to_their_places(&mut stage, &WIDTHS, "mark");
    // A moment before the mark, of which only what changed is shown.
    stage.keys("1m{c");
    keep_to_their_places(&mut stage, &[60, 80, 120, 160], "mark");
}

/// Tries every page of `stage` at many sizes; `told` is always said in the header.
fn keep_to_their_places(stage: &mut Stage, widths: &[u16], told: &str) {
    for (page, keys) in PAGES.into_iter().enumerate() {
        stage.keys(keys);
        for (i, &width) in widths.iter().enumerate() {
            // Not every height at every width, but every one at some width of every page.
            for height in HEIGHTS.into_iter().skip((i + page) % 4).step_by(4) {
                stage.input(Input::Resized(width, height));
                let layout = ui::places(&stage.scene()).expect("large enough");
                assert!(!layout.slots.is_empty(), "{keys} {width}x{height}");
                assert!(
                    stage.text().lines().next().is_some_and(|line| line.contains(told)),
                    "{}",
                    stage.text()
                );
                for slot in &layout.slots {
                    let buffer = alone(stage, slot);
                    let at = format!("{keys} {width}x{height} {slot:?}");
                    assert_eq!(stray(&buffer, slot), None, "{at}\n{}", stage.text());
                    for line in lines(&buffer, slot.area) {
                        let cut = cut_figure(&line).filter(|_| !is_prose(slot.pane));
                        assert_eq!(cut, None, "{at}\n{line}");
                    }
                }
            }
        }
    }
}

#[test]
fn panes_stay_where_they_are_while_rows_come_and_go() {
    let mut incident = crate::Incident::new();
    for size in [(60, 16), (80, 24), (120, 40), (160, 45), (200, 60)] {
        let mut stage = Stage::of(&mut incident, 20, size.0, size.1);
        stage.find(vec![]);
        let places = |stage: &Stage| ui::places(&stage.scene()).expect("large enough").slots;
        let before = places(&stage);
        for filter in ["state:close-wait", "state:listen", "port:1"] {
            stage.keys(&format!("/<C-u>{filter}<Enter>"));
            let panes = |slots: &[Slot]| -> Vec<_> {
                slots.iter().map(|slot| (slot.pane, slot.area.x, slot.area.y, slot.area.width)).collect()
            };
            // The line of the filter itself takes one line of the lowest panes.
            let (now, was) = (places(&stage), &before);
            assert_eq!(panes(&now)[..3.min(now.len())], panes(was)[..3.min(was.len())], "{size:?} {filter}");
            stage.keys("<Esc>");
            assert_eq!(&places(&stage), was, "{size:?} {filter}");
        }
    }
}
