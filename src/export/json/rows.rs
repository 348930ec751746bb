//! The rows of the snapshot: processes, peers, destinations, sockets. Each is made as it is written.

use std::{net::IpAddr, sync::Arc};

use serde::{Serialize, Serializer};

use super::{ByEvidence, Measures, States, rounded};
use crate::{
    field::{self, format::time},
    model::{Detail, Process, TcpInfo, TcpState, Timer},
    query::Query,
    store::{
        BindPool, ConnectFailure, DestinationRow, Forecast, Lifetimes, Moment, Owned, PeerRow, ProcessRow,
    },
};

/// Rows of an aggregate.
pub(super) struct Rows<'a, R> {
    pub(super) rows: &'a [R],
    pub(super) measures: &'a Measures,
}

/// A row that is written as an object.
pub(super) trait Object {
    /// The object.
    fn object<'a>(&'a self, measures: &'a Measures) -> impl Serialize + 'a;
}

impl<R: Object> Serialize for Rows<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.rows.iter().map(|row| row.object(self.measures)))
    }
}

/// `count` per second over the observation, `None` if it covers no time.
fn per_s(count: u32, measures: &Measures) -> Option<f64> {
    let seconds = measures.context.elapsed_s.filter(|seconds| *seconds > 0.0)?;
    Some(rounded(f64::from(count) / seconds))
}

impl Object for ProcessRow {
    fn object<'a>(&'a self, measures: &'a Measures) -> impl Serialize + 'a {
        #[derive(Serialize)]
        struct Out<'a> {
            pid: u32,
            start_time: String,
            name: &'a str,
            command: &'a str,
            user: &'a str,
            uid: Option<u32>,
            container: Option<&'a str>,
            sockets: u32,
            states: States<'a>,
            time_wait: u32,
            time_wait_by_evidence: ByEvidence<'a>,
            by_evidence: ByEvidence<'a>,
            opened_per_s: Option<f64>,
            closed_per_s: Option<f64>,
            lifetime_p50_s: Option<f64>,
            lifetime_p99_s: Option<f64>,
            fds: Option<u32>,
            fd_limit: Option<u64>,
        }
        let process = &*self.process;
        Out {
            pid: process.key.pid,
            start_time: time(process.started),
            name: &process.name,
            command: &process.command,
            user: &process.user,
            uid: (process.uid != Process::NO_UID).then_some(process.uid),
            container: process.container.as_deref(),
            sockets: self.states.total(),
            states: States(&self.states),
            time_wait: self.states[TcpState::TimeWait],
            time_wait_by_evidence: ByEvidence(&self.time_wait_evidence),
            by_evidence: ByEvidence(&self.evidence),
            opened_per_s: per_s(self.opened, measures),
            closed_per_s: per_s(self.closed, measures),
            lifetime_p50_s: lifetime(self.lifetimes.as_deref(), 0.5),
            lifetime_p99_s: lifetime(self.lifetimes.as_deref(), 0.99),
            fds: self.fds,
            fd_limit: self.fd_limit,
        }
    }
}

/// To the microsecond: the histogram knows no more.
fn lifetime(lifetimes: Option<&Lifetimes>, share: f64) -> Option<f64> {
    let life = lifetimes?.quantile(share)?;
    Some((life.as_secs_f64() * 1e6).round() / 1e6)
}

/// Failed calls of `connect()`.
pub(super) struct Failures<'a>(pub(super) &'a [ConnectFailure]);

impl Serialize for Failures<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Out<'a> {
            pid: Option<u32>,
            start_time: Option<String>,
            process: Option<&'a str>,
            source: Option<IpAddr>,
            peer: IpAddr,
            port: u16,
            no_port: u64,
            other: u64,
        }
        serializer.collect_seq(self.0.iter().map(|failed| {
            let process = failed.process.as_deref();
            Out {
                pid: process.map(|process| process.key.pid),
                start_time: process.map(|process| time(process.started)),
                process: process.map(|process| process.name.as_str()),
                source: Some(failed.source).filter(|ip| !ip.is_unspecified()),
                peer: failed.peer.ip,
                port: failed.peer.port,
                no_port: failed.no_port,
                other: failed.other,
            }
        }))
    }
}

