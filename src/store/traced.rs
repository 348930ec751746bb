//! What the trace adds to a sample: who opened and closed its sockets, and what opened and closed meanwhile.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use super::{
    Aggregate, ConnectFailure, ConnectFailures, Coverage, PeerKey, PeerRow, ProcessRow, Service,
    TraceActivity, TraceCounts, TraceWindow, coverage,
    coverage::Closes,
    memory::{Told, Trace},
    people::People,
    tally,
    trace_join::{Cause, Phase, Sighting, TraceGap, TraceJoin},
    trace_window::Slots,
};
use crate::model::{
    Endpoint, ProcKey, Process, Sample, SocketRef, Stamp, TcpState, TraceEvent, TraceKind, TraceTally,
    TracedProcess,
};

/// A `TIME_WAIT` that is due says this age, whatever its age.
const DUE_MS: u32 = 60_000;

/// What the trace told since the sample before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Traced {
    /// The sums since tracing began.
    pub tally: TraceTally,
    /// What opened, closed and failed since the sample before; `None` if the trace does not cover all of that
    /// time, or records of it were lost.
    pub activity: Option<TraceActivity>,
    /// The counts of that, by process, in the order of their keys.
    pub processes: Vec<(Arc<Process>, TraceCounts)>,
    /// The counts of that, by process and service; no process where it cannot be told.
    pub flows: Vec<(Option<Arc<Process>>, Service, TraceCounts)>,
    /// Calls of `connect()` that failed since the sample before, the most first; too few where records were lost.
    pub failures: Vec<ConnectFailure>,
    /// How far the trace accounts for the entries into `TIME_WAIT` since it began.
    pub coverage: Coverage,
    /// Sums over the last minute.
    pub window: TraceWindow,
}

impl Traced {
    /// What of it is worth keeping when the sockets are not: the sums, and the worst of the calls that failed.
    pub(super) fn thinned(&self) -> Self {
        let Self { tally, coverage, .. } = *self;
        Self { tally, coverage, window: self.window.thinned(), ..Self::default() }
    }

    /// About how many bytes it takes.
    pub(super) fn bytes(&self) -> usize {
        let process = size_of::<(Arc<Process>, TraceCounts)>();
        let flow = size_of::<(Option<Arc<Process>>, Service, TraceCounts)>();
        let activity = self.activity.as_ref().map_or(0, TraceActivity::bytes);
        let failures = self.failures.capacity() * size_of::<ConnectFailure>();
        let rows = self.processes.capacity() * process + self.flows.capacity() * flow + failures;
        size_of::<Self>() + rows + activity + self.window.bytes()
    }

    /// How many connections a process that is known closed first, each an entry into `TIME_WAIT` if it
    /// was not reset after that. `None` if that is not known for all of the time.
    #[must_use]
    pub fn named_closes(&self) -> Option<u64> {
        self.activity.as_ref().map(|_| self.processes.iter().map(|(_, counts)| counts.closed).sum())
    }

    /// Adds to the counts of a whole namespace what lived between two samples and no sample saw.
    ///
    /// The samples see accepted connections and those that the peer closed first, which the trace does not count; the
    /// trace sees the short ones. Each figure is the higher of the two, so none is too high.
    pub(super) fn add_to(&self, all: &mut Aggregate) {
        let Some(activity) = &self.activity else { return };
        raise(&mut all.opened, activity.total.opened);
        raise(&mut all.closed, activity.total.closed);
        self.add_processes(&mut all.processes);
        // A peer without a row may be one that was left out for want of room.
        if all.peers_omitted == 0 {
            add_peers(&mut all.peers, &activity.peers, &self.window);
            all.peers_omitted += cut(&mut all.peers);
        }
    }

    fn add_processes(&self, rows: &mut Vec<ProcessRow>) {
        let mut counts: BTreeMap<_, _> =
            self.processes.iter().map(|(process, counts)| (process.key, (process, counts))).collect();
        for row in rows.iter_mut() {
            if let Some((_, counts)) = counts.remove(&row.process.key) {
                raise(&mut row.opened, counts.opened);
                raise(&mut row.closed, counts.closed);
            }
        }
        let unseen = counts.into_values().filter(|(_, counts)| counts.opened + counts.closed > 0);
        rows.extend(unseen.map(|(process, counts)| ProcessRow {
            opened: narrow(counts.opened),
            closed: narrow(counts.closed),
            lifetimes: self.window.processes.get(&process.key).cloned(),
            ..ProcessRow::new(process)
        }));
        tally::sort_processes(rows);
    }
}

