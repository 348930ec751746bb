//! What `twtop diagnose` says of a host, held against what is true.

use std::process::Output;

use serde_json::Value;

use super::host::{Host, now};

/// How far a rate may be from the truth.
const TOLERANCE: f64 = 0.05;
/// What a diagnosis looks at, seconds.
const LOOK_S: &str = "10";

/// What the program printed, and how it ended.
#[derive(Debug)]
pub(super) struct Report {
    json: Value,
    code: Option<i32>,
}

impl Host {
    /// Lets the program look at this host for 10 s, as its user would.
    pub(super) fn diagnose(&self) -> Report {
        self.diagnose_with(&["--for", LOOK_S])
    }

    /// The same without the trace.
    pub(super) fn diagnose_untraced(&self) -> Report {
        self.diagnose_with(&["--no-trace", "--for", LOOK_S])
    }

    /// The same by one who is in the PID namespace and has the `/proc` of another: the PIDs of the trace are not those there.
    pub(super) fn diagnose_misplaced(&self) -> Report {
        let words = ["diagnose", "--json", "--for", LOOK_S];
        Report::of(&self.output_inside(env!("CARGO_BIN_EXE_twtop"), &words))
    }

    /// Lets the program look at this host with these options.
    pub(super) fn diagnose_with(&self, options: &[&str]) -> Report {
        let words = [&["diagnose", "--json"], options].concat();
        Report::of(&self.output(env!("CARGO_BIN_EXE_twtop"), &words))
    }

    /// The same, and by how much the counts of the truth grew meanwhile, per second.
    pub(super) fn diagnose_while<const N: usize>(
        &self,
        counts: impl FnMut() -> [u64; N],
    ) -> (Report, [f64; N]) {
        meter(counts, || self.diagnose())
    }
}

/// By how much the counts of the truth grow while somebody looks, per second.
pub(super) fn meter<const N: usize>(
    mut counts: impl FnMut() -> [u64; N],
    look: impl FnOnce() -> Report,
) -> (Report, [f64; N]) {
    let (begin, before) = (now(), counts());
    let report = look();
    let (after, seconds) = (counts(), now().saturating_sub(begin).as_secs_f64());
    let mut rates = [0.0; N];
    for ((rate, before), after) in rates.iter_mut().zip(before).zip(after) {
        *rate = f64::from(u32::try_from(after - before).expect("a small count")) / seconds;
    }
    (report, rates)
}

impl Report {
    fn of(output: &Output) -> Self {
        let errors = String::from_utf8_lossy(&output.stderr);
        let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {errors}"));
        Self { json, code: output.status.code() }
    }

    /// The findings at warning or above are `loud`, each as often as it is listed; others are only of `quiet`.
    pub(super) fn only(&self, loud: &[&str], quiet: &[&str]) {
        self.only_or(loud, &[], quiet);
    }

    /// As [`Self::only`], where `perhaps` may be found too: what depends on who wins a race.
    pub(super) fn only_or(&self, loud: &[&str], perhaps: &[&str], quiet: &[&str]) {
        let mut wanted = loud.to_vec();
        wanted.sort_unstable();
        let is_quiet = |finding: &&Value| finding["severity"] == "info";
        let mut found: Vec<_> = self.findings().filter(|finding| !is_quiet(finding)).map(id).collect();
        found.retain(|id| !perhaps.contains(id));
        found.sort_unstable();
        assert_eq!(found, wanted, "at warning or above\n{self}");
        let more: Vec<_> =
            self.findings().filter(is_quiet).map(id).filter(|id| !quiet.contains(id)).collect();
        assert!(more.is_empty(), "{more:?} should not be there\n{self}");
        assert_eq!(self.code, Some(i32::from(!loud.is_empty())), "the exit code");
    }

    fn findings(&self) -> impl Iterator<Item = &Value> {
        self.json["findings"].as_array().expect("a list").iter()
    }

    /// Everybody who is named in the findings.
    pub(super) fn named(&self) -> Vec<u32> {
        let pids = self.findings().flat_map(|finding| finding["subject"]["pids"].as_array().expect("a list"));
        pids.filter_map(|pid| u32::try_from(pid.as_u64()?).ok()).collect()
    }

