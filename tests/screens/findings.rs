//! What is wrong, on the overview, in its view and on its own page.

use twtop::{
    findings::{Finding, FindingId, Severity, Subject},
    model::TcpState,
    ui::{Input, Palette, Theme, view::Screen},
};

use super::{
    LARGE, SMALL, after_keys, at_height,
    incident::{Incident, REPORT},
    stage::{HEIGHT, Stage},
    traced,
};

const TINY: (u16, u16) = (60, 16);

/// Holds a screen against the one that was agreed upon.
pub(crate) fn assert_screen(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// A stage on which five things are wrong.
fn five(size: (u16, u16)) -> Stage {
    let mut stage = traced(size, HEIGHT, "");
    let told = stage.found().to_vec();
    let mut findings: Vec<Finding> = told.iter().take(4).cloned().collect();
    findings.push(Finding {
        id: FindingId::NoKeepalive,
        severity: Severity::Info,
        subject: Subject::default(),
        summary: "sshd (640) keeps 3 idle connections without keepalive, the longest for 2.5 h".to_owned(),
        filter: "pid:640 side:server lport:22 state:established".to_owned(),
        ..told[0].clone()
    });
    assert_eq!(findings.len(), 5);
    stage.find(findings);
    stage
}

#[test]
fn the_overview_says_what_is_wrong_first() {
    for (name, size) in [("60x16", TINY), ("80x24", SMALL), ("160x45", LARGE)] {
        let mut stage = five(size);
        assert_screen(&format!("findings-5-overview-{name}"), &stage.text());
        let one = stage.found()[1..2].to_vec();
        stage.find(one);
        assert_screen(&format!("findings-1-overview-{name}"), &stage.text());
        stage.find(vec![]);
        assert_screen(&format!("findings-0-overview-{name}"), &stage.text());
    }
}

#[test]
fn the_view_lists_all_of_it() {
    for (name, size) in [("60x16", TINY), ("80x24", SMALL), ("160x45", LARGE)] {
        let mut stage = five(size);
        stage.keys("6");
        assert_screen(&format!("findings-view-{name}"), &stage.text());
    }
    let mut early = Stage::of(&mut Incident::nothing(), 2, 80, 24);
    early.keys("6");
    assert!(early.text().contains("Looking for what is wrong."), "{}", early.text());
    let mut calm = at_height(SMALL);
    calm.find(vec![]);
    calm.keys("6");
    assert!(calm.text().contains("Nothing wrong found."));
}

#[test]
fn the_selected_one_is_told_whole_where_there_is_room() {
    let stage = traced(SMALL, HEIGHT, "6");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let (screen, worst) = (words(&stage.text()), &stage.found()[0]);
    assert!(screen.contains(&format!("what {}", words(&worst.summary))), "{screen}");
    assert!(screen.contains(&format!("do {}", words(&worst.advice[0]))), "{screen}");
}

#[test]
fn a_line_names_the_port_however_narrow() {
    for size in [TINY, SMALL] {
        let stage = traced(size, HEIGHT, "");
        let worst = &stage.found()[0];
        let port = format!(":{}", worst.subject.port.expect("it has one"));
        let text = stage.text();
        let line = text.lines().find(|line| line.contains("CRITICAL") || line.contains("WARNING"));
        assert!(line.is_some_and(|line| line.contains(&port)), "{text}");
    }
}

#[test]
fn what_was_there_from_the_start_is_at_least_as_old_as_it_looks() {
    let mut stage = five(SMALL);
    for keys in ["6", "1"] {
        stage.keys(keys);
        let text = stage.text();
        let worst = text.lines().find(|line| line.contains("CRITICAL")).expect("it came later");
        assert!(worst.contains(" 14s ") && !worst.contains('≥'), "{text}");
        assert!(text.contains(" ≥1m12s rep"), "{text}");
    }
    stage.theme = Theme::new(Palette::Monochrome, true);
    assert!(stage.text().contains(" >=1m12s rep"), "{}", stage.text());
}

#[test]
fn a_story_has_the_sockets_behind_it() {
    for (name, size) in [("60x16", TINY), ("80x24", SMALL), ("160x45", LARGE)] {
        assert_screen(&format!("finding-{name}"), &traced(size, HEIGHT, "6<Enter>").text());
    }
    // All of it can be read: it scrolls to its end and no further.
    let mut stage = traced(SMALL, HEIGHT, "6<Enter>G");
    assert_screen("finding-end-80x24", &stage.text());
    stage.keys("j<PgDn>");
    let end = stage.text();
    stage.keys("kj");
    assert_eq!(stage.text(), end);
    stage.keys("g");
    assert_eq!(stage.text(), traced(SMALL, HEIGHT, "6<Enter>").text());
}

#[test]
fn only_sockets_behind_the_finding_are_below_it() {
    let mut stage = at_height(LARGE);
    stage.keys("/proc:report-gen<Enter>6<Enter>");
    assert!(
        matches!(&stage.view.page().screen, Screen::Finding(key) if key.id() == FindingId::CloseWaitLeak)
    );
    let text = stage.text();
    assert!(text.contains("Sockets · 37 "), "{text}");
    stage.keys("/ state:established<Enter>");
    assert!(stage.text().contains("Nothing passes the filter."), "{}", stage.text());
}

#[test]
fn from_a_finding_to_a_socket_and_back_to_the_same_row() {
    let mut stage = traced(SMALL, HEIGHT, "6j");
    let row = stage.selected_line().expect("a row");
    stage.keys("<Enter><Tab>jj");
    let socket = stage.selected_line().expect("a socket");
    stage.keys("<Enter>");
    assert!(matches!(stage.view.page().screen, Screen::Socket(_)), "{}", stage.text());
    stage.keys("<Esc>");
    assert_eq!(stage.selected_line().as_ref(), Some(&socket));
    stage.keys("<Esc>");
    assert_eq!((stage.selected_line(), &stage.view.page().screen), (Some(row.clone()), &Screen::Findings));
    // Nor do new samples and another order lose it.
    stage.keys("sS");
    assert_eq!(stage.selected_line().map(|line| line.trim().to_owned()), Some(row.trim().to_owned()));
}

#[test]
fn a_finding_can_be_opened_on_the_overview() {
    let mut stage = traced(SMALL, HEIGHT, "<Tab><Tab>j<Enter>");
    assert!(matches!(stage.view.page().screen, Screen::Finding(_)), "{}", stage.text());
    stage.keys("<Esc>");
    assert_eq!(stage.view.page().screen, Screen::Overview);
    assert!(stage.selected_line().expect("a row").contains(":8080"));
    // With nothing left to be found the focus goes to where it was at first.
    stage.find(vec![]);
    assert!(stage.text().contains("▶ Processes"), "{}", stage.text());
}

#[test]
fn a_page_says_since_when_its_finding_no_longer_holds() {
    let mut incident = Incident::new();
    let mut stage = Stage::of(&mut incident, HEIGHT, 80, 24);
    stage.keys("/proc:report-gen<Enter>6<Enter>");
    assert!(stage.text().contains("does not close 37 connections"), "{}", stage.text());
    incident.end(REPORT);
    // It is given up after ten seconds without it.
    (0..9).for_each(|_| stage.sample(incident.sample()));
    assert!(!stage.text().contains("no longer holds"), "{}", stage.text());
    (0..6).for_each(|_| stage.sample(incident.sample()));
    assert_screen("finding-ended-80x24", &stage.text());
    assert!(stage.text().contains("does not close 37 connections"), "what was told last stays");
    stage.keys("<Esc>");
    assert_eq!(stage.selected_line(), None, "its row is gone, and no other is taken for it");
}

#[test]
fn a_held_picture_holds_its_findings() {
    let mut incident = Incident::new();
    let mut stage = Stage::of(&mut incident, HEIGHT, 80, 24);
    stage.keys("6p");
    let held = stage.text();
    incident.end(REPORT);
    (0..15).for_each(|_| stage.sample(incident.sample()));
    let rows = |text: &str| text.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(rows(&stage.text()), rows(&held));
    stage.keys("p");
    assert!(!stage.text().contains("does not close"), "{}", stage.text());
}

#[test]
fn what_ended_while_the_picture_was_held_ended_at_some_time() {
    let mut incident = Incident::new();
    let mut stage = Stage::of(&mut incident, HEIGHT, 80, 24);
    stage.keys("/proc:report-gen<Enter>6<Enter>p");
    incident.end(REPORT);
    (0..15).for_each(|_| stage.sample(incident.sample()));
    assert!(!stage.text().contains("no longer holds"), "{}", stage.text());
    stage.keys("p");
    let text = stage.text();
    assert!(text.contains("It no longer holds: it ended between 09:31:04 and 09:31:19."), "{text}");
}

#[test]
fn a_filter_keeps_the_findings_that_concern_it() {
    let mut stage = at_height(SMALL);
    stage.keys("6/state:close-wait<Enter>");
    let text = stage.text();
    assert!(text.contains("Findings · 1 warning ") && text.contains("does not close 37"), "{text}");
    stage.keys("/<C-u>state:listen<Enter>");
    assert!(stage.text().contains("Nothing passes the filter."), "{}", stage.text());
    stage.keys("1");
    let text = stage.text();
    assert!(text.contains("with what the filter keeps; 3 findings about the rest."), "{text}");
}

#[test]
fn connections_that_left_nothing_behind_are_found_by_whose_they_were() {
    let mut stage = at_height(SMALL);
    let mut resets = stage.found()[0].clone();
    resets.id = FindingId::ResetChurn;
    resets.subject =
        stage.found().iter().find(|f| f.id == FindingId::CloseWaitLeak).expect("told").subject.clone();
    resets.filter = "pid:5202 rport:8080 state:last-ack".to_owned();
    stage.find(vec![resets]);
    stage.keys("6/proc:report-gen<Enter>");
    assert!(stage.text().contains("Findings · 1 warning "), "{}", stage.text());
    stage.keys("/<C-u>proc:nginx<Enter>");
    assert!(stage.text().contains("Nothing passes the filter."), "{}", stage.text());
}

#[test]
fn pages_list_what_is_wrong_with_them() {
    let finding = |stage: &Stage| {
        let text = stage.text();
        text.lines().filter(|line| line.contains("finding  ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let process = after_keys(SMALL, "/pid:5202<Enter><Enter>");
    assert_eq!(finding(&process).len(), 2, "{}", process.text());
    assert!(
        finding(&process)[0].starts_with("finding    WARNING report-gen does not close 37 connections"),
        "{:?}",
        finding(&process)
    );
    let peer = after_keys(SMALL, "4/rport:8080<Enter><Enter>");
    assert_eq!(finding(&peer).len(), 1, "{}", peer.text());
    let socket = after_keys(SMALL, "2<Enter>");
    assert_eq!(finding(&socket).len(), 1, "{}", socket.text());
    let innocent = after_keys(SMALL, "/proc:nginx<Enter><Enter>");
    assert_eq!(finding(&innocent).len(), 0, "{}", innocent.text());
}

#[test]
fn the_table_of_findings_can_be_sorted() {
    let mut stage = five(LARGE);
    stage.keys("6");
    let first = |stage: &Stage| stage.selected_line().expect("a row").trim().to_owned();
    assert!(first(&stage).starts_with("CRITICAL"));
    stage.keys("S");
    assert!(first(&stage).starts_with("info"), "{}", stage.text());
    stage.keys("sss");
    let text = stage.text();
    assert!(text.contains("PEER▲") && first(&stage).contains("10.0.3.9"), "{text}");
}

#[test]
fn how_bad_it_is_is_told_without_colour() {
    let mut stage = five(SMALL);
    stage.theme = Theme::new(Palette::Monochrome, true);
    for keys in ["", "6", "<Enter>", "<Enter>G"] {
        stage.keys(keys);
        let text = stage.text();
        assert!(text.is_ascii() && text.contains("CRITICAL"), "{text}");
    }
    stage.keys("6G");
    assert!(stage.text().contains("WARNING") && stage.text().contains("info"), "{}", stage.text());
}

#[test]
fn a_finding_about_the_host_has_no_sockets_below_it() {
    let mut stage = at_height(SMALL);
    let host = Finding { filter: String::new(), subject: Subject::default(), ..stage.found()[0].clone() };
    stage.find(vec![host]);
    stage.keys("6<Enter>");
    assert!(!stage.text().contains("Sockets"), "{}", stage.text());
    // It concerns whatever the filter keeps.
    stage.keys("6/state:listen<Enter>");
    assert!(stage.text().contains("Findings · 1 warning "), "{}", stage.text());
}

#[test]
fn findings_can_be_drawn_at_every_size() {
    let mut stage = five(SMALL);
    for (page, keys) in ["", "6", "6<Enter>", "<Tab>", "z"].into_iter().enumerate() {
        stage.keys(keys);
        for (i, width) in (60..=200).step_by(7).enumerate() {
            // Not every height at every width, but every one at some width of every page.
            for height in (16..=60).step_by(3).skip((i + page) % 4).step_by(4) {
                stage.input(Input::Resized(width, height));
                let text = stage.text();
                assert!(text.contains("CRITICAL") || keys == "z", "{width}x{height} {keys}\n{text}");
                let wide =
                    text.lines().find(|line| unicode_width::UnicodeWidthStr::width(*line) > width.into());
                assert_eq!(wide, None, "{width}x{height} {keys}");
                let all = TcpState::ALL.into_iter().all(|state| text.contains(state.name()));
                assert!(!keys.is_empty() || height < 20 || width < 76 || all, "{width}x{height}\n{text}");
            }
        }
    }
}
