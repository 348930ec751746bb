//! `syn-queue-overflow`: more handshakes are begun than there is room for.

use super::{
    Confidence, Diagnosis, Finding, FindingId, Severity, Subject, View,
    accept_queue_overflow::Crowd,
    case::{Case, figure, filter, sockets},
    draft::{draft, texts},
    time_wait::round,
    words,
};
use crate::model::{Side, TcpState};

/// Somebody should act from so many handshakes per second on that are dropped,
const WARN_DROPS_PER_S: f64 = 0.3;
/// or answered with a cookie.
const WARN_COOKIES_PER_S: f64 = 10.0;
/// So many dropped ones keep clients out.
const CRITICAL_DROPS_PER_S: f64 = 10.0;
/// Fewer in the window are not worth a word.
const LEAST: f64 = 3.0;

/// The diagnosis.
pub(super) struct SynQueueOverflow;

impl Diagnosis for SynQueueOverflow {
    fn id(&self) -> FindingId {
        FindingId::SynQueueOverflow
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        let of = |name| view.flows.counter_per_s(name).unwrap_or(0.0);
        let (dropped, cookies) = (of("TcpExtTCPReqQFullDrop"), of("TcpExtTCPReqQFullDoCookies"));
        if (dropped + cookies) * view.flows.seconds() < LEAST {
            return Vec::new();
        }
        let culprit = culprit(view);
        // With a full accept queue handshakes cannot end: that is the cause, and a finding of its own.
        let accepts_too_slowly = |port| Crowd::all(view).keys().any(|(full, _)| port == *full);
        if culprit.map_or_else(|| !Crowd::all(view).is_empty(), |case| accepts_too_slowly(case.service.port))
        {
            return Vec::new();
        }
        vec![finding(view, culprit, dropped, cookies)]
    }
}

/// The service with at least half of the handshakes that are under way.
fn culprit<'c, 'a>(view: &'c View<'a>) -> Option<&'c Case<'a>> {
    let begun = |case: &Case<'_>| case.now.states[TcpState::SynRecv];
    let worst =
        view.cases.iter().filter(|case| case.service.side == Side::Server).max_by_key(|case| begun(case))?;
    let all = view.moment.totals.states[TcpState::SynRecv];
    (begun(worst) > 0 && begun(worst) * 2 >= all).then_some(worst)
}

fn finding(view: &View<'_>, culprit: Option<&Case<'_>>, dropped: f64, cookies: f64) -> Finding {
    let severity = match dropped {
        _ if dropped >= CRITICAL_DROPS_PER_S => Severity::Critical,
        _ if dropped >= WARN_DROPS_PER_S || cookies >= WARN_COOKIES_PER_S => Severity::Warning,
        _ => Severity::Info,
    };
    let subject = culprit.map(Case::subject).unwrap_or_default();
    let mut finding = draft(view, FindingId::SynQueueOverflow, severity, subject);
    let place = culprit.map_or_else(
        || "listeners of this host (it cannot be told which)".to_owned(),
        |case| format!("{} on {}", case.who(), case.service_words()),
    );
    let what = match (dropped > 0.0, cookies > 0.0) {
        (true, true) => {
            format!("{} dropped, {} answered with a cookie", words::rate(dropped), words::rate(cookies))
        }
        (true, false) => format!("{} dropped", words::rate(dropped)),
        _ => format!("{} answered with a cookie", words::rate(cookies)),
    };
    finding.summary = format!("More handshakes are begun with {place} than there is room for: {what}");
    let begun = culprit
        .map_or(view.moment.totals.states[TcpState::SynRecv], |case| case.now.states[TcpState::SynRecv]);
    let clients = clients(view, finding.subject.port);
    finding.evidence = vec![
        figure("dropped_per_s", round(dropped), "/s"),
        figure("cookies_per_s", round(cookies), "/s"),
        sockets("syn_recv", begun),
        figure("addresses", words::figure(clients as u64), "addresses"),
    ];
    let limits =
        [("tcp_max_syn_backlog", "net.ipv4.tcp_max_syn_backlog"), ("somaxconn", "net.core.somaxconn")];
    for (name, setting) in limits {
        finding.evidence.extend(view.setting(setting).map(|n| figure(name, words::figure(n), "sockets")));
    }
    "Handshakes wait for the client's last ACK and fill the listener's queue. Either SYNs come from addresses that do not \
     answer (a flood with false senders, or a lossy path), or more clients come at once than the backlog has room for."
        .clone_into(&mut finding.why);
    finding.advice = advice(view);
    finding.confidence = Confidence::Likely;
    finding.filter = filter(&Subject { processes: Vec::new(), ..finding.subject.clone() }, "syn-recv");
    finding
}

/// How many addresses have a handshake under way, with the service on `port` if it is known.
fn clients(view: &View<'_>, port: Option<u16>) -> usize {
    let peers = view.moment.totals.peers.iter();
    peers
        .filter(|row| row.key.side == Side::Server && port.is_none_or(|port| row.key.port == port))
        .filter(|row| row.states[TcpState::SynRecv] > 0)
        .count()
}

fn advice(view: &View<'_>) -> Vec<String> {
    let mut advice = texts([
        "Compare the addresses: many with one handshake each and no connection are a flood with false senders (filter it \
         upstream); few with many are a client or scanner to limit; known clients are a burst.",
        "For bursts: a higher backlog in the program's listen(), up to net.core.somaxconn, makes this queue longer too.",
    ]);
    advice.push(match view.setting("net.ipv4.tcp_syncookies") {
        Some(0) => "Kernel: net.ipv4.tcp_syncookies is 0: set it to 1, the default, so that a full queue turns nobody \
                    away. A connection made so has no window scaling or SACK unless timestamps are on."
            .to_owned(),
        _ => "Kernel, last: tcp_syncookies=1 already keeps the service reachable; net.ipv4.tcp_max_syn_backlog only counts \
              while cookies are off; lower tcp_synack_retries frees places sooner and fails on lossy paths."
            .to_owned(),
    });
    advice
}
