//! A table of sockets, by columns.
//!
//! Sockets are written in the order of their cookies, which is about that in which they were made: whatever the kernel hands
//! out in turn (cookies, ports, inodes, the times at which a `TIME_WAIT` ends) then differs little from one to the next. The
//! order of the dump is that of the kernel's hash and says nothing; it is not kept.

use std::{cmp::Ordering, hash::Hash, net::IpAddr};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{
    bytes::{In, Out, unzigzag, zigzag},
    columns::{Column, ColumnsIn, ColumnsOut},
    details,
    error::{Result, Trouble},
};
use crate::model::{Endpoint, Family, NewSocket, SocketRef, SocketTable, TcpState, Timer};

const COLUMNS: [Column; 5] = [
    Column::Plain("shape of a socket"),
    Column::Delta("cookie"),
    Column::Plain("port"),
    Column::Plain("timer's end"),
    Column::Plain("retransmits"),
];
const SHAPE: usize = 0;
const COOKIE: usize = 1;
const PORT: usize = 2;
const EXPIRES: usize = 3;
const RETRANSMITS: usize = 4;

/// What many sockets have in common: all of one client towards one destination, say. Written once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Shape<A> {
    family: Family,
    state: TcpState,
    timer: Timer,
    /// Whether there is a detail.
    full: bool,
    local: A,
    peer: A,
    /// Whose port is the service's, and so in common: the lower one.
    common: Common,
    port: u16,
}

/// Which port the sockets of a shape have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Common {
    Local,
    Peer,
}

/// When the last socket with each timer expires, by the timer's number: those that came one after another, close so as well,
/// whomever they talk to.
type Expires = [u32; 5];

/// The rows of a table in the order in which they are written.
pub(super) fn order(table: &SocketTable) -> Vec<(u64, usize)> {
    let mut order: Vec<(u64, usize)> =
        table.rows().iter().enumerate().map(|(index, row)| (row.cookie, index)).collect();
    order.sort_unstable();
    order
}

/// Writes a table.
pub(super) fn write(out: &mut Out, table: &SocketTable) {
    write_in(out, table, &order(table));
}

/// Writes a table whose [`order`] is known.
pub(super) fn write_in(out: &mut Out, table: &SocketTable, order: &[(u64, usize)]) {
    let mut shapes = Shapes::default();
    let (mut columns, mut details) = (ColumnsOut::new(&COLUMNS), details::Writer::new());
    for socket in order.iter().filter_map(|&(_, index)| table.get(index)) {
        columns.push(shapes.row(socket));
        if let Some(detail) = socket.detail() {
            details.push(detail);
        }
    }
    out.block(&shapes.written.into_bytes());
    columns.finish(out);
    details.finish(out);
}

/// The shapes met so far, by the numbers of their addresses.
#[derive(Debug, Default)]
struct Shapes {
    known: HashMap<Shape<u32>, usize, FixedState>,
    /// The port of the last socket of each. The next one's is written as the difference.
    ports: Vec<u16>,
    expires: Expires,
    written: Out,
}

impl Shapes {
    fn row(&mut self, socket: SocketRef<'_>) -> [u64; COLUMNS.len()] {
        let row = socket.row();
        let (common, port, own) = if row.peer_port <= row.local_port {
            (Common::Peer, row.peer_port, row.local_port)
        } else {
            (Common::Local, row.local_port, row.peer_port)
        };
        let (family, state, timer) = (row.family, row.state, row.timer);
        let (full, (local, peer)) = (socket.detail().is_some(), socket.address_keys());
        let shape = Shape { family, state, timer, full, local, peer, common, port };
        let next = self.ports.len();
        let number = *self.known.entry(shape).or_insert(next);
        if number == next {
            self.ports.push(0);
            shape.write(&mut self.written, socket.local().ip, socket.peer().ip);
        }
        let last_port = std::mem::replace(&mut self.ports[number], own);
        let last_expires = std::mem::replace(&mut self.expires[timer as usize], row.expires_ms);
        [
            // 0 for a new one: they are written in the order in which they come.
            if number == next { 0 } else { number as u64 + 1 },
            row.cookie,
            zigzag(i64::from(own) - i64::from(last_port)),
            zigzag(i64::from(row.expires_ms) - i64::from(last_expires)),
            row.retransmits.into(),
        ]
    }
}

impl<A> Shape<A> {
    fn write(&self, out: &mut Out, local: IpAddr, peer: IpAddr) {
        let family = match self.family {
            Family::V4 => 0,
            Family::V6 => 1,
            Family::Mapped => 2,
        };
        out.byte(family | u8::from(self.full) << 2 | u8::from(self.common == Common::Local) << 3);
        out.byte(self.state.number());
        out.byte(self.timer as u8);
        out.bare_address(local);
        out.bare_address(peer);
        out.number(self.port.into());
    }
}

