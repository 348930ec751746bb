//! Dots made into cells: braille where the terminal has it, else blocks or letters.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use crate::ui::{Theme, pen::scale};

/// The dots of a braille cell from the lowest row to the highest, left and right, as bits of its character.
const BRAILLE: [[u32; 2]; 4] = [[0x40, 0x80], [0x04, 0x20], [0x02, 0x10], [0x01, 0x08]];
/// The braille cell without a dot.
const NO_DOTS: u32 = 0x2800;

/// What a part of a picture is drawn with.
#[derive(Debug, Clone, Copy)]
pub(in crate::ui) struct Ink {
    /// Its colour.
    pub(in crate::ui) style: Style,
    /// What stands for it where colours do not tell, one cell wide.
    pub(in crate::ui) letter: Option<&'static str>,
}

/// A picture of dots, several to a cell.
#[derive(Debug)]
pub(in crate::ui) struct Raster<'t> {
    area: Rect,
    theme: &'t Theme,
    /// Dots to a cell, across and up.
    per_cell: (usize, usize),
    /// For each dot, row by row from the bottom, the number of its ink; 0 for none.
    dots: Vec<u8>,
    inks: Vec<Ink>,
    /// Cells in which single dots were set, where single dots cannot be drawn.
    marks: Vec<(u16, u16, u8)>,
}

impl<'t> Raster<'t> {
    /// An empty picture for `area`.
    pub(in crate::ui) fn new(area: Rect, theme: &'t Theme) -> Self {
        let per_cell = if theme.glyphs.braille { (2, 4) } else { (1, theme.glyphs.spark.len()) };
        let (width, height) = (usize::from(area.width) * per_cell.0, usize::from(area.height) * per_cell.1);
        Self { area, theme, per_cell, dots: vec![0; width * height], inks: vec![], marks: vec![] }
    }

    /// Dots across one cell.
    pub(in crate::ui) fn dots_across(&self) -> u8 {
        if self.theme.glyphs.braille { 2 } else { 1 }
    }

    /// Dots across.
    pub(in crate::ui) fn width(&self) -> usize {
        usize::from(self.area.width) * self.per_cell.0
    }

    /// Dots up.
    pub(in crate::ui) fn height(&self) -> usize {
        usize::from(self.area.height) * self.per_cell.1
    }

    /// The number of another ink.
    pub(in crate::ui) fn ink(&mut self, ink: Ink) -> u8 {
        self.inks.push(ink);
        u8::try_from(self.inks.len()).unwrap_or(u8::MAX)
    }

    /// The number of an ink of that colour alone, another one only if there is none yet.
    pub(in crate::ui) fn colour(&mut self, style: Style) -> u8 {
        let known = self.inks.iter().position(|ink| ink.style == style && ink.letter.is_none());
        match known.and_then(|index| u8::try_from(index + 1).ok()) {
            Some(number) => number,
            None => self.ink(Ink { style, letter: None }),
        }
    }

    /// Fills column `x` from dot `from` up to, and without, dot `to`, counted from the bottom.
    pub(in crate::ui) fn fill(&mut self, x: usize, from: usize, to: usize, ink: u8) {
        let (width, height) = (self.width(), self.height());
        for y in from..to.min(height) {
            if x < width {
                self.dots[y * width + x] = ink;
            }
        }
    }

    /// Sets one dot, counted from the left and the bottom, unless something is drawn there.
    pub(in crate::ui) fn point(&mut self, x: usize, y: usize, ink: u8) {
        let (width, height) = (self.width(), self.height());
        if x >= width || y >= height || self.dots[y * width + x] != 0 {
            return;
        }
        if self.theme.glyphs.braille {
            self.dots[y * width + x] = ink;
            return;
        }
        let column = u16::try_from(x / self.per_cell.0).unwrap_or(u16::MAX);
        self.marks.push((column, self.line_of(y), ink));
    }

    /// The line, from the top, that has the dots at height `y`.
    pub(in crate::ui) fn line_of(&self, y: usize) -> u16 {
        let below = u16::try_from(y / self.per_cell.1).unwrap_or(u16::MAX);
        self.area.height.saturating_sub(below + 1)
    }

    /// How many of the dots up `share` (0 to 1) is; anything at all is one.
    pub(in crate::ui) fn dots_of(&self, share: f64) -> usize {
        scale(share, self.height()).max(usize::from(share > 0.0))
    }

    /// Whether nothing is drawn into the first `cells` cells of line `line` from the top.
    pub(in crate::ui) fn is_free(&self, cells: u16, line: u16) -> bool {
        let (across, up) = self.per_cell;
        let bottom = usize::from(self.area.height.saturating_sub(line + 1)) * up;
        let row = |y: usize| y * self.width()..y * self.width() + usize::from(cells) * across;
        let marked = self.marks.iter().any(|mark| mark.0 < cells && mark.1 == line);
        !marked && (bottom..bottom + up).all(|y| self.dots[row(y)].iter().all(|&dot| dot == 0))
    }

    /// Puts the picture into its place. Cells without a dot stay as they are.
    pub(in crate::ui) fn draw(&self, buffer: &mut Buffer) {
        for line in 0..self.area.height {
            for column in 0..self.area.width {
                self.cell(buffer, column, line);
            }
        }
        for &(column, line, ink) in &self.marks {
            let (x, y) = (self.area.x + column, self.area.y + line);
            if buffer[(x, y)].symbol() == " " {
                buffer.set_string(x, y, self.theme.glyphs.dot, self.ink_of(ink).style);
            }
        }
    }

