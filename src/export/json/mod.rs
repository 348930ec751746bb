//! The snapshot as one JSON object, schema `twtop.snapshot/1` (`assets/twtop.snapshot.1.schema.json`).
//! Every key is always there; what is not known is `null`.

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use super::{Options, measures::Measures};
use crate::{
    model::{Cost, Counters, Evidence, Fault, Limits, StateCounts, Sysctls, Unknown},
    store::{BindPool, DestinationRow, Moment, Observation, PeerRow, PortRange, ProcessRow, TimeWaitLife},
};
use findings::{Diagnosis, Findings};
use rows::{Failures, Rows, Sockets};
use safe::Safe;

mod findings;
mod rows;
mod safe;

/// The name and version of the snapshot's schema.
pub const SNAPSHOT_SCHEMA: &str = "twtop.snapshot/1";
/// The name and version of the diagnosis's schema (`assets/twtop.diagnose.1.schema.json`).
pub const DIAGNOSE_SCHEMA: &str = "twtop.diagnose/1";

/// Writes the snapshot as one line.
pub(super) fn write(observation: &Observation, options: &Options<'_>, out: &mut dyn Write) -> io::Result<()> {
    let measures = Measures::of(observation, options.query);
    line(&Snapshot::of(observation, options, &measures), out)
}

/// Writes the diagnosis as one line.
pub(super) fn write_diagnosis(
    observation: &Observation,
    options: &Options<'_>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let measures = Measures::of(observation, options.query);
    let diagnosis = Diagnosis {
        schema: DIAGNOSE_SCHEMA,
        version: env!("CARGO_PKG_VERSION"),
        taken_at: observation.moment.sample.stamp.wall.to_string(),
        observed_s: rounded(observation.elapsed_s.unwrap_or(0.0)),
        filter: (!options.query.is_all()).then(|| options.query.to_string()),
        coverage: Coverage::of(observation, &measures),
        findings: Findings(options.findings),
    };
    line(&diagnosis, out)
}

fn line(object: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut out = io::BufWriter::new(out);
    object.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Safe))?;
    out.write_all(b"\n")?;
    out.flush()
}

#[derive(Serialize)]
struct Snapshot<'a> {
    schema: &'static str,
    version: &'static str,
    taken_at: String,
    observed_s: f64,
    filter: Option<String>,
    host: Host<'a>,
    netns: u64,
    privileges: Privileges<'a>,
    coverage: Coverage<'a>,
    states: States<'a>,
    rates: Rates,
    processes: Rows<'a, ProcessRow>,
    peers: Rows<'a, PeerRow>,
    peers_omitted: u32,
    ports: Ports<'a>,
    connect_failures: Option<Failures<'a>>,
    findings: Findings<'a>,
    counters: CounterMap<'a>,
    sysctls: &'a Sysctls,
    limits: LimitMap<'a>,
    own_cost: OwnCost,
    sockets: Option<Sockets<'a>>,
}

impl<'a> Snapshot<'a> {
    fn of(observation: &'a Observation, options: &Options<'a>, measures: &'a Measures) -> Self {
        let moment = &*observation.moment;
        let sample = &moment.sample;
        let aggregate = &observation.aggregate;
        let query = options.query;
        Self {
            schema: SNAPSHOT_SCHEMA,
            version: env!("CARGO_PKG_VERSION"),
            taken_at: sample.stamp.wall.to_string(),
            observed_s: rounded(observation.elapsed_s.unwrap_or(0.0)),
            filter: (!query.is_all()).then(|| query.to_string()),
            host: Host { name: &sample.host.name, kernel: &sample.host.kernel, hz: sample.host.hz },
            netns: sample.netns,
            privileges: Privileges {
                complete: sample.privileges.complete,
                missing: &sample.privileges.missing,
                trace_missing: &sample.privileges.trace_missing,
                hint: &sample.privileges.hint,
            },
            coverage: Coverage::of(observation, measures),
            states: States(&aggregate.states),
            rates: Rates::of(observation),
            processes: Rows { rows: &aggregate.processes, measures },
            peers: Rows { rows: &aggregate.peers, measures },
            peers_omitted: aggregate.peers_omitted,
            ports: Ports {
                ranges: measures.range.iter().map(|range| Range::of(sample.netns, range)).collect(),
                in_use: measures.range.as_ref().map(|_| moment.totals.ports_in_use),
                destinations: Rows { rows: &aggregate.destinations, measures },
                destinations_omitted: aggregate.destinations_omitted,
                bind_pools: Rows { rows: &moment.totals.bind_pools, measures },
                time_wait_life_s: Life::of(&TimeWaitLife::at(sample.host.hz)),
            },
            connect_failures: moment.trace.is_some().then_some(Failures(&observation.failures)),
            findings: Findings(options.findings),
            counters: CounterMap { counters: &sample.counters, rates: &observation.counter_rates },
            sysctls: &sample.sysctls,
            limits: LimitMap(&sample.limits),
            own_cost: OwnCost::of(&sample.cost),
            sockets: options.sockets.then_some(Sockets { moment, query }),
        }
    }
}

