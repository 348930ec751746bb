//! The last 15 minutes of counts and rates: for the whole, and for the processes and peers that matter.

use std::{collections::VecDeque, net::IpAddr};

use super::{
    Aggregate, Moment, PeerKey, PeerRow, PortTrend, ProcessRow, Series,
    follow::{Followed, Row},
    port_trend::PortTrends,
    rise,
};
use crate::model::{Endpoint, ProcKey, Stamp, StateCounts, TcpState};

/// How one subject (the whole, a process, a peer) went over time; every series has one value a sample,
/// and all series of a history end at the same sample.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    states: Vec<(TcpState, Series)>,
    /// Connections begun per second. Of the whole: by `connect()`, from the exact counter.
    pub opened: Series,
    /// Connections ended per second.
    pub closed: Series,
    /// Connections accepted per second (whole only).
    pub accepted: Series,
    /// Entries into `TIME_WAIT` per second (whole only; the exact counter).
    pub time_wait_entries: Series,
    /// Seconds from the sample before to each, newest last; NaN where not known.
    gaps: VecDeque<f32>,
}

/// The time series.
///
/// Of processes and peers those with the most sockets, openings and closes are followed; one that is
/// followed stays so until it has had nothing for two minutes, or another is twice as busy and there is no
/// room. A series begins when its subject was first followed.
#[derive(Debug, Clone)]
pub struct History {
    totals: Activity,
    stamps: VecDeque<Stamp>,
    /// The stamp of the first sample there ever was.
    began: Option<Stamp>,
    /// How many samples there were.
    pushed: u64,
    processes: Followed<ProcKey>,
    peers: Followed<PeerKey>,
    ports: PortTrends,
    /// How many values of `closes` were estimated, and how many values it was given.
    estimated: usize,
    given: usize,
}

impl Default for History {
    fn default() -> Self {
        Self {
            totals: Activity::default(),
            stamps: VecDeque::new(),
            began: None,
            pushed: 0,
            processes: Followed::new(Self::PROCESSES),
            peers: Followed::new(Self::PEERS),
            ports: PortTrends::default(),
            estimated: 0,
            given: 0,
        }
    }
}

impl History {
    /// At most so many processes are followed.
    pub const PROCESSES: usize = 64;
    /// At most so many peers are followed.
    pub const PEERS: usize = 128;
    /// At most so many destinations are followed.
    pub const DESTINATIONS: usize = PortTrends::MOST;
    /// Over how many samples a rate that is shown as a figure is smoothed.
    pub const SMOOTHING: usize = 5;

    /// Folds the newest moment in.
    pub fn push(&mut self, moment: &Moment) {
        let elapsed = moment.elapsed_s.map(narrow);
        if self.stamps.len() == Series::CAPACITY {
            self.stamps.pop_front();
        }
        let first = self.stamps.is_empty();
        self.stamps.push_back(moment.sample.stamp);
        self.began.get_or_insert(moment.sample.stamp);
        self.pushed += 1;
        let (totals, rates) = (&moment.totals, moment.rates);
        let per_s = [rates.opened, rates.closed].map(|rate| rate.map(narrow));
        self.totals.push(&totals.states, per_s, elapsed);
        self.totals.accepted.push(rates.accepted.map(narrow));
        if first {
            self.estimate_closes(totals, moment.sample.cost.interval.as_secs_f64());
        } else {
            self.totals.time_wait_entries.push(rates.time_wait.map(narrow));
            self.given += 1;
        }
        self.processes.push(totals.processes.iter().map(process_row), elapsed);
        self.peers.push(totals.peers.iter().map(peer_row), elapsed);
        self.ports.push(&totals.destinations, moment.sample.complete);
    }

    /// The whole namespace.
    #[must_use]
    pub fn totals(&self) -> &Activity {
        &self.totals
    }

    /// One process, if it is among those that are followed.
    #[must_use]
    pub fn process(&self, key: ProcKey) -> Option<&Activity> {
        self.processes.get(&key)
    }

    /// One peer, if it is among those that are followed.
    #[must_use]
    pub fn peer(&self, key: &PeerKey) -> Option<&Activity> {
        self.peers.get(key)
    }

    /// The ports of one destination, from one of our addresses, if it is among those that are followed.
    #[must_use]
    pub fn ports(&self, source: IpAddr, peer: Endpoint) -> Option<&PortTrend> {
        self.ports.get(source, peer)
    }

