//! Calls of `connect()` that failed within the last minute: by whom and where to.

use ratatui::buffer::Buffer;

use super::Context;
use crate::{
    field::{Align, format},
    model::text::printable,
    store::ConnectFailure,
    ui::{
        columns,
        pen::Pen,
        scene::Data,
        table::endpoint,
        text::{fit, pad},
        view::{Pane, Screen, View},
    },
};

/// At most so many are listed.
const MOST: usize = 6;

/// How many lines the list wants below its title; 0 where there is nothing to list.
pub(in crate::ui) fn lines(view: &View, data: &Data<'_>) -> u16 {
    let count = shown(view, data).count().min(MOST);
    u16::try_from(if count == 0 { 0 } else { count + 1 }).unwrap_or(0)
}

/// The failures that belong on the page.
pub(in crate::ui) fn shown<'a>(
    view: &View,
    data: &Data<'a>,
) -> impl Iterator<Item = &'a ConnectFailure> + use<'a> {
    let screen = view.page().screen.subject();
    let all = data.moment.trace.as_ref().map_or(&[][..], |traced| &traced.window.failures);
    all.iter().filter(move |failed| match screen {
        Screen::Process(key) => failed.process.as_ref().is_some_and(|process| process.key == key),
        Screen::Peer(key) => failed.peer.ip == key.ip && failed.peer.port == key.port,
        _ => true,
    })
}

/// Of how many seconds they are.
pub(in crate::ui) fn seconds(data: &Data<'_>) -> f64 {
    data.moment.trace.as_ref().map_or(0.0, |traced| traced.window.seconds)
}

/// How many such calls fail per second now.
pub(in crate::ui) fn per_second(data: &Data<'_>, failed: &ConnectFailure) -> String {
    let rate = data.moment.trace.as_ref().and_then(|traced| traced.window.failures_per_s(failed));
    rate.map_or_else(|| format::UNKNOWN.to_owned(), format::rate)
}

/// The columns: title, width, alignment.
const COLUMNS: [(&str, usize, Align); 6] = [
    ("PROCESS", 20, Align::Left),
    ("FROM", 15, Align::Left),
    ("TO", 21, Align::Left),
    ("FAIL/s", 6, Align::Right),
    ("NO PORT", 7, Align::Right),
    ("OTHER", 5, Align::Right),
];

pub(super) fn draw(buffer: &mut Buffer, context: &Context<'_>) {
    debug_assert_eq!(context.pane, Pane::Failures);
    let theme = context.theme();
    let data = &context.data;
    let seconds = seconds(data);
    let fact = format!("last {}, by the trace", format::seconds(seconds));
    let inner = context.frame(buffer, "Failed connect() calls", &[(fact, theme.head())]);
    let ellipsis = theme.glyphs.ellipsis;
    // The addresses take what is left over.
    let fixed: usize = COLUMNS.iter().map(|(_, width, _)| width + 1).sum();
    let spare = usize::from(inner.width).saturating_sub(fixed).min(48);
    let widths = |i: usize| COLUMNS[i].1 + if matches!(i, 1 | 2) { spare / 2 } else { 0 };
    let mut pen = Pen::new(buffer, inner, 0);
    for (i, (title, _, align)) in COLUMNS.iter().enumerate() {
        pen.put(&pad(title, widths(i), *align == Align::Right), theme.head());
        pen.skip(1);
    }
    for (line, failed) in (1..inner.height).zip(shown(context.scene.view, data)) {
        let process = failed.process.as_ref().map_or_else(
            || "[unknown]".to_owned(),
            |process| {
                let pid = format!(" {}", process.key.pid);
                format!("{}{pid}", columns::named(process, widths(0).saturating_sub(pid.len()), theme))
            },
        );
        let source = match failed.source {
            ip if ip.is_unspecified() => "any".to_owned(),
            ip => ip.to_string(),
        };
        let cells = [
            fit(&process, widths(0), ellipsis).into_owned(),
            fit(&printable(&source), widths(1), ellipsis).into_owned(),
            endpoint(failed.peer, widths(2), ellipsis),
            per_second(data, failed).trim_end_matches("/s").to_owned(),
            format::count(failed.no_port),
            format::count(failed.other),
        ];
        let mut pen = Pen::new(buffer, inner, line);
        for (i, cell) in cells.iter().enumerate() {
            let style = if i == 4 && failed.no_port > 0 { theme.warning() } else { theme.text() };
            pen.put(&pad(cell, widths(i), COLUMNS[i].2 == Align::Right), style);
            pen.skip(1);
        }
    }
}
