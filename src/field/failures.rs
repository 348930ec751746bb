//! The metrics of calls of `connect()` that failed.

use std::borrow::Cow;

use super::{Field, Value, program::program};
use crate::store::{ConnectFailure, TraceWindow};

type Failures = Field<FailureRow>;

/// Failed calls of one process from one address to one destination, and how often they fail now.
#[derive(Debug, Clone, PartialEq)]
pub struct FailureRow {
    /// The calls.
    pub failure: ConnectFailure,
    /// How many fail per second now; `None` if no time has gone by.
    pub per_s: Option<f64>,
}

impl FailureRow {
    /// The failures of a window, the most first.
    pub fn all(window: &TraceWindow) -> impl Iterator<Item = Self> {
        window
            .failures
            .iter()
            .map(|failure| Self { failure: failure.clone(), per_s: window.failures_per_s(failure) })
    }
}

/// The metrics of failed calls.
pub static FAILURES: &[Field<FailureRow>] = &[
    Failures::left("process", "PROCESS", 20, "Who called connect().", |row, _| {
        Value::Text(match &row.failure.process {
            Some(process) => Cow::Owned(format!("{} {}", program(process), process.key.pid)),
            None => Cow::Borrowed("[unknown]"),
        })
    }),
    Failures::left("source", "FROM", 15, "Our address; any if none had been chosen.", |row, _| {
        match row.failure.source {
            ip if ip.is_unspecified() => Value::Text(Cow::Borrowed("any")),
            ip => Value::Address(ip),
        }
    }),
    Failures::left("peer_endpoint", "TO", 21, "Where to.", |row, _| Value::Endpoint(row.failure.peer)),
    Failures::right("failed_per_s", "FAIL/s", 6, "How many fail per second now.", |row, _| {
        row.per_s.map_or(Value::None, Value::Rate)
    }),
    Failures::right(
        "no_port",
        "NO PORT",
        7,
        "Those of the last minute that found no local port (EADDRNOTAVAIL).",
        |row, _| Value::Count(row.failure.no_port),
    ),
    Failures::right(
        "other",
        "OTHER",
        6,
        "Those of the last minute that failed otherwise: refused, timed out, interrupted.",
        |row, _| Value::Count(row.failure.other),
    ),
    Failures::right("total", "ALL", 6, "All of the last minute.", |row, _| Value::Count(row.failure.total())),
];
