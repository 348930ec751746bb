//! All about one finding: what it is, since when, the figures, why it happens, what to do, and how sure that is.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::Context;
use crate::{
    field::format,
    findings::{Confidence, Figure, Finding},
    model::Stamp,
    ui::{
        Theme, columns,
        pen::Pen,
        scene::Data,
        story::{Ended, Story},
        table::scrollbar,
        text::{pad, width, wrap},
        view::View,
        words,
    },
};

/// Width of the labels.
const LABEL: usize = 9;
/// The widest text: longer lines are hard to read.
const WIDEST: usize = 100;
/// Between two figures in a line.
const GAP: usize = 4;

/// What a line is, which decides how it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What is wrong.
    Headline,
    /// It is over.
    Ended,
    /// Anything else.
    Text,
}

/// A line of the story.
struct Line {
    label: &'static str,
    text: String,
    kind: Kind,
}

/// How many lines the story of the page has; 0 on a page that has none.
pub(in crate::ui) fn lines(view: &View, data: &Data<'_>) -> usize {
    let Some(story) = &view.page().story else { return 0 };
    told(story, data, super::text_width(view)).len()
}

pub(super) fn draw(buffer: &mut Buffer, context: &Context<'_>) {
    let (theme, page) = (context.theme(), context.scene.view.page());
    let Some(story) = &page.story else {
        let inner = context.frame(buffer, "Finding", &[]);
        Pen::new(buffer, inner, 0).put_cut("It no longer holds.", theme.warning(), theme);
        return;
    };
    let finding = &story.finding;
    let mut facts = vec![
        (columns::severity(finding.severity).to_owned(), theme.severity(finding.severity)),
        (finding.confidence.name().to_owned(), theme.text()),
    ];
    // How bad it is is not how bad it was.
    if story.is_over() {
        facts[0] = ("OVER".to_owned(), theme.mark());
    }
    if story.is_to_come() {
        facts.clear();
    }
    let inner = context.frame(buffer, finding.id.name(), &facts);
    let lines = told(story, &context.data, usize::from(inner.width));
    let first = page.scroll.min(lines.len().saturating_sub(usize::from(inner.height)));
    for (y, line) in (0..inner.height).zip(lines.iter().skip(first)) {
        let mut pen = Pen::new(buffer, inner, y);
        if line.kind == Kind::Text {
            pen.put(&pad(line.label, LABEL, false), theme.head());
        }
        pen.put_cut(&theme.duration(&line.text), style(line.kind, theme), theme);
    }
    let x = context.track().unwrap_or(inner.right().saturating_sub(1));
    scrollbar(buffer, Rect { x, width: 1, ..inner }, first, lines.len(), theme);
}

fn style(kind: Kind, theme: &Theme) -> Style {
    match kind {
        Kind::Headline => theme.strong(),
        Kind::Ended => theme.mark(),
        Kind::Text => theme.text(),
    }
}

/// The story in lines of at most `room` cells; the last cell is kept for a scrollbar.
fn told(story: &Story, data: &Data<'_>, room: usize) -> Vec<Line> {
    let finding = &story.finding;
    let now = data.moment.sample.stamp;
    let room = room.saturating_sub(1).min(WIDEST);
    let whole = |kind, text: &str| {
        wrap(text, room).into_iter().map(move |text| Line { label: "", text, kind }).collect::<Vec<_>>()
    };
    if story.is_to_come() {
        return whole(Kind::Ended, "It was not found at this moment: it came later.");
    }
    let mut lines = vec![];
    let interval_s = data.moment.sample.cost.interval.as_secs_f64();
    lines.extend(story.ended(interval_s).map_or(vec![], |ended| whole(Kind::Ended, &over(ended, now))));
    lines.extend(whole(Kind::Headline, &finding.summary));
    let mut part = |label, texts: Vec<String>| lines.extend(labelled(label, texts));
    let text_room = room.saturating_sub(LABEL);
    part("since", wrap(&since(finding, now), text_room));
    part("figures", figures(&finding.evidence, text_room));
    part("why", wrap(&finding.why, text_room));
    part("do", steps(&finding.advice, text_room));
    part("sure", wrap(sure(finding.confidence), text_room));
    lines
}

