//! The command palette: a command typed by its name, with what it is about.

use crossterm::event::KeyEvent;

use super::{
    columns,
    command::{self, Command, TABLE},
    export,
    export::Exportable,
    filter_line,
    keymap::{self, Edit},
    playhead::Sources,
    prompt::{Offer, Prompt},
    scene::Data,
    sorting,
    update::{Effect, obey},
    view::{Mode, View},
};
use crate::query::{Query, QueryError, nearest_name};

/// Something that was asked for by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Order {
    /// As if its key had been pressed.
    Plain(Command),
    /// Set this filter.
    Filter(String),
    /// Sort the pane that has the focus by this column.
    Sort(&'static str),
    /// Write this to a file.
    Export(Exportable),
}

/// Begins to type a command.
pub(super) fn open(view: &mut View, data: Option<Data<'_>>) {
    let mut prompt = Prompt::default();
    prompt.offer(offers(view, &prompt, data));
    view.mode = Mode::Palette(prompt);
}

/// A key while a command is being typed.
pub(super) fn key(
    view: &mut View,
    event: &KeyEvent,
    data: Option<Data<'_>>,
    sources: Sources<'_>,
) -> Vec<Effect> {
    let Mode::Palette(mut prompt) = std::mem::take(&mut view.mode) else { return vec![] };
    match keymap::edit(event) {
        Some(Edit::Cancel) => return vec![],
        Some(Edit::Accept) => match read(view, prompt.line.value(), data) {
            Ok(order) => return run(view, order, data, sources),
            Err(error) => prompt.error = Some(error),
        },
        Some(Edit::Line(request)) => {
            prompt.edit(request);
            look(view, &mut prompt, data);
        }
        Some(Edit::Choose { forward }) => choose(view, &mut prompt, forward, data),
        Some(Edit::Recall { back }) => choose(view, &mut prompt, !back, data),
        None => {}
    }
    view.mode = Mode::Palette(prompt);
    vec![]
}

/// Types `text` into the line.
pub(super) fn paste(view: &mut View, text: &str, data: Option<Data<'_>>) {
    let Mode::Palette(mut prompt) = std::mem::take(&mut view.mode) else { return };
    prompt.paste(text);
    look(view, &mut prompt, data);
    view.mode = Mode::Palette(prompt);
}

fn choose(view: &View, prompt: &mut Prompt, forward: bool, data: Option<Data<'_>>) {
    prompt.error = None;
    if prompt.choose(forward) {
        look(view, prompt, data);
    }
}

fn look(view: &View, prompt: &mut Prompt, data: Option<Data<'_>>) {
    prompt.error = None;
    prompt.offer(offers(view, prompt, data));
}

fn run(view: &mut View, order: Order, data: Option<Data<'_>>, sources: Sources<'_>) -> Vec<Effect> {
    match order {
        Order::Plain(command) => obey(view, command, data, sources),
        Order::Filter(text) => filter_line::apply(view, text, data),
        Order::Sort(key) => sorting::by(view, view.page().focus, key),
        Order::Export(what) => export::request(view, what, data),
    }
}

/// What could be written at the cursor.
fn offers(view: &View, prompt: &Prompt, data: Option<Data<'_>>) -> Vec<Offer> {
    let cursor = prompt.line.cursor();
    let before: String = prompt.line.value().chars().take(cursor).collect();
    let Some((head, rest)) = before.trim_start().split_once(' ') else {
        return commands(view, before.trim_start(), cursor);
    };
    let start = cursor - rest.chars().count();
    let part = rest.trim_start().to_lowercase();
    let plain = |text: &str, doc: &str| Offer {
        start,
        text: text.to_owned(),
        key: String::new(),
        doc: doc.to_owned(),
    };
    match head {
        "filter" => {
            let found = filter_line::offers(rest, cursor - start, data).into_iter();
            found.map(|offer| Offer { start: start + offer.start, ..offer }).collect()
        }
        "sort" => {
            let known = sortable(view, data);
            let fits = known.into_iter().filter(|column| column.begins_with(&part));
            fits.map(|column| plain(&column.title, column.doc)).collect()
        }
        "view" => {
            let numbers = (1..).zip(command::VIEWS).filter(|(_, name)| name.starts_with(&part));
            let help = |number| command::entry(Command::View(number)).map_or("", |entry| entry.help);
            numbers.map(|(number, name)| plain(name, help(number))).collect()
        }
        "export" => {
            let fits = export::offered(view, data).into_iter().filter(|what| what.name().starts_with(&part));
            fits.map(|what| plain(what.name(), what.doc())).collect()
        }
        _ => vec![],
    }
}

