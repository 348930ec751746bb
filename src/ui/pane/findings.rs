//! What is wrong, the worst first: a table on a page of its own, one line each at the top of the overview.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{Context, tables};
use crate::{
    findings::{Finding, Severity},
    model::text::printable,
    ui::{
        columns,
        command::Command,
        in_short,
        keymap::Keymap,
        layout::Chrome,
        pen::Pen,
        since, table,
        text::{pad, width, wrap},
        update::window,
        verdict,
        view::{Pane, Screen},
    },
};

/// Width of how bad a finding is.
const SEVERITY: usize = 8;
/// Width of how old it is.
const AGE: usize = 7;
/// Width of the labels of what is told below the table.
const LABEL: u16 = 6;

pub(super) fn draw(buffer: &mut Buffer, context: &Context<'_>) {
    if context.chrome == Chrome::Bare {
        return lines(buffer, context);
    }
    let data = context.data;
    let mut facts = counted(context);
    facts.extend(over(context));
    facts.extend(context.since());
    let inner = context.frame(buffer, "Findings", &facts);
    let len = data.len(Pane::Findings);
    if len == 0 {
        tables::nothing(buffer, context, inner, &verdict::quiet(&data));
        return;
    }
    tables::list(context, len, |frame| {
        table::draw::<Finding>(buffer, inner, frame, |index| data.finding(index));
    });
    if let Some(finding) = data.finding(context.table().index) {
        let used = u16::try_from(len + 1).unwrap_or(u16::MAX);
        let rest = inner.height.saturating_sub(used);
        told(buffer, context, Rect { y: inner.bottom() - rest, height: rest, ..inner }, finding);
    }
}

/// All of the sentence of the selected finding, and what to do first, where rows leave room for them.
fn told(buffer: &mut Buffer, context: &Context<'_>, area: Rect, finding: &Finding) {
    let theme = context.theme();
    let room = usize::from(area.width.saturating_sub(LABEL + 1));
    let parts = [("what", Some(&finding.summary)), ("do", finding.advice.first())];
    let mut line = 1;
    for (label, text) in parts {
        let lines = wrap(&theme.duration(&printable(text.map_or("", |text| text))), room);
        if usize::from(area.height) < usize::from(line) + lines.len() {
            return;
        }
        for (index, text) in lines.iter().enumerate() {
            let mut pen = Pen::new(buffer, area, line);
            pen.skip(1);
            let label_area = pen.take(LABEL);
            if index == 0 {
                Pen::new(pen.buffer(), label_area, 0).put(label, theme.head());
            }
            pen.put(text, theme.text());
            line += 1;
        }
    }
}

/// How many there are of each kind: `1 critical`, `2 warnings`.
fn counted(context: &Context<'_>) -> Vec<(String, Style)> {
    let data = context.data;
    let kept = || (0..data.selection.findings.len()).filter_map(|index| data.finding(index));
    let counts = [Severity::Critical, Severity::Warning, Severity::Info]
        .map(|severity| (severity, kept().filter(|finding| finding.severity == severity).count()));
    let counts = counts.into_iter().filter(|(_, count)| *count > 0);
    counts
        .map(|(severity, count)| {
            let plural = if severity == Severity::Warning && count > 1 { "s" } else { "" };
            (format!("{count} {}{plural}", severity.name()), context.theme().severity(severity))
        })
        .collect()
}

/// How many are over since the mark.
fn over(context: &Context<'_>) -> Option<(String, Style)> {
    let count = context.data.selection.over.len();
    (count > 0).then(|| (format!("{count} {}", context.data.over()), context.theme().text()))
}

/// One line for each that there is room for; the last one says how many more there are, and where.
fn lines(buffer: &mut Buffer, context: &Context<'_>) {
    let (data, table, area) = (context.data, context.table(), context.area);
    let (len, height) = (data.selection.findings.len(), usize::from(area.height));
    let first = window(table.offset, table.index, height, len);
    for (line, y) in (0..area.height).enumerate() {
        let Some(finding) = data.finding(first + line) else { break };
        let row = Rect { y: area.y + y, height: 1, ..area };
        let keymap = &context.scene.view.settings.keymap;
        let more = if line + 1 == height { more(len.saturating_sub(height), keymap) } else { String::new() };
        let text = Rect { width: area.width.saturating_sub(cells(&more)), ..row };
        one(&mut Pen::new(buffer, text, 0), context, finding);
        if context.focused() && table.present && first + line == table.index {
            buffer.set_style(text, context.theme().selected());
        }
        let rest = Rect { x: text.right(), width: row.width - text.width, ..row };
        Pen::new(buffer, rest, 0).put(&more, context.theme().key());
    }
}

fn cells(text: &str) -> u16 {
    u16::try_from(width(text)).unwrap_or(u16::MAX)
}

/// How many more there are, and the key that shows them.
fn more(count: usize, keymap: &Keymap) -> String {
    let index = Screen::VIEWS.iter().position(|view| *view == Screen::Findings).unwrap_or(0);
    let number = u8::try_from(index + 1).unwrap_or(0);
    match (count, keymap.label(Command::View(number))) {
        (0, _) | (_, None) => String::new(),
        (count, Some(key)) => format!(" +{count} more: press {key}"),
    }
}

/// How bad it is, how old, and what.
fn one(pen: &mut Pen<'_>, context: &Context<'_>, finding: &Finding) {
    let theme = context.theme();
    let age = since::age(finding, &context.data, theme);
    pen.skip(1);
    let severity = columns::severity(finding.severity);
    pen.put(severity, theme.severity(finding.severity));
    pen.skip(u16::try_from(SEVERITY.saturating_sub(severity.len())).unwrap_or(0));
    pen.put(&format!("{} ", pad(&age, AGE, true)), theme.head());
    let said = in_short::sentence(finding, pen.room().into(), theme);
    pen.put(&said, theme.text());
}
