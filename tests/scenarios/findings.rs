//! What should be found.

use twtop::findings::{Figure, Finding, FindingId, Severity};

use super::{World, parse};

type Checked = Result<(), String>;

impl World {
    /// What holds now.
    pub(crate) fn findings(&self) -> &[Finding] {
        self.watch.findings()
    }

    /// `nothing`, `calm`, `first` and an id, or a finding: its id, `absent` or its severity, and more about it.
    pub(super) fn expect_finding(&self, words: &[&str]) -> Checked {
        let listed = || self.findings().iter().map(line).collect::<Vec<_>>().join("\n");
        match words {
            ["nothing"] if self.findings().is_empty() => Ok(()),
            ["calm"] if self.watch.worst() < Some(Severity::Warning) => Ok(()),
            ["nothing" | "calm"] => Err(format!("found\n{}", listed())),
            ["first", id] => match self.findings().first() {
                Some(first) if first.id == known(id)? => Ok(()),
                _ => Err(format!("found\n{}", listed())),
            },
            [id, "absent"] => {
                let id = known(id)?;
                if self.findings().iter().any(|finding| finding.id == id) { Err(listed()) } else { Ok(()) }
            }
            [id, severity, rest @ ..] => {
                let id = known(id)?;
                let fits = |finding: &&Finding| {
                    finding.id == id
                        && finding.severity.name() == *severity
                        && rest.iter().all(|word| holds(finding, word) == Ok(true))
                };
                rest.iter().try_for_each(|word| match self.findings().first() {
                    Some(finding) => holds(finding, word).map(drop),
                    None => Ok(()),
                })?;
                match self.findings().iter().filter(fits).count() {
                    1 => Ok(()),
                    0 => Err(format!("not found; there is\n{}", listed())),
                    n => Err(format!("{n} of them:\n{}", listed())),
                }
            }
            _ => Err("no such expectation".to_owned()),
        }
    }
}

fn known(id: &str) -> Result<FindingId, String> {
    FindingId::from_name(id).ok_or_else(|| format!("no such finding: {id}"))
}

/// Whether `word` is true of a finding.
fn holds(finding: &Finding, word: &str) -> Result<bool, String> {
    let subject = &finding.subject;
    let (name, value) = word.split_once('=').ok_or_else(|| format!("{word}: not name=value"))?;
    Ok(match name {
        "pid" => {
            let pids: Vec<_> = subject.processes.iter().map(|process| process.key.pid.to_string()).collect();
            pids.join(",") == value || (value == "none" && pids.is_empty())
        }
        "processes" => subject.processes.len() == parse::<usize>(value)?,
        "peer" => subject.peer.map_or("none".to_owned(), |peer| peer.to_string()) == value,
        "port" => subject.port == Some(parse(value)?),
        "side" => subject.side.map_or("none", twtop::model::Side::name) == value,
        "sure" => finding.confidence.name() == value,
        "since" => (finding.since.since_boot.as_secs_f64() - parse::<f64>(value)?).abs() < 0.5,
        "says" => {
            let words = value.replace('_', " ");
            let says = |text: &str| text.replace('_', " ").contains(&words);
            says(&finding.summary) || finding.advice.iter().any(|advice| says(advice))
        }
        figure => {
            let value: f64 = parse(value)?;
            let close = |found: &Figure| (found.value - value).abs() <= (value.abs() * 0.05).max(0.05);
            finding.evidence.iter().any(|found| found.name == figure && close(found))
        }
    })
}

/// A finding in one line.
fn line(finding: &Finding) -> String {
    let figures: Vec<String> =
        finding.evidence.iter().map(|figure| format!("{}={}", figure.name, figure.value)).collect();
    format!("{} {} [{}] {}", finding.id, finding.severity.name(), finding.summary, figures.join(" "))
}
