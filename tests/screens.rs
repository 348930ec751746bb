//! The `screens` tier: what the screen shows, cell by cell, of a scripted incident.
//!
//! `TWTOP_UPDATE=1` writes the pictures under `screenshots/` anew; it needs `rsvg-convert` (Debian: `librsvg2-bin` and
//! `fonts-dejavu-core`).

#[path = "screens/crowd.rs"]
mod crowd;
#[path = "screens/drill.rs"]
mod drill;
#[path = "screens/findings.rs"]
mod findings;
#[path = "screens/incident.rs"]
mod incident;
#[path = "screens/kernel.rs"]
mod kernel;
#[path = "screens/mark.rs"]
mod mark;
#[path = "screens/packed.rs"]
mod packed;
#[path = "screens/past.rs"]
mod past;
#[path = "screens/pictures.rs"]
mod pictures;
#[path = "support/recording.rs"]
mod recording;
#[path = "screens/sizes.rs"]
mod sizes;
#[path = "screens/stage.rs"]
mod stage;
#[path = "screens/time.rs"]
mod time;
#[path = "screens/told.rs"]
mod told;
#[path = "screens/typed.rs"]
mod typed;
#[path = "screens/words.rs"]
mod words;

use std::sync::Arc;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use incident::{Incident, REPORT, stamp};
use insta::assert_snapshot;
use ratatui::style::Color;
use stage::{HEIGHT, Stage};
use twtop::{
    model::TcpState,
    ui::{
        Effect, Input, Link, Message, Palette, Settings, Theme, keymap::Keymap, settings::Listed,
        view::Screen,
    },
};

const SMALL: (u16, u16) = (80, 24);
const LARGE: (u16, u16) = (160, 45);

fn at_height((width, height): (u16, u16)) -> Stage {
    Stage::at_height(width, height)
}

fn after_keys(size: (u16, u16), keys: &str) -> Stage {
    let mut stage = at_height(size);
    stage.keys(keys);
    stage
}

#[test]
fn overview() {
    assert_snapshot!("overview-80x24", at_height(SMALL).text());
    assert_snapshot!("overview-160x45", at_height(LARGE).text());
    assert_snapshot!("overview-60x16", at_height((60, 16)).text());
    assert_snapshot!("overview-120x40", at_height((120, 40)).text());
}

#[test]
fn charts() {
    let huge = (200, 60);
    assert_snapshot!("overview-200x60", at_height(huge).text());
    assert_snapshot!("process-120x40", after_keys((120, 40), "<Enter>").text());
    assert_snapshot!("process-200x60", traced(huge, HEIGHT, "<Enter>").text());
    assert_snapshot!("process-60x16", after_keys((60, 16), "<Enter>").text());
    for size in [(60, 16), (120, 40), LARGE, huge] {
        let (width, height) = size;
        assert_snapshot!(format!("peer-{width}x{height}"), traced(size, HEIGHT, "4<Enter>").text());
    }
    for size in [(60, 16), SMALL, (120, 40), huge] {
        let (width, height) = size;
        assert_snapshot!(format!("ports-{width}x{height}"), after_keys(size, "5").text());
    }
}

#[test]
fn first_sample_already_draws_the_last_minute() {
    assert_snapshot!("first-sample-80x24", Stage::after(1, 80, 24).text());
}

#[test]
fn before_the_first_sample() {
    let mut stage = Stage::new(80, 24);
    assert!(stage.text().contains("Taking the first sample."));
    stage.trouble = Some("sock_diag: Operation not permitted");
    assert!(stage.text().contains("No sample yet: sock_diag: Operation not permitted"));
}

#[test]
fn sockets() {
    assert_snapshot!("sockets-80x24", after_keys(SMALL, "2").text());
    assert_snapshot!("sockets-160x45", after_keys(LARGE, "2").text());
}

#[test]
fn other_views() {
    assert_snapshot!("processes-160x45", after_keys(LARGE, "3").text());
    assert_snapshot!("peers-80x24", after_keys(SMALL, "4").text());
    assert_snapshot!("ports-160x45", after_keys(LARGE, "5").text());
}

#[test]
fn a_closer_look_at_a_process() {
    assert_snapshot!("process-80x24", after_keys(SMALL, "<Enter>").text());
    assert_snapshot!("process-160x45", after_keys(LARGE, "<Enter>").text());
}

#[test]
fn a_closer_look_at_a_peer_and_a_socket() {
    assert_snapshot!("peer-80x24", after_keys(SMALL, "<Tab><Enter>").text());
    assert_snapshot!("socket-80x24", after_keys(SMALL, "2<Enter>").text());
    assert_snapshot!(
        "time-wait-80x24",
        after_keys(SMALL, "/state:time-wait proc:nginx<Enter>2<Enter>").text()
    );
}

