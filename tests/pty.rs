//! The `pty` tier: the real program in a real terminal. Keys go in, a terminal's parser reads the frames, and the
//! terminal is as before on every way out.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::Value;

mod support {
    #[expect(dead_code, reason = "the raw bytes are for other tests")]
    pub(crate) mod pty;
    pub(crate) mod require;
}

use support::{pty::Pty, require::can_run};

const TWTOP: &str = env!("CARGO_BIN_EXE_twtop");
const ESCAPE: &str = "\x1b";
const CONTROL_C: &str = "\x03";
const CONTROL_Z: &str = "\x1a";

/// Longer than it may take to end, however busy the machine is.
const SOON: Duration = Duration::from_secs(10);

/// A way to end the program.
type WayOut = fn(&mut Pty);

/// twtop in a terminal, with its first full frame drawn.
fn started(columns: u16, rows: u16) -> Pty {
    started_as(&Command::new(TWTOP), (columns, rows))
}

fn started_as(command: &Command, size: (u16, u16)) -> Pty {
    let mut pty = Pty::run(command, size);
    pty.wait_for("the alternate screen", vt100::Screen::alternate_screen);
    for state in ["TIME_WAIT", "CLOSE_WAIT", "ESTABLISHED"] {
        pty.wait_for_text(state);
    }
    pty
}

#[test]
fn the_first_frame_shows_the_states_that_matter() {
    if !can_run("pty") {
        return;
    }
    let mut pty = started(80, 24);
    pty.wait_for("a hidden cursor", vt100::Screen::hide_cursor);
    assert_ne!(pty.left_behind(), [""; 0], "a running screen has taken the terminal over");
}

#[test]
fn keys_are_answered() {
    if !can_run("pty") {
        return;
    }
    let mut pty = started(80, 24);
    pty.press("?");
    pty.wait_for_text("leave help");
    pty.press(ESCAPE);
    pty.wait_for("the overview again", |screen| !screen.contents().contains("leave help"));
    pty.press("/port:4");
    pty.wait_for_text("port:4");
    pty.press("43\r");
    pty.wait_for_text("port:443");
    pty.press(ESCAPE);
    pty.wait_for("the filter gone", |screen| !screen.contents().contains("port:443"));
    pty.press("q");
    assert_eq!(pty.wait_for_end().exit_code(), 0);
    assert_eq!(pty.left_behind(), [""; 0]);
}

#[test]
fn a_filter_that_makes_no_sense_is_explained_while_it_is_typed() {
    if !can_run("pty") {
        return;
    }
    let mut pty = started(80, 24);
    pty.press("/port:x");
    pty.wait_for_text("`x` is not a port");
    let rows: Vec<String> = pty.screen().rows(0, 80).collect();
    let typed = rows.iter().position(|row| row.contains("port:x")).expect("the filter is on screen");
    let column = rows[typed].find('x').expect("all of it");
    let mark = rows[typed + 1].chars().position(|c| !c.is_whitespace());
    assert_eq!(mark, Some(column), "the error is under its character: {rows:#?}");
    pty.press(ESCAPE);
    pty.wait_for("the filter gone", |screen| !screen.contents().contains("port:x"));
}

#[test]
fn a_resize_uses_the_new_room() {
    if !can_run("pty") {
        return;
    }
    let mut pty = started(80, 24);
    pty.resize(160, 45);
    let right_and_below = |screen: &vt100::Screen| {
        let mut cells = (24..45).flat_map(|row| (100..160).map(move |column| (row, column)));
        cells.any(|(row, column)| screen.cell(row, column).is_some_and(|cell| cell.contents().trim() != ""))
    };
    pty.wait_for("something in the new room", right_and_below);
    pty.resize(40, 10);
    pty.wait_for_text("too small");
    pty.resize(80, 24);
    pty.wait_for_text("TIME_WAIT");
    pty.press("q");
    assert_eq!(pty.wait_for_end().exit_code(), 0);
}

#[test]
fn the_terminal_is_as_before_after_every_way_out() {
    if !can_run("pty") {
        return;
    }
    let ways: [(&str, u32, WayOut); 5] = [
        ("q", 0, |pty| pty.press("q")),
        ("Ctrl-C", 0, |pty| pty.press(CONTROL_C)),
        ("SIGTERM", 128 + 15, |pty| pty.signal(Signal::TERM)),
        ("SIGHUP", 128 + 1, |pty| pty.signal(Signal::HUP)),
        ("SIGINT", 128 + 2, |pty| pty.signal(Signal::INT)),
    ];
    for (name, code, leave) in ways {
        let mut pty = started(80, 24);
        leave(&mut pty);
        assert_eq!(pty.wait_for_end().exit_code(), code, "after {name}");
        assert_eq!(pty.left_behind(), [""; 0], "after {name}");
    }
}

#[test]
fn a_terminal_that_hangs_up_ends_it() {
    if !can_run("pty") {
        return;
    }
    let ended = started(80, 24).hang_up(SOON);
    // Whether it hears of the signal, the end of its input or the failed frame first is for the kernel to say.
    assert_eq!(ended.signal(), None, "it ended by itself");
    assert!([0, 2, 128 + 1].contains(&ended.exit_code()), "{ended:?}");
}

#[test]
fn a_terminal_that_nobody_reads_does_not_hold_up_the_end() {
    if !can_run("pty") {
        return;
    }
    let mut pty = started_as(Command::new(TWTOP).args(["-i", "0.1"]), (80, 24));
    // Ten frames were due while it filled up.
    pty.read_no_more();
    pty.signal(Signal::TERM);
    assert_eq!(pty.wait_for_exit(SOON).exit_code(), 128 + 15);
    assert!(!pty.left_behind().contains(&"settings of the line (termios)"), "that needs no reader");
}

