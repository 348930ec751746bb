//! What the trace adds to a sample: who opened and closed its sockets, and what opened and closed meanwhile.

use std::{sync::Arc, time::Duration};

use super::{
    TraceActivity, TraceCounts,
    memory::{Told, Trace},
    people::People,
    trace_join::{Cause, Phase, Sighting, TraceGap, TraceJoin},
};
use crate::model::{Process, Sample, SocketRef, Stamp, TcpState, TraceTally};

/// A `TIME_WAIT` that is due says this age, whatever its age.
const DUE_MS: u32 = 60_000;

/// What the trace told since the sample before.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Traced {
    /// The sums since tracing began.
    pub tally: TraceTally,
    /// What opened, closed and failed since the sample before; `None` if the trace does not cover all of that
    /// time, or records of it were lost.
    pub activity: Option<TraceActivity>,
    /// The counts of that, by process, in the order of their keys.
    pub processes: Vec<(Arc<Process>, TraceCounts)>,
}

impl Traced {
    /// How many connections a process that is known closed first, each an entry into `TIME_WAIT` if it
    /// was not reset after that. `None` if that is not known for all of the time.
    #[must_use]
    pub fn named_closes(&self) -> Option<u64> {
        self.activity.as_ref().map(|_| self.processes.iter().map(|(_, counts)| counts.closed).sum())
    }
}

/// The trace as it may be asked about the sockets of one sample.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tracing<'a> {
    join: &'a TraceJoin,
    sample: &'a Sample,
    begin: Duration,
}

impl<'a> Tracing<'a> {
    pub(super) fn new(join: &'a TraceJoin, sample: &'a Sample) -> Self {
        let begin = sample.stamp.since_boot.saturating_sub(sample.cost.dump);
        Self { join, sample, begin }
    }

    /// What there is to tell of a connection beyond what was told `before`. What was told stays.
    pub(super) fn ask(&self, socket: SocketRef<'_>, before: Trace, people: &mut People) -> Trace {
        let Trace { mut opener, mut closer } = before;
        let Some(seen) = self.sighting(socket) else { return before };
        let (local, peer) = (socket.local(), socket.peer());
        if opener == Told::NotYet {
            opener = self.told(self.join.opener(local, peer, &seen), people);
        }
        if closer == Told::NotYet && seen.phase != Phase::Open {
            closer = self.told(self.join.closer(local, peer, &seen), people);
        }
        Trace { opener, closer }
    }

    /// How the socket was seen; `None` if the trace has nothing to say of such a one.
    fn sighting(&self, socket: SocketRef<'_>) -> Option<Sighting> {
        let Stamp { since_boot: end, .. } = self.sample.stamp;
        let row = socket.row();
        let phase = match (row.state, row.time_wait_age_ms()) {
            (_, Some(age_ms)) => {
                let entered = end.saturating_sub(Duration::from_millis(age_ms.into()));
                // Nothing is known of the minute before the trace began, nor how old is what is due.
                let since = self.join.since()?;
                if age_ms >= DUE_MS || entered <= since {
                    return None;
                }
                Phase::TimeWait(entered)
            }
            (TcpState::FinWait1 | TcpState::FinWait2 | TcpState::Closing, None) => Phase::Closing,
            (TcpState::SynSent | TcpState::SynRecv, None) => return None,
            _ => Phase::Open,
        };
        Some(Sighting { begin: self.begin, end, phase })
    }

    fn told(&self, answer: Result<Cause, TraceGap>, people: &mut People) -> Told {
        match answer {
            Ok(cause) => Told::By(people.traced(&cause.process, self.sample.stamp, |uid| {
                let users = self.sample.processes.iter().map(|seen| &seen.process);
                users.into_iter().find(|process| process.uid == uid).map(|process| process.user.clone())
            })),
            Err(TraceGap::NotYet) => Told::NotYet,
            Err(TraceGap::Remote) => Told::Remote,
            Err(_) => Told::Nothing,
        }
    }
}