/// A stage on which the tracepoint tells as well.
fn traced((width, height): (u16, u16), seconds: u32, keys: &str) -> Stage {
    let mut stage = match seconds {
        HEIGHT => Stage::traced_at_height(width, height),
        seconds => Stage::of(&mut Incident::traced(), seconds, width, height),
    };
    stage.keys(keys);
    stage
}

#[test]
fn the_trace_is_reconciled_with_the_counter() {
    assert_snapshot!("traced-overview-80x24", traced(SMALL, HEIGHT, "").text());
    assert_snapshot!("traced-overview-160x45", traced(LARGE, HEIGHT, "").text());
    assert_snapshot!("traced-processes-160x45", traced(LARGE, HEIGHT, "3").text());
    assert_snapshot!("traced-processes-80x24", traced(SMALL, HEIGHT, "3").text());
    assert_snapshot!("traced-peers-160x45", traced(LARGE, HEIGHT, "4").text());
    assert_snapshot!("traced-sockets-160x45", traced(LARGE, HEIGHT, "2").text());
    let early = traced(SMALL, 15, "3").text();
    assert!(early.contains(", exact in 48s"), "{early}");
    let early = traced(LARGE, 15, "3").text();
    assert!(early.contains("TIME_WAITs since start; exact in 48s"), "{early}");
}

#[test]
fn what_the_trace_told_is_drawn_in_ascii_as_well() {
    let mut stage = traced(SMALL, HEIGHT, "<Enter>");
    stage.theme = Theme::new(Palette::Monochrome, true);
    let text = stage.text();
    assert!(text.is_ascii() && text.contains("512us _"), "{text}");
    stage.keys("5");
    assert!(stage.text().is_ascii(), "{}", stage.text());
}

#[test]
fn a_process_that_only_the_trace_saw_has_a_page() {
    let text = traced(SMALL, HEIGHT, "3G<Enter>").text();
    assert!(text.contains("─ nginx 813 ─"), "{text}");
    assert!(text.contains("0 of 3,586 sockets; opens 1.0/s, closes 1.0/s"), "{text}");
    assert!(text.contains("p50 "), "{text}");
}

#[test]
fn failed_calls_are_shown_below_the_ports_and_on_the_page_of_who_calls() {
    assert_snapshot!("traced-ports-80x24", traced(SMALL, HEIGHT, "5").text());
    assert_snapshot!("traced-ports-160x45", traced(LARGE, HEIGHT, "5").text());
    assert_snapshot!("traced-process-80x24", traced(SMALL, HEIGHT, "<Enter>").text());
    assert_snapshot!("traced-process-160x45", traced(LARGE, HEIGHT, "<Enter>").text());
    assert_snapshot!("traced-peer-80x24", traced(SMALL, HEIGHT, "<Tab><Enter>").text());
}

#[test]
fn failed_calls_are_a_table_that_sorts_opens_and_obeys_the_filter() {
    let mut stage = traced(SMALL, HEIGHT, "5<Tab>");
    assert!(stage.text().contains("▶ Failed connect() calls"), "{}", stage.text());
    assert!(stage.selected_line().expect("a row").contains("report-gen 5202"));
    stage.keys("j");
    assert!(stage.selected_line().expect("a row").contains("app.py 4711"));
    for title in ["PROCESS▲", "FROM▲", "TO▲", "FAIL/s▼", "NO PORT▼", "OTHER▼"] {
        stage.keys("s");
        assert!(stage.text().contains(title.trim_end_matches(['▼', '▲'])), "{title}\n{}", stage.text());
        assert!(stage.selected_line().expect("a row").contains("app.py 4711"), "{title}");
    }
    stage.keys("<Enter>");
    assert!(stage.text().contains("process 4711"), "{}", stage.text());
    stage.keys("<Esc>");
    assert!(stage.selected_line().expect("a row").contains("app.py 4711"));
    stage.keys("/proc:report<Enter>");
    let text = stage.text();
    let failed = text.split("Failed connect() calls").nth(1).expect("the list");
    assert!(failed.contains("report-gen 5202") && !failed.contains("4711"), "{text}");
    stage.keys("/<C-u>state:listen<Enter>");
    assert!(!stage.text().contains("Failed connect() calls"), "{}", stage.text());
}

