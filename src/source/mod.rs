//! The only I/O that observes.

pub mod sock_diag;
