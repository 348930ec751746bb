//! A moment without its sockets, in little room: what is kept of the past when there is no room for more.

use std::sync::Arc;

use super::{
    Aggregate, DestinationRow, Digest, FlowTable, Moment,
    slim::{SlimPeer, SlimProcess},
};
use crate::model::{Counters, Sample, SocketTable, Stamp};

/// The counts of a moment and whatever else is not about single sockets. Of processes, peers and destinations those rows
/// with the most in them.
///
/// All of it takes about 50 KiB at most, of a host on which every row changes with every sample.
///
/// What did not change since the brief before is shared with it, so that a host on which little happens takes little.
#[derive(Debug, Clone)]
pub struct Brief {
    /// The moment without what follows, and without what nobody looks at later.
    rest: Moment,
    processes: Box<[Arc<SlimProcess>]>,
    peers: Box<[Arc<SlimPeer>]>,
    destinations: Box<[Arc<DestinationRow>]>,
    counters: Levels,
    bytes: usize,
}

/// Counters; those that are zero take no room.
#[derive(Debug, Clone)]
struct Levels {
    names: Arc<[Arc<str>]>,
    /// Which are not zero, as indices into `names`.
    places: Arc<[u16]>,
    values: Box<[u64]>,
    /// Their rates; NaN for none.
    rates: Box<[f64]>,
}

impl Brief {
    /// So many processes are kept.
    pub const PROCESSES: usize = 64;
    /// So many peers are kept.
    pub const PEERS: usize = 128;
    /// So many destinations are kept.
    pub const DESTINATIONS: usize = 64;

    /// The brief of a moment that has its sockets; `before` is the one of the moment before.
    #[must_use]
    pub fn of(moment: &Moment, before: Option<&Self>) -> Self {
        let Aggregate { processes, peers, destinations, .. } = &moment.totals;
        let mut brief = Self {
            rest: rest(moment),
            processes: shared(
                processes.iter().take(Self::PROCESSES).map(SlimProcess::of),
                before.map(|brief| &*brief.processes),
                |a, b| a.process.key == b.process.key,
            ),
            peers: shared(
                peers.iter().take(Self::PEERS).map(SlimPeer::of),
                before.map(|brief| &*brief.peers),
                |a, b| a.key == b.key,
            ),
            destinations: shared(
                destinations.iter().take(Self::DESTINATIONS).cloned(),
                before.map(|brief| &*brief.destinations),
                |a, b| (a.source, a.peer) == (b.source, b.peer),
            ),
            counters: Levels::of(moment, before.map(|brief| &brief.counters)),
            bytes: 0,
        };
        brief.bytes = brief.count_bytes();
        brief
    }

    /// When its sample was taken.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.rest.sample.stamp
    }

    /// The number of its sample.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.rest.sample.number
    }

    /// The moment, without its sockets.
    #[must_use]
    pub fn moment(&self) -> Moment {
        let mut moment = self.rest.clone();
        moment.totals.processes = self.processes.iter().map(|row| row.row()).collect();
        moment.totals.peers = self.peers.iter().map(|row| row.row()).collect();
        moment.totals.destinations = self.destinations.iter().map(|row| (**row).clone()).collect();
        (moment.sample.counters, moment.counter_rates) = self.counters.unfold(moment.elapsed_s.is_some());
        moment
    }

    /// About how many bytes it takes, what it shares with the brief before left out.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn count_bytes(&self) -> usize {
        let pointers = self.processes.len() + self.peers.len() + self.destinations.len();
        let faults = self.rest.sample.faults.iter().map(|fault| size_of_val(fault) + fault.place.len());
        size_of::<Self>()
            + pointers * size_of::<usize>()
            + unshared(&self.processes, SlimProcess::bytes)
            + unshared(&self.peers, SlimPeer::bytes)
            + unshared(&self.destinations, |_| 0)
            + self.counters.bytes()
            + size_of_val(&*self.rest.moved)
            + self.rest.totals.bytes()
            + self.rest.trace.as_ref().map_or(0, |traced| traced.bytes())
            + faults.sum::<usize>()
    }
}

