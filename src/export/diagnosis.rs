//! Findings as a page for people: the worst first, each with its story.

use std::io::{self, Write};

use super::{Options, text::Page};
use crate::{
    field::format::time,
    findings::{Figure, Finding, Severity},
    model::Stamp,
    store::Observation,
};

/// The width of the labels.
const LABEL: usize = 10;

pub(super) fn write(observation: &Observation, options: &Options<'_>, out: &mut dyn Write) -> io::Result<()> {
    let page = Page { ascii: options.ascii };
    let mut out = io::BufWriter::new(out);
    let sample = &observation.moment.sample;
    let observed = observation.elapsed_s.map_or_else(String::new, |s| format!(", observed for {s:.0} s"));
    let title = format!(
        "{} at {}{observed}: {}",
        sample.host.name,
        time(sample.stamp.wall),
        counted(options.findings)
    );
    page.hanging("", 2, &crate::model::text::printable(&title), &mut out)?;
    for finding in options.findings {
        writeln!(out)?;
        story(finding, sample.stamp, &page, &mut out)?;
    }
    if let Some(worst) = options.findings.first() {
        writeln!(out)?;
        page.hanging("", 2, &format!("More on each: twtop explain {}", worst.id), &mut out)?;
    }
    if !sample.privileges.hint.is_empty() {
        writeln!(out)?;
        page.hanging("", 2, &sample.privileges.hint, &mut out)?;
    }
    if observation.moment.trace.is_none() {
        writeln!(out)?;
        let hint = "Without the trace, who opens and closes short connections is often not known: findings say less then.";
        page.hanging("", 2, hint, &mut out)?;
    }
    out.flush()
}

/// How many findings there are of each severity.
fn counted(findings: &[Finding]) -> String {
    let of = |severity| findings.iter().filter(|finding| finding.severity == severity).count();
    let counts =
        [Severity::Critical, Severity::Warning, Severity::Info].map(|severity| (of(severity), severity));
    let words: Vec<String> = counts
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, severity)| match severity {
            Severity::Info => format!("{count} for information"),
            _ if *count == 1 => format!("1 {}", severity.name()),
            Severity::Warning => format!("{count} warnings"),
            Severity::Critical => format!("{count} critical"),
        })
        .collect();
    if words.is_empty() { "nothing found".to_owned() } else { words.join(", ") }
}

fn story(finding: &Finding, now: Stamp, page: &Page, out: &mut impl Write) -> io::Result<()> {
    let head = format!("{} {}: {}", finding.severity.name().to_uppercase(), finding.id, finding.summary);
    page.hanging("", 2, &head, out)?;
    let mut part = |label: &str, text: &str| page.hanging(&format!("  {label:<8}"), LABEL, text, out);
    let ago = now.seconds_since(&finding.since);
    let since = if ago < 1.0 {
        "now".to_owned()
    } else {
        format!("{} or before, {ago:.0} s ago", time(finding.since.wall))
    };
    part("since", &since)?;
    part("sure", finding.confidence.name())?;
    let figures: Vec<String> = finding.evidence.iter().map(figure).collect();
    part("figures", &figures.join(", "))?;
    part("why", &finding.why)?;
    for (n, advice) in (1..).zip(&finding.advice) {
        part(if n == 1 { "do" } else { "" }, &format!("{n}. {advice}"))?;
    }
    if finding.filter.is_empty() {
        Ok(())
    } else {
        // In one line however long it is: it is to be copied.
        writeln!(out, "  {:<8}twtop --filter '{}'", "look", crate::model::text::printable(&finding.filter))
    }
}

fn figure(figure: &Figure) -> String {
    let Figure { name, value, unit } = figure;
    let name = name.strip_suffix("_per_s").unwrap_or(name).replace('_', " ");
    let space = if unit.starts_with(['/', '%']) { "" } else { " " };
    let unit = if *unit == "sockets" { "" } else { unit };
    format!("{name} {value}{space}{unit}").trim_end().to_owned()
}
