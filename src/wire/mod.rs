//! Bytes to nouns and back. Pure.
