//! `perf_event_open(2)`, its controls and its ring: the only unsafe code of twtop.
#![expect(
    unsafe_code,
    reason = "perf_event_open and its shared ring have no safe interface in std or rustix"
)]

use std::{
    ffi::CStr,
    io,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    ptr::{self, NonNull},
    sync::atomic::{AtomicU64, Ordering},
};

use rustix::ioctl::opcode;
use zerocopy::{Immutable, IntoBytes};

const PERF_TYPE_TRACEPOINT: u32 = 2;
const PERF_FLAG_FD_CLOEXEC: libc::c_ulong = 8;
/// `PERF_SAMPLE_TID | TIME | CPU | RAW`: the form that `wire::trace_record` reads.
const SAMPLE_TYPE: u64 = 1 << 1 | 1 << 2 | 1 << 7 | 1 << 10;
/// `PERF_FORMAT_LOST` (Linux 6.0).
const FORMAT_LOST: u64 = 1 << 4;

const DISABLED: u64 = 1;
const COMM: u64 = 1 << 9;
const TASK: u64 = 1 << 13;
const WATERMARK: u64 = 1 << 14;
const SAMPLE_ID_ALL: u64 = 1 << 18;
const COMM_EXEC: u64 = 1 << 24;
const USE_CLOCKID: u64 = 1 << 25;
const NAMESPACES: u64 = 1 << 28;

/// Offsets in `struct perf_event_mmap_page`.
const DATA_HEAD: usize = 1024;
const DATA_TAIL: usize = 1032;

/// `struct perf_event_attr` up to `PERF_ATTR_SIZE_VER5` (Linux 4.9).
#[derive(Default, IntoBytes, Immutable)]
#[repr(C)]
struct Attr {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_watermark: u32,
    bp_type: u32,
    config1: u64,
    config2: u64,
    branch_sample_type: u64,
    sample_regs_user: u64,
    sample_stack_user: u32,
    clockid: i32,
    sample_regs_intr: u64,
    aux_watermark: u32,
    sample_max_stack: u16,
    reserved: u16,
}

const _: () = assert!(size_of::<Attr>() == 112);

/// A tracepoint opened on one CPU for all tasks, not yet enabled.
#[derive(Debug)]
pub(super) struct Event {
    fd: OwnedFd,
    counts_lost: bool,
}

/// How often a tracepoint passed its filter on one CPU, and how many records its ring had no room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) matched: u64,
    /// `None` before Linux 6.0.
    pub(super) lost: Option<u64>,
}

impl Event {
    /// Opens tracepoint `id` on `cpu`; a reader is woken when `watermark` bytes wait in the ring. Records of
    /// starting, ending, renamed and moved tasks come with it. Times are of `CLOCK_MONOTONIC`, because
    /// the kernel allows tracepoints no other useful clock (`perf_event_set_clock()`: `-EINVAL` for
    /// `CLOCK_BOOTTIME`, which is not safe in NMIs).
    ///
    /// # Errors
    /// What the system call says: `EACCES`/`EPERM` without `CAP_PERFMON`, `ENODEV` for a CPU that is offline.
    pub(super) fn open(id: u64, cpu: u32, watermark: u32) -> io::Result<Self> {
        let attr = |read_format| Attr {
            kind: PERF_TYPE_TRACEPOINT,
            size: 112,
            config: id,
            sample_period: 1,
            sample_type: SAMPLE_TYPE,
            read_format,
            flags: DISABLED | COMM | COMM_EXEC | TASK | WATERMARK | SAMPLE_ID_ALL | USE_CLOCKID | NAMESPACES,
            wakeup_watermark: watermark,
            clockid: libc::CLOCK_MONOTONIC,
            ..Attr::default()
        };
        match perf_event_open(&attr(FORMAT_LOST), cpu) {
            Ok(fd) => Ok(Self { fd, counts_lost: true }),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                Ok(Self { fd: perf_event_open(&attr(0), cpu)?, counts_lost: false })
            }
            Err(error) => Err(error),
        }
    }

    /// Lets only those hits pass for which `filter` is true.
    ///
    /// # Errors
    /// `EINVAL` if the kernel does not understand it.
    pub(super) fn set_filter(&self, filter: &CStr) -> io::Result<()> {
        const SET_FILTER: libc::Ioctl = opcode::write::<*const libc::c_char>(b'$', 6) as libc::Ioctl;
        // SAFETY: the descriptor is a perf event, for which this request reads a string that ends in NUL;
        // `filter` is one and lives through the call.
        check(unsafe { libc::ioctl(self.fd.as_raw_fd(), SET_FILTER, filter.as_ptr()) }).map(drop)
    }

    /// Starts recording.
    ///
    /// # Errors
    /// What the system call says.
    pub(super) fn enable(&self) -> io::Result<()> {
        const ENABLE: libc::Ioctl = opcode::none(b'$', 0) as libc::Ioctl;
        // SAFETY: the descriptor is a perf event, for which this request takes a number and no pointer.
        check(unsafe { libc::ioctl(self.fd.as_raw_fd(), ENABLE, 0) }).map(drop)
    }

    /// The kernel's own count.
    ///
    /// # Errors
    /// What the system call says.
    pub(super) fn counts(&self) -> io::Result<Counts> {
        let mut values = [0_u64; 2];
        let wanted = if self.counts_lost { 16 } else { 8 };
        let got = rustix::io::read(&self.fd, &mut values.as_mut_bytes()[..wanted])?;
        // An event of a CPU that went away reads as the end of a file.
        if got != wanted {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Counts { matched: values[0], lost: self.counts_lost.then_some(values[1]) })
    }
}