#[test]
fn every_table_sorts_by_each_of_its_columns_and_keeps_the_row() {
    // A view, and a row of it that is not the first.
    for keys in ["2jjj", "3j", "4j", "5j", "6j"] {
        let mut stage = traced(LARGE, HEIGHT, keys);
        let chosen = stage.selected_line().map(|line| line.trim().to_owned());
        assert!(chosen.is_some(), "{keys}");
        let mut sorted = 0;
        for _ in 0..40 {
            stage.keys("s");
            let text = stage.text();
            let selected = stage.selected_line().map(|line| line.trim().to_owned());
            assert_eq!(selected, chosen, "{keys}\n{text}");
            if text.contains("the worst first") {
                break;
            }
            assert!(text.contains('▼') || text.contains('▲'), "{keys}\n{text}");
            stage.keys("SS");
            sorted += 1;
        }
        assert!(sorted > 5, "{keys}: {sorted}");
    }
    let stage = after_keys(SMALL, "<Tab><Tab><Tab>s");
    assert!(stage.text().contains("States keep their places"), "{}", stage.text());
}

#[test]
fn a_key_says_why() {
    assert_snapshot!("traced-why-process-80x24", traced(SMALL, HEIGHT, "w").text());
    assert_snapshot!("why-peer-80x24", after_keys(SMALL, "<Tab>w").text());
    let time_wait = "/state:time-wait proc:python3<Enter>2w";
    assert_snapshot!("traced-why-socket-80x24", traced(SMALL, HEIGHT, time_wait).text());
    let unknown = after_keys(SMALL, "/evidence:too-short<Enter>2w");
    assert_snapshot!("why-unknown-80x24", unknown.text());
    // Esc leads back to where it was asked.
    let mut stage = traced(SMALL, HEIGHT, "3w");
    assert!(stage.text().contains("Why: python3 app.py 4711"), "{}", stage.text());
    stage.keys("<Esc>");
    assert!(stage.text().contains("Processes"), "{}", stage.text());
    // A state has no owner to be sure of.
    let mut stage = at_height(SMALL);
    stage.keys("<Tab><Tab><Tab>w");
    assert!(stage.text().contains("Select a process, a peer or a socket"), "{}", stage.text());
}

#[test]
fn help() {
    assert_snapshot!("help-80x24", after_keys(SMALL, "?").text());
    assert_snapshot!("help-160x45", after_keys(LARGE, "?").text());
    let end = after_keys(SMALL, "?<End>").text();
    assert!(end.contains("unknown"), "{end}");
    assert!(matches!(after_keys(SMALL, "?q").effects.as_slice(), [Effect::Quit]));
}

#[test]
fn a_filter_says_what_is_wrong_where_it_is_wrong() {
    let mut stage = after_keys(SMALL, "/port:44x");
    assert_snapshot!("filter-error-80x24", stage.text());
    // Enter does not accept it, and q is a letter.
    stage.keys("<Enter>q");
    assert!(stage.text().contains("/port:44xq"));
    assert!(stage.effects.is_empty());
    stage.keys("<Esc>");
    assert!(!stage.text().contains("port:44"));
}

#[test]
fn a_filter_holds_in_every_pane_and_escape_clears_it() {
    let mut stage = after_keys(SMALL, "/state:close-wait<Enter>");
    assert_snapshot!("filtered-80x24", stage.text());
    stage.keys("2");
    assert!(stage.text().contains("Sockets · 37 "));
    stage.keys("1<Esc>");
    assert!(stage.text().contains("States · 3,586 sockets"), "{}", stage.text());
}

#[test]
fn a_state_becomes_the_filter() {
    let mut stage = at_height(SMALL);
    stage.keys("<Tab><Tab><Tab>");
    assert!(stage.text().contains("▶ States"));
    stage.keys("j<Enter>");
    assert!(stage.text().contains("filter  state:close-wait"), "{}", stage.text());
    stage.keys("<Enter>");
    assert!(!stage.text().contains("filter  state"), "{}", stage.text());
}

#[test]
fn a_held_picture_does_not_move() {
    let mut incident = Incident::new();
    let mut stage = Stage::of(&mut incident, HEIGHT, 80, 24);
    let live = stage.text();
    stage.keys("p");
    for _ in 0..8 {
        stage.sample(incident.sample());
    }
    let held = stage.text();
    assert_snapshot!("paused-80x24", held);
    let curves = |text: &str| -> Vec<String> {
        // But for the cursor, where there is nothing to highlight.
        let curve =
            |line: &str| line.chars().skip(36).collect::<String>().replace('│', " ").trim_end().to_owned();
        text.lines().skip(2).take(10).map(curve).collect()
    };
    assert_eq!(curves(&held), curves(&live));
    stage.keys(" ");
    assert!(!stage.text().contains("HELD"));
    assert_ne!(curves(&stage.text()), curves(&live));
}

