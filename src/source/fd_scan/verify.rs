//! Claims that were not read in this sample are read again: some in turn, and at once those that something speaks against.

use std::collections::BTreeMap;

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::{FdScan, Holder, Trust, socket_of};

/// The least number of links that are read again in each sample. A link costs about 1.5 µs.
const LEAST: usize = 256;
/// After how many samples at most every link was read again. Four keep the cost far below that of the dump of the same sockets.
const ROUND: usize = 4;
/// How many links of sockets that gained a holder are read in one step; the rest waits for the next.
const SHARED: usize = 2048;
/// What opening the directory of a process costs, in links that could have been read instead.
const OPENING: usize = 4;

/// How a verification of one process ended.
enum Verified {
    Done,
    UpTo(usize),
    Changed,
}

impl FdScan {
    /// Reads some of the links that claims rest on again, going round from call to call. An equal number of
    /// descriptors proves nothing: a process may have passed one on and opened another.
    pub(in super::super) fn verify_some(&mut self) {
        let mut left = LEAST.max(self.cost_of_all().div_ceil(ROUND));
        let start = self.cursor.0;
        let mut wrapped = false;
        while left > 0 {
            let (from, place) = self.cursor;
            let next = self.processes.range(from..).find(|(_, holder)| holder.matched > 0);
            let Some((&pid, _)) = next.filter(|(pid, _)| !wrapped || **pid < start) else {
                self.cursor = (0, 0);
                if wrapped || start == 0 {
                    return;
                }
                wrapped = true;
                continue;
            };
            let place = if pid == from { place } else { 0 };
            left = left.saturating_sub(OPENING);
            match self.verify_links(pid, place, &mut left) {
                Verified::Done => self.cursor = (pid + 1, 0),
                Verified::UpTo(place) => self.cursor = (pid, place),
                Verified::Changed => {
                    self.read_again(pid, Trust::Nothing);
                    self.cursor = (pid + 1, 0);
                }
            }
        }
    }

    /// What it would cost to read again all links that matter, in links.
    fn cost_of_all(&self) -> usize {
        let holders = self.processes.values().filter(|holder| holder.matched > 0);
        holders.map(|holder| holder.matched as usize + OPENING).sum()
    }

    fn verify_links(&self, pid: u32, from: usize, left: &mut usize) -> Verified {
        let Some(holder) = self.processes.get(&pid) else { return Verified::Done };
        let Ok(descriptors) = self.root.process(pid).and_then(|process| process.descriptors()) else {
            return Verified::Changed;
        };
        for (place, known) in holder.sockets.iter().enumerate().skip(from) {
            if !self.index.was_alive(known.inode, self.dumped) {
                continue;
            }
            if *left == 0 {
                return Verified::UpTo(place);
            }
            *left -= 1;
            if !socket_of(&descriptors, known.fd).is_ok_and(|inode| inode == Some(known.inode)) {
                return Verified::Changed;
            }
        }
        Verified::Done
    }

    /// Asks all who hold a socket that somebody else was found to hold too: it may have been passed on.
    pub(in super::super) fn verify_gained(&mut self) {
        let mut left = SHARED;
        // One that is read again may in turn be found to hold what others hold.
        while left > 0 && !self.gained.is_empty() {
            let mut doubted = BTreeMap::<u32, Inodes>::new();
            while left > 0
                && let Some((inode, gainer)) = self.gained.pop_first()
            {
                for &pid in self.index.holders(inode).iter().filter(|&&pid| pid != gainer) {
                    doubted.entry(pid).or_default().insert(inode);
                    left = left.saturating_sub(1);
                }
            }
            for (pid, inodes) in doubted {
                self.verify(pid, &inodes);
            }
        }
    }

    /// Asks everyone who is said to hold `inode`, and so believes those who still do.
    pub(in super::super) fn verify_holders(&mut self, inode: u32, pids: &[u32]) {
        let inodes = [inode].into_iter().collect();
        for &pid in pids {
            self.verify(pid, &inodes);
        }
        self.index.confirm(inode, self.epoch);
    }

    /// Reads the links of `pid` to `inodes`, and all its others if one of those is not what it was.
    fn verify(&mut self, pid: u32, inodes: &Inodes) {
        if self.processes.get(&pid).is_some_and(|holder| !self.still_holds(pid, holder, inodes)) {
            self.read_again(pid, Trust::Nothing);
        }
    }

    fn still_holds(&self, pid: u32, holder: &Holder, inodes: &Inodes) -> bool {
        let mut doubted = holder.sockets.iter().filter(|known| inodes.contains(&known.inode)).peekable();
        if doubted.peek().is_none() {
            return true;
        }
        let Ok(descriptors) = self.root.process(pid).and_then(|process| process.descriptors()) else {
            return false;
        };
        doubted.all(|known| socket_of(&descriptors, known.fd).is_ok_and(|inode| inode == Some(known.inode)))
    }
}

type Inodes = HashSet<u32, FixedState>;
