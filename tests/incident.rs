//! The `pty` tier in a namespace: an incident from the first look to the way out, by keyboard, of real sockets.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use vt100::Screen;

mod support {
    pub(crate) mod generator;
    pub(crate) mod header;
    #[expect(dead_code, reason = "orders and outputs are for the netns tier")]
    pub(crate) mod namespace;
    #[expect(dead_code, reason = "ways out are for the other tests of this tier")]
    pub(crate) mod pty;
    pub(crate) mod require;
}

use support::{header::path, namespace::Namespace, pty::Pty, require::can_run};

const SIZE: (u16, u16) = (120, 40);
const ENTER: &str = "\r";
const ESCAPE: &str = "\x1b";
const HOME: &str = "\x1b[H";
const TAB: &str = "\t";

/// The programs of `tests/support/turmoil.py`, for as long as this is there.
struct Turmoil(Child);

impl Turmoil {
    fn within(namespace: &Namespace) -> Self {
        // Not as the script of Python: its processes would be called by that, not by what each calls itself.
        let code = "import runpy, sys; runpy.run_path(sys.argv[1])";
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/turmoil.py");
        let child = namespace.command("python3").args(["-c", code, script]).stdin(Stdio::piped()).spawn();
        Self(child.expect("Python starts"))
    }
}

