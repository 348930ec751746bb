//! Sockets of the past, packed: that they come back as they were, and how long a bound lasts.

use std::sync::Arc;

use twtop::{
    app::SOCKET_CODEC,
    findings::Watch,
    model::{FaultKind, Sample, Stamp, TcpState},
    store::{Aggregate, History, Ledger, Moment, Owned, SocketCodec},
    ui::{Look, Past},
};

use crate::{
    crowd::{self, busy, clients, time_waits},
    incident::stamp,
    recording,
    stage::BOUND,
};

/// The looks of those samples, as the loop makes them.
fn looks(samples: impl Iterator<Item = Sample>) -> impl Iterator<Item = Look> {
    let (mut ledger, mut history, mut watch) = (Ledger::new(), History::default(), Watch::new());
    samples.map(move |sample| {
        let moment = ledger.fold(sample);
        history.push(&moment);
        watch.push(&moment, &history);
        Look { moment: Arc::new(moment), findings: watch.findings().into() }
    })
}

fn kept<'a>(bound: usize, codec: SocketCodec, looks: impl Iterator<Item = &'a Look>) -> Past {
    let mut past = Past::new(bound).packed_by(codec);
    looks.for_each(|look| past.push(look));
    past
}

/// Sockets by cookie, with all that is known of them.
fn known<'a>(sockets: impl Iterator<Item = Owned<'a>>) -> Vec<String> {
    let mut sockets: Vec<Owned<'_>> = sockets.collect();
    sockets.sort_by_key(|owned| owned.socket.row().cookie);
    let text = |owned: &Owned<'_>| {
        let (row, detail) = (owned.socket.readable(), owned.socket.detail());
        format!("{row:?} {detail:?} {:?} {:?} {}", owned.link, owned.attribution, owned.netns)
    };
    sockets.iter().map(text).collect()
}

fn listeners(moment: &Moment) -> Vec<u64> {
    let get = |index: &u32| moment.get(*index as usize).expect("an index of its rows").socket.row().cookie;
    let mut cookies: Vec<u64> = moment.flows.listeners.iter().map(get).collect();
    cookies.sort_unstable();
    cookies
}

fn assert_same(packed: &Moment, whole: &Moment) {
    assert!(packed.is_whole());
    assert_eq!(known(packed.iter()), known(whole.iter()));
    assert_eq!(known(packed.iter_ended()), known(whole.iter_ended()));
    assert_eq!(packed.attributions, whole.attributions);
    assert_eq!(packed.totals, whole.totals);
    let all = |moment| Aggregate::of(moment, |owned| owned.socket.row().state != TcpState::Listen);
    assert_eq!(all(packed), all(whole), "what a filter keeps");
    assert_eq!(listeners(packed), listeners(whole));
    let (a, b) = (&packed.sample, &whole.sample);
    assert_eq!((&a.processes, &a.holders, &a.faults), (&b.processes, &b.holders, &b.faults));
    assert_eq!((&a.counters, &a.limits, &a.cost), (&b.counters, &b.limits, &b.cost));
    assert_eq!((a.stamp, a.number, a.scan, a.complete), (b.stamp, b.number, b.scan, b.complete));
    assert_eq!((packed.rates, packed.elapsed_s), (whole.rates, whole.elapsed_s));
    assert_eq!(packed.counter_rates, whole.counter_rates);
    assert_eq!(packed.trace.is_some(), whole.trace.is_some());
    if let (Some(a), Some(b)) = (&packed.trace, &whole.trace) {
        assert_eq!((a.tally, a.coverage, &a.failures), (b.tally, b.coverage, &b.failures));
        assert_eq!(a.window.failures, b.window.failures);
        assert_eq!(a.named_closes(), b.named_closes());
    }
}

#[test]
fn a_packed_moment_is_the_whole_of_it() {
    let all: Vec<Look> = looks(recording::incident()).collect();
    let past = kept(BOUND, SOCKET_CODEC, all.iter());
    assert_eq!(past.sockets_since(), past.oldest(), "all of them have their sockets");
    for look in all.iter().step_by(3) {
        let back = past.by(look.moment.sample.stamp.since_boot).expect("kept");
        assert_same(&back.moment, &look.moment);
        assert_eq!(back.findings, look.findings);
    }
}

/// More peers than totals keep.
#[test]
fn a_packed_moment_has_all_of_its_rows() {
    let samples = crowd::samples(40, |second| clients(second, 900));
    let all: Vec<Look> = looks(samples).collect();
    assert!(all[20].moment.totals.peers.len() > 500);
    let past = kept(BOUND, SOCKET_CODEC, all.iter());
    for look in &all {
        let back = past.by(look.moment.sample.stamp.since_boot).expect("kept");
        assert_same(&back.moment, &look.moment);
    }
}

