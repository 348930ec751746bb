//! How the rows of one moment differ from those of another.

use std::net::IpAddr;

use super::{DestinationRow, PeerKey, PeerRow, ProcessRow};
use crate::model::{Endpoint, Evidence, ProcKey, StateCounts};

/// How a row differs from the row of the same thing at another moment: by how many sockets, or ports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It was there then too: so many more it has now, fewer if negative.
    By(i64),
    /// It was not there then: all that it has is more.
    New(i64),
    /// It is not there now: all that it had is less.
    Gone(i64),
}

impl Change {
    /// From `then` to `now`; `None` where that is beyond any count.
    #[must_use]
    pub fn between(then: u64, now: u64) -> Option<Self> {
        let difference = i128::from(now) - i128::from(then);
        i64::try_from(difference).ok().map(Self::By)
    }

    /// How many more there are now.
    #[must_use]
    pub const fn by(self) -> i64 {
        match self {
            Self::By(by) | Self::New(by) | Self::Gone(by) => by,
        }
    }

    /// Whether there is no difference at all.
    #[must_use]
    pub const fn is_none(self) -> bool {
        matches!(self, Self::By(0))
    }

    /// Whether the row is not there now.
    #[must_use]
    pub const fn is_gone(self) -> bool {
        matches!(self, Self::Gone(_))
    }
}

/// Rows of a kind that can be compared with those of another moment.
pub trait Comparable: Clone {
    /// What tells what a row is about.
    type Key: Ord;

    /// What it is about.
    fn key(&self) -> Self::Key;

    /// What is compared: how many sockets, or ports, it has.
    fn size(&self) -> u32;

    /// Where the difference is noted.
    fn change_mut(&mut self) -> &mut Option<Change>;

    /// The row of what has nothing any more, but for what it opened and closed.
    #[must_use]
    fn emptied(&self) -> Self;

    /// Forgets what was opened and closed.
    fn calm(&mut self);
}

impl Comparable for ProcessRow {
    type Key = ProcKey;

    fn key(&self) -> ProcKey {
        self.process.key
    }

    fn size(&self) -> u32 {
        self.states.total()
    }

    fn change_mut(&mut self) -> &mut Option<Change> {
        &mut self.change
    }

    fn emptied(&self) -> Self {
        Self {
            states: StateCounts::default(),
            time_wait_evidence: [0; Evidence::ALL.len()],
            evidence: [0; Evidence::ALL.len()],
            fds: None,
            fd_limit: None,
            ..self.clone()
        }
    }

    fn calm(&mut self) {
        (self.opened, self.closed, self.lifetimes) = (0, 0, None);
    }
}

impl Comparable for PeerRow {
    type Key = PeerKey;

    fn key(&self) -> PeerKey {
        self.key
    }

    fn size(&self) -> u32 {
        self.states.total()
    }

    fn change_mut(&mut self) -> &mut Option<Change> {
        &mut self.change
    }

    fn emptied(&self) -> Self {
        Self { states: StateCounts::default(), evidence: [0; Evidence::ALL.len()], ..self.clone() }
    }

    fn calm(&mut self) {
        (self.opened, self.closed, self.lifetimes) = (0, 0, None);
    }
}

impl Comparable for DestinationRow {
    type Key = (IpAddr, Endpoint);

    fn key(&self) -> (IpAddr, Endpoint) {
        (self.source, self.peer)
    }

    fn size(&self) -> u32 {
        self.taken
    }

    fn change_mut(&mut self) -> &mut Option<Change> {
        &mut self.change
    }

    fn emptied(&self) -> Self {
        Self { taken: 0, time_wait: 0, ports: None, forecast: None, ..self.clone() }
    }

    fn calm(&mut self) {
        (self.opened, self.closed) = (0, 0);
    }
}

/// Rows of another moment, by what they are about.
#[derive(Debug, Clone, PartialEq)]
pub struct RowsThen<R> {
    rows: Vec<R>,
    /// Whether what is not among them had nothing.
    all: bool,
}

impl<R: Comparable> RowsThen<R> {
    /// `rows` of that moment; `all` if there were no others.
    #[must_use]
    pub fn new(mut rows: Vec<R>, all: bool) -> Self {
        rows.sort_unstable_by_key(R::key);
        Self { rows, all }
    }

