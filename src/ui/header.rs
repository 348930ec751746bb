//! The first line: which views there are and which is shown, what must not be overlooked, whose host it is, what looking
//! costs; at the right the time of the sample.

use std::time::Duration;

use ratatui::{buffer::Buffer, layout::Rect, style::Style};

use super::{
    command::Command,
    mark::Room,
    pane,
    pen::Pen,
    scene::Scene,
    text::{self, width},
    view::{Mode, Screen, View},
    words,
};
use crate::{field::format, store::Moment};

/// From this width on every view has a tab.
const TABS: u16 = 120;
/// From this width on the date stands before the time; on less, twtop is watched now.
const DATE: u16 = 160;
/// From this width on the mark is told in full; beside a held moment from this one on.
const ROOMY: u16 = 76;
const WIDE: u16 = 110;
/// What the tabs leave free: the time, and what must not be overlooked.
const BESIDE_TABS: u16 = 14 + 28;
/// Cells of the arrow between two pages, at most, with a space at each side.
const ARROW: usize = 4;
/// Cells for how many findings there are: the tabs after it keep their places.
const FINDINGS: usize = 2;

/// A view's place in the line.
struct Tab {
    /// Its number, from 1.
    number: u8,
    /// Its key and its name.
    name: String,
    /// The pages entered from it, if it is on screen.
    trail: Option<Vec<String>>,
    x: u16,
    cells: u16,
}

/// The tabs, if all of them have room with the way to the page that is shown. Their places do not depend on the glyphs.
fn tabs(view: &View) -> Option<Vec<Tab>> {
    // The help page is no view's, and tells what looking costs instead.
    let helping = matches!(view.mode, Mode::Help(_));
    let last_cell = view.size.0.checked_sub(BESIDE_TABS).filter(|_| view.size.0 >= TABS && !helping)?;
    let mut pages = view.trail();
    let root = pages.next()?;
    let entered: Vec<String> = pages.map(page_name).collect();
    let mut x = 1;
    let mut tabs = vec![];
    for (number, screen) in (1..).zip(&Screen::VIEWS) {
        let trail = (screen == root).then(|| entered.clone());
        let key = view.settings.keymap.label(Command::View(number));
        let name = format!("{}{}", key.map_or(String::new(), |key| format!("{key} ")), page_name(screen));
        let way: usize = trail.iter().flatten().map(|page| ARROW + width(page)).sum();
        let count = if *screen == Screen::Findings { FINDINGS } else { 0 };
        let cells = u16::try_from(width(&name) + count + way).unwrap_or(u16::MAX);
        tabs.push(Tab { number, name, trail, x, cells });
        x = x.saturating_add(cells).saturating_add(1);
    }
    (x <= last_cell).then_some(tabs)
}

/// The view whose tab is at `x`.
pub(super) fn view_at(view: &View, x: u16) -> Option<Command> {
    let tab = tabs(view)?.into_iter().find(|tab| (tab.x..tab.x + tab.cells).contains(&x))?;
    Some(Command::View(tab.number))
}

/// Draws the line.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, scene: &Scene<'_>) {
    let theme = scene.theme;
    let moment = scene.view.shown(scene.live).map(|look| &*look.moment);
    let time = moment.map_or(String::new(), |moment| time(moment, area.width));
    let reserved = u16::try_from(width(&time) + 2).unwrap_or(0);
    let left = Rect { width: area.width.saturating_sub(reserved), ..area };
    let mut pen = Pen::new(buffer, left, 0);
    let tabs = tabs(scene.view);
    match &tabs {
        Some(tabs) => draw_tabs(&mut pen, tabs, scene),
        None => {
            pen.put(" twtop ", theme.strong());
        }
    }
    marks(&mut pen, scene);
    if let Some(moment) = moment {
        facts(&mut pen, scene, moment, tabs.is_none());
    }
    let right = Rect { x: left.right(), width: area.width - left.width, ..area };
    let mut pen = Pen::new(buffer, right, 0);
    pen.skip(1);
    pen.put(&time, if scene.view.is_held() { theme.strong() } else { theme.text() });
}

fn draw_tabs(pen: &mut Pen<'_>, tabs: &[Tab], scene: &Scene<'_>) {
    let theme = scene.theme;
    let findings = scene.view.shown(scene.live).map_or(0, |look| look.findings.len());
    let start = pen.room();
    for tab in tabs {
        pen.skip(tab.x.saturating_sub(start - pen.room()));
        let style = if tab.trail.is_some() { theme.key() } else { theme.head() };
        pen.put(&tab.name, style);
        if Screen::VIEWS.get(usize::from(tab.number) - 1) == Some(&Screen::Findings) {
            let count = match findings {
                0 => String::new(),
                1..10 => format!(" {findings}"),
                _ => " +".to_owned(),
            };
            pen.put(&text::pad(&count, FINDINGS, false), theme.strong());
        }
        for page in tab.trail.iter().flatten() {
            pen.put(&format!(" {} {page}", theme.glyphs.arrow), style);
        }
    }
    let end = tabs.last().map_or(0, |tab| tab.x + tab.cells + 1);
    pen.skip(end.saturating_sub(start - pen.room()));
}

/// The time of a sample.
fn time(moment: &Moment, width: u16) -> String {
    let at = format::time(moment.sample.stamp.wall);
    let whole = at.trim_end_matches('Z').replace('T', " ");
    let short = whole.get(11..).unwrap_or(&whole).to_owned();
    format!("{} UTC", if width >= DATE { whole } else { short })
}

