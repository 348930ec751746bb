//! The page for people: what it says, before it is set as text or as Markdown.

use super::{Options, measures::Measures};
use crate::{
    field::{
        self, Align, Field, Row, Value,
        format::{self, grouped, percent, rate},
        program::program,
    },
    model::{Evidence, Stamp, StateCounts, TcpState, Unknown, text::printable},
    store::{ConnectFailure, Coverage, DestinationRow, Observation, PeerRow, ProcessRow, Rates},
};

/// What the page says. Every text is printable.
#[derive(Debug)]
pub(super) struct Report {
    /// The first line: which host, when.
    pub(super) title: Vec<String>,
    /// What was looked at and how well it could be seen, one sentence each.
    pub(super) facts: Vec<String>,
    /// The tables.
    pub(super) sections: Vec<Section>,
    /// What went wrong or is missing, one sentence each.
    pub(super) warnings: Vec<String>,
    /// How to see more.
    pub(super) hint: Option<&'static str>,
}

/// A table with its title.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// How many more rows there are.
    pub(super) more: usize,
}

impl Section {
    /// The section with its title, and with so many more rows left out of it.
    fn titled(self, title: impl Into<String>, omitted: u32) -> Self {
        Self { title: title.into(), more: self.more + omitted as usize, ..self }
    }

    /// What follows the table.
    pub(super) fn note(&self) -> Option<String> {
        match self.more {
            0 if self.rows.is_empty() => Some("None.".to_owned()),
            0 => None,
            more => Some(format!("and {} more", grouped(more as u64))),
        }
    }
}

/// A column of a table.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) align: Align,
    /// How its texts may be cut where the page is too narrow.
    pub(super) cut: Cut,
    /// Where the page is too narrow, columns of the highest rank are left out first.
    pub(super) rank: u8,
}

/// How a text gives way to a narrow page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Not at all.
    Never,
    /// At its end.
    End,
    /// In its middle: of an address both ends say something.
    Middle,
}

/// A cell of a table.
#[derive(Debug, PartialEq)]
pub(super) enum Cell {
    Text(String),
    /// A share of 1, to be drawn.
    Bar(f64),
}

/// The fields of each table in their order, each with its rank. States come worst first, as
/// [`TcpState::ALL`] has them.
const PROCESS_KEYS: &[(&str, u8)] = &[
    ("pid", 0),
    ("program", 0),
    ("sockets", 1),
    ("time_wait", 0),
    ("time_wait_maybe", 2),
    ("close_wait", 0),
    ("established", 3),
    ("syn_sent", 2),
    ("syn_recv", 5),
    ("fin_wait1", 7),
    ("fin_wait2", 5),
    ("last_ack", 6),
    ("closing", 8),
    ("listen", 9),
    ("bound_inactive", 10),
    ("close", 10),
    ("opened_per_s", 6),
    ("closed_per_s", 4),
    ("lifetime_p50_s", 4),
    ("lifetime_p99_s", 6),
    ("evidence", 2),
    ("fds", 8),
];
const PEER_KEYS: &[(&str, u8)] = &[
    ("address", 0),
    ("port", 0),
    ("side", 0),
    ("sockets", 3),
    ("time_wait", 0),
    ("close_wait", 2),
    ("established", 5),
    ("syn_sent", 4),
    ("syn_recv", 5),
    ("fin_wait1", 7),
    ("fin_wait2", 6),
    ("last_ack", 7),
    ("closing", 8),
    ("closed_per_s", 5),
    ("lifetime_p50_s", 5),
    ("lifetime_p99_s", 7),
    ("processes", 1),
    ("evidence", 3),
];
const DESTINATION_KEYS: &[(&str, u8)] = &[
    ("source", 4),
    ("peer_endpoint", 0),
    ("left", 0),
    ("percent", 1),
    ("forecast", 1),
    ("taken", 3),
    ("time_wait", 2),
    ("opened_per_s", 3),
    ("sustainable_per_s", 5),
];

