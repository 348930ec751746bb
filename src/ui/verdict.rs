//! The line that says what piles up: which state, since when, towards whom, whose; else that nothing is wrong.

use ratatui::style::Style;

use super::{
    columns,
    pen::Pen,
    scene::{Data, Scene},
    view::Screen,
    words,
};
use crate::{
    field::{format, program},
    findings::Severity,
    model::{Evidence, Process, Stamp, StateCounts, TcpState, text::printable},
    store::{Activity, PeerRow, ProcessRow},
};

/// States that are no burden however many there are.
const RESTING: [TcpState; 3] = [TcpState::Listen, TcpState::BoundInactive, TcpState::Close];
/// Over how many samples the change is taken at most: a minute, so that the line is calm.
const CHANGE_SAMPLES: usize = 60;
/// What changed by less than this share over the last half minute is steady.
const STEADY: f32 = 0.02;
/// Over how many samples that is looked at.
const STEADY_SAMPLES: usize = 30;
/// From this width on everything is said in full.
const WIDE: u16 = 100;

/// A state that has been piling up.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rise {
    state: TcpState,
    count: u32,
    since: Stamp,
    /// How many samples ago that was.
    samples: usize,
}

/// For so long twtop has to look before it says that nothing is wrong, seconds: findings take a while.
const LOOK_S: f64 = 5.0;

/// Whether there is anything to say.
#[must_use]
pub(super) fn is_needed(data: &Data<'_>) -> bool {
    !rises(data).is_empty()
}

/// Whether findings say it better.
#[must_use]
pub(super) fn is_subsumed(data: &Data<'_>) -> bool {
    data.findings.first().is_some_and(|worst| worst.severity >= Severity::Warning)
}

/// Every state of the whole that piles up.
fn rises(data: &Data<'_>) -> Vec<Rise> {
    rises_of(data, data.history.totals(), &data.moment.totals.states)
}

/// Every state that piles up, the most sockets first; open connections last, since they may be wanted.
fn rises_of(data: &Data<'_>, activity: &Activity, states: &StateCounts) -> Vec<Rise> {
    let behind = data.behind();
    let rising = TcpState::ALL.into_iter().filter(|state| !RESTING.contains(state) && states[*state] > 0);
    let mut rises: Vec<_> = rising
        .filter_map(|state| {
            let (since, samples) = data.history.rise_back(activity, state, behind)?;
            Some(Rise { state, count: states[state], since, samples })
        })
        .collect();
    rises.sort_by_key(|rise| (rise.state == TcpState::Established, std::cmp::Reverse(rise.count)));
    rises
}

/// What piles up of the process or the peer that the page is about: `CLOSE_WAIT +1.0/s since 13:42:07 (4m12s)`. And
/// whether it still does.
pub(super) fn of_page(scene: &Scene<'_>, data: &Data<'_>) -> Option<(String, bool)> {
    let activity = match scene.view.page().screen.subject() {
        Screen::Process(key) => data.history.process(key),
        Screen::Peer(key) => data.history.peer(&key),
        _ => None,
    }?;
    let part = |rise: &Rise| {
        let change = change(data, activity, rise);
        let now = if is_steady(data, activity, rise) { ", steady now" } else { "" };
        format!("{} {change} since {} ({}){now}", rise.state.name(), clock(rise.since), age(data, rise))
    };
    let rises = rises_of(data, activity, &data.selection.aggregate.states);
    let goes_on = rises.iter().any(|rise| !is_steady(data, activity, rise));
    (!rises.is_empty()).then(|| (rises.iter().map(part).collect::<Vec<_>>().join("; "), goes_on))
}

