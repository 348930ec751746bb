//! Colours and glyphs. Nothing else in the screen names a colour or draws a character that is not ASCII.

mod depth;
mod glyphs;
mod palette;
#[cfg(test)]
mod vision;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier, Style},
};

use self::palette::Hue;
pub(super) use self::palette::indexed_rgb;
pub use self::palette::palette_index;
pub use self::{
    depth::Depth,
    glyphs::{Glyphs, Graphs},
    palette::{Ground, Palette},
};
use crate::{findings::Severity, model::TcpState};

/// How everything looks. No background is painted but behind marks and alarms: it would cost bytes, and the terminal's own is
/// what its user wants.
#[derive(Debug, Clone, Copy)]
pub struct Theme {
    palette: Palette,
    /// The characters that bars, frames and marks are drawn with.
    pub glyphs: &'static Glyphs,
}

impl Theme {
    /// A duration as `field::format` writes it, in the characters that the terminal has.
    #[must_use]
    pub fn duration(&self, text: &str) -> String {
        text.replace('µ', self.glyphs.micro)
    }

    /// A theme of a palette, with ASCII characters only if `ascii`.
    #[must_use]
    pub fn new(palette: Palette, ascii: bool) -> Self {
        Self::drawn(palette, if ascii { Graphs::Ascii } else { Graphs::Braille })
    }

    /// A theme of a palette and of what the terminal can draw.
    #[must_use]
    pub fn drawn(palette: Palette, graphs: Graphs) -> Self {
        Self { palette, glyphs: graphs.glyphs() }
    }

    /// Whether colours tell things apart; where they do not, letters must.
    #[must_use]
    pub fn has_colour(&self) -> bool {
        self.palette != Palette::Monochrome
    }

    fn fg(&self, hue: Hue) -> Style {
        Style::new().fg(self.palette.colour(hue).unwrap_or(Color::Reset))
    }

    /// Text of a hue, or something else where there is no colour.
    fn fg_or(&self, hue: Hue, mono: Modifier) -> Style {
        match self.palette.colour(hue) {
            Some(colour) => Style::new().fg(colour),
            None => Style::new().add_modifier(mono),
        }
    }

    /// Text on a coloured background. Where colours are the terminal's own, the text has that of its background: which of
    /// the others can be read on it only its user knows.
    fn on(&self, text: Hue, behind: Hue) -> Style {
        let style = match (self.palette, self.palette.colour(text), self.palette.colour(behind)) {
            (Palette::Indexed(_) | Palette::True(_), Some(fg), Some(bg)) => Style::new().fg(fg).bg(bg),
            (_, _, Some(bg)) => Style::new().fg(bg).add_modifier(Modifier::REVERSED),
            _ => Style::new().add_modifier(Modifier::REVERSED),
        };
        style.add_modifier(Modifier::BOLD)
    }

