//! The metrics of findings.

use std::borrow::Cow;

use super::{Field, Value, program::program};
use crate::findings::Finding;

type Findings = Field<Finding>;

/// The metrics of a finding.
pub static FINDINGS: &[Field<Finding>] = &[
    Findings::left("severity", "SEVERITY", 8, "How bad it is: critical, warning or info.", |finding, _| {
        Value::Severity(finding.severity)
    }),
    Findings::right("since", "SINCE", 6, "When it was first so, UTC; no later than then.", |finding, _| {
        Value::Time(finding.since.wall)
    }),
    // What only a view can tell: it has the mark.
    Findings::left("change", "MARK", 5, "Whether it is new since the mark, or over.", |_, _| Value::None)
        .for_people(),
    Findings::left("finding", "FINDING", 24, "The name of the pattern.", |finding, _| {
        Value::Text(Cow::Borrowed(finding.id.name()))
    }),
    Findings::left(
        "process",
        "PROCESS",
        20,
        "Whom it is about: a process with its PID, or how many of one program.",
        |finding, _| who(finding),
    ),
    Findings::left("peer", "PEER", 15, "The remote address that it is about.", |finding, _| {
        finding.subject.peer.map_or(Value::None, Value::Address)
    }),
    Findings::right("port", "PORT", 5, "The service's port, on whichever side it is.", |finding, _| {
        finding.subject.port.map_or(Value::None, |port| Value::Id(port.into()))
    }),
    Findings::left("confidence", "SURE", 7, "Whether the figures prove it, or only fit it.", |finding, _| {
        Value::Text(Cow::Borrowed(finding.confidence.name()))
    }),
    Findings::left("summary", "WHAT", 60, "What is wrong, in one sentence.", |finding, _| {
        Value::Text(Cow::Borrowed(&finding.summary))
    }),
];

/// The process with its PID, or the program of several and how many they are.
fn who(finding: &Finding) -> Value<'_> {
    let subject = &finding.subject;
    let Some(first) = subject.processes.first() else { return Value::None };
    let (name, count) = (program(first), subject.processes.len());
    Value::Text(Cow::Owned(match (subject.process(), subject.program()) {
        (Some(only), _) => format!("{name} {}", only.key.pid),
        (None, Some(_)) => format!("{name} x{count}"),
        (None, None) => format!("{name} {} +{}", first.key.pid, count - 1),
    }))
}
