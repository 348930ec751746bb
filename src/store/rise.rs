//! Since when a count has been rising.

/// Values at the end of which the middle one stands for "now", so that one odd sample decides nothing.
const NOW: usize = 5;
/// A rise of fewer sockets than this is not worth a word.
const LEAST: f32 = 20.0;

/// How many sockets the climb brings within the stretches in which it is looked for backwards.
const CLIMBED: f32 = 4.0;
/// The longest such stretch, in values.
const LONGEST: usize = 120;

/// The index of the value at which the present rise began: the last one before the count began to climb, the first of all
/// if it climbed already then. `None` if it is not up now.
///
/// The low is the value that a tenth of all values lie below. A count is up when it is at least half as much again as
/// the low and [`LEAST`] above it, and at least four fifths of the highest since the rise began: what is on its
/// way down again does not rise. The climb has a foot, the last value that was still within a tenth of it from the low;
/// from there it is followed down to where it is level, as a tenth of a slow climb is a long time.
pub(super) fn start_of_rise(values: &[f32]) -> Option<usize> {
    if values.len() < NOW {
        return None;
    }
    let now = quantile(&values[values.len() - NOW..], 1, 2);
    let low = quantile(values, 1, 10);
    if now < 1.5 * low || now - low < LEAST {
        return None;
    }
    let foot = low + (now - low) / 10.0;
    let foot = values.iter().rposition(|&value| value <= foot)?;
    let highest = values[foot..].iter().copied().fold(0.0, f32::max);
    (now >= 0.8 * highest).then(|| bottom(values, foot, now))
}

/// Where the climb from the value at `foot` to `now` began: followed backwards while the count falls at a quarter of
/// the climb's pace at least, over stretches in which that can be told from noise.
fn bottom(values: &[f32], foot: usize, now: f32) -> usize {
    let pace = (now - values[foot]) / precise(values.len() - 1 - foot).max(1.0);
    let stretch = (NOW..LONGEST).find(|&stretch| pace * precise(stretch) >= CLIMBED).unwrap_or(LONGEST);
    let climbs = |at: usize| {
        let back = stretch.min(at);
        middle(values, at) - middle(values, at - back) >= pace * precise(back) / 4.0
    };
    let level = (1..=foot).rev().find(|&at| !climbs(at));
    match level {
        None => 0,
        Some(at) if at == foot => foot,
        // The last quarter of this stretch is of the climb.
        Some(at) => at.saturating_sub(stretch / 4),
    }
}

/// The middle one of the values around `at`.
fn middle(values: &[f32], at: usize) -> f32 {
    let around = at.saturating_sub(NOW / 2)..(at + NOW / 2 + 1).min(values.len());
    quantile(&values[around], 1, 2)
}

/// A number of values, of which there are never so many that one is lost.
fn precise(n: usize) -> f32 {
    f32::from(u16::try_from(n).unwrap_or(u16::MAX))
}

/// The value that `part` of every `of` values lie below.
fn quantile(values: &[f32], part: usize, of: usize) -> f32 {
    let mut sorted = values.to_vec();
    let middle = (sorted.len() * part / of).min(sorted.len() - 1);
    *sorted.select_nth_unstable_by(middle, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(flat: u16, per_sample: f32, samples: u16) -> Vec<f32> {
        let level = (0..flat).map(|n| 100.0 + f32::from(n % 7));
        level.chain((1..=samples).map(|n| 100.0 + per_sample * f32::from(n))).collect()
    }

    #[test]
    fn a_rise_begins_where_the_level_was_left() {
        let start = start_of_rise(&ramp(300, 50.0, 60)).expect("it rises");
        assert!((297..=301).contains(&start), "{start}");
        let start = start_of_rise(&ramp(300, 1000.0, 1)).map(|_| ());
        assert_eq!(start, None, "one odd value is no rise");
        let start = start_of_rise(&ramp(100, 2.0, 700)).expect("a slow leak rises");
        assert!((95..=105).contains(&start), "{start}");
    }

    #[test]
    fn a_straight_climb_began_at_its_bottom_and_goes_on_doing_so() {
        // One socket a second, with a sample that is late now and then.
        let late = |n: u16| if n % 11 == 3 { 2.0 } else { 0.0 };
        let ramp = |n: u16| 30.0 + f32::from(n) - late(n);
        for samples in [60, 200, 449, 460] {
            let values: Vec<f32> = [30.0; 250].into_iter().chain((1..=samples).map(ramp)).collect();
            let start = start_of_rise(&values).expect("it rises");
            assert!((245..=254).contains(&start), "{samples}: {start}");
        }
        let slow: Vec<f32> =
            [30.0; 250].into_iter().chain((1..600).map(|n| 30.0 + f32::from(n / 10_u16))).collect();
        let start = start_of_rise(&slow).expect("it rises");
        assert!((235..=265).contains(&start), "{start}");
        let from_the_first: Vec<f32> = (1..900).map(ramp).collect();
        assert_eq!(start_of_rise(&from_the_first), Some(0), "or before");
    }

    #[test]
    fn a_step_that_holds_is_since_the_step() {
        let mut values = vec![30.0; 200];
        values.extend([900.0; 400]);
        assert_eq!(start_of_rise(&values), Some(199));
        values.extend((1..=20).map(|n: u8| 900.0 - 30.0 * f32::from(n)));
        assert_eq!(start_of_rise(&values), None, "on its way down");
    }

    #[test]
    fn noise_and_levels_do_not_rise() {
        assert_eq!(start_of_rise(&[]), None);
        assert_eq!(start_of_rise(&[5000.0; 900]), None);
        assert_eq!(start_of_rise(&ramp(900, 0.0, 0)), None);
        let few: Vec<f32> = (0..60_u8).map(|n| f32::from(n % 20)).collect();
        assert_eq!(start_of_rise(&few), None, "few sockets");
        let falling: Vec<f32> = (0..200_u8).rev().map(f32::from).collect();
        assert_eq!(start_of_rise(&falling), None);
    }
}
