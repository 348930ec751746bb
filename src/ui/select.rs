//! From a moment and a view to the rows that are shown, in their order.

use std::cmp::Reverse;

use super::{
    baseline::{Baseline, SocketThen},
    columns::CHANGE,
    kernel,
    scene::{KernelRows, Look, Maybe, Selection, peer_of},
    story, totals,
    view::{Page, Pane, Screen, View},
};
use crate::{
    field::{Context, FailureRow, Row},
    findings::{Finding, Severity},
    model::{Evidence, ProcKey, Socket, StateCounts, TcpState, Unknown},
    query,
    store::{Aggregate, DestinationRow, Moment, PeerRow, PortRange, ProcessRow},
};

/// From so many sockets on, only those near the ones in sight are put in order: sorting a million takes longer
/// than a key may wait.
pub(super) const MANY: usize = 50_000;
/// How many sockets beyond the first one in sight are put in order then.
const NEAR: usize = 1_000;

/// Takes of `look` what the view's filter and page keep. The only place of the screen that walks over every
/// socket: call it once a moment, and when [`super::Effect::Select`] asks for it, never while drawing.
#[must_use]
pub fn select(view: &View, look: &Look) -> Selection {
    let page = view.page();
    let moment = &*look.moment;
    let (query::Selection { aggregate, rows }, unknown, findings) = if moment.is_whole() {
        let kept = sockets(view, look);
        let unknown = moment.unknown_of(kept.rows.iter().map(|row| *row as usize));
        let findings = findings(view, look, &kept.rows);
        (kept, unknown, findings)
    } else {
        let aggregate = totals::aggregate(&page.screen, moment);
        let kept = query::Selection { aggregate, rows: vec![] };
        (kept, totals::unknown(&page.screen, moment), totals::findings(view, look))
    };
    let maybe = maybe_of(&page.screen, moment, &rows);
    let mut selection = Selection {
        number: moment.sample.number,
        screen: page.screen.clone(),
        filter: view.filter.query.clone(),
        findings,
        aggregate,
        rows,
        kernel: KernelRows::default(),
        failures: failures(view, moment),
        unknown,
        maybe,
        baseline: view.mark.as_ref().map(|mark| Baseline::of(view, mark, moment)),
        over: vec![],
        hidden: hidden(moment),
    };
    let fields = context(moment, &selection.aggregate);
    if page.screen == Screen::Kernel {
        selection.kernel = kernel::rows(view, look, &fields);
    }
    if let (Some(baseline), Some(mark)) = (selection.baseline.clone(), &view.mark) {
        baseline.compare(look, &mut selection, mark.only_changed);
    }
    sort(page, look, &mut selection, &fields);
    selection
}

/// Puts every kind of row into its order.
fn sort(page: &Page, look: &Look, selection: &mut Selection, fields: &Context) {
    let Selection { aggregate, rows, failures, findings, .. } = selection;
    order::<ProcessRow>(page, Pane::Processes, &mut aggregate.processes, fields);
    order::<PeerRow>(page, Pane::Peers, &mut aggregate.peers, fields);
    order::<DestinationRow>(page, Pane::Destinations, &mut aggregate.destinations, fields);
    order::<FailureRow>(page, Pane::Failures, failures, fields);
    let story = story_of(page, look, findings, rows);
    order_sockets(page, &look.moment, rows, selection.baseline.as_deref(), story);
    order_findings(page, &look.findings, selection, fields);
}

/// The sockets that the filter and the page keep.
pub(super) fn sockets(view: &View, look: &Look) -> query::Selection {
    let (screen, query) = (&view.page().screen, &view.filter.query);
    match screen {
        Screen::Finding(key) => match story::behind(view, look, key) {
            Some(behind) => query::select(&look.moment, &behind),
            None => query::select_of(&look.moment, query, |_| false),
        },
        screen if screen.is_closer() => query::select_of(&look.moment, query, |socket| screen.covers(socket)),
        _ => query::select(&look.moment, query),
    }
}

