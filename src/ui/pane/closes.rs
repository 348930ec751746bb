//! Closes per second over the last minute and more.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Context, clock};
use crate::{
    field::format,
    model::TcpState,
    ui::{
        pen::{Columns, Pen, spark, time_cursor, top},
        text,
    },
};

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
    let figures = if inner.height >= 8 { figures(buffer, context, inner) } else { 0 };
    let axis = u16::from(inner.height >= 2);
    let area = Rect { y: inner.y + figures, height: inner.height.saturating_sub(figures + axis), ..inner };
    chart(buffer, context, area);
    if axis > 0 {
        labels(buffer, context, inner);
    }
}

/// The rate of a counter.
fn rate_of(context: &Context<'_>, name: &str) -> Option<f64> {
    let moment = context.data.moment;
    let index = moment.sample.counters.iter().position(|(counter, _)| &**counter == name)?;
    moment.counter_rates.get(index).copied().flatten()
}

/// Whether connections within the host end: then both of their ends are ours.
fn both_ends(context: &Context<'_>) -> bool {
    context.data.moment.totals.peers.iter().any(|row| row.key.ip.is_loopback() && row.closed > 0)
}

/// The exact rates, two lines and one for what must be said of them.
fn figures(buffer: &mut Buffer, context: &Context<'_>, inner: Rect) -> u16 {
    let theme = context.theme();
    let rates = &context.data.moment.rates;
    let half = usize::from(inner.width / 2);
    let lines = [
        [("opened", rates.opened), ("accepted", rates.accepted)],
        [("ended", rates.closed), ("failed", rate_of(context, "TcpAttemptFails"))],
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
    if both_ends(context) {
        Pen::new(buffer, inner, 2).put_cut("on loopback both ends count", theme.dim(), theme);
    }
    3
}

fn chart(buffer: &mut Buffer, context: &Context<'_>, area: Rect) {
    let theme = context.theme();
    let columns = context.columns(context.data.history.closes(), area.width, context.data.behind());
    let exact = columns.values.len() - estimated(context, &columns);
    // What survived of the time before the first sample is a lower bound: it is drawn as one.
    let style = |back: usize| if back < exact { theme.state(TcpState::TimeWait) } else { theme.head() };
    spark(buffer, area, &columns.values, top(&columns.values), style, theme);
    if let Some(back) = columns.cursor {
        time_cursor(buffer, area, back, theme);
    }
}

/// How many of the columns, the oldest of them, are surviving closes.
fn estimated(context: &Context<'_>, columns: &Columns) -> usize {
    let history = context.data.history;
    let total = history.closes().len().saturating_sub(columns.behind);
    let samples = history.closes_estimated().saturating_sub(total.saturating_sub(columns.samples));
    samples.div_ceil(columns.each).min(columns.values.len())
}

/// Below the chart: how far back it goes, what its height means, what of it is a lower bound; and which moment is held.
fn labels(buffer: &mut Buffer, context: &Context<'_>, inner: Rect) {
    let theme = context.theme();
    let columns = context.columns(context.data.history.closes(), inner.width, context.data.behind());
    let seconds = context.data.moment.sample.cost.interval.as_secs_f64();
    let span = u32::try_from(columns.samples).map_or(0.0, f64::from) * seconds;
    // A held moment may lie anywhere in the span.
    let held = context.scene.view.is_held();
    let back = if held { "" } else { "-" };
    let mut parts = vec![format!("{back}{}", format::seconds(span))];
    let estimated = estimated(context, &columns);
    if estimated > 0 {
        parts.push("grey: at least".to_owned());
    }
    parts.push(format!("top {}", format::rate(top(&columns.values).into())));
    // Which moment is held says more than what else there is to say.
    let right = held.then(|| format!(" at {}", clock(context.data.moment.sample.stamp)));
    let room = usize::from(inner.width).saturating_sub(right.as_ref().map_or(0, String::len));
    let mut left = String::new();
    for part in parts {
        let lead = if left.is_empty() { "" } else { ", " };
        if left.len() + lead.len() + part.len() <= room {
            left.push_str(lead);
            left.push_str(&part);
        }
    }
    let mut pen = Pen::new(buffer, inner, inner.height - 1);
    pen.put(&left, theme.dim());
    let right = right.unwrap_or_else(|| " now".to_owned());
    let gap = usize::from(pen.room()).checked_sub(text::width(&right));
    if let Some(gap) = gap {
        pen.skip(u16::try_from(gap).unwrap_or(0));
        pen.put(&right, if held { theme.key() } else { theme.dim() });
    }
}
