//! A frame in few bytes: what changed since the last one, by the shortest way that every terminal knows.
//!
//! Nothing is asked of a terminal but what a VT100 has (cursor moves, erasing to the end of a line, attributes) and, where
//! the theme has colours, those. What a frame finds is not taken for granted: another program may have
//! written in between. So its first move is an absolute one, and its first look is told whole. Frames are not marked for
//! synchronized update (`CSI ? 2026 h`): that is 16 bytes, a quarter of a quiet frame, and a frame goes out in one write
//! and changes no cell twice.

use std::io::Write as _;

use ratatui::{
    buffer::{Buffer, Cell},
    layout::Position,
};
use unicode_width::UnicodeWidthStr as _;

use super::sgr::Look;

/// No text cursor, plain, nothing shown.
const WIPE: &[u8] = b"\x1b[?25l\x1b[m\x1b[2J";
/// Blank from the cursor to the end of its line.
const ERASE: &[u8] = b"\x1b[K";

/// What a terminal shows.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    /// `None` where that is not known.
    shown: Option<Buffer>,
    /// Where its text cursor is, if it is seen.
    cursor: Option<Position>,
}

impl Encoder {
    /// Takes nothing for shown: the next frame paints everything.
    pub(super) fn forget(&mut self) {
        self.shown = None;
    }

    /// What makes the terminal show `next`, with its text cursor at `cursor`; nothing if it does so already.
    pub(super) fn frame(&mut self, next: Buffer, cursor: Option<Position>) -> Vec<u8> {
        let area = next.area;
        let mut stroke = Stroke { bytes: vec![], pen: None, at: None };
        let shown = self.shown.take().filter(|shown| shown.area == area).unwrap_or_else(|| {
            stroke.bytes.extend_from_slice(WIPE);
            stroke.pen = Some(Look::PLAIN);
            self.cursor = None;
            Buffer::empty(area)
        });
        if self.cursor.is_some() && cursor.is_none() {
            stroke.bytes.extend_from_slice(b"\x1b[?25l");
        }
        let width = usize::from(area.width).max(1);
        let rows = shown.content.chunks(width).zip(next.content.chunks(width));
        for (y, (from, to)) in (0..area.height).zip(rows).filter(|(_, (from, to))| from != to) {
            stroke.row(y, &glyphs(from), &glyphs(to));
        }
        if let Some(position) = cursor.filter(|_| cursor != self.cursor || !stroke.bytes.is_empty()) {
            stroke.jump(position.x, position.y);
            if self.cursor.is_none() {
                stroke.bytes.extend_from_slice(b"\x1b[?25h");
            }
        }
        self.shown = Some(next);
        self.cursor = cursor;
        stroke.bytes
    }
}

/// A cell as it is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Glyph<'a> {
    /// Empty for a cell that belongs to the wide character before it.
    symbol: &'a str,
    look: Look,
}

impl Glyph<'_> {
    const BLANK: Self = Self { symbol: " ", look: Look::PLAIN };

    fn is_rest(&self) -> bool {
        self.symbol.is_empty()
    }

    /// Whether every terminal is sure to agree that it is one cell wide.
    fn is_narrow(&self) -> bool {
        self.symbol.len() == 1 || (self.symbol.width() == 1 && self.symbol.chars().nth(1).is_none())
    }
}

/// A row as it is seen.
fn glyphs(row: &[Cell]) -> Vec<Glyph<'_>> {
    let mut glyphs = Vec::with_capacity(row.len());
    while let Some(cell) = row.get(glyphs.len()) {
        let look = Look::of(cell);
        let cells = cell.symbol().width();
        // What has no width, or has no room, is not drawn; nor is what would be a command.
        let drawn = 1..=row.len() - glyphs.len();
        if cell.symbol() == " " || !drawn.contains(&cells) || cell.symbol().contains(char::is_control) {
            glyphs.push(Glyph { symbol: " ", look: look.on_blank() });
        } else {
            glyphs.push(Glyph { symbol: cell.symbol(), look });
            glyphs.extend((1..cells).map(|_| Glyph { symbol: "", look }));
        }
    }
    glyphs
}

/// The bytes of a frame so far, and how they leave the terminal.
struct Stroke {
    bytes: Vec<u8>,
    /// The look of what is written; `None` where that is not known.
    pen: Option<Look>,
    /// Where the cursor is: its row, and its column unless it is at the right margin, or after something whose width is
    /// a matter of opinion. `None` where that is not known.
    at: Option<(u16, Option<usize>)>,
}

impl Stroke {
    /// Makes row `y`, which shows `from`, show `to`: by what changed, or by all of it from the first change on if that is shorter.
    fn row(&mut self, y: u16, from: &[Glyph<'_>], to: &[Glyph<'_>]) {
        let Some(first) = from.iter().zip(to).position(|(from, to)| from != to) else { return };
        let (mark, pen, at) = (self.bytes.len(), self.pen, self.at);
        self.changes(y, from, to);
        let changes = self.bytes.split_off(mark);
        let after = (self.pen, self.at);
        (self.pen, self.at) = (pen, at);
        self.erase(y, first, to);
        let blanks = vec![Glyph::BLANK; to.len() - first];
        self.changes(y, &[&to[..first], &blanks].concat(), to);
        if self.bytes.len() - mark >= changes.len() {
            self.bytes.truncate(mark);
            self.bytes.extend_from_slice(&changes);
            (self.pen, self.at) = after;
        }
    }

