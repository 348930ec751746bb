//! `/proc` as the trace asks it: who has a PID, and where its threads are.

use std::{fs, path::Path};

use super::{
    TraceError,
    tasks::{Listed, Lookup, Seen},
};
use crate::{
    source::{
        clock,
        proc_root::{ProcDir, ProcRoot},
    },
    wire::procfs,
};

/// No more of a command line than this is kept.
const COMMAND: usize = 4096;
/// More than the kernel ever writes to the other files.
const FILE: usize = 16 << 10;

/// The real `/proc`.
#[derive(Debug)]
pub(super) struct Procfs {
    root: ProcRoot,
    text: Vec<u8>,
}

impl Procfs {
    /// Opens `/proc`.
    ///
    /// # Errors
    /// If it is not mounted, or is that of another PID namespace: the records have the PIDs of ours.
    pub(super) fn open() -> Result<Self, TraceError> {
        let root = ProcRoot::open(Path::new("/proc")).map_err(TraceError::Setup)?;
        // Of a namespace that does not see us, we are not in it at all.
        let status = fs::read("/proc/self/status").map_err(|_| TraceError::ForeignProc)?;
        if procfs::status_pid_namespaces(&status).is_some_and(|namespaces| namespaces != 1) {
            return Err(TraceError::ForeignProc);
        }
        Ok(Self { root, text: Vec::new() })
    }

    /// What our time namespace adds to the clock of the records, nanoseconds.
    pub(super) fn clock_offset() -> i64 {
        let offsets = fs::read("/proc/self/timens_offsets").ok();
        // A kernel without the file has no such namespaces.
        offsets.and_then(|text| procfs::monotonic_offset(&text)).unwrap_or(0)
    }

    /// Name, start and kind of the process whose directory is `dir`.
    fn stat(&mut self, dir: &ProcDir) -> Option<Seen> {
        dir.read(c"stat", &mut self.text, FILE).ok()?;
        let stat = procfs::stat(&self.text)?;
        let name = String::from_utf8_lossy(stat.comm).into_owned();
        Some(Seen { start_ticks: stat.start_ticks, name, kernel: stat.kernel, command: None, uid: None })
    }

    fn listed(&mut self, pid: u32) -> Option<Listed> {
        let at = clock::since_boot();
        let dir = self.root.process(pid).ok()?;
        let seen = self.stat(&dir)?;
        let mut threads = Vec::new();
        // One that has ended meanwhile has no threads left to list.
        if let Ok(entries) = dir.threads() {
            let _ = self.root.list(&entries, |tid| threads.push((tid, None)));
        }
        for (tid, netns) in &mut threads {
            *netns = dir.netns(*tid).ok();
        }
        Some(Listed { at, pid, seen, threads })
    }
}

impl Lookup for Procfs {
    fn start(&mut self, pid: u32) -> Option<Seen> {
        let dir = self.root.process(pid).ok()?;
        self.stat(&dir)
    }

    fn process(&mut self, pid: u32) -> Option<Seen> {
        // All is read through the directory of one process, whoever has its PID by then.
        let dir = self.root.process(pid).ok()?;
        let seen = self.stat(&dir)?;
        let command = dir.read(c"cmdline", &mut self.text, COMMAND).ok();
        let command = command.map(|()| procfs::command_line(&self.text)).filter(|line| !line.is_empty());
        let uid = dir.read(c"status", &mut self.text, FILE).ok();
        let uid = uid.and_then(|()| procfs::status_uid(&self.text));
        Some(Seen { command, uid, ..seen })
    }

    fn netns(&mut self, pid: u32, tid: u32) -> Option<u64> {
        self.root.process(pid).ok()?.netns(tid).ok()
    }

    fn all(&mut self) -> Vec<Listed> {
        let mut pids = Vec::new();
        // Without a list nothing is known beforehand; what is asked for later may still be found.
        let _ = self.root.pids(&mut pids);
        pids.into_iter().filter_map(|pid| self.listed(pid)).collect()
    }
}
