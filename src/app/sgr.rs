//! Colours and attributes as a terminal is told of them: only what changes, in one sequence.

use std::io::Write as _;

use ratatui::{
    buffer::Cell,
    style::{Color, Modifier},
};

use crate::ui::theme::palette_index;

/// Attributes, how they are set, and what takes them off again.
const ATTRIBUTES: [(Modifier, u8, u8); 9] = [
    (Modifier::BOLD, 1, 22),
    (Modifier::DIM, 2, 22),
    (Modifier::ITALIC, 3, 23),
    (Modifier::UNDERLINED, 4, 24),
    (Modifier::SLOW_BLINK, 5, 25),
    (Modifier::RAPID_BLINK, 6, 25),
    (Modifier::REVERSED, 7, 27),
    (Modifier::HIDDEN, 8, 28),
    (Modifier::CROSSED_OUT, 9, 29),
];

/// Attributes that are seen on a blank.
const SEEN_ON_BLANKS: Modifier = Modifier::UNDERLINED
    .union(Modifier::SLOW_BLINK)
    .union(Modifier::RAPID_BLINK)
    .union(Modifier::REVERSED)
    .union(Modifier::CROSSED_OUT);

/// How a cell looks, but for its character.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) fg: Color,
    pub(super) bg: Color,
    pub(super) modifier: Modifier,
}

impl Look {
    /// As the terminal draws what it is told nothing about.
    pub(super) const PLAIN: Self = Self { fg: Color::Reset, bg: Color::Reset, modifier: Modifier::empty() };

    pub(super) fn of(cell: &Cell) -> Self {
        Self { fg: cell.fg, bg: cell.bg, modifier: cell.modifier }
    }

    /// What of it is seen on a blank: mostly the background alone.
    pub(super) fn on_blank(self) -> Self {
        if self.modifier.intersects(SEEN_ON_BLANKS) { self } else { Self { bg: self.bg, ..Self::PLAIN } }
    }

    fn has_colour(self) -> bool {
        (self.fg, self.bg) != (Color::Reset, Color::Reset)
    }

    /// Appends what makes a pen of look `from` (`None` where it is not known) one of this look.
    pub(super) fn write(self, from: Option<Self>, out: &mut Vec<u8>) {
        let anew = self.codes(Self::PLAIN, vec![0]);
        // Without colours it may be a terminal that knows only how to take off all attributes at once.
        let codes = match from {
            Some(from) if from.has_colour() || self.has_colour() || self.modifier.contains(from.modifier) => {
                let step = self.codes(from, self.taken_off(from));
                if length(&step) < length(&anew) { step } else { anew }
            }
            _ => anew,
        };
        out.extend_from_slice(b"\x1b[");
        if codes != [0] {
            for (i, code) in codes.iter().enumerate() {
                // Memory does not fail.
                let _ = write!(out, "{}{code}", if i > 0 { ";" } else { "" });
            }
        }
        out.push(b'm');
    }

    /// The codes that take attributes off `from` that this look does not have.
    fn taken_off(self, from: Self) -> Vec<u8> {
        let gone = from.modifier.difference(self.modifier);
        let mut codes: Vec<u8> = ATTRIBUTES
            .iter()
            .filter(|(attribute, ..)| gone.contains(*attribute))
            .map(|(.., off)| *off)
            .collect();
        codes.dedup();
        codes
    }

    /// `codes`, and those that set what is missing after them.
    fn codes(self, from: Self, mut codes: Vec<u8>) -> Vec<u8> {
        for (attribute, on, off) in ATTRIBUTES {
            let there = from.modifier.contains(attribute) && !codes.contains(&off);
            if self.modifier.contains(attribute) && !there {
                codes.push(on);
            }
        }
        if self.fg != from.fg {
            colour(self.fg, 30, &mut codes);
        }
        if self.bg != from.bg {
            colour(self.bg, 40, &mut codes);
        }
        codes
    }
}

/// How many bytes these codes take.
fn length(codes: &[u8]) -> usize {
    match codes {
        [0] => 0,
        codes => codes.iter().map(|code| 2 + usize::from(*code >= 10) + usize::from(*code >= 100)).sum(),
    }
}

/// The codes of a colour; `base` is 30 for the character, 40 for its background.
fn colour(colour: Color, base: u8, codes: &mut Vec<u8>) {
    match (palette_index(colour), colour) {
        (Some(index @ ..8), _) => codes.push(base + index),
        (Some(index @ 8..16), _) => codes.push(base + 60 + index - 8),
        (Some(index), _) => codes.extend([base + 8, 5, index]),
        (None, Color::Rgb(r, g, b)) => codes.extend([base + 8, 2, r, g, b]),
        (None, _) => codes.push(base + 9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(from: Option<Look>, to: Look) -> String {
        let mut out = vec![];
        to.write(from, &mut out);
        String::from_utf8(out).expect("ASCII").replace('\x1b', "")
    }

    #[test]
    fn only_what_changes_is_told() {
        let plain = Look::PLAIN;
        let key = Look { fg: Color::Cyan, modifier: Modifier::BOLD, ..plain };
        let head = Look { fg: Color::Gray, ..plain };
        let bold = Look { modifier: Modifier::BOLD, ..plain };
        let dim = Look { modifier: Modifier::DIM, ..plain };
        let both = Look { modifier: Modifier::BOLD | Modifier::DIM, ..plain };
        let steps = [
            step(None, plain),
            step(None, key),
            step(Some(plain), key),
            step(Some(key), plain),
            step(Some(key), bold),
            step(Some(key), head),
            step(Some(head), Look { fg: Color::DarkGray, ..plain }),
            step(Some(head), Look { bg: Color::Rgb(1, 20, 255), ..head }),
            step(Some(plain), Look { fg: Color::Indexed(200), ..plain }),
            step(
                Some(Look { fg: Color::Red, bg: Color::Blue, ..both }),
                Look { fg: Color::Red, bg: Color::Blue, ..dim },
            ),
        ];
        let expected = [
            "[m",
            "[0;1;36m",
            "[1;36m",
            "[m",
            "[39m",
            "[0;37m",
            "[90m",
            "[48;2;1;20;255m",
            "[38;5;200m",
            "[22;2m",
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn a_terminal_without_colours_is_told_what_it_knows() {
        let look = |modifier| Look { modifier, ..Look::PLAIN };
        let both = look(Modifier::BOLD | Modifier::REVERSED);
        assert_eq!(step(Some(both), look(Modifier::REVERSED)), "[0;7m");
        assert_eq!(step(Some(look(Modifier::BOLD)), both), "[7m");
    }
}
