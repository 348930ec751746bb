//! What a key or a new sample does to the view. Pure: what must happen outside is handed back as [`Effect`]s.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseEvent};

use super::{
    closer,
    command::{Command, Key},
    copy, course, draw, elsewhere,
    export::{self, ExportRequest},
    filter_line, help,
    layout::{self, Layout},
    mark, mouse, names, palette, pane,
    playhead::{self, Sources, Stride},
    recent,
    scene::{Data, Look},
    select::MANY,
    sorting, story,
    view::{Filter, Message, Mode, Pane, Screen, View},
};
use crate::{model::ProcKey, query::SsCommand};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// A key.
    Key(KeyEvent),
    /// The mouse.
    Mouse(MouseEvent),
    /// Text pasted into the terminal.
    Paste(String),
    /// The terminal has a new width and height.
    Resized(u16, u16),
    /// The shown moment or its selection is another one than before.
    Refreshed,
    /// Something to tell the person.
    Notice(Message),
}

/// Something that only the wiring can do.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Leave the program.
    Quit,
    /// Give the terminal back and stop until continued.
    Suspend,
    /// Clear the terminal and draw everything.
    Redraw,
    /// Take the selection anew with [`super::select()`], then say [`Input::Refreshed`].
    Select,
    /// Look up processor time and memory of this process from now on.
    Inspect(ProcKey),
    /// No longer look up any process.
    StopInspecting,
    /// Write what is seen to a file, and tell its name with [`Input::Notice`].
    Export(ExportRequest),
    /// Give this to the terminal to copy, and tell so with [`Input::Notice`].
    Copy(SsCommand),
}

/// Changes the view as `input` asks. `data` is what the screen shows now, `None` before the first sample;
/// `sources` is what it can show.
pub fn update(view: &mut View, input: Input, data: Option<Data<'_>>, sources: Sources<'_>) -> Vec<Effect> {
    match input {
        Input::Key(event) => key(view, &event, data, sources),
        Input::Mouse(event) => mouse::mouse(view, event, data, sources),
        Input::Paste(text) => {
            paste(view, &text, data);
            vec![]
        }
        Input::Resized(width, height) => {
            view.size = (width, height);
            settle(view, data);
            vec![]
        }
        Input::Refreshed => {
            if let Some(data) = &data {
                course::note(view, data, sources.past);
                story::note(view, data);
                mark::keep(view, data);
                // What was noted is of the time that goes on; a held moment is no part of that.
                if !view.is_held() {
                    recent::note(view, data);
                    draw::keep_lines(view, data);
                }
            }
            settle(view, data);
            vec![]
        }
        Input::Notice(message) => {
            view.message = Some(message);
            vec![]
        }
    }
}

fn key(view: &mut View, event: &KeyEvent, data: Option<Data<'_>>, sources: Sources<'_>) -> Vec<Effect> {
    match view.mode {
        Mode::Filter(_) => return filter_line::key(view, event, data),
        Mode::Palette(_) => return palette::key(view, event, data, sources),
        Mode::Export(_) => return export::key(view, event, data),
        Mode::Names(_) => return names::key(view, event),
        Mode::Normal | Mode::Help(_) => {}
    }
    let Some(command) = view.settings.keymap.command(event) else {
        unknown_key(view, event);
        return vec![];
    };
    view.message = None;
    obey(view, command, data, sources)
}

/// Says that a key means nothing here, and if it does elsewhere, what there is instead; others than characters and the
/// keys of functions are passed over in silence.
fn unknown_key(view: &mut View, event: &KeyEvent) {
    let key = Key { code: event.code, modifiers: event.modifiers.difference(KeyModifiers::SHIFT) };
    let told = match key.code {
        KeyCode::Char(c) => !c.is_control(),
        code => matches!(code, KeyCode::F(_)),
    };
    if !told || !key.modifiers.is_empty() || event.kind == KeyEventKind::Release {
        return;
    }
    let keymap = &view.settings.keymap;
    let text = elsewhere::instead(key, keymap).unwrap_or_else(|| {
        let help = keymap.label(Command::Help).map(|key| format!(" ({key} for help)"));
        format!("No such key: {}{}", key.label(), help.unwrap_or_default())
    });
    view.message = Some(Message { text, failure: false });
}

