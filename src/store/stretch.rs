//! The states that one connection went through, as far as the moments that are kept tell.

use crate::model::{Stamp, TcpState};

/// How long a connection was in one state: from the first moment that saw it there to the last. Between two moments it
/// may have been in states that nobody saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stretch {
    /// The state.
    pub state: TcpState,
    /// When it was first seen in it.
    pub from: Stamp,
    /// When it was last seen in it.
    pub to: Stamp,
}

/// The states of a connection so far, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Course {
    stretches: Vec<Stretch>,
    /// Whether the newest moment had it.
    present: bool,
}

impl Course {
    /// At most so many stretches are kept, the newest: one that goes to and fro for ever takes no more room.
    pub const MOST: usize = 16;

    /// Adds what the newest moment says: the state, or `None` if it has no such connection.
    pub fn see(&mut self, at: Stamp, state: Option<TcpState>) {
        if let Some(state) = state {
            match self.stretches.last_mut().filter(|last| self.present && last.state == state) {
                Some(last) => last.to = at,
                None => self.stretches.push(Stretch { state, from: at, to: at }),
            }
            let more = self.stretches.len().saturating_sub(Self::MOST);
            self.stretches.drain(..more);
        }
        self.present = state.is_some();
    }

    /// Nobody looked between the last moment and the next: what was seen before is not taken to have lasted.
    pub fn miss(&mut self) {
        self.present = false;
    }

    /// What was seen up to `at`: nothing of what came later.
    #[must_use]
    pub fn until(&self, at: Stamp) -> Self {
        let begun = self.stretches.iter().take_while(|stretch| stretch.from.since_boot <= at.since_boot);
        let present = begun.clone().last().is_some_and(|last| last.to.since_boot >= at.since_boot);
        let cut = |stretch: &Stretch| Stretch { to: stretch.to.min(at), ..*stretch };
        Self { stretches: begun.map(cut).collect(), present }
    }

    /// The stretches, oldest first.
    #[must_use]
    pub fn stretches(&self) -> &[Stretch] {
        &self.stretches
    }

    /// Whether the newest moment had it.
    #[must_use]
    pub fn is_present(&self) -> bool {
        self.present
    }
}
