//! `established-leak`: open connections grow and are not used.

use super::{
    Confidence, Diagnosis, Finding, FindingId, Severity, View, advice,
    case::{Case, figure, seconds, sockets, steady_growth},
    time_wait::round,
    words,
};
use crate::{
    model::{Side, TcpState},
    store::FlowCounts,
};

/// Fewer idle connections are a pool.
const LEAST: u32 = 10;
/// Somebody should act from so many on.
const WARN: u32 = 20;
/// A course over less time than this says little.
const LEAST_S: f64 = 6.0;

/// The diagnosis.
pub(super) struct EstablishedLeak;

impl Diagnosis for EstablishedLeak {
    fn id(&self) -> FindingId {
        FindingId::EstablishedLeak
    }

    /// Only the side that opens is named: idle connections that a server holds are its clients' doing.
    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        let cases = &view.cases;
        let clients = cases.iter().filter(|case| case.service.side == Side::Client);
        clients.filter_map(|case| finding(view, case)).collect()
    }
}

/// How many connections per second leak; `None` if none do.
fn leak_per_s(view: &View<'_>, case: &Case<'_>) -> Option<f64> {
    let open = case.course(view, |counts| counts.states[TcpState::Established]);
    let idle = case.course(view, |counts| counts.idle);
    let (growth, watched_s) = (steady_growth(&open), view.flows.seconds());
    // A pool in use keeps its connections busy: of those that were there a moment ago, nearly all must be idle.
    let old = before(view, &open, FlowCounts::IDLE_MS);
    let unused = f64::from(case.now.idle) >= 0.8 * f64::from(old) && case.now.idle >= LEAST;
    let leaks = watched_s >= LEAST_S && growth >= LEAST / 2 && steady_growth(&idle) > 0 && unused;
    leaks.then(|| f64::from(growth) / watched_s)
}

fn finding(view: &View<'_>, case: &Case<'_>) -> Option<Finding> {
    let per_s = leak_per_s(view, case)?;
    let (idle, all) = (case.now.idle, case.now.states[TcpState::Established]);
    let severity = if idle >= WARN { Severity::Warning } else { Severity::Info };
    let mut finding = case.finding(view, FindingId::EstablishedLeak, severity);
    finding.summary = format!(
        "{} keeps opening connections to {} and leaves them idle: {idle} of {all}, {} more",
        case.who(),
        case.service_words(),
        words::rate(per_s),
    );
    finding.evidence = vec![
        sockets("established", all),
        sockets("idle", idle),
        seconds("idle_longest", case.now.idle_ms),
        figure("growth_per_s", round(per_s), "/s"),
    ];
    "Connections are opened, used once or not at all, and neither closed nor used again: a client or transport made \
     for each call, or answers that are never read to their end and closed. It ends at the limit of descriptors here, or \
     of connections there."
        .clone_into(&mut finding.why);
    finding.advice = advice::leaked(case.runtime().as_ref());
    finding.advice.push(
        "Raising the limit of open files only moves the end; tcp_keepalive settings do not close a connection whose peer is alive."
            .to_owned(),
    );
    finding.confidence = Confidence::Likely;
    finding.since = view.ago(case.now.idle_ms);
    finding.filter = format!("{} idle:>3s", case.filter("established"));
    Some(finding)
}

/// The value of `course` about `ms` before the newest moment.
fn before(view: &View<'_>, course: &[u32], ms: u32) -> u32 {
    let moments = words::figure(course.len() as u64);
    let per_moment = view.flows.seconds() / (moments - 1.0).max(1.0);
    let mut back = 0;
    let mut age = 0.0;
    while age < f64::from(ms) / 1000.0 && back + 1 < course.len() {
        age += per_moment;
        back += 1;
    }
    course.get(course.len().saturating_sub(back + 1)).copied().unwrap_or(0)
}
