//! A sample: what the kernel said at one instant, and what it would not say.

use std::{sync::Arc, time::Duration};

use super::{Counters, Limits, ProcessSeen, SocketTable, Stamp, Sysctls, TraceBatch};

/// One look at one network namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When the dump of sockets ended.
    pub stamp: Stamp,
    /// The inode of the network namespace.
    pub netns: u64,
    /// Counts samples from 0.
    pub number: u64,
    /// The sockets, each cookie once, bound-inactive ones included.
    pub sockets: SocketTable,
    /// Whether the dump came to its end. If not, `sockets` is what came before it broke off.
    pub complete: bool,
    /// The processes that hold TCP sockets of this namespace, and some of those that the trace names and that hold none.
    pub processes: Vec<ProcessSeen>,
    /// Sets of holders as indices into `processes`, what [`super::Held::By`] refers to.
    pub holders: Vec<Box<[u32]>>,
    /// How much of the host's processes the owner scan could read.
    pub scan: OwnerScan,
    /// Counters, read right after the dump.
    pub counters: Counters,
    /// Settings; shared between samples while they do not change.
    pub sysctls: Arc<Sysctls>,
    /// Limits and how near they are.
    pub limits: Limits,
    /// What the trace told up to the end of the dump, since the sample before; `None` without a trace.
    pub trace: Option<Arc<TraceBatch>>,
    /// What went wrong in this sample, counted since the start.
    pub faults: Vec<Fault>,
    /// What taking this sample cost.
    pub cost: Cost,
    /// The host.
    pub host: Arc<Host>,
    /// What we may see.
    pub privileges: Arc<Privileges>,
}

/// The host that a sample is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name (`uname -n`).
    pub name: String,
    /// The kernel's release (`uname -r`).
    pub kernel: String,
    /// Timer interrupts per second if that is known; the real life of a `TIME_WAIT` depends on it.
    pub hz: Option<u32>,
}

/// What this process may see, and how to see the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Privileges {
    /// Whether nothing is missing to see every socket and its holder. The trace is no part of that.
    pub complete: bool,
    /// The capabilities that are missing for it, such as `CAP_SYS_PTRACE`.
    pub missing: Vec<String>,
    /// The capabilities that are missing for the trace, such as `CAP_PERFMON`; empty where there is one, and where
    /// none is wanted.
    pub trace_missing: Vec<String>,
    /// One line that says how to get them; empty when nothing is missing.
    pub hint: String,
}

/// How the scan of file descriptors went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OwnerScan {
    /// Processes on the host.
    pub processes: u32,
    /// Of those, processes whose descriptors we may not read.
    pub denied: u32,
}

/// Something that kept facts away. Faults are counted and shown, never swallowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which part of the sampling met it, such as `sock_diag` or `/proc/net/snmp`.
    pub place: String,
    /// What happened.
    pub kind: FaultKind,
    /// How often since the start.
    pub count: u64,
}

/// The kinds of faults.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// The kernel refused, with its error text.
    Refused(String),
    /// A message was cut short or made no sense.
    Malformed,
    /// The dump was interrupted (`NLM_F_DUMP_INTR`): the table changed under it.
    Interrupted,
    /// The kernel ran out of room and dropped messages (`ENOBUFS`).
    Overrun,
    /// A file could not be read, with the error text.
    Unreadable(String),
}

impl std::fmt::Display for FaultKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused(why) => write!(f, "refused: {why}"),
            Self::Malformed => f.write_str("malformed message"),
            Self::Interrupted => f.write_str("interrupted dump"),
            Self::Overrun => f.write_str("messages dropped for want of room"),
            Self::Unreadable(why) => write!(f, "unreadable: {why}"),
        }
    }
}

/// What a sample cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Processor time of the sampler's thread since the sample before: for this sample, and for folding that one.
    pub cpu: Duration,
    /// Wall time of the dump of sockets alone.
    pub dump: Duration,
    /// The interval now in force; longer than asked for when the budget is reached.
    pub interval: Duration,
    /// Resident memory of twtop, bytes.
    pub rss_bytes: u64,
}
