//! The counting of local ports in the walk over the sockets, and a closer look at the worst destinations.

use super::{
    BindPool, DestinationPorts, DestinationRow, Forecast, Held, Link, Moment, Outlook, PortCounts, PortRules,
    PortUse, Takeover, ports::PortSet,
};
use crate::model::{Family, Sample, Side, Socket, SocketRef, TcpState};

/// So many destinations are looked at closely, the worst.
pub(super) const WATCHED: usize = 16;
/// For so many of our addresses it is worked out what `bind()` has left.
const POOLS: usize = 8;
/// The rate of entries into `TIME_WAIT` is taken over so many seconds: what it foretells is not to wander with chance.
const RATE_S: f64 = 20.0;
/// As [`RATE_S`], where these tell of another rate than chance makes: what changes fast is to be told early.
const RECENT_S: f64 = 5.0;

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
    /// Of `taken`, those that `connect()` chose the port of, unless they are `taken_over`. Those on ports that another
    /// socket may have for itself are taken out when all are counted.
    certain: u32,
    /// Of `certain`, in the half that is tried first.
    certain_first: u32,
    /// Of `reusable`, those of the same kind that are taken over for sure.
    taken_over: u32,
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
        DestinationRow { source, peer, taken, time_wait, opened, closed, ports, forecast: None, change: None }
    }
}

/// Ports being counted.
#[derive(Debug)]
pub(super) struct PortTally {
    rules: PortRules,
    uses: Option<PortUse>,
    /// Ports that a socket of our client side uses.
    connected: PortSet,
    /// Of those, ports that `connect()` chose for one.
    unbound: PortSet,
}

impl PortTally {
    pub(super) fn new(sample: &Sample) -> Self {
        let rules = PortRules::new(&sample.sysctls, &sample.host);
        let (connected, unbound) = (PortSet::default(), PortSet::default());
        Self { uses: PortUse::new(&rules), rules, connected, unbound }
    }

    /// Counts a socket.
    #[inline]
    pub(super) fn add(&mut self, port: u16, link: Link) {
        let is_client = link.side() == Some(Side::Client);
        if is_client {
            self.connected.insert(port);
        }
        if is_unbound(link) {
            self.unbound.insert(port);
        }
        if let Some(uses) = &mut self.uses {
            uses.add(port, if is_client { link.bound() } else { Some(true) });
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
            certain: 0,
            certain_first: 0,
            taken_over: 0,
            takeover,
        }
    }

    /// Counts a socket of our client side as one of its destination's.
    #[inline]
    pub(super) fn take(&self, counts: &mut DestinationCounts, row: &Socket, link: Link) {
        let Some(uses) = &self.uses else {
            counts.taken += 1;
            counts.time_wait += u32::from(row.state == TcpState::TimeWait);
            return;
        };
        if uses.is_usable(row.local_port) {
            let (reusable, is_first) =
                (self.is_reusable(counts.takeover, row), uses.is_first(row.local_port));
            counts.taken += 1;
            counts.time_wait += u32::from(row.state == TcpState::TimeWait);
            counts.reusable += u32::from(reusable);
            counts.blocked_first += u32::from(!reusable && is_first);
            if is_unbound(link) {
                let taken_over = self.is_taken_over(counts.takeover, row);
                counts.taken_over += u32::from(taken_over);
                counts.certain += u32::from(!taken_over);
                counts.certain_first += u32::from(!taken_over && is_first);
            }
        }
    }

    #[inline]
    fn is_reusable(&self, takeover: Takeover, row: &Socket) -> bool {
        takeover != Takeover::No && row.time_wait_age_ms().is_some_and(|age| self.rules.is_old_enough(age))
    }

    /// As [`Self::is_reusable`], for sure.
    #[inline]
    fn is_taken_over(&self, takeover: Takeover, row: &Socket) -> bool {
        takeover == Takeover::Yes
            && row.time_wait_age_ms().is_some_and(|age| self.rules.is_surely_old_enough(age))
    }

    /// Whether there are sockets of our client side on ports that nobody else can have, or of which that is not known
    /// although `connect()` chose them for one.
    pub(super) fn are_shared(&self) -> bool {
        self.uses
            .as_ref()
            .is_some_and(|uses| uses.has_exclusive_of(&self.connected) || uses.has_doubtful_of(&self.unbound))
    }

