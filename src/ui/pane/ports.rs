//! Local ports: how near the worst destination is to having none left, the whole range, and every destination.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::Context;
use crate::{
    field::{self, format},
    store::{DestinationPorts, DestinationRow, Forecast, PortRange},
    ui::{
        columns,
        layout::{self, Chrome},
        pen::{Pen, bar},
        select,
        table::{self, Frame, endpoint},
        text::{pad, width},
    },
};

/// Where all is on one line: the least width of the gauge, and the widths of its figures and of the forecast.
const LINE_GAUGE: u16 = 4;
const LINE_FIGURES: u16 = 20;
const LINE_OUTLOOK: u16 = 14;

pub(super) fn draw(buffer: &mut Buffer, context: &Context<'_>) {
    if context.chrome == Chrome::Bare {
        return line(buffer, context);
    }
    let theme = context.theme();
    let aggregate = &context.data.selection.aggregate;
    let range = PortRange::from_sysctls(&context.data.moment.sample.sysctls);
    let in_use = format::grouped(context.data.moment.totals.ports_in_use.into());
    let fact = match &range {
        Some(range) => format!("{in_use} of {}", format::grouped(range.usable.into())),
        None => format!("{in_use} in use"),
    };
    let mut facts = vec![(fact, theme.text())];
    facts.extend(context.since());
    let inner = context.frame(buffer, "Ports", &facts);
    let head = layout::ports_head(inner);
    let rows = &aggregate.destinations;
    summary(buffer, context, inner, range.as_ref());
    let area = Rect { y: inner.y + head, height: inner.height.saturating_sub(head), ..inner };
    if rows.is_empty() {
        let why = if context.only_changed() { "Nothing changed." } else { "No destination takes a port." };
        Pen::new(buffer, area, 0).put_cut(why, theme.dim(), theme);
        return;
    }
    let fields = select::context(context.data.moment, aggregate);
    let frame = Frame {
        table: context.table(),
        columns: context.scene.view.settings.columns(context.pane),
        sort: context.sort().or(columns::default_mark(context.pane)),
        len: rows.len(),
        focused: context.focused(),
        track: context.track(),
        theme,
        context: &fields,
        data: context.data,
    };
    table::draw::<DestinationRow>(buffer, area, &frame, |index| rows.get(index));
}

/// All of it on one line: the worst destination, or the one that was chosen, its gauge, what is left and the forecast.
fn line(buffer: &mut Buffer, context: &Context<'_>) {
    let theme = context.theme();
    let table = context.table();
    let rows = &context.data.selection.aggregate.destinations;
    let chosen = rows.get(table.index).filter(|_| table.held);
    let chosen = chosen.and_then(|row| Some((row, row.ports?))).or_else(|| worst(context));
    let area = Rect { height: 1, ..context.area };
    let mut pen = Pen::new(buffer, area, 0);
    pen.put("Ports ", theme.strong());
    let Some((row, ports)) = chosen else {
        let rest = pen.take(area.width);
        let range = PortRange::from_sysctls(&context.data.moment.sample.sysctls);
        return gauge(buffer, context, rest, range.as_ref());
    };
    let (words, style) = outlook_of(context, row, &ports);
    // Room for most of what can be said: the gauge keeps its length.
    let said = u16::try_from(width(&words)).unwrap_or(0).max(LINE_OUTLOOK) + 2;
    let most = pen.room().saturating_sub(said + 1 + LINE_FIGURES + LINE_GAUGE);
    let name = endpoint(row.peer, most.into(), theme.glyphs.ellipsis);
    pen.put(&name, theme.head());
    pen.skip(1);
    let room = pen.room().saturating_sub(said);
    let bar = pen.take(room);
    worst_gauge(pen.buffer(), context, bar, &ports);
    pen.skip(2);
    pen.put(&words, style);
    if context.focused() && table.present {
        theme.select(buffer, area);
    }
}

/// The lines above the table: the worst destination first; where there is none, the range of all.
fn summary(buffer: &mut Buffer, context: &Context<'_>, inner: Rect, range: Option<&PortRange>) {
    let two_lines = layout::ports_head(inner) > 1;
    let mut rest = inner;
    if let Some((row, ports)) = worst(context) {
        worst_gauge(buffer, context, inner, &ports);
        if two_lines {
            let end = outlook(buffer, context, inner, (row, &ports));
            rest = Rect { x: inner.x + end, width: inner.width.saturating_sub(end), ..inner };
        }
    } else {
        gauge(buffer, context, inner, range);
    }
    if two_lines {
        limits(buffer, context, rest, range);
    }
}

