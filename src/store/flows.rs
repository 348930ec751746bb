//! What happened lately between whom: the flows of the last moments, as sums and as they went.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use super::{
    AcceptQueue, CounterRate, FlowCounts, FlowKey, FlowRow, FlowTable, Lifetimes, Moment, Rates, TraceCounts,
    Traced, queues::Queues,
};
use crate::model::{Process, Stamp};

/// Fewer closes between two moments may have been under way: they do not speak against the trace.
const TELLING: f64 = 20.0;

/// A window of time over flows. Bounded: those with the most in them are kept, for as long as they have something.
#[derive(Debug, Clone)]
pub struct Flows {
    window: Duration,
    spans: VecDeque<Span>,
    by_key: BTreeMap<FlowKey, Flow>,
    queues: Queues,
    number: u64,
}

/// The time between two moments.
#[derive(Debug, Clone, Copy)]
struct Span {
    stamp: Stamp,
    seconds: f64,
    /// Whether the trace told of all of it.
    traced: bool,
    rates: Rates,
    /// The rates of [`Flows::COUNTERS`].
    counters: [CounterRate; Flows::COUNTERS.len()],
}

/// One flow over the window.
#[derive(Debug, Clone)]
pub struct Flow {
    /// The processes of its key, as they were last known.
    pub owners: Vec<Arc<Process>>,
    /// What the newest moment says; nothing if the flow was not in it.
    pub now: FlowCounts,
    /// When it was first in a moment.
    pub first: Stamp,
    /// The most recent steps, oldest first, each with the number of its moment.
    steps: VecDeque<Step>,
}

#[derive(Debug, Clone)]
struct Step {
    number: u64,
    counts: FlowCounts,
    traced: Option<Box<TraceCounts>>,
}

/// The sums of a flow over the window, and over how many seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// How long the samples looked.
    pub seconds: f64,
    /// Connections that samples saw begin.
    pub opened: u64,
    /// Connections that samples saw close.
    pub closed: u64,
    /// Of those, closed by our end first.
    pub entered: u64,
    /// Of `entered`, those no sample saw open.
    pub brief: u64,
    /// Connections that went without a trace.
    pub ended: u64,
    /// How many moments the samples looked at.
    pub moments: u32,
    /// In which of those our end closed something first, one bit each.
    pub closing: u64,
    /// How long the trace told of everything; 0 without one.
    pub traced_s: f64,
    /// What it told in that time.
    pub traced: TraceCounts,
}

impl Default for Flows {
    fn default() -> Self {
        Self::new(Self::WINDOW)
    }
}

impl Flows {
    /// The length of the window by default.
    pub const WINDOW: Duration = Duration::from_secs(30);
    /// At most so many moments are kept, however short their intervals.
    pub const MAX_MOMENTS: usize = 60;

    /// The counters of which the rates over the window are kept: those that findings rest on.
    pub const COUNTERS: [&'static str; 16] = [
        "TcpEstabResets",
        "TcpExtListenDrops",
        "TcpExtListenOverflows",
        "TcpExtTCPAbortOnClose",
        "TcpExtTCPAbortOnData",
        "TcpExtTCPAbortOnMemory",
        "TcpExtTCPAbortOnTimeout",
        "TcpExtTCPReqQFullDoCookies",
        "TcpExtTCPReqQFullDrop",
        "TcpExtTCPSynRetrans",
        "TcpExtTCPTimeWaitOverflow",
        "TcpExtTCPTimeouts",
        "TcpExtTWRecycled",
        "TcpOutRsts",
        "TcpOutSegs",
        "TcpRetransSegs",
    ];

