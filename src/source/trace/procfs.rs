//! `/proc` as the trace asks it: who has a PID, and where its threads are.

use std::{fs, io::Read as _, os::unix::ffi::OsStrExt as _};

use super::tasks::{Listed, Lookup, Seen};

/// `PF_KTHREAD` in the flags of `/proc/PID/stat` (`include/linux/sched.h`).
const KERNEL_THREAD: u64 = 0x0020_0000;
/// No more of a command line than this is kept.
const LONGEST: u64 = 4096;

/// The real `/proc`.
#[derive(Debug, Default)]
pub(super) struct Procfs;

impl Lookup for Procfs {
    fn process(&mut self, pid: u32) -> Option<Seen> {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        let (name, kernel, start_ticks) = stat_fields(&stat)?;
        let command = command_line(pid).filter(|command| !command.is_empty());
        let uid = real_uid(pid);
        // The PID may have gone to another process between the files.
        let again = fs::read(format!("/proc/{pid}/stat")).ok()?;
        (stat_fields(&again)?.2 == start_ticks).then_some(Seen { start_ticks, name, command, uid, kernel })
    }

    fn netns(&mut self, pid: u32, tid: u32) -> Option<u64> {
        let link = fs::read_link(format!("/proc/{pid}/task/{tid}/ns/net")).ok()?;
        let inode = link.as_os_str().as_bytes().strip_prefix(b"net:[")?.strip_suffix(b"]")?;
        std::str::from_utf8(inode).ok()?.parse().ok()
    }

    fn all(&mut self) -> Vec<Listed> {
        let pids = numbers("/proc");
        let listed = pids.into_iter().filter_map(|pid| {
            let mut name = fs::read(format!("/proc/{pid}/comm")).ok()?;
            name.pop_if(|&mut last| last == b'\n');
            let threads = numbers(&format!("/proc/{pid}/task"));
            let threads = threads.into_iter().map(|tid| (tid, self.netns(pid, tid))).collect();
            Some(Listed { pid, name: String::from_utf8_lossy(&name).into_owned(), threads })
        });
        listed.collect()
    }
}

fn numbers(directory: &str) -> Vec<u32> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

fn command_line(pid: u32) -> Option<String> {
    let mut text = Vec::new();
    fs::File::open(format!("/proc/{pid}/cmdline")).ok()?.take(LONGEST).read_to_end(&mut text).ok()?;
    let end = text.iter().rposition(|&b| b != 0 && b != b' ').map_or(0, |last| last + 1);
    text.truncate(end);
    for byte in text.iter_mut().filter(|byte| **byte == 0) {
        *byte = b' ';
    }
    Some(String::from_utf8_lossy(&text).into_owned())
}

fn real_uid(pid: u32) -> Option<u32> {
    let status = fs::read(format!("/proc/{pid}/status")).ok()?;
    let line = status.split(|&b| b == b'\n').find_map(|line| line.strip_prefix(b"Uid:"))?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().next()?.parse().ok()
}

/// Name, whether it is a kernel thread, and start time of a `/proc/PID/stat` (fields 2, 9 and 22). The name
/// ends at the last parenthesis, because it may hold any byte.
fn stat_fields(text: &[u8]) -> Option<(String, bool, u64)> {
    let open = text.iter().position(|&b| b == b'(')?;
    let close = text.iter().rposition(|&b| b == b')')?;
    let name = String::from_utf8_lossy(text.get(open + 1..close)?).into_owned();
    let mut fields = std::str::from_utf8(&text[close + 1..]).ok()?.split_ascii_whitespace();
    let flags: u64 = fields.nth(6)?.parse().ok()?;
    let start_ticks = fields.nth(12)?.parse().ok()?;
    Some((name, flags & KERNEL_THREAD != 0, start_ticks))
}

#[cfg(test)]
mod tests {
    use super::stat_fields;

    #[test]
    fn a_name_may_hold_parentheses() {
        let text = b"7 (a) S 1 (b) S 1 7 7 0 -1 2097216 1 0 0 0 1 2 3 4 20 0 1 0 8642 9 9\n";
        assert_eq!(stat_fields(text), Some(("a) S 1 (b".to_owned(), true, 8642)));
        assert_eq!(stat_fields(b"7 (x) S 1 7"), None);
        assert_eq!(stat_fields(b""), None);
    }
}