    /// The colour of a state, the same wherever it appears. Its name or short form always stands beside it.
    #[must_use]
    pub fn state(&self, state: TcpState) -> Style {
        self.fg(match state {
            TcpState::TimeWait => Hue::Amber,
            TcpState::CloseWait => Hue::Vermilion,
            TcpState::Established => Hue::Sky,
            TcpState::SynSent => Hue::Yellow,
            TcpState::SynRecv => Hue::Green,
            TcpState::FinWait1 | TcpState::FinWait2 => Hue::Blue,
            TcpState::LastAck | TcpState::Closing => Hue::Purple,
            TcpState::Listen | TcpState::BoundInactive | TcpState::Close => Hue::Grey,
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
        self.fg_or(Hue::Dim, Modifier::DIM)
    }

    /// Column titles.
    #[must_use]
    pub fn head(&self) -> Style {
        self.fg(Hue::Head)
    }

    /// Frames of panes.
    #[must_use]
    pub fn frame(&self, focused: bool) -> Style {
        if focused { self.fg(Hue::Accent) } else { self.dim() }
    }

    /// Keys in hints and help.
    #[must_use]
    pub fn key(&self) -> Style {
        self.fg(Hue::Accent).add_modifier(Modifier::BOLD)
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

    /// Shows `area` as that row. Bars and curves of blocks stay as they are, the rest of a bar too: turned inside out, what
    /// is left would look like what is taken. Those of ASCII are text.
    pub fn select(&self, buffer: &mut Buffer, area: Rect) {
        let glyphs = self.glyphs;
        let mut blocks: Vec<&str> = [&[glyphs.bar], glyphs.bar_parts, glyphs.spark].concat();
        blocks.retain(|glyph| !glyph.is_ascii());
        let mut in_bar = false;
        for at in area.intersection(buffer.area).positions() {
            let cell = &mut buffer[at];
            in_bar = blocks.contains(&cell.symbol()) || in_bar && cell.symbol() == glyphs.bar_rest;
            if !in_bar {
                cell.set_style(self.selected());
            }
        }
    }

    /// Something to know about.
    #[must_use]
    pub fn warning(&self) -> Style {
        self.fg_or(Hue::Warn, Modifier::BOLD)
    }

    /// Something wrong.
    #[must_use]
    pub fn alarm(&self) -> Style {
        self.on(Hue::AlarmText, Hue::Alarm)
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
        self.on(Hue::MarkText, Hue::Mark)
    }

    /// The column of a curve at the moment that is held. What it shows stays to be read: it has the terminal's own
    /// colour, which is no state's where it fills a cell, and stands out from what is behind it where it does not.
    #[must_use]
    pub fn time_cursor(&self) -> Style {
        match self.palette.colour(Hue::Accent) {
            Some(behind) => Style::new().fg(Color::Reset).bg(behind),
            None => Style::new().add_modifier(Modifier::REVERSED),
        }
    }

    /// The column of a curve at the moment that is marked: another colour than that of [`Self::time_cursor`], or a line below
    /// what it shows.
    #[must_use]
    pub fn time_mark(&self) -> Style {
        match self.palette.colour(Hue::Mark) {
            Some(behind) => Style::new().fg(Color::Reset).bg(behind),
            None => Style::new().add_modifier(Modifier::UNDERLINED),
        }
    }

    /// A bar that is `share` (0 to 1) full, and its figure: plain, then a warning past one half, a bold one past nine
    /// tenths. No state has these colours.
    #[must_use]
    pub fn gauge(&self, share: f64) -> Style {
        match share {
            s if s >= 0.9 => self.warning().add_modifier(Modifier::BOLD),
            s if s >= 0.5 => self.warning(),
            _ => self.text(),
        }
    }

    /// A curve that is not a state's.
    #[must_use]
    pub fn curve(&self) -> Style {
        self.fg(Hue::Accent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn monochrome_has_no_colour() {
        let theme = Theme::new(Palette::Monochrome, false);
        let styles = [theme.alarm(), theme.mark(), theme.key(), theme.dim(), theme.gauge(0.95)];
        let states = TcpState::ALL.map(|state| theme.state(state));
        for style in styles.iter().chain(&states) {
            assert!(matches!((style.fg, style.bg), (None | Some(Color::Reset), None)));
        }
    }

    #[test]
    fn no_gauge_has_the_colour_of_a_state() {
        for palette in [Palette::Sixteen, Palette::Indexed(Ground::Dark), Palette::True(Ground::Light)] {
            let theme = Theme::new(palette, false);
            let waiting = [TcpState::TimeWait, TcpState::CloseWait, TcpState::Established, TcpState::SynSent];
            let states = waiting.map(|state| theme.state(state).fg);
            for style in [theme.gauge(0.1), theme.gauge(0.6), theme.gauge(0.95), theme.warning()] {
                assert!(!states.contains(&style.fg), "{style:?}");
            }
        }
    }

    #[test]
    fn no_background_is_painted_but_behind_marks_and_alarms() {
        for palette in [Palette::Sixteen, Palette::Indexed(Ground::Light), Palette::True(Ground::Dark)] {
            let theme = Theme::new(palette, false);
            let plain = [theme.text(), theme.dim(), theme.head(), theme.frame(true), theme.warning()];
            for style in plain.into_iter().chain(TcpState::ALL.map(|state| theme.state(state))) {
                assert_eq!(style.bg, None);
            }
            // Reversed, a row is seen whatever the colours of the terminal are.
            assert!(theme.selected().add_modifier.contains(Modifier::REVERSED));
        }
    }

    #[test]
    fn a_bar_in_the_selected_row_is_not_turned_inside_out() {
        for (palette, ascii, kept) in [
            (Palette::Sixteen, false, true),
            (Palette::Sixteen, true, false),
            (Palette::Monochrome, false, true),
        ] {
            let theme = Theme::new(palette, ascii);
            let area = Rect::new(0, 0, 2, 1);
            let mut buffer = Buffer::empty(area);
            buffer.set_string(0, 0, "5", theme.gauge(0.1));
            buffer.set_string(1, 0, theme.glyphs.bar, theme.gauge(0.1));
            let bar = buffer[(1, 0)].clone();
            theme.select(&mut buffer, area);
            assert!(buffer[(0, 0)].modifier.contains(Modifier::REVERSED));
            assert_eq!(buffer[(1, 0)] == bar, kept, "{palette:?} {ascii}");
        }
    }
}
