//! Bytes to nouns and back. Pure.

pub mod cgroup;
pub mod net_counters;
pub mod procfs;
