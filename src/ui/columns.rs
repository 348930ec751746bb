//! Which metrics each table shows, in which order, and which give way first when there is little room.

mod kernel;

use std::borrow::Cow;

use ratatui::style::Style;

use super::{
    Theme,
    baseline::SocketThen,
    in_short,
    pen::bar_text,
    scene::Data,
    since,
    table::{Frame, endpoint},
    text::{fit, fit_before, pad, width},
    view::Pane,
};
use crate::{
    field::{
        self, Context, CounterRow, FailureRow, LimitRow, Row, SettingRow, SocketRows, Value, format, program,
    },
    findings::{Finding, Severity},
    model::{Endpoint, Evidence, Process, Side, text::printable},
    query::Sort,
    store::{Change, DestinationRow, Moment, Owned, PeerKey, PeerRow, ProcessRow},
};

/// A metric as a column of a table on screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    /// The key of the field shown, which is also what the table is sorted by.
    pub(super) key: &'static str,
    /// Its title here; the field's own where it is empty.
    pub(super) title: &'static str,
    /// The width it cannot do without, the width that shows nearly all of it, and the width that it can use.
    /// One and the same for figures: they are never cut.
    widths: [u16; 3],
    /// Columns of a higher rank are left out first; those up to [`CORE`] are made narrow before that.
    rank: u8,
}

/// The rank up to which a column would rather be narrow than gone.
const CORE: u8 = 6;

const fn figure(key: &'static str, title: &'static str, width: u16, rank: u8) -> Column {
    Column { key, title, widths: [width; 3], rank }
}

const fn text(key: &'static str, title: &'static str, widths: [u16; 3], rank: u8) -> Column {
    Column { key, title, widths, rank }
}

/// The column of `TIME_WAIT`s that may be a process's; there only while there are any.
const MAYBE: &str = "time_wait_maybe";

/// The column that tells what changed; there only while there is a mark.
pub(super) const CHANGE: &str = "change";

/// The columns that only the trace fills.
const TRACED: [&str; 4] = ["lifetime_p50_s", "lifetime_p99_s", "opener", "closer"];

/// A figure of states is six cells wide at most, a rate without its unit too.
static PROCESSES: &[Column] = &[
    figure("pid", "", 7, 1),
    text("name", "", [8, 18, 24], 1),
    figure("sockets", "ALL", 6, 1),
    figure(CHANGE, "", 6, 1),
    figure("time_wait", "TW", 6, 2),
    figure(MAYBE, "TW?", 6, 3),
    figure("close_wait", "CW", 6, 4),
    figure("established", "EST", 6, 5),
    figure("closed_per_s", "CLOSE/s", 7, 6),
    figure("opened_per_s", "OPEN/s", 6, 8),
    figure("lifetime_p50_s", "", 6, 6),
    figure("lifetime_p99_s", "", 6, 9),
    figure("listen", "LISTEN", 6, 12),
    figure("syn_sent", "SYN_S", 6, 13),
    figure("fin_wait2", "FIN_W2", 6, 14),
    figure("last_ack", "L_ACK", 6, 15),
    figure("share", "", 5, 11),
    figure("fds", "", 6, 10),
    figure("fd_percent", "", 5, 9),
    text("evidence", "", [8, 9, 13], 7),
    text("user", "", [8, 8, 12], 16),
    text("container", "", [12, 12, 12], 18),
    text("command", "", [20, 30, 100], 17),
];

static PEERS: &[Column] = &[
    text("address", "PEER", [17, 22, 49], 1),
    figure("sockets", "ALL", 6, 1),
    figure(CHANGE, "", 6, 1),
    figure("time_wait", "TW", 6, 2),
    figure("close_wait", "CW", 6, 5),
    figure("established", "EST", 6, 3),
    figure("closed_per_s", "CLOSE/s", 7, 4),
    figure("opened_per_s", "OPEN/s", 6, 8),
    figure("lifetime_p50_s", "", 6, 7),
    figure("lifetime_p99_s", "", 6, 9),
    figure("syn_sent", "SYN_S", 6, 10),
    figure("syn_recv", "SYN_R", 6, 12),
    figure("fin_wait2", "FIN_W2", 6, 13),
    figure("last_ack", "L_ACK", 6, 14),
    figure("share", "", 5, 11),
    text("processes", "", [10, 18, 40], 6),
    text("evidence", "", [8, 10, 13], 6),
];

