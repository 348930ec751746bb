//! What the page of a finding holds on to: what was told of it last, and when it was over.

use super::{
    scene::{Data, Look},
    view::View,
};
use crate::{
    findings::{Finding, Key, Watch},
    model::Stamp,
    query::Query,
};

/// What is known of the finding that a page is about.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Story {
    key: Key,
    /// As it was told at the moment shown, or last before that.
    pub(super) finding: Finding,
    /// As it was told at `held`.
    last: Finding,
    /// The last moment shown at which it held.
    held: Stamp,
    /// The first moment shown after that, at which it no longer held.
    over: Option<Stamp>,
    /// Whether it holds at the moment shown.
    phase: Phase,
}

/// How the moment shown lies to a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It holds.
    Holds,
    /// It has ended.
    Over,
    /// It held later, and did not then.
    NotYet,
}

/// When a finding ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Ended {
    /// At that time.
    At(Stamp),
    /// Some time between those two, while nobody looked.
    Between(Stamp, Stamp),
}

impl Story {
    /// The story of a finding that holds now, or that held at the mark.
    pub(super) fn of(key: &Key, data: &Data<'_>) -> Option<Self> {
        let (now, then) = (data.moment.sample.stamp, data.selection.baseline.as_ref());
        let holds = find(data.findings, key).map(|finding| (finding, now));
        let held = || Some((find(&data.selection.over, key)?, then?.stamp()));
        let (finding, held) = holds.or_else(held)?;
        let (finding, last) = (finding.clone(), finding.clone());
        let mut story = Self { key: key.clone(), finding, last, held, over: None, phase: Phase::Holds };
        story.note(data);
        Some(story)
    }

    /// Whether it has ended.
    pub(super) fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Whether it held at a later moment only: one looks back.
    pub(super) fn is_to_come(&self) -> bool {
        self.phase == Phase::NotYet
    }

    /// Whether it is about sockets, which can be listed.
    pub(super) fn has_sockets(&self) -> bool {
        !self.finding.filter.is_empty()
    }

    fn note(&mut self, data: &Data<'_>) {
        let now = data.moment.sample.stamp;
        match find(data.findings, &self.key) {
            Some(finding) => {
                // What one looks back at does not change what is known of later.
                if now.since_boot >= self.held.since_boot {
                    (self.held, self.over) = (now, None);
                    self.last.clone_from(finding);
                }
                self.finding.clone_from(finding);
                self.phase = Phase::Holds;
            }
            None if now.since_boot >= self.held.since_boot => {
                let over = self.over.get_or_insert(now);
                *over = (*over).min(now);
                self.finding.clone_from(&self.last);
                self.phase = Phase::Over;
            }
            None => self.phase = Phase::NotYet,
        }
    }

    /// When it ended, if it did. `interval_s` is the time between samples.
    pub(super) fn ended(&self, interval_s: f64) -> Option<Ended> {
        let over = self.over.filter(|_| self.is_over())?;
        // A finding is given up after it was not made for so long.
        let [first, last] = [self.held, over].map(|stamp| before(stamp, Watch::DROP_S));
        let in_sight = over.seconds_since(&self.held) < interval_s.max(1.0) * 2.5;
        Some(if in_sight { Ended::At(last) } else { Ended::Between(first, last) })
    }
}

/// Takes note of what is told now of the findings whose pages are open.
pub(super) fn note(view: &mut View, data: &Data<'_>) {
    for story in view.stories_mut() {
        story.note(data);
    }
}

/// The filter in force, narrowed to the sockets behind a finding; `None` if there are no such sockets.
pub(super) fn behind(view: &View, look: &Look, key: &Key) -> Option<Query> {
    let told = find(&look.findings, key).or(view.page().story.as_ref().map(|story| &story.finding))?;
    if told.filter.is_empty() {
        return None;
    }
    let text = match view.filter.text.as_str() {
        "" => told.filter.clone(),
        set => format!("({set}) ({})", told.filter),
    };
    Query::parse(&text).ok()
}

fn find<'a>(findings: &'a [Finding], key: &Key) -> Option<&'a Finding> {
    findings.iter().find(|finding| Key::of(finding) == *key)
}

fn before(stamp: Stamp, seconds: f64) -> Stamp {
    let time = std::time::Duration::from_secs_f64(seconds);
    Stamp {
        since_boot: stamp.since_boot.saturating_sub(time),
        wall: stamp.wall.checked_sub(time).unwrap_or(stamp.wall),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;
    use crate::findings::{Confidence, FindingId, Severity, Subject};

    fn at(second: u64) -> Stamp {
        let wall = Timestamp::from_second(i64::try_from(second).expect("small")).expect("in range");
        Stamp { since_boot: Duration::from_secs(second), wall }
    }

    #[test]
    fn an_end_in_sight_has_a_time_and_one_out_of_sight_an_interval() {
        let finding = Finding {
            id: FindingId::ResetChurn,
            severity: Severity::Info,
            subject: Subject::default(),
            since: at(10),
            summary: String::new(),
            evidence: vec![],
            why: String::new(),
            advice: vec![],
            confidence: Confidence::Likely,
            filter: String::new(),
        };
        let (key, last) = (Key::of(&finding), finding.clone());
        let mut story = Story { key, finding, last, held: at(100), over: None, phase: Phase::Holds };
        assert_eq!(story.ended(1.0), None);
        (story.over, story.phase) = (Some(at(101)), Phase::Over);
        assert_eq!(story.ended(1.0), Some(Ended::At(at(91))));
        story.over = Some(at(160));
        assert_eq!(story.ended(1.0), Some(Ended::Between(at(90), at(150))));
    }
}
