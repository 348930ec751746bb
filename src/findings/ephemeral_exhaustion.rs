//! `ephemeral-exhaustion`: a destination is or soon will be out of local ports.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{
    Confidence, Diagnosis, Finding, FindingId, Severity, Subject, View, advice,
    case::{Case, figure, filter, sockets, words_for},
    draft::draft,
    port_pools,
    time_wait::round,
    words,
};
use crate::{
    model::{Endpoint, Process, Runtime, Side},
    store::{DestinationPorts, DestinationRow, Forecast},
};

/// A forecast beyond so many seconds is no reason to act now.
pub(super) const SOON_S: f64 = 600.0;
/// Who has less time than this until ports run out has to act now, seconds.
const URGENT_S: f64 = 120.0;
/// Below this share of the ports a forecast is about a start, not about an end, percent.
const LEAST_PERCENT: f64 = 20.0;
/// Where `connect()` fails, or will within so many seconds, none is left as far as anybody can use it.
const NOW_S: f64 = 1.0;
/// Calls fail although one in so many of the ports is left: it became free, and is taken, between two samples.
const PASSING: u32 = 20;
/// So many destinations are told of at most, the worst.
const MOST: usize = 8;
/// A process with at least one in so many of the sockets shares the blame.
const SHARE: u32 = 4;

/// The diagnosis.
pub(super) struct EphemeralExhaustion;

impl Diagnosis for EphemeralExhaustion {
    fn id(&self) -> FindingId {
        FindingId::EphemeralExhaustion
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        let failing = Failing::of(view);
        let hoarder = port_pools::hoarder(view);
        let taken_by_binding = |row: &&DestinationRow| {
            row.ports.is_some_and(|ports| u64::from(ports.capacity) * 2 < u64::from(ports.usable))
        };
        // Destinations come worst first; the same one from another source says nothing more.
        let mut findings: Vec<Finding> = Vec::new();
        let rows = view.moment.totals.destinations.iter();
        for row in rows.filter(|row| hoarder.is_none() || !taken_by_binding(row)) {
            let is_known = |finding: &Finding| is_towards(finding, Some(row.peer.ip), row.peer.port);
            if findings.len() < MOST && !findings.iter().any(is_known) {
                findings.extend(destination(view, row, &failing));
            }
        }
        // Failures that no destination's sockets explain.
        if hoarder.is_none() {
            let explains =
                |case: &Case<'_>, finding: &Finding| is_towards(finding, case.service.ip, case.service.port);
            let unexplained =
                failing.0.iter().filter(|case| !findings.iter().any(|finding| explains(case, finding)));
            let services = by_service(unexplained);
            findings.extend(services.iter().take(MOST).map(|case| failing_alone(view, case)));
            findings.extend(port_pools::full(view));
        }
        findings.extend(hoarder);
        findings
    }
}

fn is_towards(finding: &Finding, ip: Option<IpAddr>, port: u16) -> bool {
    finding.subject.peer == ip && finding.subject.port == Some(port)
}

/// How it stands with one destination.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Stand {
    /// No port is left.
    Out,
    /// `connect()` finds no port, and there should be some.
    Fails,
    /// None will be left after so many seconds.
    Soon(f64),
    /// The half that is tried first has next to none left.
    Slow,
}

fn destination(view: &View<'_>, row: &DestinationRow, failing: &Failing<'_, '_>) -> Option<Finding> {
    let ports = row.ports?;
    let failing = failing.towards(row.peer);
    let failures = failing.per_s();
    let percent = ports.percent()?;
    let soon = match row.forecast {
        Some(Forecast::Full { in_s }) if in_s <= SOON_S && percent >= LEAST_PERCENT => Some(in_s),
        _ => None,
    };
    let is_passing = failures > 0.0 && ports.left.max * PASSING <= ports.capacity;
    let stand = if ports.left.max == 0 || is_passing || soon.is_some_and(|in_s| in_s < NOW_S) {
        Stand::Out
    } else if failures > 0.0 && row.blocked() > 0 {
        Stand::Fails
    } else if let Some(in_s) = soon {
        Stand::Soon(in_s)
    } else if ports.crowded && ports.blocked > 0 {
        Stand::Slow
    } else {
        return None;
    };
    Some(finding(view, row, &ports, stand, &failing))
}

