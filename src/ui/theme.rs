//! Colours and glyphs. Nothing else in the screen names a colour or draws a character that is not ASCII.

use ratatui::style::{Color, Modifier, Style};

use crate::{findings::Severity, model::TcpState};

/// How many colours the terminal may be given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Palette {
    /// The 16 colours every terminal has, as its user has set them.
    #[default]
    Sixteen,
    /// None: bold, dim and reverse only. For `NO_COLOR` and `--color never`.
    Monochrome,
}

/// How everything looks.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    palette: Palette,
    /// The characters that bars, frames and marks are drawn with.
    pub glyphs: &'static Glyphs,
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
    /// Whether charts may be drawn in braille dots.
    pub braille: bool,
}

/// Box drawing and block characters.
static UNICODE: Glyphs = Glyphs {
    spark: &["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"],
    gap: " ",
    bar: "█",
    bar_parts: &["▏", "▎", "▍", "▌", "▋", "▊", "▉"],
    bar_rest: "·",
    line: "─",
    side: "│",
    corners: ["╭", "╮", "╰", "╯"],
    focus: "▶",
    cursor: "▌",
    arrow: "→",
    ellipsis: "…",
    descending: "▼",
    ascending: "▲",
    at_most: "≤",
    dot: "·",
    none: "–",
    micro: "µ",
    dash: "–",
    caret: "^",
    scroll: ["┃", "│"],
    braille: true,
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
    corners: ["+", "+", "+", "+"],
    focus: ">",
    cursor: ">",
    arrow: "->",
    ellipsis: "~",
    descending: " v",
    ascending: " ^",
    at_most: "<=",
    dot: "-",
    none: "-",
    micro: "u",
    dash: "-",
    caret: "^",
    scroll: ["#", "|"],
    braille: false,
};

impl Theme {
    /// A duration as `field::format` writes it, in the characters that the terminal has.
    #[must_use]
    pub fn duration(&self, text: &str) -> String {
        text.replace('µ', self.glyphs.micro)
    }

    /// A theme of a palette, with ASCII characters only if `ascii`.
    #[must_use]
    pub fn new(palette: Palette, ascii: bool) -> Self {
        Self { palette, glyphs: if ascii { &ASCII } else { &UNICODE } }
    }