/// Writes the line, as far as whole pieces fit.
pub(super) fn draw(pen: &mut Pen<'_>, scene: &Scene<'_>, data: &Data<'_>) {
    let theme = scene.theme;
    let rises = rises(data);
    // Below findings the line just stays for a while.
    let alone = data.selection.findings.is_empty();
    let Some((worst, others)) = rises.split_first().filter(|_| !(alone && is_subsumed(data))) else {
        if alone {
            pen.skip(1);
            pen.put_cut(&quiet(data), theme.dim(), theme);
        }
        return;
    };
    let dot = format!(" {} ", theme.glyphs.dot);
    let wide = pen.room() >= WIDE;
    let mut pieces: Vec<(String, Style)> = vec![
        (format!("{} {}", worst.state.name(), format::grouped(worst.count.into())), theme.state(worst.state)),
        (
            format!("{dot}{} since {}", change(data, data.history.totals(), worst), clock(worst.since)),
            theme.strong(),
        ),
    ];
    if wide {
        pieces.push((format!(" ({})", age(data, worst)), theme.text()));
    }
    if is_steady(data, data.history.totals(), worst) {
        pieces.push((", steady now".to_owned(), theme.text()));
    }
    let half = worst.count.div_ceil(2).max(1);
    let totals = &data.moment.totals;
    if let Some(peer) = most(&totals.peers, half, |row: &PeerRow| row.states[worst.state]) {
        pieces.push((format!("{dot}mostly {}", columns::peer(&peer.key, 48, theme)), theme.text()));
    }
    pieces.extend(
        whose(data, worst.state, half, wide).map(|who| (format!("{dot}{}", printable(&who)), theme.text())),
    );
    for other in others {
        let count = format::grouped(other.count.into());
        let text = format!("{dot}{} {count} since {}", other.state.name(), clock(other.since));
        pieces.push((text, theme.state(other.state)));
    }
    pen.skip(1);
    pen.put_pieces(&pieces, theme);
}

/// That nothing is wrong, as far as that is known.
pub(super) fn quiet(data: &Data<'_>) -> String {
    let now = data.moment.sample.stamp;
    let looked = data.history.began().map_or(0.0, |first| now.seconds_since(&first));
    match data.findings.len() {
        0 if looked < LOOK_S => "Looking for what is wrong.".to_owned(),
        0 => "Nothing wrong found.".to_owned(),
        1 => "Nothing wrong found with what the filter keeps; 1 finding about the rest.".to_owned(),
        n => format!("Nothing wrong found with what the filter keeps; {n} findings about the rest."),
    }
}

/// The row that alone has at least `half`.
fn most<R>(rows: &[R], half: u32, count: impl Fn(&R) -> u32) -> Option<&R> {
    rows.iter().max_by_key(|row| count(row)).filter(|row| count(row) >= half)
}

/// Whose they are: one process that owns at least `half`, or several of which one does.
fn whose(data: &Data<'_>, state: TcpState, half: u32, wide: bool) -> Option<String> {
    let name = |process: &Process| match program::script(process) {
        Some(script) if !wide => script.to_owned(),
        _ => program::program(process).into_owned(),
    };
    let rows = &data.moment.totals.processes;
    if let Some(row) = most(rows, half, |row: &ProcessRow| row.states[state]) {
        return Some(format!("{} {}", name(&row.process), row.process.key.pid));
    }
    let maybe = |row: &ProcessRow| row.time_wait_evidence[Evidence::Candidates as usize];
    let row = most(rows, half, maybe).filter(|_| state == TcpState::TimeWait)?;
    Some(format!("one of several {}", name(&row.process)))
}

/// Whether a state that went up stays where it is.
fn is_steady(data: &Data<'_>, activity: &Activity, rise: &Rise) -> bool {
    let samples = rise.samples.min(STEADY_SAMPLES);
    let back = |samples| activity.state(rise.state).and_then(|series| series.back(data.behind() + samples));
    let (Some(now), Some(before)) = (back(0), back(samples)) else { return false };
    (now - before).abs() <= STEADY * now
}

/// `+79/s`; `up` for what no longer changes.
fn change(data: &Data<'_>, activity: &Activity, rise: &Rise) -> String {
    if is_steady(data, activity, rise) {
        return "up".to_owned();
    }
    let samples = rise.samples.min(CHANGE_SAMPLES);
    match activity.change_back(rise.state, samples, data.behind()).map(f64::from) {
        Some(change) if change >= 0.05 => format!("+{}", format::rate(change)),
        _ => "up".to_owned(),
    }
}

/// How long ago it began.
fn age(data: &Data<'_>, rise: &Rise) -> String {
    words::ago(data.moment.sample.stamp.seconds_since(&rise.since).max(0.0))
}

/// The time of day, UTC as in the header.
fn clock(stamp: Stamp) -> String {
    format::time(stamp.wall).get(11..19).unwrap_or_default().to_owned()
}