fn finding(
    view: &View<'_>,
    row: &DestinationRow,
    ports: &DestinationPorts,
    stand: Stand,
    failing: &Failing<'_, '_>,
) -> Finding {
    let failures = failing.per_s();
    let severity = match stand {
        Stand::Out | Stand::Fails => Severity::Critical,
        Stand::Soon(in_s) if in_s < URGENT_S => Severity::Critical,
        Stand::Soon(_) | Stand::Slow => Severity::Warning,
    };
    let mut holders = Holders::of(view, row.peer);
    holders.runtime = holders.runtime.or_else(|| failing.0.first()?.runtime());
    let subject = Subject {
        // Those who closed before twtop looked are not known: then it is about those who find no port.
        processes: if holders.processes.is_empty() { failing.processes() } else { holders.processes.clone() },
        peer: Some(row.peer.ip),
        port: Some(row.peer.port),
        side: Some(Side::Client),
    };
    let mut finding = draft(view, FindingId::EphemeralExhaustion, severity, subject);
    finding.summary = summary(row, ports, stand, failing, &holders);
    finding.evidence = vec![
        figure("left_at_most", f64::from(ports.left.max), "ports"),
        figure("left_at_least", f64::from(ports.left.min), "ports"),
        figure("usable", f64::from(ports.usable), "ports"),
        figure("blocked", f64::from(ports.blocked), "ports"),
        figure("time_wait", f64::from(row.time_wait), "sockets"),
    ];
    if failures > 0.0 {
        finding.evidence.push(figure("connect_failures_per_s", round(failures), "/s"));
    }
    if let Stand::Soon(in_s) = stand {
        finding.evidence.push(figure("full_in", in_s.round(), "s"));
    }
    if let Some(per_s) = ports.sustainable_per_s() {
        finding.evidence.push(figure("sustainable_per_s", round(per_s), "/s"));
    }
    finding.why = why(stand, row, ports);
    let mostly_closed = row.time_wait * 2 >= row.taken;
    finding.advice = what_to_do(holders.runtime.as_ref(), mostly_closed, row.source);
    finding.confidence = match stand {
        Stand::Out | Stand::Slow => Confidence::Certain,
        Stand::Fails | Stand::Soon(_) => Confidence::Likely,
    };
    let places = Subject { processes: Vec::new(), ..finding.subject.clone() };
    finding.filter = format!("{} local:{}", filter(&places, ""), row.source);
    finding
}

fn summary(
    row: &DestinationRow,
    ports: &DestinationPorts,
    stand: Stand,
    failing: &Failing<'_, '_>,
    holders: &Holders,
) -> String {
    let way = format!("from {} to {}", row.source, row.peer);
    let who = &holders.words;
    let held = holders.held.map_or(ports.blocked, |held| held.min(ports.blocked));
    // A share moves less than a count.
    let share = f64::from(held) * 100.0 / f64::from(ports.usable.max(1));
    let holds = format!("{who} holds {share:.0} % of {}", ports.usable);
    let text = match stand {
        Stand::Out => format!("No local port is left {way}: {holds}"),
        Stand::Fails => format!("connect() finds no port {way}, though {} should be left", left_words(ports)),
        Stand::Soon(in_s) => format!(
            "Local ports {way} are used up in {} at this rate: {holds}",
            words::duration(Duration::from_secs_f64(in_s)),
        ),
        Stand::Slow => format!("connect() {way} is slow: half of the ports are gone, {holds}"),
    };
    if failing.0.is_empty() {
        return text;
    }
    let who = words_for(&failing.processes());
    format!("{text}; connect() of {who} fails, {} (EADDRNOTAVAIL)", words::rate(failing.per_s()))
}

/// `about 12`, or `between 3 and 12` where `sock_diag` cannot tell.
fn left_words(ports: &DestinationPorts) -> String {
    let [min, max] =
        [ports.left.min, ports.left.max].map(|ports| format!("{:.0}", words::about(ports.into())));
    if min == max { format!("about {max}") } else { format!("between {min} and {max}") }
}

fn why(stand: Stand, row: &DestinationRow, ports: &DestinationPorts) -> String {
    let mut why =
        "connect() needs a local port that no other connection from this address to this destination has, \
                   TIME_WAITs included (about 62 s each)."
            .to_owned();
    if row.time_wait * 2 >= row.taken {
        why.push_str(
            " Most of them are in TIME_WAIT: connections are closed from our side and not used again.",
        );
    } else {
        why.push_str(" Most of them are open connections.");
    }
    match stand {
        Stand::Slow => why.push_str(
            " It tries the ports of one parity first: with those gone it searches half of the range in vain each time \
             (measured with 28,232 ports: 13 µs becomes 2 ms, 150 times as long).",
        ),
        Stand::Fails => why.push_str(
            " Here the kernel knows of less room than sock_diag shows: ports bound before connect(), a range of the \
             program's own (IP_LOCAL_PORT_RANGE), or all of it used for a moment between two samples.",
        ),
        Stand::Out | Stand::Soon(_) => {}
    }
    if !ports.left.is_exact() && stand != Stand::Out {
        let reasons: Vec<&str> = ports.left.reasons().map(reason_words).collect();
        why += " What is left is an interval, for sock_diag does not show ";
        why += &reasons.join(" and ");
        why.push('.');
    }
    why
}

