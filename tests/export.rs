//! The `export` tier: schemas hold; spreadsheets, terminals and chats are safe.

mod scene;

use std::{
    io::{self, ErrorKind, Write},
    sync::Arc,
    time::Duration,
};

use jsonschema::Validator;
use proptest::prelude::*;
use scene::{Scene, Spec, detail, nobody, process};
use serde_json::Value;
use twtop::{
    export::{Format, Options, SNAPSHOT_SCHEMA, write},
    field::SOCKETS,
    model::{
        Counters, Detail, Endpoint, Evidence, Fault, FaultKind, Limit, OwnerScan, Privileges, Process,
        ProcessSeen, Side, TcpInfo, TcpState, Timer, Unknown, text::printable,
    },
    query::Query,
    store::{ConnectFailure, Coverage, Lifetimes, Observation, Rates, Traced},
};
use unicode_width::UnicodeWidthStr;

fn written(format: Format, observation: &Observation, query: &Query, ascii: bool) -> String {
    let options = Options { query, findings: &[], sockets: true, ascii, top: 5 };
    let mut out = Vec::new();
    write(format, observation, &options, &mut out).expect("memory does not fail");
    String::from_utf8(out).expect("UTF-8")
}

fn every(format: Format, observation: &Observation) -> String {
    written(format, observation, &Query::default(), false)
}

fn json(observation: &Observation) -> Value {
    serde_json::from_str(&every(Format::Json, observation)).expect("JSON")
}

/// One look at a scene, of the sockets that `query` keeps.
fn look(scene: Scene, query: &Query) -> Observation {
    let moment = Arc::new(scene.moment());
    let mut matcher = query.matcher();
    Observation::begin(moment, |socket| matcher.matches(socket))
}

/// A scene as ten seconds led up to it.
fn observed(scene: Scene, query: &Query) -> Observation {
    let mut observation = look(scene, query);
    let counters = &observation.moment.sample.counters;
    let rates = counters.iter().map(|(name, _)| (!Counters::is_gauge(name)).then_some(11.8)).collect();
    observation.counter_rates = rates;
    observation.elapsed_s = Some(10.0);
    observation.rates = Rates {
        opened: Some(12.0),
        accepted: Some(0.0),
        closed: Some(12.1),
        time_wait: Some(11.8),
        connect_failures: None,
    };
    observation
}

/// A host with something of everything, and nothing wrong.
fn rich() -> Scene {
    let mut scene = Scene::default();
    let (nginx, child, redis) = (process(1234, "nginx"), process(1235, "nginx"), process(20, "redis-server"));
    let redis = Arc::new(Process { container: Some("0123456789ab".to_owned()), ..(*redis).clone() });
    let seen = |process: &Arc<Process>, fds, fd_limit| ProcessSeen {
        process: Arc::clone(process),
        fds: Some(fds),
        fd_limit,
    };
    scene.processes = vec![seen(&nginx, 812, Some(1024)), seen(&redis, 30, None)];
    let held = scene.attribute(Evidence::Held, &[&nginx]);
    scene.told(held, Some(&redis), Some(&nginx));
    let seen = scene.attribute(Evidence::Seen, &[&nginx]);
    let shared = scene.attribute(Evidence::Held, &[&nginx, &child]);
    let either = scene.attribute(Evidence::Candidates, &[&nginx, &child]);
    let store = scene.attribute(Evidence::Held, &[&redis]);
    for left in [59_500, 55_000, 30_000, 0] {
        scene.socket(&Spec { attribution: seen, closed: left > 50_000, ..Spec::time_wait(left) });
    }
    scene.socket(&Spec::time_wait(20_000));
    scene.socket(&Spec {
        local: "10.0.0.5:80",
        peer: "192.168.1.7:51000",
        attribution: either,
        side: Some(Side::Server),
        ..Spec::time_wait(52_000)
    });
    scene.socket(&Spec {
        attribution: held,
        timer: (Timer::Keepalive, 4_750),
        opened: true,
        ..Spec::default()
    });
    scene.socket(&Spec {
        local: "0.0.0.0:80",
        peer: "0.0.0.0:0",
        state: TcpState::Listen,
        attribution: shared,
        side: None,
        ..Spec::default()
    });
    scene.socket(&Spec {
        local: "[2001:db8:1234:5678:9abc:def0:1234:5678]:6379",
        peer: "[2001:db8:1234:5678:9abc:def0:1234:9999]:60000",
        state: TcpState::CloseWait,
        attribution: store,
        side: Some(Side::Server),
        detail: Some(Detail { recv_q: 70_000, ..detail(8) }),
        ..Spec::default()
    });
    scene.counters = vec![("TcpActiveOpens".into(), 5_000), ("sockstat.TCP.tw".into(), 6)];
    scene.sysctls.insert("net.ipv4.ip_local_port_range".to_owned(), "32768 60999".to_owned());
    scene.sysctls.insert("net.ipv4.ip_local_reserved_ports".to_owned(), String::new());
    scene.limits.insert("tcp_max_tw_buckets".into(), Limit { value: 6, max: 262_144 });
    scene
}

