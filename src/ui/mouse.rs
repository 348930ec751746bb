//! What the mouse does: a click selects, a second one opens, one on a title sorts, the wheel scrolls what is under it.

use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;

use super::{
    closer, columns, footer, header, help,
    layout::Slot,
    pane,
    playhead::Sources,
    scene::Data,
    sorting,
    update::{Effect, obey, order_in_sight, place},
    view::{Mode, Pane, View},
};

/// How many rows one step of the wheel is.
const STEP: usize = 3;

/// Obeys the mouse; while something is being typed or chosen it does nothing.
pub(super) fn mouse(
    view: &mut View,
    event: MouseEvent,
    data: Option<Data<'_>>,
    sources: Sources<'_>,
) -> Vec<Effect> {
    let at = Position::new(event.column, event.row);
    match (&mut view.mode, event.kind) {
        (Mode::Help(offset), MouseEventKind::ScrollDown | MouseEventKind::ScrollUp) => {
            let moment = data.map(|data| &**data.moment);
            let lines = help::lines(view.size.0, moment, &view.settings.keymap);
            let last = lines.saturating_sub(help::page_lines(view.size));
            *offset = scrolled(*offset, event.kind == MouseEventKind::ScrollDown).min(last);
            vec![]
        }
        (Mode::Normal, kind @ (MouseEventKind::ScrollDown | MouseEventKind::ScrollUp)) => {
            wheel(view, at, kind == MouseEventKind::ScrollDown, data)
        }
        (Mode::Normal | Mode::Help(_), MouseEventKind::Down(MouseButton::Left)) => {
            click(view, at, data, sources)
        }
        _ => vec![],
    }
}

fn scrolled(offset: usize, down: bool) -> usize {
    if down { offset.saturating_add(STEP) } else { offset.saturating_sub(STEP) }
}

/// Scrolls the pane under the mouse. The selected row goes along only as far as it must to stay in sight.
fn wheel(view: &mut View, at: Position, down: bool, data: Option<Data<'_>>) -> Vec<Effect> {
    let (Some(data), Some(layout)) = (data, place(view, data)) else { return vec![] };
    let Some(slot) = layout.slots.iter().find(|slot| slot.area.contains(at)) else { return vec![] };
    let height = slot.rows().max(1);
    if slot.pane.is_text() {
        let last = pane::lines_of(slot.pane, view, &data).saturating_sub(height);
        let scroll = &mut view.page_mut().scroll;
        *scroll = scrolled(*scroll, down).min(last);
        return vec![];
    }
    let len = data.len(slot.pane);
    if !slot.pane.is_table() || len <= height {
        return vec![];
    }
    let table = view.page_mut().table_mut(slot.pane);
    table.offset = scrolled(table.offset, down).min(len - height);
    let index = table.index.clamp(table.offset, table.offset + height - 1);
    if index != table.index || !table.held {
        // A row that nobody chose would be left for the first one.
        (table.index, table.held) = (index, true);
        table.selected = data.id(slot.pane, index);
        table.present = table.selected.is_some();
    }
    order_in_sight(slot.pane, &data)
}

/// A tab in the header and a hint in the footer are obeyed; in a pane, which gets the focus, a title sorts and a row is selected.
fn click(view: &mut View, at: Position, data: Option<Data<'_>>, sources: Sources<'_>) -> Vec<Effect> {
    let Some(layout) = place(view, data) else { return vec![] };
    let told = view.message.take().is_some();
    if layout.header.contains(at) {
        return header::view_at(view, at.x).map_or(vec![], |command| obey(view, command, data, sources));
    }
    if layout.footer.contains(at) {
        let command = if told { None } else { footer::command_at(view, at.x) };
        return command.map_or(vec![], |command| obey(view, command, data, sources));
    }
    if !matches!(view.mode, Mode::Normal) {
        return vec![];
    }
    let panes = layout.slots.iter().filter(|slot| slot.pane.takes_focus());
    let Some(slot) = panes.into_iter().find(|slot| slot.area.contains(at)) else { return vec![] };
    let had_focus = std::mem::replace(&mut view.page_mut().focus, slot.pane) == slot.pane;
    let Some(data) = data.filter(|_| slot.pane.is_table()) else { return vec![] };
    let top = slot.inner().y + slot.lines_above();
    match at.y.checked_sub(top).map(usize::from) {
        Some(nth) if nth < slot.rows() => row(view, slot.pane, nth, had_focus, data),
        None if at.y + 1 == top && slot.inner().contains(at) => title(view, slot, at.x, &data),
        _ => vec![],
    }
}

/// Sorts by the column whose title is at `x`.
fn title(view: &mut View, slot: &Slot, x: u16, data: &Data<'_>) -> Vec<Effect> {
    let column = x - slot.inner().x;
    let key = columns::key_at(view.settings.columns(slot.pane), slot.table_width(view.size.0), column, data);
    key.map_or(vec![], |key| sorting::by(view, slot.pane, key))
}

/// Selects the row in that line; opens it if it was selected by somebody before.
fn row(view: &mut View, pane: Pane, line: usize, had_focus: bool, data: Data<'_>) -> Vec<Effect> {
    let table = view.page_mut().table_mut(pane);
    let index = table.offset + line;
    let Some(id) = data.id(pane, index) else { return vec![] };
    let again = had_focus && table.held && table.selected.as_ref() == Some(&id);
    table.selected = Some(id);
    (table.held, table.index, table.present) = (true, index, true);
    if again { closer::enter(view, Some(data)) } else { vec![] }
}
