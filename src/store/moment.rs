//! A sample with everything that memory adds to it.

use std::sync::Arc;

use super::{Aggregate, FlowTable, Traced};
use crate::model::{
    Counters, Evidence, Process, ProcessSeen, Sample, Side, SocketRef, SocketTable, TcpInfo, TcpState,
    Unknown,
};

/// One sample, each socket linked to its owner and side, and the whole counted. Immutable once made.
#[derive(Debug, Clone)]
pub struct Moment {
    /// What the kernel said.
    pub sample: Sample,
    /// For each socket of the sample, in the same order, what memory knows of it.
    pub links: Vec<Link>,
    /// Connections that were open in the sample before and are in no state at all now.
    pub ended: SocketTable,
    /// The links of `ended`, in the same order.
    pub ended_links: Vec<Link>,
    /// What links refer to.
    pub attributions: Arc<Vec<Attribution>>,
    /// Seconds since the sample before; `None` for the first.
    pub elapsed_s: Option<f64>,
    /// Rates of the exact counters, since the sample before.
    pub rates: Rates,
    /// Every counter's growth per second since the sample before, in the order of `sample.counters`.
    pub counter_rates: Vec<CounterRate>,
    /// The counters of the first sample: what has moved since.
    pub first_counters: Arc<Counters>,
    /// The names of the counters that moved within the last ten seconds, in order.
    pub moved: Arc<[Arc<str>]>,
    /// All sockets counted. Openings and closes include those that only the trace saw.
    pub totals: Aggregate,
    /// Sockets that nobody is known to own, by reason, indexed like [`Unknown::ALL`].
    pub unknown: [u32; Unknown::ALL.len()],
    /// What the trace told since the sample before; `None` without one.
    pub trace: Option<Arc<Traced>>,
    /// All connections counted by whose they are and of which service.
    pub flows: FlowTable,
    /// What is told of its sockets, if they are no longer there: of the past the counts alone may be kept.
    pub digest: Option<Digest>,
}

/// What is left of the sockets of a moment that keeps none, beside its totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    /// How many more processes there were, with fewer sockets than those of the totals.
    pub processes_omitted: u32,
}

/// A counter's rate per second; `None` for a gauge, a first sample, or a counter that went down.
pub type CounterRate = Option<f64>;

/// What is known of a socket beyond the sample, in 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link(u32);

impl Link {
    const SERVER: u32 = 1 << 31;
    const CLIENT: u32 = 1 << 30;
    const OPENED: u32 = 1 << 29;
    const CLOSED: u32 = 1 << 28;
    const BOUND: u32 = 1 << 27;
    const UNBOUND: u32 = 1 << 26;
    const INDEX: u32 = Self::UNBOUND - 1;

    /// A link to the attribution with that index. Indices stay below 2^26.
    #[must_use]
    pub const fn new(attribution: u32, side: Option<Side>, opened: bool, closed: bool) -> Self {
        let side = match side {
            Some(Side::Server) => Self::SERVER,
            Some(Side::Client) => Self::CLIENT,
            None => 0,
        };
        let opened = if opened { Self::OPENED } else { 0 };
        let closed = if closed { Self::CLOSED } else { 0 };
        Self((attribution & Self::INDEX) | side | opened | closed)
    }

    /// The same, with whether the connection had its port before it connected, if that is known.
    #[must_use]
    pub const fn with_bound(self, bound: Option<bool>) -> Self {
        let bit = match bound {
            Some(true) => Self::BOUND,
            Some(false) => Self::UNBOUND,
            None => 0,
        };
        Self(self.0 & !(Self::BOUND | Self::UNBOUND) | bit)
    }

    /// All of it as a number that is small where the attribution's index is.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0.rotate_left(Self::INDEX.leading_zeros())
    }

    /// The link of a [`Self::number`].
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        Self(number.rotate_right(Self::INDEX.leading_zeros()))
    }

    /// Whether the connection had its port before it connected: then nobody else can have it. `None` if not known;
    /// only the trace tells.
    #[must_use]
    pub const fn bound(self) -> Option<bool> {
        if self.0 & Self::BOUND != 0 {
            Some(true)
        } else if self.0 & Self::UNBOUND != 0 {
            Some(false)
        } else {
            None
        }
    }

    /// The index into [`Moment::attributions`].
    #[must_use]
    pub const fn attribution(self) -> usize {
        (self.0 & Self::INDEX) as usize
    }

    /// Which side is ours; `None` for listeners and bound sockets.
    #[must_use]
    pub const fn side(self) -> Option<Side> {
        if self.0 & Self::SERVER != 0 {
            Some(Side::Server)
        } else if self.0 & Self::CLIENT != 0 {
            Some(Side::Client)
        } else {
            None
        }
    }

    /// Whether the connection began since the sample before.
    #[must_use]
    pub const fn opened(self) -> bool {
        self.0 & Self::OPENED != 0
    }

    /// Whether the connection began to close, or closed, since the sample before.
    #[must_use]
    pub const fn closed(self) -> bool {
        self.0 & Self::CLOSED != 0
    }
}

/// An owner, or a set, or nobody, with the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// What it rests on.
    pub evidence: Evidence,
    /// Those who hold it (several after a fork), or may own it (`Candidates`); empty when unknown.
    pub owners: Vec<Arc<Process>>,
    /// Why nobody is named; `None` when somebody is.
    pub unknown: Option<Unknown>,
    /// Who called `connect()`, as the trace told; `None` if it did not.
    pub opener: Option<Arc<Process>>,
    /// Who closed our end, the first to close, as the trace told; `None` if it did not.
    pub closer: Option<Arc<Process>>,
}

