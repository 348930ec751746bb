//! One socket as `sock_diag` reports it, in a compact row.

use super::{Held, TcpState};

/// What tells one socket from every other, also after its 4-tuple was used again: the kernel's
/// cookie within a network namespace. A `TIME_WAIT` keeps the cookie of the connection it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SockId {
    /// The inode of the network namespace, as in `/proc/PID/ns/net`.
    pub netns: u64,
    /// The kernel's socket cookie.
    pub cookie: u64,
}

/// The address family of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// `AF_INET`.
    V4,
    /// `AF_INET6` with IPv6 addresses.
    V6,
    /// `AF_INET6` with IPv4-mapped addresses (`::ffff:a.b.c.d`), shown as IPv4.
    Mapped,
}

impl Family {
    /// `ipv4` or `ipv6`: what travels on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V4 | Self::Mapped => "ipv4",
            Self::V6 => "ipv6",
        }
    }
}

/// The timer that runs on a socket (`idiag_timer`; names as in `ss -o`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Timer {
    /// None.
    #[default]
    Off = 0,
    /// Retransmission (also early retransmit and tail loss probe).
    On = 1,
    /// Keepalive.
    Keepalive = 2,
    /// `TIME_WAIT`, or the `FIN_WAIT2` of a closed file descriptor.
    TimeWait = 3,
    /// Zero-window probe.
    Persist = 4,
}

impl Timer {
    /// The timer with the kernel's number `n`; an unknown number counts as none.
    #[must_use]
    pub const fn from_kernel(n: u8) -> Self {
        match n {
            1 => Self::On,
            2 => Self::Keepalive,
            3 => Self::TimeWait,
            4 => Self::Persist,
            _ => Self::Off,
        }
    }

    /// The name `ss -o` gives it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::On => "on",
            Self::Keepalive => "keepalive",
            Self::TimeWait => "timewait",
            Self::Persist => "persist",
        }
    }
}

/// One socket in 32 bytes. Addresses are kept as numbers that only the [`super::SocketTable`] of the
/// same sample can read; whatever only a full socket has lies in a [`Detail`] beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Socket {
    /// The kernel's cookie, see [`SockId`].
    pub cookie: u64,
    /// IPv4 address in host byte order, or the index of an IPv6 address in the table.
    pub(super) local: u32,
    /// As `local`.
    pub(super) peer: u32,
    /// Local port, host byte order.
    pub local_port: u16,
    /// Peer's port, host byte order.
    pub peer_port: u16,
    /// Milliseconds until the timer fires; 0 without a timer (or when it is due).
    pub expires_ms: u32,
    /// Index of the detail in the table, [`Socket::NO_DETAIL`] for a mini-socket.
    pub(super) detail: u32,
    /// The state.
    pub state: TcpState,
    /// Which timer runs.
    pub timer: Timer,
    /// Retransmissions, keepalive probes or zero-window probes now outstanding (`idiag_retrans`).
    pub retransmits: u8,
    /// The family.
    pub family: Family,
}

impl Socket {
    pub(super) const NO_DETAIL: u32 = u32::MAX;

    /// Whether this is a `TIME_WAIT`, or a `FIN_WAIT2` after close: a mini-socket, for which the
    /// kernel has forgotten uid, inode, queues and cgroup.
    #[must_use]
    pub fn is_mini(&self) -> bool {
        self.timer == Timer::TimeWait
    }

    /// Milliseconds since a `TIME_WAIT` was entered (60 s less what is left), `None` for any other state.
    /// A socket that is due but not yet reaped says 60,000: the kernel's timer wheel reaps up to 2 s late.
    #[must_use]
    pub fn time_wait_age_ms(&self) -> Option<u32> {
        (self.state == TcpState::TimeWait).then(|| 60_000_u32.saturating_sub(self.expires_ms))
    }
}

/// What the kernel knows of a full socket, and a mini-socket does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// The inode of the socket's file; 0 when no file refers to it (an accept queue, an orphan, a `SYN_RECV`).
    pub inode: u32,
    /// The user that created the socket; 0 also where the kernel does not know, see [`Detail::known_uid`].
    pub uid: u32,
    /// Bytes received and not read; for a listener, connections waiting to be accepted.
    pub recv_q: u32,
    /// Bytes sent and not acknowledged; for a listener, the backlog.
    pub send_q: u32,
    /// The index of the interface it is bound to, 0 for none.
    pub interface: u32,
    /// The mark, `None` without `CAP_NET_ADMIN`.
    pub mark: Option<u32>,
    /// The cgroup's id (inode of its cgroup2 directory), 0 when the kernel does not say.
    pub cgroup: u64,
    /// `IPV6_V6ONLY` of a listener; `None` where the kernel does not say.
    pub v6only: Option<bool>,
    /// Who holds a file descriptor on it, filled in by the owner scan.
    pub held: Held,
    /// The kernel's `tcp_info`, absent for sockets without one (`SYN_RECV`).
    pub tcp: Option<TcpInfo>,
}

impl Detail {
    /// The user that created the socket, `None` where the kernel does not know. It reports 0 for a `SYN_RECV`, and
    /// before Linux 6.17 for every socket without a file (`sock_i_uid()`): that is not root.
    #[must_use]
    pub fn known_uid(&self) -> Option<u32> {
        (self.inode != 0 || self.uid != 0).then_some(self.uid)
    }
}

/// The part of the kernel's `struct tcp_info` that twtop uses. Fields that older kernels do not send
/// are `None`; see `include/uapi/linux/tcp.h`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TcpInfo {
    /// Smoothed round-trip time, microseconds.
    pub rtt_us: u32,
    /// Variation of the round-trip time, microseconds.
    pub rttvar_us: u32,
    /// Retransmission timeout, microseconds.
    pub rto_us: u32,
    /// Congestion window, segments.
    pub cwnd: u32,
    /// Segments retransmitted since the connection began.
    pub retransmits: u32,
    /// Segments sent and not acknowledged (for a listener: its accept queue).
    pub unacked: u32,
    /// Milliseconds since data was last sent.
    pub last_sent_ms: u32,
    /// Milliseconds since data was last received.
    pub last_received_ms: u32,
    /// Negotiated options, bit 0 is timestamps (`TCPI_OPT_TIMESTAMPS`).
    pub options: u8,
    /// Bytes sent, retransmissions included (Linux 4.19), else bytes acknowledged (Linux 4.1).
    pub bytes_sent: Option<u64>,
    /// Bytes received (Linux 4.1).
    pub bytes_received: Option<u64>,
    /// The window the peer offers, bytes (Linux 5.4).
    pub send_window: Option<u32>,
}
