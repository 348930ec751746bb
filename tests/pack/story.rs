//! What is found in the recorded incident, from the first sample to the last: what `tests/recordings/README.md` tells.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use twtop::{
    findings::{Severity, Watch},
    model::{Evidence, Sample, TcpState},
    store::{History, Ledger, Moment},
    wire::pack::{FileReader, Packed, Packer},
};

use crate::{file, recording};

/// A finding by its pattern and whom it is about.
type Found = (&'static str, String);

/// What there is at a second.
struct Second {
    moment: Moment,
    found: BTreeMap<Found, Severity>,
}

static STORY: LazyLock<Vec<Second>> = LazyLock::new(|| {
    let (mut ledger, mut history, mut watch) = (Ledger::new(), History::default(), Watch::new());
    let fold = |sample: Sample| {
        let moment = ledger.fold(sample);
        history.push(&moment);
        watch.push(&moment, &history);
        let found = watch.findings().iter().map(|finding| {
            let who =
                finding.subject.process().map(|process| twtop::model::program::program(process).into_owned());
            let who = who.or_else(|| finding.subject.program().map(str::to_owned));
            ((finding.id.name(), who.unwrap_or_default()), finding.severity)
        });
        Second { found: found.collect(), moment }
    };
    recording::incident().map(fold).collect()
});

const CHURN: (&str, &str) = ("time-wait-client", "python3 app.py");
const PORTS: (&str, &str) = ("ephemeral-exhaustion", "python3 app.py");
const LEAK: (&str, &str) = ("close-wait-leak", "report-gen");
const SILENCE: (&str, &str) = ("syn-sent-pileup", "python3 settle.py");
const NO_KEEPALIVE: (&str, &str) = ("time-wait-server", "nginx");

/// The seconds at which it was found.
fn seconds((id, who): (&'static str, &str)) -> BTreeSet<usize> {
    let has = |second: &Second| second.found.contains_key(&(id, who.to_owned()));
    (0..STORY.len()).filter(|n| has(&STORY[*n])).collect()
}

/// It is found from this second on, to the end.
fn is_found_from(finding: (&'static str, &str), first: usize) {
    assert_eq!(seconds(finding), (first..STORY.len()).collect(), "{finding:?}");
}

/// The first second at which it is as bad as that.
fn severity_from((id, who): (&'static str, &str), severity: Severity) -> Option<usize> {
    let key = (id, who.to_owned());
    STORY.iter().position(|second| second.found.get(&key) == Some(&severity))
}

#[test]
fn it_lasts_for_two_minutes_of_one_host() {
    assert_eq!(STORY.len(), 125);
    for (n, second) in STORY.iter().enumerate() {
        let sample = &second.moment.sample;
        assert_eq!(sample.number, n as u64);
        assert_eq!(sample.host.name, "pay-web-04");
        assert!(sample.complete && sample.privileges.complete && sample.faults.is_empty());
        assert!(second.moment.elapsed_s.is_none_or(|seconds| (0.8..1.2).contains(&seconds)), "{n}");
    }
}

#[test]
fn what_is_wrong_is_found_in_its_time_and_nothing_else_is() {
    is_found_from(CHURN, 50);
    is_found_from(NO_KEEPALIVE, 60);
    is_found_from(LEAK, 57);
    is_found_from(SILENCE, 75);
    is_found_from(PORTS, 95);
    let expected: BTreeSet<_> = [CHURN, NO_KEEPALIVE, LEAK, SILENCE, PORTS].into();
    for (n, second) in STORY.iter().enumerate() {
        let unexpected: Vec<_> =
            second.found.keys().filter(|(id, who)| !expected.contains(&(*id, who))).collect();
        assert!(unexpected.is_empty(), "second {n}: {unexpected:?}");
    }
}

#[test]
fn the_ports_run_out_in_the_last_ten_seconds() {
    assert_eq!(severity_from(CHURN, Severity::Critical), Some(93), "its ports run out");
    // Less than two minutes are left when it is first foreseen.
    assert_eq!(severity_from(PORTS, Severity::Critical), Some(95));
    assert_eq!(severity_from(PORTS, Severity::Warning), None);
    let opened = |second: usize| STORY[second].moment.sample.counters.get("TcpActiveOpens");
    assert!(opened(124) > opened(0).map(|opened| opened + 3_000));
    assert!(STORY[124].moment.rates.connect_failures.is_some_and(|rate| rate > 0.0));
    assert_eq!(STORY[110].moment.rates.connect_failures, Some(0.0));
}

#[test]
fn every_time_wait_is_named_by_the_trace() {
    for (n, second) in STORY.iter().enumerate() {
        for owned in second.moment.iter().filter(|owned| owned.socket.row().state == TcpState::TimeWait) {
            let row = owned.socket.row();
            let who: Vec<_> = owned.attribution.owners.iter().map(|owner| &*owner.name).collect();
            let truth = match (row.local_port, row.peer_port) {
                (_, 5432) => "python3",
                (8081, _) => "nginx",
                ports => panic!("second {n}: who are {ports:?}?"),
            };
            assert_eq!(
                (owned.attribution.evidence, &who[..]),
                (Evidence::Traced, &[truth][..]),
                "second {n}"
            );
        }
    }
    let coverage = STORY[124].moment.trace.as_ref().expect("a trace").coverage;
    assert_eq!(coverage.attributed, coverage.entries);
}

#[test]
fn states_rise_as_the_story_says() {
    // Of each row of the README: ESTABLISHED, TIME_WAIT, CLOSE_WAIT, SYN_SENT.
    let rows =
        [(29, [61, 0, 0, 0]), (60, [61, 567, 19, 0]), (90, [61, 1645, 79, 19]), (124, [61, 3355, 147, 20])];
    for (second, counts) in rows {
        use TcpState::{CloseWait, Established, SynSent, TimeWait};
        let states = &STORY[second].moment.totals.states;
        assert_eq!(
            [Established, TimeWait, CloseWait, SynSent].map(|state| states[state]),
            counts,
            "{second}"
        );
    }
    assert!(STORY.iter().all(|second| second.moment.sample.sockets.len() < 4_000));
}

#[test]
fn it_is_small_and_tells_of_nobody_else() {
    assert!(recording::INCIDENT.len() < 300_000);
    let mut packer = Packer::new();
    for sample in recording::incident() {
        let Packed { parts, sample: figures } = packer.pack(&sample);
        for bytes in parts.iter().map(|(_, part)| part).chain([&figures]) {
            for word in ["/work", "/root", "/home", "/tmp", "target"] {
                assert!(!bytes.windows(word.len()).any(|at| at == word.as_bytes()), "{word}");
            }
        }
        let known = sample.processes.iter().map(|seen| &seen.process.command);
        let traced = sample.trace.iter().flat_map(|batch| &batch.processes);
        for command in known.chain(traced.filter_map(|process| process.command.as_ref())) {
            assert!(
                command.contains("/srv/")
                    || command.starts_with("nginx: ")
                    || command.starts_with("redis-server "),
                "{command}"
            );
        }
    }
}

#[test]
fn it_packs_to_the_same_again() {
    let samples: Vec<_> = recording::incident().collect();
    let bytes = file(&samples);
    let again: Result<Vec<_>, _> = FileReader::new(&bytes).expect("a file").collect();
    assert_eq!(again, Ok(samples));
}
