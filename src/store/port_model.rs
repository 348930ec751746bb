//! How many local ports the kernel has left for a destination, by its own rules.
//!
//! `connect()` without a port of its own walks the range of local ports (`__inet_hash_connect()` in
//! `net/ipv4/inet_hashtables.c`). A port will do if it is not reserved, if no socket on it was bound before it
//! connected or listens, and if there is no socket with the same 4-tuple, but for a `TIME_WAIT` that may be taken over
//! (`tcp_twsk_unique()`). `sock_diag` does not tell whether a connection was bound before it connected; the trace does, of
//! those that began under it. Where it is not known, what is left is an interval.

use std::net::IpAddr;

use super::ports::{PortRange, PortSet};
use crate::model::{Host, Sysctls};

mod forecast;
#[cfg(test)]
mod tests;

pub use forecast::{Forecast, Outlook};

/// What is assumed of the life of a `TIME_WAIT`: 60 s (`TCP_TIMEWAIT_LEN`), fixed in the kernel.
const TIME_WAIT_S: u32 = 60;
/// A half of the ports with one in so many left is as good as searched in vain.
const CROWD: u32 = 100;

/// The settings that decide about local ports.
#[derive(Debug, Clone, PartialEq)]
pub struct PortRules {
    /// The ports to pick from; `None` if that is not readable.
    pub range: Option<PortRange>,
    /// `tcp_tw_reuse`; `None` if that is not readable.
    pub reuse: Option<TwReuse>,
    /// Whether connections use timestamps as far as it is up to us (`tcp_timestamps`, as it is set now); `None`
    /// if that is not readable.
    pub timestamps: Option<bool>,
    /// Milliseconds after which a `TIME_WAIT` may be taken over (`tcp_tw_reuse_delay`); `None` on a kernel before 6.14,
    /// where it is the next full second.
    pub reuse_delay_ms: Option<u32>,
    /// The real life of a `TIME_WAIT`.
    pub life: TimeWaitLife,
    /// For how long the `FIN_WAIT2` of a closed descriptor holds its port (`tcp_fin_timeout`), milliseconds; `None` if that is
    /// not readable, or longer than a `TIME_WAIT`: how much of it has gone does not show then.
    pub fin_wait_ms: Option<u32>,
    /// Whether the kernel lists sockets that are bound and nothing else (Linux 6.8).
    pub bound_listed: bool,
}

/// The values of `tcp_tw_reuse`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TwReuse {
    /// 0: no `TIME_WAIT` is taken over.
    Never,
    /// 1: any may be.
    Always,
    /// 2, the default: those with a loopback address on either end.
    Loopback,
}

/// Whether `connect()` may take over the `TIME_WAIT`s of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// It does not.
    No,
    /// Those that are old enough, if the peer used timestamps, which a `TIME_WAIT` does not tell.
    IfTimestamps,
    /// Those that are old enough: both ends are of this host, and it uses timestamps.
    Yes,
}

/// How long a `TIME_WAIT` really lives, in seconds. Its timer is late by up to one step of the kernel's timer wheel,
/// which is 512 ticks for 60 s up to 537 ticks a second, and 4,096 above (`kernel/time/timer.c`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeWaitLife {
    /// At least.
    pub min_s: f64,
    /// At most. If the ticks per second are not known: the most of any kernel.
    pub max_s: f64,
}

impl TimeWaitLife {
    /// The life on a kernel with `hz` ticks per second, if that is known.
    #[must_use]
    pub fn at(hz: Option<u32>) -> Self {
        let late = |hz: u32| {
            // The last ticks that each level of the wheel reaches are 63 << 3n; a level's step is 1 << 3n ticks.
            let ticks = u64::from(hz) * u64::from(TIME_WAIT_S);
            let level = (0..8_u32).find(|level| ticks < 63 << (3 * level));
            f64::from(1_u32 << (3 * level.unwrap_or(8))) / f64::from(hz)
        };
        let min_s = f64::from(TIME_WAIT_S);
        let slowest = || [100, 250, 300, 1000].map(late).into_iter().fold(0.0, f64::max);
        Self { min_s, max_s: min_s + hz.filter(|&hz| hz > 0).map_or_else(slowest, late) }
    }

    /// How late its timer is at most, seconds.
    #[must_use]
    pub fn late_s(&self) -> f64 {
        self.max_s - self.min_s
    }
}