/// The commands whose names `text` may be meant to be, the best first.
fn ranked(text: &str) -> Vec<&'static command::Entry> {
    let text = text.to_lowercase();
    let known = TABLE.iter().filter(|entry| entry.command != Command::Palette);
    let mut found: Vec<_> = known.filter_map(|entry| Some((rank(entry, &text)?, entry))).collect();
    found.sort_by_key(|(rank, _)| *rank);
    found.into_iter().map(|(_, entry)| entry).collect()
}

/// How well `text` fits a command, 0 the best: its name, the beginning of it, of a word of it, a part of its name or
/// title, or letters of it in their order.
fn rank(entry: &command::Entry, text: &str) -> Option<u8> {
    let name = entry.name;
    let mut letters = name.chars();
    Some(match text {
        text if name == text => 0,
        text if name.starts_with(text) => 1,
        text if name.split('-').any(|word| word.starts_with(text)) => 2,
        text if name.contains(text) || entry.title.contains(text) => 3,
        text if text.chars().all(|c| letters.any(|letter| letter == c)) => 4,
        _ => return None,
    })
}

fn commands(view: &View, text: &str, cursor: usize) -> Vec<Offer> {
    let start = cursor - text.chars().count();
    let offer = |entry: &command::Entry| Offer {
        start,
        text: entry.name.to_owned(),
        key: view.settings.keymap.label(entry.command).unwrap_or_default(),
        doc: entry.help.to_owned(),
    };
    ranked(text).into_iter().map(offer).collect()
}

/// A column that the focused table can be sorted by.
struct Column {
    key: &'static str,
    /// As its title has it, in small letters.
    title: String,
    doc: &'static str,
}

impl Column {
    fn begins_with(&self, part: &str) -> bool {
        self.title.starts_with(part) || self.key.starts_with(part)
    }
}

fn sortable(view: &View, data: Option<Data<'_>>) -> Vec<Column> {
    let pane = view.page().focus;
    let keys = columns::sort_keys(view.settings.columns(pane), u16::MAX, data.as_ref()).into_iter();
    let column =
        |key| Column { key, title: columns::name(pane, key).to_lowercase(), doc: columns::doc(pane, key) };
    keys.map(column).collect()
}

/// What the line asks for.
fn read(view: &View, line: &str, data: Option<Data<'_>>) -> Result<Order, QueryError> {
    let text = line.trim();
    let column = line.chars().take_while(|c| c.is_whitespace()).count();
    let wrong = |message: String| QueryError { column, message };
    let (head, rest) = text.split_once(' ').map_or((text, ""), |(head, rest)| (head, rest.trim_start()));
    if rest.is_empty() {
        return match head {
            "" => Err(wrong("a command is missing here, such as sort or view peers".to_owned())),
            "view" => Err(wrong(format!("which view? one of {}", command::VIEWS.join(", ")))),
            head => named(head).map(Order::Plain).map_err(wrong),
        };
    }
    let at = column + text.chars().count() - rest.chars().count();
    let wrong_there = |message: String| QueryError { column: at, message };
    match head {
        "filter" => match Query::parse(rest) {
            Ok(_) => Ok(Order::Filter(rest.to_owned())),
            Err(error) => Err(QueryError { column: at + error.column, ..error }),
        },
        "sort" => sort_key(view, rest, data).map(Order::Sort).map_err(wrong_there),
        "view" => {
            let number = pick(rest, "view", (1..).zip(command::VIEWS).map(|(n, name)| (name.to_owned(), n)));
            number.map(|number| Order::Plain(Command::View(number))).map_err(wrong_there)
        }
        "export" => {
            let offered = export::offered(view, data).into_iter().map(|what| (what.name().to_owned(), what));
            pick(rest, "export of this page", offered).map(Order::Export).map_err(wrong_there)
        }
        head => match named(head) {
            Ok(command) => Err(wrong_there(format!("{} takes nothing after it", command.name()))),
            Err(message) => Err(wrong(message)),
        },
    }
}

