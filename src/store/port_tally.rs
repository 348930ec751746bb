//! The counting of local ports in the walk over the sockets, and a closer look at the worst destinations.

use super::{
    BindPool, DestinationPorts, DestinationRow, Forecast, Held, Link, Moment, Outlook, PortRules, PortUse,
    Takeover, ports::PortSet,
};
use crate::model::{Family, Sample, Side, Socket, SocketRef, TcpState};

/// So many destinations are looked at closely, the worst.
pub(super) const WATCHED: usize = 16;
/// For so many of our addresses it is worked out what `bind()` has left.
const POOLS: usize = 8;
/// The rate of entries into `TIME_WAIT` is taken over so many seconds.
const RATE_S: f64 = 5.0;

/// What the sockets of one destination take, being counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct DestinationCounts {
    pub(super) taken: u32,
    time_wait: u32,
    opened: u32,
    closed: u32,
    /// Of `taken`, in the half that is tried first, and not reusable.
    blocked_first: u32,
    /// Of `taken`, `TIME_WAIT`s that may be taken over.
    reusable: u32,
    /// Of `taken`, those on ports that nobody else can have anyway.
    shared: u32,
    takeover: Takeover,
}

impl DestinationCounts {
    #[inline]
    pub(super) fn flags(&mut self, link: Link) {
        self.opened += u32::from(link.opened());
        self.closed += u32::from(link.closed());
    }

    /// The row of the destination that `socket` is connected to.
    pub(super) fn row(&self, socket: SocketRef<'_>, ports: Option<DestinationPorts>) -> DestinationRow {
        let Self { taken, time_wait, opened, closed, .. } = *self;
        let (source, peer) = (socket.local().ip, socket.peer());
        DestinationRow { source, peer, taken, time_wait, opened, closed, ports, forecast: None }
    }
}

/// Ports being counted.
#[derive(Debug)]
pub(super) struct PortTally {
    rules: PortRules,
    uses: Option<PortUse>,
    /// Ports that a socket of our client side uses.
    connected: PortSet,
}

impl PortTally {
    pub(super) fn new(sample: &Sample) -> Self {
        let rules = PortRules::new(&sample.sysctls, &sample.host);
        Self { uses: PortUse::new(&rules), rules, connected: PortSet::default() }
    }

    /// Counts a socket.
    #[inline]
    pub(super) fn add(&mut self, port: u16, side: Option<Side>) {
        let is_client = side == Some(Side::Client);
        if is_client {
            self.connected.insert(port);
        }
        if let Some(uses) = &mut self.uses {
            uses.add(port, !is_client);
        }
    }

    /// The counts of the destination that `socket` is connected to, before any.
    pub(super) fn destination(&self, socket: SocketRef<'_>) -> DestinationCounts {
        let takeover = self.rules.takeover(socket.local().ip, socket.peer().ip);
        DestinationCounts {
            taken: 0,
            time_wait: 0,
            opened: 0,
            closed: 0,
            blocked_first: 0,
            reusable: 0,
            shared: 0,
            takeover,
        }
    }

    /// Counts a socket of our client side as one of its destination's.
    #[inline]
    pub(super) fn take(&self, counts: &mut DestinationCounts, row: &Socket) {
        let Some(uses) = &self.uses else {
            counts.taken += 1;
            counts.time_wait += u32::from(row.state == TcpState::TimeWait);
            return;
        };
        if uses.is_usable(row.local_port) {
            let reusable = self.is_reusable(counts.takeover, row);
            counts.taken += 1;
            counts.time_wait += u32::from(row.state == TcpState::TimeWait);
            counts.reusable += u32::from(reusable);
            counts.blocked_first += u32::from(!reusable && uses.is_first(row.local_port));
        }
    }

    #[inline]
    fn is_reusable(&self, takeover: Takeover, row: &Socket) -> bool {
        takeover != Takeover::No && row.time_wait_age_ms().is_some_and(|age| self.rules.is_old_enough(age))
    }

    /// Whether there are sockets of our client side on ports that nobody else can have.
    pub(super) fn are_shared(&self) -> bool {
        self.uses.as_ref().is_some_and(|uses| uses.has_exclusive_of(&self.connected))
    }

    /// Whether nobody else can have `port`.
    #[inline]
    pub(super) fn is_exclusive(&self, port: u16) -> bool {
        self.uses.as_ref().is_some_and(|uses| uses.is_exclusive(port))
    }

    /// Corrects the counts for a socket whose port nobody else can have.
    pub(super) fn give_back(&self, counts: &mut DestinationCounts, row: &Socket) {
        let reusable = self.is_reusable(counts.takeover, row);
        let is_first = self.uses.as_ref().is_some_and(|uses| uses.is_first(row.local_port));
        counts.shared += 1;
        counts.reusable -= u32::from(reusable);
        counts.blocked_first -= u32::from(!reusable && is_first);
    }

    /// How many usable ports any socket uses; 0 when the range is not known.
    pub(super) fn in_use(&self) -> u32 {
        self.uses.as_ref().map_or(0, PortUse::in_use)
    }

    /// What is left for a destination, after all sockets were counted.
    pub(super) fn left(&self, counts: &DestinationCounts) -> Option<DestinationPorts> {
        let held = Held {
            blocked: counts.taken - counts.reusable - counts.shared,
            blocked_first: counts.blocked_first,
            reusable: counts.reusable,
        };
        Some(self.uses.as_ref()?.left(held, self.rules.holds_for_s(counts.takeover)))
    }
}

