//! The metrics of a socket.

use std::borrow::Cow;

use super::{Align, Field, Row, SocketRows, Value, program};
use crate::{
    model::{Detail, Evidence, Process, Timer, text::printable},
    store::Owned,
};

/// A metric that programs read, under the keys of the JSON output flattened with `_`.
const fn exported(
    key: &'static str,
    title: &'static str,
    unit: &'static str,
    doc: &'static str,
    layout: (Align, u16),
    get: <SocketRows as Row>::Get,
) -> Field<SocketRows> {
    Field { key, title, unit, doc, align: layout.0, width: layout.1, exported: true, get }
}

/// A metric for people alone.
const fn shown(
    key: &'static str,
    title: &'static str,
    doc: &'static str,
    layout: (Align, u16),
    get: <SocketRows as Row>::Get,
) -> Field<SocketRows> {
    Field { key, title, unit: "", doc, align: layout.0, width: layout.1, exported: false, get }
}

const fn left(width: u16) -> (Align, u16) {
    (Align::Left, width)
}

const fn right(width: u16) -> (Align, u16) {
    (Align::Right, width)
}

/// The metrics of a socket.
pub static SOCKETS: &[Field<SocketRows>] = &[
    exported("netns", "NETNS", "", "Inode of the network namespace.", right(10), |s, _| Value::Id(s.netns)),
    exported(
        "cookie",
        "COOKIE",
        "",
        "The kernel's socket cookie, which a TIME_WAIT keeps.",
        right(8),
        |s, _| Value::Id(s.socket.row().cookie),
    ),
    exported(
        "family",
        "FAMILY",
        "",
        "What travels on the wire: ipv4 (mapped addresses too) or ipv6.",
        left(6),
        |s, _| text(s.socket.row().family.name()),
    ),
    exported("local", "LOCAL", "", "Local address.", left(15), |s, _| Value::Address(s.socket.local().ip)),
    exported("local_port", "LPORT", "", "Local port.", right(5), |s, _| {
        Value::Id(s.socket.row().local_port.into())
    }),
    exported("peer", "PEER", "", "The peer's address; unspecified for a listener.", left(15), |s, _| {
        Value::Address(s.socket.peer().ip)
    }),
    exported("peer_port", "PPORT", "", "The peer's port; 0 for a listener.", right(5), |s, _| {
        Value::Id(s.socket.row().peer_port.into())
    }),
    exported("state", "STATE", "", "State, under the kernel's name.", left(14), |s, _| {
        Value::State(s.socket.row().state)
    }),
    exported(
        "age_s",
        "AGE",
        "s",
        "Seconds since a TIME_WAIT was entered, read from its timer; not known for other states.",
        right(6),
        |s, _| some(s.socket.row().time_wait_age_ms(), |ms| Value::Seconds(f64::from(ms) / 1000.0)),
    ),
    exported(
        "timer_kind",
        "TIMER",
        "",
        "The timer that runs: on (retransmission), keepalive, timewait, persist.",
        left(9),
        |s, _| some(timer(s), |(kind, _)| text(kind)),
    ),
    exported("timer_expires_s", "EXPIRES", "s", "Seconds until the timer fires.", right(7), |s, _| {
        some(timer(s), |(_, seconds)| Value::Seconds(seconds))
    }),
    exported(
        "inode",
        "INODE",
        "",
        "Inode of the socket's file; none for mini-sockets, orphans and accept queues.",
        right(9),
        |s, _| some(inode(s), |inode| Value::Id(inode.into())),
    ),
    exported(
        "uid",
        "UID",
        "",
        "The user that created the socket; the kernel forgets it in TIME_WAIT.",
        right(6),
        |s, _| some(detail(s).and_then(Detail::known_uid), |uid| Value::Id(uid.into())),
    ),
    exported(
        "owners_pid",
        "PIDS",
        "",
        "PIDs of those who own it, or may own it, separated by `|`.",
        left(10),
        |s, _| owners(s, |p| p.key.pid.to_string()),
    ),
    exported("owners_start_time", "STARTED", "", "When each of them started, UTC.", left(20), |s, _| {
        owners(s, |p| super::format::time(p.started))
    }),
    exported("owners_name", "NAMES", "", "The name of each of them.", left(15), |s, _| {
        owners(s, |p| separable(&p.name))
    }),
    exported("evidence", "EVIDENCE", "", "What the claim about the owner rests on.", left(10), |s, _| {
        text(s.attribution.evidence.name())
    }),
    exported("unknown", "WHY", "", "Why nobody is named as the owner.", left(12), |s, _| {
        some(s.attribution.unknown, |why| text(why.name()))
    }),
    exported("opener_pid", "OPENED", "", "PID of the process that called connect().", right(7), |s, _| {
        some(opener(s), pid)
    }),
    exported("opener_start_time", "STARTED", "", "When that process started, UTC.", left(20), |s, _| {
        some(opener(s), |p| Value::Time(p.started))
    }),
    exported("opener_name", "OPENER", "", "Its name.", left(15), |s, _| some(opener(s), |p| text(&p.name))),
    exported(
        "closer_pid",
        "CLOSED",
        "",
        "PID of the process that closed our end, where that was the first to close.",
        right(7),
        |s, _| some(closer(s), pid),
    ),
    exported("closer_start_time", "STARTED", "", "When that process started, UTC.", left(20), |s, _| {
        some(closer(s), |p| Value::Time(p.started))
    }),
    exported("closer_name", "CLOSER", "", "Its name.", left(15), |s, _| some(closer(s), |p| text(&p.name))),
    exported(
        "side",
        "SIDE",
        "",
        "Whether we connected (client) or accepted (server); none for listeners.",
        left(6),
        |s, _| some(s.link.side(), |side| text(side.name())),
    ),
    exported(
        "recv_q",
        "RECV-Q",
        "B",
        "Bytes received and not read; for a listener, connections waiting to be accepted.",
        right(8),
        |s, _| some(detail(s), |d| Value::Count(d.recv_q.into())),
    ),
    exported(
        "send_q",
        "SEND-Q",
        "B",
        "Bytes sent and not acknowledged; for a listener, its backlog.",
        right(8),
        |s, _| some(detail(s), |d| Value::Count(d.send_q.into())),
    ),
    exported("tcp_rtt_ms", "RTT", "ms", "Smoothed round-trip time.", right(7), |s, _| {
        some(s.rtt_us(), |us| Value::Millis(f64::from(us) / 1000.0))
    }),
    exported(
        "tcp_retransmits",
        "RETRANS",
        "",
        "Segments retransmitted since the connection began.",
        right(7),
        |s, _| some(s.tcp(), |t| Value::Count(t.retransmits.into())),
    ),
    exported("tcp_last_sent_s", "SENT", "s", "Seconds since data was last sent.", right(6), |s, _| {
        some(s.last_sent_ms(), |ms| Value::Seconds(f64::from(ms) / 1000.0))
    }),
    exported(
        "tcp_last_received_s",
        "RCVD",
        "s",
        "Seconds since data was last received.",
        right(6),
        |s, _| some(s.last_received_ms(), |ms| Value::Seconds(f64::from(ms) / 1000.0)),
    ),
    exported("tcp_bytes_sent", "TX", "B", "Bytes sent since the connection began.", right(9), |s, _| {
        some(s.tcp().and_then(|t| t.bytes_sent), Value::Bytes)
    }),
    exported(
        "tcp_bytes_received",
        "RX",
        "B",
        "Bytes received since the connection began.",
        right(9),
        |s, _| some(s.tcp().and_then(|t| t.bytes_received), Value::Bytes),
    ),
    shown("local_endpoint", "LOCAL", "Local address and port.", left(21), |s, _| {
        Value::Endpoint(s.socket.local())
    }),
    shown("peer_endpoint", "PEER", "The peer's address and port.", left(21), |s, _| {
        Value::Endpoint(s.socket.peer())
    }),
    shown("pid", "PID", "PID of the owner, the first of several; none for candidates.", right(7), |s, _| {
        some(owner(s), |p| Value::Id(p.key.pid.into()))
    }),
    shown(
        "process",
        "PROCESS",
        "Name of the owner; `?` after it marks candidates, brackets the reason why nobody is known.",
        left(15),
        |s, _| process(s),
    ),
    shown("opener", "OPENED BY", "Who called connect(), as the trace told.", left(15), |s, _| {
        some(opener(s), who)
    }),
    shown("closer", "CLOSED BY", "Who closed our end first, as the trace told.", left(15), |s, _| {
        some(closer(s), who)
    }),
    // What only a view can tell: it has the mark.
    shown(
        "change",
        "SINCE",
        "The state that it had at the mark, if another; new if it was not there.",
        left(14),
        |_, _| Value::None,
    ),
    shown("command", "COMMAND", "Command line of the owner.", left(30), |s, _| {
        some(owner(s), |p| text(&p.command))
    }),
    shown("user", "USER", "User of the owner.", left(8), |s, _| some(owner(s), |p| text(&p.user))),
    shown("container", "CONTAINER", "Container of the owner.", left(12), |s, _| {
        some(owner(s).and_then(|p| p.container.as_deref()), text)
    }),
];

