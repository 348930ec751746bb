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
    /// See [`Slot::back`], [`Slot::bound`] and [`Slot::kind`], the latter in the lowest two bits.
    back_bound_kind: u32,
}

impl Slot {
    /// An event, `back` slots after the event before of its tuple; 0 for none. `back` is below 2^28.
    pub(super) fn new(
        at: u64,
        tuple: Tuple,
        who: u32,
        (back, bound, kind): (u32, Option<bool>, Kind),
    ) -> Self {
        let bound = bound.map_or(0, |bound| if bound { 2 } else { 1 });
        Self { at, tuple, who, back_bound_kind: back << 4 | bound << 2 | kind as u32 }
    }

    /// How many slots before this one lies the event before of the same tuple; 0 for none.
    pub(super) fn back(&self) -> usize {
        (self.back_bound_kind >> 4) as usize
    }

    /// See [`crate::model::TraceEvent::bound`].
    pub(super) fn bound(&self) -> Option<bool> {
        match self.back_bound_kind >> 2 & 3 {
            0 => None,
            code => Some(code == 2),
        }
    }

    /// The same, without what it tells of being bound if `other` tells something else.
    pub(super) fn agreeing_with(self, other: &Self) -> Self {
        let same = self.bound() == other.bound();
        let back_bound_kind = if same { self.back_bound_kind } else { self.back_bound_kind & !(3 << 2) };
        Self { back_bound_kind, ..self }
    }

    pub(super) fn kind(&self) -> Kind {
        match self.back_bound_kind & 3 {
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
