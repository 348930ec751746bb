//! The terminal: taken over, and given back on every way out.

use std::{
    io::{self, Stdout, Write as _},
    panic,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use crossterm::{cursor, event, execute, terminal};
use ratatui::{Terminal, backend::CrosstermBackend};
use tokio::signal::unix::Signal;

/// Whether the terminal is ours now: read by the panic hook, which may run on any thread.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal in raw mode on its alternate screen, for as long as this lives.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    /// Takes the terminal over, and makes a panic on any thread give it back before it is reported.
    pub(super) fn take() -> io::Result<Self> {
        install_panic_hook();
        let guard = Taken::enter()?;
        let terminal = Terminal::new(CrosstermBackend::new(io::stdout()))?;
        std::mem::forget(guard);
        Ok(Self { terminal })
    }

    /// Draws one frame; ratatui writes only the cells that changed.
    pub(super) fn draw(&mut self, render: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(render).map(|_| ())
    }

    /// Makes the next frame repaint everything. (`Terminal::clear` would do the same, but asks the terminal where its
    /// cursor is first: the answer comes back among the keys, and not at all from a terminal that is slow.)
    pub(super) fn repaint(&mut self) -> io::Result<()> {
        let size = self.terminal.size()?;
        self.terminal.resize(size.into())
    }

    /// Gives the terminal back, stops as Ctrl-Z does, and takes it again when continued.
    pub(super) async fn suspend(&mut self, continued: &mut Signal) -> io::Result<()> {
        give_back();
        // The default action of SIGTSTP stops the whole job. An orphaned process group (no shell above that could
        // continue us) is not stopped at all: then no SIGCONT comes, and the timeout resumes.
        rustix::process::kill_current_process_group(rustix::process::Signal::TSTP)?;
        let _ = tokio::time::timeout(Duration::from_millis(200), continued.recv()).await;
        self.resume()
    }

    /// Takes the terminal again after somebody else had it.
    pub(super) fn resume(&mut self) -> io::Result<()> {
        std::mem::forget(Taken::enter()?);
        self.repaint()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back if a step of taking it over fails half-way.
struct Taken;

impl Taken {
    fn enter() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        TAKEN.store(true, Ordering::SeqCst);
        let guard = Self;
        execute!(io::stdout(), terminal::EnterAlternateScreen, cursor::Hide, event::EnableBracketedPaste)?;
        Ok(guard)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

/// Restores the terminal once. Errors are of no use here: there is no terminal left to tell them to.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let mut out = io::stdout();
        let _ = execute!(out, event::DisableBracketedPaste, terminal::LeaveAlternateScreen, cursor::Show);
        let _ = out.flush();
        let _ = terminal::disable_raw_mode();
    }
}

/// A panic anywhere ends the program: first the terminal is given back, then the report is readable.
fn install_panic_hook() {
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        give_back();
        report(info);
        std::process::exit(super::EXIT_ERROR.into());
    }));
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use portable_pty::{CommandBuilder, PtySize, native_pty_system};

    use super::Screen;

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
