//! One event as it is kept.

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Tuple {
    pub(super) local: u32,
    pub(super) peer: u32,
    pub(super) local_port: u16,
    pub(super) peer_port: u16,
    pub(super) v6: bool,
}

/// An event, compact: a busy minute has a million of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    /// Nanoseconds since boot.
    pub(super) at: u64,
    pub(super) tuple: Tuple,
    /// The number of a process, or one of the highest numbers for the reason why there is none.
    pub(super) who: u32,
    /// See [`Slot::back`], [`Slot::is_unopened`], [`Slot::bound`] and [`Slot::kind`], the latter in the lowest two bits.
    bits: u32,
}

impl Slot {
    /// No event lies farther back than this.
    pub(super) const FARTHEST: usize = 1 << (u32::BITS - Self::BACK);
    const UNOPENED: u32 = 1 << 4;
    const BACK: u32 = 5;

    /// An event, `back` slots after the event before of its tuple; 0 for none.
    pub(super) fn new(
        at: u64,
        tuple: Tuple,
        who: u32,
        (back, bound, kind): (u32, Option<bool>, Kind),
    ) -> Self {
        let bound = bound.map_or(0, |bound| if bound { 2 } else { 1 });
        Self { at, tuple, who, bits: back << Self::BACK | bound << 2 | kind as u32 }
    }

    /// How many slots before this one lies the event before of the same tuple; 0 for none.
    pub(super) fn back(&self) -> usize {
        (self.bits >> Self::BACK) as usize
    }

    /// The close of a socket that the trace did not see begin.
    pub(super) fn unopened(self) -> Self {
        Self { bits: self.bits | Self::UNOPENED, ..self }
    }

    /// Whether it is such a close.
    pub(super) fn is_unopened(&self) -> bool {
        self.bits & Self::UNOPENED != 0
    }

    /// See [`crate::model::TraceEvent::bound`].
    pub(super) fn bound(&self) -> Option<bool> {
        match self.bits >> 2 & 3 {
            0 => None,
            code => Some(code == 2),
        }
    }

    /// The same, without what it tells of being bound if `other` tells something else.
    pub(super) fn agreeing_with(self, other: &Self) -> Self {
        let same = self.bound() == other.bound();
        let bits = if same { self.bits } else { self.bits & !(3 << 2) };
        Self { bits, ..self }
    }

    pub(super) fn kind(&self) -> Kind {
        match self.bits & 3 {
            0 => Kind::Opened,
            1 => Kind::Accepted,
            2 => Kind::Closed,
            _ => Kind::Connecting,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Opened = 0,
    Accepted = 1,
    Closed = 2,
    /// Of a socket that may have had its port before.
    Connecting = 3,
}
