//! What is wrong, who causes it, and what to do: one file for each diagnosis, behind one trait.
//!
//! A [`Diagnosis`] is a pure function of the store: it looks at a [`View`] and says what it finds now. [`Watch`] asks
//! all of them after each moment, and raises what holds for a while, so that nothing flaps.
//!
//! A diagnosis more is a file, a [`FindingId`] and a line in [`DIAGNOSES`].

use std::{net::IpAddr, sync::Arc};

use crate::{
    model::{Process, Runtime, Side, Stamp},
    store::{Flows, History, Moment},
};

mod accept_queue_overflow;
mod advice;
mod case;
mod close_wait_leak;
mod conntrack_full;
mod counters;
mod draft;
mod ephemeral_exhaustion;
mod established_leak;
mod explain;
mod fd_limit;
mod fin_wait2_pileup;
mod id;
mod last_ack_pileup;
mod listener_in_ephemeral_range;
mod no_keepalive;
mod orphan_limit;
mod port_pools;
mod reset_churn;
mod retransmits;
pub mod settings;
mod short;
mod syn_queue_overflow;
mod syn_sent_pileup;
mod time_wait;
mod time_wait_bucket_overflow;
mod time_wait_client;
mod time_wait_server;
mod unread_data;
mod urgency;
mod watch;
mod words;
mod zero_window;

use case::Case;
pub use counters::Counter;
pub use explain::{Topic, TopicKind};
pub use id::FindingId;
pub use watch::{Key, Watch};

/// Every diagnosis that is made.
pub const DIAGNOSES: [&dyn Diagnosis; 20] = [
    &time_wait_client::TimeWaitClient,
    &time_wait_server::TimeWaitServer,
    &reset_churn::ResetChurn,
    &established_leak::EstablishedLeak,
    &close_wait_leak::CloseWaitLeak,
    &fin_wait2_pileup::FinWait2Pileup,
    &last_ack_pileup::LastAckPileup,
    &syn_sent_pileup::SynSentPileup,
    &accept_queue_overflow::AcceptQueueOverflow,
    &syn_queue_overflow::SynQueueOverflow,
    &ephemeral_exhaustion::EphemeralExhaustion,
    &listener_in_ephemeral_range::ListenerInEphemeralRange,
    &time_wait_bucket_overflow::TimeWaitBucketOverflow,
    &unread_data::UnreadData,
    &retransmits::Retransmits,
    &zero_window::ZeroWindow,
    &no_keepalive::NoKeepalive,
    &fd_limit::FdLimit,
    &conntrack_full::ConntrackFull,
    &orphan_limit::OrphanLimit,
];

/// One pattern, and how it is recognised.
pub trait Diagnosis: Sync {
    /// What it finds.
    fn id(&self) -> FindingId;

    /// What it finds now, each subject once.
    fn look(&self, view: &View<'_>) -> Vec<Finding>;
}

/// What a diagnosis may look at.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// The newest moment. Its sample has the settings, the limits and the counters.
    pub moment: &'a Moment,
    /// The last 15 minutes of counts and rates.
    pub history: &'a History,
    /// What happened lately between whom.
    pub flows: &'a Flows,
    /// The flows put together to what a finding is about.
    cases: Vec<Case<'a>>,
}

impl<'a> View<'a> {
    /// A view of the newest moment, which `history` and `flows` have already taken in.
    #[must_use]
    pub fn new(moment: &'a Moment, history: &'a History, flows: &'a Flows) -> Self {
        Self { moment, history, flows, cases: Case::all(flows) }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nobody needs to act.
    Info,
    /// Somebody should act.
    Warning,
    /// It breaks something now or soon.
    Critical,
}

impl Severity {
    /// `info`, `warning` or `critical`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// How sure a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Confidence {
    /// The figures prove it.
    Certain,
    /// The figures fit it, and something that cannot be seen might explain them too.
    Likely,
}

impl Confidence {
    /// `certain` or `likely`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Certain => "certain",
            Self::Likely => "likely",
        }
    }
}

/// Whom a finding is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Subject {
    /// The processes that do it, by PID: one; or several of one program that share the work, or one of which it is.
    /// Empty if nobody is known.
    pub processes: Vec<Arc<Process>>,
    /// The remote address, where there is one that matters.
    pub peer: Option<IpAddr>,
    /// The service's port, on whichever side it is.
    pub port: Option<u16>,
    /// Which side is ours.
    pub side: Option<Side>,
}

impl Subject {
    /// The process, if it is one.
    #[must_use]
    pub fn process(&self) -> Option<&Arc<Process>> {
        match &self.processes[..] {
            [one] => Some(one),
            _ => None,
        }
    }

    /// What all its processes run on; `None` if that is not known.
    #[must_use]
    pub fn runtime(&self) -> Option<&Runtime> {
        let (first, rest) = self.processes.split_first()?;
        rest.iter().all(|other| other.runtime == first.runtime).then_some(first.runtime.as_ref())?
    }

    /// The name that all its processes have (hostile text); `None` without one.
    #[must_use]
    pub fn program(&self) -> Option<&str> {
        let (first, rest) = self.processes.split_first()?;
        rest.iter().all(|other| other.name == first.name).then_some(&*first.name)
    }
}

/// A figure that a finding rests on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// Its name, such as `closed_first_per_s`.
    pub name: &'static str,
    /// Its value.
    pub value: f64,
    /// Its unit: `/s`, `s`, `%`, `bytes`, or the things that are counted.
    pub unit: &'static str,
}

/// What is wrong, who causes it, and what to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Which pattern.
    pub id: FindingId,
    /// How bad it is.
    pub severity: Severity,
    /// Whom it is about.
    pub subject: Subject,
    /// Since when, as far as that is known: no later than then.
    pub since: Stamp,
    /// One sentence. Names in it are printable.
    pub summary: String,
    /// The figures it rests on.
    pub evidence: Vec<Figure>,
    /// Why it happens.
    pub why: String,
    /// What to do, the best first: the application, then settings of the kernel with their risk. Names in it are printable.
    pub advice: Vec<String>,
    /// How sure it is.
    pub confidence: Confidence,
    /// The filter that selects the sockets behind it, in the language of `--filter`.
    pub filter: String,
}
