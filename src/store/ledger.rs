//! The memory of connections by cookie.

use std::{sync::Arc, time::Duration};

use super::{
    Aggregate, Attribution, FlowTable, Link, Moment, Rates, TraceJoin,
    attribute::Attributor,
    listeners::Listeners,
    memory::Memory,
    moved::Moved,
    pass::{Now, Pass},
    people::{People, SetId},
    ports::{PortRange, PortSet},
    rates::{self, Reading},
    recent::Recent,
    traced::{self, Traced, Tracing},
};
use crate::model::{Counters, NewSocket, Sample, SocketRef, SocketTable, Stamp, TcpState};

/// Remembers connections while the kernel lists them, and says what a sample means in their light.
///
/// A connection is what has a cookie. The first time one is seen it counts as opened, unless nothing
/// complete was seen before; when it leaves the states in which it is open
/// ([`TcpState::is_open`]) or is gone, it counts as closed, once. Its owner is whoever holds it, else
/// whoever closed it by the trace, else whoever held it, else whoever listened where it was accepted when it was; never a guess from ports, peers or
/// neighbours. After an incomplete sample nothing is concluded from what is absent.
#[derive(Debug, Default)]
pub struct Ledger {
    memory: Memory,
    listeners: Listeners,
    people: People,
    recent: Recent,
    /// What the trace told, if there is one.
    join: Option<Box<TraceJoin>>,
    /// What is counted of it.
    traced: traced::Past,
    /// The connections that were open in the sample before, without their details.
    open: SocketTable,
    before: Option<Before>,
    /// The counters of the first sample.
    first_counters: Option<Arc<Counters>>,
    moved: Moved,
    /// The first complete sample; the first that the trace comes with, once it has come.
    started: Option<Stamp>,
    /// Whether what is not remembered must be new.
    remembers_all: bool,
    /// When the last complete dump began.
    listed: Option<Duration>,
    tick: u16,
}

/// What is kept of the sample before.
#[derive(Debug)]
struct Before {
    stamp: Stamp,
    dump: Duration,
    counters: Counters,
    syn_sent: Option<u32>,
}

/// How much a ledger keeps, for those who watch over memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LedgerSize {
    /// Connections remembered.
    pub connections: usize,
    /// Room taken up for connections and for cookies of closed ones.
    pub room: usize,
    /// Listeners remembered, those that went up to 65 s ago included.
    pub listeners: usize,
    /// Sets of processes remembered.
    pub owners: usize,
}

impl Ledger {
    /// A ledger that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Folds the next sample in and yields the moment. Samples come in the order of time and from one namespace.
    pub fn fold(&mut self, sample: Sample) -> Moment {
        let elapsed_s = self.before.as_ref().map(|before| sample.stamp.seconds_since(&before.stamp));
        self.tick = self.tick.wrapping_add(1);
        self.recent.begin(sample.stamp.since_boot);
        // What closed before the trace began may enter TIME_WAIT after that, but not after the first sample that the
        // trace comes with, unless that sample saw it alive.
        let trace_begins = sample.trace.is_some() && self.join.is_none();
        if sample.complete && (self.started.is_none() || trace_begins) {
            self.started = Some(sample.stamp);
        }
        let first_counters =
            self.first_counters.get_or_insert_with(|| Arc::new(sample.counters.clone())).clone();
        let linked = self.link(&sample);
        let mut moment = Moment {
            sample,
            links: linked.links,
            ended: linked.ended,
            ended_links: linked.ended_links,
            attributions: Arc::new(linked.attributions),
            elapsed_s,
            rates: Rates::default(),
            counter_rates: Vec::new(),
            first_counters,
            moved: Arc::default(),
            totals: Aggregate::default(),
            unknown: Default::default(),
            trace: linked.traced.map(Arc::new),
            flows: FlowTable::default(),
            digest: None,
        };
        // The events have been counted and joined; there may be many, and a moment may be kept for long.
        moment.sample.trace = None;
        moment.totals = Aggregate::whole(&moment);
        moment.unknown = moment.unknown_of(0..moment.links.len());
        if let Some(traced) = &moment.trace {
            traced.add_to(&mut moment.totals);
        }
        moment.flows = FlowTable::of(&moment);
        self.rate(&mut moment);
        moment
    }

    /// Compares the counters with those of the sample before, and keeps them for the next.
    fn rate(&mut self, moment: &mut Moment) {
        let sample = &moment.sample;
        let syn_sent = sample.complete.then(|| moment.totals.states[TcpState::SynSent]);
        let now = Reading { counters: &sample.counters, syn_sent };
        let before = self.before.as_ref().map(|b| Reading { counters: &b.counters, syn_sent: b.syn_sent });
        moment.counter_rates = rates::counter_rates(before, now, moment.elapsed_s);
        moment.rates = rates::rates(before, now, moment.elapsed_s);
        moment.moved = self.moved.push(moment);
        let activity = moment.trace.as_ref().and_then(|traced| traced.activity.as_ref());
        moment.rates.connect_failures = rates::over(activity.map(|all| all.total.no_port), moment.elapsed_s);
        self.before = Some(Before {
            stamp: sample.stamp,
            dump: sample.cost.dump,
            counters: sample.counters.clone(),
            syn_sent,
        });
    }

    /// How much is kept.
    #[must_use]
    pub fn size(&self) -> LedgerSize {
        LedgerSize {
            connections: self.memory.len(),
            room: self.memory.capacity() + self.recent.capacity(),
            listeners: self.listeners.len(),
            owners: self.people.len(),
        }
    }

