//! The line below the header: what is missing from the picture, and how to get it.

use super::{scene::Data, text, words};
use crate::{
    field::format,
    model::{Sample, text::printable},
    store::Moment,
};

/// Whether there is anything to say.
#[must_use]
pub(super) fn is_needed(moment: &Moment) -> bool {
    let sample = &moment.sample;
    !sample.complete || !sample.faults.is_empty() || !sample.privileges.complete
}

/// What to say, as far as it fits into `width` cells; the worst first. `help` is the key that tells the rest.
#[must_use]
pub(super) fn sentence(data: &Data<'_>, width: usize, help: Option<String>) -> String {
    let sample = &data.moment.sample;
    let mut parts = vec![];
    if !sample.complete {
        parts.push("The dump broke off: counts are too low.".to_owned());
    }
    parts.extend(fault(sample));
    if !sample.privileges.complete {
        let hint = printable(&sample.privileges.hint);
        let colon = if hint.is_empty() { "." } else { ":" };
        parts.push(format!("{}{colon}", denied(data)));
        parts.extend(Some(hint.into_owned()).filter(|hint| !hint.is_empty()));
    }
    if parts.is_empty() {
        // The line stays for a while after there was something to say.
        parts.push(format!("{}.", denied(data)));
    }
    let mut line = String::from("!");
    let help = help.map_or(String::new(), |key| format!(" press {key}"));
    for (i, part) in parts.iter().enumerate() {
        let last = i + 1 == parts.len();
        let room = width.saturating_sub(text::width(&line) + 1 + if last { 0 } else { help.len() });
        if text::width(part) > room && i > 0 {
            line.push_str(&help);
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

/// How many sockets are hidden, or how many processes where no privilege would help. The words stay the same while the
/// figure moves.
fn denied(data: &Data<'_>) -> String {
    let sample = &data.moment.sample;
    let hidden = data.selection.hidden;
    if hidden == 0 && sample.scan.denied == 0 {
        return "Some facts are hidden for want of privilege".to_owned();
    }
    if sample.privileges.missing.is_empty() && sample.scan.denied > 0 {
        let (denied, all) = (sample.scan.denied.into(), sample.scan.processes.into());
        let (denied, all) = (format::grouped(denied), format::grouped(all));
        return format!("The descriptors of {denied} of {all} processes cannot be read");
    }
    format!("{} hidden for want of privilege", words::sockets(hidden))
}