    /// An empty window of that length.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        Self { window, spans: VecDeque::new(), by_key: BTreeMap::new(), queues: Queues::default(), number: 0 }
    }

    /// Adds the newest moment. One with an incomplete dump is left out: what is absent from it proves nothing.
    pub fn push(&mut self, moment: &Moment) {
        if !moment.sample.complete {
            return;
        }
        self.number += 1;
        let traced =
            moment.trace.as_ref().is_some_and(|traced| traced.activity.is_some() && explains(traced, moment));
        self.spans.push_back(Span {
            stamp: moment.sample.stamp,
            // The first moment tells of nothing before it.
            seconds: moment.elapsed_s.unwrap_or(0.0),
            traced,
            rates: moment.rates,
            counters: Self::COUNTERS.map(|name| {
                let index = moment.sample.counters.iter().position(|(known, _)| &**known == name)?;
                moment.counter_rates.get(index).copied().flatten()
            }),
        });
        self.queues.push(moment, self.window);
        self.by_key.values_mut().for_each(|flow| flow.now = FlowCounts::default());
        for row in &moment.flows.rows {
            let flow = self.by_key.entry(row.key.clone()).or_insert_with(|| Flow::new(moment.sample.stamp));
            flow.push(self.number, row);
        }
        self.forget();
    }

    fn forget(&mut self) {
        let Some(newest) = self.spans.back().map(|span| span.stamp) else { return };
        let window = self.window.as_secs_f64();
        while self.spans.len() > Self::MAX_MOMENTS
            || self.spans.front().is_some_and(|oldest| newest.seconds_since(&oldest.stamp) >= window)
        {
            self.spans.pop_front();
        }
        let oldest = self.oldest();
        for flow in self.by_key.values_mut() {
            while flow.steps.front().is_some_and(|step| step.number < oldest) {
                flow.steps.pop_front();
            }
        }
        self.by_key.retain(|_, flow| !flow.steps.is_empty());
        if self.by_key.len() > 2 * FlowTable::MAX_ROWS {
            let last = self.number;
            // More than a moment can have: some are of earlier ones.
            self.by_key.retain(|_, flow| flow.steps.back().is_some_and(|step| step.number == last));
        }
    }

    /// The number of the oldest moment kept.
    fn oldest(&self) -> u64 {
        self.number + 1 - self.spans.len() as u64
    }

    /// Every flow, by key.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&FlowKey, &Flow)> {
        self.by_key.iter()
    }

    /// The accept queues that were full in one of the moments, by listener.
    pub fn full_queues(&self) -> impl Iterator<Item = &AcceptQueue> {
        self.queues.iter()
    }

    /// How many moments the window has.
    #[must_use]
    pub fn moments(&self) -> usize {
        self.spans.len()
    }

    /// How many seconds the moments tell of.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.spans.iter().map(|span| span.seconds).sum()
    }

    /// For how many of those the trace told everything.
    #[must_use]
    pub fn traced_s(&self) -> f64 {
        self.spans.iter().filter(|span| span.traced).map(|span| span.seconds).sum()
    }

    /// A rate of the whole namespace over the window, such as `|rates| rates.opened`; `None` if not known.
    #[must_use]
    pub fn rate(&self, which: impl Fn(&Rates) -> Option<f64>) -> Option<f64> {
        self.mean(|span| which(&span.rates))
    }

    /// The growth per second of one of [`Self::COUNTERS`] over the window; `None` if not known.
    #[must_use]
    pub fn counter_per_s(&self, name: &str) -> Option<f64> {
        let index = Self::COUNTERS.iter().position(|known| *known == name)?;
        self.mean(|span| span.counters[index])
    }

    /// As [`Self::counter_per_s`], if the counter grew in most of the moments; 0 if it did so in a burst, or not at all.
    #[must_use]
    pub fn steady_per_s(&self, name: &str) -> f64 {
        let Some(index) = Self::COUNTERS.iter().position(|known| *known == name) else { return 0.0 };
        let grew = |span: &&Span| span.counters[index].is_some_and(|rate| rate > 0.0);
        let known = self.spans.iter().filter(|span| span.counters[index].is_some()).count();
        let grown = self.spans.iter().filter(grew).count();
        let [grown, known] = [grown, known].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        if is_most(grown, known) { self.counter_per_s(name).unwrap_or(0.0) } else { 0.0 }
    }

    fn mean(&self, rate: impl Fn(&Span) -> Option<f64>) -> Option<f64> {
        let known = self.spans.iter().filter_map(|span| Some((rate(span)?, span.seconds)));
        let (count, seconds) = known.fold((0.0, 0.0), |(n, s), (rate, span)| (n + rate * span, s + span));
        (seconds > 0.0).then(|| count / seconds)
    }

    /// The sums of a flow of this window.
    #[must_use]
    pub fn sums(&self, flow: &Flow) -> Sums {
        let (oldest, traced_s) = (self.oldest(), self.traced_s());
        let moments = self.spans.iter().filter(|span| span.seconds > 0.0).count();
        let moments = u32::try_from(moments).unwrap_or(u32::MAX);
        let mut sums = Sums { seconds: self.seconds(), traced_s, moments, ..Sums::default() };
        for step in &flow.steps {
            let Some(span) =
                step.number.checked_sub(oldest).and_then(|at| self.spans.get(usize::try_from(at).ok()?))
            else {
                continue;
            };
            let traced_closes = step.traced.as_ref().map_or(0, |traced| traced.closed);
            if span.seconds > 0.0 {
                sums.add(&step.counts);
                sums.closing |= u64::from(step.counts.entered > 0 || traced_closes > 0) << (step.number % 64);
            }
            if let Some(traced) = step.traced.as_ref().filter(|_| span.traced) {
                sums.traced.merge(traced);
            }
        }
        sums
    }

    /// How a count of a flow went: one value a moment of the window, oldest first, 0 where the flow was not there.
    #[must_use]
    pub fn course(&self, flow: &Flow, count: impl Fn(&FlowCounts) -> u32) -> Vec<u32> {
        let mut values = vec![0; self.spans.len()];
        for step in &flow.steps {
            let at = step.number.checked_sub(self.oldest()).and_then(|at| usize::try_from(at).ok());
            if let Some(value) = at.and_then(|at| values.get_mut(at)) {
                *value = count(&step.counts);
            }
        }
        values
    }
}

