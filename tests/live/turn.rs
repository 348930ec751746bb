//! Whether these tests can run here, and whose turn it is.

use std::{
    io::{self, Write as _},
    sync::{Condvar, Mutex, PoisonError},
};

use twtop::source::trace::Tracer;

/// So many situations at once: their rates have to be kept on two cores.
const AT_ONCE: usize = 3;
/// The commands of these tests.
const COMMANDS: [&str; 9] =
    ["unshare", "nsenter", "ip", "go", "/usr/bin/python3", "nginx", "redis-server", "redis-cli", "wrk"];

static RUNNING: Mutex<usize> = Mutex::new(0);
static ENDED: Condvar = Condvar::new();

/// The right to make a situation, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn(());

impl Drop for Turn {
    fn drop(&mut self) {
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ENDED.notify_one();
    }
}

/// Waits for a turn, if this tier can run. If not, says why on standard error.
///
/// # Panics
/// If it cannot, and the comma-separated `TWTOP_REQUIRE` names it.
pub(super) fn can_run() -> Option<Turn> {
    if let Some(why) = missing() {
        let required = std::env::var("TWTOP_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|tier| tier.trim() == "live"), "tier live is required, but {why}");
        let _ = writeln!(io::stderr(), "SKIPPED: a test of tier live did not run, because {why}");
        return None;
    }
    let running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut running =
        ENDED.wait_while(running, |running| *running >= AT_ONCE).unwrap_or_else(PoisonError::into_inner);
    *running += 1;
    Some(Turn(()))
}

fn missing() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("this user is not root".to_owned());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |command: &&&str| std::env::split_paths(&path).any(|folder| folder.join(command).exists());
    if let Some(command) = COMMANDS.iter().find(|command| !is_there(command)) {
        return Some(format!("there is no command {command}"));
    }
    Tracer::start(None).err().map(|error| format!("there is no trace: {error}"))
}
