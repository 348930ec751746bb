//! Several moments seen as one: what `--for 10s` reports.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Aggregate, Comparable, ConnectFailure, CounterRate, DestinationRow, Moment, Owned, PeerRow, ProcessRow,
    Rates, rates, tally,
};

/// The newest of one or more moments, with counts of openings and closes summed and rates taken over all of them.
///
/// Processes, peers and destinations that are gone by now, but opened or closed something meanwhile, keep
/// their row: their states are zero.
#[derive(Debug, Clone)]
pub struct Observation {
    /// The newest moment.
    pub moment: Arc<Moment>,
    /// The newest counts; `opened` and `closed`, its own and those of its rows, are sums over the observation.
    pub aggregate: Aggregate,
    /// How many seconds those sums cover; `None` for a single look.
    pub elapsed_s: Option<f64>,
    /// Rates over the observation.
    pub rates: Rates,
    /// Every counter's rate over the observation, in the order of the newest sample's counters.
    pub counter_rates: Vec<CounterRate>,
    /// How many connections were closed first by a process that is known ([`super::Traced::named_closes`]); `None`
    /// unless the trace told of all of the time. Of the whole namespace.
    pub named_closes: Option<u64>,
    /// Calls of `connect()` that failed, the most first, of the whole namespace; empty without a trace.
    pub failures: Vec<ConnectFailure>,
}

impl Observation {
    /// An observation of one moment, of the sockets that `keep` accepts. It begins at the sample before that
    /// moment, if there was one.
    #[must_use]
    pub fn begin(moment: Arc<Moment>, keep: impl FnMut(&Owned<'_>) -> bool) -> Self {
        let aggregate = Aggregate::of(&moment, keep);
        Self::begin_with(moment, aggregate)
    }

    /// An observation of all that is in one moment. Openings and closes that only the trace saw count too: it cannot
    /// be told which of those a filter would keep.
    #[must_use]
    pub fn begin_whole(moment: Arc<Moment>) -> Self {
        let aggregate = moment.totals.clone();
        Self::begin_with(moment, aggregate)
    }

    fn begin_with(moment: Arc<Moment>, aggregate: Aggregate) -> Self {
        Self {
            aggregate,
            named_closes: named_closes(&moment),
            failures: failures(&moment).to_vec(),
            elapsed_s: moment.elapsed_s,
            rates: moment.rates,
            counter_rates: moment.counter_rates.clone(),
            moment,
        }
    }

    /// The same observation with the next moment added. `keep` should accept what it accepted before.
    pub fn extend(&mut self, moment: Arc<Moment>, keep: impl FnMut(&Owned<'_>) -> bool) {
        let aggregate = Aggregate::of(&moment, keep);
        self.extend_with(moment, aggregate);
    }

    /// The same observation with all that is in the next moment added, for one that began so.
    pub fn extend_whole(&mut self, moment: Arc<Moment>) {
        let aggregate = moment.totals.clone();
        self.extend_with(moment, aggregate);
    }

    fn extend_with(&mut self, moment: Arc<Moment>, mut aggregate: Aggregate) {
        add_sums(&mut aggregate, &self.aggregate);
        ConnectFailure::add_all(&mut self.failures, failures(&moment));
        self.aggregate = aggregate;
        match (self.elapsed_s, moment.elapsed_s) {
            (Some(so_far), Some(more)) if so_far + more > 0.0 => {
                self.rates = rates::join_rates((&self.rates, so_far), (&moment.rates, more));
                self.counter_rates = self.joined_counter_rates(&moment, so_far, more);
                self.elapsed_s = Some(so_far + more);
                self.named_closes = self.named_closes.zip(named_closes(&moment)).map(|(a, b)| a + b);
            }
            (None, more) => {
                self.rates = moment.rates;
                self.counter_rates.clone_from(&moment.counter_rates);
                self.elapsed_s = more;
                self.named_closes = named_closes(&moment);
            }
            _ => {}
        }
        self.moment = moment;
    }

    /// Counters may come and go with a kernel's modules: they are matched by name.
    fn joined_counter_rates(&self, moment: &Moment, so_far: f64, more: f64) -> Vec<CounterRate> {
        let names = self.moment.sample.counters.iter().map(|(name, _)| name);
        let old: BTreeMap<_, _> = names.zip(&self.counter_rates).collect();
        let new = moment.sample.counters.iter().zip(&moment.counter_rates);
        let join = |((name, _), &new): ((&Arc<str>, u64), &CounterRate)| {
            rates::join_counter_rates((old.get(name).copied().copied().flatten(), so_far), (new, more))
        };
        new.map(join).collect()
    }
}

fn named_closes(moment: &Moment) -> Option<u64> {
    moment.trace.as_ref()?.named_closes()
}

fn failures(moment: &Moment) -> &[ConnectFailure] {
    moment.trace.as_ref().map_or(&[], |traced| &traced.failures)
}

/// Adds the openings and closes counted `before` to `now`.
fn add_sums(now: &mut Aggregate, before: &Aggregate) {
    now.opened += before.opened;
    now.closed += before.closed;
    add_rows(
        &mut now.processes,
        before.processes.iter().filter(|row| row.opened + row.closed > 0),
        |row| row.process.key,
        |row, old| (row.opened, row.closed) = (row.opened + old.opened, row.closed + old.closed),
        ProcessRow::emptied,
    );
    tally::sort_processes(&mut now.processes);
    add_rows(
        &mut now.peers,
        before.peers.iter().filter(|row| row.opened + row.closed > 0),
        |row| row.key,
        add_peer,
        PeerRow::emptied,
    );
    tally::sort_peers(&mut now.peers);
    add_rows(
        &mut now.destinations,
        before.destinations.iter().filter(|row| row.opened + row.closed > 0),
        |row| (row.source, row.peer),
        |row, old| (row.opened, row.closed) = (row.opened + old.opened, row.closed + old.closed),
        DestinationRow::emptied,
    );
    tally::sort_destinations(&mut now.destinations);
    now.peers_omitted += cut(&mut now.peers);
    now.destinations_omitted += cut(&mut now.destinations);
}

fn add_peer(row: &mut PeerRow, old: &PeerRow) {
    row.opened += old.opened;
    row.closed += old.closed;
    row.processes.extend(old.processes.iter().map(Arc::clone));
    row.candidates.extend(old.candidates.iter().map(Arc::clone));
    tally::sort_owners(row);
}

/// Adds each row of `before` to the row of the same thing in `now`, or puts `gone` of it there.
fn add_rows<'a, R: 'a, K: Ord>(
    now: &mut Vec<R>,
    before: impl Iterator<Item = &'a R>,
    key: impl Fn(&R) -> K,
    add: impl Fn(&mut R, &R),
    gone: impl Fn(&R) -> R,
) {
    let places: BTreeMap<K, usize> = now.iter().enumerate().map(|(place, row)| (key(row), place)).collect();
    for old in before {
        match places.get(&key(old)) {
            Some(&place) => add(&mut now[place], old),
            None => now.push(gone(old)),
        }
    }
}

/// Cuts `rows` to the most there may be; says how many went.
fn cut<R>(rows: &mut Vec<R>) -> u32 {
    let more = rows.len().saturating_sub(Aggregate::MAX_ROWS);
    rows.truncate(Aggregate::MAX_ROWS);
    u32::try_from(more).unwrap_or(u32::MAX)
}
