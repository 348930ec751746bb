//! Sockets to processes, the way `lsof` does it, but without reading everything each time.
//!
//! A sample takes two steps. [`OwnerScanner::before`] the dump lists all processes and reads the descriptors of those that
//! are new or whose number of descriptors changed, so that a socket which closes soon is not missed.
//! [`OwnerScanner::after`] the dump looks up every socket's inode. One that nobody is known to hold starts a search:
//! in processes that changed, then in all others, since an equal number of descriptors proves nothing.
//!
//! How a wrong owner is kept out:
//! - A process that has gone loses its claims in the next step, and a PID that is used again is told apart by the inode of its
//!   directory and by its start time, read through a handle on that one process.
//! - A process that closed a descriptor and opened another in the same second keeps its number. Whoever holds fewer
//!   of the dump's sockets than before is read first when something is missing.
//! - When a socket gains a holder, the links of its other holders are read again at once: it may have been passed on.
//!   Some of all claims are verified each time, in turn, so that one which nothing speaks against does not last long either.
//! - An inode number that is used again comes with another cookie; the claim on it is verified before it is believed.

use std::{io, mem, path::Path};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{
    fd_index::{Epoch, Lookup},
    fd_scan::{FdScan, Search},
    privileges::Reach,
    processes::ProcessBook,
};
use crate::model::{Held, OwnerScan, ProcKey, ProcessSeen, SocketTable, TcpState};

/// Bounds of how many descriptors of unchanged processes one search may read.
const SEARCHED: std::ops::RangeInclusive<u32> = 2048..=32_768;
/// The longest pause, in samples, after which an inode that nobody holds is looked for again.
const PAUSE: u32 = 64;
/// So many processes that may not be read are few on any host; on a large one a tenth of all are.
const FEW: u32 = 2;

/// So many processes that may not be read are named.
const NAMED: usize = 3;

/// So many processes at most are told of although they hold no socket.
const ALSO: usize = 64;

/// Finds the processes that hold sockets.
#[derive(Debug)]
pub struct OwnerScanner {
    scan: FdScan,
    book: ProcessBook,
    /// Inodes of the last dump that nobody was found to hold.
    lost: HashMap<u32, Lost, FixedState>,
    /// How many descriptors of unchanged processes the next search may read.
    budget: u32,
    /// Counts samples, from 1.
    tick: u32,
    reach: Reach,
    /// Processes that are to be told of in the next step after a dump, whether they hold a socket or not.
    also: Vec<ProcKey>,
}

/// The processes that hold the sockets of one sample.
#[derive(Debug, Default)]
pub struct Owners {
    /// Those that hold at least one socket of the dump.
    pub processes: Vec<ProcessSeen>,
    /// Sets of holders as indices into `processes`: what [`Held::By`] refers to.
    pub holders: Vec<Box<[u32]>>,
    /// How much could be read.
    pub scan: OwnerScan,
    /// Whether a socket is [`Held::Denied`].
    pub any_denied: bool,
    /// The lowest PIDs of processes that may not be read.
    pub unreadable: Vec<u32>,
}

/// Which processes may hold sockets without our seeing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unseen {
    Nobody,
    /// A few among many that we see, such as one that a security module protects.
    Few,
    /// None of the user with this number, who is us.
    OtherUsers(u32),
    Anybody,
}

/// An inode of a socket that nobody was found to hold.
#[derive(Debug)]
struct Lost {
    cookie: u64,
    /// When it was first missed.
    first: u32,
    /// When it was last missed.
    last: u32,
    /// Everybody has to be read since this phase before the search ends.
    since: Epoch,
    /// Whether the search goes on.
    open: bool,
    /// Whether a search came to its end before.
    searched: bool,
    /// The sample in which the next search begins, and the pause after it.
    next: u32,
    pause: u32,
}