impl Report {
    pub(super) fn of(observation: &Observation, options: &Options<'_>) -> Self {
        let measures = Measures::of(observation, options.query);
        let aggregate = &observation.aggregate;
        let processes: Vec<_> = aggregate.processes.iter().collect();
        let peers: Vec<_> = aggregate.peers.iter().collect();
        let destinations: Vec<_> = aggregate.destinations.iter().collect();
        let ports = ports_title(observation, &measures);
        let (measures, top) = (&measures, options.top);
        Self {
            title: title(observation),
            facts: facts(observation, options, measures),
            sections: vec![
                states(&aggregate.states, measures.sockets),
                table::<DestinationRow>(&destinations, DESTINATION_KEYS, measures, top)
                    .titled(ports, aggregate.destinations_omitted),
                table::<ProcessRow>(&processes, PROCESS_KEYS, measures, top).titled("Processes", 0),
                table::<PeerRow>(&peers, PEER_KEYS, measures, top).titled("Peers", aggregate.peers_omitted),
            ]
            .into_iter()
            .chain(failures(observation, top))
            .collect(),
            warnings: warnings(observation),
            hint: observation
                .elapsed_s
                .is_none()
                .then_some("This was one look; --for 10 adds rates and the owners of what opens meanwhile."),
        }
    }
}

fn title(observation: &Observation) -> Vec<String> {
    let sample = &observation.moment.sample;
    vec![
        format!("twtop {}", env!("CARGO_PKG_VERSION")),
        printable(&sample.host.name).into_owned(),
        format!("Linux {}", printable(&sample.host.kernel)),
        format::time(sample.stamp.wall),
    ]
}

fn facts(observation: &Observation, options: &Options<'_>, measures: &Measures) -> Vec<String> {
    let netns = observation.moment.sample.netns;
    let time = match observation.elapsed_s {
        Some(elapsed) => format!("observed for {}", format::seconds(elapsed)),
        None => "one look".to_owned(),
    };
    let sockets = plural(measures.sockets, "socket");
    let mut facts = vec![format!("{sockets} in network namespace {netns}, {time}.")];
    if !options.query.is_all() {
        let filter = options.query.to_string();
        facts.push(format!("Only sockets that match: {}", printable(&filter)));
    }
    if measures.sockets > 0 {
        facts.push(owners(observation, measures));
    }
    facts.extend(time_wait_sides(measures));
    if observation.elapsed_s.is_some() {
        facts.push(rates(&observation.rates));
    }
    if let (Some(entries), Some(attributed)) = (measures.time_wait_entries, measures.time_wait_attributed) {
        let (entries, attributed) = (grouped(entries), grouped(attributed));
        facts.push(if measures.traced {
            format!("Entries into TIME_WAIT: who closed is known of {attributed} of {entries}, by the trace.")
        } else {
            format!(
                "Entries into TIME_WAIT: {entries}; of those still there, {attributed} have a known owner."
            )
        });
    }
    let traced = observation.moment.trace.as_ref();
    facts.extend(traced.map(|traced| trace_coverage(&traced.coverage, observation.moment.sample.stamp)));
    facts
}

/// Since the trace began: what it does not account for and why, and when its coverage is whole.
fn trace_coverage(coverage: &Coverage, stamp: Stamp) -> String {
    let parts = coverage.remainder().map(|(reason, count)| format!(", {} {reason}", grouped(count)));
    let parts = parts.collect::<Vec<_>>().concat();
    let exact = format::time(stamp.wall_at(coverage.exact_at));
    let verb = if coverage.exact_at > stamp.since_boot { "will be exact from" } else { "exact since" };
    let [attributed, entries] = [coverage.attributed, coverage.entries].map(grouped);
    format!("Since the trace began: {attributed} of {entries} entries{parts}; {verb} {exact}.")
}

