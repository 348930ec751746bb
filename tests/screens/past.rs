//! What is kept of the past, and how much room that takes.

use std::{sync::Arc, time::Duration};

use twtop::{
    model::Stamp,
    store::{Brief, DestinationRow, Ledger, Lifetimes, Moment, PeerRow, ProcessRow, Series},
    ui::{Look, Past},
};

use crate::{
    incident::{Incident, stamp},
    stage::BOUND,
    told::Told,
};

/// The looks of the first `seconds` of the incident.
fn looks(seconds: u32) -> impl Iterator<Item = Look> {
    let (mut incident, mut ledger) = (Incident::new(), Ledger::new());
    (0..seconds).map(move |_| look(ledger.fold(incident.sample())))
}

fn look(moment: Moment) -> Look {
    Look { moment: Arc::new(moment), findings: Arc::default() }
}

fn since_boot(look: &Look) -> Duration {
    look.moment.sample.stamp.since_boot
}

fn walk_back(past: &Past, from: Stamp) -> Vec<Look> {
    let before = |look: &Look| past.before(&look.moment.sample.stamp);
    std::iter::successors(past.before(&from), before).collect()
}

#[test]
fn sockets_are_kept_from_the_newest_backwards_within_the_bound() {
    let all: Vec<Look> = looks(40).collect();
    let one = all[39].moment.bytes();
    let mut past = Past::new(8 * one);
    for (n, look) in all.iter().enumerate() {
        past.push(look);
        assert!(past.socket_bytes() <= 8 * one, "after {n}");
        assert_eq!(past.len(), n + 1);
    }
    let kept = walk_back(&past, stamp(1_000));
    assert_eq!(kept.len(), 40);
    let whole = kept.iter().take_while(|look| look.moment.is_whole()).count();
    assert!((5..=8).contains(&whole), "{whole}");
    assert!(
        kept[whole..].iter().all(|look| !look.moment.is_whole() && look.moment.sample.sockets.is_empty())
    );
    let since = past.sockets_since().expect("the newest has its sockets");
    assert_eq!(since.since_boot, since_boot(&kept[whole - 1]));
}

#[test]
fn a_single_moment_that_is_larger_than_the_bound_is_kept_while_it_is_the_newest() {
    let mut past = Past::new(0);
    for look in looks(3) {
        past.push(&look);
    }
    let whole: Vec<bool> = walk_back(&past, stamp(9)).iter().map(|look| look.moment.is_whole()).collect();
    assert_eq!(whole, [true, false, false]);
}

#[test]
fn what_has_no_sockets_tells_the_same_totals() {
    let all: Vec<Look> = looks(60).collect();
    let mut past = Past::new(0);
    for look in &all {
        past.push(look);
    }
    for look in &all[..59] {
        let thin = past.by(since_boot(look)).expect("kept");
        let (thin, whole) = (&*thin.moment, &*look.moment);
        let mut totals = whole.totals.clone();
        totals.processes.truncate(Brief::PROCESSES);
        totals.peers_omitted += u32::try_from(totals.peers.len().saturating_sub(Brief::PEERS)).expect("few");
        totals.peers.truncate(Brief::PEERS);
        totals.destinations.truncate(Brief::DESTINATIONS);
        assert_eq!(thin.totals, totals);
        assert_eq!(thin.sample.counters, whole.sample.counters);
        assert_eq!(thin.counter_rates, whole.counter_rates);
        assert_eq!((thin.rates, thin.elapsed_s), (whole.rates, whole.elapsed_s));
        assert_eq!((thin.sample.stamp, thin.sample.number), (whole.sample.stamp, whole.sample.number));
        assert_eq!((thin.sample.cost, &thin.sample.limits), (whole.sample.cost, &whole.sample.limits));
        assert_eq!(thin.unknown, whole.unknown_of(0..whole.links.len()));
        let digest = thin.digest.expect("it has no sockets");
        assert_eq!(digest.processes_omitted, 0);
    }
}

#[test]
fn as_many_looks_are_kept_as_the_series_have_values_and_they_take_little() {
    let (mut incident, mut ledger, mut past) = (Incident::new(), Ledger::new(), Past::new(0));
    for second in 0..1_000 {
        let mut sample = incident.sample();
        // The incident is over soon; what follows is an ordinary host.
        incident.quiet = second > 10;
        sample.number = second;
        past.push(&look(ledger.fold(sample)));
    }
    assert_eq!(past.len(), Series::CAPACITY);
    assert_eq!(past.oldest().map(|oldest| oldest.since_boot), Some(stamp(100).since_boot));
    assert!(past.bytes() < 8 << 20, "{} KiB", past.bytes() >> 10);
}

