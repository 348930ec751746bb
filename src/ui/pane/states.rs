//! The histogram of states: every state in its own fixed line.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{Context, Went};
use crate::{
    field::format,
    model::TcpState,
    ui::{
        Theme,
        pen::{Columns, Pen, bar_alone, spark, time_cursor, time_mark, top},
        text::pad,
        update::window,
        words,
    },
};

/// What changes by less, in sockets per second, comes and goes as ever: two sockets more on average, and one half of a
/// hundredth of what there is, more than is left of the rounds in which the kernel takes `TIME_WAIT`s away.
const NOISE: f64 = 0.3;
const NOISE_SHARE: f64 = 0.005;
/// A curve that varies by no more, in sockets or by that share of its highest, stands still.
const STILL: f32 = 2.0;
const STILL_SHARE: f32 = 0.05;
/// A curve is drawn against so many sockets at least: a few do not make a peak.
const LEAST_TOP: f32 = 5.0;
/// The widths of name, count, share and change.
const NAME: usize = 14;
const COUNT: usize = 7;
const SHARE: usize = 5;
const CHANGE: usize = 7;

pub(super) fn draw(buffer: &mut Buffer, context: &Context<'_>) {
    let theme = context.theme();
    let mut told = facts(context);
    told.extend(context.since());
    let inner = context.frame(buffer, "States", &told);
    let table = context.table();
    let height = usize::from(inner.height);
    let first = window(table.offset, table.index, height, TcpState::ALL.len());
    for (line, state) in TcpState::ALL.into_iter().skip(first).take(height).enumerate() {
        let line = u16::try_from(line).unwrap_or(0);
        row(buffer, context, inner, line, state);
    }
    let selected = table.index.checked_sub(first).and_then(|line| u16::try_from(line).ok());
    if let Some(line) = selected.filter(|line| context.focused() && table.present && *line < inner.height) {
        // The curve keeps its colours: reversed blocks would turn it upside down.
        let width = inner.width.min(u16::try_from(NAME + COUNT + SHARE + 3).unwrap_or(0));
        theme.select(buffer, Rect { y: inner.y + line, height: 1, width, ..inner });
    }
}

/// What the title tells: how many sockets there are.
pub(super) fn facts(context: &Context<'_>) -> Vec<(String, Style)> {
    let theme = context.theme();
    let (all, maybe) = counts(context);
    let mut facts = vec![(words::sockets(all.saturating_sub(maybe)), theme.text())];
    if maybe > 0 {
        facts.push((format!("+{} maybe", format::grouped(maybe.into())), theme.warning()));
    }
    facts
}

/// All sockets, and those of them that may be another process's.
fn counts(context: &Context<'_>) -> (u32, u32) {
    let selection = context.data.selection;
    (selection.aggregate.states.total(), selection.maybe.states.total())
}

fn row(buffer: &mut Buffer, context: &Context<'_>, inner: Rect, line: u16, state: TcpState) {
    let theme = context.theme();
    let selection = context.data.selection;
    let maybe = selection.maybe.states[state];
    let count = selection.aggregate.states[state].saturating_sub(maybe);
    let (all, other) = counts(context);
    let total = all.saturating_sub(other);
    let colour = if count + maybe == 0 { theme.dim() } else { theme.state(state) };
    let share = if total == 0 { 0.0 } else { f64::from(count) / f64::from(total) };
    // What may be another's is part of what was noted here, and of no process's history.
    let activity = if maybe > 0 { context.noted() } else { context.activity() };
    let mut pen = Pen::new(buffer, inner, line);
    pen.put(&pad(state.name(), NAME, false), colour);
    let since = selection.baseline.as_deref().map(|baseline| baseline.state(selection, state));
    let still = context.only_changed() && since == Some(Some(0));
    let colour = if still { theme.dim() } else { colour };
    let style = if count == 0 || still { theme.dim() } else { theme.strong() };
    pen.put(&pad(&figure(count), COUNT, true), style);
    let percent = if count == 0 { String::new() } else { format::percent(share * 100.0) };
    pen.put(&pad(&percent, SHARE + 1, true), theme.text());
    if let Some(by) = since {
        let (text, style) = difference(by, theme);
        pen.put(&pad(&text, CHANGE + 1, true), style);
    } else if maybe > 0 {
        pen.put(&pad(&format!("+{}?", figure(maybe)), CHANGE + 1, true), theme.warning());
    } else {
        let change = activity.and_then(|went| change(went, state));
        pen.put(&pad(&change.unwrap_or_default(), CHANGE + 1, true), theme.head());
    }
    pen.skip(1);
    let room = pen.room();
    let bar_width = match activity {
        Some(_) if room < 22 => 0,
        Some(_) => room * 2 / 5,
        None => room,
    };
    if bar_width > 0 {
        let area = pen.take(bar_width);
        if count > 0 {
            // Without the rest of it: one line below the other, the rests alone would be the loudest.
            bar_alone(pen.buffer(), area, share, colour, theme);
        }
        pen.skip(1);
    }
    let area = pen.take(room);
    if let Some(activity) = activity.filter(|_| area.width > 0) {
        curve(pen.buffer(), context, area, activity, state);
    }
}