    fn link(&mut self, sample: &Sample) -> Linked {
        let held = self.people.meet(sample);
        self.listeners.update(sample, &held);
        if let Some(batch) = &sample.trace {
            let new = || Box::new(TraceJoin::new(sample.netns, TraceJoin::CAPACITY));
            self.join.get_or_insert_with(new).push(batch);
        }
        let before = self.before.as_ref().map(|before| (before.stamp, before.dump));
        let time = (sample.stamp, sample.cost.dump);
        let mut pass = Pass {
            now: Now::new(self.tick, time, before, self.started, self.remembers_all, fin_timeout(sample)),
            attributor: Attributor::new(
                &mut self.people,
                &self.listeners,
                held,
                self.join
                    .as_deref()
                    .map(|join| Tracing::new(join, sample, self.listed.filter(|_| self.remembers_all))),
            ),
            memory: &mut self.memory,
            recent: &mut self.recent,
            complete: sample.complete,
            picked: PortRange::from_sysctls(&sample.sysctls)
                .map_or_else(PortSet::default, |range| range.to_set()),
            met: 0,
            unnamed: 0,
            open: Vec::new(),
        };
        let links =
            (0..).zip(sample.sockets.iter()).map(|(index, socket)| pass.link(index, socket)).collect();
        let (mut ended, mut ended_links) = (SocketTable::new(), Vec::new());
        if sample.complete {
            for socket in self.open.iter() {
                if let Some(link) = pass.ended(socket) {
                    ended.push_from(socket);
                    ended_links.push(link);
                }
            }
        }
        let (met, unnamed, open) = (pass.met, pass.unnamed, std::mem::take(&mut pass.open));
        let attributions = pass.finish();
        let entries =
            self.before.as_ref().and_then(|before| rates::entries(&before.counters, &sample.counters));
        let Self { people, listeners, traced, .. } = self;
        let traced = traced::traced(traced, sample, (entries, unnamed), people, |local, people| {
            listeners.has_port(local.port) && listeners.at(local.ip, local.port, people).is_some()
        });
        if sample.complete {
            self.listed = Some(sample.stamp.since_boot.saturating_sub(sample.cost.dump));
        }
        self.keep_open(sample, &open);
        self.forget(sample.complete, met);
        Linked { links, ended, ended_links, attributions, traced }
    }

    /// Keeps what must be known of a connection to tell about it when it is gone.
    fn keep_open(&mut self, sample: &Sample, open: &[u32]) {
        if sample.complete {
            self.open.clear();
        }
        for &index in open {
            let socket = sample.sockets.get(index as usize).expect("an index of its rows");
            self.open.push(&without_detail(socket), None);
        }
    }

    /// Forgets what will not be needed. `met` of the remembered connections were in this sample.
    fn forget(&mut self, complete: bool, met: usize) {
        /// If no dump comes to its end for so many samples, forget what was not seen for as long.
        const PATIENCE: u16 = 64;
        if complete {
            if met < self.memory.len() {
                self.memory.forget(self.tick, 0);
            }
            self.remembers_all = true;
        } else if self.tick.is_multiple_of(PATIENCE) {
            let remembered = self.memory.len();
            self.memory.forget(self.tick, PATIENCE);
            self.remembers_all &= remembered == self.memory.len();
            let mut open = SocketTable::new();
            let remembered = |socket: &SocketRef<'_>| self.memory.get(socket.row().cookie).is_some();
            self.open.iter().filter(remembered).for_each(|socket| open.push_from(socket));
            self.open = open;
        }
        if self.people.is_crowded() {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let mut used = vec![false; self.people.len()];
        let holders = self.memory.iter().filter_map(|entry| entry.holder().set());
        holders.for_each(|set| used[set.number() as usize] = true);
        let told = self.memory.iter().flat_map(|entry| entry.trace().sets());
        told.for_each(|set| used[set.number() as usize] = true);
        self.listeners.sets_mut().for_each(|set| used[set.number() as usize] = true);
        let renumbered = self.people.compact(|set| used[set.number() as usize]);
        let new = |set: SetId| renumbered[set.number() as usize].expect("marked as used");
        for entry in self.memory.iter_mut() {
            let holder = entry.holder();
            if let Some(set) = holder.set() {
                entry.set_holder(holder.with_set(new(set)));
            }
            entry.set_trace(entry.trace().with_sets(new));
        }
        self.listeners.sets_mut().for_each(|set| *set = new(*set));
    }
}

/// What memory adds to a sample.
struct Linked {
    links: Vec<Link>,
    ended: SocketTable,
    ended_links: Vec<Link>,
    attributions: Vec<Attribution>,
    traced: Option<Traced>,
}

/// How long the `FIN_WAIT2` of a closed descriptor lasts; the kernel's default where it is not known.
fn fin_timeout(sample: &Sample) -> Duration {
    let set = sample.sysctls.get("net.ipv4.tcp_fin_timeout").and_then(|value| value.parse().ok());
    Duration::from_secs(set.unwrap_or(60))
}

fn without_detail(socket: SocketRef<'_>) -> NewSocket {
    let row = socket.row();
    NewSocket {
        cookie: row.cookie,
        family: row.family,
        local: socket.local(),
        peer: socket.peer(),
        state: row.state,
        timer: row.timer,
        retransmits: row.retransmits,
        expires_ms: row.expires_ms,
    }
}
