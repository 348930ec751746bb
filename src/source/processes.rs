//! What is known of the processes that hold sockets: names, users, containers, limits.
//!
//! Users have the names that `/etc/passwd` gives them. Those that only a directory (LDAP, SSSD) knows are shown as numbers:
//! asking for them could make the sampler wait for the very network that is in trouble. A user of a container has the name
//! that the host gives the same number.

use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use jiff::{SignedDuration, Timestamp};

use super::{
    clock,
    proc_root::{ProcDir, ProcRoot},
    runtime::Runtimes,
};
use crate::{
    model::{ProcKey, Process},
    wire::{cgroup, procfs},
};

/// Command lines are kept to this many bytes; a Java one can be longer, and says nothing more by then.
const COMMAND: usize = 4096;
/// More than the kernel ever writes to the other files.
const FILE: usize = 16 << 10;
/// After how many ticks at most it is seen that a process has become another program (`exec`).
const GLANCE: u32 = 8;
/// After how many ticks at most a changed user, container or limit is seen.
const LOOK: u32 = 32;

/// Processes by PID and start time, read when they are first asked for and again now and then.
#[derive(Debug)]
pub(super) struct ProcessBook {
    known: HashMap<ProcKey, Known, FixedState>,
    users: Users,
    runtimes: Runtimes,
    ticks_per_second: u64,
    text: Vec<u8>,
}

#[derive(Debug)]
struct Known {
    process: Arc<Process>,
    fd_limit: Option<u64>,
    first: u32,
    glanced: u32,
    looked: u32,
    used: u32,
}

impl ProcessBook {
    pub(super) fn new() -> Self {
        Self {
            known: HashMap::default(),
            users: Users::new("/etc/passwd".into()),
            runtimes: Runtimes::default(),
            ticks_per_second: rustix::param::clock_ticks_per_second().max(1),
            text: Vec::new(),
        }
    }

    /// The process `key` and its limit of open descriptors, at sample number `tick`. `None` if it has gone before anything
    /// could be read, or if the PID is another process's by now.
    pub(super) fn get(
        &mut self,
        root: &ProcRoot,
        key: ProcKey,
        tick: u32,
    ) -> Option<(Arc<Process>, Option<u64>)> {
        if let Some(known) = self.known.get_mut(&key) {
            known.used = tick;
            // A young process is most likely to be between fork and exec.
            let age = tick.wrapping_sub(known.first);
            if tick.wrapping_sub(known.glanced) < age.clamp(1, GLANCE) {
                return Some((known.process.clone(), known.fd_limit));
            }
        }
        match self.read(root, key, tick) {
            Some(known) => {
                let found = (known.process.clone(), known.fd_limit);
                self.known.insert(key, known);
                Some(found)
            }
            // It has gone since it was seen to hold something: what was known of it stays true.
            None => self.known.get(&key).map(|known| (known.process.clone(), known.fd_limit)),
        }
    }

    /// Forgets the processes that were not asked for at `tick`.
    pub(super) fn keep_used(&mut self, tick: u32) {
        self.known.retain(|_, known| known.used == tick);
    }

    fn read(&mut self, root: &ProcRoot, key: ProcKey, tick: u32) -> Option<Known> {
        let dir = root.process(key.pid).ok()?;
        dir.read(c"stat", &mut self.text, FILE).ok()?;
        let stat = procfs::stat(&self.text)?;
        if stat.start_ticks != key.start_ticks {
            return None;
        }
        let name = String::from_utf8_lossy(stat.comm);
        let before = self.known.get(&key);
        if let Some(known) = before
            && known.process.name == name
            && tick.wrapping_sub(known.looked) < LOOK
        {
            return Some(Known { process: known.process.clone(), glanced: tick, ..*known });
        }
        let (first, started) = before.map_or_else(
            || (tick, started(key.start_ticks, self.ticks_per_second)),
            |known| (known.first, known.process.started),
        );
        let name = name.into_owned();
        let (process, fd_limit) = self.look(&dir, key, name, started)?;
        let same = self.known.get(&key).map(|known| &known.process).filter(|known| ***known == process);
        let process = same.map_or_else(|| Arc::new(process), Arc::clone);
        Some(Known { process, fd_limit, first, glanced: tick, looked: tick, used: tick })
    }

