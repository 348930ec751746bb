//! The counting behind [`Aggregate`]: one walk over the sockets, with small keys and no allocation per
//! socket, then one over the groups.

use std::{cmp::Reverse, collections::BTreeMap, net::IpAddr, sync::Arc};

use foldhash::fast::{FixedState, RandomState};
use hashbrown::{HashMap, HashSet};

use super::{
    Aggregate, DestinationRow, Link, Moment, Owned, PeerKey, PeerRow, ProcessRow, TraceWindow,
    groups::Groups,
    port_tally::{DestinationCounts, PortTally, WATCHED, Watch},
};
use crate::model::{Endpoint, Evidence, Family, ProcKey, Side, SocketRef, StateCounts, TcpState};

/// Which sockets are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// All: what ports are left follows from them.
    Whole,
    /// Some: what ports are left is known from the whole.
    Part,
}

/// Counts being taken.
pub(super) struct Tally<'a> {
    moment: &'a Moment,
    /// By attribution: everything about processes follows from these at the end.
    by_attribution: Vec<Counts>,
    ages: Vec<u32>,
    scope: Scope,
    ports: PortTally,
    peers: Groups,
    /// The peer of each socket of the sample so far, then of each that ended; [`NO_PEER`] for none.
    peer_of: Vec<u32>,
    destinations: Groups,
    destination_counts: Vec<DestinationCounts>,
    /// What numbers the sample's table would give to IPv6 addresses of the table of ended sockets.
    numbers: Option<HashMap<IpAddr, u32, FixedState>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    states: StateCounts,
    opened: u32,
    closed: u32,
}

impl Counts {
    fn flags(&mut self, link: Link) {
        self.opened += u32::from(link.opened());
        self.closed += u32::from(link.closed());
    }

    fn is_empty(&self) -> bool {
        self.states.total() == 0 && self.opened == 0 && self.closed == 0
    }
}

const NO_PEER: u32 = u32::MAX;
/// Marks a row of the ended sockets among [`super::groups::Members::first`].
const ENDED: u32 = 1 << 31;
const IS_V6: u64 = 1 << 1;
const IS_SERVER: u64 = 1;

impl<'a> Tally<'a> {
    pub(super) fn new(moment: &'a Moment, scope: Scope) -> Self {
        Self {
            moment,
            scope,
            ports: PortTally::new(&moment.sample),
            by_attribution: vec![Counts::default(); moment.attributions.len()],
            ages: vec![0; Aggregate::AGES],
            peers: Groups::default(),
            peer_of: Vec::with_capacity(moment.sample.sockets.len()),
            destinations: Groups::default(),
            destination_counts: Vec::new(),
            numbers: None,
        }
    }

    /// Leaves the next socket out.
    #[inline]
    pub(super) fn skip(&mut self) {
        self.peer_of.push(NO_PEER);
    }

    /// Counts the next socket of the sample.
    #[inline]
    pub(super) fn add(&mut self, owned: &Owned<'_>) {
        let (row, link) = (owned.socket.row(), owned.link);
        let counts = &mut self.by_attribution[link.attribution()];
        counts.states.add(row.state);
        counts.flags(link);
        self.ports.add(row.local_port, link);
        if let Some(age_ms) = row.time_wait_age_ms() {
            self.ages[(age_ms / 1000) as usize] += 1;
        }
        let Some(side) = link.side() else { return self.skip() };
        let index = index32(self.peer_of.len());
        let (local, remote) = owned.socket.address_keys();
        let peer = self.peers.add(peer_key(owned.socket, remote, side), index);
        self.peer_of.push(peer);
        if side == Side::Client {
            // Both addresses are of one family, so the peer's key tells it for the local one.
            let destination = self.destinations.add(u64::from(peer) << 32 | u64::from(local), index) as usize;
            if destination == self.destination_counts.len() {
                self.destination_counts.push(self.ports.destination(owned.socket));
            }
            let counts = &mut self.destination_counts[destination];
            self.ports.take(counts, row, link);
            counts.flags(link);
        }
    }

