//! The table of sockets of one sample: compact rows, details beside them, IPv6 addresses interned.

use std::{
    hash::BuildHasher,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use foldhash::fast::FixedState;
use hashbrown::HashTable;

use super::{Detail, Endpoint, Family, Socket, TcpState, Timer};

/// Sockets in the order of the dump. Nothing is allocated per socket once the vectors have grown;
/// [`SocketTable::clear`] keeps their room.
#[derive(Debug, Clone, Default)]
pub struct SocketTable {
    rows: Vec<Socket>,
    details: Vec<Detail>,
    v6: Interner,
}

/// A socket about to be pushed: [`Socket`] with its addresses readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewSocket {
    /// See [`Socket::cookie`].
    pub cookie: u64,
    /// The family, which says how `local` and `peer` are kept.
    pub family: Family,
    /// Local address; IPv4 where `family` is `V4` or `Mapped`.
    pub local: Endpoint,
    /// Peer's address.
    pub peer: Endpoint,
    /// See [`Socket::state`].
    pub state: TcpState,
    /// See [`Socket::timer`].
    pub timer: Timer,
    /// See [`Socket::retransmits`].
    pub retransmits: u8,
    /// See [`Socket::expires_ms`].
    pub expires_ms: u32,
}

impl SocketTable {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of sockets.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no socket.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Forgets the sockets and keeps the memory.
    pub fn clear(&mut self) {
        self.rows.clear();
        self.details.clear();
        self.v6.clear();
    }

    /// About how many bytes it takes beside its own.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let addresses = self.v6.addresses.capacity() * size_of::<Ipv6Addr>()
            + self.v6.index.capacity() * (size_of::<u32>() + 1);
        self.rows.capacity() * size_of::<Socket>() + self.details.capacity() * size_of::<Detail>() + addresses
    }

    /// The rows as they lie in memory, for loops over a million of them.
    #[must_use]
    pub fn rows(&self) -> &[Socket] {
        &self.rows
    }

    /// The socket at `index`, if there is one.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<SocketRef<'_>> {
        self.rows.get(index).map(|row| SocketRef { row, table: self })
    }

    /// All sockets, in the order of the dump.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = SocketRef<'_>> {
        self.rows.iter().map(|row| SocketRef { row, table: self })
    }

    /// Adds a socket, with its detail unless it is a mini-socket.
    #[inline]
    pub fn push(&mut self, new: &NewSocket, detail: Option<Detail>) {
        let detail = match detail {
            Some(detail) => {
                let index = index32(self.details.len());
                self.details.push(detail);
                index
            }
            None => Socket::NO_DETAIL,
        };
        let row = Socket {
            cookie: new.cookie,
            local: self.intern(new.local.ip),
            peer: self.intern(new.peer.ip),
            local_port: new.local.port,
            peer_port: new.peer.port,
            expires_ms: new.expires_ms,
            detail,
            state: new.state,
            timer: new.timer,
            retransmits: new.retransmits,
            family: new.family,
        };
        self.rows.push(row);
    }

    /// Copies a socket of another table to the end of this one.
    pub fn push_from(&mut self, socket: SocketRef<'_>) {
        self.push(&socket.readable(), socket.detail().copied());
    }

    /// Keeps the sockets for which `keep` says so, in order. Their details stay where they are.
    pub fn retain(&mut self, mut keep: impl FnMut(&Socket) -> bool) {
        self.rows.retain(|row| keep(row));
    }

    /// Every detail with the row of its socket, to be filled in by the owner scan.
    pub fn details_mut(&mut self) -> impl Iterator<Item = (&Socket, &mut Detail)> {
        // Details are pushed in the order of their rows, and `retain` keeps that order.
        let mut rows = self.rows.iter().filter(|row| row.detail != Socket::NO_DETAIL);
        let mut next = rows.next();
        self.details.iter_mut().enumerate().filter_map(move |(index, detail)| {
            let row = next.filter(|row| row.detail as usize == index)?;
            next = rows.next();
            Some((row, detail))
        })
    }

    #[inline]
    fn intern(&mut self, ip: IpAddr) -> u32 {
        match ip {
            IpAddr::V4(ip) => ip.to_bits(),
            IpAddr::V6(ip) => self.v6.intern(ip),
        }
    }

    #[inline]
    fn address(&self, family: Family, number: u32) -> IpAddr {
        match family {
            Family::V4 | Family::Mapped => IpAddr::V4(Ipv4Addr::from_bits(number)),
            Family::V6 => IpAddr::V6(self.v6.get(number)),
        }
    }
}

