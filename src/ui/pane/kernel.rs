//! The kernel's counters, settings and limits.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{Context, tables};
use crate::{
    field::{CounterRow, LimitRow, format},
    ui::{columns::Shown, pen::Pen, table},
};

pub(super) fn counters(buffer: &mut Buffer, context: &Context<'_>) {
    let rows = &context.data.selection.kernel.counters;
    let count = |of: fn(&CounterRow) -> bool| rows.iter().filter(|row| of(row)).count();
    let theme = context.theme();
    let mut facts = vec![(format!("{} of {} moved", count(|row| row.moves), rows.len()), theme.text())];
    match count(|row| row.moves && row.is_trouble()) {
        0 => {}
        1 => facts.push(("1 tells of trouble".to_owned(), theme.warning())),
        several => facts.push((format!("{several} tell of trouble"), theme.warning())),
    }
    facts.extend(context.since());
    let inner = context.frame(buffer, "Counters", &facts);
    list(buffer, context, inner, rows);
}

pub(super) fn settings(buffer: &mut Buffer, context: &Context<'_>) {
    let rows = &context.data.selection.kernel.settings;
    let theme = context.theme();
    let changed = rows.iter().filter(|row| row.is_changed()).count();
    let mut facts = vec![(format!("{changed} of {} changed", rows.len()), theme.text())];
    match rows.iter().filter(|row| row.finding.is_some()).count() {
        0 => {}
        named => facts.push((format!("{named} named by findings"), theme.warning())),
    }
    facts.extend(context.since());
    let inner = context.frame(buffer, "Settings", &facts);
    list(buffer, context, inner, rows);
}

pub(super) fn limits(buffer: &mut Buffer, context: &Context<'_>) {
    let rows = &context.data.selection.kernel.limits;
    let theme = context.theme();
    let fullest = rows.iter().map(LimitRow::percent).fold(0.0, f64::max);
    let fact = format!("fullest {}", format::percent(fullest));
    let mut facts = if rows.is_empty() { vec![] } else { vec![(fact, theme.gauge(fullest / 100.0))] };
    facts.extend(context.since());
    let inner = context.frame(buffer, "Limits", &facts);
    list(buffer, context, inner, rows);
}

/// The table, or why there is none.
fn list<R>(buffer: &mut Buffer, context: &Context<'_>, inner: Rect, rows: &[R])
where
    R: for<'a> Shown<Ref<'a> = &'a R>,
{
    if rows.is_empty() {
        let why = match context.scene.view {
            _ if context.only_changed() => "Nothing changed.",
            view if !view.names.is_empty() => "No name and no meaning has all these words.",
            _ => "Nothing is known.",
        };
        Pen::new(buffer, inner, 0).put_cut(why, context.theme().dim(), context.theme());
        return;
    }
    tables::list(context, rows.len(), |frame| {
        table::draw::<R>(buffer, inner, frame, |index| rows.get(index));
    });
}