    /// Counts the next socket that ended, after all that are there.
    pub(super) fn add_ended(&mut self, owned: &Owned<'_>) {
        self.by_attribution[owned.link.attribution()].flags(owned.link);
        let Some(side) = owned.link.side() else { return self.skip() };
        let index = index32(self.peer_of.len() - self.moment.sample.sockets.len());
        let remote = match owned.socket.row().family {
            Family::V4 | Family::Mapped => owned.socket.address_keys().1,
            Family::V6 => self.number(owned.socket.peer().ip),
        };
        let key = peer_key(owned.socket, remote, side);
        let peer = self.peers.add(key, ENDED | index);
        self.peer_of.push(peer);
        if side == Side::Client {
            let local = match owned.socket.row().family {
                Family::V4 | Family::Mapped => owned.socket.address_keys().0,
                Family::V6 => self.number(owned.socket.local().ip),
            };
            if let Some(destination) = self.destinations.get(u64::from(peer) << 32 | u64::from(local)) {
                self.destination_counts[destination as usize].flags(owned.link);
            }
        }
    }

    /// The number of an IPv6 address of a connection, a new one if the sample does not have it.
    fn number(&mut self, ip: IpAddr) -> u32 {
        let numbers = self.numbers.get_or_insert_with(|| {
            let mut numbers = HashMap::default();
            for (&key, members) in self.peers.keys().iter().zip(self.peers.members()) {
                if key & IS_V6 != 0 && members.first & ENDED == 0 {
                    let first = self.moment.sample.sockets.get(members.first as usize);
                    let socket = first.expect("an index of its rows");
                    numbers.insert(socket.peer().ip, socket.address_keys().1);
                }
            }
            for members in self.destinations.members() {
                let first = self.moment.sample.sockets.get(members.first as usize);
                let socket = first.expect("an index of its rows");
                if socket.row().family == Family::V6 {
                    numbers.insert(socket.local().ip, socket.address_keys().0);
                }
            }
            numbers
        });
        let new = u32::MAX - index32(numbers.len());
        *numbers.entry(ip).or_insert(new)
    }

    pub(super) fn finish(mut self) -> Aggregate {
        self.numbers = None;
        let mut all = Aggregate { ages: std::mem::take(&mut self.ages), ..Aggregate::default() };
        all.ports_in_use = self.ports.in_use();
        for (counts, attribution) in self.by_attribution.iter().zip(self.moment.attributions.iter()) {
            for (state, n) in counts.states.iter() {
                all.states[state] += n;
            }
            all.evidence[attribution.evidence as usize] += counts.states.total();
            all.time_wait_evidence[attribution.evidence as usize] += counts.states[TcpState::TimeWait];
            all.opened += counts.opened;
            all.closed += counts.closed;
        }
        all.processes = self.process_rows();
        if self.scope == Scope::Whole {
            self.count_shared();
        }
        let (mut destinations, omitted) = self.destination_rows();
        let mut watch = self.watch(&destinations);
        (all.peers, all.peers_omitted) = self.peer_rows(watch.as_mut());
        if let Some(watch) = watch {
            all.bind_pools = watch.finish(self.moment, destinations.iter_mut().map(|(_, row)| row));
        }
        all.destinations = destinations.into_iter().map(|(_, row)| row).collect();
        all.destinations_omitted = omitted;
        all
    }

