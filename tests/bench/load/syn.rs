//! Half-open connections: SYN segments from addresses whose answers vanish (RFC 9293 §3.1, RFC 791 §3.1).

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
};

use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, ipproto};

use crate::sockets::{black_hole_peer, black_hole_target};

/// Sends `count` SYNs to the IPv4 listener at `port`; each leaves one `SYN_RECV`.
pub(crate) fn send(count: u32, port: u16) -> io::Result<()> {
    // IPPROTO_RAW implies that the IP header is ours (raw(7)).
    let fd = rustix::net::socket_with(
        AddressFamily::INET,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(ipproto::RAW),
    )?;
    let target = black_hole_target();
    for n in 0..count {
        let packet = packet(black_hole_peer(n), (target, port));
        rustix::net::sendto(&fd, &packet, SendFlags::empty(), &SocketAddrV4::new(target, 0))?;
    }
    Ok(())
}

/// An IPv4 packet of 40 bytes with a bare SYN. The kernel fills in the IP checksum (raw(7)).
fn packet(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16)) -> [u8; 40] {
    let mut packet = [0_u8; 40];
    let (ip, tcp) = packet.split_at_mut(20);
    ip[0] = 0x45;
    ip[3] = 40;
    ip[8] = 64;
    ip[9] = 6;
    ip[12..16].copy_from_slice(&from.0.octets());
    ip[16..20].copy_from_slice(&to.0.octets());
    tcp[0..2].copy_from_slice(&from.1.to_be_bytes());
    tcp[2..4].copy_from_slice(&to.1.to_be_bytes());
    tcp[7] = 1;
    tcp[12] = 5 << 4;
    tcp[13] = 0x02;
    tcp[14..16].copy_from_slice(&1_024_u16.to_be_bytes());
    let checksum = checksum(from.0, to.0, tcp);
    tcp[16..18].copy_from_slice(&checksum.to_be_bytes());
    packet
}

/// The checksum of a segment with its pseudo-header (RFC 9293 §3.1).
fn checksum(from: Ipv4Addr, to: Ipv4Addr, segment: &[u8]) -> u16 {
    let length = u16::try_from(segment.len()).expect("20 bytes");
    let head = from.octets().into_iter().chain(to.octets()).chain([0, 6]).chain(length.to_be_bytes());
    let bytes: Vec<u8> = head.chain(segment.iter().copied()).collect();
    let mut sum: u32 =
        bytes.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).expect("folded to 16 bits")
}
