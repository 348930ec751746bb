//! `reset-churn`: connections end by reset, often.

use super::{
    Confidence, Diagnosis, Finding, FindingId, Severity, View,
    case::{Case, figure},
    time_wait::round,
    words,
};
use crate::model::Side;

/// Somebody should act from so many resets per second on.
const WARN_PER_S: f64 = 10.0;
/// Fewer are not worth a word.
const INFO_PER_S: f64 = 1.0;
/// A rate over less time than this says little.
const LEAST_S: f64 = 3.5;
/// Resets that are so small a share of all ends, 0 to 1, are how some clients hang up.
const PEERS_SHARE: f64 = 0.2;

/// The diagnosis.
pub(super) struct ResetChurn;

/// What the counters tell, per second.
struct Resets {
    /// `close()` with a linger time of 0, or after data came to a closed socket.
    on_data: f64,
    /// `close()` with data unread.
    on_close: f64,
    /// Connections that were open and ended by a reset, ours or the peer's.
    all: f64,
}

impl Diagnosis for ResetChurn {
    fn id(&self) -> FindingId {
        FindingId::ResetChurn
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        if view.flows.seconds() < LEAST_S {
            return Vec::new();
        }
        let of = |name| view.flows.steady_per_s(name);
        let resets = Resets {
            on_data: of("TcpExtTCPAbortOnData"),
            on_close: of("TcpExtTCPAbortOnClose"),
            all: of("TcpEstabResets"),
        };
        if resets.ours().max(resets.all) < INFO_PER_S { Vec::new() } else { vec![finding(view, &resets)] }
    }
}

impl Resets {
    fn ours(&self) -> f64 {
        self.on_data + self.on_close
    }
}

fn finding(view: &View<'_>, resets: &Resets) -> Finding {
    let ours = resets.ours() >= resets.all / 4.0 && resets.ours() >= INFO_PER_S;
    let per_s = if ours { resets.ours() } else { resets.all };
    let ended = view.flows.rate(|rates| rates.closed).unwrap_or(0.0);
    let much = per_s >= WARN_PER_S && (ours || per_s >= ended * PEERS_SHARE);
    let cases = &view.cases;
    let culprit = culprit(view, per_s, cases);
    let subject = culprit.map(Case::subject).unwrap_or_default();
    let who = match (&culprit, ours) {
        (Some(case), true) => format!("{} resets its connections with {}", case.who(), case.service_words()),
        (Some(case), false) => format!("{} is reset by {}", case.who(), case.service_words()),
        (None, true) => "Programs on this host reset their connections".to_owned(),
        (None, false) => "Peers reset their connections with this host".to_owned(),
    };
    Finding {
        id: FindingId::ResetChurn,
        severity: if much { Severity::Warning } else { Severity::Info },
        filter: super::case::filter(&subject, ""),
        subject,
        since: view.moment.sample.stamp,
        summary: format!("{who}, {}", words::rate(per_s)),
        evidence: vec![
            figure("reset_per_s", round(per_s), "/s"),
            figure("aborted_on_data_per_s", round(resets.on_data), "/s"),
            figure("closed_with_unread_data_per_s", round(resets.on_close), "/s"),
            figure("open_connections_reset_per_s", round(resets.all), "/s"),
        ],
        why: why(resets, ours).to_owned(),
        advice: advice(resets, ours),
        confidence: if culprit.is_some() { Confidence::Likely } else { Confidence::Certain },
    }
}

fn why(resets: &Resets, ours: bool) -> &'static str {
    if !ours {
        "The other end answers with RST: it closes with data unread or SO_LINGER 0, it has forgotten the connection, \
         or something between drops it."
    } else if resets.on_close >= resets.on_data {
        "close() on a socket with data that was never read sends RST instead of FIN: the peer may lose what was under \
         way, and no TIME_WAIT is left to tell."
    } else {
        "close() with SO_LINGER 0 sends RST at once, or data came for a socket that had been closed: the peer may lose \
         what was under way."
    }
}

fn advice(resets: &Resets, ours: bool) -> Vec<String> {
    let first = if !ours {
        "Look at the peer's program and log; compare idle timeouts of both sides and of what is between them."
    } else if resets.on_close >= resets.on_data {
        "Read the answer to its end before closing: in Go, drain the body; in HTTP clients, do not give up halfway."
    } else {
        "Remove SO_LINGER with a time of 0 (setLinger(0), linger: 0): it trades TIME_WAITs for lost data."
    };
    let second = "Keep connections and use them again: then neither resets nor TIME_WAITs are left.";
    vec![first.to_owned(), second.to_owned()]
}

/// The only one whose connections vanish at that rate, none of which this host has both ends of.
fn culprit<'c, 'v>(view: &View<'_>, per_s: f64, cases: &'c [Case<'v>]) -> Option<&'c Case<'v>> {
    let mut fits = cases.iter().filter(|case| vanished_per_s(view, case) >= per_s * 0.5);
    let case = fits.next()?;
    let both_ends_here = |other: &Case<'_>| {
        other.service.port == case.service.port
            && other.service.side != case.service.side
            && (other.now.states.total() > 0 || other.sums.opened + other.sums.closed > 0)
    };
    let alone = fits.next().is_none() && !cases.iter().any(both_ends_here);
    (alone && !case.processes().is_empty()).then_some(case)
}

/// Connections per second that began, and are neither there nor closed by us with a FIN.
fn vanished_per_s(view: &View<'_>, case: &Case<'_>) -> f64 {
    let seconds = view.flows.seconds();
    let seen = words::figure(case.sums.ended) / seconds;
    if case.service.side == Side::Server || !case.sums.is_traced() {
        return seen;
    }
    let open = case.course(view, |counts| counts.states.total());
    let grown = match (open.first(), open.last()) {
        (Some(&first), Some(&last)) => f64::from(last.saturating_sub(first)) / seconds,
        _ => 0.0,
    };
    (case.sums.opened_per_s() - case.sums.closed_first_per_s() - grown).max(seen)
}
