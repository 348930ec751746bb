//! All about one counter, setting or limit: its figures, whether something is wrong with it, and the text that explains it.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::Context;
use crate::{
    field::{CounterRow, LimitRow, SettingRow, format},
    findings::{Finding, Topic, TopicKind},
    model::{Counters, text::printable},
    ui::{
        Theme, columns,
        pen::Pen,
        scene::Data,
        table::scrollbar,
        text::{pad, wrap},
        view::{Matter, Screen, View},
    },
};

/// Width of the labels.
const LABEL: usize = 9;
/// The widest text: longer lines are hard to read.
const WIDEST: usize = 100;

/// What a line is, which decides how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What it is, in a sentence.
    Headline,
    /// A heading of the text that explains.
    Heading,
    /// That text.
    Body,
    /// That something is wrong.
    Wrong,
    /// Anything else.
    Text,
}

/// A line of the page.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    label: &'static str,
    text: String,
    kind: Kind,
}

/// The name of what a page is about, for the trail in the header.
pub(in crate::ui) fn title(matter: &Matter) -> String {
    let name = match matter {
        Matter::Counter(name) => name,
        Matter::Setting(name) => name.rsplit('.').next().unwrap_or(name),
        Matter::Limit(name) => name,
    };
    printable(name).into_owned()
}

/// How many lines the page has; 0 on another page.
pub(in crate::ui) fn lines(view: &View, data: &Data<'_>) -> usize {
    let Screen::Explained(matter) = &view.page().screen else { return 0 };
    told(matter, data, super::text_width(view)).len()
}

pub(super) fn draw(buffer: &mut Buffer, context: &Context<'_>) {
    let (theme, page) = (context.theme(), context.scene.view.page());
    let Screen::Explained(matter) = &page.screen else { return };
    let what = match matter {
        Matter::Counter(_) => "counter",
        Matter::Setting(_) => "setting",
        Matter::Limit(_) => "limit",
    };
    let name = match matter {
        Matter::Setting(name) => printable(name).into_owned(),
        matter => title(matter),
    };
    let inner = context.frame(buffer, &name, &[(what.to_owned(), theme.text())]);
    let lines = told(matter, &context.data, usize::from(inner.width));
    let first = page.scroll.min(lines.len().saturating_sub(usize::from(inner.height)));
    for (y, line) in (0..inner.height).zip(lines.iter().skip(first)) {
        let mut pen = Pen::new(buffer, inner, y);
        if !line.label.is_empty() {
            pen.put(&pad(line.label, LABEL, false), theme.head());
        } else if matches!(line.kind, Kind::Text | Kind::Wrong) {
            pen.skip(u16::try_from(LABEL).unwrap_or(0));
        }
        pen.put_cut(&theme.duration(&line.text), style(line.kind, theme), theme);
    }
    let x = context.track().unwrap_or(inner.right().saturating_sub(1));
    scrollbar(buffer, Rect { x, width: 1, ..inner }, first, lines.len(), theme);
}

fn style(kind: Kind, theme: &Theme) -> Style {
    match kind {
        Kind::Headline => theme.strong(),
        Kind::Heading => theme.head(),
        Kind::Wrong => theme.warning(),
        Kind::Body | Kind::Text => theme.text(),
    }
}

/// The page in lines of at most `room` cells; the last cell is kept for a scrollbar.
fn told(matter: &Matter, data: &Data<'_>, room: usize) -> Vec<Line> {
    let room = room.saturating_sub(1).min(WIDEST);
    let (headline, figures, topic) = match matter {
        Matter::Counter(name) => counter(data, name),
        Matter::Setting(name) => setting(data, name),
        Matter::Limit(name) => limit(data, name),
    };
    let mut lines: Vec<Line> = wrap(&headline, room)
        .into_iter()
        .map(|text| Line { label: "", text, kind: Kind::Headline })
        .collect();
    for (label, text) in figures {
        lines.extend(labelled(label, &text, Kind::Text, room));
    }
    for text in wrong(topic, data) {
        lines.extend(labelled("wrong now", &text, Kind::Wrong, room));
    }
    if let Some(topic) = topic {
        if !topic.names().any(|name| name == title(matter)) {
            let text = format!("twtop explain {} says:", topic.short());
            lines.extend(labelled("more", &text, Kind::Text, room));
        }
        lines.extend(explained(topic, room));
    }
    lines
}