/// The findings about what the page is about, and about the sockets `rows` that the filter keeps.
pub(super) fn findings(view: &View, look: &Look, rows: &[u32]) -> Vec<u32> {
    let screen = view.page().screen.subject();
    let moment = &*look.moment;
    let concerns = |finding: &Finding| query::concerns(moment, rows, finding);
    let is_kept = |finding: &Finding| view.filter.query.is_all() || concerns(finding);
    let all = (0_u32..).zip(look.findings.iter());
    let kept = all.filter(|(_, finding)| {
        let subject = &finding.subject;
        match &screen {
            Screen::Process(key) => {
                subject.processes.iter().any(|process| process.key == *key) && is_kept(finding)
            }
            Screen::Peer(_) | Screen::Socket(_) => !finding.filter.is_empty() && concerns(finding),
            Screen::Finding(_) => false,
            _ => is_kept(finding),
        }
    });
    kept.map(|(index, _)| index).collect()
}

/// The failed calls that the filter and the page keep, the most first.
fn failures(view: &View, moment: &Moment) -> Vec<FailureRow> {
    let screen = view.page().screen.subject();
    let all = moment.trace.iter().flat_map(|traced| FailureRow::all(&traced.window));
    let kept = all.filter(|row| {
        let failed = &row.failure;
        let is_of_page = match &screen {
            Screen::Process(key) => failed.process.as_ref().is_some_and(|process| process.key == *key),
            Screen::Peer(key) => failed.peer.ip == key.ip && failed.peer.port == key.port,
            _ => true,
        };
        is_of_page && query::keeps_failure(&view.filter.query, failed)
    });
    kept.collect()
}

/// What the getters of fields need, of the sockets in `aggregate`.
#[must_use]
pub(super) fn context(moment: &Moment, aggregate: &Aggregate) -> Context {
    Context {
        elapsed_s: moment.elapsed_s,
        usable_ports: PortRange::from_sysctls(&moment.sample.sysctls).map(|range| range.usable),
        sockets: aggregate.states.total(),
    }
}

/// What of `rows`, all of the page `screen`, it may be that of another.
pub(super) fn maybe_of(screen: &Screen, moment: &Moment, rows: &[u32]) -> Maybe {
    match screen.subject() {
        Screen::Process(key) => maybe(moment, rows, key),
        _ => Maybe::default(),
    }
}

/// The sockets among `rows`, all of the page of process `key`, for which it is only a candidate.
fn maybe(moment: &Moment, rows: &[u32], key: ProcKey) -> Maybe {
    let mut maybe = Maybe::default();
    let sockets = rows.iter().filter_map(|row| moment.get(*row as usize));
    for socket in sockets.filter(|socket| socket.attribution.evidence == Evidence::Candidates) {
        maybe.states.add(socket.socket.row().state);
        maybe.peers.extend(peer_of(&socket));
    }
    let sets = moment.attributions.iter().filter(|set| set.evidence == Evidence::Candidates);
    for set in sets.filter(|set| set.owners.iter().any(|owner| owner.key == key)) {
        maybe.others.extend(set.owners.iter().map(|owner| owner.key).filter(|other| *other != key));
    }
    maybe
}

/// How many sockets of `moment` have an owner that we may not see.
fn hidden(moment: &Moment) -> u32 {
    let denied = Unknown::ALL.iter().position(|reason| *reason == Unknown::Denied);
    denied.map_or(0, |denied| moment.unknown[denied])
}

/// Puts the rows of a table into the order that was asked for; they come with the worst first.
pub(super) fn order<R>(seen: &Page, pane: Pane, rows: &mut Vec<R>, context: &Context)
where
    R: for<'a> Row<Ref<'a> = &'a R> + Clone,
{
    let Some(sort) = seen.table(pane).sort else { return };
    let mut sorted: Vec<&R> = rows.iter().collect();
    query::sort::<R>(&mut sorted, context, sort);
    *rows = sorted.into_iter().cloned().collect();
}

fn order_findings(page: &Page, findings: &[Finding], selection: &mut Selection, context: &Context) {
    let Some(sort) = page.table(Pane::Findings).sort else { return };
    let Selection { findings: rows, baseline, .. } = selection;
    if let Some(baseline) = baseline.as_deref().filter(|_| sort.key == CHANGE) {
        // Those that are over stand last anyway.
        let had = |row: &u32| findings.get(*row as usize).is_some_and(|finding| baseline.had(finding));
        rows.sort_by_key(|row| had(row) == sort.descending);
        return;
    }
    let mut sorted: Vec<&Finding> = rows.iter().filter_map(|&row| findings.get(row as usize)).collect();
    query::sort::<Finding>(&mut sorted, context, sort);
    let place = |finding: &Finding| (0..).zip(findings).find(|(_, other)| std::ptr::eq(*other, finding));
    for (row, (index, _)) in rows.iter_mut().zip(sorted.into_iter().filter_map(place)) {
        *row = index;
    }
}

