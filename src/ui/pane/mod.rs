//! The parts of a page, each drawn by a file of its own.

mod closes;
pub(super) mod explained;
mod facts;
pub(super) mod failures;
mod findings;
mod kernel;
mod lives;
mod port_trend;
mod ports;
mod states;
pub(super) mod story;
mod tables;
mod trend;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    Theme,
    chart::{Axes, Raster, Span},
    layout::{Chrome, Slot},
    mark,
    pen::{self, Columns, Pen},
    recent,
    scene::{Data, Scene},
    view::{Pane, Screen, Table, View},
};
use crate::{
    field::format,
    model::Stamp,
    query::Sort,
    store::{Activity, Series},
};

/// The samples that curves show at least.
const MINUTE: u16 = 60;

/// What a pane is drawn from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    scene: &'a Scene<'a>,
    data: Data<'a>,
    pane: Pane,
    area: Rect,
    chrome: Chrome,
    /// Of the whole screen.
    width: u16,
}

/// Draws one pane.
pub(super) fn draw(buffer: &mut Buffer, scene: &Scene<'_>, data: Data<'_>, slot: &Slot) {
    let width = buffer.area.width;
    let Slot { pane, area, chrome } = *slot;
    let context = Context { scene, data, pane, area, chrome, width };
    match slot.pane {
        Pane::States => states::draw(buffer, &context),
        Pane::Destinations => ports::draw(buffer, &context),
        Pane::Closes => closes::draw(buffer, &context),
        Pane::Trend => trend::draw(buffer, &context),
        Pane::PortTrend => port_trend::draw(buffer, &context),
        Pane::Lives => lives::draw(buffer, &context),
        Pane::Processes => tables::processes(buffer, &context),
        Pane::Peers => tables::peers(buffer, &context),
        Pane::Sockets => tables::sockets(buffer, &context),
        Pane::Counters => kernel::counters(buffer, &context),
        Pane::Settings => kernel::settings(buffer, &context),
        Pane::Limits => kernel::limits(buffer, &context),
        Pane::Failures => failures::draw(buffer, &context),
        Pane::Facts => facts::draw(buffer, &context),
        Pane::Findings => findings::draw(buffer, &context),
        Pane::Story => story::draw(buffer, &context),
        Pane::Explained => explained::draw(buffer, &context),
    }
}

/// How many lines the text in `pane` has on the page on screen.
pub(super) fn lines_of(pane: Pane, view: &View, data: &Data<'_>) -> usize {
    match pane {
        Pane::Explained => explained::lines(view, data),
        _ => story::lines(view, data),
    }
}

/// How many cells text has that fills the page on screen.
fn text_width(view: &View) -> usize {
    // The chrome depends on the height alone, as in the layout.
    let chrome = if view.size.1 >= 32 { Chrome::Frame } else { Chrome::Rule };
    usize::from(chrome.inner(Rect::new(0, 0, view.size.0, view.size.1)).width)
}

/// How something went over time.
#[derive(Debug, Clone, Copy)]
struct Went<'a> {
    activity: &'a Activity,
    /// How many samples newer than the shown one that goes on.
    behind: usize,
    /// The same of the marked one, if it is there.
    marked: Option<usize>,
}

