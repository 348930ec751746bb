//! Findings as objects, of the snapshot and of the diagnosis.

use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::{Coverage, rounded};
use crate::{
    field::format::time,
    findings::{Figure, Finding},
};

/// What `twtop diagnose --json` writes.
#[derive(Serialize)]
pub(super) struct Diagnosis<'a> {
    pub(super) schema: &'static str,
    pub(super) version: &'static str,
    pub(super) taken_at: String,
    pub(super) observed_s: f64,
    pub(super) filter: Option<String>,
    pub(super) coverage: Coverage<'a>,
    pub(super) findings: Findings<'a>,
}

/// A list of findings.
pub(super) struct Findings<'a>(pub(super) &'a [Finding]);

impl Serialize for Findings<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(FindingOut::of))
    }
}

#[derive(Serialize)]
struct FindingOut<'a> {
    id: &'static str,
    severity: &'static str,
    subject: SubjectOut<'a>,
    since: String,
    summary: &'a str,
    evidence: Vec<FigureOut>,
    why: &'a str,
    advice: &'a [String],
    confidence: &'static str,
    filter: &'a str,
}

#[derive(Serialize)]
struct SubjectOut<'a> {
    pid: Option<u32>,
    start_time: Option<String>,
    process: Option<&'a str>,
    pids: Vec<u32>,
    runtime: Option<String>,
    peer: Option<IpAddr>,
    port: Option<u16>,
    side: Option<&'static str>,
}

#[derive(Serialize)]
struct FigureOut {
    name: &'static str,
    value: f64,
    unit: &'static str,
}

impl<'a> FindingOut<'a> {
    fn of(finding: &'a Finding) -> Self {
        let subject = &finding.subject;
        let process = subject.process();
        Self {
            id: finding.id.name(),
            severity: finding.severity.name(),
            subject: SubjectOut {
                pid: process.map(|process| process.key.pid),
                start_time: process.map(|process| time(process.started)),
                process: subject.program(),
                pids: subject.processes.iter().map(|process| process.key.pid).collect(),
                runtime: subject.runtime().map(ToString::to_string),
                peer: subject.peer,
                port: subject.port,
                side: subject.side.map(crate::model::Side::name),
            },
            since: finding.since.wall.to_string(),
            summary: &finding.summary,
            evidence: finding.evidence.iter().map(FigureOut::of).collect(),
            why: &finding.why,
            advice: &finding.advice,
            confidence: finding.confidence.name(),
            filter: &finding.filter,
        }
    }
}

impl FigureOut {
    fn of(figure: &Figure) -> Self {
        Self { name: figure.name, value: rounded(figure.value), unit: figure.unit }
    }
}