static DESTINATIONS: &[Column] = &[
    text("source", "FROM", [11, 15, 39], 8),
    text("peer_endpoint", "TO", [13, 19, 47], 1),
    figure("left_max", "LEFT", 7, 1),
    figure(CHANGE, "", 6, 2),
    text("percent", "", [5, 5, 40], 3),
    figure("time_wait", "TW", 6, 4),
    text("forecast", "", [15, 15, 16], 9),
    figure("opened_per_s", "OPEN/s", 6, 7),
    figure("left_min", "LEAST", 6, 10),
    figure("taken", "TAKEN", 6, 11),
];

static FINDINGS: &[Column] = &[
    text("severity", "", [9, 9, 9], 1),
    figure("since", "", 7, 3),
    text(CHANGE, "", [5, 5, 5], 2),
    text("finding", "", [24, 24, 24], 10),
    text("process", "", [15, 20, 30], 8),
    text("peer", "", [15, 15, 39], 9),
    figure("port", "", 5, 9),
    text("confidence", "", [7, 7, 7], 11),
    // The sentence names whom and towards whom: it comes before the columns that do so again, to sort by.
    text("summary", "", [24, 90, 200], 1),
];

static SOCKETS: &[Column] = &[
    text("state", "", [14, 14, 14], 1),
    text(CHANGE, "", [11, 14, 14], 2),
    text("local_endpoint", "", [15, 21, 47], 3),
    text("peer_endpoint", "", [15, 21, 47], 1),
    figure("pid", "", 7, 5),
    text("process", "", [9, 15, 24], 4),
    figure("recv_q", "", 6, 8),
    figure("send_q", "", 6, 9),
    text("evidence", "", [8, 10, 10], 6),
    text("opener", "", [10, 14, 24], 11),
    text("closer", "", [10, 14, 24], 10),
    text("side", "", [6, 6, 6], 12),
    text("timer_kind", "", [9, 9, 9], 7),
    figure("timer_expires_s", "IN", 7, 7),
    figure("tcp_rtt_ms", "", 7, 12),
    figure("tcp_retransmits", "RETRANS", 7, 14),
    figure("tcp_bytes_sent", "", 10, 15),
    figure("tcp_bytes_received", "", 10, 15),
    figure("tcp_last_received_s", "", 7, 16),
    text("user", "", [8, 8, 12], 13),
    text("command", "", [20, 30, 60], 17),
];

static FAILURES: &[Column] = &[
    text("process", "", [12, 20, 30], 3),
    text("source", "", [11, 13, 39], 8),
    text("peer_endpoint", "", [13, 21, 47], 1),
    figure("failed_per_s", "", 6, 1),
    figure("no_port", "", 7, 1),
    figure("other", "", 6, 4),
];

/// What a table on screen shows of its rows.
pub(super) trait Shown: Row {
    /// The text of a cell of `cells` width that says more than the field of its key.
    fn cell(key: &str, row: Self::Ref<'_>, frame: &Frame<'_>, cells: usize) -> Option<String> {
        let _ = (key, row, frame, cells);
        None
    }

    /// The style of a cell, where it depends on more than its own figure.
    fn style(key: &str, row: Self::Ref<'_>, theme: &Theme) -> Option<Style> {
        let _ = (key, row, theme);
        None
    }
}

impl Shown for ProcessRow {
    fn cell(key: &str, row: &Self, frame: &Frame<'_>, cells: usize) -> Option<String> {
        match key {
            "name" => Some(named(&row.process, cells, frame.theme)),
            "sockets" => gone(row.change),
            _ => None,
        }
    }

    fn style(key: &str, row: &Self, theme: &Theme) -> Option<Style> {
        change_style(key, row.change, theme)
    }
}

/// What stands in place of a figure of a row that is gone since the mark.
fn gone(change: Option<Change>) -> Option<String> {
    change.is_some_and(Change::is_gone).then(|| "gone".to_owned())
}

