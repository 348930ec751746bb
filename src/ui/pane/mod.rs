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
    chart::{Raster, Span},
    layout::{Chrome, Slot},
    pen::{self, Columns, Pen},
    recent,
    scene::{Data, Scene},
    view::{Pane, Screen, Table, View},
};
use crate::{
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

    /// The last minute of a series, or more where there is room, as it was `behind` samples ago.
    fn columns(&self, series: &Series, cells: u16, behind: usize) -> Columns {
        pen::columns(series, cells, MINUTE, behind, self.data.moment.sample.number)
    }

    /// Seconds from one sample to the next, on average over the last minute of those shown.
    fn seconds_a_sample(&self) -> f64 {
        let mut stamps = self.scene.history.stamps().rev().skip(self.scene.behind());
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

    /// How what the page is about went over time, and how many samples newer than the shown one that goes on. Of a
    /// filter, and of what was not followed, the past begins when it was first shown.
    fn activity(&self) -> Option<(&'a Activity, usize)> {
        let followed = match self.scene.view.page().screen.subject() {
            _ if !self.scene.view.filter.query.is_all() => None,
            Screen::Process(key) => self.scene.history.process(key),
            Screen::Peer(key) => self.scene.history.peer(&key),
            Screen::Socket(_) => None,
            _ => Some(self.scene.history.totals()),
        };
        followed.map(|activity| (activity, self.scene.behind())).or_else(|| self.noted())
    }

    /// As [`Self::activity`], what was noted since the page was entered or the filter set. It stands still while
    /// the picture is held.
    fn noted(&self) -> Option<(&'a Activity, usize)> {
        recent::activity(self.scene.view).map(|activity| (activity, 0))
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
