//! What a batch of the trace says of processes and peers: how many connections they opened and closed, also those
//! that lived and died between two samples, how long they lived, and which could not be made.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc, time::Duration};

use super::PeerKey;
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
    /// Failed calls of `connect()`.
    pub failures: Vec<ConnectFailures>,
    /// Everything in the namespace, the events of processes that cannot be told included.
    pub total: TraceCounts,
    /// Events of tasks of which the namespace is not known; counted nowhere else.
    pub unplaced: u64,
}

impl TraceActivity {
    /// Counts the events of `batch` that happened in the namespace with inode `netns`. `listens` says whether a
    /// local end belongs to a listener, now or lately: it decides the side where the trace did not see the beginning.
    #[must_use]
    pub fn of(batch: &TraceBatch, netns: u64, mut listens: impl FnMut(Endpoint) -> bool) -> Self {
        let mut activity = Self::default();
        let mut processes: BTreeMap<ProcKey, (Arc<TracedProcess>, TraceCounts)> = BTreeMap::new();
        let mut failures: BTreeMap<(Option<ProcKey>, IpAddr, Endpoint), ConnectFailures> = BTreeMap::new();
        for event in &batch.events {
            let Some(task) = &event.task else { continue };
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
            activity.peers.entry(peer(event, &mut listens)).or_default().add(event);
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
            TraceKind::Accepted => {}
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

/// How long connections lived: a histogram from under 32 µs to over an hour. Four buckets of the same width make an
/// octave, and each octave is twice as long as the one before, so a time is out by less than a quarter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes([u32; Lifetimes::BUCKETS]);

impl Default for Lifetimes {
    fn default() -> Self {
        Self([0; Self::BUCKETS])
    }
}

impl Lifetimes {
    const OCTAVES: usize = 26;
    const PARTS: usize = 4;
    /// The last bucket holds what is longer than all octaves.
    const BUCKETS: usize = Self::OCTAVES * Self::PARTS + 1;
    /// Octave `n` ends at 2^(n + 7) µs; the first begins at nothing.
    const FIRST: u32 = 7;

    /// Adds one connection.
    pub fn add(&mut self, life: Duration) {
        let micros = u64::try_from(life.as_micros()).unwrap_or(u64::MAX);
        let octave = (u64::BITS - micros.leading_zeros()).saturating_sub(Self::FIRST);
        let part = (micros >> Self::width_bits(octave)) as usize % Self::PARTS;
        let bucket = octave as usize * Self::PARTS + part;
        let count = &mut self.0[bucket.min(Self::BUCKETS - 1)];
        *count = count.saturating_add(1);
    }

    /// Adds those of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more);
        }
    }

    /// How many connections were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|&count| u64::from(count)).sum()
    }

    /// About the time that `share` (0 to 1) of the connections did not outlive: those of a bucket are taken to be
    /// spread evenly over it. `None` if none was counted, or if the time is beyond all octaves.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let wanted = share * precise(self.count());
        let mut below = 0;
        for (bucket, &count) in self.0[..Self::BUCKETS - 1].iter().enumerate() {
            let within = below + u64::from(count);
            if count > 0 && precise(within) >= wanted {
                let part = ((wanted - precise(below)) / f64::from(count)).clamp(0.0, 1.0);
                let (start, width) = Self::place(bucket);
                let micros = precise(start) + precise(width) * part;
                return Some(Duration::from_secs_f64(micros / 1e6));
            }
            below = within;
        }
        None
    }

    /// How many connections lived how long: each octave from the first that has any to the last, as its end in seconds
    /// and its count. What is longer than all octaves counts to the last.
    pub fn octaves(&self) -> impl Iterator<Item = (f64, u32)> {
        let mut counts = [0_u32; Self::OCTAVES];
        for (bucket, count) in self.0.into_iter().enumerate() {
            let octave = &mut counts[(bucket / Self::PARTS).min(Self::OCTAVES - 1)];
            *octave = octave.saturating_add(count);
        }
        let first = counts.iter().position(|&count| count > 0).unwrap_or(Self::OCTAVES);
        let last = counts.iter().rposition(|&count| count > 0).map_or(0, |last| last + 1);
        let ends = (Self::FIRST..).map(|bits| precise(1 << bits) / 1e6);
        ends.zip(counts).take(last).skip(first)
    }

    /// Where a bucket begins and how wide it is, microseconds.
    fn place(bucket: usize) -> (u64, u64) {
        let (octave, part) = (bucket / Self::PARTS, (bucket % Self::PARTS) as u64);
        let octave = u32::try_from(octave).expect("there are few octaves");
        let width = 1 << Self::width_bits(octave);
        let start = if octave == 0 { 0 } else { 1 << (octave + Self::FIRST - 1) };
        (start + part * width, width)
    }

    /// The width of the buckets of an octave, as a power of two of microseconds.
    const fn width_bits(octave: u32) -> u32 {
        let after_first = octave.saturating_sub(1);
        Self::FIRST - 2 + after_first
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of counts need not be exact beyond 2^52")]
fn precise(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Family;

    #[test]
    fn quantiles_lie_within_their_bucket() {
        let mut lives = Lifetimes::default();
        assert_eq!(lives.quantile(0.5), None);
        for _ in 0..98 {
            lives.add(Duration::from_millis(3));
        }
        lives.add(Duration::from_secs(5));
        lives.add(Duration::from_secs(1 << 20));
        assert_eq!(lives.count(), 100);
        let within = |share, low: u64, high: u64| {
            let life = lives.quantile(share).expect("within the octaves");
            assert!(Duration::from_micros(low) <= life && life <= Duration::from_micros(high), "{life:?}");
        };
        within(0.01, 2560, 2570);
        within(0.5, 2800, 2840);
        within(0.98, 3071, 3072);
        within(0.99, 4_800_000, 5_300_000);
        let octaves: Vec<_> = lives.octaves().filter(|(_, count)| *count > 0).collect();
        assert_eq!((octaves[0], octaves.len()), ((0.004_096, 98), 3));
        assert_eq!(lives.quantile(1.0), None, "too long to say");
    }

    #[test]
    fn every_time_lies_in_its_bucket() {
        for micros in (0..2_000_u64).chain((11..32).flat_map(|bits| [(1 << bits) - 1, 1 << bits])) {
            let mut lives = Lifetimes::default();
            lives.add(Duration::from_micros(micros));
            let bucket = lives.0.iter().position(|&count| count == 1).expect("counted");
            let (start, width) = Lifetimes::place(bucket);
            assert!((start..start + width).contains(&micros), "{micros}: {start} + {width}");
        }
        let mut long = Lifetimes::default();
        long.add(Duration::from_micros(1 << 32));
        assert_eq!(long.0[Lifetimes::BUCKETS - 1], 1);
    }

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
