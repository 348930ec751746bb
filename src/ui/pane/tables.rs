//! The tables of processes, peers and sockets.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::Context;
use crate::{
    field::{SocketRows, format},
    model::Evidence,
    store::{PeerRow, ProcessRow},
    ui::{
        columns, layout,
        pen::Pen,
        select::{self, REASONS},
        table::{self, Frame},
    },
};

pub(super) fn processes(buffer: &mut Buffer, context: &Context<'_>) {
    let aggregate = &context.data.selection.aggregate;
    let rows = &aggregate.processes;
    let facts = [(format::grouped(len(rows)), context.theme().text())];
    let mut inner = context.frame(buffer, "Processes", &facts);
    let coverage_lines = layout::coverage_line(inner);
    if coverage_lines > 0 {
        coverage(buffer, context, inner);
        inner.height -= coverage_lines;
    }
    if rows.is_empty() {
        nothing(buffer, context, inner, "No process is known to own a socket.");
        return;
    }
    list(context, rows.len(), |frame| {
        table::draw::<ProcessRow>(buffer, inner, frame, |index| rows.get(index));
    });
}

pub(super) fn peers(buffer: &mut Buffer, context: &Context<'_>) {
    let rows = &context.data.selection.aggregate.peers;
    let facts = [(format::grouped(len(rows)), context.theme().text())];
    let inner = context.frame(buffer, "Peers", &facts);
    if rows.is_empty() {
        nothing(buffer, context, inner, "No connection with anyone.");
        return;
    }
    list(context, rows.len(), |frame| {
        table::draw::<PeerRow>(buffer, inner, frame, |index| rows.get(index));
    });
}

pub(super) fn sockets(buffer: &mut Buffer, context: &Context<'_>) {
    let data = context.data;
    let count = data.selection.rows.len();
    let facts = [(format::grouped(len(&data.selection.rows)), context.theme().text())];
    let inner = context.frame(buffer, "Sockets", &facts);
    if count == 0 {
        nothing(buffer, context, inner, "No socket.");
        return;
    }
    list(context, count, |frame| {
        table::draw::<SocketRows>(buffer, inner, frame, |index| data.socket(index));
    });
}

fn len<T>(rows: &[T]) -> u64 {
    u64::try_from(rows.len()).unwrap_or(u64::MAX)
}

/// Calls `draw` with what every table needs.
fn list(context: &Context<'_>, len: usize, draw: impl FnOnce(&Frame<'_>)) {
    let fields = select::context(context.data.moment, &context.data.selection.aggregate);
    draw(&Frame {
        table: context.table(),
        sort: context.sort().or(columns::default_mark(context.pane)),
        len,
        focused: context.focused(),
        track: context.track(),
        theme: context.theme(),
        context: &fields,
    });
}

/// Says why a table is empty.
fn nothing(buffer: &mut Buffer, context: &Context<'_>, inner: Rect, why: &str) {
    let filtered = !context.scene.view.filter.query.is_all();
    let text = if filtered { "Nothing passes the filter." } else { why };
    Pen::new(buffer, inner, 0).put_cut(text, context.theme().dim(), context.theme());
}

/// The last line of the processes: how many sockets nobody is known to own, why, and what the others rest on.
fn coverage(buffer: &mut Buffer, context: &Context<'_>, inner: Rect) {
    let theme = context.theme();
    let selection = context.data.selection;
    let unknown: u32 = selection.unknown.iter().sum();
    let mut pieces: Vec<(String, Style)> = vec![];
    if unknown > 0 {
        pieces.push((format!("{} without owner", format::grouped(unknown.into())), theme.warning()));
        let reasons: Vec<_> = REASONS.iter().zip(selection.unknown).filter(|(_, count)| *count > 0).collect();
        if let [(reason, _)] = reasons.as_slice() {
            pieces.push((format!(": {}", reason.name()), theme.head()));
        }
        for (i, (reason, count)) in reasons.iter().enumerate().filter(|_| reasons.len() > 1) {
            let lead = if i == 0 { ": " } else { ", " };
            pieces.push((
                format!("{lead}{} {}", format::grouped((*count).into()), reason.name()),
                theme.head(),
            ));
        }
    } else if selection.aggregate.states.total() > 0 {
        pieces.push(("Every socket has a known owner".into(), theme.head()));
    }
    let known = Evidence::ALL.iter().zip(selection.aggregate.evidence);
    let known = known.filter(|(kind, count)| **kind != Evidence::Unknown && *count > 0);
    for (i, (kind, count)) in known.enumerate() {
        let lead = if i == 0 { "; " } else { ", " };
        pieces.push((format!("{lead}{} {}", format::grouped(count.into()), kind.name()), theme.dim()));
    }
    Pen::new(buffer, inner, inner.height - 1).put_all(&pieces);
}
