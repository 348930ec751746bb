//! The page for people: what it says, before it is set as text or as Markdown.

use super::{
    Options,
    measures::{Measures, REASONS},
};
use crate::{
    field::{
        self, Align, Field, Row, Value,
        format::{self, grouped, percent, rate},
    },
    model::{Evidence, StateCounts, TcpState, text::printable},
    store::{DestinationRow, Observation, PeerRow, ProcessRow, Rates},
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

const PROCESS_KEYS: [&str; 10] = [
    "pid",
    "name",
    "sockets",
    "time_wait",
    "time_wait_maybe",
    "close_wait",
    "established",
    "opened_per_s",
    "closed_per_s",
    "fds",
];
const PEER_KEYS: [&str; 9] = [
    "address",
    "port",
    "side",
    "sockets",
    "time_wait",
    "close_wait",
    "established",
    "closed_per_s",
    "processes",
];
const DESTINATION_KEYS: [&str; 6] =
    ["source", "peer_endpoint", "taken", "percent", "time_wait", "opened_per_s"];

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
                table::<DestinationRow>(&destinations, &DESTINATION_KEYS, measures, top)
                    .titled(ports, aggregate.destinations_omitted),
                table::<ProcessRow>(&processes, &PROCESS_KEYS, measures, top).titled("Processes", 0),
                table::<PeerRow>(&peers, &PEER_KEYS, measures, top).titled("Peers", aggregate.peers_omitted),
            ],
            warnings: warnings(observation),
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
    facts.push(rates(&observation.rates));
    if let (Some(entries), Some(attributed)) = (measures.time_wait_entries, measures.time_wait_attributed) {
        facts.push(format!(
            "Entries into TIME_WAIT: {}; of those still there, {} have a known owner.",
            grouped(entries),
            grouped(attributed)
        ));
    }
    facts
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
        let reasons = REASONS.iter().zip(measures.reasons).filter(|(_, count)| *count > 0);
        let reasons: Vec<_> =
            reasons.map(|(why, count)| format!("{} {}", grouped(count.into()), why.name())).collect();
        parts.push(format!("{} unknown ({})", grouped(unknown.into()), reasons.join(", ")));
    }
    format!("{}.", parts.join("; "))
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
        return "Rates: not known from one look; observe for a while (--for 10).".to_owned();
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
            column("STATE", Align::Left, Cut::Never),
            column("COUNT", Align::Right, Cut::Never),
            column("SHARE", Align::Right, Cut::Never),
            column("", Align::Left, Cut::Never),
        ],
        rows: shown.map(row).collect(),
        more: 0,
    }
}

const fn column(title: &'static str, align: Align, cut: Cut) -> Column {
    Column { title, align, cut }
}

fn ports_title(observation: &Observation, measures: &Measures) -> String {
    let in_use = observation.aggregate.ports_in_use;
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

/// The first rows with the fields of `keys` as columns; columns in which nothing is known are left out.
fn table<R: Row>(rows: &[R::Ref<'_>], keys: &[&str], measures: &Measures, top: usize) -> Section {
    let shown = &rows[..rows.len().min(top)];
    let says = |field: &&'static Field<R>| {
        let mut values = shown.iter().map(|row| field.of(*row, &measures.context));
        // A column of doubts is worth its room only where there are some.
        let doubts = field.key == "time_wait_maybe";
        values.any(|value| !(value.is_none() || doubts && value == Value::Count(0)))
    };
    let fields: Vec<_> = keys.iter().filter_map(|key| field::find::<R>(key)).filter(says).collect();
    let cells = |row: &R::Ref<'_>| -> Vec<Cell> {
        let text = |field: &&Field<R>| format::value(&field.of(*row, &measures.context)).into_owned();
        fields.iter().map(|field| Cell::Text(text(field))).collect()
    };
    Section {
        title: String::new(),
        columns: fields.iter().map(|field| column(field.title, field.align, cut(field.key))).collect(),
        rows: shown.iter().map(cells).collect(),
        more: rows.len() - shown.len(),
    }
}

/// How the values of a field may be cut.
fn cut(key: &str) -> Cut {
    match key {
        "address" | "source" | "peer_endpoint" => Cut::Middle,
        "name" | "processes" => Cut::End,
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
    if !privileges.hint.is_empty() {
        warnings.push(printable(&privileges.hint).into_owned());
    }
    warnings
}

fn plural(n: u32, thing: &str) -> String {
    let s = if n == 1 { "" } else { "s" };
    format!("{} {thing}{s}", grouped(n.into()))
}
