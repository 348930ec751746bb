//! The only I/O that observes.

pub mod trace;