/// A difference stands out, and a row that is gone steps back.
fn change_style(key: &str, change: Option<Change>, theme: &Theme) -> Option<Style> {
    let change = change?;
    match key {
        CHANGE if change.is_none() => Some(theme.dim()),
        CHANGE => Some(theme.strong()),
        _ if change.is_gone() => Some(theme.dim()),
        _ => None,
    }
}

/// The name of a process within `cells`: of what an interpreter runs, the interpreter gives way.
pub(super) fn named(process: &Process, cells: usize, theme: &Theme) -> String {
    let whole = program::program(process);
    let name = match program::script(process) {
        Some(script) if width(&printable(&whole)) > cells => Cow::Borrowed(script),
        _ => whole,
    };
    fit(&name, cells, theme.glyphs.ellipsis).into_owned()
}

/// As [`named`], in a cell that says more after the name of `first`.
fn named_first(value: &Value<'_>, first: Option<&Process>, cells: usize, theme: &Theme) -> Option<String> {
    let (Value::Text(text), Some(first)) = (value, first) else { return None };
    let rest = text.strip_prefix(&*first.name)?;
    Some(format!("{}{rest}", named(first, cells.saturating_sub(width(rest)), theme)))
}

impl Shown for PeerRow {
    /// An arrow tells which side we are: `→10.0.0.9:5432` we connect to, `10.0.0.7→:80` comes to our port.
    fn cell(key: &str, row: &Self, frame: &Frame<'_>, cells: usize) -> Option<String> {
        let theme = frame.theme;
        match key {
            "address" if frame.data.selection.maybe.peers.contains(&row.key) => {
                Some(format!("{}?", peer(&row.key, cells.saturating_sub(1), theme)))
            }
            "address" => Some(peer(&row.key, cells, theme)),
            "sockets" => gone(row.change),
            "processes" => {
                let value = field::find::<Self>(key)?.of(row, frame.context);
                named_first(&value, row.processes.first().map(|first| &**first), cells, theme)
            }
            _ => None,
        }
    }

    fn style(key: &str, row: &Self, theme: &Theme) -> Option<Style> {
        change_style(key, row.change, theme)
    }
}

/// A peer within `cells`: an address gives way, the port and the side stay.
pub(super) fn peer(key: &PeerKey, cells: usize, theme: &Theme) -> String {
    let glyphs = theme.glyphs;
    match key.side {
        Side::Client => {
            let room = cells.saturating_sub(width(glyphs.arrow));
            let end = endpoint(Endpoint::new(key.ip, key.port), room, glyphs.ellipsis);
            format!("{}{end}", glyphs.arrow)
        }
        Side::Server => {
            let (address, port) = (key.ip.to_string(), format!("{}:{}", glyphs.arrow, key.port));
            fit_before(&address, &port, cells, glyphs.ellipsis).unwrap_or(port)
        }
    }
}

/// A share of the usable ports as a bar and a figure.
fn used(row: &DestinationRow, context: &Context, cells: usize, theme: &Theme) -> Option<String> {
    match field::find::<DestinationRow>("percent")?.of(row, context) {
        Value::Percent(percent) => gauge(percent, cells, theme),
        _ => None,
    }
}

/// A bar and its figure, where there is room for both.
fn gauge(percent: f64, cells: usize, theme: &Theme) -> Option<String> {
    let share = percent / 100.0;
    let figure = pad(&format::percent(percent), 5, true);
    let room = cells.checked_sub(6).filter(|room| *room >= 6)?;
    let bar = bar_text(share, room, theme);
    Some(format!("{bar} {figure}"))
}

impl Shown for DestinationRow {
    fn cell(key: &str, row: &Self, frame: &Frame<'_>, cells: usize) -> Option<String> {
        match key {
            "percent" => used(row, frame.context, cells, frame.theme),
            "left_max" if row.change.is_some_and(Change::is_gone) => gone(row.change),
            // Not more than that: the least is another column.
            "left_max" => {
                let (left, at_most) = field::ports::left_figure(&row.ports?);
                let mark = if at_most { frame.theme.glyphs.at_most } else { "" };
                Some(format!("{mark}{}", format::count(left.into())))
            }
            _ => None,
        }
    }