fn add_peers(rows: &mut Vec<PeerRow>, counts: &BTreeMap<PeerKey, TraceCounts>, window: &TraceWindow) {
    for row in rows.iter_mut() {
        if let Some(counts) = counts.get(&row.key) {
            raise(&mut row.opened, counts.opened);
            raise(&mut row.closed, counts.closed);
        }
    }
    let known: BTreeSet<PeerKey> = rows.iter().map(|row| row.key).collect();
    let unseen =
        counts.iter().filter(|(key, counts)| counts.opened + counts.closed > 0 && !known.contains(key));
    rows.extend(unseen.map(|(&key, counts)| PeerRow {
        opened: narrow(counts.opened),
        closed: narrow(counts.closed),
        lifetimes: window.peers.get(&key).cloned(),
        ..PeerRow::new(key)
    }));
    tally::sort_peers(rows);
}

fn cut(rows: &mut Vec<PeerRow>) -> u32 {
    let more = rows.len().saturating_sub(Aggregate::MAX_ROWS);
    rows.truncate(Aggregate::MAX_ROWS);
    u32::try_from(more).unwrap_or(u32::MAX)
}

fn raise(count: &mut u32, traced: u64) {
    *count = (*count).max(narrow(traced));
}

fn narrow(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The trace as it may be asked about the sockets of one sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tracing<'a> {
    join: &'a TraceJoin,
    sample: &'a Sample,
    begin: Duration,
    /// When the last complete dump before this one began.
    listed: Option<Duration>,
}

impl<'a> Tracing<'a> {
    /// `listed` is when the last complete dump before that of `sample` began.
    pub(super) fn new(join: &'a TraceJoin, sample: &'a Sample, listed: Option<Duration>) -> Self {
        let begin = sample.stamp.since_boot.saturating_sub(sample.cost.dump);
        Self { join, sample, begin, listed }
    }

    /// What there is to tell of a connection beyond what was told `before`. What was told stays.
    pub(super) fn ask(&self, socket: SocketRef<'_>, before: Trace, people: &mut People) -> Trace {
        let Trace { mut opener, mut closer, mut bound } = before;
        let Some(seen) = self.sighting(socket) else { return before };
        let (local, peer) = (socket.local(), socket.peer());
        if bound.is_none()
            && (opener == Told::NotYet || (closer == Told::NotYet && seen.phase != Phase::Open))
        {
            bound = self.join.bound(local, peer, &seen);
        }
        if opener == Told::NotYet {
            opener = self.told(self.join.opener(local, peer, &seen), people);
        }
        if closer == Told::NotYet && seen.phase != Phase::Open {
            closer = self.told(self.join.closer(local, peer, &seen), people);
        }
        Trace { opener, closer, bound }
    }

    /// Whether a socket in `SYN_SENT` that no complete dump listed before was bound before, as far as that can be told.
    pub(super) fn ask_connecting(&self, socket: SocketRef<'_>) -> Option<bool> {
        let (since, until) = (self.listed?, self.sample.stamp.since_boot);
        let (local, peer) = (socket.local(), socket.peer());
        self.join.connects_unbound(local, peer, since, until).then_some(false)
    }

    /// How the socket was seen; `None` if the trace has nothing to say of such a one.
    fn sighting(&self, socket: SocketRef<'_>) -> Option<Sighting> {
        let Stamp { since_boot: end, .. } = self.sample.stamp;
        let row = socket.row();
        let phase = match (row.state, row.time_wait_age_ms()) {
            (_, Some(age_ms)) => {
                let entered = end.saturating_sub(Duration::from_millis(age_ms.into()));
                // Nothing is known of the minute before the trace began, nor how old is what is due.
                let since = self.join.since()?;
                if age_ms >= DUE_MS || entered <= since {
                    return None;
                }
                Phase::TimeWait(entered)
            }
            (TcpState::FinWait1 | TcpState::FinWait2 | TcpState::Closing, None) => Phase::Closing,
            (TcpState::SynSent | TcpState::SynRecv, None) => return None,
            _ => Phase::Open,
        };
        Some(Sighting { begin: self.begin, end, phase })
    }

