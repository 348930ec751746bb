//! The ports that are said to be left, held against the kernel: mixtures of sockets made at random in namespaces of our
//! own, and then real `connect()` and `bind()` calls until they fail.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher as _,
    process::{Command, Stdio},
};

#[path = "ports/mixture.rs"]
mod mixture;
#[path = "support/require.rs"]
mod require;
#[path = "ports/sockets.rs"]
mod sockets;

use mixture::{Question, Tally};
use require::can_run;
use twtop::source::trace::Tracer;

/// Set in the environment of a process that is inside a namespace: the seed, the first case and how many.
const INSIDE: &str = "TWTOP_PORTS_INSIDE";
/// May be set to the seed that a failure told.
const SEED: &str = "TWTOP_PORTS_SEED";
/// How many namespaces work side by side.
const WORKERS: u64 = 2;

#[test]
fn connect_finds_as_many_ports_as_are_left() {
    let Some(tally) = run("connect_finds_as_many_ports_as_are_left", Question::Connect, 300) else { return };
    // Most mixtures have a socket that may have been bound before it connected, which is not visible.
    assert!(tally.exact * 100 >= tally.cases * 16, "too few are exact: {tally:?}");
    assert!(tally.exact_if_told * 100 >= tally.cases * 65, "too few are exact: {tally:?}");
}

#[test]
fn connect_finds_just_as_many_ports_as_the_trace_says() {
    let test = "connect_finds_just_as_many_ports_as_the_trace_says";
    // Where everybody was made under the trace a number is foretold, but for what it cannot know: which end of an odd range the
    // kernel leaves out, the timestamps of a TIME_WAIT, and who was accepted from a listener that no sample saw.
    let Some(tally) = run(test, Question::Traced, 300) else { return };
    assert!(tally.plain * 100 >= tally.cases * 40, "too few say anything: {tally:?}");
    assert!(tally.exact_plain * 100 >= tally.plain * 90, "too few are exact: {tally:?}");
    assert!(tally.maybe_bound * 100 <= tally.cases * 25, "too many are in doubt: {tally:?}");
}

#[test]
fn bind_finds_as_many_ports_as_are_left() {
    let Some(tally) = run("bind_finds_as_many_ports_as_are_left", Question::Bind, 100) else { return };
    assert!(tally.exact * 100 >= tally.cases * 50, "too few are exact: {tally:?}");
}

/// Runs `cases` cases in namespaces, in processes of their own that run `test` again; `None` inside one of these, and
/// where there can be none.
fn run(test: &str, question: Question, cases: u64) -> Option<Tally> {
    if let Ok(inside) = std::env::var(INSIDE) {
        let mut words = inside.split(' ').map(|word| word.parse::<u64>().expect("a number"));
        let [seed, from, count] = std::array::from_fn(|_| words.next().expect("three numbers"));
        let tally = mixture::run(question, seed, from..from + count);
        // To the process that waits for it.
        let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{tally}\n").as_bytes());
        return None;
    }
    if !can_run("netns") || (question == Question::Traced && !can_trace()) {
        return None;
    }
    let given = std::env::var(SEED).ok().map(|seed| seed.parse().expect("a seed is a number"));
    let seed = given.unwrap_or_else(|| RandomState::new().hash_one(0));
    let share = cases.div_ceil(WORKERS);
    let workers: Vec<_> =
        (0..WORKERS).map(|worker| inside(test, &format!("{seed} {} {share}", worker * share))).collect();
    let mut all = Tally::default();
    for worker in workers {
        let output = worker.wait_with_output().expect("it can be waited for");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{SEED}={seed}: {told}{}", String::from_utf8_lossy(&output.stdout));
        let tally: Option<Tally> = told.lines().rev().find_map(Tally::read);
        all.add(tally.unwrap_or_else(|| panic!("no result: {told}")));
    }
    assert!(all.cases >= cases, "{all:?}");
    Some(all)
}

/// Whether there is a trace. Without one a test says so, and fails if `TWTOP_REQUIRE` names the tier that needs it.
fn can_trace() -> bool {
    if !can_run("root") {
        return false;
    }
    let Err(error) = Tracer::start(None) else { return true };
    let required = std::env::var("TWTOP_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|tier| tier.trim() == "root"), "tier root is required, but: {error}");
    let told = format!("SKIPPED: a test of tier root did not run: {error}\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), told.as_bytes());
    false
}

/// This program again, in a network namespace of its own.
fn inside(test: &str, order: &str) -> std::process::Child {
    let how: &[&str] = if rustix::process::geteuid().is_root() {
        &["--net", "--kill-child"]
    } else {
        &["--user", "--map-root-user", "--net", "--kill-child"]
    };
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new("unshare");
    command.args(how).arg("--").arg(program).args(["--exact", test, "--nocapture", "--test-threads=1"]);
    command.env(INSIDE, order).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("unshare runs")
}