impl AsFd for Event {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn perf_event_open(attr: &Attr, cpu: u32) -> io::Result<OwnedFd> {
    let cpu = libc::c_int::try_from(cpu).map_err(|_| io::ErrorKind::InvalidInput)?;
    let (any_task, no_group): (libc::pid_t, libc::c_int) = (-1, -1);
    let attr = ptr::from_ref(attr);
    // SAFETY: `attr` points to a `perf_event_attr` whose `size` field says how far the kernel may read; the
    // call keeps no pointer.
    let fd = unsafe {
        libc::syscall(libc::SYS_perf_event_open, attr, any_task, cpu, no_group, PERF_FLAG_FD_CLOEXEC)
    };
    let fd = check(RawFd::try_from(fd).unwrap_or(-1))?;
    // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// The memory into which the kernel writes an event's records.
#[derive(Debug)]
pub(super) struct Ring {
    base: NonNull<u8>,
    page: usize,
    data: usize,
}

// SAFETY: the mapping belongs to this value alone and is bound to no thread; the kernel's side of it is
// reached through atomics only.
unsafe impl Send for Ring {}

impl Ring {
    /// Maps `bytes` (a power of two of pages) of ring for `event`.
    ///
    /// # Errors
    /// `EPERM` beyond the memory that may be locked (`perf_event_mlock_kb`, `RLIMIT_MEMLOCK`), `EINVAL`
    /// for a size that is no power of two of pages.
    pub(super) fn map(event: &Event, bytes: usize) -> io::Result<Self> {
        let page = rustix::param::page_size();
        let prot = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address of the kernel's choice; no memory of ours is touched.
        let base = unsafe {
            libc::mmap(ptr::null_mut(), page + bytes, prot, libc::MAP_SHARED, event.fd.as_raw_fd(), 0)
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = NonNull::new(base.cast()).ok_or(io::ErrorKind::OutOfMemory)?;
        Ok(Self { base, page, data: bytes })
    }

    /// Appends all that waits in the ring to `into` and frees its room. Yields the number of bytes.
    pub(super) fn drain(&mut self, into: &mut Vec<u8>) -> usize {
        let head = self.pointer(DATA_HEAD).load(Ordering::Acquire);
        let tail = self.pointer(DATA_TAIL).load(Ordering::Relaxed);
        let waiting = usize::try_from(head.wrapping_sub(tail)).unwrap_or(0).min(self.data);
        // The size is a power of two, so the counters wrap where the ring does.
        let start = usize::try_from(tail & (self.data as u64 - 1)).expect("less than the size of the ring");
        let first = waiting.min(self.data - start);
        for (offset, len) in [(start, first), (0, waiting - first)] {
            // SAFETY: `offset + len` lies within the data part of the mapping, which follows the first page.
            // The kernel wrote these bytes before it moved the head, which was loaded with acquire, and
            // writes no others into [tail, head) until the tail moves.
            into.extend_from_slice(unsafe {
                std::slice::from_raw_parts(self.base.as_ptr().add(self.page + offset), len)
            });
        }
        self.pointer(DATA_TAIL).store(head, Ordering::Release);
        waiting
    }

    fn pointer(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: both offsets are multiples of 8 within the first page of the mapping, which lives as long
        // as `self`. The kernel reads and writes these words as atomics, and so does all of our code.
        unsafe { AtomicU64::from_ptr(self.base.as_ptr().add(offset).cast()) }
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: this is the mapping that `map` made, whole, and no reference into it is left.
        unsafe { libc::munmap(self.base.as_ptr().cast(), self.page + self.data) };
    }
}