#[test]
fn without_root_it_says_what_is_missing_and_how_to_get_it() {
    let mut incident = Incident::new();
    incident.root = false;
    let mut stage = Stage::of(&mut incident, HEIGHT, 80, 24);
    assert_snapshot!("no-root-80x24", stage.text());
    stage.keys("?");
    assert!(stage.text().contains("cap_sys_ptrace,cap_dac_read_search+ep /usr/bin/twtop"));
    stage.keys("?");
    stage.input(Input::Resized(160, 45));
    assert_snapshot!("no-root-160x45", stage.text());
}

#[test]
fn an_old_picture_says_so() {
    let mut stage = at_height(SMALL);
    stage.now = Some(stamp(HEIGHT + 2));
    assert!(!stage.text().contains("STALE"));
    stage.now = Some(stamp(HEIGHT + 11));
    stage.trouble = Some("sock_diag: refused");
    assert_snapshot!("stale-80x24", stage.text());
}

#[test]
fn a_slow_link_is_told_and_what_it_carries_only_where_that_is_asked() {
    let mut stage = at_height(LARGE);
    let usual = stage.text();
    stage.link = Link { slow: false, bytes_per_s: Some(1234) };
    assert_eq!(stage.text(), usual, "a figure that changes with every frame would itself be traffic");
    stage.keys("?");
    assert!(stage.text().contains(" link 1.2 KiB/s "), "{}", stage.text());
    stage.keys("?");
    stage.link.slow = true;
    assert!(stage.text().contains(" every 1.0s, slow "), "{}", stage.text());
}

#[test]
fn an_empty_host_is_calm() {
    let mut incident = Incident::nothing();
    incident.quiet = true;
    let stage = Stage::of(&mut incident, 3, 80, 24);
    assert_snapshot!("empty-80x24", stage.text());
}

#[test]
fn faults_and_broken_dumps_are_shown() {
    let mut incident = Incident::new();
    let mut stage = Stage::of(&mut incident, 5, 160, 45);
    let mut sample = incident.sample();
    sample.complete = false;
    sample.faults.push(twtop::model::Fault {
        place: "sock_diag".into(),
        kind: twtop::model::FaultKind::Overrun,
        count: 3,
    });
    stage.sample(sample);
    let text = stage.text();
    assert!(text.contains("! The dump broke off: counts are too low. sock_diag: messages dropped"), "{text}");
    assert!(text.contains("(3 times)"), "{text}");
}

#[test]
fn figures_of_another_page_are_never_shown_under_a_title() {
    let mut stage = at_height(SMALL);
    stage.slow = true;
    stage.keys("<Enter>");
    let text = stage.text();
    assert!(text.contains("process 4711") && text.contains("Counting."), "{text}");
    assert!(!text.contains("3,586"), "{text}");
    stage.slow = false;
    stage.input(Input::Refreshed);
    stage.keys("<Esc>");
    assert!(stage.text().contains("3,586"));
}

#[test]
fn a_selection_follows_what_it_is_about() {
    let mut incident = Incident::new();
    let mut stage = Stage::of(&mut incident, HEIGHT, 80, 24);
    stage.keys("jj");
    assert!(stage.selected_line().expect("a row").contains("report-gen"));
    // By name, downwards: report-gen is now another row.
    stage.keys("s");
    stage.keys("s");
    assert!(stage.selected_line().expect("a row").contains("report-gen"));
    stage.keys("S");
    assert!(stage.selected_line().expect("a row").contains("report-gen"));
    for _ in 0..20 {
        stage.sample(incident.sample());
    }
    assert!(stage.selected_line().expect("a row").contains("report-gen"));
}

#[test]
fn a_row_that_is_gone_is_not_taken_for_its_neighbour() {
    let mut incident = Incident::new();
    let mut stage = Stage::of(&mut incident, HEIGHT, 80, 24);
    stage.keys("jj");
    incident.end(REPORT);
    // Its closes are still news in the sample that misses its sockets.
    stage.sample(incident.sample());
    stage.sample(incident.sample());
    assert_eq!(stage.selected_line(), None);
    stage.keys("<Enter>");
    assert_eq!(stage.view.page().screen, Screen::Overview);
    assert!(stage.text().contains("That row is gone."));
    stage.keys("j");
    assert!(stage.selected_line().is_some());
}

