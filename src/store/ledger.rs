//! The memory of connections by cookie.

use super::Moment;
use crate::model::Sample;

/// Remembers connections while the kernel lists them, and says what a sample means in their light.
#[derive(Debug, Default)]
pub struct Ledger {}

impl Ledger {
    /// A ledger that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Folds the next sample in and yields the moment. Samples come in the order of time and from one namespace.
    pub fn fold(&mut self, sample: Sample) -> Moment {
        let _ = sample;
        unreachable!("written next")
    }
}
