//! `fd-limit`: a process, or the host, is about to run out of descriptors.

use super::{
    Diagnosis, Finding, FindingId, Severity, Subject, View,
    case::{filter, sockets, words_for},
    draft::{draft, limit, limit_figures, percent, texts},
};
use crate::{
    model::{Limit, TcpState},
    store::ProcessRow,
};

/// Somebody should act from this share on, percent.
const WARN: f64 = 80.0;
/// From this share on a burst breaks something, percent.
const CRITICAL: f64 = 95.0;
/// A process with a lower limit gave it to itself: a sandbox.
const LEAST: u64 = 32;

/// The diagnosis.
pub(super) struct FdLimit;

impl Diagnosis for FdLimit {
    fn id(&self) -> FindingId {
        FindingId::FdLimit
    }

    fn look(&self, view: &View<'_>) -> Vec<Finding> {
        let processes = view.moment.totals.processes.iter();
        let mut findings: Vec<Finding> = processes.filter_map(|row| process(view, row)).collect();
        findings.extend(host(view));
        findings
    }
}

fn severity(used: f64) -> Option<Severity> {
    match used {
        _ if used >= CRITICAL => Some(Severity::Critical),
        _ if used >= WARN => Some(Severity::Warning),
        _ => None,
    }
}

fn process(view: &View<'_>, row: &ProcessRow) -> Option<Finding> {
    let limit = Limit { value: row.fds?.into(), max: row.fd_limit? };
    // With far more open than allowed, the limit was lowered on purpose after they had been opened; a few more are inherited.
    if limit.max < LEAST || limit.value / 2 > limit.max {
        return None;
    }
    let used = percent(limit.value, limit.max);
    let subject = Subject { processes: vec![row.process.clone()], ..Subject::default() };
    let mut finding = draft(view, FindingId::FdLimit, severity(used)?, subject);
    let held = row.states.total() - row.states[TcpState::TimeWait];
    finding.summary = format!(
        "{} has {} of {} descriptors open{}",
        words_for(&finding.subject.processes),
        limit.value,
        limit.max,
        most_words(row, held),
    );
    finding.evidence = limit_figures(limit, used, "descriptors");
    finding.evidence.push(sockets("tcp_sockets", held));
    for (name, state) in [("established", TcpState::Established), ("close_wait", TcpState::CloseWait)] {
        finding.evidence.push(sockets(name, row.states[state]));
    }
    "At the limit accept(), socket() and open() fail with EMFILE: new clients wait in the accept queue until it overflows, \
     and calls to elsewhere fail."
        .clone_into(&mut finding.why);
    finding.advice = advice(row, held);
    finding.filter = filter(&finding.subject, "");
    Some(finding)
}

/// The state that most of its sockets are in, for the end of a sentence.
fn most_words(row: &ProcessRow, held: u32) -> String {
    let states = row.states.iter().filter(|(state, _)| *state != TcpState::TimeWait);
    match states.max_by_key(|(_, count)| *count) {
        Some((state, count)) if count > 0 && count * 2 >= held => {
            format!("; {count} of them are TCP in {}", state.name())
        }
        _ => String::new(),
    }
}

fn advice(row: &ProcessRow, held: u32) -> Vec<String> {
    let first = match () {
        () if row.states[TcpState::CloseWait] * 2 >= held.max(1) => {
            "Close what the peers have closed: most of the sockets are in CLOSE_WAIT (see close-wait-leak)."
        }
        () if u64::from(held) * 2 >= row.fds.unwrap_or(0).into() => {
            "See whether it needs so many connections: pools without a limit, idle clients that are never closed \
             (see established-leak)."
        }
        () => "Most of them are no TCP sockets: see what they are in /proc/PID/fd.",
    };
    texts([
        first,
        "Bound connections in the program below the limit (worker_connections, maxconn, max_connections).",
        "If the load is right, raise the limit: LimitNOFILE= of the systemd unit, ulimits of the container, or prlimit -p \
         PID --nofile=N while it runs. It does not cure a leak; programs that use select() break beyond 1024.",
        "What does not help: TIME_WAIT holds no descriptor, so shortening it frees none; and a raised ulimit frees no ports.",
    ])
}

/// All descriptors of the host (`file-nr`).
fn host(view: &View<'_>) -> Option<Finding> {
    let (limit, used) = limit(view, "file-nr")?;
    let mut finding = draft(view, FindingId::FdLimit, severity(used)?, Subject::default());
    finding.summary = format!("The host has {} of {} files open (fs.file-max)", limit.value, limit.max);
    finding.evidence = limit_figures(limit, used, "files");
    "At the limit open(), socket() and accept() of all programs without CAP_SYS_ADMIN fail with ENFILE."
        .clone_into(&mut finding.why);
    finding.advice = texts([
        "Find who holds them: the processes with the most descriptors, sorted in the view of processes.",
        "Kernel, last: raise fs.file-max; each open file costs about a quarter of a KiB of kernel memory.",
    ]);
    Some(finding)
}
