//! How many colours a terminal has, and what its background is like, as far as its surroundings tell.

use super::{Ground, Palette};

/// How many colours a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// 16.
    Sixteen,
    /// 256.
    Indexed,
    /// All.
    True,
}

/// Terminals that have all colours and do not say so in the name. `COLORTERM` tells too, but few SSH servers let it in.
const TRUE: [&str; 5] = ["alacritty", "contour", "foot", "wezterm", "kitty"];

impl Depth {
    /// As `COLORTERM` and `TERM` tell.
    #[must_use]
    pub fn auto(colorterm: Option<&str>, term: Option<&str>) -> Self {
        let term = term.unwrap_or_default();
        let name = term.strip_prefix("xterm-").unwrap_or(term);
        if matches!(colorterm, Some("truecolor" | "24bit"))
            || term.ends_with("-direct")
            || TRUE.contains(&name)
        {
            Self::True
        } else if term.ends_with("-256color") {
            Self::Indexed
        } else {
            Self::Sixteen
        }
    }

    /// The palette of so many colours for a background.
    #[must_use]
    pub const fn palette(self, ground: Ground) -> Palette {
        match self {
            Self::Sixteen => Palette::Sixteen,
            Self::Indexed => Palette::Indexed(ground),
            Self::True => Palette::True(ground),
        }
    }
}

impl Ground {
    /// As `COLORFGBG` tells, which some terminals set to the numbers of their two colours (`0;15`, `15;default;0`): light
    /// if it says so, else dark, as most are.
    #[must_use]
    pub fn auto(colorfgbg: Option<&str>) -> Self {
        match colorfgbg.and_then(|colours| colours.rsplit(';').next()) {
            Some("7" | "15") => Self::Light,
            _ => Self::Dark,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_is_given_as_many_colours_as_it_says_it_has() {
        for (colorterm, term, depth) in [
            (None, Some("xterm-256color"), Depth::Indexed),
            (Some("truecolor"), Some("xterm-256color"), Depth::True),
            (Some("24bit"), Some("screen"), Depth::True),
            (Some("yes"), Some("xterm"), Depth::Sixteen),
            (None, Some("xterm-direct"), Depth::True),
            (None, Some("xterm-kitty"), Depth::True),
            (None, Some("linux"), Depth::Sixteen),
            (None, None, Depth::Sixteen),
        ] {
            assert_eq!(Depth::auto(colorterm, term), depth, "{colorterm:?} {term:?}");
        }
    }

    #[test]
    fn a_background_is_dark_unless_the_terminal_says_otherwise() {
        for (colours, ground) in [
            (Some("0;15"), Ground::Light),
            (Some("0;default;7"), Ground::Light),
            (Some("15;0"), Ground::Dark),
            (Some(""), Ground::Dark),
            (None, Ground::Dark),
        ] {
            assert_eq!(Ground::auto(colours), ground, "{colours:?}");
        }
    }
}
