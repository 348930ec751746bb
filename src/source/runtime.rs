//! What programs run on, read from their executables: each file once, however many processes run it.

use std::os::fd::OwnedFd;

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use rustix::{fs, io::pread};

use super::proc_root::ProcDir;
use crate::{
    model::{Runtime, RuntimeKind},
    wire::elf::{self, Part},
};

/// So many files are remembered; a host runs fewer programs that talk.
const REMEMBERED: usize = 512;
/// No executable has more headers of sections, or names of them, bytes.
const TABLE: u64 = 64 << 10;
/// nginx is smaller than this, bytes.
const SEARCHED: u64 = 16 << 20;
/// So much is read at once, bytes.
const CHUNK: usize = 256 << 10;

/// Executables by device and inode.
#[derive(Debug, Default)]
pub(super) struct Runtimes {
    known: HashMap<(u64, u64), Option<Runtime>, FixedState>,
}

impl Runtimes {
    /// What the process in `dir` runs on, of that name and command line; `None` if that is not known for sure.
    pub(super) fn of(&mut self, dir: &ProcDir, name: &str, command: &str) -> Option<Runtime> {
        let by_name = || Runtime::of_names(name, command);
        let Ok((file, path)) = dir.executable() else { return by_name() };
        let Ok(stat) = fs::fstat(&file) else { return by_name() };
        if self.known.len() >= REMEMBERED {
            self.known.clear();
        }
        let read = || of_executable(&file, &path);
        self.known.entry((stat.st_dev, stat.st_ino)).or_insert_with(read).clone()
    }
}

fn of_executable(file: &OwnedFd, path: &str) -> Option<Runtime> {
    let name = path.strip_suffix(" (deleted)").unwrap_or(path).rsplit('/').next().unwrap_or_default();
    match RuntimeKind::of_file(name) {
        Some(RuntimeKind::Nginx) => Some(Runtime { kind: RuntimeKind::Nginx, version: nginx_version(file) }),
        Some(RuntimeKind::Python) => {
            let version = name.trim_start_matches(|c: char| !c.is_ascii_digit());
            let version = version.contains('.').then(|| version.to_owned());
            Some(Runtime { kind: RuntimeKind::Python, version })
        }
        Some(kind) => Some(Runtime { kind, version: None }),
        None => go(file),
    }
}

/// Whether Go built it, and which.
fn go(file: &OwnedFd) -> Option<Runtime> {
    let header = read(file, Part { offset: 0, length: elf::HEADER as u64 })?;
    let sections = elf::sections(&header)?;
    let headers = read(file, sections.headers)?;
    let names = read(file, elf::part(&headers, sections.names)?)?;
    let info = elf::find(&headers, &names, b".go.buildinfo")?;
    let info = read(file, Part { length: info.length.min(elf::BUILD_INFO as u64), ..info });
    let version = info.as_deref().and_then(elf::go_version).map(str::to_owned);
    Some(Runtime { kind: RuntimeKind::Go, version })
}

/// The version that nginx tells those who ask, as it stands in its executable: `nginx/1.24.0`.
fn nginx_version(file: &OwnedFd) -> Option<String> {
    const NAME: &[u8] = b"nginx/";
    const LONGEST: usize = 16;
    let mut offset = 0;
    while offset < SEARCHED {
        let mut chunk = vec![0; CHUNK];
        let length = pread(file, &mut chunk[..], offset).ok().filter(|&length| length > NAME.len())?;
        let chunk = &chunk[..length];
        for (at, _) in chunk.windows(NAME.len()).enumerate().filter(|(_, window)| *window == NAME) {
            let rest = chunk[at + NAME.len()..].iter().take(LONGEST);
            let version: String =
                rest.map(|&byte| char::from(byte)).take_while(|c| c.is_ascii_digit() || *c == '.').collect();
            if version.matches('.').count() == 2 {
                return Some(version);
            }
        }
        // A version that lies across two chunks is found in the second.
        offset += (length - NAME.len().min(length)).saturating_sub(LONGEST).max(1) as u64;
    }
    None
}

/// That part of a file, whole; `None` if it is not there or too long to be true.
fn read(file: &OwnedFd, part: Part) -> Option<Vec<u8>> {
    let length = usize::try_from(part.length).ok().filter(|_| part.length <= TABLE)?;
    let mut bytes = vec![0; length];
    let mut filled = 0;
    while filled < length {
        let at = part.offset.checked_add(filled as u64)?;
        match pread(file, &mut bytes[filled..], at) {
            Ok(0) => return None,
            Ok(more) => filled += more,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_tell_what_they_are() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("nginx");
        std::fs::write(&path, b"\0nginx/\0 and nginx/1.24.0\0").expect("writable");
        let open = || OwnedFd::from(std::fs::File::open(&path).expect("readable"));
        let nginx = Runtime { kind: RuntimeKind::Nginx, version: Some("1.24.0".to_owned()) };
        assert_eq!(of_executable(&open(), "/usr/sbin/nginx (deleted)"), Some(nginx));
        let python = Runtime { kind: RuntimeKind::Python, version: Some("3.13".to_owned()) };
        assert_eq!(of_executable(&open(), "/usr/bin/python3.13"), Some(python));
        assert_eq!(of_executable(&open(), "/usr/bin/other"), None);
    }
}