fn text(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

fn some<'a, T>(value: Option<T>, make: impl FnOnce(T) -> Value<'a>) -> Value<'a> {
    value.map_or(Value::None, make)
}

fn detail(socket: Owned<'_>) -> Option<&Detail> {
    socket.socket.detail()
}

fn inode(socket: Owned<'_>) -> Option<u32> {
    detail(socket).map(|d| d.inode).filter(|&inode| inode != 0)
}

/// The timer's name and the seconds until it fires.
fn timer(socket: Owned<'_>) -> Option<(&'static str, f64)> {
    let row = socket.socket.row();
    (row.timer != Timer::Off).then(|| (row.timer.name(), f64::from(row.expires_ms) / 1000.0))
}

/// The owner, the first of several; never a mere candidate.
fn owner(socket: Owned<'_>) -> Option<&Process> {
    let known = socket.attribution.evidence < Evidence::Candidates;
    socket.attribution.owners.first().filter(|_| known).map(|process| &**process)
}

fn opener(socket: Owned<'_>) -> Option<&Process> {
    socket.attribution.opener.as_deref()
}

fn closer(socket: Owned<'_>) -> Option<&Process> {
    socket.attribution.closer.as_deref()
}

fn pid(process: &Process) -> Value<'_> {
    Value::Id(process.key.pid.into())
}

