//! What states, kinds of evidence and reasons mean, in one sentence each.

use crate::{
    field::format,
    model::{Evidence, TcpState, Unknown},
};

/// `1 socket`, `3,586 sockets`.
#[must_use]
pub(super) fn sockets(count: u32) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} socket{plural}", format::grouped(count.into()))
}

/// A name as filters spell it: `time-wait` for `TIME_WAIT`.
#[must_use]
pub(super) fn dashed(name: &str) -> String {
    name.to_lowercase().replace('_', "-")
}

/// A duration that has gone by, without tenths: `4s`, `4m12s`.
#[must_use]
pub(super) fn ago(seconds: f64) -> String {
    if seconds < 10.0 { format!("{:.0}s", seconds.floor().max(0.0)) } else { format::seconds(seconds) }
}

/// What a state means for the person who sees it.
#[must_use]
pub(super) const fn state(state: TcpState) -> &'static str {
    match state {
        TcpState::Established => "The connection is open both ways.",
        TcpState::SynSent => "We asked to connect and wait for an answer.",
        TcpState::SynRecv => "A peer asked to connect, we answered, and wait for its acknowledgement.",
        TcpState::FinWait1 => "We closed first; the peer has not acknowledged that yet.",
        TcpState::FinWait2 => "We closed first; the peer knows, and has not closed its side.",
        TcpState::TimeWait => "We closed first and both sides are done; the kernel keeps the ports for 60 s.",
        TcpState::Close => "Neither connected nor bound.",
        TcpState::CloseWait => "The peer has closed; our process has not. Only our process can end this.",
        TcpState::LastAck => "The peer closed first, we closed too; our close is not acknowledged yet.",
        TcpState::Listen => "Waits for connections.",
        TcpState::Closing => "Both sides closed at once; our close is not acknowledged yet.",
        TcpState::BoundInactive => "Holds a port, but neither listens nor connects.",
    }
}

/// What the claim about an owner rests on.
#[must_use]
pub(super) const fn evidence(evidence: Evidence) -> &'static str {
    match evidence {
        Evidence::Traced => "The kernel told, as it happened, which process closed it first.",
        Evidence::Seen => "The same socket was seen alive earlier, held by this process.",
        Evidence::Held => "The process has a descriptor on it now.",
        Evidence::Listener => {
            "It was accepted from a listener that only this process holds, and held when it closed."
        }
        Evidence::Candidates => "One of these processes, or one out of sight; which one is not known.",
        Evidence::Unknown => "Nobody is known to own it.",
    }
}

/// Why nobody is named.
#[must_use]
pub(super) const fn unknown(reason: Unknown) -> &'static str {
    match reason {
        Unknown::Denied => "The descriptors of some processes may not be read; one of those may hold it.",
        Unknown::Kernel => "Every process was looked at and none holds it: the kernel does.",
        Unknown::Gone => "Its process let go of it before anyone looked.",
        Unknown::BeforeStart => "It had closed before twtop started to look.",
        Unknown::TooShort => "It opened and closed between two samples.",
    }
}
