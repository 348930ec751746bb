//! A line that is being typed at the bottom of the screen, with what could be written next in a list above it.

use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};
use tui_input::{Input as Line, InputRequest};
use unicode_width::UnicodeWidthChar as _;

use super::{
    Theme,
    pen::{Pen, clear},
    table::scrollbar,
    text::{fit, pad, width},
    update::window,
};
use crate::query::QueryError;

/// At most so many offers are seen at once.
const SEEN: usize = 8;
/// So many bytes a line takes. Nobody writes that much by hand, and every frame and key works on all of it.
const LONGEST: usize = 8 << 10;
/// The width that the texts of offers take at most.
const TEXT: usize = 28;

/// Something that could stand in the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// Where the part that it replaces begins, in characters; it ends at the cursor.
    pub(super) start: usize,
    /// The text to put there.
    pub(super) text: String,
    /// The key that does the same; empty for none.
    pub(super) key: String,
    /// What it means. May hold outside text.
    pub(super) doc: String,
}

/// The line, and what is known about it.
#[derive(Debug, Clone, Default)]
pub struct Prompt {
    pub(super) line: Line,
    /// What is wrong with it.
    pub(super) error: Option<QueryError>,
    /// What could be written next, the best first.
    pub(super) offers: Vec<Offer>,
    /// Which offer stands in the line.
    pub(super) chosen: Option<usize>,
    /// The line and its cursor before that offer was put there.
    typed: Option<(String, usize)>,
    /// How far back in what was typed earlier, and what was being typed before that.
    past: Option<(usize, String)>,
}

impl Prompt {
    /// A line that begins with `text`.
    pub(super) fn new(text: String) -> Self {
        Self { line: Line::from(text), ..Self::default() }
    }

    /// Changes the line or moves in it; what would make it too long is left out. What was chosen is now as if it had been
    /// typed.
    pub(super) fn edit(&mut self, request: InputRequest) {
        let len = self.line.value().len();
        match request {
            InputRequest::InsertChar(c) if len + c.len_utf8() > LONGEST => {}
            InputRequest::Yank => {
                // How much was cut out before it does not tell.
                let before = self.line.clone();
                self.line.handle(request);
                if self.line.value().len() > LONGEST {
                    self.line = before;
                }
            }
            request => drop(self.line.handle(request)),
        }
        (self.chosen, self.typed) = (None, None);
    }

    /// Types `text`; line ends and other controls are left out, so that it never becomes commands.
    pub(super) fn paste(&mut self, text: &str) {
        text.chars().filter(|c| !c.is_control()).for_each(|c| self.edit(InputRequest::InsertChar(c)));
    }

    /// Puts the next offer into the line, or the one before; past the last one comes again what was typed. Says
    /// whether it was the only one, and is settled.
    pub(super) fn choose(&mut self, forward: bool) -> bool {
        let count = self.offers.len();
        let next = match (self.chosen, forward) {
            _ if count == 0 => return false,
            (None, true) => Some(0),
            (None, false) => Some(count - 1),
            (Some(at), true) => Some(at + 1).filter(|at| *at < count),
            (Some(at), false) => at.checked_sub(1),
        };
        let (text, cursor) =
            self.typed.take().unwrap_or_else(|| (self.line.value().to_owned(), self.line.cursor()));
        self.chosen = next;
        self.line = match next.and_then(|next| self.offers.get(next)) {
            None => Line::from(text.clone()).with_cursor(cursor),
            Some(offer) => {
                let before: String = text.chars().take(offer.start).chain(offer.text.chars()).collect();
                let after: String = text.chars().skip(cursor).collect();
                let end = before.chars().count();
                Line::from(before + &after).with_cursor(end)
            }
        };
        if count == 1 {
            self.chosen = None;
            return true;
        }
        self.typed = Some((text, cursor));
        false
    }

    /// Puts what was typed earlier into the line: further back in `past`, newest first, or nearer again.
    pub(super) fn recall(&mut self, past: &[String], back: bool) {
        let (at, typed) = match self.past.take() {
            Some((at, typed)) => (Some(at), typed),
            None => (None, self.line.value().trim_end().to_owned()),
        };
        let next = match (at, back) {
            // What stands in the line already is passed over.
            (None, true) => past.iter().position(|text| *text != typed),
            (Some(at), true) => Some((at + 1).min(past.len().saturating_sub(1))),
            (Some(at), false) => at.checked_sub(1),
            (None, false) => None,
        };
        match next.and_then(|next| Some((next, past.get(next)?))) {
            Some((next, text)) => {
                self.line = Line::from(text.clone());
                self.past = Some((next, typed));
            }
            None if at.is_some() => self.line = Line::from(typed),
            None => {}
        }
        (self.chosen, self.typed) = (None, None);
    }

