//! What is typed and what the mouse does: the palette, the filter line, copies, exports, and that nothing of it
//! ever breaks the screen.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use proptest::prelude::*;
use ratatui::style::Color;
use twtop::{
    model::{Endpoint, Family, NewSocket, TcpState, Timer},
    ui::{Effect, ExportPart, Input, Palette, Theme, view::Pane},
};

use crate::{
    incident::Incident,
    stage::{HEIGHT, Stage},
};

const SIZES: [(u16, u16); 3] = [(60, 16), (80, 24), (160, 45)];

fn after_keys((width, height): (u16, u16), keys: &str) -> Stage {
    let mut stage = Stage::at_height(width, height);
    stage.keys(keys);
    stage
}

fn assert_shot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

/// What was copied, and what is said about it.
fn copied(stage: &mut Stage) -> (String, String) {
    let command = stage.effects.iter().rev().find_map(|effect| match effect {
        Effect::Copy(command) => Some(command.clone()),
        _ => None,
    });
    let command = command.unwrap_or_else(|| panic!("nothing was copied\n{}", stage.text()));
    stage.input(Input::Notice(command.told()));
    (command.line, command.notes.join("; "))
}

#[test]
fn the_palette_at_every_size() {
    for (width, height) in SIZES {
        let shot = |keys| after_keys((width, height), keys).text();
        assert_shot(&format!("palette-{width}x{height}"), &shot(":"));
        assert_shot(&format!("palette-sort-{width}x{height}"), &shot(":sort <Down><Down>"));
        assert_shot(&format!("palette-error-{width}x{height}"), &shot(":p<Enter>"));
    }
}

#[test]
fn the_palette_runs_what_is_clear_and_nothing_else() {
    let mut stage = after_keys((80, 24), ":view peers<Enter>");
    assert!(stage.text().contains("─ ▶ Peers"), "{}", stage.text());
    stage.keys(":paus<Enter>");
    assert!(stage.text().contains("HELD"));
    stage.keys(":pau<Tab><Enter>");
    assert!(!stage.text().contains("HELD"));
    stage.keys(":sort tw<Enter>");
    assert!(
        stage.text().contains("TW▼") && stage.text().contains("Sorted by TW, the greatest first."),
        "{}",
        stage.text()
    );
    stage.keys(":sort time_wait<Enter>");
    assert!(stage.text().contains("TW▲"), "{}", stage.text());
    stage.keys(":filter port:5432<Enter>");
    assert!(stage.text().contains("filter  port:5432"), "{}", stage.text());
    let before = stage.effects.len();
    for (wrong, told) in [
        ("qu it", "quit takes nothing after it"),
        ("frobnicate", "there is no command `frobnicate`"),
        ("", "a command is missing here"),
        ("view", "which view? one of overview"),
        ("view nowhere", "there is no view `nowhere`"),
        ("sort nothing", "there is no column `nothing`"),
        ("export finding", "there is no export of this page `finding`"),
        ("filter port:x", "`x` is not a port"),
    ] {
        stage.keys(&format!(":{wrong}<Enter>"));
        assert!(stage.text().contains(told), "{wrong}\n{}", stage.text());
        stage.keys("<Esc>");
    }
    assert_eq!(stage.effects.len(), before, "nothing of that did anything");
    stage.keys(":quit<Enter>");
    assert!(matches!(stage.effects.last(), Some(Effect::Quit)));
}

#[test]
fn the_palette_completes_what_a_command_is_about() {
    let stage = after_keys((80, 24), ":filter state:clo<Tab>");
    assert!(stage.text().contains(":filter state:close"), "{}", stage.text());
    let stage = after_keys((80, 24), ":view pee<Tab><Enter>");
    assert!(stage.text().contains("─ ▶ Peers"), "{}", stage.text());
}

#[test]
fn the_filter_line_at_every_size() {
    for (width, height) in SIZES {
        let shot = |keys| after_keys((width, height), keys).text();
        assert_shot(&format!("complete-keys-{width}x{height}"), &shot("/"));
        assert_shot(&format!("complete-values-{width}x{height}"), &shot("/state:close-wait proc:<Tab><Tab>"));
        assert_shot(&format!("complete-error-{width}x{height}"), &shot("/port:80 pi:3"));
    }
}

#[test]
fn values_are_completed_from_what_is_there() {
    let line = |keys| {
        let text = after_keys((80, 24), keys).text();
        let typed = text.lines().find(|line| line.starts_with('/'));
        typed.map_or_else(|| panic!("{text}"), str::to_owned)
    };
    assert_eq!(line("/sta<Tab>"), "/state:");
    assert_eq!(line("/peer:10.0.4.2<Tab>"), "/peer:10.0.4.20");
    assert_eq!(line("/ngin<Tab>"), "/proc:nginx");
    // A name that anybody may have chosen is quoted, and is read as itself.
    let mut stage = after_keys((80, 24), "/proc:evil<Tab><Enter>");
    assert!(stage.text().contains("filter  proc:\"evil\\"), "{}", stage.text());
    stage.keys("3");
    assert!(stage.selected_line().is_some_and(|line| line.contains("evil")), "{}", stage.text());
}

