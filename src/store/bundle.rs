//! A moment with its sockets, in little room: what is kept of the past for as long as there is room for sockets.

use std::{cell::OnceCell, hash::Hash, sync::Arc};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{
    Aggregate, Attribution, Brief, ConnectFailure, DestinationRow, FlowTable, Link, Moment, PeerRow,
    ProcessRow, TraceActivity, TraceCounts, TraceWindow, Traced,
};
use crate::model::{Fault, FaultKind, ProcKey, Process, ProcessSeen, SocketTable, TcpState};

/// A table of sockets with a number for each, in the same order.
pub type Numbered = (SocketTable, Vec<u32>);

/// How sockets are packed; the wiring says how. An error is told in words.
#[derive(Debug, Clone, Copy)]
pub struct SocketCodec {
    /// Packs a table with a number for each of its sockets.
    pub pack: fn(&SocketTable, &[u32]) -> Result<Vec<u8>, String>,
    /// Unpacks them. The order may be another one, the same for both.
    pub unpack: fn(&[u8]) -> Result<Numbered, String>,
    /// The state of the socket with a cookie, without unpacking the others.
    pub state_in: fn(&[u8], u64) -> Result<Option<TcpState>, String>,
}

/// What a [`Brief`] does not keep of a moment, so that both together are the whole of it: its sockets, packed, and the rows of
/// its totals for which the brief has no room.
///
/// The whole but for what only findings are made of, which were made when the moment came: flows, but for who listens,
/// the trace's counts by peer and flow, and how long the connections of those lived who have no row. Sockets lie
/// in another order.
///
/// What did not change since the bundle before is shared with it.
#[derive(Debug)]
pub struct Bundle {
    present: Box<[u8]>,
    /// The connections that ended; nothing if there are none.
    ended: Box<[u8]>,
    /// How many sockets are present.
    sockets: usize,
    attributions: Box<[Arc<Attribution>]>,
    seen: Box<[Arc<ProcessSeen>]>,
    holders: Arc<[Box<[u32]>]>,
    processes: Box<[Arc<ProcessRow>]>,
    peers: Box<[Arc<PeerRow>]>,
    destinations: Box<[Arc<DestinationRow>]>,
    peers_omitted: u32,
    destinations_omitted: u32,
    told: Option<Told>,
    bytes: usize,
}

/// What the trace told.
#[derive(Debug)]
struct Told {
    /// What opened, closed and failed, if the trace covers all of that.
    total: Option<Counts>,
    processes: Box<[(Arc<Process>, Counts)]>,
    failures: Box<[ConnectFailure]>,
    /// The last minute, where more calls failed than a brief keeps.
    window: Option<TraceWindow>,
}

/// Counts of the trace without lifetimes: opened, closed, failed for want of a port, failed otherwise.
type Counts = [u64; 4];

/// Sockets with their links.
type Linked = (SocketTable, Vec<Link>);

impl Bundle {
    /// The bundle of a moment that has its sockets; `before` is the one of a moment shortly before.
    ///
    /// # Errors
    /// If its sockets cannot be packed.
    pub fn of(moment: &Moment, before: Option<&Self>, codec: &SocketCodec) -> Result<Self, String> {
        let Moment { sample, totals, .. } = moment;
        let pack = |table: &SocketTable, links: &[Link]| {
            let numbers: Vec<u32> = links.iter().map(|link| link.number()).collect();
            (codec.pack)(table, &numbers).map(Vec::into_boxed_slice)
        };
        let ended = &moment.ended;
        let holders = before.map(|before| &before.holders).filter(|known| known[..] == sample.holders[..]);
        let mut bundle = Self {
            present: pack(&sample.sockets, &moment.links)?,
            ended: if ended.is_empty() { Box::default() } else { pack(ended, &moment.ended_links)? },
            sockets: sample.sockets.len(),
            attributions: shared(&moment.attributions, before.map(|b| &*b.attributions), attribution_key),
            seen: shared(&sample.processes, before.map(|b| &*b.seen), |seen| seen.process.key),
            holders: holders.map_or_else(|| sample.holders.clone().into(), Arc::clone),
            processes: shared(
                rest(&totals.processes, Brief::PROCESSES),
                before.map(|b| &*b.processes),
                |row| row.process.key,
            ),
            peers: shared(rest(&totals.peers, Brief::PEERS), before.map(|b| &*b.peers), |row| row.key),
            destinations: shared(
                rest(&totals.destinations, Brief::DESTINATIONS),
                before.map(|b| &*b.destinations),
                |row| (row.source, row.peer),
            ),
            peers_omitted: totals.peers_omitted,
            destinations_omitted: totals.destinations_omitted,
            told: moment.trace.as_deref().map(Told::of),
            bytes: 0,
        };
        bundle.bytes = bundle.count_bytes();
        Ok(bundle)
    }