/// Tables are equal whose sockets are, one by one; where their details and addresses lie does not matter.
impl PartialEq for SocketTable {
    fn eq(&self, other: &Self) -> bool {
        let whole =
            |(a, b): (SocketRef<'_>, SocketRef<'_>)| a.readable() == b.readable() && a.detail() == b.detail();
        self.len() == other.len() && self.iter().zip(other.iter()).all(whole)
    }
}

impl Eq for SocketTable {}

/// A socket together with the table that can read it.
#[derive(Debug, Clone, Copy)]
pub struct SocketRef<'a> {
    row: &'a Socket,
    table: &'a SocketTable,
}

impl<'a> SocketRef<'a> {
    /// The compact row.
    #[must_use]
    pub fn row(&self) -> &'a Socket {
        self.row
    }

    /// The row with its addresses readable, as it is pushed to another table.
    #[must_use]
    pub fn readable(&self) -> NewSocket {
        let Socket { cookie, family, state, timer, retransmits, expires_ms, .. } = *self.row;
        let (local, peer) = (self.local(), self.peer());
        NewSocket { cookie, family, local, peer, state, timer, retransmits, expires_ms }
    }

    /// The local end. IPv4 for a mapped address.
    #[must_use]
    #[inline]
    pub fn local(&self) -> Endpoint {
        let ip = self.table.address(self.row.family, self.row.local);
        Endpoint::new(ip, self.row.local_port)
    }

    /// The peer's end; unspecified for a listener.
    #[must_use]
    #[inline]
    pub fn peer(&self) -> Endpoint {
        let ip = self.table.address(self.row.family, self.row.peer);
        Endpoint::new(ip, self.row.peer_port)
    }

    /// The local and the peer's address as numbers that are equal exactly when the addresses are,
    /// within this table and for sockets that are both IPv6 or both not: cheap keys for grouping.
    #[must_use]
    #[inline]
    pub fn address_keys(&self) -> (u32, u32) {
        (self.row.local, self.row.peer)
    }

    /// What only a full socket has.
    #[must_use]
    #[inline]
    pub fn detail(&self) -> Option<&'a Detail> {
        self.table.details.get(self.row.detail as usize)
    }
}

/// IPv6 addresses, each kept once.
#[derive(Debug, Clone, Default)]
struct Interner {
    addresses: Vec<Ipv6Addr>,
    index: HashTable<u32>,
    hasher: FixedState,
}

impl Interner {
    fn clear(&mut self) {
        self.addresses.clear();
        self.index.clear();
    }

    fn get(&self, number: u32) -> Ipv6Addr {
        self.addresses[number as usize]
    }

    fn intern(&mut self, ip: Ipv6Addr) -> u32 {
        let Self { addresses, index, hasher } = self;
        let hash = |ip: &Ipv6Addr| hasher.hash_one(ip.to_bits());
        let entry =
            index.entry(hash(&ip), |&n| addresses[n as usize] == ip, |&n| hash(&addresses[n as usize]));
        *entry
            .or_insert_with(|| {
                addresses.push(ip);
                index32(addresses.len() - 1)
            })
            .get()
    }
}

/// An index as 32 bits. More than four thousand million sockets do not fit the kernel's own tables.
fn index32(n: usize) -> u32 {
    u32::try_from(n).expect("fewer than 2^32 sockets")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_socket_is_compact() {
        assert_eq!(size_of::<Socket>(), 32);
    }
}
