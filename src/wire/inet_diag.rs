//! The kernel's answers to a dump of TCP sockets (`NETLINK_SOCK_DIAG`), read where they lie.
//!
//! A datagram goes straight from the receive buffer into a [`SocketTable`]; nothing is allocated per socket.
//! The layouts are those of `include/uapi/linux/netlink.h` and `inet_diag.h`; what the kernel fills in, and when,
//! is in `net/ipv4/inet_diag.c`. No input makes this panic or loop: what cannot be read is counted and skipped.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use zerocopy::{
    FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned,
    native_endian::{U16, U32},
    network_endian,
};

use super::{cookies::CookieSet, tcp_info};
use crate::model::{Detail, Endpoint, Family, Held, NewSocket, SocketTable, TcpState, Timer};

/// The message type of the oldest request, which alone answers for both families in one pass.
pub const TCPDIAG_GETSOCK: u16 = 18;
/// The message type of a request for one family (Linux 3.3).
pub const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// The bit of `idiag_ext` that asks for `tcp_info`.
pub const EXT_INFO: u8 = 1 << (INET_DIAG_INFO - 1);

const NLMSG_NOOP: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const NLMSG_OVERRUN: u16 = 4;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLA_TYPE_MASK: u16 = 0x3fff;

const INET_DIAG_INFO: u16 = 2;
const INET_DIAG_SKV6ONLY: u16 = 11;
const INET_DIAG_MARK: u16 = 15;
const INET_DIAG_CGROUP_ID: u16 = 21;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

/// Which sockets a dump asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dump {
    /// Every state but bound-inactive: listeners, connections, `TIME_WAIT`s and the other mini-sockets. A socket that
    /// dies while the kernel writes it down comes as `CLOSE`.
    All,
    /// Sockets bound to a port that neither listen nor connect. A slow question for a large table. A kernel that
    /// does not know it (before Linux 6.8) answers with nothing.
    BoundInactive,
}

impl Dump {
    /// The states as the bits of `idiag_states`: bit n asks for the state with the number n.
    #[must_use]
    pub const fn states(self) -> u32 {
        match self {
            // ESTABLISHED (1) to CLOSING (11). SYN_RECV covers NEW_SYN_RECV (12).
            Self::All => 0xffe,
            Self::BoundInactive => 1 << TcpState::BoundInactive.number(),
        }
    }
}

/// `struct nlmsghdr`, in front of every message.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct MessageHeader {
    /// Bytes of the message, this header included.
    pub length: U32,
    /// What follows.
    pub kind: U16,
    /// `NLM_F_*`.
    pub flags: U16,
    /// The number of the request that is answered.
    pub sequence: U32,
    /// The port of the socket that asked.
    pub port: U32,
}

/// `struct inet_diag_sockid`: what identifies a socket.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct SocketId {
    /// Local port.
    pub source_port: network_endian::U16,
    /// Peer's port.
    pub peer_port: network_endian::U16,
    /// Local address; for IPv4 the first four bytes.
    pub source: [u8; 16],
    /// Peer's address; for IPv4 the first four bytes.
    pub peer: [u8; 16],
    /// Index of the interface it is bound to.
    pub interface: U32,
    /// The cookie, low half first.
    pub cookie: [U32; 2],
}

/// `struct inet_diag_req`, the payload of a [`TCPDIAG_GETSOCK`] request.
#[derive(Debug, Clone, Copy, Default, FromBytes, IntoBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
pub struct CompatRequest {
    /// Not looked at: the answer holds IPv4 and IPv6.
    pub family: u8,
    /// Not looked at.
    pub source_len: u8,
    /// Not looked at.
    pub peer_len: u8,
    /// Which extensions to send.
    pub extensions: u8,
    /// Not looked at in a dump.
    pub id: SocketId,
    /// Which states to send, see [`Dump::states`].
    pub states: U32,
    /// Not looked at.
    pub tables: U32,
}

/// `struct inet_diag_msg`: a socket; attributes follow.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct SocketMessage {
    family: u8,
    state: u8,
    timer: u8,
    retransmits: u8,
    id: SocketId,
    expires: U32,
    recv_q: U32,
    send_q: U32,
    uid: U32,
    inode: U32,
}

/// `struct nlattr`, in front of every attribute.
#[derive(Debug, Clone, Copy, FromBytes, KnownLayout, Immutable, Unaligned)]
#[repr(C)]
struct AttributeHeader {
    /// Bytes of the attribute, this header included, padding not.
    length: U16,
    kind: U16,
}

const HEADER_LEN: usize = size_of::<MessageHeader>();
const ATTRIBUTE_HEADER_LEN: usize = size_of::<AttributeHeader>();
const _: () = assert!(HEADER_LEN == 16);
const _: () = assert!(ATTRIBUTE_HEADER_LEN == 4);
const _: () = assert!(size_of::<SocketId>() == 48);
const _: () = assert!(size_of::<SocketMessage>() == 72);
const _: () = assert!(size_of::<CompatRequest>() == 60);

