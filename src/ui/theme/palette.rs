//! Which colour each thing has, in every palette.
//!
//! The hues follow those of Okabe and Ito ("Color Universal Design", 2008): amber, vermilion, sky blue, yellow, green,
//! blue, purple. They were moved apart in lightness until every two states can be told from one another by people who
//! lack any one of the three cones, and until all can be read on their background; a test computes both.

use ratatui::style::Color;

/// What the terminal's background is like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Ground {
    /// Dark: light colours are drawn on it.
    #[default]
    Dark,
    /// Light: dark colours are drawn on it.
    Light,
}

/// The colours that the terminal is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Palette {
    /// The 16 colours every terminal has, as its user has set them. Those that can be read on black and on white alike
    /// are used as far as there are any; what matters most, text and titles, has the terminal's own colour.
    #[default]
    Sixteen,
    /// Of the 256 colours of xterm, those that no user sets.
    Indexed(Ground),
    /// Any colour.
    True(Ground),
    /// None: bold, dim and reverse only. For `NO_COLOR` and `--color never`.
    Monochrome,
}

/// Something that has a colour of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hue {
    /// `TIME_WAIT`.
    Amber,
    /// `CLOSE_WAIT`.
    Vermilion,
    /// `ESTABLISHED`.
    Sky,
    /// `SYN_SENT`.
    Yellow,
    /// `SYN_RECV`.
    Green,
    /// Our end has closed and waits for the peer's.
    Blue,
    /// Both ends have closed and the last word is awaited.
    Purple,
    /// Where nothing goes on.
    Grey,
    /// What is worth a warning, and what fills up: no state's.
    Warn,
    /// Titles of columns.
    Head,
    /// There when looked for.
    Dim,
    /// What keys act on, and curves of no state.
    Accent,
    /// Behind an alarm, and its text.
    Alarm,
    AlarmText,
    /// Behind a mark, and its text.
    Mark,
    MarkText,
}

/// A colour among the 16, among the 256 and among all, the latter two for a dark and for a light background.
struct Paint {
    sixteen: Color,
    indexed: [u8; 2],
    rgb: [u32; 2],
}

const fn paint(sixteen: Color, indexed: [u8; 2], rgb: [u32; 2]) -> Paint {
    Paint { sixteen, indexed, rgb }
}

impl Hue {
    const fn paint(self) -> Paint {
        match self {
            Self::Amber => paint(Color::Yellow, [178, 130], [0xff_a0_1f, 0x9a_64_00]),
            Self::Vermilion => paint(Color::LightRed, [209, 88], [0xf7_5c_5c, 0x8a_0a_0a]),
            // Not green among the 16: without the cones for red or green it is the colour of TIME_WAIT.
            Self::Sky => paint(Color::LightBlue, [116, 27], [0x38_c5_f5, 0x07_61_f9]),
            Self::Yellow => paint(Color::Green, [228, 29], [0xf9_dd_7b, 0x11_6f_3c]),
            Self::Green => paint(Color::LightGreen, [85, 97], [0xb8_fd_c6, 0x96_52_c3]),
            Self::Blue => paint(Color::Cyan, [105, 18], [0x7c_7c_fd, 0x00_05_79]),
            Self::Purple => paint(Color::Magenta, [183, 53], [0xba_6e_ae, 0x6a_1a_68]),
            Self::Grey => paint(Color::Reset, [246, 238], [0xbc_c2_ca, 0x68_6d_75]),
            Self::Warn => paint(Color::LightMagenta, [206, 162], [0xf0_60_d8, 0xd8_00_78]),
            Self::Head => paint(Color::Reset, [248, 239], [0xa4_ab_b8, 0x4d_53_5c]),
            Self::Dim => paint(Color::DarkGray, [243, 243], [0x74_7b_88, 0x7b_81_8a]),
            Self::Accent => paint(Color::Cyan, [79, 23], [0x5f_c9_b8, 0x00_70_7a]),
            Self::Alarm => paint(Color::LightRed, [124, 124], [0xb3_26_1e, 0xb3_26_1e]),
            Self::AlarmText => paint(Color::Reset, [231, 231], [0xff_ff_ff, 0xff_ff_ff]),
            Self::Mark => paint(Color::Yellow, [214, 214], [0xf0_b4_29, 0xf0_b4_29]),
            Self::MarkText => paint(Color::Reset, [16, 16], [0, 0]),
        }
    }
}

impl Palette {
    /// The background that it is made for; the 16 colours and none are for any.
    #[must_use]
    pub const fn ground(self) -> Option<Ground> {
        match self {
            Self::Indexed(ground) | Self::True(ground) => Some(ground),
            Self::Sixteen | Self::Monochrome => None,
        }
    }

    /// The colour of `hue`, `None` if there are no colours.
    pub(super) fn colour(self, hue: Hue) -> Option<Color> {
        let Paint { sixteen, indexed, rgb } = hue.paint();
        match self {
            Self::Sixteen => Some(sixteen),
            Self::Indexed(ground) => Some(Color::Indexed(indexed[ground as usize])),
            Self::True(ground) => {
                let [_, red, green, blue] = rgb[ground as usize].to_be_bytes();
                Some(Color::Rgb(red, green, blue))
            }
            Self::Monochrome => None,
        }
    }
}

/// The number of a colour in the terminal's palette of 256; `None` for its own colour and for one that is told by its parts.
#[must_use]
pub const fn palette_index(colour: Color) -> Option<u8> {
    Some(match colour {
        Color::Reset | Color::Rgb(..) => return None,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        Color::Indexed(index) => index,
    })
}

