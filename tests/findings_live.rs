//! Findings of real sockets, in namespaces of our own. The tiers `netns` and, with the trace, `root`.

use std::collections::BTreeSet;

use serde_json::Value;

mod support {
    pub(crate) mod generator;
    #[expect(dead_code, reason = "these tests need a part of it")]
    pub(crate) mod namespace;
    pub(crate) mod require;
}

use support::{namespace::Namespace, require::can_run};

const TWTOP: &str = env!("CARGO_BIN_EXE_twtop");

/// What `twtop diagnose` finds in the namespace, and its exit code.
fn diagnose(namespace: &Namespace, seconds: &str, trace: bool) -> (Option<i32>, Vec<Value>) {
    let mut command = namespace.command(TWTOP);
    // All processes of the host are looked at: a busy one must not stretch the interval here.
    command.args(["diagnose", "--json", "--budget", "100", "--for", seconds]);
    if !trace {
        command.arg("--no-trace");
    }
    let output = command.output().expect("nsenter runs");
    let found: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), found["findings"].as_array().expect("a list").clone())
}

fn figure(finding: &Value, name: &str) -> f64 {
    let figures = finding["evidence"].as_array().expect("figures");
    let figure = figures.iter().find(|figure| figure["name"] == name);
    figure.and_then(|figure| figure["value"].as_f64()).unwrap_or_else(|| panic!("no {name}: {finding:#}"))
}

fn of<'a>(findings: &'a [Value], id: &str) -> Vec<&'a Value> {
    findings.iter().filter(|finding| finding["id"] == id).collect()
}

#[test]
fn what_is_wrong_is_found_and_nobody_else_is_named() {
    if !can_run("netns") {
        return;
    }
    let namespace = Namespace::with(&["--rate=100", "--hold=5", "--close-wait=600", "--syn-sent=40"]);
    let (code, findings) = diagnose(&namespace, "8", false);
    assert_eq!(code, Some(1), "{findings:#?}");

    let churn = of(&findings, "time-wait-client");
    assert!(!churn.is_empty(), "{findings:#?}");
    let per_s: f64 = churn.iter().map(|finding| figure(finding, "closed_first_per_s")).sum();
    assert!((95.0..=105.0).contains(&per_s), "{churn:#?}");

    let workers: BTreeSet<u64> = namespace.pids("workers").into_iter().collect();
    let pids = |finding: &Value| -> Vec<u64> {
        finding["subject"]["pids"].as_array().expect("pids").iter().filter_map(Value::as_u64).collect()
    };
    for id in ["close-wait-leak", "syn-sent-pileup"] {
        let found = of(&findings, id);
        assert!(found.iter().any(|finding| finding["severity"] == "warning"), "{id}: {findings:#?}");
        let named: BTreeSet<u64> = found.iter().flat_map(|finding| pids(finding)).collect();
        assert!(!named.is_empty() && named.is_subset(&workers), "{id}: {named:?} of {workers:?}");
    }
    let expected = ["time-wait-client", "close-wait-leak", "syn-sent-pileup"];
    let other: Vec<_> =
        findings.iter().filter(|finding| !expected.iter().any(|id| finding["id"] == *id)).collect();
    assert!(other.is_empty(), "{other:#?}");
}

#[test]
fn with_the_trace_the_process_is_named_with_its_rate() {
    if !can_run("root") {
        return;
    }
    let namespace = Namespace::with(&["--rate=100", "--hold=5", "--established=40"]);
    let (code, findings) = diagnose(&namespace, "8", true);
    assert_eq!(code, Some(1), "{findings:#?}");
    let churn = namespace.pids("churn");
    let found = of(&findings, "time-wait-client");
    assert!(found.iter().all(|finding| finding["subject"]["pid"].as_u64() == churn.first().copied()));
    assert!(found.iter().all(|finding| finding["confidence"] == "certain"), "{found:#?}");
    let per_s: f64 = found.iter().map(|finding| figure(finding, "closed_first_per_s")).sum();
    assert!((95.0..=105.0).contains(&per_s), "{findings:#?}");
    assert_eq!(found.len(), findings.len(), "{findings:#?}");
}

#[test]
fn connections_at_rest_are_no_finding() {
    if !can_run("netns") {
        return;
    }
    let namespace = Namespace::with(&["--established=400", "--listen=5", "--time-wait=50"]);
    let (code, findings) = diagnose(&namespace, "5", false);
    assert_eq!((code, findings.len()), (Some(0), 0), "{findings:#?}");
}
