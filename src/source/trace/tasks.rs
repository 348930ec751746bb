//! Who a task is, and in which network namespace: from `/proc` once, then from the records of tasks that
//! start, end, change their name or move. So a process that is gone before anyone can look still has a name.
//!
//! What `/proc` says is true for the moment at which it was read; records of an earlier moment do not overrule it.

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
    pub(super) kernel: bool,
    /// `None` for a kernel thread, for a process that is ending, and if it was not asked for.
    pub(super) command: Option<String>,
    pub(super) uid: Option<u32>,
}

/// Where tasks are looked up; `/proc`, or a test's idea of it.
pub(super) trait Lookup {
    /// When the process that has this PID now started, and its name.
    fn start(&mut self, pid: u32) -> Option<Seen>;
    /// All about the process that has this PID now.
    fn process(&mut self, pid: u32) -> Option<Seen>;
    /// The network namespace of a thread now.
    fn netns(&mut self, pid: u32, tid: u32) -> Option<u64>;
    /// Every process with its name, and its threads with their namespaces.
    fn all(&mut self) -> Vec<Listed>;
}

/// A process in the list of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Listed {
    /// No later than this it was looked at.
    pub(super) at: Duration,
    pub(super) pid: u32,
    /// Without command and user.
    pub(super) seen: Seen,
    pub(super) threads: Vec<(u32, Option<u64>)>,
}

/// The tasks known at the moment of the record that was told last.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    threads: HashMap<u32, Thread>,
    processes: HashMap<u32, Process>,
    /// PIDs that nobody had when they were looked up in this round.
    absent: HashSet<u32>,
    /// Processes that were started in this round.
    young: Vec<u32>,
    /// Whether records of tasks may be missing just now.
    doubt: bool,
    /// Threads that ended, oldest first.
    ended: VecDeque<(Duration, u32, u32)>,
}

/// How long a task is remembered after the record of its end. Since Linux 6.16 that record is written before the
/// task's descriptors are closed, and closing may take a while.
const LINGER: Duration = Duration::from_secs(5);
/// So many of the processes that one round brought are looked up before somebody asks for them.
const MOST_YOUNG: usize = 256;

#[derive(Debug)]
struct Thread {
    pid: u32,
    netns: Option<u64>,
    ended: bool,
    /// The moment for which this is true.
    at: Duration,
}

#[derive(Debug, Default)]
struct Process {
    /// When its fork record was written, unless it is older than the trace.
    forked: Option<Duration>,
    /// From `/proc`.
    start_ticks: Option<u64>,
    name: Option<String>,
    /// The moment at which it had this name.
    named: Duration,
    kernel: bool,
    /// Threads that have not ended.
    threads: u32,
    /// What was made of it when it was first asked for; out of date once its name changes.
    identity: Option<Arc<TracedProcess>>,
}

impl Tasks {
    /// Records follow that were read before now: what `/proc` says from now on is newer than all of them.
    pub(super) fn begin_round(&mut self) {
        self.absent.clear();
        self.young.clear();
    }