    /// Whether the counts are to be corrected for a socket of our client side with `port`.
    #[inline]
    pub(super) fn is_shared(&self, port: u16, link: Link) -> bool {
        let Some(uses) = &self.uses else { return false };
        uses.is_exclusive(port) || (is_unbound(link) && uses.is_doubtful(port))
    }

    /// Corrects the counts for a socket whose port somebody has for himself, or may have.
    pub(super) fn give_back(&self, counts: &mut DestinationCounts, row: &Socket, link: Link) {
        let Some(uses) = &self.uses else { return };
        let is_first = uses.is_first(row.local_port);
        if is_unbound(link) {
            let taken_over = self.is_taken_over(counts.takeover, row);
            counts.taken_over -= u32::from(taken_over);
            counts.certain -= u32::from(!taken_over);
            counts.certain_first -= u32::from(!taken_over && is_first);
        }
        if uses.is_exclusive(row.local_port) {
            let reusable = self.is_reusable(counts.takeover, row);
            counts.shared += 1;
            counts.reusable -= u32::from(reusable);
            counts.blocked_first -= u32::from(!reusable && is_first);
        }
    }

    /// How many usable ports any socket uses; 0 when the range is not known.
    pub(super) fn in_use(&self) -> u32 {
        self.uses.as_ref().map_or(0, PortUse::in_use)
    }

    /// The ports, after all sockets were counted; `None` when the range is not known.
    pub(super) fn counted(&self) -> Option<PortCounts> {
        self.uses.as_ref().map(PortUse::count)
    }

    /// What is left for a destination.
    pub(super) fn left(&self, ports: &PortCounts, counts: &DestinationCounts) -> DestinationPorts {
        let held = Held {
            blocked: counts.taken - counts.reusable - counts.shared,
            blocked_first: counts.blocked_first,
            reusable: counts.reusable,
            certain: counts.certain,
            certain_first: counts.certain_first,
            taken_over: counts.taken_over,
        };
        ports.left(held, self.rules.holds_for_s(counts.takeover))
    }
}

/// Whether `connect()` chose the port of that connection.
#[inline]
fn is_unbound(link: Link) -> bool {
    link.side() == Some(Side::Client) && link.bound() == Some(false)
}

/// The worst destinations while their sockets are looked at once more.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    tally: &'a PortTally,
    uses: &'a PortUse,
    destinations: Vec<Watched>,
    /// Which of them are those of a watched peer, which may be reached from several of our addresses.
    of_peer: Vec<Vec<usize>>,
    /// For each peer its place among these, or a place that there is not.
    place: Vec<u8>,
    pools: Vec<Pool>,
    /// Ports that a socket of all addresses is on, as IPv4 and as IPv6 see it.
    any: [PortSet; 2],
    /// The pool of the socket before.
    last: usize,
    /// How late the timer of a `TIME_WAIT` is at most, milliseconds.
    late_ms: u32,
    /// For how long the `FIN_WAIT2` of a closed descriptor holds its port, where that is known.
    fin_wait_ms: Option<u32>,
}

#[derive(Debug)]
struct Watched {
    local: u32,
    takeover: Takeover,
    /// Sockets that will be gone in each second from now.
    releases: Vec<u32>,
    /// `TIME_WAIT`s entered in the last [`RATE_S`] and [`RECENT_S`].
    young: u32,
    recent: u32,
    /// The oldest of the young ones.
    oldest_ms: u32,
    /// [`RATE_S`] and [`RECENT_S`], or as long as a `TIME_WAIT` holds its port if that is less.
    window_ms: u32,
    recent_ms: u32,
    /// `FIN_WAIT2`s of closed descriptors entered in the [`RECENT_S`] before the last: those that the peer ends at once are
    /// gone by then.
    fin_waits: u32,
    /// For how long a `TIME_WAIT` holds its port.
    holds_ms: u32,
}

#[derive(Debug)]
struct Pool {
    is_v6: bool,
    local: u32,
    source: std::net::IpAddr,
    ports: PortSet,
}

impl Pool {
    #[inline]
    fn is_of(&self, local: u32, is_v6: bool) -> bool {
        self.local == local && self.is_v6 == is_v6
    }
}

