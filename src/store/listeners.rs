//! Which sockets listen, or listened up to 65 s ago, and who may have accepted from them.

use std::{net::IpAddr, time::Duration};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{
    accept::{Acceptance, Window},
    people::{People, SetId},
    ports::PortSet,
};
use crate::model::{Family, Held, Sample, SocketRef, TcpState, Unknown};

/// How long a listener, or a holder of one, counts after it went: the longest life of a `TIME_WAIT` that
/// it may have left behind.
const MEMORY: Duration = Duration::from_secs(65);

/// Listeners by cookie.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    known: HashMap<u64, Listener, FixedState>,
    by_port: HashMap<u16, Vec<u64>, FixedState>,
    ports: PortSet,
    /// When the last complete dump began; `None` before there was one. Whatever listened in the first may
    /// have done so for long.
    looked: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Listener {
    ip: IpAddr,
    port: u16,
    family: Family,
    v6only: bool,
    /// Bound to an interface: only what comes in there reaches it.
    bound: bool,
    /// When it began; `None` if it was there before anyone looked.
    pub(super) since: Option<Since>,
    /// When the dump began that listed it last.
    pub(super) last: Duration,
    present: bool,
    /// Who held it, the newest last.
    pub(super) holders: Vec<Holding>,
    /// Why nobody is known to hold it, as of the last sample.
    pub(super) reason: Unknown,
}

/// When a listener that came under our eyes began to listen: after the one time, and not after the other.
#[derive(Debug, Clone, Copy)]
pub(super) struct Since {
    /// It was not there yet.
    pub(super) absent: Duration,
    /// It was first seen.
    pub(super) first: Duration,
}

/// That a set of processes held a listener.
#[derive(Debug, Clone, Copy)]
pub(super) struct Holding {
    pub(super) set: SetId,
    /// When that was first seen; `None` if it was so before anyone looked.
    pub(super) first: Option<Duration>,
    last: Duration,
    /// Whether these were all: nobody who might hold it as well was out of sight.
    pub(super) is_whole: bool,
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
            self.see(socket, sample, held);
        }
        for listener in self.known.values_mut().filter(|listener| listener.present) {
            listener.last = now.saturating_sub(sample.cost.dump);
        }
        self.known.retain(|_, listener| now.saturating_sub(listener.last) <= MEMORY);
        if sample.complete {
            self.looked = Some(now.saturating_sub(sample.cost.dump));
        }
        self.index();
    }

    fn see(&mut self, socket: SocketRef<'_>, sample: &Sample, held: &[Option<SetId>]) {
        let now = sample.stamp.since_boot;
        let since = self.looked.map(|absent| Since { absent, first: now });
        let listener =
            self.known.entry(socket.row().cookie).or_insert_with(|| Listener::new(socket, since, now));
        listener.present = true;
        let seen = match socket.detail().map(|detail| detail.held) {
            Some(Held::By(n)) => held.get(n as usize).copied().flatten().ok_or(Unknown::Gone),
            Some(Held::Denied) => Err(Unknown::Denied),
            Some(Held::Kernel) => Err(Unknown::Kernel),
            Some(Held::Gone | Held::Queue) | None => Err(Unknown::Gone),
        };
        match seen {
            Ok(set) => listener.hold(Holding {
                set,
                first: since.map(|since| since.first),
                last: now,
                is_whole: sees_all_holders(sample),
            }),
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
        self.known.get(&cookie)?.holders.last().map(|holding| holding.set)
    }

    /// Who accepts, or accepted, connections to that local end; `None` if nobody listens there.
    pub(super) fn at(&self, ip: IpAddr, port: u16, people: &People) -> Option<Acceptance<'_>> {
        let on_port = self.by_port.get(&port)?.iter().map(|cookie| &self.known[cookie]);
        let matching: Vec<_> = on_port.filter_map(|l| Some((l.rank(ip)?, l))).collect();
        (!matching.is_empty()).then(|| Acceptance::new(matching, people))
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// Every set that is referred to.
    pub(super) fn sets_mut(&mut self) -> impl Iterator<Item = &mut SetId> {
        self.known
            .values_mut()
            .flat_map(|listener| listener.holders.iter_mut().map(|holding| &mut holding.set))
    }
}

impl Listener {
    fn new(socket: SocketRef<'_>, since: Option<Since>, now: Duration) -> Self {
        let detail = socket.detail();
        Self {
            ip: socket.local().ip,
            port: socket.row().local_port,
            family: socket.row().family,
            v6only: detail.and_then(|detail| detail.v6only).unwrap_or(false),
            bound: detail.is_some_and(|detail| detail.interface != 0),
            since,
            last: now,
            present: true,
            holders: Vec::new(),
            reason: Unknown::Gone,
        }
    }

    /// A set of processes holds it now. Earlier holders stay for a while.
    fn hold(&mut self, mut now: Holding) {
        if let Some(before) = self.holders.iter().find(|holding| holding.set == now.set) {
            now.first = before.first;
        }
        self.holders.retain(|old| old.set != now.set && now.last.saturating_sub(old.last) <= MEMORY);
        self.holders.push(now);
    }

    /// Whether it may have listened before `time`.
    pub(super) fn may_precede(&self, time: Duration) -> bool {
        self.since.is_none_or(|since| since.absent <= time)
    }

    /// Whether it listened all through `window`. After one was last seen, another may have come and gone.
    pub(super) fn outlasts(&self, window: Window) -> bool {
        self.since.is_none_or(|since| since.first <= window.earliest)
            && (self.present || window.latest < self.last)
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
    pub(super) fn is_settled(&self) -> bool {
        let long_there = self.since.is_none_or(|since| self.last.saturating_sub(since.first) > MEMORY);
        self.present && !self.bound && long_there
    }
}

/// Whether the holders of a listener that we see are all there are.
///
/// A listener is shared by a fork, or by passing its descriptor on, and both cross the border between users:
/// neither the user that made the socket nor the place in the tree of processes tells who else holds it. So
/// while a capability is missing to read some process, that process may be the one that accepts. A process
/// that full capabilities cannot read either (one in a sandbox) is taken not to share a listener with others:
/// otherwise one such process on a host would take away all that is known of listeners.
fn sees_all_holders(sample: &Sample) -> bool {
    sample.privileges.missing.is_empty()
}