#[test]
fn filters_typed_before_come_back() {
    let mut stage = after_keys((80, 24), "/port:5432<Enter><Esc>/state:time-wait<Enter><Esc>");
    let line = |stage: &Stage| {
        let text = stage.text();
        text.lines().find(|line| line.starts_with('/')).expect("a filter is typed").to_owned()
    };
    stage.keys("/pro<Up>");
    assert_eq!(line(&stage), "/state:time-wait");
    stage.keys("<Up><Up>");
    assert_eq!(line(&stage), "/port:5432");
    stage.keys("<Down><Down>");
    assert_eq!(line(&stage), "/pro");
}

#[test]
fn rows_are_copied_as_what_lists_just_them() {
    for (keys, line) in [
        ("y", "ss -tanp | grep 'pid=4711,'"),
        ("4y", "ss -tanp 'dst 10.0.3.9:5432'"),
        (":filter state:time-wait<Enter>Y", "ss -tan state time-wait"),
        ("/pid:4711 rport:5432<Enter>Y", "ss -tanp 'dport = :5432' | grep 'pid=4711,'"),
        ("Y", "ss -tanp"),
    ] {
        assert_eq!(copied(&mut after_keys((160, 45), keys)).0, line, "{keys}");
    }
    let (line, notes) = copied(&mut after_keys((80, 24), "/proc:\"'; reboot\" port:80<Enter>Y"));
    assert_eq!(line, "ss -tanp 'sport = :80 or dport = :80'");
    assert!(notes.contains("it lists more: ss cannot be asked for proc:\"'; reboot\""), "{notes}");
}

#[test]
fn a_copy_says_what_ss_will_not_tell() {
    let (line, notes) = copied(&mut after_keys((160, 45), "/pid:4711 state:tw<Enter>Y"));
    assert_eq!(line, "ss -tan state time-wait");
    assert!(notes.contains("ss cannot tell whose these are"), "{notes}");
    let (_, notes) = copied(&mut after_keys((160, 45), "y"));
    assert!(notes.contains("without its 1,850 in TIME_WAIT; "), "{notes}");
    let (_, notes) = copied(&mut after_keys((160, 45), " Y"));
    assert!(notes.contains("ss lists what is there now, not at the moment shown"), "{notes}");
}

#[test]
fn every_row_and_every_page_can_be_copied() {
    for (keys, begins) in [
        ("2y", "ss -tanpoie 'src "),
        ("2<Enter>y", "ss -tanpoie 'src "),
        ("2:filter state:listen<Enter>y", "ss -tanpoie state listening 'src "),
        ("<Enter>y", "ss -tanp"),
        ("4<Enter>y", "ss -tanp"),
        ("5y", "ss -tanp 'src "),
        ("6y", "ss -tan"),
        ("6<Enter>y", "ss -tan"),
        ("wy", "ss -tanp | grep"),
    ] {
        let line = copied(&mut after_keys((160, 45), keys)).0;
        assert!(line.starts_with(begins), "{keys}: {line}");
    }
    let stage = after_keys((80, 24), "/state:bound<Enter>Y");
    assert!(stage.text().contains("Nothing to copy: ss does not list"), "{}", stage.text());
    let stage = after_keys((80, 24), "7y");
    assert!(!stage.effects.iter().any(|effect| matches!(effect, Effect::Copy(_))));
}

#[test]
fn a_message_that_is_longer_than_a_line_is_shown_whole() {
    for (width, height) in SIZES {
        let mut stage = after_keys((width, height), "/proc:nginx state:tw,cw lport:80,443 age:>5s<Enter>Y");
        copied(&mut stage);
        let text = stage.text();
        assert_shot(&format!("copied-{width}x{height}"), &text);
        let (buffer, from) = (stage.buffer(), height - if width < 160 { 2 } else { 1 });
        let colours = (from..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|at| buffer[at].bg);
        assert!(
            colours.into_iter().all(|colour| colour == Color::Reset),
            "nothing of what it covers is left"
        );
        stage.keys("j");
        assert!(!stage.text().contains("Copied"));
    }
}

