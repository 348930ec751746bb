//! `last-ack-pileup`: the peer does not acknowledge our last segment.

use super::{
    Diagnosis, Finding, FindingId, Severity, View,
    case::{Case, sockets},
    fin_wait2_pileup::peer_of_most,
    words,
};
use crate::model::TcpState;

/// Fewer are not worth a word.
const LEAST: u32 = 3;
/// Somebody should act from so many on.
const WARN: u32 = 10;

/// The diagnosis.
pub(super) struct LastAckPileup;

impl Diagnosis for LastAckPileup {
    fn id(&self) -> FindingId {
        FindingId::LastAckPileup
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        let cases = view.services();
        cases.iter().filter(|case| case.now.unacknowledged >= LEAST).map(|case| finding(view, case)).collect()
    }
}

fn finding(view: &View<'_>, case: &Case<'_>) -> Finding {
    let stuck = case.now.unacknowledged;
    let severity = if stuck >= WARN { Severity::Warning } else { Severity::Info };
    let mut finding = case.finding(view, FindingId::LastAckPileup, severity);
    let states = &case.now.states;
    if finding.subject.peer.is_none() {
        finding.subject.peer = peer_of_most(view, case, TcpState::LastAck);
    }
    let whom = finding.subject.peer.map_or_else(|| "their peers".to_owned(), |ip| ip.to_string());
    finding.summary = format!(
        "{whom} does not acknowledge the end of {} of {} ({})",
        words::many(stuck, "connection"),
        case.who(),
        case.service_words(),
    );
    finding.evidence = vec![
        sockets("fin_repeated", stuck),
        sockets("last_ack", states[TcpState::LastAck]),
        sockets("fin_wait1", states[TcpState::FinWait1]),
        sockets("closing", states[TcpState::Closing]),
    ];
    "We have sent our FIN and repeat it: the peer, or the path to it, went away, or the peer's window is shut and data \
     is still to be sent before the FIN."
        .clone_into(&mut finding.why);
    finding.advice = vec![
        "See whether the peer is up and reachable, and whether a firewall between forgot the connections.".to_owned(),
        "Nothing is wrong with the process here: it has closed, and the kernel gives up by itself.".to_owned(),
        "Kernel, last: net.ipv4.tcp_orphan_retries (0 means 8) bounds how often it tries. A low number drops the last data \
         of peers that are only slow."
            .to_owned(),
    ];
    finding.filter = case.filter("last-ack,fin-wait-1,closing");
    finding
}