#[test]
fn a_terminal_that_is_read_late_is_given_back_all_the_same() {
    if !can_run("pty") {
        return;
    }
    // Frames of many pieces: what is dropped of one may break off in the middle of a sequence.
    let mut pty = started_as(Command::new(TWTOP).args(["-i", "0.1"]), (200, 50));
    pty.read_no_more();
    pty.press("q");
    pty.goes_on(Duration::from_secs(3));
    pty.read_again();
    assert_eq!(pty.wait_for_end().exit_code(), 0);
    assert_eq!(pty.left_behind(), [""; 0]);
}

#[test]
fn asked_twice_it_leaves_a_terminal_that_nobody_reads() {
    if !can_run("pty") {
        return;
    }
    let mut pty = started_as(Command::new(TWTOP).args(["-i", "0.1"]), (80, 24));
    pty.read_no_more();
    pty.press("q");
    pty.press("q");
    assert_eq!(pty.wait_for_exit(SOON).exit_code(), 0);
    assert!(!pty.left_behind().contains(&"settings of the line (termios)"), "that needs no reader");
}

#[test]
fn each_export_goes_to_a_new_file() {
    if !can_run("pty") {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut pty = started_as(Command::new(TWTOP).current_dir(folder.path()), (200, 50));
    pty.press("es");
    pty.wait_for("where the file is", |screen| exported(screen, ".json").is_some());
    let first = exported(pty.screen(), ".json").expect("just seen");
    let first_text = checked_export(&first, folder.path());
    // Mostly within the same second, so that the name is taken.
    pty.press("es");
    pty.wait_for("another file", |screen| exported(screen, ".json").is_some_and(|path| path != first));
    let second = exported(pty.screen(), ".json").expect("just seen");
    checked_export(&second, folder.path());
    pty.press("7ev");
    pty.wait_for("a table", |screen| exported(screen, ".csv").is_some());
    let table = exported(pty.screen(), ".csv").expect("just seen");
    let text = fs::read_to_string(&table).expect("the file is where the screen says");
    assert!(text.starts_with("counter,"), "{text}");
    assert_eq!(fs::read_to_string(&first).expect("it is still there"), first_text, "it was left alone");
    let files = fs::read_dir(folder.path()).expect("it can be listed");
    let files: BTreeSet<_> = files.map(|entry| entry.expect("an entry").file_name()).collect();
    let names = [&first, &second, &table].map(|path| path.file_name().expect("a file").to_owned());
    assert_eq!(files, BTreeSet::from(names), "these and no other");
    // What is held is as of then, and is called so.
    pty.press(" es");
    pty.wait_for_text(", as of 2");
    pty.press("q");
    assert_eq!(pty.wait_for_end().exit_code(), 0);
}

/// The file that the screen says was exported.
fn exported(screen: &vt100::Screen, extension: &str) -> Option<PathBuf> {
    let text = screen.contents();
    let (_, rest) = text.split_once("exported to ")?;
    let (path, _) = rest.split_once(extension)?;
    Some(format!("{path}{extension}").into())
}

/// The text of an exported file that is what it should be.
fn checked_export(path: &Path, folder: &Path) -> String {
    assert_eq!(
        path.parent(),
        Some(&*fs::canonicalize(folder).expect("it is there")),
        "in the current folder"
    );
    let name = path.file_name().expect("a file").to_string_lossy();
    assert!(name.starts_with("twtop-"), "{name}");
    let text = fs::read_to_string(path).expect("the file is where the screen says");
    let export: Value = serde_json::from_str(&text).expect("it is whole when the screen says so");
    assert_eq!(export["schema"], "twtop.snapshot/1");
    assert!(export["sockets"].is_array(), "every socket is in it");
    text
}

#[test]
fn stopped_and_continued_by_a_shell() {
    if !can_run("pty") {
        return;
    }
    // Without a line editor, which would keep settings of its own.
    let mut pty = Pty::start("sh", &["+o", "emacs", "+o", "vi", "-i"], (80, 24));
    pty.wait_for("a prompt", prompts);
    // A name of the shell's own: the path may be longer than a line.
    pty.press(&format!("alias t='{TWTOP}'; clear\r"));
    pty.press("t\r");
    pty.wait_for("the alternate screen", vt100::Screen::alternate_screen);
    pty.wait_for_text("TIME_WAIT");
    pty.press(CONTROL_Z);
    pty.wait_for("the shell", |screen| !screen.alternate_screen());
    pty.wait_for_text("Stopped");
    pty.wait_for("a prompt", prompts);
    assert_eq!(pty.left_behind(), [""; 0], "while it is stopped");
    pty.press("fg\r");
    pty.wait_for("the alternate screen", vt100::Screen::alternate_screen);
    pty.wait_for_text("TIME_WAIT");
    pty.wait_for("a hidden cursor", vt100::Screen::hide_cursor);
    pty.press("q");
    pty.wait_for("the shell", |screen| !screen.alternate_screen());
    // What is typed before the prompt may still go to the program that is about to end.
    pty.wait_for("a prompt", prompts);
    pty.press("exit\r");
    assert_eq!(pty.wait_for_end().exit_code(), 0);
    assert_eq!(pty.left_behind(), [""; 0]);
}

/// Whether a shell waits for a command in the last line.
fn prompts(screen: &vt100::Screen) -> bool {
    screen.contents().trim_end().lines().last().is_some_and(|line| line.trim_end() == "prompt>")
}

#[test]
fn without_a_terminal_it_refuses_and_names_the_way_out() {
    let output = Command::new(TWTOP).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stdout, b"");
    let message = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(message.contains("twtop snapshot"), "{message}");
    assert!(message.lines().count() <= 2, "{message}");
    assert!(!message.contains('\x1b'), "{message:?}");
}
