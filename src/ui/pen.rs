//! Drawing by hand: text in a line, bars and sparklines, all within their bounds.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{Theme, text};
use crate::store::Series;

/// Writes one line from left to right and never beyond its end.
#[derive(Debug)]
pub(super) struct Pen<'b> {
    buffer: &'b mut Buffer,
    x: u16,
    y: u16,
    end: u16,
}

impl<'b> Pen<'b> {
    /// A pen at the start of line `line` of `area`; one that writes nothing if there is no such line.
    pub(super) fn new(buffer: &'b mut Buffer, area: Rect, line: u16) -> Self {
        let area = area.intersection(buffer.area);
        let end = if line < area.height { area.right() } else { area.x };
        Self { buffer, x: area.x, y: area.y.saturating_add(line), end }
    }

    /// Cells left.
    pub(super) fn room(&self) -> u16 {
        self.end - self.x
    }

    /// Writes `text` if all of it fits; a figure is not cut. Says whether it did.
    pub(super) fn put(&mut self, text: &str, style: Style) -> bool {
        let fits = text::width(text) <= usize::from(self.room());
        if fits {
            (self.x, _) =
                self.buffer.set_stringn(self.x, self.y, text, usize::from(self.end - self.x), style);
        }
        fits
    }

    /// Writes `text`, made printable, with its end cut off if it must be, but not within a figure.
    pub(super) fn put_cut(&mut self, text: &str, style: Style, theme: &Theme) {
        let fitted = text::fit_figures(text, usize::from(self.room()), theme.glyphs.ellipsis);
        self.put(&fitted, style);
    }

    /// Writes several pieces as far as whole ones fit, and says so if not all do.
    pub(super) fn put_pieces(&mut self, pieces: &[(String, Style)], theme: &Theme) {
        let more = format!(" {}", theme.glyphs.ellipsis);
        let mut left: usize = pieces.iter().map(|(text, _)| text::width(text)).sum();
        for (text, style) in pieces {
            let width = text::width(text);
            let room = usize::from(self.room());
            if left > room && width + text::width(&more) > room {
                self.put(&more, theme.dim());
                break;
            }
            self.put(text, *style);
            left -= width;
        }
    }

    /// Leaves `cells` blank.
    pub(super) fn skip(&mut self, cells: u16) {
        self.x = self.x.saturating_add(cells).min(self.end);
    }

    /// The next `cells` cells, at most what is left, as an area of one line.
    pub(super) fn take(&mut self, cells: u16) -> Rect {
        let width = cells.min(self.room());
        let area = Rect { x: self.x, y: self.y, width, height: u16::from(width > 0) };
        self.x += width;
        area
    }

    /// The buffer, to draw something else into an area that was taken.
    pub(super) fn buffer(&mut self) -> &mut Buffer {
        self.buffer
    }
}

/// Leaves nothing of what was drawn in `area`.
pub(super) fn clear(buffer: &mut Buffer, area: Rect) {
    let area = area.intersection(buffer.area);
    area.positions().for_each(|at| buffer[at].reset());
}

/// A bar that fills `share` (0 to 1) of a line; anything at all is seen.
pub(super) fn bar(buffer: &mut Buffer, area: Rect, share: f64, style: Style, theme: &Theme) {
    let glyphs = bar_glyphs(share, usize::from(area.width), theme);
    for (x, glyph) in (area.x..area.right()).zip(glyphs) {
        let style = if glyph == theme.glyphs.bar_rest { theme.dim() } else { style };
        buffer.set_string(x, area.y, glyph, style);
    }
}

/// The same bar without its rest.
pub(super) fn bar_alone(buffer: &mut Buffer, area: Rect, share: f64, style: Style, theme: &Theme) {
    let glyphs = bar_glyphs(share, usize::from(area.width), theme);
    for (x, glyph) in (area.x..area.right()).zip(glyphs).filter(|(_, glyph)| *glyph != theme.glyphs.bar_rest)
    {
        buffer.set_string(x, area.y, glyph, style);
    }
}

/// The same bar as text.
pub(super) fn bar_text(share: f64, cells: usize, theme: &Theme) -> String {
    bar_glyphs(share, cells, theme).collect()
}

