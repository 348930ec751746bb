//! Which of two findings comes first.

use std::cmp::Ordering;

use super::{Finding, FindingId, Severity};

/// What is worse comes first; of what is equally bad, what breaks first; then what is more of the same.
pub(super) fn worst_first(a: &Finding, b: &Finding) -> Ordering {
    (b.severity.cmp(&a.severity))
        .then_with(|| urgency(a).cmp(&urgency(b)))
        .then_with(|| time_left(a).total_cmp(&time_left(b)))
        .then_with(|| a.id.cmp(&b.id))
        .then_with(|| weight(b).total_cmp(&weight(a)))
}

/// How soon it breaks something: 0 now. What is broken comes before what will be, a cause that goes on for hours last.
fn urgency(finding: &Finding) -> u8 {
    let has = |name| value(finding, name).is_some();
    match finding.id {
        FindingId::EphemeralExhaustion => match value(finding, "left_at_most") {
            Some(left) if left <= 0.0 => 0,
            _ if has("connect_failures_per_s") => 1,
            _ if has("full_in") => 2,
            _ if finding.severity == Severity::Critical => 3,
            _ => 6,
        },
        FindingId::AcceptQueueOverflow | FindingId::FdLimit | FindingId::SynQueueOverflow => 4,
        FindingId::ConntrackFull | FindingId::OrphanLimit | FindingId::TimeWaitBucketOverflow => 5,
        FindingId::EstablishedLeak
        | FindingId::CloseWaitLeak
        | FindingId::FinWait2Pileup
        | FindingId::LastAckPileup
        | FindingId::SynSentPileup
        | FindingId::UnreadData
        | FindingId::Retransmits
        | FindingId::ZeroWindow => 7,
        FindingId::TimeWaitClient | FindingId::TimeWaitServer | FindingId::ResetChurn => 8,
        FindingId::ListenerInEphemeralRange | FindingId::NoKeepalive => 9,
    }
}

/// Seconds until it breaks, where that is foretold.
fn time_left(finding: &Finding) -> f64 {
    value(finding, "full_in").unwrap_or(f64::INFINITY)
}

/// How much of it there is.
fn weight(finding: &Finding) -> f64 {
    finding.evidence.first().map_or(0.0, |figure| figure.value)
}

fn value(finding: &Finding, name: &str) -> Option<f64> {
    finding.evidence.iter().find(|figure| figure.name == name).map(|figure| figure.value)
}
