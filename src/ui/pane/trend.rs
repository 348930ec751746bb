//! The states over time, stacked: what piles up lies on top of what is as ever.

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{Context, Went, states};
use crate::{
    model::TcpState,
    ui::{
        Theme,
        chart::{Axes, Ink, Raster, Span, round_top},
        pen::{Pen, top},
        text::pad,
    },
};

/// From this width on the legend stands beside the chart, one line a state.
const BESIDE: u16 = 64;
/// From this width on the legend tells how fast a state changes.
const CHANGES: u16 = 84;
/// Widths of the legend's parts.
const NAME: usize = 11;
const COUNT: usize = 8;
const CHANGE: usize = 9;

/// One state's curve.
struct Band {
    state: TcpState,
    values: Vec<Option<f32>>,
}

pub(super) fn draw(buffer: &mut Buffer, context: &Context<'_>) {
    let theme = context.theme();
    let inner = context.frame(buffer, "States over time", &states::facts(context));
    let Some(went) = context.activity().filter(|_| inner.height > 1) else { return };
    let Went { activity, behind, marked } = went;
    let beside = inner.width >= BESIDE;
    let legend = match inner.width {
        CHANGES.. => NAME + COUNT + CHANGE + 4,
        BESIDE.. => NAME + COUNT + 4,
        _ => 0,
    };
    let legend = u16::try_from(legend).unwrap_or(0);
    let line = u16::from(!beside);
    let area = Rect { y: inner.y + line, width: inner.width - legend, height: inner.height - line, ..inner };
    let axes = Axes::of(area);
    let mut raster = Raster::new(axes.plot, theme);
    let span = Span::of(context.known(activity.opened.len(), behind), raster.width());
    let bands = bands(context, went, span);
    let most = round_top(highest(&bands).into(), 4.0);
    stack(&mut raster, &bands, most, theme);
    axes.scale(buffer, &axes.figures(most), theme);
    raster.draw(buffer);
    let shown = context.spanned(span, &activity.opened, behind);
    let mark = marked.and_then(|behind| span.back(&shown, behind));
    context.times(buffer, &axes, (span, &raster), (shown.cursor, mark));
    let bands = listed(bands);
    let place = Rect { x: area.right() + 1, width: legend.saturating_sub(1), ..area };
    if beside {
        list(buffer, context, place, &bands);
    } else {
        row(buffer, context, inner, &bands);
    }
}

/// The states that had anything in the time shown, the worst first. What waits for connections is none of them.
fn bands(context: &Context<'_>, went: Went<'_>, span: Span) -> Vec<Band> {
    let connections = TcpState::ALL.into_iter().filter(|state| state.is_connection());
    let Went { activity, behind, .. } = went;
    let band = |state| {
        let values = context.spanned(span, activity.state(state)?, behind).values;
        values.iter().flatten().any(|value| *value > 0.0).then_some(Band { state, values })
    };
    connections.filter_map(band).collect()
}

/// The bands that the legend names, in their order: what was never a hundredth of the whole comes and goes, and cannot be
/// seen in the chart, but for states in which any at all are news.
fn listed(bands: Vec<Band>) -> Vec<Band> {
    let least = highest(&bands) / 100.0;
    let news = |state| matches!(state, TcpState::CloseWait | TcpState::SynSent);
    bands.into_iter().filter(|band| news(band.state) || top(&band.values) >= least).collect()
}

/// The most sockets that there were at once.
fn highest(bands: &[Band]) -> f32 {
    let columns = bands.iter().map(|band| band.values.len()).max().unwrap_or(0);
    (0..columns).filter_map(|back| total(bands, back)).fold(0.0, f32::max)
}

/// All of a column, counted back from the newest; `None` where nothing is known.
fn total(bands: &[Band], back: usize) -> Option<f32> {
    bands.iter().filter_map(|band| value(band, back)).reduce(|sum, value| sum + value)
}