fn bar_glyphs(share: f64, cells: usize, theme: &Theme) -> impl Iterator<Item = &'static str> {
    let glyphs = theme.glyphs;
    let parts = glyphs.bar_parts.len() + 1;
    let filled = scale(share, cells * parts).max(usize::from(share > 0.0));
    (0..cells).map(move |cell| match filled.saturating_sub(cell * parts) {
        0 => glyphs.bar_rest,
        n if n >= parts => glyphs.bar,
        n => glyphs.bar_parts[n - 1],
    })
}

/// The newest of `values` at the right edge of `area`, one a column, against `top`, the value that fills it. What
/// is not known leaves a gap; zero is drawn as the lowest line, dim.
pub(super) fn spark(
    buffer: &mut Buffer,
    area: Rect,
    values: &[Option<f32>],
    top: f32,
    style: impl Fn(usize) -> Style,
    theme: &Theme,
) {
    let levels = theme.glyphs.spark;
    let steps = usize::from(area.height) * levels.len();
    for (back, value) in values.iter().rev().take(usize::from(area.width)).enumerate() {
        let x = area.right() - 1 - u16::try_from(back).unwrap_or(0);
        let Some(value) = *value else {
            buffer.set_string(x, area.bottom().saturating_sub(1), theme.glyphs.gap, theme.dim());
            continue;
        };
        let share = if top > 0.0 { f64::from(value / top) } else { 0.0 };
        let height = scale(share, steps).max(usize::from(value > 0.0));
        for line in 0..area.height {
            let below = usize::from(line) * levels.len();
            let y = area.bottom() - 1 - line;
            let (glyph, style) = match height.saturating_sub(below) {
                0 if line == 0 => (levels[0], theme.dim()),
                0 => break,
                n => (levels[n.min(levels.len()) - 1], style(back)),
            };
            buffer.set_string(x, y, glyph, style);
        }
    }
}

/// Marks the column that is `back` columns from the right: a line where it is blank, else the value stands out.
pub(super) fn time_cursor(buffer: &mut Buffer, area: Rect, back: u16, theme: &Theme) {
    time_line(buffer, area, back, (theme.glyphs.side, theme.key(), theme.time_cursor()));
}

/// As [`time_cursor`], of the moment that is marked.
pub(super) fn time_mark(buffer: &mut Buffer, area: Rect, back: u16, theme: &Theme) {
    time_line(buffer, area, back, (theme.glyphs.mark, theme.warning(), theme.time_mark()));
}

fn time_line(buffer: &mut Buffer, area: Rect, back: u16, (glyph, line, over): (&str, Style, Style)) {
    let Some(x) = area.width.checked_sub(back + 1).map(|column| area.x + column) else { return };
    for y in area.y..area.bottom() {
        let cell = &mut buffer[(x, y)];
        if cell.symbol() == " " {
            cell.set_symbol(glyph).set_style(line);
        } else {
            cell.set_style(over);
        }
    }
}

/// The largest known value.
pub(super) fn top(values: &[Option<f32>]) -> f32 {
    values.iter().flatten().copied().fold(0.0, f32::max)
}

/// A stretch of time as `cells` columns: at least `samples` samples, each column the mean of as many as it takes.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    /// Oldest first.
    pub(super) values: Vec<Option<f32>>,
    /// Samples to a column.
    pub(super) each: usize,
    /// Samples in the newest column.
    pub(super) newest: usize,
    /// Samples in all.
    pub(super) samples: usize,
    /// How many samples newer than the last one here the series has.
    pub(super) behind: usize,
    /// While a moment is held: how many columns from the right it lies.
    pub(super) cursor: Option<u16>,
}

impl Columns {
    /// How many columns from the right the sample lies that is `behind` samples older than the newest of the series, as
    /// long as each has a column of its own; nothing for one that is newer than what is shown.
    pub(super) fn back(&self, behind: usize) -> Option<u16> {
        let older = behind.checked_sub(self.behind)?;
        let back = older.checked_sub(self.newest).map_or(0, |older| 1 + older / self.each);
        u16::try_from(back).ok()
    }
}