/// What is not known, for a sentence.
fn reason_words(reason: &'static str) -> &'static str {
    match reason {
        "bound_before_connect" => "which connections to elsewhere were bound before they connected",
        "time_wait_reuse" => "which TIME_WAITs may be taken over",
        "odd_range" => "which end of a range with an odd number of ports the kernel leaves out",
        _ => "sockets that are only bound",
    }
}

/// What to do; `mostly_closed` where `TIME_WAIT`s have most of the ports.
fn what_to_do(runtime: Option<&Runtime>, mostly_closed: bool, source: IpAddr) -> Vec<String> {
    let mut texts = if mostly_closed { advice::short_client(runtime) } else { advice::leaked(runtime) };
    texts.push(if source.is_loopback() {
        "On one host a Unix socket needs no ports; else let the service listen on several ports or 127.x addresses.".to_owned()
    } else {
        "More room: several source addresses, or several addresses or ports of the destination: the limit is for each \
         combination of them."
            .to_owned()
    });
    texts.push(
        "Kernel, last: a wider net.ipv4.ip_local_port_range (say 10240 65535) gives twice the ports, and takes in service \
         ports: put those into net.ipv4.ip_local_reserved_ports first. It puts the end off if connections are not kept."
            .to_owned(),
    );
    if mostly_closed {
        texts.extend(advice::time_wait_kernel());
    }
    texts
}

/// The processes that hold the ports of a destination.
struct Holders {
    processes: Vec<Arc<Process>>,
    words: String,
    /// How many sockets those have; `None` if nobody is known.
    held: Option<u32>,
    runtime: Option<Runtime>,
}

impl Holders {
    fn of(view: &View<'_>, peer: Endpoint) -> Self {
        let mut cases: Vec<(u32, &Case<'_>)> = view
            .cases
            .iter()
            .filter(|case| case.service.side == Side::Client && towards(case, peer))
            .map(|case| (case.now.states.total(), case))
            .filter(|(count, _)| *count > 0)
            .collect();
        cases.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let all: u32 = cases.iter().map(|(count, _)| count).sum();
        cases.retain(|(count, case)| count * SHARE >= all && !case.processes().is_empty());
        let mut processes: Vec<_> = cases.iter().flat_map(|(_, case)| case.processes()).collect();
        processes.sort_by_key(|process| process.key);
        processes.dedup_by_key(|process| process.key);
        let runtime = cases.first().and_then(|(_, case)| case.runtime());
        let words = cases.iter().map(|(_, case)| case.who()).collect::<Vec<_>>().join(" and ");
        let words = if words.is_empty() { words_for(&[]) } else { words };
        let held = (!cases.is_empty()).then(|| cases.iter().map(|(count, _)| count).sum());
        Self { processes, words, held, runtime }
    }
}

fn towards(case: &Case<'_>, peer: Endpoint) -> bool {
    case.service.ip == Some(peer.ip) && case.service.port == peer.port
}

/// Those whose `connect()` found no port in the window, as the trace told.
struct Failing<'c, 'a>(Vec<&'c Case<'a>>);

impl<'c, 'a> Failing<'c, 'a> {
    fn of(view: &'c View<'a>) -> Self {
        let clients = view.cases.iter().filter(|case| case.service.side == Side::Client);
        Self(clients.filter(|case| case.sums.traced.no_port > 0).collect())
    }

    fn towards(&self, peer: Endpoint) -> Self {
        Self(self.0.iter().copied().filter(|case| towards(case, peer)).collect())
    }

    fn per_s(&self) -> f64 {
        self.0.iter().map(|case| failures_per_s(case)).sum()
    }

    fn processes(&self) -> Vec<Arc<Process>> {
        let mut processes: Vec<_> = self.0.iter().flat_map(|case| case.processes()).collect();
        processes.sort_by_key(|process| process.key);
        processes.dedup_by_key(|process| process.key);
        processes
    }
}

/// Calls of `connect()` that found no port, per second over the window.
fn failures_per_s(case: &Case<'_>) -> f64 {
    let sums = &case.sums;
    if sums.traced_s > 0.0 { words::figure(sums.traced.no_port) / sums.traced_s } else { 0.0 }
}

/// The cases of each destination as one: its ports are what they have in common.
fn by_service<'c, 'a: 'c>(cases: impl Iterator<Item = &'c &'c Case<'a>>) -> Vec<Case<'a>> {
    let mut services: Vec<Case<'a>> = Vec::new();
    for &case in cases {
        match services.iter_mut().find(|other| other.service == case.service) {
            Some(all) => all.merge(case),
            None => services.push(case.clone()),
        }
    }
    services
}

/// `connect()` of a process fails, and nothing that is seen explains it.
fn failing_alone(view: &View<'_>, case: &Case<'_>) -> Finding {
    let per_s = failures_per_s(case);
    let mut finding = case.finding(view, FindingId::EphemeralExhaustion, Severity::Critical);
    finding.summary = format!(
        "connect() of {} to {} finds no local port, {}",
        case.who(),
        case.service_words(),
        words::rate(per_s),
    );
    finding.evidence = vec![
        figure("connect_failures_per_s", round(per_s), "/s"),
        sockets("sockets", case.now.states.total()),
    ];
    "The kernel answered EADDRNOTAVAIL (no counter of it moves; only the trace shows that), while the sockets that can be \
     seen leave room: the program narrows the range itself (IP_LOCAL_PORT_RANGE), or everything is used for a moment \
     between two samples."
        .clone_into(&mut finding.why);
    finding.advice =
        what_to_do(case.runtime().as_ref(), true, case.service.ip.unwrap_or(IpAddr::from([0; 4])));
    finding.confidence = Confidence::Likely;
    finding
}
