//! Words that narrow the kernel's tables. A filter over sockets says nothing about a counter, so this is another line, kept
//! apart from the filter.

use ratatui::layout::Position;
use tui_input::{Input as Line, InputRequest};

use super::{
    Theme,
    draw::visible,
    keymap::Edit,
    pen::Pen,
    scene::Data,
    text::{fit, width},
    update::{Effect, turn},
    view::{Mode, Screen, View},
};
use crate::field::format;

/// Begins to type; from a page about one row, back among all of them.
pub(super) fn begin(view: &mut View) -> Vec<Effect> {
    let effects = match view.page().screen {
        Screen::Kernel => vec![],
        _ => turn(view, View::leave),
    };
    view.mode = Mode::Names(Line::from(view.names.clone()));
    effects
}

/// A key does something to the line.
pub(super) fn edit(view: &mut View, edit: Edit) -> Vec<Effect> {
    let Mode::Names(line) = &mut view.mode else { return vec![] };
    match edit {
        Edit::Line(request) => drop(line.handle(request)),
        Edit::Cancel => return cancel(view),
        Edit::Accept => return accept(view),
    }
    vec![]
}

/// Types what was pasted, without line ends and other controls.
pub(super) fn paste(line: &mut Line, text: &str) {
    for c in text.chars().filter(|c| !c.is_control()) {
        line.handle(InputRequest::InsertChar(c));
    }
}

fn cancel(view: &mut View) -> Vec<Effect> {
    view.mode = Mode::Normal;
    vec![]
}

fn accept(view: &mut View) -> Vec<Effect> {
    let Mode::Names(line) = std::mem::take(&mut view.mode) else { return vec![] };
    line.value().trim().clone_into(&mut view.names);
    vec![Effect::Select]
}

/// Forgets the words. False if there are none.
pub(super) fn clear(view: &mut View) -> bool {
    !std::mem::take(&mut view.names).is_empty()
}

/// The words as they are typed, or those in force and how much they keep.
pub(super) fn draw(
    pen: &mut Pen<'_>,
    (x, y): (u16, u16),
    view: &View,
    data: Option<&Data<'_>>,
    theme: &Theme,
) -> Option<Position> {
    if let Mode::Names(line) = &view.mode {
        pen.put("/", theme.key());
        let room = usize::from(pen.room()).saturating_sub(1);
        let (shown, column) = visible(line.value(), line.cursor(), room);
        pen.put(&shown, theme.strong());
        return Some(Position::new(x + 1 + column, y));
    }
    pen.put(" names ", theme.mark());
    pen.skip(1);
    let counts = data.map(|data| &data.selection.kernel).map_or_else(String::new, |rows| {
        let figure = |n: usize| format::grouped(u64::try_from(n).unwrap_or(u64::MAX));
        format!("{} of {}", figure(rows.kept()), figure(rows.all))
    });
    let room = usize::from(pen.room()).saturating_sub(width(&counts) + 3);
    pen.put(&fit(&view.names, room, theme.glyphs.ellipsis), theme.strong());
    pen.skip(2);
    pen.put(&counts, theme.text());
    None
}

/// What the footer says meanwhile.
pub(super) fn hints(pen: &mut Pen<'_>, theme: &Theme) {
    for (key, does) in [(" Enter", " apply  "), ("Esc", " leave  ")] {
        pen.put(key, theme.key());
        pen.put(does, theme.head());
    }
    pen.put_cut("words of a name or a meaning, such as: listen full", theme.dim(), theme);
}
