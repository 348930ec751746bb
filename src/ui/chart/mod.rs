//! Charts: a picture of dots, with a scale at its left and times below it.
//!
//! What is known is drawn where it is and what is not known leaves a gap; round figures name the heights, and the right
//! edge is the newest sample unless there is something to foretell. All of it is pure: values in, cells out.

mod axis;
mod raster;
mod time;

pub(super) use axis::{Axes, round_time, round_top};
pub(super) use raster::{Ink, Raster};
pub(super) use time::Span;
