//! A bounded series of numbers, one a sample.

use std::collections::VecDeque;

/// The newest values of a quantity, oldest first; NaN stands for "not known".
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Series(VecDeque<f32>);

impl Series {
    /// How many values are kept: 15 minutes at one a second.
    pub const CAPACITY: usize = 900;

    /// Adds the newest value and drops the oldest when full.
    pub fn push(&mut self, value: Option<f32>) {
        if self.0.len() == Self::CAPACITY {
            self.0.pop_front();
        }
        self.0.push_back(value.unwrap_or(f32::NAN));
    }

    /// The newest `n` values (or as many as there are), oldest first, `None` where not known.
    #[must_use]
    pub fn last(&self, n: usize) -> impl DoubleEndedIterator<Item = Option<f32>> + '_ {
        let skip = self.0.len().saturating_sub(n);
        self.0.iter().skip(skip).map(|v| (!v.is_nan()).then_some(*v))
    }

    /// A series of `n` zeros, for a quantity that has only now become something.
    pub(super) fn zeros(n: usize) -> Self {
        Self(std::iter::repeat_n(0.0, n.min(Self::CAPACITY)).collect())
    }

    /// The newest value; `None` if there is none or it is not known.
    #[must_use]
    pub fn newest(&self) -> Option<f32> {
        self.back(0)
    }

    /// The value `behind` samples before the newest; `None` if there is none or it is not known.
    #[must_use]
    pub fn back(&self, behind: usize) -> Option<f32> {
        let index = self.0.len().checked_sub(behind.checked_add(1)?)?;
        self.0.get(index).copied().filter(|value| !value.is_nan())
    }

    /// How many values there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no value yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
