//! The `source` tier: owners on made-up trees and on the real `/proc`, with real sockets and real processes.

#[path = "source/fake_proc.rs"]
mod fake_proc;
#[path = "source/helper.rs"]
mod helper;
#[path = "source/live.rs"]
mod live;
#[path = "source/owners_fake.rs"]
mod owners_fake;
#[path = "source/owners_giant.rs"]
mod owners_giant;
#[path = "source/owners_real.rs"]
mod owners_real;
#[path = "source/owners_unseen.rs"]
mod owners_unseen;
