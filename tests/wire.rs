//! The `wire` tier: bytes that a kernel sent, cut, mutated and read by someone else too.
//!
//! `fixtures/wire/capture.py` made the captures, and the text beside each of them with a decoder of its own.

use std::{
    collections::BTreeSet,
    fmt::Write,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    inet::{self, nlas::Nla},
};
use proptest::prelude::*;
use twtop::{
    model::{Detail, Family, Held, SocketRef, SocketTable, TcpState, Timer},
    wire::{
        cookies::CookieSet,
        inet_diag::{Decoder, Dump, Progress, Tally},
        tcp_info,
    },
};

/// The sequence number that every capture answers.
const SEQUENCE: u32 = 7;
/// The shortest message with a socket: 16 bytes of netlink header and 72 of `inet_diag_msg`.
const SOCKET_LEN: usize = 88;

struct Capture {
    name: &'static str,
    dump: Dump,
    bytes: &'static [u8],
    text: &'static str,
}

macro_rules! capture {
    ($name:literal, $dump:expr) => {
        Capture {
            name: $name,
            dump: $dump,
            bytes: include_bytes!(concat!("fixtures/wire/", $name, ".bin")),
            text: include_str!(concat!("fixtures/wire/", $name, ".txt")),
        }
    };
}

/// Both families by `TCPDIAG_GETSOCK`.
const BOTH: Capture = capture!("both", Dump::All);
/// `AF_INET` by `SOCK_DIAG_BY_FAMILY`.
const V4: Capture = capture!("v4", Dump::All);
/// `AF_INET6` by `SOCK_DIAG_BY_FAMILY`.
const V6: Capture = capture!("v6", Dump::All);
/// Bound-inactive sockets by `TCPDIAG_GETSOCK`.
const BOUND: Capture = capture!("bound", Dump::BoundInactive);

const CAPTURES: [Capture; 4] = [BOTH, V4, V6, BOUND];

fn decode(bytes: &[u8], dump: Dump) -> (SocketTable, Tally, Progress) {
    let (mut table, mut seen) = (SocketTable::new(), CookieSet::new());
    let mut decoder = Decoder::new(&mut table, &mut seen, dump, SEQUENCE);
    let progress = decoder.decode(bytes);
    let tally = decoder.tally();
    (table, tally, progress)
}

/// A socket as `capture.py` writes it.
fn describe(socket: SocketRef<'_>) -> String {
    let row = socket.row();
    let family = match row.family {
        Family::V4 => "v4",
        Family::V6 => "v6",
        Family::Mapped => "mapped",
    };
    let (local, peer) = (socket.local(), socket.peer());
    let mut line = format!(
        "{} {family} {} {} {} {} cookie={} timer={},{},{}",
        row.state.name(),
        local.ip,
        local.port,
        peer.ip,
        peer.port,
        row.cookie,
        row.timer.name(),
        row.expires_ms,
        row.retransmits
    );
    if let Some(detail) = socket.detail() {
        describe_detail(&mut line, detail).expect("a String takes everything");
    }
    line
}

fn describe_detail(line: &mut String, detail: &Detail) -> std::fmt::Result {
    let Detail { inode, uid, recv_q, send_q, interface, mark, cgroup, v6only, held: _, tcp } = detail;
    write!(line, " inode={inode} uid={uid} q={recv_q},{send_q} if={interface}")?;
    if let Some(mark) = mark {
        write!(line, " mark={mark}")?;
    }
    if *cgroup != 0 {
        write!(line, " cgroup={cgroup}")?;
    }
    if let Some(v6only) = v6only {
        write!(line, " v6only={}", u8::from(*v6only))?;
    }
    let Some(tcp) = tcp else { return Ok(()) };
    write!(
        line,
        " tcp:opt={},rto={},unacked={},sent={},received={},rtt={},rttvar={},cwnd={},retrans={},bytes={},{},window={}",
        tcp.options,
        tcp.rto_us,
        tcp.unacked,
        tcp.last_sent_ms,
        tcp.last_received_ms,
        tcp.rtt_us,
        tcp.rttvar_us,
        tcp.cwnd,
        tcp.retransmits,
        tcp.bytes_sent.expect("a new kernel"),
        tcp.bytes_received.expect("a new kernel"),
        tcp.send_window.expect("a new kernel"),
    )
}