/// What an ordinary user sees, with a dump that broke off.
fn denied() -> Scene {
    let mut scene = rich();
    scene.attributions[0] = nobody(Unknown::Denied);
    scene.scan = OwnerScan { processes: 483, denied: 451 };
    scene.complete = false;
    scene.faults = vec![Fault {
        place: "sock_diag".to_owned(),
        kind: FaultKind::Refused("Operation not permitted (os error 1)".to_owned()),
        count: 3,
    }];
    scene.privileges = Privileges {
        complete: false,
        missing: vec!["CAP_SYS_PTRACE".to_owned(), "CAP_DAC_READ_SEARCH".to_owned()],
        trace_missing: vec![],
        hint: "To see every owner: sudo setcap cap_sys_ptrace,cap_dac_read_search+ep /usr/bin/twtop"
            .to_owned(),
    };
    scene.host.hz = None;
    scene
}

/// Two processes with that name, one of them a mere candidate.
fn hostile(name: &str) -> Scene {
    let mut scene = Scene::default();
    let bad = |pid| {
        Arc::new(Process {
            command: name.to_owned(),
            user: name.to_owned(),
            container: Some(name.to_owned()),
            ..(*process(pid, name)).clone()
        })
    };
    let (one, two) = (bad(1), bad(2));
    let held = scene.attribute(Evidence::Held, &[&one]);
    let either = scene.attribute(Evidence::Candidates, &[&one, &two]);
    scene.socket(&Spec { attribution: held, ..Spec::default() });
    scene.socket(&Spec { attribution: either, ..Spec::time_wait(9_000) });
    name.clone_into(&mut scene.host.name);
    scene.privileges.missing = vec![name.to_owned()];
    scene.faults =
        vec![Fault { place: name.to_owned(), kind: FaultKind::Unreadable(name.to_owned()), count: 1 }];
    scene
}

fn schema() -> Value {
    serde_json::from_str(include_str!("../assets/twtop.snapshot.1.schema.json")).expect("JSON")
}

/// The schema with every object closed: each key that is written must be described.
fn closed() -> Validator {
    fn close(value: &mut Value) {
        match value {
            Value::Object(object) => {
                if object.contains_key("properties") {
                    object.entry("additionalProperties").or_insert(Value::Bool(false));
                }
                object.values_mut().for_each(close);
            }
            Value::Array(items) => items.iter_mut().for_each(close),
            _ => {}
        }
    }
    let mut schema = schema();
    close(&mut schema);
    jsonschema::draft202012::new(&schema).expect("a schema")
}

