//! What holds of the store whatever happens.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use proptest::prelude::*;
use twtop::{
    model::{Detail, Evidence, Held, ProcKey, ProcessSeen, Sample, Side, TcpState},
    store::{Ledger, Moment},
};

use crate::{
    kernel::{self, Life, Look},
    scenarios::{check_invariants, empty_detail, empty_sample, process},
};

/// How often each connection was said to begin and to close.
type Counted = BTreeMap<u64, (u32, u32)>;

fn count(counted: &mut Counted, moment: &Moment) {
    for owned in moment.iter().chain(moment.iter_ended()) {
        let (opened, closed) = counted.entry(owned.socket.row().cookie).or_default();
        *opened += u32::from(owned.link.opened());
        *closed += u32::from(owned.link.closed());
    }
}

/// Nobody is named who is not the owner. A connection that nobody saw with its holder, passed on by the one
/// who accepted it, is the one case that a listener cannot tell.
fn check_owners(moment: &Moment, lives: &[Life]) -> Result<(), TestCaseError> {
    for owned in moment.iter().chain(moment.iter_ended()) {
        let cookie = owned.socket.row().cookie;
        let Some(life) =
            cookie.checked_sub(kernel::cookie(0)).and_then(|n| lives.get(usize::try_from(n).ok()?))
        else {
            continue;
        };
        let pids: Vec<u32> = owned.attribution.owners.iter().map(|owner| owner.key.pid).collect();
        let side = if life.server { Side::Server } else { Side::Client };
        prop_assert_eq!(owned.link.side(), Some(side));
        match owned.attribution.evidence {
            Evidence::Held | Evidence::Candidates => prop_assert_eq!(&pids, &life.holders),
            Evidence::Seen => {
                prop_assert_eq!(&pids, &life.holders);
                prop_assert_eq!(pids.len(), 1);
            }
            Evidence::Listener => prop_assert!(life.server && pids == [0]),
            Evidence::Unknown => prop_assert!(!life.server && pids.is_empty()),
            Evidence::Traced => prop_assert!(false, "nobody traced"),
        }
    }
    Ok(())
}

/// Whether any look at `life` found it, and if so how often it must count as begun and as closed.
fn expected(life: &Life, stamps: &[u64], dump_ms: u64) -> Option<(u32, u32)> {
    let found = stamps.iter().position(|&at| life.state(at).is_some())?;
    // Near a look it depends on the place in the dump.
    let near = |at: u64| life.changes().iter().any(|change| change.abs_diff(at) <= dump_ms + 100);
    if stamps.iter().any(|&at| near(at)) {
        return None;
    }
    let opened = u32::from(found > 0);
    let open = |at: u64| life.state(at).is_some_and(|(state, _)| state.is_open());
    let was_open = found > 0 || open(stamps[0]);
    let closed = u32::from(was_open && stamps.last().is_some_and(|&last| !open(last)));
    Some((opened, closed))
}

