//! `conntrack-full`: the table of tracked connections is nearly full.

use super::{
    Diagnosis, Finding, FindingId, Severity, Subject, View,
    case::{figure, sockets},
    draft::{draft, limit, limit_figures, texts},
    words,
};
use crate::model::TcpState;

/// Somebody should act from this share on, percent.
const WARN: f64 = 80.0;
/// From this share on a burst drops packets, percent.
const CRITICAL: f64 = 95.0;

/// The diagnosis.
pub(super) struct ConntrackFull;

impl Diagnosis for ConntrackFull {
    fn id(&self) -> FindingId {
        FindingId::ConntrackFull
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        finding(view).into_iter().collect()
    }
}

fn finding(view: &View<'_>) -> Option<Finding> {
    let (limit, used) = limit(view, "nf_conntrack")?;
    let severity = match used {
        _ if used >= CRITICAL => Severity::Critical,
        _ if used >= WARN => Severity::Warning,
        _ => return None,
    };
    let mut finding = draft(view, FindingId::ConntrackFull, severity, Subject::default());
    finding.summary = format!(
        "The connection tracker has {} of {} entries: beyond that packets are dropped",
        limit.value, limit.max
    );
    finding.evidence = limit_figures(limit, used, "entries");
    let states = &view.moment.totals.states;
    finding.evidence.push(sockets("tcp_sockets", states.total()));
    finding.evidence.push(sockets("time_wait", states[TcpState::TimeWait]));
    let timeouts = [
        ("timeout_established", "net.netfilter.nf_conntrack_tcp_timeout_established"),
        ("timeout_time_wait", "net.netfilter.nf_conntrack_tcp_timeout_time_wait"),
    ];
    for (name, setting) in timeouts {
        finding.evidence.extend(view.setting(setting).map(|n| figure(name, words::figure(n), "s")));
    }
    "netfilter keeps an entry for each flow, UDP and forwarded ones included, also after its socket has gone: 120 s after \
     TIME_WAIT began, up to five days for a connection whose end it did not see. With a full table the first packet of \
     each new flow is dropped (dmesg: nf_conntrack: table full, dropping packet)."
        .clone_into(&mut finding.why);
    finding.advice = texts([
        "See what fills it: conntrack -L, or /proc/net/nf_conntrack, by state and address. Many in TIME_WAIT: keep \
         connections instead of opening new ones. Many ESTABLISHED without a socket: flows whose end was not seen.",
        "Take busy flows that need no tracking out of it: a rule with NOTRACK (nft: notrack) in the raw table.",
        "Kernel, last: raise net.netfilter.nf_conntrack_max, with the hash (nf_conntrack_buckets) in step, some 300 bytes an \
         entry. A lower nf_conntrack_tcp_timeout_established (432000 s by default) frees what is dead, and cuts idle \
         connections without keepalive.",
    ]);
    Some(finding)
}
