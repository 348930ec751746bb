//! Records in, events out: joins the states of one socket, and names the tasks.

use std::{collections::HashMap, mem, sync::Arc, time::Duration};

use super::tasks::{Lookup, Tasks};
use crate::{
    model::{Endpoint, Side, TraceEvent, TraceKind, TraceTask, TracedProcess},
    wire::trace_record::StateChange,
};

const ESTABLISHED: u8 = 1;
const SYN_SENT: u8 = 2;
const FIN_WAIT1: u8 = 4;
const CLOSE: u8 = 7;

/// What a record says, its bytes let go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) at: Duration,
    pub(super) cpu: u32,
    pub(super) pid: u32,
    pub(super) tid: u32,
    pub(super) said: Said,
}

/// See [`crate::wire::trace_record::Told`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Said {
    State(StateChange),
    Fork { parent: (u32, u32) },
    Exit,
    Name(Box<[u8]>),
    Netns(u64),
}

/// Turns records into events.
#[derive(Debug, Default)]
pub(super) struct Fold {
    tasks: Tasks,
    sockets: Sockets,
    out: Output,
    doubt: bool,
    /// What happened before is not told.
    since: Duration,
}

/// Events and the processes they refer to, on their way into a batch.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) events: Vec<TraceEvent>,
    pub(super) processes: Vec<Arc<TracedProcess>>,
    /// By the address of the process in memory, which `processes` keeps from being used again.
    index: HashMap<usize, u32>,
}

impl Fold {
    /// Takes in the tasks that exist now.
    pub(super) fn scan(&mut self, lookup: &mut impl Lookup) {
        self.tasks.scan(lookup);
    }

    /// The events from `since` on are told; of what came before the tasks may be unknown.
    pub(super) fn begin(&mut self, since: Duration) {
        self.since = since;
    }

    /// Records follow that were read before now.
    pub(super) fn begin_round(&mut self) {
        self.tasks.begin_round();
    }

    /// No more records of this round.
    pub(super) fn end_round(&mut self, lookup: &mut impl Lookup) {
        self.tasks.end_round(lookup);
    }

    /// Records were lost around those that follow, or no more are. A lost record may have been about any task and
    /// any socket, so what is known of them is forgotten.
    pub(super) fn set_doubt(&mut self, doubt: bool) {
        self.tasks.set_doubt(doubt);
        self.sockets = Sockets::default();
        self.doubt = doubt;
    }

    /// How many events wait to be taken.
    pub(super) fn waiting(&self) -> usize {
        self.out.events.len()
    }

    /// The events since the last call.
    pub(super) fn take(&mut self) -> Output {
        mem::take(&mut self.out)
    }

    /// Folds one record in.
    pub(super) fn push(&mut self, entry: &Entry, lookup: &mut impl Lookup) {
        let (pid, tid) = (entry.pid, entry.tid);
        match &entry.said {
            Said::State(change) if entry.at >= self.since => self.changed(entry, change, lookup),
            Said::State(_) => {}
            Said::Fork { parent } => self.tasks.forked(entry.at, (pid, tid), *parent),
            Said::Exit => self.tasks.ended(entry.at, pid, tid),
            Said::Name(name) => self.tasks.named(entry.at, pid, tid, name),
            Said::Netns(inode) => self.tasks.moved(entry.at, pid, tid, *inode),
        }
    }