fn watch(
    lives: &[Life],
    looks: &[Look],
    mut each: impl FnMut(&Moment) -> Result<(), TestCaseError>,
) -> Result<(Ledger, Vec<u64>), TestCaseError> {
    let mut ledger = Ledger::new();
    let mut stamps = Vec::new();
    let mut now = 20_000;
    for (number, &look) in (0..).zip(looks) {
        now += look.after_ms;
        stamps.push(now);
        let moment = ledger.fold(kernel::sample(lives, number, now, look));
        check_invariants(&moment);
        each(&moment)?;
    }
    Ok((ledger, stamps))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_wrong_is_named_and_all_count_once(
        lives in proptest::collection::vec(kernel::life(), 1..40),
        looks in proptest::collection::vec(kernel::look(false), 1..50),
    ) {
        let mut counted = Counted::new();
        let (_, stamps) = watch(&lives, &looks, |moment| {
            count(&mut counted, moment);
            check_owners(moment, &lives)
        })?;
        for (number, life) in (0..).zip(&lives) {
            let found = counted.get(&kernel::cookie(number)).copied().unwrap_or_default();
            prop_assert!(found.0 <= 1 && found.1 <= 1, "{:?} counted {:?}", life, found);
            if let Some(expected) = expected(life, &stamps, 250) {
                prop_assert_eq!(found, expected, "{:?} at {:?}", life, &stamps);
            }
        }
    }

    #[test]
    fn a_broken_dump_makes_nothing_count_twice(
        lives in proptest::collection::vec(kernel::life(), 1..40),
        looks in proptest::collection::vec(kernel::look(true), 1..50),
    ) {
        let mut counted = Counted::new();
        watch(&lives, &looks, |moment| {
            count(&mut counted, moment);
            prop_assert!(moment.sample.complete || moment.ended.is_empty());
            check_owners(moment, &lives)
        })?;
        prop_assert!(counted.values().all(|&(opened, closed)| opened <= 1 && closed <= 1), "{:?}", counted);
    }

    #[test]
    fn a_restart_gives_nobody_what_another_served(
        services in kernel::services(),
        begin in 0..100_000_u64,
        looks in proptest::collection::vec(kernel::look(false), 1..60),
    ) {
        let mut ledger = Ledger::new();
        let mut now = begin;
        for (number, look) in (0..).zip(looks) {
            now += look.after_ms;
            let moment = ledger.fold(kernel::served(&services, number, now));
            check_invariants(&moment);
            for owned in moment.iter().filter(|owned| owned.socket.row().state == TcpState::TimeWait) {
                let row = owned.socket.row();
                let server = usize::try_from((row.cookie >> 32) - 1).expect("few");
                let entered = Duration::from_millis(1_000_000 + now - u64::from(row.time_wait_age_ms().expect("is one")));
                let owners: Vec<ProcKey> = owned.attribution.owners.iter().map(|owner| owner.key).collect();
                match owned.attribution.evidence {
                    Evidence::Listener => prop_assert_eq!(owners, [services[server].key(server)]),
                    Evidence::Candidates => {
                        let late = |key: &ProcKey| key.started_since_boot() > entered + Duration::from_millis(20);
                        prop_assert!(!owners.iter().any(late), "{:?} for one of {:?}", owners, entered);
                    }
                    evidence => prop_assert_eq!(evidence, Evidence::Unknown),
                }
            }
        }
    }

    #[test]
    fn when_all_is_over_nothing_is_kept(
        lives in proptest::collection::vec(kernel::life(), 1..40),
        looks in proptest::collection::vec(kernel::look(true), 1..20),
    ) {
        let (mut ledger, stamps) = watch(&lives, &looks, |_| Ok(()))?;
        let last = *stamps.last().expect("one look");
        for after in 1..=5_u32 {
            let at = Duration::from_millis(1_000_000 + last) + Duration::from_secs(400) * after;
            ledger.fold(empty_sample(looks.len() as u64 + u64::from(after), at));
        }
        let size = ledger.size();
        prop_assert_eq!((size.connections, size.listeners), (0, 0));
        prop_assert!(size.room < 64, "{:?}", size);
    }
}

/// One process after the other holds a connection and a listener for one sample, while two of each stay.
fn procession(tick: u32) -> Sample {
    let mut sample = empty_sample(u64::from(tick), Duration::from_secs(1000 + u64::from(tick)));
    let mut mini = Vec::new();
    let mut add = |pid: u32, state: TcpState, cookie: u64, port: u16| {
        let seen = process(ProcKey { pid, start_ticks: 1 }, &format!("p{pid}"));
        sample.processes.push(ProcessSeen { process: Arc::new(seen), fds: None, fd_limit: None });
        let index = u32::try_from(sample.processes.len() - 1).expect("few");
        sample.holders.push(Box::new([index]));
        sample.sockets.push(
            &kernel::plain(state, cookie, port),
            Some(Detail { held: Held::By(index), ..empty_detail() }),
        );
    };
    for n in 0..20_u32 {
        let pid = 1000 + tick * 20 + n;
        add(pid, TcpState::Established, u64::from(pid), 40_000);
        add(pid, TcpState::Listen, 1 << 32 | u64::from(pid), 81);
    }
    if tick < 300 {
        add(7, TcpState::Established, 7, 40_001);
        add(8, TcpState::Established, 8, 80);
    } else {
        mini.push(kernel::plain(TcpState::TimeWait, 7, 40_001));
        mini.push(kernel::plain(TcpState::TimeWait, 8, 80));
    }
    add(9, TcpState::Listen, 9, 80);
    for socket in &mini {
        sample.sockets.push(socket, None);
    }
    sample
}

#[test]
fn processes_come_and_go_for_long_and_the_names_stay_right() {
    let mut ledger = Ledger::new();
    let mut most = 0;
    for tick in 0..310 {
        let moment = ledger.fold(procession(tick));
        check_invariants(&moment);
        most = most.max(ledger.size().owners);
        for owned in moment.iter() {
            let cookie = owned.socket.row().cookie;
            let pid = u32::try_from(cookie & 0xffff_ffff).expect("masked");
            let owners: Vec<u32> = owned.attribution.owners.iter().map(|owner| owner.key.pid).collect();
            assert_eq!(owners, [pid], "at {tick}");
            let is_over = tick >= 300 && cookie < 9;
            assert_eq!(owned.attribution.evidence, if is_over { Evidence::Seen } else { Evidence::Held });
        }
        let ended = if tick == 0 { 0 } else { 20 };
        assert_eq!(moment.iter_ended().count(), ended);
    }
    // 6,200 processes came by; a listener's are remembered for 65 samples, that is 1,300.
    assert!(most < 4 * 1300, "{most}");
}
