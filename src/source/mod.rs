//! The only I/O that observes: it asks the kernel and yields [`crate::model::Sample`]s.

pub mod clock;
mod fd_index;
mod fd_scan;
pub mod owners;
mod proc_root;
mod processes;
pub mod sock_diag;

pub use owners::{OwnerScanner, Owners};