fn owners(observation: &Observation, measures: &Measures) -> String {
    let (owned, sockets) = (measures.owned, measures.sockets);
    let share = percent(f64::from(owned) * 100.0 / f64::from(sockets));
    let mut parts =
        vec![format!("Owners: {} of {} known ({share})", grouped(owned.into()), grouped(sockets.into()))];
    let candidates = observation.aggregate.evidence[Evidence::Candidates as usize];
    if candidates > 0 {
        parts.push(format!("{} with several candidates", grouped(candidates.into())));
    }
    let unknown = observation.aggregate.evidence[Evidence::Unknown as usize];
    if unknown > 0 {
        let reasons = Unknown::ALL.iter().zip(measures.reasons).filter(|(_, count)| *count > 0);
        let reasons: Vec<_> =
            reasons.map(|(why, count)| format!("{} {}", grouped(count.into()), why.name())).collect();
        parts.push(format!("{} unknown ({})", grouped(unknown.into()), reasons.join(", ")));
    }
    format!("{}.", parts.join("; "))
}

/// Who closed first: that end is the one that a `TIME_WAIT` stays with.
fn time_wait_sides(measures: &Measures) -> Option<String> {
    let (client, server) = measures.time_waits;
    let sides = [(client, "client side"), (server, "server side")];
    let parts: Vec<_> = sides
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, side)| format!("{} {side}", grouped((*count).into())))
        .collect();
    (!parts.is_empty()).then(|| format!("TIME_WAIT (our end closed first): {}.", parts.join(", ")))
}

fn rates(rates: &Rates) -> String {
    let named = [
        ("opened", rates.opened),
        ("accepted", rates.accepted),
        ("closed", rates.closed),
        ("into TIME_WAIT", rates.time_wait),
        ("failed for want of a port", rates.connect_failures),
    ];
    let known: Vec<_> =
        named.iter().filter_map(|(name, n)| Some(format!("{name} {}", rate((*n)?)))).collect();
    if known.is_empty() {
        return "Rates of the namespace: not known.".to_owned();
    }
    format!("Rates of the namespace: {}.", known.join(", "))
}

/// The states that occur, and those that one asks about first even when they do not.
fn states(counts: &StateCounts, total: u32) -> Section {
    let asked = [TcpState::TimeWait, TcpState::CloseWait, TcpState::Established];
    let shown = counts.iter().filter(|(state, count)| *count > 0 || asked.contains(state));
    let share = |count: u32| if total == 0 { 0.0 } else { f64::from(count) / f64::from(total) };
    let row = |(state, count): (TcpState, u32)| {
        vec![
            Cell::Text(state.name().to_owned()),
            Cell::Text(grouped(count.into())),
            Cell::Text(percent(share(count) * 100.0)),
            Cell::Bar(share(count)),
        ]
    };
    Section {
        title: "States".to_owned(),
        columns: vec![
            column("STATE", Align::Left),
            column("COUNT", Align::Right),
            column("SHARE", Align::Right),
            column("", Align::Left),
        ],
        rows: shown.map(row).collect(),
        more: 0,
    }
}

/// Failed calls of `connect()`, where the trace told of any.
fn failures(observation: &Observation, top: usize) -> Option<Section> {
    let all = &observation.failures;
    let row = |failed: &ConnectFailure| {
        let process = failed.process.as_ref().map_or_else(
            || "[unknown]".to_owned(),
            |process| format!("{} {}", printable(&program(process)), process.key.pid),
        );
        let source =
            if failed.source.is_unspecified() { "any".to_owned() } else { failed.source.to_string() };
        let counts = [failed.no_port, failed.other].map(grouped);
        let texts = [process, source, failed.peer.to_string()].into_iter().chain(counts);
        texts.map(Cell::Text).collect()
    };
    let elastic = |title, cut, rank| Column { cut, rank, ..column(title, Align::Left) };
    (!all.is_empty()).then(|| Section {
        title: "Failed connect() calls, by the trace".to_owned(),
        columns: vec![
            elastic("PROCESS", Cut::End, 0),
            elastic("SOURCE", Cut::Middle, 4),
            elastic("DESTINATION", Cut::Middle, 0),
            column("NO PORT", Align::Right),
            column("OTHER", Align::Right),
        ],
        rows: all.iter().take(top).map(row).collect(),
        more: all.len().saturating_sub(top),
    })
}