    fn changed(&mut self, entry: &Entry, change: &StateChange, lookup: &mut impl Lookup) {
        let (kind, opening) = match (change.old, change.new) {
            (_, SYN_SENT) => {
                // Only `connect()` sends a first SYN, in the caller's context. The port comes later.
                if self.doubt {
                    return;
                }
                let opener = Some(self.who(entry, lookup));
                let opening = Opening { began: entry.at, side: Side::Client, opener, peer: change.peer };
                self.sockets.insert(change.socket, opening);
                return;
            }
            (SYN_SENT, ESTABLISHED) => (TraceKind::Opened, self.sockets.get(change.socket)),
            (SYN_SENT, CLOSE) if change.local.port == 0 => {
                (TraceKind::NoPort, self.sockets.remove(change.socket))
            }
            (SYN_SENT, CLOSE) => (TraceKind::ConnectFailed, self.sockets.remove(change.socket)),
            (_, ESTABLISHED) => {
                let peer = change.peer;
                let opening = Opening { began: entry.at, side: Side::Server, opener: None, peer };
                if !self.doubt {
                    self.sockets.insert(change.socket, opening.clone());
                }
                (TraceKind::Accepted, Some(opening))
            }
            (_, FIN_WAIT1) => {
                // Where accepting is not traced, the memory of a socket that its peer closed may be an accepted one by
                // now: it has another peer.
                let opening = self.sockets.remove(change.socket);
                (TraceKind::Closed, opening.filter(|opening| opening.peer == change.peer))
            }
            _ => return,
        };
        // The handshake ends wherever the last packet is met; only SYN_SENT and FIN_WAIT1 are a task's own doing. Not even
        // FIN_WAIT1 where a shutdown() came before the handshake of a fast open was complete: the packet that completes
        // it sends the FIN (`tcp_rcv_state_process()`, Linux 6.10), whoever runs then.
        let who = match kind {
            TraceKind::Closed if change.in_interrupt => None,
            TraceKind::Closed => Some(self.who(entry, lookup).near(opening.as_ref())),
            TraceKind::Accepted => None,
            _ => opening.as_ref().and_then(|opening| opening.opener.clone()),
        };
        let task = who.map(|who| TraceTask {
            pid: who.pid,
            tid: who.tid,
            process: self.out.refer(who.process),
            netns: who.netns,
        });
        self.out.events.push(TraceEvent {
            at: entry.at,
            cpu: entry.cpu,
            kind,
            family: change.family,
            local: change.local,
            peer: change.peer,
            began: opening.as_ref().map(|opening| opening.began),
            side: opening.map(|opening| opening.side),
            task,
        });
    }

    fn who(&mut self, entry: &Entry, lookup: &mut impl Lookup) -> Who {
        let (pid, tid) = (entry.pid, entry.tid);
        let visible = pid != 0 && pid != u32::MAX;
        Who {
            pid,
            tid,
            process: visible.then(|| self.tasks.identify(pid, entry.at, lookup)).flatten(),
            netns: visible.then(|| self.tasks.netns(pid, tid, lookup)).flatten(),
        }
    }
}

impl Output {
    fn refer(&mut self, process: Option<Arc<TracedProcess>>) -> Option<u32> {
        let process = process?;
        let next = u32::try_from(self.processes.len()).ok()?;
        Some(*self.index.entry(Arc::as_ptr(&process).addr()).or_insert_with(|| {
            self.processes.push(process);
            next
        }))
    }
}

#[derive(Debug, Clone)]
struct Who {
    pid: u32,
    tid: u32,
    process: Option<Arc<TracedProcess>>,
    netns: Option<u64>,
}

impl Who {
    /// The same, told of a socket that began so: where it was opened in another namespace than it is closed in, by a
    /// thread that went there and came back, it is not known which of the two is the socket's.
    fn near(self, opening: Option<&Opening>) -> Self {
        let opened = opening.and_then(|opening| opening.opener.as_ref()?.netns);
        Self { netns: self.netns.filter(|&netns| opened.is_none_or(|opened| opened == netns)), ..self }
    }
}

#[derive(Debug, Clone)]
struct Opening {
    began: Duration,
    side: Side,
    opener: Option<Who>,
    peer: Endpoint,
}

/// How sockets that have not closed began. Those that their peer closes leave no record; so the older half is
/// dropped as a whole when there are many.
#[derive(Debug, Default)]
struct Sockets {
    newer: HashMap<u64, Opening>,
    older: HashMap<u64, Opening>,
}

impl Sockets {
    const HALF: usize = 1 << 16;

    fn insert(&mut self, socket: u64, opening: Opening) {
        self.older.remove(&socket);
        if self.newer.len() >= Self::HALF {
            self.older = mem::take(&mut self.newer);
        }
        self.newer.insert(socket, opening);
    }

    fn get(&self, socket: u64) -> Option<Opening> {
        self.newer.get(&socket).or_else(|| self.older.get(&socket)).cloned()
    }

