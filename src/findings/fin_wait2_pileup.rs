//! `fin-wait2-pileup`: we have closed and the peer does not.

use super::{
    Diagnosis, Finding, FindingId, Severity, View,
    case::{Case, figure, sockets, words_for},
    words,
};
use crate::model::{Side, TcpState};

/// Fewer are not worth a word.
const LEAST: u32 = 5;
/// Somebody should act from so many on.
const WARN: u32 = 20;

/// The diagnosis.
pub(super) struct FinWait2Pileup;

impl Diagnosis for FinWait2Pileup {
    fn id(&self) -> FindingId {
        FindingId::FinWait2Pileup
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        let cases = view.services();
        cases
            .iter()
            .filter(|case| case.now.fin_wait2 >= LEAST)
            .map(|case| finding(view, case, &cases))
            .collect()
    }
}

fn finding(view: &View<'_>, case: &Case<'_>, all: &[Case<'_>]) -> Finding {
    let stuck = case.now.fin_wait2;
    let other_end = other_end(case, all);
    // What the other end does not close is its finding; here it only shows.
    let severity = if stuck >= WARN && other_end.is_none() { Severity::Warning } else { Severity::Info };
    let mut finding = case.finding(view, FindingId::FinWait2Pileup, severity);
    if finding.subject.peer.is_none() {
        finding.subject.peer = peer_of_most(view, case, TcpState::FinWait2);
    }
    let whom = finding.subject.peer.map_or_else(|| "their peers".to_owned(), |ip| ip.to_string());
    finding.summary = format!(
        "{} of {} ({}) wait for {whom} to close",
        words::many(stuck, "connection"),
        case.who(),
        case.service_words(),
    );
    if let Some(who) = other_end {
        finding.summary.extend([": ", &who, " on this host holds the other end"]);
    }
    finding.evidence = vec![
        sockets("fin_wait2", case.now.states[TcpState::FinWait2]),
        sockets("fin_wait2_over_5_s", stuck),
        figure("tcp_fin_timeout", words::figure(view.setting("net.ipv4.tcp_fin_timeout").unwrap_or(60)), "s"),
    ];
    "We have closed; the peer acknowledged that and keeps its side open: its program does not close (it has a \
     CLOSE_WAIT), or the peer vanished."
        .clone_into(&mut finding.why);
    finding.advice = vec![
        "Look at the peer: which process there has the CLOSE_WAITs, and why does it not close?".to_owned(),
        "If our process still holds them (shutdown() without close()), close them: only then does the kernel's timer run."
            .to_owned(),
        "Kernel, last: net.ipv4.tcp_fin_timeout bounds how long a closed one stays here. Below the time that slow peers \
         need, their last data is answered with RST."
            .to_owned(),
    ];
    finding.filter = case.filter("fin-wait-2");
    finding
}

/// Who on this host holds the other ends, in `CLOSE_WAIT`.
fn other_end(case: &Case<'_>, all: &[Case<'_>]) -> Option<String> {
    let is_other_end = |other: &&Case<'_>| {
        other.service.port == case.service.port
            && other.service.side != case.service.side
            && other.now.states[TcpState::CloseWait] >= case.now.fin_wait2 / 2
    };
    let other = all.iter().find(is_other_end)?;
    Some(words_for(&other.processes()))
}

/// The peer that most of a server's connections in `state` are with, if that is at least half of them.
pub(super) fn peer_of_most(view: &View<'_>, case: &Case<'_>, state: TcpState) -> Option<std::net::IpAddr> {
    let peers = view.moment.totals.peers.iter();
    let rows = peers.filter(|row| row.key.side == Side::Server && row.key.port == case.service.port);
    let worst = rows.max_by_key(|row| row.states[state])?;
    (worst.states[state] * 2 >= case.now.states[state]).then_some(worst.key.ip)
}
