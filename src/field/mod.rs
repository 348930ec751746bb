//! The table of metrics: for every figure its name, title, unit, meaning and getter.
//! Columns, sort keys, JSON and CSV keys and metric names all come from here.

use std::{borrow::Cow, net::IpAddr};

use jiff::Timestamp;

use crate::{
    findings::{Finding, Severity},
    model::{Endpoint, TcpState},
    store::{Change, DestinationRow, Owned, PeerRow, ProcessRow},
};

mod failures;
mod findings;
pub mod format;
mod kernel;
pub mod ports;
mod rows;
mod sockets;

pub use crate::model::program;
pub use failures::{FAILURES, FailureRow};
pub use findings::FINDINGS;
pub use kernel::{COUNTERS, CounterRow, LIMITS, LimitRow, SETTINGS, SettingRow};
pub use rows::{DESTINATIONS, PEERS, PROCESSES};
pub use sockets::SOCKETS;

/// A figure of a row, not yet formatted.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Not known.
    None,
    /// Text, possibly hostile: pass it through [`crate::model::text::printable`] before showing it
    /// ([`format::value`] does).
    Text(Cow<'a, str>),
    /// A state.
    State(TcpState),
    /// How bad a finding is.
    Severity(Severity),
    /// An address.
    Address(IpAddr),
    /// An address and a port.
    Endpoint(Endpoint),
    /// An instant, UTC.
    Time(Timestamp),
    /// A whole number that is a count of things.
    Count(u64),
    /// A whole number that is a name: a PID, a port, an inode. Never abbreviated.
    Id(u64),
    /// Per second.
    Rate(f64),
    /// A share of 100.
    Percent(f64),
    /// Bytes.
    Bytes(u64),
    /// Seconds.
    Seconds(f64),
    /// Milliseconds.
    Millis(f64),
    /// Yes or no.
    Bool(bool),
    /// A difference from another moment.
    Change(Change),
}

impl Value<'_> {
    /// Whether the figure is not known.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

/// What getters need beside the row.
#[derive(Debug, Clone, Copy, Default)]
pub struct Context {
    /// How many seconds the row's `opened` and `closed` cover; `None` if they cover no time.
    pub elapsed_s: Option<f64>,
    /// Usable ephemeral ports, `None` if not known.
    pub usable_ports: Option<u32>,
    /// All sockets that the filter keeps, for shares.
    pub sockets: u32,
}

impl Context {
    /// `count` things per second over the time that the row covers, [`Value::None`] if it covers none.
    #[must_use]
    pub fn per_second(&self, count: u32) -> Value<'static> {
        match self.elapsed_s {
            Some(seconds) if seconds > 0.0 => Value::Rate(f64::from(count) / seconds),
            _ => Value::None,
        }
    }
}

/// What tells a row from every other of its kind, in an order that never changes: breaks ties in sorting.
pub type Identity = (u128, u128, u64);

/// A kind of row that metrics are taken of.
pub trait Row: Sized + 'static {
    /// A borrowed row.
    type Ref<'a>: Copy;
    /// A function from a borrowed row to one of its figures.
    type Get: Copy + Send + Sync;

    /// The metrics of such a row.
    fn fields() -> &'static [Field<Self>];

    /// The figure that `get` takes from `row`.
    fn value<'a>(get: Self::Get, row: Self::Ref<'a>, context: &Context) -> Value<'a>;

    /// What tells `row` from every other.
    fn identity(row: Self::Ref<'_>) -> Identity;
}

/// Sockets: [`Owned`].
#[derive(Debug)]
pub struct SocketRows;

impl Row for SocketRows {
    type Ref<'a> = Owned<'a>;
    type Get = for<'a> fn(Owned<'a>, &Context) -> Value<'a>;

    fn fields() -> &'static [Field<Self>] {
        SOCKETS
    }

    fn value<'a>(get: Self::Get, row: Self::Ref<'a>, context: &Context) -> Value<'a> {
        get(row, context)
    }

    fn identity(row: Owned<'_>) -> Identity {
        (row.netns.into(), row.socket.row().cookie.into(), 0)
    }
}

impl Row for ProcessRow {
    type Ref<'a> = &'a ProcessRow;
    type Get = for<'a> fn(&'a ProcessRow, &Context) -> Value<'a>;

    fn fields() -> &'static [Field<Self>] {
        PROCESSES
    }

    fn value<'a>(get: Self::Get, row: Self::Ref<'a>, context: &Context) -> Value<'a> {
        get(row, context)
    }

    fn identity(row: &ProcessRow) -> Identity {
        let key = row.process.key;
        (key.pid.into(), key.start_ticks.into(), 0)
    }
}

impl Row for PeerRow {
    type Ref<'a> = &'a PeerRow;
    type Get = for<'a> fn(&'a PeerRow, &Context) -> Value<'a>;

    fn fields() -> &'static [Field<Self>] {
        PEERS
    }

    fn value<'a>(get: Self::Get, row: Self::Ref<'a>, context: &Context) -> Value<'a> {
        get(row, context)
    }

    fn identity(row: &PeerRow) -> Identity {
        (address_order(row.key.ip), 0, u64::from(row.key.port) << 1 | row.key.side as u64)
    }
}

