//! Messages made by hand: all that a kernel sends rarely, and what none should send.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::*;

const SEQUENCE: u32 = 42;

/// A netlink message.
fn message(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
    let header = MessageHeader {
        length: u32::try_from(HEADER_LEN + payload.len()).expect("short").into(),
        kind: kind.into(),
        flags: flags.into(),
        sequence: SEQUENCE.into(),
        port: 0.into(),
    };
    let mut bytes = [header.as_bytes(), payload].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// The payload of an IPv4 socket without attributes. The cookie lies at byte 44, uid at 64, inode at 68.
fn socket(state: u8, cookie: u8) -> Vec<u8> {
    let mut payload = vec![0; size_of::<SocketMessage>()];
    payload[0] = AF_INET;
    payload[1] = state;
    payload[44] = cookie;
    payload
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(ATTRIBUTE_HEADER_LEN + value.len()).expect("short");
    let mut bytes = [&length.to_ne_bytes(), &kind.to_ne_bytes(), value].concat();
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

struct Decoded {
    table: SocketTable,
    tally: Tally,
    progress: Progress,
}

fn decode_as(dump: Dump, bytes: &[u8]) -> Decoded {
    let (mut table, mut seen) = (SocketTable::new(), CookieSet::new());
    let mut decoder = Decoder::new(&mut table, &mut seen, dump, SEQUENCE);
    let progress = decoder.decode(bytes);
    let tally = decoder.tally();
    Decoded { table, tally, progress }
}

fn decode(messages: &[Vec<u8>]) -> Decoded {
    decode_as(Dump::All, &messages.concat())
}

/// The detail of one `ESTABLISHED` socket with these attributes, and what was malformed.
fn detail_of(attributes: &[u8]) -> (Detail, u64) {
    let decoded = decode(&[message(SOCK_DIAG_BY_FAMILY, 0, &[&socket(1, 1), attributes].concat())]);
    let detail = decoded.table.iter().next().and_then(|socket| socket.detail().copied());
    (detail.expect("the socket is kept"), decoded.tally.malformed)
}

#[test]
fn a_dump_ends_with_done() {
    let socket = message(TCPDIAG_GETSOCK, 0, &socket(1, 1));
    for payload in [&[][..], &[0; 4], &5_i32.to_ne_bytes()] {
        let end = message(NLMSG_DONE, 0, payload);
        let decoded = decode(&[socket.clone(), end.clone()]);
        assert_eq!(decoded.progress, Progress::Done);
        assert_eq!(decoded.table.len(), 1);
        assert!(ends(&[socket.clone(), end].concat(), SEQUENCE));
    }
    assert_eq!(decode(std::slice::from_ref(&socket)).progress, Progress::More);
    assert!(!ends(&socket, SEQUENCE));
}

#[test]
fn refusals_carry_their_number() {
    let refused = |kind, payload: &[u8]| decode(&[message(kind, 0, payload)]).progress;
    assert_eq!(refused(NLMSG_ERROR, &(-13_i32).to_ne_bytes()), Progress::Refused(13));
    assert_eq!(refused(NLMSG_DONE, &(-2_i32).to_ne_bytes()), Progress::Refused(2));
    assert_eq!(refused(NLMSG_ERROR, &i32::MIN.to_ne_bytes()), Progress::Refused(i32::MAX));
    assert_eq!(refused(NLMSG_ERROR, &[1, 2]), Progress::Refused(EPROTO));
    assert_eq!(refused(NLMSG_ERROR, &0_i32.to_ne_bytes()), Progress::More, "an acknowledgement");
}

#[test]
fn sockets_before_a_refusal_are_kept() {
    let socket = message(SOCK_DIAG_BY_FAMILY, 0, &socket(1, 1));
    let decoded = decode(&[socket, message(NLMSG_DONE, 0, &(-12_i32).to_ne_bytes())]);
    assert_eq!(decoded.progress, Progress::Refused(12));
    assert_eq!(decoded.table.len(), 1);
}

#[test]
fn an_interrupted_dump_says_so_in_any_message() {
    let socket = socket(1, 1);
    for messages in [
        [message(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP_INTR, &socket), message(NLMSG_DONE, 0, &[0; 4])],
        [message(SOCK_DIAG_BY_FAMILY, 2, &socket), message(NLMSG_DONE, NLM_F_DUMP_INTR, &[0; 4])],
    ] {
        let decoded = decode(&messages);
        assert!(decoded.tally.interrupted);
        assert_eq!((decoded.table.len(), decoded.progress), (1, Progress::Done));
    }
}

#[test]
fn what_is_no_socket_is_passed_over() {
    let wanted = message(SOCK_DIAG_BY_FAMILY, 0, &socket(1, 1));
    let overrun = decode(&[message(NLMSG_NOOP, 0, &[9; 7]), message(NLMSG_OVERRUN, 0, &[]), wanted.clone()]);
    assert_eq!(overrun.table.len(), 1);
    assert_eq!(overrun.tally, Tally { overrun: true, ..Tally::default() });

    let strange = decode(&[message(99, 0, &[9; 7]), wanted]);
    assert_eq!(strange.table.len(), 1);
    assert_eq!(strange.tally.malformed, 1);
}

#[test]
fn answers_to_another_request_change_nothing() {
    let mut others = [
        message(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP_INTR, &socket(1, 1)),
        message(SOCK_DIAG_BY_FAMILY, 0, &[]),
        message(NLMSG_DONE, 0, &[0; 4]),
    ];
    for other in &mut others {
        other[8..12].copy_from_slice(&(SEQUENCE - 1).to_ne_bytes());
    }
    assert!(!ends(&others.concat(), SEQUENCE));
    let decoded = decode(&others);
    assert!(decoded.table.is_empty());
    assert_eq!((decoded.tally, decoded.progress), (Tally::default(), Progress::More));
}

#[test]
fn an_impossible_length_ends_the_datagram() {
    for length in [0, 1, 15, 17 * 1024, u32::MAX] {
        let mut bad = message(SOCK_DIAG_BY_FAMILY, 0, &socket(1, 2));
        bad[..4].copy_from_slice(&length.to_ne_bytes());
        let good = message(SOCK_DIAG_BY_FAMILY, 0, &socket(1, 1));
        let decoded = decode(&[good.clone(), bad, good]);
        assert_eq!(decoded.table.len(), 1, "{length}");
        assert_eq!(decoded.tally, Tally { malformed: 1, ..Tally::default() }, "{length}");
    }
}

#[test]
fn a_socket_that_makes_no_sense_is_skipped_alone() {
    let mut unknown_family = socket(1, 3);
    unknown_family[0] = 1;
    let bad =
        [socket(0, 3), socket(14, 3), socket(255, 3), unknown_family, socket(1, 3)[..71].to_vec(), vec![]];
    for bad in bad {
        let good = |cookie| message(SOCK_DIAG_BY_FAMILY, 0, &socket(1, cookie));
        let decoded = decode(&[good(1), message(SOCK_DIAG_BY_FAMILY, 0, &bad), good(2)]);
        assert_eq!(decoded.table.len(), 2, "{bad:?}");
        assert_eq!(decoded.tally.malformed, 1, "{bad:?}");
    }
}

#[test]
fn close_means_bound_only_if_that_was_asked() {
    let bytes = [7, 10, 2].map(|state| message(SOCK_DIAG_BY_FAMILY, 0, &socket(state, state))).concat();
    let states = |dump| decode_as(dump, &bytes).table.rows().iter().map(|row| row.state).collect::<Vec<_>>();
    assert_eq!(states(Dump::All), [TcpState::Close, TcpState::Listen, TcpState::SynSent]);
    assert_eq!(states(Dump::BoundInactive), [TcpState::BoundInactive, TcpState::Listen, TcpState::SynSent]);
}

#[test]
fn a_cookie_that_comes_again_is_dropped() {
    let mut high = socket(1, 1);
    high[48] = 1;
    let [first, again, other] =
        [socket(1, 1), socket(6, 1), high].map(|payload| message(SOCK_DIAG_BY_FAMILY, 0, &payload));
    let decoded = decode(&[first, again, other]);
    let rows = decoded.table.rows().iter().map(|row| (row.cookie, row.state));
    assert_eq!(rows.collect::<Vec<_>>(), [(1, TcpState::Established), (1 << 32 | 1, TcpState::Established)]);
    assert_eq!(decoded.tally, Tally { duplicates: 1, ..Tally::default() });
}

#[test]
fn attributes_are_read() {
    let attributes = [
        attribute(8, &[3]),
        attribute(INET_DIAG_MARK, &0xbeef_u32.to_ne_bytes()),
        attribute(INET_DIAG_CGROUP_ID | 1 << 15, &77_u64.to_ne_bytes()),
        attribute(INET_DIAG_SKV6ONLY, &[1]),
        attribute(INET_DIAG_INFO, &[0; tcp_info::OLDEST_LEN]),
        attribute(999, &[0; 33]),
    ];
    let (detail, malformed) = detail_of(&attributes.concat());
    assert_eq!((detail.mark, detail.cgroup, detail.v6only), (Some(0xbeef), 77, Some(true)));
    assert!(detail.tcp.is_some());
    assert_eq!(malformed, 0);
}

#[test]
fn an_attribute_too_short_for_its_value_is_skipped_alone() {
    for (kind, value) in [
        (INET_DIAG_MARK, &[1, 2, 3][..]),
        (INET_DIAG_CGROUP_ID, &[0; 7]),
        (INET_DIAG_SKV6ONLY, &[]),
        (INET_DIAG_INFO, &[0; tcp_info::OLDEST_LEN - 1]),
        (INET_DIAG_INFO, &[]),
    ] {
        let last =
            attribute(if kind == INET_DIAG_MARK { INET_DIAG_SKV6ONLY } else { INET_DIAG_MARK }, &[1; 4]);
        let (detail, malformed) = detail_of(&[attribute(kind, value), last].concat());
        assert_eq!(malformed, 1, "{kind}");
        assert!(detail.mark.is_some() || detail.v6only.is_some(), "{kind}");
        assert_eq!((detail.cgroup, detail.tcp), (0, None), "{kind}");
    }
}

#[test]
fn an_attribute_of_an_impossible_length_ends_the_attributes() {
    let mark = attribute(INET_DIAG_MARK, &[1; 4]);
    for length in [0_u16, 1, 3, 200, u16::MAX] {
        let mut bad = attribute(INET_DIAG_CGROUP_ID, &[1; 8]);
        bad[..2].copy_from_slice(&length.to_ne_bytes());
        let (detail, malformed) = detail_of(&[mark.clone(), bad].concat());
        assert_eq!((detail.mark, detail.cgroup, malformed), (Some(0x0101_0101), 0, 1), "{length}");
    }
    let (detail, malformed) = detail_of(&[&mark[..], &[0, 0]].concat());
    assert_eq!((detail.mark, malformed), (Some(0x0101_0101), 1));
}

#[test]
fn who_holds_a_socket_without_a_file() {
    for state in TcpState::ALL {
        let expected = match state {
            TcpState::SynRecv | TcpState::Established | TcpState::CloseWait => Held::Queue,
            _ => Held::Gone,
        };
        assert_eq!(held_before_scan(state, 0), expected, "{}", state.name());
        assert_eq!(held_before_scan(state, 1), Held::Gone, "{}", state.name());
    }
}

#[test]
fn mapped_addresses_are_ipv4() {
    let mapped = Ipv4Addr::LOCALHOST.to_ipv6_mapped();
    let any = Ipv6Addr::UNSPECIFIED;
    let six = Ipv6Addr::LOCALHOST;
    let v4: IpAddr = Ipv4Addr::LOCALHOST.into();
    let any4: IpAddr = Ipv4Addr::UNSPECIFIED.into();
    for (source, peer, expected) in [
        (mapped, mapped, (Family::Mapped, v4, v4)),
        (mapped, any, (Family::Mapped, v4, any4)),
        (any, mapped, (Family::Mapped, any4, v4)),
        (any, any, (Family::V6, any.into(), any.into())),
        (six, any, (Family::V6, six.into(), any.into())),
        (six, mapped, (Family::V6, six.into(), mapped.into())),
    ] {
        assert_eq!(v6_or_mapped(source, peer), expected, "{source} {peer}");
    }
}
