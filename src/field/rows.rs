//! The metrics of processes, peers and destinations.

use std::borrow::Cow;

use super::{
    Align, Field, Row, Value, ports,
    program::{self, program},
};
use crate::{
    model::{Evidence, TcpState},
    store::{Change, DestinationRow, Forecast, Lifetimes, PeerRow, ProcessRow},
};

type Processes = Field<ProcessRow>;
type Peers = Field<PeerRow>;
type Destinations = Field<DestinationRow>;

impl<R: Row> Field<R> {
    /// A metric that is text.
    pub(super) const fn left(
        key: &'static str,
        title: &'static str,
        width: u16,
        doc: &'static str,
        get: R::Get,
    ) -> Self {
        Self { key, title, unit: "", doc, align: Align::Left, width, exported: true, get }
    }

    /// A metric that is a figure.
    pub(super) const fn right(
        key: &'static str,
        title: &'static str,
        width: u16,
        doc: &'static str,
        get: R::Get,
    ) -> Self {
        Self { key, title, unit: "", doc, align: Align::Right, width, exported: true, get }
    }

    const fn in_unit(self, unit: &'static str) -> Self {
        Self { unit, ..self }
    }

    pub(in crate::field) const fn for_people(self) -> Self {
        Self { exported: false, ..self }
    }
}

/// The column that counts the sockets of a row in one state.
macro_rules! state {
    ($of:ident, $state:ident, $key:literal, $title:literal, $width:literal) => {
        $of::right(
            $key,
            $title,
            $width,
            concat!("Sockets in the state ", stringify!($state), "."),
            |row, _| Value::Count(row.states[TcpState::$state].into()),
        )
    };
}

/// The metrics of a process.
pub static PROCESSES: &[Field<ProcessRow>] = &[
    Processes::right("pid", "PID", 7, "Process id.", |row, _| Value::Id(row.process.key.pid.into())),
    Processes::left("start_time", "STARTED", 20, "When the process started, UTC.", |row, _| {
        Value::Time(row.process.started)
    }),
    Processes::left("name", "PROCESS", 15, "The kernel's name of the process.", |row, _| {
        text(program::name(&row.process))
    }),
    Processes::left(
        "program",
        "PROCESS",
        15,
        "The name, and for an interpreter (python, node, java, ruby, perl, php) the script that it runs.",
        |row, _| Value::Text(program(&row.process)),
    )
    .for_people(),
    Processes::left("command", "COMMAND", 30, "The command line.", |row, _| text(&row.process.command)),
    Processes::left("user", "USER", 8, "The real user.", |row, _| text(&row.process.user)),
    Processes::left("container", "CONTAINER", 12, "The container's id; none on the host.", |row, _| {
        row.process.container.as_deref().map_or(Value::None, text)
    }),
    Processes::right("sockets", "SOCKETS", 7, "Sockets that it owns, in any state.", |row, _| {
        Value::Count(row.states.total().into())
    }),
    Processes::right("change", "SINCE", 6, "How many sockets more it has than at the mark, or fewer.", |row, _| {
        change(row.change)
    })
    .for_people(),
    Processes::right("share", "SHARE", 6, "Its share of all sockets shown.", |row, context| {
        share(row.states.total(), Some(context.sockets))
    })
    .in_unit("%"),
    state!(Processes, TimeWait, "time_wait", "TIME_WAIT", 9),
    Processes::right(
        "time_wait_maybe",
        "MAYBE",
        6,
        "TIME_WAITs for which it is one of several candidates.",
        |row, _| Value::Count(row.time_wait_evidence[Evidence::Candidates as usize].into()),
    ),
    state!(Processes, CloseWait, "close_wait", "CLOSE_WAIT", 10),
    state!(Processes, Established, "established", "ESTAB", 7),
    state!(Processes, SynSent, "syn_sent", "SYN_SENT", 8),
    state!(Processes, SynRecv, "syn_recv", "SYN_RECV", 8),
    state!(Processes, FinWait1, "fin_wait1", "FIN_WAIT1", 9),
    state!(Processes, FinWait2, "fin_wait2", "FIN_WAIT2", 9),
    state!(Processes, LastAck, "last_ack", "LAST_ACK", 8),
    state!(Processes, Closing, "closing", "CLOSING", 7),
    state!(Processes, Listen, "listen", "LISTEN", 6),
    state!(Processes, BoundInactive, "bound_inactive", "BOUND_INACTIVE", 14),
    state!(Processes, Close, "close", "CLOSE", 6),
    Processes::right(
        "opened_per_s",
        "OPEN/s",
        8,
        "Connections seen to begin, per second.",
        |row, context| context.per_second(row.opened),
    )
    .in_unit("/s"),
    Processes::right(
        "closed_per_s",
        "CLOSE/s",
        8,
        "Connections seen to close, per second.",
        |row, context| context.per_second(row.closed),
    )
    .in_unit("/s"),
    Processes::right(
        "lifetime_p50_s",
        "LIFE50",
        6,
        "Half of the connections that it closed first in the last minute lived no longer; from the trace.",
        |row, _| lifetime(row.lifetimes.as_deref(), 0.5),
    )
    .in_unit("s"),
    Processes::right(
        "lifetime_p99_s",
        "LIFE99",
        6,
        "99 % of the connections that it closed first in the last minute lived no longer; from the trace.",
        |row, _| lifetime(row.lifetimes.as_deref(), 0.99),
    )
    .in_unit("s"),
    Processes::left(
        "evidence",
        "EVIDENCE",
        12,
        "What the claims about its sockets rest on: the most frequent evidence, and how many other kinds there are.",
        |row, _| evidence(&row.evidence, row.lifetimes.is_some()),
    )
    .for_people(),
    Processes::right("fds", "FDS", 6, "Open file descriptors.", |row, _| count(row.fds.map(u64::from))),
    Processes::right("fd_limit", "FD-MAX", 7, "Soft limit of open file descriptors.", |row, _| {
        count(row.fd_limit)
    }),
    Processes::right("fd_percent", "FD%", 6, "Open descriptors against their soft limit.", |row, _| {
        let limit = row.fd_limit.and_then(|limit| u32::try_from(limit).ok());
        row.fds.map_or(Value::None, |fds| share(fds, limit))
    })
    .in_unit("%"),
];