/// How far a dump has come after a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum Progress {
    /// There is more to receive.
    More,
    /// The dump came to its end.
    Done,
    /// The kernel refused or broke off, with this error number.
    Refused(i32),
}

/// What a decoder met beside sockets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages and attributes that could not be read, and were skipped.
    pub malformed: u64,
    /// Sockets that had been reported before, and were dropped.
    pub duplicates: u64,
    /// The table changed in a way that may hide or repeat sockets (`NLM_F_DUMP_INTR`).
    pub interrupted: bool,
    /// The kernel says that it dropped messages (`NLMSG_OVERRUN`).
    pub overrun: bool,
}

/// Reads the datagrams of one dump into a table.
#[derive(Debug)]
pub struct Decoder<'a> {
    /// Where sockets go.
    table: &'a mut SocketTable,
    /// The cookies of all sockets in `table`.
    seen: &'a mut CookieSet,
    dump: Dump,
    sequence: u32,
    tally: Tally,
}

impl<'a> Decoder<'a> {
    /// A decoder of the answers to request number `sequence`, which asked for `dump`. Sockets are appended to
    /// `table`, each cookie once: `seen` must hold the cookies of the sockets that are there already.
    pub fn new(table: &'a mut SocketTable, seen: &'a mut CookieSet, dump: Dump, sequence: u32) -> Self {
        Self { table, seen, dump, sequence, tally: Tally::default() }
    }

    /// What was met so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// How many sockets the table holds now.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.table.len()
    }

    /// Reads one datagram. Answers to other requests (an earlier dump that was given up) are passed over.
    pub fn decode(&mut self, datagram: &[u8]) -> Progress {
        for message in (Messages { rest: datagram }) {
            let Ok((header, payload)) = message else {
                self.tally.malformed += 1;
                break;
            };
            if header.sequence != self.sequence {
                continue;
            }
            self.tally.interrupted |= header.flags.get() & NLM_F_DUMP_INTR != 0;
            match header.kind.get() {
                TCPDIAG_GETSOCK | SOCK_DIAG_BY_FAMILY => {
                    if self.socket(payload).is_none() {
                        self.tally.malformed += 1;
                    }
                }
                NLMSG_NOOP => {}
                NLMSG_DONE => return refusal(payload).map_or(Progress::Done, Progress::Refused),
                NLMSG_ERROR if payload.len() < ERROR_NUMBER_LEN => return Progress::Refused(EPROTO),
                NLMSG_ERROR => {
                    // Number 0 is an acknowledgement.
                    if let Some(number) = refusal(payload) {
                        return Progress::Refused(number);
                    }
                }
                NLMSG_OVERRUN => self.tally.overrun = true,
                _ => self.tally.malformed += 1,
            }
        }
        Progress::More
    }

    /// Reads a socket; `None` if it makes no sense.
    #[inline]
    fn socket(&mut self, payload: &[u8]) -> Option<()> {
        let (message, attributes) = SocketMessage::ref_from_prefix(payload).ok()?;
        let (family, local, peer) = endpoints(message.family, &message.id)?;
        let state = match TcpState::from_kernel(message.state)? {
            TcpState::Close if self.dump == Dump::BoundInactive => TcpState::BoundInactive,
            state => state,
        };
        let [low, high] = message.id.cookie;
        let cookie = u64::from(high.get()) << 32 | u64::from(low.get());
        if !self.seen.insert(cookie) {
            self.tally.duplicates += 1;
            return Some(());
        }
        let timer = Timer::from_kernel(message.timer);
        let new = NewSocket {
            cookie,
            family,
            local,
            peer,
            state,
            timer,
            retransmits: message.retransmits,
            expires_ms: message.expires.get(),
        };
        // Of a mini-socket the kernel reports uid, inode and queues as 0 because it has forgotten them.
        let detail = (timer != Timer::TimeWait).then(|| self.detail(message, state, attributes));
        self.table.push(&new, detail);
        Some(())
    }

    fn detail(&mut self, message: &SocketMessage, state: TcpState, attributes: &[u8]) -> Detail {
        let mut detail = Detail {
            inode: message.inode.get(),
            uid: message.uid.get(),
            recv_q: message.recv_q.get(),
            send_q: message.send_q.get(),
            interface: message.id.interface.get(),
            mark: None,
            cgroup: 0,
            v6only: None,
            held: held_before_scan(state, message.inode.get()),
            tcp: None,
        };
        let mut rest = attributes;
        while !rest.is_empty() {
            let Some((kind, value, next)) = split_attribute(rest) else {
                self.tally.malformed += 1;
                break;
            };
            rest = next;
            if read_attribute(&mut detail, kind, value).is_none() {
                self.tally.malformed += 1;
            }
        }
        detail
    }
}

