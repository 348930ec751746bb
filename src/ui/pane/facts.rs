//! What is known of the one process, peer or socket that the page is about.

mod peer;
mod since;
mod socket;

use ratatui::{buffer::Buffer, style::Style};

use super::{Context, failures};
use crate::{
    field::{FailureRow, format, program},
    findings::Severity,
    model::{Evidence, Inspected, ProcKey, Process, ProcessSeen, Unknown, text::printable},
    store::{Aggregate, Change, Lifetimes, ProcessRow},
    ui::{
        columns, in_short, layout,
        pen::{Pen, bar},
        text::wrap,
        verdict,
        view::Screen,
        why, words,
    },
};

/// Width of the labels.
const LABEL: u16 = 11;
/// The label of a command line.
const COMMAND: &str = "command";
/// Said of what the filter hides.
const NOTHING_PASSES: &str = "Nothing of it passes the filter.";
/// Width of a gauge.
const GAUGE: u16 = 20;

/// A label, what is said, and how full a gauge is (0 to 1).
struct Fact {
    label: &'static str,
    text: String,
    style: Style,
    gauge: Option<f64>,
    /// Whether it may take more than one line.
    whole: bool,
}

impl Fact {
    fn new(label: &'static str, text: impl Into<String>) -> Self {
        Self { label, text: text.into(), style: Style::new(), gauge: None, whole: true }
    }

    fn styled(self, style: Style) -> Self {
        Self { style, ..self }
    }
}

pub(super) fn draw(buffer: &mut Buffer, context: &Context<'_>) {
    let (title, facts) = match context.scene.view.page().screen {
        Screen::Process(key) => process(context, key),
        Screen::Peer(key) => peer::facts(context, &key),
        Screen::ProcessEvidence(key) => evidence(context, &name_of(context, key)),
        Screen::PeerEvidence(key) => {
            evidence(context, &format!("peer {}", columns::peer(&key, 60, context.theme())))
        }
        Screen::Socket(id) => ("Socket".to_owned(), socket::facts(context, id)),
        _ => return,
    };
    let theme = context.theme();
    let inner = context.frame(buffer, &title, &[]);
    let lines = broken(&facts, usize::from(inner.width.saturating_sub(LABEL)), usize::from(inner.height));
    for (line, (fact, first, part)) in (0..inner.height).zip(lines) {
        let mut pen = Pen::new(buffer, inner, line);
        let label = pen.take(LABEL);
        if first {
            Pen::new(pen.buffer(), label, 0).put(fact.label, theme.head());
        }
        if let Some(share) = fact.gauge.filter(|_| first) {
            let area = pen.take(GAUGE);
            bar(pen.buffer(), area, share, theme.gauge(share), theme);
            pen.skip(1);
        }
        pen.put_cut(&theme.duration(&part), theme.text().patch(fact.style), theme);
    }
}

/// The facts as lines, with a mark on the first of each. Every fact has one line; those that are longer get what is left
/// of `height` in their order, but the command line, which may be of any length, comes last. The last line that a fact
/// gets holds all the rest of it, to be cut.
fn broken(facts: &[Fact], width: usize, height: usize) -> Vec<(&Fact, bool, String)> {
    let mut spare = height.saturating_sub(facts.len());
    let mut parts: Vec<Vec<String>> = vec![vec![]; facts.len()];
    let mut order: Vec<usize> = (0..facts.len()).collect();
    order.sort_by_key(|&i| facts[i].label == COMMAND);
    for i in order {
        let text = printable(&facts[i].text);
        let room = width.saturating_sub(facts[i].gauge.map_or(0, |_| usize::from(GAUGE) + 1));
        let mut lines = wrap(&text, room);
        let granted = (lines.len().max(1) - 1).min(if facts[i].whole { spare } else { 0 });
        spare -= granted;
        let rest: Vec<String> = lines.drain((granted).min(lines.len())..).collect();
        lines.push(rest.join(" "));
        parts[i] = lines;
    }
    let numbered = facts.iter().zip(parts);
    numbered
        .flat_map(|(fact, lines)| lines.into_iter().enumerate().map(move |(i, part)| (fact, i == 0, part)))
        .collect()
}

/// Rows of the whole, which has what only the trace saw as well, then those of the page, which may lack for want of room.
/// With a filter only the latter.
fn rows<'a, R: 'a>(
    context: &Context<'a>,
    of: impl Fn(&'a Aggregate) -> &'a Vec<R>,
) -> impl Iterator<Item = &'a R> {
    let whole = (!context.data.is_filtered()).then(|| of(&context.data.moment.totals));
    whole.into_iter().flatten().chain(of(&context.data.selection.aggregate))
}

