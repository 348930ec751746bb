//! The terminal: taken over, and given back on every way out.
//!
//! Frames are written by a thread of their own. A write to a terminal can block for as long as the network between it
//! and the person stalls; keys, signals and samples must not wait for that. While a frame is on its way no other is
//! drawn: what is seen next is the newest picture, not a queue of old ones.

use std::{
    cell::Cell,
    fs,
    io::{self, Write},
    mem, panic,
    rc::Rc,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::{self as post},
    },
    thread,
    time::Duration,
};

use crossterm::{clipboard::CopyToClipboard, queue, terminal};
use ratatui::{Terminal, backend::CrosstermBackend};
use rustix::process::{self, Pid};
use tokio::{signal::unix::Signal, sync::mpsc};

use crate::wire::procfs;

/// Alternate screen, no cursor, pasted text marked as such, clicks and the wheel reported (but not every movement of
/// the mouse: that floods a slow link).
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?1000h\x1b[?1006h";
/// The same undone, and colours reset.
const LEAVE: &[u8] = b"\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[0m\x1b[?1049l\x1b[?25h";

/// How long a terminal that does not read may hold up the end of the program.
const FAREWELL: Duration = Duration::from_secs(1);

/// Whether the terminal is ours now: read by the panic hook, which may run on any thread.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal in raw mode on its alternate screen, for as long as this lives.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Frames>>,
    /// Writes handed to the writer so far.
    handed: Rc<Cell<u64>>,
    /// Writes that it has finished.
    finished: u64,
    outbox: post::Sender<Parcel>,
    results: mpsc::UnboundedReceiver<io::Result<()>>,
}

impl Screen {
    /// Takes the terminal over, and makes a panic on any thread give it back before it is reported.
    pub(super) fn take() -> io::Result<Self> {
        install_panic_hook();
        let (outbox, inbox) = post::channel();
        let (results_in, results) = mpsc::unbounded_channel();
        let deliver = move || deliver(&inbox, &results_in);
        thread::Builder::new().name("twtop-screen".to_owned()).spawn(deliver)?;
        let handed = Rc::new(Cell::new(0));
        let frames = Frames { bytes: Vec::new(), outbox: outbox.clone(), handed: Rc::clone(&handed) };
        enter()?;
        let terminal = Terminal::new(CrosstermBackend::new(frames)).inspect_err(|_| give_back(put))?;
        Ok(Self { terminal, handed, finished: 0, outbox, results })
    }

    /// Whether a frame is still on its way to the terminal.
    pub(super) fn is_busy(&self) -> bool {
        self.finished < self.handed.get()
    }

    /// Waits until a write to the terminal is finished, for ever if there is none.
    ///
    /// # Errors
    /// Why the terminal could not be written to.
    pub(super) async fn written(&mut self) -> io::Result<()> {
        let result = self.results.recv().await;
        self.finished += 1;
        result.unwrap_or_else(|| Err(io::Error::other("its writer stopped")))
    }

    /// Draws one frame; ratatui writes only the cells that changed.
    pub(super) fn draw(&mut self, render: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(render).map(|_| ())
    }

    /// Gives `text` to the terminal to copy (OSC 52), after the frame on its way. A terminal that does not know how, or
    /// may not, passes it over; tmux and screen hand it on if they are set to.
    pub(super) fn copy(&mut self, text: &str) -> io::Result<()> {
        let frames = self.terminal.backend_mut();
        queue!(frames, CopyToClipboard::to_clipboard_from(text))?;
        Write::flush(frames)
    }

    /// Makes the next frame repaint everything. (`Terminal::clear` would do the same, but asks the terminal where its
    /// cursor is first: the answer comes back among the keys, and not at all from a terminal that is slow.)
    pub(super) fn repaint(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }

    /// Gives the terminal back, stops the job as Ctrl-Z does, and takes the terminal again when continued. Where no
    /// shell could continue us, nothing happens, as for any program.
    pub(super) async fn suspend(&mut self, continued: &mut Signal) -> io::Result<()> {
        if is_orphaned() {
            return Ok(());
        }
        self.leave();
        // SIGTSTP itself is caught, so that one from outside comes here too.
        process::kill_current_process_group(process::Signal::STOP)?;
        // The stop takes effect before this time is over; the signal is there when it ends.
        let _ = tokio::time::timeout(Duration::from_millis(200), continued.recv()).await;
        self.resume()
    }

