//! Going back in time.

use ratatui::{buffer::Buffer, style::Color};
use twtop::ui::{Effect, Palette, Theme};

use crate::{
    HEIGHT, LARGE, SMALL,
    incident::Incident,
    stage::{BOUND, Stage},
};

/// A past that keeps the sockets of the newest sample only.
const TOTALS: usize = 0;

/// A stage at the height of the incident.
fn stage(incident: &mut Incident, size: (u16, u16), bound: usize) -> Stage {
    Stage::keeping(bound, incident, HEIGHT, size)
}

fn held(size: (u16, u16), bound: usize, keys: &str) -> Stage {
    let mut stage = match bound {
        TOTALS => Stage::at_height_with_totals(size.0, size.1),
        _ => Stage::at_height(size.0, size.1),
    };
    stage.keys(keys);
    stage
}

/// Holds what `stage` shows against the snapshot of that name, among those of the other screens.
fn assert_screen(name: &str, stage: &Stage) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.bind(|| insta::assert_snapshot!(name, stage.text()));
}

#[test]
fn a_moment_of_the_past_is_shown_as_a_whole() {
    assert_screen("held-80x24", &held(SMALL, BOUND, "[[[[[[[[[[[["));
    assert_screen("held-160x45", &held(LARGE, BOUND, "[[[[[[[[[[[["));
    assert_screen("held-filter-80x24", &held(SMALL, BOUND, "/state:close-wait<Enter>[[[["));
    assert_screen("held-process-80x24", &held(SMALL, BOUND, "<Enter>[[[["));
}

#[test]
fn of_a_moment_without_sockets_totals_are_shown_and_no_more() {
    assert_screen("held-totals-80x24", &held(SMALL, TOTALS, "[[[[[[[[[[[["));
    assert_screen("held-totals-160x45", &held(LARGE, TOTALS, "[[[[[[[[[[[["));
    assert_screen("held-totals-filter-80x24", &held(SMALL, TOTALS, "/state:close-wait<Enter>[[[["));
    assert_screen("held-totals-process-80x24", &held(SMALL, TOTALS, "<Enter>[[[["));
    assert_screen("held-totals-peer-80x24", &held(SMALL, TOTALS, "<Tab><Enter>[[[["));
    assert_screen("held-totals-socket-80x24", &held(SMALL, TOTALS, "2<Enter>[[[["));
}

/// What is on screen, but for the header, since when sockets are kept and what they tell of one that is asked about anew:
/// those go on.
fn still(stage: &Stage) -> (Buffer, String) {
    let mut buffer = stage.buffer();
    let text = stage.text();
    let goes_on =
        |y: u16, line: &str| y == 0 || line.contains("Sockets are kept since") || line.contains("so far ");
    let lines: Vec<u16> =
        (0..).zip(text.lines()).filter(|(y, line)| goes_on(*y, line)).map(|(y, _)| y).collect();
    for y in lines {
        (0..buffer.area.width).for_each(|x| buffer[(x, y)].reset());
    }
    (buffer, text)
}

/// Pages on which something of now might be shown.
const PAGES: [&str; 12] =
    ["", "2", "3", "4", "5", "6", "7", "3<Enter>", "4<Enter>", "2<Enter>", "6<Enter>", "3w"];

#[test]
fn nothing_of_now_is_shown_of_then() {
    for (bound, filter) in [(BOUND, ""), (TOTALS, ""), (BOUND, "/proc:app.py<Enter>")] {
        let mut incident = Incident::new();
        let mut stage = stage(&mut incident, LARGE, bound);
        stage.keys(filter);
        // The filter has a past of its own by then.
        (0..12).for_each(|_| stage.sample(incident.sample()));
        stage.keys("[[[[[[");
        let pages = |stage: &mut Stage| {
            PAGES.map(|keys| {
                stage.keys("1");
                stage.keys(keys);
                still(stage)
            })
        };
        let before = pages(&mut stage);
        for _ in 0..30 {
            stage.sample(incident.sample());
        }
        for ((page, before), after) in PAGES.iter().zip(before).zip(pages(&mut stage)) {
            assert!(before.0 == after.0, "{page} {filter}\n{}\n{}", before.1, after.1);
        }
    }
}

#[test]
fn sampling_goes_on_while_a_moment_is_held() {
    let mut incident = Incident::new();
    let mut one = stage(&mut incident, SMALL, BOUND);
    one.keys("[[[");
    assert!(one.text().contains(" HELD 3s ago "), "{}", one.text());
    (0..20).for_each(|_| one.sample(incident.sample()));
    assert!(one.text().contains(" HELD 23s ago "), "{}", one.text());
    assert_eq!(one.past.len(), HEIGHT as usize + 20);
    one.keys("<Home>");
    let mut incident = Incident::new();
    let mut other = stage(&mut incident, SMALL, BOUND);
    (0..20).for_each(|_| other.sample(incident.sample()));
    assert_eq!(one.text(), other.text());
    assert_eq!(one.buffer(), other.buffer());
}