impl Shape<IpAddr> {
    fn read(input: &mut In<'_>) -> Result<Self> {
        let flags = input.byte("family")?;
        let unknown = |input: &In<'_>, what, n: u8| input.error(what, Trouble::Unknown(n.into()));
        let family = match flags & 3 {
            _ if flags > 0xf => return Err(unknown(input, "family", flags)),
            0 => Family::V4,
            1 => Family::V6,
            2 => Family::Mapped,
            _ => return Err(unknown(input, "family", flags)),
        };
        let number = input.byte("state")?;
        // 12 is a second name of another number.
        let state = TcpState::from_kernel(number).filter(|state| state.number() == number);
        let state = state.ok_or_else(|| unknown(input, "state", number))?;
        let number = input.byte("timer")?;
        let timer = Some(Timer::from_kernel(number)).filter(|timer| *timer as u8 == number);
        let timer = timer.ok_or_else(|| unknown(input, "timer", number))?;
        let is_v6 = family == Family::V6;
        let local = input.bare_address(is_v6, "local address")?;
        let peer = input.bare_address(is_v6, "peer's address")?;
        let common = if flags & 8 == 0 { Common::Peer } else { Common::Local };
        let (full, port) = (flags & 4 != 0, input.narrow("port")?);
        Ok(Self { family, state, timer, full, local, peer, common, port })
    }

    /// A socket of this shape, after one with that port.
    fn socket(
        &self,
        columns: &ColumnsIn<'_, { COLUMNS.len() }>,
        port: &mut u16,
        expires: &mut Expires,
    ) -> Result<NewSocket> {
        let add = |column, to: i64| {
            let sum = unzigzag(columns.get(column)?).checked_add(to).and_then(|sum| u32::try_from(sum).ok());
            sum.ok_or(columns.error(column, Trouble::TooLarge))
        };
        let own = u16::try_from(add(PORT, (*port).into())?);
        let own = own.map_err(|_| columns.error(PORT, Trouble::TooLarge))?;
        let expires = &mut expires[self.timer as usize];
        (*port, *expires) = (own, add(EXPIRES, (*expires).into())?);
        let (local_port, peer_port) = match self.common {
            Common::Local => (self.port, own),
            Common::Peer => (own, self.port),
        };
        Ok(NewSocket {
            cookie: columns.get(COOKIE)?,
            family: self.family,
            local: Endpoint::new(self.local, local_port),
            peer: Endpoint::new(self.peer, peer_port),
            state: self.state,
            timer: self.timer,
            retransmits: columns.get(RETRANSMITS)?,
            expires_ms: *expires,
        })
    }
}

/// Reads a table. Where `holders` is known, whoever holds a socket is one of so many.
pub(super) fn read(input: &mut In<'_>, holders: Option<usize>) -> Result<SocketTable> {
    let mut written = input.block("shapes of sockets")?;
    let mut columns = ColumnsIn::new(&COLUMNS, input)?;
    let mut details = details::Reader::new(input, holders)?;
    let (mut table, mut expires) = (SocketTable::new(), Expires::default());
    let mut shapes: Vec<(Shape<IpAddr>, u16)> = Vec::new();
    while columns.next()? {
        let number = match columns.get(SHAPE)? {
            0_usize => {
                shapes.push((Shape::read(&mut written)?, 0));
                shapes.len()
            }
            number => number,
        };
        let known = shapes.get_mut(number - 1);
        let (shape, port) = known.ok_or(columns.error(SHAPE, Trouble::Unknown(number as u64)))?;
        let socket = shape.socket(&columns, port, &mut expires)?;
        table.push(&socket, if shape.full { Some(details.next()?) } else { None });
    }
    written.end("shapes of sockets")?;
    details.end()?;
    Ok(table)
}

/// The state of the socket with that cookie, of a table that is not read as a whole.
pub(super) fn state_of(input: &mut In<'_>, cookie: u64) -> Result<Option<TcpState>> {
    let mut written = input.block("shapes of sockets")?;
    let mut columns = ColumnsIn::new(&COLUMNS, input)?;
    let mut states: Vec<TcpState> = Vec::new();
    while columns.next_of([SHAPE, COOKIE])? {
        let number = match columns.get(SHAPE)? {
            0_usize => {
                states.push(Shape::read(&mut written)?.state);
                states.len()
            }
            number => number,
        };
        match columns.get::<u64>(COOKIE)?.cmp(&cookie) {
            Ordering::Less => {}
            Ordering::Equal => {
                let state = states.get(number - 1).copied();
                return state.map(Some).ok_or(columns.error(SHAPE, Trouble::Unknown(number as u64)));
            }
            // They lie in the order of their cookies.
            Ordering::Greater => return Ok(None),
        }
    }
    Ok(None)
}
