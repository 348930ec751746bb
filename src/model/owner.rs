//! Processes, who holds a socket, and what the claim rests on.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::Runtime;

/// A process, told apart from a later one with the same PID by when it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcKey {
    /// The process id.
    pub pid: u32,
    /// When it started, clock ticks since boot (`/proc/PID/stat`, field 22).
    pub start_ticks: u64,
}

impl ProcKey {
    /// A clock tick as `/proc` counts them: `USER_HZ` is 100 on every architecture but Alpha.
    pub const TICK: Duration = Duration::from_millis(10);

    /// When it started, since boot, suspended time included (`CLOCK_BOOTTIME`): then, or less than a
    /// [`ProcKey::TICK`] later.
    #[must_use]
    pub fn started_since_boot(self) -> Duration {
        Duration::from_millis(self.start_ticks.saturating_mul(10))
    }
}

/// What is known of a process. Name, command line and container are text that the process itself
/// chose: hostile until [`super::text::printable`] has seen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// PID and start time.
    pub key: ProcKey,
    /// When it started, wall-clock time.
    pub started: Timestamp,
    /// The kernel's name of the process (`comm`, at most 15 bytes); invalid UTF-8 replaced.
    pub name: String,
    /// The command line, arguments separated by spaces; empty for a kernel thread.
    pub command: String,
    /// Real user id; [`Process::NO_UID`] if the process ended before it could be read.
    pub uid: u32,
    /// The user's name, or the number where there is none; empty if the user is not known.
    pub user: String,
    /// The container's id as found in the cgroup path, shortened to 12 digits; `None` on the host.
    pub container: Option<String>,
    /// What it runs on, where that is known for sure.
    pub runtime: Option<Runtime>,
}

impl Process {
    /// No user has this id (`(uid_t) -1` in `setresuid(2)` means none).
    pub const NO_UID: u32 = u32::MAX;
}

/// A process that holds TCP sockets, as seen in one sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessSeen {
    /// Who it is.
    pub process: Arc<Process>,
    /// Open file descriptors, `None` if that could not be read.
    pub fds: Option<u32>,
    /// Soft limit of open files (`RLIMIT_NOFILE`), `None` if unlimited or unreadable.
    pub fd_limit: Option<u64>,
}

/// What one chosen process uses now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProcessLoad {
    /// Which process.
    pub key: ProcKey,
    /// Processor time as a share of one core, per cent, since the look before; `None` for the first look.
    pub cpu_percent: Option<f64>,
    /// Resident memory, bytes.
    pub rss_bytes: u64,
    /// Threads.
    pub threads: u32,
}

/// What a look at one chosen process found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Inspected {
    /// It runs.
    Running(ProcessLoad),
    /// It has ended, and its parent has not asked how.
    Zombie(ProcKey),
    /// There is no such process any more.
    Ended {
        /// Which process.
        key: ProcKey,
        /// When a look at it found it last, if one did.
        seen: Option<Timestamp>,
    },
}

impl Inspected {
    /// Which process.
    #[must_use]
    pub const fn key(&self) -> ProcKey {
        match self {
            Self::Running(load) => load.key,
            Self::Zombie(key) | Self::Ended { key, .. } => *key,
        }
    }
}

/// Who holds a descriptor on a full socket, as far as the scan of one sample can tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Held {
    /// These processes: an index into [`super::Sample::holders`].
    By(u32),
    /// Nobody that we may look at, and there are processes that we may not look at.
    Denied,
    /// Every process was readable and none holds it: the kernel itself does (or another namespace's
    /// process, or a descriptor in flight between two processes).
    Kernel,
    /// No file refers to it any more: an orphan that finishes closing, or a holder that went between
    /// the scan and the dump.
    #[default]
    Gone,
    /// Not accepted yet: a handshake under way, or waiting in a listener's accept queue.
    Queue,
}

/// What the claim "this socket is that process's" rests on, strongest first. Weak evidence is never promoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Evidence {
    /// The kernel's tracepoint told who opened or closed it.
    Traced,
    /// The same cookie was seen alive earlier, held by that process.
    Seen,
    /// The process holds a descriptor on it now.
    Held,
    /// The connection was accepted from a listener that one process holds, which had started before the
    /// connection closed; a listener that came while twtop ran was seen before that as well.
    ///
    /// Three things no sample can show, for connections that none saw alive: that the process passed the
    /// accepted socket on to another (as servers do that fork for each connection); that an earlier process
    /// accepted it, but the holder of today had started before it was closed for good, and began to listen
    /// before twtop looked (a service that restarts while its peers are slow to close); and that the
    /// connection was made by us from the listener's own address and port (`SO_REUSEPORT`).
    Listener,
    /// One of these processes, not known which; or, where there is reason to doubt that these are all who come
    /// into question, another that is out of sight.
    Candidates,
    /// Nobody knows, for a reason that is given.
    Unknown,
}

impl Evidence {
    /// Every kind, strongest first.
    pub const ALL: [Self; 6] =
        [Self::Traced, Self::Seen, Self::Held, Self::Listener, Self::Candidates, Self::Unknown];

    /// The name in outputs, such as `held`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Traced => "traced",
            Self::Seen => "seen",
            Self::Held => "held",
            Self::Listener => "listener",
            Self::Candidates => "candidates",
            Self::Unknown => "unknown",
        }
    }
}

/// Why nobody is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unknown {
    /// We may not read the descriptors of some processes.
    Denied,
    /// The kernel holds it, not a process.
    Kernel,
    /// Its process let go of it before anyone looked.
    Gone,
    /// It had closed before twtop started to look.
    BeforeStart,
    /// It opened and closed between two samples.
    TooShort,
}

impl Unknown {
    /// Every reason, in the order in which they are listed: what can be cured first.
    pub const ALL: [Self; 5] = [Self::Denied, Self::BeforeStart, Self::TooShort, Self::Gone, Self::Kernel];

    /// A short name, such as `denied`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::Kernel => "kernel",
            Self::Gone => "gone",
            Self::BeforeStart => "before start",
            Self::TooShort => "too short",
        }
    }
}
