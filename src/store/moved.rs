//! Which counters have moved lately: one that moves now and then does so all the while.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::Moment;

/// When counters moved last.
#[derive(Debug, Default)]
pub(super) struct Moved {
    last: BTreeMap<Arc<str>, Duration>,
    names: Arc<[Arc<str>]>,
}

impl Moved {
    /// What moved so long ago has come to rest.
    const REST: Duration = Duration::from_secs(10);

    /// Takes in the rates of `moment`; yields the names of those that moved lately, in order. Several moments share them.
    pub(super) fn push(&mut self, moment: &Moment) -> Arc<[Arc<str>]> {
        let now = moment.sample.stamp.since_boot;
        let rates = moment.sample.counters.iter().zip(&moment.counter_rates);
        for ((name, _), _) in rates.filter(|(_, rate)| rate.is_some_and(|rate| rate > 0.0)) {
            match self.last.get_mut(name) {
                Some(last) => *last = now,
                None => drop(self.last.insert(Arc::clone(name), now)),
            }
        }
        self.last.retain(|_, last| now.saturating_sub(*last) < Self::REST);
        if !self.names.iter().eq(self.last.keys()) {
            self.names = self.last.keys().map(Arc::clone).collect();
        }
        Arc::clone(&self.names)
    }
}
