//! One walk over the sockets of a sample: each meets the memory of connections and gets its link.

use std::time::Duration;

use super::{
    Attribution, Link,
    accept::{Acceptors, Window},
    attribute::{Attributor, Scan},
    memory::{Entry, Holder, Memory, SideSeen, Told, Trace},
    ports::PortSet,
    recent::Recent,
};
use crate::model::{Side, SocketRef, Stamp, TcpState, Unknown};

/// A `TIME_WAIT` that is due says this age, whatever its age.
const DUE_MS: u32 = 60_000;

/// What a walk needs to know of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// The number of the sample, counted round and round.
    pub(super) tick: u16,
    /// When the dump began.
    from: Duration,
    /// When it ended.
    until: Duration,
    /// When the dump before began; `None` without one.
    before: Option<Duration>,
    /// How long the `FIN_WAIT2` of a closed descriptor lasts.
    fin_timeout: Duration,
    /// A `TIME_WAIT` at most that old may have been entered since the sample before; `None` without one.
    fresh_ms: Option<u32>,
    /// A `TIME_WAIT` at most that old may look fresh to the next sample.
    young_ms: u32,
    /// How long ago the first complete sample was; `None` before there was one.
    watched_ms: Option<u32>,
    /// Whether a connection that is not remembered must be new.
    pub(super) remembers_all: bool,
}

impl Now {
    /// How far the age of a `TIME_WAIT` is out, generously (measured: 6 ms).
    const JITTER: Duration = Duration::from_millis(20);

    /// `before` is the sample before: its stamp and how long its dump took. A socket is dumped up to that
    /// long before the stamp, so it may be younger than the stamps tell.
    pub(super) fn new(
        tick: u16,
        (stamp, dump): (Stamp, Duration),
        before: Option<(Stamp, Duration)>,
        started: Option<Stamp>,
        remembers_all: bool,
        fin_timeout: Duration,
    ) -> Self {
        let since = |earlier: Stamp| stamp.since_boot.saturating_sub(earlier.since_boot);
        let fresh = before.map(|(stamp, dump)| since(stamp) + dump + Self::JITTER);
        Self {
            tick,
            from: stamp.since_boot.saturating_sub(dump),
            until: stamp.since_boot,
            before: before.map(|(stamp, dump)| stamp.since_boot.saturating_sub(dump)),
            fin_timeout,
            fresh_ms: fresh.map(millis),
            young_ms: millis(dump * 3 + Self::JITTER * 10),
            watched_ms: started.map(|started| millis(since(started))),
            remembers_all,
        }
    }

    /// Why nobody is known to have owned a `TIME_WAIT` that no sample saw before.
    fn unseen_time_wait(&self, age_ms: u32) -> Unknown {
        let at_most = oldest_ms(age_ms);
        match self.watched_ms {
            Some(watched) if at_most < watched => Unknown::TooShort,
            _ => Unknown::BeforeStart,
        }
    }

    /// When a `TIME_WAIT` was entered.
    fn time_wait(&self, age_ms: u32) -> Window {
        let ago = |end: Duration, ms| end.saturating_sub(Duration::from_millis(u64::from(ms)));
        Window {
            earliest: ago(self.from, oldest_ms(age_ms)).saturating_sub(Self::JITTER),
            latest: ago(self.until, age_ms) + Self::JITTER,
        }
    }

    /// When a connection that is seen for the first time closed, if it has no holder any more.
    fn first_seen(&self, socket: SocketRef<'_>) -> Window {
        /// So long the kernel repeats the last segment of a closed socket, and longer than most have been
        /// alone (8 times, `tcp_orphan_retries()`).
        const ORPHANED: Duration = Duration::from_mins(2);
        let row = socket.row();
        if let Some(age_ms) = row.time_wait_age_ms() {
            return self.time_wait(age_ms);
        }
        let earliest = match self.before {
            Some(before) if self.remembers_all => before,
            _ if row.is_mini() => self.from.saturating_sub(self.fin_timeout),
            _ => self.from.saturating_sub(ORPHANED),
        };
        Window { earliest, latest: self.until }
    }