/// The row of a process and what the scan saw of it, as far as there are such.
fn known<'a>(context: &Context<'a>, key: ProcKey) -> (Option<&'a ProcessRow>, Option<&'a ProcessSeen>) {
    let data = context.data;
    let row = rows(context, |all| &all.processes).find(|row| row.process.key == key && !is_gone(row.change));
    (row, data.moment.sample.processes.iter().find(|seen| seen.process.key == key))
}

/// Whether a row tells only of what there was at the mark.
fn is_gone(change: Option<Change>) -> bool {
    change.is_some_and(Change::is_gone)
}

fn name_of(context: &Context<'_>, key: ProcKey) -> String {
    let (row, seen) = known(context, key);
    let process = row.map(|row| &row.process).or(seen.map(|seen| &seen.process));
    process
        .map_or_else(|| format!("process {}", key.pid), |it| format!("{} {}", program::program(it), key.pid))
}

fn process(context: &Context<'_>, key: ProcKey) -> (String, Vec<Fact>) {
    let (row, seen) = known(context, key);
    let Some(process) = row.map(|row| &row.process).or(seen.map(|seen| &seen.process)) else {
        let text = match context.data.moment.digest {
            _ if context.data.is_filtered() => NOTHING_PASSES,
            Some(digest) if digest.processes_omitted > 0 => {
                "Of this moment only the processes with the most sockets are kept; it is not among them."
            }
            None if !context.scene.view.is_held() => "It holds no TCP socket any more, or it is gone.",
            _ => "It held no TCP socket at this moment.",
        };
        let gone = Fact::new("", text);
        let mut facts = vec![gone.styled(context.theme().warning())];
        facts.extend(since::states(context));
        return (format!("Process {}", key.pid), facts);
    };
    let mut facts = found(context);
    let end = end(context, process);
    facts.push(identity(context, process, end.as_deref()));
    // A zombie has none any more.
    if end.is_none() || !process.command.is_empty() {
        facts.push(Fact::new(COMMAND, process.command.clone()));
    }
    facts.extend(row.map(|row| activity(context, row)));
    if row.is_none() && context.data.is_filtered() {
        facts.push(Fact::new("sockets", NOTHING_PASSES).styled(context.theme().warning()));
    }
    facts.extend(since::states(context));
    if end.is_none() {
        facts.push(descriptors(
            seen.and_then(|s| s.fds).or(row.and_then(|row| row.fds)),
            seen.and_then(|s| s.fd_limit).or(row.and_then(|row| row.fd_limit)),
        ));
        facts.push(resources(context, key));
    }
    facts.extend(row.map(|row| evidence_of_time_waits(context, row)));
    facts.extend(lifetimes(context));
    facts.extend(connect_failures(context, false));
    facts.extend(rising(context));
    (format!("{} {}", program::program(process), key.pid), facts)
}

/// What is wrong with what the page is about: one line each, the worst first.
fn found(context: &Context<'_>) -> Vec<Fact> {
    let data = context.data;
    let told = (0..data.selection.findings.len()).filter_map(|index| data.finding(index));
    told.map(|finding| {
        let style = match finding.severity {
            // A whole line as an alarm would drown the rest.
            Severity::Critical => context.theme().gauge(1.0),
            severity => context.theme().severity(severity),
        };
        let severity = columns::severity(finding.severity);
        let room = usize::from(context.chrome.inner(context.area).width.saturating_sub(LABEL));
        let room = room.saturating_sub(severity.len() + 1);
        let text = format!("{severity} {}", in_short::sentence(finding, room, context.theme()));
        Fact { whole: false, ..Fact::new("finding", text).styled(style) }
    })
    .collect()
}

/// Since when what the page is about has had ever more sockets in a state.
fn rising(context: &Context<'_>) -> Option<Fact> {
    let (text, goes_on) = verdict::of_page(context.scene, &context.data)?;
    let theme = context.theme();
    Some(if goes_on { Fact::new("rising", text).styled(theme.warning()) } else { Fact::new("risen", text) })
}

/// What has become of a process that ended. At a moment that was gone back to it may have lived.
fn end(context: &Context<'_>, process: &Process) -> Option<String> {
    let inspected = context.scene.inspected.filter(|inspected| inspected.key() == process.key);
    match *inspected.filter(|_| !context.scene.view.is_held())? {
        Inspected::Running(_) => None,
        Inspected::Zombie(_) => Some("ended, a zombie: its parent has not reaped it".to_owned()),
        Inspected::Ended { seen: None, .. } => Some("ended".to_owned()),
        Inspected::Ended { seen: Some(at), .. } => {
            let lived = format::seconds(at.duration_since(process.started).as_secs_f64().max(0.0));
            Some(format!("ended (seen last at {}, lived {lived})", at.strftime("%H:%M:%S")))
        }
    }
}

