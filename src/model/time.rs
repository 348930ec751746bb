//! Time is data: it arrives with a sample and nothing below the source asks a clock.

use std::time::Duration;

use jiff::Timestamp;

/// The instant of a sample, on two clocks read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// Time since boot, suspended time included (`CLOCK_BOOTTIME`): for differences.
    pub since_boot: Duration,
    /// Wall-clock time, UTC: for people and files.
    pub wall: Timestamp,
}

impl Stamp {
    /// Seconds from `earlier` to `self`; 0 when `earlier` is not earlier.
    #[must_use]
    pub fn seconds_since(&self, earlier: &Self) -> f64 {
        self.since_boot.saturating_sub(earlier.since_boot).as_secs_f64()
    }

    /// The wall-clock time of another instant, given as time since boot.
    #[must_use]
    pub fn wall_at(&self, since_boot: Duration) -> Timestamp {
        let at = match self.since_boot.checked_sub(since_boot) {
            Some(ago) => self.wall.checked_sub(ago),
            None => self.wall.checked_add(since_boot.saturating_sub(self.since_boot)),
        };
        at.unwrap_or(self.wall)
    }
}