fn check(validator: &Validator, snapshot: &Value) {
    let wrong: Vec<_> =
        validator.iter_errors(snapshot).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{wrong:#?}\n{snapshot:#}");
}

#[test]
fn the_schema_is_one_and_requires_all_that_it_describes() {
    fn visit(value: &Value, seen: &mut usize) {
        if let Some(properties) = value.get("properties").and_then(Value::as_object) {
            let required: Vec<_> = value["required"].as_array().expect("required").iter().collect();
            let keys: Vec<_> = properties.keys().map(|key| Value::from(key.as_str())).collect();
            assert!(keys.iter().all(|key| required.contains(&key)), "{keys:?}");
            *seen += 1;
        }
        match value {
            Value::Object(object) => object.values().for_each(|value| visit(value, seen)),
            Value::Array(items) => items.iter().for_each(|value| visit(value, seen)),
            _ => {}
        }
    }
    let schema = schema();
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    assert_eq!(schema["properties"]["schema"]["const"], SNAPSHOT_SCHEMA);
    let mut objects = 0;
    visit(&schema, &mut objects);
    assert!(objects > 20, "{objects}");
}

#[test]
fn every_snapshot_holds_to_the_schema() {
    let (open, closed) = (jsonschema::draft202012::new(&schema()).expect("a schema"), closed());
    let all = Query::default();
    let some = Query::parse("proc:nginx or state:listen").expect("a filter");
    let none = Query::parse("port:1").expect("a filter");
    for query in [&all, &some, &none] {
        for scene in [Scene::default, rich, denied] {
            for observation in [look(scene(), query), observed(scene(), query)] {
                let snapshot = json(&observation);
                check(&open, &snapshot);
                check(&closed, &snapshot);
            }
        }
    }
    let options = Options { query: &all, findings: &[], sockets: false, ascii: false, top: 0 };
    let mut out = Vec::new();
    write(Format::Json, &look(rich(), &all), &options, &mut out).expect("memory");
    let snapshot: Value = serde_json::from_slice(&out).expect("JSON");
    check(&closed, &snapshot);
    assert_eq!(snapshot["sockets"], Value::Null);
}

/// What ten seconds led up to, with a trace of a client that is short of ports.
fn traced() -> Observation {
    let mut observation = observed(rich(), &Query::default());
    let mut lifetimes = Lifetimes::default();
    (0..50).for_each(|_| lifetimes.add(Duration::from_millis(3)));
    let moment = Arc::make_mut(&mut observation.moment);
    let since = moment.sample.stamp.since_boot.saturating_sub(Duration::from_secs(14));
    let row = &mut observation.aggregate.processes[0];
    row.lifetimes = Some(Arc::new(lifetimes));
    observation.aggregate.peers[0].lifetimes = Some(Arc::new(lifetimes));
    observation.failures = vec![
        ConnectFailure {
            process: Some(Arc::clone(&row.process)),
            source: "10.0.0.5".parse().expect("an address"),
            peer: Endpoint::new("10.0.0.9".parse().expect("an address"), 443),
            no_port: 1_234,
            other: 1,
        },
        ConnectFailure {
            process: None,
            source: "::".parse().expect("an address"),
            peer: Endpoint::new("2001:db8::9".parse().expect("an address"), 80),
            no_port: 0,
            other: 2,
        },
    ];
    moment.trace = Some(Arc::new(Traced {
        coverage: Coverage {
            since,
            exact_at: since + Coverage::LIFETIME,
            entries: 120,
            attributed: 101,
            before_start: 14,
            nameless: 5,
            ..Coverage::default()
        },
        ..Traced::default()
    }));
    observation.named_closes = Some(101);
    observation
}

#[test]
fn what_the_trace_told_is_written_everywhere() {
    let snapshot = json(&traced());
    let errors: Vec<String> = closed().iter_errors(&snapshot).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    let trace = &snapshot["coverage"]["trace"];
    assert_eq!((&trace["attributed"], &trace["before_start"]), (&Value::from(101), &Value::from(14)));
    assert_eq!(trace["since"], "2026-05-01T11:59:46.25Z");
    assert_eq!(trace["exact_at"], "2026-05-01T12:00:48.3Z");
    let failures = snapshot["connect_failures"].as_array().expect("a list");
    assert_eq!((&failures[0]["pid"], &failures[0]["no_port"]), (&Value::from(1234), &Value::from(1234)));
    assert!(failures[1]["pid"].is_null() && failures[1]["source"].is_null());
    let destinations = snapshot["ports"]["destinations"].as_array().expect("a list");
    let no_port = |row: &Value| row["connect_failures"].as_u64().expect("known under the trace");
    let failing = destinations.iter().find(|row| row["source"] == "10.0.0.5" && row["peer"] == "10.0.0.9");
    assert_eq!(failing.map(no_port), Some(1234));
    assert_eq!(destinations.iter().map(no_port).sum::<u64>(), 1234, "others have none");
    assert!(snapshot["rates"]["connect_failures_per_s"].is_null(), "not known is not none");
    for row in [&snapshot["processes"][0], &snapshot["peers"][0]] {
        let life = row["lifetime_p50_s"].as_f64().expect("known");
        assert!((0.0025..0.0031).contains(&life), "{life}");
    }
    assert!(snapshot["processes"][1]["lifetime_p50_s"].is_null());
    let held = snapshot["sockets"].as_array().expect("sockets").iter().find(|s| s["evidence"] == "held");
    let held = held.expect("one is held");
    assert_eq!((&held["opener"]["pid"], &held["closer"]["name"]), (&Value::from(20), &Value::from("nginx")));

    insta::assert_snapshot!("text_traced", every(Format::Text, &traced()));
    let markdown = every(Format::Markdown, &traced());
    assert!(markdown.contains("## Failed connect() calls, by the trace"), "{markdown}");
    assert!(markdown.contains("14 before start, 5 nameless; will be exact from 2026-05-01T12:00:48Z"));
}

#[test]
fn the_schema_refuses_what_is_wrong() {
    let validator = jsonschema::draft202012::new(&schema()).expect("a schema");
    let good = json(&look(rich(), &Query::default()));
    assert!(validator.is_valid(&good));
    let wrong = [
        ("/schema", Value::from("twtop.snapshot/2")),
        ("/taken_at", Value::from("yesterday")),
        ("/states/TIME_WAIT", Value::from(-1)),
        ("/sockets/0/side", Value::from("both")),
        ("/processes/0/time_wait_by_evidence", serde_json::json!({})),
        ("/coverage/time_wait_entries", Value::from("many")),
    ];
    for (pointer, value) in wrong {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).expect(pointer) = value;
        assert!(!validator.is_valid(&bad), "{pointer}");
    }
    for key in good.as_object().expect("an object").keys() {
        let mut bad = good.clone();
        bad.as_object_mut().expect("an object").remove(key);
        assert!(!validator.is_valid(&bad), "{key}");
    }
}

