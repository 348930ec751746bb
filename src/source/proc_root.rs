//! `/proc` as a directory of processes, read with as few system calls as it takes.

use std::{
    ffi::CStr,
    io::{self, Write as _},
    os::fd::OwnedFd,
    path::Path,
};

use rustix::{
    fs::{self, Mode, OFlags, RawDir},
    path::DecInt,
};

use crate::wire::procfs;

/// What `statfs` says of a real `/proc` (`PROC_SUPER_MAGIC` in `linux/magic.h`).
const PROC_SUPER_MAGIC: i64 = 0x9fa0;
/// Room for one `getdents64`: about a thousand entries.
const LISTING: usize = 32 << 10;
/// A link of `fd` that is longer than this is a path, and so no socket.
const LINK: usize = 40;

/// A mounted `/proc`, or a directory that looks like one.
#[derive(Debug)]
pub(super) struct ProcRoot {
    dir: OwnedFd,
    buffer: Vec<u8>,
    sizes: bool,
}

/// What tells a process's `fd` directory from that of another process which had the same PID before:
/// the kernel makes the directory's inode anew for each process, and its times are those of that moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Identity {
    inode: u64,
    made: (i64, u64),
    uid: u32,
}

/// What `stat` says of the `fd` directory of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FdDir {
    /// Whose it is.
    pub(super) identity: Identity,
    /// The number of open descriptors, `None` where the kernel does not say (before Linux 6.2).
    pub(super) count: Option<u32>,
}

impl ProcRoot {
    /// Opens the `/proc` at `path`.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let dir = fs::open(path, DIRECTORY, Mode::empty())?;
        let mut root = Self { dir, buffer: Vec::with_capacity(LISTING), sizes: false };
        // On Linux 6.2 and later the size of an fd directory is its count; before, it is 0. Our own is never empty.
        let is_proc = fs::fstatfs(&root.dir).is_ok_and(|fs| fs.f_type == PROC_SUPER_MAGIC);
        root.sizes = is_proc && fs::statat(&root.dir, c"self/fd", AT).is_ok_and(|own| own.st_size > 0);
        Ok(root)
    }

    /// Puts the PIDs of all visible processes into `pids`.
    pub(super) fn pids(&mut self, pids: &mut Vec<u32>) -> io::Result<()> {
        pids.clear();
        fs::seek(&self.dir, fs::SeekFrom::Start(0))?;
        self.buffer.clear();
        let mut listing = RawDir::new(&self.dir, self.buffer.spare_capacity_mut());
        while let Some(entry) = listing.next() {
            pids.extend(procfs::id(entry?.file_name().to_bytes()));
        }
        Ok(())
    }

    /// Identity and size of the `fd` directory of `pid`.
    pub(super) fn fd_dir(&self, pid: u32) -> io::Result<FdDir> {
        let mut path = PathBuffer::default();
        let stat = fs::statat(&self.dir, path.set(pid, "/fd"), AT)?;
        let made = (stat.st_mtime, stat.st_mtime_nsec);
        let identity = Identity { inode: stat.st_ino, made, uid: stat.st_uid };
        let count = if self.sizes { u32::try_from(stat.st_size).ok() } else { None };
        Ok(FdDir { identity, count })
    }

    /// The user that `pid` runs as. Its own directory says so also where those within it belong to root since it
    /// may not be dumped (`task_dump_owner()` in `fs/proc/base.c`).
    pub(super) fn uid(&self, pid: u32) -> io::Result<u32> {
        let mut path = PathBuffer::default();
        Ok(fs::statat(&self.dir, path.set(pid, ""), AT)?.st_uid)
    }

    /// Holds on to the process `pid`: whatever is read through the result is of that process, or fails.
    pub(super) fn process(&self, pid: u32) -> io::Result<ProcDir> {
        let mut path = PathBuffer::default();
        Ok(ProcDir(fs::openat(&self.dir, path.set(pid, ""), DIRECTORY, Mode::empty())?))
    }

    /// Calls `each` with every descriptor listed in the directory `descriptors`.
    pub(super) fn list(&mut self, descriptors: &OwnedFd, mut each: impl FnMut(u32)) -> io::Result<()> {
        self.buffer.clear();
        let mut listing = RawDir::new(descriptors, self.buffer.spare_capacity_mut());
        while let Some(entry) = listing.next() {
            if let Some(fd) = procfs::id(entry?.file_name().to_bytes()) {
                each(fd);
            }
        }
        Ok(())
    }
}

