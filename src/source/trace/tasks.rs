//! Who a task is, and in which network namespace: from `/proc` once, then from the records of tasks that
//! start, end, change their name or move. So a process that is gone before anyone can look still has a name.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use crate::model::{ProcKey, TracedProcess};

/// Clock ticks per second in `/proc` (`USER_HZ`, 100 on every architecture of today).
const TICK: Duration = Duration::from_millis(10);

/// What `/proc` says of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) start_ticks: u64,
    pub(super) name: String,
    /// `None` for a kernel thread, and for a process that is ending.
    pub(super) command: Option<String>,
    pub(super) uid: Option<u32>,
    pub(super) kernel: bool,
}

/// Where tasks are looked up; `/proc`, or a test's idea of it.
pub(super) trait Lookup {
    /// The process that has this PID now.
    fn process(&mut self, pid: u32) -> Option<Seen>;
    /// The network namespace of a thread now.
    fn netns(&mut self, pid: u32, tid: u32) -> Option<u64>;
    /// Every process with its name, and its threads with their namespaces.
    fn all(&mut self) -> Vec<Listed>;
}

/// A process in the list of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) pid: u32,
    pub(super) name: String,
    pub(super) threads: Vec<(u32, Option<u64>)>,
}

/// The tasks known at the moment of the record that was told last.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    threads: HashMap<u32, Thread>,
    processes: HashMap<u32, Process>,
    /// PIDs that nobody had when they were looked up in this round.
    absent: HashSet<u32>,
    /// Whether records of tasks may be missing just now.
    doubt: bool,
    /// Threads that ended, oldest first.
    ended: VecDeque<(Duration, u32, u32)>,
}