fn pids(processes: &[Arc<Process>]) -> Vec<u32> {
    processes.iter().map(|process| process.key.pid).collect()
}

impl Object for PeerRow {
    fn object<'a>(&'a self, measures: &'a Measures) -> impl Serialize + 'a {
        #[derive(Serialize)]
        struct Out<'a> {
            address: IpAddr,
            port: u16,
            side: &'static str,
            states: States<'a>,
            processes: Vec<u32>,
            candidates: Vec<u32>,
            by_evidence: ByEvidence<'a>,
            opened_per_s: Option<f64>,
            closed_per_s: Option<f64>,
            lifetime_p50_s: Option<f64>,
            lifetime_p99_s: Option<f64>,
        }
        Out {
            address: self.key.ip,
            port: self.key.port,
            side: self.key.side.name(),
            states: States(&self.states),
            processes: pids(&self.processes),
            candidates: pids(&self.candidates),
            by_evidence: ByEvidence(&self.evidence),
            opened_per_s: per_s(self.opened, measures),
            closed_per_s: per_s(self.closed, measures),
            lifetime_p50_s: lifetime(self.lifetimes.as_deref(), 0.5),
            lifetime_p99_s: lifetime(self.lifetimes.as_deref(), 0.99),
        }
    }
}

impl Object for DestinationRow {
    fn object<'a>(&'a self, measures: &'a Measures) -> impl Serialize + 'a {
        #[derive(Serialize)]
        struct Out {
            source: IpAddr,
            peer: IpAddr,
            port: u16,
            taken: u32,
            time_wait: u32,
            left_min: Option<u32>,
            left_max: Option<u32>,
            left_doubts: Vec<&'static str>,
            percent: Option<f64>,
            slow: Option<bool>,
            opened_per_s: Option<f64>,
            sustainable_per_s: Option<f64>,
            exhausted_in_s: Option<f64>,
            settles_at_percent: Option<f64>,
            connect_failures: Option<u64>,
        }
        let usable = measures.context.usable_ports.filter(|usable| *usable > 0);
        let taken = || usable.map(|usable| f64::from(self.taken) * 100.0 / f64::from(usable));
        Out {
            source: self.source,
            peer: self.peer.ip,
            port: self.peer.port,
            taken: self.taken,
            time_wait: self.time_wait,
            left_min: self.ports.map(|ports| ports.left.min),
            left_max: self.ports.map(|ports| ports.left.max),
            left_doubts: self.ports.iter().flat_map(|ports| ports.left.reasons()).collect(),
            percent: self.ports.and_then(|ports| ports.percent()).or_else(taken).map(rounded),
            slow: self.ports.and_then(|ports| ports.slow),
            opened_per_s: per_s(self.opened, measures),
            sustainable_per_s: self.ports.and_then(|ports| ports.sustainable_per_s()).map(rounded),
            exhausted_in_s: match self.forecast {
                Some(Forecast::Full { in_s }) => Some(rounded(in_s)),
                _ => None,
            },
            settles_at_percent: field::ports::settles_percent(self).map(rounded),
            connect_failures: measures.no_port(self.source, self.peer),
        }
    }
}

impl Object for BindPool {
    fn object<'a>(&'a self, _: &'a Measures) -> impl Serialize + 'a {
        #[derive(Serialize)]
        struct Out {
            source: IpAddr,
            left_min: u32,
            left_max: u32,
            left_doubts: Vec<&'static str>,
        }
        Out {
            source: self.source,
            left_min: self.left.min,
            left_max: self.left.max,
            left_doubts: self.left.reasons().collect(),
        }
    }
}

