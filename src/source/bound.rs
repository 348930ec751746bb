//! Sockets that are only bound: dumped on their own, and carried from sample to sample where that is dear.

use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::owners::OwnerScanner;
use crate::model::SocketTable;

/// How old the bound sockets of a sample may be where asking for them is dear: the kernel needs as long for a few of
/// them as for half the table.
const KEPT: Duration = Duration::from_secs(5);

/// What asking may cost at most to be done in every sample: this part of what the sample may cost in all, and no more
/// than this time, which the walk over an empty table already takes on a large machine.
const CHEAP: u32 = 10;
const CHEAP_TIME: Duration = Duration::from_millis(1);

/// The bound sockets of the last dump that asked for them.
#[derive(Debug)]
pub(super) struct Bound {
    sockets: SocketTable,
    /// Inodes of theirs that somebody held in the last sample.
    held: HashSet<u32, FixedState>,
    /// When they were asked for, since boot, and the processor time that it took.
    asked: Option<(Duration, Duration)>,
    always: bool,
    wanted: bool,
}

impl Bound {
    /// None yet. With `always` each sample has to ask.
    pub(super) fn new(always: bool) -> Self {
        Self { sockets: SocketTable::new(), held: HashSet::default(), asked: None, always, wanted: false }
    }

    /// Makes them due.
    pub(super) fn ask(&mut self) {
        self.wanted = true;
    }

    /// Whether to ask for them at `now`, since boot, in a sample that may take `allowance` of processor time; `None` for no bound.
    pub(super) fn is_due(&self, now: Duration, allowance: Option<Duration>) -> bool {
        let Some((at, cost)) = self.asked else { return true };
        let is_cheap = cost <= CHEAP_TIME && allowance.is_none_or(|allowance| cost <= allowance / CHEAP);
        self.always || self.wanted || is_cheap || now.saturating_sub(at) >= KEPT
    }

    /// Takes the sockets of a dump that began at `now` and took `cost` of processor time. If it failed the last ones stay, and
    /// asking counts as dear: a kernel that refuses is not asked each time.
    pub(super) fn refresh(&mut self, dumped: Option<SocketTable>, now: Duration, cost: Duration) {
        self.asked = Some((now, if dumped.is_some() { cost } else { Duration::MAX }));
        self.wanted = false;
        if let Some(sockets) = dumped {
            (self.sockets, self.held) = (sockets, HashSet::default());
        }
    }

    /// Adds them to `table`, but for those that are there in another state by now, and those whose
    /// last holder has let go of them.
    pub(super) fn add_to(&self, table: &mut SocketTable, owners: &OwnerScanner) {
        if self.sockets.is_empty() {
            return;
        }
        let mut ours: HashSet<u64, FixedState> = self.sockets.rows().iter().map(|row| row.cookie).collect();
        for row in table.rows() {
            ours.remove(&row.cookie);
        }
        for socket in self.sockets.iter().filter(|socket| ours.contains(&socket.row().cookie)) {
            let inode = socket.detail().map_or(0, |detail| detail.inode);
            if !self.held.contains(&inode) || owners.is_held(inode) {
                table.push_from(socket);
            }
        }
    }

    /// Notes which of them somebody holds by now.
    pub(super) fn remember_held(&mut self, owners: &OwnerScanner) {
        let inodes = self.sockets.iter().filter_map(|socket| socket.detail()).map(|detail| detail.inode);
        // Added, never taken out: one that was held once and is not any more is closed.
        self.held.extend(inodes.filter(|&inode| owners.is_held(inode)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_is_cheap_is_asked_each_time_and_what_is_dear_every_five_seconds() {
        let mut bound = Bound::new(false);
        assert!(bound.is_due(ms(0), Some(ms(50))), "nothing is known yet");
        bound.refresh(Some(SocketTable::new()), ms(1000), ms(1));
        assert!(bound.is_due(ms(1001), Some(ms(10))));
        assert!(bound.is_due(ms(1001), None), "without a budget");
        assert!(!bound.is_due(ms(1001), Some(ms(9))));
        assert!(!bound.is_due(ms(5999), Some(ms(9))));
        assert!(bound.is_due(ms(6000), Some(ms(9))));
        bound.refresh(Some(SocketTable::new()), ms(1000), ms(2));
        assert!(!bound.is_due(ms(1001), None), "without a budget it may still be dear");
        bound.refresh(None, ms(7000), ms(1));
        assert!(!bound.is_due(ms(7001), Some(ms(50))), "it was refused");
        assert!(bound.is_due(ms(12_000), Some(ms(50))));
    }

    #[test]
    fn who_asks_is_answered() {
        let mut bound = Bound::new(false);
        bound.refresh(Some(SocketTable::new()), ms(1000), ms(900));
        bound.ask();
        assert!(bound.is_due(ms(1001), Some(ms(50))));
        bound.refresh(Some(SocketTable::new()), ms(1001), ms(900));
        assert!(!bound.is_due(ms(1002), Some(ms(50))));
        let mut always = Bound::new(true);
        always.refresh(Some(SocketTable::new()), ms(1000), ms(900));
        assert!(always.is_due(ms(1001), Some(ms(50))));
    }
}
