//! `accept-queue-overflow`: the application accepts too slowly.

use std::collections::BTreeMap;

use super::{
    Confidence, Diagnosis, Finding, FindingId, Severity, Subject, View,
    case::{figure, sockets, words_for},
    draft::{draft, texts},
    time_wait::round,
    words,
};
use crate::{
    model::{Runtime, RuntimeKind, Side},
    store::AcceptQueue,
};

/// Somebody should act from so many per second on: ten in half a minute.
const WARN_PER_S: f64 = 0.3;
/// Fewer in the window are not worth a word: one client waited a second.
const LEAST: f64 = 2.0;
/// A queue without room for so long is not being emptied, seconds.
const STUCK_S: f64 = 4.0;

/// The diagnosis.
pub(super) struct AcceptQueueOverflow;

/// The queues of one program on one port.
#[derive(Debug, Default)]
pub(super) struct Crowd<'a> {
    queues: Vec<&'a AcceptQueue>,
}

impl Diagnosis for AcceptQueueOverflow {
    fn id(&self) -> FindingId {
        FindingId::AcceptQueueOverflow
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        let per_s = view.flows.counter_per_s("TcpExtListenOverflows").unwrap_or(0.0);
        let overflows = per_s * view.flows.seconds();
        let crowds = Crowd::all(view);
        let culprits = crowds.values().filter(|crowd| overflows >= LEAST || crowd.stuck_s(view) >= STUCK_S);
        let named: Vec<Finding> =
            culprits.map(|crowd| crowd.finding(view, per_s, crowds.len() == 1)).collect();
        if named.is_empty() && overflows >= LEAST { vec![nameless(view, per_s)] } else { named }
    }
}

impl<'a> Crowd<'a> {
    /// The queues that were full in the window, by port and program.
    pub(super) fn all(view: &View<'a>) -> BTreeMap<(u16, Option<&'a str>), Self> {
        let mut crowds: BTreeMap<_, Self> = BTreeMap::new();
        for queue in view.flows.full_queues() {
            let program = queue.owners.first().map(|owner| &*owner.name);
            crowds.entry((queue.local.port, program)).or_default().queues.push(queue);
        }
        crowds
    }

    /// For how long one of them has had no room, seconds.
    fn stuck_s(&self, view: &View<'_>) -> f64 {
        let now = view.moment.sample.stamp;
        let since = self.queues.iter().filter_map(|queue| queue.full_since).min();
        since.map_or(0.0, |since| now.seconds_since(&since))
    }

    fn sum(&self, of: impl Fn(&AcceptQueue) -> u32) -> u32 {
        self.queues.iter().map(|queue| of(queue)).sum()
    }

    fn subject(&self) -> Subject {
        let mut processes: Vec<_> = self.queues.iter().flat_map(|queue| &queue.owners).cloned().collect();
        processes.sort_by_key(|process| process.key);
        processes.dedup_by_key(|process| process.key);
        let port = self.queues.first().map(|queue| queue.local.port);
        Subject { processes, peer: None, port, side: Some(Side::Server) }
    }

    fn finding(&self, view: &View<'_>, per_s: f64, alone: bool) -> Finding {
        let stuck = self.stuck_s(view) >= STUCK_S;
        let drops = per_s * view.flows.seconds() >= LEAST;
        let severity = match (stuck, drops) {
            (true, true) => Severity::Critical,
            (true, false) => Severity::Warning,
            _ if per_s >= WARN_PER_S => Severity::Warning,
            _ => Severity::Info,
        };
        let mut finding = draft(view, FindingId::AcceptQueueOverflow, severity, self.subject());
        let (waiting, backlog) = (self.sum(|queue| queue.waiting), self.sum(|queue| queue.backlog));
        let most = self.sum(AcceptQueue::most);
        let refused = if drops {
            let whose = if alone { "" } else { " (of all listeners)" };
            format!("; SYNs and ACKs are dropped, {}{whose}", words::rate(per_s))
        } else {
            String::new()
        };
        let story = self.summary(&finding.subject, if stuck { waiting } else { most }, stuck);
        finding.summary = story + &refused;
        finding.evidence = vec![
            figure("overflows_per_s", round(per_s), "/s"),
            sockets("waiting", waiting),
            sockets("waiting_most", most),
            sockets("backlog", backlog),
        ];
        if stuck {
            finding.evidence.push(figure("full_for", round(self.stuck_s(view)), "s"));
        }
        let somaxconn = view.setting("net.core.somaxconn");
        finding.evidence.extend(somaxconn.map(|n| figure("somaxconn", words::figure(n), "sockets")));
        WHY.clone_into(&mut finding.why);
        let runtime = finding.subject.processes.first().and_then(|process| process.runtime.as_ref());
        let each = self.queues.iter().map(|queue| queue.backlog).max().unwrap_or(0);
        finding.advice = advice(runtime, each, somaxconn);
        let seen_without_room = self.queues.iter().any(|queue| queue.most() > queue.backlog);
        let sure = stuck || (alone && seen_without_room);
        finding.confidence = if sure { Confidence::Certain } else { Confidence::Likely };
        if let Some(since) = self.queues.iter().filter_map(|queue| queue.full_since).min() {
            finding.since = since;
        }
        finding
    }