    /// What is left of the line at the cursor is worth another look: what was recalled is now being typed.
    pub(super) fn offer(&mut self, offers: Vec<Offer>) {
        let value = self.line.value();
        let already = |offer: &Offer| {
            let part = value.chars().take(self.line.cursor()).skip(offer.start);
            part.eq(offer.text.chars())
        };
        // What stands there already need not be offered.
        let done = matches!(offers.as_slice(), [only] if already(only));
        self.offers = if done { vec![] } else { offers };
    }

    /// Draws the line after `sign`, and says where the cursor stands.
    pub(super) fn draw_line(&self, buffer: &mut Buffer, line: Rect, sign: &str, theme: &Theme) -> Position {
        let mut pen = Pen::new(buffer, line, 0);
        pen.put(sign, theme.key());
        let room = usize::from(pen.room()).saturating_sub(1);
        let (shown, column) = visible(self.line.value(), self.line.cursor(), room);
        pen.put(&shown, theme.strong());
        Position::new(line.x + 1 + column, line.y)
    }

    /// Draws the offers above `line`, as many as there is room for below the header.
    pub(super) fn draw_offers(&self, buffer: &mut Buffer, line: Rect, title: &str, theme: &Theme) {
        let room = usize::from(line.y.saturating_sub(2)).min(SEEN);
        let height = self.offers.len().min(room);
        let Ok(rows) = u16::try_from(height) else { return };
        if rows == 0 {
            return;
        }
        let area = Rect { y: line.y - rows, height: rows, ..line };
        let head = Rect { y: area.y - 1, height: 1, ..line };
        clear(buffer, head.union(area));
        self.draw_head(buffer, head, title, theme);
        let at = self.chosen.unwrap_or(0);
        let first = window(0, at, height, self.offers.len());
        let seen = &self.offers[first..first + height];
        let texts = seen.iter().map(|offer| width(&offer.text)).max().unwrap_or(0).min(TEXT);
        let keys = seen.iter().map(|offer| width(&offer.key)).max().unwrap_or(0);
        let inner = Rect { width: area.width.saturating_sub(1), ..area };
        for (y, (offer, index)) in (0..rows).zip(seen.iter().zip(first..)) {
            let mut pen = Pen::new(buffer, inner, y);
            pen.skip(1);
            let ellipsis = theme.glyphs.ellipsis;
            pen.put(&pad(&fit(&offer.text, texts, ellipsis), texts, false), theme.strong());
            pen.skip(2);
            if keys > 0 {
                pen.put(&pad(&offer.key, keys, false), theme.key());
                pen.skip(2);
            }
            pen.put_cut(&offer.doc, theme.head(), theme);
            if self.chosen == Some(index) {
                buffer.set_style(Rect { y: area.y + y, height: 1, ..inner }, theme.selected());
            }
        }
        let track = Rect { x: area.right().saturating_sub(1), width: 1, ..area };
        scrollbar(buffer, track, first, self.offers.len(), theme);
    }

    fn draw_head(&self, buffer: &mut Buffer, head: Rect, title: &str, theme: &Theme) {
        for x in head.x..head.right() {
            buffer.set_string(x, head.y, theme.glyphs.line, theme.frame(true));
        }
        let mut pen = Pen::new(buffer, head, 0);
        pen.skip(1);
        pen.put(&format!(" {title} "), theme.strong());
        pen.put(&format!("{} {} ", theme.glyphs.dot, self.offers.len()), theme.head());
    }
}