#[derive(Serialize)]
struct Host<'a> {
    name: &'a str,
    kernel: &'a str,
    hz: Option<u32>,
}

#[derive(Serialize)]
struct Privileges<'a> {
    complete: bool,
    missing: &'a [String],
    trace_missing: &'a [String],
    hint: &'a str,
}

#[derive(Serialize)]
struct Coverage<'a> {
    sockets: u32,
    owned: u32,
    by_evidence: ByEvidence<'a>,
    unknown_by_reason: Reasons<'a>,
    time_wait_entries: Option<u64>,
    time_wait_attributed: Option<u64>,
    events_lost: Option<u64>,
    trace: Option<TraceCoverage>,
    complete: bool,
    processes_scanned: u32,
    processes_denied: u32,
    faults: Faults<'a>,
}

impl<'a> Coverage<'a> {
    fn of(observation: &'a Observation, measures: &'a Measures) -> Self {
        let sample = &observation.moment.sample;
        Self {
            sockets: measures.sockets,
            owned: measures.owned,
            by_evidence: ByEvidence(&observation.aggregate.evidence),
            unknown_by_reason: Reasons(&measures.reasons),
            time_wait_entries: measures.time_wait_entries,
            time_wait_attributed: measures.time_wait_attributed,
            events_lost: observation.moment.trace.as_ref().map(|traced| traced.tally.lost),
            trace: TraceCoverage::of(&observation.moment),
            complete: sample.complete,
            processes_scanned: sample.scan.processes,
            processes_denied: sample.scan.denied,
            faults: Faults(&sample.faults),
        }
    }
}

/// How far the trace accounts for the entries into `TIME_WAIT` since it began.
#[derive(Serialize)]
struct TraceCoverage {
    since: String,
    exact_at: String,
    entries: u64,
    attributed: u64,
    before_start: u64,
    nameless: u64,
    lost: u64,
    untold: u64,
}

impl TraceCoverage {
    fn of(moment: &Moment) -> Option<Self> {
        let coverage = &moment.trace.as_ref()?.coverage;
        let stamp = moment.sample.stamp;
        Some(Self {
            since: stamp.wall_at(coverage.since).to_string(),
            exact_at: stamp.wall_at(coverage.exact_at).to_string(),
            entries: coverage.entries,
            attributed: coverage.attributed,
            before_start: coverage.before_start,
            nameless: coverage.nameless,
            lost: coverage.lost,
            untold: coverage.untold,
        })
    }
}

struct Faults<'a>(&'a [Fault]);

impl Serialize for Faults<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct One<'a> {
            r#where: &'a str,
            what: String,
            count: u64,
        }
        serializer.collect_seq(self.0.iter().map(|fault| One {
            r#where: &fault.place,
            what: fault.kind.to_string(),
            count: fault.count,
        }))
    }
}

struct States<'a>(&'a StateCounts);

impl Serialize for States<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(state, count)| (state.name(), count)))
    }
}

struct ByEvidence<'a>(&'a [u32; Evidence::ALL.len()]);

impl Serialize for ByEvidence<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Evidence::ALL.iter().map(|evidence| evidence.name()).zip(self.0))
    }
}