    /// The row about `key`.
    #[must_use]
    pub fn get(&self, key: &R::Key) -> Option<&R> {
        let place = self.rows.binary_search_by(|row| row.key().cmp(key)).ok()?;
        self.rows.get(place)
    }

    /// Notes in each of the rows of now how it differs from the one of then, and adds those that are gone, the largest
    /// first. `all` if there are no other rows now. Where it cannot be known, no difference is noted and nothing is gone.
    pub fn compare(&self, now: &mut Vec<R>, all: bool) {
        for row in now.iter_mut() {
            let size = i64::from(row.size());
            let change = match self.get(&row.key()) {
                Some(then) => Some(Change::By(size - i64::from(then.size()))),
                None => self.all.then_some(Change::New(size)),
            };
            *row.change_mut() = change;
        }
        if all {
            now.extend(self.gone(now));
        }
    }

    fn gone(&self, now: &[R]) -> Vec<R> {
        let mut here: Vec<R::Key> = now.iter().map(R::key).collect();
        here.sort_unstable();
        let left =
            self.rows.iter().filter(|then| then.size() > 0 && here.binary_search(&then.key()).is_err());
        let mut left: Vec<&R> = left.collect();
        left.sort_by_key(|then| std::cmp::Reverse(then.size()));
        let gone = left.into_iter().map(|then| {
            let mut row = then.emptied();
            row.calm();
            *row.change_mut() = Some(Change::Gone(-i64::from(then.size())));
            row
        });
        gone.collect()
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::model::{Side, TcpState};

    fn row(port: u16, sockets: u32) -> PeerRow {
        let key = PeerKey { ip: Ipv4Addr::LOCALHOST.into(), port, side: Side::Client };
        let mut row = PeerRow { opened: 3, ..PeerRow::new(key) };
        (0..sockets).for_each(|_| row.states.add(TcpState::TimeWait));
        row
    }

    fn compared(
        then: &[PeerRow],
        now: &[PeerRow],
        (all_then, all_now): (bool, bool),
    ) -> Vec<(u16, Option<Change>)> {
        let mut rows = now.to_vec();
        RowsThen::new(then.to_vec(), all_then).compare(&mut rows, all_now);
        rows.iter().map(|row| (row.key.port, row.change)).collect()
    }

    #[test]
    fn rows_are_new_gone_or_differ_either_way_round() {
        let (then, now) = ([row(1, 5), row(2, 2), row(3, 4), row(4, 9)], [row(5, 7), row(1, 8), row(2, 1)]);
        let expected = [
            (5, Some(Change::New(7))),
            (1, Some(Change::By(3))),
            (2, Some(Change::By(-1))),
            (4, Some(Change::Gone(-9))),
            (3, Some(Change::Gone(-4))),
        ];
        assert_eq!(compared(&then, &now, (true, true)), expected);
        let back = [
            (1, Some(Change::By(-3))),
            (2, Some(Change::By(1))),
            (3, Some(Change::New(4))),
            (4, Some(Change::New(9))),
            (5, Some(Change::Gone(-7))),
        ];
        assert_eq!(compared(&now, &then, (true, true)), back);
        let still = compared(&now, &now, (true, true));
        assert!(still.iter().all(|(_, change)| *change == Some(Change::By(0))), "{still:?}");
    }

    #[test]
    fn what_is_gone_has_nothing_left() {
        let mut rows = vec![];
        RowsThen::new(vec![row(1, 5)], true).compare(&mut rows, true);
        assert_eq!((rows[0].size(), rows[0].opened, rows[0].key), (0, 0, row(1, 0).key));
    }

    #[test]
    fn where_not_all_rows_are_kept_nothing_is_taken_for_new_or_gone() {
        let (then, now) = ([row(1, 5), row(2, 2)], [row(1, 6), row(3, 1)]);
        let known = (1, Some(Change::By(1)));
        assert_eq!(compared(&then, &now, (false, false)), [known, (3, None)]);
        assert_eq!(compared(&then, &now, (true, false)), [known, (3, Some(Change::New(1)))]);
        assert_eq!(compared(&then, &now, (false, true)), [known, (3, None), (2, Some(Change::Gone(-2)))]);
    }
}