#[test]
fn captures_hold_what_their_texts_say() {
    for Capture { name, dump, bytes, text } in CAPTURES {
        let (table, tally, progress) = decode(bytes, dump);
        let lines: Vec<_> = table.iter().map(describe).collect();
        assert_eq!(lines, text.lines().collect::<Vec<_>>(), "{name}");
        assert_eq!(tally, Tally::default(), "{name}");
        assert_eq!(progress, Progress::Done, "{name}");
    }
}

#[test]
fn the_captures_cover_every_state_family_and_timer() {
    let (table, ..) = decode(BOTH.bytes, BOTH.dump);
    let (bound, ..) = decode(BOUND.bytes, BOUND.dump);
    let rows = || table.rows().iter().chain(bound.rows());
    for state in TcpState::ALL {
        // CLOSE lasts for an instant only.
        assert!(state == TcpState::Close || rows().any(|row| row.state == state), "{}", state.name());
    }
    for family in [Family::V4, Family::V6, Family::Mapped] {
        assert!(rows().any(|row| row.family == family && row.state == TcpState::TimeWait), "{family:?}");
    }
    for timer in [Timer::Off, Timer::On, Timer::Keepalive, Timer::TimeWait, Timer::Persist] {
        assert!(rows().any(|row| row.timer == timer), "{timer:?}");
    }
}

#[test]
fn one_pass_holds_the_sockets_of_two() {
    let cookies = |capture: Capture| -> BTreeSet<u64> {
        let (table, ..) = decode(capture.bytes, capture.dump);
        table.rows().iter().map(|row| row.cookie).collect()
    };
    let (v4, v6) = (cookies(V4), cookies(V6));
    assert!(v4.is_disjoint(&v6));
    assert_eq!(cookies(BOTH), &v4 | &v6);
}

#[test]
fn passes_into_one_table_keep_each_socket_once() {
    let (mut table, mut seen) = (SocketTable::new(), CookieSet::new());
    let mut duplicates = 0;
    for Capture { dump, bytes, .. } in [V4, V6, BOTH] {
        let mut decoder = Decoder::new(&mut table, &mut seen, dump, SEQUENCE);
        assert_eq!(decoder.decode(bytes), Progress::Done);
        duplicates += decoder.tally().duplicates;
    }
    assert_eq!(table.len(), BOTH.text.lines().count());
    assert_eq!(duplicates, table.len() as u64);
}

/// A socket without a file waits to be accepted if our side has not begun to close it, and is an orphan otherwise.
#[test]
fn sockets_without_a_file_are_queued_or_orphans() {
    let (table, ..) = decode(BOTH.bytes, BOTH.dump);
    let held_without_inode = |state: TcpState, port: u16| {
        let mut found = table
            .iter()
            .filter(|socket| socket.row().state == state && socket.row().local_port == port)
            .filter_map(|socket| socket.detail())
            .filter(|detail| detail.inode == 0);
        let held = found.next().map(|detail| detail.held);
        assert_eq!(found.next(), None);
        held
    };
    // 4007 is a listener that does not accept, 4008 one that waits for data.
    assert_eq!(held_without_inode(TcpState::Established, 4007), Some(Held::Queue));
    assert_eq!(held_without_inode(TcpState::CloseWait, 4007), Some(Held::Queue));
    assert_eq!(held_without_inode(TcpState::SynRecv, 4008), Some(Held::Queue));
    let orphans = table.iter().filter_map(|socket| Some((socket.row().state, socket.detail()?)));
    let orphans = orphans.filter(|(_, detail)| detail.inode == 0 && detail.held == Held::Gone);
    assert_eq!(
        orphans.map(|(state, _)| state).collect::<BTreeSet<_>>(),
        [TcpState::FinWait1, TcpState::LastAck].into()
    );
}

