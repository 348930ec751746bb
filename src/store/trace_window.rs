//! What the trace told over the last minute, summed: a second is too short to say how long connections live.

use std::{
    collections::{BTreeMap, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use super::{Lifetimes, PeerKey, TraceCounts, rates};
use crate::model::{Endpoint, ProcKey, Process};

/// `connect()` calls of one process from one address to one destination that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectFailure {
    /// The process, `None` if it cannot be told.
    pub process: Option<Arc<Process>>,
    /// Our address, unspecified if none had been chosen.
    pub source: IpAddr,
    /// Where to.
    pub peer: Endpoint,
    /// For want of a local port (`EADDRNOTAVAIL`).
    pub no_port: u64,
    /// For another reason: refused, timed out, interrupted.
    pub other: u64,
}

impl ConnectFailure {
    /// How many there were, for whatever reason.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.no_port + self.other
    }

    fn key(&self) -> FailureKey {
        (self.process.as_ref().map(|process| process.key), self.source, self.peer)
    }

    /// Adds `more` to `sums`, each to the one of the same process, source and destination; the most first.
    pub(super) fn add_all(sums: &mut Vec<Self>, more: &[Self]) {
        let places: BTreeMap<FailureKey, usize> = sums.iter().map(Self::key).zip(0..).collect();
        for one in more {
            match places.get(&one.key()) {
                Some(&place) => {
                    sums[place].no_port += one.no_port;
                    sums[place].other += one.other;
                }
                None => sums.push(one.clone()),
            }
        }
        sums.sort_by_key(|one| (std::cmp::Reverse(one.total()), one.key()));
    }
}

type FailureKey = (Option<ProcKey>, IpAddr, Endpoint);

/// Sums over the last minute of the trace, or over all of it if it is younger.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TraceWindow {
    /// How long that is, seconds.
    pub seconds: f64,
    /// How long the connections lived that each process closed first.
    pub processes: BTreeMap<ProcKey, Arc<Lifetimes>>,
    /// The same by peer.
    pub peers: BTreeMap<PeerKey, Arc<Lifetimes>>,
    /// Failed calls of `connect()`, the most first.
    pub failures: Vec<ConnectFailure>,
    /// Those of the last 20 s, for a rate that keeps up.
    recent: Vec<ConnectFailure>,
    /// How long that is, seconds.
    recent_seconds: f64,
}

impl TraceWindow {
    /// So many failures are kept of a window of which little is.
    pub(super) const THIN: usize = 32;

    /// The worst failures only, and no lifetimes: the rows of processes and peers have theirs.
    pub(super) fn thinned(&self) -> Self {
        let failures: Vec<_> = self.failures.iter().take(Self::THIN).cloned().collect();
        let is_kept = |recent: &&ConnectFailure| failures.iter().any(|kept| kept.key() == recent.key());
        Self {
            seconds: self.seconds,
            recent: self.recent.iter().filter(is_kept).cloned().collect(),
            failures,
            recent_seconds: self.recent_seconds,
            ..Self::default()
        }
    }

    /// All failures, and no lifetimes.
    pub(super) fn without_lifetimes(&self) -> Self {
        Self {
            seconds: self.seconds,
            failures: self.failures.clone(),
            recent: self.recent.clone(),
            recent_seconds: self.recent_seconds,
            ..Self::default()
        }
    }

    /// About how many bytes it takes beside its own.
    pub(super) fn bytes(&self) -> usize {
        let lifetimes = (self.processes.len() + self.peers.len()) * size_of::<(PeerKey, Lifetimes)>();
        let failures = self.failures.capacity() + self.recent.capacity();
        lifetimes + failures * size_of::<ConnectFailure>()
    }

    /// How many calls like `failure`, one of [`Self::failures`], fail per second now: over the last 10 to 20 s. `None`
    /// if no time has gone by.
    #[must_use]
    pub fn failures_per_s(&self, failure: &ConnectFailure) -> Option<f64> {
        let key = failure.key();
        let recent = self.recent.iter().find(|recent| recent.key() == key);
        rates::over(Some(recent.map_or(0, ConnectFailure::total)), Some(self.recent_seconds))
    }
}

/// What one step of the window adds to it.
#[derive(Debug, Default)]
struct Slot {
    begin: Duration,
    processes: BTreeMap<ProcKey, Lifetimes>,
    peers: BTreeMap<PeerKey, Lifetimes>,
    failures: Vec<ConnectFailure>,
}

