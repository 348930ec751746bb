//! Whose connection was that? The trace's events, kept for a minute, asked by 4-tuple and time.
//!
//! A socket table names a connection by cookie, the trace by its 4-tuple; the two meet here once, when a cookie
//! is first seen, and from then on the cookie remembers. A 4-tuple is used again, so time decides: a socket seen
//! at an instant is the one that began last before it. Where two answers are possible, there is none.

use std::{
    collections::VecDeque,
    hash::BuildHasher as _,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use foldhash::fast::FixedState;
use hashbrown::{HashTable, hash_table::Entry};

use super::trace_intern::Interned;
use crate::model::{Endpoint, TraceBatch, TraceEvent, TraceKind, TraceLoss, TraceTask, TracedProcess};

/// A socket in a table, as far as time is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// When the dump that lists it began, time since boot.
    pub begin: Duration,
    /// When that dump ended.
    pub end: Duration,
    /// How far the connection was.
    pub phase: Phase,
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// We have not sent a FIN.
    Open,
    /// We have, and did so before the other end: `FIN_WAIT1`, `FIN_WAIT2`, `CLOSING`.
    Closing,
    /// `TIME_WAIT`, entered at about this time since boot (the end of the dump less 60 s less what is left), give
    /// or take [`TraceJoin::TOLERANCE`], and earlier by what the dump took.
    TimeWait(Duration),
}

/// Who did it, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The process.
    pub process: Arc<TracedProcess>,
    /// When, time since boot.
    pub at: Duration,
}

/// Why the trace names nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TraceGap {
    /// The trace has not come that far; ask again after the next batch.
    NotYet,
    /// It happened before the trace began.
    BeforeStart,
    /// It may have happened longer ago than events are kept.
    Forgotten,
    /// Records were lost between the last event that fits and the sighting.
    Lost,
    /// Two processes fit.
    Ambiguous,
    /// The other end opened it.
    Remote,
    /// A kernel thread did it on behalf of somebody.
    Kernel,
    /// The process was in another network namespace than the socket, or it is not known in which.
    Elsewhere,
    /// The process ended before it could be told from others, or is not visible in our PID namespace.
    Nameless,
    /// No event fits, for no reason that is known.
    Missing,
}

impl TraceGap {
    const ALL: [Self; 10] = [
        Self::NotYet,
        Self::BeforeStart,
        Self::Forgotten,
        Self::Lost,
        Self::Ambiguous,
        Self::Remote,
        Self::Kernel,
        Self::Elsewhere,
        Self::Nameless,
        Self::Missing,
    ];
}

/// The events of one network namespace.
#[derive(Debug)]
pub struct TraceJoin {
    netns: u64,
    capacity: usize,
    slots: VecDeque<Slot>,
    /// The number of the first slot. Numbers wrap.
    first: u32,
    /// The number of each tuple's newest slot.
    newest: HashTable<u32>,
    hasher: FixedState,
    addresses: Interned<Ipv6Addr>,
    processes: Interned<Arc<TracedProcess>>,
    losses: VecDeque<TraceLoss>,
    since: Option<Duration>,
    through: Duration,
    /// The time of the newest event that was dropped.
    forgotten: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Tuple {
    local: u32,
    peer: u32,
    local_port: u16,
    peer_port: u16,
    v6: bool,
}

/// An event, compact: a busy minute has a million of them.
#[derive(Debug, Clone, Copy)]
struct Slot {
    /// Nanoseconds since boot.
    at: u64,
    tuple: Tuple,
    /// The number of a process, or one of the highest numbers for the reason why there is none.
    who: u32,
    /// See [`Slot::back`]; the kind in the lowest two bits, and [`Slot::UNOPENED`].
    back_and_kind: u32,
}

impl Slot {
    /// In the place of [`Kind::Closed`]: and the trace did not see this very socket begin.
    const UNOPENED: u32 = 3;

    /// How many slots before this one lies the event before of the same tuple; 0 for none.
    fn back(&self) -> usize {
        (self.back_and_kind >> 2) as usize
    }

    fn is_unopened(&self) -> bool {
        self.back_and_kind & 3 == Self::UNOPENED
    }

