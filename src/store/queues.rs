//! Accept queues that have been full lately.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use super::{Moment, Owned};
use crate::model::{Endpoint, Process, Stamp};

/// The accept queue of one listener that was full in the window.
#[derive(Debug, Clone)]
pub struct AcceptQueue {
    /// Where it listens.
    pub local: Endpoint,
    /// The processes that hold it.
    pub owners: Vec<Arc<Process>>,
    /// Connections that wait to be accepted now (`Recv-Q` of the listener).
    pub waiting: u32,
    /// The backlog (`Send-Q` of the listener): one more than this finds room (`sk_acceptq_is_full()`).
    pub backlog: u32,
    /// Since when there has been no room, in every moment up to the newest; `None` if there is some.
    pub full_since: Option<Stamp>,
    /// When it was as full as its backlog, with how many waiting, oldest first.
    brim: VecDeque<(Stamp, u32)>,
}

impl AcceptQueue {
    /// The most that waited in any moment of the window.
    #[must_use]
    pub fn most(&self) -> u32 {
        self.brim.iter().map(|(_, waiting)| *waiting).max().unwrap_or(self.waiting)
    }

    /// In how many moments of the window it was as full as its backlog.
    #[must_use]
    pub fn times_full(&self) -> usize {
        self.brim.len()
    }

    fn new(owned: &Owned<'_>) -> Self {
        Self {
            local: owned.socket.local(),
            owners: Vec::new(),
            waiting: 0,
            backlog: 0,
            full_since: None,
            brim: VecDeque::new(),
        }
    }

    fn see(&mut self, owned: &Owned<'_>, (waiting, backlog): (u32, u32), now: Stamp) {
        self.owners.clone_from(&owned.attribution.owners);
        (self.waiting, self.backlog) = (waiting, backlog);
        self.full_since = (waiting > backlog).then(|| self.full_since.unwrap_or(now));
        if is_brimful(waiting, backlog) {
            self.brim.push_back((now, waiting));
        }
    }
}

/// `listen(fd, 0)` has room for one: an empty queue is not full.
const fn is_brimful(waiting: u32, backlog: u32) -> bool {
    waiting > 0 && waiting >= backlog
}

/// The accept queues that were full in the window, by the cookie of their listener.
#[derive(Debug, Clone, Default)]
pub(super) struct Queues(BTreeMap<u64, AcceptQueue>);

impl Queues {
    /// At most so many are kept.
    const MAX: usize = 256;

    /// Adds the newest moment, and forgets what was before `window`.
    pub(super) fn push(&mut self, moment: &Moment, window: Duration) {
        let now = moment.sample.stamp;
        let before = std::mem::take(&mut self.0);
        for owned in moment.flows.listeners.iter().filter_map(|&index| moment.get(index as usize)) {
            let Some(detail) = owned.socket.detail() else { continue };
            let level = (detail.recv_q, detail.send_q);
            let cookie = owned.socket.row().cookie;
            let known = before.get(&cookie).cloned();
            if known.is_none() && (!is_brimful(level.0, level.1) || self.0.len() >= Self::MAX) {
                continue;
            }
            let mut queue = known.unwrap_or_else(|| AcceptQueue::new(&owned));
            queue.see(&owned, level, now);
            queue.brim.retain(|(stamp, _)| now.seconds_since(stamp) < window.as_secs_f64());
            if !queue.brim.is_empty() {
                self.0.insert(cookie, queue);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &AcceptQueue> {
        self.0.values()
    }
}