/// Lines of which the first has a label.
fn labelled(label: &'static str, texts: Vec<String>) -> impl Iterator<Item = Line> {
    let label = move |i| if i == 0 { label } else { "" };
    texts.into_iter().enumerate().map(move |(i, text)| Line { label: label(i), text, kind: Kind::Text })
}

fn over(ended: Ended, now: Stamp) -> String {
    match ended {
        Ended::At(at) => {
            format!("It no longer holds, since {} ({} ago).", clock(at), words::ago(now.seconds_since(&at)))
        }
        Ended::Between(from, to) => {
            format!("It no longer holds: it ended between {} and {}.", clock(from), clock(to))
        }
    }
}

fn since(finding: &Finding, now: Stamp) -> String {
    let age = now.seconds_since(&finding.since);
    if age < 1.0 {
        return "now".to_owned();
    }
    format!("{} or before, {} ago", clock(finding.since), words::ago(age))
}

/// The figures, one below the other, in as many columns as fit.
fn figures(evidence: &[Figure], room: usize) -> Vec<String> {
    let cells: Vec<(String, String)> = evidence.iter().map(figure).collect();
    let widest = |of: fn(&(String, String)) -> &String| cells.iter().map(|cell| width(of(cell))).max();
    let (Some(name), Some(value)) = (widest(|cell| &cell.0), widest(|cell| &cell.1)) else { return vec![] };
    let column = name + 2 + value;
    let columns = ((room + GAP) / (column + GAP)).max(1);
    let rows = cells.len().div_ceil(columns);
    let cell = |(text, figure): &(String, String)| {
        format!("{}  {}", pad(text, name, false), pad(figure, value, true))
    };
    let line = |row| cells.iter().skip(row).step_by(rows).map(cell).collect::<Vec<_>>();
    (0..rows).map(|row| line(row).join(&" ".repeat(GAP))).collect()
}

/// The name of a figure, and the figure as people read it.
fn figure(Figure { name, value, unit }: &Figure) -> (String, String) {
    let name = name.strip_suffix("_per_s").unwrap_or(name).replace('_', " ");
    let text = match *unit {
        "/s" => format::rate(*value),
        "%" => format::percent(*value),
        "s" => format::seconds(*value),
        "ms" => format::seconds(*value / 1000.0),
        "sockets" | "" => count(*value),
        unit => format!("{} {unit}", count(*value)),
    };
    (name, text)
}

/// A count with a mark at every third digit; what is no whole number as it is.
fn count(value: f64) -> String {
    match format!("{value}").parse::<u64>() {
        Ok(whole) => format::grouped(whole),
        Err(_) => format!("{value}"),
    }
}

/// A numbered list; what follows in a step stands below its first word.
fn steps(advice: &[String], room: usize) -> Vec<String> {
    let numbered = |(n, text): (usize, &String)| {
        let number = format!("{n}. ");
        let indent = " ".repeat(number.len());
        let lines = wrap(text, room.saturating_sub(number.len())).into_iter().enumerate();
        lines.map(|(i, line)| format!("{}{line}", if i == 0 { &number } else { &indent })).collect::<Vec<_>>()
    };
    (1..).zip(advice).flat_map(numbered).collect()
}

const fn sure(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Certain => "certain: the figures prove it",
        Confidence::Likely => {
            "likely: the figures fit it; something that cannot be seen might explain them too"
        }
    }
}

/// The time of day, UTC as in the header.
fn clock(stamp: Stamp) -> String {
    format::time(stamp.wall).get(11..19).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_stand_in_columns() {
        let evidence =
            [("closed_first_per_s", 94.0, "/s"), ("time_wait", 1850.0, "sockets"), ("x", 0.5, "ms")]
                .map(|(name, value, unit)| Figure { name, value, unit });
        assert_eq!(
            figures(&evidence, 60),
            ["closed first   94/s    x             500µs", "time wait     1,850"]
        );
        assert_eq!(figures(&evidence, 20).len(), 3);
        assert!(figures(&[], 60).is_empty());
    }

    #[test]
    fn steps_hang_below_their_number() {
        let advice = ["one two three".to_owned(), "four".to_owned()];
        assert_eq!(steps(&advice, 10), ["1. one two", "   three", "2. four"]);
    }
}