/// As [`columns`], while the moment of `behind` samples ago is held: up to the end of the series as long as that moment
/// is among the columns, else from that moment on. `number` is the number of the newest sample.
pub(super) fn held_columns(series: &Series, cells: u16, samples: u16, behind: usize, number: u64) -> Columns {
    let each = usize::from(samples.div_ceil(cells.max(1)).max(1));
    // The newest column may have one sample only.
    let surely = usize::from(cells.saturating_sub(1)) * each + 1;
    let end = (behind + 1).saturating_sub(surely);
    let number = number.saturating_sub(u64::try_from(end).unwrap_or(u64::MAX));
    let columns = columns(series, cells, samples, end, number);
    let cursor = columns.back(behind);
    Columns { cursor, ..columns }
}

/// The newest `samples` samples of a series, or more if there are more cells, as it was `behind` samples ago.
/// `number` is the newest shown sample's: columns begin at multiples of it, so that they do not change while they
/// move to the left.
pub(super) fn columns(series: &Series, cells: u16, samples: u16, behind: usize, number: u64) -> Columns {
    let each = samples.div_ceil(cells.max(1)).max(1);
    let newest_column = u16::try_from(number % u64::from(each)).unwrap_or(0) + 1;
    let values = newest(series, (cells.saturating_sub(1)).saturating_mul(each) + newest_column, behind);
    let split = values.len().saturating_sub(usize::from(newest_column));
    let mut means: Vec<_> = values[..split].rchunks(usize::from(each)).map(mean).collect();
    means.reverse();
    means.extend((split < values.len()).then(|| mean(&values[split..])));
    Columns {
        values: means,
        each: usize::from(each),
        newest: usize::from(newest_column),
        samples: values.len(),
        behind,
        cursor: None,
    }
}

fn mean(values: &[Option<f32>]) -> Option<f32> {
    let (sum, count) = values.iter().flatten().fold((0.0, 0.0), |(sum, n), value| (sum + value, n + 1.0));
    (count > 0.0).then(|| sum / count)
}

/// The newest `cells` values of a series as it was `behind` samples ago, oldest first.
pub(super) fn newest(series: &Series, cells: u16, behind: usize) -> Vec<Option<f32>> {
    let mut values: Vec<_> = series.last(usize::from(cells).saturating_add(behind)).collect();
    // Of a series that is shorter than asked for, less is left of what was seen back then.
    let before = series.len().saturating_sub(behind).min(usize::from(cells));
    values.drain(..values.len().saturating_sub(behind).saturating_sub(before));
    values.truncate(before);
    values
}