const fn column(title: &'static str, align: Align) -> Column {
    Column { title, align, cut: Cut::Never, rank: 0 }
}

fn ports_title(observation: &Observation, measures: &Measures) -> String {
    // Of the whole namespace: what a filter drops uses its port all the same.
    let in_use = observation.moment.totals.ports_in_use;
    match &measures.range {
        Some(range) => {
            let share = f64::from(in_use) * 100.0 / f64::from(range.usable.max(1));
            format!(
                "Ports {}-{}: {} of {} in use ({})",
                range.low,
                range.high,
                grouped(in_use.into()),
                grouped(range.usable.into()),
                percent(share)
            )
        }
        None => "Ports: range not known".to_owned(),
    }
}

/// The first rows with the fields of `keys` as columns, each with its rank. Columns in which nothing is known are
/// left out, and those of states in which nothing is.
fn table<R: Row>(rows: &[R::Ref<'_>], keys: &[(&str, u8)], measures: &Measures, top: usize) -> Section {
    let shown = &rows[..rows.len().min(top)];
    let says = |field: &&'static Field<R>| {
        let mut values = shown.iter().map(|row| field.of(*row, &measures.context));
        let optional = is_optional(field.key);
        values.any(|value| !(value.is_none() || optional && value == Value::Count(0)))
    };
    let ranked = keys.iter().filter_map(|(key, rank)| Some((field::find::<R>(key)?, *rank)));
    let fields: Vec<_> = ranked.filter(|(field, _)| says(field)).collect();
    let cells = |row: &R::Ref<'_>| -> Vec<Cell> {
        let text =
            |(field, _): &(&Field<R>, u8)| format::value(&field.of(*row, &measures.context)).into_owned();
        fields.iter().map(|field| Cell::Text(text(field))).collect()
    };
    Section {
        title: String::new(),
        columns: fields
            .iter()
            .map(|&(field, rank)| Column {
                title: field.title,
                align: field.align,
                cut: cut(field.key),
                rank,
            })
            .collect(),
        rows: shown.iter().map(cells).collect(),
        more: rows.len() - shown.len(),
    }
}

/// Whether a column of zeros is not worth its room: that of a state other than the one that it is all about, and
/// that of doubts.
fn is_optional(key: &str) -> bool {
    let mut states = TcpState::ALL.into_iter().filter(|state| *state != TcpState::TimeWait);
    key == "time_wait_maybe" || states.any(|state| field::state_key(state) == key)
}

/// How the values of a field may be cut.
fn cut(key: &str) -> Cut {
    match key {
        "address" | "source" | "peer_endpoint" => Cut::Middle,
        "program" | "processes" | "evidence" => Cut::End,
        _ => Cut::Never,
    }
}

fn warnings(observation: &Observation) -> Vec<String> {
    let sample = &observation.moment.sample;
    let mut warnings = Vec::new();
    if !sample.complete {
        warnings.push("The list of sockets broke off: every count is too low.".to_owned());
    }
    warnings.extend(sample.faults.iter().map(|fault| {
        let what = fault.kind.to_string();
        format!("{}: {} ({} times).", printable(&fault.place), printable(&what), grouped(fault.count))
    }));
    if sample.scan.denied > 0 {
        let (denied, all) = (grouped(sample.scan.denied.into()), grouped(sample.scan.processes.into()));
        warnings.push(format!("The descriptors of {denied} of {all} processes could not be read."));
    }
    let privileges = &sample.privileges;
    if !privileges.missing.is_empty() {
        let missing = privileges.missing.join(", ");
        warnings.push(format!("Missing privileges: {}.", printable(&missing)));
    }
    if !privileges.trace_missing.is_empty() {
        let missing = privileges.trace_missing.join(", ");
        warnings.push(format!("Missing for the trace of who closes: {}.", printable(&missing)));
    }
    if !privileges.hint.is_empty() {
        warnings.push(printable(&privileges.hint).into_owned());
    }
    warnings
}

fn plural(n: u32, thing: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {thing}{s}", grouped(n.into()))
}
