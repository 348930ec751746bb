//! How much of what entered `TIME_WAIT` the trace accounts for, against the kernel's exact counter.

use std::time::Duration;

use crate::model::{Sample, TcpState, TraceBatch};

/// The entries into `TIME_WAIT` since the trace began, and how many of them it names somebody for.
///
/// The counter tells how many entries there were, the trace who closed. A close enters a round trip after it was
/// told, and one that is answered by a reset never enters. So the figures meet in their sums, and `attributed` is
/// the least that both allow: no more than the closes that have a name, and no more than the entries less the
/// closes that have none, or less the sockets that were seen and nobody could be named for, if those are more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// When the trace began, time since boot.
    pub since: Duration,
    /// From when on no `TIME_WAIT` is left that was entered out of its sight, time since boot: before it began, or
    /// while it lost records. It may lie ahead.
    pub exact_at: Duration,
    /// Entries by the exact counter (`TcpExtTW + TcpExtTWKilled`), since the first sample with the trace.
    pub entries: u64,
    /// Of those, entries of which it is known who closed.
    pub attributed: u64,
    /// Closed by a process that ended before it could be told from others, by one of which the network namespace
    /// is not known, or by the kernel.
    pub nameless: u64,
    /// Not accounted for, while records were lost.
    pub lost: u64,
    /// Not accounted for, and at most as many as were already closing when the trace began.
    pub before_start: u64,
    /// Not accounted for otherwise, such as closed by a process of another network namespace that was handed
    /// the socket.
    pub untold: u64,
}

impl Coverage {
    /// A `TIME_WAIT` is gone so long after it was entered, but for the kernel's slowest clocks (60.00 to 62.05 s
    /// at `HZ=250`: the timer wheel reaps in batches).
    pub const LIFETIME: Duration = Duration::from_millis(62_050);

    /// Why entries are not attributed, each with how many; only those that occur.
    pub fn remainder(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let parts = [
            ("before start", self.before_start),
            ("nameless", self.nameless),
            ("lost", self.lost),
            ("untold", self.untold),
        ];
        parts.into_iter().filter(|(_, count)| *count > 0)
    }
}

/// What is counted for it from sample to sample.
#[derive(Debug, Default)]
pub(super) struct Count {
    since: Option<Duration>,
    /// When the last record was lost.
    last_loss: Option<Duration>,
    /// Connections that had sent their FIN and not entered, when counting began.
    closing: u64,
    entries: u64,
    named: u64,
    nameless: u64,
    unnamed: u64,
    lost: u64,
}

/// What the trace told of the closes since the sample before.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closes {
    /// How many it told of.
    pub(super) total: u64,
    /// Of those, with the name of a process.
    pub(super) named: u64,
    /// Others, of which the namespace is not known.
    pub(super) unplaced: u64,
    /// Closed sockets of which it has turned out that it names nobody: it did not tell of their close, or
    /// of more than one that fits.
    pub(super) unnamed: u64,
}

impl Count {
    /// Adds a sample with what the trace told of the time since the one before: `entries` by the counter and
    /// `closes`. `covered` says whether the trace told of all of that time.
    pub(super) fn add(
        &mut self,
        (sample, batch): (&Sample, &TraceBatch),
        entries: Option<u64>,
        closes: &Closes,
        covered: bool,
    ) -> Coverage {
        if self.since != Some(batch.since) {
            *self = Self { since: Some(batch.since), closing: closing(sample), ..Self::default() };
        }
        if let Some(last) = batch.losses.iter().map(|loss| loss.to).max() {
            self.last_loss = self.last_loss.max(Some(last));
        }
        if let Some(entries) = entries.filter(|_| covered) {
            self.entries += entries;
            self.named += closes.named;
            self.nameless += closes.total.saturating_sub(closes.named) + closes.unplaced;
            self.unnamed += closes.unnamed;
            self.lost += batch.losses.iter().map(|loss| loss.records).sum::<u64>();
        }
        self.coverage(batch.since)
    }

    fn coverage(&self, since: Duration) -> Coverage {
        let blind_until = self.last_loss.map_or(since, |lost| lost.max(since));
        let nameless = self.nameless.min(self.entries);
        let attributed = self.named.min(self.entries - nameless.max(self.unnamed.min(self.entries)));
        let rest = self.entries - nameless - attributed;
        let lost = rest.min(self.lost);
        let before_start = (rest - lost).min(self.closing);
        Coverage {
            since,
            exact_at: blind_until + Coverage::LIFETIME,
            entries: self.entries,
            attributed,
            nameless,
            lost,
            before_start,
            untold: rest - lost - before_start,
        }
    }
}

/// How many connections of our namespace are to enter `TIME_WAIT` without another FIN of ours. A mini-socket in
/// `FIN_WAIT2` has been counted already.
fn closing(sample: &Sample) -> u64 {
    let rows = sample.sockets.rows().iter();
    let waiting = rows.filter(|row| match row.state {
        TcpState::FinWait1 | TcpState::Closing => true,
        TcpState::FinWait2 => !row.is_mini(),
        _ => false,
    });
    u64::try_from(waiting.count()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(entries: u64, named: u64, nameless: u64, lost: u64, closing: u64) -> Coverage {
        let count = Count { closing, entries, named, nameless, lost, ..Count::default() };
        let coverage = count.coverage(Duration::from_secs(10));
        let parts = coverage.nameless + coverage.lost + coverage.before_start + coverage.untold;
        assert_eq!(coverage.attributed + parts, entries, "{coverage:?}");
        coverage
    }

    #[test]
    fn every_entry_has_a_name_or_a_reason() {
        let told = count(6010, 5996, 0, 0, 20);
        assert_eq!((told.attributed, told.before_start), (5996, 14));
        // More closes than entries: resets, or those that have yet to enter.
        assert_eq!(count(100, 120, 0, 0, 0).attributed, 100);
        // A close without a name is not made good by one that was reset.
        let told = count(100, 120, 3, 0, 0);
        assert_eq!((told.attributed, told.nameless), (97, 3));
        let told = count(100, 50, 0, 20, 10);
        assert_eq!((told.lost, told.before_start, told.untold), (20, 10, 20));
        assert_eq!(count(0, 5, 5, 5, 5).attributed, 0);
    }

    #[test]
    fn closes_that_were_reset_do_not_make_up_for_sockets_without_a_name() {
        let count = Count { entries: 100, named: 100, nameless: 10, unnamed: 40, ..Count::default() };
        let told = count.coverage(Duration::from_secs(10));
        assert_eq!((told.attributed, told.nameless, told.untold), (60, 10, 30));
        let count = Count { unnamed: 400, ..count };
        assert_eq!(count.coverage(Duration::from_secs(10)).attributed, 0);
    }

    #[test]
    fn a_loss_puts_exactness_off() {
        let since = Duration::from_secs(10);
        let mut counted = Count { since: Some(since), ..Count::default() };
        assert_eq!(counted.coverage(since).exact_at, since + Coverage::LIFETIME);
        counted.last_loss = Some(Duration::from_secs(40));
        assert_eq!(counted.coverage(since).exact_at, Duration::from_secs(40) + Coverage::LIFETIME);
    }
}
