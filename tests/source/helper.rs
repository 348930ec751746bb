//! Another process that opens, closes and passes on connections when it is told to.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Between fork and exec a new process holds every socket of this one, and the scan rightly says so. Tests that look at real
/// sockets therefore run one at a time.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A `bash` that reads commands; its `/dev/tcp` makes connections.
pub(crate) struct Helper {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Helper {
    pub(crate) fn new() -> Self {
        Self::of(Command::new("bash").arg("--norc"))
    }

    /// The helper that `command` becomes.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("bash is needed for these tests");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let mut helper = Self { child, input, output };
        helper.run(":");
        helper
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Runs `command` and waits until it is done.
    pub(crate) fn run(&mut self, command: &str) {
        assert_eq!(self.ask(&format!("{command}; echo done")), "done", "{command}");
    }

    /// Runs `command` and returns the next line of output.
    pub(crate) fn ask(&mut self, command: &str) -> String {
        let input = self.input.as_mut().expect("still open");
        writeln!(input, "{command}").expect("bash listens");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("bash answers");
        line.trim_end().to_owned()
    }

    /// Forks a process that inherits every descriptor, and returns its PID once it has become `cat`.
    pub(crate) fn fork(&mut self) -> u32 {
        // The copy of the output ends when cat begins to read, so its first line proves that exec is over.
        self.run("coproc cat");
        self.run("echo hello >&${COPROC[1]}; read -r line <&${COPROC[0]}");
        self.ask("echo $COPROC_PID").parse().expect("a PID")
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        self.input.take();
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