    fn look(
        &mut self,
        dir: &ProcDir,
        key: ProcKey,
        name: String,
        started: Timestamp,
    ) -> Option<(Process, Option<u64>)> {
        dir.read(c"status", &mut self.text, FILE).ok()?;
        let uid = procfs::status_uid(&self.text)?;
        let command = self.optional(dir, c"cmdline", COMMAND).map(procfs::command_line).unwrap_or_default();
        let container = self.optional(dir, c"cgroup", FILE).and_then(cgroup::container);
        let fd_limit = self.optional(dir, c"limits", FILE).and_then(procfs::open_files_limit);
        let user = self.users.name(uid);
        let runtime = self.runtimes.of(dir, &name, &command);
        Some((Process { key, started, name, command, uid, user, container, runtime }, fd_limit))
    }

    fn optional(&mut self, dir: &ProcDir, name: &std::ffi::CStr, most: usize) -> Option<&[u8]> {
        dir.read(name, &mut self.text, most).ok()?;
        Some(&self.text)
    }
}

/// The wall-clock time of an instant given in ticks since boot.
fn started(start_ticks: u64, ticks_per_second: u64) -> Timestamp {
    let now = clock::stamp();
    let seconds = Duration::from_secs(start_ticks / ticks_per_second);
    let rest = Duration::from_millis(start_ticks % ticks_per_second * 1000 / ticks_per_second);
    let age = now.since_boot.saturating_sub(seconds + rest);
    SignedDuration::try_from(age).ok().and_then(|age| now.wall.checked_sub(age).ok()).unwrap_or(now.wall)
}

/// The names of users, from `passwd` alone.
#[derive(Debug)]
struct Users {
    path: PathBuf,
    read: Option<std::time::SystemTime>,
    names: HashMap<u32, String, FixedState>,
}

impl Users {
    fn new(path: PathBuf) -> Self {
        Self { path, read: None, names: HashMap::default() }
    }

    /// The user's name, or the number where there is none.
    fn name(&mut self, uid: u32) -> String {
        if !self.names.contains_key(&uid) {
            // A user may have been made since; without a readable file every user is a number.
            let _ = self.refresh();
        }
        self.names.get(&uid).cloned().unwrap_or_else(|| uid.to_string())
    }

    /// Reads the file if it has changed since it was read.
    fn refresh(&mut self) -> io::Result<()> {
        let changed = fs::metadata(&self.path)?.modified()?;
        if self.read != Some(changed) {
            let text = fs::read(&self.path)?;
            self.names.clear();
            for (uid, name) in procfs::passwd(&text) {
                self.names.entry(uid).or_insert(name);
            }
            self.read = Some(changed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_read_again_when_the_file_changes() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("passwd");
        fs::write(&path, "root:x:0:0::/:/bin/sh\n").expect("writable");
        let mut users = Users::new(path.clone());
        assert_eq!((users.name(0), users.name(33)), ("root".to_owned(), "33".to_owned()));
        fs::write(&path, "root:x:0:0::/:/bin/sh\nweb:x:33:33::/:/bin/sh\n").expect("writable");
        let later =
            fs::metadata(&path).and_then(|meta| meta.modified()).expect("a time") + Duration::from_secs(5);
        fs::File::options()
            .append(true)
            .open(&path)
            .and_then(|file| file.set_modified(later))
            .expect("settable");
        assert_eq!(users.name(33), "web");
        let mut nobody = Users::new(dir.path().join("none"));
        assert_eq!(nobody.name(0), "0");
    }

    #[test]
    fn a_start_time_is_counted_from_boot() {
        let now = clock::stamp();
        let boot = started(0, 100);
        let later = started(250, 100);
        let apart = later.duration_since(boot).as_secs_f64();
        assert!((apart - 2.5).abs() < 0.5, "{apart}");
        assert!(boot <= now.wall);
        assert!(started(u64::MAX, 100) >= now.wall, "a start in the future counts as now");
    }
}
