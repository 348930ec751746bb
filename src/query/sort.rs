//! Sorting by any metric, the same every time.

use std::{borrow::Cow, cmp::Ordering, net::IpAddr, ops::Range};

use crate::{
    field::{self, Context, Row, SocketRows, Value, address_order},
    store::Moment,
};

/// By which metric rows are sorted. Rows that are equal in it go by identity, and rows in which it is
/// not known come last, whichever way the rest goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// The key of a [`field::Field`] of the rows; rows without such a field go by identity alone.
    pub key: &'static str,
    /// Greatest first.
    pub descending: bool,
}

/// Sorts rows of any kind: `sort::<ProcessRow>(&mut rows, &context, by)`.
pub fn sort<'a, R: Row>(rows: &mut [R::Ref<'a>], context: &Context, by: Sort) {
    let field = field::find::<R>(by.key);
    let order = |row| field.map_or(Order::Unknown, |field| Order::of(field.of(row, context)));
    let mut keyed: Vec<(Order<'a>, R::Ref<'a>)> = rows.iter().map(|&row| (order(row), row)).collect();
    keyed.sort_unstable_by(|a, b| {
        by.compare(&a.0, &b.0).then_with(|| R::identity(a.1).cmp(&R::identity(b.1)))
    });
    for (row, (_, sorted)) in rows.iter_mut().zip(keyed) {
        *row = sorted;
    }
}

/// Sorts indices of sockets of `moment`. An index that is out of range comes last.
pub fn sort_rows(moment: &Moment, rows: &mut [u32], by: Sort) {
    let all = 0..rows.len();
    sort_window(moment, rows, by, all);
}

/// Puts those indices into their places that belong at `window` in the sorted order, and no others:
/// much cheaper than [`sort_rows`] when a screenful of a million is wanted.
pub fn sort_window(moment: &Moment, rows: &mut [u32], by: Sort, window: Range<usize>) {
    let context = Context::default();
    let field = field::find::<SocketRows>(by.key);
    let order = |&row: &u32| {
        let socket = field.zip(moment.get(row as usize));
        (socket.map_or(Order::Unknown, |(field, socket)| Order::of(field.of(socket, &context))), row)
    };
    let mut keyed: Vec<(Order<'_>, u32)> = rows.iter().map(order).collect();
    // Within a moment the cookie is the identity; looked up only where it decides.
    let sockets = moment.sample.sockets.rows();
    let identity = |row: u32| match sockets.get(row as usize) {
        Some(socket) => (false, socket.cookie),
        None => (true, row.into()),
    };
    let compare = |a: &(Order<'_>, u32), b: &(Order<'_>, u32)| {
        by.compare(&a.0, &b.0).then_with(|| identity(a.1).cmp(&identity(b.1)))
    };
    let end = window.end.min(keyed.len());
    let start = window.start.min(end);
    if end < keyed.len() && end > 0 {
        keyed.select_nth_unstable_by(end - 1, compare);
    }
    if start > 0 && start < end {
        keyed[..end].select_nth_unstable_by(start, compare);
    }
    keyed[start..end].sort_unstable_by(compare);
    for (row, (_, sorted)) in rows.iter_mut().zip(keyed) {
        *row = sorted;
    }
}

impl Sort {
    fn compare(self, a: &Order<'_>, b: &Order<'_>) -> Ordering {
        match (a, b) {
            (Order::Unknown, Order::Unknown) => Ordering::Equal,
            (Order::Unknown, _) => Ordering::Greater,
            (_, Order::Unknown) => Ordering::Less,
            (a, b) if self.descending => b.compare(a),
            (a, b) => a.compare(b),
        }
    }
}

/// A value in the form that it is compared in. All values of a field take the same form.
#[derive(Debug)]
enum Order<'a> {
    Number(f64),
    Whole(u64),
    Signed(i64),
    /// The halves of an address, and a port: 64 bits at a time keep this small.
    Place(u64, u64, u16),
    Text(Cow<'a, str>),
    Unknown,
}

impl<'a> Order<'a> {
    fn of(value: Value<'a>) -> Self {
        match value {
            Value::None => Self::Unknown,
            Value::Text(text) => Self::Text(text),
            Value::State(state) => Self::Whole(state.number().into()),
            Value::Severity(severity) => Self::Whole(severity as u64),
            Value::Address(ip) => Self::place(ip, 0),
            Value::Endpoint(end) => Self::place(end.ip, end.port),
            Value::Time(at) => Self::Number(at.as_duration().as_secs_f64()),
            Value::Count(n) | Value::Id(n) | Value::Bytes(n) => Self::Whole(n),
            Value::Rate(n) | Value::Percent(n) | Value::Seconds(n) | Value::Millis(n) => Self::Number(n),
            Value::Bool(yes) => Self::Whole(yes.into()),
            Value::Change(change) => Self::Signed(change.by()),
        }
    }

    fn place(ip: IpAddr, port: u16) -> Self {
        let bits = address_order(ip);
        let low = u64::try_from(bits & u128::from(u64::MAX)).expect("masked");
        Self::Place(u64::try_from(bits >> 64).expect("shifted"), low, port)
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Whole(a), Self::Whole(b)) => a.cmp(b),
            (Self::Signed(a), Self::Signed(b)) => a.cmp(b),
            (Self::Place(high, low, port), Self::Place(its_high, its_low, its_port)) => {
                (high, low, port).cmp(&(its_high, its_low, its_port))
            }
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_socket_is_sorted_by_is_compact() {
        assert!(size_of::<(Order<'_>, u32)>() <= 40);
    }
}
