//! What changed since the mark.

use ratatui::{buffer::Buffer, style::Color, style::Modifier};
use twtop::{
    model::TcpState,
    store::Change,
    ui::{Palette, Selection, Theme},
};

use crate::{
    HEIGHT, LARGE, SMALL,
    incident::Incident,
    stage::{BOUND, Stage},
};

/// The least that can be used.
const TINY: (u16, u16) = (60, 16);

/// So many seconds before the end the mark is set.
const AGO: u32 = 40;

/// A stage at the height of the incident, on which the moment of [`AGO`] seconds before is marked, after `keys`.
fn marked((width, height): (u16, u16), bound: usize, keys: &str) -> Stage {
    let mut incident = Incident::new();
    let mut stage = Stage::keeping(bound, &mut incident, HEIGHT - AGO, (width, height));
    stage.keys("m");
    for _ in 0..AGO {
        stage.sample(incident.sample());
    }
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
fn every_view_tells_what_changed_since_the_mark() {
    for (size, at) in [(TINY, "60x16"), (SMALL, "80x24"), (LARGE, "160x45")] {
        let mut stage = marked(size, BOUND, "");
        for (name, keys) in [
            ("overview", "1"),
            ("sockets", "2"),
            ("processes", "3"),
            ("peers", "4"),
            ("ports", "5"),
            ("findings", "6"),
            ("kernel", "7"),
        ] {
            stage.keys(keys);
            assert_screen(&format!("{name}-{at}"), &stage);
        }
        stage.keys("1c");
        assert_screen(&format!("only-changed-{at}"), &stage);
    }
}

#[test]
fn a_mark_can_be_set_at_a_moment_that_is_held() {
    let mut stage = marked(SMALL, BOUND, "M[[[[[[[[m");
    assert!(stage.text().contains(" mark 0s "), "{}", stage.text());
    stage.keys("<Home>");
    assert_screen("held-live-80x24", &stage);
    stage.keys("<Enter>");
    assert_screen("process-80x24", &stage);
    stage.keys("<Esc><Tab><Enter>");
    assert_screen("peer-80x24", &stage);
    stage.keys("2G<Enter>");
    assert_screen("socket-80x24", &stage);
}

#[test]
fn a_moment_before_the_mark_is_compared_the_other_way_round() {
    for (size, at) in [(TINY, "60x16"), (SMALL, "80x24"), (LARGE, "160x45")] {
        let mut stage = marked(size, BOUND, "m");
        (0..AGO).for_each(|_| stage.keys("["));
        assert_screen(&format!("before-{at}"), &stage);
        stage.keys("4G");
        assert_screen(&format!("before-peers-{at}"), &stage);
        assert!(stage.text().contains(" gone "), "{}", stage.text());
        stage.keys("6{{");
        assert_screen(&format!("before-findings-{at}"), &stage);
        assert!(stage.text().contains(" later "), "{}", stage.text());
    }
}

#[test]
fn a_finding_that_is_over_has_its_page() {
    let mut stage = marked(SMALL, BOUND, "6m{{j");
    let line = stage.selected_line().expect("a row");
    assert!(line.contains(" later "), "{line}");
    stage.keys("<Enter>");
    assert!(stage.text().contains("not found at this moment"), "{}", stage.text());
    // It is wrong again once one is back.
    stage.keys("<Home><Esc>");
    assert!(stage.selected_line().is_some_and(|line| !line.contains(" later ")), "{}", stage.text());
}

#[test]
fn a_finding_that_ended_after_the_mark_is_over() {
    let mut incident = Incident::new();
    let mut stage = Stage::of(&mut incident, HEIGHT, 80, 24);
    stage.keys("6m");
    let told = stage.found().to_vec();
    stage.sample(incident.sample());
    stage.find(vec![told[0].clone()]);
    assert_screen("over-80x24", &stage);
    stage.keys("j<Enter>");
    assert!(stage.text().contains("OVER"), "{}", stage.text());
}

#[test]
fn totals_tell_the_same_differences_as_sockets() {
    let told = |bound, page: &str| {
        let mut stage = marked(LARGE, bound, "M[[[[m<Home>");
        stage.keys(page);
        let text = stage.text();
        let states =
            |line: &&str| TcpState::ALL.iter().any(|state| line.contains(&format!("│ {} ", state.name())));
        // Of single sockets the totals do not tell.
        let figures = text.lines().filter(states).filter(|line| !line.contains("10.0.3.4:"));
        figures.map(|line| line.chars().take(40).collect::<String>()).collect::<Vec<_>>()
    };
    for page in ["1", "3<Enter>", "4<Enter>"] {
        assert_eq!(told(BOUND, page), told(0, page), "{page}");
    }
}

fn selection(stage: &Stage) -> &Selection {
    stage.scene().selection.expect("samples came")
}

/// Every difference that the rows of a selection tell.
fn changes(selection: &Selection) -> Vec<Option<Change>> {
    let rows = &selection.aggregate;
    let processes = rows.processes.iter().map(|row| row.change);
    let peers = rows.peers.iter().map(|row| row.change);
    let kernel = selection.kernel.counters.iter().map(|row| row.change);
    let limits = selection.kernel.limits.iter().map(|row| row.change);
    let destinations = rows.destinations.iter().map(|row| row.change);
    processes.chain(peers).chain(destinations).chain(kernel).chain(limits).collect()
}

const PAGES: [&str; 11] = ["1", "2", "3", "4", "5", "6", "7", "3<Enter>", "4<Enter>", "2<Enter>", "6<Enter>"];

#[test]
fn the_marked_moment_differs_from_itself_in_nothing() {
    for (bound, keys) in [(BOUND, "m"), (BOUND, "[[m"), (0, "[[m"), (BOUND, "/proc:nginx<Enter>m")] {
        let mut stage = marked(LARGE, bound, "M");
        stage.keys(keys);
        for page in PAGES {
            stage.keys("1");
            stage.keys(page);
            for change in changes(selection(&stage)).into_iter().flatten() {
                assert_eq!(change, Change::By(0), "{keys} {page}\n{}", stage.text());
            }
            let text = stage.text();
            if page == "2" {
                assert!(!text.contains(" new "), "{text}");
            }
            assert!(selection(&stage).over.is_empty(), "{text}");
        }
        stage.keys("1c");
        let kept = changes(selection(&stage));
        assert!(kept.iter().all(Option::is_none), "{keys} {kept:?}\n{}", stage.text());
        assert!(selection(&stage).rows.is_empty(), "{keys}");
    }
}

#[test]
fn there_and_back_are_opposite() {
    let mut stage = marked(LARGE, BOUND, "");
    let by =
        |stage: &Stage| -> i64 { changes(selection(stage)).iter().flatten().map(|change| change.by()).sum() };
    let forth = by(&stage);
    assert!(forth > 0);
    stage.keys("m");
    for _ in 0..AGO {
        stage.keys("[");
    }
    assert_eq!(by(&stage), -forth);
}

#[test]
fn only_what_changed_is_left() {
    let mut stage = marked(LARGE, BOUND, "c");
    assert!(changes(selection(&stage)).iter().flatten().all(|change| !change.is_none()));
    for page in ["3", "4", "5", "7"] {
        stage.keys(page);
        let left = changes(selection(&stage));
        assert!(!left.is_empty() && left.iter().flatten().all(|change| !change.is_none()), "{page} {left:?}");
        assert!(stage.text().contains("changed only"), "{}", stage.text());
    }
    stage.keys("2");
    assert!(stage.text().contains(" new ") && stage.text().contains(" ESTABLISHED "), "{}", stage.text());
    let changed = selection(&stage).rows.len();
    // With a filter it is that part of it.
    stage.keys("/state:time-wait<Enter>");
    let kept = selection(&stage).rows.len();
    assert!(0 < kept && kept < changed, "{kept} of {changed}");
    stage.keys("c");
    assert!(selection(&stage).rows.len() > kept);
    // On the page of what did not change it is told of nevertheless.
    stage.keys("<Esc>c");
    stage.keys("c/pid:640<Enter>3<Enter>c");
    assert!(stage.text().contains("as many in each state"), "{}", stage.text());
}

#[test]
fn tables_are_sorted_by_what_changed() {
    let mut stage = marked(LARGE, BOUND, "m{4:sort change<Enter>");
    let by = |stage: &Stage| -> Vec<i64> {
        selection(stage).aggregate.peers.iter().map(|row| row.change.expect("known").by()).collect()
    };
    let down = by(&stage);
    assert!(down.is_sorted_by(|a, b| a >= b) && down.last().is_some_and(|by| *by < 0), "{down:?}");
    stage.keys("S");
    assert!(by(&stage).is_sorted(), "{}", stage.text());
    stage.keys("<Home>M2");
    let mut stage = marked(LARGE, BOUND, "2:sort change<Enter>");
    let lines = |stage: &Stage| stage.text().lines().skip(3).take(5).map(str::to_owned).collect::<Vec<_>>();
    let first = lines(&stage);
    stage.keys("S");
    let other = lines(&stage);
    let new = |lines: &[String]| lines.iter().filter(|line| line.contains(" new ")).count();
    assert!(new(&first) + new(&other) == 5, "{first:?} {other:?}");
}

#[test]
fn what_cannot_be_compared_is_not_shown_as_a_figure() {
    // A mark without sockets tells totals, and nothing of what a filter keeps.
    let mut stage = marked(SMALL, 0, "M[[[[m<Home>");
    assert!(selection(&stage).aggregate.processes.iter().all(|row| row.change.is_some()));
    stage.keys("2");
    assert!(!stage.text().contains(" new "), "{}", stage.text());
    stage.keys("1/state:time-wait<Enter>");
    assert_screen("not-comparable-80x24", &stage);
    assert!(changes(selection(&stage)).iter().all(Option::is_none));
    // With whom a process has connections the totals do not tell.
    stage.keys("<Esc>3<Enter>");
    assert_screen("totals-process-80x24", &stage);
    assert!(selection(&stage).aggregate.peers.iter().all(|row| row.change.is_none()));
    // A mark that has its sockets is compared with the totals of a moment that has none.
    let mut stage = marked(SMALL, 0, "[[[[");
    let processes = &selection(&stage).aggregate.processes;
    assert!(processes.iter().all(|row| row.change.is_some()), "{}", stage.text());
    stage.keys("/state:time-wait<Enter>");
    let unfiltered = selection(&stage).aggregate.states[TcpState::Established];
    assert!(unfiltered > 0 && stage.text().contains("not applied"), "{}", stage.text());
}

#[test]
fn without_a_mark_nothing_is_compared() {
    let (mut plain, mut stage) = (marked(LARGE, BOUND, "M"), marked(LARGE, BOUND, "c"));
    stage.keys("M");
    for page in PAGES {
        plain.keys("1");
        stage.keys("1");
        plain.keys(page);
        stage.keys(page);
        assert_eq!(plain.text(), stage.text());
        assert!(!stage.text().contains(" mark "), "{}", stage.text());
    }
    stage.keys("c");
    assert!(stage.text().contains("There is no mark: set one with m."), "{}", stage.text());
    let mut empty = Stage::new(80, 24);
    empty.keys("mcM");
    assert!(empty.text().contains("There is no mark."), "{}", empty.text());
}

#[test]
fn the_mark_is_a_line_in_the_curves_that_is_seen_without_colours() {
    let mut stage = marked(LARGE, BOUND, "");
    let line = |buffer: &Buffer, seen: fn(&ratatui::buffer::Cell) -> bool| {
        let cells = (0..buffer.area.height).flat_map(|y| (0..buffer.area.width).map(move |x| (x, y)));
        cells.filter(|at| seen(&buffer[*at])).collect::<Vec<_>>()
    };
    assert!(stage.text().contains('\u{250a}'), "{}", stage.text());
    let coloured = line(&stage.buffer(), |cell| cell.bg != Color::Reset);
    assert!(coloured.len() >= 8, "{coloured:?}");
    stage.theme = Theme::new(Palette::Monochrome, true);
    let plain = line(&stage.buffer(), |cell| cell.modifier.contains(Modifier::UNDERLINED));
    // Without braille fewer cells are filled, and a line stands in the others.
    assert!(plain.len() >= 8 && stage.text().contains(" : "), "{plain:?}");
    assert!(stage.text().is_ascii(), "{}", stage.text());
}

#[test]
fn what_is_selected_stays_selected_though_others_are_left_out() {
    let mut stage = marked(LARGE, BOUND, "3jj");
    for key in ["c", "c", "m", "M"] {
        stage.keys(key);
        let line = stage.selected_line();
        let gone = key == "m" && line.is_none();
        assert!(gone || line.expect("a row").contains("report-gen"), "{key}\n{}", stage.text());
    }
}

#[test]
fn the_counts_at_the_mark_are_taken_once() {
    let mut incident = Incident::new();
    let mut stage = Stage::of(&mut incident, 20, 80, 24);
    stage.keys("m");
    let taken = |stage: &Stage| std::sync::Arc::clone(selection(stage).baseline.as_ref().expect("a mark"));
    let first = taken(&stage);
    stage.sample(incident.sample());
    assert!(std::sync::Arc::ptr_eq(&first, &taken(&stage)));
    stage.keys("/state:time-wait<Enter>");
    assert!(!std::sync::Arc::ptr_eq(&first, &taken(&stage)));
}
