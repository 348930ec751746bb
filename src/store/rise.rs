//! Since when a count has been rising.

/// Values at the end of which the middle one stands for "now", so that one odd sample decides nothing.
const NOW: usize = 5;
/// A rise of fewer sockets than this is not worth a word.
const LEAST: f32 = 20.0;

/// The index of the value where the present rise began: the last at which the count was still within a
/// tenth of the climb from its usual low to where it is now. `None` if it is not up now.
///
/// The low is the value that a tenth of all values lie below. A count is up when it is at least half as much again as
/// the low and [`LEAST`] above it, and at least four fifths of the highest since the rise began: what is on its
/// way down again does not rise.
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
    let start = values.iter().rposition(|&value| value <= foot)?;
    let highest = values[start..].iter().copied().fold(0.0, f32::max);
    (now >= 0.8 * highest).then_some(start)
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
        assert!((300..=306).contains(&start), "{start}");
        let start = start_of_rise(&ramp(300, 1000.0, 1)).map(|_| ());
        assert_eq!(start, None, "one odd value is no rise");
        let start = start_of_rise(&ramp(100, 2.0, 700)).expect("a slow leak rises");
        assert!((100..=175).contains(&start), "{start}");
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
