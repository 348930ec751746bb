//! How colours look to people, to test palettes with.

/// Red, green and blue.
pub(super) type Rgb = (u8, u8, u8);

/// Which cones a person has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// All three.
    Common,
    /// None for long waves: red is dark.
    Protanopia,
    /// None for middle waves: the most frequent lack after weaker forms of itself.
    Deuteranopia,
    /// None for short waves.
    Tritanopia,
}

impl Sight {
    pub(super) const ALL: [Self; 4] = [Self::Common, Self::Protanopia, Self::Deuteranopia, Self::Tritanopia];

    /// What becomes of linear red, green and blue: G. M. Machado, M. M. Oliveira and L. A. F. Fernandes, "A
    /// Physiologically-based Model for Simulation of Color Vision Deficiency", IEEE Transactions on Visualization and
    /// Computer Graphics 15 (2009), the matrices of severity 1.0.
    const fn matrix(self) -> [[f64; 3]; 3] {
        match self {
            Self::Common => [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            Self::Protanopia => [
                [0.152_286, 1.052_583, -0.204_868],
                [0.114_503, 0.786_281, 0.099_216],
                [-0.003_882, -0.048_116, 1.051_998],
            ],
            Self::Deuteranopia => [
                [0.367_322, 0.860_646, -0.227_968],
                [0.280_085, 0.672_501, 0.047_413],
                [-0.011_820, 0.042_940, 0.968_881],
            ],
            Self::Tritanopia => [
                [1.255_528, -0.076_749, -0.178_779],
                [-0.078_411, 0.930_809, 0.147_602],
                [0.004_733, 0.691_367, 0.303_900],
            ],
        }
    }
}

/// The contrast of two colours as WCAG 2.1 defines it, 1 to 21.
pub(super) fn contrast(a: Rgb, b: Rgb) -> f64 {
    let luminance = |colour| dot([0.2126, 0.7152, 0.0722], linear(colour));
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

/// How different two colours look to a person: the distance in CIELAB (CIE 1976), lightness and hue together.
pub(super) fn distance(a: Rgb, b: Rgb, sight: Sight) -> f64 {
    let (a, b) = (lab(a, sight), lab(b, sight));
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

fn lab(colour: Rgb, sight: Sight) -> [f64; 3] {
    let linear = linear(colour);
    let seen = sight.matrix().map(|row| dot(row, linear).clamp(0.0, 1.0));
    // sRGB to CIE XYZ (IEC 61966-2-1), against the white of D65.
    let x = dot([0.412_456_4, 0.357_576_1, 0.180_437_5], seen) / 0.950_47;
    let y = dot([0.212_672_9, 0.715_152_2, 0.072_175_0], seen);
    let z = dot([0.019_333_9, 0.119_192_0, 0.950_304_1], seen) / 1.088_83;
    let [x, y, z] =
        [x, y, z].map(|t| if t > 216.0 / 24389.0 { t.cbrt() } else { (24389.0 / 27.0 * t + 16.0) / 116.0 });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// The amounts of light, 0 to 1, that the values of sRGB stand for.
fn linear((r, g, b): Rgb) -> [f64; 3] {
    [r, g, b].map(|value| {
        let value = f64::from(value) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    })
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn black_and_white_are_as_far_apart_as_can_be() {
    let (black, white) = ((0, 0, 0), (255, 255, 255));
    assert!((contrast(black, white) - 21.0).abs() < 1e-9);
    for sight in Sight::ALL {
        assert!((distance(black, white, sight) - 100.0).abs() < 0.1, "{sight:?}");
    }
}

#[test]
fn red_and_green_of_the_same_lightness_are_one_to_who_lacks_a_cone() {
    let (red, green) = ((0xc0, 0x50, 0x30), (0x70, 0x78, 0x20));
    assert!(distance(red, green, Sight::Common) > 50.0);
    assert!(distance(red, green, Sight::Deuteranopia) < 20.0);
}
