//! Bytes to nouns and back. Pure.

pub mod cgroup;
pub mod cookies;
pub mod elf;
pub mod inet_diag;
pub mod net_counters;
pub mod pack;
pub mod procfs;
pub mod tcp_info;
pub mod trace_record;
