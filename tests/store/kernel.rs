//! A little kernel: connections with a life of their own, looked at now and then. What is true of each is
//! known, so that what the store says can be held against it.

use std::{net::IpAddr, time::Duration};

use proptest::prelude::*;
use twtop::model::{
    Cost, Detail, Endpoint, Family, Held, NewSocket, ProcKey, ProcessSeen, Sample, SocketTable, TcpState,
    Timer,
};

use crate::scenarios::{empty_detail, empty_sample, process};

/// The PIDs there are: 0 to this. The listener is that of PID 0.
pub(crate) const PROCESSES: u32 = 5;
const LISTENING: u16 = 80;
const LIFE_MS: u64 = 60_000;

/// How a connection ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    /// We close and the peer at once.
    TimeWait,
    /// We close, the peer some time later: a full orphan, a mini-socket, a `TIME_WAIT`.
    Slow { orphan_ms: u64, mini_ms: u64 },
    /// The peer closes, we later; nothing stays.
    Passive { close_wait_ms: u64, last_ack_ms: u64 },
    /// A reset: nothing stays.
    Reset,
}

/// One connection, times in milliseconds.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) begun: u64,
    pub(crate) closed: u64,
    pub(crate) end: End,
    pub(crate) holders: Vec<u32>,
    pub(crate) server: bool,
    /// How far off the timer of its `TIME_WAIT` is.
    jitter_ms: u64,
    /// How long the timer has run out before the kernel takes note.
    late_ms: u64,
}

/// One look at it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    pub(crate) after_ms: u64,
    dump_ms: u64,
    /// One in so many sockets is left out, none for 0: the dump broke off.
    pub(crate) broken: usize,
    /// One in so many holders is missed by the scan, none for 0.
    missed: usize,
}

pub(crate) fn life() -> impl Strategy<Value = Life> {
    let slow = (0..3000_u64, 0..5000_u64);
    let passive = (1..9000_u64, 0..3000_u64);
    let end = prop_oneof![
        3 => Just(End::TimeWait),
        1 => slow.prop_map(|(orphan_ms, mini_ms)| End::Slow { orphan_ms, mini_ms }),
        1 => passive.prop_map(|(close_wait_ms, last_ack_ms)| End::Passive { close_wait_ms, last_ack_ms }),
        1 => Just(End::Reset),
    ];
    let length = prop_oneof![1..50_u64, 50..2000_u64, 2000..60_000_u64];
    let holders = prop_oneof![
        4 => (1..PROCESSES).prop_map(|pid| vec![pid]),
        1 => (1..PROCESSES - 1).prop_map(|pid| vec![pid, pid + 1]),
    ];
    // What is accepted stays with the listener's process, or is passed on to be seen with another.
    let server = prop_oneof![Just((true, true)), Just((true, false)), Just((false, false))];
    (0..90_000_u64, length, end, holders, server, 0..7_u64, 0..2050_u64).prop_map(
        |(begun, length, end, holders, (server, kept), jitter_ms, late_ms)| Life {
            begun,
            closed: begun + length,
            end,
            holders: if kept { vec![0] } else { holders },
            server,
            jitter_ms,
            late_ms,
        },
    )
}

pub(crate) fn look(broken: bool) -> impl Strategy<Value = Look> {
    let broken =
        if broken { prop_oneof![3 => Just(0_usize), 1 => 1..5_usize].boxed() } else { Just(0).boxed() };
    (300..3000_u64, 0..250_u64, broken, prop_oneof![Just(0_usize), 2..9_usize])
        .prop_map(|(after_ms, dump_ms, broken, missed)| Look { after_ms, dump_ms, broken, missed })
}

impl Life {
    /// The state at a time, and until when its timer runs; `None` when there is no socket.
    pub(crate) fn state(&self, at: u64) -> Option<(TcpState, u64)> {
        let Some(since) = at.checked_sub(self.closed) else {
            return (at >= self.begun).then_some((TcpState::Established, 0));
        };
        let time_wait = |entered: u64| {
            let due = entered + LIFE_MS;
            (at <= due + self.late_ms).then_some((TcpState::TimeWait, due))
        };
        match self.end {
            End::TimeWait => time_wait(self.closed),
            End::Slow { orphan_ms, .. } if since < orphan_ms => Some((TcpState::FinWait1, 0)),
            End::Slow { orphan_ms, mini_ms } if since < orphan_ms + mini_ms => {
                Some((TcpState::FinWait2, self.closed + orphan_ms + LIFE_MS))
            }
            End::Slow { orphan_ms, mini_ms } => time_wait(self.closed + orphan_ms + mini_ms),
            End::Passive { close_wait_ms, .. } if since < close_wait_ms => Some((TcpState::CloseWait, 0)),
            End::Passive { close_wait_ms, last_ack_ms } => {
                (since < close_wait_ms + last_ack_ms).then_some((TcpState::LastAck, 0))
            }
            End::Reset => None,
        }
    }

    /// When its state changes, but for the end of a `TIME_WAIT`.
    pub(crate) fn changes(&self) -> [u64; 4] {
        let (first, second) = match self.end {
            End::Slow { orphan_ms, mini_ms } => (orphan_ms, mini_ms),
            End::Passive { close_wait_ms, last_ack_ms } => (close_wait_ms, last_ack_ms),
            End::TimeWait | End::Reset => (0, 0),
        };
        [self.begun, self.closed, self.closed + first, self.closed + first + second]
    }