/// `share` (0 to 1) of `steps`, rounded.
pub(super) fn scale(share: f64, steps: usize) -> usize {
    // The share is clamped and a terminal's side has far fewer than 2^16 cells, so nothing is lost.
    let steps = u16::try_from(steps).unwrap_or(u16::MAX);
    let filled = (share.clamp(0.0, 1.0) * f64::from(steps)).round();
    (0..=steps).rev().find(|&n| f64::from(n) <= filled).map_or(0, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::Palette;

    fn line(width: u16, draw: impl FnOnce(&mut Buffer, Rect)) -> String {
        let area = Rect::new(0, 0, width, 1);
        let mut buffer = Buffer::empty(area);
        draw(&mut buffer, area);
        buffer.content.iter().map(ratatui::buffer::Cell::symbol).collect()
    }

    #[test]
    fn a_bar_is_as_full_as_its_share_and_never_hides_something() {
        let theme = Theme::new(Palette::Monochrome, true);
        let bar = |share| line(10, |buffer, area| bar(buffer, area, share, Style::new(), &theme));
        assert_eq!(
            [bar(0.0), bar(0.001), bar(0.5), bar(1.7)].join(" "),
            ".......... #......... #####..... ##########"
        );
        let theme = Theme::new(Palette::Monochrome, false);
        let half = line(3, |buffer, area| super::bar(buffer, area, 0.5, Style::new(), &theme));
        assert_eq!(half, "█▌·");
    }

    #[test]
    fn a_bar_reads_the_same_on_a_selected_line() {
        for palette in [Palette::Sixteen, Palette::Monochrome] {
            let theme = Theme::new(palette, false);
            let drawn = |selected| {
                let area = Rect::new(0, 0, 14, 1);
                let mut buffer = Buffer::empty(area);
                let mut pen = Pen::new(&mut buffer, area, 0);
                pen.put("ports ", theme.text());
                let place = pen.take(5);
                bar(pen.buffer(), place, 0.73, theme.gauge(0.73), &theme);
                pen.put("73%", theme.text());
                if selected {
                    theme.select(&mut buffer, area);
                }
                buffer
            };
            let (plain, selected) = (drawn(false), drawn(true));
            for x in 0..14 {
                let is_of_bar = (6..11).contains(&x);
                assert_eq!(plain[(x, 0)] == selected[(x, 0)], is_of_bar, "{palette:?} {x}");
            }
        }
    }

    #[test]
    fn a_sparkline_ends_at_the_right_edge() {
        let theme = Theme::new(Palette::Monochrome, false);
        let values = [Some(0.0), Some(4.0), None, Some(8.0)];
        let text = line(6, |buffer, area| {
            spark(buffer, area, &values, 8.0, |_| Style::new(), &theme);
        });
        assert_eq!(text, "  ▁▄ █");
    }

    #[test]
    fn a_held_picture_shows_the_series_as_it_was() {
        let mut series = Series::default();
        (0..5_u8).for_each(|n| series.push(Some(f32::from(n))));
        let values =
            |cells, behind| -> Vec<f32> { newest(&series, cells, behind).into_iter().flatten().collect() };
        assert_eq!(values(3, 0), [2.0, 3.0, 4.0]);
        assert_eq!(values(3, 1), [1.0, 2.0, 3.0]);
        assert_eq!(values(9, 2), [0.0, 1.0, 2.0]);
        assert!(values(3, 9).is_empty());
    }

    #[test]
    fn columns_keep_their_samples_while_they_move() {
        let mut series = Series::default();
        let mut seen = vec![];
        for n in 0..10_u8 {
            series.push(Some(f32::from(n)));
            seen.push(columns(&series, 3, 9, 0, n.into()).values);
        }
        assert_eq!(seen[8], [1.0, 4.0, 7.0].map(Some));
        assert_eq!(seen[9], [4.0, 7.0, 9.0].map(Some));
        assert_eq!(seen[1], [Some(0.5)]);
    }

    #[test]
    fn a_window_stands_still_while_the_held_moment_is_in_it() {
        let mut series = Series::default();
        (0..30_u8).for_each(|n| series.push(Some(f32::from(n))));
        let held = |behind| held_columns(&series, 4, 8, behind, 29);
        // Columns of two samples each, the newest of which is whole.
        let still = held(0).values;
        for (behind, back) in [(0, 0), (1, 0), (2, 1), (3, 1), (6, 3)] {
            let columns = held(behind);
            assert_eq!(
                (columns.cursor, &columns.values, columns.behind),
                (Some(back), &still, 0),
                "{behind}"
            );
        }
        // Beyond it the window ends later by as much, so that the moment is in its first column.
        for behind in 7..29 {
            let columns = held(behind);
            assert_eq!(columns.cursor, Some(3), "{behind}");
            let at = f32::from(u8::try_from(29 - behind).expect("small"));
            let first = columns.values[0].expect("known");
            assert!((first - at).abs() <= 0.5, "{behind}: {first} is not that of {at}");
        }
    }

    #[test]
    fn the_cursor_hides_no_value() {
        let values = [Some(2.0), Some(0.0), Some(4.0)];
        for theme in [Theme::new(Palette::Sixteen, false), Theme::new(Palette::Monochrome, true)] {
            let drawn = |back| {
                let area = Rect::new(0, 0, 5, 2);
                let mut buffer = Buffer::empty(area);
                spark(&mut buffer, area, &values, 4.0, |_| theme.curve(), &theme);
                time_cursor(&mut buffer, area, back, &theme);
                buffer
            };
            let plain = drawn(9);
            for back in 0..4 {
                let marked = drawn(back);
                let x = 4 - back;
                for y in 0..2 {
                    let (before, after) = (&plain[(x, y)], &marked[(x, y)]);
                    let glyph = if before.symbol() == " " { theme.glyphs.side } else { before.symbol() };
                    assert_eq!(after.symbol(), glyph);
                    assert_ne!(before, after);
                }
            }
        }
    }

    #[test]
    fn a_pen_cuts_text_but_no_figure() {
        let theme = Theme::new(Palette::Monochrome, false);
        let text = line(8, |buffer, area| {
            let mut pen = Pen::new(buffer, area, 0);
            assert!(pen.put("12345", Style::new()));
            assert!(!pen.put("6789", Style::new()));
            pen.put_cut("abcdef", Style::new(), &theme);
        });
        assert_eq!(text, "12345ab…");
    }
}
