//! `time-wait-bucket-overflow`: there are more `TIME_WAIT`s than the kernel keeps.

use super::{
    Confidence, Diagnosis, Finding, FindingId, Severity, View,
    case::{Case, figure, filter},
    draft::{draft, limit, texts},
    time_wait::round,
    words,
};
use crate::{model::Side, store::TimeWaitLife};

/// From this share of the limit on it is worth a word, percent.
const NEAR: f64 = 90.0;

/// The diagnosis.
pub(super) struct TimeWaitBucketOverflow;

impl Diagnosis for TimeWaitBucketOverflow {
    fn id(&self) -> FindingId {
        FindingId::TimeWaitBucketOverflow
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        let overflow = view.flows.counter_per_s("TcpExtTCPTimeWaitOverflow").unwrap_or(0.0);
        let near = limit(view, "tcp_max_tw_buckets").is_some_and(|(_, used)| used >= NEAR);
        if overflow > 0.0 || near { vec![finding(view, overflow)] } else { Vec::new() }
    }
}

fn finding(view: &View<'_>, overflow: f64) -> Finding {
    let over = overflow > 0.0;
    let culprit = culprit(view);
    let subject = culprit.map(Case::subject).unwrap_or_default();
    let severity = if over { Severity::Warning } else { Severity::Info };
    let mut finding = draft(view, FindingId::TimeWaitBucketOverflow, severity, subject);
    let limit = limit(view, "tcp_max_tw_buckets").map(|(limit, _)| limit);
    let (there, most) = limit.map_or((0, 0), |limit| (limit.value, limit.max));
    let kept = view.flows.rate(|rates| rates.time_wait).unwrap_or(0.0);
    let life = TimeWaitLife::at(view.moment.sample.host.hz);
    let closer = culprit.map_or_else(String::new, |case| format!("; most are closed by {}", case.who()));
    finding.summary = if over {
        format!(
            "tcp_max_tw_buckets ({most}) is reached: {} skip TIME_WAIT; the true close rate is {}, and counts of TIME_WAIT are \
             too low{closer}",
            words::rate(overflow),
            words::rate(kept + overflow),
        )
    } else {
        format!(
            "{there} of {most} TIME_WAITs (tcp_max_tw_buckets) are there: beyond that connections skip it{closer}"
        )
    };
    finding.evidence = vec![
        figure("overflow_per_s", round(overflow), "/s"),
        figure("closes_per_s", round(kept + overflow), "/s"),
    ];
    if let Some(limit) = limit {
        finding.evidence.push(figure("time_wait", words::figure(limit.value), "sockets"));
        finding.evidence.push(figure("tcp_max_tw_buckets", words::figure(limit.max), "sockets"));
    }
    finding.evidence.push(figure("time_wait_needed", ((kept + overflow) * life.max_s).round(), "sockets"));
    "Beyond the limit the kernel closes a connection at once instead of keeping its 4-tuple for 60 s: late segments of it \
     may meet a new connection, and a peer whose last FIN was lost gets RST. All that is counted from TIME_WAITs is too \
     low then."
        .clone_into(&mut finding.why);
    finding.advice = texts([
        "Close fewer connections: see time-wait-client and time-wait-server for who does it, and keep connections.",
        "Kernel, last: raise net.ipv4.tcp_max_tw_buckets to the close rate times 62 s. A TIME_WAIT costs some 250 bytes \
         of kernel memory, no descriptor and hardly any time.",
        "Lowering tcp_max_tw_buckets to be rid of TIME_WAITs causes exactly this: they protect against late segments.",
    ]);
    finding.confidence = if culprit.is_some() { Confidence::Likely } else { Confidence::Certain };
    finding.filter = filter(&finding.subject, "time-wait");
    finding
}

/// Who closes first in at least half of the cases that are known.
fn culprit<'c, 'a>(view: &'c View<'a>) -> Option<&'c Case<'a>> {
    let rate = |case: &Case<'_>| case.sums.closed_first_per_s();
    let sides = [Side::Client, Side::Server];
    let cases = || view.cases.iter().filter(|case| sides.contains(&case.service.side));
    let all: f64 = cases().map(rate).sum();
    let worst = cases().max_by(|a, b| rate(a).total_cmp(&rate(b)))?;
    (rate(worst) > 0.0 && rate(worst) * 2.0 >= all && !worst.processes().is_empty()).then_some(worst)
}
