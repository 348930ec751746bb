//! What a batch of the trace says of processes and peers: how many connections they opened and closed, also those
//! that lived and died between two samples, how long they lived, and which could not be made.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use super::{Lifetimes, PeerKey, Service};
use crate::model::{Endpoint, ProcKey, Side, TraceBatch, TraceEvent, TraceKind, TraceTask, TracedProcess};

/// Counts of one process or peer in one batch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TraceCounts {
    /// Connections that `connect()` made.
    pub opened: u64,
    /// Connections that this end closed first.
    pub closed: u64,
    /// Calls of `connect()` that found no local port.
    pub no_port: u64,
    /// Calls of `connect()` that failed otherwise.
    pub failed: u64,
    /// How long the connections lived that were closed, as far as their beginning is known.
    pub lifetimes: Lifetimes,
}

/// `connect()` calls of one process to one destination that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectFailures {
    /// The process, `None` if it cannot be told.
    pub process: Option<Arc<TracedProcess>>,
    /// Our address, unspecified if none had been chosen.
    pub source: IpAddr,
    /// Where to.
    pub destination: Endpoint,
    /// For want of a local port.
    pub no_port: u64,
    /// For another reason.
    pub other: u64,
}

/// One batch, counted for one network namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceActivity {
    /// By process, in the order of their keys.
    pub processes: Vec<(Arc<TracedProcess>, TraceCounts)>,
    /// By peer: for a client side the remote address and port, for a server side the remote address and our port.
    pub peers: BTreeMap<PeerKey, TraceCounts>,
    /// By process and service; the events of processes that cannot be told under no process.
    pub flows: BTreeMap<(Option<ProcKey>, Service), TraceCounts>,
    /// Failed calls of `connect()`.
    pub failures: Vec<ConnectFailures>,
    /// Everything in the namespace, the events of processes that cannot be told included.
    pub total: TraceCounts,
    /// Events of tasks of which the namespace is not known; counted nowhere else.
    pub unplaced: u64,
}

impl TraceActivity {
    /// About how many bytes it takes beside its own.
    pub(super) fn bytes(&self) -> usize {
        let flow = size_of::<((Option<ProcKey>, Service), TraceCounts)>();
        self.processes.capacity() * size_of::<(Arc<TracedProcess>, TraceCounts)>()
            + self.peers.len() * size_of::<(PeerKey, TraceCounts)>()
            + self.flows.len() * flow
            + self.failures.capacity() * size_of::<ConnectFailures>()
    }

    /// Counts the events of `batch` that happened in the namespace with inode `netns`. `listens` says whether a
    /// local end belongs to a listener, now or lately: it decides the side where the trace did not see the beginning.
    #[must_use]
    pub fn of(batch: &TraceBatch, netns: u64, mut listens: impl FnMut(Endpoint) -> bool) -> Self {
        let mut activity = Self::default();
        let mut processes: BTreeMap<ProcKey, (Arc<TracedProcess>, TraceCounts)> = BTreeMap::new();
        let mut failures: BTreeMap<(Option<ProcKey>, IpAddr, Endpoint), ConnectFailures> = BTreeMap::new();
        for event in &batch.events {
            let Some(task) = event.task.as_ref().filter(|_| event.kind != TraceKind::Connecting) else {
                continue;
            };
            match task.netns {
                Some(inode) if inode == netns => {}
                Some(_) => continue,
                None => {
                    activity.unplaced += 1;
                    continue;
                }
            }
            let process = process(batch, task);
            activity.total.add(event);
            let peer = peer(event, &mut listens);
            activity.peers.entry(peer).or_default().add(event);
            let flow = (process.map(|process| process.key), Service::of_peer(&peer));
            activity.flows.entry(flow).or_default().add(event);
            if let Some(process) = process {
                let fresh = || (Arc::clone(process), TraceCounts::default());
                let (newest, counts) = processes.entry(process.key).or_insert_with(fresh);
                newest.clone_from(process);
                counts.add(event);
            }
            if matches!(event.kind, TraceKind::NoPort | TraceKind::ConnectFailed) {
                let key = (process.map(|process| process.key), event.local.ip, event.peer);
                failures.entry(key).or_insert_with(|| ConnectFailures::new(process, event)).add(event);
            }
        }
        activity.processes = processes.into_values().collect();
        activity.failures = failures.into_values().collect();
        activity
    }
}

