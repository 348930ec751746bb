//! Closes per second over the last minute and more.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Context, MINUTE};
use crate::{
    field::format,
    model::TcpState,
    ui::{
        chart::{Axes, Raster, Span, round_top},
        pen::{self, Columns, Pen},
    },
};

/// Lines of figures above the curve.
const FIGURES: u16 = 3;

pub(super) fn draw(buffer: &mut Buffer, context: &Context<'_>) {
    let theme = context.theme();
    let rates = &context.data.moment.rates;
    let target = if context.area.width >= 36 { " into TIME_WAIT" } else { "" };
    let mut facts: Vec<_> = rates
        .time_wait
        .map(|rate| (format!("{}{target}", format::rate(rate)), theme.text()))
        .into_iter()
        .collect();
    if context.data.is_filtered() {
        facts.push(("unfiltered".to_owned(), theme.warning()));
    }
    let inner = context.frame(buffer, "Closes", &facts);
    let lines = if inner.height >= 8 { FIGURES } else { 0 };
    let area = Rect { y: inner.y + lines, height: inner.height.saturating_sub(lines), ..inner };
    let has_bound = chart(buffer, context, area);
    if lines > 0 {
        figures(buffer, context, inner, has_bound);
    }
}

/// The rate of a counter.
fn rate_of(context: &Context<'_>, name: &str) -> Option<f64> {
    let moment = context.data.moment;
    let index = moment.sample.counters.iter().position(|(counter, _)| &**counter == name)?;
    moment.counter_rates.get(index).copied().flatten()
}

/// Attempts to connect that failed. The kernel counts those that were refused or not answered; of those that found no port
/// only the trace tells.
fn failed(context: &Context<'_>) -> (&'static str, Option<f64>) {
    let counted = rate_of(context, "TcpAttemptFails");
    match context.data.moment.rates.connect_failures {
        Some(no_port) => ("failed", counted.map(|counted| counted + no_port)),
        None => ("refused", counted),
    }
}

/// Whether connections within the host end: then both of their ends are ours.
fn both_ends(context: &Context<'_>) -> bool {
    context.data.moment.totals.peers.iter().any(|row| row.key.ip.is_loopback() && row.closed > 0)
}

/// The exact rates, two lines and one for what must be said of them.
fn figures(buffer: &mut Buffer, context: &Context<'_>, inner: Rect, has_bound: bool) {
    let theme = context.theme();
    let rates = &context.data.moment.rates;
    let half = usize::from(inner.width / 2);
    let lines = [
        [("opened", rates.opened), ("accepted", rates.accepted)],
        [("ended", rates.closed), failed(context)],
    ];
    for (line, pair) in (0..).zip(lines) {
        let mut pen = Pen::new(buffer, inner, line);
        for (label, rate) in pair {
            let figure = rate.map_or_else(|| theme.glyphs.none.to_owned(), format::rate);
            let used = label.len() + 1 + figure.len();
            pen.put(label, theme.head());
            pen.put(&format!(" {figure}"), if rate.is_some() { theme.strong() } else { theme.dim() });
            pen.skip(u16::try_from(half.saturating_sub(used)).unwrap_or(0));
        }
    }
    let no_port = rates.connect_failures.filter(|rate| *rate > 0.0);
    let notes = [
        no_port.map(|rate| (format!("{} found no port", format::rate(rate)), theme.warning())),
        has_bound.then(|| ("grey: at least".to_owned(), theme.dim())),
        both_ends(context).then(|| ("on loopback both ends count".to_owned(), theme.dim())),
    ];
    // Part of a note is none.
    let mut pen = Pen::new(buffer, inner, 2);
    let mut lead = "";
    for (note, style) in notes.into_iter().flatten() {
        if pen.put(&format!("{lead}{note}"), style) {
            lead = "; ";
        }
    }
}

/// The curve, with its scale and times. Whether some of it is a lower bound.
fn chart(buffer: &mut Buffer, context: &Context<'_>, area: Rect) -> bool {
    let theme = context.theme();
    let series = context.data.history.closes();
    let axes = Axes::of(area);
    let mut raster = Raster::new(axes.plot, theme);
    let span = Span::fixed(MINUTE, raster.width());
    let shown = context.spanned(span, series, context.data.behind());
    let top = round_top(pen::top(&shown.values).into(), 4.0);
    let exact = shown.values.len() - span.columns_of(estimated(context, &shown), &shown);
    // What survived of the time before the first sample is a lower bound: it is drawn as one.
    let inks = [theme.state(TcpState::TimeWait), theme.head(), theme.dim()].map(|style| raster.colour(style));
    for (back, value) in shown.values.iter().rev().enumerate() {
        let (Some(x), Some(value)) = (raster.width().checked_sub(back + 1), value) else { continue };
        let ink = match value {
            value if *value <= 0.0 => inks[2],
            _ if back < exact => inks[0],
            _ => inks[1],
        };
        raster.fill(x, 0, raster.dots_of(f64::from(*value) / top).max(1), ink);
    }
    axes.scale(buffer, &axes.figures(top), theme);
    raster.draw(buffer);
    let mark = context.marked().and_then(|behind| span.back(&shown, behind));
    context.times(buffer, &axes, (span, &raster), (shown.cursor, mark));
    exact < shown.values.len()
}

/// How many of the samples in sight, the oldest of them, are surviving closes.
fn estimated(context: &Context<'_>, shown: &Columns) -> usize {
    let history = context.data.history;
    let total = history.closes().len().saturating_sub(shown.behind);
    history.closes_estimated().saturating_sub(total.saturating_sub(shown.samples))
}
