//! The `findings` tier: samples in; what is wrong, who causes it and how often out. Healthy ones too.

mod scenarios;

use scenarios::World;
use serde_json::Value;
use twtop::{
    export::{Format, Options, write_diagnosis},
    findings::{DIAGNOSES, FindingId},
    query::Query,
};
use unicode_width::UnicodeWidthStr as _;

macro_rules! scenarios {
    ($($name:ident: $file:literal,)*) => {
        $(#[test]
        fn $name() {
            let world = World::played(include_str!(concat!("scenarios/findings/", $file, ".txt")));
            assert!(world.expectations() > 0, "a scenario expects something");
            check(&world);
        })*

        #[test]
        fn every_scenario_is_played() {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios/findings");
            let files = std::fs::read_dir(folder).expect("the folder is there");
            let mut files: Vec<String> = files
                .map(|file| file.expect("readable").file_name().into_string().expect("UTF-8"))
                .collect();
            files.sort();
            let mut played = vec![$(concat!($file, ".txt")),*];
            played.sort_unstable();
            assert_eq!(files, played);
        }
    };
}

scenarios! {
    short_connections_of_a_client: "time-wait-client",
    short_connections_of_a_client_by_the_trace: "time-wait-client-traced",
    a_server_that_closes: "time-wait-server",
    a_trace_that_tells_of_nothing_is_not_believed: "time-wait-server-untold",
    a_client_that_wins_the_race_is_not_accused: "time-wait-client-race",
    nor_is_one_that_is_as_fast_as_the_server: "time-wait-client-race-both",
    nor_one_whose_server_is_elsewhere: "time-wait-client-race-far",
    nor_without_the_trace: "time-wait-client-race-untraced",
    long_lives_are_no_churn: "time-wait-client-long",
    a_pool_of_workers_is_one: "time-wait-client-pool",
    what_breaks_first_stands_first: "worst-first",
    past_half_of_the_ports_it_is_no_more_than_slow: "time-wait-client-cliff",
    the_proxy_is_named_with_the_upstream: "time-wait-server-proxy",
    resets_of_a_client: "reset-churn",
    some_resets_are_normal: "reset-churn-few",
    of_two_ends_here_neither_is_accused: "reset-churn-both-ends",
    connections_that_leak: "established-leak",
    pools_do_not_leak: "established-leak-pools",
    a_server_that_does_not_close: "close-wait-leak",
    many_that_are_not_closed: "close-wait-many",
    few_that_are_not_closed_yet: "close-wait-few",
    a_peer_that_does_not_close: "fin-wait2-pileup",
    the_other_end_is_here: "fin-wait2-here",
    peers_that_take_a_second: "fin-wait2-young",
    a_peer_that_vanished: "last-ack-pileup",
    last_segments_under_way: "last-ack-passing",
    a_destination_that_does_not_answer: "syn-sent-pileup",
    destinations_that_do_not_answer_are_told_once: "syn-sent-many",
    idle_without_keepalive: "no-keepalive",
    a_process_that_does_not_read: "unread-data",
    a_program_that_does_not_accept: "accept-queue-overflow",
    a_queue_that_was_full_for_a_moment: "accept-queue-burst",
    an_overflow_that_nobody_saw: "accept-queue-nameless",
    a_queue_without_room_is_enough: "accept-queue-stuck",
    queues_are_there_to_be_used: "accept-queue-waiting",
    a_flood_of_handshakes: "syn-queue-overflow",
    cookies_keep_a_service_reachable: "syn-queue-cookies",
    a_destination_without_ports: "ephemeral-exhaustion",
    who_holds_the_ports_changes: "ephemeral-holders",
    connect_is_slow_past_half: "ephemeral-cliff",
    connect_stays_slow_while_ports_come_and_go: "ephemeral-crowded",
    ports_that_come_and_go_are_none: "ephemeral-passing",
    ports_that_run_out_soon: "ephemeral-soon",
    time_waits_that_run_out_of_ports: "ephemeral-soon-closes",
    connect_fails_by_the_trace: "ephemeral-failures",
    ports_that_were_gone_before: "ephemeral-late",
    bound_ports_are_taken_from_all: "ephemeral-bound",
    only_bind_minds_a_full_pool: "ephemeral-bind-pool",
    enough_ports_for_all: "ephemeral-enough",
    a_service_in_the_range: "listener-in-ephemeral-range",
    a_service_in_a_busy_range: "listener-in-range-busy",
    services_that_nobody_can_take: "listener-outside-range",
    more_time_waits_than_are_kept: "time-wait-bucket-overflow",
    nearly_as_many_time_waits_as_are_kept: "time-wait-bucket-near",
    a_peer_that_does_not_acknowledge: "retransmits-stalled",
    a_path_that_loses: "retransmits-lossy",
    some_loss_is_usual: "retransmits-usual",
    ends_that_are_sent_again_are_no_loss: "retransmits-fins",
    peers_that_do_not_read: "zero-window",
    readers_that_are_busy_for_a_moment: "zero-window-moment",
    processes_near_their_limit: "fd-limit",
    a_host_near_its_limit: "fd-limit-host",
    limits_that_are_far: "limits-far",
    a_full_table_of_flows: "conntrack-full",
    too_many_orphans: "orphan-limit",
    an_idle_host: "healthy-idle",
    a_service_with_kept_connections: "healthy-keepalive",
    a_busy_web_server: "healthy-web",
    findings_do_not_flap: "steady",
    a_burst_is_no_churn: "time-wait-burst",
    many_destinations_are_told_once: "time-wait-client-many",
}

