//! The last 15 minutes as they were on screen: the newest looks whole, those before them without their sockets.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::scene::Look;
use crate::{
    findings::Finding,
    model::Stamp,
    store::{Brief, Moment, Series},
};

/// The looks of as many samples as the series have, the newest last.
///
/// Of each the counts are kept. The sockets themselves are kept from the newest look backwards, for as long as all of it
/// stays within a bound; those of the newest look are there at any rate.
#[derive(Debug, Clone)]
pub struct Past {
    kept: VecDeque<Kept>,
    /// How many of the newest still have their sockets.
    whole: usize,
    bound: usize,
    bytes: usize,
}

/// One look of the past.
#[derive(Debug, Clone)]
struct Kept {
    brief: Brief,
    findings: Box<[Arc<Finding>]>,
    /// With its sockets, while there is room.
    look: Option<Look>,
    /// What the first two take, and what `look` takes.
    bytes: [usize; 2],
}

impl Past {
    /// A past of nothing, that may take `bound` bytes: about that, and more where the counts alone take more.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self { kept: VecDeque::new(), whole: 0, bound, bytes: 0 }
    }

    /// Adds the newest look.
    pub fn push(&mut self, look: &Look) {
        if self.kept.len() == Series::CAPACITY {
            self.forget_oldest();
        }
        let before = self.kept.back();
        let brief = Brief::of(&look.moment, before.map(|kept| &kept.brief));
        let findings = shared(&look.findings, before.map_or(&[][..], |kept| &kept.findings));
        let told = findings.iter().filter(|finding| Arc::strong_count(finding) == 1);
        let bytes =
            [brief.bytes() + told.map(|finding| finding_bytes(finding)).sum::<usize>(), look.moment.bytes()];
        self.bytes += bytes.iter().sum::<usize>();
        self.kept.push_back(Kept { brief, findings, look: Some(look.clone()), bytes });
        self.whole += 1;
        while self.bytes > self.bound && self.whole > 1 {
            self.thin_oldest();
        }
    }

    /// The look just before the one of `stamp`.
    #[must_use]
    pub fn before(&self, stamp: &Stamp) -> Option<Look> {
        let place = self.place(stamp.since_boot).checked_sub(1)?;
        self.look(place)
    }

    /// The look just after the one of `stamp`.
    #[must_use]
    pub fn after(&self, stamp: &Stamp) -> Option<Look> {
        let place = self.place(stamp.since_boot);
        let is_it = self.since_boot(place) == Some(stamp.since_boot);
        self.look(place + usize::from(is_it))
    }

    /// The last look that was taken by `time` since boot, or else the oldest.
    #[must_use]
    pub fn by(&self, time: Duration) -> Option<Look> {
        let place = self.place(time);
        let is_it = self.since_boot(place) == Some(time);
        self.look(if is_it { place } else { place.saturating_sub(1) })
    }

    /// The first look that was taken at `time` since boot or later.
    #[must_use]
    pub fn from(&self, time: Duration) -> Option<Look> {
        self.look(self.place(time))
    }

    /// The stamp of the oldest look.
    #[must_use]
    pub fn oldest(&self) -> Option<Stamp> {
        self.kept.front().map(Kept::stamp)
    }

    /// The stamp of the oldest look that has its sockets.
    #[must_use]
    pub fn sockets_since(&self) -> Option<Stamp> {
        self.kept.get(self.kept.len() - self.whole).map(Kept::stamp)
    }

    /// The moments that have their sockets, oldest first.
    pub fn whole(&self) -> impl Iterator<Item = &Moment> {
        self.kept.iter().filter_map(|kept| kept.look.as_ref()).map(|look| &*look.moment)
    }

    /// How many looks there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// About how many bytes it takes by itself.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn look(&self, place: usize) -> Option<Look> {
        self.kept.get(place).map(Kept::look)
    }

    /// Where the look of `time` since boot is, or would be.
    fn place(&self, time: Duration) -> usize {
        self.kept.partition_point(|kept| kept.stamp().since_boot < time)
    }

    fn since_boot(&self, place: usize) -> Option<Duration> {
        self.kept.get(place).map(|kept| kept.stamp().since_boot)
    }

    fn forget_oldest(&mut self) {
        if self.whole == self.kept.len() {
            self.thin_oldest();
        }
        if let Some(oldest) = self.kept.pop_front() {
            self.bytes -= oldest.bytes[0];
        }
    }

    /// Lets go of the sockets of the oldest look that has them.
    fn thin_oldest(&mut self) {
        let place = self.kept.len() - self.whole;
        if let Some(kept) = self.kept.get_mut(place) {
            kept.look = None;
            self.bytes -= kept.bytes[1];
            self.whole -= 1;
        }
    }
}

impl Kept {
    fn stamp(&self) -> Stamp {
        self.brief.stamp()
    }

    fn look(&self) -> Look {
        self.look.clone().unwrap_or_else(|| Look {
            moment: Arc::new(self.brief.moment()),
            findings: self.findings.iter().map(|finding| (**finding).clone()).collect(),
        })
    }
}

/// The findings, each shared with `before` where it is the same there.
fn shared(findings: &[Finding], before: &[Arc<Finding>]) -> Box<[Arc<Finding>]> {
    let known = |finding: &Finding| before.iter().find(|known| ***known == *finding).map(Arc::clone);
    findings.iter().map(|finding| known(finding).unwrap_or_else(|| Arc::new(finding.clone()))).collect()
}

fn finding_bytes(finding: &Finding) -> usize {
    let texts = [&finding.summary, &finding.why, &finding.filter].map(String::len);
    let advice = finding.advice.iter().map(|text| size_of::<String>() + text.len()).sum::<usize>();
    let figures = size_of_val(&*finding.evidence);
    let processes = finding.subject.processes.len() * size_of::<usize>();
    size_of::<Finding>() + texts.iter().sum::<usize>() + advice + figures + processes
}
