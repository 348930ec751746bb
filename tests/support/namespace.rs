//! A network namespace with exactly the sockets that a test wants, gone when the test is.

use std::{
    ffi::OsStr,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::Value;

use super::generator;

/// A namespace filled by `twtop-load`.
#[derive(Debug)]
pub(crate) struct Namespace {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// What the load generator made: `pid`, `netns`, `workers`, `holders`, `churn`, `states`.
    pub(crate) ready: Value,
}

impl Namespace {
    /// Starts `twtop-load` with `arguments`; returns when the kernel counts all that was asked for.
    ///
    /// # Panics
    /// If the load cannot be made; the reason is on standard error.
    pub(crate) fn with(arguments: &[&str]) -> Self {
        let mut command = Command::new(generator::path());
        let mut child = command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the load generator starts");
        let orders = child.stdin.take().expect("its input is a pipe");
        let mut answers = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        let mut line = String::new();
        answers.read_line(&mut line).expect("its output is readable");
        let ready = line.strip_prefix("ready ").unwrap_or_else(|| panic!("no load for {arguments:?}"));
        let ready = serde_json::from_str(ready).expect("it says what it made as JSON");
        Self { child, orders, answers, ready }
    }

    /// A command that will run inside.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.child.id().to_string()).arg("--net");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").arg(program);
        command
    }

    /// Runs a command inside, and returns what it printed.
    ///
    /// # Panics
    /// If it cannot run or fails.
    pub(crate) fn output(&self, program: impl AsRef<OsStr>, arguments: &[&str]) -> String {
        let output = self.command(program).args(arguments).output().expect("nsenter runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?} ended with {}: {errors}", output.status);
        String::from_utf8(output.stdout).expect("the output is UTF-8")
    }

    /// Gives the load generator an order (`close`), and waits until it is done.
    ///
    /// # Panics
    /// If the generator has ended.
    pub(crate) fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").expect("the load generator listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("its output is readable");
        assert_eq!(line, "done\n");
    }

    /// The PIDs under `key` of what the generator said: `workers`, `holders`, or the one of `churn`.
    pub(crate) fn pids(&self, key: &str) -> Vec<u64> {
        match &self.ready[key] {
            Value::Array(pids) => pids.iter().filter_map(Value::as_u64).collect(),
            pid => pid.as_u64().into_iter().collect(),
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Its processes die with it; it may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