    /// Writes the glyphs of row `y` that differ.
    fn changes(&mut self, y: u16, from: &[Glyph<'_>], to: &[Glyph<'_>]) {
        let changed = |x: usize| from[x] != to[x] && !to[x].is_rest();
        let end = to.iter().rposition(|glyph| *glyph != Glyph::BLANK).map_or(0, |last| last + 1);
        let last = (0..to.len()).rev().find(|&x| changed(x));
        for x in (0..to.len()).filter(|&x| changed(x)) {
            if x >= end && last.is_some_and(|last| last - x >= ERASE.len()) {
                return self.erase(y, x, to);
            }
            self.go(y, x, to);
            self.put(x, to);
        }
    }

    /// Blanks row `y`, which shows `row` before that, from `x` on.
    fn erase(&mut self, y: u16, x: usize, row: &[Glyph<'_>]) {
        self.go(y, x, row);
        self.draw_with(Glyph::BLANK);
        self.bytes.extend_from_slice(ERASE);
    }

    /// Writes the glyph at `x`.
    fn put(&mut self, x: usize, row: &[Glyph<'_>]) {
        let glyph = row[x];
        self.draw_with(glyph);
        self.bytes.extend_from_slice(glyph.symbol.as_bytes());
        // In the last column terminals differ in where the cursor is, but not in its row.
        let known = glyph.is_narrow() && x + 1 < row.len();
        self.at = self.at.map(|(y, _)| (y, known.then_some(x + 1)));
    }

    /// Whether `glyph` can be written with the pen as it is.
    fn suits(&self, glyph: Glyph<'_>) -> bool {
        let pen = if glyph.symbol == " " { self.pen.map(Look::on_blank) } else { self.pen };
        pen == Some(glyph.look)
    }

    fn draw_with(&mut self, glyph: Glyph<'_>) {
        if !self.suits(glyph) {
            glyph.look.write(self.pen, &mut self.bytes);
            self.pen = Some(glyph.look);
        }
    }

    /// Moves the cursor to column `x` of row `y`, which shows `row` up to there.
    fn go(&mut self, y: u16, x: usize, row: &[Glyph<'_>]) {
        if self.at == Some((y, Some(x))) {
            return;
        }
        let here = self.at.filter(|(at, _)| *at <= y);
        let mut best = absolute(x, usize::from(y));
        if let Some((at, column)) = here {
            let down = down(usize::from(y - at));
            let from_here = column.map(|column| [down.clone(), self.along(column, x, row)].concat());
            let from_margin = [b"\r".to_vec(), down, self.along(0, x, row)].concat();
            let ways = from_here.into_iter().chain([from_margin]);
            best = ways.chain([best]).min_by_key(Vec::len).unwrap_or_default();
        }
        self.bytes.extend_from_slice(&best);
        self.at = Some((y, Some(x)));
    }

    /// Moves the text cursor.
    fn jump(&mut self, x: u16, y: u16) {
        self.bytes.extend_from_slice(&absolute(x.into(), y.into()));
        self.at = Some((y, Some(x.into())));
    }

    /// Moves along a row: forward by a move or by writing again what is there, back by steps or by a move.
    fn along(&self, from: usize, to: usize, row: &[Glyph<'_>]) -> Vec<u8> {
        if to < from {
            return shorter(vec![8; from - to], moved(from - to, 'D'));
        }
        let forward = if to > from { moved(to - from, 'C') } else { vec![] };
        let between = &row[from..to];
        let again = |glyph: &Glyph<'_>| glyph.is_narrow() && self.suits(*glyph);
        if between.len() >= forward.len() || !between.iter().all(again) {
            return forward;
        }
        shorter(between.iter().flat_map(|glyph| glyph.symbol.bytes()).collect(), forward)
    }
}

fn shorter(one: Vec<u8>, other: Vec<u8>) -> Vec<u8> {
    if other.len() < one.len() { other } else { one }
}

/// Straight down: the terminal is in raw mode, so that a line feed does nothing else.
fn down(rows: usize) -> Vec<u8> {
    if rows == 0 { vec![] } else { shorter(vec![b'\n'; rows], moved(rows, 'B')) }
}

/// The cursor moved by `steps`.
fn moved(steps: usize, direction: char) -> Vec<u8> {
    let mut out = b"\x1b[".to_vec();
    // Memory does not fail.
    let _ = if steps == 1 { write!(out, "{direction}") } else { write!(out, "{steps}{direction}") };
    out
}

/// The cursor put somewhere; what is 1 need not be said.
fn absolute(x: usize, y: usize) -> Vec<u8> {
    let mut out = b"\x1b[".to_vec();
    let _ = match (x, y) {
        (0, 0) => write!(out, "H"),
        (0, y) => write!(out, "{}H", y + 1),
        (x, 0) => write!(out, ";{}H", x + 1),
        (x, y) => write!(out, "{};{}H", y + 1, x + 1),
    };
    out
}

#[cfg(test)]
mod tests;
