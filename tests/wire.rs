//! The `wire` tier.
#[test]
fn placeholder() {}
