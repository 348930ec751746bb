//! What one process makes.

use serde::{Deserialize, Serialize};

use crate::args::{Args, Closer, Family};

/// The lowest port that listeners get; the kernel's own choice begins above all of them.
pub(crate) const LISTEN_PORTS: u16 = 1_100;
/// Listeners that only help to make connections and are closed again get ports from here.
const HELPER_PORTS: u16 = 2_100;
/// The kernel picks local ports from here to 65,535.
pub(crate) const EPHEMERAL_LOW: u16 = 4_096;
/// Connections towards one destination. Past half the range `connect()` becomes a hundred times slower.
const PER_DESTINATION: u32 = 28_000;

/// One process's share. Counts are of connections where both ends are made, else of sockets.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// Which process, from 0.
    pub(crate) index: u32,
    /// Its listeners, and those that only help.
    pub(crate) listeners: Vec<ListenerPlan>,
    /// Connections to keep open.
    pub(crate) established: u32,
    /// `CLOSE_WAIT`s without the other end.
    pub(crate) close_wait: u32,
    /// Held `FIN_WAIT2`s.
    pub(crate) fin_wait2: u32,
    /// `FIN_WAIT2`s that nobody holds.
    pub(crate) fin_wait2_orphan: u32,
    /// Connections that are never answered.
    pub(crate) syn_sent: u32,
    /// Half-open connections.
    pub(crate) syn_recv: u32,
    /// Bound sockets.
    pub(crate) bound: u32,
    /// `TIME_WAIT`s.
    pub(crate) time_wait: u32,
    /// Destination addresses.
    pub(crate) destinations: u32,
    /// The families in turns.
    pub(crate) families: Vec<Family>,
    /// Who closes first.
    pub(crate) closer: Closer,
    /// How many children inherit the listeners.
    pub(crate) holders: u32,
    /// Connections a second; 0 for a process that does what it is told and then waits.
    pub(crate) rate: u32,
    /// How long each of them stays open, milliseconds.
    pub(crate) hold: u32,
    /// Whether to take a hostile name.
    pub(crate) hostile: bool,
}

/// A listener to open.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ListenerPlan {
    /// Its family.
    pub(crate) family: Family,
    /// Its port, on all addresses.
    pub(crate) port: u16,
    /// Whether it was asked for; otherwise it is closed once the connections are made.
    pub(crate) keep: bool,
}

impl Plan {
    /// The share of process `index`.
    pub(crate) fn of(args: &Args, index: u32) -> Self {
        let share = |n: u32| n / args.processes + u32::from(index < n % args.processes);
        let mut plan = Self {
            index,
            listeners: Vec::new(),
            established: share(args.established / 2),
            close_wait: share(args.close_wait),
            fin_wait2: share(args.fin_wait2),
            fin_wait2_orphan: share(args.fin_wait2_orphan),
            syn_sent: share(args.syn_sent),
            syn_recv: if index == 0 { args.syn_recv } else { 0 },
            bound: share(args.bound),
            time_wait: share(args.time_wait),
            destinations: args.destinations,
            families: args.families.clone(),
            closer: args.closer,
            holders: args.holders,
            rate: 0,
            hold: args.hold,
            hostile: args.hostile,
        };
        let before: u32 = (0..index)
            .map(|i| args.listen / args.processes + u32::from(i < args.listen % args.processes))
            .sum();
        plan.listeners = plan.listeners(before, share(args.listen));
        plan.destinations = plan.destinations.max(plan.connections() / plan.lines() / PER_DESTINATION + 1);
        plan
    }

    /// The process that opens and closes at an even pace.
    pub(crate) fn churn(args: &Args) -> Self {
        let none = Args {
            time_wait: 0,
            established: 0,
            listen: 0,
            close_wait: 0,
            fin_wait2: 0,
            fin_wait2_orphan: 0,
            syn_sent: 0,
            syn_recv: 0,
            bound: 0,
            holders: 0,
            families: args.families.clone(),
            command: Vec::new(),
            ..*args
        };
        Self { rate: args.rate, ..Self::of(&none, args.processes) }
    }

    /// Descriptors that the process needs at most.
    pub(crate) fn descriptors(&self) -> u64 {
        let pairs = u64::from(self.established) + u64::from(self.fin_wait2);
        let singles = self.close_wait + self.fin_wait2_orphan + self.syn_sent + self.bound;
        2 * pairs + u64::from(singles) + self.listeners.len() as u64 + 16
    }

    fn connections(&self) -> u32 {
        self.established + self.close_wait + self.fin_wait2 + self.fin_wait2_orphan + self.time_wait
    }

    fn lines(&self) -> u32 {
        u32::try_from(self.listeners.len()).expect("at most 1,003 listeners")
    }

    fn listeners(&self, before: u32, count: u32) -> Vec<ListenerPlan> {
        let port = |base: u16, n: u32| base + u16::try_from(n).expect("fewer listeners than ports");
        let family = |n: u32| self.families[n as usize % self.families.len()];
        let mut listeners: Vec<_> = (0..count)
            .map(|n| ListenerPlan { family: family(n), port: port(LISTEN_PORTS, before + n), keep: true })
            .collect();
        let families = u32::try_from(self.families.len()).expect("three families");
        let helpers = (count.min(families)..families).map(|n| ListenerPlan {
            family: family(n),
            port: port(HELPER_PORTS, self.index * 3 + n),
            keep: false,
        });
        listeners.extend(helpers);
        listeners
    }
}
