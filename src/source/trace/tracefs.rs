//! The tracepoint's number and form, from tracefs.

use std::{fs, io, os::fd::OwnedFd, path::Path};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen},
};

/// Where tracefs is mounted if it is. Its other place, below debugfs, is an automount: to look there could mount it.
const MOUNTED: &str = "/sys/kernel/tracing";
const TRACEPOINT: &str = "events/sock/inet_sock_set_state";

/// What tracefs says of the tracepoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    /// The number `perf_event_open(2)` knows it by.
    pub(super) id: u64,
    /// The text of its `format` file.
    pub(super) format: String,
}

/// Reads the description where tracefs is mounted; otherwise from a mount of our own that is attached
/// nowhere (Linux 5.2), so that the host is left as it was.
///
/// # Errors
/// `EPERM` or `EACCES` without `CAP_SYS_ADMIN` and the right to read tracefs; `ENODEV` on a kernel without it.
pub(super) fn describe() -> io::Result<Description> {
    mounted(MOUNTED).or_else(|_| detached())
}

fn mounted(place: &str) -> io::Result<Description> {
    let directory = Path::new(place).join(TRACEPOINT);
    let id = fs::read_to_string(directory.join("id"))?;
    description(&id, fs::read_to_string(directory.join("format"))?)
}

fn detached() -> io::Result<Description> {
    let context = fsopen("tracefs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&context)?;
    let flags = MountAttrFlags::MOUNT_ATTR_RDONLY
        | MountAttrFlags::MOUNT_ATTR_NOSUID
        | MountAttrFlags::MOUNT_ATTR_NODEV
        | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let mount = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, flags)?;
    let id = read(&mount, "id")?;
    description(&id, read(&mount, "format")?)
}

fn read(mount: &OwnedFd, name: &str) -> io::Result<String> {
    let path = Path::new(TRACEPOINT).join(name);
    let file = openat(mount, &path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    io::read_to_string(fs::File::from(file))
}

fn description(id: &str, format: String) -> io::Result<Description> {
    let id = id.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(Description { id, format })
}

/// The CPUs that are online, from `/sys/devices/system/cpu/online`.
///
/// # Errors
/// If the file is unreadable or not a list of ranges.
pub(super) fn online_cpus() -> io::Result<Vec<u32>> {
    let mut text = [0; 4096];
    let file =
        openat(CWD, "/sys/devices/system/cpu/online", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let len = rustix::io::read(&file, &mut text)?;
    let text = std::str::from_utf8(&text[..len]).map_err(|_| io::ErrorKind::InvalidData)?;
    cpu_list(text.trim()).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

/// A list such as `0-3,8`. `None` if it is no such list.
fn cpu_list(text: &str) -> Option<Vec<u32>> {
    /// The most that Linux can be built for.
    const MOST: u32 = 8192;
    let mut cpus = Vec::new();
    for range in text.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
        if last >= MOST {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::cpu_list;

    #[test]
    fn lists_of_cpus_are_read() {
        assert_eq!(cpu_list("0"), Some(vec![0]));
        assert_eq!(cpu_list("0-1,4,6-7"), Some(vec![0, 1, 4, 6, 7]));
        assert_eq!(cpu_list(""), None);
        assert_eq!(cpu_list("0-4294967295"), None);
    }
}
