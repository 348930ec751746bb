//! The `root` tier: real connections in network namespaces of our own, and who the trace says closed them.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use twtop::{
    model::{Endpoint, TraceKind},
    source::trace::{TraceOptions, Tracer},
    store::{Phase, Sighting, TraceGap, TraceJoin},
};

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

fn now() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("below 10^9"))
}

/// A process in the namespace that talks to us in lines.
struct Actor {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Actor {
    fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The rest of the next line that begins with `word`; lines before it are passed to `other`.
    fn until(&mut self, word: &str, mut other: impl FnMut(&str)) -> String {
        loop {
            let mut line = String::new();
            let read = self.answers.read_line(&mut line).expect("the output is readable");
            assert!(read > 0, "the process ended before it said {word}");
            match line.trim_end().strip_prefix(word) {
                Some(rest) => return rest.trim().to_owned(),
                None => other(line.trim_end()),
            }
        }
    }

    /// Closes its input, which is its order to go on to the end, and waits for that.
    fn end(&mut self) {
        self.orders = None;
        self.answers.read_to_end(&mut Vec::new()).expect("the output is readable");
        self.child.wait().expect("a child can be waited for");
    }

    fn kill(&mut self) {
        self.child.kill().expect("it has not been waited for");
        self.child.wait().expect("a child can be waited for");
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A network namespace that lives as long as this.
struct Namespace {
    keeper: Actor,
    netns: u64,
}

impl Namespace {
    fn new() -> Self {
        // Without reuse by connect(), a client's TIME_WAITs stay to be counted; a FIN that is repeated late, and answered by a
        // reset, would end others (RFC 1337).
        let script = "ip link set lo up && echo 0 > /proc/sys/net/ipv4/tcp_tw_reuse && \
             echo 1 > /proc/sys/net/ipv4/tcp_rfc1337 && echo ready && read line";
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", script]);
        let mut keeper = actor(command);
        keeper.until("ready", |_| {});
        let link = fs::read_link(format!("/proc/{}/ns/net", keeper.pid())).expect("the namespace has a name");
        let text = link.to_string_lossy().into_owned();
        let netns = text.trim_start_matches("net:[").trim_end_matches(']').parse().expect("an inode");
        Self { keeper, netns }
    }

    /// `twtop-trace-load` inside. `nsenter` executes it, so the PID is its own.
    fn load(&self, words: &[&str]) -> Actor {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.keeper.pid().to_string()).args(["--net", "--"]).arg(load_path());
        command.args(words);
        actor(command)
    }

    fn serve(&self, family: &str, turn: &str, life: &str) -> (Actor, String) {
        let mut server = self.load(&["serve", family, turn, life]);
        let port = server.until("port", |_| {});
        (server, port)
    }

    /// The kernel's exact count of entries into `TIME_WAIT`.
    fn entries(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/net/netstat", self.keeper.pid())).expect("readable");
        let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
        let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
        let pairs = names.split_whitespace().zip(values.split_whitespace());
        let sum = pairs.filter(|(name, _)| matches!(*name, "TW" | "TWKilled"));
        sum.map(|(_, value)| value.parse::<u64>().expect("a number")).sum()
    }

    /// Waits until so many entries were counted since `before`, and the other ends have closed too.
    fn await_entries(&self, before: u64, wanted: u64) {
        let deadline = now() + Duration::from_secs(20);
        while self.entries() - before < wanted
            || self.lines().iter().any(|line| matches!(state(line), "04" | "05"))
        {
            assert!(now() < deadline, "{} of {wanted} entries into TIME_WAIT", self.entries() - before);
            std::thread::yield_now();
        }
    }

    /// The lines of both tables, without their titles.
    fn lines(&self) -> Vec<String> {
        let read =
            |file| fs::read_to_string(format!("/proc/{}/net/{file}", self.keeper.pid())).expect("readable");
        let tables = ["tcp", "tcp6"].map(read);
        tables.iter().flat_map(|text| text.lines().skip(1)).map(str::to_owned).collect()
    }

    /// Every `TIME_WAIT` in the namespace: its ends, and when it was seen.
    fn time_waits(&self) -> Vec<(Endpoint, Endpoint, Sighting)> {
        let begin = now();
        let lines = self.lines();
        let end = now();
        let waits = lines.iter().filter(|line| state(line) == "06").map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (_, left) = fields[5].split_once(':').expect("a timer and its time");
            // Hundredths of a second.
            let left =
                Duration::from_millis(10 * u64::from_str_radix(left, 16).expect("a hexadecimal number"));
            let entered = (end + left).saturating_sub(Duration::from_mins(1));
            (
                endpoint(fields[1]),
                endpoint(fields[2]),
                Sighting { begin, end, phase: Phase::TimeWait(entered) },
            )
        });
        waits.collect()
    }
}

/// The state in a line of `/proc/net/tcp`, hexadecimal.
fn state(line: &str) -> &str {
    line.split_whitespace().nth(3).expect("a state")
}

