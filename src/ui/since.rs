//! How old a finding is, and whether it may be older than that.

use super::{Theme, scene::Data, words};
use crate::findings::Finding;

/// A finding takes a while to be made: one that came within so many seconds of the first sample was there before.
const LOOK_S: f64 = 5.0;
/// What is found at once rests on `TIME_WAIT`s, which live for 60 s: of what is about as old as that the oldest are gone.
const EVIDENCE_S: f64 = 60.0;

/// `4m12s`; `≥4m12s` where nothing can be known of the time before.
pub(super) fn age(finding: &Finding, data: &Data<'_>, theme: &Theme) -> String {
    let age = words::ago(data.moment.sample.stamp.seconds_since(&finding.since));
    let more = if is_at_least(finding, data) { theme.glyphs.at_least } else { "" };
    format!("{more}{age}")
}

/// Whether a finding began with the first sample, or as far before as its evidence reaches.
fn is_at_least(finding: &Finding, data: &Data<'_>) -> bool {
    let Some(began) = data.history.began() else { return false };
    let before = began.seconds_since(&finding.since);
    let after = finding.since.seconds_since(&began);
    if before >= 1.0 { before >= EVIDENCE_S - LOOK_S } else { after <= LOOK_S }
}
