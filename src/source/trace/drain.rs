//! The thread that empties the rings.

use std::{
    collections::BTreeMap,
    mem,
    os::fd::OwnedFd,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::SyncSender,
    },
    time::Duration,
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{
    fold::{Entry, Fold, Said},
    procfs::Procfs,
    ring::{CpuRing, Rings},
};
use crate::{
    model::{Fault, FaultKind, TraceBatch, TraceLoss, TraceTally},
    source::clock,
    wire::trace_record::{Layout, Record, Told, records},
};

/// The longest that a record lies in a ring.
const PAUSE: Duration = Duration::from_millis(100);
/// The priority of the thread: that of important work, and not of what must come before all else.
const NICE: i32 = -10;
/// How long a record may be in the writing. It bears the time at which that began, so that in this time another CPU's
/// later record may be read before it. An interrupt in between can take so long.
const SETTLED: Duration = Duration::from_millis(5);
/// Rounds between two looks at which CPUs are there.
const CPU_CHECK: u32 = 10;
/// How many events wait for a reader that does not come.
const MOST_WAITING: usize = 1 << 18;

/// State of the thread.
#[derive(Debug)]
pub(super) struct Drain {
    rings: Rings,
    layout: Layout,
    bell: Arc<OwnedFd>,
    stop: Arc<AtomicBool>,
    batches: SyncSender<TraceBatch>,
    since: Duration,
    fold: Fold,
    lookup: Procfs,
    /// What our time namespace adds to the clock of the records, nanoseconds.
    clock_offset: i64,
    buffer: Vec<u8>,
    /// Read, but later than the instant up to which all CPUs are known to be read.
    pending: Vec<Entry>,
    progress: BTreeMap<u32, Progress>,
    losses: Vec<TraceLoss>,
    /// Losses that the fold has not passed yet.
    doubts: Vec<TraceLoss>,
    read: u64,
    /// Of rings that are closed.
    closed: TraceTally,
    dropped: u64,
    faults: BTreeMap<String, Fault>,
    checked: Duration,
    /// When a batch was asked for that has not been sent yet.
    asked: Option<Duration>,
}

/// How far one CPU's ring was read.
#[derive(Debug, Clone, Copy, Default)]
struct Progress {
    /// The newest record.
    newest: Duration,
    /// Lost according to records, and according to the kernel's count.
    told: u64,
    counted: u64,
    matched: u64,
}

impl Progress {
    fn lost(&self) -> u64 {
        self.told.max(self.counted)
    }
}

/// The two clocks, read together.
#[derive(Debug, Clone, Copy)]
struct Now {
    boot: Duration,
    /// Boot time less monotonic time: how long the host was suspended.
    suspended: Duration,
}

impl Now {
    fn read() -> Self {
        let (boot, suspended) = clock::since_boot_and_suspended();
        Self { boot, suspended }
    }
}

impl Drain {
    pub(super) fn new(
        rings: Rings,
        layout: Layout,
        bell: Arc<OwnedFd>,
        stop: Arc<AtomicBool>,
        batches: SyncSender<TraceBatch>,
        lookup: Procfs,
    ) -> Self {
        let since = Now::read().boot;
        let start = |ring: &CpuRing| (ring.cpu, Progress { newest: since, ..Progress::default() });
        let progress = rings.cpus.iter().map(start).collect();
        Self {
            rings,
            layout,
            bell,
            stop,
            batches,
            since,
            fold: Fold::default(),
            lookup,
            clock_offset: Procfs::clock_offset(),
            buffer: Vec::new(),
            pending: Vec::new(),
            progress,
            losses: Vec::new(),
            doubts: Vec::new(),
            read: 0,
            closed: TraceTally::default(),
            dropped: 0,
            faults: BTreeMap::new(),
            checked: since,
            asked: None,
        }
    }

