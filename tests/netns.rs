//! The `netns` tier: real sockets in namespaces of our own, held against `ss`, `lsof` and the kernel's counters.
//! Two tests are of the `root` tier.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::{Command, Output},
    time::Instant,
};

use serde_json::Value;

mod support {
    pub(crate) mod generator;
    pub(crate) mod namespace;
    #[expect(dead_code, reason = "this needs a part of what the pty tier needs")]
    pub(crate) mod pty;
    pub(crate) mod require;
    pub(crate) mod tools;
}

use support::{namespace::Namespace, pty::Pty, require::can_run, tools};

const TWTOP: &str = env!("CARGO_BIN_EXE_twtop");

/// Sockets of every state that can be made to stay, over all kinds of addresses and several processes.
const ZOO: &[&str] = &[
    "--time-wait=5000",
    "--established=500",
    "--listen=20",
    "--close-wait=7",
    "--fin-wait2=9",
    "--fin-wait2-orphan=4",
    "--syn-sent=6",
    "--syn-recv=5",
    "--bound=8",
    "--families=v4,v6,mapped",
    "--processes=5",
];

#[test]
fn every_state_counts_what_ss_counts() {
    if !can_run("netns") {
        return;
    }
    let namespace = Namespace::with(ZOO);
    let before = tools::ss_states(&namespace);
    let snapshot = snapshot(&namespace, &[]);
    let after = tools::ss_states(&namespace);
    assert_eq!(before, after, "the namespace was quiet");
    let states = snapshot["states"].as_object().expect("states");
    assert_eq!(states.len(), 12, "every state, always: {states:?}");
    for (state, count) in states {
        let count = count.as_u64().expect("a count");
        assert_eq!(Some(count), namespace.ready["states"][state].as_u64(), "{state} as made");
        // Of these two ss cannot be the truth: the kernel reports a bound socket as CLOSE, an older ss cannot ask for bound
        // ones (nor does /proc/net/tcp list them), and a newer one (-B) counts them with --all as UNCONN, which is CLOSE
        // too. What the generator made is the truth about both.
        if !["BOUND_INACTIVE", "CLOSE"].contains(&state.as_str()) {
            assert_eq!(count, before.get(state).copied().unwrap_or(0), "{state} as ss counts it");
        }
    }
    assert_eq!(snapshot["netns"], namespace.ready["netns"]);
    let rows = snapshot["sockets"].as_array().expect("sockets").len() as u64;
    assert_eq!(snapshot["coverage"]["sockets"].as_u64(), Some(rows));
    assert_eq!(rows, states.values().filter_map(Value::as_u64).sum::<u64>(), "one row a socket");
    let cookies: BTreeSet<String> = sockets(&snapshot).map(|s| s["cookie"].to_string()).collect();
    assert_eq!(cookies.len() as u64, rows, "each cookie once");
}

#[test]
fn every_live_socket_has_the_owner_that_lsof_names() {
    if !can_run("netns") {
        return;
    }
    let namespace = Namespace::with(ZOO);
    let truth = tools::lsof_holders(&namespace);
    let snapshot = snapshot(&namespace, &[]);
    let mut ours: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    for socket in sockets(&snapshot).filter(|s| s["inode"].is_u64()) {
        let owners = owners(socket);
        if socket["state"] == "BOUND_INACTIVE" {
            // lsof looks sockets up in /proc/net/tcp, where these are not.
            assert!(owners.is_subset(&namespace.pids("workers").into_iter().collect()), "{socket}");
            assert_eq!(owners.len(), 1, "{socket}");
        } else {
            ours.insert(socket["inode"].as_u64().expect("an inode"), owners);
        }
        assert_eq!(socket["evidence"], "held", "{socket}");
    }
    assert_eq!(ours.len(), 500 + 20 + 7 + 2 * 9 + 4 + 6, "all that a process holds");
    assert_eq!(ours, truth);
}