#[test]
fn a_half_open_socket_is_not_said_to_be_roots() {
    let (table, ..) = decode(BOTH.bytes, BOTH.dump);
    let uid = |state: TcpState| {
        let found = table.iter().find(|socket| socket.row().state == state);
        found.expect("captured").detail().expect("full").known_uid()
    };
    assert_eq!(uid(TcpState::SynRecv), None);
    assert_eq!(uid(TcpState::Listen), Some(0));
    assert!(table.iter().filter_map(|socket| socket.detail()).any(|detail| detail.known_uid() == Some(1000)));
}

#[test]
fn mini_sockets_have_no_detail_and_full_ones_do() {
    let (table, ..) = decode(BOTH.bytes, BOTH.dump);
    for socket in table.iter() {
        assert_eq!(socket.detail().is_none(), socket.row().timer == Timer::TimeWait);
    }
    let fin_wait2 = table.iter().filter(|socket| socket.row().state == TcpState::FinWait2);
    let (mini, full): (Vec<_>, Vec<_>) = fin_wait2.partition(|socket| socket.row().is_mini());
    assert!(!mini.is_empty() && !full.is_empty());
}

/// Where each message of `bytes` begins and ends, padding not included.
fn messages(bytes: &[u8]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut start = 0;
    while let Some(length) = bytes.get(start..).and_then(|rest| rest.first_chunk()) {
        let end = start + u32::from_ne_bytes(*length) as usize;
        found.push((start, end));
        start = end.next_multiple_of(4);
    }
    found
}

#[test]
fn a_capture_cut_anywhere_yields_the_sockets_before_the_cut() {
    for Capture { dump, bytes, text, .. } in CAPTURES {
        let messages = messages(bytes);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(messages.len(), lines.len() + 1, "the last message is the end");
        for cut in 0..bytes.len() {
            let (table, tally, progress) = decode(&bytes[..cut], dump);
            let whole = messages.iter().filter(|(_, end)| *end <= cut).count();
            let is_inside = messages.iter().any(|(start, end)| (start + 1..*end).contains(&cut));
            assert_eq!(table.len(), whole, "cut at {cut}");
            assert_eq!(tally.malformed, u64::from(is_inside), "cut at {cut}");
            assert_eq!(progress, Progress::More, "cut at {cut}");
        }
    }
}

/// What must hold whatever was decoded: bounded counts, and rows that can be read.
fn is_sane(bytes: &[u8], dump: Dump) {
    let (table, tally, _) = decode(bytes, dump);
    assert!(table.len() as u64 + tally.duplicates <= (bytes.len() / SOCKET_LEN) as u64);
    assert!(tally.malformed <= (bytes.len() / 4 + 1) as u64);
    let cookies: BTreeSet<_> = table.rows().iter().map(|row| row.cookie).collect();
    assert_eq!(cookies.len(), table.len());
    for socket in table.iter() {
        let _ = (socket.local(), socket.peer(), socket.detail());
    }
}

fn any_dump() -> impl Strategy<Value = Dump> {
    prop_oneof![Just(Dump::All), Just(Dump::BoundInactive)]
}

fn capture_with_changes() -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), prop_oneof![Just(0_u8), Just(255), any::<u8>()]);
    let changes = prop::collection::vec(change, 1..40);
    (prop::sample::select(vec![BOTH.bytes, V4.bytes, V6.bytes, BOUND.bytes]), changes).prop_map(
        |(bytes, changes)| {
            let mut bytes = bytes.to_vec();
            for (index, value) in changes {
                let index = index.index(bytes.len());
                bytes[index] = value;
            }
            bytes
        },
    )
}

/// A message with a plausible header around hostile bytes.
fn framed() -> impl Strategy<Value = Vec<u8>> {
    let kind = prop_oneof![Just(18_u16), Just(20), 0..5_u16, any::<u16>()];
    let payload = prop::collection::vec(any::<u8>(), 0..400);
    (kind, any::<u16>(), payload).prop_map(|(kind, flags, mut payload)| {
        if let [family, state, ..] = &mut payload[..] {
            *family = if *family % 2 == 0 { 2 } else { 10 };
            *state %= 16;
        }
        let length = u32::try_from(16 + payload.len()).expect("short");
        let mut message = length.to_ne_bytes().to_vec();
        message.extend(kind.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend(SEQUENCE.to_ne_bytes());
        message.extend(0_u32.to_ne_bytes());
        message.extend(payload);
        message.resize(message.len().next_multiple_of(4), 0);
        message
    })
}

proptest! {
    #[test]
    fn hostile_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..2000), dump in any_dump()) {
        is_sane(&bytes, dump);
    }

    #[test]
    fn hostile_messages_do_no_harm(messages in prop::collection::vec(framed(), 0..20), dump in any_dump()) {
        is_sane(&messages.concat(), dump);
    }

    #[test]
    fn mutated_captures_do_no_harm(bytes in capture_with_changes(), dump in any_dump()) {
        is_sane(&bytes, dump);
    }
}

