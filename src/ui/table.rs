//! One table widget for every list: columns chosen to the width, and only the visible rows built.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    Theme,
    columns::{Column, Shown, absent, fitting, title},
    scene::Data,
    text::{fit, fit_before, fit_figures, pad, width},
    update::window,
    view::Table,
};
use crate::{
    field::{self, Align, Context, Field, Value, format},
    model::{Endpoint, TcpState},
    query::Sort,
};

/// From so many percent of its ports on, a destination is about to be out of reach.
const NEARLY_ALL: f64 = 95.0;

/// What a table needs beside its rows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    /// How it is seen.
    pub(super) table: &'a Table,
    /// The columns it may have, in their order.
    pub(super) columns: &'a [Column],
    /// The order of the rows, for the mark in the title of a column.
    pub(super) sort: Option<Sort>,
    /// How many rows there are.
    pub(super) len: usize,
    /// Whether keys act on it.
    pub(super) focused: bool,
    /// The column of the scrollbar; the last of the area if `None`.
    pub(super) track: Option<u16>,
    /// Colours and glyphs.
    pub(super) theme: &'a Theme,
    /// What getters need.
    pub(super) context: &'a Context,
    /// What the rows are of.
    pub(super) data: Data<'a>,
}

/// Draws the titles of the columns and the rows that are in sight into `area`.
pub(super) fn draw<'r, R: Shown>(
    buffer: &mut Buffer,
    area: Rect,
    frame: &'r Frame<'r>,
    row: impl Fn(usize) -> Option<R::Ref<'r>>,
) {
    if area.height < 2 {
        return;
    }
    // Room for the scrollbar is kept whether it is needed or not: columns do not jump when rows come and go.
    let width = area.width.saturating_sub(u16::from(frame.track.is_none()));
    let columns = fitting(frame.columns, width, &absent(&frame.data));
    let height = usize::from(area.height) - 1;
    let first = window(frame.table.offset, frame.table.index, height, frame.len);
    let mut x = area.x;
    for (column, cells) in &columns {
        let Some(field) = field::find::<R>(column.key) else { continue };
        head(buffer, (x, area.y), title::<R>(column), *cells, field.align, frame, column.key);
        for line in 0..height.min(frame.len - first) {
            let Some(row) = row(first + line) else { break };
            let y = area.y + 1 + u16::try_from(line).unwrap_or(0);
            let (text, style) = cell(field, row, *cells, frame);
            buffer.set_stringn(x, y, text, usize::from(*cells), style);
        }
        x += cells + 1;
    }
    mark_selected(buffer, area, frame, first);
    let track =
        Rect { x: frame.track.unwrap_or(area.right() - 1), y: area.y + 1, width: 1, height: area.height - 1 };
    scrollbar(buffer, track, first, frame.len, frame.theme);
}

/// The title of a column, with a mark if the rows are sorted by it.
fn head(
    buffer: &mut Buffer,
    (x, y): (u16, u16),
    title: &str,
    cells: u16,
    align: Align,
    frame: &Frame<'_>,
    key: &str,
) {
    let sorted = frame.sort.filter(|sort| sort.key == key);
    let glyphs = frame.theme.glyphs;
    let mark = sorted.map_or("", |sort| if sort.descending { glyphs.descending } else { glyphs.ascending });
    let cells = usize::from(cells);
    let style = if sorted.is_some() { frame.theme.strong() } else { frame.theme.head() };
    let fits = width(title) + width(mark) <= cells;
    let text = if fits { format!("{title}{mark}") } else { title.to_owned() };
    buffer.set_stringn(x, y, pad(&text, cells, align == Align::Right), cells, style);
    if !fits && let Some(before) = x.checked_sub(1) {
        // A title that fills its column has the mark in the gap before it.
        buffer.set_stringn(before, y, mark.trim(), 1, style);
    }
}

/// The text of a cell, `cells` wide, and its style.
fn cell<'r, R: Shown>(
    field: &'static Field<R>,
    row: R::Ref<'r>,
    cells: u16,
    frame: &'r Frame<'r>,
) -> (String, Style) {
    let value = field.of(row, frame.context);
    let style = R::style(field.key, row, frame.theme);
    let style = style.unwrap_or_else(|| self::style(field.key, &value, frame.theme));
    let own = R::cell(field.key, row, frame, usize::from(cells));
    let text = own.unwrap_or_else(|| figure(&value, usize::from(cells), frame.theme));
    let text = whole(text, &value, usize::from(cells), frame.theme);
    (pad(&text, usize::from(cells), field.align == Align::Right), style)
}

/// The text of a cell, or what says that its figure has no room: of a figure a part is worse than nothing.
fn whole(text: String, value: &Value<'_>, cells: usize, theme: &Theme) -> String {
    if width(&text) <= cells {
        return text;
    }
    let ellipsis = theme.glyphs.ellipsis;
    match value {
        Value::Text(_) => fit_figures(&text, cells, ellipsis).into_owned(),
        _ => fit(ellipsis, cells, "").into_owned(),
    }
}

