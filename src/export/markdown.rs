//! The page for people as Markdown (GitHub's dialect, for its tables).

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use super::{
    Options,
    report::{Cell, Report, Section},
};
use crate::{field::Align, store::Observation};

pub(super) fn write(observation: &Observation, options: &Options<'_>, out: &mut dyn Write) -> io::Result<()> {
    let report = Report::of(observation, options);
    let mut out = io::BufWriter::new(out);
    writeln!(out, "# {}\n", escaped(&report.title.join(" · ")))?;
    for fact in &report.facts {
        writeln!(out, "- {}", escaped(fact))?;
    }
    for section in &report.sections {
        self::section(section, &mut out)?;
    }
    if !report.warnings.is_empty() {
        writeln!(out, "\n## Warnings\n")?;
    }
    for warning in &report.warnings {
        writeln!(out, "- {}", escaped(warning))?;
    }
    if let Some(hint) = report.hint {
        writeln!(out, "\n{}", escaped(hint))?;
    }
    out.flush()
}

fn section(section: &Section, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "\n## {}\n", escaped(&section.title))?;
    // Bars are for a page of fixed width.
    let drawn = |index: usize| section.rows.iter().any(|row| matches!(row.get(index), Some(Cell::Bar(_))));
    let columns: Vec<usize> = (0..section.columns.len()).filter(|index| !drawn(*index)).collect();
    if !section.rows.is_empty() {
        let titles = columns.iter().map(|index| escaped(section.columns[*index].title));
        row(titles, out)?;
        let rules = columns.iter().map(|index| match section.columns[*index].align {
            Align::Left => "---".to_owned(),
            Align::Right => "---:".to_owned(),
        });
        row(rules, out)?;
    }
    for cells in &section.rows {
        let texts = columns.iter().filter_map(|index| match cells.get(*index)? {
            Cell::Text(text) => Some(escaped(text)),
            Cell::Bar(_) => None,
        });
        row(texts, out)?;
    }
    match section.note() {
        Some(note) if section.rows.is_empty() => writeln!(out, "{}", escaped(&note)),
        Some(note) => writeln!(out, "\n{}", escaped(&note)),
        None => Ok(()),
    }
}

fn row(cells: impl Iterator<Item = String>, out: &mut impl Write) -> io::Result<()> {
    let mut line = String::from("|");
    for cell in cells {
        // Writing to a string does not fail.
        let _ = write!(line, " {cell} |");
    }
    writeln!(out, "{line}")
}

/// `text` with every character that Markdown or HTML gives a meaning to taken by its word. Names of states
/// keep their underscores, which mean nothing inside a word.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let inside = before.is_alphanumeric() && rest.peek().is_some_and(|next| next.is_alphanumeric());
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '_' if inside => safe.push(c),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '#' | '!' | '$' => safe.extend(['\\', c]),
            // A mention of somebody, where the page is pasted into a forge.
            '@' => safe.push_str("&#64;"),
            c => safe.push(c),
        }
        before = c;
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_taken_by_its_word() {
        assert_eq!(escaped("a|b`c`<i>*[x](y)"), "a\\|b\\`c\\`&lt;i&gt;\\*\\[x\\](y)");
        assert_eq!(escaped("TIME_WAIT __x__"), "TIME_WAIT \\_\\_x\\_\\_");
        assert_eq!(escaped("@everyone"), "&#64;everyone");
    }
}