/// The metrics of a peer.
pub static PEERS: &[Field<PeerRow>] = &[
    Peers::left("address", "ADDRESS", 15, "The remote address.", |row, _| Value::Address(row.key.ip)),
    Peers::right("port", "PORT", 5, "The service's port, on whichever side it is.", |row, _| {
        Value::Id(row.key.port.into())
    }),
    Peers::left("side", "SIDE", 6, "Whether we connected (client) or accepted (server).", |row, _| {
        text(row.key.side.name())
    }),
    Peers::right("sockets", "CONNS", 7, "Connections, in any state.", |row, _| {
        Value::Count(row.states.total().into())
    }),
    Peers::right("change", "SINCE", 6, "How many connections more there are than at the mark, or fewer.", |row, _| {
        change(row.change)
    })
    .for_people(),
    Peers::right("share", "SHARE", 6, "Its share of all sockets shown.", |row, context| {
        share(row.states.total(), Some(context.sockets))
    })
    .in_unit("%"),
    state!(Peers, TimeWait, "time_wait", "TIME_WAIT", 9),
    state!(Peers, CloseWait, "close_wait", "CLOSE_WAIT", 10),
    state!(Peers, Established, "established", "ESTAB", 7),
    state!(Peers, SynSent, "syn_sent", "SYN_SENT", 8),
    state!(Peers, SynRecv, "syn_recv", "SYN_RECV", 8),
    state!(Peers, FinWait1, "fin_wait1", "FIN_WAIT1", 9),
    state!(Peers, FinWait2, "fin_wait2", "FIN_WAIT2", 9),
    state!(Peers, LastAck, "last_ack", "LAST_ACK", 8),
    state!(Peers, Closing, "closing", "CLOSING", 7),
    state!(Peers, Listen, "listen", "LISTEN", 6),
    state!(Peers, BoundInactive, "bound_inactive", "BOUND_INACTIVE", 14),
    state!(Peers, Close, "close", "CLOSE", 6),
    Peers::right("opened_per_s", "OPEN/s", 8, "Connections seen to begin, per second.", |row, context| {
        context.per_second(row.opened)
    })
    .in_unit("/s"),
    Peers::right("closed_per_s", "CLOSE/s", 8, "Connections seen to close, per second.", |row, context| {
        context.per_second(row.closed)
    })
    .in_unit("/s"),
    Peers::right(
        "lifetime_p50_s",
        "LIFE50",
        6,
        "Half of the connections that we closed first in the last minute lived no longer; from the trace.",
        |row, _| lifetime(row.lifetimes.as_deref(), 0.5),
    )
    .in_unit("s"),
    Peers::right(
        "lifetime_p99_s",
        "LIFE99",
        6,
        "99 % of the connections that we closed first in the last minute lived no longer; from the trace.",
        |row, _| lifetime(row.lifetimes.as_deref(), 0.99),
    )
    .in_unit("s"),
    Peers::left(
        "processes",
        "PROCESSES",
        20,
        "Our processes that own one of the connections; `?` after it marks candidates.",
        |row, _| peer_processes(row),
    ),
    Peers::left(
        "evidence",
        "EVIDENCE",
        12,
        "What the claims about the owners of its connections rest on: the most frequent evidence, and how many other kinds there are.",
        |row, _| evidence(&row.evidence, row.lifetimes.is_some()),
    )
    .for_people(),
];

