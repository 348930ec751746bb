//! What is drawn: the view, and the data it is a view of.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{
    Past, Theme,
    baseline::Baseline,
    view::{Matter, Pane, RowId, Screen, View},
};
use crate::{
    field::{CounterRow, FailureRow, LimitRow, SettingRow},
    findings::{Finding, Key},
    model::{Inspected, ProcKey, Side, SockId, Stamp, StateCounts, TcpState, Unknown},
    query::Query,
    store::{Aggregate, History, Moment, Owned, PeerKey},
};

/// What is known at one instant: a moment, and what is wrong by then.
#[derive(Debug, Clone)]
pub struct Look {
    /// The moment.
    pub moment: Arc<Moment>,
    /// What is wrong, the worst first.
    pub findings: Arc<[Finding]>,
}

/// What of a moment the view shows, in the order in which it shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// The number of the sample that it was taken of.
    pub(super) number: u64,
    /// The page that it was taken for.
    pub(super) screen: Screen,
    /// The filter that it was taken through.
    pub(super) filter: Query,
    /// The sockets that the filter and the page keep, counted; each kind of row in its table's order.
    pub aggregate: Aggregate,
    /// Those sockets as indices into the moment, in their table's order.
    pub rows: Vec<u32>,
    /// Counters, settings and limits, on the kernel's view.
    pub kernel: KernelRows,
    /// The failed calls of `connect()` that the filter and the page keep, in their table's order.
    pub failures: Vec<FailureRow>,
    /// Indices of the findings about those sockets or about whom the page is about, in their table's order.
    pub findings: Vec<u32>,
    /// Those sockets that nobody is known to own, by reason.
    pub unknown: [u32; Unknown::ALL.len()],
    /// On the page of a process: what of the above it is only a candidate for.
    pub maybe: Maybe,
    /// With a mark: what there was then, which rows and counts are compared with.
    pub baseline: Option<Arc<Baseline>>,
    /// With a mark, on the page of all findings: what was wrong then and is no more.
    pub over: Vec<Finding>,
    /// Sockets of the whole moment whose owner is hidden for want of privilege.
    pub hidden: u32,
}

/// What the kernel's view shows: each kind of row in its table's order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KernelRows {
    /// The words that they were narrowed by.
    pub(super) names: String,
    /// Counters.
    pub counters: Vec<CounterRow>,
    /// Settings.
    pub settings: Vec<SettingRow>,
    /// Limits.
    pub limits: Vec<LimitRow>,
    /// How many rows there would be if nothing were narrowed.
    pub all: usize,
}

/// Sockets that may be a process's or another's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Maybe {
    /// Them by state.
    pub states: StateCounts,
    /// With whom they are.
    pub peers: BTreeSet<PeerKey>,
    /// The other candidates, by PID.
    pub others: BTreeSet<ProcKey>,
}

impl Selection {
    /// Whether it is what `view` shows of `moment` now.
    #[must_use]
    pub fn is_of(&self, view: &View, moment: &Moment) -> bool {
        self.number == moment.sample.number
            && self.screen == view.page().screen
            && self.filter == view.filter.query
            && (self.screen != Screen::Kernel || self.kernel.names == view.names)
    }

    /// How many sockets have no owner for that reason.
    #[must_use]
    pub fn unknown(&self, reason: Unknown) -> u32 {
        Unknown::ALL.iter().position(|r| *r == reason).map_or(0, |i| self.unknown[i])
    }
}

/// The way to the terminal.
#[derive(Debug, Clone, Copy, Default)]
pub struct Link {
    /// Whether only every fourth sample is drawn.
    pub slow: bool,
    /// What goes over it, bytes per second; `None` while that is not known.
    pub bytes_per_s: Option<u64>,
}

/// Everything that one frame shows.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// What was chosen to be seen.
    pub view: &'a View,
    /// The newest look; `None` before the first sample.
    pub live: Option<&'a Look>,
    /// What of the shown moment the view selects.
    pub selection: Option<&'a Selection>,
    /// The time series, up to the newest moment.
    pub history: &'a History,
    /// The looks that can be gone back to.
    pub past: &'a Past,
    /// About the process of the page, once looked up.
    pub inspected: Option<&'a Inspected>,
    /// Colours and glyphs.
    pub theme: &'a Theme,
    /// The time of the last tick, which says how old the newest moment is.
    pub now: Option<Stamp>,
    /// Why no newer sample came, if the sampler said so.
    pub trouble: Option<&'a str>,
    /// The name of the network namespace looked at, unless it is the host's own.
    pub netns: Option<&'a str>,
    /// The way to the terminal.
    pub link: Link,
}

