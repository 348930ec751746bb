//! A closer look at one process that somebody chose: processor time, memory, threads.

use std::{fs, io, path::Path};

use jiff::Timestamp;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use super::proc_root::is_gone;
use crate::{
    model::{Inspected, ProcKey, ProcessLoad},
    wire::procfs,
};

/// Looks at one process at a time; nobody else is read.
#[derive(Debug, Default)]
pub struct Inspector {
    /// Made anew for each process, so that what was used before the first look does not count.
    system: Option<System>,
    /// The process, and when it was last found to run.
    last: Option<(ProcKey, Timestamp)>,
}

impl Inspector {
    /// An inspector that has seen nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What has become of the process `key`, and what it uses, at the time `now`. `None` if it cannot be told.
    ///
    /// Processor time is that since the last look at the same process: look about once a second. Looks that are
    /// closer together than 200 ms (`sysinfo::MINIMUM_CPU_UPDATE_INTERVAL`) repeat the figure.
    pub fn look(&mut self, key: ProcKey, now: Timestamp) -> Option<Inspected> {
        if self.last.is_some_and(|(last, _)| last != key) {
            (self.system, self.last) = (None, None);
        }
        let load = self.load(key);
        // Read after the figures: if it is the same process now, it was the same then.
        let state = state(Path::new("/proc"), key).ok()?;
        let Some((state, threads)) = state else {
            return Some(Inspected::Ended { key, seen: self.last.map(|(_, seen)| seen) });
        };
        if state == b'Z' {
            return Some(Inspected::Zombie(key));
        }
        self.last = Some((key, now));
        load.map(|load| Inspected::Running(ProcessLoad { threads, ..load }))
    }

    /// Its figures, but for the threads.
    fn load(&mut self, key: ProcKey) -> Option<ProcessLoad> {
        let again = self.system.is_some();
        let mut system = match self.system.take() {
            Some(system) => system,
            None => System::new().ok()?,
        };
        let pid = Pid::from_u32(key.pid);
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
        let (cpu, rss_bytes) = system.process(pid).map(|process| (process.cpu_usage(), process.memory()))?;
        self.system = Some(system);
        Some(ProcessLoad { key, cpu_percent: again.then_some(f64::from(cpu)), rss_bytes, threads: 0 })
    }
}

/// The state and the threads of the process `key`, `None` if it has gone, also if its PID is another process's by now.
fn state(proc: &Path, key: ProcKey) -> io::Result<Option<(u8, u32)>> {
    let text = match fs::read(proc.join(key.pid.to_string()).join("stat")) {
        Err(error) if is_gone(&error) => return Ok(None),
        read => read?,
    };
    let stat = procfs::stat(&text).ok_or(io::ErrorKind::InvalidData)?;
    let is_it = stat.start_ticks == key.start_ticks && stat.state != b'X';
    Ok(is_it.then_some((stat.state, stat.threads)))
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use rustix::process::{WaitId, WaitIdOptions};

    use super::*;

    fn own_key() -> ProcKey {
        let text = fs::read("/proc/self/stat").expect("our own");
        let start_ticks = procfs::stat(&text).expect("well formed").start_ticks;
        ProcKey { pid: std::process::id(), start_ticks }
    }

    fn running(inspector: &mut Inspector) -> ProcessLoad {
        match inspector.look(own_key(), Timestamp::UNIX_EPOCH) {
            Some(Inspected::Running(load)) => load,
            other => panic!("we live: {other:?}"),
        }
    }

    #[test]
    fn we_can_see_ourselves() {
        let mut inspector = Inspector::new();
        let first = running(&mut inspector);
        assert_eq!(first.cpu_percent, None);
        assert!(first.rss_bytes > 1 << 16);
        assert!(first.threads >= 1);
        let second = running(&mut inspector);
        assert!(second.cpu_percent.is_some_and(|cpu| cpu >= 0.0));
    }

    #[test]
    fn another_process_with_the_same_pid_is_not_shown() {
        let key = ProcKey { start_ticks: own_key().start_ticks + 1, ..own_key() };
        let ended = Inspected::Ended { key, seen: None };
        assert_eq!(Inspector::new().look(key, Timestamp::UNIX_EPOCH), Some(ended));
    }

    #[test]
    fn a_process_that_ends_is_a_zombie_and_then_gone() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().expect("cat");
        let pid = child.id();
        let text = fs::read(format!("/proc/{pid}/stat")).expect("it runs");
        let key = ProcKey { pid, start_ticks: procfs::stat(&text).expect("well formed").start_ticks };
        let (mut inspector, seen) = (Inspector::new(), Timestamp::UNIX_EPOCH);
        assert!(matches!(inspector.look(key, seen), Some(Inspected::Running(_))));
        drop(child.stdin.take());
        // Waits for its end, and leaves it unreaped.
        let id = rustix::process::Pid::from_child(&child);
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        rustix::process::waitid(WaitId::Pid(id), options).expect("our child");
        let later = Timestamp::from_second(9).expect("a time");
        assert_eq!(inspector.look(key, later), Some(Inspected::Zombie(key)));
        child.wait().expect("our child");
        assert_eq!(inspector.look(key, later), Some(Inspected::Ended { key, seen: Some(seen) }));
    }
}
