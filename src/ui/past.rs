//! The last 15 minutes as they were on screen: the newest looks as they came, those before them with their sockets packed, the
//! oldest without.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::scene::Look;
use crate::{
    findings::Finding,
    model::{Stamp, TcpState},
    store::{Brief, Bundle, Moment, Series, SocketCodec},
};

/// The looks of as many samples as the series have, the newest last.
///
/// Of each the counts are kept. The sockets themselves are kept from the newest look backwards, for as long as they
/// stay within a bound; those of the newest look are there at any rate. Few looks have them as they came
/// ([`Past::FRESH`]); those before are packed, which takes a tenth of the room, and are unpacked when somebody goes there.
/// Both are done within the loop, so looks of more than [`Past::PACKABLE`] are not packed: they stay as they came while there
/// is room.
#[derive(Debug, Clone)]
pub struct Past {
    kept: VecDeque<Kept>,
    codec: Option<SocketCodec>,
    /// How many of the newest still have their sockets.
    whole: usize,
    /// How many of those are as they came, and will be packed.
    fresh: usize,
    /// What those take.
    fresh_bytes: usize,
    /// The most that sockets may take.
    bound: usize,
    /// What the counts and the findings take, and what the sockets do.
    bytes: [usize; 2],
}

/// One look of the past.
#[derive(Debug, Clone)]
struct Kept {
    brief: Brief,
    findings: Box<[Arc<Finding>]>,
    sockets: Sockets,
    /// What the first two take, and what `sockets` take.
    bytes: [usize; 2],
}

/// How a look of the past has its sockets.
#[derive(Debug, Clone)]
enum Sockets {
    /// As it came.
    Whole(Look),
    /// To be unpacked.
    Packed(Arc<Bundle>),
    /// No longer: there was no room.
    Gone,
}

/// What a sample of the past says of one socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// The number of the sample.
    pub number: u64,
    /// When it was taken.
    pub stamp: Stamp,
    /// The state that the socket was in; `None` if it was not there.
    pub state: Option<TcpState>,
}

impl Past {
    /// So many of the newest looks are kept as they came, unless they take more than a quarter of the bound.
    pub const FRESH: usize = 8;

    /// A look that takes more bytes, as one of 180,000 `TIME_WAIT`s does, is not packed: packing as much takes some
    /// milliseconds of the loop's time, and unpacking it as many of a key's.
    pub const PACKABLE: usize = 8 << 20;

    /// So many packed sockets are looked through at once for one of them, some milliseconds' work. One that is not packed
    /// takes an eighth of the time.
    pub const LOOKED_THROUGH: usize = 400_000;

    /// A past of nothing, whose sockets may take about `bound` bytes; what is counted of each sample comes on top.
    #[must_use]
    pub fn new(bound: usize) -> Self {
        Self { kept: VecDeque::new(), codec: None, whole: 0, fresh: 0, fresh_bytes: 0, bound, bytes: [0; 2] }
    }