/// Commands while the help page is open: it scrolls and closes; what is to be typed closes it too; leaving and
/// suspending work as ever.
fn in_help(view: &mut View, command: Command, data: Option<Data<'_>>, sources: Sources<'_>) -> Vec<Effect> {
    let page = help::page_lines(view.size);
    let moment = data.map(|data| &**data.moment);
    let last = help::lines(view.size.0, moment, &view.settings.keymap).saturating_sub(page);
    let Mode::Help(offset) = &mut view.mode else { return vec![] };
    match command {
        Command::Quit => return vec![Effect::Quit],
        Command::Suspend => return vec![Effect::Suspend],
        Command::Redraw => return vec![Effect::Redraw],
        Command::Help | Command::Back => view.mode = Mode::Normal,
        Command::Filter | Command::Palette => {
            view.mode = Mode::Normal;
            return obey(view, command, data, sources);
        }
        other => *offset = moved(other, *offset, last + 1, page).unwrap_or(*offset),
    }
    vec![]
}

/// Carries out a command, whoever asked for it.
pub(super) fn obey(
    view: &mut View,
    command: Command,
    data: Option<Data<'_>>,
    sources: Sources<'_>,
) -> Vec<Effect> {
    if matches!(view.mode, Mode::Help(_)) {
        return in_help(view, command, data, sources);
    }
    match command {
        Command::Quit => vec![Effect::Quit],
        Command::Suspend => vec![Effect::Suspend],
        Command::Redraw => vec![Effect::Redraw],
        Command::Help => {
            view.mode = Mode::Help(0);
            vec![]
        }
        Command::Back => back(view),
        Command::Enter => closer::enter(view, data),
        Command::Why => closer::why(view, data),
        Command::View(number) => turn(view, |view| view.show(number)),
        Command::NextPane => focus(view, 1, data),
        Command::PreviousPane => focus(view, -1, data),
        Command::Zoom => {
            let page = view.page_mut();
            page.zoomed = !page.zoomed;
            settle(view, data);
            // A page of its own may show rows that the pane had no room for.
            vec![Effect::Select]
        }
        Command::Filter if view.is_of_kernel() => names::begin(view),
        Command::Filter => {
            filter_line::open(view, data);
            vec![]
        }
        Command::Palette => {
            palette::open(view, data);
            vec![]
        }
        Command::Sort => sorting::step(view, data, true),
        Command::SortBack => sorting::step(view, data, false),
        Command::Reverse => sorting::reverse(view),
        Command::Pause => playhead::pause(view, shown(data, sources), sources),
        Command::Earlier => playhead::back(view, Stride::Sample, shown(data, sources), sources),
        Command::MinuteEarlier => playhead::back(view, Stride::Minute, shown(data, sources), sources),
        Command::Later => playhead::forward(view, Stride::Sample, sources),
        Command::MinuteLater => playhead::forward(view, Stride::Minute, sources),
        Command::Live if !view.is_held() => {
            let first = view.settings.keymap.label(Command::First);
            let first = first.map_or(String::new(), |key| format!("; {key} goes to the first row"));
            view.message = Some(Message { text: format!("This is live{first}."), failure: false });
            vec![]
        }
        Command::Live => playhead::go_live(view),
        Command::Mark => mark::set(view, marked(view, data, sources)),
        Command::ForgetMark => mark::forget(view),
        Command::OnlyChanged => mark::toggle_changed(view),
        Command::Export => {
            export::ask(view, data);
            vec![]
        }
        Command::Copy => copy::row(view, data),
        Command::CopyFilter => copy::filter(view),
        movement => travel(view, movement, data),
    }
}

