//! The page on screen as it was at the mark, and how what is shown differs from that.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    mark::Mark,
    scene::{Look, Selection},
    select, totals,
    view::{Screen, View},
};
use crate::{
    findings::{Finding, Key},
    model::{Stamp, StateCounts, TcpState},
    query::Query,
    store::{Aggregate, Change, DestinationRow, Moment, Owned, PeerRow, ProcessRow, RowsThen},
};

/// What a page showed at the marked moment through the filter in force. Taken once for a page, a filter and a mark.
#[derive(Debug, Clone)]
pub struct Baseline {
    look: Look,
    screen: Screen,
    filter: Query,
    basis: Basis,
    /// The sockets by state, those left out that may be another's.
    states: StateCounts,
    processes: RowsThen<ProcessRow>,
    peers: RowsThen<PeerRow>,
    destinations: RowsThen<DestinationRow>,
    /// Every socket that there was, by cookie, whatever the page and the filter keep; `None` if they are not kept.
    sockets: Option<Arc<[(u64, TcpState)]>>,
    /// The findings that the page had, as indices.
    findings: Vec<u32>,
    keys: BTreeSet<Key>,
}

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Basis {
    /// The sockets that the page and the filter keep at both moments.
    Sockets,
    /// The totals of both, since one of them has no more.
    Totals,
    /// Nothing that is about sockets: what the one moment tells the other does not.
    Nothing,
}

/// What of a socket is to be said of the mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SocketThen {
    /// It was not there.
    New,
    /// It was in another state.
    Was(TcpState),
    /// It was in the same state.
    Same,
}

/// Two of one page, filter and mark are the same.
impl PartialEq for Baseline {
    fn eq(&self, other: &Self) -> bool {
        let key = |it: &Self| (it.look.moment.sample.stamp, it.basis);
        key(self) == key(other) && (&self.screen, &self.filter) == (&other.screen, &other.filter)
    }
}

impl Baseline {
    /// What `mark` has for what `view` shows of `moment`: what was taken before, if it still fits.
    pub(super) fn of(view: &View, mark: &Mark, moment: &Moment) -> Arc<Self> {
        let basis = basis(view, &mark.look.moment, moment);
        let fits = |known: &&Arc<Self>| {
            known.is_of(mark)
                && known.basis == basis
                && (&known.screen, &known.filter) == (&view.page().screen, &view.filter.query)
        };
        match mark.baseline.as_ref().filter(fits) {
            Some(known) => Arc::clone(known),
            None => Arc::new(Self::take(view, mark, basis)),
        }
    }

    fn take(view: &View, mark: &Mark, basis: Basis) -> Self {
        let look = mark.look.clone();
        let (screen, moment) = (view.page().screen.clone(), &*look.moment);
        let (aggregate, rows, states) = match basis {
            Basis::Sockets => {
                let kept = select::sockets(view, &look);
                let maybe = select::maybe_of(&screen, moment, &kept.rows);
                let states = less(&kept.aggregate.states, &maybe.states);
                (kept.aggregate, kept.rows, states)
            }
            Basis::Totals => {
                let aggregate = totals::aggregate(&screen, moment);
                let states = aggregate.states;
                (aggregate, vec![], states)
            }
            Basis::Nothing => Default::default(),
        };
        let findings = match basis {
            Basis::Sockets => select::findings(view, &look, &rows),
            _ => totals::findings(view, &look),
        };
        let known = mark.baseline.as_ref().filter(|known| known.is_of(mark));
        let sockets = known.map_or_else(|| by_cookie(moment), |known| known.sockets.clone());
        let [processes, peers, destinations] = complete(&screen, moment, basis);
        Self {
            keys: look.findings.iter().map(Key::of).collect(),
            filter: view.filter.query.clone(),
            processes: RowsThen::new(aggregate.processes, processes),
            peers: RowsThen::new(aggregate.peers, peers),
            destinations: RowsThen::new(aggregate.destinations, destinations),
            look,
            screen,
            basis,
            states,
            sockets,
            findings,
        }
    }

    /// Whether it is of that mark.
    pub(super) fn is_of(&self, mark: &Mark) -> bool {
        self.stamp() == mark.look.moment.sample.stamp
    }

    /// When the marked moment was.
    pub(super) fn stamp(&self) -> Stamp {
        self.look.moment.sample.stamp
    }

    /// The marked moment.
    pub(super) fn moment(&self) -> &Moment {
        &self.look.moment
    }

    /// Whether sockets and what is counted of them can be compared at all.
    pub(super) fn compares(&self) -> bool {
        self.basis != Basis::Nothing
    }

    /// How many more sockets of `state` are shown than there were; `None` where that cannot be known.
    pub(super) fn state(&self, selection: &Selection, state: TcpState) -> Option<i64> {
        let now = less(&selection.aggregate.states, &selection.maybe.states);
        self.compares().then(|| i64::from(now[state]) - i64::from(self.states[state]))
    }

    /// What is to be said of a socket; `None` where that cannot be known.
    pub(super) fn socket(&self, cookie: u64, state: TcpState) -> Option<SocketThen> {
        let sockets = self.sockets.as_ref()?;
        Some(match sockets.binary_search_by_key(&cookie, |(cookie, _)| *cookie) {
            Err(_) => SocketThen::New,
            Ok(place) if sockets[place].1 == state => SocketThen::Same,
            Ok(place) => SocketThen::Was(sockets[place].1),
        })
    }

    /// As [`Self::socket`].
    pub(super) fn owned(&self, socket: &Owned<'_>) -> Option<SocketThen> {
        let row = socket.socket.row();
        self.socket(row.cookie, row.state)
    }

