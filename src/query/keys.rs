//! The keys of the filter language, and the names of its values.

use crate::model::{Evidence, Side, TcpState, Timer, Unknown};

use super::ast::{Claim, Ip};

/// Which end of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// One of the two.
    Either,
    /// Ours.
    Local,
    /// The other.
    Peer,
}

/// What a number is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Amount {
    Pid,
    Inode,
    Cookie,
    RecvQ,
    SendQ,
    Retransmits,
    Age,
    Idle,
    Rtt,
}

impl Amount {
    /// Whether it is a duration, counted in microseconds.
    pub(super) const fn is_duration(self) -> bool {
        matches!(self, Self::Age | Self::Idle | Self::Rtt)
    }

    /// Whether it is a size, which may have a unit such as `KiB`.
    pub(super) const fn is_size(self) -> bool {
        matches!(self, Self::RecvQ | Self::SendQ)
    }

    /// How far above an exact value one still is at it: `age:30s` holds until 31 s.
    pub(super) const fn unit(self) -> u64 {
        match self {
            Self::Age | Self::Idle => 1_000_000,
            Self::Rtt => 1_000,
            _ => 1,
        }
    }
}

/// Which text of the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextKey {
    Process,
    Command,
    User,
    Container,
    Candidate,
    Opener,
    Closer,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Port(End),
    Address(End),
    Amount(Amount),
    Text(TextKey),
    State,
    Side,
    Evidence,
    Family,
    Timer,
}

impl Kind {
    /// The key of this kind.
    pub(super) fn key(self) -> &'static Key {
        KEYS.iter().find(|key| key.kind == self).expect("every kind has a key")
    }
}

/// A key as users write it.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) aliases: &'static [&'static str],
    pub(super) kind: Kind,
    pub(super) doc: &'static str,
}

impl Key {
    /// The key with that name or alias, in any case and with `-` or `_`.
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.names().any(|known| same(known, name)))
    }

    /// The name and the aliases.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