    /// The whole moment; `brief` is its brief. If the sockets cannot be unpacked, that of the brief, with a fault.
    #[must_use]
    pub fn moment(&self, brief: &Brief, codec: &SocketCodec) -> Moment {
        let mut moment = brief.moment();
        match self.unpack(codec) {
            Ok((present, ended)) => self.complete(&mut moment, present, ended),
            Err(why) => moment.sample.faults.push(Fault {
                place: "the past".to_owned(),
                kind: FaultKind::Unreadable(why),
                count: 1,
            }),
        }
        moment
    }

    /// The state that the socket with that cookie was in, `None` if there was none. Much less work than [`Self::moment`].
    ///
    /// # Errors
    /// If that cannot be told.
    pub fn state_of(&self, cookie: u64, codec: &SocketCodec) -> Result<Option<TcpState>, String> {
        (codec.state_in)(&self.present, cookie)
    }

    /// How many sockets there are.
    #[must_use]
    pub fn sockets(&self) -> usize {
        self.sockets
    }

    /// About how many bytes it takes, what it shares with the bundle before left out.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn unpack(&self, codec: &SocketCodec) -> Result<(Linked, Linked), String> {
        let unpack = |blob: &[u8]| {
            if blob.is_empty() {
                return Ok(Linked::default());
            }
            let (table, numbers) = (codec.unpack)(blob)?;
            let links: Vec<Link> = numbers.into_iter().map(Link::from_number).collect();
            let is_link = |link: &Link| link.attribution() < self.attributions.len();
            if links.len() != table.len() || !links.iter().all(is_link) {
                return Err("links to nothing".to_owned());
            }
            Ok((table, links))
        };
        Ok((unpack(&self.present)?, unpack(&self.ended)?))
    }

    fn complete(&self, moment: &mut Moment, present: Linked, ended: Linked) {
        (moment.sample.sockets, moment.links) = present;
        (moment.ended, moment.ended_links) = ended;
        moment.attributions = Arc::new(unshared(&self.attributions).collect());
        moment.sample.processes = unshared(&self.seen).collect();
        moment.sample.holders = self.holders.to_vec();
        let Aggregate { processes, peers, destinations, .. } = &mut moment.totals;
        processes.extend(unshared(&self.processes));
        peers.extend(unshared(&self.peers));
        destinations.extend(unshared(&self.destinations));
        moment.totals.peers_omitted = self.peers_omitted;
        moment.totals.destinations_omitted = self.destinations_omitted;
        moment.flows = FlowTable { listeners: listeners(moment), ..FlowTable::default() };
        moment.digest = None;
        if let (Some(told), Some(traced)) = (&self.told, &moment.trace) {
            moment.trace = Some(Arc::new(told.traced(traced, &moment.totals)));
        }
    }

    fn count_bytes(&self) -> usize {
        let lifetimes = size_of::<super::Lifetimes>();
        let owners = |known: &Attribution| known.owners.capacity() * size_of::<Arc<Process>>();
        let process = |row: &ProcessRow| row.lifetimes.as_ref().map_or(0, |_| lifetimes);
        let peer = |row: &PeerRow| row.bytes() + row.lifetimes.as_ref().map_or(0, |_| lifetimes);
        let set = |set: &[u32]| size_of::<Box<[u32]>>() + size_of_val(set);
        let holders = if Arc::strong_count(&self.holders) == 1 {
            self.holders.iter().map(|members| set(members)).sum()
        } else {
            0
        };
        size_of::<Self>()
            + self.present.len()
            + self.ended.len()
            + bytes(&self.attributions, owners)
            + bytes(&self.seen, |_| 0)
            + holders
            + bytes(&self.processes, process)
            + bytes(&self.peers, peer)
            + bytes(&self.destinations, |_| 0)
            + self.told.as_ref().map_or(0, Told::bytes)
    }
}

