//! twtop
fn main() {}