    /// Closes per second over the last 60 s and more, oldest first: what the `TIME_WAIT`s of the first sample told of
    /// the time before it ("surviving closes"), then the exact entries per second.
    #[must_use]
    pub fn closes(&self) -> &Series {
        &self.totals.time_wait_entries
    }

    /// How many of the oldest values of [`Self::closes`] are surviving closes: a lower bound, since some
    /// `TIME_WAIT`s go early. The last of them ends at the first sample.
    #[must_use]
    pub fn closes_estimated(&self) -> usize {
        let dropped = self.given - self.closes().len();
        self.estimated.saturating_sub(dropped)
    }

    /// The stamps of the samples, oldest first, the last for the newest value of every series. They are not
    /// evenly spaced: intervals are stretched when sampling is dear, and dumps may fail.
    #[must_use]
    pub fn stamps(&self) -> impl ExactSizeIterator<Item = &Stamp> + DoubleEndedIterator {
        self.stamps.iter()
    }

    /// The stamp of the first sample there ever was, kept or not.
    #[must_use]
    pub fn began(&self) -> Option<Stamp> {
        self.began
    }

    /// How many samples there were, kept or not.
    #[must_use]
    pub fn pushed(&self) -> u64 {
        self.pushed
    }

    /// How many samples are newer than the one of `stamp`.
    #[must_use]
    pub fn behind(&self, stamp: &Stamp) -> usize {
        self.stamps.iter().rev().take_while(|newer| newer.since_boot > stamp.since_boot).count()
    }

    /// Since when the number of sockets in `state` has been rising: when it was last near its usual low,
    /// if it is now at least half as much again, 20 sockets above it, and not well below its highest since.
    /// `None` if it is not up. The usual low is what a tenth of the samples kept lie below, so a rise that
    /// began before the first sample is not known as one.
    #[must_use]
    pub fn risen_since(&self, state: TcpState) -> Option<Stamp> {
        self.rise_in(&self.totals, state).map(|(since, _)| since)
    }

    /// As [`Self::risen_since`], of the whole, a process or a peer of this history; and how many samples ago that was.
    #[must_use]
    pub fn rise_in(&self, activity: &Activity, state: TcpState) -> Option<(Stamp, usize)> {
        self.rise_back(activity, state, 0)
    }

    /// As [`Self::rise_in`], as it was `behind` samples ago, as far as the series still tell.
    #[must_use]
    pub fn rise_back(&self, activity: &Activity, state: TcpState, behind: usize) -> Option<(Stamp, usize)> {
        let series = activity.state(state)?;
        let values: Vec<f32> =
            series.last(Series::CAPACITY).take(series.len().saturating_sub(behind)).flatten().collect();
        let start = rise::start_of_rise(&values)?;
        let samples = values.len() - 1 - start;
        // All series end at the newest sample, like the stamps.
        let index = self.stamps.len().checked_sub(1 + behind + samples)?;
        Some((*self.stamps.get(index)?, samples))
    }

    /// Spreads the surviving closes over the samples that were not taken, `interval_s` apart.
    fn estimate_closes(&mut self, totals: &Aggregate, interval_s: f64) {
        let interval_s = if interval_s > 0.0 { interval_s } else { 1.0 };
        let per_s = surviving_closes(&totals.ages, interval_s);
        self.estimated = per_s.len();
        self.given = per_s.len().max(1);
        if per_s.is_empty() {
            self.totals.time_wait_entries.push(None);
        }
        // At less than 67 ms a sample, a minute is more than a series holds: the oldest fall out at once.
        for rate in per_s {
            self.totals.time_wait_entries.push(Some(narrow(rate)));
        }
    }
}

/// Closes per second in each whole interval of the last minute, oldest first, of `TIME_WAIT`s by age in
/// seconds. Those of 60 s and over are due and tell no time.
fn surviving_closes(ages: &[u32], interval_s: f64) -> Vec<f64> {
    let younger_than = |age_s: f64| {
        let mut sum = 0.0;
        for (second, &count) in (0_u8..60).zip(ages) {
            sum += f64::from(count) * (age_s - f64::from(second)).clamp(0.0, 1.0);
        }
        sum
    };
    let mut rates = Vec::new();
    let (mut from, mut counted) = (0.0, 0.0);
    while from + interval_s <= 60.0 + 1e-9 && rates.len() < Series::CAPACITY {
        let so_far = younger_than(from + interval_s);
        rates.push((so_far - counted) / interval_s);
        (from, counted) = (from + interval_s, so_far);
    }
    rates.reverse();
    rates
}

