//! The kernel's counters: what moved, the fastest first.

use ratatui::{buffer::Buffer, layout::Rect};

use super::Context;
use crate::{
    field::format,
    model::Counters,
    ui::{
        pen::Pen,
        table::scrollbar,
        text::{fit, pad},
        update::window,
        words,
    },
};

const NAME: usize = 27;
const VALUE: usize = 15;
const RATE: usize = 9;

pub(super) fn draw(buffer: &mut Buffer, context: &Context<'_>) {
    let theme = context.theme();
    let len = context.data.selection.counters.len();
    let moved = context.data.moment.counter_rates.iter().flatten().filter(|rate| **rate > 0.0).count();
    let facts = [(format!("{moved} of {len} moved"), theme.text())];
    let inner = context.frame(buffer, "Kernel counters", &facts);
    if inner.height < 2 {
        return;
    }
    let mut pen = Pen::new(buffer, inner, 0);
    pen.put(&pad("COUNTER", NAME, false), theme.head());
    pen.put(&pad("VALUE", VALUE, true), theme.head());
    pen.put(&pad("RATE", RATE, true), theme.head());
    pen.skip(2);
    pen.put("MEANING", theme.head());
    let height = usize::from(inner.height) - 1;
    let table = context.table();
    let first = window(table.offset, table.index, height, len);
    for line in 0..height.min(len - first) {
        let y = u16::try_from(line + 1).unwrap_or(0);
        row(buffer, context, first + line, Rect { y: inner.y + y, height: 1, ..inner });
    }
    let track = Rect {
        x: context.track().unwrap_or(inner.right().saturating_sub(1)),
        y: inner.y + 1,
        width: 1,
        height: inner.height - 1,
    };
    scrollbar(buffer, track, first, len, theme);
}

fn row(buffer: &mut Buffer, context: &Context<'_>, index: usize, area: Rect) {
    let theme = context.theme();
    let Some((name, value, rate)) = context.data.counter(index) else { return };
    let still = rate.is_none_or(|rate| rate <= 0.0);
    let style = if still { theme.dim() } else { theme.text() };
    let mut pen = Pen::new(buffer, area, 0);
    pen.put(&pad(&fit(name, NAME, theme.glyphs.ellipsis), NAME, false), style);
    pen.put(&pad(&format::grouped(value), VALUE, true), style);
    let rate = match rate {
        Some(rate) => format::rate(rate),
        None if Counters::is_gauge(name) => "level".to_owned(),
        None => theme.glyphs.none.to_owned(),
    };
    pen.put(&pad(&rate, RATE, true), style);
    pen.skip(2);
    let room = pen.room().saturating_sub(1);
    let rest = pen.take(room);
    Pen::new(pen.buffer(), rest, 0).put_cut(words::counter(name), theme.head(), theme);
    let table = context.table();
    if context.focused() && table.present && index == table.index {
        buffer.set_style(area, theme.selected());
    }
}