#[test]
fn the_unknown_is_null_and_never_nothing() {
    let snapshot = json(&look(rich(), &Query::default()));
    for pointer in [
        "/filter",
        "/rates/opened_per_s",
        "/coverage/time_wait_entries",
        "/coverage/time_wait_attributed",
        "/coverage/events_lost",
        "/processes/0/opened_per_s",
        "/ports/destinations/0/left_min",
        "/ports/destinations/0/opened_per_s",
        "/counters/TcpActiveOpens/per_s",
        "/sockets/0/uid",
        "/sockets/0/recv_q",
        "/sockets/0/tcp",
        "/sockets/6/age_s",
        "/sockets/6/tcp/bytes_received",
        "/sockets/7/side",
    ] {
        assert_eq!(snapshot.pointer(pointer), Some(&Value::Null), "{pointer}");
    }
    let empty = json(&look(Scene::default(), &Query::default()));
    assert_eq!(empty["ports"]["in_use"], Value::Null);
    assert_eq!(empty["ports"]["ranges"], serde_json::json!([]));
    assert_eq!(empty["states"]["TIME_WAIT"], 0);
}

#[test]
fn figures_are_those_of_the_observation() {
    let snapshot = json(&observed(rich(), &Query::default()));
    assert_eq!(snapshot["coverage"]["time_wait_entries"], 118);
    // Entered in the last ten seconds with an owner for sure: those with 59.5 s and 55 s left.
    assert_eq!(snapshot["coverage"]["time_wait_attributed"], 2);
    assert_eq!(snapshot["coverage"]["owned"], 7);
    assert_eq!(snapshot["coverage"]["unknown_by_reason"]["before_start"], 1);
    let nginx = &snapshot["processes"][0];
    assert_eq!((&nginx["pid"], &nginx["time_wait"]), (&1234.into(), &4.into()));
    assert_eq!(nginx["time_wait_by_evidence"]["seen"], 4);
    assert_eq!(nginx["time_wait_by_evidence"]["candidates"], 1);
    assert_eq!(nginx["start_time"], "2026-05-01T11:00:00Z");
    assert_eq!(nginx["opened_per_s"], 0.1);
    assert_eq!(snapshot["counters"]["sockstat.TCP.tw"]["per_s"], Value::Null);
    assert_eq!(snapshot["own_cost"]["cpu_percent"], 1.2);
}

