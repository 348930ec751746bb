//! The rings of all CPUs, those included that come and go.

use std::{ffi::CStr, io, os::fd::BorrowedFd};

use super::{
    TraceError, TraceOptions,
    sys::{Counts, Event, Ring},
    tracefs::online_cpus,
};

/// Which hits the kernel writes: TCP only; the start of `connect()` and its end, and the first FIN. Not `FIN_WAIT1` to
/// `FIN_WAIT1`, which a `close()` after `shutdown()` adds at times, perhaps in another process.
const FILTER: &CStr = c"protocol==6 && (newstate==2 || oldstate==2 || (newstate==4 && oldstate!=4))";
/// Accepted handshakes too.
const FILTER_WITH_ACCEPTS: &CStr =
    c"protocol==6 && (newstate==1 || newstate==2 || oldstate==2 || (newstate==4 && oldstate!=4))";

/// One CPU's ring.
#[derive(Debug)]
pub(super) struct CpuRing {
    pub(super) cpu: u32,
    event: Event,
    ring: Ring,
}

/// All rings.
#[derive(Debug)]
pub(super) struct Rings {
    id: u64,
    ring_bytes: usize,
    filter: &'static CStr,
    pub(super) cpus: Vec<CpuRing>,
}

impl Rings {
    /// Opens and enables the tracepoint on every CPU that is online.
    ///
    /// # Errors
    /// If the CPUs are not known, or the tracepoint cannot be opened on one of them.
    pub(super) fn open(id: u64, options: Option<TraceOptions>) -> Result<Self, TraceError> {
        let online = online_cpus().map_err(TraceError::Setup)?;
        let options = options.unwrap_or_else(|| TraceOptions::for_cpus(online.len()));
        let page = rustix::param::page_size();
        let ring_bytes = options.ring_bytes.max(page).next_power_of_two();
        let filter = if options.accepts { FILTER_WITH_ACCEPTS } else { FILTER };
        let mut rings = Self { id, ring_bytes, filter, cpus: Vec::new() };
        for cpu in online {
            match rings.prepare(cpu) {
                Ok(ring) => rings.cpus.push(ring),
                // It went offline since the list was read.
                Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
                Err(source) => return Err(TraceError::Open { cpu, source }),
            }
        }
        for ring in &rings.cpus {
            ring.event.enable().map_err(|source| TraceError::Open { cpu: ring.cpu, source })?;
        }
        Ok(rings)
    }

    /// Everything but the switch.
    fn prepare(&self, cpu: u32) -> io::Result<CpuRing> {
        let mut bytes = self.ring_bytes;
        loop {
            let watermark = u32::try_from(bytes / 4).unwrap_or(u32::MAX);
            let event = Event::open(self.id, cpu, watermark)?;
            event.set_filter(self.filter)?;
            match Ring::map(&event, bytes) {
                Ok(ring) => return Ok(CpuRing { cpu, event, ring }),
                // Less may be within what this user may lock.
                Err(error) if error.raw_os_error() == Some(libc::EPERM) && bytes > 64 << 10 => bytes /= 2,
                Err(error) => return Err(error),
            }
        }
    }

    /// Opens rings for CPUs that came and returns those of CPUs that went, to be emptied a last time; the
    /// kernel does not bring an event back with its CPU. Says whether any came.
    ///
    /// # Errors
    /// If the CPUs are not known, or a new one cannot be traced.
    pub(super) fn follow(&mut self) -> io::Result<(bool, Vec<CpuRing>)> {
        let online = online_cpus()?;
        let gone = self.cpus.extract_if(.., |ring| !online.contains(&ring.cpu)).collect();
        let mut came = false;
        for cpu in online {
            if self.cpus.iter().all(|ring| ring.cpu != cpu) {
                let ring = self.prepare(cpu)?;
                ring.event.enable()?;
                self.cpus.push(ring);
                came = true;
            }
        }
        Ok((came, gone))
    }
}

impl CpuRing {
    /// See [`Ring::drain`].
    pub(super) fn drain(&mut self, into: &mut Vec<u8>) -> usize {
        self.ring.drain(into)
    }

    /// See [`Event::counts`].
    pub(super) fn counts(&self) -> io::Result<Counts> {
        self.event.counts()
    }

    /// To wait for records.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        std::os::fd::AsFd::as_fd(&self.event)
    }
}
