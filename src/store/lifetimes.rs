//! How long connections lived.

use std::time::Duration;

/// How long connections lived: a histogram from under 32 µs to over an hour. Four buckets of the same width make an
/// octave, and each octave is twice as long as the one before, so a time is out by less than a quarter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes([u32; Lifetimes::BUCKETS]);

impl Default for Lifetimes {
    fn default() -> Self {
        Self([0; Self::BUCKETS])
    }
}

impl FromIterator<u32> for Lifetimes {
    /// Lifetimes of the counts of their buckets, as [`Lifetimes::buckets`] has them; what is missing is zero.
    fn from_iter<I: IntoIterator<Item = u32>>(counts: I) -> Self {
        let mut lives = Self::default();
        lives.0.iter_mut().zip(counts).for_each(|(count, of)| *count = of);
        lives
    }
}

impl Lifetimes {
    const OCTAVES: usize = 26;
    /// An octave has 2^2 buckets.
    const PART_BITS: u32 = 2;
    /// The last bucket holds what is longer than all octaves.
    const BUCKETS: usize = (Self::OCTAVES << Self::PART_BITS) + 1;
    /// Octave `n` ends at 2^(n + 7) µs; the first begins at nothing.
    const FIRST: u32 = 7;

    /// Adds one connection.
    pub fn add(&mut self, life: Duration) {
        let micros = u64::try_from(life.as_micros()).unwrap_or(u64::MAX);
        let octave = (u64::BITS - micros.leading_zeros()).saturating_sub(Self::FIRST);
        // The bits after the highest one tell the part.
        let part = micros >> Self::width_bits(octave) & ((1 << Self::PART_BITS) - 1);
        let bucket = u64::from(octave) << Self::PART_BITS | part;
        let bucket =
            usize::try_from(bucket).map_or(Self::BUCKETS - 1, |bucket| bucket.min(Self::BUCKETS - 1));
        let count = &mut self.0[bucket];
        *count = count.saturating_add(1);
    }

    /// Adds those of another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.0.iter_mut().zip(other.0) {
            *count = count.saturating_add(more);
        }
    }

    /// How many connections every bucket has.
    pub(super) fn counts(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().copied()
    }

    /// How many connections were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.iter().map(|&count| u64::from(count)).sum()
    }

    /// About the time that `share` (0 to 1) of the connections did not outlive: those of a bucket are taken to be
    /// spread evenly over it. `None` if none was counted, or if the time is beyond all octaves.
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let wanted = share * precise(self.count());
        let mut below = 0;
        for (bucket, &count) in self.0[..Self::BUCKETS - 1].iter().enumerate() {
            let within = below + u64::from(count);
            if count > 0 && precise(within) >= wanted {
                let part = ((wanted - precise(below)) / f64::from(count)).clamp(0.0, 1.0);
                let (start, width) = Self::place(bucket);
                let micros = precise(start) + precise(width) * part;
                return Some(Duration::from_secs_f64(micros / 1e6));
            }
            below = within;
        }
        None
    }

    /// How many connections lived how long: each octave from the first that has any to the last, as its end in seconds
    /// and its count. What is longer than all octaves counts to the last.
    pub fn octaves(&self) -> impl Iterator<Item = (f64, u32)> {
        let mut counts = [0_u32; Self::OCTAVES];
        for (bucket, count) in self.0.into_iter().enumerate() {
            let octave = &mut counts[(bucket >> Self::PART_BITS).min(Self::OCTAVES - 1)];
            *octave = octave.saturating_add(count);
        }
        let first = counts.iter().position(|&count| count > 0).unwrap_or(Self::OCTAVES);
        let last = counts.iter().rposition(|&count| count > 0).map_or(0, |last| last + 1);
        let ends = (Self::FIRST..).map(|bits| precise(1 << bits) / 1e6);
        ends.zip(counts).take(last).skip(first)
    }

    /// Every bucket, as where it begins and ends in seconds and its count. Of the last one, for what is longer than all
    /// octaves, only the beginning is true.
    pub fn buckets(&self) -> impl Iterator<Item = (f64, f64, u32)> + '_ {
        self.0.iter().enumerate().map(|(bucket, &count)| {
            let (start, width) = Self::place(bucket);
            (precise(start) / 1e6, precise(start + width) / 1e6, count)
        })
    }

    /// Where a bucket begins and how wide it is, microseconds.
    fn place(bucket: usize) -> (u64, u64) {
        let octave = u32::try_from(bucket >> Self::PART_BITS).expect("there are few octaves");
        let part = bucket as u64 & ((1 << Self::PART_BITS) - 1);
        let width = 1 << Self::width_bits(octave);
        let start = if octave == 0 { 0 } else { 1 << (octave + Self::FIRST - 1) };
        (start + part * width, width)
    }

    /// The width of the buckets of an octave, as a power of two of microseconds.
    const fn width_bits(octave: u32) -> u32 {
        let after_first = octave.saturating_sub(1);
        Self::FIRST - Self::PART_BITS + after_first
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of counts need not be exact beyond 2^52")]
fn precise(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_within_their_bucket() {
        let mut lives = Lifetimes::default();
        assert_eq!(lives.quantile(0.5), None);
        for _ in 0..98 {
            lives.add(Duration::from_millis(3));
        }
        lives.add(Duration::from_secs(5));
        lives.add(Duration::from_secs(1 << 20));
        assert_eq!(lives.count(), 100);
        let within = |share, low: u64, high: u64| {
            let life = lives.quantile(share).expect("within the octaves");
            assert!(Duration::from_micros(low) <= life && life <= Duration::from_micros(high), "{life:?}");
        };
        within(0.01, 2560, 2570);
        within(0.5, 2800, 2840);
        within(0.98, 3071, 3072);
        within(0.99, 4_800_000, 5_300_000);
        let octaves: Vec<_> = lives.octaves().filter(|(_, count)| *count > 0).collect();
        assert_eq!((octaves[0], octaves.len()), ((0.004_096, 98), 3));
        assert_eq!(lives.quantile(1.0), None, "too long to say");
        let mut buckets = lives.buckets().filter(|(_, _, count)| *count > 0);
        assert_eq!(buckets.next(), Some((0.002_560, 0.003_072, 98)));
        assert_eq!(buckets.map(|(_, _, count)| count).collect::<Vec<_>>(), [1, 1]);
        let buckets: Vec<_> = lives.buckets().collect();
        assert!(buckets.windows(2).all(|pair| (pair[0].1 - pair[1].0).abs() < 1e-9), "they touch");
    }

    #[test]
    fn every_time_lies_in_its_bucket() {
        for micros in (0..2_000_u64).chain((11..32).flat_map(|bits| [(1 << bits) - 1, 1 << bits])) {
            let mut lives = Lifetimes::default();
            lives.add(Duration::from_micros(micros));
            let bucket = lives.0.iter().position(|&count| count == 1).expect("counted");
            let (start, width) = Lifetimes::place(bucket);
            assert!((start..start + width).contains(&micros), "{micros}: {start} + {width}");
        }
        let mut long = Lifetimes::default();
        long.add(Duration::from_micros(1 << 32));
        assert_eq!(long.0[Lifetimes::BUCKETS - 1], 1);
    }
}