impl PortRules {
    /// The rules of a namespace with these settings, on this host.
    #[must_use]
    pub fn new(sysctls: &Sysctls, host: &Host) -> Self {
        let number = |name: &str| sysctls.get(name).and_then(|value| value.parse::<u32>().ok());
        Self {
            range: PortRange::from_sysctls(sysctls),
            reuse: match number("net.ipv4.tcp_tw_reuse") {
                Some(0) => Some(TwReuse::Never),
                Some(1) => Some(TwReuse::Always),
                Some(2) => Some(TwReuse::Loopback),
                _ => None,
            },
            timestamps: number("net.ipv4.tcp_timestamps").map(|value| value != 0),
            reuse_delay_ms: number("net.ipv4.tcp_tw_reuse_delay"),
            life: TimeWaitLife::at(host.hz),
            fin_wait_ms: number("net.ipv4.tcp_fin_timeout")
                .filter(|seconds| (1..=TIME_WAIT_S).contains(seconds))
                .map(|seconds| seconds * 1000),
            bound_listed: is_at_least(&host.kernel, (6, 8)),
        }
    }

    /// Whether `connect()` from `source` to `peer` may take over a `TIME_WAIT`. IPv4-mapped addresses come as IPv4.
    #[must_use]
    pub fn takeover(&self, source: IpAddr, peer: IpAddr) -> Takeover {
        let loopback = source.is_loopback() || peer.is_loopback();
        match (self.reuse, self.timestamps) {
            (Some(TwReuse::Never), _) | (_, Some(false)) => Takeover::No,
            (Some(TwReuse::Loopback), _) if !loopback => Takeover::No,
            (Some(_), Some(true)) if loopback => Takeover::Yes,
            _ => Takeover::IfTimestamps,
        }
    }

    /// How far the age of a `TIME_WAIT` may be out, milliseconds (measured: 6).
    const JITTER_MS: u32 = 20;
    /// Once a `TIME_WAIT` is that old it may be taken over, if the delay is not known: the next full second has begun.
    const NEXT_SECOND_MS: u32 = 1000;

    /// Whether a `TIME_WAIT` of that age may be old enough to be taken over.
    #[must_use]
    #[inline]
    pub fn is_old_enough(&self, age_ms: u32) -> bool {
        self.reuse_delay_ms.is_none_or(|delay| age_ms.saturating_add(Self::JITTER_MS) >= delay)
    }

    /// Whether a `TIME_WAIT` of that age is old enough to be taken over for sure.
    #[must_use]
    #[inline]
    pub fn is_surely_old_enough(&self, age_ms: u32) -> bool {
        age_ms > self.reuse_delay_ms.unwrap_or(Self::NEXT_SECOND_MS).saturating_add(Self::JITTER_MS)
    }

    /// For how long a `TIME_WAIT` keeps its port from a new connection to the same destination, seconds at most.
    #[must_use]
    pub fn holds_for_s(&self, takeover: Takeover) -> f64 {
        match takeover {
            Takeover::Yes => (f64::from(self.reuse_delay_ms.unwrap_or(1000)) / 1000.0).min(self.life.max_s),
            Takeover::No | Takeover::IfTimestamps => self.life.max_s,
        }
    }
}

/// Whether `release` (`uname -r`) is of that version or later; one that cannot be read is taken to be.
fn is_at_least(release: &str, version: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= version,
        _ => true,
    }
}

/// How many connections may still be made, or sockets bound, before the kernel finds no port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortsLeft {
    /// At least so many.
    pub min: u32,
    /// At most so many.
    pub max: u32,
    /// Why `min` and `max` differ.
    pub doubt: Doubt,
}

/// What `sock_diag` does not tell, and how many ports it is about. All zero and `false` where the number is exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Doubt {
    /// Ports of connections to elsewhere that the trace did not tell of: nobody else can have them if they were bound
    /// before they connected.
    pub maybe_bound: u32,
    /// Ports of `TIME_WAIT`s that a new connection takes over, unless they are still too young, the peer used no timestamps
    /// or they were bound before they connected.
    pub maybe_taken_over: u32,
    /// The range has an odd number of ports: the kernel tries one less, and leaves out one at an end of it.
    pub odd_range: bool,
    /// The kernel does not list sockets that are only bound (before Linux 6.8): their ports are not counted.
    pub bound_unlisted: bool,
}

impl PortsLeft {
    /// Whether it is a number.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.min == self.max && !self.doubt.bound_unlisted
    }

    /// The reasons for which it is no number, by name.
    pub fn reasons(&self) -> impl Iterator<Item = &'static str> {
        let doubt = self.doubt;
        let all = [
            (doubt.maybe_bound > 0, "bound_before_connect"),
            (doubt.maybe_taken_over > 0, "time_wait_reuse"),
            (doubt.odd_range, "odd_range"),
            (doubt.bound_unlisted, "bound_unlisted"),
        ];
        all.into_iter().filter_map(|(holds, name)| holds.then_some(name))
    }
}

