//! What stands beside and below a chart: round figures and the span in time.

use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    field::format,
    ui::{
        Theme,
        pen::Pen,
        text::{pad, width},
    },
};

/// Cells for the figures at the left: the same for all charts, so that a picture does not move when a figure gets longer.
const SCALE: u16 = 6;
/// Cells between two times at least.
const APART: f64 = 14.0;
/// Times that are round, seconds.
const ROUND_S: [f64; 12] = [1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];

/// The place of a chart: the scale, the picture and the line of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ui) struct Axes {
    /// Where the picture goes.
    pub(in crate::ui) plot: Rect,
    area: Rect,
}

/// The least round figure that is not below `value`, and at least `least`: 1, 2, 4, 6 or 8 and zeros.
pub(in crate::ui) fn round_top(value: f64, least: f64) -> f64 {
    let value = value.max(least);
    let mut power = 1.0;
    while power * 10.0 < value {
        power *= 10.0;
    }
    [1.0, 2.0, 4.0, 6.0, 8.0, 10.0].into_iter().map(|n| n * power).find(|&n| n >= value).unwrap_or(value)
}

impl Axes {
    /// The parts of `area`. What is too small for a scale is all picture.
    pub(in crate::ui) fn of(area: Rect) -> Self {
        let scale = if area.width >= 4 * SCALE && area.height >= 3 { SCALE } else { 0 };
        let times = u16::from(area.height >= 2);
        let plot =
            Rect { x: area.x + scale, y: area.y, width: area.width - scale, height: area.height - times };
        Self { plot, area }
    }

    /// Writes figures at their heights, which are shares (0 to 1) of the picture's. Of two on one line the first stays.
    pub(in crate::ui) fn scale(&self, buffer: &mut Buffer, figures: &[(f64, String)], theme: &Theme) {
        let room = usize::from(self.plot.x - self.area.x).saturating_sub(1);
        let mut taken = vec![];
        for (share, figure) in figures.iter().filter(|_| self.plot.height > 0) {
            let line = self.line(*share);
            if width(figure) <= room && !taken.contains(&line) {
                Pen::new(buffer, self.area, line).put(&pad(figure, room, true), theme.dim());
                taken.push(line);
            }
        }
    }

    /// The line of the picture, from its top, that `share` of its height is on.
    fn line(&self, share: f64) -> u16 {
        let last = self.plot.height.saturating_sub(1);
        let above = (1.0 - share.clamp(0.0, 1.0)) * f64::from(last);
        (0..=last).rev().find(|&line| f64::from(line) <= above.round()).unwrap_or(0)
    }

    /// Figures for a scale from 0 to `top`: both ends, and the middle where it is a whole number and there is room.
    pub(in crate::ui) fn figures(&self, top: f64) -> Vec<(f64, String)> {
        let half = top / 2.0;
        let middle = (self.plot.height >= 5 && half.fract() == 0.0).then(|| (0.5, figure(half)));
        [(1.0, figure(top)), (0.0, "0".to_owned())].into_iter().chain(middle).collect()
    }

    /// Writes round times below the picture: `name` at `now` cells from its left, what was before it to the left and what
    /// came after it or is foretold to the right, `per_cell` seconds to a cell.
    pub(in crate::ui) fn times(
        &self,
        buffer: &mut Buffer,
        (now, name): (u16, &str),
        per_cell: f64,
        theme: &Theme,
    ) {
        let Axes { plot, area } = *self;
        if plot.height == area.height || per_cell <= 0.0 {
            return;
        }
        let line = Rect { y: plot.bottom(), height: 1, ..plot };
        let step = ROUND_S.into_iter().find(|step| step / per_cell >= APART);
        let step = step.unwrap_or(ROUND_S[ROUND_S.len() - 1]);
        let now_at = now.saturating_sub(size(name));
        put_at(buffer, line, now_at, name, theme);
        let named = now_at + size(name);
        let mut free = now_at;
        for n in 1..=u16::from(u8::MAX) {
            let seconds = step * f64::from(n);
            let back = cells(seconds / per_cell);
            let label = format!("-{}", round_time(seconds));
            let Some(at) = now.checked_sub(back).filter(|at| at + size(&label) < free) else { break };
            put_at(buffer, line, at, &label, theme);
            free = at;
        }
        for n in 1..=u16::from(u8::MAX) {
            let seconds = step * f64::from(n);
            let label = format!("+{}", round_time(seconds));
            let end = now.saturating_add(cells(seconds / per_cell));
            let Some(at) =
                end.checked_sub(size(&label)).filter(|at| end <= plot.width && *at > now.max(named))
            else {
                break;
            };
            put_at(buffer, line, at, &label, theme);
        }
    }
}

