//! Why twtop names somebody, or nobody: evidence in sentences.

use crate::{
    field::{format, program},
    model::{Evidence, Process, Side, Stamp, TcpState, Unknown},
    store::{Lifetimes, Moment, Owned, Traced},
    ui::{Theme, text, words},
};

/// A process as sentences name it.
pub(super) fn who(process: &Process) -> String {
    let user = if process.user.is_empty() { String::new() } else { format!(", user {}", process.user) };
    format!("{} {}{user}", program::program(process), process.key.pid)
}

fn short(process: &Process) -> String {
    format!("{} {}", program::name(process), process.key.pid)
}

/// What the claim about the owner of `owned` rests on, and from which observation.
pub(super) fn evidence(owned: &Owned<'_>, moment: &Moment) -> String {
    let attribution = owned.attribution;
    let cookie = owned.socket.row().cookie;
    let names: Vec<_> = attribution.owners.iter().take(3).map(|process| short(process)).collect();
    let more = attribution.owners.len().saturating_sub(names.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let names = format!("{}{more}", names.join(", "));
    let several = attribution.owners.len() > 1;
    let at = clock(moment.sample.stamp);
    let sentence = match attribution.evidence {
        Evidence::Traced => {
            format!(
                "{names} closed it first. The kernel told so as it happened, by its tracepoint; matched by both ends \
                 and the time at first, by the cookie {cookie} since."
            )
        }
        Evidence::Seen => format!(
            "{names} held it when an earlier sample saw it alive. The cookie {cookie} tells that it is the same \
             connection."
        ),
        Evidence::Held if several => {
            format!("{names} have a descriptor on it, found at {at}: one that forks hands it on.")
        }
        Evidence::Held => format!("{names} has a descriptor on it, found at {at}."),
        Evidence::Listener => format!(
            "It was accepted at {}, where only {names} listened, and had started before the connection closed.",
            owned.socket.local()
        ),
        Evidence::Candidates => {
            format!("It is that of {names}, or of one out of sight; nothing tells which.")
        }
        Evidence::Unknown => "Nobody is known to own it.".to_owned(),
    };
    format!("{}: {sentence}", attribution.evidence.name())
}

/// Who called `connect()`, and how that is known.
pub(super) fn opened_by(owned: &Owned<'_>) -> Option<String> {
    match (&owned.attribution.opener, owned.link.side()?) {
        (Some(process), _) => Some(format!("{}: it called connect(), told by the tracepoint", who(process))),
        (None, Side::Server) => Some("the peer: it came to our listener".to_owned()),
        (None, Side::Client) => None,
    }
}

/// Who closed our end first, when, and how that is known.
pub(super) fn closed_by(owned: &Owned<'_>, moment: &Moment) -> Option<String> {
    let Some(closer) = &owned.attribution.closer else {
        let passive = matches!(owned.socket.row().state, TcpState::CloseWait | TcpState::LastAck);
        return passive.then(|| "the peer: it closed first, as the state says".to_owned());
    };
    let when = entered(owned, moment).map_or_else(String::new, |at| format!("; TIME_WAIT since {at}"));
    Some(format!("{}: told by the tracepoint{when}", who(closer)))
}

/// The time of day at which a `TIME_WAIT` was entered, to the millisecond.
fn entered(owned: &Owned<'_>, moment: &Moment) -> Option<String> {
    let age_ms = owned.socket.row().time_wait_age_ms()?;
    let age = std::time::Duration::from_millis(age_ms.into());
    let at = moment.sample.stamp.wall.checked_sub(age).ok()?;
    Some(at.strftime("%H:%M:%S%.3f").to_string())
}

/// What would make an unknown owner known, or would have.
pub(super) fn cure(reason: Unknown, moment: &Moment) -> String {
    let privileges = &moment.sample.privileges;
    match reason {
        Unknown::Denied if privileges.hint.is_empty() => "Root may look.".to_owned(),
        Unknown::Denied => format!("Cure: {}", privileges.hint),
        Unknown::TooShort if moment.trace.is_none() => {
            format!("With the trace it would be known who closed it; {}.", without_trace(moment))
        }
        Unknown::TooShort => "The trace does not tell either: records were lost, or its process was gone \
                              before it could be told from others."
            .to_owned(),
        Unknown::BeforeStart => "Nothing can tell any more; a TIME_WAIT is gone within 62 s.".to_owned(),
        Unknown::Gone => {
            "If it was a fork or a descriptor on its way to another process, the next sample tells."
                .to_owned()
        }
        Unknown::Kernel => "A mount of NFS, a tunnel, or a process of another namespace.".to_owned(),
    }
}

/// Why there is no trace, as the end of a sentence.
fn without_trace(moment: &Moment) -> &'static str {
    if moment.sample.privileges.trace_missing.is_empty() {
        "the trace is off"
    } else {
        "the trace wants root"
    }
}

/// From these widths on a pane's title says more. Its figures decide only where they are longer than any that are usual.
const TITLE_FULL: u16 = 140;
const TITLE_LONG: u16 = 90;
const TITLE_SHORT: u16 = 56;

