//! What holds for a while, out of what is found at each moment.

use std::{collections::BTreeMap, net::IpAddr};

use super::{DIAGNOSES, Finding, FindingId, Severity, Subject, View, urgency};
use crate::{
    model::{ProcKey, Side, Stamp},
    store::{Flows, History, Moment},
};

/// Looks at each moment, and keeps the findings that hold.
///
/// A finding is raised when it was made in two or more moments in a row over [`Watch::RAISE_S`], and dropped when it was
/// not made for [`Watch::DROP_S`]; in between it stays as it was last. It gets worse at once, and better only after
/// [`Watch::DROP_S`].
#[derive(Debug, Clone, Default)]
pub struct Watch {
    flows: Flows,
    suspects: BTreeMap<Key, Suspect>,
    raised: Vec<Finding>,
}

/// What makes two findings the same one. Pools are told apart by their program: their workers come and go.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    id: FindingId,
    process: Option<ProcKey>,
    program: Option<String>,
    peer: Option<IpAddr>,
    port: Option<u16>,
    side: Option<Side>,
}

#[derive(Debug, Clone)]
struct Suspect {
    finding: Finding,
    /// When it was first made without a gap.
    first: Stamp,
    /// When it was last made.
    last: Stamp,
    /// When it was last as bad as it is said to be.
    bad: Stamp,
    raised: bool,
}

impl Watch {
    /// A finding is raised when it holds for so long, seconds.
    pub const RAISE_S: f64 = 1.9;
    /// A finding is dropped, or becomes less bad, when that holds for so long, seconds.
    pub const DROP_S: f64 = 10.0;

    /// A watch that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Looks at the newest moment, which `history` has already taken in. A moment whose dump is incomplete changes nothing.
    pub fn push(&mut self, moment: &Moment, history: &History) {
        if !moment.sample.complete {
            return;
        }
        self.flows.push(moment);
        let view = View::new(moment, history, &self.flows);
        let now = moment.sample.stamp;
        for finding in DIAGNOSES.iter().flat_map(|diagnosis| diagnosis.look(&view)) {
            let key = Key::of(&finding);
            match self.suspects.get_mut(&key) {
                Some(suspect) => suspect.again(finding, now),
                None => drop(self.suspects.insert(key, Suspect::new(finding, now))),
            }
        }
        self.suspects.retain(|_, suspect| suspect.stays(now));
        self.raised = self.suspects.values().filter(|s| s.raised).map(|s| s.finding.clone()).collect();
        self.raised.sort_by(urgency::worst_first);
    }

    /// What holds, the worst first.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.raised
    }

    /// How bad the worst finding is; `None` without any.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.raised.first().map(|finding| finding.severity)
    }

    /// What happened lately between whom.
    #[must_use]
    pub fn flows(&self) -> &Flows {
        &self.flows
    }
}

impl Key {
    /// The key of a finding.
    #[must_use]
    pub fn of(finding: &Finding) -> Self {
        if finding.id.is_of_host() {
            // Whoever has the largest part in it just now does not make it another finding.
            return Self { id: finding.id, process: None, program: None, peer: None, port: None, side: None };
        }
        let Subject { peer, port, side, .. } = finding.subject;
        let process = finding.subject.process().map(|process| process.key);
        // The other end of a server's finding is the one that has most just now; it is not what tells findings apart.
        let peer = peer.filter(|_| side != Some(Side::Server));
        // A server's workers may be one at first, and more later.
        let process = process.filter(|_| side != Some(Side::Server));
        let program = finding.subject.program().map(str::to_owned).filter(|_| process.is_none());
        // The ports of a destination are its own, whoever holds most of them just now.
        let of_destination = finding.id == FindingId::EphemeralExhaustion && peer.is_some();
        let (process, program) = if of_destination { (None, None) } else { (process, program) };
        Self { id: finding.id, process, program, peer, port, side }
    }

    /// Which pattern it is.
    #[must_use]
    pub fn id(&self) -> FindingId {
        self.id
    }
}

impl Suspect {
    fn new(finding: Finding, now: Stamp) -> Self {
        Self { finding, first: now, last: now, bad: now, raised: false }
    }

    fn again(&mut self, mut finding: Finding, now: Stamp) {
        finding.since = finding.since.min(self.finding.since);
        if finding.severity >= self.finding.severity || now.seconds_since(&self.bad) >= Watch::DROP_S {
            self.bad = now;
        } else {
            finding.severity = self.finding.severity;
        }
        (self.finding, self.last) = (finding, now);
        self.raised |= now.seconds_since(&self.first) >= Watch::RAISE_S;
    }

    /// Whether it is kept: one that is not raised yet must be made each time.
    fn stays(&self, now: Stamp) -> bool {
        if self.raised { now.seconds_since(&self.last) < Watch::DROP_S } else { self.last == now }
    }
}
