//! Grouping a million rows by a small key.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// Numbers keys in the order in which they come, and counts them. 16 bytes a group and its place in a hash
/// table; nothing is allocated per row. The hash is seeded at random: peers choose their addresses.
#[derive(Debug)]
pub(super) struct Groups {
    index: HashTable<u32>,
    hasher: RandomState,
    keys: Vec<u64>,
    members: Vec<Members>,
    /// Keys that came lately and their groups, each in the one place that its bits give: a few services have most rows,
    /// and are found without the table.
    lately: Box<[(u64, u32); LATELY]>,
}

/// How many keys that came lately are at hand: one for each value of a byte.
const LATELY: usize = 256;
/// No group has this number.
const NONE: u32 = u32::MAX;

impl Default for Groups {
    fn default() -> Self {
        Self {
            index: HashTable::new(),
            hasher: RandomState::default(),
            keys: Vec::new(),
            members: Vec::new(),
            lately: Box::new([(0, NONE); LATELY]),
        }
    }
}

/// The members of a group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Members {
    /// Which row came first, as the caller counts rows.
    pub(super) first: u32,
    pub(super) count: u32,
}

impl Groups {
    /// Adds `row` to the group with `key` and yields the group's number.
    #[inline]
    pub(super) fn add(&mut self, key: u64, row: u32) -> u32 {
        // The golden ratio's bits spread keys that differ in few bits; who picks keys that meet gains nothing but the table.
        let place = usize::from(key.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[0]);
        let (known, mut group) = self.lately[place];
        if known != key || group == NONE {
            group = self.find(key, row);
            self.lately[place] = (key, group);
        }
        self.members[group as usize].count += 1;
        group
    }

    #[inline]
    fn find(&mut self, key: u64, row: u32) -> u32 {
        let Self { index, hasher, keys, members, .. } = self;
        let same = |&group: &u32| keys[group as usize] == key;
        let entry = index.entry(hasher.hash_one(key), same, |&group| hasher.hash_one(keys[group as usize]));
        *entry
            .or_insert_with(|| {
                keys.push(key);
                members.push(Members { first: row, count: 0 });
                u32::try_from(keys.len() - 1).expect("fewer than 2^32 rows")
            })
            .get()
    }

    /// The number of the group with `key`, if there is one.
    pub(super) fn get(&self, key: u64) -> Option<u32> {
        let same = |&group: &u32| self.keys[group as usize] == key;
        self.index.find(self.hasher.hash_one(key), same).copied()
    }

    /// The keys, by number.
    pub(super) fn keys(&self) -> &[u64] {
        &self.keys
    }

    /// The members, by number.
    pub(super) fn members(&self) -> &[Members] {
        &self.members
    }

    /// The numbers of the `n` groups for which `weight` is greatest, in no particular order; of equals
    /// those that came first.
    pub(super) fn heaviest(&self, n: usize, weight: impl Fn(u32) -> u32) -> Vec<u32> {
        let mut groups: Vec<u32> = (0..).take(self.keys.len()).collect();
        if groups.len() > n {
            groups.select_nth_unstable_by_key(n, |&group| (std::cmp::Reverse(weight(group)), group));
            groups.truncate(n);
            groups.shrink_to_fit();
        }
        groups
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_counted_and_the_heaviest_found() {
        let mut groups = Groups::default();
        for row in 0..10_000_u32 {
            groups.add(u64::from(row.isqrt()), row);
        }
        assert_eq!(groups.keys().len(), 100);
        let of_seven = groups.members()[7];
        assert_eq!((of_seven.first, of_seven.count), (49, 15));
        let weight = |group: u32| groups.members()[group as usize].count;
        let mut top = groups.heaviest(3, weight);
        top.sort_unstable();
        assert_eq!(top, [97, 98, 99]);
        assert_eq!(groups.heaviest(1, |_| 0), [0]);
        assert_eq!(groups.heaviest(200, weight).len(), 100);
    }
}