/// What `twtop diagnose` would write of all of it.
fn diagnosis(world: &World, format: Format) -> String {
    let observation = world.observation.as_ref().expect("there was a tick");
    let query = Query::default();
    let options = Options { query: &query, findings: world.findings(), sockets: false, ascii: false, top: 0 };
    let mut out = Vec::new();
    write_diagnosis(format, observation, &options, &mut out).expect("memory");
    String::from_utf8(out).expect("UTF-8")
}

/// What holds of every finding, and of how it is written.
fn check(world: &World) {
    for finding in world.findings() {
        assert!(
            finding.summary.len() > 20 && !finding.why.is_empty() && !finding.advice.is_empty(),
            "{finding:?}"
        );
        assert!(
            !finding.evidence.is_empty() && finding.evidence.iter().all(|figure| figure.value.is_finite())
        );
        assert!(Query::parse(&finding.filter).is_ok(), "its filter can be typed: {}", finding.filter);
    }
    let written: Value = serde_json::from_str(&diagnosis(world, Format::Json)).expect("JSON");
    let schema = closed(include_str!("../assets/twtop.diagnose.1.schema.json"));
    let validator = jsonschema::draft202012::new(&schema).expect("a schema");
    let wrong: Vec<_> = validator.iter_errors(&written).map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(written["findings"].as_array().map(Vec::len), Some(world.findings().len()));
    let page = diagnosis(world, Format::Text);
    // A command is not broken: it is to be copied.
    let fits = |line: &str| line.width() <= 80 || line.starts_with("  look    twtop --filter '");
    assert!(page.lines().all(fits), "{page}");
    assert!(page.chars().all(|c| c == '\n' || !c.is_control()), "{page:?}");
}

/// A schema whose objects have no other keys than those it describes.
fn closed(schema: &str) -> Value {
    fn close(value: &mut Value) {
        if let Some(object) = value.as_object_mut() {
            if object.contains_key("properties") {
                object.insert("additionalProperties".to_owned(), Value::Bool(false));
            }
            object.values_mut().for_each(close);
        } else if let Some(array) = value.as_array_mut() {
            array.iter_mut().for_each(close);
        }
    }
    let mut schema = serde_json::from_str(schema).expect("JSON");
    close(&mut schema);
    schema
}

#[test]
fn the_two_schemas_describe_a_finding_alike() {
    let finding =
        |schema: &str| serde_json::from_str::<Value>(schema).expect("JSON")["$defs"]["finding"].clone();
    let snapshot = finding(include_str!("../assets/twtop.snapshot.1.schema.json"));
    assert_eq!(snapshot, finding(include_str!("../assets/twtop.diagnose.1.schema.json")));
    assert!(snapshot.is_object());
}

#[test]
fn a_page_for_people() {
    let world = World::played(include_str!("scenarios/findings/time-wait-client-traced.txt"));
    insta::assert_snapshot!("diagnosis", diagnosis(&world, Format::Text));
}

#[test]
fn a_hostile_name_reaches_no_terminal() {
    let scenario = include_str!("scenarios/findings/close-wait-leak.txt");
    let hostile = scenario.replace("process 5 worker", "process 5 a\u{1b}[2Jb\u{202e}");
    let expectations = hostile.lines().filter(|line| !line.starts_with("expect"));
    let world = World::played(&expectations.collect::<Vec<_>>().join("\n"));
    assert_eq!(world.findings().len(), 1);
    check(&world);
    assert!(diagnosis(&world, Format::Text).contains("a\\x1b[2Jb"), "it is spelt out");
}

#[test]
fn every_finding_has_a_name_of_its_own() {
    for id in FindingId::ALL {
        assert_eq!(FindingId::from_name(id.name()), Some(id));
    }
    let made: Vec<_> = DIAGNOSES.iter().map(|diagnosis| diagnosis.id()).collect();
    assert!(made.iter().all(|id| made.iter().filter(|other| *other == id).count() == 1), "{made:?}");
}