/// Whose host it is, where on it and on which page, and what looking costs, as far as there is room.
fn facts(pen: &mut Pen<'_>, scene: &Scene<'_>, moment: &Moment, with_page: bool) {
    let theme = scene.theme;
    let sample = &moment.sample;
    let host = text::fit(&sample.host.name, 24, theme.glyphs.ellipsis).into_owned();
    pen.put(&format!(" {host} "), theme.text());
    if with_page {
        let path: Vec<_> = scene.view.trail().map(page_name).collect();
        let whole = path.join(&format!(" {} ", theme.glyphs.arrow));
        if !pen.put(&format!(" {whole} "), theme.key()) {
            path.last().map(|page| pen.put(&format!(" {page} "), theme.key()));
        }
    }
    if let Some(netns) = scene.netns {
        pen.put(&format!(" netns {} ", text::fit(netns, 20, theme.glyphs.ellipsis)), theme.text());
    }
    let interval = sample.cost.interval;
    let slow = if scene.link.slow { ", slow" } else { "" };
    pen.put(&format!(" every {}{slow} ", every(interval)), theme.head());
    let seconds = moment.elapsed_s.unwrap_or(interval.as_secs_f64());
    if seconds > 0.0 {
        let cost = format::percent(sample.cost.cpu.as_secs_f64() / seconds * 100.0);
        if !pen.put(&format!(" cost {cost:>4} CPU "), theme.head()) {
            pen.put(&format!(" {cost:>4} CPU"), theme.head());
        }
    }
    if matches!(scene.view.mode, Mode::Help(_)) {
        costs(pen, scene, moment);
    }
}

/// On the help page only: what nobody acts on each second, and what would itself be much of what it tells of if it changed
/// with every frame.
fn costs(pen: &mut Pen<'_>, scene: &Scene<'_>, moment: &Moment) {
    let theme = scene.theme;
    if let Some(bytes) = scene.link.bytes_per_s {
        pen.put(&format!(" link {}/s ", format::bytes(bytes)), theme.head());
    }
    let cost = &moment.sample.cost;
    let memory = format::bytes(cost.rss_bytes);
    let dump = format::seconds(cost.dump.as_secs_f64());
    pen.put(&format!(" {memory:>8}, dump {} ", theme.duration(&format!("{dump:>6}"))), theme.head());
    let kernel = text::fit(&moment.sample.host.kernel, 24, theme.glyphs.ellipsis);
    pen.put(&format!(" Linux {kernel} "), theme.dim());
}

/// An interval: `1.0s`, `250ms`. As wide when it is stretched as when it is not.
fn every(interval: Duration) -> String {
    if interval.as_millis() < 1000 {
        format!("{}ms", interval.as_millis())
    } else {
        format!("{:.1}s", interval.as_secs_f64())
    }
}

fn page_name(screen: &Screen) -> String {
    match screen {
        Screen::Overview => "overview".to_owned(),
        Screen::Sockets => "sockets".to_owned(),
        Screen::Processes => "processes".to_owned(),
        Screen::Peers => "peers".to_owned(),
        Screen::Ports => "ports".to_owned(),
        Screen::Findings => "findings".to_owned(),
        Screen::Kernel => "kernel".to_owned(),
        Screen::Explained(matter) => pane::explained::title(matter),
        Screen::Finding(key) => key.id().to_string(),
        Screen::Process(key) => format!("process {}", key.pid),
        Screen::Peer(_) => "peer".to_owned(),
        Screen::Socket(_) => "socket".to_owned(),
        Screen::ProcessEvidence(key) => format!("why process {}", key.pid),
        Screen::PeerEvidence(_) => "why peer".to_owned(),
    }
}

/// What must not be overlooked: a picture that is held, or old.
fn marks(pen: &mut Pen<'_>, scene: &Scene<'_>) {
    let theme = scene.theme;
    if let Some(held) = scene.view.playhead.held() {
        let age =
            scene.live.map_or(0.0, |live| live.moment.sample.stamp.seconds_since(&held.moment.sample.stamp));
        // Samples are a little less or more than a second apart.
        let age = age.round();
        let behind = if age < 1.0 { String::new() } else { format!(" {} ago", words::ago(age)) };
        // The time itself stands at the right, as ever.
        let thin = match held.moment.is_whole() {
            true => "",
            // The mark needs room as well.
            false if scene.view.mark.is_some() => ", totals",
            false => ", totals only",
        };
        // Tabs leave room for the shortest.
        put_longest(
            pen,
            &[format!(" HELD{behind}{thin} "), format!(" HELD{behind} "), " HELD ".to_owned()],
            theme.mark(),
        );
    }
    if let (Some(mark), Some(shown)) = (&scene.view.mark, scene.view.shown(scene.live)) {
        let stamp = &shown.moment.sample.stamp;
        let first = match scene.view.size.0 {
            WIDE.. => 0,
            ROOMY.. if !scene.view.is_held() => 1,
            _ => 2,
        };
        let forms =
            [Room::Wide, Room::Middling, Room::Narrow].map(|room| format!(" {} ", mark.told(stamp, room)));
        put_longest(pen, &forms[first..], theme.key());
    }
    if let Some(age) = scene.stale() {
        let why = scene
            .trouble
            .map_or(String::new(), |why| format!(": {}", text::fit(why, 40, theme.glyphs.ellipsis)));
        let age = words::ago(age.as_secs_f64());
        put_longest(pen, &[format!(" STALE {age}{why} "), format!(" STALE {age} ")], theme.alarm());
    }
}

/// Writes the first of `forms` that has room.
fn put_longest(pen: &mut Pen<'_>, forms: &[String], style: Style) {
    for form in forms {
        if pen.put(form, style) {
            return;
        }
    }
}
