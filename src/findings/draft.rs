//! What findings that are not about one case have in common: a draft, and limits.

use super::{
    Confidence, Figure, Finding, FindingId, Severity, Subject, View,
    case::{figure, filter},
    words,
};
use crate::model::Limit;

/// A finding about `subject`, begun now, certain, without figures or advice.
pub(super) fn draft(view: &View<'_>, id: FindingId, severity: Severity, subject: Subject) -> Finding {
    Finding {
        id,
        severity,
        since: view.moment.sample.stamp,
        summary: String::new(),
        evidence: Vec::new(),
        why: String::new(),
        advice: Vec::new(),
        confidence: Confidence::Certain,
        filter: filter(&subject, ""),
        subject,
    }
}

/// A limit and how much of it is used, percent; `None` if it is not known or is none.
pub(super) fn limit(view: &View<'_>, name: &str) -> Option<(Limit, f64)> {
    let limit = *view.moment.sample.limits.get(name)?;
    (limit.max > 0).then(|| (limit, percent(limit.value, limit.max)))
}

/// `part` in percent of `whole`, to one decimal.
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    super::time_wait::round(words::figure(part) * 100.0 / words::figure(whole.max(1)))
}

/// How much of a limit is used, as figures.
pub(super) fn limit_figures(limit: Limit, used: f64, unit: &'static str) -> Vec<Figure> {
    vec![
        figure("used_percent", used, "%"),
        figure("used", words::figure(limit.value), unit),
        figure("limit", words::figure(limit.max), unit),
    ]
}

/// Texts as a finding keeps them.
pub(super) fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).to_vec()
}