/// The column that `text` names by its title, its key, or the beginning of one alone.
fn sort_key(view: &View, text: &str, data: Option<Data<'_>>) -> Result<&'static str, String> {
    let columns = sortable(view, data);
    if columns.is_empty() {
        return Err("this pane cannot be sorted".to_owned());
    }
    let by_key = columns.iter().find(|column| column.key.eq_ignore_ascii_case(text));
    if let Some(column) = by_key {
        return Ok(column.key);
    }
    pick(text, "column", columns.into_iter().map(|column| (column.title, column.key)))
}

/// What `text` is the name of, or the beginning of the only one.
fn pick<T>(text: &str, what: &str, known: impl Iterator<Item = (String, T)>) -> Result<T, String> {
    let text = text.to_lowercase();
    let (mut names, mut fitting) = (vec![], vec![]);
    for (name, value) in known {
        if name == text {
            return Ok(value);
        }
        if name.starts_with(&text) {
            fitting.push((name.clone(), value));
        }
        names.push(name);
    }
    match fitting.len() {
        0 => Err(format!("there is no {what} `{text}`; use one of {}", names.join(", "))),
        1 => Ok(fitting.remove(0).1),
        _ => {
            let could_be: Vec<_> = fitting.into_iter().map(|(name, _)| name).collect();
            Err(format!("`{text}` could be {}", could_be.join(", ")))
        }
    }
}

/// The command that `text` is the name of, or is clearly meant to be.
fn named(text: &str) -> Result<Command, String> {
    let found = ranked(text);
    let prefixed = found.iter().filter(|entry| entry.name.starts_with(&text.to_lowercase())).count();
    match found.as_slice() {
        [] => Err(match nearest_name(text, TABLE.iter().map(|entry| entry.name)) {
            Some(near) => format!("there is no command `{text}`; did you mean {near}?"),
            None => format!("there is no command `{text}`"),
        }),
        [best, ..] if best.name == text || prefixed == 1 || found.len() == 1 => Ok(best.command),
        [..] => {
            let could_be: Vec<&str> = found.iter().take(5).map(|entry| entry.name).collect();
            Err(format!("`{text}` could be {}; choose one with Tab", could_be.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&'static str> {
        ranked(text).into_iter().map(|entry| entry.name).collect()
    }

    #[test]
    fn the_best_comes_first() {
        assert_eq!(names("sort"), ["sort", "sort-back"]);
        assert_eq!(names("page")[..2], ["page-down", "page-up"]);
        assert_eq!(names("pane")[..2], ["next-pane", "previous-pane"]);
        // Letters in their order.
        assert_eq!(names("npane"), ["next-pane"]);
        assert_eq!(names("xyzzy"), [""; 0]);
        assert_eq!(names("").len(), TABLE.len() - 1);
    }

    #[test]
    fn only_what_is_clear_is_run() {
        assert_eq!(named("pause"), Ok(Command::Pause));
        assert_eq!(named("paus"), Ok(Command::Pause));
        assert_eq!(named("copy"), Ok(Command::Copy));
        assert_eq!(named("npane"), Ok(Command::NextPane));
        let many = named("p").expect_err("many begin with it");
        assert!(many.starts_with("`p` could be processes, peers, ports"), "{many}");
        assert_eq!(named("sorrt"), Err("there is no command `sorrt`; did you mean sort?".to_owned()));
        assert_eq!(named("\u{1b}"), Err("there is no command `\u{1b}`".to_owned()));
    }

    #[test]
    fn an_argument_is_a_name_or_the_beginning_of_one() {
        let one = |text| {
            let known = (1..).zip(["ports", "peers"]).map(|(number, name)| (name.to_owned(), number));
            pick(text, "view", known)
        };
        assert_eq!(one("PORTS"), Ok(1));
        assert_eq!(one("pe"), Ok(2));
        assert_eq!(one("p"), Err("`p` could be ports, peers".to_owned()));
        assert_eq!(one("x"), Err("there is no view `x`; use one of ports, peers".to_owned()));
    }
}