/// The worst destinations while their sockets are looked at once more.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    tally: &'a PortTally,
    uses: &'a PortUse,
    destinations: Vec<Watched>,
    pools: Vec<Pool>,
    /// Ports that a socket of all addresses is on, as IPv4 and as IPv6 see it.
    any: [PortSet; 2],
}

#[derive(Debug)]
struct Watched {
    local: u32,
    takeover: Takeover,
    /// Sockets that will be gone in each second from now.
    releases: Vec<u32>,
    /// `TIME_WAIT`s entered in the last [`RATE_S`] seconds, or as long as they hold a port.
    young: u32,
}

#[derive(Debug)]
struct Pool {
    is_v6: bool,
    local: u32,
    source: std::net::IpAddr,
    ports: PortSet,
}

impl<'a> Watch<'a> {
    /// Nothing looked at yet, of destinations one socket of each of which is among `firsts`. `None` if the range is not known.
    pub(super) fn new<'b>(tally: &'a PortTally, firsts: impl Iterator<Item = SocketRef<'b>>) -> Option<Self> {
        let uses = tally.uses.as_ref()?;
        let (mut destinations, mut pools) = (Vec::new(), Vec::<Pool>::new());
        for first in firsts {
            let (local, is_v6) = (first.address_keys().0, first.row().family == Family::V6);
            let takeover = tally.destination(first).takeover;
            destinations.push(Watched { local, takeover, releases: Vec::new(), young: 0 });
            if pools.len() < POOLS && pools.iter().all(|pool| (pool.local, pool.is_v6) != (local, is_v6)) {
                pools.push(Pool { is_v6, local, source: first.local().ip, ports: PortSet::default() });
            }
        }
        Some(Self { tally, uses, destinations, pools, any: [PortSet::default(), PortSet::default()] })
    }

    /// Whether the watched destination `index` has that local address.
    pub(super) fn is_of(&self, index: usize, socket: SocketRef<'_>) -> bool {
        self.destinations[index].local == socket.address_keys().0
    }

    /// Looks at a socket, whosever it is.
    #[inline]
    pub(super) fn see(&mut self, socket: SocketRef<'_>) {
        let row = socket.row();
        let (local, is_v6) = (socket.address_keys().0, row.family == Family::V6);
        if !row.state.is_connection() && socket.local().ip.is_unspecified() {
            let v6_only = socket.detail().and_then(|detail| detail.v6only) == Some(true);
            if !(is_v6 && v6_only) {
                self.any[0].insert(row.local_port);
            }
            if is_v6 {
                self.any[1].insert(row.local_port);
            }
        } else if let Some(pool) =
            self.pools.iter_mut().find(|pool| pool.local == local && pool.is_v6 == is_v6)
        {
            pool.ports.insert(row.local_port);
        }
    }

    /// Looks at a socket of the watched destination `index`.
    #[inline]
    pub(super) fn see_of(&mut self, index: usize, row: &Socket) {
        let watched = &mut self.destinations[index];
        if !row.is_mini() || !self.uses.is_usable(row.local_port) {
            return;
        }
        let life = self.tally.rules.life;
        let age_ms = row.time_wait_age_ms();
        let window_s = RATE_S.min(self.tally.rules.holds_for_s(watched.takeover));
        watched.young += u32::from(age_ms.is_some_and(|age| f64::from(age) <= window_s * 1000.0));
        let left_s = match age_ms {
            Some(_) if self.tally.is_reusable(watched.takeover, row) => return,
            Some(age) if watched.takeover == Takeover::Yes => {
                (self.tally.rules.holds_for_s(Takeover::Yes) - f64::from(age) / 1000.0).max(0.0)
            }
            // Its timer is late by half a step of the wheel, taken over many.
            _ => f64::from(row.expires_ms) / 1000.0 + life.late_s() / 2.0,
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is not negative")]
        let second = left_s as usize;
        if watched.releases.len() <= second {
            watched.releases.resize(second + 1, 0);
        }
        watched.releases[second] += 1;
    }

    /// Writes the forecasts into `rows`, which are the destinations in their order.
    pub(super) fn finish<'r>(
        mut self,
        moment: &Moment,
        rows: impl Iterator<Item = &'r mut DestinationRow>,
    ) -> Vec<BindPool> {
        for (watched, row) in self.destinations.iter().zip(rows) {
            row.forecast = row.ports.map(|ports| watched.forecast(moment, row, &ports));
        }
        let any = &self.any;
        let pool = |pool: &mut Pool| {
            pool.ports.insert_all(&any[usize::from(pool.is_v6)]);
            BindPool { source: pool.source, left: self.uses.left_to_bind(&pool.ports) }
        };
        self.pools.iter_mut().map(pool).collect()
    }
}

impl Watched {
    fn forecast(&self, moment: &Moment, row: &DestinationRow, ports: &DestinationPorts) -> Forecast {
        let (opened, closed) = (f64::from(row.opened), f64::from(row.closed));
        // Fewer than three times what chance alone makes of such counts is no growth.
        let is_growth = (opened - closed).abs() > 3.0 * (opened + closed).sqrt();
        let elapsed_s = moment.elapsed_s.filter(|&seconds| seconds > 0.0 && is_growth);
        let released: u32 = self.releases.iter().sum();
        Forecast::of(&Outlook {
            held: ports.blocked,
            capacity: ports.capacity,
            releases: &self.releases,
            time_wait_per_s: f64::from(self.young) / RATE_S.min(ports.holds_s).max(f64::EPSILON),
            growth_per_s: elapsed_s.map_or(0.0, |seconds| (opened - closed) / seconds),
            live: ports.blocked.saturating_sub(released),
            holds_s: ports.holds_s,
        })
    }
}
