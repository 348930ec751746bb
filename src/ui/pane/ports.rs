//! Local ports: how near the worst destination is to having none left, the whole range, and every destination.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::Context;
use crate::{
    field::{self, format},
    store::{DestinationPorts, DestinationRow, Forecast, PortRange},
    ui::{
        Theme, columns,
        layout::{self, Chrome},
        pen::{Pen, bar},
        select,
        table::{self, Frame, endpoint},
        text::{pad, width},
        view::{Pane, Screen},
    },
};

/// Where all is on one line: the least width of the gauge, and the widths of its figures and of the forecast.
const LINE_GAUGE: u16 = 4;
const LINE_FIGURES: u16 = 20;
const LINE_OUTLOOK: usize = 14;
/// Said of a destination that `connect()` has to search a port for.
const SLOW: &str = "connect() slow";
/// Said where the whole range is shown, whatever the filter keeps.
const UNFILTERED: &str = "unfiltered";

pub(super) fn draw(buffer: &mut Buffer, context: &Context<'_>) {
    if context.chrome == Chrome::Bare {
        return line(buffer, context);
    }
    let theme = context.theme();
    let aggregate = &context.data.selection.aggregate;
    let range = PortRange::from_sysctls(&context.data.moment.sample.sysctls);
    let in_use = format::grouped(context.data.moment.totals.ports_in_use.into());
    let fact = match &range {
        Some(range) => format!("{in_use} of {}", format::grouped(range.usable.into())),
        None => format!("{in_use} in use"),
    };
    let mut facts = vec![(fact, theme.text())];
    if context.data.is_filtered() {
        facts.push((UNFILTERED.to_owned(), theme.warning()));
    }
    facts.extend(context.since());
    let inner = context.frame(buffer, "Ports", &facts);
    let head = layout::ports_head(inner);
    let rows = &aggregate.destinations;
    summary(buffer, context, inner, range.as_ref());
    let area = Rect { y: inner.y + head, height: inner.height.saturating_sub(head), ..inner };
    if rows.is_empty() {
        Pen::new(buffer, area, 0).put_cut(nothing(context), theme.dim(), theme);
        return;
    }
    let fields = select::context(context.data.moment, aggregate);
    let frame = Frame {
        table: context.table(),
        columns: context.scene.view.settings.columns(context.pane),
        sort: context.sort().or(columns::default_mark(context.pane)),
        len: rows.len(),
        focused: context.focused(),
        track: context.track(),
        theme,
        context: &fields,
        data: context.data,
    };
    table::draw::<DestinationRow>(buffer, area, &frame, |index| rows.get(index));
}

/// Why there is no destination.
pub(super) fn nothing(context: &Context<'_>) -> &'static str {
    match context.scene.view.page().screen.subject() {
        _ if context.pane == Pane::Destinations && context.only_changed() => "Nothing changed.",
        Screen::Peer(_) => "No port is taken towards it.",
        _ if context.data.is_filtered() => "None of what the filter keeps takes a port.",
        Screen::Process(_) => "None of its connections takes a port.",
        _ => "No destination takes a port.",
    }
}

/// All of it on one line: the worst destination, or the one that was chosen, its gauge, what is left and the forecast.
fn line(buffer: &mut Buffer, context: &Context<'_>) {
    let theme = context.theme();
    let table = context.table();
    let rows = &context.data.selection.aggregate.destinations;
    let chosen = rows.get(table.index).filter(|_| table.held);
    let chosen = chosen.and_then(|row| Some((row, row.ports?))).or_else(|| worst(context));
    let area = Rect { height: 1, ..context.area };
    let mut pen = Pen::new(buffer, area, 0);
    pen.put("Ports ", theme.strong());
    let Some((row, ports)) = chosen else {
        if context.data.is_filtered() {
            pen.put(UNFILTERED, theme.warning());
            pen.skip(1);
        }
        let rest = pen.take(area.width);
        let range = PortRange::from_sysctls(&context.data.moment.sample.sysctls);
        return gauge(buffer, context, rest, range.as_ref());
    };
    let outlook = Outlook::of(context, row, &ports);
    let most = pen.room().saturating_sub(LINE_FIGURES + LINE_GAUGE + 2);
    let (name, words) = outlook.within(row, most.into(), theme);
    pen.put(&name, theme.head());
    pen.skip(1);
    // Room for most of what can be said: the gauge keeps its length.
    let said = u16::try_from(outlook.width(&words)).unwrap_or(u16::MAX) + 2;
    let room = pen.room().saturating_sub(said);
    let bar = pen.take(room);
    worst_gauge(pen.buffer(), context, bar, &ports);
    pen.skip(2);
    pen.put(&words, outlook.style);
    if context.focused() && table.present {
        theme.select(buffer, area);
    }
}

/// The lines above the table: the worst destination first; where there is none, the range of all.
fn summary(buffer: &mut Buffer, context: &Context<'_>, inner: Rect, range: Option<&PortRange>) {
    let two_lines = layout::ports_head(inner) > 1;
    let mut rest = inner;
    if let Some((row, ports)) = worst(context) {
        worst_gauge(buffer, context, inner, &ports);
        if two_lines {
            let end = outlook(buffer, context, inner, (row, &ports));
            rest = Rect { x: inner.x + end, width: inner.width.saturating_sub(end), ..inner };
        }
    } else {
        gauge(buffer, context, inner, range);
    }
    if two_lines {
        limits(buffer, context, rest, range);
    }
}

/// The destination with the fewest ports left.
pub(super) fn worst<'a>(context: &Context<'a>) -> Option<(&'a DestinationRow, DestinationPorts)> {
    let rows = context.data.selection.aggregate.destinations.iter();
    let known = rows.filter_map(|row| Some((row, row.ports?)));
    known.min_by_key(|(_, ports)| ports.left.max)
}

