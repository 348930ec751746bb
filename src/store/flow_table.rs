//! A moment counted by flow: who, on which side, of which service. What findings are made of.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{Attribution, Moment, Owned, PeerKey, TraceCounts, groups::Groups};
use crate::model::{Endpoint, Family, Held, ProcKey, Process, Side, StateCounts, TcpState, Timer};

/// A service as one end of it sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Service {
    /// Which side is ours.
    pub side: Side,
    /// The service's port, on whichever side it is.
    pub port: u16,
    /// The remote address of a client side. `None` for a server side, where all clients count as one, so that ten
    /// thousand of them make one flow.
    pub ip: Option<IpAddr>,
}

impl Service {
    /// The service of a connection between two ends.
    #[must_use]
    pub fn of(side: Side, local: Endpoint, peer: Endpoint) -> Self {
        match side {
            Side::Client => Self { side, port: peer.port, ip: Some(peer.ip) },
            Side::Server => Self { side, port: local.port, ip: None },
        }
    }

    /// The service that `peer` is one end of.
    #[must_use]
    pub fn of_peer(peer: &PeerKey) -> Self {
        let ip = (peer.side == Side::Client).then_some(peer.ip);
        Self { side: peer.side, port: peer.port, ip }
    }
}

/// Whose connections of which service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// The process that closed the connections where the trace told, else the one that owns them. Several where all
    /// hold them or one of them does; none where nobody is known.
    pub owners: Vec<ProcKey>,
    /// Which service.
    pub service: Service,
}

/// What one moment says of a flow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FlowCounts {
    /// Connections by state.
    pub states: StateCounts,
    /// Of all, those that wait in an accept queue: no process has them yet.
    pub queued: u32,
    /// Connections seen to begin since the moment before.
    pub opened: u32,
    /// Connections seen to close since the moment before.
    pub closed: u32,
    /// Connections that our end closed first since the moment before, as far as samples see it.
    pub entered: u32,
    /// Of `entered`, connections that no sample saw open.
    pub brief: u32,
    /// Connections that were open in the moment before and have gone without a trace.
    pub ended: u32,
    /// `ESTABLISHED`, and nothing sent or received for [`FlowCounts::IDLE_MS`].
    pub idle: u32,
    /// The longest that one of `idle` has been so, milliseconds.
    pub idle_ms: u32,
    /// `ESTABLISHED` between hosts, without any timer, and nothing sent or received for [`FlowCounts::LONG_IDLE_MS`].
    pub unguarded: u32,
    /// The longest that one of `unguarded` has been idle, milliseconds.
    pub unguarded_ms: u32,
    /// `ESTABLISHED` with data unread that came at least [`FlowCounts::UNREAD_MS`] ago.
    pub unread: u32,
    /// The bytes of those.
    pub unread_bytes: u64,
    /// The longest that one of `unread` has had nothing new, milliseconds.
    pub unread_ms: u32,
    /// `CLOSE_WAIT` of a process, and nothing sent or received for [`FlowCounts::CLOSE_WAIT_MS`].
    pub close_wait: u32,
    /// The longest that one of `close_wait` has been quiet, milliseconds.
    pub close_wait_ms: u32,
    /// `FIN_WAIT2` for at least [`FlowCounts::FIN_WAIT2_MS`], as far as can be told.
    pub fin_wait2: u32,
    /// `SYN_SENT` whose SYN had to be repeated.
    pub unanswered: u32,
    /// `FIN_WAIT1`, `CLOSING` or `LAST_ACK` whose FIN had to be repeated, or whose peer takes nothing.
    pub unacknowledged: u32,
    /// `ESTABLISHED` with two or more repetitions outstanding.
    pub retransmitting: u32,
    /// Segments that the connections which are open now have sent again, each since its beginning.
    pub resent: u64,
    /// `ESTABLISHED` with data to send and a peer without room for it.
    pub zero_window: u32,
    /// The bytes that those have to send.
    pub zero_window_bytes: u64,
    /// The age of the oldest `TIME_WAIT`, milliseconds; 60,000 at most.
    pub time_wait_ms: u32,
}

