//! `time-wait-server`: our side accepts connections and closes them first, often.

use super::{
    Diagnosis, Finding, FindingId, Severity, View, advice,
    case::{Case, words_for},
    fin_wait2_pileup::peer_of_most,
    time_wait::{Churn, WARN_PER_S},
    words,
};
use crate::model::{Runtime, Side, TcpState};

/// The diagnosis.
pub(super) struct TimeWaitServer;

impl Diagnosis for TimeWaitServer {
    fn id(&self) -> FindingId {
        FindingId::TimeWaitServer
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        let cases = &view.cases;
        let servers = cases.iter().filter(|case| case.service.side == Side::Server);
        servers.filter_map(|case| Some(finding(view, case, &Churn::of(view, case, cases)?, cases))).collect()
    }
}

fn finding(view: &View<'_>, case: &Case<'_>, churn: &Churn, all: &[Case<'_>]) -> Finding {
    let severity = if churn.per_s >= WARN_PER_S { Severity::Warning } else { Severity::Info };
    let mut finding = case.finding(view, FindingId::TimeWaitServer, churn.severity(severity));
    finding.subject.peer = peer_of_most(view, case, TcpState::TimeWait);
    let client = client_here(case, churn, all);
    finding.summary = format!(
        "{} accepts on {} and closes first, {}{}",
        case.who(),
        case.service_words(),
        words::rate(churn.per_s),
        churn.life_words(),
    );
    finding.evidence = churn.figures(case);
    "The server ends each connection after one or a few answers, so it keeps the TIME_WAITs: it was told to \
     (Connection: close, or HTTP/1.0 from a proxy), or its keep-alive is off, short, or limited to few requests. \
     Each request then pays for a new connection."
        .clone_into(&mut finding.why);
    let asks = client.as_ref().map(|(who, runtime)| (&**who, runtime.as_ref()));
    if let Some((who, _)) = &asks {
        finding.summary.extend(["; opened on this host by ", who]);
    } else if let Some(peer) = finding.subject.peer {
        finding.summary.extend(["; most are with ", &peer.to_string()]);
    }
    finding.advice = advice::short_server(case.runtime().as_ref(), asks);
    finding.advice.extend(advice::time_wait_kernel());
    finding.confidence = churn.confidence;
    finding.since = view.ago(case.now.time_wait_ms);
    finding.filter = case.filter("time-wait");
    finding
}

/// Who on this host opens most of these connections, if the trace told: a proxy that speaks HTTP/1.0, perhaps.
fn client_here(case: &Case<'_>, churn: &Churn, all: &[Case<'_>]) -> Option<(String, Option<Runtime>)> {
    let opens = |other: &&Case<'_>| {
        other.service.side == Side::Client
            && other.service.port == case.service.port
            && other.sums.is_traced()
            && other.sums.opened_per_s() >= churn.per_s / 2.0
    };
    let client = all.iter().find(opens)?;
    let processes = client.processes();
    (!processes.is_empty()).then(|| (words_for(&processes), client.runtime()))
}
