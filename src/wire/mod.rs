//! Bytes to nouns and back. Pure.

pub mod cookies;
pub mod inet_diag;
pub mod tcp_info;
