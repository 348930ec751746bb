//! The characters that the screen is drawn with, and which of them a terminal has.

/// How much a terminal can draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Graphs {
    /// Blocks, and curves of braille dots.
    Braille,
    /// Blocks, but no braille.
    Blocks,
    /// ASCII only.
    Ascii,
}

impl Graphs {
    /// What a terminal of that `TERM` and locale can draw. The locale is the first of `LC_ALL`, `LC_CTYPE` and `LANG`
    /// that is set.
    ///
    /// The console of Linux has 256 or 512 glyphs, without eighths of blocks and without braille, whatever the locale says; the
    /// terminals of DEC and those that pose as one are not to be relied on for more. `screen` is GNU screen and, by
    /// default, tmux: both hand on what the terminal outside can draw, if they were started in a UTF-8 locale, and
    /// `TERM` does not tell. So for them, as for all others, the locale decides.
    #[must_use]
    pub fn auto(term: Option<&str>, locale: Option<&str>) -> Self {
        let dec = |term: &str| {
            term.strip_prefix("vt").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        let poor = |term: &str| matches!(term, "linux" | "dumb") || dec(term);
        // Their usual fonts have blocks, and boxes in place of braille.
        let plain = |term: &str| term.starts_with("putty") || term == "cygwin";
        let utf8 = |locale: &str| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        };
        match term {
            Some(term) if poor(term) => Self::Ascii,
            _ if !locale.is_some_and(utf8) => Self::Ascii,
            Some(term) if plain(term) => Self::Blocks,
            _ => Self::Braille,
        }
    }

    /// Its characters.
    pub(super) const fn glyphs(self) -> &'static Glyphs {
        match self {
            Self::Braille => &BRAILLE,
            Self::Blocks => &BLOCKS,
            Self::Ascii => &ASCII,
        }
    }
}

/// The characters that bars, frames and marks are drawn with. Each is one cell wide, but for arrows and marks of order.
#[derive(Debug)]
pub struct Glyphs {
    /// Heights of a sparkline, from the lowest that is not nothing to full.
    pub spark: &'static [&'static str],
    /// A sparkline's value that is not known.
    pub gap: &'static str,
    /// A full cell of a bar.
    pub bar: &'static str,
    /// Parts of a cell at the end of a bar, thinnest first; empty where there are none.
    pub bar_parts: &'static [&'static str],
    /// The rest of a bar.
    pub bar_rest: &'static str,
    /// A horizontal line.
    pub line: &'static str,
    /// A vertical line.
    pub side: &'static str,
    /// A vertical line at the moment that is marked.
    pub mark: &'static str,
    /// The corners of a frame: top left, top right, bottom left, bottom right.
    pub corners: [&'static str; 4],
    /// Stands before the title of the pane that has the focus.
    pub focus: &'static str,
    /// Stands before the selected row.
    pub cursor: &'static str,
    /// Points from the one who connects to the one who accepts, and from a page to the next.
    pub arrow: &'static str,
    /// Text was cut here.
    pub ellipsis: &'static str,
    /// Sorted, largest first.
    pub descending: &'static str,
    /// Sorted, smallest first.
    pub ascending: &'static str,
    /// Before a figure that is the most it can be.
    pub at_most: &'static str,
    /// Before a figure that is the least it can be.
    pub at_least: &'static str,
    /// Between two facts of a title.
    pub dot: &'static str,
    /// Nothing to show, as opposed to 0.
    pub none: &'static str,
    /// The prefix for a millionth.
    pub micro: &'static str,
    /// Between the ends of a range.
    pub dash: &'static str,
    /// Points at a character of the line above.
    pub caret: &'static str,
    /// The handle and the track of a scrollbar.
    pub scroll: [&'static str; 2],
    /// Whether curves may be drawn with the dots of braille, two by four to a cell.
    pub braille: bool,
}

/// Box drawing, block and braille characters.
static BRAILLE: Glyphs = Glyphs { braille: true, ..UNICODE };

/// Box drawing and block characters.
static BLOCKS: Glyphs = UNICODE;

const UNICODE: Glyphs = Glyphs {
    spark: &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    gap: " ",
    bar: "█",
    bar_parts: &["▏", "▎", "▍", "▌", "▋", "▊", "▉"],
    bar_rest: "·",
    line: "─",
    side: "│",
    mark: "┊",
    corners: ["╭", "╮", "╰", "╯"],
    focus: "▶",
    cursor: "▌",
    arrow: "→",
    ellipsis: "…",
    descending: "▼",
    ascending: "▲",
    at_most: "≤",
    at_least: "≥",
    dot: "·",
    none: "–",
    micro: "µ",
    dash: "–",
    caret: "^",
    scroll: ["┃", "│"],
    braille: false,
};

/// For `--ascii`, `LANG=C` and terminals that have no more.
static ASCII: Glyphs = Glyphs {
    spark: &["_", ".", "-", "=", "+", "*", "#"],
    gap: " ",
    bar: "#",
    bar_parts: &[],
    bar_rest: ".",
    line: "-",
    side: "|",
    mark: ":",
    corners: ["+", "+", "+", "+"],
    focus: ">",
    cursor: ">",
    arrow: "->",
    ellipsis: "~",
    descending: " v",
    ascending: " ^",
    at_most: "<=",
    at_least: ">=",
    dot: "-",
    none: "-",
    micro: "u",
    dash: "-",
    caret: "^",
    scroll: ["#", "|"],
    braille: false,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_given_no_more_than_it_can_draw() {
        let utf8 = Some("en_US.UTF-8");
        for (term, locale, graphs) in [
            (Some("xterm-256color"), utf8, Graphs::Braille),
            (Some("vte-256color"), utf8, Graphs::Braille),
            (Some("screen"), Some("C.utf8"), Graphs::Braille),
            (Some("screen"), Some("C"), Graphs::Ascii),
            (Some("screen"), None, Graphs::Ascii),
            (Some("putty-256color"), utf8, Graphs::Blocks),
            (None, utf8, Graphs::Braille),
            (Some("xterm"), Some("POSIX"), Graphs::Ascii),
            (Some("xterm"), None, Graphs::Ascii),
            (Some("linux"), utf8, Graphs::Ascii),
            (Some("vt100"), utf8, Graphs::Ascii),
            (Some("vt220"), utf8, Graphs::Ascii),
        ] {
            assert_eq!(Graphs::auto(term, locale), graphs, "{term:?} {locale:?}");
        }
    }

    #[test]
    fn the_ascii_glyphs_are_ascii() {
        let text = format!("{ASCII:?}");
        assert!(text.is_ascii(), "{text}");
    }
}
