//! The tables of processes, peers and sockets.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::Context;
use crate::{
    field::{SocketRows, format},
    model::{Evidence, Unknown},
    store::{PeerRow, ProcessRow},
    ui::{
        columns, layout,
        pen::Pen,
        select,
        table::{self, Frame},
        text,
        view::Screen,
        why,
    },
};

pub(super) fn processes(buffer: &mut Buffer, context: &Context<'_>) {
    let aggregate = &context.data.selection.aggregate;
    let rows = &aggregate.processes;
    let more = context.data.moment.digest.map_or(0, |digest| digest.processes_omitted);
    let mut facts = count(context, rows, more);
    facts.extend(context.since());
    facts.extend(accounted(context, &facts));
    let mut inner = context.frame(buffer, "Processes", &facts);
    let coverage_lines = layout::coverage_line(inner);
    if coverage_lines > 0 && !context.lacks_sockets() {
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
    let more = if context.data.moment.is_whole() { 0 } else { context.data.moment.totals.peers_omitted };
    let mut facts = count(context, rows, more);
    facts.extend(doubt(context));
    facts.extend(context.since());
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
    let rows = &data.selection.rows;
    let mut facts = count(context, rows, 0);
    facts.extend(doubt(context));
    facts.extend(context.since());
    let inner = context.frame(buffer, "Sockets", &facts);
    if rows.is_empty() {
        let behind = matches!(context.scene.view.page().screen, Screen::Finding(_));
        let why = if behind { "None of its sockets is there now." } else { "No socket." };
        nothing(buffer, context, inner, why);
        return;
    }
    list(context, rows.len(), |frame| {
        table::draw::<SocketRows>(buffer, inner, frame, |index| data.socket(index));
    });
}

/// How well the closes of the whole namespace are accounted for; nothing where only a part of it is shown.
fn accounted(context: &Context<'_>, before: &[(String, Style)]) -> Option<(String, Style)> {
    let view = context.scene.view;
    if view.page().screen.is_closer() || context.data.is_filtered() {
        return None;
    }
    let room = context.room("Processes", before);
    why::coverage_title(context.data.moment, context.area.width, room)
        .map(|text| (text, context.theme().head()))
}

/// On the page of a process: that some of it may be another's.
fn doubt(context: &Context<'_>) -> Option<(String, Style)> {
    let maybe = context.data.selection.maybe.states.total();
    (maybe > 0).then(|| ("? maybe another's".to_owned(), context.theme().warning()))
}

/// How many rows there are, and of how many where there were `more`; nothing where the rows would have to be made from
/// sockets that are no longer kept.
fn count<T>(context: &Context<'_>, rows: &[T], more: u32) -> Vec<(String, Style)> {
    let shown = format::grouped(len(rows));
    let text = match len(rows) + u64::from(more) {
        _ if context.lacks_sockets() => return vec![],
        all if more > 0 => format!("{shown} of {}", format::grouped(all)),
        _ => shown,
    };
    vec![(text, context.theme().text())]
}

fn len<T>(rows: &[T]) -> u64 {
    u64::try_from(rows.len()).unwrap_or(u64::MAX)
}

/// Calls `draw` with what every table needs.
pub(super) fn list(context: &Context<'_>, len: usize, draw: impl FnOnce(&Frame<'_>)) {
    let fields = select::context(context.data.moment, &context.data.selection.aggregate);
    draw(&Frame {
        table: context.table(),
        columns: context.scene.view.settings.columns(context.pane),
        sort: context.sort().or(columns::default_mark(context.pane)),
        len,
        focused: context.focused(),
        track: context.track(),
        theme: context.theme(),
        context: &fields,
        data: context.data,
    });
}

/// Says why a table is empty.
pub(super) fn nothing(buffer: &mut Buffer, context: &Context<'_>, inner: Rect, why: &str) {
    let theme = context.theme();
    if context.lacks_sockets() {
        let lines = text::wrap(&context.without_sockets(), usize::from(inner.width));
        for (y, line) in (0..inner.height).zip(lines) {
            Pen::new(buffer, inner, y).put_cut(&line, theme.warning(), theme);
        }
        return;
    }
    let text = match context.data.is_filtered() {
        _ if context.only_changed() => "Nothing changed.",
        true => "Nothing passes the filter.",
        false => why,
    };
    Pen::new(buffer, inner, 0).put_cut(text, theme.dim(), theme);
}

/// The last line of the processes: how many sockets nobody is known to own and why, how many have several candidates,
/// and what the others rest on; the most first.
fn coverage(buffer: &mut Buffer, context: &Context<'_>, inner: Rect) {
    let theme = context.theme();
    let selection = context.data.selection;
    if selection.aggregate.states.total() == 0 {
        return;
    }
    let unknown: u32 = selection.unknown.iter().sum();
    let candidates = selection.aggregate.evidence[Evidence::Candidates as usize];
    let mut pieces: Vec<(String, Style)> = vec![];
    let reasons = most_first(Unknown::ALL.iter().map(|reason| reason.name()).zip(selection.unknown));
    if unknown > 0 {
        pieces.push((format!("{} without owner", format::grouped(unknown.into())), theme.warning()));
        match reasons.as_slice() {
            [(only, _)] => pieces.push((format!(": {only}"), theme.head())),
            reasons => pieces.extend(listed(reasons, ": ", theme.head())),
        }
    }
    if candidates > 0 {
        let lead = if unknown > 0 { "; " } else { "" };
        pieces.push((format!("{lead}{} candidates", format::grouped(candidates.into())), theme.warning()));
        // Rather the candidates than the lesser reasons.
        if reasons.len() > 1 && width(&pieces) > usize::from(inner.width) {
            let mut short = pieces.clone();
            short.splice(2..=reasons.len(), [(format!(", {}", theme.glyphs.ellipsis), theme.head())]);
            if width(&short) <= usize::from(inner.width) {
                pieces = short;
            }
        }
    }
    if pieces.is_empty() {
        pieces.push(("Every socket has a known owner".into(), theme.head()));
    }
    let sure = Evidence::ALL.iter().zip(selection.aggregate.evidence);
    let sure = sure.filter(|(kind, _)| !matches!(kind, Evidence::Unknown | Evidence::Candidates));
    let sure = most_first(sure.map(|(kind, count)| (kind.name(), count)));
    pieces.extend(listed(&sure, "; ", theme.dim()));
    Pen::new(buffer, inner, inner.height - 1).put_pieces(&pieces, theme);
}

/// Counts with what they are of, after `lead`.
fn listed(counts: &[(&'static str, u32)], lead: &'static str, style: Style) -> Vec<(String, Style)> {
    let lead = |i| if i == 0 { lead } else { ", " };
    let text = |(i, (of, count)): (usize, &(&str, u32))| {
        format!("{}{} {of}", lead(i), format::grouped((*count).into()))
    };
    counts.iter().enumerate().map(|part| (text(part), style)).collect()
}

fn width(pieces: &[(String, Style)]) -> usize {
    pieces.iter().map(|(text, _)| text::width(text)).sum()
}

fn most_first(counts: impl Iterator<Item = (&'static str, u32)>) -> Vec<(&'static str, u32)> {
    let mut counts: Vec<_> = counts.filter(|(_, count)| *count > 0).collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}
