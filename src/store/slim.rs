//! Rows of a moment in little room: most of their counts are small or zero.

use std::{array, sync::Arc};

use super::{Lifetimes, PeerKey, PeerRow, ProcessRow};
use crate::model::{Process, StateCounts, TcpState};

/// A [`ProcessRow`] of a moment: how it changed since another one is not kept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SlimProcess {
    pub(super) process: Arc<Process>,
    fds: Option<u32>,
    fd_limit: Option<u64>,
    /// Whether its lifetimes are the last of its counts.
    lives: bool,
    counts: Packed,
}

/// A [`PeerRow`] of a moment, likewise.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SlimPeer {
    pub(super) key: PeerKey,
    /// Whether its lifetimes are the last of its counts.
    lives: bool,
    processes: Box<[Arc<Process>]>,
    candidates: Box<[Arc<Process>]>,
    counts: Packed,
}

impl SlimProcess {
    pub(super) fn of(row: &ProcessRow) -> Self {
        let counts = states(&row.states)
            .chain(row.time_wait_evidence)
            .chain(row.evidence)
            .chain([row.opened, row.closed])
            .chain(lives(row.lifetimes.as_deref()));
        Self {
            process: Arc::clone(&row.process),
            fds: row.fds,
            fd_limit: row.fd_limit,
            lives: row.lifetimes.is_some(),
            counts: Packed::of(counts),
        }
    }

    pub(super) fn row(&self) -> ProcessRow {
        let mut counts = self.counts.unpack();
        ProcessRow {
            process: Arc::clone(&self.process),
            states: to_states(&mut counts),
            time_wait_evidence: to_array(&mut counts),
            evidence: to_array(&mut counts),
            opened: counts.next().unwrap_or(0),
            closed: counts.next().unwrap_or(0),
            fds: self.fds,
            fd_limit: self.fd_limit,
            lifetimes: self.lives.then(|| Arc::new(counts.collect())),
            change: None,
        }
    }

    /// The bytes that it takes beside its own.
    pub(super) fn bytes(&self) -> usize {
        self.counts.bytes()
    }
}

impl SlimPeer {
    pub(super) fn of(row: &PeerRow) -> Self {
        let counts = states(&row.states)
            .chain(row.evidence)
            .chain([row.opened, row.closed])
            .chain(lives(row.lifetimes.as_deref()));
        Self {
            key: row.key,
            lives: row.lifetimes.is_some(),
            processes: row.processes.as_slice().into(),
            candidates: row.candidates.as_slice().into(),
            counts: Packed::of(counts),
        }
    }

    pub(super) fn row(&self) -> PeerRow {
        let mut counts = self.counts.unpack();
        PeerRow {
            key: self.key,
            states: to_states(&mut counts),
            processes: self.processes.to_vec(),
            candidates: self.candidates.to_vec(),
            evidence: to_array(&mut counts),
            opened: counts.next().unwrap_or(0),
            closed: counts.next().unwrap_or(0),
            lifetimes: self.lives.then(|| Arc::new(counts.collect())),
            change: None,
        }
    }

    /// The bytes that it takes beside its own.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.processes) + size_of_val(&*self.candidates) + self.counts.bytes()
    }
}

fn states(counts: &StateCounts) -> impl Iterator<Item = u32> {
    counts.iter().map(|(_, count)| count)
}

fn to_states(counts: &mut impl Iterator<Item = u32>) -> StateCounts {
    let mut states = StateCounts::default();
    TcpState::ALL.into_iter().zip(counts).for_each(|(state, count)| states[state] = count);
    states
}

fn to_array<const N: usize>(counts: &mut impl Iterator<Item = u32>) -> [u32; N] {
    array::from_fn(|_| counts.next().unwrap_or(0))
}

fn lives(lifetimes: Option<&Lifetimes>) -> impl Iterator<Item = u32> {
    lifetimes.into_iter().flat_map(Lifetimes::counts)
}

/// Counts one after the other, each in seven bits a byte, the lowest first, where the highest bit says that there are more.
/// After a zero comes how many zeros there are.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Packed(Box<[u8]>);

impl Packed {
    fn of(counts: impl Iterator<Item = u32>) -> Self {
        let mut bytes = vec![];
        let mut zeros = 0_u8;
        for count in counts {
            if count == 0 && zeros < u8::MAX {
                zeros += 1;
                continue;
            }
            put_zeros(&mut bytes, &mut zeros);
            if count == 0 {
                zeros = 1;
            } else {
                put(&mut bytes, count);
            }
        }
        put_zeros(&mut bytes, &mut zeros);
        Self(bytes.into())
    }

    fn unpack(&self) -> impl Iterator<Item = u32> + '_ {
        let mut bytes = self.0.iter().copied();
        let mut zeros = 0;
        std::iter::from_fn(move || {
            if zeros == 0 {
                match take(&mut bytes)? {
                    0 => zeros = bytes.next()?,
                    count => return Some(count),
                }
            }
            zeros -= 1;
            Some(0)
        })
    }

    fn bytes(&self) -> usize {
        self.0.len()
    }
}

fn put_zeros(bytes: &mut Vec<u8>, zeros: &mut u8) {
    match std::mem::take(zeros) {
        0 => {}
        zeros => bytes.extend([0, zeros]),
    }
}

fn put(bytes: &mut Vec<u8>, mut count: u32) {
    loop {
        let [low, ..] = count.to_le_bytes();
        count >>= 7;
        if count == 0 {
            return bytes.push(low);
        }
        bytes.push(low | 0x80);
    }
}

fn take(bytes: &mut impl Iterator<Item = u8>) -> Option<u32> {
    let mut count = 0;
    for shift in (0..u32::BITS).step_by(7) {
        let byte = bytes.next()?;
        count |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Packed;

    #[test]
    fn small_counts_and_zeros_take_little() {
        let bytes = |counts: &[u32]| Packed::of(counts.iter().copied()).bytes();
        assert_eq!((bytes(&[]), bytes(&[0; 105]), bytes(&[0; 300])), (0, 2, 4));
        assert_eq!((bytes(&[1, 127]), bytes(&[128, 16_383]), bytes(&[u32::MAX])), (2, 4, 5));
    }

    proptest! {
        #[test]
        fn what_is_packed_comes_out_again(counts in prop::collection::vec(prop_oneof![Just(0), 0..300_u32, any::<u32>()], 0..400)) {
            let packed = Packed::of(counts.iter().copied());
            prop_assert_eq!(packed.unpack().collect::<Vec<_>>(), counts);
        }
    }
}
