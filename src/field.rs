//! The table of metrics: for every figure its name, title, unit, meaning and getter.
//! Columns, sort keys, JSON and CSV keys and metric names all come from here.

use std::borrow::Cow;

use crate::{
    model::TcpState,
    store::{DestinationRow, Owned, PeerRow, ProcessRow},
};

/// A figure of a row, not yet formatted.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// Not known.
    None,
    /// Text, possibly hostile: pass it through [`crate::model::text::printable`] before showing it.
    Text(Cow<'a, str>),
    /// A state.
    State(TcpState),
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

/// A kind of row that metrics are taken of.
pub trait Row {
    /// A borrowed row.
    type Ref<'a>: Copy;
}

/// Sockets: [`Owned`].
#[derive(Debug)]
pub struct SocketRows;
impl Row for SocketRows {
    type Ref<'a> = Owned<'a>;
}

impl Row for ProcessRow {
    type Ref<'a> = &'a ProcessRow;
}

impl Row for PeerRow {
    type Ref<'a> = &'a PeerRow;
}

impl Row for DestinationRow {
    type Ref<'a> = &'a DestinationRow;
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
    /// The figure.
    pub get: for<'a> fn(&'a R::Ref<'a>, &Context) -> Value<'a>,
}

/// The metrics of a socket.
pub static SOCKETS: &[Field<SocketRows>] = &[];
/// The metrics of a process.
pub static PROCESSES: &[Field<ProcessRow>] = &[];
/// The metrics of a peer.
pub static PEERS: &[Field<PeerRow>] = &[];
/// The metrics of a destination.
pub static DESTINATIONS: &[Field<DestinationRow>] = &[];
