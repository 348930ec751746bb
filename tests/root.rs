//! The `root` tier: real connections in network namespaces of our own, and who the trace says closed them.

#[path = "root/program.rs"]
mod program;
#[path = "root/world.rs"]
mod world;

use std::{collections::BTreeMap, io::Write as _};

use twtop::{
    model::TraceKind,
    source::trace::{TraceOptions, Tracer},
    store::{TraceGap, TraceJoin},
};

use world::{Actor, Namespace, now};

/// This tier needs root and the tracepoint. A test that cannot run says so, and fails if `TWTOP_REQUIRE` names the tier.
fn can_run() -> bool {
    let why = if !rustix::process::geteuid().is_root() {
        "this user is not root".to_owned()
    } else if let Err(error) = Tracer::start(None) {
        format!("there is no trace: {error}")
    } else {
        return true;
    };
    let required = std::env::var("TWTOP_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|tier| tier.trim() == "root"), "tier root is required, but {why}");
    let _ = writeln!(std::io::stderr(), "SKIPPED: a test of tier root did not run, because {why}");
    false
}

/// The trace and its memory of one namespace.
struct Watch {
    tracer: Tracer,
    join: TraceJoin,
    netns: u64,
    lost: u64,
    /// Closes in the namespace by PID.
    closes: BTreeMap<Option<u32>, u64>,
}

impl Watch {
    fn begin(namespace: &Namespace, options: Option<TraceOptions>) -> Self {
        let tracer = Tracer::start(options).expect("root may trace");
        let join = TraceJoin::new(namespace.netns, TraceJoin::CAPACITY);
        let mut watch = Self { tracer, join, netns: namespace.netns, lost: 0, closes: BTreeMap::new() };
        watch.catch_up();
        watch
    }

    fn catch_up(&mut self) {
        let wanted = now();
        while self.join.through().is_none_or(|through| through < wanted) {
            if let Some(batch) = self.tracer.take() {
                self.join.push(&batch);
                self.lost = batch.tally.lost;
                let tasks = batch
                    .events
                    .iter()
                    .filter(|event| event.kind == TraceKind::Closed)
                    .filter_map(|event| event.task);
                for task in tasks.filter(|task| task.netns == Some(self.netns)) {
                    let process = task.process.map(|index| batch.processes[index as usize].key.pid);
                    *self.closes.entry(process).or_default() += 1;
                }
            }
        }
    }

    /// Every close was told with its process, and every `TIME_WAIT` in the table is given to one of them. There may be
    /// fewer than were entered: a SYN from a port used again recycles a server's, and a late reset ends any.
    fn expect_closers(&mut self, namespace: &Namespace, expected: &BTreeMap<Option<u32>, u64>) {
        let found = self.closers(namespace);
        assert_eq!(&self.closes, expected, "every close is told, with its process");
        let expected: BTreeMap<_, _> =
            expected.iter().map(|(pid, &count)| (pid.ok_or(TraceGap::Nameless), count)).collect();
        assert!(found.keys().eq(expected.keys()), "{found:?} instead of {expected:?}");
        assert!(
            found.iter().all(|(closer, count)| count <= &expected[closer]),
            "{found:?} instead of {expected:?}"
        );
    }

    /// How many `TIME_WAIT`s each process closed, `Err` for each reason why nobody is named.
    fn closers(&mut self, namespace: &Namespace) -> BTreeMap<Result<u32, TraceGap>, u64> {
        let sockets = namespace.time_waits();
        self.catch_up();
        let mut closers = BTreeMap::new();
        for (local, peer, seen) in sockets {
            let closer = self.join.closer(local, peer, &seen).map(|cause| cause.process.key.pid);
            *closers.entry(closer).or_default() += 1;
        }
        closers
    }
}

/// `count` connections over `clients` processes to one server; everybody's closes must be found.
fn everyone_is_named(
    family: &str,
    client_first: bool,
    clients: usize,
    count: usize,
    rate: usize,
    life: &str,
) {
    if !can_run() {
        return;
    }
    let namespace = Namespace::new();
    let mut watch = Watch::begin(&namespace, None);
    let (turn, other) = if client_first { ("first", "second") } else { ("second", "first") };
    let (server, port) = namespace.serve(family, other, life);
    let before = namespace.entries();
    let (count_each, rate_each) = ((count / clients).to_string(), (rate / clients).max(1).to_string());
    let mut actors: Vec<Actor> = (0..clients)
        .map(|_| namespace.load(&["connect", family, turn, life, &port, &count_each, &rate_each]))
        .collect();
    let mut expected = BTreeMap::new();
    for actor in &mut actors {
        actor.until("done", |_| {});
        let closer = if client_first { actor.pid() } else { server.pid() };
        *expected.entry(Some(closer)).or_default() += (count / clients) as u64;
    }
    namespace.await_entries(before, (count / clients * clients) as u64);
    watch.expect_closers(&namespace, &expected);
    assert_eq!(watch.lost, 0);
}

#[test]
fn clients_that_close_ipv4_connections_are_named() {
    everyone_is_named("v4", true, 3, 1500, 1000, "1");
}

#[test]
fn clients_that_close_ipv6_connections_are_named() {
    everyone_is_named("v6", true, 3, 1500, 1000, "3");
}

#[test]
fn clients_that_close_mapped_connections_are_named() {
    everyone_is_named("mapped", true, 10, 1500, 1000, "10");
}

#[test]
fn a_server_that_closes_ipv4_connections_is_named() {
    everyone_is_named("v4", false, 3, 1500, 1000, "1");
}

#[test]
fn a_server_that_closes_ipv6_connections_is_named() {
    everyone_is_named("v6", false, 1, 500, 100, "5");
}

#[test]
fn a_server_that_closes_mapped_connections_is_named() {
    everyone_is_named("mapped", false, 3, 1500, 3000, "200");
}

#[test]
fn ten_clients_at_full_speed_are_told_apart() {
    everyone_is_named("v4", true, 10, 3000, 3000, "1");
}

#[test]
fn connections_of_five_seconds_are_named() {
    everyone_is_named("v4", true, 1, 20, 10, "5000");
}

/// Something in `script` closes one connection or several; all must be that process's.
fn closers_are(script: impl FnOnce(&Namespace, &str) -> Vec<(u32, u64)>) {
    if !can_run() {
        return;
    }
    let namespace = Namespace::new();
    let mut watch = Watch::begin(&namespace, None);
    let (_server, port) = namespace.serve("v4", "second", "0");
    let before = namespace.entries();
    let expected = script(&namespace, &port);
    namespace.await_entries(before, expected.iter().map(|(_, count)| count).sum());
    let expected = expected.into_iter().map(|(pid, count)| (Some(pid), count)).collect();
    watch.expect_closers(&namespace, &expected);
}

#[test]
fn processes_that_lived_for_one_connection_are_named() {
    closers_are(|namespace, port| {
        let brief = |_| {
            let mut process = namespace.load(&["brief", port]);
            process.end();
            (process.pid(), 1)
        };
        (0..50).map(brief).collect()
    });
}

/// All that is asked of the trace, in a few minutes: `cargo test --test root -- --ignored`.
#[test]
#[ignore = "takes minutes"]
fn every_mixture_is_named() {
    for family in ["v4", "v6", "mapped"] {
        for client_first in [true, false] {
            for clients in [1, 3, 10] {
                for (rate, count, life) in
                    [(10, 30, "5000"), (100, 200, "100"), (1000, 2000, "10"), (3000, 6000, "1")]
                {
                    everyone_is_named(family, client_first, clients, count, rate, life);
                }
            }
        }
    }
}

#[test]
fn the_killed_closed_what_they_held() {
    closers_are(|namespace, port| {
        let mut holders = [namespace.load(&["hold", port, "200"]), namespace.load(&["hold", port, "100"])];
        for holder in &mut holders {
            holder.until("ready", |_| {});
            holder.kill();
        }
        vec![(holders[0].pid(), 200), (holders[1].pid(), 100)]
    });
}

#[test]
fn a_child_that_is_the_last_to_hold_it_closed_it() {
    closers_are(|namespace, port| {
        let mut parent = namespace.load(&["child", port]);
        let child = parent.until("pid", |_| {}).parse().expect("a PID");
        parent.end();
        vec![(child, 1)]
    });
}

#[test]
fn the_receiver_of_a_passed_descriptor_closed_it() {
    closers_are(|namespace, port| {
        let directory = tempfile::tempdir().expect("there is room");
        let path = directory.path().join("socket");
        let path = path.to_str().expect("a plain path");
        let mut receiver = namespace.load(&["receive", path]);
        receiver.until("ready", |_| {});
        let mut sender = namespace.load(&["pass", port, path]);
        sender.until("ready", |_| {});
        sender.end();
        receiver.end();
        vec![(receiver.pid(), 1)]
    });
}

#[test]
fn whoever_shut_it_down_first_closed_it() {
    closers_are(|namespace, port| {
        let mut first = namespace.load(&["shutdown", port]);
        let other: u32 = first.until("pid", |_| {}).parse().expect("a PID");
        first.end();
        assert_ne!(first.pid(), other);
        vec![(first.pid(), 1)]
    });
}

#[test]
fn a_process_that_executes_another_program_stays_itself() {
    closers_are(|namespace, port| {
        let mut process = namespace.load(&["exec", port]);
        process.end();
        vec![(process.pid(), 1)]
    });
}

#[test]
fn a_ring_too_small_loses_and_says_so_and_names_nobody_wrongly() {
    if !can_run() {
        return;
    }
    let namespace = Namespace::new();
    let mut watch = Watch::begin(&namespace, Some(TraceOptions { ring_bytes: 4096, accepts: false }));
    let (_server, port) = namespace.serve("v4", "second", "0");
    let before = namespace.entries();
    let mut actors: Vec<Actor> =
        (0..3).map(|_| namespace.load(&["connect", "v4", "first", "0", &port, "1000", "1000000"])).collect();
    let mut truth = BTreeMap::new();
    for actor in &mut actors {
        let pid = actor.pid();
        actor.until("done", |line| {
            let local: u16 = line.split(' ').nth(1).and_then(|port| port.parse().ok()).expect("a port");
            truth.insert(local, pid);
        });
    }
    namespace.await_entries(before, 3000);
    let sockets = namespace.time_waits();
    watch.catch_up();
    let (mut right, mut unknown) = (0, 0);
    for (local, peer, seen) in sockets {
        match watch.join.closer(local, peer, &seen) {
            Ok(cause) => {
                assert_eq!(
                    Some(&cause.process.key.pid),
                    truth.get(&local.port),
                    "{local} was closed by another"
                );
                right += 1;
            }
            Err(_) => unknown += 1,
        }
    }
    assert!(watch.lost > 0, "a page of ring is too small for {right} of {} closes", right + unknown);
    assert!(unknown > 0, "all {right} were named though {} records were lost", watch.lost);
}

#[test]
fn connects_without_a_port_and_refused_ones_are_told() {
    if !can_run() {
        return;
    }
    let namespace = Namespace::new();
    let mut watch = Watch::begin(&namespace, None);
    let mut failing = namespace.load(&["fail"]);
    failing.until("done", |_| {});
    watch.tracer.take().map_or_else(
        || panic!("the tracer does not answer"),
        |batch| {
            let own = |kind| {
                let of = |event: &&twtop::model::TraceEvent| {
                    event.kind == kind && event.task.is_some_and(|task| task.pid == failing.pid())
                };
                batch.events.iter().filter(of).count()
            };
            assert_eq!(
                (own(TraceKind::NoPort), own(TraceKind::ConnectFailed), own(TraceKind::Opened)),
                (5, 3, 4)
            );
        },
    );
}
