//! Flows put together to what a finding is about: one process, or a pool of equal ones, and one service.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{Figure, Finding, FindingId, Severity, Subject, View, words};
use crate::{
    model::{ProcKey, Process, Runtime, Side, Stamp},
    store::{Flow, FlowCounts, Flows, Service, Sums},
};

/// Processes of one program that do the same on the client side are told apart up to this many, and so are the
/// destinations of one port to which one process does the same.
const APART: usize = 3;

/// What goes on between one process, or a pool of equal ones, and one service.
#[derive(Debug, Clone)]
pub(super) struct Case<'a> {
    pub(super) service: Service,
    flows: Vec<&'a Flow>,
    /// What the newest moment says.
    pub(super) now: FlowCounts,
    /// What the window says.
    pub(super) sums: Sums,
}

/// What makes processes workers of one pool: the name; for those who connect the command line too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Program<'a> {
    name: &'a str,
    command: Option<&'a str>,
    container: Option<&'a str>,
}

impl<'a> Case<'a> {
    /// Everything that goes on, by who and which service.
    ///
    /// Workers that serve one port are one case. Those that connect to one service are told apart, as long as they
    /// are few: three programs with different habits are three cases, fifty workers with one habit are one.
    pub(super) fn all(flows: &'a Flows) -> Vec<Self> {
        let mut pools: BTreeMap<(Service, Option<Program<'a>>), Vec<&'a Flow>> = BTreeMap::new();
        for (key, flow) in flows.iter() {
            let program = program(&flow.owners, key.service.side);
            pools.entry((key.service, program)).or_default().push(flow);
        }
        let mut cases = Vec::new();
        for ((service, _), members) in pools {
            if service.side == Side::Server || members.len() > APART {
                cases.push(Self::of(flows, service, members));
            } else {
                cases.extend(members.into_iter().map(|flow| Self::of(flows, service, vec![flow])));
            }
        }
        cases
    }

    fn of(window: &Flows, service: Service, flows: Vec<&'a Flow>) -> Self {
        let mut case = Case { service, now: FlowCounts::default(), sums: Sums::default(), flows };
        for flow in &case.flows {
            case.now.merge(&flow.now);
            case.sums.merge(&window.sums(flow));
        }
        case
    }
}

impl<'a> View<'a> {
    /// Everything that goes on, by service alone: for findings whose cause is the other end, whoever is at this one.
    pub(super) fn services(&self) -> Vec<Case<'a>> {
        let mut services: BTreeMap<Service, Case<'a>> = BTreeMap::new();
        for case in &self.cases {
            match services.get_mut(&case.service) {
                Some(all) => all.merge(case),
                None => drop(services.insert(case.service, case.clone())),
            }
        }
        services.into_values().collect()
    }

    /// The instant `ms` before the newest moment.
    pub(super) fn ago(&self, ms: u32) -> Stamp {
        let Stamp { since_boot, wall } = self.moment.sample.stamp;
        let age = Duration::from_millis(ms.into());
        Stamp { since_boot: since_boot.saturating_sub(age), wall: wall.checked_sub(age).unwrap_or(wall) }
    }

    /// A setting as a number.
    pub(super) fn setting(&self, name: &str) -> Option<u64> {
        self.moment.sample.sysctls.get(name)?.split_whitespace().next()?.parse().ok()
    }
}

fn program(owners: &[Arc<Process>], side: Side) -> Option<Program<'_>> {
    let (first, rest) = owners.split_first()?;
    let same = |of: fn(&Process) -> &str| rest.iter().all(|other| of(other) == of(first));
    if !same(|process| &process.name) {
        // Several programs hold it: a case of its own, under the name of the first.
        return Some(Program { name: &first.name, command: Some(&first.command), container: None });
    }
    let command = (side == Side::Client && same(|process| &process.command)).then_some(&*first.command);
    Some(Program { name: &first.name, command, container: first.container.as_deref() })
}

impl<'a> Case<'a> {
    /// Takes another case in; the service stays.
    pub(super) fn merge(&mut self, other: &Self) {
        self.flows.extend(&other.flows);
        self.now.merge(&other.now);
        self.sums.merge(&other.sums);
    }

    /// Cases of one process and port: each by itself, or many destinations as one of many addresses.
    pub(super) fn told_apart(cases: &[&Self]) -> Vec<Case<'a>> {
        match cases {
            [first, rest @ ..] if rest.len() >= APART => {
                let mut all = Case { service: Service { ip: None, ..first.service }, ..(*first).clone() };
                for case in rest {
                    all.merge(case);
                }
                vec![all]
            }
            few => few.iter().map(|&case| case.clone()).collect(),
        }
    }

    /// Whose it is, and the service's port.
    pub(super) fn who_and_port(&self) -> (Vec<ProcKey>, u16) {
        (self.processes().iter().map(|process| process.key).collect(), self.service.port)
    }
}