impl FlowCounts {
    /// Idle connections of a pool in use are not idle for so long; those that leak are.
    pub const IDLE_MS: u32 = 3_000;
    /// So long a middlebox may be trusted to remember a connection: shorter than most of them do.
    pub const LONG_IDLE_MS: u32 = 10 * 60_000;
    /// A process that has not read for so long is not about to.
    pub const UNREAD_MS: u32 = 2_000;
    /// So long a process may take to see that the peer has closed.
    pub const CLOSE_WAIT_MS: u32 = 3_000;
    /// So long a peer may take to close its side.
    pub const FIN_WAIT2_MS: u32 = 5_000;

    fn add(&mut self, owned: &Owned<'_>, fin_timeout_ms: u32) {
        let (row, link) = (owned.socket.row(), owned.link);
        self.states.add(row.state);
        self.opened += u32::from(link.opened());
        self.closed += u32::from(link.closed());
        if link.closed() && closed_first(row.state) {
            self.entered += 1;
            self.brief += u32::from(link.opened());
        }
        match row.state {
            TcpState::TimeWait => {
                self.time_wait_ms = self.time_wait_ms.max(row.time_wait_age_ms().unwrap_or(0));
            }
            TcpState::Established | TcpState::CloseWait => self.add_open(owned),
            TcpState::FinWait2 => {
                let quiet = owned.last_sent_ms().min(owned.last_received_ms());
                let age =
                    if row.is_mini() { Some(fin_timeout_ms.saturating_sub(row.expires_ms)) } else { quiet };
                self.fin_wait2 += u32::from(age.is_some_and(|age| age >= Self::FIN_WAIT2_MS));
            }
            TcpState::SynSent => self.unanswered += u32::from(row.retransmits > 0),
            TcpState::FinWait1 | TcpState::Closing | TcpState::LastAck => {
                self.unacknowledged += u32::from(row.retransmits > 0);
            }
            _ => {}
        }
    }

    fn add_open(&mut self, owned: &Owned<'_>) {
        let row = owned.socket.row();
        let Some(detail) = owned.socket.detail() else { return };
        if detail.held == Held::Queue {
            self.queued += 1;
            return;
        }
        let (Some(sent), Some(received)) = (owned.last_sent_ms(), owned.last_received_ms()) else { return };
        let quiet = sent.min(received);
        if row.state == TcpState::CloseWait {
            if quiet >= Self::CLOSE_WAIT_MS {
                self.close_wait += 1;
                self.close_wait_ms = self.close_wait_ms.max(quiet);
            }
            return;
        }
        if quiet >= Self::IDLE_MS {
            self.idle += 1;
            self.idle_ms = self.idle_ms.max(quiet);
        }
        let local = owned.socket.local().ip.is_loopback();
        if quiet >= Self::LONG_IDLE_MS && row.timer == Timer::Off && !local {
            self.unguarded += 1;
            self.unguarded_ms = self.unguarded_ms.max(quiet);
        }
        if detail.recv_q > 0 && received >= Self::UNREAD_MS {
            self.unread += 1;
            self.unread_bytes += u64::from(detail.recv_q);
            self.unread_ms = self.unread_ms.max(received);
        }
        self.retransmitting += u32::from(row.timer == Timer::On && row.retransmits >= 2);
        self.resent += owned.tcp().map_or(0, |tcp| u64::from(tcp.retransmits));
        if row.timer == Timer::Persist {
            self.zero_window += 1;
            self.zero_window_bytes += u64::from(detail.send_q);
        }
    }

    fn add_ended(&mut self, owned: &Owned<'_>) {
        self.closed += u32::from(owned.link.closed());
        self.ended += 1;
    }

