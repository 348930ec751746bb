//! The connections that samples have seen, by cookie.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::people::SetId;
use crate::model::{Side, Unknown};

/// Who held a connection when it was last seen alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holder {
    By(SetId),
    Nobody(Unknown),
}

/// What a connection's side rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum SideSeen {
    /// No listener matched (yet), and the ports do not speak for a server.
    Client,
    /// It was seen in `SYN_SENT`: whatever listens later, this one connected.
    Connected,
    /// A listener matched while it lived, or there was none any more and the ports spoke for a server.
    Server,
}

impl SideSeen {
    pub(super) const fn side(self) -> Side {
        match self {
            Self::Client | Self::Connected => Side::Client,
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

/// Numbers from here up stand for a reason, those below for a set.
const FIRST_REASON: u32 = u32::MAX - 4;

impl Entry {
    pub(super) fn new(cookie: u64, holder: Holder, tick: u16, side: SideSeen, open: bool) -> Self {
        let mut entry = Self { cookie, holder: 0, tick, side, open };
        entry.set_holder(holder);
        entry
    }

    pub(super) fn holder(&self) -> Holder {
        match self.holder.checked_sub(FIRST_REASON) {
            None => Holder::By(SetId::from_number(self.holder)),
            Some(0) => Holder::Nobody(Unknown::Denied),
            Some(1) => Holder::Nobody(Unknown::Kernel),
            Some(2) => Holder::Nobody(Unknown::Gone),
            Some(3) => Holder::Nobody(Unknown::BeforeStart),
            Some(_) => Holder::Nobody(Unknown::TooShort),
        }
    }

    pub(super) fn set_holder(&mut self, holder: Holder) {
        self.holder = match holder {
            Holder::By(set) => set.number(),
            Holder::Nobody(Unknown::Denied) => FIRST_REASON,
            Holder::Nobody(Unknown::Kernel) => FIRST_REASON + 1,
            Holder::Nobody(Unknown::Gone) => FIRST_REASON + 2,
            Holder::Nobody(Unknown::BeforeStart) => FIRST_REASON + 3,
            Holder::Nobody(Unknown::TooShort) => FIRST_REASON + 4,
        };
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
        let reasons =
            [Unknown::Denied, Unknown::Kernel, Unknown::Gone, Unknown::BeforeStart, Unknown::TooShort];
        let sets = [0, 1, FIRST_REASON - 1].map(|n| Holder::By(SetId::from_number(n)));
        for holder in reasons.map(Holder::Nobody).into_iter().chain(sets) {
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