impl<'a> Watch<'a> {
    /// Nothing looked at yet, of destinations one socket of each of which comes with the number of its peer, one of `peers`;
    /// at most [`WATCHED`]. `None` if the range is not known.
    pub(super) fn new<'b>(
        tally: &'a PortTally,
        peers: usize,
        firsts: impl Iterator<Item = (u32, SocketRef<'b>)>,
    ) -> Option<Self> {
        let uses = tally.uses.as_ref()?;
        let any = [PortSet::default(), PortSet::default()];
        let (late_ms, fin_wait_ms) = (millis(tally.rules.life.late_s()), tally.rules.fin_wait_ms);
        let (destinations, of_peer, place) = (Vec::new(), Vec::new(), vec![u8::MAX; peers]);
        let pools = Vec::new();
        let mut watch =
            Self { tally, uses, destinations, of_peer, place, pools, any, last: 0, late_ms, fin_wait_ms };
        for (peer, first) in firsts {
            watch.begin(peer, first);
        }
        Some(watch)
    }

    fn begin(&mut self, peer: u32, first: SocketRef<'_>) {
        let place = &mut self.place[peer as usize];
        if *place == u8::MAX {
            *place = u8::try_from(self.of_peer.len()).expect("few are watched");
            self.of_peer.push(Vec::new());
        }
        self.of_peer[usize::from(*place)].push(self.destinations.len());
        let (local, is_v6) = (first.address_keys().0, first.row().family == Family::V6);
        let takeover = self.tally.destination(first).takeover;
        let holds_ms = millis(self.tally.rules.holds_for_s(takeover));
        self.destinations.push(Watched {
            local,
            takeover,
            releases: Vec::new(),
            young: 0,
            recent: 0,
            oldest_ms: 0,
            window_ms: millis(RATE_S).min(holds_ms),
            recent_ms: millis(RECENT_S).min(holds_ms),
            fin_waits: 0,
            holds_ms,
        });
        if self.pools.len() < POOLS && !self.pools.iter().any(|pool| pool.is_of(local, is_v6)) {
            self.pools.push(Pool { is_v6, local, source: first.local().ip, ports: PortSet::default() });
        }
    }

    /// Looks at a socket of the peer with that number, whosever it is.
    #[inline]
    pub(super) fn see(&mut self, socket: SocketRef<'_>, peer: u32) {
        self.see_port(socket);
        let place = self.place.get(peer as usize).map_or(usize::MAX, |&place| place.into());
        if let Some(indices) = self.of_peer.get(place) {
            let is_of = |&&index: &&usize| self.destinations[index].local == socket.address_keys().0;
            if let Some(&index) = indices.iter().find(is_of) {
                self.see_of(index, socket.row());
            }
        }
    }

    #[inline]
    fn see_port(&mut self, socket: SocketRef<'_>) {
        let row = socket.row();
        let (local, is_v6) = (socket.address_keys().0, row.family == Family::V6);
        // Sockets of one address often follow each other.
        if !self.pools.get(self.last).is_some_and(|pool| pool.is_of(local, is_v6)) {
            self.last = self.pools.iter().position(|pool| pool.is_of(local, is_v6)).unwrap_or(usize::MAX);
        }
        match self.pools.get_mut(self.last) {
            Some(pool) => pool.ports.insert(row.local_port),
            None if !row.state.is_connection() => self.see_unconnected(socket),
            None => {}
        }
    }

    /// A socket of all addresses takes its port from the pool of each.
    fn see_unconnected(&mut self, socket: SocketRef<'_>) {
        let is_v6 = socket.row().family == Family::V6;
        if !socket.local().ip.is_unspecified() {
            return;
        }
        let v6_only = socket.detail().and_then(|detail| detail.v6only) == Some(true);
        if !(is_v6 && v6_only) {
            self.any[0].insert(socket.row().local_port);
        }
        if is_v6 {
            self.any[1].insert(socket.row().local_port);
        }
    }

