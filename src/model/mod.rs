//! The nouns: what the kernel said at one instant. No I/O, no clock, no policy.
//!
//! Everything that twtop shows is derived from a [`Sample`]; a sample holds only facts and the
//! [`Fault`]s that kept some facts away.

mod counters;
mod endpoint;
mod owner;
pub mod program;
mod runtime;
mod sample;
mod socket;
mod state;
mod table;
pub mod text;
mod time;
mod trace;

pub use counters::{Counters, Limit, Limits, Sysctls};
pub use endpoint::{Endpoint, Side};
pub use owner::{Evidence, Held, Inspected, ProcKey, Process, ProcessLoad, ProcessSeen, Unknown};
pub use runtime::{Runtime, RuntimeKind};
pub use sample::{Cost, Fault, FaultKind, Host, OwnerScan, Privileges, Sample};
pub use socket::{Detail, Family, SockId, Socket, TcpInfo, Timer};
pub use state::{StateCounts, TcpState};
pub use table::{NewSocket, SocketRef, SocketTable};
pub use time::Stamp;
pub use trace::{TraceBatch, TraceEvent, TraceKind, TraceLoss, TraceTally, TraceTask, TracedProcess};