    fn style(key: &str, row: &Self, theme: &Theme) -> Option<Style> {
        change_style(key, row.change, theme)
    }
}

impl Shown for Finding {
    fn cell(key: &str, row: &Self, frame: &Frame<'_>, cells: usize) -> Option<String> {
        match key {
            "severity" => Some(severity(row.severity).to_owned()),
            CHANGE => {
                let baseline = frame.data.selection.baseline.as_ref()?;
                let text = match (frame.data.is_over(row), baseline.had(row)) {
                    (true, _) => frame.data.over(),
                    (_, true) => "",
                    (_, false) => "new",
                };
                Some(text.to_owned())
            }
            // It is of another time.
            "since" if frame.data.is_over(row) => Some(frame.theme.glyphs.none.to_owned()),
            // For how long: what one compares is how old they are.
            "since" => Some(since::age(row, &frame.data, frame.theme)),
            "process" => {
                let value = field::find::<Self>(key)?.of(row, frame.context);
                let first = row.subject.processes.first()?;
                let Value::Text(text) = &value else { return None };
                let rest = text.strip_prefix(&*program::program(first))?;
                Some(format!("{}{rest}", named(first, cells.saturating_sub(width(rest)), frame.theme)))
            }
            "summary" => Some(in_short::sentence(row, cells, frame.theme)),
            _ => None,
        }
    }
}

/// How bad it is, as a word that stands out.
pub(super) const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "CRITICAL",
        Severity::Warning => "WARNING",
        Severity::Info => "info",
    }
}

impl Shown for SocketRows {
    fn cell(key: &str, row: Owned<'_>, frame: &Frame<'_>, cells: usize) -> Option<String> {
        match key {
            "process" if row.attribution.owners.is_empty() => {
                row.attribution.unknown.map(|why| reason(why.name(), cells, frame.theme))
            }
            "process" => {
                let value = field::find::<Self>(key)?.of(row, frame.context);
                let first = row.attribution.owners.first();
                named_first(&value, first.map(|first| &**first), cells, frame.theme)
            }
            CHANGE => {
                let then = frame.data.selection.baseline.as_ref()?.owned(&row)?;
                let text = match then {
                    SocketThen::New => "new",
                    SocketThen::Was(state) => state.name(),
                    SocketThen::Same => "",
                };
                Some(fit(text, cells, frame.theme.glyphs.ellipsis).into_owned())
            }
            // The name gives way, the PID stays whole.
            "opener" => who(row.attribution.opener.as_deref()?, cells, frame.theme),
            "closer" => who(row.attribution.closer.as_deref()?, cells, frame.theme),
            // Whose descriptors may not be read is still the socket's user.
            "user" if row.attribution.owners.is_empty() => {
                let uid = row.socket.detail()?.known_uid()?;
                Some(fit(&user(frame.data.moment, uid), cells, frame.theme.glyphs.ellipsis).into_owned())
            }
            _ => None,
        }
    }
}

/// Why nobody is named, in whole words: `[before start]`, or as much of it as says the same.
fn reason(name: &str, cells: usize, theme: &Theme) -> String {
    let word = name.split(' ').next().unwrap_or(name);
    let forms = [format!("[{name}]"), name.to_owned(), format!("[{word}]")];
    let whole = forms.into_iter().find(|form| width(form) <= cells);
    whole.unwrap_or_else(|| theme.glyphs.ellipsis.to_owned())
}

/// A process with its PID, which stays whole.
fn who(process: &Process, cells: usize, theme: &Theme) -> Option<String> {
    fit_before(program::name(process), &format!(" {}", process.key.pid), cells, theme.glyphs.ellipsis)
}

impl Shown for FailureRow {
    fn cell(key: &str, row: &Self, frame: &Frame<'_>, cells: usize) -> Option<String> {
        let process = row.failure.process.as_ref().filter(|_| key == "process")?;
        let pid = format!(" {}", process.key.pid);
        Some(format!("{}{pid}", named(process, cells.saturating_sub(width(&pid)), frame.theme)))
    }