    /// When a connection closed that waited to be accepted in the sample before.
    fn since_before(&self) -> Window {
        Window { earliest: self.before.unwrap_or_default(), latest: self.until }
    }

    /// For a connection that waits to be accepted: whoever listens now will.
    fn at_once(&self) -> Window {
        Window { earliest: self.until, latest: self.until }
    }
}

/// How old a `TIME_WAIT` of this age may be: one that is due says 60 s, and the kernel's timer wheel is late.
fn oldest_ms(age_ms: u32) -> u32 {
    const OLDEST_MS: u32 = 65_500;
    if age_ms >= DUE_MS { age_ms.max(OLDEST_MS) } else { age_ms }
}

fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// The walk.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    pub(super) now: Now,
    pub(super) attributor: Attributor<'a>,
    pub(super) memory: &'a mut Memory,
    pub(super) recent: &'a mut Recent,
    pub(super) complete: bool,
    /// The ports that the kernel picks for those who connect; none if not known.
    pub(super) picked: PortSet,
    /// Remembered connections that were in this sample, new ones included.
    pub(super) met: usize,
    /// Connections that our end has closed and of which the trace has just turned out to name nobody.
    pub(super) unnamed: u64,
    /// Indices of sockets that are open; in an incomplete sample only of those not remembered as open.
    pub(super) open: Vec<u32>,
}

