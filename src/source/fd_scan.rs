//! The descriptors of all processes, kept up to date by reading as few of them as possible.

mod verify;

use std::{collections::BTreeMap, io, path::Path};

use foldhash::fast::FixedState;
use hashbrown::HashSet;
use rustix::io::Errno;

use super::{
    fd_index::{Epoch, FdIndex, Lookup},
    proc_root::{FdDir, Identity, ProcDir, ProcRoot, is_gone, socket_of},
};
use crate::{model::OwnerScan, wire::procfs};

/// A process with more sockets than this is not read whole again each time it opens one: descriptors whose
/// socket the last dump still showed are taken as they were, until their turn of verification comes.
const GIANT: usize = 1024;

/// What it costs to list a descriptor, as a part of what it costs to read its link.
const LISTING: i64 = 4;

/// All processes and the sockets that they hold.
#[derive(Debug)]
pub(super) struct FdScan {
    root: ProcRoot,
    index: FdIndex,
    processes: BTreeMap<u32, Holder>,
    /// Counts phases: every scan before and after a dump is one.
    epoch: Epoch,
    /// The phase in which a dump was last looked up.
    dumped: Epoch,
    /// The phase of the dump before that one.
    dumped_before: Epoch,
    /// Counts passes over the list of processes.
    pass: u32,
    /// Inodes that somebody is looking for; found ones are taken out.
    wanted: HashSet<u32, FixedState>,
    /// Inodes that a process was found to hold beside others, and that process: the others may have let go.
    gained: BTreeMap<u32, u32>,
    /// Where the next verification goes on: a PID and a place among its sockets.
    cursor: (u32, usize),
    /// Descriptors that searches may still read in giants: saved up until one can be read whole.
    credit: i64,
    trouble: Option<String>,
    pids: Vec<u32>,
    text: Vec<u8>,
}

/// A process as the scan knows it.
#[derive(Debug, Default)]
struct Holder {
    identity: Identity,
    /// Its start time in ticks, once it was seen to hold a socket.
    start_ticks: Option<u64>,
    /// Open descriptors when they were last read.
    count: u32,
    /// Its sockets, by descriptor.
    sockets: Vec<Descriptor>,
    denied: bool,
    /// The user it runs as, looked up if it may not be read.
    uid: Option<u32>,
    /// When all its links were last read.
    read: Epoch,
    /// The last pass that saw it.
    seen: u32,
    /// How many of its descriptors the last dump, and the one before, showed.
    matched: u32,
    matched_before: u32,
}

/// A descriptor that is a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Descriptor {
    fd: u32,
    inode: u32,
}

/// How much of what was known of a process is believed when its descriptors are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// Every link is read.
    Nothing,
    /// In a giant, descriptors whose socket the last dump showed are taken as they were. The socket may have been passed on, and
    /// another descriptor may have its number: verification finds that out.
    Alive,
}

/// Why a process could not be read.
enum Unread {
    Gone,
    Denied,
    Trouble(io::Error),
}

