//! The connections that samples have seen, by cookie.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::{accept::Accepted, people::SetId};
use crate::model::{Side, Unknown};

/// Who held a connection when it was last seen alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    By(SetId),
    /// Nobody was seen to hold it, and these may have accepted it. Who listens there later does not matter.
    Accepted(Accepted),
    /// Nobody had accepted it.
    Queued,
    Nobody(Unknown),
}

impl Holder {
    /// The set that it refers to.
    pub(super) fn set(self) -> Option<SetId> {
        match self {
            Self::By(set) | Self::Accepted(Accepted { set, .. }) => Some(set),
            Self::Queued | Self::Nobody(_) => None,
        }
    }

    /// The same with another set for that which it refers to.
    pub(super) fn with_set(self, set: SetId) -> Self {
        match self {
            Self::By(_) => Self::By(set),
            Self::Accepted(accepted) => Self::Accepted(Accepted { set, ..accepted }),
            Self::Queued | Self::Nobody(_) => self,
        }
    }
}

/// What a connection's side rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum SideSeen {
    /// As `Client`, but the dump broke off: the listener may just not have been in it.
    Unlisted,
    /// No listener matched when it was first seen, and the ports do not speak for a server. Whoever listens
    /// there later did not accept it.
    Client,
    /// It was seen in `SYN_SENT`: whatever listens later, this one connected.
    Connected,
    /// A listener matched while it lived, or there was none any more and the ports spoke for a server.
    Server,
}

impl SideSeen {
    pub(super) const fn side(self) -> Side {
        match self {
            Self::Unlisted | Self::Client | Self::Connected => Side::Client,
            Self::Server => Side::Server,
        }
    }
}

/// One remembered connection, in 16 bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) cookie: u64,
    holder: u32,
    /// The sample that saw it last, counted round and round.
    pub(super) tick: u16,
    pub(super) side: SideSeen,
    /// Whether it had not begun to close when last seen.
    pub(super) open: bool,
}

/// The two highest bits say what the others stand for: a set, or the index of one of [`WITHOUT_SET`].
const BITS: u32 = 30;
const BY: u32 = 0;
const SURE: u32 = 1;
const UNSURE: u32 = 2;
const NOBODY: u32 = 3;

const WITHOUT_SET: [Holder; 6] = [
    Holder::Queued,
    Holder::Nobody(Unknown::Denied),
    Holder::Nobody(Unknown::Kernel),
    Holder::Nobody(Unknown::Gone),
    Holder::Nobody(Unknown::BeforeStart),
    Holder::Nobody(Unknown::TooShort),
];

impl Entry {
    pub(super) fn new(cookie: u64, holder: Holder, tick: u16, side: SideSeen, open: bool) -> Self {
        let mut entry = Self { cookie, holder: 0, tick, side, open };
        entry.set_holder(holder);
        entry
    }

    pub(super) fn holder(&self) -> Holder {
        let number = self.holder & ((1 << BITS) - 1);
        let set = SetId::from_number(number);
        match self.holder >> BITS {
            BY => Holder::By(set),
            kind @ (SURE | UNSURE) => Holder::Accepted(Accepted { set, sure: kind == SURE }),
            _ => WITHOUT_SET[number as usize],
        }
    }

    pub(super) fn set_holder(&mut self, holder: Holder) {
        let (kind, number) = match holder {
            Holder::By(set) => (BY, set.number()),
            Holder::Accepted(Accepted { set, sure }) => (if sure { SURE } else { UNSURE }, set.number()),
            Holder::Queued => (NOBODY, 0),
            Holder::Nobody(Unknown::Denied) => (NOBODY, 1),
            Holder::Nobody(Unknown::Kernel) => (NOBODY, 2),
            Holder::Nobody(Unknown::Gone) => (NOBODY, 3),
            Holder::Nobody(Unknown::BeforeStart) => (NOBODY, 4),
            Holder::Nobody(Unknown::TooShort) => (NOBODY, 5),
        };
        self.holder = kind << BITS | number;
    }
}

/// Connections seen alive or closing, until they are in no sample any more. A `TIME_WAIT` that was not
/// seen before is none of them: there may be a million, and they have nothing to remember.
#[derive(Debug, Default)]
pub(super) struct Memory {
    table: HashTable<Entry>,
    hasher: FixedState,
}

impl Memory {
    pub(super) fn len(&self) -> usize {
        self.table.len()
    }

    /// Room for so many connections is taken up now.
    pub(super) fn capacity(&self) -> usize {
        self.table.capacity()
    }

    #[inline]
    pub(super) fn get(&self, cookie: u64) -> Option<&Entry> {
        self.table.find(self.hasher.hash_one(cookie), |entry| entry.cookie == cookie)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, cookie: u64) -> Option<&mut Entry> {
        self.table.find_mut(self.hasher.hash_one(cookie), |entry| entry.cookie == cookie)
    }

    /// Remembers a connection that is not remembered yet.
    pub(super) fn insert(&mut self, entry: Entry) {
        let Self { table, hasher } = self;
        table.insert_unique(hasher.hash_one(entry.cookie), entry, |entry| hasher.hash_one(entry.cookie));
    }

    /// Forgets what was last seen more than `age` samples before `tick`, and gives room back when most of
    /// it is empty.
    pub(super) fn forget(&mut self, tick: u16, age: u16) {
        self.table.retain(|entry| tick.wrapping_sub(entry.tick) <= age);
        if self.table.len() < self.table.capacity() / 8 {
            let hasher = &self.hasher;
            self.table.shrink_to(self.table.len() * 2, |entry| hasher.hash_one(entry.cookie));
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.table.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.table.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_compact_and_gives_back_what_was_put_in() {
        assert_eq!(size_of::<Entry>(), 16);
        let sets = [0, 1, (1 << BITS) - 1].map(SetId::from_number);
        let with_set = sets.into_iter().flat_map(|set| {
            let accepted = [false, true].map(|sure| Holder::Accepted(Accepted { set, sure }));
            accepted.into_iter().chain([Holder::By(set)])
        });
        for holder in WITHOUT_SET.into_iter().chain(with_set) {
            assert_eq!(Entry::new(1, holder, 0, SideSeen::Client, true).holder(), holder);
        }
    }

    #[test]
    fn forgetting_gives_the_room_back() {
        let mut memory = Memory::default();
        for cookie in 0..100_000 {
            let nobody = Holder::Nobody(Unknown::Gone);
            memory.insert(Entry::new(cookie, nobody, u16::from(cookie < 10), SideSeen::Client, true));
        }
        memory.forget(1, 0);
        assert_eq!(memory.len(), 10);
        assert!(memory.capacity() < 1000);
        assert!(memory.get(9).is_some() && memory.get(10).is_none());
    }
}
