//! A program in a pseudo-terminal, and what a terminal would show of it.

use std::{
    io::{Read as _, Write},
    num::NonZeroU16,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize};
use vt100::{MouseProtocolMode, Parser, Screen};

/// How long anything may take before a test gives it up. Nothing waits this long when all is well.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program, its terminal, and the screen as it is after all that was read so far.
pub(crate) struct Pty {
    master: Box<dyn MasterPty + Send>,
    keys: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    output: Receiver<Vec<u8>>,
    parser: Parser,
    settings: String,
}

impl Pty {
    /// Starts a program in a terminal of `columns` × `rows`.
    ///
    /// # Panics
    /// If there is no pseudo-terminal or no such program.
    pub(crate) fn start(program: &str, arguments: &[&str], (columns, rows): (u16, u16)) -> Self {
        let pair = portable_pty::native_pty_system().openpty(size(columns, rows)).expect("a pseudo-terminal");
        let settings = settings(&*pair.master);
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.env("TERM", "xterm-256color");
        command.env_remove("NO_COLOR");
        command.env("PS1", "prompt> ");
        let child = pair.slave.spawn_command(command).expect("the program starts");
        drop(pair.slave);
        let keys = pair.master.take_writer().expect("taken once");
        let output = read_in_background(&*pair.master);
        let parser = Parser::new(non_zero(rows), non_zero(columns), 0);
        Self { master: pair.master, keys, child, output, parser, settings }
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
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = self.child.process_id().and_then(|pid| rustix::process::Pid::from_raw(pid.cast_signed()));
        rustix::process::kill_process(pid.expect("it runs"), signal).expect("it runs");
    }

    /// Changes the size of the terminal.
    ///
    /// # Panics
    /// If the terminal has gone.
    pub(crate) fn resize(&mut self, columns: u16, rows: u16) {
        self.parser.set_size(non_zero(rows), non_zero(columns));
        self.master.resize(size(columns, rows)).expect("the terminal is there");
    }

    /// Reads until the screen is as `wanted` says; `what` names that for the report of a failure.
    ///
    /// # Panics
    /// If the program ends first, or nothing of the kind shows for a very long time.
    #[expect(clippy::disallowed_methods, reason = "patience with a real program is real time")]
    pub(crate) fn wait_for(&mut self, what: &str, wanted: impl Fn(&Screen) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !wanted(self.screen()) {
            match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.parser.process(&bytes),
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
                Ok(bytes) => self.parser.process(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it goes on:\n{}", self.screen().contents()),
            }
        }
        self.child.wait().expect("it can be waited for")
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
            ("settings of the line (termios)", settings(&*self.master) != self.settings),
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

fn read_in_background(master: &dyn MasterPty) -> Receiver<Vec<u8>> {
    let mut reader = master.try_clone_reader().expect("a pseudo-terminal can be read");
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        // Linux answers EIO once the last program has closed the terminal.
        while let Ok(length @ 1..) = reader.read(&mut buffer) {
            if sender.send(buffer[..length].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
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