impl FdScan {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            root: ProcRoot::open(path)?,
            index: FdIndex::default(),
            processes: BTreeMap::new(),
            epoch: 1,
            dumped: 0,
            dumped_before: 0,
            pass: 0,
            wanted: HashSet::default(),
            gained: BTreeMap::new(),
            cursor: (0, 0),
            credit: 0,
            trouble: None,
            pids: Vec::new(),
            text: Vec::new(),
        })
    }

    pub(super) fn root(&self) -> &ProcRoot {
        &self.root
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Begins the next phase.
    pub(super) fn advance(&mut self) {
        self.epoch += 1;
    }

    /// Takes out what went wrong since the last call, other than a want of permission.
    pub(super) fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// Looks at every process and reads the descriptors of those that are new or changed their number.
    ///
    /// # Errors
    /// If the list of processes itself cannot be read.
    pub(super) fn poll(&mut self) -> io::Result<()> {
        self.pass += 1;
        let mut pids = std::mem::take(&mut self.pids);
        let listed = self.root.pids(&mut pids);
        for &pid in &pids {
            if let Err(unread) = self.poll_process(pid) {
                self.give_up(pid, &unread);
            }
        }
        self.pids = pids;
        listed?;
        self.forget_unseen();
        Ok(())
    }

    fn poll_process(&mut self, pid: u32) -> Result<(), Unread> {
        let dir = self.root.fd_dir(pid)?;
        let count = match dir.count {
            Some(count) => count,
            None => self.count(pid)?,
        };
        let known =
            self.processes.entry(pid).or_insert_with(|| Holder { count: u32::MAX, ..Holder::default() });
        known.seen = self.pass;
        if known.identity == dir.identity && known.count == count {
            return Ok(());
        }
        self.read(pid, &dir, count, Trust::Alive)
    }

    /// Counts descriptors the slow way, for kernels that do not.
    fn count(&mut self, pid: u32) -> Result<u32, Unread> {
        let descriptors = self.root.process(pid)?.descriptors()?;
        let mut count = 0;
        self.root.list(&descriptors, |_| count += 1)?;
        Ok(count)
    }

    /// Reads the descriptors of a process, `count` in number a moment ago.
    fn read(&mut self, pid: u32, dir: &FdDir, count: u32, trust: Trust) -> Result<(), Unread> {
        if self.processes.get(&pid).is_some_and(|holder| holder.identity != dir.identity) {
            // Another process by now: what the former one held says nothing of it.
            self.replace(pid, Vec::new());
        }
        let Some(holder) = self.processes.get_mut(&pid) else { return Ok(()) };
        if holder.identity != dir.identity {
            (holder.identity, holder.start_ticks) = (dir.identity, None);
        }
        // Remembered also for a process that may not be read: it is tried again when it changes.
        holder.count = count;
        let trust = if holder.is_giant() { trust } else { Trust::Nothing };
        let fresh = if dir.count == Some(0) { Vec::new() } else { self.descriptors(pid, trust)? };
        let holder = self.processes.get_mut(&pid).ok_or(Unread::Gone)?;
        holder.denied = false;
        if trust == Trust::Nothing {
            holder.read = self.epoch;
        }
        self.replace(pid, fresh);
        Ok(())
    }

    /// The sockets among the descriptors of a process, in order; its start time is noted if there are any.
    fn descriptors(&mut self, pid: u32, trust: Trust) -> Result<Vec<Descriptor>, Unread> {
        let Some(holder) = self.processes.get_mut(&pid) else { return Err(Unread::Gone) };
        let process = self.root.process(pid)?;
        let descriptors = process.descriptors()?;
        let trusted = if trust == Trust::Alive { &holder.sockets[..] } else { &[] };
        let mut fresh = Vec::with_capacity(holder.sockets.len());
        let mut refused = None;
        let (index, dumped) = (&self.index, self.dumped);
        self.root.list(&descriptors, |fd| {
            if refused.is_some() {
                return;
            }
            let known = trusted.binary_search_by_key(&fd, |known| known.fd).map(|place| trusted[place]);
            if let Ok(known) = known
                && index.was_alive(known.inode, dumped)
            {
                fresh.push(known);
                return;
            }
            match socket_of(&descriptors, fd) {
                Ok(Some(inode)) => fresh.push(Descriptor { fd, inode }),
                Ok(None) => {}
                Err(error) if is_gone(&error) => {}
                Err(error) => refused = Some(error),
            }
        })?;
        if let Some(error) = refused {
            return Err(error.into());
        }
        if !fresh.is_empty() && holder.start_ticks.is_none() {
            holder.start_ticks = Some(start_ticks(&process, &mut self.text)?);
        }
        fresh.sort_unstable();
        Ok(fresh)
    }

    /// Makes `fresh` the sockets of `pid`. What it holds anew is noted before what it let go of, so that a socket that
    /// only moved to another descriptor is never without a holder.
    fn replace(&mut self, pid: u32, fresh: Vec<Descriptor>) {
        let Some(holder) = self.processes.get_mut(&pid) else { return };
        let old = std::mem::replace(&mut holder.sockets, fresh);
        for new in only_in_first(&holder.sockets, &old) {
            if self.index.add(new.inode, pid, self.epoch) {
                self.gained.insert(new.inode, pid);
            }
            self.wanted.remove(&new.inode);
        }
        for gone in only_in_first(&old, &holder.sockets) {
            self.index.remove(gone.inode, pid);
        }
    }

    /// Deals with a process that could not be read: nothing that was known of it is believed any longer.
    fn give_up(&mut self, pid: u32, why: &Unread) {
        self.replace(pid, Vec::new());
        match why {
            Unread::Gone => {
                self.processes.remove(&pid);
            }
            Unread::Denied => {
                let (uid, ended) = (self.root.uid(pid).ok(), self.has_ended(pid));
                let holder = self.processes.entry(pid).or_default();
                holder.uid = uid;
                (holder.denied, holder.seen, holder.read) = (!ended, self.pass, self.epoch);
            }
            Unread::Trouble(error) => {
                self.processes.remove(&pid);
                self.trouble = Some(error.to_string());
            }
        }
    }

    /// Whether a process holds nothing any more because it ended. What is left of it belongs to root, who alone may
    /// list its descriptors.
    fn has_ended(&mut self, pid: u32) -> bool {
        let Ok(process) = self.root.process(pid) else { return false };
        let read = process.read(c"stat", &mut self.text, 4096);
        read.is_ok() && procfs::stat(&self.text).is_some_and(|stat| matches!(stat.state, b'Z' | b'X'))
    }

    fn forget_unseen(&mut self) {
        let pass = self.pass;
        let gone: Vec<u32> =
            self.processes.iter().filter(|(_, holder)| holder.seen != pass).map(|(&pid, _)| pid).collect();
        for pid in gone {
            self.give_up(pid, &Unread::Gone);
        }
    }

    /// Reads the descriptors of `pid` again, whatever their number.
    fn read_again(&mut self, pid: u32, trust: Trust) {
        let dir = self.root.fd_dir(pid).map_err(Unread::from);
        let read = dir.and_then(|dir| {
            let count = dir.count.map_or_else(|| self.count(pid), Ok)?;
            self.read(pid, &dir, count, trust)
        });
        if let Err(unread) = read {
            self.give_up(pid, &unread);
        }
    }

    /// Begins to look up the sockets of a dump that was made in this phase.
    pub(super) fn begin_dump(&mut self) {
        (self.dumped_before, self.dumped) = (self.dumped, self.epoch);
    }

    /// Who holds a socket of the dump.
    pub(super) fn look_up(&mut self, inode: u32, cookie: u64) -> Lookup<'_> {
        self.index.look_up(inode, cookie, self.dumped, self.dumped_before)
    }

    /// Says how many sockets of the dump each process holds. One that holds fewer than before has changed, whatever
    /// its number of descriptors.
    pub(super) fn note_matches(&mut self, matches: impl Iterator<Item = (u32, u32)>) {
        for holder in self.processes.values_mut() {
            holder.matched_before = std::mem::take(&mut holder.matched);
        }
        for (pid, sockets) in matches {
            if let Some(holder) = self.processes.get_mut(&pid) {
                holder.matched += sockets;
            }
        }
    }

    /// Looks for the holders of `wanted`: first in processes that changed, then in the rest, those first that lost a
    /// socket, then those that were not read for the longest time, until all are found, everybody was read in this phase, or the
    /// rest took `budget` descriptors. Returns whether the rest was read in vain.
    ///
    /// # Errors
    /// If the list of processes cannot be read.
    pub(super) fn search(&mut self, wanted: impl Iterator<Item = u32>, budget: u32) -> io::Result<Search> {
        self.wanted.clear();
        self.wanted.extend(wanted.filter(|&inode| !self.index.contains(inode)));
        self.poll()?;
        let wanted_of_rest = self.wanted.len();
        let mut left = i64::from(budget);
        let mut rest = self.rest();
        rest.retain(|_| wanted_of_rest > 0);
        self.credit += i64::from(budget);
        // Saved for the one that was not read for the longest time, or a larger one would never have its turn.
        let mut saving = false;
        for &(_, _, pid, cost) in &rest {
            if self.wanted.is_empty() || left <= 0 {
                break;
            }
            left -= self.read_wanted(pid, cost.into(), &mut saving);
        }
        self.verify_gained();
        Ok(match (rest.is_empty(), self.wanted.len() < wanted_of_rest) {
            (true, _) => Search::RestNotRead,
            (false, found) => Search::RestRead { found },
        })
    }

    /// Reads a process while something is wanted, and returns what it cost. In a giant, what the dump does not show is read
    /// first; all of it as soon as enough was saved up, and nobody else is `saving`.
    fn read_wanted(&mut self, pid: u32, cost: i64, saving: &mut bool) -> i64 {
        if !self.processes.get(&pid).is_some_and(Holder::is_giant) {
            self.read_again(pid, Trust::Nothing);
            return cost;
        }
        self.read_again(pid, Trust::Alive);
        if self.wanted.is_empty() {
            return cost / LISTING;
        }
        if *saving || self.credit < cost {
            *saving = true;
            return cost / LISTING;
        }
        // What is left over is not kept: many small searches would add up to a burst.
        self.credit = 0;
        self.read_again(pid, Trust::Nothing);
        cost
    }

    /// The processes that were not read in this phase, in the order in which to read them, with what it costs.
    fn rest(&self) -> Vec<(bool, Epoch, u32, u32)> {
        let readable = self.processes.iter().filter(|(_, holder)| !holder.denied && holder.count > 0);
        let unread = readable.filter(|(_, holder)| holder.read < self.epoch);
        let mut rest: Vec<_> = unread
            .map(|(&pid, holder)| (holder.matched >= holder.matched_before, holder.read, pid, holder.count))
            .collect();
        rest.sort_unstable();
        rest
    }

    /// The phase since which every process that may be read was read.
    pub(super) fn all_read_since(&self) -> Epoch {
        let readable = self.processes.values().filter(|holder| !holder.denied && holder.count > 0);
        readable.map(|holder| holder.read).min().unwrap_or(self.epoch)
    }

    /// Whether anybody is known to hold `inode`.
    pub(super) fn is_held(&self, inode: u32) -> bool {
        self.index.contains(inode)
    }

    /// The start time of a process that held a socket when it was read.
    pub(super) fn start_ticks(&self, pid: u32) -> Option<u64> {
        self.processes.get(&pid)?.start_ticks
    }

    /// The number of descriptors of a process.
    pub(super) fn descriptor_count(&self, pid: u32) -> Option<u32> {
        self.processes.get(&pid).map(|holder| holder.count)
    }

    /// How many processes there are, and how many of them may not be read.
    pub(super) fn totals(&self) -> OwnerScan {
        let denied = self.processes.values().filter(|holder| holder.denied).count();
        OwnerScan { processes: count32(self.processes.len()), denied: count32(denied) }
    }

    /// The processes that may not be read, by PID.
    pub(super) fn denied(&self) -> impl Iterator<Item = u32> + '_ {
        self.processes.iter().filter(|(_, holder)| holder.denied).map(|(&pid, _)| pid)
    }

    /// Whether a process that may not be read runs as the user `uid`, as far as that can be told.
    pub(super) fn denies_any_of(&self, uid: u32) -> bool {
        let mut denied = self.processes.values().filter(|holder| holder.denied);
        denied.any(|holder| holder.uid.is_none_or(|owner| owner == uid))
    }
}

