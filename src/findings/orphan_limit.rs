//! `orphan-limit`: there are nearly as many orphans as the kernel keeps.

use super::{
    Confidence, Diagnosis, Finding, FindingId, Severity, View,
    case::{Case, figure, filter},
    draft::{draft, limit, limit_figures, texts},
    time_wait::round,
    words,
};
use crate::model::TcpState;

/// Somebody should act from this share on, percent.
const WARN: f64 = 70.0;
/// From this share on connections are reset, percent.
const CRITICAL: f64 = 95.0;

/// The states of a connection whose process has closed it.
const CLOSING: [TcpState; 4] = [TcpState::FinWait1, TcpState::FinWait2, TcpState::LastAck, TcpState::Closing];

/// The diagnosis.
pub(super) struct OrphanLimit;

impl Diagnosis for OrphanLimit {
    fn id(&self) -> FindingId {
        FindingId::OrphanLimit
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        finding(view).into_iter().collect()
    }
}

fn finding(view: &View<'_>) -> Option<Finding> {
    let (limit, used) = limit(view, "tcp_max_orphans")?;
    let killed = view.flows.counter_per_s("TcpExtTCPAbortOnMemory").unwrap_or(0.0);
    let severity = match used {
        _ if used >= CRITICAL => Severity::Critical,
        // The kernel counts those that make no progress two- and fourfold.
        _ if killed > 0.0 && used >= 25.0 => Severity::Critical,
        _ if used >= WARN => Severity::Warning,
        _ => return None,
    };
    let culprit = culprit(view);
    let subject = culprit.map(Case::subject).unwrap_or_default();
    let mut finding = draft(view, FindingId::OrphanLimit, severity, subject);
    let whose = culprit.map_or_else(
        || " on this host".to_owned(),
        |case| format!("; most are of {} with {}", case.who(), case.service_words()),
    );
    finding.summary = format!(
        "{} of {} connections that no process holds any more are still closing{whose}",
        limit.value, limit.max,
    );
    finding.evidence = limit_figures(limit, used, "sockets");
    let here: u32 = CLOSING.iter().map(|&state| view.moment.totals.states[state]).sum();
    finding.evidence.push(figure("closing_here", f64::from(here), "sockets"));
    finding.evidence.push(figure("aborted_per_s", round(killed), "/s"));
    "A process has closed, and its peer does not acknowledge or close. The kernel keeps such orphans for minutes; the limit \
     is one for the whole host, all namespaces together. Beyond it they are reset, and what was not delivered is lost."
        .clone_into(&mut finding.why);
    finding.advice = texts([
        "See who the peers are (filter by FIN_WAIT1 and LAST_ACK): clients that vanish, a firewall that forgets \
         connections, or an attack that never acknowledges.",
        "In the application: read or time out before closing, less unsent data at close(), TCP_USER_TIMEOUT on connections \
         to clients that vanish; TCP_LINGER2 bounds FIN_WAIT2 for one socket.",
        "Kernel, last: net.ipv4.tcp_orphan_retries (0 means 8) gives orphans up earlier; raising net.ipv4.tcp_max_orphans \
         costs up to 64 KiB of memory each, that cannot be swapped. Lowering it loses data.",
    ]);
    finding.confidence = Confidence::Likely;
    finding.filter = filter(&finding.subject, "fin-wait-1,fin-wait-2,last-ack,closing");
    Some(finding)
}

/// The case with at least half of what is closing in this namespace.
fn culprit<'c, 'a>(view: &'c View<'a>) -> Option<&'c Case<'a>> {
    let closing = |case: &Case<'_>| CLOSING.iter().map(|&state| case.now.states[state]).sum::<u32>();
    let all: u32 = CLOSING.iter().map(|&state| view.moment.totals.states[state]).sum();
    let worst = view.cases.iter().max_by_key(|case| closing(case))?;
    (closing(worst) > 0 && words::figure(closing(worst).into()) * 2.0 >= f64::from(all)).then_some(worst)
}
