//! How much goes to the terminal.

use std::{collections::VecDeque, time::Duration};

/// Over how many ticks the mean is taken.
const TICKS: usize = 10;

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
