//! `unread-data`: a process does not read what came.

use super::{
    Confidence, Diagnosis, Finding, FindingId, Severity, View,
    case::{Case, figure, seconds, sockets},
    words,
};

/// Somebody should act on so many connections.
const WARN: u32 = 3;
/// Or on so many bytes.
const WARN_BYTES: u64 = 256 << 10;
/// Unread for so long it is worth a word, milliseconds.
const LEAST_MS: u32 = 5_000;

/// The diagnosis.
pub(super) struct UnreadData;

impl Diagnosis for UnreadData {
    fn id(&self) -> FindingId {
        FindingId::UnreadData
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        let cases = &view.cases;
        let stuck = |case: &&Case<'_>| case.now.unread > 0 && case.now.unread_ms >= LEAST_MS;
        cases.iter().filter(stuck).map(|case| finding(view, case)).collect()
    }
}

fn finding(view: &View<'_>, case: &Case<'_>) -> Finding {
    let stuck = case.now.unread;
    let much = stuck >= WARN || case.now.unread_bytes >= WARN_BYTES;
    let severity = if much { Severity::Warning } else { Severity::Info };
    let mut finding = case.finding(view, FindingId::UnreadData, severity);
    finding.summary = format!(
        "{} does not read {} with {}: {} KiB wait, for up to {}",
        case.who(),
        words::many(stuck, "connection"),
        case.service_words(),
        case.now.unread_bytes.div_ceil(1024),
        words::millis(case.now.unread_ms),
    );
    finding.evidence = vec![
        sockets("unread", stuck),
        figure("unread_bytes", words::figure(case.now.unread_bytes), "bytes"),
        seconds("unread_longest", case.now.unread_ms),
    ];
    "Data has come and the process leaves it in the receive queue: it is stuck, busy elsewhere, or holds back on \
     purpose. Once the queue is full the peer cannot send any more."
        .clone_into(&mut finding.why);
    finding.advice = vec![
        "See what the process does: its stack (gdb, py-spy, jstack, a goroutine dump), its processor time, and locks.".to_owned(),
        "If it is busy, give it more workers, or take long work off the thread that reads.".to_owned(),
        "Kernel, last: larger buffers (net.ipv4.tcp_rmem) only let more pile up before the peer has to wait.".to_owned(),
    ];
    finding.confidence = Confidence::Likely;
    finding.since = view.ago(case.now.unread_ms);
    finding.filter = format!("{} recvq:>0", case.filter("established"));
    finding
}