/// The sockets that a filter keeps.
pub(super) struct Sockets<'a> {
    pub(super) moment: &'a Moment,
    pub(super) query: &'a Query,
}

impl Serialize for Sockets<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut matcher = self.query.matcher();
        let kept = self.moment.iter().filter(|socket| matcher.matches(socket));
        serializer.collect_seq(kept.map(|socket| SocketOut::of(&socket)))
    }
}

#[derive(Serialize)]
struct SocketOut<'a> {
    netns: u64,
    cookie: u64,
    family: &'static str,
    local: IpAddr,
    local_port: u16,
    peer: IpAddr,
    peer_port: u16,
    state: &'static str,
    age_s: Option<f64>,
    timer: Option<TimerOut>,
    inode: Option<u32>,
    uid: Option<u32>,
    owners: Owners<'a>,
    evidence: &'static str,
    unknown: Option<&'static str>,
    opener: Option<Owner<'a>>,
    closer: Option<Owner<'a>>,
    side: Option<&'static str>,
    recv_q: Option<u32>,
    send_q: Option<u32>,
    tcp: Option<TcpOut>,
}

impl<'a> SocketOut<'a> {
    fn of(socket: &Owned<'a>) -> Self {
        let row = socket.socket.row();
        let detail = socket.socket.detail();
        let (local, peer) = (socket.socket.local(), socket.socket.peer());
        Self {
            netns: socket.netns,
            cookie: row.cookie,
            family: row.family.name(),
            local: local.ip,
            local_port: local.port,
            peer: peer.ip,
            peer_port: peer.port,
            state: row.state.name(),
            age_s: row.time_wait_age_ms().map(seconds),
            timer: (row.timer != Timer::Off)
                .then(|| TimerOut { kind: row.timer.name(), expires_s: seconds(row.expires_ms) }),
            inode: detail.map(|d| d.inode).filter(|inode| *inode != 0),
            uid: detail.and_then(Detail::known_uid),
            owners: Owners(&socket.attribution.owners),
            evidence: socket.attribution.evidence.name(),
            unknown: socket.attribution.unknown.map(crate::model::Unknown::name),
            opener: socket.attribution.opener.as_deref().map(Owner::of),
            closer: socket.attribution.closer.as_deref().map(Owner::of),
            side: socket.link.side().map(crate::model::Side::name),
            recv_q: detail.map(|d| d.recv_q),
            send_q: detail.map(|d| d.send_q),
            tcp: socket.tcp().map(|tcp| TcpOut::of(socket, tcp)),
        }
    }
}

#[derive(Serialize)]
struct TimerOut {
    kind: &'static str,
    expires_s: f64,
}

#[derive(Serialize)]
struct TcpOut {
    rtt_ms: Option<f64>,
    retransmits: u32,
    last_sent_s: Option<f64>,
    last_received_s: Option<f64>,
    bytes_sent: Option<u64>,
    bytes_received: Option<u64>,
}

impl TcpOut {
    fn of(socket: &Owned<'_>, tcp: &TcpInfo) -> Self {
        Self {
            rtt_ms: socket.rtt_us().map(|us| f64::from(us) / 1000.0),
            retransmits: tcp.retransmits,
            last_sent_s: socket.last_sent_ms().map(seconds),
            last_received_s: socket.last_received_ms().map(seconds),
            bytes_sent: tcp.bytes_sent,
            bytes_received: tcp.bytes_received,
        }
    }
}

struct Owners<'a>(&'a [Arc<Process>]);

impl Serialize for Owners<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|process| Owner::of(process)))
    }
}

#[derive(Serialize)]
struct Owner<'a> {
    pid: u32,
    start_time: String,
    name: &'a str,
}

impl<'a> Owner<'a> {
    fn of(process: &'a Process) -> Self {
        Self { pid: process.key.pid, start_time: time(process.started), name: &process.name }
    }
}

fn seconds(millis: u32) -> f64 {
    f64::from(millis) / 1000.0
}
