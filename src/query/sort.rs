//! Sorting by any metric, the same every time.

use std::{borrow::Cow, cmp::Ordering, ops::Range};

use crate::{
    field::{self, Context, Field, Identity, Row, SocketRows, Value, address_order},
    store::Moment,
};

/// By which metric rows are sorted. Rows that are equal in it go by identity, and rows in which it is
/// not known come last, whichever way the rest goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sort {
    /// The key of a [`Field`] of the rows; rows without such a field go by identity alone.
    pub key: &'static str,
    /// Greatest first.
    pub descending: bool,
}

/// Sorts rows of any kind: `sort::<ProcessRow>(&mut rows, &context, by)`.
pub fn sort<'a, R: Row>(rows: &mut [R::Ref<'a>], context: &Context, by: Sort) {
    let field = field::find::<R>(by.key);
    let mut keyed: Vec<(Keyed<'a>, R::Ref<'a>)> =
        rows.iter().map(|&row| (key(field, row, context), row)).collect();
    keyed.sort_unstable_by(|a, b| by.compare(&a.0, &b.0));
    let sorted: Vec<_> = keyed.into_iter().map(|(_, row)| row).collect();
    rows.copy_from_slice(&sorted);
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
    let mut keyed: Vec<_> = rows
        .iter()
        .map(|&row| (moment.get(row as usize).map(|socket| key(field, socket, &context)), row))
        .collect();
    let compare = |a: &(Option<Keyed<'_>>, u32), b: &(Option<Keyed<'_>>, u32)| match (&a.0, &b.0) {
        (Some(a), Some(b)) => by.compare(a, b),
        (a, b) => b.is_some().cmp(&a.is_some()),
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

type Keyed<'a> = (Order<'a>, Identity);

fn key<'a, R: Row>(field: Option<&Field<R>>, row: R::Ref<'a>, context: &Context) -> Keyed<'a> {
    let value = field.map_or(Value::None, |field| field.of(row, context));
    (Order::of(value), R::identity(row))
}

impl Sort {
    fn compare(self, a: &Keyed<'_>, b: &Keyed<'_>) -> Ordering {
        let by_value = match (&a.0, &b.0) {
            (Order::Unknown, Order::Unknown) => Ordering::Equal,
            (Order::Unknown, _) => Ordering::Greater,
            (_, Order::Unknown) => Ordering::Less,
            (a, b) if self.descending => b.compare(a),
            (a, b) => a.compare(b),
        };
        by_value.then_with(|| a.1.cmp(&b.1))
    }
}

/// A value in the form that it is compared in. All values of a field take the same form.
#[derive(Debug)]
enum Order<'a> {
    Number(f64),
    Whole(u64),
    Place(u128, u16),
    Text(Cow<'a, str>),
    Unknown,
}

impl<'a> Order<'a> {
    fn of(value: Value<'a>) -> Self {
        match value {
            Value::None => Self::Unknown,
            Value::Text(text) => Self::Text(text),
            Value::State(state) => Self::Whole(state.number().into()),
            Value::Address(ip) => Self::Place(address_order(ip), 0),
            Value::Endpoint(end) => Self::Place(address_order(end.ip), end.port),
            Value::Time(at) => Self::Number(at.as_duration().as_secs_f64()),
            Value::Count(n) | Value::Id(n) | Value::Bytes(n) => Self::Whole(n),
            Value::Rate(n) | Value::Percent(n) | Value::Seconds(n) | Value::Millis(n) => Self::Number(n),
            Value::Bool(yes) => Self::Whole(yes.into()),
        }
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Whole(a), Self::Whole(b)) => a.cmp(b),
            (Self::Place(a, m), Self::Place(b, n)) => (a, m).cmp(&(b, n)),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }
    }
}
