//! Which processes and peers are followed over time.

use std::hash::Hash;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{Activity, history::count_f32};
use crate::model::StateCounts;

/// What one sample says of a subject.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'a, K> {
    pub(super) key: K,
    pub(super) states: &'a StateCounts,
    pub(super) opened: u32,
    pub(super) closed: u32,
}

impl<K> Row<'_, K> {
    /// How much goes on with it.
    fn weight(&self) -> f32 {
        count_f32(self.states.total().saturating_add(self.opened).saturating_add(self.closed))
    }

    fn per_s(&self, elapsed: Option<f32>) -> [Option<f32>; 2] {
        let seconds = elapsed.filter(|&s| s > 0.0);
        [self.opened, self.closed].map(|count| seconds.map(|s| count_f32(count) / s))
    }
}

/// The busiest subjects, and how they went. A busy one pushes out one that is not half as busy, so that
/// two of nearly equal weight do not take turns.
#[derive(Debug, Clone)]
pub(super) struct Followed<K> {
    subjects: HashMap<K, Subject, FixedState>,
    room: usize,
}

#[derive(Debug, Clone)]
struct Subject {
    activity: Activity,
    /// Smoothed over about ten samples.
    weight: f32,
    absent_s: f32,
    /// Whether the sample that is being folded in has it.
    present: bool,
}

impl<K: Copy + Ord + Hash> Followed<K> {
    /// A subject that has had nothing for so long is dropped.
    const PATIENCE_S: f32 = 120.0;

    pub(super) fn new(room: usize) -> Self {
        Self { subjects: HashMap::default(), room }
    }

    pub(super) fn get(&self, key: &K) -> Option<&Activity> {
        self.subjects.get(key).map(|subject| &subject.activity)
    }

    /// Adds the newest sample.
    pub(super) fn push<'a>(&mut self, rows: impl Iterator<Item = Row<'a, K>>, elapsed: Option<f32>)
    where
        K: 'a,
    {
        let mut others = Vec::new();
        for row in rows {
            match self.subjects.get_mut(&row.key) {
                Some(subject) => subject.push(&row, elapsed),
                None => others.push(row),
            }
        }
        self.push_absent(elapsed);
        others.sort_by(|a, b| b.weight().total_cmp(&a.weight()).then(a.key.cmp(&b.key)));
        for row in others {
            if !self.make_room(row.weight()) {
                break;
            }
            let mut subject = Subject {
                activity: Activity::default(),
                weight: row.weight(),
                absent_s: 0.0,
                present: false,
            };
            subject.activity.push(row.states, row.per_s(elapsed), elapsed);
            self.subjects.insert(row.key, subject);
        }
    }

    fn push_absent(&mut self, elapsed: Option<f32>) {
        let nothing = StateCounts::default();
        self.subjects.retain(|&key, subject| {
            if !std::mem::take(&mut subject.present) {
                let row = Row { key, states: &nothing, opened: 0, closed: 0 };
                let absent_s = subject.absent_s + elapsed.unwrap_or(0.0);
                subject.push(&row, elapsed);
                (subject.present, subject.absent_s) = (false, absent_s);
            }
            subject.absent_s <= Self::PATIENCE_S
        });
    }

    /// Makes room for a subject of `weight`, if it is worth it.
    fn make_room(&mut self, weight: f32) -> bool {
        if self.subjects.len() < self.room {
            return true;
        }
        let order = |a: &(&K, &Subject), b: &(&K, &Subject)| {
            a.1.weight.total_cmp(&b.1.weight).then_with(|| b.0.cmp(a.0))
        };
        let Some((&least, subject)) = self.subjects.iter().min_by(order) else { return false };
        let worth_it = weight > 2.0 * subject.weight;
        if worth_it {
            self.subjects.remove(&least);
        }
        worth_it
    }
}

impl Subject {
    fn push<K>(&mut self, row: &Row<'_, K>, elapsed: Option<f32>) {
        self.activity.push(row.states, row.per_s(elapsed), elapsed);
        self.weight += 0.1 * (row.weight() - self.weight);
        self.absent_s = 0.0;
        self.present = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TcpState;

    fn push(followed: &mut Followed<u32>, counts: &[(u32, u32)]) {
        let states: Vec<StateCounts> = counts
            .iter()
            .map(|&(_, count)| {
                let mut states = StateCounts::default();
                states[TcpState::Established] = count;
                states
            })
            .collect();
        let rows = counts.iter().zip(&states);
        let rows = rows.map(|(&(key, _), states)| Row { key, states, opened: 3, closed: 6 });
        followed.push(rows, Some(2.0));
    }

    #[test]
    fn the_busiest_are_followed_and_equals_do_not_take_turns() {
        let mut followed = Followed::new(2);
        push(&mut followed, &[(1, 100), (2, 50), (3, 49)]);
        assert!(followed.get(&1).is_some() && followed.get(&2).is_some() && followed.get(&3).is_none());
        push(&mut followed, &[(1, 100), (2, 50), (3, 60)]);
        assert!(followed.get(&3).is_none());
        push(&mut followed, &[(1, 100), (2, 50), (3, 600)]);
        assert!(followed.get(&3).is_some() && followed.get(&2).is_none());
        let first = followed.get(&1).expect("followed");
        assert_eq!((first.opened.len(), first.closed.newest()), (3, Some(3.0)));
        assert_eq!(followed.get(&3).expect("followed").opened.len(), 1);
    }

    #[test]
    fn one_that_went_is_zero_for_two_minutes_and_then_dropped() {
        let mut followed = Followed::new(2);
        push(&mut followed, &[(1, 100)]);
        for _ in 0..60 {
            push(&mut followed, &[]);
        }
        let gone = followed.get(&1).expect("still followed");
        assert_eq!(gone.state(TcpState::Established).and_then(super::super::Series::newest), Some(0.0));
        assert_eq!(gone.closed.newest(), Some(0.0));
        push(&mut followed, &[]);
        assert!(followed.get(&1).is_none());
    }
}
