//! What only full sockets have, by columns.

use super::{
    bytes::{In, Out},
    columns::{Column, ColumnsIn, ColumnsOut},
    error::{Result, Trouble},
};
use crate::model::{Detail, Held, TcpInfo};

const COLUMNS: [Column; 21] = [
    Column::Plain("which details there are"),
    Column::Delta("inode"),
    Column::Delta("uid"),
    Column::Plain("receive queue"),
    Column::Plain("send queue"),
    Column::Plain("interface"),
    Column::Delta("holders"),
    Column::Delta("mark"),
    Column::Delta("cgroup"),
    Column::Plain("round-trip time"),
    Column::Plain("variation of the round-trip time"),
    Column::Plain("retransmission timeout"),
    Column::Plain("congestion window"),
    Column::Plain("segments retransmitted"),
    Column::Plain("segments not acknowledged"),
    Column::Plain("time since the last sending"),
    Column::Plain("time since the last receipt"),
    Column::Plain("options"),
    Column::Plain("bytes sent"),
    Column::Plain("bytes received"),
    Column::Plain("send window"),
];

/// Bits of the first column: what is there at all. What is not is written as 0, which compresses to nothing.
mod there {
    pub(super) const MARK: u64 = 1;
    pub(super) const V6ONLY: u64 = 2;
    /// Its value, not whether it is there.
    pub(super) const IS_V6ONLY: u64 = 4;
    pub(super) const TCP: u64 = 8;
    pub(super) const BYTES_SENT: u64 = 16;
    pub(super) const BYTES_RECEIVED: u64 = 32;
    pub(super) const SEND_WINDOW: u64 = 64;
    /// None beyond these.
    pub(super) const END: u64 = 128;
}

/// Who holds it, if none of a set of processes; sets are numbered from [`FIRST_SET`] on.
const HELD: [Held; 4] = [Held::Gone, Held::Queue, Held::Kernel, Held::Denied];
const FIRST_SET: u64 = HELD.len() as u64;

/// Details that are being written, in the order of their sockets.
#[derive(Debug)]
pub(super) struct Writer(ColumnsOut<{ COLUMNS.len() }>);

impl Writer {
    pub(super) fn new() -> Self {
        Self(ColumnsOut::new(&COLUMNS))
    }

    pub(super) fn push(&mut self, detail: &Detail) {
        let Detail { inode, uid, recv_q, send_q, interface, mark, cgroup, v6only, held, tcp } = *detail;
        let flag = |is: bool, bit| if is { bit } else { 0 };
        let held = match held {
            Held::By(set) => FIRST_SET + u64::from(set),
            Held::Gone => 0,
            Held::Queue => 1,
            Held::Kernel => 2,
            Held::Denied => 3,
        };
        let TcpInfo { bytes_sent, bytes_received, send_window, .. } = tcp.unwrap_or_default();
        let there = flag(mark.is_some(), there::MARK)
            | flag(v6only.is_some(), there::V6ONLY)
            | flag(v6only == Some(true), there::IS_V6ONLY)
            | flag(tcp.is_some(), there::TCP)
            | flag(bytes_sent.is_some(), there::BYTES_SENT)
            | flag(bytes_received.is_some(), there::BYTES_RECEIVED)
            | flag(send_window.is_some(), there::SEND_WINDOW);
        let tcp = tcp.unwrap_or_default();
        self.0.push([
            there,
            inode.into(),
            uid.into(),
            recv_q.into(),
            send_q.into(),
            interface.into(),
            held,
            mark.unwrap_or_default().into(),
            cgroup,
            tcp.rtt_us.into(),
            tcp.rttvar_us.into(),
            tcp.rto_us.into(),
            tcp.cwnd.into(),
            tcp.retransmits.into(),
            tcp.unacked.into(),
            tcp.last_sent_ms.into(),
            tcp.last_received_ms.into(),
            tcp.options.into(),
            bytes_sent.unwrap_or_default(),
            bytes_received.unwrap_or_default(),
            send_window.unwrap_or_default().into(),
        ]);
    }

    pub(super) fn finish(self, out: &mut Out) {
        self.0.finish(out);
    }
}

/// Details that are being read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    columns: ColumnsIn<'a, { COLUMNS.len() }>,
    holders: Option<usize>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(input: &mut In<'a>, holders: Option<usize>) -> Result<Self> {
        Ok(Self { columns: ColumnsIn::new(&COLUMNS, input)?, holders })
    }

    /// The next detail.
    pub(super) fn next(&mut self) -> Result<Detail> {
        if !self.columns.next()? {
            return Err(self.columns.error(0, Trouble::Cut));
        }
        let (columns, there) = (&self.columns, self.columns.get::<u64>(0)?);
        if there >= there::END {
            return Err(columns.error(0, Trouble::Unknown(there)));
        }
        let is_there = |bit| there & bit != 0;
        let mark = columns.get(7)?;
        Ok(Detail {
            inode: columns.get(1)?,
            uid: columns.get(2)?,
            recv_q: columns.get(3)?,
            send_q: columns.get(4)?,
            interface: columns.get(5)?,
            held: self.held()?,
            mark: is_there(there::MARK).then_some(mark),
            cgroup: columns.get(8)?,
            v6only: is_there(there::V6ONLY).then_some(is_there(there::IS_V6ONLY)),
            tcp: if is_there(there::TCP) { Some(self.tcp(is_there)?) } else { None },
        })
    }

    fn tcp(&self, is_there: impl Fn(u64) -> bool) -> Result<TcpInfo> {
        let columns = &self.columns;
        let (sent, received, window) = (columns.get(18)?, columns.get(19)?, columns.get(20)?);
        Ok(TcpInfo {
            rtt_us: columns.get(9)?,
            rttvar_us: columns.get(10)?,
            rto_us: columns.get(11)?,
            cwnd: columns.get(12)?,
            retransmits: columns.get(13)?,
            unacked: columns.get(14)?,
            last_sent_ms: columns.get(15)?,
            last_received_ms: columns.get(16)?,
            options: columns.get(17)?,
            bytes_sent: is_there(there::BYTES_SENT).then_some(sent),
            bytes_received: is_there(there::BYTES_RECEIVED).then_some(received),
            send_window: is_there(there::SEND_WINDOW).then_some(window),
        })
    }

    fn held(&self) -> Result<Held> {
        let number: u64 = self.columns.get(6)?;
        if let Some(held) = usize::try_from(number).ok().and_then(|number| HELD.get(number)) {
            return Ok(*held);
        }
        let set = u32::try_from(number - FIRST_SET).ok();
        let set = set.filter(|set| self.holders.is_none_or(|holders| (*set as usize) < holders));
        set.map(Held::By).ok_or(self.columns.error(6, Trouble::TooLarge))
    }

    /// All details were of a socket.
    pub(super) fn end(&mut self) -> Result<()> {
        match self.columns.left() {
            0 => self.columns.next().map(drop),
            left => Err(self.columns.error(0, Trouble::Spare(left))),
        }
    }
}