impl Pass<'_> {
    /// The link of the socket with that index in the sample.
    #[inline]
    pub(super) fn link(&mut self, index: u32, socket: SocketRef<'_>) -> Link {
        let row = socket.row();
        if !row.state.is_connection() {
            return Link::new(self.attributor.unconnected(socket), None, false, false);
        }
        if let Some(entry) = self.memory.get_mut(row.cookie) {
            self.met += 1;
            entry.tick = self.now.tick;
            if row.state.is_open() && (self.complete || !entry.open) {
                self.open.push(index);
            }
            let before = entry.trace().closer;
            let link = again(entry, &mut self.attributor, socket, &self.now, self.complete);
            self.unnamed += u64::from(before == Told::NotYet && entry.trace().closer == Told::Nothing);
            return link;
        }
        match row.time_wait_age_ms() {
            Some(age_ms) => self.unseen_time_wait(socket, age_ms),
            None => self.first_seen(index, socket),
        }
    }

    /// A `TIME_WAIT` of a connection that no sample saw. It is not remembered, unless the trace has told all that it
    /// ever will.
    #[inline]
    fn unseen_time_wait(&mut self, socket: SocketRef<'_>, age_ms: u32) -> Link {
        let cookie = socket.row().cookie;
        let fresh = self.now.fresh_ms.is_some_and(|limit| age_ms <= limit) && age_ms < DUE_MS;
        // One that was there at the start is noted as well: it may look fresh to the next sample.
        let noted = (fresh || age_ms <= self.now.young_ms) && self.recent.insert(cookie);
        let closed = fresh && noted;
        let trace = self.attributor.ask(socket, Trace::NOT_YET);
        let (side, acceptors) = self.side_seen(socket, self.now.time_wait(age_ms), trace);
        let holder = accepted(self.now.unseen_time_wait(age_ms), acceptors);
        self.unnamed += u64::from(trace.closer == Told::Nothing);
        if trace.closer != Told::NotYet {
            let mut entry = Entry::new(cookie, holder, self.now.tick, side, false);
            entry.set_trace(trace);
            self.memory.insert(entry);
            self.met += 1;
        }
        let side = side.side();
        let attribution = self.attributor.not_held(holder);
        let attribution = self.attributor.with_trace(attribution, trace);
        Link::new(attribution, Some(side), closed && self.now.remembers_all, closed)
    }

    /// Which side is ours of a connection that was not seen before, and who may have accepted it if that was
    /// before the end of `window`. What the trace told decides; nobody accepted what one of ours opened.
    fn side_seen(
        &mut self,
        socket: SocketRef<'_>,
        window: Window,
        trace: Trace,
    ) -> (SideSeen, Option<Acceptors>) {
        if matches!(trace.opener, Told::By(_)) {
            return (SideSeen::Connected, None);
        }
        let acceptors = self.attributor.acceptors(socket, window);
        let state = socket.row().state;
        let side = match (state, self.side(socket, acceptors)) {
            (TcpState::SynSent, _) => SideSeen::Connected,
            (TcpState::SynRecv, _) | (_, Side::Server) => SideSeen::Server,
            _ if trace.opener == Told::Remote => SideSeen::Server,
            (_, Side::Client) if self.complete => SideSeen::Client,
            (_, Side::Client) => SideSeen::Unlisted,
        };
        (side, acceptors)
    }

    /// Which side is ours of a connection that was not seen before.
    ///
    /// A listener decides. Where there is none any more, as after a restart without one, the ports tell: the
    /// kernel picks the port of the end that connects. No owner follows from that.
    fn side(&self, socket: SocketRef<'_>, acceptors: Option<Acceptors>) -> Side {
        let row = socket.row();
        let came_here = self.picked.contains(row.peer_port) && !self.picked.contains(row.local_port);
        if acceptors.is_some() || came_here { Side::Server } else { Side::Client }
    }

    fn first_seen(&mut self, index: u32, socket: SocketRef<'_>) -> Link {
        let row = socket.row();
        let open = row.state.is_open();
        let scan = self.attributor.scan(socket);
        let window =
            if matches!(scan, Scan::Queue) { self.now.at_once() } else { self.now.first_seen(socket) };
        let trace = self.attributor.ask(socket, Trace::NOT_YET);
        let (side, acceptors) = self.side_seen(socket, window, trace);
        let unseen = if self.now.remembers_all { Unknown::TooShort } else { Unknown::BeforeStart };
        let (holder, attribution) = match scan {
            Scan::By(set) => (Holder::By(set), self.attributor.held(set)),
            Scan::Queue => (Holder::Queued, self.attributor.not_held(accepted(Unknown::Gone, acceptors))),
            Scan::Nobody(reason) => self.unheld(accepted(reason, acceptors)),
            Scan::Mini if row.is_mini() => self.unheld(accepted(unseen, acceptors)),
            Scan::Mini => self.unheld(accepted(Unknown::Gone, acceptors)),
        };
        let attribution = self.attributor.with_trace(attribution, trace);
        self.unnamed += u64::from(trace.closer == Told::Nothing);
        let mut entry = Entry::new(row.cookie, holder, self.now.tick, side, open);
        entry.set_trace(trace);
        self.memory.insert(entry);
        self.met += 1;
        if open {
            self.open.push(index);
        }
        let opened = self.now.remembers_all && !self.recent.contains(row.cookie);
        Link::new(attribution, Some(side.side()), opened, opened && !open)
    }

    fn unheld(&mut self, holder: Holder) -> (Holder, u32) {
        (holder, self.attributor.not_held(holder))
    }

    /// What was written.
    pub(super) fn finish(self) -> Vec<Attribution> {
        self.attributor.finish()
    }

    /// What becomes of a connection that was open before, if it is not in this sample: it has ended.
    pub(super) fn ended(&mut self, socket: SocketRef<'_>) -> Option<Link> {
        let cookie = socket.row().cookie;
        let entry = self.memory.get_mut(cookie)?;
        if entry.tick == self.now.tick || !entry.open {
            return None;
        }
        entry.open = false;
        self.recent.insert(cookie);
        let (side, mut holder, trace) = (entry.side.side(), entry.holder(), entry.trace());
        if holder == Holder::Queued {
            let acceptors = self.attributor.acceptors_of_other(socket, self.now.since_before());
            holder = accepted(Unknown::Gone, acceptors.filter(|_| side == Side::Server));
        }
        let attribution = self.attributor.not_held(holder);
        Some(Link::new(self.attributor.with_trace(attribution, trace), Some(side), false, true))
    }
}

