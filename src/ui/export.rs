//! What can be written to a file, and the question which.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::{
    scene::{Data, Look},
    update::Effect,
    view::{Message, Mode, Pane, RowId, Screen, View},
};
use crate::{
    findings::{Finding, Key},
    model::Side,
    query::Query,
};

/// Something that can be written to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exportable {
    /// The rows of the table that has the focus, in their order, as CSV.
    View,
    /// The sample with its sockets as JSON.
    Sample,
    /// One finding as JSON.
    Finding,
    /// One finding as a page for people.
    Report,
}

/// What to write to a file.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// What is on screen.
    pub look: Look,
    /// Which of its sockets and findings: the filter in force, and what the page is about.
    pub query: Query,
    /// What of it.
    pub part: ExportPart,
    /// Whether that is not what goes on, but a moment that was gone back to or held.
    pub held: bool,
}

/// What of a look is written to a file.
#[derive(Debug, Clone)]
pub enum ExportPart {
    /// The table in a pane as the view shows it.
    Table(Pane, Box<View>),
    /// The sample.
    Sample,
    /// A finding, for programs.
    Finding(Box<Finding>),
    /// A finding, for people.
    Report(Box<Finding>),
}

impl Exportable {
    /// Everything, in the order in which it is offered.
    pub const ALL: [Self; 4] = [Self::View, Self::Sample, Self::Finding, Self::Report];

    /// Its name in the palette, and in the question where there is little room.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Sample => "sample",
            Self::Finding => "finding",
            Self::Report => "report",
        }
    }

    /// Its name with the form that it is written in.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::View => "view CSV",
            Self::Sample => "sample JSON",
            Self::Finding => "finding JSON",
            Self::Report => "report",
        }
    }

    /// What it is, in one sentence.
    #[must_use]
    pub const fn doc(self) -> &'static str {
        match self {
            Self::View => "The rows of the table that has the focus, as CSV.",
            Self::Sample => "The sockets that the filter keeps, and what is wrong with them, as JSON.",
            Self::Finding => "The selected finding as JSON.",
            Self::Report => "The selected finding as a page of text.",
        }
    }

    /// The key that chooses it.
    #[must_use]
    pub const fn key(self) -> char {
        match self {
            Self::View => 'v',
            Self::Sample => 's',
            Self::Finding => 'f',
            Self::Report => 'r',
        }
    }
}

/// What can be written now.
pub(super) fn offered(view: &View, data: Option<Data<'_>>) -> Vec<Exportable> {
    let Some(data) = data else { return vec![] };
    let pane = view.page().focus;
    // Rows that the filter could not choose are not what was asked for.
    let is_chosen = data.moment.is_whole() || view.filter.query.is_all();
    let applies = |what: &Exportable| match what {
        Exportable::View => pane.is_table() && data.len(pane) > 0 && !is_of_one_socket(view) && is_chosen,
        Exportable::Sample => data.moment.is_whole(),
        Exportable::Finding | Exportable::Report => finding(view, &data).is_some(),
    };
    Exportable::ALL.into_iter().filter(applies).collect()
}

/// The page of a socket has no table.
fn is_of_one_socket(view: &View) -> bool {
    matches!(view.page().screen, Screen::Socket(_))
}

/// Why there is nothing to write of a moment without sockets.
const NOT_KEPT: &str = "The sockets of this moment are not kept: they cannot be written.";

/// Asks what to write.
pub(super) fn ask(view: &mut View, data: Option<Data<'_>>) {
    let offered = offered(view, data);
    if !offered.is_empty() {
        view.mode = Mode::Export(offered);
    } else if data.is_some_and(|data| !data.moment.is_whole()) {
        view.message = Some(Message { text: NOT_KEPT.to_owned(), failure: true });
    }
}

/// A key while that is asked. Enter chooses what is offered first; any other leaves things as they are.
pub(super) fn key(view: &mut View, event: &KeyEvent, data: Option<Data<'_>>) -> Vec<Effect> {
    if event.kind == KeyEventKind::Release {
        return vec![];
    }
    let Mode::Export(offered) = std::mem::take(&mut view.mode) else { return vec![] };
    let plain = event.modifiers.difference(KeyModifiers::SHIFT).is_empty();
    let what = match event.code {
        KeyCode::Enter => offered.first(),
        KeyCode::Char(c) => offered.iter().find(|what| plain && what.key() == c.to_ascii_lowercase()),
        _ => None,
    };
    what.map_or(vec![], |what| request(view, *what, data))
}

/// Asks the wiring to write `what`.
pub(super) fn request(view: &mut View, what: Exportable, data: Option<Data<'_>>) -> Vec<Effect> {
    let Some(data) = data else { return vec![] };
    if !data.moment.is_whole() && !offered(view, Some(data)).contains(&what) {
        view.message = Some(Message { text: NOT_KEPT.to_owned(), failure: true });
        return vec![];
    }
    let found = || finding(view, &data).map(|finding| Box::new(finding.clone()));
    let part = match what {
        Exportable::View => Some(ExportPart::Table(view.page().focus, Box::new(view.clone()))),
        Exportable::Sample => Some(ExportPart::Sample),
        Exportable::Finding => found().map(ExportPart::Finding),
        Exportable::Report => found().map(ExportPart::Report),
    };
    let Some(part) = part else {
        view.message = Some(Message { text: "That is gone by now.".to_owned(), failure: true });
        return vec![];
    };
    let (look, query, held) = (data.look(), scope(view), view.is_held());
    vec![Effect::Export(ExportRequest { look, query, part, held })]
}

/// The finding that the page is about, else the one that is selected.
fn finding<'a>(view: &'a View, data: &Data<'a>) -> Option<&'a Finding> {
    let page = view.page();
    if let Some(story) = &page.story {
        return Some(&story.finding).filter(|_| !story.is_to_come());
    }
    let selected = page.table(Pane::Findings).selected.as_ref().filter(|_| page.focus == Pane::Findings);
    let Some(RowId::Finding(key)) = selected else { return None };
    data.findings.iter().find(|finding| Key::of(finding) == *key)
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