    fn remove(&mut self, socket: u64) -> Option<Opening> {
        self.newer.remove(&socket).or_else(|| self.older.remove(&socket))
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tasks::{Listed, Seen},
        *,
    };
    use crate::model::Family;

    /// A `/proc` without processes.
    struct Nobody;

    impl Lookup for Nobody {
        fn start(&mut self, _: u32) -> Option<Seen> {
            None
        }

        fn process(&mut self, _: u32) -> Option<Seen> {
            None
        }

        fn netns(&mut self, _: u32, _: u32) -> Option<u64> {
            None
        }

        fn all(&mut self) -> Vec<Listed> {
            Vec::new()
        }
    }

    fn end(host: u8, port: u16) -> Endpoint {
        Endpoint::new([10, 0, 0, host].into(), port)
    }

    fn turn(at: u64, (old, new): (u8, u8), local: Endpoint, peer: Endpoint) -> Entry {
        let change =
            StateChange { socket: 77, old, new, family: Family::V4, local, peer, in_interrupt: false };
        Entry { at: Duration::from_millis(at), cpu: 0, pid: 5, tid: 5, said: Said::State(change) }
    }

    #[test]
    fn the_memory_of_a_socket_that_its_peer_closed_tells_nothing_of_the_next_one_there() {
        let mut fold = Fold::default();
        let (client, server) = (end(1, 40_000), end(2, 80));
        fold.push(&turn(1, (CLOSE, SYN_SENT), end(1, 0), server), &mut Nobody);
        fold.push(&turn(2, (SYN_SENT, ESTABLISHED), client, server), &mut Nobody);
        // The peer closed. An accepted connection has the same memory now, and is closed by us.
        fold.push(&turn(9, (ESTABLISHED, FIN_WAIT1), server, end(1, 50_000)), &mut Nobody);
        let events = fold.take().events;
        let told: Vec<_> = events.iter().map(|event| (event.kind, event.side, event.began)).collect();
        let began = Some(Duration::from_millis(1));
        assert_eq!(told, [(TraceKind::Opened, Some(Side::Client), began), (TraceKind::Closed, None, None)]);
    }

    #[test]
    fn a_socket_opened_in_one_namespace_and_closed_in_another_is_in_none_that_is_known() {
        let moved = |at, netns| Entry { said: Said::Netns(netns), ..turn(at, (0, 0), end(1, 0), end(2, 80)) };
        let (client, server) = (end(1, 40_000), end(2, 80));
        for (closed_in, told) in [(6, Some(6)), (7, None)] {
            let mut fold = Fold::default();
            fold.push(&moved(1, 6), &mut Nobody);
            fold.push(&turn(2, (CLOSE, SYN_SENT), end(1, 0), server), &mut Nobody);
            fold.push(&moved(3, closed_in), &mut Nobody);
            fold.push(&turn(9, (ESTABLISHED, FIN_WAIT1), client, server), &mut Nobody);
            let closed = fold.take().events[0];
            assert_eq!(closed.task.expect("a task closed it").netns, told);
        }
    }

    #[test]
    fn a_fin_that_an_interrupt_sent_is_nobodys() {
        let mut fold = Fold::default();
        let mut closed = turn(9, (ESTABLISHED, FIN_WAIT1), end(2, 80), end(1, 40_000));
        if let Said::State(change) = &mut closed.said {
            change.in_interrupt = true;
        }
        fold.push(&closed, &mut Nobody);
        let event = &fold.take().events[0];
        assert_eq!((event.kind, event.task), (TraceKind::Closed, None));
    }

    #[test]
    fn a_connection_that_we_close_began_when_we_opened_it() {
        let mut fold = Fold::default();
        let (client, server) = (end(1, 40_000), end(2, 80));
        fold.push(&turn(1, (CLOSE, SYN_SENT), end(1, 0), server), &mut Nobody);
        fold.push(&turn(9, (ESTABLISHED, FIN_WAIT1), client, server), &mut Nobody);
        let closed = &fold.take().events[0];
        assert_eq!((closed.side, closed.began), (Some(Side::Client), Some(Duration::from_millis(1))));
    }
}
