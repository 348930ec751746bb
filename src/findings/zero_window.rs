//! `zero-window`: the peer does not read what was sent.

use super::{
    Confidence, Diagnosis, Finding, FindingId, Severity, View,
    case::{Case, figure, sockets, words_for},
    draft::texts,
    fin_wait2_pileup::peer_of_most,
    words,
};
use crate::model::{Side, TcpState};

/// Somebody should act on so many connections,
const WARN: u32 = 3;
/// that are held up for so long, seconds.
const WARN_S: f64 = 5.0;
/// Less may be a reader that is busy for a moment, seconds.
const LEAST_S: f64 = 2.0;

/// The diagnosis.
pub(super) struct ZeroWindow;

impl Diagnosis for ZeroWindow {
    fn id(&self) -> FindingId {
        FindingId::ZeroWindow
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        let held_up = |case: &&Case<'_>| case.now.zero_window > 0 && held_up_s(view, case, 1) >= LEAST_S;
        view.cases.iter().filter(held_up).map(|case| finding(view, case)).collect()
    }
}

/// For how long at least so many connections have been held up, in every moment up to the newest, seconds.
fn held_up_s(view: &View<'_>, case: &Case<'_>, least: u32) -> f64 {
    let course = case.course(view, |counts| counts.zero_window);
    let moments =
        u32::try_from(course.iter().rev().take_while(|&&count| count >= least).count()).unwrap_or(u32::MAX);
    let each = view.flows.seconds() / f64::from(u32::try_from(course.len().max(2) - 1).unwrap_or(u32::MAX));
    f64::from(moments.saturating_sub(1)) * each
}

fn finding(view: &View<'_>, case: &Case<'_>) -> Finding {
    let held_up = case.now.zero_window;
    let reader = reader_here(view, case);
    // A reader on this host has its own finding: unread-data.
    let bad = held_up >= WARN && held_up_s(view, case, WARN) >= WARN_S && reader.is_none();
    let severity = if bad { Severity::Warning } else { Severity::Info };
    let mut finding = case.finding(view, FindingId::ZeroWindow, severity);
    if case.service.side == Side::Server {
        finding.subject.peer = peer_of_most(view, case, TcpState::Established);
    }
    let whom = match (&reader, finding.subject.peer) {
        (Some(who), _) => format!("{who} on this host"),
        (None, Some(ip)) => ip.to_string(),
        (None, None) => "the peers".to_owned(),
    };
    finding.summary = format!(
        "{whom} does not read what {} sends ({}): {} wait with {} KiB",
        case.who(),
        case.service_words(),
        words::many(held_up, "connection"),
        case.now.zero_window_bytes.div_ceil(1024),
    );
    finding.evidence = vec![
        sockets("zero_window", held_up),
        figure("to_send", words::figure(case.now.zero_window_bytes), "bytes"),
        figure("held_up_for_at_least", held_up_s(view, case, 1).round(), "s"),
    ];
    "The peer's receive buffer is full and stays so: its window is 0, and the kernel only sends probes (timer persist). \
     The path is fine; the program at the other end is stuck, slow, or holds back on purpose."
        .clone_into(&mut finding.why);
    finding.advice = texts([
        "Look at the process at the other end (there it is unread-data): is it stuck, short of processor time, or waiting \
         for a disk, a lock, or somebody else?",
        "Bound what our side queues for a slow reader, and give up after a time: TCP_USER_TIMEOUT, or a timeout for write \
         (nginx send_timeout). A peer that acknowledges probes is never given up by the kernel alone.",
        "Kernel, last: larger buffers (net.ipv4.tcp_wmem here, tcp_rmem there) only put off the moment at which they are \
         full.",
    ]);
    finding.confidence = Confidence::Likely;
    finding.filter = format!("{} timer:persist", case.filter("established"));
    finding
}

/// The process on this host that is the other end and does not read.
fn reader_here(view: &View<'_>, case: &Case<'_>) -> Option<String> {
    let reads = |other: &&Case<'_>| {
        other.service.port == case.service.port
            && other.service.side != case.service.side
            && other.now.unread > 0
            && !other.processes().is_empty()
    };
    Some(words_for(&view.cases.iter().find(reads)?.processes()))
}
