//! A program in a pseudo-terminal, and what a terminal would show of it.

use std::{
    io::{Read as _, Write},
    num::NonZeroU16,
    os::fd::OwnedFd,
    process::Command,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
    process::{Pid, PidfdFlags, Signal},
};
use vt100::{MouseProtocolMode, Parser, Screen};

/// How long anything may take before a test gives it up. Nothing waits this long when all is well.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program, its terminal, and the screen as it is after all that was read so far.
pub(crate) struct Pty {
    /// `None` once it was hung up.
    master: Option<Box<dyn MasterPty + Send>>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    output: Receiver<Vec<u8>>,
    reader: Option<JoinHandle<()>>,
    raw: Vec<u8>,
    parser: Parser,
    settings: String,
}

impl Pty {
    /// Starts a program in a terminal of `columns` × `rows`.
    ///
    /// # Panics
    /// If there is no pseudo-terminal or no such program.
    pub(crate) fn start(program: &str, arguments: &[&str], (columns, rows): (u16, u16)) -> Self {
        Self::run(Command::new(program).args(arguments), (columns, rows))
    }

    /// Starts what `command` says in a terminal of `columns` × `rows`.
    ///
    /// # Panics
    /// If there is no pseudo-terminal or no such program.
    pub(crate) fn run(command: &Command, (columns, rows): (u16, u16)) -> Self {
        let pair = portable_pty::native_pty_system().openpty(size(columns, rows)).expect("a pseudo-terminal");
        let settings = settings(&*pair.master);
        let mut builder = CommandBuilder::new(command.get_program());
        builder.args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            builder.cwd(folder);
        }
        builder.env("TERM", "xterm-256color");
        builder.env_remove("NO_COLOR");
        builder.env("PS1", "prompt> ");
        let child = pair.slave.spawn_command(builder).expect("the program starts");
        drop(pair.slave);
        let keys = pair.master.take_writer().expect("taken once");
        let (reader, output) = read_in_background(&*pair.master);
        let parser = Parser::new(non_zero(rows), non_zero(columns), 0);
        let (reader, raw) = (Some(reader), Vec::new());
        Self { master: Some(pair.master), keys, child, output, reader, raw, parser, settings }
    }

    /// Sends keys as a terminal would.
    ///
    /// # Panics
    /// If the terminal has gone.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("the terminal takes keys");
        self.keys.flush().expect("the terminal takes keys");
    }

    /// Sends the program a signal.
    ///
    /// # Panics
    /// If the program has ended.
    pub(crate) fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).expect("it runs");
    }

    fn master(&self) -> &dyn MasterPty {
        self.master.as_deref().expect("it was not hung up")
    }

    fn pid(&self) -> Pid {
        let pid = self.child.process_id().and_then(|pid| Pid::from_raw(pid.cast_signed()));
        pid.expect("it was started")
    }

    /// Changes the size of the terminal.
    ///
    /// # Panics
    /// If the terminal has gone.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.parser.set_size(non_zero(rows), non_zero(columns));
        self.master().resize(size(columns, rows)).expect("the terminal is there");
    }

    /// Reads until the screen is as `wanted` says; `what` names that for the report of a failure.
    ///
    /// # Panics
    /// If the program ends first, or nothing of the kind shows for a very long time.
    pub(crate) fn wait_for(&mut self, what: &str, wanted: impl Fn(&Screen) -> bool) {
        self.wait_until(what, |pty| wanted(pty.screen()));
    }

    /// As [`Pty::wait_for`], for anything that was read.
    ///
    /// # Panics
    /// As that.
    #[expect(clippy::disallowed_methods, reason = "patience with a real program is real time")]
    pub(crate) fn wait_until(&mut self, what: &str, wanted: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !wanted(self) {
            match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.take_in(&bytes),
                Err(RecvTimeoutError::Timeout) => panic!("no {what}:\n{}", self.screen().contents()),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("ended before {what}:\n{}", self.screen().contents())
                }
            }
        }
    }

    /// As [`Pty::wait_for`], for a text anywhere on the screen.
    pub(crate) fn wait_for_text(&mut self, text: &str) {
        self.wait_for(&format!("{text:?} on screen"), |screen| screen.contents().contains(text));
    }

    /// Reads to the end of the program, and returns how it ended.
    ///
    /// # Panics
    /// If it goes on for a very long time.
    pub(crate) fn wait_for_end(&mut self) -> ExitStatus {
        // The output ends when nobody has the terminal open any more.
        loop {
            match self.output.recv_timeout(PATIENCE) {
                Ok(bytes) => self.take_in(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it goes on:\n{}", self.screen().contents()),
            }
        }
        self.child.wait().expect("it can be waited for")
    }

    fn take_in(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        self.parser.process(bytes);
    }

    /// Makes this a terminal that nobody reads any more, and that has no room left.
    ///
    /// # Panics
    /// If there is still room after a very long time.
    pub(crate) fn read_no_more(&mut self) {
        self.stop_reader();
        let path = self.master().tty_name().expect("a terminal has a name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let terminal = rustix::fs::open(path, flags, Mode::empty()).expect("the terminal can be opened");
        // The kernel moves what was written between two buffers of its own, so that room may come once more. Full is
        // what takes nothing for a second.
        for _ in 0..100 {
            while rustix::io::write(&terminal, &[b'.'; 512]).is_ok() {}
            if !becomes(&terminal, PollFlags::OUT, Duration::from_secs(1)) {
                return;
            }
        }
        panic!("a terminal that takes everything");
    }

    /// Reads on after [`Pty::read_no_more`]. What that filled the terminal with comes first.
    pub(crate) fn read_again(&mut self) {
        let (reader, output) = read_in_background(self.master());
        (self.reader, self.output) = (Some(reader), output);
    }

    /// Closes the terminal's window while the program runs, and returns how it ended.
    ///
    /// # Panics
    /// If it has not ended `within` that time.
    pub(crate) fn hang_up(mut self, within: Duration) -> ExitStatus {
        self.stop_reader();
        // With the reader gone these two are all that keep the terminal's side open.
        self.keys = Box::new(std::io::sink());
        self.master = None;
        self.wait_for_exit(within)
    }

    /// Waits for the end of the program, whether or not it has closed the terminal.
    ///
    /// # Panics
    /// If it has not ended `within` that time.
    pub(crate) fn wait_for_exit(&mut self, within: Duration) -> ExitStatus {
        let process = rustix::process::pidfd_open(self.pid(), PidfdFlags::empty()).expect("it was started");
        assert!(becomes(&process, PollFlags::IN, within), "it goes on after {within:?}");
        self.child.wait().expect("it can be waited for")
    }

    /// Watches the program run on for all of that time.
    ///
    /// # Panics
    /// If it ends.
    pub(crate) fn goes_on(&self, time: Duration) {
        let process = rustix::process::pidfd_open(self.pid(), PidfdFlags::empty()).expect("it was started");
        assert!(!becomes(&process, PollFlags::IN, time), "it has ended");
    }

    /// The reader ends when it has something for which there is no receiver, so the program has to write something: at
    /// the latest when its clock moves on.
    fn stop_reader(&mut self) {
        self.output = mpsc::channel().1;
        self.reader.take().map(JoinHandle::join).expect("stopped once").expect("it does not panic");
    }

    /// All bytes that the program has written so far.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The screen now.
    pub(crate) fn screen(&self) -> &Screen {
        self.parser.screen()
    }

    /// What differs from the terminal as it was before the program ran; empty when it was given back as it was.
    pub(crate) fn left_behind(&self) -> Vec<&'static str> {
        let screen = self.screen();
        let checks = [
            ("the alternate screen", screen.alternate_screen()),
            ("a hidden cursor", screen.hide_cursor()),
            ("the mouse", screen.mouse_protocol_mode() != MouseProtocolMode::None),
            ("bracketed paste", screen.bracketed_paste()),
            ("the application keypad", screen.application_keypad()),
            ("application cursor keys", screen.application_cursor()),
            ("reverse video", screen.inverse()),
            (
                "a colour",
                screen.fgcolor() != vt100::Color::Default || screen.bgcolor() != vt100::Color::Default,
            ),
            ("settings of the line (termios)", settings(self.master()) != self.settings),
        ];
        checks.into_iter().filter(|(_, left)| *left).map(|(what, _)| what).collect()
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether `file` is ready for `what` before `within` is over.
fn becomes(file: &OwnedFd, what: PollFlags, within: Duration) -> bool {
    let within = Timespec::try_from(within).expect("a few seconds");
    poll(&mut [PollFd::new(file, what)], Some(&within)).expect("it can be polled") > 0
}

fn read_in_background(master: &dyn MasterPty) -> (JoinHandle<()>, Receiver<Vec<u8>>) {
    let mut reader = master.try_clone_reader().expect("a pseudo-terminal can be read");
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || {
        let mut buffer = [0; 8192];
        // Linux answers EIO once the last program has closed the terminal.
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            if sender.send(buffer[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    (thread, receiver)
}

/// The settings of the terminal's line, as text that can be compared.
fn settings(master: &dyn MasterPty) -> String {
    format!("{:?}", master.get_termios().expect("a terminal has settings"))
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, ..PtySize::default() }
}

fn non_zero(n: u16) -> NonZeroU16 {
    NonZeroU16::new(n).expect("a terminal has rows and columns")
}