    /// Looks at a socket of the watched destination `index`.
    #[inline]
    fn see_of(&mut self, index: usize, row: &Socket) {
        if !row.is_mini() || !self.uses.is_usable(row.local_port) {
            return;
        }
        let watched = &mut self.destinations[index];
        if row.state == TcpState::FinWait2 {
            // Without its whole time neither its beginning is known nor its end: then it is one that stays.
            let Some(whole_ms) = self.fin_wait_ms else { return };
            watched.see_fin_wait(whole_ms, row.expires_ms);
            return watched.release(row.expires_ms.saturating_add(self.late_ms / 2));
        }
        let age_ms = row.time_wait_age_ms();
        watched.see_time_wait(age_ms);
        let left_ms = match age_ms {
            Some(_) if self.tally.is_reusable(watched.takeover, row) => return,
            Some(age) if watched.takeover == Takeover::Yes => watched.holds_ms.saturating_sub(age),
            // Its timer is late by half a step of the wheel, taken over many.
            _ => row.expires_ms.saturating_add(self.late_ms / 2),
        };
        watched.release(left_ms);
    }

    /// Writes the forecasts into `rows`, which are the destinations in their order.
    pub(super) fn finish<'r>(
        mut self,
        moment: &Moment,
        rows: impl Iterator<Item = &'r mut DestinationRow>,
    ) -> Vec<BindPool> {
        for (watched, row) in self.destinations.iter().zip(rows) {
            row.forecast = row.ports.map(|ports| watched.forecast(moment, row, &ports, self.fin_wait_ms));
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
    #[inline]
    fn see_time_wait(&mut self, age_ms: Option<u32>) {
        if let Some(age) = age_ms.filter(|&age| age <= self.window_ms) {
            self.young += 1;
            self.recent += u32::from(age <= self.recent_ms);
            self.oldest_ms = self.oldest_ms.max(age);
        }
    }

    fn see_fin_wait(&mut self, whole_ms: u32, left_ms: u32) {
        let recent_ms = fin_wait_recent_ms(whole_ms);
        let age_ms = whole_ms.saturating_sub(left_ms);
        self.fin_waits += u32::from((recent_ms..2 * recent_ms).contains(&age_ms));
    }

    /// A port becomes free in so many milliseconds.
    #[inline]
    fn release(&mut self, left_ms: u32) {
        let second = (left_ms / 1000) as usize;
        if self.releases.len() <= second {
            self.releases.resize(second + 1, 0);
        }
        self.releases[second] += 1;
    }

    /// Entries into `TIME_WAIT` per second.
    fn time_wait_per_s(&self) -> f64 {
        let (young, recent) = (f64::from(self.young), f64::from(self.recent));
        let recent_s = (f64::from(self.recent_ms) / 1000.0).max(f64::EPSILON);
        // Since the first of them, where they began only then.
        let all_s = recent_s.max(f64::from(self.oldest_ms) / 1000.0);
        let expected = young * recent_s / all_s;
        if is_more_than_chance(recent, expected) { recent / recent_s } else { young / all_s }
    }

    fn forecast(
        &self,
        moment: &Moment,
        row: &DestinationRow,
        ports: &DestinationPorts,
        fin_wait_ms: Option<u32>,
    ) -> Forecast {
        let (opened, closed) = (f64::from(row.opened), f64::from(row.closed));
        let is_growth = is_more_than_chance(opened, closed);
        let elapsed_s = moment.elapsed_s.filter(|&seconds| seconds > 0.0 && is_growth);
        let whole_ms = fin_wait_ms.unwrap_or(0);
        let born_in_s = f64::from(fin_wait_recent_ms(whole_ms).max(1)) / 1000.0;
        let released: u32 = self.releases.iter().sum();
        Forecast::of(&Outlook {
            held: ports.blocked,
            capacity: ports.capacity,
            releases: &self.releases,
            time_wait_per_s: self.time_wait_per_s(),
            fin_wait_per_s: f64::from(self.fin_waits) / born_in_s,
            growth_per_s: elapsed_s.map_or(0.0, |seconds| (opened - closed) / seconds),
            live: ports.blocked.saturating_sub(released),
            holds_s: ports.holds_s,
            fin_wait_s: f64::from(whole_ms) / 1000.0,
        })
    }
}

/// [`RECENT_S`], or half of the time that a `FIN_WAIT2` lasts if that is less.
fn fin_wait_recent_ms(whole_ms: u32) -> u32 {
    millis(RECENT_S).min(whole_ms / 2)
}

/// Whether two counts differ by more than three times what chance alone makes of such.
fn is_more_than_chance(one: f64, other: f64) -> bool {
    (one - other).abs() > 3.0 * (one + other).sqrt()
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a minute or so, not negative")]
fn millis(seconds: f64) -> u32 {
    (seconds * 1000.0) as u32
}