#[test]
fn back_and_forward_by_as_much_is_the_same_frame() {
    for (bound, keys) in [
        (TOTALS, ""),
        (TOTALS, "<Enter>"),
        (TOTALS, "/state:time-wait<Enter>"),
        (BOUND, "6<Enter>"),
        (BOUND, "<Tab><Enter>"),
    ] {
        let mut stage = held(SMALL, bound, keys);
        // Near the newest sample, and beyond the window of the curves.
        for start in ["[", "{"] {
            stage.keys(start);
            let mut frames = vec![];
            for _ in 0..9 {
                frames.push(stage.buffer());
                stage.keys("[");
            }
            while let Some(frame) = frames.pop() {
                stage.keys("]");
                assert!(stage.buffer() == frame, "{keys} {start}, {} left\n{}", frames.len(), stage.text());
            }
        }
    }
}

#[test]
fn the_ends_of_the_past_are_told() {
    let mut stage = held(SMALL, BOUND, "]");
    assert!(stage.text().contains("This is live"), "{}", stage.text());
    stage.keys("{");
    assert!(stage.text().contains(" HELD 1m00s ago "), "{}", stage.text());
    stage.keys("{");
    assert!(stage.text().contains(" HELD 1m14s ago "), "{}", stage.text());
    assert!(
        stage.text().contains("Nothing older is kept: 09:30:00 is the oldest sample."),
        "{}",
        stage.text()
    );
    stage.keys("[");
    assert!(stage.text().contains("Nothing older is kept: this is 09:30:00"), "{}", stage.text());
    stage.keys("}");
    assert!(stage.text().contains(" HELD 14s ago "), "{}", stage.text());
    stage.keys("}");
    assert!(!stage.text().contains("HELD"), "{}", stage.text());
    stage.keys("[]");
    assert!(stage.text().contains(" HELD  pay-web-04"), "the newest kept is held: {}", stage.text());
    stage.keys("]");
    assert!(!stage.text().contains("HELD"), "{}", stage.text());
    // Before anything was sampled there is nowhere to go.
    let mut empty = Stage::new(80, 24);
    empty.keys("[{]}<Home>p");
    assert!(empty.text().contains("Taking the first sample."));
}

#[test]
fn what_is_selected_stays_selected_from_moment_to_moment() {
    let mut stage = held(SMALL, BOUND, "jj");
    for key in ["[", "[", "{", "]", "<Home>"] {
        stage.keys(key);
        assert!(stage.selected_line().expect("a row").contains("report-gen"), "{key}: {}", stage.text());
    }
}

#[test]
fn an_export_is_of_the_moment_shown() {
    let mut stage = held(SMALL, BOUND, "[[[es");
    let number = |effect: &Effect| match effect {
        Effect::Export(request) => Some(request.look.moment.sample.number),
        _ => None,
    };
    assert_eq!(stage.effects.iter().find_map(number), Some(u64::from(HEIGHT) - 4));
    // Of a moment without sockets there is no sample to write, and of a filter nothing at all.
    stage = held(SMALL, TOTALS, "[[[e");
    assert!(stage.text().contains("view") && !stage.text().contains("sample"), "{}", stage.text());
    stage.keys("s");
    assert_eq!(stage.effects.iter().find_map(number), None);
    stage.keys("/state:close-wait<Enter>e");
    assert!(stage.text().contains("sockets of this moment are not kept"), "{}", stage.text());
    assert_eq!(stage.effects.iter().find_map(number), None);
}

#[test]
fn a_finding_that_came_later_is_not_told_of_before() {
    let mut stage = held(SMALL, BOUND, "6<Enter>");
    assert!(stage.text().contains("does not close 37 connections"), "{}", stage.text());
    stage.keys("{{");
    let text = stage.text();
    assert!(text.contains("It was not found at this moment"), "{text}");
    assert!(!text.contains("does not close"), "{text}");
    stage.keys("<Home>");
    assert!(!stage.text().contains("not found at this moment"), "{}", stage.text());
}

#[test]
fn the_cursor_is_seen_without_colours_and_without_unicode() {
    let mut stage = held(LARGE, BOUND, "[[[[[[[[");
    let cursor = |buffer: &Buffer, (x, y): (u16, u16)| buffer[(x, y)].bg != Color::Reset;
    let buffer = stage.buffer();
    let marked = |buffer: &Buffer| {
        let cells = (0..buffer.area.height).flat_map(|y| (0..buffer.area.width).map(move |x| (x, y)));
        cells.filter(|at| cursor(buffer, *at)).collect::<Vec<_>>()
    };
    let coloured = marked(&buffer);
    assert!(coloured.len() >= 8, "{coloured:?}");
    stage.theme = Theme::new(Palette::Monochrome, true);
    let plain = stage.buffer();
    for (x, y) in coloured {
        let modifier = plain[(x, y)].modifier;
        assert!(modifier.contains(ratatui::style::Modifier::REVERSED), "{x} {y}");
    }
    assert!(stage.text().is_ascii(), "{}", stage.text());
}