/// What to remember of a connection that nobody is seen to hold, for that reason: who accepted it.
///
/// But not where the scan saw it with somebody it could not name: then it is not the listener's owner that
/// has it.
fn accepted(reason: Unknown, acceptors: Option<Acceptors>) -> Holder {
    match (reason, acceptors) {
        (Unknown::Denied | Unknown::Kernel, _) => Holder::Nobody(reason),
        (_, Some(Ok(accepted))) => Holder::Accepted(accepted),
        (_, Some(Err(hidden @ (Unknown::Denied | Unknown::Kernel)))) => Holder::Nobody(hidden),
        _ => Holder::Nobody(reason),
    }
}

/// The link of a connection that is remembered, which remembers the news.
fn again(
    entry: &mut Entry,
    attributor: &mut Attributor<'_>,
    socket: SocketRef<'_>,
    now: &Now,
    complete: bool,
) -> Link {
    let state = socket.row().state;
    // One that is open after it closed was connected anew: the same descriptor, a new connection.
    let before = if state.is_open() && !entry.open { Trace::NOT_YET } else { entry.trace() };
    let trace = attributor.ask(socket, before);
    entry.set_trace(trace);
    match (entry.side, state) {
        _ if matches!(trace.opener, Told::By(_)) => entry.side = SideSeen::Connected,
        (_, TcpState::SynSent) => entry.side = SideSeen::Connected,
        (SideSeen::Unlisted | SideSeen::Client, TcpState::SynRecv) => entry.side = SideSeen::Server,
        (SideSeen::Unlisted, _) if attributor.acceptors(socket, now.at_once()).is_some() => {
            entry.side = SideSeen::Server;
        }
        (SideSeen::Unlisted, _) if complete => entry.side = SideSeen::Client,
        _ => {}
    }
    let attribution = owner_again(entry, attributor, socket, now);
    let attribution = attributor.with_trace(attribution, trace);
    let (opened, closed) = (state.is_open() && !entry.open, entry.open && !state.is_open());
    entry.open = state.is_open();
    Link::new(attribution, Some(entry.side.side()), opened, closed)
}

fn owner_again(entry: &mut Entry, attributor: &mut Attributor<'_>, socket: SocketRef<'_>, now: &Now) -> u32 {
    let is_server = entry.side == SideSeen::Server;
    let acceptors = |attributor: &mut Attributor<'_>, window| {
        if is_server { attributor.acceptors(socket, window) } else { None }
    };
    let reason = match attributor.scan(socket) {
        Scan::By(set) => {
            entry.set_holder(Holder::By(set));
            return attributor.held(set);
        }
        Scan::Queue if entry.holder() == Holder::Queued => {
            let waiting = accepted(Unknown::Gone, acceptors(attributor, now.at_once()));
            return attributor.not_held(waiting);
        }
        Scan::Nobody(reason) => reason,
        Scan::Queue | Scan::Mini => Unknown::Gone,
    };
    let holder = match entry.holder() {
        Holder::Queued => accepted(reason, acceptors(attributor, now.since_before())),
        Holder::Nobody(before) => Holder::Nobody(stronger(before, reason)),
        Holder::Accepted(_) if matches!(reason, Unknown::Denied | Unknown::Kernel) => Holder::Nobody(reason),
        holder => holder,
    };
    entry.set_holder(holder);
    attributor.not_held(holder)
}

/// Of two reasons, given by the sample before and this one, the one that says more: that somebody had it
/// whom we could not name stays true when it is let go of.
fn stronger(before: Unknown, now: Unknown) -> Unknown {
    if now == Unknown::Gone { before } else { now }
}
