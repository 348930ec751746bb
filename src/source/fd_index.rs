//! Which processes hold which socket inode, and which socket that inode was last seen to be.

use foldhash::fast::FixedState;
use hashbrown::{HashMap, hash_map::Entry};

/// A point in the order of scans; later is larger.
pub(super) type Epoch = u32;

/// Socket inodes and the processes that hold them.
#[derive(Debug, Default)]
pub(super) struct FdIndex {
    claims: HashMap<u32, Claim, FixedState>,
}

/// What is claimed of one inode.
#[derive(Debug)]
struct Claim {
    /// The cookie of the socket that a dump last showed under this inode, 0 for none yet.
    cookie: u64,
    holders: Holders,
    /// When a dump last showed the inode.
    alive: Epoch,
    /// When the first of its holders was read, or all of them were read again.
    claimed: Epoch,
}

/// PIDs in ascending order; a PID occurs as often as it has descriptors on the socket.
#[derive(Debug)]
enum Holders {
    One(u32),
    Many(Box<[u32]>),
}

/// What the index can say of a socket in a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup<'a> {
    /// These hold it: PIDs in ascending order, possibly repeated.
    Held(&'a [u32]),
    /// These held an inode of that number, but perhaps it was another socket.
    Doubtful(&'a [u32]),
    /// Nobody is known to.
    Unknown,
}

impl FdIndex {
    /// Notes that `pid` has one more descriptor on `inode`, and returns whether another process has one too.
    pub(super) fn add(&mut self, inode: u32, pid: u32, now: Epoch) -> bool {
        match self.claims.entry(inode) {
            Entry::Vacant(place) => {
                place.insert(Claim { cookie: 0, holders: Holders::One(pid), alive: 0, claimed: now });
                false
            }
            Entry::Occupied(mut place) => {
                let holders = &mut place.get_mut().holders;
                let mut pids = holders.as_slice().to_vec();
                let is_shared = pids.iter().any(|&other| other != pid);
                pids.insert(pids.partition_point(|&other| other < pid), pid);
                *holders = Holders::Many(pids.into());
                is_shared
            }
        }
    }

    /// Notes that `pid` has one descriptor less on `inode`.
    pub(super) fn remove(&mut self, inode: u32, pid: u32) {
        let Some(claim) = self.claims.get_mut(&inode) else { return };
        match &claim.holders {
            Holders::One(only) if *only == pid => {
                self.claims.remove(&inode);
            }
            Holders::One(_) => {}
            Holders::Many(pids) => {
                let Ok(place) = pids.binary_search(&pid) else { return };
                let mut pids = pids.to_vec();
                pids.remove(place);
                claim.holders = match pids[..] {
                    [pid] => Holders::One(pid),
                    _ => Holders::Many(pids.into()),
                };
            }
        }
    }

    /// Who holds the socket that a dump at `now` shows as `inode` and `cookie`.
    ///
    /// An inode number is used again sooner or later, its cookie never: a claim made for another cookie is doubtful, and so is
    /// one that is older than the dump before (`since`) and never was tied to a cookie.
    pub(super) fn look_up(&mut self, inode: u32, cookie: u64, now: Epoch, since: Epoch) -> Lookup<'_> {
        let Some(claim) = self.claims.get_mut(&inode) else { return Lookup::Unknown };
        if claim.cookie != cookie && claim.claimed < since {
            return Lookup::Doubtful(claim.holders.as_slice());
        }
        claim.cookie = cookie;
        claim.alive = now;
        Lookup::Held(claim.holders.as_slice())
    }

    /// Says that the holders of `inode` were read again at `now` and still hold it.
    pub(super) fn confirm(&mut self, inode: u32, now: Epoch) {
        if let Some(claim) = self.claims.get_mut(&inode) {
            claim.claimed = now;
        }
    }

    /// Whether the dump at `dump` showed the inode.
    pub(super) fn was_alive(&self, inode: u32, dump: Epoch) -> bool {
        self.claims.get(&inode).is_some_and(|claim| claim.alive == dump)
    }

    /// Who is said to hold the inode: PIDs in ascending order, possibly repeated.
    pub(super) fn holders(&self, inode: u32) -> &[u32] {
        self.claims.get(&inode).map_or(&[], |claim| claim.holders.as_slice())
    }

    /// Whether anybody holds the inode.
    pub(super) fn contains(&self, inode: u32) -> bool {
        self.claims.contains_key(&inode)
    }

    /// The number of inodes.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.claims.len()
    }
}

impl Holders {
    fn as_slice(&self) -> &[u32] {
        match self {
            Self::One(pid) => std::slice::from_ref(pid),
            Self::Many(pids) => pids,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_small() {
        assert_eq!(size_of::<(u32, Claim)>(), 40);
    }

    #[test]
    fn every_holder_counts_and_each_goes_on_its_own() {
        let mut index = FdIndex::default();
        assert_eq!([7, 7, 3, 7].map(|pid| index.add(100, pid, 1)), [false, false, true, true]);
        assert_eq!(index.holders(100), [3, 7, 7, 7]);
        index.remove(100, 7);
        assert_eq!(index.look_up(100, 9, 1, 0), Lookup::Held(&[3, 7, 7]));
        index.remove(100, 7);
        index.remove(100, 8);
        assert_eq!(index.look_up(100, 9, 1, 0), Lookup::Held(&[3, 7]));
        index.remove(100, 3);
        index.remove(100, 7);
        assert_eq!(index.look_up(100, 9, 1, 0), Lookup::Unknown);
        assert_eq!((index.len(), index.holders(100)), (0, &[][..]));
    }

    #[test]
    fn a_number_used_again_is_doubted_until_it_was_read_again() {
        let mut index = FdIndex::default();
        index.add(100, 7, 1);
        assert_eq!(index.look_up(100, 9, 2, 1), Lookup::Held(&[7]));
        assert_eq!(index.look_up(100, 9, 50, 40), Lookup::Held(&[7]), "the same socket stays trusted");
        assert_eq!(index.look_up(100, 10, 60, 50), Lookup::Doubtful(&[7]));
        assert!(!index.was_alive(100, 60));
        index.confirm(100, 61);
        assert_eq!(index.look_up(100, 10, 61, 50), Lookup::Held(&[7]));
        assert!(index.was_alive(100, 61));
    }
}