impl<'a> Context<'a> {
    fn theme(&self) -> &'a Theme {
        self.scene.theme
    }

    fn focused(&self) -> bool {
        self.scene.view.page().focus == self.pane
    }

    fn table(&self) -> &'a Table {
        self.scene.view.page().table(self.pane)
    }

    /// Where a scrollbar stands that takes no room.
    fn track(&self) -> Option<u16> {
        let Self { pane, area, chrome, .. } = *self;
        Slot { pane, area, chrome }.track(self.width)
    }

    /// The last minute of a series, or more where there is room, as it was `behind` samples ago. While a moment is
    /// held also what came after it, and where it lies.
    fn columns(&self, series: &Series, cells: u16, behind: usize) -> Columns {
        if self.scene.view.is_held() {
            return pen::held_columns(series, cells, MINUTE, behind, self.number(0));
        }
        pen::columns(series, cells, MINUTE, behind, self.number(behind))
    }

    /// As [`Self::columns`], of the span of a chart; where a held moment lies is counted in columns of dots.
    fn spanned(&self, span: Span, series: &Series, behind: usize) -> Columns {
        if self.scene.view.is_held() {
            return span.held_values(series, behind, self.number(0));
        }
        span.values(series, behind, self.number(behind))
    }

    /// How many of the `len` values of a series a chart has to show.
    fn known(&self, len: usize, behind: usize) -> usize {
        if self.scene.view.is_held() { len } else { len.saturating_sub(behind) }
    }

    /// The number of the sample that is `behind` samples older than the newest of the series.
    fn number(&self, behind: usize) -> u64 {
        let newest = self.data.history.pushed().saturating_sub(1);
        newest.saturating_sub(u64::try_from(behind).unwrap_or(u64::MAX))
    }

    /// What the moment shown is called below a chart.
    fn moment_name(&self) -> String {
        if self.scene.view.is_held() { clock(self.data.moment.sample.stamp) } else { "now".to_owned() }
    }

    /// Writes the times below a chart; where a moment is held, from there on. Draws a line at it and at the mark: they lie so
    /// many columns of dots from the right.
    fn times(
        &self,
        buffer: &mut Buffer,
        axes: &Axes,
        (span, raster): (Span, &Raster<'_>),
        (cursor, mark): (Option<u16>, Option<u16>),
    ) {
        let cells = |dots: u16| dots / u16::from(raster.dots_across());
        if let Some(back) = mark.map(cells) {
            pen::time_mark(buffer, axes.plot, back, self.theme());
        }
        let back = cursor.map(cells);
        if let Some(back) = back {
            pen::time_cursor(buffer, axes.plot, back, self.theme());
        }
        let at = axes.plot.width.saturating_sub(back.unwrap_or(0));
        let per_cell = self.seconds_a_cell(span, raster);
        axes.times(buffer, (at, &self.moment_name()), per_cell, self.theme());
    }

    /// With a mark: since when what changed is told, or why that cannot be told; and whether only that is shown.
    fn since(&self) -> Vec<(String, Style)> {
        let Some(baseline) = self.data.selection.baseline.as_deref() else { return vec![] };
        let theme = self.theme();
        let mut facts = vec![];
        if self.only_changed() {
            facts.push(("changed only".to_owned(), theme.key()));
        }
        let of_kernel = self.scene.view.is_of_kernel() || self.pane == Pane::Findings;
        facts.push(if of_kernel || baseline.compares() {
            (mark::title(&self.data.moment.sample.stamp, baseline.stamp()), theme.key())
        } else {
            ("mark: totals only".to_owned(), theme.warning())
        });
        facts
    }

    /// Whether only what changed since the mark is shown.
    fn only_changed(&self) -> bool {
        self.scene.view.mark.as_ref().is_some_and(|mark| mark.only_changed)
    }

    /// Whether the moment shown has no sockets any more, and the page is about some of them only.
    fn lacks_sockets(&self) -> bool {
        let about_some = self.scene.view.page().screen.is_closer() || self.pane == Pane::Sockets;
        about_some && !self.data.moment.is_whole()
    }

    /// Why there are no sockets.
    fn without_sockets(&self) -> String {
        let now = self.data.moment.sample.stamp.since_boot;
        match self.scene.past.sockets_since() {
            // Those that are kept are beyond this moment, but for one that was held for long.
            Some(since) if since.since_boot > now => {
                format!("Sockets are kept since {}; before that, totals only.", clock(since))
            }
            _ => "The sockets of this moment are not kept, totals only.".to_owned(),
        }
    }

    /// Seconds from one sample to the next, on average over the last minute of those shown.
    fn seconds_a_sample(&self) -> f64 {
        let mut stamps = self.data.history.stamps().rev().skip(self.data.behind());
        let interval = self.data.moment.sample.cost.interval.as_secs_f64();
        let Some(newest) = stamps.next() else { return interval };
        let (steps, oldest) = (1_u32..).zip(stamps.take(MINUTE.into())).last().unwrap_or((1, newest));
        let mean = newest.seconds_since(oldest) / f64::from(steps);
        if mean > 0.0 { mean } else { interval }
    }

    /// Seconds that a cell of a chart stands for.
    fn seconds_a_cell(&self, span: Span, raster: &Raster<'_>) -> f64 {
        span.per_column() * f64::from(raster.dots_across()) * self.seconds_a_sample()
    }

    fn sort(&self) -> Option<Sort> {
        self.table().sort
    }

    /// How what the page is about went over time. Of a filter, and of what was not followed, the past begins when it was
    /// first shown.
    fn activity(&self) -> Option<Went<'a>> {
        self.followed().or_else(|| self.noted())
    }

    /// The same, as far as the history followed it.
    fn followed(&self) -> Option<Went<'a>> {
        let activity = match self.scene.view.page().screen.subject() {
            _ if self.data.is_filtered() => return None,
            Screen::Process(key) => self.data.history.process(key)?,
            Screen::Peer(key) => self.data.history.peer(&key)?,
            Screen::Socket(_) => return None,
            _ => self.data.history.totals(),
        };
        Some(Went { activity, behind: self.data.behind(), marked: self.marked() })
    }

    /// As [`Self::activity`], what was noted since the page was entered or the filter set. Nothing is noted while a
    /// moment is held, and what a filter kept says nothing of a moment that it cannot be applied to.
    fn noted(&self) -> Option<Went<'a>> {
        let view = self.scene.view;
        let applies = self.data.moment.is_whole() || view.filter.query.is_all();
        let (activity, behind) =
            recent::activity(view, &self.data.moment.sample.stamp).filter(|_| applies)?;
        let marked = view.mark.as_ref().and_then(|mark| recent::behind(view, &mark.stamp()));
        Some(Went { activity, behind, marked })
    }

    /// How many samples newer than the marked one the history holds; nothing without a mark, or if it is older than that.
    fn marked(&self) -> Option<usize> {
        let mark = self.scene.view.mark.as_ref()?.stamp();
        self.data.history.stamps().rev().position(|stamp| *stamp == mark)
    }

    /// How wide one more fact may be beside `title` and `facts`.
    fn room(&self, title: &str, facts: &[(String, Style)]) -> usize {
        let mark = self.theme().glyphs.focus;
        let mark = if self.focused() && !mark.is_empty() { super::text::width(mark) + 1 } else { 0 };
        let told: usize = facts.iter().map(|(text, _)| super::text::width(text) + 3).sum();
        let used = 2 + 1 + 1 + mark + super::text::width(title) + 1 + told;
        usize::from(self.area.width).saturating_sub(used + 3)
    }

    /// Draws the frame or the line with the title, and gives what is left.
    fn frame(&self, buffer: &mut Buffer, title: &str, facts: &[(String, Style)]) -> Rect {
        let area = self.area;
        let theme = self.theme();
        let line = theme.frame(self.focused());
        let glyphs = theme.glyphs;
        match self.chrome {
            Chrome::Bare => return area,
            Chrome::Rule => rule(buffer, area, area.y, (glyphs.line, glyphs.line, glyphs.line), line),
            Chrome::Frame => {
                let [top_left, top_right, bottom_left, bottom_right] = glyphs.corners;
                rule(buffer, area, area.y, (top_left, glyphs.line, top_right), line);
                rule(
                    buffer,
                    area,
                    area.bottom().saturating_sub(1),
                    (bottom_left, glyphs.line, bottom_right),
                    line,
                );
                for y in area.y + 1..area.bottom().saturating_sub(1) {
                    buffer.set_string(area.x, y, glyphs.side, line);
                    buffer.set_string(area.right() - 1, y, glyphs.side, line);
                }
            }
        }
        let mut pen = Pen::new(buffer, Rect { width: area.width.saturating_sub(2), ..area }, 0);
        pen.skip(1);
        let mark = if self.focused() { glyphs.focus } else { "" };
        pen.put(" ", line);
        if !mark.is_empty() {
            pen.put(&format!("{mark} "), line);
        }
        pen.put_cut(title, theme.strong(), theme);
        pen.put(" ", line);
        for (text, style) in facts {
            if usize::from(pen.room()) < super::text::width(text) + 3 {
                break;
            }
            pen.put(&format!("{} ", glyphs.dot), theme.dim());
            pen.put(text, *style);
            pen.put(" ", line);
        }
        self.chrome.inner(area)
    }
}

/// The time of day, UTC as in the header.
fn clock(stamp: Stamp) -> String {
    format::time(stamp.wall).get(11..19).unwrap_or_default().to_owned()
}

fn rule(buffer: &mut Buffer, area: Rect, y: u16, (left, middle, right): (&str, &str, &str), style: Style) {
    for x in area.x..area.right() {
        let glyph = match x {
            x if x == area.x => left,
            x if x + 1 == area.right() => right,
            _ => middle,
        };
        buffer.set_string(x, y, glyph, style);
    }
}