/// An address of `/proc/net/tcp` or `tcp6`: words of 32 bits in the order of the host.
fn endpoint(text: &str) -> Endpoint {
    let (address, port) = text.split_once(':').expect("an address and a port");
    let port = u16::from_str_radix(port, 16).expect("a hexadecimal port");
    let words: Vec<u8> = (0..address.len() / 8)
        .flat_map(|n| u32::from_str_radix(&address[n * 8..][..8], 16).expect("hexadecimal").to_ne_bytes())
        .collect();
    let ip = match <[u8; 4]>::try_from(&words[..]) {
        Ok(bytes) => IpAddr::V4(Ipv4Addr::from(bytes)),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(&words[..]).expect("16 bytes")).to_canonical(),
    };
    Endpoint::new(ip, port)
}

fn actor(mut command: Command) -> Actor {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the command starts");
    let orders = child.stdin.take();
    let answers = BufReader::new(child.stdout.take().expect("its output is a pipe"));
    Actor { child, orders, answers }
}

/// The path of `twtop-trace-load`, built if need be: a single test target does not build the examples.
fn load_path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let twtop = PathBuf::from(env!("CARGO_BIN_EXE_twtop"));
        let directory = twtop.parent().expect("a file lies in a directory");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--example", "twtop-trace-load", "--manifest-path"]);
        build.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        if directory.ends_with("release") {
            build.arg("--release");
        }
        // Without a cargo at hand, one that was built before will do.
        let _ = build.status();
        let path = directory.join("examples/twtop-trace-load");
        assert!(path.exists(), "{} is missing: cargo build --example twtop-trace-load", path.display());
        path
    })
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

/// What the program prints of a namespace: its report, and the PIDs of the clients whose connections are in it.
fn watched_by_the_program(clients: usize, each: u64, more: &[&str]) -> (serde_json::Value, Vec<u32>) {
    let namespace = Namespace::new();
    let (_server, port) = namespace.serve("v4", "second", "1");
    let mut command = Command::new("nsenter");
    command.arg("--target").arg(namespace.keeper.pid().to_string()).args(["--net", "--"]);
    command.arg(env!("CARGO_BIN_EXE_twtop")).args(["snapshot", "--for", "4", "--interval", "0.5", "--json"]);
    command.arg("--sockets").args(more).stdout(Stdio::piped());
    let mut clients: Vec<Actor> = (0..clients)
        .map(|_| namespace.load(&["connect", "v4", "first", "1", &port, &each.to_string(), "100"]))
        .collect();
    let output = command.output().expect("the program runs");
    let pids = clients.iter().map(Actor::pid).collect();
    for client in &mut clients {
        client.until("done", |_| {});
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    (serde_json::from_slice(&output.stdout).expect("JSON"), pids)
}

#[test]
fn the_program_names_who_closed_and_nobody_wrongly() {
    if !can_run() {
        return;
    }
    let (report, pids) = watched_by_the_program(3, 250, &[]);
    let observed = report["observed_s"].as_f64().expect("it was an observation");
    let mut traced: BTreeMap<u64, u64> = BTreeMap::new();
    let sockets = report["sockets"].as_array().expect("sockets were asked for");
    for socket in sockets.iter().filter(|socket| socket["state"] == "TIME_WAIT") {
        if socket["evidence"] == "traced" {
            let owners = socket["owners"].as_array().expect("a list");
            assert_eq!(owners.len(), 1, "{socket}");
            *traced.entry(owners[0]["pid"].as_u64().expect("a PID")).or_default() += 1;
        } else {
            let age = socket["age_s"].as_f64().expect("a TIME_WAIT has one");
            assert!(age + 0.1 > observed, "what closed under our eyes is traced: {socket}");
        }
    }
    let expected: Vec<u64> = pids.iter().map(|&pid| pid.into()).collect();
    assert!(traced.keys().all(|pid| expected.contains(pid)), "{traced:?} instead of {expected:?}");
    assert_eq!(traced.len(), expected.len(), "each of them closed some: {traced:?}");
    assert!(traced.values().sum::<u64>() > 100, "{traced:?}");
    let coverage = &report["coverage"];
    assert_eq!(coverage["events_lost"], 0);
    let figure = |name: &str| coverage[name].as_u64().expect("a figure");
    let (entries, attributed) = (figure("time_wait_entries"), figure("time_wait_attributed"));
    // On a busy machine a FIN may come long before the observation and the entry within it.
    assert!(entries > 100 && attributed * 100 >= entries * 90, "{attributed} of {entries}");
    assert_eq!(report["rates"]["connect_failures_per_s"], 0.0);
}

#[test]
fn without_the_trace_nothing_is_traced() {
    if !can_run() {
        return;
    }
    let (report, _) = watched_by_the_program(1, 100, &["--no-trace"]);
    assert_eq!(report["coverage"]["by_evidence"]["traced"], 0);
    assert!(
        report["coverage"]["events_lost"].is_null() && report["rates"]["connect_failures_per_s"].is_null()
    );
}