/// How much of the range is in use, by any socket towards anyone, whatever the filter keeps.
fn gauge(buffer: &mut Buffer, context: &Context<'_>, inner: Rect, range: Option<&PortRange>) {
    let theme = context.theme();
    let in_use = context.data.moment.totals.ports_in_use;
    let Some(usable) = range.map(|range| range.usable).filter(|usable| *usable > 0) else {
        let mut pen = Pen::new(buffer, inner, 0);
        pen.put_cut("The range of ports is not known.", theme.dim(), theme);
        return;
    };
    let left = format::grouped(usable.saturating_sub(in_use).into());
    let percent = f64::from(in_use) * 100.0 / f64::from(usable);
    bar_of(buffer, context, inner, (percent, usable, &left));
}

/// How much of the range the worst destination cannot have any more.
fn worst_gauge(buffer: &mut Buffer, context: &Context<'_>, inner: Rect, ports: &DestinationPorts) {
    let (left, at_most) = field::ports::left_figure(ports);
    let at_most = if at_most { context.theme().glyphs.at_most } else { "" };
    let left = format!("{at_most}{}", format::grouped(left.into()));
    bar_of(buffer, context, inner, (ports.percent().unwrap_or(100.0), ports.usable, &left));
}

/// A bar, its figure, and what is left of `usable` ports.
fn bar_of(
    buffer: &mut Buffer,
    context: &Context<'_>,
    inner: Rect,
    (percent, usable, left): (f64, u32, &str),
) {
    let theme = context.theme();
    let mut pen = Pen::new(buffer, inner, 0);
    let left = format!("{left} left");
    // As wide as it gets: the gauge keeps its length.
    let room = format::grouped(usable.into()).len() + " left".len();
    let room = room.max(width(&left));
    let length = pen.room().saturating_sub(7 + u16::try_from(room).unwrap_or(0) + 1);
    let area = pen.take(length);
    let share = percent / 100.0;
    bar(pen.buffer(), area, share, theme.gauge(share), theme);
    pen.skip(1);
    pen.put(&format!("{:>5} ", format::percent(percent)), theme.strong());
    pen.put(&format!(" {}", pad(&left, room, true)), theme.strong());
}

/// Which destination is the worst, and what becomes of it; returns how many cells that takes, and a gap.
fn outlook(
    buffer: &mut Buffer,
    context: &Context<'_>,
    inner: Rect,
    (row, ports): (&DestinationRow, &DestinationPorts),
) -> u16 {
    let theme = context.theme();
    let mut pen = Pen::new(buffer, inner, 1);
    let outlook = Outlook::of(context, row, ports);
    let (name, words) = outlook.within(row, pen.room().into(), theme);
    pen.put(&name, theme.head());
    pen.skip(1);
    pen.put(&words, outlook.style);
    inner.width - pen.room() + 3
}

/// What becomes of a destination, and whether it is slow to reach.
struct Outlook {
    forecast: String,
    is_slow: bool,
    style: Style,
}

