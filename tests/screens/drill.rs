//! Pages about one thing, and the way back from them.

use twtop::{
    model::Inspected,
    ui::{Input, Palette, Theme},
};

use crate::{
    HEIGHT, LARGE, SMALL, after_keys, at_height,
    findings::assert_screen,
    incident::{Incident, REPORT},
    stage::Stage,
    traced,
};

#[test]
fn escape_comes_back_to_the_same_row_of_every_page() {
    for (page, row) in [
        ("1jj", "report-gen"),
        ("1<Tab>jjj", "203.0.113.3→:443"),
        ("2jjj", "10.0.3.4:35576"),
        ("3jj", "report-gen"),
        ("4jj", "203.0.113.2→:443"),
        ("5jj", "10.0.7.40:8443"),
        ("6j", "does not answer"),
    ] {
        for size in [SMALL, LARGE] {
            let mut stage = after_keys(size, page);
            let selected = stage.selected_line().expect("a row");
            for (there, back) in [("<Enter>", "<Esc>"), ("<Enter>jj", "<Esc>"), ("w", "<Esc>")] {
                stage.keys(there);
                assert_ne!(stage.view.depth(), 0, "{page}{there}");
                stage.keys(back);
                assert_eq!(stage.view.depth(), 0, "{page}{there}");
                let now = stage.selected_line().expect("a row");
                assert_eq!(now, selected, "{page}{there} at {size:?}");
            }
            assert!(size == SMALL || selected.contains(row), "{page}: {selected}");
        }
    }
}

#[test]
fn a_page_begins_with_the_sockets_of_its_worst_finding() {
    let first = |stage: &Stage| {
        let text = stage.text();
        let lines = text.lines().skip_while(|line| !line.contains("STATE "));
        lines.skip(1).map(str::to_owned).next().expect("a socket")
    };
    let churn = traced(SMALL, HEIGHT, "3<Enter>");
    assert!(first(&churn).contains("TIME_WAIT"), "{}", churn.text());
    let leak = after_keys(SMALL, "/pid:5202<Enter><Enter>");
    assert!(first(&leak).contains("CLOSE_WAIT"), "{}", leak.text());
    let innocent = after_keys(SMALL, "/proc:nginx<Enter><Enter>");
    assert!(first(&innocent).contains("FIN_WAIT2"), "{}", innocent.text());
}

#[test]
fn what_stays_where_it_is_does_not_rise() {
    let line = |stage: &Stage, label: &str| {
        stage.text().lines().find(|line| line.contains(label)).map(str::to_owned)
    };
    let rising = traced(LARGE, HEIGHT, "3<Enter>");
    assert!(line(&rising, " rising ").is_some_and(|line| line.contains("/s since")), "{}", rising.text());
    let steady = traced(LARGE, 160, "3<Enter>");
    let told = line(&steady, "TIME_WAIT up since").unwrap_or_else(|| panic!("{}", steady.text()));
    assert!(told.contains("steady now"), "{told}");
}

#[test]
fn from_page_to_page_and_all_the_way_back() {
    let mut stage = at_height(LARGE);
    // A process, its only peer, the second of its sockets.
    stage.keys("<Enter>");
    let process = stage.selected_line().expect("a row");
    stage.keys("<Enter>j");
    let peer = stage.selected_line().expect("a row");
    stage.keys("<Enter>");
    assert!(stage.text().contains("overview → process 4711 → peer → socket"), "{}", stage.text());
    stage.keys("<Esc>");
    assert_eq!(stage.selected_line(), Some(peer));
    stage.keys("<Esc>");
    assert_eq!(stage.selected_line(), Some(process));
    stage.keys("<Esc>");
    assert!(stage.selected_line().expect("a row").contains("app.py"));
}

#[test]
fn a_peer_tells_of_its_other_side_and_of_the_other_end_on_this_host() {
    let mut incident = Incident::new();
    incident.within();
    let mut stage = Stage::of(&mut incident, 20, LARGE.0, LARGE.1);
    stage.keys("/remote:127.0.0.1<Enter>4<Enter>");
    let ours = stage.text();
    assert!(ours.contains("Peer →127.0.0.1:5432"), "{ours}");
    assert!(ours.contains("other end  on this host: postgres 955"), "{ours}");
    assert!(ours.contains("also       1 that it opened to our :5432"), "{ours}");
    stage.keys("<Esc>j<Enter>");
    let theirs = stage.text();
    assert!(theirs.contains("other end  on this host: nginx 812"), "{theirs}");
    assert!(theirs.contains("also       1 that we opened to its :5432"), "{theirs}");
    // Somebody else's other end is nobody's here.
    stage.keys("<Esc>/<C-u>remote:203.0.113.1<Enter>g<Enter>");
    let far = stage.text();
    assert!(far.contains("also       1 that we opened to its :25") && !far.contains("other end"), "{far}");
}

#[test]
fn a_peer_tells_how_many_ports_are_left_for_it() {
    for size in [(60, 16), SMALL, LARGE] {
        let mut stage = after_keys(size, "4<Enter>");
        stage.find(vec![]);
        let text = stage.text();
        assert!(text.contains("ports      3,128 taken, ≤25,093 left; settles at 24%"), "{text}");
    }
}

/// Opens a connection to the database that came with the sample of 09:30:29, whatever its port is.
fn open_the_youngest(stage: &mut Stage) {
    stage.keys("/rport:5432 state:established<Enter>2g<Enter>");
    for _ in 0..100 {
        if stage.text().contains("so far     ESTABLISHED, first seen at 09:30:29") {
            return;
        }
        stage.keys("<Esc>j<Enter>");
    }
    panic!("there is none\n{}", stage.text());
}

