//! The `store` tier: samples in; owners, counts, rates and series out.

#[path = "store/churn.rs"]
mod churn;
#[path = "store/kernel.rs"]
mod kernel;
mod scenarios;

use scenarios::World;

macro_rules! scenarios {
    ($($name:ident: $file:literal,)*) => {
        $(#[test]
        fn $name() {
            let world = World::played(include_str!(concat!("scenarios/store/", $file, ".txt")));
            assert!(world.expectations() > 0, "a scenario expects something");
        })*

        #[test]
        fn every_scenario_is_played() {
            let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios/store");
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
    a_connection_seen_alive_keeps_its_owner: "owners-by-memory",
    descriptors_move_and_the_owner_follows: "descriptors-move",
    the_most_specific_listener_accepted: "listeners",
    what_is_not_accepted_is_the_listeners: "accept-queue",
    a_listener_is_remembered_for_65_s: "listener-gone",
    the_ports_tell_the_side_where_the_listener_went: "listener-unseen",
    a_listener_is_no_evidence_for_what_was_before_it: "listener-later",
    between_two_listeners_nobody_is_named: "both-ends-listen",
    a_fin_wait2_reaches_as_far_back_as_is_set: "fin-timeout",
    what_comes_as_it_goes_is_not_foretold_to_fall: "forecast-fin-wait2",
    what_rises_fast_is_foretold_early: "forecast-rising",
    one_that_stayed_is_a_candidate_for_what_another_left: "worker-replaced",
    a_listener_in_partial_sight_makes_candidates: "partial-sight",
    a_client_stays_one_when_somebody_listens_later: "client-first",
    a_restart_makes_candidates_of_both: "restart",
    a_connection_counts_once: "counted-once",
    an_incomplete_dump_concludes_nothing: "incomplete",
    a_slow_dump_does_not_count_twice: "slow-dump",
    rates_come_from_the_counters: "rates",
    those_who_left_are_reported: "observed",
    the_first_sample_draws_the_minute_before: "series",
    mapped_addresses_are_ipv4: "mapped",
    the_trace_names_who_closed: "traced",
    the_trace_tells_whose_ports_are_nobody_elses: "ports-traced",
    what_the_trace_lost_names_nobody: "trace-lost",
    every_entry_is_accounted_for: "coverage",
}
