//! The `pty` tier in namespaces: what goes to the terminal, in bytes, and a terminal that takes none of them for a while.
//!
//! Bytes are counted per sample rather than per second: the clock in the header tells of each, however busy the machine is.

use std::time::Duration;

mod support {
    pub(crate) mod generator;
    #[expect(dead_code, reason = "orders and outputs are for the netns tier")]
    pub(crate) mod namespace;
    #[expect(dead_code, reason = "ways out are for the other tests of this tier")]
    pub(crate) mod pty;
    pub(crate) mod require;
}

use support::{namespace::Namespace, pty::Pty, require::can_run};

/// Longer than it may take to end, however busy the machine is.
const SOON: Duration = Duration::from_secs(10);

const SIZE: (u16, u16) = (120, 40);
const CONTROL_L: &str = "\x0c";
/// How a picture begins that is painted whole.
const WIPE: &[u8] = b"\x1b[2J";

/// The most bytes a sample on a quiet host, a sample under churn, and a picture painted whole may take.
const QUIET: usize = 300;
const CHURN: usize = 2_048;
const WHOLE: usize = 12_288;

fn churn() -> Namespace {
    Namespace::with(&["--listen=3", "--established=60", "--time-wait=100", "--processes=4", "--rate=200"])
}

/// twtop in a namespace, with its first full frame drawn.
fn started(namespace: &Namespace, arguments: &[&str]) -> Pty {
    let mut command = namespace.command(env!("CARGO_BIN_EXE_twtop"));
    let mut pty = Pty::run(command.args(arguments), SIZE);
    for word in ["TIME_WAIT", "CLOSE_WAIT", "ESTABLISHED", " UTC"] {
        pty.wait_for_text(word);
    }
    pty
}

/// The seconds of the header's clock, if it is there as a whole.
fn clock(screen: &vt100::Screen) -> Option<u32> {
    let header = screen.contents_between(0, 0, 0, screen.size().1.get());
    let (_, time) = header.trim_end().strip_suffix(" UTC")?.rsplit_once(' ')?;
    let parts: Option<Vec<u32>> = time.split(':').map(|part| part.parse().ok()).collect();
    parts.filter(|parts| parts.len() == 3).map(|parts| parts.into_iter().fold(0, |sum, part| sum * 60 + part))
}

/// Waits for the next sample that is drawn; yields how many seconds it is after the one before.
fn next_sample(pty: &mut Pty) -> u32 {
    let day = 24 * 60 * 60;
    let was = clock(pty.screen()).expect("a clock");
    pty.wait_for("another sample", |screen| clock(screen).is_some_and(|now| now != was));
    (clock(pty.screen()).expect("just seen") + day - was) % day
}

/// Bytes a sample over the next `samples`.
fn bytes_per_sample(pty: &mut Pty, samples: usize) -> usize {
    next_sample(pty);
    let before = pty.raw().len();
    for _ in 0..samples {
        next_sample(pty);
    }
    (pty.raw().len() - before) / samples
}

/// Everything below the header as it is seen: of a blank only what is behind it.
fn picture(screen: &vt100::Screen) -> Vec<String> {
    let (rows, columns) = (screen.size().0.get(), screen.size().1.get());
    let cells = (1..rows).flat_map(|y| (0..columns).filter_map(move |x| screen.cell(y, x)));
    cells
        .map(|cell| {
            let back = (cell.bgcolor(), cell.inverse(), cell.underline());
            let front = (cell.fgcolor(), cell.bold(), cell.dim(), cell.italic());
            let blank = cell.contents().trim().is_empty() && !cell.inverse();
            if blank { format!("{back:?}") } else { format!("{} {back:?} {front:?}", cell.contents()) }
        })
        .collect()
}

/// How many times everything was painted, and where the last time began.
fn wipes(raw: &[u8]) -> (usize, usize) {
    let at = || raw.windows(WIPE.len()).enumerate().filter(|(_, bytes)| *bytes == WIPE);
    (at().count(), at().next_back().map_or(0, |(at, _)| at))
}