/// The window in the making.
#[derive(Debug, Default)]
pub(super) struct Slots(VecDeque<Slot>);

impl Slots {
    /// How long the window is at most.
    const SPAN: Duration = Duration::from_mins(1);
    /// It moves on by so much at once.
    const STEP: Duration = Duration::from_secs(10);
    /// So many of the newest steps count as recent.
    const RECENT: usize = 2;
    /// So many processes, peers and failures are kept of one step at most.
    const ROOM: usize = 1_024;

    /// Adds what was told from `begin` until `end`.
    pub(super) fn add<'a>(
        &mut self,
        (begin, end): (Duration, Duration),
        processes: impl Iterator<Item = (ProcKey, &'a TraceCounts)>,
        peers: impl Iterator<Item = (PeerKey, &'a TraceCounts)>,
        failures: &[ConnectFailure],
    ) {
        self.0.retain(|slot| slot.begin + Self::SPAN > end);
        if self.0.back().is_none_or(|slot| slot.begin + Self::STEP <= begin) {
            self.0.push_back(Slot { begin, ..Slot::default() });
        }
        let Some(slot) = self.0.back_mut() else { return };
        merge(&mut slot.processes, processes);
        merge(&mut slot.peers, peers);
        ConnectFailure::add_all(&mut slot.failures, failures);
        slot.failures.truncate(Self::ROOM);
    }

    /// The sums at `now`.
    pub(super) fn sums(&self, now: Duration) -> TraceWindow {
        let Some(first) = self.0.front() else { return TraceWindow::default() };
        let mut window =
            TraceWindow { seconds: now.saturating_sub(first.begin).as_secs_f64(), ..TraceWindow::default() };
        for (age, slot) in self.0.iter().rev().enumerate().rev() {
            if age < Self::RECENT {
                ConnectFailure::add_all(&mut window.recent, &slot.failures);
                let seconds = now.saturating_sub(slot.begin).as_secs_f64();
                window.recent_seconds = window.recent_seconds.max(seconds);
            }
            sum(&mut window.processes, &slot.processes);
            sum(&mut window.peers, &slot.peers);
            ConnectFailure::add_all(&mut window.failures, &slot.failures);
        }
        window
    }
}

fn merge<'a, K: Ord>(sums: &mut BTreeMap<K, Lifetimes>, more: impl Iterator<Item = (K, &'a TraceCounts)>) {
    for (key, counts) in more.filter(|(_, counts)| counts.lifetimes.count() > 0) {
        if sums.len() < Slots::ROOM || sums.contains_key(&key) {
            sums.entry(key).or_default().merge(&counts.lifetimes);
        }
    }
}

fn sum<K: Ord + Copy>(sums: &mut BTreeMap<K, Arc<Lifetimes>>, more: &BTreeMap<K, Lifetimes>) {
    for (&key, lifetimes) in more {
        Arc::make_mut(sums.entry(key).or_default()).merge(lifetimes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_forgets_what_is_older_than_a_minute() {
        let mut slots = Slots::default();
        let key = ProcKey { pid: 7, start_ticks: 1 };
        let mut counts = TraceCounts::default();
        counts.lifetimes.add(Duration::from_millis(3));
        let failure = ConnectFailure {
            process: None,
            source: [10, 0, 0, 1].into(),
            peer: Endpoint::new([10, 0, 0, 2].into(), 443),
            no_port: 2,
            other: 1,
        };
        let at = |second| (Duration::from_secs(second), Duration::from_secs(second + 1));
        for second in 0..40 {
            let failures = std::slice::from_ref(&failure);
            slots.add(at(second), std::iter::once((key, &counts)), std::iter::empty(), failures);
        }
        let window = slots.sums(Duration::from_secs(40));
        assert_eq!(window.processes[&key].count(), 40);
        assert_eq!((window.failures.len(), window.failures[0].total()), (1, 120));
        assert!((window.seconds - 40.0).abs() < 1e-9);
        let rate = window.failures_per_s(&failure).expect("time has gone by");
        assert!((rate - 3.0).abs() < 1e-9, "{rate}");
        slots.add(at(75), std::iter::empty(), std::iter::empty(), &[]);
        // Two of the four steps lie within the last minute.
        assert_eq!(slots.sums(Duration::from_secs(76)).processes[&key].count(), 20);
        slots.add(at(200), std::iter::empty(), std::iter::empty(), &[]);
        assert!(slots.sums(Duration::from_secs(201)).processes.is_empty());
    }
}
