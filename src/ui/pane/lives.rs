//! How long connections lived: a histogram over times that double, with the middle and the slowest in a hundred marked.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Context, facts, failures};
use crate::{
    field::format,
    store::Lifetimes,
    ui::{
        Theme,
        chart::{Axes, Raster, round_time, round_top},
        pen::Pen,
        text::width,
        view::Screen,
    },
};

/// At least so many buckets are drawn, six octaves: few that are alike do not fill the whole width.
const LEAST: usize = 24;
/// Round times for the axis, seconds.
const TIMES_S: [f64; 9] = [0.0001, 0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3600.0];
/// What is marked.
const MARKS: [(&str, f64); 2] = [("p50", 0.5), ("p99", 0.99)];

/// The buckets that are drawn, how many dots each takes, and how many buckets share a dot.
struct Shape {
    buckets: Vec<(f64, f64, u32)>,
    wide: usize,
    each: usize,
}

pub(super) fn draw(buffer: &mut Buffer, context: &Context<'_>) {
    let theme = context.theme();
    let Some(lives) = facts::lifetimes_of(context) else {
        let inner = context.frame(buffer, "Lifetimes", &[]);
        let why = if context.data.moment.is_whole() {
            "None whose beginning is known was closed in the last minute."
        } else {
            "Nothing is kept about that of this moment."
        };
        Pen::new(buffer, inner, 0).put_cut(why, theme.dim(), theme);
        return;
    };
    let over = format::seconds(failures::seconds(&context.data));
    // On the page of a process that closed them nobody asks whether the peer did.
    let by = if matches!(context.scene.view.page().screen, Screen::Process(_)) { "" } else { " by us" };
    let count = format!("{} closed{by} in {over}", format::grouped(lives.count()));
    let facts =
        MARKS.iter().map(|(name, share)| (theme.duration(&figure(name, *share, lives)), theme.text()));
    let facts: Vec<_> = facts.chain([(count, theme.head())]).collect();
    let inner = context.frame(buffer, "Lifetimes", &facts);
    if inner.height < 3 {
        return;
    }
    // The line above the bars says which mark is which.
    let axes = Axes::of(Rect { y: inner.y + 1, height: inner.height - 1, ..inner });
    let mut raster = Raster::new(axes.plot, theme);
    let shape = Shape::of(lives, raster.width());
    let heights = shape.heights(raster.width());
    let highest = heights.iter().copied().max().unwrap_or(0);
    let top = round_top(highest.into(), 4.0);
    let ink = raster.colour(theme.curve());
    for (x, height) in heights.into_iter().enumerate() {
        let dots = raster.dots_of(f64::from(height) / top);
        raster.fill(x, 0, dots, ink);
    }
    marks(&mut raster, buffer, (&axes, &shape), lives, theme);
    axes.scale(buffer, &axes.figures(top), theme);
    raster.draw(buffer);
    times(buffer, (&axes, &shape), raster.dots_across(), theme);
}

/// `p50 3.1ms`.
fn figure(name: &str, share: f64, lives: &Lifetimes) -> String {
    let life =
        lives.quantile(share).map_or(format::UNKNOWN.to_owned(), |life| format::seconds(life.as_secs_f64()));
    format!("{name} {life}")
}

impl Shape {
    /// The buckets from the first that has any to the last, and as many around them as it takes.
    fn of(lives: &Lifetimes, dots: usize) -> Self {
        let all: Vec<_> = lives.buckets().collect();
        let has_any = |bucket: &(f64, f64, u32)| bucket.2 > 0;
        let first = all.iter().position(has_any).unwrap_or(0);
        let end = all.iter().rposition(has_any).map_or(0, |last| last + 1);
        // From a whole octave on, and no fewer than look like something.
        let first = first.min(all.len().saturating_sub(LEAST)).saturating_sub(2) / 4 * 4;
        let end = (end + 2).max(first + LEAST).min(all.len());
        let buckets = all[first..end].to_vec();
        let wide = (dots / buckets.len()).max(1);
        let each = buckets.len().div_ceil(dots.max(1)).max(1);
        Self { buckets, wide, each }
    }

    /// How many connections each column of dots stands for.
    fn heights(&self, dots: usize) -> Vec<u32> {
        let sums = self.buckets.chunks(self.each).map(|chunk| chunk.iter().map(|bucket| bucket.2).sum());
        sums.flat_map(|sum| std::iter::repeat_n(sum, self.wide)).take(dots).collect()
    }

    /// The column of dots for a time in seconds; `None` outside of what is drawn.
    fn column(&self, seconds: f64) -> Option<usize> {
        let bucket = self.buckets.iter().position(|(start, end, _)| *start <= seconds && seconds < *end)?;
        Some(bucket / self.each * self.wide)
    }
}

/// Dotted lines at the quantiles, and their names above.
fn marks(
    raster: &mut Raster<'_>,
    buffer: &mut Buffer,
    (axes, shape): (&Axes, &Shape),
    lives: &Lifetimes,
    theme: &Theme,
) {
    let ink = raster.colour(theme.strong());
    let above = Rect { y: axes.plot.y - 1, height: 1, ..axes.plot };
    let mut free = 0;
    for (name, share) in MARKS {
        let life = lives.quantile(share).map(|life| life.as_secs_f64());
        let Some(x) = life.and_then(|life| shape.column(life)) else { continue };
        (0..raster.height()).step_by(2).for_each(|y| raster.point(x, y, ink));
        let cell = cell_of(x, raster.dots_across()).max(free);
        let mut pen = Pen::new(buffer, above, 0);
        pen.skip(cell.min(above.width.saturating_sub(3)));
        pen.put(name, theme.strong());
        free = cell + 4;
    }
}

/// Round times below their places, as many as have room.
fn times(buffer: &mut Buffer, (axes, shape): (&Axes, &Shape), across: u8, theme: &Theme) {
    let line = Rect { y: axes.plot.bottom(), height: 1, ..axes.plot };
    let mut free = 0;
    for seconds in TIMES_S {
        let label = theme.duration(&round_time(seconds));
        let Some(at) = shape.column(seconds).map(|x| cell_of(x, across)).filter(|at| *at >= free) else {
            continue;
        };
        let mut pen = Pen::new(buffer, line, 0);
        pen.skip(at);
        pen.put(&label, theme.dim());
        free = at + u16::try_from(width(&label)).unwrap_or(u16::MAX) + 2;
    }
}

/// The cell that a column of dots is in.
fn cell_of(column: usize, across: u8) -> u16 {
    u16::try_from(column / usize::from(across)).unwrap_or(u16::MAX)
}