/// The directory of one process. It stays that process's: after the process has gone, reads fail, also
/// when its PID is another's by then.
#[derive(Debug)]
pub(super) struct ProcDir(OwnedFd);

impl ProcDir {
    /// Opens its `fd` directory.
    pub(super) fn descriptors(&self) -> io::Result<OwnedFd> {
        Ok(fs::openat(&self.0, c"fd", DIRECTORY, Mode::empty())?)
    }

    /// Opens the executable that it runs, and says by what path it was started.
    pub(super) fn executable(&self) -> io::Result<(OwnedFd, String)> {
        let path = fs::readlinkat(&self.0, c"exe", Vec::new())?.to_string_lossy().into_owned();
        Ok((fs::openat(&self.0, c"exe", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?, path))
    }

    /// Opens the directory of its threads, whose entries are their ids.
    pub(super) fn threads(&self) -> io::Result<OwnedFd> {
        Ok(fs::openat(&self.0, c"task", DIRECTORY, Mode::empty())?)
    }

    /// The inode of the network namespace of its thread `tid`.
    pub(super) fn netns(&self, tid: u32) -> io::Result<u64> {
        let (mut path, mut link) = ([0_u8; 32], [0_u8; LINK]);
        // 12 characters and at most ten digits leave room for the terminating zero.
        let _ = write!(&mut path[..31], "task/{tid}/ns/net");
        let path = CStr::from_bytes_until_nul(&path).expect("the last byte is zero");
        let length = fs::readlinkat_raw(&self.0, path, &mut link)?;
        procfs::netns_inode(&link[..length]).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Reads at most `most` bytes of the file `name` into `text`.
    pub(super) fn read(&self, name: &CStr, text: &mut Vec<u8>, most: usize) -> io::Result<()> {
        let file = fs::openat(&self.0, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        read_to(&file, text, most)
    }
}

/// Reads at most `most` bytes of `file` into `text`, whose room is kept from one call to the next.
pub(super) fn read_to(file: &OwnedFd, text: &mut Vec<u8>, most: usize) -> io::Result<()> {
    text.clear();
    while text.len() < most {
        text.reserve(2048);
        let before = text.len();
        match rustix::io::read(file, rustix::buffer::spare_capacity(text)) {
            Ok(_) if text.len() == before => break,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    text.truncate(most);
    Ok(())
}

/// The inode of the socket that descriptor `fd` refers to; `None` if it is no socket.
pub(super) fn socket_of(descriptors: &OwnedFd, fd: u32) -> io::Result<Option<u32>> {
    let mut link = [0_u8; LINK];
    let length = fs::readlinkat_raw(descriptors, DecInt::new(fd), &mut link)?;
    Ok(procfs::socket_inode(&link[..length]))
}

/// Whether an error says that the process has gone, rather than that we may not look.
pub(super) fn is_gone(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    code == Some(rustix::io::Errno::NOENT.raw_os_error())
        || code == Some(rustix::io::Errno::SRCH.raw_os_error())
}

const DIRECTORY: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
const AT: fs::AtFlags = fs::AtFlags::empty();

/// A path below `/proc` that begins with a PID, without a heap.
#[derive(Default)]
struct PathBuffer([u8; 24]);

impl PathBuffer {
    fn set(&mut self, pid: u32, rest: &str) -> &CStr {
        self.0 = [0; 24];
        // Ten digits and three characters leave room for the terminating zero.
        let _ = write!(&mut self.0[..23], "{pid}{rest}");
        CStr::from_bytes_until_nul(&self.0).expect("the last byte is zero")
    }
}
