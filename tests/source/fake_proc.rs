//! Trees that look like `/proc`, and tables of sockets to go with them.

use std::{
    ffi::OsStr,
    fs,
    net::{IpAddr, Ipv4Addr},
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    path::{Path, PathBuf},
};

use tempfile::TempDir;
use twtop::{
    model::{Detail, Endpoint, Family, Held, NewSocket, SocketTable, TcpState, Timer},
    source::{OwnerScanner, Owners},
};

/// A directory in the form of `/proc`.
pub(crate) struct FakeProc(TempDir);

impl FakeProc {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        // What else there is in /proc.
        fs::write(dir.path().join("meminfo"), "MemTotal: 1 kB\n").expect("writable");
        fs::create_dir(dir.path().join("sys")).expect("writable");
        Self(dir)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn scanner(&self) -> OwnerScanner {
        OwnerScanner::of(self.path()).expect("a directory")
    }

    pub(crate) fn dir(&self, pid: u32) -> PathBuf {
        self.path().join(pid.to_string())
    }

    /// A process of that name, with descriptors on sockets of those inodes.
    pub(crate) fn process(&self, pid: u32, comm: &[u8], start_ticks: u64, inodes: &[u32]) {
        let dir = self.dir(pid);
        fs::create_dir_all(dir.join("fd")).expect("writable");
        let mut stat = format!("{pid} (").into_bytes();
        stat.extend_from_slice(comm);
        let tail = format!(") S 1 7 7 0 -1 0 1 0 0 0 1 2 3 4 20 0 6 0 {start_ticks} 9 9\n");
        stat.extend_from_slice(tail.as_bytes());
        fs::write(dir.join("stat"), stat).expect("writable");
        fs::write(dir.join("status"), "Name:\tx\nUid:\t4242\t0\t0\t0\n").expect("writable");
        symlink("/dev/null", dir.join("fd/0")).ok();
        for (n, inode) in inodes.iter().enumerate() {
            symlink(format!("socket:[{inode}]"), dir.join(format!("fd/{}", n + 3))).expect("writable");
        }
    }

    /// Makes descriptor `fd` of a process refer to `target`.
    pub(crate) fn link(&self, pid: u32, fd: u32, target: &str) {
        self.unnoticed(pid, |descriptors| {
            let link = descriptors.join(fd.to_string());
            fs::remove_file(&link).ok();
            symlink(OsStr::from_bytes(target.as_bytes()), link).expect("writable");
        });
    }

    pub(crate) fn close(&self, pid: u32, fd: u32) {
        self.unnoticed(pid, |descriptors| {
            fs::remove_file(descriptors.join(fd.to_string())).expect("was open");
        });
    }

    /// Does something to the descriptors of a process which, as in the real `/proc`, the times of their directory do not show.
    fn unnoticed(&self, pid: u32, change: impl FnOnce(&Path)) {
        let path = self.dir(pid).join("fd");
        let made = fs::metadata(&path).and_then(|dir| dir.modified()).expect("there");
        change(&path);
        fs::File::open(&path).and_then(|dir| dir.set_modified(made)).expect("ours");
    }

    pub(crate) fn exit(&self, pid: u32) {
        fs::remove_dir_all(self.dir(pid)).expect("was there");
    }
}

/// A table of connections of those inodes, which are their cookies too.
pub(crate) fn table_of(inodes: impl IntoIterator<Item = u32>) -> SocketTable {
    table(&inodes.into_iter().map(|inode| (u64::from(inode), inode)).collect::<Vec<_>>())
}

/// A table of connections with those cookies and inodes.
pub(crate) fn table(sockets: &[(u64, u32)]) -> SocketTable {
    table_in(TcpState::Established, sockets)
}

pub(crate) fn table_in(state: TcpState, sockets: &[(u64, u32)]) -> SocketTable {
    let mut table = SocketTable::new();
    for &(cookie, inode) in sockets {
        let end = Endpoint::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 80);
        let new = NewSocket {
            cookie,
            family: Family::V4,
            local: end,
            peer: end,
            state,
            timer: Timer::Off,
            retransmits: 0,
            expires_ms: 0,
        };
        let detail = Detail {
            inode,
            uid: 0,
            recv_q: 0,
            send_q: 0,
            interface: 0,
            mark: None,
            cgroup: 0,
            v6only: None,
            held: Held::Queue,
            tcp: None,
        };
        table.push(&new, Some(detail));
    }
    table
}

/// The PIDs that hold the socket at `index`; a `held` other than `By` is the error. Nobody holds a mini-socket.
pub(crate) fn pids(owners: &Owners, table: &SocketTable, index: usize) -> Result<Vec<u32>, Held> {
    let socket = table.get(index).expect("a socket");
    match socket.detail().map_or(Held::Gone, |detail| detail.held) {
        Held::By(set) => {
            let members = owners.holders[set as usize].iter();
            Ok(members.map(|&member| owners.processes[member as usize].process.key.pid).collect())
        }
        other => Err(other),
    }
}

/// One whole sample's scan around `table`.
pub(crate) fn scan(scanner: &mut OwnerScanner, table: &mut SocketTable) -> Owners {
    scanner.before().expect("readable");
    let (owners, searched) = scanner.after(table);
    searched.expect("readable");
    owners
}
