//! The only I/O that observes.
