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

/// Over how many samples the change per second is taken: long enough to be calm, short enough to be news.
const CHANGE_SAMPLES: usize = 5;
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

/// `+12.5/s`, as it was `behind` samples ago; nothing while nothing changes.
fn change(Went { activity, behind, .. }: Went<'_>, state: TcpState) -> Option<String> {
    let change = activity.change_back(state, CHANGE_SAMPLES, behind).map(f64::from)?;
    if change.abs() < 0.05 {
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
    let still = values.iter().flatten().all(|value| *value >= top);
    if top > 0.0 && !still {
        // An eighth is left free above, so that one state's curve does not run into the next one's.
        let levels = theme.glyphs.spark.len();
        let head =
            f32::from(u8::try_from(levels).unwrap_or(1)) / f32::from(u8::try_from(levels - 1).unwrap_or(1));
        spark(buffer, area, &values, top * head, |_| theme.state(state), theme);
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
