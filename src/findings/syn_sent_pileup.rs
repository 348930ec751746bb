//! `syn-sent-pileup`: a destination does not answer.

use std::collections::BTreeMap;

use super::{
    Diagnosis, Finding, FindingId, Severity, View,
    case::{Case, figure, sockets},
    words,
};
use crate::model::TcpState;

/// Somebody should act from so many on.
const WARN: u32 = 3;

/// The diagnosis.
pub(super) struct SynSentPileup;

impl Diagnosis for SynSentPileup {
    fn id(&self) -> FindingId {
        FindingId::SynSentPileup
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        let mut waiting: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for case in view.cases.iter().filter(|case| case.now.unanswered > 0) {
            waiting.entry(case.who_and_port()).or_default().push(case);
        }
        let told = waiting.into_values().flat_map(|cases| Case::told_apart(&cases));
        told.map(|case| finding(view, &case)).collect()
    }
}

fn finding(view: &View<'_>, case: &Case<'_>) -> Finding {
    let waiting = case.now.unanswered;
    let severity = if waiting >= WARN { Severity::Warning } else { Severity::Info };
    let mut finding = case.finding(view, FindingId::SynSentPileup, severity);
    finding.summary = format!(
        "{} does not answer {} of {}",
        case.service.ip.map_or_else(
            || format!("More than one destination ({})", case.service_words()),
            |_| case.service_words()
        ),
        words::many(waiting, "connect() call"),
        case.who(),
    );
    finding.evidence = vec![
        sockets("syn_sent", case.now.states[TcpState::SynSent]),
        sockets("syn_repeated", waiting),
        figure(
            "tcp_syn_retries",
            words::figure(view.setting("net.ipv4.tcp_syn_retries").unwrap_or(6)),
            "retries",
        ),
    ];
    "The SYN was repeated after a second without an answer: the host is down, a firewall drops it silently, the route is \
     wrong, or the listener there has a full queue. A closed port would have refused at once."
        .clone_into(&mut finding.why);
    finding.advice = vec![
        "See whether the destination is up and listens, and what firewalls and routes on the way do with the SYN.".to_owned(),
        "Give connect() a timeout in the application (a few seconds) and back off between attempts: by default a call hangs \
         for about two minutes."
            .to_owned(),
        "Kernel, last: net.ipv4.tcp_syn_retries bounds the wait for every program on the host; low numbers fail on lossy paths."
            .to_owned(),
    ];
    finding.filter = case.filter("syn-sent");
    finding
}
