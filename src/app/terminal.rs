//! The terminal: taken over, and given back on every way out.
//!
//! Frames are written by a thread of their own. A write to a terminal can block for as long as the network between it
//! and the person stalls; keys, signals and samples must not wait for that. While a frame is on its way no other is
//! drawn: what is seen next is the newest picture, not a queue of old ones. A frame that is like the last one is not
//! written at all. Who leaves does not wait for the rest of a frame either: it is dropped, and what gives the terminal
//! back comes next.

use std::{
    fs, io, mem, panic,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self as post},
    },
    thread,
    time::Duration,
};

use crossterm::{clipboard::CopyToClipboard, queue, terminal};
use ratatui::{
    buffer::Buffer,
    layout::{Position, Rect},
};
use rustix::process::{self, Pid};
use tokio::{signal::unix::Signal, sync::mpsc};

use super::encode::Encoder;
use crate::wire::procfs;

/// Alternate screen, no cursor, pasted text marked as such, clicks and the wheel reported (but not every movement of
/// the mouse: that floods a slow link).
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[?1000h\x1b[?1006h";
/// The same undone, and colours reset.
const LEAVE: &[u8] = b"\x1b[?1006l\x1b[?1000l\x1b[?2004l\x1b[0m\x1b[?1049l\x1b[?25h";
/// Ends a sequence of which the rest is dropped (CAN), also one that carries a text (ST).
const CUT: &[u8] = b"\x18\x1b\\";
/// So many bytes of a frame at most are written at once: what has begun cannot be dropped any more.
const PIECE: usize = 1024;

/// How long a terminal that does not read may hold up the end that a signal asks for.
const FAREWELL: Duration = Duration::from_secs(1);

/// How many bytes beside frames may wait for the terminal.
const WAITING: usize = 256 * 1024;

/// Whether the terminal is ours now: read by the panic hook, which may run on any thread.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal in raw mode on its alternate screen, for as long as this lives.
pub(super) struct Screen {
    /// What it shows.
    encoder: Encoder,
    /// What goes out before the next frame.
    waiting: Vec<u8>,
    /// Writes handed to the writer so far.
    handed: u64,
    /// Writes that it has finished.
    finished: u64,
    /// Bytes in those handed to it.
    bytes: u64,
    /// Whether the rest of a frame is not wanted any more.
    cut: Arc<AtomicBool>,
    outbox: post::Sender<Parcel>,
    results: mpsc::UnboundedReceiver<io::Result<()>>,
}

impl Screen {
    /// Takes the terminal over, and makes a panic on any thread give it back before it is reported.
    pub(super) fn take() -> io::Result<Self> {
        install_panic_hook();
        let (outbox, inbox) = post::channel();
        let (results_in, results) = mpsc::unbounded_channel();
        let cut = Arc::new(AtomicBool::new(false));
        let is_cut = Arc::clone(&cut);
        let deliver = move || deliver(&inbox, &results_in, &is_cut);
        thread::Builder::new().name("twtop-screen".to_owned()).spawn(deliver)?;
        enter()?;
        put(ENTER).inspect_err(|_| give_back(put))?;
        let (encoder, waiting) = (Encoder::default(), Vec::new());
        Ok(Self { encoder, waiting, handed: 0, finished: 0, bytes: 0, cut, outbox, results })
    }

    /// Whether a frame is still on its way to the terminal.
    pub(super) fn is_busy(&self) -> bool {
        self.finished < self.handed
    }

    /// How many bytes went to the terminal so far, or are on their way.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
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

    /// Draws one frame with `render`, which says where the text cursor is; only what changed goes out.
    pub(super) fn draw(
        &mut self,
        render: impl FnOnce(&mut Buffer, Rect) -> Option<Position>,
    ) -> io::Result<()> {
        let (width, height) = terminal::size()?;
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        let cursor = render(&mut buffer, area);
        let frame = self.encoder.frame(buffer, cursor);
        self.hand_over(frame)
    }

    /// Hands the writer what waits and `frame`, as one; nothing if there is nothing.
    fn hand_over(&mut self, mut frame: Vec<u8>) -> io::Result<()> {
        let mut bytes = mem::take(&mut self.waiting);
        bytes.append(&mut frame);
        if !bytes.is_empty() {
            self.bytes += u64::try_from(bytes.len()).unwrap_or(0);
            self.handed += 1;
            let parcel = Parcel { bytes, is_last: false, receipt: None };
            self.outbox.send(parcel).map_err(|_| io::Error::other("the screen's writer stopped"))?;
        }
        Ok(())
    }

    /// Sends what a person asked for, `bytes` that are no part of a frame, after the frame on its way and before the next one. Says whether they
    /// are taken: not if too much waits already.
    #[must_use]
    pub(super) fn send(&mut self, bytes: &[u8]) -> bool {
        let room = self.waiting.len() + bytes.len() <= WAITING;
        if room {
            self.waiting.extend_from_slice(bytes);
        }
        room
    }

    /// Gives `text` to the terminal to copy (OSC 52), if it is taken. A terminal that does not know how, or may not,
    /// passes it over; tmux and screen hand it on if they are set to.
    pub(super) fn copy(&mut self, text: &str) -> bool {
        let mut bytes = Vec::new();
        queue!(bytes, CopyToClipboard::to_clipboard_from(text)).is_ok() && self.send(&bytes)
    }

    /// Makes the next frame repaint everything.
    pub(super) fn repaint(&mut self) {
        self.encoder.forget();
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
        self.cut.store(false, Ordering::SeqCst);
        self.begin_anew();
        Ok(())
    }

    /// Enters the alternate screen and draws all of it, however much waits: without that no frame is of use.
    fn begin_anew(&mut self) {
        self.waiting.extend_from_slice(ENTER);
        self.repaint();
    }

    /// Drops the rest of the frame on its way and has the writer give the terminal back: done once nothing
    /// [`is_busy`](Self::is_busy). The terminal is ours until [`Screen::part`].
    pub(super) fn begin_to_leave(&mut self) {
        self.cut.store(true, Ordering::SeqCst);
        self.handed += 1;
        // Without a writer nothing could be given back.
        let _ = self.outbox.send(Parcel { bytes: LEAVE.to_vec(), is_last: true, receipt: None });
    }

    /// Ends what [`Screen::begin_to_leave`] began, whether or not the terminal has read it.
    pub(super) fn part() {
        give_back(|_| Ok(()));
    }

    /// Gives the terminal back, without the rest of the frame on its way; not at all if it does not read.
    fn leave(&self) {
        give_back(|bytes| {
            self.cut.store(true, Ordering::SeqCst);
            let (receipt, received) = post::channel();
            let _ = self.outbox.send(Parcel { bytes: bytes.to_vec(), is_last: true, receipt: Some(receipt) });
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
    /// Whether it gives the terminal back: it is never cut.
    is_last: bool,
    receipt: Option<post::Sender<()>>,
}

/// The writer's thread: writes what comes until nobody can send any more.
fn deliver(
    inbox: &post::Receiver<Parcel>,
    results: &mpsc::UnboundedSender<io::Result<()>>,
    cut: &AtomicBool,
) {
    let mut is_whole = true;
    for Parcel { bytes, is_last, receipt } in inbox {
        let result = if is_last {
            let before = if mem::replace(&mut is_whole, true) { &[] } else { CUT };
            put(&[before, &bytes].concat())
        } else {
            put_until(&bytes, cut).map(|whole| is_whole &= whole)
        };
        match receipt {
            Some(receipt) => drop(receipt.send(())),
            None => drop(results.send(result)),
        }
    }
}

/// Writes a frame in pieces, until the rest of it is not wanted any more. Says whether all of it is written.
fn put_until(bytes: &[u8], cut: &AtomicBool) -> io::Result<bool> {
    for piece in bytes.chunks(PIECE) {
        if cut.load(Ordering::SeqCst) {
            return Ok(false);
        }
        put(piece)?;
    }
    Ok(true)
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

/// Raw mode; from now on the terminal is ours to restore.
fn enter() -> io::Result<()> {
    terminal::enable_raw_mode()?;
    TAKEN.store(true, Ordering::SeqCst);
    Ok(())
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
    use std::{
        io::Read as _,
        sync::{Arc, mpsc},
    };

    use portable_pty::{CommandBuilder, PtySize, native_pty_system};

    use super::{ENTER, Encoder, Parcel, Screen, WAITING};

    /// A screen without a terminal, and what is handed to its writer.
    fn screen() -> (Screen, mpsc::Receiver<Parcel>) {
        let (outbox, inbox) = mpsc::channel();
        let results = tokio::sync::mpsc::unbounded_channel().1;
        let (encoder, waiting) = (Encoder::default(), vec![]);
        let cut = Arc::default();
        (Screen { encoder, waiting, handed: 0, finished: 0, bytes: 0, cut, outbox, results }, inbox)
    }

    #[test]
    fn the_alternate_screen_is_entered_anew_however_much_waits() {
        let (mut screen, inbox) = screen();
        assert!(screen.send(&vec![b'.'; WAITING]));
        screen.begin_anew();
        screen.hand_over(b"frame".to_vec()).expect("somebody writes");
        let bytes = inbox.try_recv().expect("one parcel").bytes;
        assert_eq!(&bytes[WAITING..], [ENTER, b"frame"].concat());
    }

    #[test]
    fn what_is_copied_goes_out_before_the_next_frame() {
        let (mut screen, inbox) = screen();
        assert!(screen.copy("ss -tan"));
        assert!(!screen.send(&vec![b'.'; WAITING]), "too much at once");
        assert!(inbox.try_recv().is_err(), "a frame may be on its way");
        screen.hand_over(b"frame".to_vec()).expect("somebody writes");
        let parcel = inbox.try_recv().expect("one parcel");
        assert_eq!(String::from_utf8(parcel.bytes).as_deref(), Ok("\x1b]52;c;c3MgLXRhbg==\x1b\\frame"));
        assert_eq!((screen.bytes(), screen.is_busy()), (26, true));
        screen.hand_over(vec![]).expect("somebody writes");
        assert!(inbox.try_recv().is_err(), "nothing is not written");
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
