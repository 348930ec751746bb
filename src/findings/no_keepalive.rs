//! `no-keepalive`: idle connections whose peer may be gone unnoticed.

use super::{
    Confidence, Diagnosis, Finding, FindingId, Severity, View,
    case::{Case, seconds, sockets},
    words,
};

/// Fewer are not worth a word.
const LEAST: u32 = 5;
/// Somebody should look at so many,
const WARN: u32 = 50;
/// if the oldest is idle for so long, milliseconds.
const WARN_MS: u32 = 3_600_000;

/// The diagnosis.
pub(super) struct NoKeepalive;

impl Diagnosis for NoKeepalive {
    fn id(&self) -> FindingId {
        FindingId::NoKeepalive
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        view.cases.iter().filter(|case| case.now.unguarded >= LEAST).map(|case| finding(view, case)).collect()
    }
}

fn finding(view: &View<'_>, case: &Case<'_>) -> Finding {
    let (idle, longest) = (case.now.unguarded, case.now.unguarded_ms);
    let severity = if idle >= WARN && longest >= WARN_MS { Severity::Warning } else { Severity::Info };
    let mut finding = case.finding(view, FindingId::NoKeepalive, severity);
    finding.summary = format!(
        "{} holds {} with {} that are idle for up to {}, without keepalive",
        case.who(),
        words::many(idle, "connection"),
        case.service_words(),
        words::millis(longest),
    );
    finding.evidence = vec![sockets("idle_without_keepalive", idle), seconds("idle_longest", longest)];
    "Nothing is sent on these connections, so nobody would notice that the peer has gone, or that a firewall or NAT \
     between has forgotten them: the next request would hang, and until then they hold descriptors."
        .clone_into(&mut finding.why);
    finding.advice = vec![
        "Turn keepalive on in the application (SO_KEEPALIVE, with TCP_KEEPIDLE below the firewall's idle time), or close \
         idle connections after some minutes."
            .to_owned(),
        "TCP_USER_TIMEOUT bounds how long a request may hang on a dead connection.".to_owned(),
        "Kernel, last: net.ipv4.tcp_keepalive_time (2 h by default) concerns only sockets on which SO_KEEPALIVE is set; \
         it turns nothing on."
            .to_owned(),
    ];
    finding.confidence = Confidence::Likely;
    finding.since = view.ago(longest);
    finding.filter = format!("{} idle:>10m !timer:keepalive", case.filter("established"));
    finding
}