    /// All records of this round were told. The start of those who have just started and are still there is read, so
    /// that they have the same key whether or not somebody asks for them before they end.
    pub(super) fn end_round(&mut self, lookup: &mut impl Lookup) {
        for pid in std::mem::take(&mut self.young).into_iter().take(MOST_YOUNG) {
            if let Some(process) = self.processes.get_mut(&pid).filter(|process| process.threads > 0)
                && process.start_ticks.is_none()
            {
                process.learn(lookup.start(pid));
            }
        }
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
        for Listed { at, pid, seen, threads } in lookup.all() {
            let count = u32::try_from(threads.len()).unwrap_or(u32::MAX);
            let process = self.processes.entry(pid).or_insert_with(|| Process {
                name: Some(seen.name.clone()),
                named: at,
                threads: count,
                ..Process::default()
            });
            process.learn(Some(seen));
            for (tid, netns) in threads {
                self.threads.entry(tid).or_insert(Thread { pid, netns, ended: false, at });
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
        // Whether it has been seen alive since.
        let newer =
            self.threads.get(&tid).is_some_and(|thread| thread.pid == pid && !thread.ended && at < thread.at);
        if !newer {
            let netns =
                self.threads.get(&parent.1).filter(|thread| thread.pid == parent.0).and_then(|t| t.netns);
            self.threads.insert(tid, Thread { pid, netns, ended: false, at });
        }
        if pid == tid {
            let name = self.processes.get(&parent.0).and_then(|parent| parent.name.clone());
            let fresh = Process { forked: Some(at), name, named: at, threads: 1, ..Process::default() };
            if newer {
                self.processes.entry(pid).or_insert(fresh).forked.get_or_insert(at);
            } else {
                self.processes.insert(pid, fresh);
            }
            self.young.push(pid);
        } else if let Some(process) = self.processes.get_mut(&pid).filter(|_| !newer) {
            process.threads += 1;
        }
    }

    /// A task ended; it may still have to close its descriptors. A process lives on as long as one of its threads does.
    pub(super) fn ended(&mut self, at: Duration, pid: u32, tid: u32) {
        if let Some(thread) = self.threads.get_mut(&tid).filter(|thread| thread.pid == pid && !thread.ended) {
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
    pub(super) fn named(&mut self, at: Duration, pid: u32, tid: u32, name: &[u8]) {
        if pid != tid || self.doubt {
            return;
        }
        let process =
            self.processes.entry(pid).or_insert_with(|| Process { threads: 1, ..Process::default() });
        if process.named <= at {
            process.named = at;
            process.name = Some(String::from_utf8_lossy(name).into_owned());
            process.identity = None;
        }
    }

    /// A task moved to another network namespace, or was started in this one.
    pub(super) fn moved(&mut self, at: Duration, pid: u32, tid: u32, netns: u64) {
        let thread = self.threads.entry(tid).or_insert(Thread { pid, netns: None, ended: false, at });
        if thread.at <= at {
            *thread = Thread { pid, netns: Some(netns), at, ended: thread.ended && thread.pid == pid };
        }
    }

    /// The network namespace of a thread.
    pub(super) fn netns(&mut self, pid: u32, tid: u32, lookup: &mut impl Lookup) -> Option<u64> {
        if let Some(Thread { netns: Some(netns), .. }) = self.threads.get(&tid).filter(|t| t.pid == pid) {
            return Some(*netns);
        }
        let netns = if self.absent.contains(&pid) { None } else { lookup.netns(pid, tid) }?;
        // It may have moved since the record that is told now; what comes in later records is believed.
        let at = Duration::ZERO;
        self.threads.insert(tid, Thread { pid, netns: Some(netns), ended: false, at });
        Some(netns)
    }

    /// Who had `pid` at the instant `at`; `None` if that cannot be told.
    pub(super) fn identify(
        &mut self,
        pid: u32,
        at: Duration,
        lookup: &mut impl Lookup,
    ) -> Option<Arc<TracedProcess>> {
        let known = self.processes.get(&pid);
        if let Some(identity) = known.and_then(|process| process.identity.clone()) {
            return Some(identity);
        }
        let seen = if self.absent.contains(&pid) { None } else { lookup.process(pid) };
        if seen.is_none() {
            self.absent.insert(pid);
        }
        // Whoever has the PID now had it then if it started before then: a PID is not given twice at a time.
        let latest = ticks(known.and_then(|process| process.forked).unwrap_or(at));
        let mut seen = seen.filter(|seen| seen.start_ticks <= latest);
        if let Some(start) = known.and_then(|process| process.start_ticks) {
            seen = seen.filter(|seen| seen.start_ticks == start);
        }
        let identity = match known {
            Some(process) => process.identity(pid, seen)?,
            None => Process::default().identity(pid, seen)?,
        };
        let identity = Arc::new(identity);
        let process =
            self.processes.entry(pid).or_insert_with(|| Process { threads: 1, ..Process::default() });
        process.identity = Some(Arc::clone(&identity));
        Some(identity)
    }
}

impl Process {
    /// Takes in what `/proc` says of whoever has the PID now, if that is this process.
    fn learn(&mut self, seen: Option<Seen>) {
        let Some(seen) = seen else { return };
        // It started before its fork record was written, and nobody who came later did.
        if self.forked.is_none_or(|forked| seen.start_ticks <= ticks(forked)) {
            self.start_ticks = Some(seen.start_ticks);
            self.kernel = seen.kernel;
        }
    }

    /// What is known, with what `/proc` says of it now if it is still there. `None` if its start or its name is not known.
    fn identity(&self, pid: u32, seen: Option<Seen>) -> Option<TracedProcess> {
        let start = seen.as_ref().map(|seen| seen.start_ticks).or(self.start_ticks);
        let (start_ticks, exact) = match start {
            Some(start) => (start, true),
            None => (ticks(self.forked?), false),
        };
        let kernel = seen.as_ref().map_or(self.kernel, |seen| seen.kernel);
        let (name, command, uid) = match seen {
            Some(seen) => (self.name.clone().unwrap_or(seen.name), seen.command, seen.uid),
            None => (self.name.clone()?, None, None),
        };
        Some(TracedProcess { key: ProcKey { pid, start_ticks }, exact, name, command, uid, kernel })
    }
}

/// A time since boot in the ticks of `/proc/PID/stat`, which cuts off the rest as the kernel does.
fn ticks(at: Duration) -> u64 {
    u64::try_from(at.as_nanos() / TICK.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `/proc` with one process, or none.
    #[derive(Default)]
    struct Fake {
        process: Option<(u32, u64)>,
        looked: u32,
    }

    impl Lookup for Fake {
        fn start(&mut self, pid: u32) -> Option<Seen> {
            self.process(pid).map(|seen| Seen { command: None, uid: None, ..seen })
        }

        fn process(&mut self, pid: u32) -> Option<Seen> {
            self.looked += 1;
            let (_, start_ticks) = self.process.filter(|&(only, _)| only == pid)?;
            let (name, command) = ("from-proc".to_owned(), Some("from-proc --x".to_owned()));
            Some(Seen { start_ticks, name, command, uid: Some(1000), kernel: false })
        }

        fn netns(&mut self, pid: u32, _: u32) -> Option<u64> {
            self.process.filter(|&(only, _)| only == pid).map(|_| 77)
        }

        fn all(&mut self) -> Vec<Listed> {
            let seen = |start_ticks, name: &str| Seen {
                start_ticks,
                name: name.to_owned(),
                kernel: false,
                command: None,
                uid: None,
            };
            let listed =
                |pid, seen, netns| Listed { at: seconds(9), pid, seen, threads: vec![(pid, Some(netns))] };
            vec![listed(1, seen(1, "init"), 5), listed(7, seen(700, "old"), 8)]
        }
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_process_too_short_for_proc_has_its_name_and_namespace_from_its_records() {
        let (mut tasks, mut gone) = (Tasks::default(), Fake::default());
        tasks.scan(&mut gone);
        tasks.forked(seconds(10), (20, 20), (1, 1));
        tasks.named(seconds(10), 20, 20, b"curl");
        // The record of the end may come before the closes.
        tasks.ended(seconds(11), 20, 20);
        let process = tasks.identify(20, seconds(11), &mut gone).expect("it has a name");
        assert_eq!((process.name.as_str(), process.key.start_ticks, process.exact), ("curl", 1000, false));
        assert_eq!(tasks.netns(20, 20, &mut gone), Some(5), "its parent's");
        tasks.moved(seconds(11), 20, 20, 6);
        assert_eq!(tasks.netns(20, 20, &mut gone), Some(6));
    }

    #[test]
    fn a_process_older_than_the_trace_that_is_killed_has_its_name() {
        let (mut tasks, mut gone) = (Tasks::default(), Fake::default());
        tasks.scan(&mut gone);
        tasks.ended(seconds(12), 7, 7);
        let process = tasks.identify(7, seconds(12), &mut gone).expect("it was there at the start");
        assert_eq!((process.name.as_str(), process.key.start_ticks, process.exact), ("old", 700, true));
    }

    #[test]
    fn a_record_that_comes_late_does_not_overrule_what_is_newer() {
        let (mut tasks, mut gone) = (Tasks::default(), Fake::default());
        tasks.scan(&mut gone);
        tasks.forked(seconds(8), (7, 7), (1, 1));
        tasks.moved(seconds(8), 7, 7, 5);
        tasks.named(seconds(8), 7, 7, b"init");
        assert_eq!(tasks.netns(7, 7, &mut gone), Some(8), "as it was when it was looked at");
        assert_eq!(tasks.identify(7, seconds(12), &mut gone).expect("it is known").name, "old");
        tasks.moved(seconds(10), 20, 20, 6);
        tasks.forked(seconds(9), (20, 20), (1, 1));
        assert_eq!(tasks.netns(20, 20, &mut gone), Some(6));
    }

    #[test]
    fn a_fork_that_took_long_is_of_the_process_that_is_there() {
        let mut tasks = Tasks::default();
        let mut slow = Fake { process: Some((20, 950)), looked: 0 };
        tasks.begin_round();
        tasks.forked(seconds(10), (20, 20), (1, 1));
        tasks.end_round(&mut slow);
        let process = tasks.identify(20, seconds(11), &mut Fake::default());
        assert_eq!(process, None, "nothing tells its name");
        tasks.named(seconds(11), 20, 20, b"slow");
        let process = tasks.identify(20, seconds(11), &mut Fake::default()).expect("it has a name");
        assert_eq!((process.key.start_ticks, process.exact), (950, true));
    }

    #[test]
    fn whoever_has_the_pid_now_is_not_taken_for_who_had_it_then() {
        let mut tasks = Tasks::default();
        let mut young = Fake { process: Some((20, 1200)), looked: 0 };
        assert_eq!(tasks.identify(20, seconds(11), &mut young), None, "started after the event");
        tasks.begin_round();
        assert!(tasks.identify(20, seconds(12), &mut young).is_some_and(|process| process.exact));
        // The PID is given again.
        tasks.forked(seconds(30), (20, 20), (1, 1));
        tasks.named(seconds(30), 20, 20, b"second");
        let mut third = Fake { process: Some((20, 3200)), looked: 0 };
        let second = tasks.identify(20, seconds(31), &mut third).expect("it has a name");
        assert_eq!((second.key.start_ticks, second.name.as_str()), (3000, "second"));
    }

    #[test]
    fn a_process_that_executes_keeps_its_identity_and_changes_its_name() {
        let mut tasks = Tasks::default();
        let mut proc = Fake { process: Some((20, 1000)), looked: 0 };
        tasks.forked(seconds(10), (20, 20), (1, 1));
        let before = tasks.identify(20, seconds(11), &mut proc).expect("it is there");
        tasks.named(seconds(11), 20, 20, b"after");
        let after = tasks.identify(20, seconds(12), &mut proc).expect("it is there");
        assert_eq!(before.key, after.key);
        assert_eq!((before.name.as_str(), after.name.as_str()), ("from-proc", "after"));
    }

    #[test]
    fn in_doubt_only_proc_is_believed() {
        let (mut tasks, mut gone) = (Tasks::default(), Fake::default());
        tasks.forked(seconds(10), (20, 20), (1, 1));
        tasks.named(seconds(10), 20, 20, b"curl");
        tasks.set_doubt(true);
        assert_eq!(tasks.identify(20, seconds(11), &mut gone), None);
        tasks.forked(seconds(11), (21, 21), (1, 1));
        tasks.named(seconds(11), 21, 21, b"curl");
        assert_eq!(tasks.identify(21, seconds(12), &mut gone), None);
        tasks.begin_round();
        let mut there = Fake { process: Some((21, 1100)), looked: 0 };
        assert!(tasks.identify(21, seconds(12), &mut there).is_some());
    }

    #[test]
    fn a_pid_that_nobody_has_is_looked_up_once_a_round() {
        let (mut tasks, mut gone) = (Tasks::default(), Fake::default());
        for _ in 0..5 {
            assert_eq!(tasks.identify(20, seconds(1), &mut gone), None);
        }
        assert_eq!(gone.looked, 1);
    }

    #[test]
    fn what_ended_long_ago_is_forgotten() {
        let (mut tasks, mut gone) = (Tasks::default(), Fake::default());
        for pid in 100..200 {
            tasks.forked(seconds(u64::from(pid)), (pid, pid), (1, 1));
            tasks.forked(seconds(u64::from(pid)), (pid, pid + 1000), (pid, pid));
            tasks.ended(seconds(u64::from(pid)), pid, pid);
            tasks.ended(seconds(u64::from(pid)), pid, pid + 1000);
        }
        assert!(tasks.threads.len() <= 14, "{} threads", tasks.threads.len());
        assert!(tasks.processes.len() <= 7, "{} processes", tasks.processes.len());
        assert_eq!(tasks.identify(100, seconds(200), &mut gone), None);
    }
}