/// Leaves the page that was entered last, then a zoomed pane, then the filter.
fn back(view: &mut View) -> Vec<Effect> {
    if view.page().zoomed {
        view.page_mut().zoomed = false;
        return vec![Effect::Select];
    }
    if view.depth() > 0 {
        return turn(view, View::leave);
    }
    if view.is_of_kernel() {
        return if names::clear(view) { vec![Effect::Select] } else { vec![] };
    }
    if view.filter.text.is_empty() {
        return vec![];
    }
    view.filter = Filter::default();
    vec![Effect::Select]
}

/// Turns to another page with `change` and says what that takes.
pub(super) fn turn(view: &mut View, change: impl FnOnce(&mut View) -> bool) -> Vec<Effect> {
    let before = view.page().screen.clone();
    if !change(view) {
        return vec![];
    }
    let mut effects = vec![Effect::Select];
    match (before, &view.page().screen) {
        (_, Screen::Process(key)) => effects.push(Effect::Inspect(*key)),
        (Screen::Process(_), _) => effects.push(Effect::StopInspecting),
        _ => {}
    }
    effects
}

fn focus(view: &mut View, step: isize, data: Option<Data<'_>>) -> Vec<Effect> {
    let was_zoomed = std::mem::take(&mut view.page_mut().zoomed);
    let panes: Vec<Pane> = match place(view, data) {
        Some(layout) => layout.slots.iter().map(|slot| slot.pane).filter(|pane| pane.takes_focus()).collect(),
        None => vec![],
    };
    let page = view.page_mut();
    page.zoomed = was_zoomed;
    let count = isize::try_from(panes.len()).unwrap_or(0);
    if count > 0 {
        let here = panes.iter().position(|pane| *pane == page.focus).and_then(|i| isize::try_from(i).ok());
        let next = here.map_or(0, |here| (here + step).rem_euclid(count));
        page.focus = panes[usize::try_from(next).unwrap_or(0)];
    }
    settle(view, data);
    vec![]
}

/// The look on screen, not a newer one that is still being counted.
fn shown(data: Option<Data<'_>>, sources: Sources<'_>) -> Option<Look> {
    data.map(|data| data.look()).or(sources.live.cloned())
}

/// The look to mark: what is held, though it may still be being counted, else what is on screen.
fn marked(view: &View, data: Option<Data<'_>>, sources: Sources<'_>) -> Option<Look> {
    view.playhead.held().cloned().or_else(|| shown(data, sources))
}

/// Pasted text is typed where text is being typed. It never becomes commands.
fn paste(view: &mut View, text: &str, data: Option<Data<'_>>) {
    match &mut view.mode {
        Mode::Filter(prompt) => filter_line::paste(prompt, text, data),
        Mode::Palette(_) => palette::paste(view, text, data),
        Mode::Names(prompt) => prompt.paste(text),
        Mode::Normal | Mode::Export(_) | Mode::Help(_) => {}
    }
}

/// Where a movement leads from `index` among `len` rows of which `page` are seen at once.
fn moved(command: Command, index: usize, len: usize, page: usize) -> Option<usize> {
    let last = len.checked_sub(1)?;
    let half = (page / 2).max(1);
    let to = match command {
        Command::Down => index + 1,
        Command::Up => index.saturating_sub(1),
        Command::First => 0,
        Command::Last => last,
        Command::PageDown => index + page,
        Command::PageUp => index.saturating_sub(page),
        Command::HalfDown => index + half,
        Command::HalfUp => index.saturating_sub(half),
        _ => return None,
    };
    Some(to.min(last))
}

