//! How often to sample, so that the sampler stays within its share of a processor.

use std::time::Duration;

/// The longest interval that a costly table can lead to. A `TIME_WAIT` lives 60 s, so none is missed.
const LONGEST: Duration = Duration::from_secs(30);

/// Chooses the interval between samples from what they cost. Pure: the cost is told, no clock is asked.
///
/// The cost is averaged, so that one dear sample, such as the first, which reads every process, does not bring
/// the screen to a halt. It rises faster than it falls: a busy host is not sampled too often by mistake.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pacer {
    wanted: Duration,
    budget: f64,
    average: f64,
}

impl Pacer {
    /// A pacer that samples every `wanted` as long as this takes less than `budget`, a share of one core (0.05 for 5 %).
    /// A budget of 0 or less bounds nothing.
    #[must_use]
    pub fn new(wanted: Duration, budget: f64) -> Self {
        Self { wanted, budget, average: 0.0 }
    }

    /// Takes the processor time of a sample into account, and says what the interval is now.
    pub fn note(&mut self, cpu: Duration) -> Duration {
        let difference = cpu.as_secs_f64() - self.average;
        let weight = if difference > 0.0 { 0.25 } else { 0.125 };
        self.average += difference * weight;
        self.interval()
    }

    /// The interval in force.
    #[must_use]
    pub fn interval(&self) -> Duration {
        if self.budget <= 0.0 {
            return self.wanted;
        }
        let needed = Duration::try_from_secs_f64(self.average / self.budget).unwrap_or(LONGEST);
        needed.min(LONGEST).max(self.wanted)
    }

    /// The processor time that a sample may take at the interval in force, `None` if there is no bound.
    #[must_use]
    pub fn allowance(&self) -> Option<Duration> {
        let seconds = self.interval().as_secs_f64() * self.budget;
        (self.budget > 0.0).then(|| Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST))
    }

    /// Whether the interval is longer than wanted.
    #[must_use]
    pub fn is_stretched(&self) -> bool {
        self.interval() > self.wanted
    }

    /// Asks for another interval from now on.
    pub fn set_wanted(&mut self, wanted: Duration) {
        self.wanted = wanted;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_cheap_sample_changes_nothing() {
        let mut pacer = Pacer::new(SECOND, 0.05);
        for _ in 0..100 {
            assert_eq!(pacer.note(Duration::from_millis(49)), SECOND);
        }
        assert!(!pacer.is_stretched());
    }

    #[test]
    fn a_dear_table_stretches_the_interval_to_the_budget_and_lets_go_slowly() {
        let mut pacer = Pacer::new(SECOND, 0.05);
        let one = pacer.note(Duration::from_millis(280));
        assert!(one < Duration::from_millis(1500), "one sample alone does not halt the screen: {one:?}");
        let many = (0..40).map(|_| pacer.note(Duration::from_millis(280))).last().expect("forty");
        assert!((many.as_secs_f64() - 5.6).abs() < 0.01, "280 ms is 5 % of 5.6 s: {many:?}");
        let next = pacer.note(Duration::from_millis(1));
        assert!(next > Duration::from_secs(4) && next < many, "{next:?}");
        let later = (0..60).map(|_| pacer.note(Duration::from_millis(1))).last().expect("sixty");
        assert_eq!(later, SECOND);
    }

    #[test]
    fn a_sample_may_take_its_share_of_the_interval() {
        let mut pacer = Pacer::new(SECOND, 0.05);
        assert_eq!(pacer.allowance(), Some(Duration::from_millis(50)));
        pacer.set_wanted(SECOND / 10);
        assert_eq!(pacer.allowance(), Some(Duration::from_millis(5)));
        assert_eq!(Pacer::new(SECOND, 0.0).allowance(), None);
        assert_eq!(Pacer::new(SECOND, f64::MAX).allowance(), Some(LONGEST));
    }

    proptest! {
        #[test]
        fn the_interval_is_never_shorter_than_wanted_nor_longer_than_bearable(
            wanted in 100_u64..100_000, costs in proptest::collection::vec(0_u64..1_000_000, 1..50), budget in 0.0..1.0_f64,
        ) {
            let wanted = Duration::from_millis(wanted);
            let mut pacer = Pacer::new(wanted, budget);
            for cost in costs {
                let interval = pacer.note(Duration::from_millis(cost));
                prop_assert!(interval >= wanted && interval <= wanted.max(LONGEST));
            }
        }
    }
}
