//! The last 15 minutes of counts and rates: for the whole, and for the processes and peers that matter.

use super::{Moment, PeerKey, Series};
use crate::model::{ProcKey, TcpState};

/// How one subject (the whole, a process, a peer) went over time; every series has one value a sample,
/// and all series of a history end at the same sample.
#[derive(Debug, Clone, Default)]
pub struct Activity {
    states: Vec<(TcpState, Series)>,
    /// Connections begun per second.
    pub opened: Series,
    /// Connections ended per second.
    pub closed: Series,
    /// Connections accepted per second (whole only).
    pub accepted: Series,
    /// Entries into `TIME_WAIT` per second (whole only; the exact counter).
    pub time_wait_entries: Series,
}

/// The time series.
#[derive(Debug, Clone, Default)]
pub struct History {
    totals: Activity,
}

impl History {
    /// Folds the newest moment in.
    pub fn push(&mut self, moment: &Moment) {
        let _ = moment;
    }

    /// The whole namespace.
    #[must_use]
    pub fn totals(&self) -> &Activity {
        &self.totals
    }

    /// One process, if it is among those that are followed.
    #[must_use]
    pub fn process(&self, key: ProcKey) -> Option<&Activity> {
        let _ = key;
        None
    }

    /// One peer, if it is among those that are followed.
    #[must_use]
    pub fn peer(&self, key: &PeerKey) -> Option<&Activity> {
        let _ = key;
        None
    }

    /// Closes per second over the last 60 s and more, oldest first: what the TIME_WAITs of the first sample told of
    /// the time before it ("surviving closes"), then the exact entries per second.
    #[must_use]
    pub fn closes(&self) -> &Series {
        &self.totals.time_wait_entries
    }
}

impl Activity {
    /// The count of sockets in `state`; `None` if there never was one.
    #[must_use]
    pub fn state(&self, state: TcpState) -> Option<&Series> {
        self.states.iter().find(|(s, _)| *s == state).map(|(_, series)| series)
    }

    /// The change of the count in `state` per second over the last `samples` samples; `None` until two came.
    #[must_use]
    pub fn change_per_s(&self, state: TcpState, samples: usize) -> Option<f32> {
        let _ = (state, samples);
        None
    }
}