fn process<'a>(batch: &'a TraceBatch, task: &TraceTask) -> Option<&'a Arc<TracedProcess>> {
    batch.processes.get(task.process? as usize).filter(|process| !process.kernel)
}

fn peer(event: &TraceEvent, listens: &mut impl FnMut(Endpoint) -> bool) -> PeerKey {
    let opens = event.kind != TraceKind::Closed;
    let side = if opens { Some(Side::Client) } else { event.side };
    let side = side.unwrap_or_else(|| if listens(event.local) { Side::Server } else { Side::Client });
    let port = if side == Side::Client { event.peer.port } else { event.local.port };
    PeerKey { ip: event.peer.ip, port, side }
}

impl ConnectFailures {
    fn new(process: Option<&Arc<TracedProcess>>, event: &TraceEvent) -> Self {
        let process = process.cloned();
        Self { process, source: event.local.ip, destination: event.peer, no_port: 0, other: 0 }
    }

    fn add(&mut self, event: &TraceEvent) {
        match event.kind {
            TraceKind::NoPort => self.no_port += 1,
            _ => self.other += 1,
        }
    }
}

impl TraceCounts {
    fn add(&mut self, event: &TraceEvent) {
        match event.kind {
            TraceKind::Opened => self.opened += 1,
            TraceKind::Connecting | TraceKind::Accepted => {}
            TraceKind::Closed => {
                self.closed += 1;
                if let Some(began) = event.began {
                    self.lifetimes.add(event.at.saturating_sub(began));
                }
            }
            TraceKind::NoPort => self.no_port += 1,
            TraceKind::ConnectFailed => self.failed += 1,
        }
    }

    /// Adds the counts of another batch.
    pub fn merge(&mut self, other: &Self) {
        self.opened += other.opened;
        self.closed += other.closed;
        self.no_port += other.no_port;
        self.failed += other.failed;
        self.lifetimes.merge(&other.lifetimes);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::Family;

    fn event(kind: TraceKind, netns: Option<u64>, life: u64) -> TraceEvent {
        let at = Duration::from_secs(10);
        TraceEvent {
            at,
            cpu: 0,
            kind,
            family: Family::V4,
            local: Endpoint::new([10, 0, 0, 1].into(), 40_000),
            peer: Endpoint::new([10, 0, 0, 2].into(), 443),
            began: Some(at.saturating_sub(Duration::from_millis(life))),
            side: Some(Side::Client),
            bound: None,
            task: Some(TraceTask { pid: 7, tid: 7, process: Some(0), netns }),
        }
    }

    #[test]
    fn a_batch_is_counted_for_its_own_namespace_only() {
        let key = ProcKey { pid: 7, start_ticks: 1 };
        let name = "client".to_owned();
        let process =
            Arc::new(TracedProcess { key, exact: true, name, command: None, uid: None, kernel: false });
        let batch = TraceBatch {
            processes: vec![process],
            events: vec![
                event(TraceKind::Opened, Some(1), 0),
                event(TraceKind::Closed, Some(1), 3),
                event(TraceKind::Closed, Some(2), 3),
                event(TraceKind::Closed, None, 3),
                event(TraceKind::NoPort, Some(1), 0),
                event(TraceKind::ConnectFailed, Some(1), 0),
            ],
            ..TraceBatch::default()
        };
        let activity = TraceActivity::of(&batch, 1, |_| false);
        let (process, counts) = &activity.processes[0];
        assert_eq!(process.key, key);
        assert_eq!((counts.opened, counts.closed, counts.no_port, counts.failed), (1, 1, 1, 1));
        assert_eq!(counts.lifetimes.count(), 1);
        assert_eq!(activity.total, *counts);
        assert_eq!(activity.unplaced, 1);
        let peer = PeerKey { ip: [10, 0, 0, 2].into(), port: 443, side: Side::Client };
        assert_eq!(activity.peers.keys().collect::<Vec<_>>(), [&peer]);
        assert_eq!((activity.failures[0].no_port, activity.failures[0].other), (1, 1));
    }
}