impl Row for DestinationRow {
    type Ref<'a> = &'a DestinationRow;
    type Get = for<'a> fn(&'a DestinationRow, &Context) -> Value<'a>;

    fn fields() -> &'static [Field<Self>] {
        DESTINATIONS
    }

    fn value<'a>(get: Self::Get, row: Self::Ref<'a>, context: &Context) -> Value<'a> {
        get(row, context)
    }

    fn identity(row: &DestinationRow) -> Identity {
        (address_order(row.peer.ip), address_order(row.source), row.peer.port.into())
    }
}

impl Row for FailureRow {
    type Ref<'a> = &'a Self;
    type Get = for<'a> fn(&'a Self, &Context) -> Value<'a>;

    fn fields() -> &'static [Field<Self>] {
        FAILURES
    }

    fn value<'a>(get: Self::Get, row: Self::Ref<'a>, context: &Context) -> Value<'a> {
        get(row, context)
    }

    fn identity(row: &Self) -> Identity {
        let failure = &row.failure;
        let pid = failure.process.as_ref().map_or(0, |process| process.key.pid);
        let port = u64::from(pid) << 16 | u64::from(failure.peer.port);
        (address_order(failure.peer.ip), address_order(failure.source), port)
    }
}

impl Row for Finding {
    type Ref<'a> = &'a Self;
    type Get = for<'a> fn(&'a Self, &Context) -> Value<'a>;

    fn fields() -> &'static [Field<Self>] {
        FINDINGS
    }

    fn value<'a>(get: Self::Get, row: Self::Ref<'a>, context: &Context) -> Value<'a> {
        get(row, context)
    }

    fn identity(row: &Self) -> Identity {
        let subject = &row.subject;
        let pid = subject.processes.first().map_or(0, |process| process.key.pid);
        let who = u128::from(row.id as u8) << 64 | u128::from(pid);
        (who, subject.peer.map_or(0, address_order), subject.port.unwrap_or(0).into())
    }
}

/// An address as a number that sorts as people expect: IPv4 (in its mapped form) among IPv6.
#[must_use]
pub fn address_order(ip: IpAddr) -> u128 {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().to_bits(),
        IpAddr::V6(ip) => ip.to_bits(),
    }
}

/// To which edge of its column a figure is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Text.
    Left,
    /// Figures.
    Right,
}

/// One metric of rows of kind `R`.
pub struct Field<R: Row> {
    /// Its key in JSON, CSV, sorting and columns, such as `time_wait`.
    pub key: &'static str,
    /// The column's title, short.
    pub title: &'static str,
    /// Its unit, empty for none.
    pub unit: &'static str,
    /// What it means, in one sentence.
    pub doc: &'static str,
    /// How it is set in a column.
    pub align: Align,
    /// The width of its column that holds nearly every value, in terminal cells, title included.
    pub width: u16,
    /// Whether outputs for programs carry it. The others say again, in one column for people, what
    /// those say in parts.
    pub exported: bool,
    /// The function that takes the figure from a row, see [`Field::of`].
    pub get: R::Get,
}

impl<R: Row> Field<R> {
    /// The figure of `row`.
    pub fn of<'a>(&self, row: R::Ref<'a>, context: &Context) -> Value<'a> {
        R::value(self.get, row, context)
    }
}

impl<R: Row> std::fmt::Debug for Field<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Field").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The metric of rows of kind `R` with that key, if there is one.
#[must_use]
pub fn find<R: Row>(key: &str) -> Option<&'static Field<R>> {
    R::fields().iter().find(|field| field.key == key)
}

/// The key of the column that counts sockets in `state`, such as `time_wait`.
#[must_use]
pub const fn state_key(state: TcpState) -> &'static str {
    match state {
        TcpState::Established => "established",
        TcpState::SynSent => "syn_sent",
        TcpState::SynRecv => "syn_recv",
        TcpState::FinWait1 => "fin_wait1",
        TcpState::FinWait2 => "fin_wait2",
        TcpState::TimeWait => "time_wait",
        TcpState::Close => "close",
        TcpState::CloseWait => "close_wait",
        TcpState::LastAck => "last_ack",
        TcpState::Listen => "listen",
        TcpState::Closing => "closing",
        TcpState::BoundInactive => "bound_inactive",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn check<R: Row>() {
        let fields = R::fields();
        assert!(!fields.is_empty());
        let keys: BTreeSet<_> = fields.iter().map(|field| field.key).collect();
        assert_eq!(keys.len(), fields.len(), "a key occurs twice");
        for field in fields {
            let is_key = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(field.key.chars().all(is_key), "{}", field.key);
            assert!(field.doc.ends_with('.'), "{}: {}", field.key, field.doc);
            assert!(usize::from(field.width) >= field.title.len(), "{}", field.key);
        }
    }

    #[test]
    fn keys_are_unique_and_titles_fit_their_columns() {
        check::<SocketRows>();
        check::<ProcessRow>();
        check::<PeerRow>();
        check::<DestinationRow>();
        check::<Finding>();
        check::<CounterRow>();
        check::<SettingRow>();
        check::<LimitRow>();
        check::<FailureRow>();
    }

    #[test]
    fn every_state_has_its_column() {
        for state in TcpState::ALL {
            assert_eq!(state_key(state), state.name().to_lowercase());
            let process = find::<ProcessRow>(state_key(state)).expect("a column of processes");
            let peer = find::<PeerRow>(state_key(state)).expect("a column of peers");
            assert_eq!((process.key, peer.key), (state_key(state), state_key(state)));
        }
    }
}
