//! A moment counted: by state, process, peer, destination and age.

use std::{net::IpAddr, sync::Arc};

use super::{Moment, Owned};
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
    /// One row a process that owns a socket, most sockets first.
    pub processes: Vec<ProcessRow>,
    /// One row a service towards or from which there are connections, most connections first.
    pub peers: Vec<PeerRow>,
    /// One row a destination of ours, most ports taken first.
    pub destinations: Vec<DestinationRow>,
    /// Surviving `TIME_WAIT`s by how many seconds ago they were entered; the last holds those at 60 s and over.
    pub ages: Vec<u32>,
    /// Different local ports of the ephemeral range that any socket uses.
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
    /// Connections seen to begin since the sample before.
    pub opened: u32,
    /// Connections seen to close since the sample before.
    pub closed: u32,
    /// Open descriptors now, `None` if unreadable or the process is gone.
    pub fds: Option<u32>,
    /// Soft limit of open descriptors.
    pub fd_limit: Option<u64>,
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
    /// Connections seen to begin since the sample before.
    pub opened: u32,
    /// Connections seen to close since the sample before.
    pub closed: u32,
}

/// A destination in the sense of port exhaustion: one source address towards one remote address and port.
#[derive(Debug, Clone, PartialEq)]
pub struct DestinationRow {
    /// Our address.
    pub source: IpAddr,
    /// Remote address and port.
    pub peer: Endpoint,
    /// Local ports of the usable range that a socket towards it occupies, in whatever state.
    pub taken: u32,
    /// Of those, `TIME_WAIT`s.
    pub time_wait: u32,
    /// Connections seen to begin since the sample before.
    pub opened: u32,
}

impl Aggregate {
    /// Counts the sockets of `moment` that `keep` accepts.
    #[must_use]
    pub fn of(moment: &Moment, keep: impl FnMut(&Owned<'_>) -> bool) -> Self {
        let _ = (moment, keep);
        Self::default()
    }
}