fn identity(context: &Context<'_>, process: &Process, end: Option<&str>) -> Fact {
    let age = context.data.moment.sample.stamp.wall.duration_since(process.started);
    let up = || format!("up {}", format::seconds(age.as_secs_f64().max(0.0)));
    let mut text = format!(
        "{}, {}; user {}",
        format::time(process.started),
        end.map_or_else(up, str::to_owned),
        process.user
    );
    if let Some(container) = &process.container {
        text.push_str("; container ");
        text.push_str(container);
    }
    let style = if end.is_some() { context.theme().warning() } else { Style::new() };
    Fact::new("started", text).styled(style)
}

fn activity(context: &Context<'_>, row: &ProcessRow) -> Fact {
    let total = context.data.moment.totals.states.total();
    let maybe = context.data.selection.maybe.states.total();
    let more =
        if maybe == 0 { String::new() } else { format!(" (+{} maybe)", format::grouped(maybe.into())) };
    let of = if context.data.is_filtered() {
        "sockets that pass the filter".to_owned()
    } else {
        format!("of {} sockets", format::grouped(total.into()))
    };
    let text = format!(
        "{}{more} {of}; opens {}, closes {}",
        format::grouped(row.states.total().into()),
        per_second(context, row.opened),
        per_second(context, row.closed),
    );
    Fact::new("sockets", text)
}

fn per_second(context: &Context<'_>, count: u32) -> String {
    match context.data.moment.elapsed_s {
        Some(seconds) if seconds > 0.0 => format::rate(f64::from(count) / seconds),
        _ => format::UNKNOWN.to_owned(),
    }
}

fn descriptors(fds: Option<u32>, limit: Option<u64>) -> Fact {
    let limit = limit.and_then(|limit| u32::try_from(limit).ok()).filter(|limit| *limit > 0);
    let (text, gauge) = match (fds, limit) {
        (Some(fds), Some(limit)) => {
            let share = f64::from(fds) / f64::from(limit);
            let figures = format!("{} of {}", format::grouped(fds.into()), format::grouped(limit.into()));
            (format!("{figures} descriptors, {}", format::percent(share * 100.0)), Some(share))
        }
        (Some(fds), None) => (format!("{} descriptors, no limit", format::grouped(fds.into())), None),
        (None, _) => ("descriptors not readable".to_owned(), None),
    };
    Fact { gauge, ..Fact::new("files", text) }
}

fn resources(context: &Context<'_>, key: ProcKey) -> Fact {
    if context.scene.view.is_held() {
        return Fact::new("resources", "looked up while live only").styled(context.theme().dim());
    }
    let Some(Inspected::Running(inspected)) = context.scene.inspected.filter(|one| one.key() == key) else {
        return Fact::new("resources", "not readable").styled(context.theme().dim());
    };
    let cpu = match inspected.cpu_percent {
        Some(percent) => format!("CPU {percent:.1}% of one core"),
        None => "CPU being measured".to_owned(),
    };
    let memory = format::bytes(inspected.rss_bytes);
    let plural = if inspected.threads == 1 { "" } else { "s" };
    let threads = format!(", {} thread{plural}", inspected.threads);
    Fact::new("resources", format!("{cpu}, memory {memory}{threads}"))
}

/// What the claims to its `TIME_WAIT`s rest on; those that may be another process's apart.
fn evidence_of_time_waits(context: &Context<'_>, row: &ProcessRow) -> Fact {
    let kinds = Evidence::ALL.iter().zip(row.time_wait_evidence);
    let sure = kinds.filter(|(kind, count)| **kind != Evidence::Candidates && *count > 0);
    let parts: Vec<_> =
        sure.map(|(kind, count)| format!("{} {}", format::grouped(count.into()), kind.name())).collect();
    let maybe = row.time_wait_evidence[Evidence::Candidates as usize];
    if maybe == 0 {
        let none = if context.data.is_filtered() { "none that passes the filter" } else { "none" };
        return Fact::new("TIME_WAIT", if parts.is_empty() { none.to_owned() } else { parts.join(", ") });
    }
    let sure = if parts.is_empty() { "0".to_owned() } else { parts.join(", ") };
    let others = &context.data.selection.maybe.others;
    if others.is_empty() {
        let text = format!("{sure} for sure, up to {} shared with others", format::grouped(maybe.into()));
        return Fact::new("TIME_WAIT", text).styled(context.theme().warning());
    }
    let mut names: Vec<_> = others.iter().take(6).map(|key| key.pid.to_string()).collect();
    if others.len() > names.len() {
        names.push(format!("and {} more", others.len() - names.len()));
    }
    let maybe = format::grouped(maybe.into());
    let text = format!("{sure} for sure, up to {maybe} shared with {}", names.join(" "));
    Fact::new("TIME_WAIT", text).styled(context.theme().warning())
}