impl Outlook {
    fn of(context: &Context<'_>, row: &DestinationRow, ports: &DestinationPorts) -> Self {
        let theme = context.theme();
        let is_full = matches!(row.forecast, Some(Forecast::Full { .. }));
        let forecast = field::ports::forecast(row).unwrap_or_default();
        let is_slow = ports.crowded && ports.blocked > 0;
        let style = if is_full || is_slow { theme.gauge(1.0) } else { theme.text() };
        Self { forecast, is_slow, style }
    }

    /// The name of the destination and the words about it within `cells`. Words without a name say nothing: they are
    /// shortened first, then the address.
    fn within(&self, row: &DestinationRow, cells: usize, theme: &Theme) -> (String, String) {
        let whole = width(&row.peer.to_string());
        let least = whole.min(width(theme.glyphs.ellipsis) + 1 + row.peer.port.to_string().len());
        let said = self.said();
        let fits = |name: usize| said.iter().find(|words| name + 1 + self.width(words) <= cells);
        // Rather the whole name than all of the words, but the forecast before a whole name.
        let with_all = fits(whole).filter(|words| words.contains(&self.forecast));
        let words = with_all.or_else(|| fits(least)).cloned().unwrap_or_default();
        let room = if words.is_empty() { cells } else { cells - 1 - self.width(&words) };
        (endpoint(row.peer, room, theme.glyphs.ellipsis), words)
    }

    /// What can be said, the most first.
    fn said(&self) -> Vec<String> {
        match (self.forecast.as_str(), self.is_slow) {
            ("", false) => vec![],
            ("", true) => vec![SLOW.to_owned(), "slow".to_owned()],
            (forecast, false) => vec![forecast.to_owned()],
            (forecast, true) => {
                vec![format!("{forecast}, {SLOW}"), format!("{forecast}, slow"), "slow".to_owned()]
            }
        }
    }

    /// The room for some of the words: as much as for most forecasts, so that a name does not come and go with them.
    fn width(&self, words: &str) -> usize {
        let forecast = width(&self.forecast);
        let spare = LINE_OUTLOOK.saturating_sub(forecast);
        width(words) + if forecast > 0 && words.starts_with(&self.forecast) { spare } else { 0 }
    }
}

/// The range, and what is taken out of it.
fn limits(buffer: &mut Buffer, context: &Context<'_>, inner: Rect, range: Option<&PortRange>) {
    let theme = context.theme();
    let Some(range) = range else { return };
    let ends = format!("range {}{}{}", range.low, theme.glyphs.dash, range.high);
    let text = match range.reserved {
        0 => ends,
        reserved => format!("{ends}, {} reserved", format::grouped(reserved.into())),
    };
    let mut pen = Pen::new(buffer, inner, 1);
    if width(&text) <= usize::from(pen.room()) {
        pen.put(&text, theme.head());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::Endpoint, ui::theme::Palette};

    #[test]
    fn words_without_a_destination_are_not_said() {
        let theme = Theme::new(Palette::Sixteen, false);
        let ip = std::net::Ipv4Addr::LOCALHOST.into();
        let row = DestinationRow {
            source: ip,
            peer: Endpoint::new(ip, 5432),
            taken: 0,
            time_wait: 0,
            opened: 0,
            closed: 0,
            ports: None,
            forecast: None,
            change: None,
        };
        let said = |forecast: &str, is_slow, cells| {
            let outlook = Outlook { forecast: forecast.to_owned(), is_slow, style: Style::new() };
            let (name, words) = outlook.within(&row, cells, &theme);
            let gap = usize::from(!words.is_empty());
            assert!(width(&name) + gap + width(&words) <= cells, "{cells}: {name} {words}");
            assert!(name.ends_with(":5432") || cells < 8, "{cells}: {name}, {words}");
            format!("{name} {words}")
        };
        let settles = "settles at 73%";
        assert_eq!(said(settles, true, 45), "127.0.0.1:5432 settles at 73%, connect() slow");
        assert_eq!(said(settles, true, 44), "127.0.0.1:5432 settles at 73%, slow");
        assert_eq!(said(settles, true, 34), "127.0.0…:5432 settles at 73%, slow");
        assert_eq!(said(settles, true, 22), "127.0.0.1:5432 slow");
        assert_eq!(said(settles, false, 22), "1…:5432 settles at 73%");
        // A shorter forecast makes no room for others.
        assert_eq!(said("steady", true, 44), "127.0.0.1:5432 steady, slow");
        for cells in 8..60 {
            for (forecast, is_slow) in [("full in 41s", true), ("", true), (settles, true), (settles, false)]
            {
                said(forecast, is_slow, cells);
            }
        }
    }
}