#[test]
fn a_quiet_host_takes_few_bytes() {
    if !can_run("pty") || !can_run("netns") {
        return;
    }
    let namespace = Namespace::with(&["--listen=3", "--established=20"]);
    let mut pty = started(&namespace, &[]);
    let (_, began) = wipes(pty.raw());
    assert!(pty.raw().len() - began <= WHOLE, "the first frame");
    let quiet = bytes_per_sample(&mut pty, 6);
    assert!(quiet <= QUIET, "{quiet} bytes a sample");
    pty.press("?");
    pty.wait_for_text(" link ");
}

#[test]
fn every_view_takes_few_bytes_under_churn_and_is_painted_whole_when_asked() {
    if !can_run("pty") || !can_run("netns") {
        return;
    }
    let namespace = churn();
    let mut pty = started(&namespace, &[]);
    let pages = ["1", "2", "3", "4", "5", "6", "7", "3\r"];
    for keys in pages {
        pty.press(keys);
        // Enough of them to bear the one in which a finding comes and every pane moves.
        let churn = bytes_per_sample(&mut pty, 4);
        assert!(churn <= CHURN, "{churn} bytes a sample on page {keys:?}");
        pty.press("p");
        // The last line is the last of a frame to come.
        let held =
            |screen: &vt100::Screen| [" HELD", " go on"].iter().all(|part| screen.contents().contains(part));
        pty.wait_for("a held picture, all of it", held);
        let (shown, (times, _)) = (picture(pty.screen()), wipes(pty.raw()));
        pty.press(CONTROL_L);
        // What was drawn by changes is what is painted as a whole.
        let again = |pty: &Pty| wipes(pty.raw()).0 == times + 1 && picture(pty.screen()) == shown;
        pty.wait_until("the same picture, painted whole", again);
        let whole = pty.raw().len() - wipes(pty.raw()).1;
        assert!(whole <= WHOLE, "{whole} bytes for page {keys:?}");
        pty.press("p");
        pty.wait_for("a live picture", |screen| !screen.contents().contains(" HELD"));
    }
}

#[test]
fn a_slow_link_gets_every_fourth_sample_and_answers_at_once() {
    if !can_run("pty") || !can_run("netns") {
        return;
    }
    let namespace = churn();
    let mut pty = started(&namespace, &["--slow"]);
    pty.wait_for_text(", slow ");
    next_sample(&mut pty);
    for _ in 0..3 {
        // Of four seconds the clock may tell three: it has no tenths.
        assert!(next_sample(&mut pty) >= 3, "samples were left out");
        assert!(!pty.screen().contents().contains(" STALE "), "what is left out is not late");
    }
    pty.press("2");
    // Every view has a tab in the header: only on its own page is there no other pane.
    pty.wait_for("the sockets alone", |screen| !screen.contents().contains(" States "));
}

#[test]
fn a_terminal_that_stalls_delays_neither_samples_nor_the_trace() {
    if !can_run("pty") || !can_run("netns") {
        return;
    }
    let namespace = churn();
    let mut pty = started(&namespace, &["-i", "0.1"]);
    let before = clock(pty.screen()).expect("a clock");
    // Takes a second and more, in which ten samples are due.
    pty.read_no_more();
    // What is typed meanwhile is obeyed, the last of it being to paint everything anew.
    pty.press("3");
    pty.press(CONTROL_L);
    pty.read_again();
    let whole = |screen: &vt100::Screen| {
        let header = screen.contents_between(0, 0, 0, SIZE.0);
        let alone = screen.contents().contains(" Processes ") && !screen.contents().contains(" States ");
        alone && !header.contains("...") && clock(screen).is_some()
    };
    pty.wait_for("the page that was asked for", whole);
    let after = clock(pty.screen()).expect("just seen");
    assert!(after != before, "sampling went on");
    let text = pty.screen().contents();
    assert!(!text.contains(" STALE ") && !text.contains(" lost"), "{text}");
    pty.press("q");
    assert!(pty.wait_for_exit(SOON).success());
}