    /// Adds what the same moment says of another flow.
    pub fn merge(&mut self, other: &Self) {
        for (state, count) in other.states.iter() {
            self.states[state] += count;
        }
        let sums = [
            (&mut self.queued, other.queued),
            (&mut self.opened, other.opened),
            (&mut self.closed, other.closed),
            (&mut self.entered, other.entered),
            (&mut self.brief, other.brief),
            (&mut self.ended, other.ended),
            (&mut self.idle, other.idle),
            (&mut self.unguarded, other.unguarded),
            (&mut self.unread, other.unread),
            (&mut self.close_wait, other.close_wait),
            (&mut self.fin_wait2, other.fin_wait2),
            (&mut self.unanswered, other.unanswered),
            (&mut self.unacknowledged, other.unacknowledged),
            (&mut self.retransmitting, other.retransmitting),
            (&mut self.zero_window, other.zero_window),
        ];
        for (sum, more) in sums {
            *sum += more;
        }
        self.unread_bytes += other.unread_bytes;
        self.zero_window_bytes += other.zero_window_bytes;
        self.resent += other.resent;
        let longest = [
            (&mut self.idle_ms, other.idle_ms),
            (&mut self.unguarded_ms, other.unguarded_ms),
            (&mut self.unread_ms, other.unread_ms),
            (&mut self.close_wait_ms, other.close_wait_ms),
            (&mut self.time_wait_ms, other.time_wait_ms),
        ];
        for (longest, other) in longest {
            *longest = (*longest).max(other);
        }
    }
}

/// Whether our end closed first to get there.
const fn closed_first(state: TcpState) -> bool {
    matches!(state, TcpState::FinWait1 | TcpState::FinWait2 | TcpState::Closing | TcpState::TimeWait)
}

/// A flow in one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowRow {
    /// Whose, and of which service.
    pub key: FlowKey,
    /// The processes of the key, in its order.
    pub owners: Vec<Arc<Process>>,
    /// What the samples saw.
    pub counts: FlowCounts,
    /// What the trace told since the moment before; nothing without one.
    pub traced: TraceCounts,
}

impl FlowRow {
    fn new(owners: Vec<Arc<Process>>, service: Service) -> Self {
        let key = FlowKey { owners: owners.iter().map(|owner| owner.key).collect(), service };
        Self { key, owners, counts: FlowCounts::default(), traced: TraceCounts::default() }
    }

    /// How much goes on with it.
    #[must_use]
    pub fn weight(&self) -> u64 {
        let FlowCounts { states, opened, closed, .. } = &self.counts;
        let traced = self.traced.opened + self.traced.closed + self.traced.no_port + self.traced.failed;
        u64::from(states.total()) + u64::from(*opened) + u64::from(*closed) + traced
    }
}

/// The flows of one moment with the most in them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FlowTable {
    /// The flows, by key.
    pub rows: Vec<FlowRow>,
    /// How many more there are, with less in them.
    pub omitted: u32,
    /// What the samples saw of those.
    pub rest: FlowCounts,
    /// The sockets of the sample that listen, by index.
    pub listeners: Vec<u32>,
}

const IS_V6: u64 = 1 << 1;
const IS_SERVER: u64 = 1;

impl FlowTable {
    /// At most so many flows are kept of a moment.
    pub const MAX_ROWS: usize = 512;

    /// About how many bytes it takes beside its own.
    pub(super) fn bytes(&self) -> usize {
        let owner = size_of::<ProcKey>() + size_of::<Arc<Process>>();
        let owners = self.rows.iter().map(|row| row.owners.capacity() * owner).sum::<usize>();
        let listeners = self.listeners.capacity() * size_of::<u32>();
        self.rows.capacity() * size_of::<FlowRow>() + owners + listeners
    }

    /// Counts the connections of a moment.
    #[must_use]
    pub fn of(moment: &Moment) -> Self {
        let mut rows: BTreeMap<FlowKey, FlowRow> = BTreeMap::new();
        let mut row = |owners: Vec<Arc<Process>>, service, add: &dyn Fn(&mut FlowRow)| {
            let fresh = FlowRow::new(owners, service);
            add(rows.entry(fresh.key.clone()).or_insert(fresh));
        };
        let mut listeners = Vec::new();
        let present = present(moment, &mut listeners);
        for (attribution, service, counts) in present.into_iter().chain(ended(moment)) {
            let owners = culprits(&moment.attributions[attribution]);
            row(owners, service, &|row| row.counts.merge(&counts));
        }
        let traced = moment.trace.as_ref().map(|traced| &traced.flows);
        for (process, service, counts) in traced.into_iter().flatten() {
            row(process.iter().cloned().collect(), *service, &|row| row.traced.merge(counts));
        }
        Self { listeners, ..Self::cut(rows.into_values().collect()) }
    }

