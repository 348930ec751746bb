//! The records of a perf ring: state changes of sockets, and what became of tasks in between.
//!
//! The forms are those of `perf_event_open(2)` for `PERF_SAMPLE_TID | TIME | CPU | RAW` with
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

/// `TRACE_FLAG_HARDIRQ`, `TRACE_FLAG_SOFTIRQ`, `TRACE_FLAG_NMI` and `TRACE_FLAG_BH_OFF` in `common_flags`. The last is
/// set while a task passes a packet in itself, as one that writes to a tun device does; a task that closes a socket has
/// softirqs on (`tcp_close()`, `tcp_shutdown()`).
const IN_INTERRUPT: u8 = 1 << 3 | 1 << 4 | 1 << 6 | 1 << 7;

const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;

/// Where the fields lie in the raw part of a sample of `sock:inet_sock_set_state`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    flags: usize,
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
            flags: field("common_flags", 1)?,
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
            in_interrupt: array::<1>(raw, self.flags)?[0] & IN_INTERRUPT != 0,
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

/// The offset in a line such as `field:__u16 sport; offset:24; size:2; signed:0;`, where tabs separate.
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
    /// Whether it happened in an interrupt, or on the way of a packet that a task passed in. The task of the record is
    /// then not its cause.
    pub in_interrupt: bool,
}

