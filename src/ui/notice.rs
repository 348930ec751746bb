//! The line below the header: what is missing from the picture, and how to get it.

use super::{scene::Data, text};
use crate::{
    field::format,
    model::{Sample, Unknown},
    store::Moment,
};

/// Whether there is anything to say.
#[must_use]
pub(super) fn is_needed(moment: &Moment) -> bool {
    let sample = &moment.sample;
    !sample.complete || !sample.faults.is_empty() || !sample.privileges.complete
}

/// What to say, as far as it fits into `width` cells; the worst first.
#[must_use]
pub(super) fn sentence(data: &Data<'_>, width: usize) -> String {
    let sample = &data.moment.sample;
    let mut parts = vec![];
    if !sample.complete {
        parts.push("The dump broke off: counts are too low.".to_owned());
    }
    parts.extend(fault(sample));
    if !sample.privileges.complete {
        parts.push(denied(data));
        if !sample.privileges.hint.is_empty() {
            parts.push(sample.privileges.hint.clone());
        }
    }
    let mut line = String::from("!");
    let help = " Press ?";
    for (i, part) in parts.iter().enumerate() {
        let last = i + 1 == parts.len();
        let room = width.saturating_sub(text::width(&line) + 1 + if last { 0 } else { help.len() });
        if text::width(part) > room && i > 0 {
            line.push_str(help);
            break;
        }
        line.push(' ');
        line.push_str(part);
    }
    line
}

/// The fault met most often.
fn fault(sample: &Sample) -> Option<String> {
    let worst = sample.faults.iter().max_by_key(|fault| fault.count)?;
    let times =
        if worst.count == 1 { "once".to_owned() } else { format!("{} times", format::count(worst.count)) };
    Some(format!("{}: {} ({times}).", worst.place, worst.kind))
}

/// Whose sockets cannot be told, for want of privilege.
fn denied(data: &Data<'_>) -> String {
    let scan = data.moment.sample.scan;
    // Of a part of the sockets the figure would say something else.
    let whole = data.selection.aggregate.states.total() == data.moment.totals.states.total();
    let sockets = if whole { data.selection.unknown(Unknown::Denied) } else { 0 };
    let total = data.selection.aggregate.states.total();
    let share =
        |part: u32, of: u32| format!("{} of {}", format::grouped(part.into()), format::grouped(of.into()));
    match (sockets, scan.denied) {
        (0, 0) => "Some facts need a privilege.".to_owned(),
        (0, denied) => {
            format!("The sockets of {} processes may not be read.", share(denied, scan.processes))
        }
        (sockets, denied) => format!(
            "{} sockets have no owner: {} processes denied.",
            share(sockets, total),
            share(denied, scan.processes)
        ),
    }
}
