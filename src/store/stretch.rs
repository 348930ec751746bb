//! The states that one connection went through, as far as the moments that are kept tell.

use super::Moment;
use crate::model::{Stamp, TcpState};

/// How long a connection was in one state: from the first moment that saw it there to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The state.
    pub state: TcpState,
    /// When it was first seen in it.
    pub from: Stamp,
    /// When it was last seen in it.
    pub to: Stamp,
    /// How many moments saw it there.
    pub seen: u32,
}

/// The states of the socket with that cookie, of `moments` that come oldest first. A moment without it ends its stretch;
/// between two moments it may have been in states that nobody saw.
#[must_use]
pub fn states_of<'a>(cookie: u64, moments: impl IntoIterator<Item = &'a Moment>) -> Vec<Stretch> {
    let mut stretches: Vec<Stretch> = vec![];
    let mut was_there = false;
    for moment in moments {
        let found = moment.sample.sockets.rows().iter().find(|row| row.cookie == cookie);
        if let Some(row) = found {
            let stamp = moment.sample.stamp;
            match stretches.last_mut().filter(|last| was_there && last.state == row.state) {
                Some(last) => (last.to, last.seen) = (stamp, last.seen + 1),
                None => stretches.push(Stretch { state: row.state, from: stamp, to: stamp, seen: 1 }),
            }
        }
        was_there = found.is_some();
    }
    stretches
}