#[test]
fn until_somebody_moves_the_first_row_is_selected() {
    let mut incident = Incident::new();
    let mut stage = Stage::of(&mut incident, 1, 80, 24);
    // The web server has the most sockets but for what nobody is known to own.
    assert!(stage.selected_line().expect("a row").contains("nginx"));
    for _ in 1..HEIGHT {
        stage.sample(incident.sample());
    }
    assert!(stage.selected_line().expect("a row").contains("app.py"));
    // Who has moved keeps the row; who goes to the top stays there.
    stage.keys("j");
    stage.keys("S");
    assert!(stage.selected_line().expect("a row").contains("nginx"));
    stage.keys("gS");
    assert!(stage.selected_line().expect("a row").contains("app.py"));
}

#[test]
fn candidates_are_neither_denied_nor_taken_for_owners() {
    let mut incident = Incident::new();
    incident.shared = true;
    let mut stage = Stage::of(&mut incident, HEIGHT, 80, 24);
    stage.keys("z");
    let text = stage.text();
    assert!(text.contains("TW?"), "{text}");
    let worker = text.lines().find(|line| line.contains("   813 nginx")).expect("a candidate has a row");
    assert!(worker.contains("    0     61"), "{worker}");
    stage.keys("zj<Enter>");
    assert_snapshot!("candidate-80x24", stage.text());
    stage.input(Input::Resized(160, 45));
    let text = stage.text();
    assert!(text.contains("183 seen for sure, up to 61 shared with 813"), "{text}");
    assert!(text.contains("198.51.100.7→:443?") && text.contains("nginx? +1"), "{text}");
}

#[test]
fn growth_is_seen_through_a_filter_too() {
    let mut incident = Incident::new();
    let mut stage = Stage::of(&mut incident, HEIGHT, 80, 24);
    stage.keys("/state:close-wait<Enter>");
    let line = |stage: &Stage| {
        let text = stage.text();
        text.lines().find(|line| line.starts_with("CLOSE_WAIT")).expect("a state").to_owned()
    };
    assert!(!line(&stage).contains("/s"), "{}", line(&stage));
    (0..7).for_each(|_| stage.sample(incident.sample()));
    assert!(line(&stage).contains("+0.5/s"), "{}", line(&stage));
    // Another filter has another past.
    stage.keys("/<C-u>state:close-wait proc:report<Enter>");
    assert!(!line(&stage).contains("/s"), "{}", line(&stage));
}

#[test]
fn the_ports_in_use_are_those_of_the_host_whatever_is_filtered() {
    let mut stage = at_height(SMALL);
    // Of the ports that others use it is not known whether the worst destination can have them.
    assert!(stage.text().contains("Ports · 3,171 of 28,222") && stage.text().contains("25,051 left"));
    stage.keys("/port:5432 state:established<Enter>");
    assert!(stage.text().contains("Ports · 3,171 of 28,222") && stage.text().contains("25,051 left"));
    // Without any, it is the whole range that is left.
    stage.keys("/<C-u>state:listen<Enter>");
    assert!(stage.text().contains("Ports · 3,171 of 28,222") && stage.text().contains("25,051 left"));
}

#[test]
fn what_piles_up_is_said_with_since_when_and_whose() {
    let mut stage = at_height(SMALL);
    stage.find(vec![]);
    let first = stage.text().lines().nth(1).expect("a line").to_owned();
    assert!(first.starts_with(" TIME_WAIT 3,232 · +44/s since 09:30:"), "{first}");
    assert!(first.contains("mostly →10.0.3.9:5432 · app.py 4711"), "{first}");
    let mut stage = Stage::after(20, 80, 24);
    stage.find(vec![]);
    let calm = stage.text();
    assert!(!calm.contains("since") && calm.contains("\n Nothing wrong found.\n"), "{calm}");
}

fn press(stage: &mut Stage, code: KeyCode) {
    stage.input(Input::Key(KeyEvent::new(code, KeyModifiers::NONE)));
}

#[test]
fn the_keys_of_other_programs_do_what_they_do_there() {
    let mut stage = at_height(SMALL);
    press(&mut stage, KeyCode::Right);
    press(&mut stage, KeyCode::F(6));
    stage.keys(">>");
    assert!(stage.text().contains("Sorted by TW, the greatest first."), "{}", stage.text());
    press(&mut stage, KeyCode::Left);
    stage.keys("<<");
    assert!(stage.text().contains("Sorted by PID, the least first."), "{}", stage.text());
    stage.keys("<");
    assert!(stage.text().contains("Sorted as at first"), "{}", stage.text());
    for code in [KeyCode::Char('f'), KeyCode::F(3), KeyCode::F(4)] {
        press(&mut stage, code);
        stage.keys("port:1");
        assert!(stage.text().contains("/port:1"), "{}", stage.text());
        stage.keys("<Esc>");
    }
    press(&mut stage, KeyCode::F(10));
    assert!(matches!(stage.effects.last(), Some(Effect::Quit)));
}