/// The metrics of a destination.
pub static DESTINATIONS: &[Field<DestinationRow>] = &[
    Destinations::left("source", "SOURCE", 15, "Our address.", |row, _| Value::Address(row.source)),
    Destinations::left("peer", "DESTINATION", 15, "The remote address.", |row, _| {
        Value::Address(row.peer.ip)
    }),
    Destinations::right("port", "PORT", 5, "The remote port.", |row, _| Value::Id(row.peer.port.into())),
    Destinations::left("peer_endpoint", "DESTINATION", 21, "The remote address and port.", |row, _| {
        Value::Endpoint(row.peer)
    })
    .for_people(),
    Destinations::right(
        "taken",
        "TAKEN",
        7,
        "Usable local ports that a socket towards it occupies.",
        |row, _| Value::Count(row.taken.into()),
    ),
    Destinations::right(
        "change",
        "SINCE",
        6,
        "How many ports more are taken than at the mark, or fewer.",
        |row, _| change(row.change),
    )
    .for_people(),
    Destinations::right(
        "left_max",
        "LEFT",
        7,
        "New connections to it that can be made before there is no port, at most.",
        |row, _| count(row.ports.map(|ports| ports.left.max.into())),
    ),
    Destinations::right(
        "left_min",
        "LEAST",
        7,
        "The same at least: whether a connection was bound before it connected is not visible.",
        |row, _| count(row.ports.map(|ports| ports.left.min.into())),
    ),
    Destinations::right("left", "LEFT", 13, "New connections to it that can be made.", |row, _| {
        row.ports.map_or(Value::None, |of| Value::Text(Cow::Owned(ports::left(&of.left, "-"))))
    })
    .for_people(),
    Destinations::right(
        "percent",
        "USED",
        6,
        "Usable ports that a new connection to it cannot have, by what is known for sure.",
        |row, context| match row.ports.and_then(|ports| ports.percent()) {
            Some(percent) => Value::Percent(percent),
            None => share(row.taken, context.usable_ports),
        },
    )
    .in_unit("%"),
    Destinations::right(
        "exhausted_in_s",
        "FULL IN",
        8,
        "When no port is left for it, if all goes on as it does.",
        |row, _| match row.forecast {
            Some(Forecast::Full { in_s }) => Value::Seconds(in_s),
            _ => Value::None,
        },
    )
    .in_unit("s"),
    Destinations::left(
        "forecast",
        "FORECAST",
        15,
        "What becomes of its ports if all goes on as it does.",
        |row, _| ports::forecast(row).map_or(Value::None, |text| Value::Text(Cow::Owned(text))),
    )
    .for_people(),
    Destinations::right(
        "sustainable_per_s",
        "BEARS/s",
        8,
        "Closes a second, by our side first, that never use its ports up.",
        |row, _| row.ports.and_then(|ports| ports.sustainable_per_s()).map_or(Value::None, Value::Rate),
    )
    .in_unit("/s"),
    Destinations::right("time_wait", "TIME_WAIT", 9, "Of the ports taken, those in TIME_WAIT.", |row, _| {
        Value::Count(row.time_wait.into())
    }),
    Destinations::right(
        "opened_per_s",
        "OPEN/s",
        8,
        "Connections seen to begin, per second.",
        |row, context| context.per_second(row.opened),
    )
    .in_unit("/s"),
];

fn text(text: &str) -> Value<'_> {
    Value::Text(Cow::Borrowed(text))
}

/// The most frequent kind, and how many others occur: `seen +1`.
fn evidence(counts: &[u32; Evidence::ALL.len()], traced: bool) -> Value<'static> {
    let mut kinds: Vec<_> = Evidence::ALL.iter().zip(counts).filter(|(_, count)| **count > 0).collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    match kinds.as_slice() {
        // Nothing is left of its connections but what the trace told.
        [] if traced => text(Evidence::Traced.name()),
        [] => Value::None,
        [(only, _)] => text(only.name()),
        [(most, _), others @ ..] => Value::Text(Cow::Owned(format!("{} +{}", most.name(), others.len()))),
    }
}

fn change(change: Option<Change>) -> Value<'static> {
    change.map_or(Value::None, Value::Change)
}

fn lifetime(lifetimes: Option<&Lifetimes>, share: f64) -> Value<'static> {
    let life = lifetimes.and_then(|lifetimes| lifetimes.quantile(share));
    life.map_or(Value::None, |life| Value::Seconds(life.as_secs_f64()))
}

fn count(value: Option<u64>) -> Value<'static> {
    value.map_or(Value::None, Value::Count)
}

/// `part` in percent of `whole`; not known when there is no whole.
fn share(part: u32, whole: Option<u32>) -> Value<'static> {
    match whole {
        Some(whole) if whole > 0 => Value::Percent(f64::from(part) * 100.0 / f64::from(whole)),
        _ => Value::None,
    }
}

fn peer_processes(row: &PeerRow) -> Value<'_> {
    // Candidates are worth a word only where nobody is known for sure.
    let (processes, doubt) = match row.processes.as_slice() {
        [] => (row.candidates.as_slice(), "?"),
        sure => (sure, ""),
    };
    match processes {
        [] => Value::None,
        [only] => Value::Text(Cow::Owned(format!("{}{doubt}", only.name))),
        [first, others @ ..] => {
            let same = others.iter().all(|process| process.name == first.name);
            let sign = if same { "×" } else { "+" };
            let number = if same { processes.len() } else { others.len() };
            Value::Text(Cow::Owned(format!("{}{doubt} {sign}{number}", first.name)))
        }
    }
}