fn process_row(row: &ProcessRow) -> Row<'_, ProcKey> {
    Row { key: row.process.key, states: &row.states, opened: row.opened, closed: row.closed }
}

fn peer_row(row: &PeerRow) -> Row<'_, PeerKey> {
    Row { key: row.key, states: &row.states, opened: row.opened, closed: row.closed }
}

impl Activity {
    /// Changes and smoothed rates look back over at most so many samples.
    pub const LOOK_BACK: usize = 60;

    /// The count of sockets in `state`; `None` if there never was one.
    #[must_use]
    pub fn state(&self, state: TcpState) -> Option<&Series> {
        self.states.iter().find(|(s, _)| *s == state).map(|(_, series)| series)
    }

    /// The change of the count in `state` per second over the last `samples` samples; `None` until two came. Both ends
    /// are means, of up to four samples each: the kernel takes `TIME_WAIT`s away every two seconds, which is no news.
    #[must_use]
    pub fn change_per_s(&self, state: TcpState, samples: usize) -> Option<f32> {
        self.change_back(state, samples, 0)
    }

    /// As [`Self::change_per_s`], as it was `behind` samples ago.
    #[must_use]
    pub fn change_back(&self, state: TcpState, samples: usize, behind: usize) -> Option<f32> {
        let before = self.opened.len().checked_sub(behind.checked_add(1)?)?;
        let steps = samples.min(before).min(Self::LOOK_BACK);
        self.change_between(state, behind, steps, whole_pairs(steps.div_ceil(2).min(4)))
    }

    /// The change of the count in `state` per second, from the mean of some samples to that of as many after them, as
    /// it was `behind` samples ago: of four samples each and of four seconds, two rounds of the kernel's, or of what
    /// there is. `None` until four came.
    #[must_use]
    pub fn recent_change(&self, state: TcpState, behind: usize) -> Option<f32> {
        let samples = self.opened.len().checked_sub(behind)?.min(Self::LOOK_BACK);
        let gap = self.gaps.iter().rev().nth(behind).copied().filter(|gap| *gap > 0.0)?;
        let within = (4..=samples).find(|count| gap * count_f32(u32::try_from(*count).unwrap_or(0)) >= 4.0);
        let each = whole_pairs(within.unwrap_or(samples).min(samples / 2));
        // Less than a round of the kernel's tells nothing.
        if each < 2 || gap * count_f32(u32::try_from(each).unwrap_or(0)) < 2.0 {
            None
        } else {
            self.change_between(state, behind, 2 * each - 1, each)
        }
    }

    /// The change per second from the mean of the oldest `each` of `steps` + 1 samples to that of the newest.
    fn change_between(&self, state: TcpState, behind: usize, steps: usize, each: usize) -> Option<f32> {
        let gaps: Vec<f32> = self.gaps.iter().rev().skip(behind).take(steps).copied().collect();
        // How long before the newest each sample was.
        let mut ages = vec![0.0];
        ages.extend(gaps.iter().scan(0.0, |age, gap| {
            *age += gap;
            Some(*age)
        }));
        let mean = |values: &[f32]| values.iter().sum::<f32>() / count_f32(u32::try_from(each).unwrap_or(1));
        let oldest = ages.len().checked_sub(each)?;
        let seconds = mean(&ages[oldest..]) - mean(&ages[..each]);
        if seconds.is_nan() || seconds <= 0.0 {
            return None;
        }
        let Some(series) = self.state(state) else { return Some(0.0) };
        let counts: Option<Vec<f32>> = (0..=steps).map(|back| series.back(behind + back)).collect();
        let counts = counts?;
        Some((mean(&counts[..each]) - mean(&counts[oldest..])) / seconds)
    }

    /// Connections begun per second, over the last `samples` samples; `None` if not known of any.
    #[must_use]
    pub fn opened_per_s(&self, samples: usize) -> Option<f32> {
        self.smoothed(&self.opened, samples)
    }

    /// Connections ended per second, over the last `samples` samples; `None` if not known of any.
    #[must_use]
    pub fn closed_per_s(&self, samples: usize) -> Option<f32> {
        self.smoothed(&self.closed, samples)
    }