fn who(process: &Process) -> Value<'_> {
    Value::Text(Cow::Owned(format!("{} {}", program::name(process), process.key.pid)))
}

fn owners(socket: Owned<'_>, part: impl FnMut(&Process) -> String) -> Value<'_> {
    let owners = &socket.attribution.owners;
    if owners.is_empty() {
        return Value::None;
    }
    let parts: Vec<_> = owners.iter().map(|process| &**process).map(part).collect();
    Value::Text(Cow::Owned(parts.join("|")))
}

/// A name that can be one of several in a cell: neither the sign between names is in it, nor the sign
/// between cells that some spreadsheets read.
fn separable(name: &str) -> String {
    printable(name).replace('|', "\\x7c").replace(';', "\\x3b")
}

fn process(socket: Owned<'_>) -> Value<'_> {
    let attribution = socket.attribution;
    let Some(first) = attribution.owners.first() else {
        return some(attribution.unknown, |why| Value::Text(Cow::Owned(format!("[{}]", why.name()))));
    };
    let others = attribution.owners.len() - 1;
    let doubt = if attribution.evidence == Evidence::Candidates { "?" } else { "" };
    match (others, doubt) {
        (0, "") => text(&first.name),
        (0, doubt) => Value::Text(Cow::Owned(format!("{}{doubt}", first.name))),
        (others, doubt) => Value::Text(Cow::Owned(format!("{}{doubt} +{others}", first.name))),
    }
}