/// What a record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told<'a> {
    /// A socket changed its state while the task of the record ran, which need not be its cause.
    State(StateChange),
    /// The task of the record was started by another.
    Fork {
        /// That one's process and thread.
        parent: (u32, u32),
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
    Some(Record {
        time: long(body, 8)?,
        cpu: word(body, 16)?,
        pid: word(body, 0)?,
        tid: word(body, 4)?,
        told,
    })
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
            record.time = long(body, 16)?;
            record.told = if kind == EXIT {
                Told::Exit
            } else {
                Told::Fork { parent: (word(body, 4)?, word(body, 12)?) }
            };
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As Linux 6.18 prints it.
    const FORMAT: &str = "name: inet_sock_set_state\nID: 2287\nformat:\n\
        \tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\
        \tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n\
        \tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n\
        \tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n\
        \tfield:const void * skaddr;\toffset:8;\tsize:8;\tsigned:0;\n\
        \tfield:int oldstate;\toffset:16;\tsize:4;\tsigned:1;\n\
        \tfield:int newstate;\toffset:20;\tsize:4;\tsigned:1;\n\
        \tfield:__u16 sport;\toffset:24;\tsize:2;\tsigned:0;\n\
        \tfield:__u16 dport;\toffset:26;\tsize:2;\tsigned:0;\n\
        \tfield:__u16 family;\toffset:28;\tsize:2;\tsigned:0;\n\
        \tfield:__u16 protocol;\toffset:30;\tsize:2;\tsigned:0;\n\
        \tfield:__u8 saddr[4];\toffset:32;\tsize:4;\tsigned:0;\n\
        \tfield:__u8 daddr[4];\toffset:36;\tsize:4;\tsigned:0;\n\
        \tfield:__u8 saddr_v6[16];\toffset:40;\tsize:16;\tsigned:0;\n\
        \tfield:__u8 daddr_v6[16];\toffset:56;\tsize:16;\tsigned:0;\n";

    fn layout() -> Layout {
        Layout::parse(FORMAT).expect("it is known")
    }

    fn framed(kind: u32, misc: u16, body: &[u8]) -> Vec<u8> {
        let size = u16::try_from(HEADER + body.len()).expect("short");
        [&kind.to_ne_bytes()[..], &misc.to_ne_bytes(), &size.to_ne_bytes(), body].concat()
    }

    fn id() -> Vec<u8> {
        [&7_u32.to_ne_bytes()[..], &8_u32.to_ne_bytes(), &99_u64.to_ne_bytes(), &3_u32.to_ne_bytes(), &[0; 4]]
            .concat()
    }

    fn change(family: u16, addresses: [&[u8]; 4]) -> Vec<u8> {
        flagged(0, family, addresses)
    }

    fn flagged(flags: u8, family: u16, addresses: [&[u8]; 4]) -> Vec<u8> {
        let mut raw = vec![0, 0, flags, 0, 0, 0, 0, 0];
        raw.extend(0xffff_8880_1234_5678_usize.to_ne_bytes());
        raw.extend([1_u32, 4].iter().flat_map(|state| state.to_ne_bytes()));
        raw.extend([40_000_u16, 443, family, 6].iter().flat_map(|n| n.to_ne_bytes()));
        raw.extend(addresses.concat());
        let size = u32::try_from(raw.len() + 4).expect("short");
        framed(SAMPLE, 0, &[&id()[..], &size.to_ne_bytes(), &raw, &[0; 4]].concat())
    }

    fn told(bytes: &[u8]) -> StateChange {
        let layout = layout();
        let all: Vec<_> = records(bytes, &layout).collect();
        let [Record { time: 99, cpu: 3, pid: 7, tid: 8, told: Told::State(change) }] = all[..] else {
            panic!("{all:?}")
        };
        change
    }

    #[test]
    fn addresses_are_read_by_family() {
        let (a, b) = ([10, 0, 0, 1], [10, 0, 0, 2]);
        let [mapped_a, mapped_b] = [a, b].map(|ip| Ipv4Addr::from(ip).to_ipv6_mapped().octets());
        let v4 = told(&change(AF_INET, [&a, &b, &mapped_a, &mapped_b]));
        assert_eq!((v4.family, v4.old, v4.new), (Family::V4, 1, 4));
        assert_eq!(v4.local, Endpoint::new(a.into(), 40_000));
        assert_eq!(v4.peer, Endpoint::new(b.into(), 443));
        let mapped = told(&change(AF_INET6, [&[0; 4], &[0; 4], &mapped_a, &mapped_b]));
        assert_eq!((mapped.family, mapped.local, mapped.peer), (Family::Mapped, v4.local, v4.peer));
        let [one, two] = [1, 2].map(|n| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n));
        let v6 = told(&change(AF_INET6, [&[0; 4], &[0; 4], &one.octets(), &two.octets()]));
        assert_eq!((v6.family, v6.local.ip, v6.peer.ip), (Family::V6, one.into(), two.into()));
    }

    #[test]
    fn what_an_interrupt_did_is_told_from_what_a_task_did() {
        let (v4, v6) = ([0; 4], [0; 16]);
        // Soon to be preempted, or with interrupts off, it is still the task.
        for (flags, in_interrupt) in [(0, false), (0x25, false), (0x08, true), (0x11, true), (0x80, true)] {
            let change = told(&flagged(flags, AF_INET, [&v4, &v4, &v6, &v6]));
            assert_eq!(change.in_interrupt, in_interrupt, "{flags:#x}");
        }
    }

    #[test]
    fn records_of_tasks_are_read() {
        let long = |numbers: &[u32]| numbers.iter().flat_map(|n| n.to_ne_bytes()).collect::<Vec<u8>>();
        let fork = [long(&[20, 10, 21, 11]), 55_u64.to_ne_bytes().to_vec(), id()].concat();
        let name = [long(&[20, 20]), b"redis-cli\0\0\0\0\0\0\0".to_vec(), id()].concat();
        let spaces = [long(&[20, 20]), 1_u64.to_ne_bytes().to_vec(), long(&[4, 0, 77, 0]), id()].concat();
        let lost = [5_u64.to_ne_bytes().to_vec(), 12_u64.to_ne_bytes().to_vec(), id()].concat();
        let bytes = [
            framed(FORK, 0, &fork),
            framed(EXIT, 0, &fork),
            framed(COMM, MISC_COMM_EXEC, &name),
            framed(NAMESPACES, 0, &spaces),
            framed(LOST, 0, &lost),
            framed(77, 0, &id()),
        ]
        .concat();
        let layout = layout();
        let all: Vec<_> = records(&bytes, &layout).collect();
        assert_eq!((all[0].pid, all[0].tid, all[0].time), (20, 21, 55));
        let told: Vec<_> = all.iter().map(|record| record.told).collect();
        assert_eq!(told[0], Told::Fork { parent: (10, 11) });
        assert_eq!(told[1..3], [Told::Exit, Told::Name { name: b"redis-cli", exec: true }]);
        assert_eq!(told[3..], [Told::Netns(77), Told::Lost(12), Told::Other]);
    }

    #[test]
    fn a_format_without_a_field_is_refused() {
        let cut = FORMAT.replace("newstate", "nowstate");
        assert_eq!(Layout::parse(&cut), Err(LayoutError { field: "newstate", size: 4 }));
        let wide = FORMAT.replace("sport;\toffset:24;\tsize:2", "sport;\toffset:24;\tsize:8");
        assert_eq!(Layout::parse(&wide), Err(LayoutError { field: "sport", size: 2 }));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let layout = layout();
            // Every record takes its header at least, so there are no more than this.
            prop_assert!(records(&bytes, &layout).count() <= bytes.len() / HEADER);
        }

        #[test]
        fn no_body_makes_it_panic(kind in 0_u32..20, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let layout = layout();
            prop_assert_eq!(records(&framed(kind, 0, &body), &layout).count(), 1);
        }

        #[test]
        fn no_format_makes_it_panic(text in ".{0,200}") {
            prop_assert!(Layout::parse(&text).is_err());
        }
    }
}