    /// Runs until told to stop, or until nobody is left to read.
    pub(super) fn run(mut self) {
        // A ring that nobody empties loses records, most likely on a host that has no processor time to spare: this thread
        // takes little, but needs it soon. Without the privilege (CAP_SYS_NICE) it waits its turn like others.
        let _ = rustix::process::setpriority_process(Some(rustix::thread::gettid()), NICE);
        self.fold.scan(&mut self.lookup);
        // Who ended before that scan came to them cannot be told from the records that are there.
        self.since = clock::since_boot();
        self.fold.begin(self.since);
        let mut rounds = 0;
        while !self.stop.load(Ordering::Acquire) {
            let broken = self.wait();
            rounds += 1;
            if broken || rounds >= CPU_CHECK {
                rounds = 0;
                self.follow_cpus();
            }
            if let Some(through) = self.round() {
                let batch = self.batch(through);
                if self.batches.send(batch).is_err() {
                    return;
                }
            }
        }
    }

    /// Waits for a ring to fill, for the bell, for what was asked for to be complete, or for the pause to end. Yields
    /// whether a ring's CPU went away.
    fn wait(&mut self) -> bool {
        let pause = self.asked.map_or(PAUSE, |asked| (asked + SETTLED).saturating_sub(clock::since_boot()));
        let mut fds: Vec<_> =
            self.rings.cpus.iter().map(|ring| PollFd::from_borrowed_fd(ring.fd(), PollFlags::IN)).collect();
        fds.push(PollFd::new(&*self.bell, PollFlags::IN));
        // An interrupted wait is a short one.
        let _ = poll(&mut fds, Timespec::try_from(pause).as_ref().ok());
        let (bell, rings) = fds.split_last().expect("the bell is among them");
        let broken = rings.iter().any(|fd| fd.revents().intersects(PollFlags::HUP | PollFlags::ERR));
        if bell.revents().contains(PollFlags::IN) {
            let _ = rustix::io::read(&self.bell, &mut [0; 8]);
            self.asked.get_or_insert_with(clock::since_boot);
        }
        broken
    }

    /// Empties all rings and folds what is complete. If that is all that was asked for, yields the instant up to
    /// which it is.
    fn round(&mut self) -> Option<Duration> {
        // Whatever was written before this instant is seen below, whichever CPU wrote it.
        let now = Now::read();
        let through = now.boot.saturating_sub(SETTLED);
        let answers = self.asked.is_some_and(|asked| asked <= through);
        let mut rings = mem::take(&mut self.rings.cpus);
        for ring in &mut rings {
            self.empty(ring, now);
            if answers {
                self.count(ring);
            }
        }
        self.rings.cpus = rings;
        self.fold_until(through);
        answers.then(|| {
            self.asked = None;
            through
        })
    }

    fn empty(&mut self, ring: &mut CpuRing, now: Now) {
        let mut buffer = mem::take(&mut self.buffer);
        buffer.clear();
        if ring.drain(&mut buffer) > 0 {
            let layout = self.layout;
            for record in records(&buffer, &layout) {
                self.take_in(ring.cpu, &record, now);
            }
        }
        self.buffer = buffer;
    }

    fn take_in(&mut self, cpu: u32, record: &Record<'_>, now: Now) {
        let at = Duration::from_nanos(record.time.saturating_add_signed(self.clock_offset)) + now.suspended;
        let progress = self.progress.entry(cpu).or_default();
        let said = match record.told {
            Told::State(change) => {
                self.read += 1;
                Said::State(change)
            }
            Told::Fork { parent } => Said::Fork { parent },
            Told::Exit => Said::Exit,
            Told::Name { name, .. } => Said::Name(name.into()),
            Told::Netns(inode) => Said::Netns(inode),
            Told::Lost(records) => {
                let before = progress.lost();
                progress.told += records;
                let loss = TraceLoss { from: progress.newest, to: at, records: progress.lost() - before };
                progress.newest = at;
                self.lose(loss);
                return;
            }
            Told::Other => {
                self.fault("trace record", FaultKind::Malformed);
                return;
            }
        };
        progress.newest = progress.newest.max(at);
        self.pending.push(Entry { at, cpu, pid: record.pid, tid: record.tid, said });
    }

