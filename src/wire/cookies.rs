//! A set of socket cookies, to drop the second report of a socket from a dump of a million.

use std::hash::BuildHasher;

use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// The cookies seen so far.
///
/// The kernel hands out cookies from counters (`net/core/sock_diag.c`, `include/linux/cookie.h`), so the cookies of
/// one dump lie close together. The set keeps 64 neighbours in one word: a million sockets take some hundred
/// kilobytes, which stay in the processor's cache, where a plain set of numbers would take sixteen megabytes.
/// Cookies far apart cost more room and are as right.
#[derive(Debug, Clone, Default)]
pub struct CookieSet {
    words: HashTable<Word>,
    hasher: FixedState,
}

/// Which of the cookies `block * 64 .. block * 64 + 64` are in the set.
#[derive(Debug, Clone, Copy)]
struct Word {
    block: u64,
    bits: u64,
}

impl CookieSet {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets every cookie and keeps the memory.
    pub fn clear(&mut self) {
        self.words.clear();
    }

    /// Adds `cookie`; `false` if it was there already.
    #[inline]
    pub fn insert(&mut self, cookie: u64) -> bool {
        let (block, bit) = (cookie / 64, 1 << (cookie % 64));
        let Self { words, hasher } = self;
        let hash = hasher.hash_one(block);
        let entry = words.entry(hash, |word| word.block == block, |word| hasher.hash_one(word.block));
        let mut entry = entry.or_insert(Word { block, bits: 0 });
        let word = entry.get_mut();
        let is_new = word.bits & bit == 0;
        word.bits |= bit;
        is_new
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_cookie_is_new_once() {
        let mut set = CookieSet::new();
        for cookie in [0, 1, 63, 64, 65, u64::MAX, u64::MAX - 1] {
            assert!(set.insert(cookie), "{cookie}");
            assert!(!set.insert(cookie), "{cookie}");
        }
        set.clear();
        assert!(set.insert(63));
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_set(cookies in prop::collection::vec(prop_oneof![0..300_u64, any::<u64>()], 0..400)) {
            let (mut set, mut plain) = (CookieSet::new(), HashSet::new());
            for cookie in cookies {
                prop_assert_eq!(set.insert(cookie), plain.insert(cookie));
            }
        }
    }
}