/// Whether `datagram` holds the end of the dump that answers request number `sequence`: done, or an error.
#[must_use]
pub fn ends(datagram: &[u8], sequence: u32) -> bool {
    let messages = Messages { rest: datagram };
    messages.map_while(Result::ok).any(|(header, _)| {
        header.sequence == sequence && matches!(header.kind.get(), NLMSG_DONE | NLMSG_ERROR)
    })
}

/// The messages of a datagram, until the first whose length is impossible: it hides where the next begins.
struct Messages<'a> {
    rest: &'a [u8],
}

/// A length that does not fit.
struct BadLength;

impl<'a> Iterator for Messages<'a> {
    type Item = Result<(&'a MessageHeader, &'a [u8]), BadLength>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let rest = std::mem::take(&mut self.rest);
        if rest.is_empty() {
            return None;
        }
        let Ok((header, _)) = MessageHeader::ref_from_prefix(rest) else { return Some(Err(BadLength)) };
        let length = header.length.get() as usize;
        let Some(payload) = rest.get(HEADER_LEN..length) else { return Some(Err(BadLength)) };
        // The last message need not be padded.
        self.rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Ok((header, payload)))
    }
}

/// Bytes of the number that `NLMSG_DONE` and `NLMSG_ERROR` begin with.
const ERROR_NUMBER_LEN: usize = size_of::<i32>();
/// `EPROTO`, for a refusal that is cut off before its number.
const EPROTO: i32 = 71;

/// The error number that an `NLMSG_DONE` or `NLMSG_ERROR` carries; `None` for success. The kernel sends it negated.
fn refusal(payload: &[u8]) -> Option<i32> {
    let number = i32::from_ne_bytes(*payload.first_chunk::<ERROR_NUMBER_LEN>()?);
    (number < 0).then(|| number.saturating_neg())
}

/// Both ends of a socket. IPv4-mapped addresses become IPv4; `::` stands for `0.0.0.0` beside one of them.
#[inline]
fn endpoints(family: u8, id: &SocketId) -> Option<(Family, Endpoint, Endpoint)> {
    let (family, source, peer) = match family {
        AF_INET => (Family::V4, v4(&id.source).into(), v4(&id.peer).into()),
        AF_INET6 => v6_or_mapped(id.source.into(), id.peer.into()),
        _ => return None,
    };
    let local = Endpoint::new(source, id.source_port.get());
    let peer = Endpoint::new(peer, id.peer_port.get());
    Some((family, local, peer))
}

#[inline]
fn v4(&[a, b, c, d, ..]: &[u8; 16]) -> Ipv4Addr {
    Ipv4Addr::new(a, b, c, d)
}

#[inline]
fn v6_or_mapped(source: Ipv6Addr, peer: Ipv6Addr) -> (Family, IpAddr, IpAddr) {
    let (source4, peer4) = (source.to_ipv4_mapped(), peer.to_ipv4_mapped());
    let any = |ip: Ipv6Addr| ip.is_unspecified().then_some(Ipv4Addr::UNSPECIFIED);
    let both = match (source4, peer4) {
        (None, None) => None,
        _ => source4.or_else(|| any(source)).zip(peer4.or_else(|| any(peer))),
    };
    match both {
        Some((source, peer)) => (Family::Mapped, source.into(), peer.into()),
        None => (Family::V6, source.into(), peer.into()),
    }
}

/// What is known of who holds a full socket before descriptors are looked at. A socket without an inode has no
/// file: it waits to be accepted if it never began to close from our side, and is an orphan if it did.
fn held_before_scan(state: TcpState, inode: u32) -> Held {
    match state {
        TcpState::SynRecv | TcpState::Established | TcpState::CloseWait if inode == 0 => Held::Queue,
        _ => Held::Gone,
    }
}

/// The attribute at the start of `rest`: its type, its value and what follows. `None` if its length is impossible.
#[inline]
fn split_attribute(rest: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (header, _) = AttributeHeader::ref_from_prefix(rest).ok()?;
    let length = usize::from(header.length.get());
    let value = rest.get(ATTRIBUTE_HEADER_LEN..length)?;
    let next = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((header.kind.get() & NLA_TYPE_MASK, value, next))
}

/// Takes what twtop uses from an attribute; `None` if it is too short to hold it.
#[inline]
fn read_attribute(detail: &mut Detail, kind: u16, value: &[u8]) -> Option<()> {
    match kind {
        INET_DIAG_INFO => detail.tcp = Some(tcp_info::parse(value)?),
        INET_DIAG_SKV6ONLY => detail.v6only = Some(*value.first()? != 0),
        INET_DIAG_MARK => detail.mark = Some(u32::from_ne_bytes(*value.first_chunk()?)),
        INET_DIAG_CGROUP_ID => detail.cgroup = u64::from_ne_bytes(*value.first_chunk()?),
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests;
