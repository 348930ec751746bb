//! Words that narrow the kernel's tables. A filter over sockets says nothing about a counter, so this is another line, kept
//! apart from the filter.

use crossterm::event::KeyEvent;

use super::{
    Theme,
    keymap::{self, Edit},
    pen::Pen,
    prompt::Prompt,
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
    view.mode = Mode::Names(Prompt::new(view.names.clone()));
    effects
}

/// A key while the words are being typed.
pub(super) fn key(view: &mut View, event: &KeyEvent) -> Vec<Effect> {
    let Mode::Names(prompt) = &mut view.mode else { return vec![] };
    match keymap::edit(event) {
        Some(Edit::Line(request)) => prompt.edit(request),
        Some(Edit::Cancel) => view.mode = Mode::Normal,
        Some(Edit::Accept) => {
            prompt.line.value().trim().clone_into(&mut view.names);
            view.mode = Mode::Normal;
            return vec![Effect::Select];
        }
        Some(Edit::Choose { .. } | Edit::Recall { .. }) | None => {}
    }
    vec![]
}

/// Forgets the words. False if there are none.
pub(super) fn clear(view: &mut View) -> bool {
    !std::mem::take(&mut view.names).is_empty()
}

/// The words in force and how much they keep.
pub(super) fn draw(pen: &mut Pen<'_>, view: &View, data: Option<&Data<'_>>, theme: &Theme) {
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
}