#[test]
fn mapped_addresses_are_shown_as_ipv4() {
    if !can_run("netns") {
        return;
    }
    let namespace = Namespace::with(&["--established=60", "--time-wait=30", "--families=v4,v6,mapped"]);
    let snapshot = snapshot(&namespace, &[]);
    let ipv6 = sockets(&snapshot).filter(|s| s["local"].as_str().is_some_and(|ip| ip.contains(':')));
    let ipv6: Vec<&Value> = ipv6.collect();
    assert_eq!(ipv6.len(), 20 + 10);
    assert_eq!(ipv6.len(), tools::ss_ipv6(&namespace));
    assert!(ipv6.iter().all(|s| s["family"] == "ipv6"), "{ipv6:?}");
    let mapped = sockets(&snapshot).any(|s| s.to_string().to_lowercase().contains("::ffff:"));
    assert!(!mapped, "no address is shown as mapped");
}

#[test]
fn a_time_wait_seen_alive_keeps_its_owner() {
    if !can_run("netns") {
        return;
    }
    // Each connection lives 1 s, and is looked at every 0.2 s.
    let namespace = Namespace::with(&["--rate=50", "--hold=1000"]);
    let churn: BTreeSet<u64> = namespace.pids("churn").into_iter().collect();
    let snapshot = snapshot(&namespace, &["--for", "4", "--interval", "0.2", "--no-trace"]);
    let time_waits: Vec<&Value> = sockets(&snapshot).filter(|s| s["state"] == "TIME_WAIT").collect();
    let (seen, rest): (Vec<&Value>, Vec<&Value>) = time_waits.iter().partition(|s| s["evidence"] == "seen");
    assert!(!seen.is_empty(), "of {} TIME_WAITs none was seen alive", time_waits.len());
    assert!(seen.iter().all(|s| owners(s) == churn), "who held it alive still owns it");
    assert!(rest.iter().all(|s| owners(s).is_subset(&churn)), "nobody else is named");
    assert!(time_waits.iter().all(|s| s["uid"].is_null()), "the kernel has forgotten the user");
}

#[test]
fn a_time_wait_keeps_the_cookie_of_its_connection() {
    if !can_run("netns") {
        return;
    }
    let load = ["--established=40", "--processes=1", "--families=v4,v6,mapped", "--listen=3"];
    let mut namespace = Namespace::with(&load);
    let alive = snapshot(&namespace, &[]);
    let clients = sockets(&alive).filter(|s| s["state"] == "ESTABLISHED" && s["side"] == "client");
    let clients: BTreeSet<String> = clients.map(|s| s["cookie"].to_string()).collect();
    assert_eq!(clients.len(), 20, "one end of each connection is the client's");
    namespace.order("close");
    let closed = snapshot(&namespace, &[]);
    let time_waits = sockets(&closed).filter(|s| s["state"] == "TIME_WAIT");
    let time_waits: BTreeSet<String> = time_waits.map(|s| s["cookie"].to_string()).collect();
    assert_eq!(closed["states"]["TIME_WAIT"], 20);
    assert_eq!(time_waits, clients);
}

#[test]
fn a_server_s_time_wait_is_its_listener_s() {
    if !can_run("netns") {
        return;
    }
    let load =
        ["--established=180", "--closer=server", "--listen=3", "--processes=1", "--families=v4,v6,mapped"];
    let mut namespace = Namespace::with(&load);
    let worker: BTreeSet<u64> = namespace.pids("workers").into_iter().collect();
    // Watched for longer than a process may be out by in age: one that has only just started could not be told from
    // one that came after the connections.
    assert_eq!(snapshot(&namespace, &["--for=1.5"])["states"]["ESTABLISHED"], 180);
    namespace.order("close");
    let snapshot = snapshot(&namespace, &[]);
    let time_waits: Vec<&Value> = sockets(&snapshot).filter(|s| s["state"] == "TIME_WAIT").collect();
    assert_eq!(time_waits.len(), 90);
    for socket in time_waits {
        assert_eq!(
            (&socket["evidence"], &socket["side"]),
            (&"listener".into(), &"server".into()),
            "{socket}"
        );
        assert_eq!(owners(socket), worker, "{socket}");
    }
}

#[test]
fn a_client_s_time_wait_from_before_has_no_owner() {
    if !can_run("netns") {
        return;
    }
    let namespace = Namespace::with(&["--time-wait=50", "--established=10", "--processes=1"]);
    let snapshot = snapshot(&namespace, &[]);
    for socket in sockets(&snapshot).filter(|s| s["state"] == "TIME_WAIT") {
        assert_eq!(socket["evidence"], "unknown", "{socket}");
        assert_eq!(owners(socket), BTreeSet::new(), "{socket}");
    }
    assert_eq!(snapshot["coverage"]["by_evidence"]["unknown"], 50);
    assert_eq!(snapshot["coverage"]["owned"], 10);
}