#[test]
fn a_filter_holds_for_the_list_and_for_the_counts() {
    let query = Query::parse("state:time-wait proc:nginx").expect("a filter");
    let observation = look(rich(), &query);
    let snapshot: Value =
        serde_json::from_str(&written(Format::Json, &observation, &query, false)).expect("JSON");
    assert_eq!(snapshot["filter"], "state:time-wait proc:nginx");
    // Four that it owned, and one of which all candidates are called nginx.
    assert_eq!(snapshot["sockets"].as_array().map(Vec::len), Some(5));
    assert_eq!(snapshot["states"]["TIME_WAIT"], 5);
    assert_eq!(snapshot["states"]["LISTEN"], 0);
    let csv = written(Format::Csv, &observation, &query, false);
    assert_eq!(csv.lines().count(), 1 + 5);
}

/// The keys of a socket in JSON, flattened with `_`; those of the lists and objects in it too.
fn flattened(socket: &Value) -> Vec<String> {
    let mut keys = Vec::new();
    for (key, value) in socket.as_object().expect("an object") {
        let inner = value.as_array().map_or(value, |items| &items[0]);
        match inner.as_object() {
            Some(object) => keys.extend(object.keys().map(|inner| format!("{key}_{inner}"))),
            None => keys.push(key.clone()),
        }
    }
    keys.sort();
    keys
}

#[test]
fn csv_has_the_keys_and_the_values_of_json() {
    let observation = look(rich(), &Query::default());
    let text = every(Format::Csv, &observation);
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let header = csv.headers().expect("a header").clone();
    let expected: Vec<_> = SOCKETS.iter().filter(|field| field.exported).map(|field| field.key).collect();
    assert_eq!(header, expected);
    let snapshot = json(&observation);
    let mut sorted: Vec<_> = header.iter().map(str::to_owned).collect();
    sorted.sort();
    assert_eq!(flattened(&snapshot["sockets"][6]), sorted);

    let rows: Vec<_> = csv.records().map(|row| row.expect("a row")).collect();
    let sockets = snapshot["sockets"].as_array().expect("sockets");
    assert_eq!(rows.len(), sockets.len());
    for (row, socket) in rows.iter().zip(sockets) {
        for (key, cell) in header.iter().zip(row).filter(|(key, _)| !key.starts_with("owners_")) {
            let value = match key.split_once('_') {
                Some((outer @ ("timer" | "tcp" | "opener" | "closer"), inner)) => &socket[outer][inner],
                _ => &socket[key],
            };
            let same = match value {
                Value::Null => cell.is_empty(),
                Value::String(text) => cell == text,
                number => cell.parse::<f64>().ok() == number.as_f64(),
            };
            assert!(same, "{key}: {cell} and {value}");
        }
    }
    let column = |key| header.iter().position(|name| name == key).expect("a column");
    assert_eq!(&rows[7][column("owners_pid")], "1234|1235");
    assert_eq!(&rows[4][column("owners_pid")], "");
}

/// The keys of `tcp` that are null, `None` if it is null itself.
fn nulls(socket: &Value) -> Option<Vec<&str>> {
    let tcp = socket["tcp"].as_object()?;
    Some(tcp.iter().filter(|(_, value)| value.is_null()).map(|(key, _)| key.as_str()).collect())
}

