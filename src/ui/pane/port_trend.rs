//! The ports of one destination over time, and the forecast as a dotted line beyond now.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{Context, ports};
use crate::{
    field::{self, format},
    model::Endpoint,
    store::{DestinationRow, Forecast},
    ui::{
        Theme,
        chart::{Axes, Raster, Span},
        pen::{Pen, time_cursor, time_mark},
        table::endpoint,
        text,
        view::{Pane, Screen},
    },
};

/// Of the width this part is the future: a third.
const FUTURE: u16 = 3;
/// From this share on `connect()` searches half of the range in vain, unless the sockets tell otherwise.
const CLIFF: f64 = 0.5;
/// Of so many columns of dots the forecast has one: what is dotted is not measured.
const DOTTED: usize = 3;

/// What the title begins with.
const TITLE: &str = "Ports to ";

pub(super) fn draw(buffer: &mut Buffer, context: &Context<'_>) {
    let theme = context.theme();
    let Some(row) = subject(context) else {
        let inner = context.frame(buffer, "Ports over time", &[]);
        Pen::new(buffer, inner, 0).put_cut(ports::nothing(context), theme.dim(), theme);
        return;
    };
    let facts = facts(context, row);
    // All the figures rather than the words before the name.
    let told: usize = facts.iter().map(|(text, _)| text::width(text) + 3).sum();
    let room = usize::from(context.area.width).saturating_sub(6);
    let name = row.peer.to_string();
    let title = if TITLE.len() + text::width(&name) + told <= room {
        format!("{TITLE}{name}")
    } else {
        // The figures of nobody say nothing: they go before all of the name does.
        let beside = endpoint(row.peer, room.saturating_sub(told), theme.glyphs.ellipsis);
        if beside.is_empty() { endpoint(row.peer, room, theme.glyphs.ellipsis) } else { beside }
    };
    let inner = context.frame(buffer, &title, &facts);
    let axes = Axes::of(inner);
    let mut raster = Raster::new(axes.plot, theme);
    let future = axes.plot.width / FUTURE;
    let past = axes.plot.width - future;
    let now = usize::from(past) * raster.width() / usize::from(axes.plot.width).max(1);
    let known = context.data.history.ports(row.source, row.peer);
    // A held moment is where what was known ends and what was foretold begins.
    let behind = context.data.behind();
    let span = Span::of(known.map_or(0, |trend| trend.gone.len().saturating_sub(behind)), now);
    let per_cell = context.seconds_a_cell(span, &raster);
    let mut mark = None;
    if let Some(trend) = known {
        let shown = span.values(&trend.percent(), behind, context.number(behind));
        curve(&mut raster, theme, now, &shown.values);
        mark = context.marked().and_then(|behind| span.back(&shown, behind));
    }
    let per_column = per_cell / f64::from(raster.dots_across());
    foretold(&mut raster, theme, row, (now, per_column));
    guides(&mut raster, buffer, &axes, theme);
    raster.draw(buffer);
    axes.scale(buffer, &[(1.0, "100%".into()), (CLIFF, "50%".into()), (0.0, "0%".into())], theme);
    let past_area = Rect { width: past, ..axes.plot };
    if let Some(dots) = mark {
        time_mark(buffer, past_area, dots / u16::from(raster.dots_across()), theme);
    }
    if context.scene.view.is_held() {
        time_cursor(buffer, past_area, 0, theme);
    }
    axes.times(buffer, (past, &context.moment_name()), per_cell, theme);
}

/// The destination: that of the selected row where there is a table of them, else the worst.
fn subject<'a>(context: &Context<'a>) -> Option<&'a DestinationRow> {
    let data = context.data;
    let page = context.scene.view.page();
    match page.screen {
        Screen::Ports => {
            let rows = &data.selection.aggregate.destinations;
            rows.get(page.table(Pane::Destinations).index).or(rows.first())
        }
        Screen::Peer(key) => {
            let peer = Endpoint::new(key.ip, key.port);
            let rows = data.moment.totals.destinations.iter().filter(|row| row.peer == peer);
            rows.min_by_key(|row| row.ports.map_or(u32::MAX, |ports| ports.left.max))
        }
        _ => ports::worst(context).map(|(row, _)| row),
    }
}

/// How much is gone, and what becomes of it.
fn facts(context: &Context<'_>, row: &DestinationRow) -> Vec<(String, Style)> {
    let theme = context.theme();
    let percent = row.ports.and_then(|ports| ports.percent());
    let gone = percent.map(|percent| (format::percent(percent), theme.gauge(percent / 100.0)));
    let is_full = matches!(row.forecast, Some(Forecast::Full { .. }));
    let style = if is_full { theme.gauge(1.0) } else { theme.text() };
    let forecast = field::ports::forecast(row).map(|forecast| (forecast, style));
    gone.into_iter().chain(forecast).collect()
}

/// What was, in the colour of the gauge at that height.
fn curve(raster: &mut Raster<'_>, theme: &Theme, now: usize, values: &[Option<f32>]) {
    for (back, value) in values.iter().rev().enumerate() {
        let (Some(x), Some(percent)) = (now.checked_sub(back + 1), value) else { continue };
        let share = f64::from(*percent) / 100.0;
        let ink = raster.colour(theme.gauge(share));
        // Known to be nothing is not unknown: it has a line of its own.
        raster.fill(x, 0, raster.dots_of(share).max(1), ink);
    }
}

/// What will be if all goes on as it does: a dotted line from now on.
fn foretold(raster: &mut Raster<'_>, theme: &Theme, row: &DestinationRow, (now, per_column): (usize, f64)) {
    let (Some(forecast), Some(ports)) = (row.forecast, row.ports) else { return };
    let Some(level) = ports.percent() else { return };
    let (target, in_s) = match forecast {
        Forecast::Full { in_s } => (100.0, in_s),
        Forecast::Settles { .. } => (field::ports::settles_percent(row).unwrap_or(level), ports.holds_s),
    };
    let mut seconds = per_column;
    for column in 0..raster.width().saturating_sub(now) {
        if column.is_multiple_of(DOTTED) {
            let part = if in_s > 0.0 { (seconds / in_s).min(1.0) } else { 1.0 };
            let share = (level + (target - level) * part) / 100.0;
            let ink = raster.colour(theme.gauge(share));
            raster.point(now + column, raster.dots_of(share).saturating_sub(1), ink);
        }
        seconds += per_column;
    }
}

/// The heights that mean something, dotted, with their meaning at the left end where nothing else is.
fn guides(raster: &mut Raster<'_>, buffer: &mut Buffer, axes: &Axes, theme: &Theme) {
    let ink = raster.colour(theme.dim());
    let is_roomy = axes.plot.height >= 5;
    for (share, words) in [(1.0, "no port left"), (CLIFF, "connect() slows")] {
        let y = raster.dots_of(share).saturating_sub(1);
        let line = raster.line_of(y);
        let room = u16::try_from(words.len() + 1).unwrap_or(u16::MAX);
        let noted = is_roomy && room < axes.plot.width && raster.is_free(room, line);
        let from = if noted { usize::from(room) * raster.width() / usize::from(axes.plot.width) } else { 0 };
        (from..raster.width()).step_by(2 * DOTTED).for_each(|x| raster.point(x, y, ink));
        if noted {
            let area = Rect { y: axes.plot.y + line, height: 1, ..axes.plot };
            Pen::new(buffer, area, 0).put(words, theme.dim());
        }
    }
}