/// Rates per second from the kernel's exact counters, for the whole namespace. `None` until two samples came.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rates {
    /// Connections begun by `connect()` (`TcpActiveOpens`).
    pub opened: Option<f64>,
    /// Connections accepted by a listener (`TcpPassiveOpens`).
    pub accepted: Option<f64>,
    /// Connections that ended, whichever side began: opens and accepts less failed attempts, less the growth of
    /// `TcpCurrEstab` and of the sockets in `SYN_SENT`, which count as opens already.
    pub closed: Option<f64>,
    /// Entries into `TIME_WAIT`, and into the `FIN_WAIT2` of a closed descriptor (`TcpExtTW + TcpExtTWKilled`).
    pub time_wait: Option<f64>,
    /// `connect()` calls that found no port. `None` unless the kernel's tracepoint told of all of the time.
    pub connect_failures: Option<f64>,
}

/// A socket with all that is known of it: what queries match and tables show.
#[derive(Debug, Clone, Copy)]
pub struct Owned<'a> {
    /// The kernel's part.
    pub socket: SocketRef<'a>,
    /// Memory's part.
    pub link: Link,
    /// What `link` refers to.
    pub attribution: &'a Attribution,
    /// The inode of the network namespace.
    pub netns: u64,
}

impl<'a> Owned<'a> {
    /// The kernel's `tcp_info`, where there is a connection for it to tell of. The kernel fills one in for
    /// listeners and bound sockets as well (`tcp_get_info()`): nothing in it is measured.
    #[must_use]
    pub fn tcp(&self) -> Option<&'a TcpInfo> {
        let state = self.socket.row().state;
        let tells = state.is_connection() && state != TcpState::SynRecv;
        self.socket.detail().filter(|_| tells)?.tcp.as_ref()
    }

    /// Smoothed round-trip time, microseconds; `None` before it was measured, of which the kernel says 0.
    #[must_use]
    pub fn rtt_us(&self) -> Option<u32> {
        self.tcp().map(|tcp| tcp.rtt_us).filter(|&rtt| rtt != 0)
    }

    /// Milliseconds since data was last sent, or since the connection was established if none was.
    ///
    /// `None` in `SYN_SENT`: the kernel sets the two times when the handshake is done (`tcp_finish_connect()`),
    /// and counts from boot before.
    #[must_use]
    pub fn last_sent_ms(&self) -> Option<u32> {
        self.established_tcp().map(|tcp| tcp.last_sent_ms)
    }

    /// Milliseconds since data was last received, as [`Owned::last_sent_ms`].
    #[must_use]
    pub fn last_received_ms(&self) -> Option<u32> {
        self.established_tcp().map(|tcp| tcp.last_received_ms)
    }

    fn established_tcp(&self) -> Option<&'a TcpInfo> {
        self.tcp().filter(|_| self.socket.row().state != TcpState::SynSent)
    }
}

impl Moment {
    /// Whether its sockets are there. If not, the totals have those rows only that had the most sockets.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.digest.is_none()
    }

    /// Of the sockets with the indices `rows` those that nobody is known to own, by reason.
    #[must_use]
    pub fn unknown_of(&self, rows: impl Iterator<Item = usize>) -> [u32; Unknown::ALL.len()] {
        let mut by_attribution = vec![0_u32; self.attributions.len()];
        for link in rows.filter_map(|row| self.links.get(row)) {
            by_attribution[link.attribution()] += 1;
        }
        let mut counts = [0; Unknown::ALL.len()];
        for (attribution, sockets) in self.attributions.iter().zip(by_attribution) {
            if let Some(i) = Unknown::ALL.iter().position(|reason| attribution.unknown == Some(*reason)) {
                counts[i] += sockets;
            }
        }
        counts
    }

    /// About how many bytes it takes. What it shares with other moments counts in full.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let Self { sample, totals, .. } = self;
        let links = (self.links.capacity() + self.ended_links.capacity()) * size_of::<Link>();
        let owners = |attribution: &Attribution| attribution.owners.capacity() * size_of::<Arc<Process>>();
        let attributions = self.attributions.capacity() * size_of::<Attribution>()
            + self.attributions.iter().map(owners).sum::<usize>();
        let holders = |set: &[u32]| size_of_val(set) + size_of::<Box<[u32]>>();
        let scan = sample.processes.capacity() * size_of::<ProcessSeen>()
            + sample.holders.iter().map(|set| holders(set)).sum::<usize>();
        let counters =
            sample.counters.iter().len() * (size_of::<(Arc<str>, u64)>() + size_of::<CounterRate>());
        let told = self.trace.as_ref().map_or(0, |traced| traced.bytes());
        size_of::<Self>()
            + sample.sockets.bytes()
            + self.ended.bytes()
            + totals.bytes()
            + self.flows.bytes()
            + (links + attributions + scan + counters + told)
    }

    /// The socket at `index` of the sample, if there is one.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Owned<'_>> {
        let socket = self.sample.sockets.get(index)?;
        Some(self.owned(socket, *self.links.get(index)?))
    }

    /// Every socket of the sample.
    pub fn iter(&self) -> impl Iterator<Item = Owned<'_>> {
        let sockets = self.sample.sockets.iter();
        sockets.zip(&self.links).map(|(socket, &link)| self.owned(socket, link))
    }

    /// Every connection that ended without leaving a trace in this sample.
    pub fn iter_ended(&self) -> impl Iterator<Item = Owned<'_>> {
        let sockets = self.ended.iter();
        sockets.zip(&self.ended_links).map(|(socket, &link)| self.owned(socket, link))
    }

    fn owned<'a>(&'a self, socket: SocketRef<'a>, link: Link) -> Owned<'a> {
        Owned { socket, link, attribution: &self.attributions[link.attribution()], netns: self.sample.netns }
    }
}