#[test]
fn what_the_kernel_fills_in_before_there_is_a_connection_is_no_figure() {
    let mut scene = Scene::default();
    for state in [TcpState::Listen, TcpState::SynRecv, TcpState::BoundInactive, TcpState::SynSent] {
        scene.socket(&Spec { state, ..Spec::default() });
    }
    let unmeasured = TcpInfo { rtt_us: 0, ..detail(7).tcp.expect("one") };
    scene.socket(&Spec {
        detail: Some(Detail { inode: 0, uid: 0, tcp: Some(unmeasured), ..detail(7) }),
        ..Spec::default()
    });
    let snapshot = json(&look(scene, &Query::default()));
    let sockets = &snapshot["sockets"];
    for listener in 0..3 {
        assert_eq!(nulls(&sockets[listener]), None);
        assert_eq!(sockets[listener]["recv_q"], 0);
    }
    assert_eq!(nulls(&sockets[3]), Some(vec!["bytes_received", "last_received_s", "last_sent_s"]));
    assert_eq!(nulls(&sockets[4]), Some(vec!["bytes_received", "rtt_ms"]));
    assert_eq!(sockets[4]["uid"], Value::Null);
    check(&closed(), &snapshot);
}

#[test]
fn ports_in_use_and_counters_are_of_the_whole_namespace() {
    let query = Query::parse("port:1").expect("a filter");
    let mut scene = rich();
    scene.counters.push(("TcpAttemptFails".into(), 7));
    let snapshot: Value =
        serde_json::from_str(&written(Format::Json, &observed(scene, &query), &query, false)).expect("JSON");
    assert_eq!(snapshot["ports"]["in_use"], 1);
    assert_eq!(snapshot["ports"]["destinations"], serde_json::json!([]));
    assert_eq!(snapshot["rates"]["connect_attempts_failed_per_s"], 11.8);
}

#[test]
fn candidates_of_a_peer_are_marked() {
    let snapshot = json(&look(rich(), &Query::default()));
    let peer = &snapshot["peers"][1];
    assert_eq!(
        (&peer["processes"], &peer["candidates"]),
        (&Value::from(Vec::<u32>::new()), &vec![1234, 1235].into())
    );
    let text = every(Format::Text, &look(rich(), &Query::default()));
    assert!(text.contains("nginx? ×2"), "{text}");
}

/// Takes so many bytes, and then nobody reads any more.
struct Broken {
    room: usize,
    fails: ErrorKind,
}

impl Write for Broken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.room == 0 {
            return Err(self.fails.into());
        }
        let taken = bytes.len().min(self.room);
        self.room -= taken;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_failed_write_is_told_as_it_was() {
    let mut scene = rich();
    for _ in 0..1_000 {
        scene.socket(&Spec::default());
    }
    let observation = look(scene, &Query::default());
    let options = Options { query: &Query::default(), findings: &[], sockets: true, ascii: false, top: 5 };
    for format in Format::ALL {
        for fails in [ErrorKind::BrokenPipe, ErrorKind::StorageFull] {
            for room in [0, 1, 500] {
                let error = write(format, &observation, &options, &mut Broken { room, fails });
                assert_eq!(error.map_err(|error| error.kind()), Err(fails), "{format:?} after {room} bytes");
            }
        }
    }
}

#[test]
fn json_is_as_agreed() {
    let snapshot = json(&observed(rich(), &Query::default()));
    insta::assert_snapshot!(format!("{snapshot:#}"));
}

#[test]
fn text_reads_well() {
    let all = Query::default();
    insta::assert_snapshot!("text_observed", every(Format::Text, &observed(rich(), &all)));
    insta::assert_snapshot!("text_one_look", every(Format::Text, &look(rich(), &all)));
    insta::assert_snapshot!("text_denied", every(Format::Text, &observed(denied(), &all)));
    insta::assert_snapshot!("text_empty", every(Format::Text, &look(Scene::default(), &all)));
    let query = Query::parse("proc:nginx state:time-wait").expect("a filter");
    let filtered = written(Format::Text, &observed(rich(), &query), &query, true);
    insta::assert_snapshot!("text_filtered_ascii", filtered);
}

/// A worker in every state, towards addresses of the greatest length.
fn busy() -> Scene {
    let mut scene = rich();
    let worker = Arc::new(Process {
        command: "/usr/bin/python3 /srv/app/charge_customers.py --forever".to_owned(),
        ..(*process(4_194_304, "python3")).clone()
    });
    let held = scene.attribute(Evidence::Held, &[&worker]);
    for state in TcpState::ALL {
        for _ in 0..12 {
            scene.socket(&Spec {
                local: "[2001:db8:1234:5678:9abc:def0:1234:5678]:40001",
                peer: "[2001:db8:1234:5678:9abc:def0:1234:5679]:65535",
                state,
                attribution: held,
                side: state.is_connection().then_some(Side::Client),
                ..Spec::default()
            });
        }
    }
    scene
}