    fn style(key: &str, row: &Self, theme: &Theme) -> Option<Style> {
        (key == "no_port" && row.failure.no_port > 0).then(|| theme.warning())
    }
}

/// The name of a user as the processes of `moment` tell it, else the number.
pub(super) fn user(moment: &Moment, uid: u32) -> Cow<'_, str> {
    let seen = moment.sample.processes.iter().find(|seen| seen.process.uid == uid);
    match seen {
        Some(seen) => Cow::Borrowed(&seen.process.user),
        None if uid == 0 => Cow::Borrowed("root"),
        None => Cow::Owned(uid.to_string()),
    }
}

/// The keys that a table of `columns` can be sorted by when it is `width` cells wide, in the order in which they
/// come up: those of the columns that are seen.
pub(super) fn sort_keys(columns: &[Column], width: u16, data: Option<&Data<'_>>) -> Vec<&'static str> {
    let absent = data.map(absent).unwrap_or_default();
    fitting(columns, width, &absent).iter().map(|(column, _)| column.key).collect()
}

/// The key of the column that cell `x` of a table of `columns` belongs to, when that is `width` cells wide.
pub(super) fn key_at(columns: &[Column], width: u16, x: u16, data: &Data<'_>) -> Option<&'static str> {
    let mut start = 0;
    fitting(columns, width, &absent(data)).into_iter().find_map(|(column, cells)| {
        let own = start..start + cells;
        start += cells + 1;
        own.contains(&x).then_some(column.key)
    })
}

/// The columns that have nothing to show in `data`.
pub(super) fn absent(data: &Data<'_>) -> Vec<&'static str> {
    let maybe = data.selection.aggregate.time_wait_evidence[Evidence::Candidates as usize];
    let mut absent = if maybe == 0 { vec![MAYBE] } else { vec![] };
    if data.selection.baseline.is_none() {
        absent.push(CHANGE);
    }
    if data.moment.trace.is_none() {
        absent.extend(TRACED);
    }
    absent
}

/// The title of the column in `pane` that shows `key`.
pub(super) fn name(pane: Pane, key: &'static str) -> &'static str {
    let Some(column) = columns(pane).iter().find(|column| column.key == key) else { return key };
    match pane {
        Pane::Processes => title::<ProcessRow>(column),
        Pane::Peers => title::<PeerRow>(column),
        Pane::Destinations => title::<DestinationRow>(column),
        Pane::Findings => title::<Finding>(column),
        Pane::Failures => title::<FailureRow>(column),
        Pane::Counters => title::<CounterRow>(column),
        Pane::Settings => title::<SettingRow>(column),
        Pane::Limits => title::<LimitRow>(column),
        _ => title::<SocketRows>(column),
    }
}

/// What the column in `pane` means that shows `key`.
pub(super) fn doc(pane: Pane, key: &str) -> &'static str {
    fn of<R: Row>(key: &str) -> &'static str {
        field::find::<R>(key).map_or("", |field| field.doc)
    }
    match pane {
        Pane::Processes => of::<ProcessRow>(key),
        Pane::Peers => of::<PeerRow>(key),
        Pane::Destinations => of::<DestinationRow>(key),
        Pane::Findings => of::<Finding>(key),
        _ => of::<SocketRows>(key),
    }
}

/// Whether sorting by `key` begins with the largest: figures do, text begins with A.
pub(super) fn starts_descending(pane: Pane, key: &str) -> bool {
    let text = columns(pane).iter().any(|column| column.key == key && column.widths[0] != column.widths[2]);
    let id = matches!(key, "pid" | "port" | "state" | "side" | "evidence" | "timer_kind" | "container");
    // The worst is the greatest.
    (!text || matches!(key, "percent" | "severity")) && !id && key != "since"
}

/// The order in which a table's rows come before it is sorted otherwise.
pub(super) fn default_sort(pane: Pane) -> Option<Sort> {
    let key = match pane {
        Pane::Processes | Pane::Peers => "sockets",
        Pane::Destinations | Pane::Limits => "percent",
        Pane::Sockets => "state",
        Pane::Findings => "severity",
        Pane::Failures => "failed_per_s",
        Pane::Counters => "per_s",
        Pane::Settings => "note",
        _ => return None,
    };
    Some(Sort { key, descending: starts_descending(pane, key) })
}

/// What the title of a column says before a table is sorted otherwise. Some come by urgency, which is no column.
pub(super) fn default_mark(pane: Pane) -> Option<Sort> {
    let by_urgency = [Pane::Sockets, Pane::Counters, Pane::Settings, Pane::Failures];
    default_sort(pane).filter(|_| !by_urgency.contains(&pane))
}

/// Every column that the table in `pane` can have, in the order in which they stand unless the person chose another.
pub(super) fn columns(pane: Pane) -> &'static [Column] {
    match pane {
        Pane::Processes => PROCESSES,
        Pane::Peers => PEERS,
        Pane::Destinations => DESTINATIONS,
        Pane::Sockets => SOCKETS,
        Pane::Findings => FINDINGS,
        Pane::Failures => FAILURES,
        Pane::Counters => kernel::COUNTERS,
        Pane::Settings => kernel::SETTINGS,
        Pane::Limits => kernel::LIMITS,
        _ => &[],
    }
}

/// The columns that fit into `width`, each with its width, one cell apart: as many as can have a good width, and
/// the most important ones even if they cannot. Those that are `absent` are left out.
pub(super) fn fitting<'c>(columns: &'c [Column], width: u16, absent: &[&str]) -> Vec<(&'c Column, u16)> {
    let width = usize::from(width);
    let mut kept: Vec<&'c Column> = columns.iter().filter(|column| !absent.contains(&column.key)).collect();
    let needed = |kept: &[&Column], which: usize| {
        let cells: usize = kept.iter().map(|column| usize::from(column.widths[which])).sum();
        cells + kept.len().saturating_sub(1)
    };
    while let Some(worst) = kept.iter().map(|column| column.rank).max() {
        let which = usize::from(worst > CORE);
        if needed(&kept, which) <= width {
            break;
        }
        kept.retain(|column| column.rank != worst);
    }
    let mut spare = width.saturating_sub(needed(&kept, 0));
    let mut placed: Vec<_> = kept.into_iter().map(|column| (column, column.widths[0])).collect();
    // Text gets its good width, then all that it can use, the most important first.
    let mut by_rank: Vec<usize> = (0..placed.len()).collect();
    by_rank.sort_by_key(|index| placed[*index].0.rank);
    for which in [1, 2] {
        for &index in &by_rank {
            let (column, cells) = &mut placed[index];
            let more = usize::from(column.widths[which] - *cells).min(spare);
            *cells += u16::try_from(more).unwrap_or(0);
            spare -= more;
        }
    }
    placed
}

