//! Who owns each socket of one sample, by the strongest evidence there is.

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{
    Attribution,
    accept::{Acceptance, Accepted, Acceptors, Window},
    listeners::Listeners,
    memory::{Holder, Trace},
    people::{People, SetId},
    traced::Tracing,
};
use crate::model::{Evidence, Family, Held, SocketRef, TcpState, Unknown};

/// What the scan of descriptors said of a socket.
#[derive(Debug, Clone, Copy)]
pub(super) enum Scan {
    By(SetId),
    /// Not accepted yet.
    Queue,
    Nobody(Unknown),
    /// A mini-socket: it has no file.
    Mini,
}

/// Writes the attributions of one sample, each once.
#[derive(Debug)]
pub(super) struct Attributor<'a> {
    people: &'a mut People,
    listeners: &'a Listeners,
    held: Vec<Option<SetId>>,
    /// Who accepts at a local end, as far as anybody asked; the key is made of [`SocketRef::address_keys`].
    acceptances: HashMap<u64, Option<Acceptance<'a>>, FixedState>,
    attributions: Vec<Attribution>,
    /// The index of the attribution to each set, by kind of evidence.
    of_set: Vec<[u32; Evidence::ALL.len()]>,
    of_reason: [u32; 5],
    /// The index of an attribution with what the trace told added: by the index without, opener and closer.
    with_trace: HashMap<(u32, Option<SetId>, Option<SetId>), u32, FixedState>,
    /// What the trace has to tell, where there is one.
    tracing: Option<Tracing<'a>>,
}

const NONE: u32 = u32::MAX;

impl<'a> Attributor<'a> {
    pub(super) fn new(
        people: &'a mut People,
        listeners: &'a Listeners,
        held: Vec<Option<SetId>>,
        tracing: Option<Tracing<'a>>,
    ) -> Self {
        let of_set = vec![[NONE; Evidence::ALL.len()]; people.len()];
        Self {
            people,
            listeners,
            held,
            acceptances: HashMap::default(),
            attributions: Vec::new(),
            of_set,
            of_reason: [NONE; 5],
            with_trace: HashMap::default(),
            tracing,
        }
    }

    pub(super) fn finish(self) -> Vec<Attribution> {
        self.attributions
    }

    pub(super) fn scan(&self, socket: SocketRef<'_>) -> Scan {
        match socket.detail().map(|detail| detail.held) {
            None if socket.row().state == TcpState::SynRecv => Scan::Queue,
            None => Scan::Mini,
            Some(Held::By(n)) => match self.held.get(n as usize) {
                Some(&Some(set)) => Scan::By(set),
                _ => Scan::Nobody(Unknown::Gone),
            },
            Some(Held::Denied) => Scan::Nobody(Unknown::Denied),
            Some(Held::Kernel) => Scan::Nobody(Unknown::Kernel),
            Some(Held::Gone) => Scan::Nobody(Unknown::Gone),
            Some(Held::Queue) => Scan::Queue,
        }
    }

    /// Who accepted this connection, which was closed in `window`; `None` if it has connected, or nobody is
    /// known to have listened at its local end. Nobody can be named where somebody listens at the other end too: a
    /// process may connect from the port of another's listener (`SO_REUSEPORT`).
    #[inline]
    pub(super) fn acceptors(&mut self, socket: SocketRef<'_>, window: Window) -> Option<Acceptors> {
        let row = socket.row();
        if row.state == TcpState::SynSent || !self.listeners.has_port(row.local_port) {
            return None;
        }
        let (local, _) = socket.address_keys();
        let is_v6 = u64::from(row.family == Family::V6);
        let key = is_v6 << 48 | u64::from(local) << 16 | u64::from(row.local_port);
        let Self { people, listeners, acceptances, .. } = self;
        let acceptance = acceptances.entry(key).or_insert_with(|| {
            let local = socket.local();
            listeners.at(local.ip, local.port, people)
        });
        let acceptance = acceptance.as_mut()?;
        if listens_at_peer(listeners, people, socket) {
            return Some(Err(Unknown::Gone));
        }
        acceptance.in_window(window, people)
    }

    /// As [`Self::acceptors`], for a socket of another table.
    pub(super) fn acceptors_of_other(&mut self, socket: SocketRef<'_>, window: Window) -> Option<Acceptors> {
        let local = socket.local();
        let mut acceptance = self.listeners.at(local.ip, local.port, self.people)?;
        if listens_at_peer(self.listeners, self.people, socket) {
            return Some(Err(Unknown::Gone));
        }
        acceptance.in_window(window, self.people)
    }