    /// Asks the kernel for its counts; this interrupts the CPU, so it is done only with a batch.
    fn count(&mut self, ring: &CpuRing) {
        let Ok(counts) = ring.counts() else { return };
        // Read after the count: what was lost was lost before this.
        let now = Now::read().boot;
        let progress = self.progress.entry(ring.cpu).or_default();
        let before = progress.lost();
        progress.matched = counts.matched;
        progress.counted = counts.lost.unwrap_or(0);
        let records = progress.lost() - before;
        if records > 0 {
            let from = progress.newest;
            self.lose(TraceLoss { from, to: now, records });
        }
    }

    fn lose(&mut self, loss: TraceLoss) {
        self.losses.push(loss);
        self.doubts.push(loss);
    }

    fn fold_until(&mut self, until: Duration) {
        self.fold.begin_round();
        self.pending.sort_by_key(|entry| entry.at);
        let complete = self.pending.partition_point(|entry| entry.at <= until);
        // What `/proc` said in an earlier round may have gone out of date in a record that was lost since.
        let mut doubt = false;
        for entry in self.pending.drain(..complete) {
            let lost = self.doubts.iter().any(|loss| (loss.from..=loss.to).contains(&entry.at));
            if lost != doubt {
                self.fold.set_doubt(lost);
                doubt = lost;
            }
            self.fold.push(&entry, &mut self.lookup);
        }
        self.fold.end_round(&mut self.lookup);
        self.settle(until, doubt);
        if self.fold.waiting() > MOST_WAITING {
            self.drop_waiting(until);
        }
    }

    /// Ends a round in which records may have been lost: what is known of tasks is read again.
    fn settle(&mut self, until: Duration, doubt: bool) {
        let lost = doubt || self.doubts.iter().any(|loss| loss.from <= until);
        self.doubts.retain(|loss| until < loss.to);
        if lost {
            self.fold.set_doubt(true);
            self.fold.set_doubt(false);
            self.fold.scan(&mut self.lookup);
        }
    }

    /// Nobody reads: what waits is given up, and that is said.
    fn drop_waiting(&mut self, until: Duration) {
        let events = self.fold.take().events;
        let from = events.first().map_or(until, |event| event.at);
        let records = events.len() as u64;
        self.dropped += records;
        self.losses.push(TraceLoss { from, to: until, records });
    }

    fn follow_cpus(&mut self) {
        let now = Now::read();
        match self.rings.follow() {
            Ok((came, gone)) => {
                for mut ring in gone {
                    self.empty(&mut ring, now);
                    self.count(&ring);
                    let progress = self.progress.remove(&ring.cpu).unwrap_or_default();
                    self.closed.matched += progress.matched;
                    self.closed.lost += progress.lost();
                }
                if came {
                    // What the new CPU did before its ring was there was not written anywhere.
                    self.lose(TraceLoss { from: self.checked, to: Now::read().boot, records: 0 });
                }
                self.checked = now.boot;
            }
            Err(error) => self.fault("trace CPUs", FaultKind::Refused(error.to_string())),
        }
    }

    fn batch(&mut self, through: Duration) -> TraceBatch {
        let output = self.fold.take();
        let mut tally = TraceTally { read: self.read, ..self.closed };
        for progress in self.progress.values() {
            tally.matched += progress.matched;
            tally.lost += progress.lost();
        }
        tally.lost += self.dropped;
        TraceBatch {
            events: output.events,
            processes: output.processes,
            since: self.since,
            through,
            losses: mem::take(&mut self.losses),
            tally,
            faults: self.faults.values().cloned().collect(),
        }
    }

    fn fault(&mut self, place: &str, kind: FaultKind) {
        let fault = Fault { place: place.to_owned(), kind, count: 0 };
        self.faults.entry(place.to_owned()).or_insert(fault).count += 1;
    }
}
