//! Which connections were counted as closed a short while ago.

use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashSet;

/// Cookies of closed connections that nothing else remembers. A `TIME_WAIT` that no sample saw alive is
/// told from older ones by its remaining time alone, which is out by some milliseconds, and which starts
/// anew when the peer repeats its last segment. This keeps such a one from being counted twice.
///
/// Two generations, so that forgetting costs nothing; room for all closes of the last minute up to about
/// a thousand a second, and for those of the last sample at any rate.
#[derive(Debug, Default)]
pub(super) struct Recent {
    young: HashSet<u64, FixedState>,
    old: HashSet<u64, FixedState>,
    young_since: Duration,
}

impl Recent {
    const ROOM: usize = 65_536;
    /// The longest that a `TIME_WAIT` stays in the table.
    const LIFE: Duration = Duration::from_secs(66);

    /// A sample begins, `now` since boot: the older generation may go.
    pub(super) fn begin(&mut self, now: Duration) {
        if self.young.len() >= Self::ROOM || now.saturating_sub(self.young_since) >= Self::LIFE {
            self.old = std::mem::take(&mut self.young);
            self.young_since = now;
        }
    }

    /// Takes note of `cookie`; says whether it is new.
    pub(super) fn insert(&mut self, cookie: u64) -> bool {
        !self.old.contains(&cookie) && self.young.insert(cookie)
    }

    /// Whether `cookie` was noted.
    pub(super) fn contains(&self, cookie: u64) -> bool {
        self.young.contains(&cookie) || self.old.contains(&cookie)
    }

    pub(super) fn capacity(&self) -> usize {
        self.young.capacity() + self.old.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_remembered_for_a_life_and_not_for_ever() {
        let mut recent = Recent::default();
        let at = Duration::from_secs;
        recent.begin(at(100));
        assert!(recent.insert(1));
        assert!(!recent.insert(1));
        recent.begin(at(165));
        assert!(!recent.insert(1));
        recent.begin(at(170));
        assert!(recent.contains(1) && !recent.insert(1));
        recent.begin(at(240));
        assert!(!recent.contains(1));
    }
}