    fn told(&self, answer: Result<Cause, TraceGap>, people: &mut People) -> Told {
        match answer {
            Ok(cause) => {
                Told::By(people.traced(&cause.process, self.sample.stamp, |uid| user(self.sample, uid)))
            }
            Err(TraceGap::NotYet) => Told::NotYet,
            Err(TraceGap::Remote) => Told::Remote,
            Err(_) => Told::Nothing,
        }
    }
}

/// The name of a user, if a process of the sample is theirs.
fn user(sample: &Sample, uid: u32) -> Option<String> {
    let mut processes = sample.processes.iter().map(|seen| &seen.process);
    processes.find(|process| process.uid == uid).map(|process| process.user.clone())
}

/// What is kept of the trace from sample to sample, beside the events that can be asked for.
#[derive(Debug, Default)]
pub(super) struct Past {
    /// Whether the trace told of all up to the sample before, and how far it had come.
    through: Option<Duration>,
    count: coverage::Count,
    slots: Slots,
}

/// What the batch of a sample told of the time since the sample before, in which the kernel counted `entries` into
/// `TIME_WAIT`, and of `unnamed` `TIME_WAIT`s it turned out that the trace names nobody. `listens` says whether a local end belongs to a listener.
pub(super) fn traced(
    past: &mut Past,
    sample: &Sample,
    (entries, unnamed): (Option<u64>, u64),
    people: &mut People,
    mut listens: impl FnMut(Endpoint, &People) -> bool,
) -> Option<Traced> {
    let Some(batch) = sample.trace.as_deref() else {
        past.through = None;
        return None;
    };
    let activity = TraceActivity::of(batch, sample.netns, |local| listens(local, people));
    let mut known = |process: &TracedProcess| {
        let set = people.traced(process, sample.stamp, |uid| user(sample, uid));
        people.owners(set).pop()
    };
    let mut processes = Vec::with_capacity(activity.processes.len());
    let mut by_key = BTreeMap::new();
    for (process, counts) in &activity.processes {
        if let Some(met) = known(process) {
            by_key.insert(process.key, Arc::clone(&met));
            processes.push((met, *counts));
        }
    }
    processes.sort_by_key(|(process, _)| process.key);
    let failures = failures(&activity.failures, known);

    let begin = past.through.unwrap_or(batch.since);
    let covered = past.through.replace(batch.through).is_some();
    let by_process = processes.iter().map(|(process, counts)| (process.key, counts));
    let by_peer = activity.peers.iter().map(|(key, counts)| (*key, counts));
    past.slots.add((begin, batch.through), by_process, by_peer, &failures);
    let named = processes.iter().map(|(_, counts)| counts.closed).sum();
    let unplaced = batch.events.iter().filter(|event| is_unplaced_close(event)).count();
    let unplaced = u64::try_from(unplaced).unwrap_or(u64::MAX);
    let closes = Closes { total: activity.total.closed, named, unplaced, unnamed };
    let coverage = past.count.add((sample, batch), entries, &closes, covered);
    let told = Traced {
        tally: batch.tally,
        failures,
        coverage,
        window: past.slots.sums(batch.through),
        ..Traced::default()
    };
    if !covered || !batch.losses.is_empty() {
        return Some(told);
    }
    let flow = |(&(key, service), &counts): (&(Option<ProcKey>, Service), &TraceCounts)| {
        (key.and_then(|key| by_key.get(&key).cloned()), service, counts)
    };
    let flows = activity.flows.iter().map(flow).collect();
    Some(Traced { activity: Some(activity), processes, flows, ..told })
}

/// A close in a namespace that is not known: it may be ours.
fn is_unplaced_close(event: &TraceEvent) -> bool {
    event.kind == TraceKind::Closed && event.task.is_none_or(|task| task.netns.is_none())
}

/// Failed calls with their processes as the store knows them, the most first.
fn failures(
    told: &[ConnectFailures],
    mut known: impl FnMut(&TracedProcess) -> Option<Arc<Process>>,
) -> Vec<ConnectFailure> {
    let told = told.iter().map(|failed| ConnectFailure {
        process: failed.process.as_deref().and_then(&mut known),
        source: failed.source,
        peer: failed.destination,
        no_port: failed.no_port,
        other: failed.other,
    });
    let mut failures = Vec::new();
    ConnectFailure::add_all(&mut failures, &told.collect::<Vec<_>>());
    failures
}