const fn key(name: &'static str, aliases: &'static [&'static str], kind: Kind, doc: &'static str) -> Key {
    Key { name, aliases, kind, doc }
}

/// Every key.
pub(super) static KEYS: &[Key] = &[
    key("port", &[], Kind::Port(End::Either), "Port at either end: 443, 80,443, 8000-8999, >1023."),
    key("lport", &["sport", "local-port"], Kind::Port(End::Local), "Local port."),
    key("rport", &["dport", "peer-port"], Kind::Port(End::Peer), "The peer's port."),
    key(
        "addr",
        &["ip", "address", "host"],
        Kind::Address(End::Either),
        "Address at either end: 10.0.0.1, 10.0.0.0/8, 10.0.0.1:443, [::1]:443, localhost.",
    ),
    key("local", &["src"], Kind::Address(End::Local), "Local address, network or address:port."),
    key("peer", &["dst", "remote"], Kind::Address(End::Peer), "The peer's address, network or address:port."),
    key(
        "pid",
        &[],
        Kind::Amount(Amount::Pid),
        "PID of an owner that is known for sure; for one of several candidates ask with candidate.",
    ),
    key(
        "proc",
        &["process", "name", "comm"],
        Kind::Text(TextKey::Process),
        "Part of an owner's name as it is shown, or of every candidate's, in any case; proc:=nginx for the whole name.",
    ),
    key("cmd", &["command", "cmdline"], Kind::Text(TextKey::Command), "Part of an owner's command line."),
    key("user", &["uid"], Kind::Text(TextKey::User), "User name or uid, of the socket or its owner."),
    key("container", &[], Kind::Text(TextKey::Container), "Beginning of an owner's container id."),
    key(
        "candidate",
        &["maybe"],
        Kind::Text(TextKey::Candidate),
        "PID, or part of the name, of any one of several processes that may own it.",
    ),
    key(
        "opener",
        &["opened-by"],
        Kind::Text(TextKey::Opener),
        "PID, or part of the name, of the process that called connect(), as the trace told; opener:* for any.",
    ),
    key(
        "closer",
        &["closed-by"],
        Kind::Text(TextKey::Closer),
        "PID, or part of the name, of the process that closed our end first, as the trace told.",
    ),
    key("state", &["st"], Kind::State, "State: time-wait, established, listen, connected, …"),
    key("side", &[], Kind::Side, "Which end is ours: client, server, none."),
    key(
        "evidence",
        &["owner", "reason", "why"],
        Kind::Evidence,
        "What the owner rests on: traced, seen, held, listener, candidates, unknown; or why it is unknown.",
    ),
    key("family", &["af"], Kind::Family, "ipv4 (mapped addresses too) or ipv6."),
    key("timer", &[], Kind::Timer, "Timer that runs: off, on, keepalive, timewait, persist."),
    key("inode", &["ino"], Kind::Amount(Amount::Inode), "Inode of the socket's file."),
    key("cookie", &["sk"], Kind::Amount(Amount::Cookie), "The kernel's socket cookie."),
    key("age", &[], Kind::Amount(Amount::Age), "Time since a TIME_WAIT was entered: age:>30s."),
    key("idle", &[], Kind::Amount(Amount::Idle), "Time since data was last sent or received: idle:>5m."),
    key("rtt", &[], Kind::Amount(Amount::Rtt), "Smoothed round-trip time: rtt:>100ms."),
    key("recvq", &["rq"], Kind::Amount(Amount::RecvQ), "Bytes not read: recvq:>0, recvq:>=64KiB."),
    key("sendq", &["sq"], Kind::Amount(Amount::SendQ), "Bytes not acknowledged."),
    key("retrans", &["retransmits"], Kind::Amount(Amount::Retransmits), "Segments retransmitted."),
];

/// Whether two names are the same but for case, `-`, `_` and spaces.
fn same(a: &str, b: &str) -> bool {
    let folded = |text: &str| fold(text).collect::<String>();
    folded(a) == folded(b)
}

fn fold(text: &str) -> impl Iterator<Item = char> {
    text.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).map(|c| c.to_ascii_lowercase())
}

/// Names of values: the first is the one to show, all are understood.
pub(super) type Names<T> = &'static [(&'static [&'static str], &'static [T])];

/// What `name` stands for in `names`, whatever its case and dashes.
pub(super) fn lookup<T>(names: Names<T>, name: &str) -> Option<&'static [T]> {
    names.iter().find(|(known, _)| known.iter().any(|known| same(known, name))).map(|(_, values)| *values)
}

use TcpState as S;

/// The states under the kernel's names, those of `ss`, those of the RFC and the short ones in titles of columns;
/// and the groups of `ss`.
pub(super) static STATES: Names<TcpState> = &[
    (&["time-wait", "tw"], &[S::TimeWait]),
    (&["close-wait", "cw"], &[S::CloseWait]),
    (&["established", "estab", "est"], &[S::Established]),
    (&["syn-sent", "syns", "ss"], &[S::SynSent]),
    (&["syn-recv", "syn-received", "syn-rcvd", "synr", "sr"], &[S::SynRecv]),
    (&["fin-wait-1", "finw1", "fw1"], &[S::FinWait1]),
    (&["fin-wait-2", "finw2", "fw2"], &[S::FinWait2]),
    (&["last-ack", "lack", "la"], &[S::LastAck]),
    (&["closing"], &[S::Closing]),
    (&["listen", "listening"], &[S::Listen]),
    (&["bound-inactive", "bound"], &[S::BoundInactive]),
    (&["close", "closed", "unconn", "unconnected"], &[S::Close]),
    (&["all"], &S::ALL),
    (
        &["connected"],
        &[
            S::TimeWait,
            S::CloseWait,
            S::Established,
            S::SynSent,
            S::SynRecv,
            S::FinWait1,
            S::FinWait2,
            S::LastAck,
            S::Closing,
        ],
    ),
    (
        &["synchronized"],
        &[
            S::TimeWait,
            S::CloseWait,
            S::Established,
            S::SynRecv,
            S::FinWait1,
            S::FinWait2,
            S::LastAck,
            S::Closing,
        ],
    ),
];

