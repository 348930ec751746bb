//! The screen: what is shown and what a key does. Pure.