/// A label and its text, in as many lines as it takes.
fn labelled(label: &'static str, text: &str, kind: Kind, room: usize) -> impl Iterator<Item = Line> + use<> {
    let parts = wrap(&printable(text), room.saturating_sub(LABEL + 1)).into_iter().enumerate();
    // A label as wide as its column has a gap after it none the less.
    parts.map(move |(i, text)| Line {
        label: if i == 0 { label } else { "" },
        text: format!(" {text}"),
        kind,
    })
}

/// What stands above the text: a sentence, figures, and what the text is.
type Told = (String, Vec<(&'static str, String)>, Option<&'static Topic>);

fn counter(data: &Data<'_>, name: &str) -> Told {
    let Some(row) = CounterRow::of(data.moment, name) else { return gone("counter") };
    let meaning = match row.meaning() {
        "" => "Nobody acts on this counter.".to_owned(),
        meaning => sentence(meaning),
    };
    let mut figures = vec![("value", format::grouped(row.value))];
    if Counters::is_gauge(name) {
        figures.push(("rate", "none: it is a level, which may go down".to_owned()));
    } else {
        figures.push(("rate", row.rate.map_or_else(|| "not known yet".to_owned(), format::rate)));
        let grown = row.grown.map_or_else(|| "not known".to_owned(), format::grouped);
        figures.push(("grown", format!("{grown} since twtop began")));
    }
    (meaning, figures, row.told.and_then(|told| Topic::named(told.topic)))
}

fn setting(data: &Data<'_>, name: &str) -> Told {
    let Some(row) = SettingRow::of(data.moment, data.findings, name) else { return gone("setting") };
    let value = if row.value.is_empty() { "(none)".to_owned() } else { row.value.clone() };
    let default = match row.default {
        Some("") => "(none)",
        Some(default) => default,
        None => "not the same on every host",
    };
    let changed = if row.is_changed() { "; changed on this host" } else { "" };
    let figures = vec![("value", value), ("default", format!("{default}{changed}"))];
    let headline =
        row.topic.map_or_else(|| "Nothing is told of it.".to_owned(), |topic| topic.line.to_owned());
    (headline, figures, row.topic)
}

fn limit(data: &Data<'_>, name: &str) -> Told {
    let Some(row) = LimitRow::of(data.moment, name) else { return gone("limit") };
    let most = row.max().map_or_else(|| "as many as one likes".to_owned(), format::grouped);
    let figures = vec![
        ("now", format!("{} ({})", format::grouped(row.limit.value), format::percent(row.percent()))),
        ("most", most),
        ("when full", row.consequence.to_owned()),
    ];
    (sentence(&row.title), figures, Topic::named(row.topic))
}

fn gone(what: &str) -> Told {
    (format!("This kernel does not tell that {what} any more."), vec![], None)
}

/// With a capital and a full stop, unless it begins with a name that has none.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().map(|c| c.to_ascii_uppercase());
    let named = text.split([' ', ',']).next().is_some_and(|word| word.contains(['_', '(']));
    let text = if named { text.to_owned() } else { first.into_iter().chain(rest).collect() };
    format!("{text}.")
}

/// What is found now that the text is about, or that names the setting.
fn wrong(topic: Option<&Topic>, data: &Data<'_>) -> Vec<String> {
    let Some(topic) = topic else { return vec![] };
    let is_about = |finding: &&Finding| match topic.kind {
        TopicKind::Finding => finding.id.name() == topic.name,
        TopicKind::Setting => SettingRow::is_named_by(topic.name, finding),
        TopicKind::State | TopicKind::Other => false,
    };
    let told = data.findings.iter().filter(is_about);
    told.map(|finding| format!("{} {}", columns::severity(finding.severity), finding.summary)).collect()
}

/// The text of a topic without its first line, which is broken anew to `room`: headings begin a line, what belongs to them
/// is indented.
fn explained(topic: &Topic, room: usize) -> Vec<Line> {
    let mut lines = vec![];
    let mut paragraph = String::new();
    let text = |text, kind| Line { label: "", text, kind };
    let end = |paragraph: &mut String, lines: &mut Vec<Line>| {
        let parts = wrap(paragraph, room.saturating_sub(2)).into_iter();
        lines.extend(parts.map(|part| text(format!("  {part}"), Kind::Body)));
        paragraph.clear();
    };
    for line in topic.text.lines().skip(1) {
        if let Some(part) = line.strip_prefix("  ") {
            paragraph.push_str(part);
            paragraph.push(' ');
        } else {
            end(&mut paragraph, &mut lines);
            lines.push(text(line.to_owned(), Kind::Heading));
        }
    }
    end(&mut paragraph, &mut lines);
    lines
}