/// Moves the selection of the pane that has the focus.
fn travel(view: &mut View, command: Command, data: Option<Data<'_>>) -> Vec<Effect> {
    let Some(data) = data else { return vec![] };
    let pane = view.page().focus;
    let height = visible_rows(view, pane, data);
    if pane.is_text() {
        let lines = pane::lines_of(pane, view, &data);
        let scroll = &mut view.page_mut().scroll;
        *scroll = moved(command, *scroll, lines.saturating_sub(height) + 1, height).unwrap_or(*scroll);
        return vec![];
    }
    let table = view.page_mut().table_mut(pane);
    let Some(to) = moved(command, table.index, data.len(pane), height) else { return vec![] };
    // Going to the first row is to stay with whatever comes first.
    table.held = command != Command::First;
    table.index = to;
    table.selected = data.id(pane, to);
    table.present = table.selected.is_some();
    table.offset = window(table.offset, to, height, data.len(pane));
    order_in_sight(pane, &data)
}

/// What it takes to have the rows of `pane` in order that are in sight now: of a large table only those are that are near
/// to where it was.
pub(super) fn order_in_sight(pane: Pane, data: &Data<'_>) -> Vec<Effect> {
    let is_partly = pane == Pane::Sockets && data.len(pane) > MANY;
    if is_partly { vec![Effect::Select] } else { vec![] }
}

/// Finds every selected row again and keeps it in sight. A selected row that is gone stays selected, as a row
/// that is nowhere: the next row in its place was not chosen by anybody.
fn settle(view: &mut View, data: Option<Data<'_>>) {
    let Some(data) = data else { return };
    let layout = place(view, Some(data));
    // The pane may have gone with what it told of.
    if layout.as_ref().is_some_and(|layout| layout.slot(view.page().focus).is_none()) {
        let page = view.page_mut();
        page.focus = page.screen.first_focus();
    }
    let is_counted = data.selection.is_of(view, data.moment);
    for pane in Pane::TABLES {
        let Some(height) = layout.as_ref().and_then(|layout| height(layout, pane)) else { continue };
        let len = data.len(pane);
        let table = view.page_mut().table_mut(pane);
        if !table.held {
            table.selected = data.id(pane, 0);
            (table.index, table.offset) = (0, 0);
        }
        let mut found = table.selected.as_ref().and_then(|id| data.position(pane, id, table.index));
        if is_counted && std::mem::take(&mut table.filtered) && found.is_none() {
            // It did not go: another filter was chosen, and the first row with it.
            table.held = false;
            table.selected = data.id(pane, 0);
            (found, table.offset) = (table.selected.is_some().then_some(0), 0);
        }
        table.present = found.is_some();
        table.index = found.unwrap_or(table.index).min(len.saturating_sub(1));
        table.offset = window(table.offset, table.index, height, len);
    }
}

/// Where everything stands now.
pub(super) fn place(view: &View, data: Option<Data<'_>>) -> Option<Layout> {
    layout::layout(view, view.size, draw::sayings(view, data.as_ref()))
}

fn visible_rows(view: &View, pane: Pane, data: Data<'_>) -> usize {
    place(view, Some(data)).and_then(|layout| height(&layout, pane)).unwrap_or(1)
}

/// How many rows of `pane` are seen.
fn height(layout: &Layout, pane: Pane) -> Option<usize> {
    let slot = layout.slot(pane)?;
    Some(slot.rows().max(1))
}

/// The first row to show, so that row `index` of `len` is within `height` rows: as near to `offset` as can be.
#[must_use]
pub(super) fn window(offset: usize, index: usize, height: usize, len: usize) -> usize {
    let lowest = (index + 1).saturating_sub(height);
    offset.clamp(lowest, index.max(lowest)).min(len.saturating_sub(height))
}

#[cfg(test)]
mod tests {
    use super::window;

    #[test]
    fn the_window_moves_no_more_than_it_must() {
        assert_eq!(window(0, 3, 5, 10), 0);
        assert_eq!(window(0, 5, 5, 10), 1);
        assert_eq!(window(4, 2, 5, 10), 2);
        assert_eq!(window(9, 9, 5, 10), 5);
        assert_eq!(window(7, 0, 5, 3), 0);
        assert_eq!(window(3, 0, 0, 0), 0);
    }
}
