//! The only I/O that observes: it asks the kernel and yields [`crate::model::Sample`]s.

mod bound;
pub mod clock;
pub mod counters;
mod faults;
mod fd_index;
mod fd_scan;
pub mod inspect;
pub mod live;
pub mod netns;
pub mod owners;
pub mod pacer;
pub mod privileges;
mod proc_root;
mod processes;
mod runtime;
pub mod sock_diag;
pub mod sysctls;
pub mod trace;

pub use inspect::Inspector;
pub use live::{LiveConfig, LiveSource, SourceError, TraceStart};
pub use netns::{NetnsChoice, NetnsError};
pub use owners::{OwnerScanner, Owners};
pub use pacer::Pacer;
pub use privileges::Reach;
