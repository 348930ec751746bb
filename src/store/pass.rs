//! One walk over the sockets of a sample: each meets the memory of connections and gets its link.

use std::time::Duration;

use super::{
    Link,
    attribute::{Attributor, Scan},
    listeners::Acceptors,
    memory::{Entry, Holder, Memory, SideSeen},
    ports::PortSet,
    recent::Recent,
};
use crate::model::{Detail, Side, SocketRef, Stamp, TcpState, Unknown};

/// A `TIME_WAIT` that is due says this age, whatever its age.
const DUE_MS: u32 = 60_000;

/// What a walk needs to know of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// The number of the sample, counted round and round.
    pub(super) tick: u16,
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
    ) -> Self {
        let since = |earlier: Stamp| stamp.since_boot.saturating_sub(earlier.since_boot);
        let fresh = before.map(|(stamp, dump)| since(stamp) + dump + Self::JITTER);
        Self {
            tick,
            fresh_ms: fresh.map(millis),
            young_ms: millis(dump * 3 + Self::JITTER * 10),
            watched_ms: started.map(|started| millis(since(started))),
            remembers_all,
        }
    }

    /// Why nobody is known to have owned a `TIME_WAIT` that no sample saw before.
    fn unseen_time_wait(&self, age_ms: u32) -> Unknown {
        /// One that is due says 60 s, and may be this old: the kernel's timer wheel is late.
        const OLDEST_MS: u32 = 65_500;
        let at_most = if age_ms >= DUE_MS { age_ms.max(OLDEST_MS) } else { age_ms };
        match self.watched_ms {
            Some(watched) if at_most < watched => Unknown::TooShort,
            _ => Unknown::BeforeStart,
        }
    }
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
        let acceptors = self.attributor.acceptors(socket);
        if let Some(entry) = self.memory.get_mut(row.cookie) {
            self.met += 1;
            entry.tick = self.now.tick;
            if row.state.is_open() && (self.complete || !entry.open) {
                self.open.push(index);
            }
            return again(entry, &mut self.attributor, socket, acceptors);
        }
        match row.time_wait_age_ms() {
            Some(age_ms) => self.unseen_time_wait(socket, age_ms, acceptors),
            None => self.first_seen(index, socket, acceptors),
        }
    }

    /// A `TIME_WAIT` of a connection that no sample saw. It is not remembered.
    #[inline]
    fn unseen_time_wait(&mut self, socket: SocketRef<'_>, age_ms: u32, acceptors: Option<Acceptors>) -> Link {
        let cookie = socket.row().cookie;
        let fresh = self.now.fresh_ms.is_some_and(|limit| age_ms <= limit) && age_ms < DUE_MS;
        // One that was there at the start is noted as well: it may look fresh to the next sample.
        let noted = (fresh || age_ms <= self.now.young_ms) && self.recent.insert(cookie);
        let closed = fresh && noted;
        let nobody = Holder::Nobody(self.now.unseen_time_wait(age_ms));
        let side = self.side(socket, acceptors);
        let attribution = self.attributor.not_held(nobody, acceptors);
        Link::new(attribution, Some(side), closed && self.now.remembers_all, closed)
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

    fn first_seen(&mut self, index: u32, socket: SocketRef<'_>, acceptors: Option<Acceptors>) -> Link {
        let row = socket.row();
        let open = row.state.is_open();
        let side = match (row.state, self.side(socket, acceptors)) {
            (TcpState::SynSent, _) => SideSeen::Connected,
            (TcpState::SynRecv, _) | (_, Side::Server) => SideSeen::Server,
            (_, Side::Client) => SideSeen::Client,
        };
        let unseen = if self.now.remembers_all { Unknown::TooShort } else { Unknown::BeforeStart };
        let scan = self.attributor.scan(socket.detail());
        let holder = match scan {
            Scan::By(set) => Holder::By(set),
            Scan::Nobody(reason) => Holder::Nobody(reason),
            Scan::Mini if row.is_mini() => Holder::Nobody(unseen),
            Scan::Queue | Scan::Mini => Holder::Nobody(Unknown::Gone),
        };
        let attribution = match scan {
            Scan::By(set) => self.attributor.held(set),
            _ => self.attributor.not_held(holder, acceptors),
        };
        self.memory.insert(Entry::new(row.cookie, holder, self.now.tick, side, open));
        self.met += 1;
        if open {
            self.open.push(index);
        }
        let opened = self.now.remembers_all && !self.recent.contains(row.cookie);
        Link::new(attribution, Some(side.side()), opened, opened && !open)
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
        let (side, holder) = (entry.side.side(), entry.holder());
        let acceptors = match side {
            Side::Server => self.attributor.acceptors_of_other(socket),
            Side::Client => None,
        };
        Some(Link::new(self.attributor.not_held(holder, acceptors), Some(side), false, true))
    }
}

/// The link of a connection that is remembered, which remembers the news.
fn again(
    entry: &mut Entry,
    attributor: &mut Attributor<'_>,
    socket: SocketRef<'_>,
    acceptors: Option<Acceptors>,
) -> Link {
    let state = socket.row().state;
    match (entry.side, state, acceptors) {
        (_, TcpState::SynSent, _) => entry.side = SideSeen::Connected,
        (SideSeen::Client, TcpState::SynRecv, _) | (SideSeen::Client, _, Some(_)) => {
            entry.side = SideSeen::Server;
        }
        _ => {}
    }
    let side = entry.side.side();
    let attribution =
        owner_again(entry, attributor, socket.detail(), acceptors.filter(|_| side == Side::Server));
    // One that is open after it closed was connected anew: the same descriptor, a new connection.
    let (opened, closed) = (state.is_open() && !entry.open, entry.open && !state.is_open());
    entry.open = state.is_open();
    Link::new(attribution, Some(side), opened, closed)
}

fn owner_again(
    entry: &mut Entry,
    attributor: &mut Attributor<'_>,
    detail: Option<&Detail>,
    acceptors: Option<Acceptors>,
) -> u32 {
    match (attributor.scan(detail), entry.holder()) {
        (Scan::By(set), _) => {
            entry.set_holder(Holder::By(set));
            return attributor.held(set);
        }
        (Scan::Nobody(reason), Holder::Nobody(before)) => {
            entry.set_holder(Holder::Nobody(stronger(before, reason)));
        }
        _ => {}
    }
    attributor.not_held(entry.holder(), acceptors)
}

/// Of two reasons, given by the sample before and this one, the one that says more: that somebody had it
/// whom we could not name stays true when it is let go of.
fn stronger(before: Unknown, now: Unknown) -> Unknown {
    if now == Unknown::Gone { before } else { now }
}