    /// The mean of the newest rates, each for as long as it held. Samples without one are left out.
    fn smoothed(&self, rates: &Series, samples: usize) -> Option<f32> {
        let newest = rates.last(samples.min(Self::LOOK_BACK)).rev().zip(self.gaps.iter().rev());
        let known = newest.filter_map(|(rate, &gap)| Some((rate?, gap))).filter(|(_, gap)| !gap.is_nan());
        let (count, seconds) = known.fold((0.0, 0.0), |(n, s), (rate, gap)| (n + rate * gap, s + gap));
        (seconds > 0.0).then(|| count / seconds)
    }

    /// How much one of its rates amounts to from the sample that is `older` samples before the newest to the one that is `newer`
    /// before it; `None` unless all of that time is known.
    #[must_use]
    pub fn amount(&self, rates: &Series, older: usize, newer: usize) -> Option<f64> {
        let gap = |behind: usize| self.gaps.iter().rev().nth(behind).copied().filter(|gap| !gap.is_nan());
        let counted = |behind| Some(f64::from(rates.back(behind)?) * f64::from(gap(behind)?));
        (newer..older).map(counted).sum()
    }

    /// Adds the newest sample: what `counts` counts, `elapsed_s` seconds after the one before.
    pub fn push_counts(&mut self, counts: &Aggregate, elapsed_s: Option<f64>) {
        let seconds = elapsed_s.filter(|&seconds| seconds > 0.0);
        let per_s = [counts.opened, counts.closed]
            .map(|count| seconds.map(|seconds| narrow(f64::from(count) / seconds)));
        self.push(&counts.states, per_s, elapsed_s.map(narrow));
    }

    /// Adds the newest sample: counts, openings and closes per second, and how long since the one before.
    pub(super) fn push(
        &mut self,
        states: &StateCounts,
        [opened, closed]: [Option<f32>; 2],
        elapsed: Option<f32>,
    ) {
        let before = self.opened.len();
        for (state, count) in states.iter() {
            let known = self.states.iter().position(|&(known, _)| known == state);
            let index = match known {
                Some(index) => index,
                None if count == 0 => continue,
                None => {
                    self.states.push((state, Series::zeros(before)));
                    self.states.len() - 1
                }
            };
            self.states[index].1.push(Some(count_f32(count)));
        }
        self.opened.push(opened);
        self.closed.push(closed);
        if self.gaps.len() == Series::CAPACITY {
            self.gaps.pop_front();
        }
        self.gaps.push_back(elapsed.unwrap_or(f32::NAN));
    }
}

/// One, or an even number: at one sample a second, every second one comes after `TIME_WAIT`s were taken away.
const fn whole_pairs(count: usize) -> usize {
    if count < 2 { 1 } else { count & !1 }
}

#[expect(clippy::cast_possible_truncation, reason = "a series is drawn: seven digits are enough")]
pub(super) const fn narrow(value: f64) -> f32 {
    value as f32
}

