//! The states of a TCP socket, under the kernel's own names.

use std::ops::{Index, IndexMut};

/// The state of a TCP socket (RFC 9293 §3.3.2; numbers from the kernel's `net/tcp_states.h`).
///
/// The kernel's internal `NEW_SYN_RECV` is reported by `sock_diag` as `SYN_RECV`. A socket that is
/// bound but neither listens nor connects is `BOUND_INACTIVE`: it is asked for with bit 13 and comes
/// back as state 7 (`CLOSE`); the decoder of that dump renames it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum TcpState {
    /// The connection is open both ways.
    Established = 1,
    /// We sent a SYN and wait for the answer.
    SynSent = 2,
    /// A SYN came and we answered; the handshake is not complete.
    SynRecv = 3,
    /// We closed first; our FIN is not acknowledged yet.
    FinWait1 = 4,
    /// We closed first; the peer acknowledged, but has not closed.
    FinWait2 = 5,
    /// We closed first and both sides are done; the tuple is kept for 60 s.
    TimeWait = 6,
    /// Neither connected nor bound to a port.
    Close = 7,
    /// The peer closed; our application has not.
    CloseWait = 8,
    /// The peer closed first, we closed too; our FIN is not acknowledged yet.
    LastAck = 9,
    /// Waiting for connections.
    Listen = 10,
    /// Both sides closed at once; our FIN is not acknowledged yet.
    Closing = 11,
    /// Bound to a port, but neither listening nor connected.
    BoundInactive = 13,
}

impl TcpState {
    /// Every state, in the order in which a screen lists them: those that pile up come first.
    pub const ALL: [Self; 12] = [
        Self::TimeWait,
        Self::CloseWait,
        Self::Established,
        Self::SynSent,
        Self::SynRecv,
        Self::FinWait1,
        Self::FinWait2,
        Self::LastAck,
        Self::Closing,
        Self::Listen,
        Self::BoundInactive,
        Self::Close,
    ];

    /// The state with the kernel's number `n`, or `None` if there is no such state.
    #[must_use]
    pub const fn from_kernel(n: u8) -> Option<Self> {
        Some(match n {
            1 => Self::Established,
            2 => Self::SynSent,
            // 12 is NEW_SYN_RECV, which sock_diag reports as 3; a tracepoint may say 12.
            3 | 12 => Self::SynRecv,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Close,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            13 => Self::BoundInactive,
            _ => return None,
        })
    }

    /// The kernel's number of this state.
    #[must_use]
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The name as the kernel spells it, such as `TIME_WAIT`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Established => "ESTABLISHED",
            Self::SynSent => "SYN_SENT",
            Self::SynRecv => "SYN_RECV",
            Self::FinWait1 => "FIN_WAIT1",
            Self::FinWait2 => "FIN_WAIT2",
            Self::TimeWait => "TIME_WAIT",
            Self::Close => "CLOSE",
            Self::CloseWait => "CLOSE_WAIT",
            Self::LastAck => "LAST_ACK",
            Self::Listen => "LISTEN",
            Self::Closing => "CLOSING",
            Self::BoundInactive => "BOUND_INACTIVE",
        }
    }

    /// Whether both ends can still exchange data, or a handshake is under way: the socket has not
    /// begun to close from our side.
    #[must_use]
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Established | Self::SynSent | Self::SynRecv | Self::CloseWait)
    }

    /// Whether the socket is (or was) one end of a connection, rather than a listener or unconnected.
    #[must_use]
    pub const fn is_connection(self) -> bool {
        !matches!(self, Self::Listen | Self::Close | Self::BoundInactive)
    }
}

/// A count of sockets for every state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StateCounts([u32; 14]);

impl StateCounts {
    /// The sum over all states.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().sum()
    }

    /// Every state with its count, in the order of [`TcpState::ALL`], zeros included.
    pub fn iter(&self) -> impl Iterator<Item = (TcpState, u32)> + '_ {
        TcpState::ALL.iter().map(|&state| (state, self[state]))
    }

    /// Adds one socket in `state`.
    #[inline]
    pub fn add(&mut self, state: TcpState) {
        self.0[state as usize] += 1;
    }
}

impl Index<TcpState> for StateCounts {
    type Output = u32;
    fn index(&self, state: TcpState) -> &u32 {
        &self.0[state as usize]
    }
}

impl IndexMut<TcpState> for StateCounts {
    fn index_mut(&mut self, state: TcpState) -> &mut u32 {
        &mut self.0[state as usize]
    }
}
