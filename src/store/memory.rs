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

/// What the trace told of who opened or closed a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// Nobody asked yet, or the trace has not come that far.
    NotYet,
    /// It names nobody, and never will.
    Nothing,
    /// The other end did it.
    Remote,
    /// A set of one process.
    By(SetId),
}

impl Told {
    const NOT_YET: u32 = u32::MAX;
    const NOTHING: u32 = u32::MAX - 1;
    const REMOTE: u32 = u32::MAX - 2;

    fn code(self) -> u32 {
        match self {
            Self::NotYet => Self::NOT_YET,
            Self::Nothing => Self::NOTHING,
            Self::Remote => Self::REMOTE,
            Self::By(set) => set.number(),
        }
    }

    fn from_code(code: u32) -> Self {
        match code {
            Self::NOT_YET => Self::NotYet,
            Self::NOTHING => Self::Nothing,
            Self::REMOTE => Self::Remote,
            number => Self::By(SetId::from_number(number)),
        }
    }

    /// The set that it refers to.
    pub(super) fn set(self) -> Option<SetId> {
        if let Self::By(set) = self { Some(set) } else { None }
    }
}

/// What the trace told of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trace {
    /// Who called `connect()`.
    pub(super) opener: Told,
    /// Who closed it, if our end was the first to close.
    pub(super) closer: Told,
    /// Whether it had its port before it connected.
    pub(super) bound: Option<bool>,
}

impl Trace {
    pub(super) const NOT_YET: Self = Self { opener: Told::NotYet, closer: Told::NotYet, bound: None };

    /// Whether it is known to have been opened from here.
    pub(super) fn has_connected(self) -> bool {
        self.bound.is_some() || self.opener.set().is_some()
    }

    /// The sets that it refers to.
    pub(super) fn sets(self) -> impl Iterator<Item = SetId> {
        self.opener.set().into_iter().chain(self.closer.set())
    }

    /// The same with other sets for those which it refers to.
    pub(super) fn with_sets(self, new: impl Fn(SetId) -> SetId) -> Self {
        let replaced = |told: Told| told.set().map_or(told, |set| Told::By(new(set)));
        Self { opener: replaced(self.opener), closer: replaced(self.closer), ..self }
    }
}

/// One remembered connection, in 24 bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) cookie: u64,
    holder: u32,
    opener: u32,
    closer: u32,
    /// The sample that saw it last, counted round and round.
    pub(super) tick: u16,
    pub(super) side: SideSeen,
    /// [`OPEN`], and [`BOUND`] or [`UNBOUND`] if the trace told.
    flags: u8,
}

/// It had not begun to close when last seen.
const OPEN: u8 = 1;
/// It had its port before it connected.
const BOUND: u8 = 1 << 1;
/// `connect()` chose its port.
const UNBOUND: u8 = 1 << 2;

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
        let mut entry =
            Self { cookie, holder: 0, opener: Told::NOT_YET, closer: Told::NOT_YET, tick, side, flags: 0 };
        entry.set_open(open);
        entry.set_holder(holder);
        entry
    }

    pub(super) fn trace(&self) -> Trace {
        let bound = (self.flags & (BOUND | UNBOUND) != 0).then_some(self.flags & BOUND != 0);
        Trace { opener: Told::from_code(self.opener), closer: Told::from_code(self.closer), bound }
    }

    pub(super) fn set_trace(&mut self, trace: Trace) {
        (self.opener, self.closer) = (trace.opener.code(), trace.closer.code());
        let bound = trace.bound.map_or(0, |bound| if bound { BOUND } else { UNBOUND });
        self.flags = self.flags & OPEN | bound;
    }

    /// Whether it had not begun to close when last seen.
    pub(super) fn is_open(&self) -> bool {
        self.flags & OPEN != 0
    }

    pub(super) fn set_open(&mut self, open: bool) {
        self.flags = self.flags & !OPEN | u8::from(open);
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
/// seen before is none of them unless the trace told of it: there may be a million, and the others have nothing to
/// remember.
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
        assert_eq!(size_of::<Entry>(), 24);
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
    fn what_the_trace_told_is_kept() {
        let mut entry = Entry::new(1, Holder::Queued, 0, SideSeen::Client, true);
        assert_eq!(entry.trace(), Trace::NOT_YET);
        let one = Told::By(SetId::from_number(3));
        for (opener, closer) in [(one, Told::Nothing), (Told::Remote, one), (Told::NotYet, one)] {
            for (bound, open) in [(None, true), (Some(false), false), (Some(true), true), (None, false)] {
                entry.set_trace(Trace { opener, closer, bound });
                entry.set_open(open);
                assert_eq!(entry.trace(), Trace { opener, closer, bound });
                assert_eq!(entry.is_open(), open);
            }
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