/// The sockets of a capture as `netlink-packet-sock-diag` reads them.
fn oracle(bytes: &[u8]) -> Vec<inet::InetResponse> {
    let sockets = messages(bytes).into_iter().map(|(start, end)| {
        let mut message = bytes[start..end].to_vec();
        // The crate knows SOCK_DIAG_BY_FAMILY only; the payload of TCPDIAG_GETSOCK is the same.
        if message[4] == 18 {
            message[4] = 20;
        }
        NetlinkMessage::<SockDiagMessage>::deserialize(&message).expect("the crate reads every message")
    });
    let sockets = sockets.filter_map(|message| match message.payload {
        NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) => Some(*response),
        NetlinkPayload::Done(_) => None,
        other => panic!("{other:?}"),
    });
    sockets.collect()
}

#[test]
fn the_named_crate_reads_the_same() {
    for Capture { name, dump, bytes, .. } in CAPTURES {
        let (table, ..) = decode(bytes, dump);
        let theirs = oracle(bytes);
        assert_eq!(table.len(), theirs.len(), "{name}");
        for (ours, theirs) in table.iter().zip(theirs) {
            agree(ours, &theirs);
        }
    }
}

fn agree(ours: SocketRef<'_>, theirs: &inet::InetResponse) {
    let (row, header) = (ours.row(), &theirs.header);
    let id = &header.socket_id;
    let state = if row.state == TcpState::BoundInactive { TcpState::Close } else { row.state };
    assert_eq!(state.number(), header.state);
    assert_eq!(if row.family == Family::V4 { 2 } else { 10 }, header.family);
    assert_eq!(row.cookie, u64::from_le_bytes(id.cookie));
    assert_eq!((row.local_port, row.peer_port), (id.source_port, id.destination_port));
    let shown = |ip: IpAddr| match row.family {
        Family::Mapped if ip.is_unspecified() => Ipv4Addr::UNSPECIFIED.into(),
        Family::Mapped => ip.to_canonical(),
        Family::V4 | Family::V6 => ip,
    };
    assert_eq!((ours.local().ip, ours.peer().ip), (shown(id.source_address), shown(id.destination_address)));

    let left = Duration::from_millis(row.expires_ms.into());
    let timer = match row.timer {
        Timer::Off => None,
        Timer::On => Some(inet::Timer::Retransmit(left, row.retransmits)),
        Timer::Keepalive => Some(inet::Timer::KeepAlive(left)),
        Timer::TimeWait => Some(inet::Timer::TimeWait),
        Timer::Persist => Some(inet::Timer::Probe(left)),
    };
    assert_eq!(timer, header.timer);
    let Some(detail) = ours.detail() else { return };
    assert_eq!((detail.inode, detail.uid), (header.inode, header.uid));
    assert_eq!((detail.recv_q, detail.send_q), (header.recv_queue, header.send_queue));
    assert_eq!(detail.interface, id.interface_id);

    let find = |pick: fn(&Nla) -> Option<&Nla>| theirs.nlas.iter().find_map(pick);
    let mark = find(|nla| matches!(nla, Nla::Mark(_)).then_some(nla));
    assert_eq!(detail.mark.map(Nla::Mark).as_ref(), mark);
    let v6only = find(|nla| matches!(nla, Nla::SkV6Only(_)).then_some(nla));
    assert_eq!(detail.v6only.map(Nla::SkV6Only).as_ref(), v6only);
    let tcp = theirs.nlas.iter().find_map(|nla| match nla {
        Nla::TcpInfo(bytes) => tcp_info::parse(bytes),
        _ => None,
    });
    assert_eq!(detail.tcp, tcp);
}