pub(super) fn count_f32(count: u32) -> f32 {
    narrow(f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ages(counts: &[(usize, u32)]) -> Vec<u32> {
        let mut ages = vec![0; Aggregate::AGES];
        for &(age, count) in counts {
            ages[age] = count;
        }
        ages
    }

    #[test]
    fn surviving_closes_follow_the_interval() {
        let ages = ages(&[(0, 4), (1, 2), (59, 6), (60, 1000)]);
        let at = |interval_s: f64| surviving_closes(&ages, interval_s);
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");

        let one = at(1.0);
        assert_eq!(one.len(), 60);
        for (i, rate) in [(59, 4.0), (58, 2.0), (57, 0.0), (0, 6.0)] {
            close(one[i], rate);
        }
        let two = at(2.0);
        assert_eq!(two.len(), 30);
        for (i, rate) in [(29, 3.0), (28, 0.0), (0, 3.0)] {
            close(two[i], rate);
        }
        let half = at(0.5);
        assert_eq!(half.len(), 120);
        for (i, rate) in [(119, 4.0), (118, 4.0), (117, 2.0)] {
            close(half[i], rate);
        }
        for interval_s in [0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 20.0] {
            close(at(interval_s).iter().sum::<f64>() * interval_s, 12.0);
        }
        assert!(at(61.0).is_empty());
    }

    #[test]
    fn a_state_that_comes_late_is_filled_up_with_zeros() {
        let mut activity = Activity::default();
        let mut states = StateCounts::default();
        for count in [0, 0, 3_u32, 5] {
            states[TcpState::CloseWait] = count;
            activity.push(&states, [None, None], Some(2.0));
        }
        let series = activity.state(TcpState::CloseWait).expect("it came");
        assert_eq!(series.last(10).collect::<Vec<_>>(), [0.0, 0.0, 3.0, 5.0].map(Some));
        assert_eq!(activity.state(TcpState::TimeWait), None);
        assert_eq!(activity.change_per_s(TcpState::CloseWait, 1), Some(1.0));
        assert_eq!(activity.change_per_s(TcpState::CloseWait, 2), Some(1.25));
        assert_eq!(activity.change_per_s(TcpState::CloseWait, 100), Some(1.0));
        assert_eq!(activity.change_per_s(TcpState::TimeWait, 5), Some(0.0));
        assert_eq!(Activity::default().change_per_s(TcpState::TimeWait, 5), None);
        // One sample ago the newest change was that from 0 to 3, and three ago there was none yet.
        assert_eq!(activity.change_back(TcpState::CloseWait, 1, 1), Some(1.5));
        assert_eq!(activity.change_back(TcpState::CloseWait, 5, 2), Some(0.0));
        assert_eq!(activity.change_back(TcpState::CloseWait, 5, 3), None);
        assert_eq!(activity.change_back(TcpState::CloseWait, 5, 9), None);
    }

    #[test]
    fn what_the_kernel_takes_away_by_rounds_is_no_change() {
        // 48 a second for 60 s, taken away every 2.048 s, and looked at at several intervals.
        for interval in [0.25_f32, 0.5, 1.0, 1.5, 2.0, 5.0] {
            let mut activity = Activity::default();
            for sample in 0..200_u16 {
                let at = f32::from(sample) * interval;
                let mut states = StateCounts::default();
                let above =
                    [(); 50].iter().zip(1_u8..).filter(|((), n)| at % 2.048 * 24.0 >= f32::from(*n)).count();
                states[TcpState::TimeWait] = 2_880 + 2 * u32::try_from(above).expect("few");
                activity.push(&states, [None, None], (sample > 0).then_some(interval));
                let change = activity.recent_change(TcpState::TimeWait, 0).unwrap_or(0.0);
                // Less than half of a hundredth of the count.
                assert!(change.abs() < 14.4 || at < 8.0, "every {interval}: {change} at {at}");
            }
        }
    }

    #[test]
    fn a_slow_leak_is_a_change_from_the_fourth_sample_on() {
        let mut activity = Activity::default();
        let mut states = StateCounts::default();
        let changes = [3, 6, 9, 12, 15_u32, 18, 21, 24, 27, 30].map(|count| {
            states[TcpState::CloseWait] = count;
            activity.push(&states, [None, None], Some(5.0));
            activity.recent_change(TcpState::CloseWait, 0)
        });
        assert_eq!(changes[..3], [None; 3]);
        assert!(
            changes[3..].iter().all(|change| change.is_some_and(|c| (c - 0.6).abs() < 1e-4)),
            "{changes:?}"
        );
        assert_eq!(activity.recent_change(TcpState::CloseWait, 7), None);
    }

    #[test]
    fn what_a_rate_amounts_to_is_known_if_all_of_it_is() {
        let mut activity = Activity::default();
        let states = StateCounts::default();
        for (closed, seconds) in [(None, None), (Some(10.0), Some(1.0)), (Some(2.0), Some(3.0))] {
            activity.push(&states, [Some(1.0), closed], seconds);
        }
        let closed = |older, newer| activity.amount(&activity.closed, older, newer);
        assert_eq!((closed(2, 0), closed(1, 0), closed(2, 1)), (Some(16.0), Some(6.0), Some(10.0)));
        assert_eq!((closed(0, 0), closed(3, 0), closed(9, 1)), (Some(0.0), None, None));
    }

    #[test]
    fn a_rate_holds_for_as_long_as_its_interval() {
        let mut activity = Activity::default();
        let states = StateCounts::default();
        activity.push(&states, [None, None], None);
        assert_eq!(activity.closed_per_s(5), None);
        activity.push(&states, [Some(1.0), Some(10.0)], Some(1.0));
        activity.push(&states, [Some(1.0), Some(2.0)], Some(3.0));
        assert_eq!(activity.closed_per_s(5), Some(4.0));
        assert_eq!(activity.closed_per_s(1), Some(2.0));
        assert_eq!(activity.opened_per_s(5), Some(1.0));
    }
}