/// The sides.
pub(super) static SIDES: Names<Option<Side>> = &[
    (&["client", "outgoing", "out"], &[Some(Side::Client)]),
    (&["server", "incoming", "in"], &[Some(Side::Server)]),
    (&["none"], &[None]),
];

/// Kinds of evidence, and reasons for there being none.
pub(super) static CLAIMS: Names<Claim> = &[
    (&["traced"], &[Claim::Rests(Evidence::Traced)]),
    (&["seen"], &[Claim::Rests(Evidence::Seen)]),
    (&["held"], &[Claim::Rests(Evidence::Held)]),
    (&["listener"], &[Claim::Rests(Evidence::Listener)]),
    (&["candidates"], &[Claim::Rests(Evidence::Candidates)]),
    (&["unknown"], &[Claim::Rests(Evidence::Unknown)]),
    (
        &["known"],
        &[
            Claim::Rests(Evidence::Traced),
            Claim::Rests(Evidence::Seen),
            Claim::Rests(Evidence::Held),
            Claim::Rests(Evidence::Listener),
        ],
    ),
    (&["denied"], &[Claim::Lacks(Unknown::Denied)]),
    (&["kernel"], &[Claim::Lacks(Unknown::Kernel)]),
    (&["gone"], &[Claim::Lacks(Unknown::Gone)]),
    (&["before-start"], &[Claim::Lacks(Unknown::BeforeStart)]),
    (&["too-short"], &[Claim::Lacks(Unknown::TooShort)]),
];

/// The families.
pub(super) static FAMILIES: Names<Ip> =
    &[(&["ipv4", "4", "inet", "v4", "ip4"], &[Ip::V4]), (&["ipv6", "6", "inet6", "v6", "ip6"], &[Ip::V6])];

/// The timers, as `ss -o` names them.
pub(super) static TIMERS: Names<Timer> = &[
    (&["off", "none"], &[Timer::Off]),
    (&["on", "retransmission"], &[Timer::On]),
    (&["keepalive"], &[Timer::Keepalive]),
    (&["timewait"], &[Timer::TimeWait]),
    (&["persist", "probe"], &[Timer::Persist]),
];

/// The one state that `name` stands for, in every spelling that filters know; `None` for a group of states.
#[must_use]
pub fn state_named(name: &str) -> Option<TcpState> {
    match lookup(STATES, name)? {
        [one] => Some(*one),
        _ => None,
    }
}

/// The name among `known` that `name` was most likely meant to be, whatever its case and dashes, if one is near.
#[must_use]
pub fn nearest_name(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    nearest(name, known)
}

/// The name among `known` that `name` was most likely meant to be, if one is near.
pub(super) fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let name: Vec<char> = fold(name).take(32).collect();
    let near = |other: &str| distance(&name, &fold(other).collect::<Vec<_>>());
    let limit = 1 + name.len() / 4;
    known
        .map(|other| (near(other), other))
        .filter(|(far, _)| *far <= limit)
        .min_by_key(|(far, _)| *far)
        .map(|(_, other)| other)
}

/// How many characters must be put in, left out, changed or swapped to turn `a` into `b`.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let change = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = change.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_keys_share_a_name() {
        let mut names: Vec<String> =
            KEYS.iter().flat_map(Key::names).map(|name| fold(name).collect()).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn near_names_are_guessed_and_far_ones_are_not() {
        let keys = || KEYS.iter().flat_map(Key::names);
        assert_eq!(nearest("prot", keys()), Some("port"));
        assert_eq!(nearest("sate", keys()), Some("state"));
        assert_eq!(nearest("zzzzzz", keys()), None);
    }
}