    /// The same, that packs sockets so; without, it keeps them as they came.
    #[must_use]
    pub fn packed_by(self, codec: SocketCodec) -> Self {
        Self { codec: Some(codec), ..self }
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
        (0..2).for_each(|which| self.bytes[which] += bytes[which]);
        self.kept.push_back(Kept { brief, findings, sockets: Sockets::Whole(look.clone()), bytes });
        self.whole += 1;
        self.fresh += 1;
        self.fresh_bytes += bytes[1];
        while self.fresh > 1 && (self.fresh > Self::FRESH || self.fresh_bytes > self.bound / 4) {
            self.pack_oldest();
        }
        while self.bytes[1] > self.bound && self.whole > 1 {
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

    /// What the samples numbered between `after` and `before` say of the socket with that cookie, oldest first. Those that have
    /// no sockets say nothing, and only so many of the newest are looked through ([`Past::LOOKED_THROUGH`]).
    #[must_use]
    pub fn sightings(&self, cookie: u64, after: Option<u64>, before: u64) -> Vec<Sighting> {
        let mut left = Self::LOOKED_THROUGH;
        let newest_first = self.kept.iter().rev().take(self.whole);
        let asked = newest_first.map(|kept| (kept, kept.brief.number())).filter(|(_, n)| *n < before);
        let sighting = |(kept, number): (&Kept, u64)| {
            let state = match &kept.sockets {
                Sockets::Whole(look) => {
                    left = left.checked_sub(look.moment.sample.sockets.len() / 8)?;
                    state_in(&look.moment, cookie)
                }
                Sockets::Packed(bundle) => {
                    left = left.checked_sub(bundle.sockets())?;
                    bundle.state_of(cookie, self.codec.as_ref()?).ok()?
                }
                Sockets::Gone => return None,
            };
            Some(Sighting { number, stamp: kept.stamp(), state })
        };
        let mut seen: Vec<_> =
            asked.take_while(|(_, number)| Some(*number) > after).map_while(sighting).collect();
        seen.reverse();
        seen
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
        self.bytes.iter().sum()
    }

    /// About how many of them are for sockets.
    #[must_use]
    pub fn socket_bytes(&self) -> usize {
        self.bytes[1]
    }

    fn look(&self, place: usize) -> Option<Look> {
        self.kept.get(place).map(|kept| kept.look(self.codec.as_ref()))
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
            self.bytes[0] -= oldest.bytes[0];
        }
    }

    /// Packs the sockets of the oldest look that has them as it came, or leaves them for as long as there is room.
    fn pack_oldest(&mut self) {
        let place = self.kept.len() - self.fresh;
        self.fresh -= 1;
        self.fresh_bytes -= self.kept[place].bytes[1];
        let before = match place.checked_sub(1).map(|before| &self.kept[before].sockets) {
            Some(Sockets::Packed(bundle)) => Some(Arc::clone(bundle)),
            _ => None,
        };
        let (Some(codec), kept) = (&self.codec, &mut self.kept[place]) else { return };
        let Sockets::Whole(look) = &kept.sockets else { return };
        if kept.bytes[1] > Self::PACKABLE {
            return;
        }
        // The codec refuses only what is larger than that.
        let Ok(bundle) = Bundle::of(&look.moment, before.as_deref(), codec) else { return };
        self.bytes[1] = self.bytes[1] - kept.bytes[1] + bundle.bytes();
        kept.bytes[1] = bundle.bytes();
        kept.sockets = Sockets::Packed(Arc::new(bundle));
    }

    /// Lets go of the sockets of the oldest look that has them.
    fn thin_oldest(&mut self) {
        let place = self.kept.len() - self.whole;
        if self.fresh == self.whole {
            self.fresh -= 1;
            self.fresh_bytes -= self.kept[place].bytes[1];
        }
        self.kept[place].sockets = Sockets::Gone;
        self.bytes[1] -= self.kept[place].bytes[1];
        self.whole -= 1;
    }
}

impl Kept {
    fn stamp(&self) -> Stamp {
        self.brief.stamp()
    }

    fn look(&self, codec: Option<&SocketCodec>) -> Look {
        let moment = match (&self.sockets, codec) {
            (Sockets::Whole(look), _) => return look.clone(),
            (Sockets::Packed(bundle), Some(codec)) => bundle.moment(&self.brief, codec),
            (Sockets::Packed(_), None) | (Sockets::Gone, _) => self.brief.moment(),
        };
        let findings = self.findings.iter().map(|finding| (**finding).clone()).collect();
        Look { moment: Arc::new(moment), findings }
    }
}

fn state_in(moment: &Moment, cookie: u64) -> Option<TcpState> {
    let mut rows = moment.sample.sockets.rows().iter();
    rows.find(|row| row.cookie == cookie).map(|row| row.state)
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