/// Lifetimes from less than a millisecond to minutes, as of services under load, no two alike.
fn lives() -> Vec<Arc<Lifetimes>> {
    let of = |n: u64| {
        let mut lives = Lifetimes::default();
        (0..400).for_each(|k| lives.add(Duration::from_micros((1 + n) << (k % 24))));
        Arc::new(lives)
    };
    (0..97).map(of).collect()
}

/// A look at a host on which every row differs from the one before, with one more of each than are kept.
fn restless(calm: &Moment, lives: &[Arc<Lifetimes>], number: u32) -> Look {
    let mut moment = calm.clone();
    (moment.sample.stamp, moment.sample.number) = (stamp(number), number.into());
    let of = |n: usize| {
        (number + u32::try_from(n).expect("few"), Some(Arc::clone(&lives[(n + number as usize) % 97])))
    };
    let totals = &mut moment.totals;
    let process = totals.processes[0].clone();
    let row = |n| {
        let (opened, lifetimes) = of(n);
        ProcessRow { opened, lifetimes, evidence: [number; 6], ..process.clone() }
    };
    totals.processes = (0..=Brief::PROCESSES).map(row).collect();
    let peer = totals.peers[0].clone();
    let row = |n| {
        let (opened, lifetimes) = of(n);
        PeerRow { opened, lifetimes, evidence: [number; 6], ..peer.clone() }
    };
    totals.peers = (0..=Brief::PEERS).map(row).collect();
    let destination = totals.destinations[0].clone();
    let row = |n| DestinationRow { opened: of(n).0, ..destination.clone() };
    totals.destinations = (0..=Brief::DESTINATIONS).map(row).collect();
    look(moment)
}

#[test]
fn totals_of_which_all_change_with_every_sample_take_no_more_than_is_said() {
    let (mut incident, mut ledger, mut past) = (Incident::new(), Ledger::new(), Past::new(0));
    let (calm, lives) = (ledger.fold(incident.sample()), lives());
    for number in 0..950 {
        past.push(&restless(&calm, &lives, number));
    }
    assert_eq!(past.len(), Series::CAPACITY);
    let (newest, thin) = (restless(&calm, &lives, 700), past.by(stamp(700).since_boot).expect("kept"));
    assert!(!thin.moment.is_whole());
    assert_eq!(thin.moment.totals.peers, newest.moment.totals.peers[..Brief::PEERS]);
    assert_eq!(thin.moment.totals.processes, newest.moment.totals.processes[..Brief::PROCESSES]);
    assert!(past.bytes() < 48 << 20, "{} KiB", past.bytes() >> 10);
}

#[test]
fn a_busy_host_with_a_trace_stays_within_the_bound_too() {
    let (mut incident, mut ledger, mut past) = (Incident::new(), Ledger::new(), Past::new(BOUND));
    incident.told = Some(Told::default());
    for _ in 0..150 {
        past.push(&look(ledger.fold(incident.sample())));
        assert!(past.socket_bytes() <= BOUND);
    }
}

#[test]
fn samples_that_were_dropped_are_stepped_over() {
    let mut past = Past::new(BOUND);
    for look in looks(80).filter(|look| !(20..50).contains(&look.moment.sample.number)) {
        past.push(&look);
    }
    let at = |look: Option<Look>| look.map(|look| look.moment.sample.number);
    assert_eq!(at(past.before(&stamp(50))), Some(19));
    assert_eq!(at(past.after(&stamp(19))), Some(50));
    assert_eq!(at(past.after(&stamp(79))), None);
    assert_eq!(at(past.before(&stamp(0))), None);
    // A moment that is not kept has neighbours nevertheless.
    assert_eq!((at(past.before(&stamp(30))), at(past.after(&stamp(30)))), (Some(19), Some(50)));
    let time = |second| stamp(second).since_boot;
    assert_eq!((at(past.by(time(30))), at(past.from(time(30)))), (Some(19), Some(50)));
    assert_eq!((at(past.by(time(60))), at(past.from(time(60)))), (Some(60), Some(60)));
    assert_eq!(at(Past::new(0).by(time(60))), None);
}