#[test]
fn a_tab_shows_its_view_and_tells_what_was_entered() {
    let mut stage = at_height((120, 40));
    stage.click("4 peers");
    assert!(stage.text().contains("▶ Peers"), "{}", stage.text());
    let places = |stage: &Stage| stage.text().lines().next().and_then(|line| line.find("7 kernel"));
    let place = places(&stage);
    stage.find(vec![]);
    assert_eq!(places(&stage), place, "{}", stage.text());
    // Too narrow for both: the way alone.
    stage.keys("<Enter>");
    assert!(stage.text().contains("peers → peer") && !stage.text().contains("7 kernel"), "{}", stage.text());
    stage.input(Input::Resized(160, 45));
    assert!(stage.text().contains("4 peers → peer") && stage.text().contains("7 kernel"), "{}", stage.text());
    stage.click("6 findings");
    assert!(stage.text().contains("▶ Findings"), "{}", stage.text());
    stage.link.bytes_per_s = Some(2_048);
    stage.input(Input::Resized(120, 40));
    stage.keys("?");
    assert!(
        stage.text().contains(" link 2.0 KiB/s ") && !stage.text().contains("7 kernel "),
        "{}",
        stage.text()
    );
}

#[test]
fn sockets_stand_in_the_order_of_their_age_and_port() {
    let column = |keys, title| -> Vec<String> {
        let text = after_keys((160, 45), keys).text();
        let lines: Vec<&str> = text.lines().collect();
        let (y, at) =
            lines.iter().enumerate().find_map(|(y, line)| Some((y, line.find(title)?))).expect("a title");
        let at = lines[y][..at].chars().count();
        let cell = |line: &&str| line.chars().skip(at).take_while(|c| !c.is_whitespace()).collect::<String>();
        lines[y + 1..].iter().take(20).map(cell).collect()
    };
    let ports = column("2/state:established rport:5432<Enter>", "LOCAL");
    assert!(ports.len() == 20 && ports.is_sorted(), "{ports:?}");
}

#[test]
fn a_key_without_a_meaning_says_so() {
    let mut stage = after_keys(SMALL, "n");
    assert!(stage.text().contains("No such key: n (? for help)"));
    stage.keys("t");
    assert!(stage.text().contains("There is no tree; Enter opens a process."));
    stage.keys("<Home>");
    assert!(stage.text().contains("This is live; g goes to the first row."));
    press(&mut stage, KeyCode::F(12));
    assert!(stage.text().contains("No such key: F12"));
    stage.keys("j");
    assert!(!stage.text().contains("No such key"));
}

#[test]
fn a_set_filter_can_be_added_to() {
    let stage = after_keys(SMALL, "/state:close-wait<Enter>/proc:x");
    assert!(stage.text().contains("/state:close-wait proc:x"));
}

#[test]
fn escape_comes_back_to_the_same_row() {
    let mut stage = after_keys(SMALL, "j<Enter>");
    assert!(stage.text().contains("process 812"));
    assert!(stage.effects.iter().any(|effect| matches!(effect, Effect::Inspect(key) if key.pid == 812)));
    stage.keys("<Esc>");
    assert!(stage.selected_line().expect("a row").contains("nginx"));
    assert!(stage.effects.iter().any(|effect| matches!(effect, Effect::StopInspecting)));
}

#[test]
fn keys_ask_for_what_only_the_wiring_can_do() {
    let stage = after_keys(SMALL, "<C-z><C-l>esq");
    let [first, second, third, fourth] = stage.effects.as_slice() else { panic!("{:?}", stage.effects) };
    assert!(matches!(first, Effect::Suspend));
    assert!(matches!(second, Effect::Redraw));
    assert!(
        matches!(third, Effect::Export(request) if request.look.moment.sample.number == u64::from(HEIGHT) - 1)
    );
    assert!(matches!(fourth, Effect::Quit));
}

#[test]
fn the_outcome_of_an_export_is_told_until_the_next_key() {
    let mut stage = at_height(SMALL);
    let text = "Wrote 3,586 sockets to twtop-2026.csv".to_owned();
    stage.input(Input::Notice(Message { text, failure: false }));
    assert!(stage.text().contains("Wrote 3,586 sockets to twtop-2026.csv"));
    stage.keys("j");
    assert!(!stage.text().contains("Wrote"));
}

