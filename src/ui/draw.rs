//! One frame: the header, the notice, the panes, the filter and the footer.

use ratatui::{
    Frame,
    buffer::Buffer,
    layout::{Position, Rect},
    style::Style,
};

use super::{
    command::Command,
    footer, header, help,
    layout::{self, Layout, Sayings, Slot},
    names, notice, pane,
    pen::Pen,
    scene::{Data, Scene},
    text::{self, width},
    verdict,
    view::{Mode, View},
};
use crate::field::format;

/// For how many samples a line below the header stays after there was something to say.
const LINE_SAMPLES: u64 = 15;

/// Draws `scene`. Pure: the same scene on the same size is the same frame.
pub fn draw(frame: &mut Frame<'_>, scene: &Scene<'_>) {
    let area = frame.area();
    let cursor = render(frame.buffer_mut(), area, scene);
    if let Some(cursor) = cursor {
        frame.set_cursor_position(cursor);
    }
}

/// Draws `scene` into `area` of a buffer, and says where the text cursor stands if there is one.
pub fn render(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) -> Option<Position> {
    let data = scene.data();
    let Some(layout) = places_of(scene, data.as_ref(), (area.width, area.height)) else {
        too_small(buffer, area);
        return None;
    };
    header::draw(buffer, layout.header, scene);
    if let Mode::Help(offset) = scene.view.mode {
        let body = Rect { y: 1, height: area.height - 2, ..area };
        help::draw(buffer, body, offset, data.map(|data| &**data.moment), scene);
        footer::draw(buffer, &layout, scene);
        return None;
    }
    match &data {
        Some(data) => {
            if let Some(line) = layout.notice {
                let sentence = notice::sentence(
                    data,
                    usize::from(line.width),
                    scene.view.settings.keymap.label(Command::Help),
                );
                let theme = scene.theme;
                let style = if notice::is_needed(data.moment) { theme.warning() } else { theme.dim() };
                Pen::new(buffer, line, 0).put_cut(&sentence, style, theme);
            }
            if let Some(line) = layout.verdict {
                verdict::draw(&mut Pen::new(buffer, line, 0), scene, data);
            }
            for slot in &layout.slots {
                pane::draw(buffer, scene, *data, slot);
            }
        }
        None => waiting(buffer, area, scene),
    }
    let cursor = line(buffer, &layout, scene, data.as_ref());
    footer::draw(buffer, &layout, scene);
    cursor
}

/// Where the parts of `scene` go on a terminal of the view's size; `None` if that is too small.
#[must_use]
pub fn places(scene: &Scene<'_>) -> Option<Layout> {
    places_of(scene, scene.data().as_ref(), scene.view.size)
}

fn places_of(scene: &Scene<'_>, data: Option<&Data<'_>>, size: (u16, u16)) -> Option<Layout> {
    layout::layout(scene.view, size, sayings(scene.view, data))
}

/// Draws one pane of `scene` alone, of a buffer of the whole terminal; nothing while there is nothing to show.
pub fn render_pane(buffer: &mut Buffer, scene: &Scene<'_>, slot: &Slot) {
    if let Some(data) = scene.data() {
        pane::draw(buffer, scene, data, slot);
    }
}

/// What there is to say below the header.
pub(super) fn sayings(view: &View, data: Option<&Data<'_>>) -> Sayings {
    let Some(data) = data else { return Sayings::default() };
    // Of an earlier moment that is held, they are not yet there.
    let number = data.moment.sample.number;
    let [notice, verdict] = view.lines_until.map(|until| number < until && until - number <= LINE_SAMPLES);
    Sayings {
        notice: notice || notice::is_needed(data.moment),
        verdict: !verdict::is_subsumed(data) && (verdict || verdict::is_needed(data)),
        findings: u16::try_from(data.selection.findings.len()).unwrap_or(u16::MAX),
        story: u16::try_from(pane::story::lines(view, data)).unwrap_or(u16::MAX),
        failures: pane::failures::lines(data),
        limits: u16::try_from(data.selection.kernel.limits.len()).unwrap_or(u16::MAX),
        traced: data.moment.trace.is_some(),
    }
}

/// Takes note of what there is to say now: its lines stay for a while.
pub(super) fn keep_lines(view: &mut View, data: &Data<'_>) {
    let until = data.moment.sample.number + LINE_SAMPLES;
    let needed = [notice::is_needed(data.moment), verdict::is_needed(data)];
    for (line, _) in view.lines_until.iter_mut().zip(needed).filter(|(_, needed)| *needed) {
        *line = until;
    }
}

fn too_small(buffer: &mut Buffer, area: Rect) {
    let (width, height) = layout::MINIMUM;
    let sentence =
        format!("The terminal is too small for twtop: {width} columns by {height} lines are needed.");
    for (y, line) in (0..area.height).zip(text::wrap(&sentence, usize::from(area.width))) {
        Pen::new(buffer, area, y).put(&line, Style::new());
    }
}

/// Before the first sample, and while a large table is counted for another page.
fn waiting(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let theme = scene.theme;
    let (sentence, style) = match scene.trouble {
        Some(trouble) if scene.live.is_none() => (format!("No sample yet: {trouble}"), theme.warning()),
        _ if scene.live.is_some() => ("Counting.".to_owned(), theme.head()),
        _ => ("Taking the first sample.".to_owned(), theme.head()),
    };
    let line = Rect { y: area.y + area.height / 2, height: 1, ..area };
    let mut pen = Pen::new(buffer, line, 0);
    pen.skip(area.width.saturating_sub(u16::try_from(width(&sentence)).unwrap_or(0)) / 2);
    pen.put_cut(&sentence, style, theme);
}

/// What is being typed with what could be next, or the filter in force and how much it keeps.
fn line(
    buffer: &mut Buffer,
    layout: &Layout,
    scene: &Scene<'_>,
    data: Option<&Data<'_>>,
) -> Option<Position> {
    let line = layout.filter?;
    let theme = scene.theme;
    let (prompt, sign, title) = match &scene.view.mode {
        Mode::Filter(prompt) => (prompt, "/", "Filter"),
        Mode::Palette(prompt) => (prompt, ":", "Commands"),
        Mode::Names(prompt) => (prompt, "/", "Names"),
        _ if scene.view.is_of_kernel() => {
            names::draw(&mut Pen::new(buffer, line, 0), scene.view, data, theme);
            return None;
        }
        _ => {
            filter(&mut Pen::new(buffer, line, 0), scene, data);
            return None;
        }
    };
    prompt.draw_offers(buffer, line, title, theme);
    Some(prompt.draw_line(buffer, line, sign, theme))
}

fn filter(pen: &mut Pen<'_>, scene: &Scene<'_>, data: Option<&Data<'_>>) {
    let theme = scene.theme;
    pen.put(" filter ", theme.mark());
    pen.skip(1);
    let applies = data.is_none_or(|data| data.moment.is_whole());
    let counts = data.map(|data| {
        if !applies {
            return "not applied: totals only".to_owned();
        }
        let kept = data.selection.aggregate.states.total();
        let all = data.moment.totals.states.total();
        format!("{} of {} sockets", format::grouped(kept.into()), format::grouped(all.into()))
    });
    let counts = counts.unwrap_or_default();
    let room = usize::from(pen.room()).saturating_sub(width(&counts) + 3);
    pen.put(&text::fit(&scene.view.filter.text, room, theme.glyphs.ellipsis), theme.strong());
    pen.skip(2);
    pen.put(&counts, if applies { theme.text() } else { theme.warning() });
}