/// How long a task is remembered after the record of its end. Since Linux 6.16 that record is written before the
/// task's descriptors are closed, and closing may take a while.
const LINGER: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Thread {
    pid: u32,
    netns: Option<u64>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Process {
    /// When its fork record was written, unless it is older than the trace.
    forked: Option<Duration>,
    name: Option<String>,
    /// Threads that have not ended.
    threads: u32,
    /// What was made of it when it was first asked for; out of date once its name changes.
    identity: Option<Arc<TracedProcess>>,
}

impl Tasks {
    /// Records follow that were read before now: what `/proc` says from now on is newer than all of them.
    pub(super) fn begin_round(&mut self) {
        self.absent.clear();
    }

    /// Records were lost, or are complete again. In doubt only `/proc` is believed: a process that exists now and
    /// is older than the event is the one that had the PID then, whatever records are missing.
    pub(super) fn set_doubt(&mut self, doubt: bool) {
        self.doubt = doubt;
        if doubt {
            self.threads.clear();
            self.processes.clear();
            self.ended.clear();
        }
    }

    /// Takes in all tasks that exist now. Those known already stay: a fork record says more.
    pub(super) fn scan(&mut self, lookup: &mut impl Lookup) {
        for listed in lookup.all() {
            let count = u32::try_from(listed.threads.len()).unwrap_or(u32::MAX);
            let fresh = || Process { name: Some(listed.name), threads: count, ..Process::default() };
            self.processes.entry(listed.pid).or_insert_with(fresh);
            for (tid, netns) in listed.threads {
                self.threads.entry(tid).or_insert(Thread { pid: listed.pid, netns, ended: false });
            }
        }
    }

    /// A task was started.
    pub(super) fn forked(&mut self, at: Duration, (pid, tid): (u32, u32), parent: (u32, u32)) {
        self.absent.remove(&pid);
        if self.doubt {
            self.threads.remove(&tid);
            if pid == tid {
                self.processes.remove(&pid);
            }
            return;
        }
        let netns = self.threads.get(&parent.1).filter(|thread| thread.pid == parent.0).and_then(|t| t.netns);
        self.threads.insert(tid, Thread { pid, netns, ended: false });
        if pid == tid {
            let name = self.processes.get(&parent.0).and_then(|parent| parent.name.clone());
            let process = Process { forked: Some(at), name, threads: 1, identity: None };
            self.processes.insert(pid, process);
        } else if let Some(process) = self.processes.get_mut(&pid) {
            process.threads += 1;
        }
    }

    /// A task ended; it may still have to close its descriptors. A process lives on as long as one of its threads does.
    pub(super) fn ended(&mut self, at: Duration, pid: u32, tid: u32) {
        if let Some(thread) = self.threads.get_mut(&tid).filter(|thread| !thread.ended) {
            thread.ended = true;
            if let Some(process) = self.processes.get_mut(&pid) {
                process.threads = process.threads.saturating_sub(1);
            }
        }
        self.ended.push_back((at, pid, tid));
        while let Some(&(ended, pid, tid)) = self.ended.front()
            && ended + LINGER < at
        {
            self.ended.pop_front();
            // Both numbers may have been given to somebody else meanwhile.
            if self.threads.get(&tid).is_some_and(|thread| thread.ended) {
                self.threads.remove(&tid);
            }
            if self.processes.get(&pid).is_some_and(|process| process.threads == 0) {
                self.processes.remove(&pid);
            }
        }
    }

    /// A task changed its name; a process is called what its first thread is called.
    pub(super) fn named(&mut self, pid: u32, tid: u32, name: &[u8]) {
        if pid == tid && !self.doubt {
            let process = self.processes.entry(pid).or_insert_with(|| Process { threads: 1, ..Process::default() });
            process.name = Some(String::from_utf8_lossy(name).into_owned());
            process.identity = None;
        }
    }

    /// A task moved to another network namespace, or was started in this one.
    pub(super) fn moved(&mut self, pid: u32, tid: u32, netns: u64) {
        self.threads.insert(tid, Thread { pid, netns: Some(netns), ended: false });
    }

    /// The network namespace of a thread.
    pub(super) fn netns(&mut self, pid: u32, tid: u32, lookup: &mut impl Lookup) -> Option<u64> {
        if let Some(Thread { netns: Some(netns), .. }) = self.threads.get(&tid).filter(|t| t.pid == pid) {
            return Some(*netns);
        }
        let netns = if self.absent.contains(&pid) { None } else { lookup.netns(pid, tid) }?;
        self.threads.insert(tid, Thread { pid, netns: Some(netns), ended: false });
        Some(netns)
    }

    /// Who had `pid` at the instant `at`; `None` if that cannot be told.
    pub(super) fn identify(&mut self, pid: u32, at: Duration, lookup: &mut impl Lookup) -> Option<Arc<TracedProcess>> {
        let process = self.processes.get(&pid);
        if let Some(identity) = process.and_then(|process| process.identity.clone()) {
            return Some(identity);
        }
        let forked = process.and_then(|process| process.forked);
        let name = process.and_then(|process| process.name.clone());
        // Whoever has the PID now had it then if it started before then: a PID is not given twice at a time.
        let seen = if self.absent.contains(&pid) { None } else { lookup.process(pid) };
        if seen.is_none() {
            self.absent.insert(pid);
        }
        let seen = seen.filter(|seen| match forked {
            Some(forked) => seen.start_ticks.abs_diff(ticks(forked)) <= 1,
            None => seen.start_ticks <= ticks(at),
        });
        let identity = Arc::new(match (seen, forked, name) {
            (Some(seen), _, name) => TracedProcess {
                key: ProcKey { pid, start_ticks: seen.start_ticks },
                exact: true,
                name: name.unwrap_or(seen.name),
                command: seen.command,
                uid: seen.uid,
                kernel: seen.kernel,
            },
            (None, Some(forked), Some(name)) => TracedProcess {
                key: ProcKey { pid, start_ticks: ticks(forked) },
                exact: false,
                name,
                command: None,
                uid: None,
                kernel: false,
            },
            _ => return None,
        });
        let process = self.processes.entry(pid).or_insert_with(|| Process { threads: 1, ..Process::default() });
        process.identity = Some(Arc::clone(&identity));
        Some(identity)
    }
}

/// A time since boot in the ticks of `/proc/PID/stat`, which cuts off the rest as the kernel does.
fn ticks(at: Duration) -> u64 {
    u64::try_from(at.as_nanos() / TICK.as_nanos()).unwrap_or(u64::MAX)
}