#[test]
fn a_forked_listener_has_all_its_holders() {
    if !can_run("netns") {
        return;
    }
    let namespace = Namespace::with(&["--listen=2", "--holders=3", "--processes=1"]);
    let holders: BTreeSet<u64> =
        [namespace.pids("workers"), namespace.pids("holders")].concat().into_iter().collect();
    assert_eq!(holders.len(), 4);
    let snapshot = snapshot(&namespace, &[]);
    let listeners: Vec<&Value> = sockets(&snapshot).filter(|s| s["state"] == "LISTEN").collect();
    assert_eq!(listeners.len(), 2);
    assert!(listeners.iter().all(|s| owners(s) == holders), "{listeners:?}");
}

#[test]
fn an_ordinary_user_is_told_the_share_and_the_cure() {
    if !can_run("root") {
        return;
    }
    let namespace = Namespace::with(&["--established=100", "--listen=2", "--time-wait=50"]);
    // The binary may lie where nobody else may look.
    let directory = tempfile::tempdir().expect("a temporary directory");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(directory.path(), open).expect("it is ours");
    let copy = directory.path().join("twtop");
    fs::copy(TWTOP, &copy).expect("the binary can be copied");
    let ordinary = || {
        let mut command = namespace.command("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"]).arg(&copy);
        command
    };
    let snapshot =
        json(&ordinary().args(["snapshot", "--json", "--sockets"]).output().expect("setpriv runs"));

    assert_eq!(snapshot["states"]["ESTABLISHED"], 100, "the table needs no privilege");
    assert_eq!(snapshot["privileges"]["complete"], false);
    assert!(!snapshot["privileges"]["missing"].as_array().expect("a list").is_empty());
    let path = fs::canonicalize(&copy).expect("it is there");
    let path = path.to_str().expect("a plain name");
    let hint = format!("sudo setcap cap_sys_ptrace,cap_dac_read_search+ep {path} (or once: sudo {path})");
    assert_eq!(snapshot["privileges"]["hint"], hint);
    assert_eq!(snapshot["coverage"]["owned"], 0);
    assert_eq!(snapshot["coverage"]["by_evidence"]["unknown"], snapshot["coverage"]["sockets"]);
    assert!(sockets(&snapshot).all(|s| owners(s).is_empty()), "nobody is guessed");

    // As wide as the page may be in one column.
    let mut pty = Pty::run(&ordinary(), (119, 45));
    pty.wait_for_text("hidden for want of privilege");
    pty.press("?");
    pty.wait_for("the whole command on the first page of the help", |screen| {
        let rows = screen.rows(0, 119).map(|row| row.trim_end_matches([' ', '│', '┃']).trim().to_owned());
        let page = rows.collect::<Vec<_>>().join(" ");
        page.contains("leave help") && page.contains(&hint)
    });
    pty.press("q");
    assert_eq!(pty.wait_for_end().exit_code(), 0);
}

#[test]
fn hostile_names_reach_neither_text_nor_csv_raw() {
    if !can_run("netns") {
        return;
    }
    let namespace = Namespace::with(&["--established=20", "--listen=2", "--processes=1", "--hostile"]);
    let text = namespace.output(TWTOP, &["snapshot"]);
    assert!(text.contains("evil"), "the process is listed: {text}");
    assert!(text.chars().all(|c| c == '\n' || !is_dangerous(c)), "{text:?}");

    let csv = namespace.output(TWTOP, &["snapshot", "--csv", "--sockets"]);
    assert!(csv.contains("evil"), "the process is listed: {csv}");
    let mut rows = 0;
    for record in csv::ReaderBuilder::new().has_headers(false).from_reader(csv.as_bytes()).records() {
        let record = record.expect("every row has as many cells as the header");
        for cell in &record {
            assert!(!cell.contains(is_dangerous), "{cell:?}");
            assert!(!cell.starts_with(['=', '@', '+', '\t', '\r']), "a formula: {cell:?}");
        }
        rows += 1;
    }
    assert_eq!(rows, 1 + 22, "one row a socket, and the header");

    let json = namespace.output(TWTOP, &["snapshot", "--json", "--sockets"]);
    assert!(json.chars().all(|c| c == '\n' || !c.is_control()), "JSON escapes control characters");
    let snapshot: Value = serde_json::from_str(&json).expect("JSON");
    let process = &snapshot["processes"][0];
    assert_eq!(process["name"], "=1\u{1b}[2J\nevil\u{7}", "a program reads the name as it is");
}

