//! One row a socket, or of another kind one row of a table. An empty cell is a figure that is not known.
//!
//! The columns are the exported [`crate::field::SOCKETS`] in their order; a list of owners is joined by `|`. Text is
//! made printable, and text that a spreadsheet would take for a formula gets an apostrophe in front.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use super::Options;
use crate::{
    field::{Context, Field, Row, SocketRows, Value, format::time},
    model::text::printable,
    store::Observation,
};

pub(super) fn write(observation: &Observation, options: &Options<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut matcher = options.query.matcher();
    let sockets = observation.moment.iter().filter(|socket| matcher.matches(socket));
    write_rows::<SocketRows>(sockets, &Context::default(), out)
}

/// Writes rows of one kind under the keys of their exported metrics.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_rows<'a, R: Row>(
    rows: impl Iterator<Item = R::Ref<'a>>,
    context: &Context,
    out: &mut dyn Write,
) -> io::Result<()> {
    let fields: Vec<&Field<R>> = R::fields().iter().filter(|field| field.exported).collect();
    let titles: Vec<&str> = fields.iter().map(|field| field.key).collect();
    write_values(&titles, rows.map(|row| fields.iter().map(move |field| field.of(row, context))), out)
}

/// Writes rows of values under their titles.
///
/// # Errors
/// Whatever `out` fails with.
pub fn write_values<'a, V: IntoIterator<Item = Value<'a>>>(
    titles: &[&str],
    rows: impl Iterator<Item = V>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut csv = ::csv::Writer::from_writer(out);
    csv.write_record(titles).map_err(unwrapped)?;
    for row in rows {
        for value in row {
            csv.write_field(&*cell(value)).map_err(unwrapped)?;
        }
        csv.write_record(None::<&[u8]>).map_err(unwrapped)?;
    }
    csv.flush()
}

/// What the writer below failed with, as it was: a pipe that broke must be told from other errors.
fn unwrapped(error: ::csv::Error) -> io::Error {
    if !error.is_io_error() {
        return io::Error::other(error);
    }
    match error.into_kind() {
        ::csv::ErrorKind::Io(error) => error,
        kind => io::Error::other(format!("{kind:?}")),
    }
}

/// A value as programs read it.
fn cell(value: Value<'_>) -> Cow<'_, str> {
    Cow::Owned(match value {
        Value::None => return Cow::Borrowed(""),
        Value::State(state) => return Cow::Borrowed(state.name()),
        Value::Severity(severity) => return Cow::Borrowed(severity.name()),
        Value::Text(text) => return defused(text),
        Value::Address(ip) => ip.to_string(),
        Value::Endpoint(end) => end.to_string(),
        Value::Time(at) => time(at),
        Value::Count(n) | Value::Id(n) | Value::Bytes(n) => n.to_string(),
        Value::Rate(n) | Value::Percent(n) | Value::Seconds(n) | Value::Millis(n) => n.to_string(),
        Value::Bool(yes) => yes.to_string(),
        Value::Change(change) => change.by().to_string(),
    })
}

/// Text without control characters, each part of which is no formula.
fn defused(text: Cow<'_, str>) -> Cow<'_, str> {
    let is_formula = |part: &str| part.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r']);
    if matches!(printable(&text), Cow::Borrowed(_)) && !text.split('|').any(is_formula) {
        return text;
    }
    let safe = printable(&text);
    let defuse = |part: &str| if is_formula(part) { format!("'{part}") } else { part.to_owned() };
    Cow::Owned(safe.split('|').map(defuse).collect::<Vec<_>>().join("|"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_defused_in_every_part() {
        let cells = ["nginx", "=1+1", "a|=1|-2", "\t=1", "@x", "＝1", ""];
        let safe = cells.map(|text| defused(Cow::Borrowed(text)).into_owned());
        assert_eq!(safe, ["nginx", "'=1+1", "a|'=1|'-2", "\\t=1", "'@x", "'＝1", ""]);
    }
}
