//! Hosts with many sockets, second by second, as a kernel would tell of them: in the order of a hash, with noise.

use std::net::Ipv4Addr;

use twtop::model::{
    Detail, Endpoint, Family, Held, NewSocket, Sample, SocketTable, TcpInfo, TcpState, Timer,
};

use crate::incident::{Incident, stamp};

/// Numbers without a pattern (splitmix64).
fn noise(seed: u64) -> u64 {
    let mut z = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn below(seed: u64, bound: u32) -> u32 {
    u32::try_from(noise(seed) % u64::from(bound)).expect("below the bound")
}

fn port(n: u32) -> u16 {
    u16::try_from(32_768 + n * 2 % 28_000).expect("a port")
}

/// A sample a second of what `sockets` says.
pub(crate) fn samples(
    count: u32,
    sockets: impl Fn(u32) -> Vec<(NewSocket, Option<Detail>)>,
) -> impl Iterator<Item = Sample> {
    let like = Incident::nothing().sample();
    (0..count).map(move |second| {
        let mut rows = sockets(second);
        rows.sort_by_key(|(row, _)| noise(row.cookie));
        let mut table = SocketTable::new();
        for (row, detail) in &rows {
            table.push(row, *detail);
        }
        Sample { sockets: table, stamp: stamp(second), number: second.into(), ..like.clone() }
    })
}

/// So many `TIME_WAIT`s towards so many destinations, a 60th of which is new.
pub(crate) fn time_waits(second: u32, count: u32, destinations: u32) -> Vec<(NewSocket, Option<Detail>)> {
    let rate = count / 60;
    let socket = |age: u32| {
        let n = second * rate + count - age;
        let row = NewSocket {
            cookie: 1_000_000 + u64::from(n),
            family: Family::V4,
            local: Endpoint::new(Ipv4Addr::new(10, 0, 3, 4).into(), port(n)),
            peer: Endpoint::new(
                Ipv4Addr::from_bits(0xc633_6400 + below(n.into(), destinations)).into(),
                5432,
            ),
            state: TcpState::TimeWait,
            timer: Timer::TimeWait,
            retransmits: 0,
            expires_ms: 60_000 - age * 1_000 / rate.max(1) * 59 / 60,
        };
        (row, None)
    };
    (0..count).map(socket).collect()
}

/// So many connections of clients to a service, each of which says something now and then.
pub(crate) fn clients(second: u32, count: u32) -> Vec<(NewSocket, Option<Detail>)> {
    let socket = |n: u32| {
        // A request every few seconds; bytes are those so far.
        let (period, seed) = (2 + below(n.into(), 20), u64::from(n));
        let (ago, requests) = (second % period, u64::from(second / period));
        let row = NewSocket {
            cookie: 10_000 + seed * 3,
            family: Family::V4,
            local: Endpoint::new(Ipv4Addr::new(10, 0, 3, 4).into(), 443),
            peer: Endpoint::new(Ipv4Addr::from_bits(0xcb00_7100 + n).into(), port(below(seed, 14_000))),
            state: TcpState::Established,
            timer: Timer::Keepalive,
            retransmits: 0,
            expires_ms: 7_200_000 - ago * 1_000 - below(seed + 1, 1_000),
        };
        let rtt_us = 20_000 + below(seed, 30_000) + below(seed << 32 | requests, 900);
        let tcp = TcpInfo {
            rtt_us,
            rttvar_us: rtt_us / 9,
            rto_us: 204_000 + rtt_us,
            cwnd: 10 + below(seed, 30),
            last_sent_ms: ago * 1_000 + below(seed + 2, 1_000),
            last_received_ms: ago * 1_000 + below(seed + 3, 1_000),
            bytes_sent: Some(requests * 8_192 + u64::from(below(seed << 32 | requests, 8_192))),
            bytes_received: Some(requests * 612 + u64::from(below(seed, 612))),
            send_window: Some(64_256),
            ..TcpInfo::default()
        };
        let detail = Detail {
            inode: 90_000 + n * 2,
            uid: 33,
            recv_q: 0,
            send_q: 0,
            interface: 0,
            mark: None,
            cgroup: 4_242,
            v6only: None,
            held: Held::By(0),
            tcp: Some(tcp),
        };
        (row, Some(detail))
    };
    (0..count).map(socket).collect()
}

/// 3,000 `TIME_WAIT`s and 300 connections of clients.
pub(crate) fn busy(second: u32) -> Vec<(NewSocket, Option<Detail>)> {
    let mut sockets = time_waits(second, 3_000, 12);
    sockets.extend(clients(second, 300));
    sockets
}