/// A value within `cells`: text and addresses are shortened, a figure never is. The column's title says "per
/// second" already.
fn figure(value: &Value<'_>, cells: usize, theme: &Theme) -> String {
    let ellipsis = theme.glyphs.ellipsis;
    match value {
        Value::None => theme.glyphs.none.to_owned(),
        Value::Text(text) => fit_figures(text, cells, ellipsis).into_owned(),
        Value::Address(ip) => fit(&ip.to_string(), cells, ellipsis).into_owned(),
        Value::State(_) | Value::Severity(_) => fit(&format::value(value), cells, ellipsis).into_owned(),
        Value::Endpoint(end) => endpoint(*end, cells, ellipsis),
        Value::Rate(_) => format::value(value).trim_end_matches("/s").to_owned(),
        Value::Seconds(_) | Value::Millis(_) => theme.duration(&format::value(value)),
        value => format::value(value).into_owned(),
    }
}

/// An address and port within `cells`: the address gives way, the port stays.
pub(super) fn endpoint(end: Endpoint, cells: usize, ellipsis: &str) -> String {
    let text = end.to_string();
    if width(&text) <= cells {
        return text;
    }
    let port = text.rfind(':').unwrap_or(text.len());
    let (address, port) = text.split_at(port);
    fit_before(address, port, cells, ellipsis).unwrap_or_default()
}

/// States have their colour, zeros and gaps step back.
fn style(key: &str, value: &Value<'_>, theme: &Theme) -> Style {
    match value {
        Value::None | Value::Count(0) => theme.dim(),
        Value::Rate(rate) if *rate <= 0.0 => theme.dim(),
        Value::Percent(share) if *share <= 0.0 => theme.dim(),
        Value::Percent(share) if key == "percent" && *share >= NEARLY_ALL => theme.alarm(),
        Value::Percent(share) if key == "percent" || key == "fd_percent" => theme.gauge(share / 100.0),
        Value::State(state) => theme.state(*state),
        Value::Severity(severity) => theme.severity(*severity),
        Value::Count(_) => {
            let state = TcpState::ALL.into_iter().find(|state| field::state_key(*state) == key);
            state.map_or(theme.text(), |state| theme.state(state))
        }
        _ => theme.text(),
    }
}

/// Shows the row that keys act on, if it is in sight.
fn mark_selected(buffer: &mut Buffer, area: Rect, frame: &Frame<'_>, first: usize) {
    let Some(line) = frame.table.index.checked_sub(first) else { return };
    let rows = usize::from(area.height) - 1;
    if !frame.focused || !frame.table.present || line >= rows || frame.table.index >= frame.len {
        return;
    }
    let y = area.y + 1 + u16::try_from(line).unwrap_or(0);
    frame.theme.select(buffer, Rect { y, height: 1, ..area });
}

/// A handle on a track that shows which part of `len` rows is in sight.
pub(super) fn scrollbar(buffer: &mut Buffer, track: Rect, first: usize, len: usize, theme: &Theme) {
    let height = usize::from(track.height);
    if height == 0 || len <= height {
        return;
    }
    let handle = (height * height / len).max(1);
    let start = first * (height - handle) / (len - height);
    for line in 0..height {
        let on = (start..start + handle).contains(&line);
        let glyph = theme.glyphs.scroll[usize::from(!on)];
        let style = if on { theme.head() } else { theme.dim() };
        let y = track.y + u16::try_from(line).unwrap_or(0);
        buffer.set_string(track.x, y, glyph, style);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ui::theme::Palette;

    /// Any figure, however large.
    fn figures() -> impl Strategy<Value = Value<'static>> {
        let size = prop_oneof![0.0..1e4, 0.0..1e12, any::<f64>().prop_map(f64::abs)];
        let whole = prop_oneof![0..100_000_u64, any::<u64>()];
        prop_oneof![
            whole.clone().prop_map(Value::Count),
            whole.clone().prop_map(Value::Id),
            whole.prop_map(Value::Bytes),
            size.clone().prop_map(Value::Rate),
            size.clone().prop_map(Value::Percent),
            size.clone().prop_map(Value::Seconds),
            size.prop_map(Value::Millis),
        ]
    }

    proptest! {
        #[test]
        fn no_part_of_a_figure_is_drawn(value in figures(), cells in 0..24_usize, ascii: bool) {
            let theme = Theme::new(Palette::Sixteen, ascii);
            let text = whole(figure(&value, cells, &theme), &value, cells, &theme);
            prop_assert!(width(&text) <= cells);
            let all = theme.duration(&format::value(&value));
            let all = if matches!(value, Value::Rate(_)) { all.trim_end_matches("/s") } else { &all };
            prop_assert!(text == all || text == theme.glyphs.ellipsis || text.is_empty(), "{text} of {all}");
        }

        #[test]
        fn a_column_of_figures_has_room_for_any(value in figures()) {
            let theme = Theme::new(Palette::Sixteen, true);
            let room = match value {
                Value::Count(_) | Value::Rate(_) => format::COUNT_WIDTH,
                Value::Percent(_) => format::PERCENT_WIDTH,
                Value::Bytes(_) => format::BYTES_WIDTH,
                Value::Seconds(_) | Value::Millis(_) => format::SECONDS_WIDTH,
                // A name of 64 bits is as long as it is.
                _ => 20,
            };
            let text = whole(figure(&value, room, &theme), &value, room, &theme);
            prop_assert!(text != theme.glyphs.ellipsis, "{value:?}");
        }
    }

    #[test]
    fn a_destination_that_is_nearly_out_of_ports_is_an_alarm() {
        let theme = Theme::new(Palette::Sixteen, false);
        let at = |percent| style("percent", &Value::Percent(percent), &theme);
        assert_eq!(at(95.0), theme.alarm());
        assert_ne!(at(94.9), theme.alarm());
        assert_ne!(style("share", &Value::Percent(100.0), &theme), theme.alarm());
    }
}
