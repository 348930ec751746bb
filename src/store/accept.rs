//! Who may have accepted a connection, given when it was there to be accepted.
//!
//! A listener is evidence only for what it can have accepted. A service restarts, and the port is that of
//! another process; a worker is replaced, and the new one holds the same listener. So every answer is for a
//! [`Window`] of time, and what began after the window is no part of it.

use std::time::Duration;

use super::{
    listeners::Listener,
    people::{People, SetId},
};
use crate::model::{ProcKey, Unknown};

/// When a connection was closed, as far as known; it was accepted before that. Times since boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    /// At this time or later.
    pub(super) earliest: Duration,
    /// At this time or before; for one that is not closed, now.
    pub(super) latest: Duration,
}

/// Processes of which one accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) set: SetId,
    /// Whether nobody else can have: if not, they are no more than candidates.
    pub(super) sure: bool,
}

/// Who accepted, if the local end is a listener's, or why nobody can be named.
pub(super) type Acceptors = Result<Accepted, Unknown>;

/// The listeners that match one local end, and who may have accepted there at what time.
#[derive(Debug)]
pub(super) struct Acceptance<'a> {
    /// By how specifically they match, the most specific first.
    matching: Vec<(u8, &'a Listener)>,
    /// The instants at which the answer may change, in order.
    turns: Vec<Duration>,
    /// The answers found so far, by how many turns came before either end of the window. There may be a
    /// million sockets at one port, and few turns.
    answers: Vec<([usize; 2], Option<Acceptors>)>,
}

impl<'a> Acceptance<'a> {
    pub(super) fn new(mut matching: Vec<(u8, &'a Listener)>, people: &People) -> Self {
        matching.sort_by_key(|&(rank, _)| std::cmp::Reverse(rank));
        let mut turns = Vec::new();
        for (_, listener) in &matching {
            turns.extend(listener.since.iter().flat_map(|since| [since.absent, since.first]));
            turns.push(listener.last);
            for holding in &listener.holders {
                turns.extend(holding.first);
                turns.extend(people.keys(holding.set).flat_map(started));
            }
        }
        turns.sort_unstable();
        turns.dedup();
        Self { matching, turns, answers: Vec::new() }
    }

    /// Who accepted a connection that was closed in `window`; `None` if nobody is known to have listened
    /// then.
    #[inline]
    pub(super) fn in_window(&mut self, window: Window, people: &mut People) -> Option<Acceptors> {
        let key = [window.earliest, window.latest].map(|at| self.turns.partition_point(|&turn| turn <= at));
        if let Some(&(_, known)) = self.answers.iter().find(|(of, _)| *of == key) {
            return known;
        }
        let found = self.find(window, people);
        self.answers.push((key, found));
        found
    }

    /// The most specific listener takes a connection (the kernel's `inet_lookup_listener`: address before
    /// wildcard, `AF_INET` before `AF_INET6`). A less specific one counts as well while that one may not
    /// have been there all the time, or not for every interface.
    fn find(&self, window: Window, people: &mut People) -> Option<Acceptors> {
        let possible = || self.matching.iter().filter(|(_, listener)| listener.may_precede(window.latest));
        let takes_all = possible().find(|(_, listener)| {
            let holders = listener.holders.iter().flat_map(|holding| people.keys(holding.set));
            listener.is_settled() && holders.into_iter().all(|key| is_sure_at(window.earliest, key))
        });
        let least = takes_all.map_or(0, |&(rank, _)| rank);
        let mut sets = Vec::new();
        let mut sure = true;
        for (_, listener) in possible().filter(|&&(rank, _)| rank >= least) {
            // With one listener whose holder is hidden, the others' holders are not the whole set.
            if listener.holders.is_empty() {
                return Some(Err(listener.reason));
            }
            sure &= listener.outlasts(window);
            for holding in &listener.holders {
                sure &= holding.is_whole && holding.first.is_none_or(|first| first <= window.earliest);
                // One that came later may have taken the place of another, which nobody knows any more.
                sure &= people.keys(holding.set).all(|key| is_sure_at(window.earliest, key));
                sets.extend(people.subset(holding.set, |key| started(key)[0] <= window.latest));
            }
        }
        people.union(&sets).map(|set| Ok(Accepted { set, sure }))
    }
}

/// Whether that process had started by then.
fn is_sure_at(at: Duration, key: ProcKey) -> bool {
    started(key)[1] <= at
}

/// Between which times since boot a process started.
fn started(key: ProcKey) -> [Duration; 2] {
    [key.started_since_boot(), key.started_since_boot() + ProcKey::TICK]
}
