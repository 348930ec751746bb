//! The page for people as text, at most 80 columns wide: it is made to be pasted into a chat.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{
    Options,
    report::{Cell, Column, Cut, Report, Section},
};
use crate::{field::Align, store::Observation};

/// The widest line.
const WIDTH: usize = 80;
/// The widest bar.
const BAR: u16 = 36;
/// How far tables are indented.
const INDENT: usize = 2;
/// A name is cut to this width before a column is left out for it.
const NAME: usize = 20;
/// To how little an elastic column is cut, where no other is left that could go.
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
    if let Some(hint) = report.hint {
        writeln!(out)?;
        page.sentence(hint, &mut out)?;
    }
    out.flush()
}

/// How the page is set.
pub(super) struct Page {
    pub(super) ascii: bool,
}

impl Page {
    /// A sentence, broken between words; the lines after the first are indented.
    fn sentence(&self, text: &str, out: &mut impl Write) -> io::Result<()> {
        self.hanging("", INDENT, text, out)
    }

    /// A sentence after `label`, broken between words; the lines after the first are indented by `indent`.
    pub(super) fn hanging(
        &self,
        label: &str,
        indent: usize,
        text: &str,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let text = self.clean(text);
        let mut line = label.to_owned();
        let mut is_first = true;
        let mut wrap = |line: &mut String| {
            writeln!(out, "{}", line.trim_end())?;
            " ".repeat(indent).clone_into(line);
            io::Result::Ok(())
        };
        for word in text.split(' ') {
            if !std::mem::take(&mut is_first) && !line.trim().is_empty() {
                if line.width() + 1 + word.width() > WIDTH { wrap(&mut line)? } else { line.push(' ') }
            }
            for c in word.chars() {
                // A word that is wider than the page is broken anywhere.
                if line.width() + c.width().unwrap_or(0) > WIDTH {
                    wrap(&mut line)?;
                }
                line.push(c);
            }
        }
        writeln!(out, "{}", line.trim_end())
    }

    fn section(&self, section: &Section, out: &mut impl Write) -> io::Result<()> {
        self.sentence(&section.title, out)?;
        let rows: Vec<Vec<String>> =
            section.rows.iter().map(|row| row.iter().map(|cell| self.cell(cell)).collect()).collect();
        if !rows.is_empty() {
            let layout = Layout::of(&section.columns, &rows);
            let titles: Vec<_> = section.columns.iter().map(|column| column.title.to_owned()).collect();
            for row in std::iter::once(&titles).chain(&rows) {
                self.row(&section.columns, &layout, row, out)?;
            }
        }
        match section.note() {
            Some(note) => writeln!(out, "{}{note}", " ".repeat(INDENT)),
            None => Ok(()),
        }
    }

    fn row(
        &self,
        columns: &[Column],
        layout: &Layout,
        cells: &[String],
        out: &mut impl Write,
    ) -> io::Result<()> {
        let mut line = " ".repeat(INDENT);
        for ((column, width), cell) in columns.iter().zip(&layout.widths).zip(cells) {
            let &Some(width) = width else { continue };
            let text = self.cut(cell, width, column.cut);
            let room = " ".repeat(width.saturating_sub(text.width()));
            match column.align {
                Align::Left => line.extend([&*text, &*room]),
                Align::Right => line.extend([&*room, &*text]),
            }
            line.extend(std::iter::repeat_n(' ', layout.gap));
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

    /// `text` cut to `width` cells, with a sign where it was.
    fn cut(&self, text: &str, width: usize, cut: Cut) -> String {
        if text.width() <= width {
            return text.to_owned();
        }
        let sign = if self.ascii { '~' } else { '…' };
        let room = width.saturating_sub(1);
        let tail = if cut == Cut::Middle { room / 2 } else { 0 };
        let head = fitting(text.chars(), room - tail);
        let tail = fitting(text.chars().rev(), tail);
        head.into_iter().chain([sign]).chain(tail.into_iter().rev()).collect()
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
                'µ' => clean.push('u'),
                c => clean.extend(c.escape_unicode()),
            }
        }
        clean
    }
}

/// The first of `chars` that fit into `width` cells.
fn fitting(chars: impl Iterator<Item = char>, width: usize) -> Vec<char> {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= width
        })
        .collect()
}

/// How columns are set.
#[derive(Debug)]
struct Layout {
    /// The width of each column, `None` if it is left out.
    widths: Vec<Option<usize>>,
    /// The spaces before each.
    gap: usize,
}

impl Layout {
    /// Columns as wide as their widest cell. Where the page is too narrow, first the gaps shrink, then long names
    /// are cut, then columns are left out, the highest rank first; what is left at last is cut to fit.
    fn of(columns: &[Column], rows: &[Vec<String>]) -> Self {
        let widest =
            |index: usize| rows.iter().filter_map(|row| row.get(index)).map(|cell| cell.width()).max();
        let natural =
            |(index, column): (usize, &Column)| column.title.width().max(widest(index).unwrap_or(0));
        let natural: Vec<usize> = columns.iter().enumerate().map(natural).collect();
        let mut layout = Self { widths: natural.iter().copied().map(Some).collect(), gap: 2 };
        if layout.is_too_wide() {
            layout.gap = 1;
        }
        layout.shrink(|column| (columns[column].cut == Cut::End).then_some(NAME));
        while layout.is_too_wide() && layout.leave_out(columns) {}
        layout.give_back(&natural);
        layout.shrink(|column| (columns[column].cut != Cut::Never).then_some(LEAST));
        layout
    }

    /// Makes columns narrower, the widest first, until they fit or none is above what `least` says of it.
    fn shrink(&mut self, least: impl Fn(usize) -> Option<usize>) {
        while self.is_too_wide() {
            let room = |index: usize, width: usize| least(index).is_some_and(|least| width > least);
            let shown =
                self.widths.iter_mut().enumerate().filter_map(|(i, width)| Some((i, width.as_mut()?)));
            match shown.filter(|(index, width)| room(*index, **width)).max_by_key(|(_, width)| **width) {
                Some((_, width)) => *width -= 1,
                None => return,
            }
        }
    }

    /// Leaves out the column of the highest rank, the last of several; says whether there was one to leave out.
    fn leave_out(&mut self, columns: &[Column]) -> bool {
        let shown = |(index, column): &(usize, &Column)| column.rank > 0 && self.widths[*index].is_some();
        let worst = columns.iter().enumerate().filter(shown).max_by_key(|(_, column)| column.rank);
        let Some((worst, _)) = worst else { return false };
        self.widths[worst] = None;
        true
    }

    /// Gives the room that columns left behind to those that were cut before.
    fn give_back(&mut self, natural: &[usize]) {
        let mut spare = WIDTH.saturating_sub(self.width());
        for (width, natural) in self.widths.iter_mut().zip(natural) {
            if let Some(width) = width {
                let more = natural.saturating_sub(*width).min(spare);
                *width += more;
                spare -= more;
            }
        }
    }

    fn is_too_wide(&self) -> bool {
        self.width() > WIDTH
    }

    fn width(&self) -> usize {
        let columns: usize = self.widths.iter().flatten().map(|width| width + self.gap).sum();
        (INDENT + columns).saturating_sub(self.gap)
    }
}
