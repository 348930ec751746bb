//! A moment counted: by state, process, peer, destination and age.

use std::{net::IpAddr, sync::Arc};

use super::{
    Change, DestinationPorts, Forecast, Lifetimes, Moment, Owned, PortsLeft,
    tally::{Scope, Tally},
};
use crate::model::{Endpoint, Evidence, Process, Side, StateCounts};

/// Counts over all sockets of a moment, or over those that a filter keeps.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Aggregate {
    /// Sockets by state.
    pub states: StateCounts,
    /// Sockets by evidence of their owner, indexed like [`Evidence::ALL`].
    pub evidence: [u32; Evidence::ALL.len()],
    /// `TIME_WAIT`s by evidence of their owner.
    pub time_wait_evidence: [u32; Evidence::ALL.len()],
    /// One row a process that owns a socket, or may own a `TIME_WAIT`, or owned a connection that ended
    /// since the sample before; most sockets first.
    pub processes: Vec<ProcessRow>,
    /// One row a service towards or from which there are connections, or were at the sample before; most
    /// connections first.
    pub peers: Vec<PeerRow>,
    /// How many more peers there are, with fewer connections than these.
    pub peers_omitted: u32,
    /// One row a destination of ours, those first that can have the fewest ports.
    pub destinations: Vec<DestinationRow>,
    /// How many more destinations there are, with fewer ports taken than these.
    pub destinations_omitted: u32,
    /// What is left for `bind()` at the addresses that the worst destinations are reached from, in their order; of the
    /// whole only.
    pub bind_pools: Vec<BindPool>,
    /// Surviving `TIME_WAIT`s by how many seconds ago they were entered; the last holds those at 60 s and over.
    pub ages: Vec<u32>,
    /// Different local ports of the usable ephemeral range that any socket uses, in whatever state and on
    /// whichever side; 0 when the range is not known.
    pub ports_in_use: u32,
    /// Connections that began since the sample before, as far as samples saw them.
    pub opened: u32,
    /// Connections that began to close since the sample before, as far as samples saw them.
    pub closed: u32,
}

/// A process and its sockets.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessRow {
    /// The process.
    pub process: Arc<Process>,
    /// Its sockets by state, those for which it is only a candidate left out.
    pub states: StateCounts,
    /// The `TIME_WAIT`s by evidence, indexed like [`Evidence::ALL`]; candidates included.
    pub time_wait_evidence: [u32; Evidence::ALL.len()],
    /// Its sockets by evidence, indexed like [`Evidence::ALL`]; those for which it is only a candidate included.
    pub evidence: [u32; Evidence::ALL.len()],
    /// Connections seen to begin since the sample before.
    pub opened: u32,
    /// Connections seen to close since the sample before.
    pub closed: u32,
    /// Open descriptors now, `None` if unreadable or the process is gone.
    pub fds: Option<u32>,
    /// Soft limit of open descriptors.
    pub fd_limit: Option<u64>,
    /// How long the connections lived that it closed first within the last minute, whatever a filter keeps; `None`
    /// without a trace or without any.
    pub lifetimes: Option<Arc<Lifetimes>>,
    /// How it differs from what it was at another moment, where that is asked.
    pub change: Option<Change>,
}

impl ProcessRow {
    /// A row without sockets.
    pub(super) fn new(process: &Arc<Process>) -> Self {
        Self {
            process: Arc::clone(process),
            states: StateCounts::default(),
            time_wait_evidence: [0; Evidence::ALL.len()],
            evidence: [0; Evidence::ALL.len()],
            opened: 0,
            closed: 0,
            fds: None,
            fd_limit: None,
            lifetimes: None,
            change: None,
        }
    }
}

/// A service: for a client side the remote address and port; for a server side the remote address and
/// our port that it came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey {
    /// The remote address.
    pub ip: IpAddr,
    /// The service's port, on whichever side it is.
    pub port: u16,
    /// Which side we are.
    pub side: Side,
}

/// A peer and the connections with it.
#[derive(Debug, Clone, PartialEq)]
pub struct PeerRow {
    /// Who.
    pub key: PeerKey,
    /// Connections by state.
    pub states: StateCounts,
    /// Our processes that own one of them, by PID, candidates left out.
    pub processes: Vec<Arc<Process>>,
    /// Our processes each of which may own one of them, by PID: candidates that are not among `processes`.
    pub candidates: Vec<Arc<Process>>,
    /// Connections by evidence of their owner, indexed like [`Evidence::ALL`].
    pub evidence: [u32; Evidence::ALL.len()],
    /// Connections seen to begin since the sample before.
    pub opened: u32,
    /// Connections seen to close since the sample before.
    pub closed: u32,
    /// How long the connections with it lived that our end closed first, as [`ProcessRow::lifetimes`].
    pub lifetimes: Option<Arc<Lifetimes>>,
    /// As [`ProcessRow::change`].
    pub change: Option<Change>,
}

