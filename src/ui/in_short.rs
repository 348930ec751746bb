//! A finding on one line: its sentence, or where that has no room, who does what towards whom in a few words.

use super::{
    Theme,
    table::endpoint,
    text::{fit, fit_figures, width},
};
use crate::{
    findings::{Finding, Subject},
    model::{Endpoint, Side, program, text::printable},
};

/// A name is not cut to fewer cells.
const NAME: usize = 4;

/// A finding within `cells`. The sentence names the port last, where it would be cut; in short the name gives way.
pub(super) fn sentence(finding: &Finding, cells: usize, theme: &Theme) -> String {
    let whole = theme.duration(&printable(&finding.summary));
    if width(&whole) <= cells {
        return whole;
    }
    let texts = [finding.in_short(), finding.in_fewer_words()].map(|text| theme.duration(&text));
    texts
        .iter()
        .find_map(|what| told(&finding.subject, what, cells, theme))
        .unwrap_or_else(|| fit_figures(&whole, cells, theme.glyphs.ellipsis).into_owned())
}

/// Who, what and where within `cells`; `None` if that cannot be.
fn told(subject: &Subject, what: &str, cells: usize, theme: &Theme) -> Option<String> {
    let room = cells.checked_sub(width(what))?;
    let whole = place(subject, usize::MAX, theme);
    let (name, number) = who(subject);
    let least = if name.is_empty() { 0 } else { width(&name).min(NAME) + 1 };
    let place = if least + width(&whole) <= room {
        whole
    } else {
        // Without the port it is not told where.
        Some(place(subject, room.checked_sub(least)?, theme)).filter(|place| !place.is_empty())?
    };
    let room = room.checked_sub(width(&place))?;
    Some(match (name.is_empty(), width(&name) + width(&number) < room) {
        (true, _) => format!("{what}{place}"),
        (_, true) => format!("{name}{number} {what}{place}"),
        _ => format!("{} {what}{place}", fit(&name, room.checked_sub(1)?, theme.glyphs.ellipsis)),
    })
}

/// Who does it: a name, and what tells it from others of that name.
fn who(subject: &Subject) -> (String, String) {
    let Some(first) = subject.processes.first() else {
        let name = if subject.side.is_some() { "unknown" } else { "" };
        return (name.to_owned(), String::new());
    };
    // Of what an interpreter runs, the interpreter gives way.
    let name = printable(program::script(first).unwrap_or(&first.name)).into_owned();
    let number = match subject.processes.len() {
        1 => format!(" {}", first.key.pid),
        n => format!(" ({n})"),
    };
    (name, number)
}

/// Where: ` → 10.0.0.9:5432` that we connect to, ` on :80` that we serve; an address gives way, the port stays.
fn place(subject: &Subject, cells: usize, theme: &Theme) -> String {
    let glyphs = theme.glyphs;
    let within = |text: String| if width(&text) <= cells { text } else { String::new() };
    match (subject.side, subject.peer, subject.port) {
        (Some(Side::Client), Some(ip), Some(port)) => {
            let lead = width(glyphs.arrow) + 2;
            let end = endpoint(Endpoint::new(ip, port), cells.saturating_sub(lead), glyphs.ellipsis);
            if end.is_empty() { end } else { format!(" {} {end}", glyphs.arrow) }
        }
        (Some(Side::Client), None, Some(port)) => within(format!(" {} :{port}", glyphs.arrow)),
        (_, _, Some(port)) => within(format!(" on :{port}")),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use jiff::Timestamp;

    use super::*;
    use crate::{
        findings::{Confidence, Figure, FindingId, Severity},
        model::{ProcKey, Process, Stamp},
        ui::theme::Palette,
    };

    fn churn() -> Finding {
        let process = Process {
            key: ProcKey { pid: 22311, start_ticks: 1 },
            started: Timestamp::UNIX_EPOCH,
            name: "python3".to_owned(),
            command: "python3 app.py".to_owned(),
            uid: 0,
            user: "root".to_owned(),
            container: None,
            runtime: None,
        };
        Finding {
            id: FindingId::TimeWaitClient,
            severity: Severity::Critical,
            subject: Subject {
                processes: vec![Arc::new(process)],
                peer: Some([127, 0, 0, 1].into()),
                port: Some(5432),
                side: Some(Side::Client),
            },
            since: Stamp { since_boot: Duration::ZERO, wall: Timestamp::UNIX_EPOCH },
            summary: "python3 app.py (22311) opens and closes 47/s to 127.0.0.1:5432".to_owned(),
            evidence: vec![Figure { name: "closed_first_per_s", value: 47.2, unit: "/s" }],
            why: String::new(),
            advice: vec![],
            confidence: Confidence::Certain,
            filter: String::new(),
        }
    }

    #[test]
    fn the_name_gives_way_and_the_port_stays() {
        let theme = Theme::new(Palette::Sixteen, false);
        let at = |cells| sentence(&churn(), cells, &theme);
        assert_eq!(at(62), "python3 app.py (22311) opens and closes 47/s to 127.0.0.1:5432");
        assert_eq!(at(61), "app.py 22311 opens and closes 47/s → 127.0.0.1:5432");
        assert_eq!(at(50), "app.py opens and closes 47/s → 127.0.0.1:5432");
        assert_eq!(at(44), "app.… opens and closes 47/s → 127.0.0.1:5432");
        assert_eq!(at(40), "app… opens and closes 47/s → 127.0…:5432");
        for cells in 0..62 {
            let text = at(cells);
            assert!(width(&text) <= cells, "{cells}: {text}");
            assert!(cells < 26 || text.ends_with(":5432"), "{cells}: {text}");
        }
        let mut pool = churn();
        pool.subject.processes.push(Arc::clone(&pool.subject.processes[0]));
        assert_eq!(sentence(&pool, 50, &theme), "app.py (2) opens and closes 47/s → 127.0.0.1:5432");
        (pool.subject.side, pool.id) = (Some(Side::Server), FindingId::TimeWaitServer);
        assert_eq!(sentence(&pool, 50, &theme), "app.py (2) closes first, 47/s on :5432");
        pool.subject.processes.clear();
        assert_eq!(sentence(&pool, 50, &theme), "unknown closes first, 47/s on :5432");
    }
}