    /// Takes the terminal again after somebody else had it.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        // The shell has changed the terminal's mode behind our back; raw mode is entered anew only if it was left.
        terminal::disable_raw_mode()?;
        enter()?;
        self.repaint()
    }

    /// Gives the terminal back after the frame on its way; not at all if it does not read.
    fn leave(&self) {
        give_back(|bytes| {
            let (receipt, received) = post::channel();
            let _ = self.outbox.send(Parcel { bytes: bytes.to_vec(), receipt: Some(receipt) });
            received.recv_timeout(FAREWELL).map_err(io::Error::other)
        });
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Something to write, and whom to tell when it is written.
struct Parcel {
    bytes: Vec<u8>,
    receipt: Option<post::Sender<()>>,
}

/// The writer's thread: writes what comes until nobody can send any more.
fn deliver(inbox: &post::Receiver<Parcel>, results: &mpsc::UnboundedSender<io::Result<()>>) {
    for Parcel { bytes, receipt } in inbox {
        let result = put(&bytes);
        match receipt {
            Some(receipt) => drop(receipt.send(())),
            None => drop(results.send(result)),
        }
    }
}

/// Collects a frame, and hands it to the writer as a whole.
struct Frames {
    bytes: Vec<u8>,
    outbox: post::Sender<Parcel>,
    handed: Rc<Cell<u64>>,
}

impl Write for Frames {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.bytes.is_empty() {
            let parcel = Parcel { bytes: mem::take(&mut self.bytes), receipt: None };
            self.outbox.send(parcel).map_err(|_| io::Error::other("the screen's writer stopped"))?;
            self.handed.set(self.handed.get() + 1);
        }
        Ok(())
    }
}

/// Writes to standard output without its lock: the writer may hold that for as long as the terminal blocks, and a panic
/// must not wait for it.
fn put(mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(rustix::stdio::stdout(), bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn enter() -> io::Result<()> {
    terminal::enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    put(ENTER).inspect_err(|_| give_back(put))
}

/// Restores the terminal once, by `write`. Errors are of no use here: there is no terminal left to tell them to.
fn give_back(write: impl FnOnce(&[u8]) -> io::Result<()>) {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = write(LEAVE);
        let _ = terminal::disable_raw_mode();
    }
}

/// A panic anywhere ends the program: first the terminal is given back, then the report is readable.
fn install_panic_hook() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        give_back(put);
        report(info);
        std::process::exit(super::EXIT_ERROR.into());
    }));
}

/// Whether no process could continue ours if it stopped: none of its group has a parent in another group of the same
/// session (POSIX, "orphaned process group"). The kernel ignores SIGTSTP for such a group; so must we, as we stop by
/// SIGSTOP, which it does not ignore.
fn is_orphaned() -> bool {
    let (Ok(session), group) = (process::getsid(None), process::getpgrp()) else { return true };
    let mut parent = process::getppid();
    while let Some(pid) = parent {
        if process::getsid(Some(pid)) != Ok(session) {
            return true;
        }
        if process::getpgid(Some(pid)) != Ok(group) {
            return false;
        }
        parent = parent_of(pid);
    }
    true
}

fn parent_of(pid: Pid) -> Option<Pid> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    Pid::from_raw(procfs::stat(&text)?.parent.try_into().ok()?)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use portable_pty::{CommandBuilder, PtySize, native_pty_system};

    use super::Screen;

    #[test]
    fn what_is_copied_goes_the_way_of_frames() {
        let (outbox, inbox) = std::sync::mpsc::channel();
        let mut frames = super::Frames { bytes: Vec::new(), outbox, handed: std::rc::Rc::default() };
        crossterm::queue!(frames, crossterm::clipboard::CopyToClipboard::to_clipboard_from("ss -tan"))
            .expect("memory does not fail");
        assert!(inbox.try_recv().is_err(), "nothing is written before the whole of it is there");
        std::io::Write::flush(&mut frames).expect("somebody reads");
        let parcel = inbox.try_recv().expect("one parcel");
        assert_eq!(String::from_utf8(parcel.bytes).as_deref(), Ok("\x1b]52;c;c3MgLXRhbg==\x1b\\"));
    }

    #[test]
    #[ignore = "panics; the test below starts it in a terminal of its own"]
    fn a_panic_on_a_taken_terminal() {
        let _screen = Screen::take().expect("a terminal");
        let _ = std::thread::spawn(|| panic!("planted")).join();
        unreachable!("a panic on any thread ends the program");
    }

    #[test]
    fn a_panic_gives_the_terminal_back_before_it_is_reported() {
        let pair = native_pty_system().openpty(PtySize::default()).expect("a pseudo-terminal");
        let settings = || format!("{:?}", pair.master.get_termios());
        let before = settings();
        let mut command = CommandBuilder::new(std::env::current_exe().expect("this program"));
        command.args([
            "--exact",
            "app::terminal::tests::a_panic_on_a_taken_terminal",
            "--ignored",
            "--nocapture",
        ]);
        let mut child = pair.slave.spawn_command(command).expect("it starts");
        let mut reader = pair.master.try_clone_reader().expect("readable");
        drop(pair.slave);
        let mut output = Vec::new();
        // Linux answers EIO at the end of a terminal's output.
        let _ = reader.read_to_end(&mut output);
        assert_eq!(child.wait().expect("it ends").exit_code(), 2);
        let output = String::from_utf8_lossy(&output);
        let at = |text: &str| output.find(text).unwrap_or_else(|| panic!("no {text:?} in {output:?}"));
        assert!(at("\x1b[?1049h") < at("\x1b[?1049l"), "{output:?}");
        assert!(at("\x1b[?1049l") < at("planted"), "{output:?}");
        assert!(at("\x1b[?25l") < at("\x1b[?25h"), "{output:?}");
        assert_eq!(settings(), before);
    }
}
