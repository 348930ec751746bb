//! What the kernel's tracepoint told: who opened and who closed a connection, at the moment it happened.

use std::{sync::Arc, time::Duration};

use super::{Endpoint, Family, Fault, ProcKey, Side};

/// One turn in the life of a connection, told by the tracepoint `sock:inet_sock_set_state`.
///
/// Times are on `CLOCK_BOOTTIME`, like [`super::Stamp::since_boot`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceEvent {
    /// When it happened.
    pub at: Duration,
    /// The CPU it happened on.
    pub cpu: u32,
    /// What happened.
    pub kind: TraceKind,
    /// The family of the socket.
    pub family: Family,
    /// The end of the socket whose state changed; its port is 0 where no port was found.
    pub local: Endpoint,
    /// The other end.
    pub peer: Endpoint,
    /// When the connection began: `connect()` was called, or the handshake of an accepted one was complete.
    /// `None` if it began before the tracer, or its record was lost or forgotten.
    pub began: Option<Duration>,
    /// Which side ours is; `None` exactly where `began` is.
    pub side: Option<Side>,
    /// Whether the socket had its port before it connected, so that `connect()` gives it to nobody else. `None` where
    /// that is not known, and for an accepted connection.
    pub bound: Option<bool>,
    /// The task that did it, `None` where no task is the cause or it cannot be told: a `shutdown()` before the
    /// handshake of a fast open was complete takes effect with the packet that completes it.
    pub task: Option<TraceTask>,
}

/// The kinds of [`TraceEvent`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TraceKind {
    /// `connect()` was called on a socket that has a port already, or may have one. Where it chooses the port itself nothing
    /// is told before it ends.
    Connecting,
    /// `connect()` succeeded. The task is the one that called it; `at` is the end of the handshake.
    Opened,
    /// A handshake that came from outside is complete (the connection enters an accept queue). No task. Only
    /// where the tracer was told to trace these.
    Accepted,
    /// Our end closed first: FIN sent (`FIN_WAIT1`). The task is the one that closed or shut down the
    /// socket, by `close()`, `shutdown()`, `execve()` or by being killed.
    Closed,
    /// `connect()` found no free local port (`EADDRNOTAVAIL`).
    NoPort,
    /// `connect()` failed for another reason: refused, timed out, interrupted.
    ConnectFailed,
}

/// A task at the moment of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceTask {
    /// The process id (the kernel's `tgid`) in the PID namespace of twtop. 0 for a process that this
    /// namespace cannot see, `u32::MAX` for one that was already reaped (`perf_event_pid()` in the kernel).
    pub pid: u32,
    /// The thread id, of the same namespace and with the same two exceptions.
    pub tid: u32,
    /// The process in [`TraceBatch::processes`]; `None` if it could not be told from another one with the same PID.
    pub process: Option<u32>,
    /// The inode of the task's network namespace at that moment, `None` if unknown.
    ///
    /// The record does not carry the namespace of the *socket*; a process that moved to another namespace
    /// after it made the socket, or was handed the socket from another one, differs from it.
    pub netns: Option<u64>,
}

/// A process as the trace knows it. It may be gone since; its name was taken while it lived.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TracedProcess {
    /// PID and start time.
    pub key: ProcKey,
    /// Whether the start time was read from `/proc`. Otherwise it is that of the kernel's fork record, which
    /// may be one clock tick late, of a process that ended before anyone could look.
    pub exact: bool,
    /// The name (`comm`), hostile text.
    pub name: String,
    /// The command line, hostile text; `None` if the process ended before it could be read, and for a kernel thread.
    pub command: Option<String>,
    /// The real user id, `None` if the process ended before it could be read.
    pub uid: Option<u32>,
    /// Whether this is a kernel thread: it closes sockets on behalf of others and owns none.
    pub kernel: bool,
}

/// What the tracer saw since the batch before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TraceBatch {
    /// The events, in the order of time as far as several CPUs allow (a few may be microseconds late).
    pub events: Vec<TraceEvent>,
    /// The processes that the events refer to.
    pub processes: Vec<Arc<TracedProcess>>,
    /// When tracing began.
    pub since: Duration,
    /// Every event up to here is in this batch or an earlier one.
    pub through: Duration,
    /// When records were lost, and how many.
    pub losses: Vec<TraceLoss>,
    /// The sums since tracing began.
    pub tally: TraceTally,
    /// What went wrong, counted since the start.
    pub faults: Vec<Fault>,
}

/// A span of time in which records of one CPU were lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceLoss {
    /// No record before this was lost.
    pub from: Duration,
    /// No record after this was lost.
    pub to: Duration,
    /// How many, of all kinds (also those of processes that start and end).
    pub records: u64,
}

/// Sums since tracing began. `matched - read - lost` is what is still in the rings; it is 0 once they are drained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TraceTally {
    /// State changes that passed the filter, as the kernel counts them.
    pub matched: u64,
    /// State changes read.
    pub read: u64,
    /// Records lost, of all kinds: the ring of a CPU was full.
    pub lost: u64,
}