struct Reasons<'a>(&'a [u32; Unknown::ALL.len()]);

impl Serialize for Reasons<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Unknown::ALL.iter().map(|why| why.name().replace(' ', "_")).zip(self.0))
    }
}

#[derive(Serialize)]
struct Rates {
    #[serde(rename = "opened_per_s")]
    opened: Option<f64>,
    #[serde(rename = "accepted_per_s")]
    accepted: Option<f64>,
    #[serde(rename = "closed_per_s")]
    closed: Option<f64>,
    #[serde(rename = "time_wait_per_s")]
    time_wait: Option<f64>,
    #[serde(rename = "connect_failures_per_s")]
    connect_failures: Option<f64>,
    #[serde(rename = "connect_attempts_failed_per_s")]
    attempts_failed: Option<f64>,
}

impl Rates {
    fn of(observation: &Observation) -> Self {
        let rates = &observation.rates;
        Self {
            opened: rates.opened.map(rounded),
            accepted: rates.accepted.map(rounded),
            closed: rates.closed.map(rounded),
            time_wait: rates.time_wait.map(rounded),
            connect_failures: rates.connect_failures.map(rounded),
            attempts_failed: counter_rate(observation, "TcpAttemptFails").map(rounded),
        }
    }
}

fn counter_rate(observation: &Observation, name: &str) -> Option<f64> {
    let index = observation.moment.sample.counters.iter().position(|(known, _)| &**known == name)?;
    observation.counter_rates.get(index).copied().flatten()
}

#[derive(Serialize)]
struct Ports<'a> {
    ranges: Vec<Range>,
    in_use: Option<u32>,
    destinations: Rows<'a, DestinationRow>,
    destinations_omitted: u32,
    bind_pools: Rows<'a, BindPool>,
    time_wait_life_s: Life,
}

#[derive(Serialize)]
struct Life {
    min: f64,
    max: f64,
}

impl Life {
    fn of(life: &TimeWaitLife) -> Self {
        Self { min: rounded(life.min_s), max: rounded(life.max_s) }
    }
}

#[derive(Serialize)]
struct Range {
    netns: u64,
    low: u16,
    high: u16,
    reserved: u32,
    usable: u32,
}

impl Range {
    fn of(netns: u64, range: &PortRange) -> Self {
        Self { netns, low: range.low, high: range.high, reserved: range.reserved, usable: range.usable }
    }
}

struct CounterMap<'a> {
    counters: &'a Counters,
    rates: &'a [Option<f64>],
}

impl Serialize for CounterMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Counter {
            value: u64,
            per_s: Option<f64>,
        }
        let counters = self.counters.iter().enumerate();
        serializer.collect_map(counters.map(|(index, (name, value))| {
            let per_s = self.rates.get(index).copied().flatten().map(rounded);
            (&**name, Counter { value, per_s })
        }))
    }
}

struct LimitMap<'a>(&'a Limits);

impl Serialize for LimitMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Limit {
            value: u64,
            max: u64,
        }
        serializer.collect_map(
            self.0.iter().map(|(name, limit)| (name, Limit { value: limit.value, max: limit.max })),
        )
    }
}

#[derive(Serialize)]
struct OwnCost {
    cpu_percent: Option<f64>,
    rss_bytes: Option<u64>,
    dump_ms: f64,
    interval_s: Option<f64>,
}

impl OwnCost {
    fn of(cost: &Cost) -> Self {
        let interval_s = Some(cost.interval.as_secs_f64()).filter(|seconds| *seconds > 0.0);
        let percent = |interval_s: f64| rounded(cost.cpu.as_secs_f64() * 100.0 / interval_s);
        Self {
            cpu_percent: interval_s.map(percent),
            rss_bytes: Some(cost.rss_bytes).filter(|bytes| *bytes > 0),
            dump_ms: rounded(cost.dump.as_secs_f64() * 1000.0),
            interval_s,
        }
    }
}

/// A figure to three decimals: more would be noise.
fn rounded(n: f64) -> f64 {
    (n * 1000.0).round() / 1000.0
}