    fn summary(&self, subject: &Subject, waiting: u32, stuck: bool) -> String {
        let place = match &self.queues[..] {
            [one] => one.local.to_string(),
            many => format!("port {} ({} listeners)", many[0].local.port, many.len()),
        };
        format!(
            "{} {} on {place}: {} of {} wait to be accepted",
            words_for(&subject.processes),
            if stuck { "does not accept" } else { "accepts too slowly" },
            words::many(waiting, "connection"),
            self.sum(|queue| queue.backlog.saturating_add(1)),
        )
    }
}

/// The counter moves, and no sample saw a queue that was full.
fn nameless(view: &View<'_>, per_s: f64) -> Finding {
    let severity = if per_s >= WARN_PER_S { Severity::Warning } else { Severity::Info };
    let mut finding = draft(view, FindingId::AcceptQueueOverflow, severity, Subject::default());
    finding.summary =
        format!("Accept queues overflow, {}; no sample saw which listener's was full", words::rate(per_s));
    finding.evidence = vec![figure("overflows_per_s", round(per_s), "/s")];
    WHY.clone_into(&mut finding.why);
    finding.advice = texts([
        "Look again with a shorter interval (-i 0.1): it shows which listener's Recv-Q reaches its Send-Q for a moment.",
    ]);
    finding.advice.extend(advice(None, 0, view.setting("net.core.somaxconn")));
    "state:listen".clone_into(&mut finding.filter);
    finding
}

const WHY: &str = "The kernel has finished handshakes that the program has not taken with accept(). Once the queue is \
    full, it drops what comes: clients wait a second and more for their SYN to be repeated, or believe to be connected \
    and get no answer.";

/// What to do about a listener with that backlog.
fn advice(runtime: Option<&Runtime>, backlog: u32, somaxconn: Option<u64>) -> Vec<String> {
    let mut advice = texts([
        "See why it does not accept: all workers busy or stuck, a loop that also does the work, no descriptors left \
         (EMFILE). Accept in a thread or task of its own, and add workers.",
    ]);
    let listen = match runtime.map(|runtime| runtime.kind) {
        Some(RuntimeKind::Nginx) => {
            "nginx: `listen 80 backlog=4096;` (511 by default), and enough worker_connections."
        }
        Some(RuntimeKind::Haproxy) => "HAProxy: raise `backlog` and `maxconn` of the frontend.",
        Some(RuntimeKind::Python) => {
            "Python: raise listen(N); socketserver's request_queue_size is 5, gunicorn's --backlog 2048."
        }
        Some(RuntimeKind::Java) => {
            "Java: give the ServerSocket a backlog (50 by default); Tomcat: acceptCount (100)."
        }
        Some(RuntimeKind::Node) => "Node.js: give server.listen() a backlog (511 by default).",
        Some(RuntimeKind::Go) => {
            "Go: net.Listen takes net.core.somaxconn as the backlog when the program starts."
        }
        Some(RuntimeKind::Envoy) => "Envoy: raise tcp_backlog_size of the listener.",
        None => "Raise the backlog that the program gives to listen(): room for a burst.",
    };
    advice.push(format!(
        "{listen} A longer queue helps against bursts, not against a program that is too slow."
    ));
    let cap = match somaxconn {
        Some(most) if backlog > 0 && u64::from(backlog) >= most => {
            "it is what limits this queue; raise it and restart the program"
        }
        Some(_) if backlog > 0 => "it is higher than this queue's backlog: raising it alone changes nothing",
        _ => "it limits every backlog; a listener has the value of when it began to listen",
    };
    advice.push(format!(
        "Kernel, last: net.core.somaxconn{}: {cap}. tcp_abort_on_overflow=1 only turns a silent wait into a reset for \
         every service of the host.",
        somaxconn.map_or_else(String::new, |most| format!(" is {most}")),
    ));
    advice
}