impl OwnerScanner {
    /// A scanner of the processes under `/proc`.
    ///
    /// # Errors
    /// If `/proc` cannot be opened.
    pub fn new() -> io::Result<Self> {
        Self::of(Path::new("/proc"))
    }

    /// A scanner of the processes listed in `root`, which has the form of `/proc`.
    ///
    /// # Errors
    /// If `root` cannot be opened.
    pub fn of(root: &Path) -> io::Result<Self> {
        Ok(Self {
            scan: FdScan::open(root)?,
            book: ProcessBook::new(),
            lost: HashMap::default(),
            budget: *SEARCHED.end(),
            tick: 0,
            reach: Reach::default(),
            also: Vec::new(),
        })
    }

    /// Says how far our sight reaches, which decides what is said of sockets that nobody is found to hold.
    pub fn set_reach(&mut self, reach: Reach) {
        self.reach = reach;
    }

    /// Has the next step after a dump tell of these processes too, as far as they still run: of some, if they are many.
    pub fn tell_of(&mut self, keys: impl Iterator<Item = ProcKey>) {
        self.also.clear();
        self.also.extend(keys.take(ALSO));
    }

    /// The step before the dump: reads processes that are new or changed.
    ///
    /// # Errors
    /// If the list of processes cannot be read. What is known stays.
    pub fn before(&mut self) -> io::Result<()> {
        self.tick = self.tick.wrapping_add(1);
        self.scan.advance();
        self.scan.poll()?;
        self.scan.verify_some();
        self.scan.verify_gained();
        Ok(())
    }

    /// The step after the dump: says in every [`crate::model::Detail`] of `sockets` who holds it.
    ///
    /// Details without an inode are left as the parser made them. Sockets that nobody holds are
    /// [`Held::Denied`] while there are processes that may not be read, and [`Held::Kernel`] once everybody was read in vain.
    /// One that was not there before and does not listen most likely closed before anyone could look: it is
    /// [`Held::Gone`] at first, unless a process out of sight is as likely to hold it.
    ///
    /// # Errors
    /// If the list of processes could not be read while searching; `sockets` is filled in as far as possible then.
    pub fn after(&mut self, sockets: &mut SocketTable) -> (Owners, io::Result<()>) {
        self.scan.advance();
        self.scan.begin_dump();
        let mut groups = Groups::default();
        let missing = self.assign(sockets, &mut groups);
        let searched = if missing.is_empty() { Ok(()) } else { self.search(&missing) };
        let any_denied = !missing.is_empty() && self.assign_missing(sockets, &mut groups);
        self.scan.note_matches(groups.matches());
        let (tick, scan, unreadable) =
            (self.tick, self.scan.totals(), self.scan.denied().take(NAMED).collect());
        for key in mem::take(&mut self.also) {
            groups.also(key, &self.scan, &mut self.book, tick);
        }
        self.lost.retain(|_, lost| lost.last == tick);
        self.book.keep_used(tick);
        let Groups { processes, holders, .. } = groups;
        (Owners { processes, holders, scan, any_denied, unreadable }, searched)
    }

    /// Whether anybody is known to hold `inode`.
    #[must_use]
    pub fn is_held(&self, inode: u32) -> bool {
        self.scan.is_held(inode)
    }

    /// What went wrong since the last call, other than a want of permission.
    pub fn take_trouble(&mut self) -> Option<String> {
        self.scan.take_trouble()
    }

    /// Fills in what is known, and returns the inodes and cookies of which it is not.
    fn assign(&mut self, sockets: &mut SocketTable, groups: &mut Groups) -> Vec<(u32, u64)> {
        let mut missing = Vec::new();
        for (row, detail) in sockets.details_mut().filter(|(_, detail)| detail.inode != 0) {
            detail.held = Held::Gone;
            match self.scan.look_up(detail.inode, row.cookie) {
                Lookup::Held(pids) => groups.pids.extend_from_slice(pids),
                Lookup::Doubtful(_) | Lookup::Unknown => {
                    missing.push((detail.inode, row.cookie));
                    continue;
                }
            }
            if let Some(set) = groups.set(&self.scan, &mut self.book, self.tick) {
                detail.held = Held::By(set);
            }
        }
        missing
    }

