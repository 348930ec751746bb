//! Who opens and who closes connections, told by the kernel as it happens: the tracepoint
//! `sock:inet_sock_set_state` through `perf_event_open(2)`, without BPF.
//!
//! One ring a CPU, all rings set up before the first is switched on, so that no CPU is missed at the start. A
//! thread of its own empties them whenever one is a quarter full, ten times a second otherwise, and
//! whenever a batch is asked for: [`Tracer::take`] returns all that happened before it was called.
//!
//! The records of tasks that start, end, are renamed or move to another network namespace come through the
//! same rings, in the same order. A process that lived for a millisecond is named by them, where `/proc`
//! would come too late.

mod drain;
mod fold;
mod procfs;
mod ring;
mod sys;
mod tasks;
mod tracefs;

use std::{
    io,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::event::{EventfdFlags, eventfd};

use self::{drain::Drain, procfs::Procfs, ring::Rings};
use crate::{
    model::TraceBatch,
    wire::trace_record::{Layout, LayoutError},
};

/// How the tracer is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceOptions {
    /// Bytes of ring for each CPU, rounded up to a power of two of pages. A state change takes 112 bytes.
    pub ring_bytes: usize,
    /// Whether accepted handshakes are traced too: it costs each of them a microsecond, and gives lifetimes and openings of
    /// the server side.
    pub accepts: bool,
}

impl TraceOptions {
    /// The most that the rings of all CPUs take together by default.
    const ALL_RINGS: usize = 64 << 20;
    const RING: usize = 2 << 20;
    const LEAST: usize = 128 << 10;

    /// 2 MiB a CPU, less on hosts with more than 32 CPUs, where each of them has less to say.
    #[must_use]
    pub fn for_cpus(cpus: usize) -> Self {
        Self { ring_bytes: (Self::ALL_RINGS / cpus.max(1)).clamp(Self::LEAST, Self::RING), accepts: false }
    }
}

/// Why there is no trace.
#[derive(Debug, thiserror::Error)]
pub enum TraceError {
    /// The tracepoint's description could not be read. Needs the right to read tracefs, and
    /// `CAP_SYS_ADMIN` where it is not mounted.
    #[error("cannot read the tracepoint's description from tracefs")]
    Tracefs(#[source] io::Error),
    /// This kernel's tracepoint is not the one we know.
    #[error("cannot understand the tracepoint's format")]
    Layout(#[from] LayoutError),
    /// The tracepoint could not be opened. Needs `CAP_PERFMON`.
    #[error("cannot open the tracepoint on CPU {cpu}")]
    Open {
        /// The CPU.
        cpu: u32,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// `/proc` shows the PIDs of another PID namespace than ours, which are not those that the kernel's records have.
    #[error("/proc is of another PID namespace; mount one of this namespace, as unshare --mount-proc does")]
    ForeignProc,
    /// The list of CPUs, an eventfd or a thread could not be had.
    #[error("cannot set up the trace")]
    Setup(#[source] io::Error),
}

impl TraceError {
    /// Whether more privilege would help.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        match self {
            Self::Tracefs(error) | Self::Open { source: error, .. } | Self::Setup(error) => {
                error.kind() == io::ErrorKind::PermissionDenied
            }
            Self::Layout(_) | Self::ForeignProc => false,
        }
    }
}

/// The running trace. It ends when this is dropped.
#[derive(Debug)]
pub struct Tracer {
    bell: Arc<OwnedFd>,
    stop: Arc<AtomicBool>,
    batches: Receiver<TraceBatch>,
    asked: bool,
    thread: Option<JoinHandle<()>>,
}

impl Tracer {
    /// How long [`Tracer::take`] waits. What comes later comes with the next call.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// Starts to trace every network namespace of the host; the default options for `None`.
    ///
    /// # Errors
    /// See [`TraceError`].
    pub fn start(options: Option<TraceOptions>) -> Result<Self, TraceError> {
        let tracepoint = tracefs::describe().map_err(TraceError::Tracefs)?;
        let layout = Layout::parse(&tracepoint.format)?;
        let rings = Rings::open(tracepoint.id, options)?;
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(setup)?);
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, batches) = sync_channel(1);
        let lookup = Procfs::open()?;
        let drain = Drain::new(rings, layout, Arc::clone(&bell), Arc::clone(&stop), sender, lookup);
        let thread = thread::Builder::new().name("twtop-trace".to_owned()).spawn(move || drain.run());
        let thread = thread.map_err(TraceError::Setup)?;
        Ok(Self { bell, stop, batches, asked: false, thread: Some(thread) })
    }

    /// Asks for all that happened before now, which [`Tracer::take`] will bring: a few milliseconds pass before all CPUs
    /// are known to have written what they saw.
    pub fn ask(&mut self) {
        if !self.asked {
            self.ring_bell();
            self.asked = true;
        }
    }

    /// Everything since the last call, all that happened before [`Tracer::ask`] included; asks now if nobody has. `None` if
    /// the tracer's thread does not answer within a second (its events come with a later call) or has ended.
    pub fn take(&mut self) -> Option<TraceBatch> {
        self.ask();
        match self.batches.recv_timeout(Self::PATIENCE) {
            Ok(batch) => {
                self.asked = false;
                Some(batch)
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => None,
        }
    }

    fn ring_bell(&self) {
        // It can only fail when the count is at its limit, and then the bell is ringing already.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        self.ring_bell();
        if let Some(thread) = self.thread.take() {
            // A panic of that thread has been reported by its hook; there is nothing left to save.
            let _ = thread.join();
        }
    }
}

fn setup(error: rustix::io::Errno) -> TraceError {
    TraceError::Setup(error.into())
}
