//! What a key or a new sample does to the view. Pure: what must happen outside is handed back as [`Effect`]s.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::Position;
use tui_input::{Input as Line, InputRequest};

use super::{
    closer, columns,
    command::Command,
    draw, help, keymap,
    layout::{self, Layout},
    names, pane, recent,
    scene::{Data, Look},
    select::MANY,
    story,
    view::{Filter, Message, Mode, Pane, Screen, View},
};
use crate::{
    model::{ProcKey, Side},
    query::{Query, Sort},
};

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
}

/// What to write to a file.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// What is on screen.
    pub look: Look,
    /// Which of its sockets and findings: the filter in force, and what the page is about.
    pub query: Query,
}

/// Changes the view as `input` asks. `data` is what the screen shows now, `None` before the first sample;
/// `live` is the newest look.
pub fn update(view: &mut View, input: Input, data: Option<Data<'_>>, live: Option<&Look>) -> Vec<Effect> {
    match input {
        Input::Key(event) => key(view, &event, data, live),
        Input::Mouse(event) => mouse(view, event, data),
        Input::Paste(text) => {
            paste(view, &text);
            vec![]
        }
        Input::Resized(width, height) => {
            view.size = (width, height);
            settle(view, data);
            vec![]
        }
        Input::Refreshed => {
            if let Some(data) = &data {
                recent::note(view, data);
                story::note(view, data);
                draw::keep_lines(view, data);
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

fn key(view: &mut View, event: &KeyEvent, data: Option<Data<'_>>, live: Option<&Look>) -> Vec<Effect> {
    if matches!(view.mode, Mode::Filter(..)) {
        return match keymap::edit(event) {
            Some(edit) => type_filter(view, edit),
            None => vec![],
        };
    }
    if matches!(view.mode, Mode::Names(_)) {
        return keymap::edit(event).map_or(vec![], |edit| names::edit(view, edit));
    }
    let Some(command) = keymap::command(event) else {
        unknown_key(view, event);
        return vec![];
    };
    view.message = None;
    if matches!(view.mode, Mode::Help(_)) {
        return in_help(view, command, data);
    }
    obey(view, command, data, live)
}

/// Says that a character means nothing here; other keys are passed over in silence.
fn unknown_key(view: &mut View, event: &KeyEvent) {
    let KeyCode::Char(key) = event.code else { return };
    if event.modifiers.difference(KeyModifiers::SHIFT).is_empty() && !key.is_control() {
        let text = format!("No such key: {key} (? for help)");
        view.message = Some(Message { text, failure: false });
    }
}

/// Commands while the help page is open: it scrolls and closes; leaving and suspending work as ever.
fn in_help(view: &mut View, command: Command, data: Option<Data<'_>>) -> Vec<Effect> {
    let page = help::page_lines(view.size);
    let last = help::lines(view.size.0, data.map(|data| &**data.moment)).saturating_sub(page);
    let Mode::Help(offset) = &mut view.mode else { return vec![] };
    match command {
        Command::Quit => return vec![Effect::Quit],
        Command::Suspend => return vec![Effect::Suspend],
        Command::Redraw => return vec![Effect::Redraw],
        Command::Help | Command::Back => view.mode = Mode::Normal,
        other => *offset = moved(other, *offset, last + 1, page).unwrap_or(*offset),
    }
    vec![]
}

fn obey(view: &mut View, command: Command, data: Option<Data<'_>>, live: Option<&Look>) -> Vec<Effect> {
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
            // Another term can be typed at once.
            let space = if view.filter.text.is_empty() { "" } else { " " };
            view.mode = Mode::Filter(Line::from(format!("{}{space}", view.filter.text)), None);
            vec![]
        }
        Command::Sort => sort(view, data),
        Command::Reverse => reverse(view),
        Command::Pause => pause(view, data.map(|data| data.look()).or(live.cloned())),
        Command::Export => export(view, live),
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

fn sort(view: &mut View, data: Option<Data<'_>>) -> Vec<Effect> {
    let pane = view.page().focus;
    let Some(layout) = place(view, data) else { return vec![] };
    let width = layout.slot(pane).map_or(0, |slot| slot.inner().width);
    let keys = columns::sort_keys(pane, width, data.as_ref());
    if keys.is_empty() {
        let text = match pane {
            Pane::States => "States keep their places, so that each is found at once.",
            _ => "There is nothing here to sort.",
        };
        view.message = Some(Message { text: text.into(), failure: false });
        return vec![];
    }
    let table = view.page_mut().table_mut(pane);
    let next = match &table.sort {
        None => Some(0),
        Some(sort) => keys.iter().position(|key| *key == sort.key).map(|i| i + 1).filter(|i| *i < keys.len()),
    };
    table.sort = next.map(|i| Sort { key: keys[i], descending: columns::starts_descending(pane, keys[i]) });
    let text = match table.sort {
        Some(sort) => format!("Sorted by {}.", columns::name(pane, sort.key)),
        None => "Sorted as at first: the worst first.".to_owned(),
    };
    view.message = Some(Message { text, failure: false });
    vec![Effect::Select]
}

fn reverse(view: &mut View) -> Vec<Effect> {
    let pane = view.page().focus;
    let Some(first) = columns::default_sort(pane) else { return vec![] };
    let table = view.page_mut().table_mut(pane);
    let sort = table.sort.unwrap_or(first);
    table.sort = Some(Sort { descending: !sort.descending, ..sort });
    vec![Effect::Select]
}

/// Holds the moment on screen, not a newer one that is still being counted.
fn pause(view: &mut View, shown: Option<Look>) -> Vec<Effect> {
    view.paused = match view.paused {
        Some(_) => None,
        None => shown,
    };
    vec![Effect::Select]
}

fn export(view: &View, live: Option<&Look>) -> Vec<Effect> {
    let Some(look) = view.shown(live) else { return vec![] };
    vec![Effect::Export(ExportRequest { look: look.clone(), query: scope(view) })]
}

/// The filter in force, narrowed to what the page is about.
fn scope(view: &View) -> Query {
    let page = match view.page().screen.subject() {
        Screen::Process(key) => format!("(pid:{0} or candidate:{0})", key.pid),
        Screen::Peer(key) => {
            let port = if key.side == Side::Client { "rport" } else { "lport" };
            format!("remote:{} {port}:{} side:{}", key.ip, key.port, key.side.name())
        }
        Screen::Socket(id) => format!("cookie:{}", id.cookie),
        Screen::Finding(_) => match &view.page().story {
            Some(story) if !story.finding.filter.is_empty() => story.finding.filter.clone(),
            _ => return view.filter.query.clone(),
        },
        _ => return view.filter.query.clone(),
    };
    let text = if view.filter.query.is_all() { page } else { format!("({}) {page}", view.filter.text) };
    Query::parse(&text).unwrap_or_else(|_| view.filter.query.clone())
}

fn type_filter(view: &mut View, edit: keymap::Edit) -> Vec<Effect> {
    let Mode::Filter(line, error) = &mut view.mode else { return vec![] };
    match edit {
        keymap::Edit::Line(request) => {
            line.handle(request);
            *error = Query::parse(line.value()).err();
            vec![]
        }
        keymap::Edit::Cancel => {
            view.mode = Mode::Normal;
            vec![]
        }
        keymap::Edit::Accept if error.is_some() => vec![],
        keymap::Edit::Accept => {
            let text = line.value().trim().to_owned();
            apply_filter(view, text)
        }
    }
}

pub(super) fn apply_filter(view: &mut View, text: String) -> Vec<Effect> {
    match Query::parse(&text) {
        Ok(query) => {
            view.filter = Filter { text, query };
            view.mode = Mode::Normal;
            vec![Effect::Select]
        }
        Err(error) => {
            view.mode = Mode::Filter(Line::from(text), Some(error));
            vec![]
        }
    }
}

/// Pasted text is typed into the filter; line ends and other controls are left out. It never becomes commands.
fn paste(view: &mut View, text: &str) {
    if let Mode::Names(line) = &mut view.mode {
        names::paste(line, text);
        return;
    }
    let Mode::Filter(line, error) = &mut view.mode else { return };
    for c in text.chars().filter(|c| !c.is_control()) {
        line.handle(InputRequest::InsertChar(c));
    }
    *error = Query::parse(line.value()).err();
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
    let partly_sorted = pane == Pane::Sockets && table.sort.is_some() && data.len(pane) > MANY;
    if partly_sorted { vec![Effect::Select] } else { vec![] }
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
    for pane in Pane::TABLES {
        let Some(height) = layout.as_ref().and_then(|layout| height(layout, pane)) else { continue };
        let len = data.len(pane);
        let table = view.page_mut().table_mut(pane);
        if !table.held {
            table.selected = data.id(pane, 0);
            (table.index, table.offset) = (0, 0);
        }
        let found = table.selected.as_ref().and_then(|id| data.position(pane, id, table.index));
        table.present = found.is_some();
        table.index = found.unwrap_or(table.index).min(len.saturating_sub(1));
        table.offset = window(table.offset, table.index, height, len);
    }
}

/// Where everything stands now.
fn place(view: &View, data: Option<Data<'_>>) -> Option<Layout> {
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

/// The wheel moves the selection, a click selects what is under it.
fn mouse(view: &mut View, event: MouseEvent, data: Option<Data<'_>>) -> Vec<Effect> {
    if !matches!(view.mode, Mode::Normal) {
        return vec![];
    }
    match event.kind {
        MouseEventKind::ScrollDown => travel(view, Command::Down, data),
        MouseEventKind::ScrollUp => travel(view, Command::Up, data),
        MouseEventKind::Down(MouseButton::Left) => {
            click(view, Position::new(event.column, event.row), data);
            vec![]
        }
        _ => vec![],
    }
}

/// Gives the focus to the pane at `at`, and selects the row there if there is one.
fn click(view: &mut View, at: Position, data: Option<Data<'_>>) {
    let Some(layout) = place(view, data) else { return };
    let panes = layout.slots.iter().filter(|slot| slot.pane.takes_focus());
    let Some(slot) = panes.into_iter().find(|slot| slot.area.contains(at)) else { return };
    view.page_mut().focus = slot.pane;
    let Some(data) = data.filter(|_| slot.pane.is_table()) else { return };
    let top = slot.inner().y + slot.lines_above();
    let table = view.page_mut().table_mut(slot.pane);
    let line = at.y.checked_sub(top).map(usize::from).filter(|line| *line < slot.rows());
    let Some(index) = line.map(|line| table.offset + line) else { return };
    if let Some(id) = data.id(slot.pane, index) {
        table.selected = Some(id);
        table.held = true;
        table.index = index;
        table.present = true;
    }
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