/// The title of a column.
pub(super) fn title<R: Row>(column: &Column) -> &'static str {
    if column.title.is_empty() {
        field::find::<R>(column.key).map_or(column.key, |field| field.title)
    } else {
        column.title
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<R: Shown>(pane: Pane) {
        for column in columns(pane) {
            assert!(field::find::<R>(column.key).is_some(), "no field {}", column.key);
            assert!(title::<R>(column).len() <= usize::from(column.widths[0]), "{}", column.key);
        }
    }

    #[test]
    fn columns_show_fields_that_exist_under_titles_that_fit() {
        check::<ProcessRow>(Pane::Processes);
        check::<PeerRow>(Pane::Peers);
        check::<DestinationRow>(Pane::Destinations);
        check::<SocketRows>(Pane::Sockets);
        check::<Finding>(Pane::Findings);
        check::<FailureRow>(Pane::Failures);
        check::<CounterRow>(Pane::Counters);
        check::<SettingRow>(Pane::Settings);
        check::<LimitRow>(Pane::Limits);
    }

    #[test]
    fn columns_never_need_more_than_there_is() {
        for columns in Pane::TABLES.map(columns) {
            for width in 0..400 {
                let placed = fitting(columns, width, &[]);
                let cells: u16 = placed.iter().map(|(_, width)| width + 1).sum();
                assert!(cells <= width + 1, "{width}: {placed:?}");
            }
        }
    }
}