#[test]
fn pasted_text_is_never_a_command() {
    let mut stage = at_height(SMALL);
    stage.input(Input::Paste("q\n2".into()));
    assert!(stage.effects.is_empty());
    stage.keys("/");
    stage.input(Input::Paste("port:\n443\x1b".into()));
    assert!(stage.text().contains("/port:443"));
}

#[test]
fn scrolling_reaches_the_end_and_keeps_the_cursor_in_sight() {
    let mut stage = after_keys(SMALL, "2G");
    assert!(stage.selected_line().expect("a row").contains("BOUND_INACTIVE"));
    stage.keys("<C-u><PgDn>");
    assert!(stage.selected_line().expect("a row").contains("BOUND_INACTIVE"));
    stage.keys("g");
    assert!(stage.selected_line().expect("a row").contains("CLOSE_WAIT"));
}

#[test]
fn a_click_selects_the_row_under_it() {
    let mut stage = at_height(SMALL);
    let click = |column, row| {
        let kind = MouseEventKind::Down(MouseButton::Left);
        Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
    };
    let text = stage.text();
    let row = text.lines().position(|line| line.contains("→10.0.4.20:8080")).expect("a peer");
    stage.input(click(60, u16::try_from(row).expect("on the screen")));
    assert!(stage.selected_line().expect("a row").contains("→10.0.4.20:8080"));
    // A title gives the focus and selects nothing else; what is no table does nothing.
    stage.input(click(10, 16));
    assert!(stage.selected_line().expect("a row").contains("app.py"));
    stage.input(click(60, 14));
    assert!(stage.selected_line().expect("a row").contains("app.py"));
}

#[test]
fn sorting_goes_through_the_columns_that_are_seen() {
    let mut stage = at_height(SMALL);
    stage.keys("ssss");
    let text = stage.text();
    assert!(text.contains("TW▼") && text.contains("Sorted by TW, the greatest first."), "{text}");
    stage.keys("s");
    // Nobody has moved: the first row is selected, whatever it is.
    assert!(stage.selected_line().expect("a row").contains("report-gen"));
    assert!(stage.text().contains("CW▼"));
    stage.keys("ss");
    assert!(stage.text().contains("the worst first"), "{}", stage.text());
}

#[test]
fn a_pane_can_have_the_whole_screen() {
    let mut stage = after_keys(SMALL, "z");
    assert!(!stage.text().contains("States"));
    assert!(stage.text().contains("▶ Processes"));
    stage.keys("<Esc>");
    assert!(stage.text().contains("States"));
}

#[test]
fn hostile_names_reach_no_screen_raw() {
    for size in [SMALL, LARGE] {
        for keys in ["", "3", "3G<Enter>", "3Gw", "2/pid:7007<Enter>", "2/pid:7007<Enter><Enter>", "4"] {
            let text = after_keys(size, keys).text();
            let raw = text.chars().find(|c| (c.is_control() && *c != '\n') || *c == '\u{202e}');
            assert_eq!(raw, None, "{keys}\n{text}");
        }
    }
    assert!(after_keys(LARGE, "3").text().contains("evil\\x1b[2J"));
}

#[test]
fn every_state_has_its_colour_and_its_name() {
    let buffer = at_height(SMALL).buffer();
    assert_eq!(buffer[(0, 4)].fg, Color::Yellow);
    let text = at_height(SMALL).text();
    for state in TcpState::ALL {
        assert!(text.contains(state.name()), "{}", state.name());
    }
}

#[test]
fn monochrome_and_ascii_are_both_kept() {
    let mut stage = at_height(SMALL);
    stage.theme = Theme::new(Palette::Monochrome, true);
    assert_snapshot!("ascii-80x24", stage.text());
    for keys in ["", "<Enter>", "2", "5", "6", "6<Enter>", "7", "?", "/port:44x"] {
        stage.keys(keys);
        let buffer = stage.buffer();
        for cell in &buffer.content {
            assert!(cell.symbol().is_ascii(), "{keys}: {:?}", cell.symbol());
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
        }
        stage.keys("<Esc>");
    }
}