/// How many more there are than at the mark: all digits while they fit.
fn difference(by: Option<i64>, theme: &Theme) -> (String, Style) {
    let Some(by) = by else { return (theme.glyphs.none.to_owned(), theme.dim()) };
    let exact = format::signed(by, format::grouped);
    let text = if exact.len() <= CHANGE { exact } else { format::signed(by, format::count) };
    (text, if by == 0 { theme.dim() } else { theme.strong() })
}

/// A state's count, with what may be another's apart, and its change: for the legend of a chart.
pub(super) fn in_figures(context: &Context<'_>, state: TcpState) -> (String, String) {
    let selection = context.data.selection;
    let maybe = selection.maybe.states[state];
    let count = figure(selection.aggregate.states[state].saturating_sub(maybe));
    let doubt = (maybe > 0).then(|| format!("+{}?", figure(maybe)));
    let activity = context.activity();
    let change = doubt.or_else(|| activity.and_then(|went| change(went, state)));
    (count, change.unwrap_or_default())
}

/// All digits while they fit.
fn figure(count: u32) -> String {
    let exact = format::grouped(count.into());
    if exact.len() <= COUNT { exact } else { format::count(count.into()) }
}

/// `+12.5/s`, as it was `behind` samples ago; nothing while it is no more than noise.
fn change(Went { activity, behind, .. }: Went<'_>, state: TcpState) -> Option<String> {
    let change = activity.recent_change(state, behind).map(f64::from)?;
    let count = activity.state(state).and_then(|series| series.back(behind)).map_or(0.0, f64::from);
    if change.abs() < NOISE.max(count * NOISE_SHARE) {
        return None;
    }
    let sign = if change > 0.0 { '+' } else { '-' };
    Some(format!("{sign}{}", format::rate(change.abs())))
}

fn curve(
    buffer: &mut Buffer,
    context: &Context<'_>,
    area: Rect,
    Went { activity, behind, marked }: Went<'_>,
    state: TcpState,
) {
    let theme = context.theme();
    // All series of an activity have the same columns, so the cursor stands in one place in all lines.
    let series = activity.state(state);
    let columns = context.columns(series.unwrap_or(&activity.opened), area.width, behind);
    let mark = marked
        .and_then(|behind| columns.back(behind))
        .filter(|back| usize::from(*back) < columns.values.len());
    let Columns { values, cursor, .. } = columns;
    let values = if series.is_some() { values } else { vec![] };
    let top = top(&values);
    if top > 0.0 && !is_still(&values, top) {
        // An eighth is left free above, so that one state's curve does not run into the next one's.
        let levels = theme.glyphs.spark.len();
        let head =
            f32::from(u8::try_from(levels).unwrap_or(1)) / f32::from(u8::try_from(levels - 1).unwrap_or(1));
        spark(buffer, area, &values, top.max(LEAST_TOP) * head, |_| theme.state(state), theme);
    } else if top > 0.0 {
        // What stands still is a line: the count says how high it is.
        spark(buffer, area, &vec![Some(0.0); values.len()], 1.0, |_| theme.dim(), theme);
    }
    if let Some(back) = mark {
        time_mark(buffer, area, back, theme);
    }
    if let Some(back) = cursor {
        time_cursor(buffer, area, back, theme);
    }
}

/// Whether values that are `top` at most vary by no more than a curve that stands still.
fn is_still(values: &[Option<f32>], top: f32) -> bool {
    let lowest = values.iter().flatten().copied().fold(top, f32::min);
    top - lowest <= (top * STILL_SHARE).max(STILL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_more_or_less_is_no_peak() {
        let still = |values: &[f32]| {
            let values: Vec<_> = values.iter().copied().map(Some).collect();
            is_still(&values, top(&values))
        };
        assert!(still(&[40.0, 40.0, 41.0, 40.0]) && still(&[0.0, 1.0, 0.0]) && still(&[2_900.0, 2_800.0]));
        assert!(!still(&[40.0, 46.0]) && !still(&[0.0, 3.0]) && !still(&[2_900.0, 2_700.0]));
    }
}