    fn ink_of(&self, number: u8) -> Ink {
        self.inks[usize::from(number) - 1]
    }

    /// Draws one cell: in the ink that has most of it.
    fn cell(&self, buffer: &mut Buffer, column: u16, line: u16) {
        let (across, up) = self.per_cell;
        let (left, bottom) = (usize::from(column) * across, usize::from(self.area.height - 1 - line) * up);
        let dot = |x: usize, y: usize| self.dots[(bottom + y) * self.width() + left + x];
        let mut counts = vec![0_usize; self.inks.len() + 1];
        let places = (0..up).flat_map(|y| (0..across).map(move |x| (x, y)));
        places.for_each(|(x, y)| counts[usize::from(dot(x, y))] += 1);
        let filled = across * up - counts[0];
        // Of equals the one that was given first, which is the worst.
        let most = (1..counts.len()).rev().max_by_key(|&ink| counts[ink]).filter(|_| filled > 0);
        let Some(ink) = most.and_then(|ink| u8::try_from(ink).ok()).map(|ink| self.ink_of(ink)) else {
            return;
        };
        let glyph = match ink.letter {
            // A letter says who, not how much of the cell: less than half of one is none.
            Some(_) if filled * 2 < across * up => return,
            Some(letter) => letter.to_owned(),
            None if across == 2 => braille(dot),
            None => self.theme.glyphs.spark[filled - 1].to_owned(),
        };
        buffer.set_string(self.area.x + column, self.area.y + line, glyph, ink.style);
    }
}

/// The braille character that has a dot where `dot` is not 0, by column and row from below.
fn braille(dot: impl Fn(usize, usize) -> u8) -> String {
    let bits = BRAILLE
        .iter()
        .enumerate()
        .flat_map(|(y, row)| row.iter().enumerate().map(move |(x, bit)| (x, y, bit)));
    let set: u32 = bits.filter(|(x, y, _)| dot(*x, *y) != 0).map(|(_, _, bit)| bit).sum();
    char::from_u32(NO_DOTS + set).unwrap_or(' ').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::Palette;

    const PLAIN: Ink = Ink { style: Style::new(), letter: None };

    fn drawn(ascii: bool, (width, height): (u16, u16), draw: impl FnOnce(&mut Raster<'_>)) -> String {
        let theme = Theme::new(Palette::Sixteen, ascii);
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        let mut raster = Raster::new(area, &theme);
        draw(&mut raster);
        raster.draw(&mut buffer);
        let line = |y| (0..width).map(|x| buffer[(x, y)].symbol()).collect::<String>();
        (0..height).map(line).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn dots_fill_a_cell_from_the_bottom() {
        let text = drawn(false, (3, 1), |raster| {
            let ink = raster.ink(PLAIN);
            (0..6).for_each(|x| raster.fill(x, 0, x, ink));
        });
        assert_eq!(text, "⢀⣴⣿");
        let ascii = drawn(true, (3, 2), |raster| {
            let ink = raster.ink(PLAIN);
            [1, 7, 9].into_iter().enumerate().for_each(|(x, to)| raster.fill(x, 0, to, ink));
        });
        assert_eq!(ascii, "  .\n_##");
    }

    #[test]
    fn a_single_dot_is_where_it_is_and_covers_nothing() {
        let dots = |raster: &mut Raster<'_>| {
            let (area, line) = (raster.ink(PLAIN), raster.ink(PLAIN));
            raster.fill(0, 0, 4, area);
            (0..4).for_each(|x| raster.point(x, 3, line));
            raster.point(9, 0, line);
        };
        assert_eq!(drawn(false, (2, 1), dots), "⡏⠉");
        assert_eq!(drawn(true, (5, 1), dots), "=--- ");
    }

    #[test]
    fn where_two_meet_the_greater_part_has_the_cell_and_letters_tell_without_colours() {
        let letters = |raster: &mut Raster<'_>| {
            let worse = raster.ink(Ink { letter: Some("T"), ..PLAIN });
            let calm = raster.ink(Ink { letter: Some("E"), ..PLAIN });
            raster.fill(0, 0, 5, calm);
            raster.fill(0, 5, 14, worse);
            raster.fill(1, 0, 3, calm);
            raster.fill(1, 3, 9, worse);
        };
        assert_eq!(drawn(true, (2, 2), letters), "T \nET");
    }

    #[test]
    fn anything_at_all_is_one_dot_and_makes_a_line_taken() {
        drawn(false, (4, 2), |raster| {
            let dots = [0.0, 0.001, 0.5, 1.0, 7.0].map(|share| raster.dots_of(share));
            assert_eq!(dots, [0, 1, 4, 8, 8]);
            let ink = raster.colour(Style::new());
            assert_eq!(raster.colour(Style::new()), ink);
            raster.fill(3, 0, 5, ink);
            let free = [(1, 0), (2, 0), (1, 1), (2, 1)].map(|(cells, line)| raster.is_free(cells, line));
            assert_eq!(free, [true, false, true, false]);
        });
    }

    #[test]
    fn nothing_is_drawn_into_no_room() {
        assert_eq!(drawn(false, (0, 3), |raster| raster.fill(0, 0, 3, 1)), "\n\n");
    }
}