    fn socket(&self, number: u16, state: TcpState, left_ms: u64) -> NewSocket {
        let (ours, theirs) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let (local, peer) = if self.server { (LISTENING, 10_000 + number) } else { (40_000 + number, 443) };
        let is_mini = matches!(state, TcpState::TimeWait | TcpState::FinWait2);
        NewSocket {
            local: Endpoint::new(ours, local),
            peer: Endpoint::new(theirs, peer),
            timer: if is_mini { Timer::TimeWait } else { Timer::Off },
            expires_ms: u32::try_from(left_ms).expect("a minute"),
            ..plain(state, cookie(number), local)
        }
    }
}

/// The cookie of the connection with that number.
pub(crate) fn cookie(number: u16) -> u64 {
    100 + u64::from(number)
}

/// What a dump that ends at `now` finds. Sockets are visited one after the other while it lasts.
pub(crate) fn sample(lives: &[Life], number: u64, now: u64, look: Look) -> Sample {
    let mut sample = empty_sample(number, Duration::from_millis(1_000_000 + now));
    sample.sockets = SocketTable::new();
    sample.complete = look.broken == 0;
    sample.cost = Cost { dump: Duration::from_millis(look.dump_ms), ..Cost::default() };
    let pids = 0..PROCESSES;
    let one = |pid| process(ProcKey { pid, start_ticks: 1 }, "p").into();
    sample.processes = pids.map(|pid| ProcessSeen { process: one(pid), fds: None, fd_limit: None }).collect();
    sample.holders.push(Box::new([0]));
    sample
        .sockets
        .push(&plain(TcpState::Listen, 1, LISTENING), Some(Detail { held: Held::By(0), ..empty_detail() }));
    let all = lives.len().max(1) as u64;
    for (number, life) in (0..).zip(lives) {
        let place = usize::from(number);
        let visited = now.saturating_sub(look.dump_ms * (all - place as u64) / all);
        let Some((state, due)) = life.state(visited) else { continue };
        if look.broken > 0 && place % (look.broken + 1) == 0 {
            continue;
        }
        let left_ms = due.saturating_sub(visited).saturating_sub(life.jitter_ms);
        let socket = life.socket(number, state, left_ms);
        let missed = look.missed > 0 && place % look.missed == 0;
        let held = match state {
            TcpState::TimeWait | TcpState::FinWait2 => None,
            TcpState::Established | TcpState::CloseWait if !missed => {
                sample.holders.push(life.holders.clone().into());
                Some(Held::By(u32::try_from(sample.holders.len() - 1).expect("few")))
            }
            _ => Some(Held::Gone),
        };
        sample.sockets.push(&socket, held.map(|held| Detail { held, ..empty_detail() }));
    }
    sample
}

/// A service that listens for a while: its process begins, listens, accepts and closes at once, and ends.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    /// When its process begins, milliseconds, and how long it takes to listen.
    begun: u64,
    idle: u64,
    ended: u64,
    /// When it closed a connection.
    closes: Vec<u64>,
}

/// Services at one port, one after the other.
pub(crate) fn services() -> impl Strategy<Value = Vec<Service>> {
    let one = (0..20_000_u64, 0..3000_u64, 1..30_000_u64, proptest::collection::vec(0..30_000_u64, 0..8));
    proptest::collection::vec(one, 1..8).prop_map(|parts| {
        let mut now = 0;
        let service = |(pause, idle, length, closes): (u64, u64, u64, Vec<u64>)| {
            let begun = now + pause;
            let ended = begun + idle + length;
            now = ended;
            let closes = closes.into_iter().map(|close| begun + idle + close % length).collect();
            Service { begun, idle, ended, closes }
        };
        parts.into_iter().map(service).collect()
    })
}

impl Service {
    /// Its process. The little kernel's clock began long after boot.
    pub(crate) fn key(&self, number: usize) -> ProcKey {
        let pid = u32::try_from(number).expect("few");
        ProcKey { pid, start_ticks: (1_000_000 + self.begun) / 10 }
    }
}

/// What a dump at `now` finds of services. The upper half of a cookie is the number of the service.
pub(crate) fn served(services: &[Service], number: u64, now: u64) -> Sample {
    let mut sample = empty_sample(number, Duration::from_millis(1_000_000 + now));
    for (number, service) in services.iter().enumerate() {
        let cookie = (number as u64 + 1) << 32;
        if (service.begun + service.idle..service.ended).contains(&now) {
            let process = process(service.key(number), "p").into();
            sample.processes.push(ProcessSeen { process, fds: None, fd_limit: None });
            sample.holders.push(Box::new([0]));
            let detail = Detail { held: Held::By(0), ..empty_detail() };
            sample.sockets.push(&plain(TcpState::Listen, cookie, LISTENING), Some(detail));
        }
        for (n, &close) in
            (1..).zip(&service.closes).filter(|&(_, &close)| (close..close + 62_000).contains(&now))
        {
            let left = (close + LIFE_MS).saturating_sub(now);
            let expires_ms = u32::try_from(left).expect("a minute");
            let socket = NewSocket { expires_ms, ..plain(TcpState::TimeWait, cookie + n, LISTENING) };
            sample.sockets.push(&socket, None);
        }
    }
    sample
}

/// A socket without a life.
pub(crate) fn plain(state: TcpState, cookie: u64, port: u16) -> NewSocket {
    let any = IpAddr::from([0; 4]);
    NewSocket {
        cookie,
        family: Family::V4,
        local: Endpoint::new(any, port),
        peer: Endpoint::new(any, 0),
        state,
        timer: if state == TcpState::TimeWait { Timer::TimeWait } else { Timer::Off },
        retransmits: 0,
        expires_ms: 0,
    }
}