#[test]
fn an_export_asks_what_and_offers_only_what_there_is() {
    for (width, height) in SIZES {
        assert_shot(&format!("export-{width}x{height}"), &after_keys((width, height), "6e").text());
    }
    let part = |keys: &str| {
        let stage = after_keys((80, 24), keys);
        let found = stage.effects.into_iter().find_map(|effect| match effect {
            Effect::Export(request) => Some(request),
            _ => None,
        });
        found.map(|request| {
            assert_eq!(request.look.moment.sample.number, u64::from(HEIGHT) - 1);
            request.part
        })
    };
    assert!(matches!(part("ev"), Some(ExportPart::Table(Pane::Processes, _))));
    assert!(matches!(part("4ev"), Some(ExportPart::Table(Pane::Peers, _))));
    assert!(matches!(part("eS"), Some(ExportPart::Sample)));
    assert!(matches!(part("e<Enter>"), Some(ExportPart::Table(Pane::Processes, _))));
    assert!(matches!(part("2<Enter>e<Enter>"), Some(ExportPart::Sample)), "the only one");
    assert!(matches!(part("6ef"), Some(ExportPart::Finding(_))));
    assert!(matches!(part("6<Enter>er"), Some(ExportPart::Report(_))));
    assert!(matches!(part(":export view<Enter>"), Some(ExportPart::Table(Pane::Processes, _))));
    // No finding is selected there, and the page of a socket has no table.
    assert!(part("ef").is_none() && part("2<Enter>ev").is_none() && part("e<Esc>v").is_none());
}

#[test]
fn a_click_on_a_title_sorts_and_another_turns_it_round() {
    for (width, height) in [(80, 24), (160, 45)] {
        for (keys, title) in [
            ("3", "TW"),
            ("4", "ALL"),
            ("5", "LEFT"),
            ("2", "LOCAL"),
            ("2", "PEER"),
            ("6", "WHAT"),
            ("2/port:80<Enter>", "STATE"),
        ] {
            let mut stage = after_keys((width, height), keys);
            let text = stage.text();
            let title =
                text.lines().find_map(|line| line.split_whitespace().find(|word| word.starts_with(title)));
            let title =
                title.unwrap_or_else(|| panic!("{keys}\n{text}")).trim_end_matches(['▼', '▲']).to_owned();
            stage.click(&title);
            let first = stage.text();
            assert!(first.contains(&format!("Sorted by {title}, the ")), "{keys} {title}\n{first}");
            stage.click(&title);
            let (a, b) = (format!("{title}▲"), format!("{title}▼"));
            let marked = |text: &str| {
                (
                    text.contains(&a) || text.contains(&format!("▲{title}")),
                    text.contains(&b) || text.contains(&format!("▼{title}")),
                )
            };
            let second = stage.text();
            assert_ne!(marked(&first), marked(&second), "{keys} {title}\n{first}\n{second}");
        }
    }
}

#[test]
fn a_second_click_on_a_row_opens_it() {
    let mut stage = after_keys((80, 24), "");
    stage.click("→10.0.4.20:8080");
    assert!(!stage.text().contains("overview → peer"), "{}", stage.text());
    stage.click("→10.0.4.20:8080");
    assert!(stage.text().contains("overview → peer"), "{}", stage.text());
}

#[test]
fn the_wheel_scrolls_what_is_under_it_by_three_rows() {
    let mut stage = after_keys((80, 24), "2");
    let row = |stage: &Stage, n: usize| stage.text().lines().nth(n).expect("a row").to_owned();
    let fourth = row(&stage, 7);
    stage.mouse(MouseEventKind::ScrollDown, 10, 12);
    assert_eq!(row(&stage, 4), fourth, "{}", stage.text());
    stage.mouse(MouseEventKind::ScrollUp, 10, 12);
    assert_eq!(row(&stage, 7), fourth);
    // A pane that has not the focus, which stays where it is.
    let mut stage = after_keys((200, 60), "");
    let text = stage.text();
    stage.mouse(MouseEventKind::ScrollDown, 10, 52);
    assert_ne!(stage.text(), text);
    assert!(stage.text().contains("▶ Processes"));
    let mut stage = after_keys((80, 24), "?");
    let text = stage.text();
    stage.mouse(MouseEventKind::ScrollDown, 10, 12);
    let words = |line: &str| line.trim_end_matches(['┃', '│']).trim_end().to_owned();
    assert_eq!(words(&row(&stage, 1)), words(text.lines().nth(4).expect("a line")));
}