    /// A connection that `set` holds now.
    pub(super) fn held(&mut self, set: SetId) -> u32 {
        self.of_set(Evidence::Held, set)
    }

    /// A connection that nobody is seen to hold now, by what is remembered of it.
    #[inline]
    pub(super) fn not_held(&mut self, earlier: Holder) -> u32 {
        match earlier {
            Holder::By(set) => self.one_or_candidates(Evidence::Seen, set),
            Holder::Accepted(Accepted { set, sure: true }) => self.one_or_candidates(Evidence::Listener, set),
            Holder::Accepted(Accepted { set, sure: false }) => self.of_set(Evidence::Candidates, set),
            Holder::Queued => self.unknown(Unknown::Gone),
            Holder::Nobody(reason) => self.unknown(reason),
        }
    }

    /// What the trace tells of a connection that was told of so far as in `before`.
    #[inline]
    pub(super) fn ask(&mut self, socket: SocketRef<'_>, before: Trace) -> Trace {
        match &self.tracing {
            Some(tracing) => tracing.ask(socket, before, self.people),
            None => before,
        }
    }

    /// What the trace tells of a connection that was in no complete dump before.
    pub(super) fn ask_first(&mut self, socket: SocketRef<'_>) -> Trace {
        match &self.tracing {
            Some(tracing) if socket.row().state == TcpState::SynSent => {
                Trace { bound: tracing.ask_connecting(socket), ..Trace::NOT_YET }
            }
            _ => self.ask(socket, Trace::NOT_YET),
        }
    }

    /// The attribution with that index, with what the trace told. Who closed it is the owner of what nobody
    /// holds any more.
    #[inline]
    pub(super) fn with_trace(&mut self, index: u32, trace: Trace) -> u32 {
        let (opener, closer) = (trace.opener.set(), trace.closer.set());
        if opener.is_none() && closer.is_none() {
            return index;
        }
        let index = match closer {
            Some(set) if self.attributions[index as usize].evidence != Evidence::Held => {
                self.of_set(Evidence::Traced, set)
            }
            _ => index,
        };
        let Self { people, attributions, with_trace, .. } = self;
        *with_trace.entry((index, opener, closer)).or_insert_with(|| {
            let one = |set: Option<SetId>| set.and_then(|set| people.owners(set).pop());
            let told = Attribution {
                opener: one(opener),
                closer: one(closer),
                ..attributions[index as usize].clone()
            };
            attributions.push(told);
            index32(attributions.len() - 1)
        })
    }

    /// A listener, or a socket that is only bound.
    pub(super) fn unconnected(&mut self, socket: SocketRef<'_>) -> u32 {
        match self.scan(socket) {
            Scan::By(set) => self.held(set),
            Scan::Nobody(reason) => match self.listeners.holder(socket.row().cookie) {
                Some(set) => self.one_or_candidates(Evidence::Seen, set),
                None => self.unknown(reason),
            },
            Scan::Queue | Scan::Mini => self.unknown(Unknown::Gone),
        }
    }

    /// One process is meant by `evidence`; of several, only that it is one of them.
    fn one_or_candidates(&mut self, evidence: Evidence, set: SetId) -> u32 {
        let evidence = if self.people.is_one(set) { evidence } else { Evidence::Candidates };
        self.of_set(evidence, set)
    }

    fn of_set(&mut self, evidence: Evidence, set: SetId) -> u32 {
        let number = set.number() as usize;
        if number >= self.of_set.len() {
            self.of_set.resize(number + 1, [NONE; Evidence::ALL.len()]);
        }
        let index = &mut self.of_set[number][evidence as usize];
        if *index == NONE {
            *index = index32(self.attributions.len());
            let owners = self.people.owners(set);
            self.attributions.push(Attribution {
                evidence,
                owners,
                unknown: None,
                opener: None,
                closer: None,
            });
        }
        *index
    }

    fn unknown(&mut self, reason: Unknown) -> u32 {
        let index = &mut self.of_reason[reason as usize];
        if *index == NONE {
            *index = index32(self.attributions.len());
            self.attributions.push(Attribution {
                evidence: Evidence::Unknown,
                owners: Vec::new(),
                unknown: Some(reason),
                opener: None,
                closer: None,
            });
        }
        *index
    }
}

/// Whether a listener of ours may have accepted the other end of this connection.
fn listens_at_peer(listeners: &Listeners, people: &People, socket: SocketRef<'_>) -> bool {
    let peer = socket.peer();
    listeners.has_port(peer.port) && listeners.at(peer.ip, peer.port, people).is_some()
}

fn index32(n: usize) -> u32 {
    u32::try_from(n).expect("a sample has few attributions")
}