impl Told {
    fn of(traced: &Traced) -> Self {
        let counts = |counts: &TraceCounts| [counts.opened, counts.closed, counts.no_port, counts.failed];
        let window = &traced.window;
        Self {
            total: traced.activity.as_ref().map(|activity| counts(&activity.total)),
            processes: traced.processes.iter().map(|(who, told)| (Arc::clone(who), counts(told))).collect(),
            failures: traced.failures.as_slice().into(),
            window: (window.failures.len() > TraceWindow::THIN).then(|| window.without_lifetimes()),
        }
    }

    /// `thin` is what a brief has of it; lifetimes are those of the rows of `totals`.
    fn traced(&self, thin: &Traced, totals: &Aggregate) -> Traced {
        let counts = |[opened, closed, no_port, failed]: Counts| TraceCounts {
            opened,
            closed,
            no_port,
            failed,
            ..TraceCounts::default()
        };
        let total = self.total.map(counts);
        let mut window = self.window.as_ref().unwrap_or(&thin.window).clone();
        let processes = totals.processes.iter();
        window.processes =
            processes.filter_map(|row| Some((row.process.key, row.lifetimes.clone()?))).collect();
        window.peers =
            totals.peers.iter().filter_map(|row| Some((row.key, row.lifetimes.clone()?))).collect();
        Traced {
            activity: total.map(|total| TraceActivity { total, ..TraceActivity::default() }),
            processes: self.processes.iter().map(|(who, told)| (Arc::clone(who), counts(*told))).collect(),
            failures: self.failures.to_vec(),
            window,
            ..thin.clone()
        }
    }

    fn bytes(&self) -> usize {
        let window = self.window.as_ref().map_or(0, TraceWindow::bytes);
        size_of_val(&*self.processes) + size_of_val(&*self.failures) + window
    }
}

/// The rows for which a brief has no room.
fn rest<R>(rows: &[R], kept: usize) -> &[R] {
    rows.get(kept..).unwrap_or_default()
}

/// Whom an attribution names, and why.
fn attribution_key(known: &Attribution) -> impl Hash + Eq + use<> {
    let key = |process: &Arc<Process>| process.key;
    let owners: Vec<ProcKey> = known.owners.iter().map(key).collect();
    let (opener, closer) = (known.opener.as_ref().map(key), known.closer.as_ref().map(key));
    (known.evidence, known.unknown, owners, opener, closer)
}

/// The sockets that listen.
fn listeners(moment: &Moment) -> Vec<u32> {
    let is_listener =
        |(row, link): (&crate::model::Socket, &Link)| row.state == TcpState::Listen && link.side().is_none();
    let rows = moment.sample.sockets.rows().iter().zip(&moment.links);
    (0..).zip(rows).filter(|(_, row)| is_listener(*row)).map(|(index, _)| index).collect()
}

/// The rows, each shared with `before` where the one with its key is the same there. However many there are, this takes one
/// look at each.
fn shared<R: PartialEq + Clone, K: Hash + Eq>(
    rows: &[R],
    before: Option<&[Arc<R>]>,
    key: impl Fn(&R) -> K,
) -> Box<[Arc<R>]> {
    let before = before.unwrap_or_default();
    let places: OnceCell<HashMap<K, &Arc<R>, FixedState>> = OnceCell::new();
    let by_key = || before.iter().map(|known| (key(known), known)).collect();
    let known = |(place, row): (usize, &R)| {
        // Most rows keep their place.
        let here = before.get(place).filter(|known| ***known == *row);
        here.or_else(|| places.get_or_init(by_key).get(&key(row)).copied().filter(|known| ***known == *row))
    };
    let row = |(place, row)| known((place, row)).map_or_else(|| Arc::new(R::clone(row)), Arc::clone);
    rows.iter().enumerate().map(row).collect()
}

fn unshared<R: Clone>(rows: &[Arc<R>]) -> impl Iterator<Item = R> + '_ {
    rows.iter().map(|row| R::clone(row))
}

/// The bytes of pointers to rows, and of the rows that nobody else has, with those that `more` says beside each.
fn bytes<R>(rows: &[Arc<R>], more: impl Fn(&R) -> usize) -> usize {
    // An Arc has two counts beside what it holds.
    let row = |row: &Arc<R>| size_of::<R>() + 2 * size_of::<usize>() + more(row);
    let alone = rows.iter().filter(|row| Arc::strong_count(row) == 1);
    size_of_val(rows) + alone.map(row).sum::<usize>()
}