    /// What the trace told over the last minute.
    fn window(&self) -> Option<&'a TraceWindow> {
        self.moment.trace.as_ref().map(|traced| &traced.window)
    }

    fn process_rows(&self) -> Vec<ProcessRow> {
        let mut rows: BTreeMap<ProcKey, ProcessRow> = BTreeMap::new();
        for (counts, attribution) in self.by_attribution.iter().zip(self.moment.attributions.iter()) {
            if counts.is_empty() {
                continue;
            }
            for process in &attribution.owners {
                let row = rows.entry(process.key).or_insert_with(|| ProcessRow::new(process));
                row.time_wait_evidence[attribution.evidence as usize] += counts.states[TcpState::TimeWait];
                row.evidence[attribution.evidence as usize] += counts.states.total();
                if attribution.evidence != Evidence::Candidates {
                    counts.states.iter().for_each(|(state, n)| row.states[state] += n);
                    row.opened += counts.opened;
                    row.closed += counts.closed;
                }
            }
        }
        for seen in &self.moment.sample.processes {
            if let Some(row) = rows.get_mut(&seen.process.key) {
                (row.fds, row.fd_limit) = (seen.fds, seen.fd_limit);
            }
        }
        if let Some(window) = self.window() {
            for (key, row) in &mut rows {
                row.lifetimes = window.processes.get(key).cloned();
            }
        }
        let candidates_only = |row: &ProcessRow| {
            let counted = row.states.total() + row.opened + row.closed;
            counted == 0 && row.time_wait_evidence.iter().all(|&n| n == 0)
        };
        let mut rows: Vec<ProcessRow> = rows.into_values().filter(|row| !candidates_only(row)).collect();
        sort_processes(&mut rows);
        rows
    }

    /// The rows in their order, each with the number of its group, and how many more there are.
    fn destination_rows(&self) -> (Vec<(u32, DestinationRow)>, u32) {
        let by_taken = |group: u32| self.destination_counts[group as usize].taken;
        let kept = self.destinations.heaviest(Aggregate::MAX_ROWS, by_taken);
        let omitted = index32(self.destinations.keys().len() - kept.len());
        let ports = self.ports.counted().filter(|_| self.scope == Scope::Whole);
        let row = |&group: &u32| {
            let first = self.destinations.members()[group as usize].first;
            let socket = self.moment.sample.sockets.get(first as usize).expect("an index of its rows");
            let counts = &self.destination_counts[group as usize];
            let ports = ports.as_ref().map(|ports| self.ports.left(ports, counts));
            (group, counts.row(socket, ports))
        };
        let mut rows: Vec<(u32, DestinationRow)> = kept.iter().map(row).collect();
        if self.scope == Scope::Part {
            self.copy_ports(&mut rows);
        }
        rows.sort_by_key(|(_, row)| destination_order(row));
        (rows, omitted)
    }

    /// Corrects the counts for client sockets on ports that nobody else can have: those ports are counted already.
    fn count_shared(&mut self) {
        if !self.ports.are_shared() {
            return;
        }
        let sockets = self.moment.sample.sockets.iter().zip(&self.moment.links).zip(&self.peer_of);
        for ((socket, &link), &peer) in sockets {
            let row = socket.row();
            if link.side() == Some(Side::Client) && self.ports.is_shared(row.local_port, link) {
                let key = u64::from(peer) << 32 | u64::from(socket.address_keys().0);
                let destination = self.destinations.get(key).expect("each was counted");
                self.ports.give_back(&mut self.destination_counts[destination as usize], row, link);
            }
        }
    }

    /// The worst destinations, whose sockets are to be looked at once more for what only these are told.
    fn watch(&self, rows: &[(u32, DestinationRow)]) -> Option<Watch<'_>> {
        if self.scope == Scope::Part {
            return None;
        }
        let first = |&(group, _): &(u32, _)| {
            let first = self.destinations.members()[group as usize].first as usize;
            let socket = self.moment.sample.sockets.get(first).expect("an index of its rows");
            (self.peer_of[first], socket)
        };
        Watch::new(&self.ports, self.peers.keys().len(), rows.iter().take(WATCHED).map(first))
    }

    /// What ports are left does not depend on what is counted here.
    fn copy_ports(&self, rows: &mut [(u32, DestinationRow)]) {
        let whole = &self.moment.totals.destinations;
        let known: HashMap<(IpAddr, Endpoint), &DestinationRow, RandomState> =
            whole.iter().map(|row| ((row.source, row.peer), row)).collect();
        for (_, row) in rows {
            if let Some(known) = known.get(&(row.source, row.peer)) {
                (row.ports, row.forecast) = (known.ports, known.forecast);
            }
        }
    }

    /// The rows, and how many more there are. This is the second walk over the sockets, so `watch` looks at them as well.
    fn peer_rows(&self, mut watch: Option<&mut Watch<'_>>) -> (Vec<PeerRow>, u32) {
        let members = self.peers.members();
        let kept = self.peers.heaviest(Aggregate::MAX_ROWS, |group| members[group as usize].count);
        let omitted = index32(members.len() - kept.len());
        let mut place = vec![NO_PEER; members.len()];
        let mut rows = Vec::with_capacity(kept.len());
        for &group in &kept {
            place[group as usize] = index32(rows.len());
            let mut row = PeerRow::new(self.peer(members[group as usize].first));
            row.lifetimes = self.window().and_then(|window| window.peers.get(&row.key)).cloned();
            rows.push(row);
        }
        let mut owners = Owners::new(rows.len());
        let evidence: Vec<Evidence> = self.moment.attributions.iter().map(|told| told.evidence).collect();
        let present = self.moment.sample.sockets.iter().zip(&self.moment.links);
        let present = present.map(|(socket, &link)| (Some(socket), link));
        let ended = self.moment.ended_links.iter().map(|&link| (None, link));
        for ((socket, link), &peer) in present.chain(ended).zip(&self.peer_of) {
            if let (Some(watch), Some(socket)) = (watch.as_mut(), socket) {
                watch.see(socket, peer);
            }
            let Some(&at) = place.get(peer as usize).filter(|&&at| at != NO_PEER) else { continue };
            let row = &mut rows[at as usize];
            if let Some(socket) = socket {
                row.states.add(socket.row().state);
                row.evidence[evidence[link.attribution()] as usize] += 1;
            }
            row.opened += u32::from(link.opened());
            row.closed += u32::from(link.closed());
            owners.add(at, link);
        }
        owners.write(self.moment, &mut rows);
        sort_peers(&mut rows);
        (rows, omitted)
    }

    /// The peer of a row as [`Groups`] remembers it.
    fn peer(&self, first: u32) -> PeerKey {
        let index = (first & !ENDED) as usize;
        let (socket, link) = if first & ENDED == 0 {
            (self.moment.sample.sockets.get(index), self.moment.links[index])
        } else {
            (self.moment.ended.get(index), self.moment.ended_links[index])
        };
        let socket = socket.expect("an index of its rows");
        let side = link.side().expect("a peer is of a connection");
        let port = service_port(socket, side);
        PeerKey { ip: socket.peer().ip, port, side }
    }
}

