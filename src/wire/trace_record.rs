//! The records of a perf ring: state changes of sockets, and what became of tasks in between.
//!
//! The forms are those of perf_event_open(2) for `PERF_SAMPLE_TID | TIME | CPU | RAW` with
//! `sample_id_all`; the offsets within the raw part of a sample are read from the tracepoint's `format`
//! file, because they differ between kernels.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::{Endpoint, Family};

const LOST: u32 = 2;
const COMM: u32 = 3;
const EXIT: u32 = 4;
const FORK: u32 = 7;
const SAMPLE: u32 = 9;
const LOST_SAMPLES: u32 = 13;
const NAMESPACES: u32 = 16;

/// `PERF_RECORD_MISC_COMM_EXEC`: the name changed because of `execve()`.
const MISC_COMM_EXEC: u16 = 1 << 13;
/// `NET_NS_INDEX` among the namespaces of a `PERF_RECORD_NAMESPACES`.
const NET_NS_INDEX: usize = 0;
/// Type, misc and size come before every record's body.
const HEADER: usize = 8;
/// `pid, tid, time, cpu, reserved` at the end of every record that is not a sample.
const SAMPLE_ID: usize = 24;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// Where the fields lie in the raw part of a sample of `sock:inet_sock_set_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    socket: usize,
    old_state: usize,
    new_state: usize,
    source_port: usize,
    peer_port: usize,
    family: usize,
    source: usize,
    peer: usize,
    source_v6: usize,
    peer_v6: usize,
}

/// A tracepoint's `format` file that is not of the known form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the tracepoint has no field {field} of {size} bytes")]
pub struct LayoutError {
    field: &'static str,
    size: usize,
}

impl Layout {
    /// Reads the offsets from the text of `events/sock/inet_sock_set_state/format`.
    ///
    /// # Errors
    /// If a field is missing or has another size than the one known.
    pub fn parse(format: &str) -> Result<Self, LayoutError> {
        let field = |name: &'static str, size: usize| {
            let offset = format.lines().find_map(|line| offset_of(line, name, size));
            offset.ok_or(LayoutError { field: name, size })
        };
        Ok(Self {
            socket: field("skaddr", size_of::<usize>())?,
            old_state: field("oldstate", 4)?,
            new_state: field("newstate", 4)?,
            source_port: field("sport", 2)?,
            peer_port: field("dport", 2)?,
            family: field("family", 2)?,
            source: field("saddr", 4)?,
            peer: field("daddr", 4)?,
            source_v6: field("saddr_v6", 16)?,
            peer_v6: field("daddr_v6", 16)?,
        })
    }

    fn change(&self, raw: &[u8]) -> Option<StateChange> {
        let port = |at| Some(u16::from_ne_bytes(array(raw, at)?));
        let state = |at| u8::try_from(u32::from_ne_bytes(array(raw, at)?)).ok();
        let (family, local, peer) = self.addresses(raw)?;
        Some(StateChange {
            socket: usize::from_ne_bytes(array(raw, self.socket)?) as u64,
            old: state(self.old_state)?,
            new: state(self.new_state)?,
            family,
            local: Endpoint::new(local, port(self.source_port)?),
            peer: Endpoint::new(peer, port(self.peer_port)?),
        })
    }

    fn addresses(&self, raw: &[u8]) -> Option<(Family, IpAddr, IpAddr)> {
        let v4 = |at| Some(IpAddr::V4(Ipv4Addr::from(array::<4>(raw, at)?)));
        let v6 = |at| Some(Ipv6Addr::from(array::<16>(raw, at)?));
        match u16::from_ne_bytes(array(raw, self.family)?) {
            AF_INET => Some((Family::V4, v4(self.source)?, v4(self.peer)?)),
            AF_INET6 => {
                let (local, peer) = (v6(self.source_v6)?, v6(self.peer_v6)?);
                // A socket bound to `::` is given its IPv4 address only as it connects: the peer decides.
                match (local.to_ipv4_mapped(), peer.to_ipv4_mapped()) {
                    (Some(local), Some(peer)) => Some((Family::Mapped, local.into(), peer.into())),
                    (None, Some(peer)) if local.is_unspecified() => {
                        Some((Family::Mapped, Ipv4Addr::UNSPECIFIED.into(), peer.into()))
                    }
                    _ => Some((Family::V6, local.into(), peer.into())),
                }
            }
            _ => None,
        }
    }
}

/// The offset in a line such as `field:__u16 sport;	offset:24;	size:2;	signed:0;`.
fn offset_of(line: &str, name: &str, size: usize) -> Option<usize> {
    let mut parts = line.trim().split(';').map(str::trim);
    let declared = parts.next()?.strip_prefix("field:")?.rsplit([' ', '*']).next()?;
    if declared.split('[').next()? != name {
        return None;
    }
    let offset = parts.next()?.strip_prefix("offset:")?.parse().ok()?;
    let found: usize = parts.next()?.strip_prefix("size:")?.parse().ok()?;
    (found == size).then_some(offset)
}

