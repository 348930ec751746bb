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
