//! The `findings` tier: samples in; what is wrong, who causes it and how often out. Healthy ones too.

mod scenarios;

use scenarios::World;
use twtop::query::Query;

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
    a_client_that_wins_the_race_is_not_accused: "time-wait-client-race",
    nor_without_the_trace: "time-wait-client-race-untraced",
    long_lives_are_no_churn: "time-wait-client-long",
    a_pool_of_workers_is_one: "time-wait-client-pool",
    past_half_of_the_ports_it_is_critical: "time-wait-client-cliff",
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
    idle_without_keepalive: "no-keepalive",
    a_process_that_does_not_read: "unread-data",
    an_idle_host: "healthy-idle",
    a_service_with_kept_connections: "healthy-keepalive",
    a_busy_web_server: "healthy-web",
    findings_do_not_flap: "steady",
}

/// What holds of every finding.
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
}
