//! The counting behind [`Aggregate`]: one walk over the sockets, with small keys and no allocation per
//! socket, then one over the groups.

use std::{cmp::Reverse, collections::BTreeMap, net::IpAddr, sync::Arc};

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashSet};

use super::{
    Aggregate, DestinationRow, Link, Moment, Owned, PeerKey, PeerRow, PortRange, ProcessRow, TraceWindow,
    groups::Groups, ports::PortSet,
};
use crate::model::{Evidence, Family, ProcKey, Side, SocketRef, StateCounts, TcpState};

/// Counts being taken.
pub(super) struct Tally<'a> {
    moment: &'a Moment,
    /// By attribution: everything about processes follows from these at the end.
    by_attribution: Vec<Counts>,
    ages: Vec<u32>,
    /// Ports that a socket uses.
    used: PortSet,
    /// Ports that the kernel may pick.
    usable: PortSet,
    range_known: bool,
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

#[derive(Debug, Clone, Copy, Default)]
struct DestinationCounts {
    taken: u32,
    time_wait: u32,
    opened: u32,
}

const NO_PEER: u32 = u32::MAX;
/// Marks a row of the ended sockets among [`super::groups::Members::first`].
const ENDED: u32 = 1 << 31;
const IS_V6: u64 = 1 << 1;
const IS_SERVER: u64 = 1;

impl<'a> Tally<'a> {
    pub(super) fn new(moment: &'a Moment) -> Self {
        let range = PortRange::from_sysctls(&moment.sample.sysctls);
        Self {
            moment,
            by_attribution: vec![Counts::default(); moment.attributions.len()],
            ages: vec![0; Aggregate::AGES],
            used: PortSet::default(),
            usable: range.as_ref().map_or_else(PortSet::full, PortRange::to_set),
            range_known: range.is_some(),
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
        self.used.insert(row.local_port);
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
                self.destination_counts.push(DestinationCounts::default());
            }
            let counts = &mut self.destination_counts[destination];
            let takes = u32::from(self.usable.contains(row.local_port));
            counts.taken += takes;
            counts.time_wait += takes * u32::from(row.state == TcpState::TimeWait);
            counts.opened += u32::from(link.opened());
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
        let peer = self.peers.add(peer_key(owned.socket, remote, side), ENDED | index);
        self.peer_of.push(peer);
    }

    /// The number of an IPv6 address of a peer, a new one if the sample does not have it.
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
            numbers
        });
        let new = u32::MAX - index32(numbers.len());
        *numbers.entry(ip).or_insert(new)
    }

    pub(super) fn finish(mut self) -> Aggregate {
        self.numbers = None;
        let mut all = Aggregate { ages: std::mem::take(&mut self.ages), ..Aggregate::default() };
        if self.range_known {
            all.ports_in_use = self.used.common(&self.usable);
        }
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
        (all.destinations, all.destinations_omitted) = self.destination_rows();
        (all.peers, all.peers_omitted) = self.peer_rows();
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

    fn destination_rows(&self) -> (Vec<DestinationRow>, u32) {
        let counts = |group: u32| &self.destination_counts[group as usize];
        let kept = self.destinations.heaviest(Aggregate::MAX_ROWS, |group| counts(group).taken);
        let omitted = index32(self.destinations.keys().len() - kept.len());
        let row = |&group: &u32| {
            let first = self.destinations.members()[group as usize].first;
            let socket = self.moment.sample.sockets.get(first as usize).expect("an index of its rows");
            let DestinationCounts { taken, time_wait, opened } = *counts(group);
            DestinationRow { source: socket.local().ip, peer: socket.peer(), taken, time_wait, opened }
        };
        let mut rows: Vec<DestinationRow> = kept.iter().map(row).collect();
        sort_destinations(&mut rows);
        (rows, omitted)
    }

    fn peer_rows(&self) -> (Vec<PeerRow>, u32) {
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
        let present = self.moment.sample.sockets.rows().iter().zip(&self.moment.links);
        let states = present.map(|(row, &link)| (Some(row.state), link));
        let ended = self.moment.ended_links.iter().map(|&link| (None, link));
        for ((state, link), &peer) in states.chain(ended).zip(&self.peer_of) {
            let Some(&at) = place.get(peer as usize).filter(|&&at| at != NO_PEER) else { continue };
            let row = &mut rows[at as usize];
            if let Some(state) = state {
                row.states.add(state);
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

/// Most ports taken first.
pub(super) fn sort_destinations(rows: &mut [DestinationRow]) {
    rows.sort_by_key(|row| (Reverse(row.taken), Reverse(row.opened), row.peer, row.source));
}

fn index32(n: usize) -> u32 {
    u32::try_from(n).expect("fewer than 2^32 sockets")
}
