//! Samples folded into what can be shown: who owns each socket, what opened and closed, time series.
//!
//! [`Ledger`] remembers connections by cookie and turns each [`crate::model::Sample`] into a
//! [`Moment`]; [`Aggregate`] counts a moment, or the part of it that a filter keeps; [`History`] keeps
//! the aggregates of the last 15 minutes, and [`Flows`] what happened lately between whom. All pure: time arrives with the samples.

mod accept;
mod aggregate;
mod attribute;
mod brief;
mod bundle;
mod change;
mod coverage;
mod flow_table;
mod flows;
mod follow;
mod groups;
mod history;
mod ledger;
mod lifetimes;
mod listeners;
mod memory;
mod moment;
mod moved;
mod observation;
mod pass;
mod people;
mod port_model;
mod port_tally;
mod port_trend;
mod ports;
mod queues;
mod rates;
mod recent;
mod rise;
mod series;
mod slim;
mod stretch;
mod tally;
mod trace_activity;
mod trace_intern;
mod trace_join;
mod trace_window;
mod traced;

pub use aggregate::{Aggregate, BindPool, DestinationRow, PeerKey, PeerRow, ProcessRow};
pub use brief::Brief;
pub use bundle::{Bundle, Numbered, SocketCodec};
pub use change::{Change, Comparable, RowsThen};
pub use coverage::Coverage;
pub use flow_table::{FlowCounts, FlowKey, FlowRow, FlowTable, Service};
pub use flows::{Flow, Flows, Sums};
pub use history::{Activity, History};
pub use ledger::{Ledger, LedgerSize};
pub use lifetimes::Lifetimes;
pub use moment::{Attribution, CounterRate, Digest, Link, Moment, Owned, Rates};
pub use observation::Observation;
pub use port_model::{
    DestinationPorts, Doubt, Forecast, Held, Outlook, PortCounts, PortRules, PortUse, PortsLeft, Takeover,
    TimeWaitLife, TwReuse,
};
pub use port_trend::PortTrend;
pub use ports::PortRange;
pub use queues::AcceptQueue;
pub use series::Series;
pub use stretch::{Course, Stretch};
pub use trace_activity::{ConnectFailures, TraceActivity, TraceCounts};
pub use trace_join::{Cause, Phase, Sighting, TraceGap, TraceJoin};
pub use trace_window::{ConnectFailure, TraceWindow};
pub use traced::Traced;