#[test]
fn every_size_can_be_drawn() {
    let mut incident = Incident::traced();
    incident.root = false;
    let mut stage = Stage::of(&mut incident, 6, 80, 24);
    for (page, keys) in [
        "",
        "<Enter>",
        "1w",
        "2",
        "2<Enter>",
        "4<Enter>",
        "4w",
        "5",
        "6",
        "6<Enter>",
        "7",
        "1[[",
        "m<Home>",
        "c",
        "cM1z",
        "z/port:44x",
        "<Esc>?",
    ]
    .into_iter()
    .enumerate()
    {
        stage.keys(keys);
        for (i, width) in (1..=200).step_by(9).chain([59, 60, 61, 75, 76, 119, 120]).enumerate() {
            // Not every height at every width, but every one at some width of every page.
            for height in (1..=60).step_by(5).chain([15, 17, 31, 32]).skip((i + page) % 4).step_by(4) {
                stage.input(Input::Resized(width, height));
                let buffer = stage.buffer();
                let header: String = (0..width).map(|x| buffer[(x, 0)].symbol()).collect();
                let small = width < 60 || height < 16;
                let has_header = header.contains(" twtop  ") || header.contains("7 kernel ");
                assert_eq!(!has_header, small, "{width}x{height} {keys}\n{header}");
            }
        }
    }
}

#[test]
fn no_figure_is_cut_at_any_width() {
    let mut stage = at_height(LARGE);
    for width in 60..=200 {
        stage.input(Input::Resized(width, 40));
        let text = stage.text();
        for figure in ["3,586 sockets", "3,232"] {
            assert!(text.contains(figure), "{width}: {figure}\n{text}");
        }
        // One of the two panes that tell of it is there, with what is left or with what is taken.
        assert!(text.contains("25,051 left") || text.contains(" 3128"), "{width}\n{text}");
    }
}

#[test]
fn the_incident_is_told_the_same_way_every_time() {
    let (once, again) = (at_height(SMALL), Stage::after(HEIGHT, 80, 24));
    assert_eq!(once.buffer(), again.buffer());
}

/// Settings with those keys.
fn bound(bindings: &[(&str, Vec<&str>)]) -> Settings {
    let mut settings = Settings::default();
    settings.keymap = Keymap::bound(bindings).expect("sound");
    settings
}

/// A stage as a configuration file sets it up.
fn set_up(size: (u16, u16), root: bool, settings: Settings) -> Stage {
    let mut incident = Incident::new();
    incident.root = root;
    let mut stage = Stage::of(&mut incident, 6, size.0, size.1);
    stage.view = stage.view.with_settings(Arc::new(settings));
    stage.input(Input::Refreshed);
    stage
}

#[test]
fn the_keys_that_are_told_are_those_in_force() {
    let bindings = [("help", vec!["F2"]), ("sort", vec!["o"]), ("zoom", vec![]), ("findings", vec!["!"])];
    let mut stage = set_up(SMALL, false, bound(&bindings));
    let text = stage.text();
    assert!(text.contains(" F2 help ") && text.contains(" o sort ") && !text.contains("expand"), "{text}");
    assert!(text.lines().any(|line| line.ends_with("press F2")), "{text}");
    stage.keys("?");
    assert!(stage.text().contains("No such key: ? (F2 for help)"), "{}", stage.text());
    stage.keys("o");
    assert!(stage.text().contains("Sorted by"), "{}", stage.text());
    stage.keys("!");
    assert_eq!(stage.view.page().screen, Screen::Findings);
}

#[test]
fn the_help_page_has_the_keys_in_force() {
    let mut stage = set_up((120, 60), true, bound(&[("sort", vec!["o", "F6"]), ("zoom", vec![])]));
    stage.keys("?");
    let text = stage.text();
    assert!(text.contains("  o F6              Sort by the next column."), "{text}");
    assert!(text.contains("  (no key)          Give the whole screen"), "{text}");
}

#[test]
fn columns_orders_and_the_first_view_are_those_of_the_configuration() {
    let mut settings = Settings::default();
    settings.choose_columns(Listed::Processes, &["established", "name", "pid"]).expect("columns");
    settings.choose_sort(Listed::Processes, "pid", true).expect("a column");
    assert!(settings.choose_view("processes"));
    let mut stage = set_up(SMALL, true, settings);
    assert_eq!(stage.view.page().screen, Screen::Processes);
    // What was counted for another page is counted anew.
    stage.keys("3");
    let text = stage.text();
    let head: Vec<&str> =
        text.lines().find(|line| line.contains("EST")).expect("titles").split_whitespace().collect();
    assert_eq!(head, ["EST", "PROCESS", "PID▼"], "{text}");
    let pid = |line: &str| line.split_whitespace().last()?.parse::<u32>().ok();
    let pids: Vec<u32> = text.lines().filter_map(pid).collect();
    assert!(pids.len() > 3 && pids.is_sorted_by(|a, b| a >= b), "{pids:?}\n{text}");
}