impl PeerRow {
    /// The bytes that it takes beside its own.
    pub(super) fn bytes(&self) -> usize {
        (self.processes.capacity() + self.candidates.capacity()) * size_of::<Arc<Process>>()
    }

    /// A row without connections.
    pub(super) fn new(key: PeerKey) -> Self {
        Self {
            key,
            states: StateCounts::default(),
            processes: Vec::new(),
            candidates: Vec::new(),
            evidence: [0; Evidence::ALL.len()],
            opened: 0,
            closed: 0,
            lifetimes: None,
            change: None,
        }
    }
}

/// A destination in the sense of port exhaustion: one source address towards one remote address and port.
#[derive(Debug, Clone, PartialEq)]
pub struct DestinationRow {
    /// Our address.
    pub source: IpAddr,
    /// Remote address and port.
    pub peer: Endpoint,
    /// Local ports of the usable range that a socket of our client side towards it occupies, in whatever
    /// state. All its sockets count when the range is not known.
    pub taken: u32,
    /// Of those, `TIME_WAIT`s.
    pub time_wait: u32,
    /// Connections seen to begin since the sample before.
    pub opened: u32,
    /// Connections seen to close since the sample before.
    pub closed: u32,
    /// What is left for it, whatever a filter keeps; `None` if the range of ports is not known, or for one that is
    /// not among the [`Aggregate::MAX_ROWS`] of the whole.
    pub ports: Option<DestinationPorts>,
    /// What will become of its ports; of the worst destinations only.
    pub forecast: Option<Forecast>,
    /// As [`ProcessRow::change`], of the ports that it takes.
    pub change: Option<Change>,
}

/// The ports of one of our addresses as far as `bind()` to port 0 is concerned.
#[derive(Debug, Clone, PartialEq)]
pub struct BindPool {
    /// Our address.
    pub source: IpAddr,
    /// How many more sockets can be bound to it before they connect, unless with `IP_BIND_ADDRESS_NO_PORT`.
    pub left: PortsLeft,
}

impl DestinationRow {
    /// Ports that a new connection to it cannot have; those that its sockets occupy where more is not known.
    #[must_use]
    pub fn blocked(&self) -> u32 {
        self.ports.map_or(self.taken, |ports| ports.blocked)
    }
}

impl Aggregate {
    /// At most so many rows of peers, and of destinations, are made; those with the most connections.
    pub const MAX_ROWS: usize = 10_000;
    /// How many values [`Aggregate::ages`] has.
    pub const AGES: usize = 61;

    /// Counts the sockets of `moment` that `keep` accepts. Connections that ended since the sample before
    /// are asked for as well: they count as closed, and in no state.
    ///
    /// Rows come worst first; ties are broken by what they are of, so equal moments give equal rows.
    #[must_use]
    pub fn of(moment: &Moment, keep: impl FnMut(&Owned<'_>) -> bool) -> Self {
        Self::count(Tally::new(moment, Scope::Part), moment, keep)
    }

    /// Counts all sockets of `moment`, and works out what ports are left.
    #[must_use]
    pub(super) fn whole(moment: &Moment) -> Self {
        Self::count(Tally::new(moment, Scope::Whole), moment, |_| true)
    }

    /// About how many bytes its rows take.
    pub(super) fn bytes(&self) -> usize {
        let processes = self.processes.capacity() * size_of::<ProcessRow>();
        let peers = self.peers.capacity() * size_of::<PeerRow>()
            + self.peers.iter().map(PeerRow::bytes).sum::<usize>();
        let destinations = self.destinations.capacity() * size_of::<DestinationRow>();
        let pools = self.bind_pools.capacity() * size_of::<BindPool>();
        processes + peers + destinations + pools + self.ages.capacity() * size_of::<u32>()
    }

    fn count(mut tally: Tally<'_>, moment: &Moment, mut keep: impl FnMut(&Owned<'_>) -> bool) -> Self {
        for owned in moment.iter() {
            if keep(&owned) {
                tally.add(&owned);
            } else {
                tally.skip();
            }
        }
        for owned in moment.iter_ended() {
            if keep(&owned) {
                tally.add_ended(&owned);
            } else {
                tally.skip();
            }
        }
        tally.finish()
    }
}