#[test]
fn the_wheel_goes_on_through_rows_in_order_where_only_those_in_sight_are() {
    let mut incident = Incident::new();
    let mut sample = incident.sample();
    let end = |port| Endpoint { ip: [10, 0, 0, 1].into(), port };
    // More sockets than are put in order at once, and none next to its neighbour.
    for n in 0..50_021_u32 {
        let port = u16::try_from(1_024 + u64::from(n) * 7_919 % 50_021).expect("a port");
        sample.sockets.push(
            &NewSocket {
                cookie: 1_000_000 + u64::from(n),
                family: Family::V4,
                local: end(port),
                peer: end(9),
                state: TcpState::Established,
                timer: Timer::Off,
                retransmits: 0,
                expires_ms: 0,
            },
            None,
        );
    }
    let mut stage = Stage::new(80, 24);
    stage.sample(sample);
    stage.keys("2/rport:9<Enter>:sort local<Enter>");
    stage.slow = true;
    (0..500).for_each(|_| stage.mouse(MouseEventKind::ScrollDown, 10, 12));
    stage.slow = false;
    stage.mouse(MouseEventKind::ScrollDown, 10, 12);
    let text = stage.text();
    let ports: Vec<u32> = text
        .split_whitespace()
        .filter_map(|word| word.strip_prefix("10.0.0.1:")?.parse().ok())
        .filter(|port| *port != 9)
        .collect();
    assert!(ports.len() > 10 && ports.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{text}");
}

#[test]
fn a_click_on_a_hint_is_as_good_as_its_key() {
    let mut stage = after_keys((80, 24), "");
    stage.click("? help");
    assert!(stage.text().contains("leave help"));
    stage.click("leave help");
    stage.click("/ filter");
    assert!(stage.text().contains("Enter apply"));
}

/// Keys that mean something somewhere, and text.
fn key() -> impl Strategy<Value = KeyEvent> {
    let codes = vec![
        KeyCode::Enter,
        KeyCode::Esc,
        KeyCode::Tab,
        KeyCode::BackTab,
        KeyCode::Up,
        KeyCode::Down,
        KeyCode::Left,
        KeyCode::Home,
        KeyCode::End,
        KeyCode::Backspace,
        KeyCode::Delete,
        KeyCode::PageDown,
    ];
    let text: Vec<char> =
        "abcdefghijklmnoprstuvwxyzGSYM1234567/:?.,!()\"' =><[]{}-é名\u{202e}".chars().collect();
    let code = prop_oneof![prop::sample::select(codes), prop::sample::select(text).prop_map(KeyCode::Char)];
    (code, prop::bool::weighted(0.05)).prop_map(|(code, ctrl)| {
        KeyEvent::new(code, if ctrl { KeyModifiers::CONTROL } else { KeyModifiers::NONE })
    })
}

fn input() -> impl Strategy<Value = Input> {
    let kind = prop::sample::select(vec![
        MouseEventKind::Down(MouseButton::Left),
        MouseEventKind::Down(MouseButton::Right),
        MouseEventKind::Up(MouseButton::Left),
        MouseEventKind::ScrollDown,
        MouseEventKind::ScrollUp,
    ]);
    let mouse = (kind, 0..210_u16, 0..70_u16).prop_map(|(kind, column, row)| {
        Input::Mouse(MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE })
    });
    let pasted = prop::sample::select(vec!["port:80\n", "proc:\"a b\\\"", "(((", "sort tw", "\u{1b}[2J名前"]);
    let sizes =
        prop::sample::select(vec![(60, 16), (80, 24), (59, 15), (1, 1), (100, 30), (160, 45), (200, 60)]);
    prop_oneof![
        16 => key().prop_map(Input::Key),
        4 => mouse,
        1 => pasted.prop_map(|text| Input::Paste(text.to_owned())),
        1 => sizes.prop_map(|(width, height)| Input::Resized(width, height)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_the_screen_is_drawn(inputs in prop::collection::vec(input(), 1..60), ascii: bool) {
        let mut stage = Stage::at_height(80, 24);
        if ascii {
            stage.theme = Theme::new(Palette::Monochrome, true);
        }
        for input in inputs {
            stage.input(input);
            let text = stage.text();
            prop_assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text}");
        }
    }
}

#[test]
fn what_is_to_be_typed_leaves_the_help_page() {
    let stage = after_keys((80, 24), "?:export");
    assert!(stage.text().contains("\n:export"), "{}", stage.text());
    let stage = after_keys((80, 24), "?/port");
    assert!(stage.text().contains("\n/port"), "{}", stage.text());
}

#[test]
fn a_new_filter_that_drops_the_selected_row_selects_the_first() {
    let mut stage = after_keys((80, 24), "3j/pid:4711<Enter>");
    assert!(stage.selected_line().is_some_and(|line| line.contains("4711")), "{}", stage.text());
    stage.keys("<Enter>");
    assert!(stage.text().contains(" 4711 "), "{}", stage.text());
    // While the rows are being counted those of before are not opened.
    let mut stage = after_keys((80, 24), "3j");
    stage.slow = true;
    stage.keys("/pid:4711<Enter><Enter>");
    assert!(stage.text().contains("Still counting. Press it again."), "{}", stage.text());
}