impl Case<'_> {
    /// Whose it is, each process once, by PID.
    pub(super) fn processes(&self) -> Vec<Arc<Process>> {
        let mut processes: Vec<_> = self.flows.iter().flat_map(|flow| &flow.owners).cloned().collect();
        processes.sort_by_key(|process| process.key);
        processes.dedup_by_key(|process| process.key);
        processes
    }

    /// The subject of a finding about it.
    pub(super) fn subject(&self) -> Subject {
        let Service { side, port, ip } = self.service;
        Subject { processes: self.processes(), peer: ip, port: Some(port), side: Some(side) }
    }

    /// What all of its processes run on.
    pub(super) fn runtime(&self) -> Option<Runtime> {
        self.subject().runtime().cloned()
    }

    /// Who, for a sentence: a process, a pool, or `a process that is not known`.
    pub(super) fn who(&self) -> String {
        words_for(&self.processes())
    }

    /// The service, for a sentence.
    pub(super) fn service_words(&self) -> String {
        words::service(self.service.ip, self.service.port)
    }

    /// The filter for its sockets in `states`, which is a list of names between commas, or empty for all.
    pub(super) fn filter(&self, states: &str) -> String {
        filter(&self.subject(), states)
    }

    /// How a count went over the window, oldest first.
    pub(super) fn course(&self, view: &View<'_>, count: impl Fn(&FlowCounts) -> u32) -> Vec<u32> {
        let mut sum = vec![0; view.flows.moments()];
        for flow in &self.flows {
            let values = view.flows.course(flow, &count);
            sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        }
        sum
    }

    /// A finding about it, as bad as `severity`, begun now, certain, without figures or advice.
    pub(super) fn finding(&self, view: &View<'_>, id: FindingId, severity: Severity) -> Finding {
        Finding {
            id,
            severity,
            subject: self.subject(),
            since: view.moment.sample.stamp,
            summary: String::new(),
            evidence: Vec::new(),
            why: String::new(),
            advice: Vec::new(),
            confidence: super::Confidence::Certain,
            filter: self.filter(""),
        }
    }
}

/// The most of one program that are named by their PIDs.
const NAMED: usize = 8;

/// Processes, for the beginning of a sentence.
pub(super) fn words_for(processes: &[Arc<Process>]) -> String {
    match processes {
        [] => "a process that is not known".to_owned(),
        [one] => words::process(one),
        [first, rest @ ..] if rest.iter().all(|other| other.name == first.name) => {
            let name = crate::model::program::program(first);
            format!("{} ({} processes)", crate::model::text::printable(&name), processes.len())
        }
        some => {
            let names: Vec<String> = some.iter().take(NAMED).map(|process| words::process(process)).collect();
            names.join(" or ")
        }
    }
}

/// The filter for the sockets of a subject.
pub(super) fn filter(subject: &Subject, states: &str) -> String {
    let mut terms = Vec::new();
    let pids: Vec<String> = subject.processes.iter().map(|process| process.key.pid.to_string()).collect();
    if (1..=NAMED).contains(&pids.len()) {
        terms.push(format!("pid:{}", pids.join(",")));
    }
    terms.extend(subject.side.map(|side| format!("side:{}", side.name())));
    terms.extend(subject.peer.map(|ip| format!("peer:{ip}")));
    terms.extend(subject.port.map(|port| match subject.side {
        Some(Side::Client) => format!("rport:{port}"),
        Some(Side::Server) => format!("lport:{port}"),
        None => format!("port:{port}"),
    }));
    if !states.is_empty() {
        terms.push(format!("state:{states}"));
    }
    terms.join(" ")
}

/// A figure.
pub(super) const fn figure(name: &'static str, value: f64, unit: &'static str) -> Figure {
    Figure { name, value, unit }
}

/// A count of sockets as a figure.
pub(super) fn sockets(name: &'static str, count: u32) -> Figure {
    figure(name, f64::from(count), "sockets")
}

/// Milliseconds as a figure in seconds.
pub(super) fn seconds(name: &'static str, ms: u32) -> Figure {
    figure(name, f64::from(ms) / 1000.0, "s")
}

/// By how much a count rose from the first to the last of `values`, if it never fell by more than a tenth of that
/// on the way, and rose in the last third as well; else 0.
pub(super) fn steady_growth(values: &[u32]) -> u32 {
    let (Some(&first), Some(&last)) = (values.first(), values.last()) else { return 0 };
    let growth = last.saturating_sub(first);
    let falls: u32 = values.windows(2).map(|pair| pair[0].saturating_sub(pair[1])).sum();
    let two_thirds = values[values.len() * 2 / 3];
    let goes_on = values.len() >= 4 && last > two_thirds && two_thirds > first;
    if goes_on && falls <= growth / 10 { growth } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_steady_or_none() {
        assert_eq!(steady_growth(&[0, 5, 10, 15, 20, 25]), 25);
        assert_eq!(steady_growth(&[0, 50, 50, 50, 50, 50]), 0, "a pool that filled up");
        assert_eq!(steady_growth(&[20, 22, 18, 25, 17, 26]), 0, "up and down");
        assert_eq!(steady_growth(&[30, 20, 10]), 0);
        assert_eq!(steady_growth(&[]), 0);
    }
}