/// A round figure within the room of the scale: `4000`, `10k`.
fn figure(value: f64) -> String {
    let rate = format::rate(value);
    rate.trim_end_matches("/s").replace(".0", "")
}

/// A round time: `1ms`, `10s`, `1m`, `2m30s`.
pub(in crate::ui) fn round_time(seconds: f64) -> String {
    let text = format::seconds(seconds);
    text.replace(".0", "").replace("m00s", "m").replace("h00m", "h")
}

fn put_at(buffer: &mut Buffer, line: Rect, at: u16, text: &str, theme: &Theme) {
    let mut pen = Pen::new(buffer, line, 0);
    pen.skip(at);
    pen.put(text, theme.dim());
}

fn size(text: &str) -> u16 {
    u16::try_from(width(text)).unwrap_or(u16::MAX)
}

/// A number of cells, rounded; never more than a terminal has.
fn cells(of: f64) -> u16 {
    let most = 4096.0;
    let of = of.clamp(0.0, most).round();
    (0..=4096).find(|&n| f64::from(n) >= of).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::theme::Palette;

    #[test]
    fn a_scale_ends_at_a_round_figure() {
        let tops =
            [0.0, 0.4, 1.0, 3.0, 41.0, 81.0, 3586.0, 99_000.0].map(|value| figure(round_top(value, 1.0)));
        assert_eq!(tops, ["1", "1", "1", "4", "60", "100", "4,000", "100k"]);
        assert_eq!(figure(round_top(1.0, 4.0)), "4");
    }

    fn drawn(size: (u16, u16), draw: impl FnOnce(&mut Buffer, Axes)) -> Vec<String> {
        let area = Rect::new(0, 0, size.0, size.1);
        let mut buffer = Buffer::empty(area);
        draw(&mut buffer, Axes::of(area));
        let line = |y| (0..size.0).map(|x| buffer[(x, y)].symbol()).collect::<String>().trim_end().to_owned();
        (0..size.1).map(line).collect()
    }

    #[test]
    fn figures_and_times_stand_where_they_belong() {
        let theme = Theme::new(Palette::Sixteen, false);
        let text = drawn((54, 6), |buffer, axes| {
            axes.scale(buffer, &axes.figures(4000.0), &theme);
            axes.times(buffer, (30, "now"), 1.0, &theme);
        });
        assert_eq!(
            text,
            ["4,000", "", "2,000", "", "    0", "      -30s           -15s        now           +15s"]
        );
        assert_eq!([10_000.0, 200_000.0, 1_000_000.0, 4.0].map(figure), ["10k", "200k", "1M", "4"]);
        let times = [0.001, 1.0, 30.0, 60.0, 90.0, 3600.0].map(round_time);
        assert_eq!(times, ["1ms", "1s", "30s", "1m", "1m30s", "1h"]);
    }

    #[test]
    fn what_has_no_room_is_left_out_whole() {
        let theme = Theme::new(Palette::Sixteen, false);
        let text = drawn((10, 2), |buffer, axes| {
            assert_eq!(axes.plot, Rect::new(0, 0, 10, 1));
            axes.scale(buffer, &axes.figures(4000.0), &theme);
            axes.times(buffer, (10, "now"), 1.0, &theme);
        });
        assert_eq!(text, ["", "       now"]);
        assert_eq!(drawn((10, 1), |_, axes| assert_eq!(axes.plot.height, 1)), [""]);
    }
}
