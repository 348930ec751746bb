//! How small it is: what the screen's past and recordings count on.

use std::net::Ipv4Addr;

use twtop::{
    model::{Endpoint, Family, NewSocket, SocketTable, TcpState, Timer},
    wire::pack::{pack_sockets, unpack_sockets},
};

/// Numbers without a pattern (xorshift).
fn noise(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// `TIME_WAIT`s as a kernel tells of them: cookies handed out in turn by two processors, ports that for each destination are
/// two apart with leaps, times that go on by fits and starts; in the order of a hash.
fn time_waits(count: u64, destinations: u64) -> SocketTable {
    let mut seed = 0x9e37_79b9_7f4a_7c15;
    let (mut at, mut ports) = (0, vec![0; usize::try_from(destinations).expect("few")]);
    let mut sockets: Vec<NewSocket> = (0..count)
        .map(|n| {
            at = (at + noise(&mut seed) % 3 * 4) % 60_000;
            let to = usize::try_from(noise(&mut seed) % destinations).expect("few");
            ports[to] = (ports[to] + 2 * (1 + noise(&mut seed) % 16 / 15 * 3)) % 28_000;
            let peer = Ipv4Addr::from_bits(0xc633_6400 + u32::try_from(to).expect("few"));
            NewSocket {
                cookie: n + n % 2 * 4096,
                family: Family::V4,
                local: Endpoint::new(
                    Ipv4Addr::new(10, 0, 3, 4).into(),
                    32_768 + u16::try_from(ports[to]).expect("a port"),
                ),
                peer: Endpoint::new(peer.into(), 5432),
                state: TcpState::TimeWait,
                timer: Timer::TimeWait,
                retransmits: 0,
                expires_ms: u32::try_from(at).expect("a minute"),
            }
        })
        .collect();
    sockets.sort_by_cached_key(|_| noise(&mut seed));
    let mut table = SocketTable::new();
    for socket in &sockets {
        table.push(socket, None);
    }
    table
}

#[test]
fn time_waits_take_four_bytes_at_most() {
    for (destinations, most) in [(1, 2), (200, 4)] {
        let table = time_waits(50_000, destinations);
        let packed = pack_sockets(&table).expect("small");
        assert!(packed.len() <= most * table.len(), "{destinations} destinations: {} bytes", packed.len());
        assert_eq!(unpack_sockets(&packed).expect("whole").len(), table.len());
    }
}