/// Which attributions occur with which row of peers.
struct Owners {
    last: Vec<usize>,
    pairs: HashSet<(u32, usize), FixedState>,
}

impl Owners {
    fn new(rows: usize) -> Self {
        Self { last: vec![usize::MAX; rows], pairs: HashSet::default() }
    }

    #[inline]
    fn add(&mut self, row: u32, link: Link) {
        let last = &mut self.last[row as usize];
        if *last != link.attribution() {
            *last = link.attribution();
            self.pairs.insert((row, link.attribution()));
        }
    }

    fn write(self, moment: &Moment, rows: &mut [PeerRow]) {
        for (row, attribution) in self.pairs {
            let attribution = &moment.attributions[attribution];
            let row = &mut rows[row as usize];
            let sure = attribution.evidence != Evidence::Candidates;
            let processes = if sure { &mut row.processes } else { &mut row.candidates };
            processes.extend(attribution.owners.iter().map(Arc::clone));
        }
        rows.iter_mut().for_each(sort_owners);
    }
}

fn service_port(socket: SocketRef<'_>, side: Side) -> u16 {
    match side {
        Side::Client => socket.row().peer_port,
        Side::Server => socket.row().local_port,
    }
}

#[inline]
fn peer_key(socket: SocketRef<'_>, remote: u32, side: Side) -> u64 {
    let is_v6 = if socket.row().family == Family::V6 { IS_V6 } else { 0 };
    let is_server = if side == Side::Server { IS_SERVER } else { 0 };
    u64::from(remote) << 32 | u64::from(service_port(socket, side)) << 16 | is_v6 | is_server
}

/// Each process once, by PID; no candidate that is an owner as well.
pub(super) fn sort_owners(row: &mut PeerRow) {
    for processes in [&mut row.processes, &mut row.candidates] {
        processes.sort_by_key(|process| process.key);
        processes.dedup_by_key(|process| process.key);
    }
    let sure = &row.processes;
    row.candidates.retain(|process| sure.binary_search_by_key(&process.key, |sure| sure.key).is_err());
}

/// Most sockets first, then most traffic of connections.
pub(super) fn sort_processes(rows: &mut [ProcessRow]) {
    rows.sort_by_key(|row| {
        (Reverse(row.states.total()), Reverse(row.closed), Reverse(row.opened), row.process.key)
    });
}

/// Most connections first, then most traffic of connections.
pub(super) fn sort_peers(rows: &mut [PeerRow]) {
    rows.sort_by_key(|row| (Reverse(row.states.total()), Reverse(row.closed), Reverse(row.opened), row.key));
}

/// Those first that can have the fewest ports, then those with most ports taken.
pub(super) fn sort_destinations(rows: &mut [DestinationRow]) {
    rows.sort_by_key(destination_order);
}

fn destination_order(row: &DestinationRow) -> impl Ord + use<> {
    (Reverse(row.blocked()), Reverse(row.taken), Reverse(row.opened), row.peer, row.source)
}

fn index32(n: usize) -> u32 {
    u32::try_from(n).expect("fewer than 2^32 sockets")
}