/// What is left of a moment without its sockets and without the rows and counters that a brief keeps in a way of its own.
fn rest(moment: &Moment) -> Moment {
    let Moment { sample, totals, .. } = moment;
    let sample = Sample {
        sockets: SocketTable::new(),
        processes: vec![],
        holders: vec![],
        counters: Counters::default(),
        trace: None,
        limits: sample.limits.clone(),
        faults: sample.faults.clone(),
        sysctls: Arc::clone(&sample.sysctls),
        host: Arc::clone(&sample.host),
        privileges: Arc::clone(&sample.privileges),
        ..*sample
    };
    let more = |all: usize, kept: usize| u32::try_from(all.saturating_sub(kept)).unwrap_or(u32::MAX);
    let totals = Aggregate {
        processes: vec![],
        peers: vec![],
        peers_omitted: totals.peers_omitted + more(totals.peers.len(), Brief::PEERS),
        destinations: vec![],
        destinations_omitted: totals.destinations_omitted
            + more(totals.destinations.len(), Brief::DESTINATIONS),
        bind_pools: totals.bind_pools.clone(),
        ages: totals.ages.clone(),
        ..*totals
    };
    Moment {
        sample,
        links: vec![],
        ended: SocketTable::new(),
        ended_links: vec![],
        attributions: Arc::default(),
        elapsed_s: moment.elapsed_s,
        rates: moment.rates,
        counter_rates: vec![],
        first_counters: Arc::clone(&moment.first_counters),
        moved: Arc::clone(&moment.moved),
        totals,
        unknown: moment.unknown,
        trace: moment.trace.as_ref().map(|traced| Arc::new(traced.thinned())),
        flows: FlowTable::default(),
        digest: Some(Digest { processes_omitted: more(moment.totals.processes.len(), Brief::PROCESSES) }),
    }
}

/// The rows, each shared with `before` where it is the same there.
fn shared<R: PartialEq>(
    rows: impl Iterator<Item = R>,
    before: Option<&[Arc<R>]>,
    is_of: impl Fn(&R, &R) -> bool,
) -> Box<[Arc<R>]> {
    let before = before.unwrap_or_default();
    let known = |place: usize, row: &R| {
        // Most rows keep their place.
        let here = before.get(place).filter(|known| is_of(known, row));
        here.or_else(|| before.iter().find(|known| is_of(known, row))).filter(|known| ***known == *row)
    };
    let row = |(place, row)| match known(place, &row) {
        Some(known) => Arc::clone(known),
        None => Arc::new(row),
    };
    rows.enumerate().map(row).collect()
}

/// The bytes of the rows that nobody else has, with those that `more` says beside each.
fn unshared<R>(rows: &[Arc<R>], more: impl Fn(&R) -> usize) -> usize {
    // An Arc has two counts beside what it holds.
    let row = |row: &Arc<R>| size_of::<R>() + 2 * size_of::<usize>() + more(row);
    rows.iter().filter(|row| Arc::strong_count(row) == 1).map(row).sum()
}

impl Levels {
    fn of(moment: &Moment, before: Option<&Self>) -> Self {
        let counters = &moment.sample.counters;
        let names = before.map(|levels| &levels.names).filter(|names| {
            names.len() == counters.iter().len()
                && names.iter().zip(counters.iter()).all(|(known, (name, _))| Arc::ptr_eq(known, name))
        });
        let names =
            names.map_or_else(|| counters.iter().map(|(name, _)| Arc::clone(name)).collect(), Arc::clone);
        let moved = || counters.iter().zip(0_u16..).filter(|((_, value), _)| *value != 0);
        let places: Arc<[u16]> = moved().map(|(_, place)| place).collect();
        let places = match before.filter(|levels| levels.places == places) {
            Some(levels) => Arc::clone(&levels.places),
            None => places,
        };
        let rate = |place: u16| moment.counter_rates.get(usize::from(place)).copied().flatten();
        Self {
            names,
            values: moved().map(|((_, value), _)| value).collect(),
            rates: places.iter().map(|place| rate(*place).unwrap_or(f64::NAN)).collect(),
            places,
        }
    }

    /// All counters with their rates; `compared` if there was a sample before.
    fn unfold(&self, compared: bool) -> (Counters, Vec<Option<f64>>) {
        let mut pairs: Vec<(Arc<str>, u64)> = self.names.iter().map(|name| (Arc::clone(name), 0)).collect();
        // What is zero has not moved.
        let still = |name: &Arc<str>| (compared && !Counters::is_gauge(name)).then_some(0.0);
        let mut rates: Vec<Option<f64>> = self.names.iter().map(still).collect();
        for ((place, value), rate) in self.places.iter().zip(&self.values).zip(&self.rates) {
            let place = usize::from(*place);
            pairs[place].1 = *value;
            rates[place] = (!rate.is_nan()).then_some(*rate);
        }
        (Counters::new(pairs), rates)
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.values) + size_of_val(&*self.rates)
    }
}
