//! Calls of `connect()` that failed within the last minute: by whom and where to.

use ratatui::buffer::Buffer;

use super::{Context, tables};
use crate::{
    field::{FailureRow, format},
    ui::{scene::Data, table},
};

/// At most so many are seen without scrolling.
const MOST: usize = 6;

/// How many lines the list wants below its title; 0 where there is nothing to list.
pub(in crate::ui) fn lines(data: &Data<'_>) -> u16 {
    let count = data.selection.failures.len().min(MOST);
    u16::try_from(if count == 0 { 0 } else { count + 1 }).unwrap_or(0)
}

/// Of how many seconds they are.
pub(in crate::ui) fn seconds(data: &Data<'_>) -> f64 {
    data.moment.trace.as_ref().map_or(0.0, |traced| traced.window.seconds)
}

/// How many such calls fail per second now.
pub(in crate::ui) fn per_second(row: &FailureRow) -> String {
    row.per_s.map_or_else(|| format::UNKNOWN.to_owned(), format::rate)
}

pub(super) fn draw(buffer: &mut Buffer, context: &Context<'_>) {
    let theme = context.theme();
    let rows = &context.data.selection.failures;
    let fact = format!("last {}, by the trace", format::seconds(seconds(&context.data)));
    let inner = context.frame(buffer, "Failed connect() calls", &[(fact, theme.head())]);
    tables::list(context, rows.len(), |frame| {
        table::draw::<FailureRow>(buffer, inner, frame, |index| rows.get(index));
    });
}