impl Drop for Turmoil {
    fn drop(&mut self) {
        // They end with their input; it may have gone already.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The screen's lines, without spaces at the ends. A frame comes in pieces: its first line may be there before the others,
/// so nothing is taken for granted that was not waited for.
fn lines(screen: &Screen) -> Vec<String> {
    screen.rows(0, SIZE.0).map(|row| row.trim_end().to_owned()).collect()
}

/// The line of the selected row, found by its reversed cells. Marks are reversed too: a row is longer than they are.
fn selected(screen: &Screen) -> Option<String> {
    let reversed = |row: u16| {
        let cells = (0..SIZE.0).filter_map(|column| screen.cell(row, column));
        cells.filter(|cell| cell.inverse()).map(vt100::Cell::contents).collect::<String>()
    };
    (0..SIZE.1).map(reversed).find(|line| line.len() > 20)
}

/// Presses `key` and waits for the page.
fn go(pty: &mut Pty, key: &str, page: &str) {
    pty.press(key);
    pty.wait_for(&format!("page {page}"), |screen| path(screen) == page);
}

/// Waits until the selected row has this in it.
fn wait_for_selected(pty: &mut Pty, text: &str) {
    let has = |screen: &Screen| selected(screen).is_some_and(|line| line.contains(text));
    pty.wait_for(&format!("a selected row with {text:?}"), has);
}

/// Waits until the text is no longer on the screen.
fn wait_for_none(pty: &mut Pty, text: &str) {
    pty.wait_for(&format!("a screen without {text:?}"), |screen| !screen.contents().contains(text));
}

/// What stands behind `name` on the screen, up to the end of its line.
fn behind(screen: &Screen, name: &str) -> Option<String> {
    lines(screen).iter().find_map(|line| Some(line.split_once(name)?.1.to_owned()))
}

#[test]
fn an_incident_is_read_by_keyboard() {
    if !can_run("pty") || !can_run("netns") || !can_run("python") {
        return;
    }
    let namespace = Namespace::with(&[]);
    let _turmoil = Turmoil::within(&namespace);
    let folder = tempfile::tempdir().expect("a temporary directory");
    let mut command = namespace.command(env!("CARGO_BIN_EXE_twtop"));
    command.args(["--no-config", "--interval", "0.5"]).current_dir(folder.path());
    let mut pty = Pty::run(&command, SIZE);

    let socket = from_the_overview_to_a_socket(&mut pty);
    back_to_the_row(&mut pty, &socket);
    one_state_and_another_time(&mut pty);
    to_the_ports(&mut pty);
    export(&mut pty);
    copy(&mut pty);
    sort_by_mouse(&mut pty);

    pty.press("q");
    assert_eq!(pty.wait_for_end().exit_code(), 0);
    assert_eq!(pty.left_behind(), [""; 0]);
    assert_eq!(fs::read_dir(folder.path()).expect("it can be listed").count(), 0, "nothing else was written");
}

/// The overview says what is wrong, the finding what to do, the process has the sockets. Yields the local address of the
/// one that is looked at.
fn from_the_overview_to_a_socket(pty: &mut Pty) -> String {
    pty.wait_for_text("does not close");
    go(pty, "6", "findings");
    wait_for_selected(pty, "does not close");
    go(pty, ENTER, "findings → close-wait-leak");
    pty.wait_for_text("that 127.0.0.1:7001 has closed");
    go(pty, ESCAPE, "findings");
    wait_for_selected(pty, "does not close");

    go(pty, "1", "overview");
    // It has the most sockets, so it is the first.
    wait_for_selected(pty, "report-gen");
    pty.press(ENTER);
    pty.wait_for("its page", |screen| path(screen).starts_with("overview → process "));
    pty.wait_for_text("▶ Peers");
    pty.press(TAB);
    pty.wait_for_text("▶ Sockets");
    pty.wait_for("a socket", |screen| selected_socket(screen).is_some());
    let first = selected_socket(pty.screen());
    pty.press("j");
    let another = |screen: &Screen| selected_socket(screen).is_some_and(|row| Some(row) != first);
    pty.wait_for("the next row", another);
    selected_socket(pty.screen()).expect("just seen")
}

/// The local address of the selected row of sockets, once it is drawn to its end.
fn selected_socket(screen: &Screen) -> Option<String> {
    let row = selected(screen).filter(|row| row.contains("CLOSE_WAIT") && row.chars().count() > 110)?;
    Some(row.split_whitespace().find(|word| word.contains(':'))?.to_owned())
}

/// Into that socket, and out again to where it was.
fn back_to_the_row(pty: &mut Pty, socket: &str) {
    pty.press(ENTER);
    pty.wait_for("its page", |screen| path(screen).ends_with(" → socket"));
    let is_about = |screen: &Screen| {
        let local = behind(screen, "local ");
        local.is_some_and(|local| local.trim_end_matches('│').trim() == socket)
    };
    pty.wait_for(socket, is_about);
    pty.wait_for_text("The peer has closed; our process has not.");
    pty.press(ESCAPE);
    pty.wait_for("the page before", |screen| !path(screen).contains(" → socket"));
    pty.wait_for("the same row", |screen| selected_socket(screen).as_deref() == Some(socket));
}

/// A filter that is completed, a step back in time, and a picture that is held.
fn one_state_and_another_time(pty: &mut Pty) {
    go(pty, "1", "overview");
    pty.press("/state:close-w");
    pty.wait_for_text("/state:close-w");
    pty.press(TAB);
    pty.wait_for_text("/state:close-wait");
    pty.press(ENTER);
    pty.wait_for_text("filter  state:close-wait");
    wait_for_selected(pty, "report-gen");

    pty.press("[");
    pty.wait_for_text(" HELD ");
    pty.press(HOME);
    wait_for_none(pty, " HELD ");
    pty.press("p");
    pty.wait_for_text(" HELD ");
    pty.press("p");
    wait_for_none(pty, " HELD ");
}

/// Views by name and by number, without the filter.
fn to_the_ports(pty: &mut Pty) {
    pty.press(ESCAPE);
    wait_for_none(pty, "filter  state:close-wait");
    pty.press(":view por");
    pty.wait_for_text(":view por");
    pty.press("ts");
    go(pty, ENTER, "ports");
    go(pty, "4", "peers");
    go(pty, "5", "ports");
    wait_for_selected(pty, "127.0.0.1:7001");
}

/// The table that is shown, as a file.
fn export(pty: &mut Pty) {
    pty.press("e");
    pty.wait_for_text("v view CSV");
    pty.press("v");
    pty.wait_for_text(".csv");
    let path = behind(pty.screen(), "exported to ").expect("it says where");
    let path = PathBuf::from(path.trim().trim_end_matches('.'));
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(text.contains("127.0.0.1,7001") || text.contains("127.0.0.1:7001"), "{text}");
    fs::remove_file(path).expect("it is ours");
}

/// What the selected row is about, as a command that the terminal is given.
fn copy(pty: &mut Pty) {
    pty.press("y");
    pty.wait_for_text("Copied: ");
    let told = |pty: &Pty| {
        let shown = behind(pty.screen(), "Copied: ");
        clipboard(pty.raw()).zip(shown).is_some_and(|(copied, shown)| shown.starts_with(&copied))
    };
    pty.wait_until("the clipboard to have what is shown", told);
    let copied = clipboard(pty.raw()).expect("just seen");
    assert!(copied.starts_with("ss ") && copied.contains("127.0.0.1:7001"), "{copied}");
}

/// What the terminal was last asked to put on its clipboard (OSC 52).
fn clipboard(raw: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(raw);
    let (_, rest) = text.rsplit_once("\x1b]52;c;")?;
    let (encoded, _) = rest.split_once("\x1b\\")?;
    let output = Command::new("sh").args(["-c", "printf %s \"$1\" | base64 -d", "sh", encoded]).output();
    let output = output.expect("a shell and coreutils");
    assert!(output.status.success(), "{encoded:?} is not base 64");
    Some(String::from_utf8(output.stdout).expect("a command line is text"))
}

/// A click on the title of a column.
fn sort_by_mouse(pty: &mut Pty) {
    let title = "LEFT";
    let rows = lines(pty.screen());
    let (row, before) = (1..)
        .zip(&rows)
        .find_map(|(row, line)| Some((row, line.split_once(title)?.0)))
        .unwrap_or_else(|| panic!("no {title} in {rows:#?}"));
    let column = before.chars().count() + 1;
    pty.press(&format!("\x1b[<0;{column};{row}M\x1b[<0;{column};{row}m"));
    pty.wait_for_text("Sorted by LEFT, ");
}
