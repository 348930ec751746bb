//! Which sockets listen, or listened up to 65 s ago, and who may have accepted from them.

use std::{net::IpAddr, time::Duration};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{
    people::{People, SetId},
    ports::PortSet,
};
use crate::model::{Family, Held, Sample, SocketRef, TcpState, Unknown};

/// How long a listener, or a holder of one, counts after it went: the longest life of a `TIME_WAIT` that
/// it may have left behind.
const MEMORY: Duration = Duration::from_secs(65);

/// Who accepted, if the local end is a listener's: a set of one or more, or why nobody can be named.
pub(super) type Acceptors = Result<SetId, Unknown>;

/// Listeners by cookie.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    known: HashMap<u64, Listener, FixedState>,
    by_port: HashMap<u16, Vec<u64>, FixedState>,
    ports: PortSet,
    /// Whether a complete sample has come: whatever listened in it may have done so for long.
    begun: bool,
}

#[derive(Debug)]
struct Listener {
    ip: IpAddr,
    port: u16,
    family: Family,
    v6only: bool,
    /// Bound to an interface: only what comes in there reaches it.
    bound: bool,
    /// When it was first seen; `None` if it was there before anyone looked.
    first: Option<Duration>,
    last: Duration,
    present: bool,
    /// Who held it, and when that was last seen.
    holders: Vec<(SetId, Duration)>,
    /// Why nobody is known to hold it, as of the last sample.
    reason: Unknown,
}

impl Listeners {
    /// Takes note of the listeners of a sample. `held` tells the set for each of its `holders`.
    pub(super) fn update(&mut self, sample: &Sample, held: &[Option<SetId>]) {
        let now = sample.stamp.since_boot;
        if sample.complete {
            self.known.values_mut().for_each(|listener| listener.present = false);
        }
        let rows = sample.sockets.rows().iter().enumerate();
        for (index, _) in rows.filter(|(_, row)| row.state == TcpState::Listen) {
            let socket = sample.sockets.get(index).expect("an index of its rows");
            self.see(socket, now, held);
        }
        for listener in self.known.values_mut().filter(|listener| listener.present) {
            listener.last = now;
        }
        self.known.retain(|_, listener| now.saturating_sub(listener.last) <= MEMORY);
        self.begun |= sample.complete;
        self.index();
    }

    fn see(&mut self, socket: SocketRef<'_>, now: Duration, held: &[Option<SetId>]) {
        let first = self.begun.then_some(now);
        let listener =
            self.known.entry(socket.row().cookie).or_insert_with(|| Listener::new(socket, first, now));
        listener.present = true;
        let seen = match socket.detail().map(|detail| detail.held) {
            Some(Held::By(n)) => held.get(n as usize).copied().flatten().ok_or(Unknown::Gone),
            Some(Held::Denied) => Err(Unknown::Denied),
            Some(Held::Kernel) => Err(Unknown::Kernel),
            Some(Held::Gone | Held::Queue) | None => Err(Unknown::Gone),
        };
        match seen {
            Ok(set) => listener.hold(set, now),
            Err(reason) => listener.reason = reason,
        }
    }

    fn index(&mut self) {
        self.by_port.clear();
        self.ports = PortSet::default();
        for (&cookie, listener) in &self.known {
            self.ports.insert(listener.port);
            self.by_port.entry(listener.port).or_default().push(cookie);
        }
    }

    /// Whether any listener has this port. Most sockets are clients', and answered by this alone.
    #[inline]
    pub(super) fn has_port(&self, port: u16) -> bool {
        self.ports.contains(port)
    }

    /// The last known holder of the listener with that cookie.
    pub(super) fn holder(&self, cookie: u64) -> Option<SetId> {
        self.known.get(&cookie)?.holders.last().map(|&(set, _)| set)
    }

    /// Who accepts, or accepted, connections to that local end; `None` if nobody listens there.
    ///
    /// The most specific listener takes a connection (the kernel's `inet_lookup_listener`: address before
    /// wildcard, `AF_INET` before `AF_INET6`). A less specific one counts as well while that one may not
    /// have been there all the time, or not for every interface.
    pub(super) fn acceptors(&self, ip: IpAddr, port: u16, people: &mut People) -> Option<Acceptors> {
        let on_port = self.by_port.get(&port)?.iter().map(|cookie| &self.known[cookie]);
        let mut matching: Vec<(u8, &Listener)> = on_port.filter_map(|l| Some((l.rank(ip)?, l))).collect();
        matching.sort_by_key(|&(rank, _)| std::cmp::Reverse(rank));
        let takes_all = matching.iter().find(|(_, listener)| listener.is_settled());
        let least = takes_all.map_or(0, |&(rank, _)| rank);
        matching.retain(|&(rank, _)| rank >= least);
        if matching.is_empty() {
            return None;
        }
        // With one listener whose holder is hidden, the others' holders are not the whole set.
        if let Some((_, hidden)) = matching.iter().find(|(_, listener)| listener.holders.is_empty()) {
            return Some(Err(hidden.reason));
        }
        let sets: Vec<SetId> =
            matching.iter().flat_map(|(_, listener)| listener.holders.iter().map(|&(set, _)| set)).collect();
        people.union(&sets).map(Ok)
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Every set that is referred to.
    pub(super) fn sets_mut(&mut self) -> impl Iterator<Item = &mut SetId> {
        self.known.values_mut().flat_map(|listener| listener.holders.iter_mut().map(|(set, _)| set))
    }
}

impl Listener {
    fn new(socket: SocketRef<'_>, first: Option<Duration>, now: Duration) -> Self {
        let detail = socket.detail();
        Self {
            ip: socket.local().ip,
            port: socket.row().local_port,
            family: socket.row().family,
            v6only: detail.and_then(|detail| detail.v6only).unwrap_or(false),
            bound: detail.is_some_and(|detail| detail.interface != 0),
            first,
            last: now,
            present: true,
            holders: Vec::new(),
            reason: Unknown::Gone,
        }
    }

    /// `set` holds it now. Earlier holders stay for a while, the newest is last.
    fn hold(&mut self, set: SetId, now: Duration) {
        self.holders.retain(|&(other, at)| other != set && now.saturating_sub(at) <= MEMORY);
        self.holders.push((set, now));
    }

    /// How specifically it listens for `ip`; `None` if it does not.
    fn rank(&self, ip: IpAddr) -> Option<u8> {
        let (exact, any) = (self.ip == ip, self.ip.is_unspecified());
        match (ip, self.family) {
            (IpAddr::V4(_), Family::V4) if exact => Some(4),
            (IpAddr::V4(_), Family::Mapped) | (IpAddr::V6(_), Family::V6) if exact => Some(3),
            (IpAddr::V4(_), Family::V4) if any => Some(2),
            (IpAddr::V4(_), Family::Mapped) | (IpAddr::V6(_), Family::V6) if any => Some(1),
            (IpAddr::V4(_), Family::V6) if any && !self.v6only => Some(1),
            _ => None,
        }
    }

    /// Whether it has taken every connection to its address for as long as one may be remembered.
    fn is_settled(&self) -> bool {
        let long_there = self.first.is_none_or(|first| self.last.saturating_sub(first) > MEMORY);
        self.present && !self.bound && long_there
    }
}