#[test]
fn a_socket_tells_in_which_states_it_was_seen() {
    let mut incident = Incident::new();
    let mut stage = Stage::of(&mut incident, 30, LARGE.0, LARGE.1);
    // The youngest connection to the database ends within a second; the oldest TIME_WAIT goes by itself.
    open_the_youngest(&mut stage);
    stage.keys("/<C-u><Enter>");
    (0..3).for_each(|_| stage.sample(incident.sample()));
    let then = stage.text();
    assert!(then.contains("so far     ESTABLISHED at 09:30:29, TIME_WAIT since 09:30:30"), "{then}");
    (0..70).for_each(|_| stage.sample(incident.sample()));
    let gone = stage.text();
    assert!(gone.contains("It is gone"), "{gone}");
    assert!(gone.contains("so far     ESTABLISHED at 09:30:29, TIME_WAIT 09:30:30–09:31:30"), "{gone}");
    // Another socket has another past.
    stage.keys("<Esc>g<Enter>");
    assert!(!stage.text().contains("09:30:29"), "{}", stage.text());
}

#[test]
fn the_chart_below_the_ports_is_that_of_the_selected_row() {
    let mut stage = after_keys(LARGE, "5");
    assert!(stage.text().contains("Ports to 10.0.3.9:5432 · 11% · settles at 24%"), "{}", stage.text());
    stage.keys("j");
    assert!(stage.text().contains("Ports to 10.0.4.20:8080 · 0.1% · steady"), "{}", stage.text());
}

#[test]
fn what_is_not_followed_leaves_the_chart_empty_and_the_scale_there() {
    let mut incident = Incident::new();
    let mut stage = Stage::of(&mut incident, 1, 120, 40);
    let text = stage.text();
    assert!(text.contains("100% no port left") && text.contains("-30s"), "{text}");
    // A process that is gone has no states any more; its page says so and draws nothing else.
    stage.keys("jj<Enter>");
    incident.end(REPORT);
    (0..3).for_each(|_| stage.sample(incident.sample()));
    let text = stage.text();
    assert!(text.contains("States over time · 0 sockets"), "{text}");
}

#[test]
fn charts_tell_states_apart_without_colours() {
    for (name, ascii) in [("ascii-charts-120x40", true), ("mono-charts-120x40", false)] {
        let mut stage = traced((120, 40), HEIGHT, "");
        stage.theme = Theme::new(Palette::Monochrome, ascii);
        assert_screen(name, &stage.text());
        stage.keys("<Enter>");
        let text = stage.text();
        assert!(text.contains("T TIME_WAIT") && text.contains("TTTT"), "{text}");
        assert_eq!(text.is_ascii(), ascii, "{text}");
        stage.input(Input::Resized(80, 40));
        assert!(stage.text().contains("TIME_WAIT"), "{}", stage.text());
    }
}

#[test]
fn a_process_that_has_ended_is_not_said_to_live() {
    let mut stage = Stage::at_height(120, 40);
    stage.keys("3<Enter>");
    let Some(Inspected::Running(load)) = stage.inspected else { panic!("a process was chosen") };
    assert!(stage.text().contains(", up "));
    let at = stage.now.expect("samples came").wall;
    stage.inspected = Some(Inspected::Ended { key: load.key, seen: Some(at) });
    let text = stage.text();
    assert!(text.contains(&format!("ended (seen last at {}, lived ", at.strftime("%H:%M:%S"))), "{text}");
    for claim in [", up ", "descriptors", "resources"] {
        assert!(!text.contains(claim), "{claim}\n{text}");
    }
    stage.inspected = Some(Inspected::Zombie(load.key));
    let text = stage.text();
    assert!(text.contains("its parent has not reaped it") && !text.contains("memory"), "{text}");
    // At a moment that is gone back to it lived.
    stage.keys("[");
    assert!(stage.text().contains(", up "), "{}", stage.text());
}

#[test]
fn what_a_filter_hides_is_not_said_to_be_gone() {
    for keys in ["3<Enter>/port:1<Enter>", "3w/port:1<Enter>", "4w/port:1<Enter>"] {
        let mut stage = Stage::at_height(120, 40);
        stage.keys(keys);
        let text = stage.text();
        assert!(text.contains("Nothing of it passes the filter."), "{keys}\n{text}");
        assert!(!text.contains("any more"), "{keys}\n{text}");
    }
}

#[test]
fn what_a_socket_did_while_a_moment_was_held_is_told_after_that() {
    let mut incident = Incident::new();
    let mut stage = Stage::of(&mut incident, 30, LARGE.0, LARGE.1);
    open_the_youngest(&mut stage);
    stage.keys("/<C-u><Enter>p");
    // It closes at once and is gone a minute later: all of it unseen.
    (0..65).for_each(|_| stage.sample(incident.sample()));
    assert!(stage.text().contains("so far     ESTABLISHED, first seen at 09:30:29"), "{}", stage.text());
    stage.keys("p");
    let text = stage.text();
    assert!(text.contains("so far     ESTABLISHED at 09:30:29, TIME_WAIT 09:30:30–09:31:30"), "{text}");
}

#[test]
fn what_nobody_saw_is_not_taken_to_have_lasted() {
    // Of the past there are totals only: what a listener did meanwhile is not known.
    for (held, wanted) in [
        (3, "so far     LISTEN, first seen at 09:30:29"),
        (30, "so far     LISTEN at 09:30:29, LISTEN since 09:30:59"),
    ] {
        let mut incident = Incident::new();
        let mut stage = Stage::keeping(0, &mut incident, 30, LARGE);
        stage.keys("2/state:listen<Enter><Enter>/<C-u><Enter>p");
        (0..held).for_each(|_| stage.sample(incident.sample()));
        stage.keys("p");
        assert!(stage.text().contains(wanted), "{}", stage.text());
    }
}