    fn kind(&self) -> Kind {
        match self.back_and_kind & 3 {
            0 => Kind::Opened,
            1 => Kind::Accepted,
            _ => Kind::Closed,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Opened = 0,
    Accepted = 1,
    Closed = 2,
}

/// The lowest `who` that is a reason.
const REASONS: u32 = u32::MAX - 16;
/// Somebody in another namespace, of a socket that is most likely there too.
const FOREIGN: u32 = u32::MAX;

impl TraceJoin {
    /// How long events are kept: the 60 s and 5 s of a `TIME_WAIT`, and then some.
    pub const KEPT: Duration = Duration::from_secs(70);
    /// How many events are kept at most by default; they take about 40 bytes each, index included.
    pub const CAPACITY: usize = 1 << 20;
    /// By how much the time at which a `TIME_WAIT` was entered, read from its timer, may be wrong: a
    /// clock tick of the kernel (10 ms at HZ=100) and the time that the dump took to reach it.
    pub const TOLERANCE: Duration = Duration::from_millis(15);
    /// How many spans of losses are kept apart.
    const SPANS: usize = 256;

    /// An empty memory of the namespace with inode `netns`, of at most `capacity` events.
    #[must_use]
    pub fn new(netns: u64, capacity: usize) -> Self {
        Self {
            netns,
            capacity: capacity.clamp(1, 1 << 30),
            slots: VecDeque::new(),
            first: 0,
            newest: HashTable::new(),
            hasher: FixedState::default(),
            addresses: Interned::default(),
            processes: Interned::default(),
            losses: VecDeque::new(),
            since: None,
            through: Duration::ZERO,
            forgotten: None,
        }
    }

    /// How many events are kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no event is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// The instant up to which the trace has come; `None` before the first batch.
    #[must_use]
    pub fn through(&self) -> Option<Duration> {
        self.since.map(|_| self.through)
    }

    /// When the trace began; `None` before the first batch.
    #[must_use]
    pub fn since(&self) -> Option<Duration> {
        self.since
    }

    /// Takes a batch in and drops what is too old.
    pub fn push(&mut self, batch: &TraceBatch) {
        self.since.get_or_insert(batch.since);
        self.through = batch.through;
        let numbers: Vec<u32> =
            batch.processes.iter().map(|process| self.processes.acquire(process)).collect();
        for event in &batch.events {
            self.keep(event, &batch.processes, &numbers);
        }
        for number in numbers {
            self.processes.release(number);
        }
        for &loss in &batch.losses {
            self.keep_loss(loss);
        }
        self.expire();
    }

    /// Who closed our end of the connection from `local` to `peer` that was seen so.
    ///
    /// # Errors
    /// Why nobody is named. A socket in [`Phase::Open`] has not been closed: [`TraceGap::Missing`].
    pub fn closer(&self, local: Endpoint, peer: Endpoint, seen: &Sighting) -> Result<Cause, TraceGap> {
        let slot = self.closing(local, peer, seen)?;
        self.cause(&slot)
    }

    /// Who opened the connection from `local` to `peer` that was seen so.
    ///
    /// # Errors
    /// Why nobody is named; [`TraceGap::Remote`] if it was accepted.
    pub fn opener(&self, local: Endpoint, peer: Endpoint, seen: &Sighting) -> Result<Cause, TraceGap> {
        let latest = if seen.phase == Phase::Open {
            seen.end
        } else {
            let closed = self.closing(local, peer, seen)?;
            // The opening that there may be is an older one's, which its peer closed.
            if closed.is_unopened() {
                return Err(self.why_missing(None));
            }
            Duration::from_nanos(closed.at)
        };
        if self.through < latest {
            return Err(TraceGap::NotYet);
        }
        let certain = latest.min(seen.begin);
        let mut fits: Option<Slot> = None;
        for slot in self.events_until(local, peer, latest).filter(|slot| slot.who != FOREIGN) {
            let opening = slot.kind() != Kind::Closed;
            if let Some(fit) = fits.filter(|_| opening)
                && (fit.who, fit.kind()) != (slot.who, slot.kind())
            {
                return Err(TraceGap::Ambiguous);
            }
            // An open socket began after the last close of its tuple; a closed one before its own.
            if !opening && (seen.phase == Phase::Open) && slot.at <= nanos(certain) {
                break;
            }
            if opening {
                fits = Some(slot);
                if slot.at <= nanos(certain) {
                    break;
                }
            }
        }
        let slot = fits.ok_or_else(|| self.why_missing(None))?;
        if self.lost_between(Duration::from_nanos(slot.at), latest) {
            return Err(TraceGap::Lost);
        }
        if slot.kind() == Kind::Accepted { Err(TraceGap::Remote) } else { self.cause(&slot) }
    }

    /// The first FIN of our end. A closed socket holds its tuple until it is seen, so between the two there is
    /// neither an opening nor another close of that tuple; and the FIN went out before `TIME_WAIT` was entered.
    fn closing(&self, local: Endpoint, peer: Endpoint, seen: &Sighting) -> Result<Slot, TraceGap> {
        let (entered, latest) = match seen.phase {
            Phase::Open => return Err(TraceGap::Missing),
            Phase::Closing => (None, seen.end),
            Phase::TimeWait(entered) => {
                (Some(entered), seen.end.min(entered.saturating_add(Self::TOLERANCE)))
            }
        };
        if self.through < latest {
            return Err(TraceGap::NotYet);
        }
        // At this instant the socket was there, closed, for sure.
        // The age was read at some time of the dump, so that much earlier it may have been entered.
        let early = Self::TOLERANCE + seen.end.saturating_sub(seen.begin);
        let certain = entered.map_or(seen.begin, |at| seen.begin.max(at.saturating_sub(early)));
        // What a socket closed that entered at once.
        let prompt = entered.map(|at| at.saturating_sub(early));
        let (mut fits, mut foreign): (Option<Slot>, bool) = (None, false);
        for slot in self.events_until(local, peer, latest) {
            if slot.who == FOREIGN {
                foreign |= fits.is_none();
                continue;
            }
            if foreign && prompt.is_none_or(|prompt| slot.at < nanos(prompt)) {
                return Err(TraceGap::Elsewhere);
            }
            if slot.kind() == Kind::Closed {
                match fits {
                    Some(fit) if fit.who != slot.who => return Err(TraceGap::Ambiguous),
                    _ => fits = fits.or(Some(slot)),
                }
            }
            if slot.at <= nanos(certain) {
                break;
            }
        }
        let slot = fits.ok_or_else(|| self.why_missing(entered))?;
        if self.lost_between(Duration::from_nanos(slot.at), latest) {
            return Err(TraceGap::Lost);
        }
        Ok(slot)
    }

    /// Why there is no event of a connection that entered `TIME_WAIT` at `entered`, if it did.
    fn why_missing(&self, entered: Option<Duration>) -> TraceGap {
        let Some(since) = self.since else { return TraceGap::NotYet };
        if entered.is_some_and(|at| at <= since.saturating_add(Self::TOLERANCE)) {
            TraceGap::BeforeStart
        } else if self.losses.iter().any(|loss| entered.is_none_or(|at| loss.from <= at)) {
            TraceGap::Lost
        } else if self.forgotten.is_some() {
            TraceGap::Forgotten
        } else if entered.is_none() {
            TraceGap::BeforeStart
        } else {
            TraceGap::Missing
        }
    }

    fn lost_between(&self, from: Duration, to: Duration) -> bool {
        self.losses.iter().any(|loss| loss.from <= to && from <= loss.to)
    }

    fn cause(&self, slot: &Slot) -> Result<Cause, TraceGap> {
        match slot.who.checked_sub(REASONS) {
            Some(reason) => Err(TraceGap::ALL[reason as usize]),
            None => Ok(Cause {
                process: Arc::clone(self.processes.get(slot.who)),
                at: Duration::from_nanos(slot.at),
            }),
        }
    }

    /// The events of a tuple up to `latest`, newest first.
    fn events_until(&self, local: Endpoint, peer: Endpoint, latest: Duration) -> impl Iterator<Item = Slot> {
        self.events(local, peer).filter(move |slot| slot.at <= nanos(latest))
    }

    /// The events of a tuple, newest first.
    fn events(&self, local: Endpoint, peer: Endpoint) -> impl Iterator<Item = Slot> {
        let newest = self.find(local, peer);
        std::iter::successors(newest, |&index| match self.slots[index].back() {
            0 => None,
            back => index.checked_sub(back),
        })
        .map(|index| self.slots[index])
    }

    fn find(&self, local: Endpoint, peer: Endpoint) -> Option<usize> {
        let number = |ip| match ip {
            IpAddr::V4(ip) => Some(ip.to_bits()),
            IpAddr::V6(ip) => self.addresses.find(&ip),
        };
        let tuple = Tuple {
            local: number(local.ip)?,
            peer: number(peer.ip)?,
            local_port: local.port,
            peer_port: peer.port,
            v6: local.ip.is_ipv6(),
        };
        let hash = self.hasher.hash_one(tuple);
        let number = self.newest.find(hash, |&number| self.slots[self.index(number)].tuple == tuple)?;
        Some(self.index(*number))
    }

    fn index(&self, number: u32) -> usize {
        number.wrapping_sub(self.first) as usize
    }

    fn keep(&mut self, event: &TraceEvent, processes: &[Arc<TracedProcess>], numbers: &[u32]) {
        let kind = match event.kind {
            TraceKind::Opened => Kind::Opened,
            TraceKind::Accepted => Kind::Accepted,
            TraceKind::Closed => Kind::Closed,
            TraceKind::NoPort | TraceKind::ConnectFailed => return,
        };
        let who = match &event.task {
            // Another namespace's. But a process may close there what it opened here, so where both have a connection
            // with these ends it is kept, to cast doubt on what is older.
            Some(TraceTask { netns: Some(netns), .. }) if *netns != self.netns => {
                if kind != Kind::Closed || self.find(event.local, event.peer).is_none() {
                    return;
                }
                FOREIGN
            }
            // One that is not known where is kept: it may be the answer, and then there is none.
            Some(task) => who(task, processes, numbers),
            None if kind == Kind::Accepted => reason(TraceGap::Remote),
            None => reason(TraceGap::Nameless),
        };
        if self.slots.len() >= self.capacity {
            self.forget_oldest();
        }
        let tuple = self.tuple(event);
        if who < REASONS {
            self.processes.retain(who);
        }
        let number =
            self.first.wrapping_add(u32::try_from(self.slots.len()).expect("bounded by the capacity"));
        let hash = self.hasher.hash_one(tuple);
        let Self { newest, slots, first, hasher, .. } = self;
        let at = |number: u32| &slots[number.wrapping_sub(*first) as usize];
        let entry = newest.entry(hash, |&n| at(n).tuple == tuple, |&n| hasher.hash_one(at(n).tuple));
        let back = match entry {
            Entry::Occupied(mut entry) => number.wrapping_sub(std::mem::replace(entry.get_mut(), number)),
            Entry::Vacant(entry) => {
                entry.insert(number);
                0
            }
        };
        let unopened = kind == Kind::Closed && event.side.is_none();
        let kind = if unopened { Slot::UNOPENED } else { kind as u32 };
        slots.push_back(Slot { at: nanos(event.at), tuple, who, back_and_kind: back << 2 | kind });
    }

    fn tuple(&mut self, event: &TraceEvent) -> Tuple {
        let mut number = |ip| match ip {
            IpAddr::V4(ip) => ip.to_bits(),
            IpAddr::V6(ip) => self.addresses.acquire(&ip),
        };
        Tuple {
            local: number(event.local.ip),
            peer: number(event.peer.ip),
            local_port: event.local.port,
            peer_port: event.peer.port,
            v6: event.local.ip.is_ipv6(),
        }
    }

    fn keep_loss(&mut self, loss: TraceLoss) {
        if self.losses.len() >= Self::SPANS
            && let Some(last) = self.losses.back_mut()
        {
            last.from = last.from.min(loss.from);
            last.to = last.to.max(loss.to);
            last.records += loss.records;
        } else {
            self.losses.push_back(loss);
        }
    }

    fn expire(&mut self) {
        let oldest = self.through.saturating_sub(Self::KEPT);
        while self.slots.front().is_some_and(|slot| slot.at < nanos(oldest)) {
            self.forget_oldest();
        }
        self.losses.retain(|loss| loss.to >= oldest);
    }

    fn forget_oldest(&mut self) {
        let Some(slot) = self.slots.front().copied() else { return };
        let hash = self.hasher.hash_one(slot.tuple);
        let number = self.first;
        if let Ok(entry) = self.newest.find_entry(hash, |&newest| newest == number) {
            entry.remove();
        }
        self.slots.pop_front();
        self.first = self.first.wrapping_add(1);
        if slot.tuple.v6 {
            self.addresses.release(slot.tuple.local);
            self.addresses.release(slot.tuple.peer);
        }
        if slot.who < REASONS {
            self.processes.release(slot.who);
        }
        let at = Duration::from_nanos(slot.at);
        self.forgotten = Some(self.forgotten.map_or(at, |before| before.max(at)));
    }
}

fn who(task: &TraceTask, processes: &[Arc<TracedProcess>], numbers: &[u32]) -> u32 {
    let index = task.process.map(|index| index as usize);
    match index.and_then(|index| Some((processes.get(index)?, *numbers.get(index)?))) {
        None => reason(TraceGap::Nameless),
        Some((process, _)) if process.kernel => reason(TraceGap::Kernel),
        Some(_) if task.netns.is_none() => reason(TraceGap::Elsewhere),
        Some((_, number)) => number,
    }
}

fn reason(gap: TraceGap) -> u32 {
    let index = TraceGap::ALL.iter().position(|&other| other == gap).expect("every reason is listed");
    REASONS + u32::try_from(index).expect("there are few reasons")
}

fn nanos(at: Duration) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