    /// Whether a terminal of that `TERM` and locale can draw more than ASCII. The locale is the first of
    /// `LC_ALL`, `LC_CTYPE` and `LANG` that is set.
    #[must_use]
    pub fn needs_ascii(term: Option<&str>, locale: Option<&str>) -> bool {
        let poor = |term: &str| matches!(term, "linux" | "dumb") || term.starts_with("vt1");
        let utf8 = |locale: &str| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        };
        term.is_some_and(poor) || !locale.is_some_and(utf8)
    }

    /// Whether colours tell things apart; where they do not, letters must.
    #[must_use]
    pub fn has_colour(&self) -> bool {
        self.palette != Palette::Monochrome
    }

    fn pick(&self, colour: Style, mono: Style) -> Style {
        match self.palette {
            Palette::Sixteen => colour,
            Palette::Monochrome => mono,
        }
    }

    fn fg(&self, colour: Color) -> Style {
        self.pick(Style::new().fg(colour), Style::new().fg(Color::Reset))
    }

    /// The colour of a state, the same wherever it appears. Its name or short form always stands beside it.
    #[must_use]
    pub fn state(&self, state: TcpState) -> Style {
        self.fg(match state {
            TcpState::TimeWait => Color::Yellow,
            TcpState::CloseWait => Color::LightRed,
            TcpState::Established => Color::Green,
            TcpState::SynSent => Color::LightCyan,
            TcpState::SynRecv => Color::Cyan,
            TcpState::FinWait1 | TcpState::FinWait2 => Color::LightBlue,
            TcpState::LastAck | TcpState::Closing => Color::LightMagenta,
            TcpState::Listen | TcpState::BoundInactive | TcpState::Close => Color::Gray,
        })
    }

    /// Plain text and figures.
    #[must_use]
    pub fn text(&self) -> Style {
        // Not the empty style: text over a frame would keep the frame's colour.
        Style::new().fg(Color::Reset)
    }

    /// What the eye should meet first.
    #[must_use]
    pub fn strong(&self) -> Style {
        self.text().add_modifier(Modifier::BOLD)
    }

    /// Labels, units and zeros: there when looked for.
    #[must_use]
    pub fn dim(&self) -> Style {
        self.pick(Style::new().fg(Color::DarkGray), Style::new().add_modifier(Modifier::DIM))
    }

    /// Column titles.
    #[must_use]
    pub fn head(&self) -> Style {
        self.fg(Color::Gray)
    }

    /// Frames of panes.
    #[must_use]
    pub fn frame(&self, focused: bool) -> Style {
        if focused { self.fg(Color::Cyan) } else { self.dim() }
    }

    /// Keys in hints and help.
    #[must_use]
    pub fn key(&self) -> Style {
        self.fg(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// The row that a key acts on: one colour over all of it, whatever colours it had.
    #[must_use]
    pub fn selected(&self) -> Style {
        Style::new()
            .fg(Color::Reset)
            .bg(Color::Reset)
            .remove_modifier(Modifier::DIM)
            .add_modifier(Modifier::REVERSED)
    }

    /// Something to know about.
    #[must_use]
    pub fn warning(&self) -> Style {
        self.pick(Style::new().fg(Color::Yellow), Style::new().add_modifier(Modifier::BOLD))
    }

    /// Something wrong.
    #[must_use]
    pub fn alarm(&self) -> Style {
        let mono = Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD);
        self.pick(Style::new().fg(Color::White).bg(Color::Red).add_modifier(Modifier::BOLD), mono)
    }

    /// How bad a finding is. The word always stands there too.
    #[must_use]
    pub fn severity(&self, severity: Severity) -> Style {
        match severity {
            Severity::Critical => self.alarm(),
            Severity::Warning => self.warning().add_modifier(Modifier::BOLD),
            Severity::Info => self.head(),
        }
    }

    /// A mark such as "paused" that must not be overlooked.
    #[must_use]
    pub fn mark(&self) -> Style {
        let mono = Style::new().add_modifier(Modifier::REVERSED | Modifier::BOLD);
        self.pick(Style::new().fg(Color::Black).bg(Color::Yellow).add_modifier(Modifier::BOLD), mono)
    }

    /// A bar that is `share` (0 to 1) full: calm, then a warning past one half, then an alarm past nine tenths.
    #[must_use]
    pub fn gauge(&self, share: f64) -> Style {
        self.fg(match share {
            s if s >= 0.9 => Color::LightRed,
            s if s >= 0.5 => Color::Yellow,
            _ => Color::Green,
        })
    }

    /// A curve that is not a state's.
    #[must_use]
    pub fn curve(&self) -> Style {
        self.fg(Color::Cyan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_given_no_more_than_it_can_draw() {
        assert!(!Theme::needs_ascii(Some("xterm-256color"), Some("en_US.UTF-8")));
        assert!(!Theme::needs_ascii(Some("screen"), Some("C.utf8")));
        assert!(Theme::needs_ascii(Some("xterm"), Some("C")));
        assert!(Theme::needs_ascii(Some("xterm"), None));
        assert!(Theme::needs_ascii(Some("linux"), Some("en_US.UTF-8")));
        assert!(Theme::needs_ascii(Some("vt100"), Some("en_US.UTF-8")));
    }

    #[test]
    fn the_ascii_glyphs_are_ascii() {
        let text = format!("{ASCII:?}");
        assert!(text.is_ascii(), "{text}");
    }

    #[test]
    fn monochrome_has_no_colour() {
        let theme = Theme::new(Palette::Monochrome, false);
        let styles = [theme.alarm(), theme.mark(), theme.key(), theme.dim(), theme.gauge(0.95)];
        let states = TcpState::ALL.map(|state| theme.state(state));
        for style in styles.iter().chain(&states) {
            assert!(matches!((style.fg, style.bg), (None | Some(Color::Reset), None)));
        }
    }
}