/// The ports of a namespace as its sockets use them.
#[derive(Debug, Clone)]
pub struct PortUse {
    /// Ports to pick from.
    usable: PortSet,
    low: u16,
    /// Of the usable ones, those that `connect()` tries first: of the same parity as the first of the range.
    first_half: PortSet,
    /// Ports that any socket uses.
    used: PortSet,
    /// Ports that nobody else can have if a connection on them was bound before it connected, which is not known.
    doubtful: PortSet,
    /// Ports that nobody else can have, whoever they want to connect to.
    exclusive: PortSet,
    /// The first and the last port, if their number is odd and more than one.
    odd: Option<(u16, u16)>,
    bound_unlisted: bool,
}

/// The ports of a namespace, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortCounts {
    /// Ports to pick from.
    pub usable: u32,
    /// Of those, the ones that nobody has for himself.
    pub capacity: u32,
    /// Of those, the ones that are known not to be had by anybody for himself.
    pub certain: u32,
    /// As `capacity`, of the half that `connect()` tries first.
    first_capacity: u32,
    /// As `certain`, of the half that `connect()` tries first.
    first_certain: u32,
    /// Whether one end of a range with an odd number of ports is among `capacity`.
    odd_end: bool,
    /// Whether it is among `certain`.
    odd_end_certain: bool,
    bound_unlisted: bool,
}

/// What one destination's own sockets take, counted over ports of the range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Held {
    /// Ports that a new connection to it cannot have, not counting those that nobody can have.
    pub blocked: u32,
    /// Of those, ports of the half that `connect()` tries first.
    pub blocked_first: u32,
    /// Ports of `TIME_WAIT`s that a new connection to it may take over, not counting those that nobody can have.
    pub reusable: u32,
    /// Of `blocked` and `reusable`, ports known not to be had by anybody for himself, but for those of `TIME_WAIT`s that a
    /// new connection takes over for sure.
    pub certain: u32,
    /// Of `certain`, ports of the half that `connect()` tries first.
    pub certain_first: u32,
    /// Of `reusable`, ports of `TIME_WAIT`s that a new connection takes over for sure.
    pub taken_over: u32,
}

/// What is left for one destination.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DestinationPorts {
    /// Connections that can still be made.
    pub left: PortsLeft,
    /// Ports that all its connections together can have: the usable ones that nobody has for himself.
    pub capacity: u32,
    /// Ports that the kernel may pick.
    pub usable: u32,
    /// Ports that a new connection to it cannot have, by what is known for sure.
    pub blocked: u32,
    /// Whether `connect()` has to search through half of the range in vain before it finds a port, which takes about 150
    /// times as long: no port is left in the half that it tries first. `None` where that is not known.
    pub slow: Option<bool>,
    /// Whether at most one in a hundred of the ports of that half is left: from one sample to the next some are given back and
    /// taken again, and nearly all of the half is searched to find them.
    pub crowded: bool,
    /// For how long a `TIME_WAIT` keeps its port from a new connection to it, seconds at most.
    pub holds_s: f64,
}

impl DestinationPorts {
    /// How many connections a second that our side closes first it can bear for ever; `None` if without end.
    #[must_use]
    pub fn sustainable_per_s(&self) -> Option<f64> {
        (self.holds_s > 0.0).then(|| f64::from(self.capacity) / self.holds_s)
    }

    /// How many percent of the usable ports a new connection cannot have, by what is known for sure; `None` if no port is usable.
    #[must_use]
    pub fn percent(&self) -> Option<f64> {
        let gone = f64::from(self.usable - self.left.max);
        (self.usable > 0).then(|| gone * 100.0 / f64::from(self.usable))
    }
}

impl PortUse {
    /// No socket, and the ports of `rules`; `None` where the range is not known.
    #[must_use]
    pub fn new(rules: &PortRules) -> Option<Self> {
        let range = rules.range.as_ref()?;
        let mut first_half = range.to_set();
        first_half.retain(|port| (port ^ range.low) & 1 == 0);
        let size = u32::from(range.high - range.low) + 1;
        Some(Self {
            usable: range.to_set(),
            low: range.low,
            first_half,
            used: PortSet::default(),
            doubtful: PortSet::default(),
            exclusive: PortSet::default(),
            odd: (size % 2 == 1 && size > 1).then_some((range.low, range.high)),
            bound_unlisted: !rules.bound_listed,
        })
    }

    /// Whether the kernel may pick `port`.
    #[must_use]
    #[inline]
    pub fn is_usable(&self, port: u16) -> bool {
        self.usable.contains(port)
    }

    /// Whether `port`, a usable one, is of the half that `connect()` tries first.
    #[must_use]
    #[inline]
    pub fn is_first(&self, port: u16) -> bool {
        (port ^ self.low) & 1 == 0
    }