#[test]
fn a_socket_is_found_in_packed_moments_as_in_whole_ones() {
    let all: Vec<Look> = looks(recording::incident()).collect();
    let (packed, mut plain) = (kept(BOUND, SOCKET_CODEC, all.iter()), Past::new(64 * BOUND));
    for look in &all {
        plain.push(look);
    }
    let mut states = 0;
    for row in all[100].moment.sample.sockets.rows().iter().step_by(50) {
        let seen = packed.sightings(row.cookie, None, 120);
        assert_eq!(seen, plain.sightings(row.cookie, None, 120));
        assert_eq!((seen.len(), seen[100].state), (120, Some(row.state)));
        states += seen.iter().filter(|sighting| sighting.state.is_some()).count();
    }
    assert!(states > 100, "{states}");
    let some = packed.sightings(u64::MAX, Some(30), 40);
    assert_eq!(some.iter().map(|sighting| sighting.number).collect::<Vec<_>>(), (31..40).collect::<Vec<_>>());
    assert!(some.iter().all(|sighting| sighting.state.is_none()));
}

/// The older part of what is looked for in a long past is not looked at.
#[test]
fn only_so_many_sockets_are_looked_through() {
    let all: Vec<Look> = looks(crowd::samples(60, |second| time_waits(second, 10_000, 12))).collect();
    let past = kept(4 * BOUND, SOCKET_CODEC, all.iter());
    assert_eq!(past.sockets_since(), past.oldest());
    let seen = past.sightings(9_999, None, 60);
    assert!((40..=48).contains(&seen.len()), "{}", seen.len());
    assert_eq!(seen.last().map(|sighting| sighting.number), Some(59), "the newest are");
}

#[test]
fn a_moment_that_cannot_be_unpacked_has_its_totals_and_says_so() {
    let broken = SocketCodec { unpack: |_| Err("damaged".to_owned()), ..SOCKET_CODEC };
    let stray = SocketCodec {
        unpack: |blob| (SOCKET_CODEC.unpack)(blob).map(|(table, links)| (table, vec![u32::MAX; links.len()])),
        ..SOCKET_CODEC
    };
    let all: Vec<Look> = looks(recording::incident().take(60)).collect();
    for (codec, why) in [(broken, "damaged"), (stray, "links to nothing")] {
        let past = kept(BOUND, codec, all.iter());
        let back = past.by(all[40].moment.sample.stamp.since_boot).expect("kept").moment;
        assert!(!back.is_whole());
        assert_eq!(back.totals.states, all[40].moment.totals.states);
        let [fault] = &*back.sample.faults else { panic!("{:?}", back.sample.faults) };
        assert_eq!((&*fault.place, &fault.kind), ("the past", &FaultKind::Unreadable(why.to_owned())));
    }
}

/// For how many seconds a bound of 4 MiB keeps sockets, packed and as they came, if it goes on like that.
fn lasts(looks: &[Look], seconds: u32) -> [usize; 2] {
    let mut pasts = [Past::new(BOUND / 4).packed_by(SOCKET_CODEC), Past::new(BOUND / 4)];
    for (look, second) in looks.iter().cycle().zip(0..seconds) {
        let mut moment = (*look.moment).clone();
        (moment.sample.stamp, moment.sample.number) = (stamp(second), second.into());
        let look = Look { moment: Arc::new(moment), findings: Arc::clone(&look.findings) };
        for past in &mut pasts {
            past.push(&look);
            assert!(past.socket_bytes() <= BOUND / 4);
        }
    }
    let second = |stamp: Option<Stamp>| stamp.expect("not empty").since_boot.as_secs();
    let without = |past: &Past| usize::try_from(second(past.sockets_since()) - second(past.oldest()));
    pasts.map(|past| past.len() - without(&past).expect("few"))
}

#[test]
fn the_bound_keeps_the_sockets_of_ten_times_as_long() {
    let told = |what, [packed, plain]: [usize; 2], least| {
        assert!(packed >= least, "{what}: {packed} s, as they came {plain} s");
    };
    let incident: Vec<Look> = looks(recording::incident()).collect();
    told("the incident", lasts(&incident, 225), 150);
    let host: Vec<Look> = looks(crowd::samples(60, busy)).collect();
    told("3,000 TIME_WAIT, 300 ESTABLISHED", lasts(&host, 150), 100);
    let waits = crowd::samples(8, |second| time_waits(second, 50_000, 12));
    told("50,000 TIME_WAIT", lasts(&looks(waits).collect::<Vec<_>>(), 16), 12);
}

/// Too many sockets to be packed while a key waits: they are kept as they came, while there is room, and then let go of.
#[test]
fn a_great_many_sockets_are_not_packed() {
    let many = looks(crowd::samples(3, |second| time_waits(second, 190_000, 12)));
    let few = looks(crowd::samples(14, |second| time_waits(second + 3, 600, 12))).skip(3);
    let never = SocketCodec { unpack: |_| Err("this one was packed".to_owned()), ..SOCKET_CODEC };
    let mut past = Past::new(BOUND).packed_by(never);
    many.for_each(|look| past.push(&look));
    few.for_each(|look| past.push(&look));
    let whole = |second| past.by(stamp(second).since_boot).expect("kept").moment.is_whole();
    assert_eq!((0..3).map(whole).collect::<Vec<_>>(), [false, false, true]);
    let packed = (3..14).filter(|second| !whole(*second)).count();
    assert_eq!(packed, 11 - Past::FRESH);
}