impl<'a> Scene<'a> {
    /// The moment to draw with what is selected of it.
    #[must_use]
    pub fn data(&self) -> Option<Data<'a>> {
        let Look { moment, findings } = self.view.shown(self.live)?;
        // A large table is counted beside the loop. Until that is done, the selection at hand is of another page,
        // and its figures under this page's title would be wrong.
        let selection = self.selection.filter(|selection| selection.is_of(self.view, moment))?;
        let history = self.view.playhead.history().map_or(self.history, |held| held);
        Some(Data { moment, findings, selection, history })
    }

    /// The age of the newest moment, if it must be called stale.
    #[must_use]
    pub fn stale(&self) -> Option<Duration> {
        stale(&self.live?.moment, self.now?, self.trouble.is_some(), self.link.slow)
    }
}

/// The age of `moment`, if it must be called stale: there was trouble since, or it is older than three intervals. On a slow
/// link, where not every sample is drawn, it may be twice as old.
#[must_use]
pub fn stale(moment: &Moment, now: Stamp, trouble: bool, slow: bool) -> Option<Duration> {
    let age = now.since_boot.saturating_sub(moment.sample.stamp.since_boot);
    let intervals = if slow { 6 } else { 3 };
    let late = moment.sample.cost.interval.saturating_mul(intervals).max(Duration::from_secs(2));
    (age > late || trouble).then_some(age)
}

/// A moment and what is selected of it.
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    /// The moment shown.
    pub moment: &'a Arc<Moment>,
    /// What is wrong by then, the worst first.
    pub findings: &'a Arc<[Finding]>,
    /// What of it.
    pub selection: &'a Selection,
    /// The time series: up to the newest moment, or up to where they ended when the picture was held.
    pub history: &'a History,
}

impl<'a> Data<'a> {
    /// What is shown, as a whole.
    #[must_use]
    pub fn look(&self) -> Look {
        Look { moment: Arc::clone(self.moment), findings: Arc::clone(self.findings) }
    }

    /// How many samples newer than the shown one the series hold.
    #[must_use]
    pub fn behind(&self) -> usize {
        self.history.behind(&self.moment.sample.stamp)
    }

    /// Whether the sockets shown are only those that a filter keeps. Of a moment without sockets it cannot choose any.
    #[must_use]
    pub fn is_filtered(&self) -> bool {
        self.moment.is_whole() && !self.selection.filter.is_all()
    }

    /// How many rows the table in `pane` has.
    #[must_use]
    pub fn len(&self, pane: Pane) -> usize {
        match pane {
            Pane::States => TcpState::ALL.len(),
            Pane::Destinations => self.selection.aggregate.destinations.len(),
            Pane::Processes => self.selection.aggregate.processes.len(),
            Pane::Peers => self.selection.aggregate.peers.len(),
            Pane::Sockets => self.selection.rows.len(),
            Pane::Counters => self.selection.kernel.counters.len(),
            Pane::Settings => self.selection.kernel.settings.len(),
            Pane::Limits => self.selection.kernel.limits.len(),
            Pane::Failures => self.selection.failures.len(),
            Pane::Findings => self.selection.findings.len() + self.selection.over.len(),
            _ => 0,
        }
    }