/// New sockets first, or last, and those that did not change after all others.
fn order_by_change(moment: &Moment, rows: &mut [u32], baseline: &Baseline, descending: bool) {
    let place = |row: &u32| {
        let Some(socket) = moment.sample.sockets.rows().get(*row as usize) else { return (u8::MAX, 0) };
        let class = match baseline.socket(socket.cookie, socket.state) {
            None => u8::MAX,
            Some(SocketThen::Same) => u8::MAX - 1,
            Some(SocketThen::New) if descending => 0,
            Some(SocketThen::New) => u8::MAX - 2,
            Some(SocketThen::Was(state)) => 1 + state.number(),
        };
        (class, socket.cookie)
    };
    rows.sort_by_cached_key(place);
}

/// States in which a socket waits for somebody come first: there is something to do about each.
const URGENT: [TcpState; 12] = [
    TcpState::CloseWait,
    TcpState::SynSent,
    TcpState::SynRecv,
    TcpState::FinWait1,
    TcpState::FinWait2,
    TcpState::LastAck,
    TcpState::Closing,
    TcpState::Established,
    TcpState::TimeWait,
    TcpState::Listen,
    TcpState::BoundInactive,
    TcpState::Close,
];

/// The state that most of the sockets are in that the page's worst finding is about, if somebody should act on it.
fn story_of(page: &Page, look: &Look, findings: &[u32], rows: &[u32]) -> Option<TcpState> {
    if !matches!(page.screen.subject(), Screen::Process(_) | Screen::Peer(_)) {
        return None;
    }
    let worst = look.findings.get(*findings.first()? as usize)?;
    let query = query::Query::parse(&worst.filter).ok().filter(|query| !query.is_all())?;
    let mut matcher = query.matcher();
    let mut states = StateCounts::default();
    let sockets = rows.iter().filter_map(|row| look.moment.get(*row as usize));
    sockets.filter(|socket| matcher.matches(socket)).for_each(|socket| states.add(socket.socket.row().state));
    let most = TcpState::ALL.into_iter().max_by_key(|state| states[*state]);
    most.filter(|state| states[*state] > 0 && worst.severity >= Severity::Warning)
}

/// Without another order by state: `first`, then the most urgent.
fn order_sockets(
    page: &Page,
    moment: &Moment,
    rows: &mut Vec<u32>,
    baseline: Option<&Baseline>,
    first: Option<TcpState>,
) {
    let table = page.table(Pane::Sockets);
    if let Some(sort) = table.sort {
        if let Some(baseline) = baseline.filter(|_| sort.key == CHANGE) {
            order_by_change(moment, rows, baseline, sort.descending);
            return;
        }
        let end = if rows.len() > MANY { table.offset + NEAR } else { rows.len() };
        query::sort_window(moment, rows, sort, 0..end);
        return;
    }
    let sockets = moment.sample.sockets.rows();
    let mut by_state: [Vec<u32>; URGENT.len() + 1] = Default::default();
    for row in rows.iter() {
        let state = sockets.get(*row as usize).map(|socket| socket.state);
        let place = first.into_iter().chain(URGENT).position(|urgent| Some(urgent) == state);
        by_state[place.unwrap_or(URGENT.len())].push(*row);
    }
    // Of a million, none but those in sight would be put in order for nothing.
    let mut left = if rows.len() > MANY { table.offset + NEAR } else { rows.len() };
    for alike in &mut by_state {
        let end = left.min(alike.len());
        let key = |row: &u32| age_and_port(sockets, *row);
        if end > 0 && end < alike.len() {
            alike.select_nth_unstable_by_key(end - 1, key);
        }
        alike[..end].sort_unstable_by_key(key);
        left -= end;
    }
    *rows = by_state.concat();
}

/// The place of a socket among those in its state: the oldest first where an age is known, else by our port and the
/// peer's. Those whose age is not known come by port after them.
fn age_and_port(sockets: &[Socket], row: u32) -> (Reverse<Option<u32>>, u16, u16, u32) {
    let socket = sockets.get(row as usize);
    let age = socket.and_then(Socket::time_wait_age_ms);
    let ports = socket.map_or((0, 0), |socket| (socket.local_port, socket.peer_port));
    (Reverse(age), ports.0, ports.1, row)
}
