//! The `live` tier: programs that we did not write, on hosts of our own, and what `twtop diagnose` says of them.
//!
//! Each test makes one situation, looks for 10 s as a user would, and holds the report against the programs' own counts
//! and the kernel's: the right finding with the right process and rate, and no wrong one.

#[path = "live/clients.rs"]
mod clients;
#[path = "live/healthy.rs"]
mod healthy;
#[path = "live/host.rs"]
mod host;
#[path = "live/limits.rs"]
mod limits;
#[path = "live/report.rs"]
mod report;
#[path = "live/servers.rs"]
mod servers;
#[path = "live/turn.rs"]
mod turn;

use turn::can_run;