/// Red, green and blue of one of the 256 colours that no user sets: the cube of 6 by 6 by 6, and the greys. `None` for
/// the first 16.
#[must_use]
pub(in crate::ui) fn indexed_rgb(n: u8) -> Option<(u8, u8, u8)> {
    match n {
        0..16 => None,
        16..232 => {
            let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * n };
            let n = n - 16;
            Some((level(n / 36), level(n / 6 % 6), level(n % 6)))
        }
        232.. => {
            let grey = 8 + 10 * (n - 232);
            Some((grey, grey, grey))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::vision::{Rgb, Sight, contrast, distance},
        *,
    };

    const STATES: [Hue; 8] =
        [Hue::Amber, Hue::Vermilion, Hue::Sky, Hue::Yellow, Hue::Green, Hue::Blue, Hue::Purple, Hue::Grey];
    /// Those that nearly all sockets are in.
    const COMMON: [Hue; 3] = [Hue::Amber, Hue::Vermilion, Hue::Sky];
    const CHOSEN: [Palette; 4] = [
        Palette::True(Ground::Dark),
        Palette::True(Ground::Light),
        Palette::Indexed(Ground::Dark),
        Palette::Indexed(Ground::Light),
    ];

    /// The 16 as xterm has them unless its user sets others.
    fn rgb(colour: Color) -> Rgb {
        match colour {
            Color::Rgb(r, g, b) => (r, g, b),
            Color::Indexed(n) => indexed_rgb(n).expect("none of the first 16 is used"),
            Color::Yellow => (0xcd, 0xcd, 0),
            Color::LightRed => (0xff, 0, 0),
            Color::Cyan => (0, 0xcd, 0xcd),
            Color::DarkGray => (0x7f, 0x7f, 0x7f),
            Color::LightBlue => (0x5c, 0x5c, 0xff),
            Color::Magenta => (0xcd, 0, 0xcd),
            Color::LightMagenta => (0xff, 0, 0xff),
            other => panic!("{other} is not among those that are looked at"),
        }
    }

    fn of(palette: Palette, hue: Hue) -> Rgb {
        rgb(palette.colour(hue).expect("it has colours"))
    }

    fn backgrounds(palette: Palette) -> &'static [Rgb] {
        match palette.ground() {
            Some(Ground::Light) => &[(0xff, 0xff, 0xff)],
            _ => &[(0, 0, 0), (0x14, 0x17, 0x1c), (0x1e, 0x1e, 0x1e)],
        }
    }

    /// The two of `hues` that are hardest to tell apart, by whom, and how far apart they are for them.
    fn nearest(palette: Palette, hues: &[Hue]) -> (f64, Sight, Hue, Hue) {
        let pairs = hues.iter().enumerate().flat_map(|(i, a)| hues[..i].iter().map(move |b| (*a, *b)));
        pairs
            .flat_map(|(a, b)| Sight::ALL.map(|sight| (a, b, sight)))
            .map(|(a, b, sight)| (distance(of(palette, a), of(palette, b), sight), sight, a, b))
            .min_by(|a, b| a.0.total_cmp(&b.0))
            .expect("there are two")
    }

    #[test]
    fn states_are_told_apart_by_everybody() {
        // A difference of 2.3 can just be seen where two areas touch; between words of text it takes much more.
        for palette in CHOSEN {
            let all = nearest(palette, &STATES);
            assert!(all.0 > 18.0, "{palette:?}: {all:?}");
            let common = nearest(palette, &COMMON);
            assert!(common.0 > 20.0, "{palette:?}: {common:?}");
        }
    }

    #[test]
    fn a_warning_looks_like_no_state() {
        // Its word or its figure stands there too; it is to be taken for no state by anybody, if less surely than states
        // are told apart.
        for palette in CHOSEN {
            for state in STATES {
                let warning = nearest(palette, &[Hue::Warn, state]);
                assert!(warning.0 > 9.0, "{palette:?}: {warning:?}");
            }
        }
        for state in STATES {
            assert_ne!(Palette::Sixteen.colour(Hue::Warn), Palette::Sixteen.colour(state));
        }
    }

    #[test]
    fn the_common_states_are_told_apart_with_16_colours_too() {
        let common = nearest(Palette::Sixteen, &COMMON);
        assert!(common.0 > 20.0, "{common:?}");
    }

    #[test]
    fn everything_can_be_read_on_its_background() {
        for palette in CHOSEN {
            for background in backgrounds(palette) {
                let against = |hue| contrast(of(palette, hue), *background);
                for hue in STATES.into_iter().chain([Hue::Warn, Hue::Head, Hue::Accent]) {
                    assert!(against(hue) >= 4.5, "{palette:?} {hue:?} on {background:?}: {}", against(hue));
                }
                assert!(against(Hue::Dim) >= 3.0, "{palette:?} on {background:?}: {}", against(Hue::Dim));
                assert!(against(Hue::Dim) < against(Hue::Head), "what is dim steps back");
            }
            for (text, behind) in [(Hue::AlarmText, Hue::Alarm), (Hue::MarkText, Hue::Mark)] {
                assert!(contrast(of(palette, text), of(palette, behind)) >= 4.5, "{palette:?} {text:?}");
            }
        }
    }

    #[test]
    fn dim_text_of_the_16_can_be_read_on_black_and_on_white() {
        let dim = of(Palette::Sixteen, Hue::Dim);
        assert!(contrast(dim, (0, 0, 0)) >= 3.0 && contrast(dim, (255, 255, 255)) >= 3.0);
        // Nothing else has a colour that is nearly white or nearly black.
        for hue in [Hue::Head, Hue::Grey] {
            assert_eq!(Palette::Sixteen.colour(hue), Some(Color::Reset));
        }
    }
}
