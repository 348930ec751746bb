//! `close-wait-leak`: the peer has closed and our process has not.

use super::{
    Diagnosis, Finding, FindingId, Severity, View, advice,
    case::{Case, figure, seconds, sockets, steady_growth},
    fin_wait2_pileup::peer_of_most,
    time_wait::round,
    words,
};
use crate::model::TcpState;

/// Pools find out late that a peer has closed: fewer are not worth a word.
const LEAST: u32 = 3;
/// Somebody should act on so many that become more.
const GROWING: u32 = 5;
/// Somebody should act on so many, whatever they do.
const MANY: u32 = 50;
/// So many break something.
const TOO_MANY: u32 = 1_000;

/// The diagnosis.
pub(super) struct CloseWaitLeak;

impl Diagnosis for CloseWaitLeak {
    fn id(&self) -> FindingId {
        FindingId::CloseWaitLeak
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        view.cases
            .iter()
            .filter(|case| case.now.close_wait >= LEAST)
            .map(|case| finding(view, case))
            .collect()
    }
}

fn finding(view: &View<'_>, case: &Case<'_>) -> Finding {
    let stuck = case.now.close_wait;
    let growth = steady_growth(&case.course(view, |counts| counts.states[TcpState::CloseWait]));
    let per_s = f64::from(growth) / view.flows.seconds().max(1.0);
    let severity = match stuck {
        TOO_MANY.. => Severity::Critical,
        MANY.. => Severity::Warning,
        GROWING.. if growth > 0 => Severity::Warning,
        _ => Severity::Info,
    };
    let mut finding = case.finding(view, FindingId::CloseWaitLeak, severity);
    if finding.subject.peer.is_none() {
        finding.subject.peer = peer_of_most(view, case, TcpState::CloseWait);
    }
    let grows = if growth > 0 { format!(", {} more", words::rate(per_s)) } else { String::new() };
    finding.summary = format!(
        "{} does not close {} that {} has closed{grows}",
        case.who(),
        words::many(stuck, "connection"),
        match (case.service.ip, finding.subject.peer) {
            (Some(_), _) => case.service_words(),
            (None, Some(client)) => format!("{client} (a client of {})", case.service_words()),
            (None, None) => format!("the client (of {})", case.service_words()),
        },
    );
    finding.evidence = vec![
        sockets("close_wait", case.now.states[TcpState::CloseWait]),
        sockets("close_wait_quiet", stuck),
        seconds("quiet_longest", case.now.close_wait_ms),
        figure("growth_per_s", round(per_s), "/s"),
    ];
    "The peer has sent its FIN and the kernel waits for close() from this process, for as long as it lives. Each one \
     holds a descriptor and memory."
        .clone_into(&mut finding.why);
    finding.advice = advice::not_closed(case.runtime().as_ref());
    finding.since = view.ago(case.now.close_wait_ms);
    finding.filter = case.filter("close-wait");
    finding
}