    /// Looks again at what was missing, after the search. Returns whether anything is held out of sight.
    fn assign_missing(&mut self, sockets: &mut SocketTable, groups: &mut Groups) -> bool {
        let mut any_denied = false;
        let unseen = self.unseen();
        for (row, detail) in sockets.details_mut() {
            if detail.inode == 0 || detail.held != Held::Gone {
                continue;
            }
            if let Lookup::Held(pids) = self.scan.look_up(detail.inode, row.cookie) {
                groups.pids.extend_from_slice(pids);
                detail.held = groups.set(&self.scan, &mut self.book, self.tick).map_or(Held::Gone, Held::By);
                self.lost.remove(&detail.inode);
            } else if let Some(lost) = self.lost.get(&detail.inode) {
                // A connection may have closed between the dump and the search; a listener or one seen twice has not.
                let stays = lost.first != self.tick || row.state == TcpState::Listen;
                detail.held = match unseen {
                    Unseen::Nobody if stays && lost.searched => Held::Kernel,
                    Unseen::Nobody => Held::Gone,
                    Unseen::Few if !stays => Held::Gone,
                    Unseen::OtherUsers(own) if !stays && detail.uid == own => Held::Gone,
                    _ => Held::Denied,
                };
                any_denied |= detail.held == Held::Denied;
            }
        }
        any_denied
    }

    /// Who may hold sockets out of our sight.
    fn unseen(&self) -> Unseen {
        let OwnerScan { processes, denied } = self.scan.totals();
        if denied == 0 && !self.reach.hidden {
            return Unseen::Nobody;
        }
        // At the first look all sockets are new to us, and most of them are old.
        if self.reach.hidden || self.tick == 1 {
            return Unseen::Anybody;
        }
        if self.reach.capable && denied <= FEW.max(processes / 10) {
            return Unseen::Few;
        }
        match self.reach.uid {
            Some(own) if !self.scan.denies_any_of(own) => Unseen::OtherUsers(own),
            _ => Unseen::Anybody,
        }
    }

    /// Searches for the holders of what is missing, except for what was searched in vain not long ago.
    fn search(&mut self, missing: &[(u32, u64)]) -> io::Result<()> {
        for &(inode, cookie) in missing {
            if let Lookup::Doubtful(pids) = self.scan.look_up(inode, cookie) {
                let pids = pids.to_vec();
                self.scan.verify_holders(inode, &pids);
            }
            self.note_lost(inode, cookie);
        }
        let wanted: Vec<u32> = self
            .lost
            .iter()
            .filter(|(_, lost)| lost.last == self.tick && lost.open)
            .map(|(&inode, _)| inode)
            .collect();
        if wanted.is_empty() {
            return Ok(());
        }
        match self.scan.search(wanted.into_iter(), self.budget)? {
            Search::RestNotRead => {}
            // On a host where connections close before anyone can look, reading everything again each time finds nothing.
            Search::RestRead { found: false } => self.budget = (self.budget / 2).max(*SEARCHED.start()),
            Search::RestRead { found: true } => self.budget = (self.budget * 2).min(*SEARCHED.end()),
        }
        self.close_searches();
        Ok(())
    }

    /// Notes that nobody is known to hold `inode`, and whether to search for it now.
    fn note_lost(&mut self, inode: u32, cookie: u64) {
        let (tick, since) = (self.tick, self.scan.epoch());
        let new = || Lost {
            cookie,
            first: tick,
            last: tick,
            since,
            open: true,
            searched: false,
            next: tick,
            pause: 1,
        };
        let lost = self.lost.entry(inode).or_insert_with(new);
        if lost.cookie != cookie {
            *lost = new();
        }
        lost.last = tick;
        if !lost.open && tick >= lost.next {
            (lost.open, lost.since) = (true, since);
        }
    }