    /// Whether that finding was told of at the mark.
    pub(super) fn had(&self, finding: &Finding) -> bool {
        self.keys.contains(&Key::of(finding))
    }

    /// The findings of the page at the mark that are none of `now`.
    fn over(&self, now: &[Finding]) -> Vec<Finding> {
        let now: BTreeSet<Key> = now.iter().map(Key::of).collect();
        let told = self.findings.iter().filter_map(|index| self.look.findings.get(*index as usize));
        told.filter(|finding| !now.contains(&Key::of(finding))).cloned().collect()
    }

    /// Notes the differences in every row of `selection`, of what is shown of `look`, and adds the rows that are gone.
    /// With `only` what did not change is left out.
    pub(super) fn compare(&self, look: &Look, selection: &mut Selection, only: bool) {
        let moment = &*look.moment;
        if self.compares() {
            let [processes, peers, destinations] = complete(&self.screen, moment, self.basis);
            let Aggregate { processes: of_processes, peers: of_peers, destinations: of_destinations, .. } =
                &mut selection.aggregate;
            self.processes.compare(of_processes, processes);
            self.peers.compare(of_peers, peers);
            self.destinations.compare(of_destinations, destinations);
        }
        if self.screen == Screen::Findings {
            selection.over = self.over(&look.findings);
        }
        self.compare_kernel(selection);
        if only {
            self.leave_changed(look, selection);
        }
    }

    fn compare_kernel(&self, selection: &mut Selection) {
        let moment = self.moment();
        let kernel = &mut selection.kernel;
        for row in &mut kernel.counters {
            row.change =
                moment.sample.counters.get(&row.name).and_then(|then| Change::between(then, row.value));
        }
        for row in &mut kernel.settings {
            row.then = moment.sample.sysctls.get(&*row.name).cloned();
        }
        for row in &mut kernel.limits {
            let then = crate::field::LimitRow::of(moment, row.name);
            // The fullest queue may have been another's.
            let then = then.filter(|then| then.title == row.title);
            row.change = then.and_then(|then| Change::between(then.limit.value, row.limit.value));
        }
    }

    /// Leaves out what is known not to have changed, but for what the page is about.
    fn leave_changed(&self, look: &Look, selection: &mut Selection) {
        let subject = self.screen.subject();
        let changed = |change: Option<Change>| change.is_none_or(|change| !change.is_none());
        let Aggregate { processes, peers, destinations, .. } = &mut selection.aggregate;
        processes.retain(|row| changed(row.change) || subject == Screen::Process(row.process.key));
        peers.retain(|row| changed(row.change) || subject == Screen::Peer(row.key));
        destinations.retain(|row| changed(row.change));
        let moment = &*look.moment;
        let then = |row: &u32| {
            let socket = moment.sample.sockets.rows().get(*row as usize)?;
            self.socket(socket.cookie, socket.state)
        };
        if !matches!(subject, Screen::Socket(_)) {
            selection.rows.retain(|row| then(row) != Some(SocketThen::Same));
        }
        if self.screen == Screen::Findings {
            let had =
                |index: &u32| look.findings.get(*index as usize).is_some_and(|finding| self.had(finding));
            selection.findings.retain(|index| !had(index));
        }
        let kernel = &mut selection.kernel;
        kernel.counters.retain(|row| changed(row.change));
        kernel.settings.retain(|row| row.then.as_ref() != Some(&row.value));
        kernel.limits.retain(|row| changed(row.change));
    }
}

/// What of the two moments can be compared on the page of `view`. A moment without sockets shows its totals, unfiltered: then
/// so must the other.
fn basis(view: &View, then: &Moment, now: &Moment) -> Basis {
    let screen = &view.page().screen;
    match (then.is_whole(), now.is_whole()) {
        (true, true) => Basis::Sockets,
        (_, true) if !view.filter.query.is_all() => Basis::Nothing,
        _ if totals::knows(screen, then) && totals::knows(screen, now) => Basis::Totals,
        _ => Basis::Nothing,
    }
}

/// Whether processes, peers and destinations that are no rows of what `screen` shows of `moment` have nothing.
fn complete(screen: &Screen, moment: &Moment, basis: Basis) -> [bool; 3] {
    let totals = &moment.totals;
    let [peers, destinations] =
        [totals.peers_omitted, totals.destinations_omitted].map(|omitted| omitted == 0);
    let Some(digest) = moment.digest.filter(|_| basis == Basis::Totals) else {
        return [true, peers, destinations];
    };
    let processes = digest.processes_omitted == 0;
    match screen.subject() {
        // With whom a process has connections the totals do not tell, nor whose those with a peer are.
        Screen::Process(_) => [processes, false, false],
        Screen::Peer(_) => [false, peers, destinations],
        _ => [processes, peers, destinations],
    }
}

fn by_cookie(moment: &Moment) -> Option<Arc<[(u64, TcpState)]>> {
    moment.is_whole().then(|| {
        let rows = moment.sample.sockets.rows().iter();
        let mut sockets: Vec<_> = rows.map(|socket| (socket.cookie, socket.state)).collect();
        sockets.sort_unstable_by_key(|(cookie, _)| *cookie);
        sockets.into()
    })
}

/// `all` without `some` of them.
fn less(all: &StateCounts, some: &StateCounts) -> StateCounts {
    let mut rest = *all;
    for (state, count) in some.iter() {
        rest[state] = rest[state].saturating_sub(count);
    }
    rest
}
