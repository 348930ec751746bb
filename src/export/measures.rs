//! Figures that outputs need beside those of the aggregate.

use std::{collections::BTreeMap, net::IpAddr};

use crate::{
    field::Context,
    model::{Endpoint, Evidence, Side, TcpState, Unknown},
    query::Query,
    store::{ConnectFailure, Observation, PortRange},
};

/// Figures over an observation.
#[derive(Debug, Clone)]
pub(super) struct Measures {
    /// Sockets that the filter keeps.
    pub(super) sockets: u32,
    /// Of those, sockets whose owner is known for sure.
    pub(super) owned: u32,
    /// Of those, sockets without an owner, in the order of [`Unknown::ALL`].
    pub(super) reasons: [u32; Unknown::ALL.len()],
    /// `TIME_WAIT`s that the filter keeps: of our client side, of our server side.
    pub(super) time_waits: (u32, u32),
    /// Entries into `TIME_WAIT` over the observation, by the exact counter; the filter does not apply.
    pub(super) time_wait_entries: Option<u64>,
    /// With a trace of all of the time, those of them of which it is known who closed. Otherwise the
    /// `TIME_WAIT`s of the newest sample that were entered during the observation and have an owner for
    /// sure. The filter does not apply.
    pub(super) time_wait_attributed: Option<u64>,
    /// Whether there was a trace of all of the time.
    pub(super) traced: bool,
    /// Calls of `connect()` that found no port, by source and destination; `None` without a trace.
    no_port: Option<BTreeMap<(IpAddr, Endpoint), u64>>,
    /// The range of local ports.
    pub(super) range: Option<PortRange>,
    /// What getters of fields need.
    pub(super) context: Context,
}

impl Measures {
    pub(super) fn of(observation: &Observation, query: &Query) -> Self {
        let aggregate = &observation.aggregate;
        let sockets = aggregate.states.total();
        let range = PortRange::from_sysctls(&observation.moment.sample.sysctls);
        let context = Context {
            elapsed_s: observation.elapsed_s,
            usable_ports: range.as_ref().map(|range| range.usable),
            sockets,
        };
        let (reasons, time_waits) = counts(observation, query);
        Self {
            sockets,
            owned: Evidence::ALL[..Evidence::Candidates as usize]
                .iter()
                .map(|evidence| aggregate.evidence[*evidence as usize])
                .sum(),
            reasons,
            time_waits,
            time_wait_entries: entries(observation),
            time_wait_attributed: closes_known(observation)
                .or_else(|| observation.elapsed_s.map(|elapsed| attributed(observation, elapsed))),
            traced: observation.named_closes.is_some(),
            no_port: observation.moment.trace.as_ref().map(|_| no_port(&observation.failures)),
            range,
            context,
        }
    }

    /// Calls of `connect()` from `source` to `peer` that found no port; `None` without a trace.
    pub(super) fn no_port(&self, source: IpAddr, peer: Endpoint) -> Option<u64> {
        Some(self.no_port.as_ref()?.get(&(source, peer)).copied().unwrap_or(0))
    }
}

fn no_port(failures: &[ConnectFailure]) -> BTreeMap<(IpAddr, Endpoint), u64> {
    let mut sums = BTreeMap::new();
    for failed in failures.iter().filter(|failed| failed.no_port > 0) {
        *sums.entry((failed.source, failed.peer)).or_insert(0) += failed.no_port;
    }
    sums
}

/// The reasons for there being no owner, and the `TIME_WAIT`s of either side, counted.
fn counts(observation: &Observation, query: &Query) -> ([u32; Unknown::ALL.len()], (u32, u32)) {
    let (mut reasons, mut time_waits) = ([0; Unknown::ALL.len()], (0, 0));
    let mut matcher = query.matcher();
    for socket in observation.moment.iter().filter(|socket| matcher.matches(socket)) {
        let why = socket.attribution.unknown;
        if let Some(place) = why.and_then(|why| Unknown::ALL.iter().position(|reason| *reason == why)) {
            reasons[place] += 1;
        }
        if socket.socket.row().state == TcpState::TimeWait {
            match socket.link.side() {
                Some(Side::Client) => time_waits.0 += 1,
                Some(Side::Server) => time_waits.1 += 1,
                None => {}
            }
        }
    }
    (reasons, time_waits)
}

/// How many entries the trace names somebody for. A connection that was reset after its FIN never entered.
fn closes_known(observation: &Observation) -> Option<u64> {
    Some(observation.named_closes?.min(entries(observation)?))
}

/// The counter's growth, taken back from its rate.
fn entries(observation: &Observation) -> Option<u64> {
    let growth = (observation.rates.time_wait? * observation.elapsed_s?).round();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a growth is not negative")]
    growth.is_finite().then_some(growth as u64)
}

fn attributed(observation: &Observation, elapsed_s: f64) -> u64 {
    let entered = |age_ms: u32| f64::from(age_ms) <= elapsed_s * 1000.0;
    let counted = observation.moment.iter().filter(|socket| {
        let row = socket.socket.row();
        row.state == TcpState::TimeWait
            && socket.attribution.evidence < Evidence::Candidates
            && row.time_wait_age_ms().is_some_and(entered)
    });
    counted.count() as u64
}
