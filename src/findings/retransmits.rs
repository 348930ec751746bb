//! `retransmits`: the path loses segments.

use super::{
    Confidence, Diagnosis, Finding, FindingId, Severity, View,
    case::{Case, figure, filter, sockets, words_for},
    draft::{draft, texts},
    time_wait::round,
    words,
};
use crate::store::FlowCounts;

/// Somebody should act on so many connections that stand still.
const WARN: u32 = 3;
/// Somebody should act from this share of segments sent again on, percent: throughput falls to a fraction.
const WARN_PERCENT: f64 = 3.0;
/// Less is usual on the Internet, percent.
const INFO_PERCENT: f64 = 1.0;
/// A share of few segments says little: fewer sent again per second are not worth a word.
const LEAST_PER_S: f64 = 3.0;
/// A rate over less time than this says little.
const LEAST_S: f64 = 2.5;

/// The diagnosis.
pub(super) struct Retransmits;

/// What the counters of the namespace tell of segments sent again.
#[derive(Debug, Clone, Copy, Default)]
struct Loss {
    /// Segments sent again per second, SYNs left out.
    per_s: f64,
    /// Their share in all that were sent, percent.
    percent: f64,
}

impl Loss {
    fn of(view: &View<'_>) -> Self {
        let of = |name| view.flows.counter_per_s(name).unwrap_or(0.0);
        // A SYN without an answer is another matter: syn-sent-pileup.
        let per_s = (of("TcpRetransSegs") - of("TcpExtTCPSynRetrans")).max(0.0);
        let sent = of("TcpOutSegs") + per_s;
        Self { per_s, percent: if sent > 0.0 { per_s * 100.0 / sent } else { 0.0 } }
    }

    fn is_some(self) -> bool {
        self.per_s >= LEAST_PER_S && self.percent >= INFO_PERCENT
    }

    fn severity(self) -> Severity {
        if self.is_some() && self.percent >= WARN_PERCENT { Severity::Warning } else { Severity::Info }
    }
}

impl Diagnosis for Retransmits {
    fn id(&self) -> FindingId {
        FindingId::Retransmits
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        let loss = if view.flows.seconds() < LEAST_S { Loss::default() } else { Loss::of(view) };
        let stalled = view.cases.iter().filter(|case| case.now.retransmitting > 0);
        let mut findings: Vec<Finding> = stalled.map(|case| stalled_case(view, case, loss)).collect();
        if loss.is_some()
            && !only_fins(view)
            && findings.iter().all(|finding| finding.severity < loss.severity())
        {
            let lossy = lossy(view, loss);
            // One finding for one subject: that of the whole says more.
            findings.retain(|finding| finding.subject != lossy.subject);
            findings.push(lossy);
        }
        findings
    }
}

/// Connections that wait for an answer to what was sent again and again.
fn stalled_case(view: &View<'_>, case: &Case<'_>, loss: Loss) -> Finding {
    let stalled = case.now.retransmitting;
    let severity = if stalled >= WARN { Severity::Warning } else { Severity::Info };
    let mut finding = case.finding(view, FindingId::Retransmits, severity);
    finding.summary = format!(
        "{} of {} with {} stand still: what was sent was repeated twice or more without an answer",
        words::many(stalled, "connection"),
        case.who(),
        case.service_words(),
    );
    finding.evidence = vec![
        sockets("stalled", stalled),
        figure("resent", words::figure(case.now.resent), "segments"),
        figure("resent_per_s", round(loss.per_s), "/s"),
        figure("resent_percent", round(loss.percent), "%"),
    ];
    WHY.clone_into(&mut finding.why);
    finding.advice = advice();
    finding.confidence = Confidence::Likely;
    finding.filter = format!("{} retrans:>1", case.filter("established"));
    finding
}

/// A share of all that is sent has to be sent again.
fn lossy(view: &View<'_>, loss: Loss) -> Finding {
    let worst = worst(view);
    let subject = worst.map(Case::subject).unwrap_or_default();
    let mut finding = draft(view, FindingId::Retransmits, loss.severity(), subject);
    let whom = worst.map_or_else(
        || "no single service".to_owned(),
        |case| format!("{} with {}", words_for(&finding.subject.processes), case.service_words()),
    );
    finding.summary = format!(
        "{:.1} % of the segments this namespace sends are sent again, {}; most by {whom}",
        loss.percent,
        words::rate(loss.per_s),
    );
    finding.evidence = vec![
        figure("resent_percent", round(loss.percent), "%"),
        figure("resent_per_s", round(loss.per_s), "/s"),
        sockets("stalled", worst.map_or(0, |case| case.now.retransmitting)),
    ];
    WHY.clone_into(&mut finding.why);
    finding.advice = advice();
    finding.confidence = if worst.is_some() { Confidence::Likely } else { Confidence::Certain };
    finding.filter = format!("{} retrans:>0", filter(&finding.subject, "established"));
    finding
}

/// The case with at least half of what was sent again in the window, as far as open connections tell.
fn worst<'c, 'a>(view: &'c View<'a>) -> Option<&'c Case<'a>> {
    let all: u64 = view.cases.iter().map(|case| resent(view, case)).sum();
    let worst = view.cases.iter().max_by_key(|case| resent(view, case))?;
    (resent(view, worst) > 0 && resent(view, worst) * 2 >= all).then_some(worst)
}

/// Whether nothing but the ends of closed connections is known to be sent again: last-ack-pileup tells of those.
fn only_fins(view: &View<'_>) -> bool {
    let cases = &view.cases;
    cases.iter().any(|case| case.now.unacknowledged > 0) && cases.iter().all(|case| resent(view, case) == 0)
}

/// What a case's open connections have sent again in the window, segments.
fn resent(view: &View<'_>, case: &Case<'_>) -> u64 {
    let course = case.course(view, |counts: &FlowCounts| u32::try_from(counts.resent).unwrap_or(u32::MAX));
    course.windows(2).map(|pair| u64::from(pair[1].saturating_sub(pair[0]))).sum()
}

const WHY: &str = "Segments are lost on the way, or their acknowledgements are, or the peer has vanished. Each loss costs a \
    round trip at least; each one at the end of a request costs 200 ms and more, doubled with each repetition.";

fn advice() -> Vec<String> {
    texts([
        "See whether one peer or all are concerned: one is its path or host (ping with large packets and -M do, mtr), all \
         are this host's link (ip -s link, ethtool -S: errors, drops; tc -s qdisc), a shaper, or conntrack.",
        "If only large transfers stall, look for an MTU that is too large with ICMP filtered; net.ipv4.tcp_mtu_probing=1 \
         gets round it.",
        "Give requests a timeout in the application, and TCP_USER_TIMEOUT to connections: by default a dead peer is given \
         up after 15 repetitions, some 15 minutes.",
        "Kernel, last: lower net.ipv4.tcp_retries2 gives up earlier for every connection of the host; it does not make the \
         path lose less.",
    ])
}