    /// The finding of that name about `pids`, any order; there must be one.
    pub(super) fn finding(&self, id: &str, pids: &[u32]) -> Found<'_> {
        let mut wanted = pids.to_vec();
        wanted.sort_unstable();
        let is_of = |finding: &&Value| {
            let of = finding["subject"]["pids"].as_array().expect("a list").iter();
            let mut of: Vec<_> = of.filter_map(|pid| u32::try_from(pid.as_u64()?).ok()).collect();
            of.sort_unstable();
            finding["id"] == id && of == wanted
        };
        let mut fits = self.findings().filter(is_of);
        let found = fits.next().unwrap_or_else(|| panic!("no {id} of {pids:?}\n{self}"));
        assert!(fits.next().is_none(), "two {id} of {pids:?}\n{self}");
        Found { finding: found, report: self }
    }
}

impl Report {
    /// The finding of that name; there must be one, whomever it is about.
    pub(super) fn the_only(&self, name: &str) -> Found<'_> {
        let mut fits = self.findings().filter(|finding| id(finding) == name);
        let finding = fits.next().unwrap_or_else(|| panic!("no {name}\n{self}"));
        assert!(fits.next().is_none(), "two {name}\n{self}");
        Found { finding, report: self }
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for finding in self.findings() {
            let figures = finding["evidence"].as_array().expect("a list").iter();
            let figures: Vec<_> =
                figures.map(|figure| format!("{} {}", figure["name"], figure["value"])).collect();
            writeln!(
                f,
                "{} {} ({}): {}\n    of {}\n    {}",
                finding["severity"],
                finding["id"],
                finding["confidence"],
                finding["summary"],
                finding["subject"],
                figures.join(", ")
            )?;
        }
        write!(f, "coverage {}", self.json["coverage"])
    }
}

fn id(finding: &Value) -> &str {
    finding["id"].as_str().expect("every finding has a name")
}

/// One finding.
#[derive(Debug)]
pub(super) struct Found<'a> {
    finding: &'a Value,
    report: &'a Report,
}

impl Found<'_> {
    /// It is about that service, seen from that side.
    pub(super) fn about(&self, side: &str, peer: Option<&str>, port: u16) -> &Self {
        let subject = &self.finding["subject"];
        let is = (subject["side"].as_str(), subject["peer"].as_str(), subject["port"].as_u64());
        assert_eq!(is, (Some(side), peer, Some(port.into())), "{}", self.report);
        self
    }

    /// A figure of it.
    pub(super) fn figure(&self, name: &str) -> f64 {
        let figures = self.finding["evidence"].as_array().expect("a list");
        let figure = figures.iter().find(|figure| figure["name"] == name);
        let value = figure.and_then(|figure| figure["value"].as_f64());
        value.unwrap_or_else(|| panic!("no figure {name}\n{}", self.report))
    }

    /// A figure of it is that, as exactly as it is printed.
    pub(super) fn is(&self, name: &str, value: f64) -> &Self {
        let found = self.figure(name);
        assert!((found - value).abs() < 1e-6, "{name} is {found}, not {value}\n{}", self.report);
        self
    }

    /// A rate of it is right.
    pub(super) fn rate(&self, name: &str, truth: f64) -> &Self {
        let value = self.figure(name);
        let error = (value - truth).abs() / truth;
        assert!(truth > 0.0 && error <= TOLERANCE, "{name} is {value}, in truth {truth}\n{}", self.report);
        self
    }

    /// Its summary has these words.
    pub(super) fn says(&self, words: &str) -> &Self {
        let summary = self.finding["summary"].as_str().expect("a sentence");
        assert!(summary.contains(words), "nothing of {words:?}: {summary}");
        self
    }

    /// Some of its advice has these words.
    pub(super) fn advises(&self, words: &str) -> &Self {
        let mut advice = self.finding["advice"].as_array().expect("a list").iter().filter_map(Value::as_str);
        let advice_is = &self.finding["advice"];
        assert!(advice.any(|line| line.contains(words)), "nothing of {words:?}: {advice_is}");
        self
    }
}