/// The part of `value` around character `cursor` that `room` cells show, and the cursor's cell in it.
fn visible(value: &str, cursor: usize, room: usize) -> (String, u16) {
    let end = value.char_indices().nth(cursor).map_or(value.len(), |(at, _)| at);
    let mut column = 0;
    // From the cursor back, as far as there is room.
    let widths = value[..end].char_indices().rev().map(|(at, c)| (at, c.width().unwrap_or(0)));
    let seen = widths.take_while(|(_, wide)| {
        let fits = column + wide <= room;
        column += if fits { *wide } else { 0 };
        fits
    });
    // A mark whose letter is not seen would join what stands before the line.
    let start = seen.filter(|(_, wide)| *wide > 0).last().map_or(end, |(at, _)| at);
    // Of what follows the cursor no more is seen than there is room for.
    let rest = &value[start..];
    let near = rest.char_indices().nth(end - start + room).map_or(rest.len(), |(at, _)| at);
    (fit(&rest[..near], room, "").into_owned(), u16::try_from(column).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prompt(text: &str, offers: &[&str]) -> Prompt {
        let mut prompt = Prompt::new(text.to_owned());
        let offer = |text: &&str| Offer {
            start: 2,
            text: (*text).to_owned(),
            key: String::new(),
            doc: String::new(),
        };
        prompt.offer(offers.iter().map(offer).collect());
        prompt
    }

    #[test]
    fn offers_come_round_to_what_was_typed() {
        let mut prompt = prompt("a b", &["bar", "baz"]);
        let mut seen = vec![];
        for _ in 0..4 {
            assert!(!prompt.choose(true));
            seen.push(prompt.line.value().to_owned());
        }
        assert_eq!(seen, ["a bar", "a baz", "a b", "a bar"]);
        prompt.choose(false);
        prompt.choose(false);
        assert_eq!(prompt.line.value(), "a baz");
        prompt.edit(InputRequest::InsertChar('!'));
        assert_eq!((prompt.line.value(), prompt.chosen), ("a baz!", None));
    }

    #[test]
    fn what_follows_the_cursor_stays() {
        let mut prompt = prompt("a b c", &["bar"]);
        prompt.line = prompt.line.clone().with_cursor(3);
        assert!(prompt.choose(true), "the only one");
        assert_eq!((prompt.line.value(), prompt.line.cursor()), ("a bar c", 5));
    }

    #[test]
    fn the_past_is_gone_through_and_left_again() {
        let past = ["new", "old"].map(str::to_owned);
        let mut prompt = Prompt::new("typed".to_owned());
        let mut seen = vec![];
        for back in [true, true, true, false, false, false] {
            prompt.recall(&past, back);
            seen.push(prompt.line.value().to_owned());
        }
        assert_eq!(seen, ["new", "old", "old", "new", "typed", "typed"]);
        let mut prompt = Prompt::new("new ".to_owned());
        prompt.recall(&past, true);
        assert_eq!(prompt.line.value(), "old");
        prompt.recall(&[], true);
    }

    #[test]
    fn what_stands_there_is_not_offered() {
        assert!(prompt("a bar", &["bar"]).offers.is_empty());
        assert_eq!(prompt("a bar", &["bar", "bars"]).offers.len(), 2);
    }

    #[test]
    fn pasted_text_loses_its_controls() {
        let mut prompt = Prompt::default();
        prompt.paste("port:\n44\x1b3");
        assert_eq!(prompt.line.value(), "port:443");
    }

    #[test]
    fn the_cursor_stays_in_sight() {
        assert_eq!(visible("abcdef", 6, 4), ("cdef".to_owned(), 4));
        assert_eq!(visible("abcdef", 0, 4), ("abcd".to_owned(), 0));
        assert_eq!(visible("abcdef", 3, 4), ("abcd".to_owned(), 3));
        assert_eq!(visible("名前名前", 4, 5), ("名前".to_owned(), 4));
        assert_eq!(visible("名前名前", 2, 5), ("名前".to_owned(), 4));
        assert_eq!(visible("e\u{301}ab", 4, 2), ("ab".to_owned(), 2));
        assert_eq!(visible("ab", 2, 0), (String::new(), 0));
        assert_eq!(visible("", 0, 4), (String::new(), 0));
    }

    #[test]
    fn no_line_grows_without_end() {
        let mut prompt = Prompt::default();
        prompt.paste(&"é".repeat(LONGEST));
        assert_eq!(prompt.line.value().len(), LONGEST);
        prompt.edit(InputRequest::InsertChar('a'));
        // What is cut out can be put back once, and not twice.
        prompt.edit(InputRequest::DeleteLine);
        prompt.edit(InputRequest::Yank);
        prompt.edit(InputRequest::Yank);
        assert_eq!(prompt.line.value().len(), LONGEST);
        prompt.edit(InputRequest::DeletePrevChar);
        prompt.edit(InputRequest::InsertChar('a'));
        assert!(prompt.line.value().ends_with("éa"));
    }
}