#[test]
fn hostile_names_reach_no_terminal_raw() {
    if !can_run("netns") || !can_run("pty") {
        return;
    }
    let namespace = Namespace::with(&["--established=20", "--listen=2", "--processes=1", "--hostile"]);
    let mut pty = Pty::run(&namespace.command(TWTOP), (160, 45));
    pty.wait_for_text(r"=1\x1b[2J\nevil\x07");
    // The page of the process shows its command line too.
    pty.press("\r");
    pty.wait_for_text(r"calc'!A0\x1b[31m\r\n\u{202e}");
    pty.press("q");
    assert_eq!(pty.wait_for_end().exit_code(), 0);
    assert_eq!(pty.left_behind(), [""; 0]);
    let raw = std::str::from_utf8(pty.raw()).expect("nothing but UTF-8");
    for planted in ["=1\x1b[2J", "\nevil", "evil\x07", "A0\x1b[31m", "\u{202e}"] {
        assert!(!raw.contains(planted), "{planted:?} in {raw:?}");
    }
    // A title or the clipboard would take an OSC, which like a bell is nothing that a screen needs.
    assert!(!raw.contains("\x1b]"), "{raw:?}");
    // The screen moves its cursor by three controls itself; that no name does is for the above to show.
    let dangerous = raw.chars().find(|c| is_dangerous(*c) && !['\x08', '\n', '\r', '\x1b'].contains(c));
    assert_eq!(dangerous, None, "the moves and escapes of a screen and no other control: {raw:?}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the truth about a rate needs a clock of its own")]
fn rates_follow_the_kernel_s_counters() {
    if !can_run("netns") {
        return;
    }
    let namespace = Namespace::with(&["--rate=400"]);
    let read = |group, name| tools::counter(&namespace, group, name);
    let begin = (Instant::now(), read("Tcp", "ActiveOpens"), read("TcpExt", "TW"));
    let snapshot = snapshot(&namespace, &["--for", "5", "--no-trace"]);
    let end = (Instant::now(), read("Tcp", "ActiveOpens"), read("TcpExt", "TW"));
    let seconds = (end.0 - begin.0).as_secs_f64();
    let near = |key: &str, events: u64| {
        let truth = f64::from(u32::try_from(events).expect("a few thousand")) / seconds;
        let rate = snapshot["rates"][key].as_f64().unwrap_or_else(|| panic!("{key} is known"));
        assert!((rate - truth).abs() <= 0.05 * truth, "{key} is {rate}, the counters say {truth}");
    };
    near("opened_per_s", end.1 - begin.1);
    near("accepted_per_s", end.1 - begin.1);
    near("time_wait_per_s", end.2 - begin.2);
    assert!(snapshot["rates"]["connect_failures_per_s"].is_null(), "without a trace nothing tells of these");
}

/// `twtop snapshot --json --sockets` inside `namespace`.
fn snapshot(namespace: &Namespace, more: &[&str]) -> Value {
    let mut command: Command = namespace.command(TWTOP);
    json(&command.args(["snapshot", "--json", "--sockets"]).args(more).output().expect("nsenter runs"))
}

fn json(output: &Output) -> Value {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    assert_eq!(errors, "", "nothing goes to standard error");
    let snapshot: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(snapshot["schema"], "twtop.snapshot/1");
    assert_eq!(snapshot["coverage"]["faults"], Value::Array(Vec::new()));
    snapshot
}

fn sockets(snapshot: &Value) -> impl Iterator<Item = &Value> {
    snapshot["sockets"].as_array().expect("sockets were asked for").iter()
}

fn owners(socket: &Value) -> BTreeSet<u64> {
    let owners = socket["owners"].as_array().expect("a list").iter();
    owners.map(|owner| owner["pid"].as_u64().expect("a PID")).collect()
}

/// What could move a cursor, ring, or turn text around.
fn is_dangerous(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