fn value(band: &Band, back: usize) -> Option<f32> {
    band.values.len().checked_sub(back + 1).and_then(|index| band.values[index])
}

fn stack(raster: &mut Raster<'_>, bands: &[Band], top: f64, theme: &Theme) {
    let inks: Vec<u8> = bands.iter().map(|band| raster.ink(ink(band.state, theme))).collect();
    let none = raster.colour(theme.dim());
    let width = raster.width();
    for back in 0..width {
        let x = width - 1 - back;
        let Some(total) = total(bands, back) else { continue };
        if total <= 0.0 {
            raster.point(x, 0, none);
            continue;
        }
        // From the calm at the bottom to the worst at the top; each ends where it does, however thin those below are.
        let (mut sum, mut from) = (0.0, 0);
        for (band, &ink) in bands.iter().zip(&inks).rev() {
            sum += value(band, back).unwrap_or(0.0);
            let to = raster.dots_of(f64::from(sum) / top);
            raster.fill(x, from, to, ink);
            from = to;
        }
    }
}

fn ink(state: TcpState, theme: &Theme) -> Ink {
    let letter = (!theme.has_colour() || !theme.glyphs.braille).then(|| letter(state));
    Ink { style: theme.state(state), letter }
}

/// What stands for a state where colours do not tell.
const fn letter(state: TcpState) -> &'static str {
    match state {
        TcpState::TimeWait => "T",
        TcpState::CloseWait => "C",
        TcpState::Established => "E",
        TcpState::SynSent => "S",
        TcpState::SynRecv => "R",
        TcpState::FinWait1 => "1",
        TcpState::FinWait2 => "2",
        TcpState::LastAck => "L",
        TcpState::Closing => "X",
        TcpState::Listen | TcpState::BoundInactive | TcpState::Close => ".",
    }
}

/// What stands before a state's name: a patch of what its band is made of.
fn patch(state: TcpState, theme: &Theme) -> (String, Style) {
    let ink = ink(state, theme);
    (format!("{} ", ink.letter.unwrap_or(theme.glyphs.bar)), ink.style)
}

/// The legend, one line a state in the order of the bands.
fn list(buffer: &mut Buffer, context: &Context<'_>, area: Rect, bands: &[Band]) {
    let theme = context.theme();
    for (line, band) in (0..area.height).zip(bands) {
        let (count, change) = states::in_figures(context, band.state);
        let mut pen = Pen::new(buffer, area, line);
        let (text, style) = patch(band.state, theme);
        pen.put(&text, style);
        pen.put(&pad(band.state.name(), NAME, false), style);
        pen.put(&pad(&count, COUNT, true), theme.strong());
        pen.put(&pad(&change, CHANGE, true), theme.head());
    }
}

/// The legend on one line: as many states as there is room for, the worst first.
fn row(buffer: &mut Buffer, context: &Context<'_>, area: Rect, bands: &[Band]) {
    let theme = context.theme();
    let pieces: Vec<(String, Style)> = bands
        .iter()
        .map(|band| {
            let (text, style) = patch(band.state, theme);
            let (count, _) = states::in_figures(context, band.state);
            (format!("{text}{} {count}  ", band.state.name()), style)
        })
        .collect();
    Pen::new(buffer, area, 0).put_pieces(&pieces, theme);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_legend_names_what_is_seen_and_what_is_news() {
        let band = |state, value| Band { state, values: vec![Some(0.0), Some(value)] };
        let bands = vec![
            band(TcpState::CloseWait, 1.0),
            band(TcpState::FinWait1, 1.0),
            band(TcpState::FinWait2, 30.0),
            band(TcpState::TimeWait, 2_900.0),
        ];
        let named: Vec<TcpState> = listed(bands).iter().map(|band| band.state).collect();
        assert_eq!(named, [TcpState::CloseWait, TcpState::FinWait2, TcpState::TimeWait]);
    }
}
