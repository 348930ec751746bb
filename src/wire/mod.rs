//! Bytes to nouns and back. Pure.

pub mod trace_record;
