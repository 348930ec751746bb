//! A closer look at one process that somebody chose: processor time, memory, threads.

use std::{fs, path::Path};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

use crate::{
    model::{ProcKey, ProcessLoad},
    wire::procfs,
};

/// Looks at one process at a time; nobody else is read.
#[derive(Debug, Default)]
pub struct Inspector {
    /// Made anew for each process, so that what was used before the first look does not count.
    system: Option<System>,
    last: Option<ProcKey>,
}

impl Inspector {
    /// An inspector that has seen nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What the process uses, `None` if it has gone, also if its PID is another process's by now.
    ///
    /// Processor time is that since the last look at the same process: look about once a second. Looks that are
    /// closer together than 200 ms (`sysinfo::MINIMUM_CPU_UPDATE_INTERVAL`) repeat the figure.
    pub fn look(&mut self, key: ProcKey) -> Option<ProcessLoad> {
        let again = self.last == Some(key) && self.system.is_some();
        let mut system = match self.system.take() {
            Some(system) if again => system,
            _ => System::new().ok()?,
        };
        let pid = Pid::from_u32(key.pid);
        let what = ProcessRefreshKind::nothing().with_cpu().with_memory();
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, what);
        let (cpu, rss_bytes) = system.process(pid).map(|process| (process.cpu_usage(), process.memory()))?;
        // Read after the figures: if it is the same process now, it was the same then.
        let threads = threads(Path::new("/proc"), key)?;
        (self.system, self.last) = (Some(system), Some(key));
        Some(ProcessLoad { key, cpu_percent: again.then_some(f64::from(cpu)), rss_bytes, threads })
    }
}

/// The threads of the process `key`, `None` if it has gone.
fn threads(proc: &Path, key: ProcKey) -> Option<u32> {
    let text = fs::read(proc.join(key.pid.to_string()).join("stat")).ok()?;
    let stat = procfs::stat(&text)?;
    (stat.start_ticks == key.start_ticks).then_some(stat.threads)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own_key() -> ProcKey {
        let text = fs::read("/proc/self/stat").expect("our own");
        let start_ticks = procfs::stat(&text).expect("well formed").start_ticks;
        ProcKey { pid: std::process::id(), start_ticks }
    }

    #[test]
    fn we_can_see_ourselves() {
        let mut inspector = Inspector::new();
        let first = inspector.look(own_key()).expect("we live");
        assert_eq!(first.cpu_percent, None);
        assert!(first.rss_bytes > 1 << 16);
        assert!(first.threads >= 1);
        let second = inspector.look(own_key()).expect("we live");
        assert!(second.cpu_percent.is_some_and(|cpu| cpu >= 0.0));
    }

    #[test]
    fn another_process_with_the_same_pid_is_not_shown() {
        let key = ProcKey { start_ticks: own_key().start_ticks + 1, ..own_key() };
        assert_eq!(Inspector::new().look(key), None);
    }
}