#[test]
fn addresses_and_names_stay_whole() {
    let text = every(Format::Text, &observed(busy(), &Query::default()));
    insta::assert_snapshot!("text_busy", text);
    for whole in [
        " 2001:db8:1234:5678:9abc:def0:1234:5679 ",
        " [2001:db8:1234:5678:9abc:def0:1234:5679]:65535 ",
        " python3 charge_cust",
        " redis-server ",
        " SYN_SENT ",
    ] {
        assert!(text.contains(whole), "{whole}\n{text}");
    }
    let markdown = every(Format::Markdown, &observed(busy(), &Query::default()));
    assert!(markdown.contains("| python3 charge_customers.py |"), "{markdown}");
}

#[test]
fn markdown_reads_well() {
    insta::assert_snapshot!(every(Format::Markdown, &observed(denied(), &Query::default())));
}

/// Names that somebody would choose to do harm.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[=+@\\-\t\r|;,\"'`<&*_\\[\\]\\\\a\u{1b}\u{9b}\u{202e}\u{200d}名é]{1,40}",
        "[a-z ]{60,120}",
        proptest::sample::select(vec![
            "=HYPERLINK(\"http://x\")",
            "@SUM(1)",
            "\x1b]0;x\x07",
            "a\r\nb",
            "|a|",
            ";=1",
            "`x`",
            "<script>",
            "\u{9b}2J",
            "'",
            "\"",
            "\\",
            "",
        ])
        .prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn no_output_acts_on_a_terminal(name in name()) {
        let observation = look(hostile(&name), &Query::default());
        for format in Format::ALL {
            let text = every(format, &observation);
            for line in text.split('\n') {
                prop_assert_eq!(printable(line), line);
            }
        }
        let ascii = written(Format::Text, &observation, &Query::default(), true);
        prop_assert!(ascii.is_ascii());
    }

    #[test]
    fn text_fits_eighty_columns(name in name()) {
        let observation = observed(hostile(&name), &Query::default());
        for ascii in [false, true] {
            for line in written(Format::Text, &observation, &Query::default(), ascii).lines() {
                prop_assert!(line.width() <= 80, "{}: {line}", line.width());
                prop_assert_eq!(line.trim_end(), line);
            }
        }
    }

    #[test]
    fn json_gives_the_name_back(name in name()) {
        let snapshot = json(&look(hostile(&name), &Query::default()));
        prop_assert_eq!(&snapshot["processes"][0]["name"], &Value::from(name));
    }

    #[test]
    fn no_cell_starts_a_formula(name in name()) {
        let text = every(Format::Csv, &look(hostile(&name), &Query::default()));
        let mut csv = csv::Reader::from_reader(text.as_bytes());
        let columns = csv.headers().expect("a header").len();
        for row in csv.records() {
            let row = row.expect("a row");
            prop_assert_eq!(row.len(), columns);
            // Some spreadsheets take a semicolon for the end of a cell.
            for part in row.iter().flat_map(|cell| cell.split(['|', ';'])) {
                prop_assert!(!part.starts_with(['=', '+', '-', '@', '\t', '\r']), "{part}");
            }
        }
    }

    #[test]
    fn markdown_keeps_its_shape(name in name()) {
        let plain = every(Format::Markdown, &look(hostile("x"), &Query::default()));
        let text = every(Format::Markdown, &look(hostile(&name), &Query::default()));
        prop_assert_eq!(plain.lines().count(), text.lines().count());
        let bars = |line: &str| line.replace("\\\\", "").replace("\\|", "").matches('|').count();
        for (plain, line) in plain.lines().zip(text.lines()) {
            prop_assert_eq!(bars(plain), bars(line), "{}", line);
            prop_assert!(!line.contains('<') && !line.contains('`') || line.contains("\\`"), "{line}");
        }
    }
}