    fn cut(mut rows: Vec<FlowRow>) -> Self {
        let mut table = Self::default();
        if rows.len() > Self::MAX_ROWS {
            rows.sort_by(|a, b| b.weight().cmp(&a.weight()).then_with(|| a.key.cmp(&b.key)));
            for row in rows.drain(Self::MAX_ROWS..) {
                table.rest.merge(&row.counts);
                table.omitted = table.omitted.saturating_add(1);
            }
            rows.sort_by(|a, b| a.key.cmp(&b.key));
        }
        table.rows = rows;
        table
    }
}

/// Whose connections these are: whoever closed them, else whoever owns them.
fn culprits(attribution: &Attribution) -> Vec<Arc<Process>> {
    attribution.closer.as_ref().map_or_else(|| attribution.owners.clone(), |closer| vec![Arc::clone(closer)])
}

/// The connections that are there, by attribution and service, and which sockets are `listeners`. Nothing is allocated per
/// connection.
fn present(moment: &Moment, listeners: &mut Vec<u32>) -> Vec<(usize, Service, FlowCounts)> {
    let (mut services, mut flows) = (Groups::default(), Groups::default());
    let mut counts: Vec<FlowCounts> = Vec::new();
    let fin_timeout_ms = fin_timeout_ms(moment);
    for (index, owned) in (0..).zip(moment.iter()) {
        let row = owned.socket.row();
        let Some(side) = owned.link.side() else {
            if row.state == TcpState::Listen {
                listeners.push(index);
            }
            continue;
        };
        let is_v6 = if row.family == Family::V6 { IS_V6 } else { 0 };
        let service = match side {
            Side::Server => u64::from(row.local_port) << 16 | IS_SERVER,
            Side::Client => {
                u64::from(owned.socket.address_keys().1) << 32 | u64::from(row.peer_port) << 16 | is_v6
            }
        };
        let service = services.add(service, index);
        let attribution = u64::try_from(owned.link.attribution()).unwrap_or(u64::MAX);
        let flow = flows.add(attribution << 32 | u64::from(service), index) as usize;
        if flow == counts.len() {
            counts.push(FlowCounts::default());
        }
        counts[flow].add(&owned, fin_timeout_ms);
    }
    let service = |first: u32| {
        let owned = moment.get(first as usize).expect("an index of its rows");
        let side = owned.link.side().expect("a flow is of connections");
        (owned.link.attribution(), Service::of(side, owned.socket.local(), owned.socket.peer()))
    };
    let with_key = |(members, counts): (&super::groups::Members, FlowCounts)| {
        let (attribution, service) = service(members.first);
        (attribution, service, counts)
    };
    flows.members().iter().zip(counts).map(with_key).collect()
}

/// The connections that have gone, by attribution and service.
fn ended(moment: &Moment) -> Vec<(usize, Service, FlowCounts)> {
    let mut flows: HashMap<(usize, Service), FlowCounts, FixedState> = HashMap::default();
    for owned in moment.iter_ended() {
        let Some(side) = owned.link.side() else { continue };
        let service = Service::of(side, owned.socket.local(), owned.socket.peer());
        flows.entry((owned.link.attribution(), service)).or_default().add_ended(&owned);
    }
    flows.into_iter().map(|((attribution, service), counts)| (attribution, service, counts)).collect()
}

/// How long the `FIN_WAIT2` of a closed descriptor lasts; the kernel's default where it is not known.
fn fin_timeout_ms(moment: &Moment) -> u32 {
    let set = moment.sample.sysctls.get("net.ipv4.tcp_fin_timeout").and_then(|value| value.parse().ok());
    u32::saturating_mul(set.unwrap_or(60), 1000)
}
