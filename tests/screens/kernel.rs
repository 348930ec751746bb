//! The kernel's side of the incident, and its view: counters, settings and limits.

use twtop::{
    field::{CounterRow, SettingRow},
    model::{Limit, Limits, Sysctls},
    store::Ledger,
    ui::{Input, view::Screen},
};

use crate::{LARGE, SMALL, after_keys, incident::Incident, stage::Stage};

/// Counters beside those that the incident moves.
pub(crate) fn counters(second: u64) -> [(&'static str, u64); 9] {
    [
        ("IpInReceives", 81_004_211 + second * 640),
        ("TcpExtPruneCalled", 3),
        ("TcpExtTCPAbortOnData", 214),
        ("TcpExtTCPHPHits", 9_402_118 + second * 310),
        ("TcpExtTCPKeepAlive", 60_551 + second * 5),
        ("TcpExtTCPSynRetrans", 418 + second / 3),
        ("TcpExtTCPToZeroWindowAdv", 12 + second.min(40)),
        ("TcpInSegs", 123_456_789_012 + second * 1_200),
        ("sockstat.TCP.orphan", 2),
    ]
}

/// Settings: some as the kernel makes them, some changed by somebody.
pub(crate) fn sysctls() -> Sysctls {
    [
        ("fs.nr_open", "1048576"),
        ("net.core.somaxconn", "4096"),
        ("net.ipv4.ip_local_port_range", "32768 60999"),
        ("net.ipv4.ip_local_reserved_ports", "33000-33009"),
        ("net.ipv4.tcp_congestion_control", "bbr"),
        ("net.ipv4.tcp_fin_timeout", "30"),
        ("net.ipv4.tcp_keepalive_time", "7200"),
        ("net.ipv4.tcp_mem", "184539 246052 369078"),
        ("net.ipv4.tcp_retries2", "15"),
        ("net.ipv4.tcp_rmem", "4096 131072 6291456"),
        ("net.ipv4.tcp_syn_retries", "6"),
        ("net.ipv4.tcp_tw_reuse", "2"),
        ("net.netfilter.nf_conntrack_max", "262144"),
        ("net.netfilter.nf_conntrack_tcp_timeout_established", "432000"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// Limits: one of them without an end.
pub(crate) fn limits() -> Limits {
    [
        ("file-nr", Limit { value: 12_345, max: i64::MAX.unsigned_abs() }),
        ("nf_conntrack", Limit { value: 150_211, max: 262_144 }),
        ("tcp_max_orphans", Limit { value: 2, max: 65_536 }),
        ("tcp_max_tw_buckets", Limit { value: 3_232, max: 65_536 }),
        ("tcp_mem", Limit { value: 1_877, max: 369_078 }),
    ]
    .into_iter()
    .map(|(name, limit)| (name.into(), limit))
    .collect()
}

/// A picture of this view, among those of the others.
fn assert_screen(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.bind(|| insta::assert_snapshot!(name, text));
}

#[test]
fn the_view_of_the_kernel() {
    for (width, height) in [(60, 16), SMALL, (120, 40), LARGE] {
        assert_screen(&format!("view-{width}x{height}"), &after_keys((width, height), "7").text());
    }
}

#[test]
fn a_counter_and_a_setting_have_a_page_and_escape_comes_back_to_the_row() {
    let mut stage = after_keys(SMALL, "7jj");
    let row = stage.selected_line().expect("a row");
    stage.keys("<Enter>");
    assert_screen("counter-80x24", &stage.text());
    stage.keys("<Esc>");
    assert_eq!(stage.selected_line(), Some(row));
    stage.keys("<Tab>/tw_reuse<Enter><Enter>");
    assert_screen("setting-80x24", &stage.text());
    let top = stage.text();
    stage.keys("<End>");
    assert_ne!(stage.text(), top);
    assert!(stage.text().contains("See also"), "{}", stage.text());
    stage.keys("g");
    assert_eq!(stage.text(), top);
    stage.keys("<Esc>");
    assert_eq!(stage.view.page().screen, Screen::Kernel);
    assert!(stage.selected_line().expect("a row").contains("tcp_tw_reuse"));
    // The view is entered at the counters; the limits are one pane before.
    let mut stage = after_keys(LARGE, "7<Tab><Tab><Enter>");
    assert_screen("limit-160x45", &stage.text());
    stage.keys("<Esc>q");
    assert!(stage.text().contains("Limits"), "{}", stage.text());
}

#[test]
fn words_narrow_the_tables_of_the_kernel_and_nothing_else() {
    let mut stage = after_keys(SMALL, "7/conntrack<Enter>");
    assert_screen("narrowed-80x24", &stage.text());
    // Elsewhere nothing is narrowed, and what is narrowed elsewhere says nothing here.
    stage.keys("1");
    let overview = stage.text();
    assert!(overview.contains("3,586 sockets") && !overview.contains(" names "), "{overview}");
    stage.keys("/proc:nginx<Enter>");
    assert!(stage.text().contains("filter  proc:nginx"), "{}", stage.text());
    stage.keys("7");
    let text = stage.text();
    assert!(text.contains("names  conntrack") && !text.contains("proc:nginx"), "{text}");
    stage.keys("<Esc>");
    let text = stage.text();
    assert!(!text.contains("names") && text.contains("TcpActiveOpens"), "{text}");
    // A filter out of sight is not cleared.
    stage.keys("<Esc>1");
    assert!(stage.text().contains("filter  proc:nginx"), "{}", stage.text());
}

#[test]
fn words_are_edited_cancelled_and_pasted_like_a_filter() {
    let mut stage = after_keys(SMALL, "7/queue");
    assert!(stage.text().contains("\n/queue\n") && stage.text().contains("Enter apply"), "{}", stage.text());
    stage.input(Input::Paste(" full\n".into()));
    stage.keys("<Enter>");
    assert!(stage.text().contains("names  queue full"), "{}", stage.text());
    stage.keys("/x<Esc>");
    assert!(stage.text().contains("names  queue full"), "{}", stage.text());
    stage.keys("/ nothing<Enter>");
    let text = stage.text();
    assert!(
        text.contains("No name and no meaning has all these words.") && text.contains("  0 of "),
        "{text}"
    );
    // From the page of a row one is back among all of them.
    stage.keys("<Esc><Enter>/");
    assert_eq!(stage.view.page().screen, Screen::Kernel);
}

#[test]
fn every_table_of_the_kernel_sorts_by_what_is_seen_and_says_so() {
    let mut stage = after_keys(LARGE, "7");
    for titles in [
        ["COUNTER▲", "VALUE▼", "RATE▼"].as_slice(),
        ["SETTING▲", "VALUE▲", "NOTE▲"].as_slice(),
        ["LIMIT▲", "NOW▼", "MOST▼", "FULL▼", "WHEN FULL▲"].as_slice(),
    ] {
        for title in titles {
            stage.keys("s");
            assert!(stage.text().contains(title), "{title}\n{}", stage.text());
        }
        stage.keys("S");
        stage.keys("<Tab>");
    }
}

#[test]
fn no_figure_of_the_kernel_is_cut_at_any_width() {
    let mut stage = after_keys(LARGE, "7");
    for width in 60..=200 {
        for height in [16, 24, 45] {
            stage.input(Input::Resized(width, height));
            let text = stage.text();
            let cut = text.lines().find(|line| {
                line.split('…').rev().skip(1).any(|before| before.ends_with(|c: char| c.is_ascii_digit()))
            });
            assert_eq!(cut, None, "{width}x{height}");
            assert!(text.contains("123.4G") || text.contains("123,456,877,812"), "{width}x{height}\n{text}");
        }
    }
}

#[test]
fn counters_that_move_now_and_then_keep_their_places() {
    let mut incident = Incident::new();
    let mut stage = Stage::of(&mut incident, 55, 120, 40);
    stage.keys("7");
    let mut seen = || {
        stage.sample(incident.sample());
        let text = stage.text();
        let title = text.lines().find(|line| line.contains("Counters")).expect("a title").to_owned();
        let names = text.lines().filter(|line| ["Tcp", "Ip"].iter().any(|of| line.contains(of)));
        let names = names.filter_map(|line| line.split_whitespace().nth(1).map(str::to_owned));
        // Of the others the larger overtakes the smaller once in a while.
        (title, names.take(3).collect::<Vec<_>>())
    };
    let first = seen();
    // One of them moves every third second.
    assert!(first.1.iter().any(|name| name == "TcpExtTCPSynRetrans"), "{first:?}");
    for _ in 0..9 {
        assert_eq!(seen(), first);
    }
}

#[test]
fn a_setting_that_was_changed_says_so_beside_its_finding() {
    for (size, note) in [((60, 16), " both "), (SMALL, " both "), ((120, 40), " changed, finding ")] {
        let text = after_keys(size, "7").text();
        let line = text.lines().find(|line| line.contains("tcp_fin_timeout")).expect("a row");
        assert!(line.contains(note), "{text}");
    }
}

#[test]
fn a_selected_counter_stays_selected_while_rows_change_places() {
    let mut incident = Incident::new();
    let mut stage = Stage::of(&mut incident, 30, 80, 24);
    stage.keys("7");
    while !stage.selected_line().is_some_and(|line| line.contains("TcpExtTCPToZeroWindowAdv")) {
        stage.keys("j");
    }
    // It stops to move, and falls behind the others.
    for _ in 0..20 {
        stage.sample(incident.sample());
    }
    assert!(stage.selected_line().expect("a row").contains("TcpExtTCPToZeroWindowAdv"));
    stage.keys("s");
    assert!(stage.selected_line().expect("a row").contains("TcpExtTCPToZeroWindowAdv"));
    stage.keys("<End>");
    assert!(stage.selected_line().expect("a row").contains("sockstat.TCP.orphan"));
}

#[test]
fn a_row_by_itself_is_that_among_all() {
    let (mut incident, mut ledger) = (Incident::new(), Ledger::new());
    ledger.fold(incident.sample());
    let moment = ledger.fold(incident.sample());
    let counters: Vec<_> = CounterRow::all(&moment).collect();
    assert!(counters.iter().any(|row| row.moves));
    for row in counters {
        assert_eq!(CounterRow::of(&moment, &row.name).as_ref(), Some(&row));
    }
    let settings: Vec<_> = SettingRow::all(&moment, &[]).collect();
    assert!(settings.iter().any(SettingRow::is_changed));
    for row in settings {
        assert_eq!(SettingRow::of(&moment, &[], &row.name).as_ref(), Some(&row));
    }
    assert_eq!((CounterRow::of(&moment, "Tcp"), SettingRow::of(&moment, &[], "tcp_mem")), (None, None));
}