    /// Adds a socket on `port`. It has it for itself (`exclusive`) if it listens, is only bound, was bound before it
    /// connected, or was accepted from a listener; `None` where that is not known.
    #[inline]
    pub fn add(&mut self, port: u16, exclusive: Option<bool>) {
        self.used.insert(port);
        match exclusive {
            Some(true) => self.exclusive.insert(port),
            Some(false) => {}
            None => self.doubtful.insert(port),
        }
    }

    /// How many of the usable ports any socket uses.
    #[must_use]
    pub fn in_use(&self) -> u32 {
        self.used.common(&self.usable)
    }

    /// Whether nobody else can have `port`, and the kernel might pick it.
    #[must_use]
    #[inline]
    pub fn is_exclusive(&self, port: u16) -> bool {
        self.exclusive.contains(port) && self.usable.contains(port)
    }

    /// Whether it is not known if nobody else can have `port`, and the kernel might pick it.
    #[must_use]
    #[inline]
    pub fn is_doubtful(&self, port: u16) -> bool {
        self.doubtful.contains(port) && self.usable.contains(port) && !self.exclusive.contains(port)
    }

    /// Whether nobody else can have some of `ports`, or that is not known, and the kernel might pick it.
    pub(super) fn has_exclusive_of(&self, ports: &PortSet) -> bool {
        self.usable.has_common(ports, &self.exclusive)
    }

    /// Whether it is not known of some of `ports` if nobody else can have it, and the kernel might pick it.
    pub(super) fn has_doubtful_of(&self, ports: &PortSet) -> bool {
        self.usable.has_common(ports, &self.doubtful)
    }

    /// Counts what is left of them, after every socket was added.
    #[must_use]
    pub fn count(&self) -> PortCounts {
        let free = |of: &PortSet, but: &PortSet| of.count() - of.common(but);
        let mut uncertain = self.exclusive.clone();
        uncertain.insert_all(&self.doubtful);
        let end_is_free = |but: &PortSet| {
            let is_free = |port| self.usable.contains(port) && !but.contains(port);
            self.odd.is_some_and(|(low, high)| is_free(low) || is_free(high))
        };
        PortCounts {
            usable: self.usable.count(),
            capacity: free(&self.usable, &self.exclusive),
            certain: free(&self.usable, &uncertain),
            first_capacity: free(&self.first_half, &self.exclusive),
            first_certain: free(&self.first_half, &uncertain),
            odd_end: end_is_free(&self.exclusive),
            odd_end_certain: end_is_free(&uncertain),
            bound_unlisted: self.bound_unlisted,
        }
    }

    /// What is left for `bind()` to port 0 of one address, without `IP_BIND_ADDRESS_NO_PORT`: it wants a port that no
    /// socket of that address or of all addresses is on, in whatever state. `taken` are the ports of those.
    pub(super) fn left_to_bind(&self, taken: &PortSet) -> PortsLeft {
        let max = self.usable.count() - self.usable.common(taken);
        let is_free = |port| self.usable.contains(port) && !taken.contains(port);
        // With SO_REUSEADDR the range is searched in two halves, of which the second is the odd one.
        let second_half = |low, high| low + (((high - low + 1) >> 2) << 1);
        let odd_range =
            self.odd.is_some_and(|(low, high)| [low, high, second_half(low, high)].into_iter().any(is_free));
        let doubt = Doubt { odd_range, bound_unlisted: self.bound_unlisted, ..Doubt::default() };
        PortsLeft { min: max - u32::from(odd_range), max, doubt }
    }
}

impl PortCounts {
    /// What is left for a destination whose own sockets take `held`, each `TIME_WAIT` of its own for `holds_s` seconds.
    #[must_use]
    pub fn left(&self, held: Held, holds_s: f64) -> DestinationPorts {
        // A port is left for sure if nobody has it for himself for sure, and this destination does not hold it.
        let max = self.capacity.saturating_sub(held.blocked);
        let sure = self.certain.saturating_sub(held.certain).min(max);
        let odd = u32::from(self.odd_end_certain).min(sure);
        let min = sure - odd;
        let first_max = self.first_capacity.saturating_sub(held.blocked_first);
        let first_min = self.first_certain.saturating_sub(held.certain_first + odd);
        let maybe_taken_over = held.reusable - held.taken_over;
        let doubt = Doubt {
            maybe_bound: (max - sure).saturating_sub(maybe_taken_over),
            maybe_taken_over,
            odd_range: min < max && self.odd_end,
            bound_unlisted: self.bound_unlisted,
        };
        DestinationPorts {
            left: PortsLeft { min, max, doubt },
            capacity: self.capacity,
            usable: self.usable,
            blocked: held.blocked,
            slow: match (first_min, first_max) {
                (_, 0) => Some(true),
                (1.., _) => Some(false),
                _ => None,
            },
            crowded: first_max * CROWD <= self.first_capacity,
            holds_s,
        }
    }
}