/// A socket changed its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StateChange {
    /// The kernel's address of the socket: the same for all changes of one socket, used again by later
    /// ones. Not for people, files or memory longer than the socket's life.
    pub socket: u64,
    /// The state before, as the kernel numbers it.
    pub old: u8,
    /// The state after.
    pub new: u8,
    /// The family of the socket.
    pub family: Family,
    /// Its own end. The port is 0 as long as `connect()` has not chosen one, which is after `SYN_SENT`.
    pub local: Endpoint,
    /// The other end.
    pub peer: Endpoint,
}

/// What a record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// A socket changed its state while the task of the record ran, which need not be its cause.
    State(StateChange),
    /// The task of the record was started by that of `parent_pid`, `parent_tid`.
    Fork {
        /// The parent's process.
        parent_pid: u32,
        /// The parent's thread.
        parent_tid: u32,
    },
    /// The task of the record ends. Since Linux 6.16 it may still have to close its descriptors.
    Exit,
    /// The task of the record changed its name.
    Name {
        /// The new name, without padding.
        name: &'a [u8],
        /// Whether by `execve()`.
        exec: bool,
    },
    /// The task of the record is in this network namespace (inode) from now on.
    Netns(u64),
    /// So many records before this one were lost.
    Lost(u64),
    /// Anything else, or a record that made no sense.
    Other,
}

/// One record of a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Nanoseconds on the clock that the event was opened with.
    pub time: u64,
    /// The CPU.
    pub cpu: u32,
    /// The process.
    pub pid: u32,
    /// The thread.
    pub tid: u32,
    /// What happened.
    pub told: Told<'a>,
}

/// The records in `bytes`, which is what lies between a ring's tail and head.
pub fn records<'a>(bytes: &'a [u8], layout: &'a Layout) -> impl Iterator<Item = Record<'a>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let kind = u32::from_ne_bytes(array(rest, 0)?);
        let misc = u16::from_ne_bytes(array(rest, 4)?);
        let size = usize::from(u16::from_ne_bytes(array(rest, 6)?));
        // A size that does not fit ends the batch: there is no telling where the next record begins.
        let body = rest.get(HEADER..size)?;
        rest = &rest[size..];
        Some(record(kind, misc, body, layout))
    })
}

fn record<'a>(kind: u32, misc: u16, body: &'a [u8], layout: &Layout) -> Record<'a> {
    let nothing = Record { time: 0, cpu: 0, pid: 0, tid: 0, told: Told::Other };
    let read = if kind == SAMPLE { sample(body, layout) } else { other(kind, misc, body) };
    read.unwrap_or(nothing)
}

fn sample<'a>(body: &[u8], layout: &Layout) -> Option<Record<'a>> {
    let raw_size = word(body, 24)? as usize;
    let raw = body.get(28..28 + raw_size)?;
    let told = layout.change(raw).map_or(Told::Other, Told::State);
    Some(Record { time: long(body, 8)?, cpu: word(body, 16)?, pid: word(body, 0)?, tid: word(body, 4)?, told })
}

fn other(kind: u32, misc: u16, body: &[u8]) -> Option<Record<'_>> {
    let (body, id) = body.split_at_checked(body.len().checked_sub(SAMPLE_ID)?)?;
    let mut record = Record {
        time: long(id, 8)?,
        cpu: word(id, 16)?,
        pid: word(id, 0)?,
        tid: word(id, 4)?,
        told: Told::Other,
    };
    // The task that a record is about is in its body: a parent runs while its child is made.
    match kind {
        FORK | EXIT => {
            (record.pid, record.tid) = (word(body, 0)?, word(body, 8)?);
            let (parent_pid, parent_tid) = (word(body, 4)?, word(body, 12)?);
            record.time = long(body, 16)?;
            record.told = if kind == EXIT { Told::Exit } else { Told::Fork { parent_pid, parent_tid } };
        }
        COMM => {
            (record.pid, record.tid) = (word(body, 0)?, word(body, 4)?);
            let padded = body.get(8..)?;
            let end = padded.iter().position(|&b| b == 0).unwrap_or(padded.len());
            record.told = Told::Name { name: &padded[..end], exec: misc & MISC_COMM_EXEC != 0 };
        }
        NAMESPACES => {
            (record.pid, record.tid) = (word(body, 0)?, word(body, 4)?);
            let count = usize::try_from(long(body, 8)?).ok()?;
            if count > NET_NS_INDEX {
                // Each is a device and an inode.
                record.told = Told::Netns(long(body, 16 + NET_NS_INDEX * 16 + 8)?);
            }
        }
        LOST => record.told = Told::Lost(long(body, 8)?),
        LOST_SAMPLES => record.told = Told::Lost(long(body, 0)?),
        _ => {}
    }
    Some(record)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_ne_bytes)
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    array(bytes, at).map(u64::from_ne_bytes)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at.checked_add(N)?)?.try_into().ok()
}