/// How well the trace accounts for the entries into `TIME_WAIT` since it began, in as many words as a pane `width` cells
/// wide has in its title, where `room` are left; `None` if there is nothing to say, or no room. Without a trace: how
/// many of the `TIME_WAIT`s still there have a name.
pub(super) fn coverage_title(moment: &Moment, width: u16, room: usize) -> Option<String> {
    let forms = match &moment.trace {
        Some(traced) => traced_forms(traced, moment.sample.stamp),
        // The trace begins with the second sample, if it does.
        None if moment.elapsed_s.is_none() => return None,
        None => untraced_forms(moment)?,
    };
    let first = match width {
        TITLE_FULL.. => 0,
        TITLE_LONG.. => 1,
        TITLE_SHORT.. => 2,
        _ => 3,
    };
    forms.into_iter().skip(first).find(|form| text::width(form) <= room)
}

/// From the longest to the shortest.
fn traced_forms(traced: &Traced, stamp: Stamp) -> [String; 4] {
    let coverage = &traced.coverage;
    let exact = exactness(traced, stamp);
    let [named, all] = [coverage.attributed, coverage.entries].map(format::grouped);
    // When it was exact is known to who waited for it.
    let ahead = if stamp.since_boot < coverage.exact_at { format!(", {exact}") } else { String::new() };
    [
        format!("attributed {named} of {all} TIME_WAITs since start{}; {exact}", remainder(traced)),
        format!("attributed {named} of {all} TIME_WAITs; {exact}"),
        format!("attributed {named}/{all}{ahead}"),
        format!("attributed {named}/{all}"),
    ]
}

fn untraced_forms(moment: &Moment) -> Option<[String; 4]> {
    let [named, all] = named_time_waits(moment);
    if all == 0 {
        return None;
    }
    let off = if moment.sample.privileges.trace_missing.is_empty() { "the trace" } else { "root" };
    let [named, all] = [named, all].map(format::grouped);
    Some([
        format!("no trace: {named} of {all} TIME_WAITs named; short ones need {off}"),
        format!("no trace: {named} of {all} TIME_WAITs named"),
        format!("no trace: {named}/{all} named"),
        format!("TW named {named}/{all}"),
    ])
}

fn precise(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::MAX, f64::from)
}

/// The `TIME_WAIT`s that have an owner for sure, and all of them.
fn named_time_waits(moment: &Moment) -> [u64; 2] {
    let by_evidence = &moment.totals.time_wait_evidence;
    let sum = |counts: &[u32]| counts.iter().map(|&count| u64::from(count)).sum();
    [sum(&by_evidence[..Evidence::Candidates as usize]), sum(by_evidence)]
}

/// What is not attributed and why, to follow a figure: `, 14 before start`.
fn remainder(traced: &Traced) -> String {
    let parts = traced.coverage.remainder();
    let parts = parts.map(|(reason, count)| format!(", {} {reason}", format::grouped(count)));
    parts.collect::<Vec<_>>().concat()
}

/// When every `TIME_WAIT` that is there was entered in sight of the trace.
fn exactness(traced: &Traced, stamp: Stamp) -> String {
    let at = traced.coverage.exact_at;
    match at.checked_sub(stamp.since_boot).filter(|ahead| !ahead.is_zero()) {
        Some(ahead) => format!("exact in {}", words::ago(ahead.as_secs_f64().ceil())),
        None => format!("exact since {}", clock(Stamp { wall: stamp.wall_at(at), ..stamp })),
    }
}

/// The same in full.
pub(super) fn coverage(moment: &Moment) -> String {
    let Some(traced) = &moment.trace else {
        let [named, all] = named_time_waits(moment).map(format::grouped);
        return format!(
            "There is no trace ({}): {named} of the {all} TIME_WAITs still there have a name. Of connections that \
             live between two samples it is not known who closed them, unless a listener tells.",
            without_trace(moment)
        );
    };
    let coverage = &traced.coverage;
    let stamp = moment.sample.stamp;
    let [named, all] = [coverage.attributed, coverage.entries].map(format::grouped);
    let rest = remainder(traced);
    let began = clock(Stamp { wall: stamp.wall_at(coverage.since), ..stamp });
    format!(
        "The trace began at {began}. Of {all} entries into TIME_WAIT since, by the kernel's exact counter, it names \
         who closed {named}{rest}; {}.",
        exactness(traced, stamp)
    )
}

/// The time of day, UTC as in the header.
pub(super) fn clock(stamp: Stamp) -> String {
    format::time(stamp.wall).get(11..19).unwrap_or_default().to_owned()
}

/// How long connections lived: the middle, the slowest in a hundred, and the histogram, one bar an octave: the
/// next is for times up to twice as long.
pub(super) fn lifetimes(lifetimes: &Lifetimes, theme: &Theme) -> String {
    let life = |share| {
        lifetimes.quantile(share).map_or(format::UNKNOWN.to_owned(), |l| format::seconds(l.as_secs_f64()))
    };
    let octaves: Vec<_> = lifetimes.octaves().collect();
    let highest = octaves.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    let levels = theme.glyphs.spark;
    let glyph = |count: u32| {
        // Any at all are seen.
        let share = f64::from(count) / f64::from(highest);
        let level = (1..levels.len()).filter(|&level| share > precise(level) / precise(levels.len())).count();
        if count == 0 { " " } else { levels[level] }
    };
    let bars: String = octaves.iter().map(|(_, count)| glyph(*count)).collect();
    let ends = octaves.first().zip(octaves.last()).map_or_else(String::new, |(first, last)| {
        format!("{} {bars} {}", format::seconds(first.0 / 2.0), format::seconds(last.0))
    });
    format!(
        "p50 {}, p99 {}; {ends}; {} closed by us",
        life(0.5),
        life(0.99),
        format::grouped(lifetimes.count())
    )
}
