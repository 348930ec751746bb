//! How much goes to the terminal, and how much of what could.

use std::{collections::VecDeque, time::Duration};

/// Over how many ticks the mean is taken.
const TICKS: usize = 10;

/// Of how many samples one is drawn on a slow link. A frame that comes later has more to change: with every second one less than a
/// third of the bytes is saved under churn, with every third one 38 %, with every fourth one half.
const SPARSE: u8 = 4;

/// Which moments are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Each one.
    Each,
    /// One of [`SPARSE`].
    Sparse {
        /// How many were left out since the last that was shown.
        left_out: u8,
    },
}

impl Pace {
    /// The pace for a link that is slow or is not.
    pub(super) fn new(slow: bool) -> Self {
        if slow { Self::Sparse { left_out: 0 } } else { Self::Each }
    }

    pub(super) fn is_slow(self) -> bool {
        self != Self::Each
    }

    /// Whether a moment that just arrived is left out.
    pub(super) fn leaves_out(&mut self) -> bool {
        let Self::Sparse { left_out } = self else { return false };
        *left_out = (*left_out + 1) % SPARSE;
        *left_out > 0
    }

    /// Whether the newest moment is still to be shown where somebody asks for what is newest; then it is no longer left out.
    pub(super) fn catches_up(&mut self) -> bool {
        let Self::Sparse { left_out } = self else { return false };
        std::mem::take(left_out) > 0
    }
}

/// What had gone to the terminal at each of the last ticks.
#[derive(Debug, Default)]
pub(super) struct Meter(VecDeque<(Duration, u64)>);

impl Meter {
    /// Notes that `bytes` had gone out in all by `at`.
    pub(super) fn note(&mut self, at: Duration, bytes: u64) {
        if self.0.len() > TICKS {
            self.0.pop_front();
        }
        self.0.push_back((at, bytes));
    }

    /// Bytes per second since the oldest of those ticks; `None` within the first second.
    pub(super) fn per_s(&self) -> Option<u64> {
        let ((began, before), (now, bytes)) = self.0.front().zip(self.0.back())?;
        let tenths = now.checked_sub(*began)?.as_millis() / 100;
        let per_s = u128::from(bytes - before) * 10;
        u64::try_from(per_s.checked_div(tenths)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_link_gets_every_fourth_moment_and_the_newest_when_asked() {
        let mut pace = Pace::new(true);
        assert_eq!([(); 5].map(|()| pace.leaves_out()), [true, true, true, false, true]);
        assert_eq!([pace.catches_up(), pace.catches_up()], [true, false]);
        assert_eq!([(); 4].map(|()| pace.leaves_out()), [true, true, true, false]);
        let mut pace = Pace::new(false);
        assert_eq!([pace.leaves_out(), pace.catches_up(), pace.is_slow()], [false; 3]);
    }

    #[test]
    fn the_mean_is_of_the_last_ticks() {
        let mut meter = Meter::default();
        assert_eq!(meter.per_s(), None);
        meter.note(Duration::from_secs(100), 7_000);
        assert_eq!(meter.per_s(), None);
        meter.note(Duration::from_secs(102), 7_300);
        assert_eq!(meter.per_s(), Some(150));
        (3..20).for_each(|n| meter.note(Duration::from_secs(100 + n), 8_000 + n * 10));
        assert_eq!(meter.per_s(), Some(10));
    }
}
