//! Ephemeral ports: how many of the usable ones are in use, and which destinations take them.

use ratatui::{buffer::Buffer, layout::Rect};

use super::Context;
use crate::{
    field::format,
    store::{DestinationRow, PortRange},
    ui::{
        columns, layout,
        pen::{Pen, bar},
        select,
        table::{self, Frame},
    },
};

pub(super) fn draw(buffer: &mut Buffer, context: &Context<'_>) {
    let theme = context.theme();
    let aggregate = &context.data.selection.aggregate;
    let range = PortRange::from_sysctls(&context.data.moment.sample.sysctls);
    let in_use = format::grouped(context.data.moment.totals.ports_in_use.into());
    let fact = match &range {
        Some(range) => format!("{in_use} of {}", format::grouped(range.usable.into())),
        None => format!("{in_use} in use"),
    };
    let inner = context.frame(buffer, "Ports", &[(fact, theme.text())]);
    let head = layout::ports_head(inner);
    gauge(buffer, context, inner, range.as_ref());
    if head > 1 {
        limits(buffer, context, inner, range.as_ref());
    }
    let area = Rect { y: inner.y + head, height: inner.height.saturating_sub(head), ..inner };
    let rows = &aggregate.destinations;
    if rows.is_empty() {
        Pen::new(buffer, area, 0).put_cut("No destination takes a port.", theme.dim(), theme);
        return;
    }
    let fields = select::context(context.data.moment, aggregate);
    let frame = Frame {
        table: context.table(),
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

/// How much of the range is in use, by any socket towards anyone, whatever the filter keeps.
fn gauge(buffer: &mut Buffer, context: &Context<'_>, inner: Rect, range: Option<&PortRange>) {
    let theme = context.theme();
    let in_use = context.data.moment.totals.ports_in_use;
    let mut pen = Pen::new(buffer, inner, 0);
    let Some(usable) = range.map(|range| range.usable).filter(|usable| *usable > 0) else {
        pen.put_cut("The range of ports is not known.", theme.dim(), theme);
        return;
    };
    let share = f64::from(in_use) / f64::from(usable);
    let percent = format::percent(share * 100.0);
    let left = format!("{} left", format::grouped(usable.saturating_sub(in_use).into()));
    // As wide as it gets: the gauge keeps its length.
    let room = format::grouped(usable.into()).len() + " left".len();
    let width = pen.room().saturating_sub(7 + u16::try_from(room).unwrap_or(0) + 1);
    let area = pen.take(width);
    bar(pen.buffer(), area, share, theme.gauge(share), theme);
    pen.skip(1);
    pen.put(&format!("{percent:>5} "), theme.strong());
    pen.put(&format!(" {left:>room$}"), theme.strong());
}

/// The range, and what is taken out of it.
fn limits(buffer: &mut Buffer, context: &Context<'_>, inner: Rect, range: Option<&PortRange>) {
    let theme = context.theme();
    let Some(range) = range else { return };
    let mut pen = Pen::new(buffer, inner, 1);
    let ends = format!("range {}{}{}", range.low, theme.glyphs.dash, range.high);
    pen.put(&ends, theme.head());
    if range.reserved > 0 {
        pen.put(&format!(", {} reserved", format::grouped(range.reserved.into())), theme.head());
    }
    pen.put("; a limit per destination", theme.dim());
}