impl Flow {
    fn new(first: Stamp) -> Self {
        Self { owners: Vec::new(), now: FlowCounts::default(), first, steps: VecDeque::new() }
    }

    fn push(&mut self, number: u64, row: &FlowRow) {
        self.owners.clone_from(&row.owners);
        self.now = row.counts;
        let traced = (row.traced != TraceCounts::default()).then(|| Box::new(row.traced));
        self.steps.push_back(Step { number, counts: row.counts, traced });
    }
}

impl Sums {
    fn add(&mut self, counts: &FlowCounts) {
        self.opened += u64::from(counts.opened);
        self.closed += u64::from(counts.closed);
        self.entered += u64::from(counts.entered);
        self.brief += u64::from(counts.brief);
        self.ended += u64::from(counts.ended);
    }

    /// Adds the sums of another flow over the same window.
    pub fn merge(&mut self, other: &Self) {
        self.seconds = self.seconds.max(other.seconds);
        self.traced_s = self.traced_s.max(other.traced_s);
        self.opened += other.opened;
        self.closed += other.closed;
        self.entered += other.entered;
        self.brief += other.brief;
        self.ended += other.ended;
        self.moments = self.moments.max(other.moments);
        self.closing |= other.closing;
        self.traced.merge(&other.traced);
    }

    /// Whether our end closed something first in most of the moments, rather than in a burst.
    #[must_use]
    pub const fn closes_steadily(&self) -> bool {
        is_most(self.closing.count_ones(), self.moments)
    }

    /// Whether the trace told of enough of the time to speak for it.
    #[must_use]
    pub fn is_traced(&self) -> bool {
        self.traced_s > 0.0 && self.traced_s >= self.seconds / 2.0
    }

    /// Connections per second that our end closed first: by the trace, else as far as samples saw it.
    #[must_use]
    pub fn closed_first_per_s(&self) -> f64 {
        if self.is_traced() {
            per_second(self.traced.closed, self.traced_s)
        } else {
            per_second(self.entered, self.seconds)
        }
    }

    /// Connections per second that our end opened: by the trace, else as far as samples saw it.
    #[must_use]
    pub fn opened_per_s(&self) -> f64 {
        let seen = per_second(self.opened, self.seconds);
        if self.is_traced() { per_second(self.traced.opened, self.traced_s).max(seen) } else { seen }
    }

    /// How long the connections lived that our end closed first, as far as the trace told.
    #[must_use]
    pub fn lifetimes(&self) -> &Lifetimes {
        &self.traced.lifetimes
    }
}

/// Whether `count` is at least three in five of `all`, and anything at all.
const fn is_most(count: u32, all: u32) -> bool {
    count > 0 && count as u64 * 5 >= all as u64 * 3
}

/// Whether the trace names who closed most of what the exact counter counts. It does not where they are processes that
/// it cannot place: those of another network namespace, or of a `/proc` that is not of twtop's PIDs.
fn explains(traced: &Traced, moment: &Moment) -> bool {
    let (per_s, seconds) = (moment.rates.time_wait.unwrap_or(0.0), moment.elapsed_s.unwrap_or(0.0));
    let named = traced.flows.iter().filter(|(process, _, _)| process.is_some());
    let told = named.map(|(_, _, counts)| counts.closed).sum();
    per_s * seconds < TELLING || per_second(told, seconds) >= per_s / 2.0
}

/// That many in so many seconds, per second; 0 in no time.
#[expect(clippy::cast_precision_loss, reason = "2^53 connections in a minute do not happen")]
fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}