/// The destination with the fewest ports left.
pub(super) fn worst<'a>(context: &Context<'a>) -> Option<(&'a DestinationRow, DestinationPorts)> {
    let rows = context.data.selection.aggregate.destinations.iter();
    let known = rows.filter_map(|row| Some((row, row.ports?)));
    known.min_by_key(|(_, ports)| ports.left.max)
}

/// How much of the range is in use, by any socket towards anyone, whatever the filter keeps.
fn gauge(buffer: &mut Buffer, context: &Context<'_>, inner: Rect, range: Option<&PortRange>) {
    let theme = context.theme();
    let in_use = context.data.moment.totals.ports_in_use;
    let Some(usable) = range.map(|range| range.usable).filter(|usable| *usable > 0) else {
        let mut pen = Pen::new(buffer, inner, 0);
        pen.put_cut("The range of ports is not known.", theme.dim(), theme);
        return;
    };
    let left = format::grouped(usable.saturating_sub(in_use).into());
    let percent = f64::from(in_use) * 100.0 / f64::from(usable);
    bar_of(buffer, context, inner, (percent, usable, &left));
}

/// How much of the range the worst destination cannot have any more.
fn worst_gauge(buffer: &mut Buffer, context: &Context<'_>, inner: Rect, ports: &DestinationPorts) {
    let at_most = if ports.left.is_exact() { "" } else { context.theme().glyphs.at_most };
    let left = format!("{at_most}{}", format::grouped(ports.left.max.into()));
    bar_of(buffer, context, inner, (ports.percent().unwrap_or(100.0), ports.usable, &left));
}

/// A bar, its figure, and what is left of `usable` ports.
fn bar_of(
    buffer: &mut Buffer,
    context: &Context<'_>,
    inner: Rect,
    (percent, usable, left): (f64, u32, &str),
) {
    let theme = context.theme();
    let mut pen = Pen::new(buffer, inner, 0);
    let left = format!("{left} left");
    // As wide as it gets: the gauge keeps its length.
    let room = format::grouped(usable.into()).len() + " left".len();
    let room = room.max(width(&left));
    let length = pen.room().saturating_sub(7 + u16::try_from(room).unwrap_or(0) + 1);
    let area = pen.take(length);
    let share = percent / 100.0;
    bar(pen.buffer(), area, share, theme.gauge(share), theme);
    pen.skip(1);
    pen.put(&format!("{:>5} ", format::percent(percent)), theme.strong());
    pen.put(&format!(" {}", pad(&left, room, true)), theme.strong());
}

/// Which destination is the worst, and what becomes of it; returns how many cells that takes, and a gap.
fn outlook(
    buffer: &mut Buffer,
    context: &Context<'_>,
    inner: Rect,
    (row, ports): (&DestinationRow, &DestinationPorts),
) -> u16 {
    let theme = context.theme();
    let mut pen = Pen::new(buffer, inner, 1);
    let (words, style) = outlook_of(context, row, ports);
    let room = usize::from(pen.room()).saturating_sub(width(&words) + 1);
    pen.put(&endpoint(row.peer, room, theme.glyphs.ellipsis), theme.head());
    pen.skip(1);
    pen.put_cut(&words, style, theme);
    inner.width - pen.room() + 3
}

/// What becomes of a destination, and whether it is slow to reach, in words.
fn outlook_of(context: &Context<'_>, row: &DestinationRow, ports: &DestinationPorts) -> (String, Style) {
    let theme = context.theme();
    let is_full = matches!(row.forecast, Some(Forecast::Full { .. }));
    let forecast = field::ports::forecast(row).unwrap_or_default();
    let slow = if ports.slow == Some(true) { "connect() slow" } else { "" };
    let words: Vec<&str> = [forecast.as_str(), slow].into_iter().filter(|words| !words.is_empty()).collect();
    let style = if is_full || !slow.is_empty() { theme.gauge(1.0) } else { theme.text() };
    (words.join(", "), style)
}

/// The range, and what is taken out of it.
fn limits(buffer: &mut Buffer, context: &Context<'_>, inner: Rect, range: Option<&PortRange>) {
    let theme = context.theme();
    let Some(range) = range else { return };
    let ends = format!("range {}{}{}", range.low, theme.glyphs.dash, range.high);
    let text = match range.reserved {
        0 => ends,
        reserved => format!("{ends}, {} reserved", format::grouped(reserved.into())),
    };
    let mut pen = Pen::new(buffer, inner, 1);
    if width(&text) <= usize::from(pen.room()) {
        pen.put(&text, theme.head());
    }
}