    /// Ends the searches for which everybody was read by now, and sets when they begin again.
    fn close_searches(&mut self) {
        let all_read = self.scan.all_read_since();
        for lost in self.lost.values_mut().filter(|lost| lost.open && lost.since <= all_read) {
            (lost.open, lost.searched) = (false, true);
            lost.next = self.tick.saturating_add(lost.pause);
            lost.pause = (lost.pause * 2).min(PAUSE);
        }
    }
}

/// Sets of holders, each made once in a sample.
#[derive(Debug, Default)]
struct Groups {
    processes: Vec<ProcessSeen>,
    holders: Vec<Box<[u32]>>,
    /// How many sockets each of `holders` holds.
    counts: Vec<u32>,
    /// The index into `processes` of each PID, `None` if nothing is known of it any more.
    by_pid: HashMap<u32, Option<u32>, FixedState>,
    /// The index into `holders` of each list of PIDs.
    by_pids: HashMap<Box<[u32]>, Option<u32>, FixedState>,
    /// The list of PIDs at hand: ascending, with repetitions.
    pids: Vec<u32>,
}

impl Groups {
    /// The index of the set of holders for the list in `pids`, which is emptied. `None` if none of them can be told any more.
    fn set(&mut self, scan: &FdScan, book: &mut ProcessBook, tick: u32) -> Option<u32> {
        self.pids.dedup();
        let set = match self.by_pids.get(&self.pids[..]) {
            Some(&set) => set,
            None => self.new_set(scan, book, tick),
        };
        self.pids.clear();
        if let Some(set) = set {
            self.counts[set as usize] += 1;
        }
        set
    }

    fn new_set(&mut self, scan: &FdScan, book: &mut ProcessBook, tick: u32) -> Option<u32> {
        let pids = mem::take(&mut self.pids);
        let members: Box<[u32]> =
            pids.iter().filter_map(|&pid| self.process(scan, book, tick, pid)).collect();
        let set = (!members.is_empty()).then(|| {
            self.holders.push(members);
            self.counts.push(0);
            index32(self.holders.len() - 1)
        });
        self.by_pids.insert(pids.into(), set);
        set
    }

    fn process(&mut self, scan: &FdScan, book: &mut ProcessBook, tick: u32, pid: u32) -> Option<u32> {
        if let Some(&known) = self.by_pid.get(&pid) {
            return known;
        }
        let seen = scan.start_ticks(pid).and_then(|start_ticks| {
            let (process, fd_limit) = book.get(scan.root(), ProcKey { pid, start_ticks }, tick)?;
            Some(ProcessSeen { process, fds: scan.descriptor_count(pid), fd_limit })
        });
        let index = seen.map(|seen| {
            self.processes.push(seen);
            index32(self.processes.len() - 1)
        });
        self.by_pid.insert(pid, index);
        index
    }

    /// Takes a process in that holds none of the sockets, if it still runs.
    fn also(&mut self, key: ProcKey, scan: &FdScan, book: &mut ProcessBook, tick: u32) {
        if self.processes.iter().any(|seen| seen.process.key == key) {
            return;
        }
        if let Some((process, fd_limit)) = book.get(scan.root(), key, tick) {
            self.processes.push(ProcessSeen { process, fds: scan.descriptor_count(key.pid), fd_limit });
        }
    }

    /// How many sockets each PID holds.
    fn matches(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let sets = self.holders.iter().zip(&self.counts);
        let pid = |member: u32| self.processes[member as usize].process.key.pid;
        sets.flat_map(move |(members, &count)| members.iter().map(move |&member| (pid(member), count)))
    }
}

/// An index as 32 bits: there are never more processes than PIDs.
fn index32(n: usize) -> u32 {
    u32::try_from(n).expect("fewer than 2^32 processes")
}