/// How far a search had to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// What changed sufficed, or there was nobody else.
    RestNotRead,
    /// Processes that seemed unchanged were read too.
    RestRead {
        /// Whether something was found in one of them.
        found: bool,
    },
}

impl Holder {
    fn is_giant(&self) -> bool {
        self.sockets.len() > GIANT
    }
}

impl From<io::Error> for Unread {
    fn from(error: io::Error) -> Self {
        match Errno::from_io_error(&error) {
            _ if is_gone(&error) => Self::Gone,
            Some(Errno::ACCESS | Errno::PERM) => Self::Denied,
            _ => Self::Trouble(error),
        }
    }
}

fn start_ticks(process: &ProcDir, text: &mut Vec<u8>) -> Result<u64, Unread> {
    process.read(c"stat", text, 4096)?;
    procfs::stat(text).map(|stat| stat.start_ticks).ok_or(Unread::Gone)
}

/// What is in `first` and not in `second`, both in order.
fn only_in_first<'a>(
    first: &'a [Descriptor],
    second: &'a [Descriptor],
) -> impl Iterator<Item = Descriptor> + 'a {
    let mut others = second.iter().peekable();
    first.iter().copied().filter(move |item| {
        while others.next_if(|other| *other < item).is_some() {}
        others.next_if(|other| *other == item).is_none()
    })
}

fn count32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}