/// What the claims about the sockets of a process or a peer rest on, kind by kind, and what would tell more.
fn evidence(context: &Context<'_>, subject: &str) -> (String, Vec<Fact>) {
    let moment = &**context.data.moment;
    let selection = context.data.selection;
    let aggregate = &selection.aggregate;
    let counts = Evidence::ALL.iter().zip(aggregate.evidence).zip(aggregate.time_wait_evidence);
    let mut facts: Vec<Fact> = vec![];
    for ((kind, count), time_waits) in counts.filter(|((_, count), _)| *count > 0) {
        let of_them = if time_waits > 0 {
            format!(", {} in TIME_WAIT", format::grouped(time_waits.into()))
        } else {
            String::new()
        };
        let text = format!("{}{of_them}. {}", words::sockets(count), words::evidence(*kind));
        facts.push(Fact::new(kind.name(), text));
    }
    if facts.is_empty() {
        let text = if context.data.is_filtered() {
            NOTHING_PASSES
        } else if context.data.moment.is_whole() {
            "It has no socket any more."
        } else {
            "Nothing is kept about it of this moment."
        };
        facts.push(Fact::new("", text).styled(context.theme().warning()));
    }
    for (reason, count) in Unknown::ALL.into_iter().zip(selection.unknown).filter(|(_, count)| *count > 0) {
        let sentence = format!("{} {}", words::unknown(reason), why::cure(reason, moment));
        let text = format!("{} {}. {sentence}", format::grouped(count.into()), reason.name());
        facts.push(Fact::new("", text).styled(context.theme().warning()));
    }
    if !selection.maybe.others.is_empty() {
        let pids: Vec<_> = selection.maybe.others.iter().take(12).map(|key| key.pid.to_string()).collect();
        facts.push(Fact::new("others", format!("The other candidates: {}.", pids.join(" "))));
    }
    facts.push(Fact::new("coverage", why::coverage(moment)));
    (format!("Why: {subject}"), facts)
}

/// How long the connections lived that were closed within the last minute, of what the page is about.
pub(super) fn lifetimes_of<'a>(context: &Context<'a>) -> Option<&'a Lifetimes> {
    match context.scene.view.page().screen.subject() {
        Screen::Process(key) => known(context, key).0?.lifetimes.as_deref(),
        Screen::Peer(key) => peer::row(context, &key)?.lifetimes.as_deref(),
        _ => None,
    }
}

/// How long connections lived that ended within the last minute; not where a chart tells.
fn lifetimes(context: &Context<'_>) -> Option<Fact> {
    context.data.moment.trace.as_ref()?;
    if layout::has_charts(context.scene.view.size) {
        return None;
    }
    let text = match lifetimes_of(context) {
        Some(lifetimes) => {
            let over = format::seconds(failures::seconds(&context.data));
            format!("{} in {over}", why::lifetimes(lifetimes, context.theme()))
        }
        None => "none whose beginning is known was closed in the last minute".to_owned(),
    };
    Some(Fact::new("lifetimes", text))
}

/// Failed calls of `connect()` within the last minute, the worst destinations first.
fn connect_failures(context: &Context<'_>, named: bool) -> Option<Fact> {
    let part = |row: &FailureRow| {
        let (failed, rate) = (&row.failure, failures::per_second(row));
        let why = match (failed.no_port, failed.other) {
            (0, _) => "refused or timed out",
            (_, 0) => "no port left",
            _ => "no port left, or refused",
        };
        let process = failed.process.as_ref().filter(|_| named);
        let by = process.map_or_else(String::new, |by| format!(" by {} {}", by.name, by.key.pid));
        format!("{} {rate}{by} ({why})", failed.peer)
    };
    let parts: Vec<_> = context.data.selection.failures.iter().take(3).map(part).collect();
    let text = parts.join("; ");
    (!parts.is_empty())
        .then(|| Fact::new("connect()", format!("fails: {text}")).styled(context.theme().warning()))
}
