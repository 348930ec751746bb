//! The page for people as text, at most 80 columns wide: it is made to be pasted into a chat.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{
    Options,
    report::{Cell, Column, Report, Section},
};
use crate::{field::Align, store::Observation};

/// The widest line.
const WIDTH: usize = 80;
/// The widest bar.
const BAR: u16 = 36;
/// To how little an elastic column is cut, at the least.
const LEAST: usize = 8;

pub(super) fn write(observation: &Observation, options: &Options<'_>, out: &mut dyn Write) -> io::Result<()> {
    let report = Report::of(observation, options);
    let page = Page { ascii: options.ascii };
    let mut out = io::BufWriter::new(out);
    let between = if page.ascii { " | " } else { " · " };
    page.sentence(&report.title.join(between), &mut out)?;
    for fact in &report.facts {
        page.sentence(fact, &mut out)?;
    }
    for section in &report.sections {
        writeln!(out)?;
        page.section(section, &mut out)?;
    }
    if !report.warnings.is_empty() {
        writeln!(out)?;
    }
    for warning in &report.warnings {
        page.sentence(&format!("! {warning}"), &mut out)?;
    }
    out.flush()
}

/// How the page is set.
struct Page {
    ascii: bool,
}

impl Page {
    /// A sentence, broken between words; the lines after the first are indented.
    fn sentence(&self, text: &str, out: &mut impl Write) -> io::Result<()> {
        let text = self.clean(text);
        let mut line = String::new();
        for word in text.split(' ') {
            let fits = line.width() + 1 + word.width() <= WIDTH;
            if !line.trim().is_empty() && !fits {
                writeln!(out, "{line}")?;
                "  ".clone_into(&mut line);
            } else if !line.is_empty() {
                line.push(' ');
            }
            for c in word.chars() {
                // A word that is wider than the page is broken anywhere.
                if line.width() + c.width().unwrap_or(0) > WIDTH {
                    writeln!(out, "{line}")?;
                    "  ".clone_into(&mut line);
                }
                line.push(c);
            }
        }
        writeln!(out, "{line}")
    }

    fn section(&self, section: &Section, out: &mut impl Write) -> io::Result<()> {
        self.sentence(&section.title, out)?;
        let rows: Vec<Vec<String>> =
            section.rows.iter().map(|row| row.iter().map(|cell| self.cell(cell)).collect()).collect();
        if !rows.is_empty() {
            let widths = widths(&section.columns, &rows);
            let titles: Vec<_> = section.columns.iter().map(|column| column.title.to_owned()).collect();
            for row in std::iter::once(&titles).chain(&rows) {
                self.row(&section.columns, &widths, row, out)?;
            }
        }
        match &section.note {
            Some(note) => self.sentence(&format!("  {note}"), out),
            None => Ok(()),
        }
    }

    fn row(
        &self,
        columns: &[Column],
        widths: &[usize],
        cells: &[String],
        out: &mut impl Write,
    ) -> io::Result<()> {
        let mut line = String::new();
        for ((column, &width), cell) in columns.iter().zip(widths).zip(cells) {
            let text = self.cut(cell, width);
            let room = " ".repeat(width.saturating_sub(text.width()));
            line.push_str("  ");
            match column.align {
                Align::Left => line.extend([&*text, &*room]),
                Align::Right => line.extend([&*room, &*text]),
            }
        }
        writeln!(out, "{}", line.trim_end())
    }

    fn cell(&self, cell: &Cell) -> String {
        match cell {
            Cell::Text(text) => self.clean(text),
            Cell::Bar(share) => self.bar(*share),
        }
    }

    /// A bar in eighths of a cell; whatever is not nothing shows.
    fn bar(&self, share: f64) -> String {
        const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
        let steps = if self.ascii { 1 } else { 8 };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share is within 0 and 1"
        )]
        let length = (share.clamp(0.0, 1.0) * f64::from(BAR * steps)).ceil() as usize;
        if self.ascii {
            return "#".repeat(length);
        }
        let mut bar = "█".repeat(length / 8);
        if !length.is_multiple_of(8) {
            bar.push(EIGHTHS[length % 8]);
        }
        bar
    }

    /// `text` cut to `width` cells, with a sign that it was.
    fn cut(&self, text: &str, width: usize) -> String {
        if text.width() <= width {
            return text.to_owned();
        }
        let sign = if self.ascii { '~' } else { '…' };
        let mut short = String::new();
        let mut used = 1;
        for c in text.chars() {
            used += c.width().unwrap_or(0);
            if used > width {
                break;
            }
            short.push(c);
        }
        short.push(sign);
        short
    }

    /// `text`, with escapes for what is not ASCII where that is asked for.
    fn clean(&self, text: &str) -> String {
        if !self.ascii || text.is_ascii() {
            return text.to_owned();
        }
        let mut clean = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                c if c.is_ascii() => clean.push(c),
                '×' => clean.push('x'),
                c => clean.extend(c.escape_unicode()),
            }
        }
        clean
    }
}

/// How wide the columns are: as their widest cell, but elastic ones give way where the page is too narrow,
/// the widest first.
fn widths(columns: &[Column], rows: &[Vec<String>]) -> Vec<usize> {
    let widest = |index: usize| rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.width()).max();
    let natural = |(index, column): (usize, &Column)| column.title.width().max(widest(index).unwrap_or(0));
    let mut widths: Vec<usize> = columns.iter().enumerate().map(natural).collect();
    while widths.iter().sum::<usize>() + 2 * widths.len() > WIDTH {
        let elastic = |index: &usize| columns[*index].elastic && widths[*index] > LEAST;
        let Some(victim) = (0..widths.len()).filter(elastic).max_by_key(|index| widths[*index]) else {
            break;
        };
        widths[victim] -= 1;
    }
    widths
}
