//! `time-wait-client`: our side opens connections and closes them first, often.

use std::collections::BTreeMap;

use super::{
    Diagnosis, Finding, FindingId, Severity, View, advice,
    case::{Case, figure},
    ephemeral_exhaustion::SOON_S,
    time_wait::{Churn, WARN_PER_S, ports_held},
    words,
};
use crate::{
    model::Side,
    store::{DestinationRow, Forecast},
};

/// From this share of the ports on a destination has next to none left.
const OUT: f64 = 0.98;
/// From this share on it is worth acting, however few closes that are.
const SHARE: f64 = 0.1;

/// The diagnosis.
pub(super) struct TimeWaitClient;

impl Diagnosis for TimeWaitClient {
    fn id(&self) -> FindingId {
        FindingId::TimeWaitClient
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        let cases = &view.cases;
        let clients = cases.iter().filter(|case| case.service.side == Side::Client);
        let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for case in clients.filter(|case| Churn::of(view, case, cases).is_some()) {
            found.entry(case.who_and_port()).or_default().push(case);
        }
        let told = found.into_values().flat_map(|cases| Case::told_apart(&cases));
        told.filter_map(|case| Some(finding(view, &case, &Churn::of(view, &case, cases)?))).collect()
    }
}

fn finding(view: &View<'_>, case: &Case<'_>, churn: &Churn) -> Finding {
    let held = ports_held(view, case, churn.per_s);
    let severity = match held {
        Some(held) if held >= SHARE && held.max(destination(view, case)) >= OUT => Severity::Critical,
        Some(held) if held >= SHARE => Severity::Warning,
        _ if churn.per_s >= WARN_PER_S => Severity::Warning,
        _ => Severity::Info,
    };
    let mut finding = case.finding(view, FindingId::TimeWaitClient, churn.severity(severity));
    finding.summary = format!(
        "{} opens and closes {} to {}{}",
        case.who(),
        words::rate(churn.per_s),
        case.service_words(),
        churn.life_words(),
    );
    finding.evidence = churn.figures(case);
    if let Some(held) = held {
        finding.evidence.push(figure("its_share_of_ports", (held * 1000.0).round() / 10.0, "%"));
    }
    "Each connection is used for little and closed by the side that opened it. The side that closes first keeps \
     the 4-tuple in TIME_WAIT for 60 s, and with it a local port towards that destination: connections are not \
     kept for the next request."
        .clone_into(&mut finding.why);
    finding.advice = advice::short_client(case.runtime().as_ref());
    finding.advice.extend(advice::time_wait_kernel());
    finding.confidence = churn.confidence;
    finding.since = view.ago(case.now.time_wait_ms);
    finding.filter = case.filter("time-wait");
    finding
}

/// The share of the ports, 0 to 1, that are or will be gone for the destination of a case, whoever holds them: who is
/// refused makes fewer connections, and is no less of a cause.
fn destination(view: &View<'_>, case: &Case<'_>) -> f64 {
    let is_one = |row: &&DestinationRow| {
        row.peer.port == case.service.port && case.service.ip.is_none_or(|ip| ip == row.peer.ip)
    };
    let rows = view.moment.totals.destinations.iter().filter(is_one);
    rows.filter_map(|row| Some((row, row.ports?)))
        .map(|(row, ports)| {
            let then = match row.forecast {
                Some(Forecast::Full { in_s }) if in_s <= SOON_S => 1.0,
                Some(Forecast::Settles { held }) => f64::from(held) / f64::from(ports.capacity.max(1)),
                _ => 0.0,
            };
            then.max(ports.percent().unwrap_or(0.0) / 100.0)
        })
        .fold(0.0, f64::max)
}
