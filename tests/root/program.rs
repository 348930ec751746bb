//! The program itself: what it reports of who closed what, against what those who closed say.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
};

use super::{
    can_run,
    world::{Actor, Namespace},
};

/// What the program prints of a namespace in which `clients` processes connect, and who closed what: by the port of the end
/// that closed first and the port of the other.
struct Watched {
    report: serde_json::Value,
    truth: BTreeMap<(u64, u64), u64>,
}

/// Each client makes `each` connections, `rate` a second, that live for `life` ms. Everybody is there before the program.
fn watched_by_the_program(
    client_first: bool,
    (clients, each, rate, life): (usize, u64, u64, u64),
    more: &[&str],
) -> Watched {
    let (turn, other) = if client_first { ("first", "second") } else { ("second", "first") };
    let [each, rate, life] = [each, rate, life].map(|n| n.to_string());
    let namespace = Namespace::new();
    let (mut server, port) = namespace.serve("v4", other, &life);
    let mut command = Command::new("nsenter");
    command.arg("--target").arg(namespace.keeper.pid().to_string()).args(["--net", "--"]);
    command.arg(env!("CARGO_BIN_EXE_twtop")).args(["snapshot", "--for", "4", "--interval", "0.5", "--json"]);
    command.arg("--sockets").args(more).stdout(Stdio::piped());
    let mut clients: Vec<Actor> =
        (0..clients).map(|_| namespace.load(&["connect", "v4", turn, &life, &port, &each, &rate])).collect();
    let output = command.output().expect("the program runs");
    let mut truth = BTreeMap::new();
    let mut note = |pid: u32, line: &str| {
        let mut words = line.split(' ').skip(1).map(|word| word.parse().expect("a number"));
        truth.insert((words.next().expect("a port"), words.next().expect("a port")), u64::from(pid));
    };
    for client in &mut clients {
        let pid = client.pid();
        client.until("done", |line| note(pid, line));
    }
    if !client_first {
        server.orders = None;
        let pid = server.pid();
        server.until("done", |line| note(pid, line));
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Watched { report: serde_json::from_slice(&output.stdout).expect("JSON"), truth }
}

impl Watched {
    /// Every `TIME_WAIT` in the report, with the process that closed it.
    fn time_waits(&self) -> impl Iterator<Item = (&serde_json::Value, u64)> {
        let sockets = self.report["sockets"].as_array().expect("sockets were asked for");
        let waits = sockets.iter().filter(|socket| socket["state"] == "TIME_WAIT");
        waits.map(|socket| {
            let port = |key: &str| socket[key].as_u64().expect("a port");
            let ends = (port("local_port"), port("peer_port"));
            (socket, *self.truth.get(&ends).unwrap_or_else(|| panic!("nobody closed {socket}")))
        })
    }

    /// How many `TIME_WAIT`s there are, and of how many one process is named: always the one that closed it.
    fn named(&self) -> (u32, u32) {
        let (mut all, mut named) = (0, 0);
        for (socket, closer) in self.time_waits() {
            all += 1;
            let owners = socket["owners"].as_array().expect("a list");
            let candidates = socket["evidence"] == "candidates";
            assert!(owners.len() <= 1 || candidates, "{socket}");
            let is_closer = |owner: &serde_json::Value| owner["pid"].as_u64() == Some(closer);
            assert!(owners.is_empty() || owners.iter().any(is_closer), "{closer} closed {socket}");
            named += u32::from(!owners.is_empty() && !candidates);
        }
        (all, named)
    }
}

#[test]
fn the_program_names_who_closed_and_nobody_wrongly() {
    if !can_run() {
        return;
    }
    let watched = watched_by_the_program(true, (3, 250, 100, 1), &[]);
    let report = &watched.report;
    let observed = report["observed_s"].as_f64().expect("it was an observation");
    let (all, named) = watched.named();
    assert!(named > 100, "{named} of {all}");
    for (socket, _) in watched.time_waits().filter(|(socket, _)| socket["evidence"] != "traced") {
        let age = socket["age_s"].as_f64().expect("a TIME_WAIT has one");
        assert!(age + 0.1 > observed, "what closed under our eyes is traced: {socket}");
    }
    let coverage = &report["coverage"];
    assert_eq!(coverage["events_lost"], 0);
    let figure = |name: &str| coverage[name].as_u64().expect("a figure");
    let (entries, attributed) = (figure("time_wait_entries"), figure("time_wait_attributed"));
    // On a busy machine a FIN may come long before the observation and the entry within it.
    assert!(entries > 100 && attributed * 100 >= entries * 90, "{attributed} of {entries}");
    assert_eq!(report["rates"]["connect_failures_per_s"], 0.0);
}

#[test]
fn without_the_trace_clients_that_were_seen_alive_are_named_and_nobody_wrongly() {
    if !can_run() {
        return;
    }
    let watched = watched_by_the_program(true, (3, 100, 30, 1000), &["--no-trace"]);
    let (all, named) = watched.named();
    // A connection of 1 s is there in two looks of 0.5 s; the first ones closed before the program began.
    assert!(all > 50 && named * 2 > all, "{named} of {all}");
    let coverage = &watched.report["coverage"];
    assert_eq!(coverage["by_evidence"]["traced"], 0);
    assert!(coverage["events_lost"].is_null());
    assert!(watched.report["rates"]["connect_failures_per_s"].is_null());
}

#[test]
fn without_the_trace_a_server_is_named_by_its_listener_and_nobody_wrongly() {
    if !can_run() {
        return;
    }
    let watched = watched_by_the_program(false, (3, 250, 100, 1), &["--no-trace"]);
    let (all, named) = watched.named();
    // What closed when the server was just started may be anybody's who had the port before.
    assert!(all > 100 && named > 100, "{named} of {all}");
}