    /// What the row at `index` of the table in `pane` is about.
    #[must_use]
    pub fn id(&self, pane: Pane, index: usize) -> Option<RowId> {
        let aggregate = &self.selection.aggregate;
        Some(match pane {
            Pane::States => RowId::State(*TcpState::ALL.get(index)?),
            Pane::Destinations => {
                let row = aggregate.destinations.get(index)?;
                RowId::Destination(row.source, row.peer)
            }
            Pane::Processes => RowId::Process(aggregate.processes.get(index)?.process.key),
            Pane::Peers => RowId::Peer(aggregate.peers.get(index)?.key),
            Pane::Sockets => {
                let row = self.socket(index)?;
                RowId::Socket(SockId { netns: row.netns, cookie: row.socket.row().cookie })
            }
            Pane::Counters => {
                RowId::Matter(Matter::Counter(self.selection.kernel.counters.get(index)?.name.clone()))
            }
            Pane::Settings => {
                RowId::Matter(Matter::Setting(self.selection.kernel.settings.get(index)?.name.clone()))
            }
            Pane::Limits => RowId::Matter(Matter::Limit(self.selection.kernel.limits.get(index)?.name)),
            Pane::Failures => {
                let failed = &self.selection.failures.get(index)?.failure;
                let caller = failed.process.as_ref().map(|process| process.key);
                RowId::Failure(caller, failed.source, failed.peer)
            }
            Pane::Findings => RowId::Finding(Key::of(self.finding(index)?)),
            _ => return None,
        })
    }

    /// Where the row about `id` is now; first looked for where it was.
    #[must_use]
    pub fn position(&self, pane: Pane, id: &RowId, was: usize) -> Option<usize> {
        if self.id(pane, was).as_ref() == Some(id) {
            return Some(was);
        }
        if let (Pane::Sockets, RowId::Socket(id)) = (pane, id) {
            let sockets = self.moment.sample.sockets.rows();
            let cookie = |row: &u32| sockets.get(*row as usize).map(|socket| socket.cookie);
            return self.selection.rows.iter().position(|row| cookie(row) == Some(id.cookie));
        }
        (0..self.len(pane)).find(|&index| self.id(pane, index).as_ref() == Some(id))
    }

    /// The socket in row `index` of the table of sockets.
    #[must_use]
    pub fn socket(&self, index: usize) -> Option<Owned<'a>> {
        let row = *self.selection.rows.get(index)?;
        self.moment.get(row as usize)
    }

    /// The finding in row `index` of the table of findings; those that are over come last.
    #[must_use]
    pub fn finding(&self, index: usize) -> Option<&'a Finding> {
        let Selection { findings, over, .. } = self.selection;
        match findings.get(index) {
            Some(place) => self.findings.get(*place as usize),
            None => over.get(index.checked_sub(findings.len())?),
        }
    }

    /// Whether the moment shown lies before the mark.
    #[must_use]
    pub fn is_before_mark(&self) -> bool {
        let mark = self.selection.baseline.as_ref().map(|baseline| baseline.stamp());
        mark.is_some_and(|mark| self.moment.sample.stamp.since_boot < mark.since_boot)
    }

    /// What a finding is called that held at the mark and does not now.
    #[must_use]
    pub fn over(&self) -> &'static str {
        if self.is_before_mark() { "later" } else { "over" }
    }

    /// Whether a finding is over: it held at the mark and does not now.
    #[must_use]
    pub fn is_over(&self, finding: &Finding) -> bool {
        self.selection.over.iter().any(|over| std::ptr::eq(over, finding))
    }
}

impl Screen {
    /// Whether the page is about `socket`, among others.
    #[must_use]
    pub fn covers(&self, socket: &Owned<'_>) -> bool {
        match self.subject() {
            // Sockets for which it is one of several candidates belong on its page too, marked as such.
            Self::Process(key) => socket.attribution.owners.iter().any(|owner| owner.key == key),
            Self::Peer(key) => peer_of(socket) == Some(key),
            Self::Socket(id) => socket.netns == id.netns && socket.socket.row().cookie == id.cookie,
            // Of a finding its filter decides.
            _ => true,
        }
    }

    /// Whether the page is about some sockets only.
    #[must_use]
    pub const fn is_closer(&self) -> bool {
        matches!(
            self,
            Self::Process(_)
                | Self::ProcessEvidence(_)
                | Self::Peer(_)
                | Self::PeerEvidence(_)
                | Self::Socket(_)
                | Self::Finding(_)
        )
    }
}

/// The peer that a connection is with.
pub(super) fn peer_of(socket: &Owned<'_>) -> Option<PeerKey> {
    let side = socket.link.side()?;
    let peer = socket.socket.peer();
    let port = match side {
        Side::Client => peer.port,
        Side::Server => socket.socket.local().port,
    };
    Some(PeerKey { ip: peer.ip, port, side })
}
