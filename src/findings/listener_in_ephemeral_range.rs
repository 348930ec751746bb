//! `listener-in-ephemeral-range`: a service port can be taken by a client.

use std::collections::BTreeMap;

use super::{
    Confidence, Diagnosis, Finding, FindingId, Severity, Subject, View,
    case::{figure, words_for},
    draft::{draft, percent},
};
use crate::{
    model::Side,
    store::{Owned, PortRange},
};

/// From this share of the ports in use on, a restart finds its port taken often enough to act, percent.
const WARN: f64 = 10.0;

/// The diagnosis.
pub(super) struct ListenerInEphemeralRange;

impl Diagnosis for ListenerInEphemeralRange {
    fn id(&self) -> FindingId {
        FindingId::ListenerInEphemeralRange
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        let Some(range) = PortRange::from_sysctls(&view.moment.sample.sysctls) else { return Vec::new() };
        let moment = view.moment;
        let mut by_port: BTreeMap<u16, Vec<Owned<'_>>> = BTreeMap::new();
        for owned in moment.flows.listeners.iter().filter_map(|&index| moment.get(index as usize)) {
            let port = owned.socket.row().local_port;
            if range.contains(port) {
                by_port.entry(port).or_default().push(owned);
            }
        }
        by_port.iter().filter_map(|(&port, listeners)| finding(view, &range, port, listeners)).collect()
    }
}

fn finding(view: &View<'_>, range: &PortRange, port: u16, listeners: &[Owned<'_>]) -> Option<Finding> {
    let mut processes: Vec<_> = listeners.iter().flat_map(|one| &one.attribution.owners).cloned().collect();
    processes.sort_by_key(|process| process.key);
    processes.dedup_by_key(|process| process.key);
    let chosen = processes.iter().any(|process| has_number(&process.command, port));
    let local = listeners.iter().all(|one| one.socket.local().ip.is_loopback());
    if local && !chosen {
        // Helpers on loopback ask for any port (bind() to 0), and tell their own where they are.
        return None;
    }
    let used = percent(view.moment.totals.ports_in_use.into(), range.usable.into());
    let severity = if used >= WARN && chosen { Severity::Warning } else { Severity::Info };
    let subject = Subject { processes, peer: None, port: Some(port), side: Some(Side::Server) };
    let mut finding = draft(view, FindingId::ListenerInEphemeralRange, severity, subject);
    finding.summary = format!(
        "{} listens on port {port}, which the kernel may give to any client (ip_local_port_range {} {})",
        words_for(&finding.subject.processes),
        range.low,
        range.high,
    );
    finding.evidence = vec![
        figure("ports_in_use_percent", used, "%"),
        figure("port", f64::from(port), "port"),
        figure("range_low", f64::from(range.low), "port"),
        figure("range_high", f64::from(range.high), "port"),
    ];
    "While it listens, nobody else gets the port. When it restarts, connect() of any program may have taken it meanwhile, \
     and bind() fails with EADDRINUSE for as long as that connection and its TIME_WAIT last; SO_REUSEADDR does not help \
     against a client's socket."
        .clone_into(&mut finding.why);
    finding.advice = vec![
        "Best: let the service listen outside the range, below 32768 by default.".to_owned(),
        format!(
            "Or reserve the port: net.ipv4.ip_local_reserved_ports={port} (a list; keep what is in it). connect() and \
             bind() to port 0 leave it alone from then on; bind() to the port itself works as before. No restart is needed."
        ),
        "If the program asked for any port (a debugger, RPC, a test), nothing needs to be done.".to_owned(),
    ];
    finding.confidence = if chosen { Confidence::Certain } else { Confidence::Likely };
    finding.filter = format!("lport:{port} state:listen");
    Some(finding)
}

/// Whether `port` stands in a command line as a number of its own: somebody chose it.
fn has_number(command: &str, port: u16) -> bool {
    let port = port.to_string();
    command.split(|c: char| !c.is_ascii_digit()).any(|number| number == port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chosen_port_stands_in_the_command_line() {
        assert!(has_number("server --listen=0.0.0.0:50051 -v", 50051));
        assert!(has_number("python3 -m http.server 40000", 40000));
        assert!(!has_number("server --id 150051", 50051));
        assert!(!has_number("server", 50051));
    }
}
