//! Where everything goes: pure arithmetic on the size of the terminal.

use ratatui::layout::Rect;

use super::view::{Page, Pane, Screen, View};
use crate::model::{Side, TcpState};

/// The least width and height that can be used.
pub const MINIMUM: (u16, u16) = (60, 16);

/// From this height on there is more than one line for what is wrong and what piles up.
const VERDICT_HEIGHT: u16 = 20;

/// How panes are set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chrome {
    /// By a line with the title above: where every row counts.
    Rule,
    /// By a frame.
    Frame,
    /// Not at all: rows that stand by themselves.
    Bare,
}

/// A pane and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Which pane.
    pub pane: Pane,
    /// Its place, title and frame included.
    pub area: Rect,
    /// How it is set apart.
    pub chrome: Chrome,
}

/// The places of one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The first line.
    pub header: Rect,
    /// The line that says what is missing, if anything is.
    pub notice: Option<Rect>,
    /// The line that says what piles up, or that nothing is wrong.
    pub verdict: Option<Rect>,
    /// The panes of the page.
    pub slots: Vec<Slot>,
    /// The filter, when set, or what is being typed.
    pub filter: Option<Rect>,
    /// The last line.
    pub footer: Rect,
}

impl Chrome {
    /// What a pane at `area` has for its content.
    #[must_use]
    pub fn inner(self, area: Rect) -> Rect {
        let (left, top, right, bottom) = match self {
            Self::Rule => (0, 1, 0, 0),
            Self::Frame => (2, 1, 2, 1),
            Self::Bare => (0, 0, 0, 0),
        };
        Rect {
            x: area.x.saturating_add(left),
            y: area.y.saturating_add(top),
            width: area.width.saturating_sub(left + right),
            height: area.height.saturating_sub(top + bottom),
        }
    }

    /// Lines that it takes of a pane's height.
    const fn lines(self) -> u16 {
        match self {
            Self::Rule => 1,
            Self::Frame => 2,
            Self::Bare => 0,
        }
    }
}

/// What there is to say below the header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sayings {
    /// Something is missing from the picture.
    pub notice: bool,
    /// Something piles up of which no finding tells.
    pub verdict: bool,
    /// How many findings there are, about what is shown.
    pub findings: u16,
    /// How many lines the story of a finding has.
    pub story: u16,
    /// How many lines the list of failed `connect()` calls wants; 0 for none.
    pub failures: u16,
    /// How many limits there are.
    pub limits: u16,
    /// There is a trace, which has more to say of a process or a peer.
    pub traced: bool,
}

/// The places of a frame of `view` on `size` cells (width, height). `None` if that is too small.
#[must_use]
pub fn layout(view: &View, (width, height): (u16, u16), say: Sayings) -> Option<Layout> {
    if width < MINIMUM.0 || height < MINIMUM.1 {
        return None;
    }
    let filtering = view.is_narrowed();
    let chrome = if height >= 32 { Chrome::Frame } else { Chrome::Rule };
    let line = |y| Rect::new(0, y, width, 1);
    let page = view.page();
    let notices = 1 + u16::from(say.notice);
    let told = if page.screen == Screen::Overview && !page.zoomed { told_lines(height) } else { 0 };
    let (findings, verdict) = verdicts(told, say);
    let top = notices + told;
    let bottom = 1 + u16::from(filtering);
    let ports = u16::from(!page.zoomed && page.screen == Screen::Overview && has_ports_line((width, height)));
    let body = Rect::new(0, top + ports, width, height - top - bottom - ports);
    let bare = |pane, y, lines| {
        let area = Rect::new(0, y, width, lines);
        (lines > 0).then_some(Slot { pane, area, chrome: Chrome::Bare })
    };
    let told = [bare(Pane::Findings, notices, findings), bare(Pane::Destinations, top, ports)];
    let panes = slots(page, body, chrome, (width, height), say).into_iter();
    Some(Layout {
        header: line(0),
        notice: say.notice.then(|| line(1)),
        verdict: verdict.then(|| line(notices + findings)),
        slots: told
            .into_iter()
            .flatten()
            .chain(panes.map(|(pane, area)| Slot { pane, area, chrome }))
            .collect(),
        filter: filtering.then(|| line(height - 2)),
        footer: line(height - 1),
    })
}

/// How many lines of the overview are for what is wrong: as many when there is nothing to say, so that nothing jumps.
fn told_lines(height: u16) -> u16 {
    match height {
        0..VERDICT_HEIGHT => 1,
        VERDICT_HEIGHT..40 => 2,
        _ => 3,
    }
}

/// How many of `lines` lines tell of findings, and whether the one after them says what piles up, or that nothing is wrong.
fn verdicts(lines: u16, say: Sayings) -> (u16, bool) {
    let findings = say.findings.min(lines);
    (findings, findings < lines && (findings == 0 || say.verdict))
}

impl Layout {
    /// The place of a pane, if it is on the page.
    #[must_use]
    pub fn slot(&self, pane: Pane) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.pane == pane)
    }
}

impl Slot {
    /// What it has for its content.
    #[must_use]
    pub fn inner(&self) -> Rect {
        self.chrome.inner(self.area)
    }

    /// Where a scrollbar stands that takes no room, on a screen of that width: in the frame, or in the gap between
    /// two panes.
    #[must_use]
    pub fn track(&self, screen: u16) -> Option<u16> {
        match self.chrome {
            Chrome::Rule => Some(self.area.right()).filter(|x| *x < screen),
            Chrome::Frame => Some(self.area.right().saturating_sub(1)),
            Chrome::Bare => None,
        }
    }

    /// How wide the columns of its table may be together.
    #[must_use]
    pub fn table_width(&self, screen: u16) -> u16 {
        self.inner().width.saturating_sub(u16::from(self.track(screen).is_none()))
    }

    /// How many rows of its table it shows; what lies above the rows differs by pane.
    #[must_use]
    pub fn rows(&self) -> usize {
        usize::from(self.inner().height.saturating_sub(self.other_lines()))
    }

    /// Its lines that are not rows of its table.
    fn other_lines(&self) -> u16 {
        let titles = 1;
        let inner = self.inner();
        match self.pane {
            Pane::Findings | Pane::Destinations if self.chrome == Chrome::Bare => 0,
            Pane::States => 0,
            pane if !pane.is_table() => 0,
            Pane::Destinations => ports_head(inner) + titles,
            Pane::Processes => titles + coverage_line(inner),
            _ => titles,
        }
    }

    /// Its lines above the rows of its table.
    #[must_use]
    pub fn lines_above(&self) -> u16 {
        match self.pane {
            Pane::Processes => self.other_lines() - coverage_line(self.inner()),
            _ => self.other_lines(),
        }
    }
}

/// The lines above the table of destinations: the gauge, and the range where there is room.
#[must_use]
pub fn ports_head(inner: Rect) -> u16 {
    if inner.height >= 7 { 2 } else { inner.height.min(1) }
}

/// The line under the table of processes that says how many sockets have no owner.
#[must_use]
pub fn coverage_line(inner: Rect) -> u16 {
    u16::from(inner.height >= 4)
}

/// Whether charts have room beside the tables: on a page of a process or a peer, and on the overview.
#[must_use]
pub fn has_charts((width, height): (u16, u16)) -> bool {
    width >= 100 && height >= 36
}

/// Whether the overview has a line about the ports of the worst destination, since there is no room for a pane.
fn has_ports_line((width, height): (u16, u16)) -> bool {
    width < SIDE_BY_SIDE && height < TALL
}

/// From this width on panes stand side by side.
const SIDE_BY_SIDE: u16 = 76;
/// From this height on narrow terminals have room for all panes, one below the other.
const TALL: u16 = 34;

/// The panes of a page and their places, on a screen of `size` (width, height).
fn slots(page: &Page, body: Rect, chrome: Chrome, size: (u16, u16), say: Sayings) -> Vec<(Pane, Rect)> {
    if page.zoomed {
        return vec![(page.focus, body)];
    }
    let whole = |pane| vec![(pane, body)];
    match page.screen {
        Screen::Overview => overview(body, chrome, size),
        Screen::Sockets => whole(Pane::Sockets),
        Screen::Processes => whole(Pane::Processes),
        Screen::Peers => whole(Pane::Peers),
        Screen::Ports => ports(body, chrome, size, say.failures),
        Screen::Findings => whole(Pane::Findings),
        Screen::Finding(_) => story(page, body, chrome, say.story),
        Screen::Kernel => kernel(body, chrome, say.limits),
        Screen::Explained(_) => whole(Pane::Explained),
        Screen::Process(_) => process(body, chrome, size, say),
        Screen::Peer(key) => peer(body, chrome, size, (key.side == Side::Client, say)),
        Screen::Socket(_) | Screen::ProcessEvidence(_) | Screen::PeerEvidence(_) => whole(Pane::Facts),
    }
}

/// Lines of the histogram of states with its title or frame.
fn states_lines(chrome: Chrome) -> u16 {
    u16::try_from(TcpState::ALL.len()).unwrap_or(12) + chrome.lines()
}

/// From top to bottom: which state, who and towards whom, since when and how long the ports last; the sockets
/// themselves where there is room for more than anybody needs.
fn overview(body: Rect, chrome: Chrome, (width, height): (u16, u16)) -> Vec<(Pane, Rect)> {
    if width < SIDE_BY_SIDE {
        return stacked(body, chrome, height);
    }
    // Two lines of processes under their titles are the least worth having.
    let top = states_lines(chrome).min(body.height.saturating_sub(chrome.lines() + 3));
    let (top, rest) = split_height(body, top);
    let mut slots = if width >= 120 {
        let parts = split_width(top, &[42, 32, 26]);
        vec![(Pane::States, parts[0]), (Pane::Destinations, parts[1]), (Pane::Closes, parts[2])]
    } else {
        let parts = split_width(top, &[60, 40]);
        let lowest = (parts[1].height / 3).clamp(3, 6);
        let (upper, below) = split_height(parts[1], parts[1].height.saturating_sub(lowest));
        vec![(Pane::States, parts[0]), (Pane::Destinations, upper), (Pane::Closes, below)]
    };
    // The terminal's height decides, so that no pane comes and goes with the lines below the header.
    let bands: &[u16] = match height {
        0..40 => &[100],
        40..55 => &[47, 53],
        _ => &[32, 36, 32],
    };
    let bands = split_lines(rest, bands);
    let halves = |area| split_width(area, &[60, 40]);
    for (band, panes) in bands.iter().zip([[Pane::Processes, Pane::Peers], [Pane::Trend, Pane::PortTrend]]) {
        slots.extend(panes.into_iter().zip(halves(*band)));
    }
    slots.extend(bands.get(2).map(|sockets| (Pane::Sockets, *sockets)));
    slots
}

/// The overview on a narrow terminal: one pane below the other.
fn stacked(body: Rect, chrome: Chrome, height: u16) -> Vec<(Pane, Rect)> {
    // By the terminal's height: the line of a filter is one of the lowest panes' lines.
    let states = states_lines(chrome).min(height.saturating_sub(4) / 2).min(body.height);
    let (top, rest) = split_height(body, states);
    let mut slots = vec![(Pane::States, top)];
    let below: &[Pane] = match height {
        TALL.. => &[Pane::Destinations, Pane::Processes, Pane::Peers],
        _ if rest.height >= 10 => &[Pane::Processes, Pane::Peers],
        _ => &[Pane::Processes],
    };
    let shares: &[u16] = [&[100][..], &[50, 50], &[30, 40, 30]][below.len() - 1];
    slots.extend(below.iter().copied().zip(split_lines(rest, shares)));
    slots
}

/// Destinations, below them what becomes of the selected one, and the failed calls where there are any.
fn ports(body: Rect, chrome: Chrome, (_, height): (u16, u16), failures: u16) -> Vec<(Pane, Rect)> {
    let below = if failures == 0 { 0 } else { (failures + chrome.lines()).min(body.height / 3) };
    let (rest, failures) = split_height(body, body.height - below);
    let chart = if height >= 22 { (body.height * 2 / 5).clamp(7, 20) } else { 0 };
    let (destinations, chart) = split_height(rest, rest.height - chart);
    let mut slots = vec![(Pane::Destinations, destinations)];
    if chart.height > 0 {
        slots.push((Pane::PortTrend, chart));
    }
    if failures.height > 0 {
        slots.push((Pane::Failures, failures));
    }
    slots
}

/// From this width on, counters and settings stand side by side.
const KERNEL_SIDE_BY_SIDE: u16 = 140;

/// The limits as few lines, the fullest first; below them what moves, and what is set.
fn kernel(body: Rect, chrome: Chrome, limits: u16) -> Vec<(Pane, Rect)> {
    // Their titles and one row at least, and never more than there are.
    let most = (body.height / 4).max(chrome.lines() + 2);
    let (limits, rest) = split_height(body, (limits.max(1) + 1 + chrome.lines()).min(most));
    let (counters, settings) = if rest.width >= KERNEL_SIDE_BY_SIDE {
        let parts = split_width(rest, &[56, 44]);
        (parts[0], parts[1])
    } else {
        split_height(rest, rest.height.div_ceil(2))
    };
    [(Pane::Limits, limits), (Pane::Counters, counters), (Pane::Settings, settings)].into()
}

/// How many more facts there are on a page: what the trace tells, unless a chart does, and what is wrong.
fn told_facts(say: Sayings, size: (u16, u16)) -> u16 {
    let told = u16::from(say.failures > 0).saturating_add(say.findings);
    if has_charts(size) {
        // Room for what mostly is told: nothing jumps when it comes.
        return told.max(2);
    }
    told.saturating_add(say.traced.into())
}

/// The story of a finding, and below it the sockets behind it.
fn story(page: &Page, body: Rect, chrome: Chrome, lines: u16) -> Vec<(Pane, Rect)> {
    if page.story.as_ref().is_none_or(|story| !story.has_sockets()) {
        return vec![(Pane::Story, body)];
    }
    let (story, sockets) =
        split_height(body, (lines.saturating_add(chrome.lines())).min(body.height * 2 / 3));
    vec![(Pane::Story, story), (Pane::Sockets, sockets)]
}

/// What is known of a process; what it does over time and towards whom; how long its connections live; its sockets.
fn process(body: Rect, chrome: Chrome, size: (u16, u16), say: Sayings) -> Vec<(Pane, Rect)> {
    let (facts, rest) =
        split_height(body, told_facts(say, size).saturating_add(7 + chrome.lines()).min(body.height / 2));
    let mut slots = vec![(Pane::Facts, facts)];
    if !has_charts(size) {
        slots.extend(listed(rest, chrome, Pane::Peers));
        return slots;
    }
    let (middle, sockets) = split_height(rest, rest.height * 11 / 20);
    if say.traced {
        let parts = split_width(middle, &[54, 46]);
        let right = split_lines(parts[1], &[50, 50]);
        slots.extend([(Pane::Trend, parts[0]), (Pane::Peers, right[0]), (Pane::Lives, right[1])]);
    } else {
        slots.extend([Pane::Trend, Pane::Peers].into_iter().zip(split_width(middle, &[60, 40])));
    }
    slots.push((Pane::Sockets, sockets));
    slots
}

/// What is known of a peer; what goes on with it over time and whose that is; the ports that are left for it, where we
/// connect to it, and how long connections live; the sockets.
fn peer(body: Rect, chrome: Chrome, size: (u16, u16), (dialled, say): (bool, Sayings)) -> Vec<(Pane, Rect)> {
    let (facts, rest) =
        split_height(body, told_facts(say, size).saturating_add(5 + chrome.lines()).min(body.height / 3));
    let mut slots = vec![(Pane::Facts, facts)];
    if !has_charts(size) {
        slots.extend(listed(rest, chrome, Pane::Processes));
        return slots;
    }
    let more: Vec<Pane> = [(Pane::PortTrend, dialled), (Pane::Lives, say.traced)]
        .into_iter()
        .filter_map(|(pane, is_there)| is_there.then_some(pane))
        .collect();
    let bands = split_lines(rest, if more.is_empty() { &[55, 45] } else { &[36, 32, 32] });
    slots.extend([Pane::Trend, Pane::Processes].into_iter().zip(split_width(bands[0], &[60, 40])));
    if let [first, others @ ..] = more.as_slice() {
        let shares: &[u16] = if others.is_empty() { &[100] } else { &[60, 40] };
        let parts = split_width(bands[1], shares);
        slots.extend(std::iter::once(*first).chain(others.iter().copied()).zip(parts));
    }
    slots.extend(bands.last().map(|sockets| (Pane::Sockets, *sockets)));
    slots
}

/// Below the facts, where there is no room for charts: states beside `other`, and sockets.
fn listed(rest: Rect, chrome: Chrome, other: Pane) -> Vec<(Pane, Rect)> {
    let (middle, sockets) = split_height(rest, (rest.height / 2).min(states_lines(chrome)));
    let parts = split_width(middle, &[60, 40]);
    vec![(Pane::States, parts[0]), (other, parts[1]), (Pane::Sockets, sockets)]
}

/// Parts of the given shares of 100, one below the other.
fn split_lines(area: Rect, shares: &[u16]) -> Vec<Rect> {
    let mut rest = area;
    let mut parts = vec![];
    for (i, share) in shares.iter().enumerate() {
        let last = i + 1 == shares.len();
        let lines = u16::try_from(u32::from(area.height) * u32::from(*share) / 100).unwrap_or(area.height);
        let lines = if last { rest.height } else { lines };
        let (part, below) = split_height(rest, lines);
        parts.push(part);
        rest = below;
    }
    parts
}

fn split_height(area: Rect, first: u16) -> (Rect, Rect) {
    let first = first.min(area.height);
    let upper = Rect { height: first, ..area };
    let lower = Rect { y: area.y + first, height: area.height - first, ..area };
    (upper, lower)
}

/// Columns of the given shares of 100, with an empty cell between them.
fn split_width(area: Rect, shares: &[u16]) -> Vec<Rect> {
    let gaps = u16::try_from(shares.len()).unwrap_or(1) - 1;
    let room = area.width.saturating_sub(gaps);
    let mut x = area.x;
    let mut parts = vec![];
    for (i, share) in shares.iter().enumerate() {
        let last = i + 1 == shares.len();
        let width = if last {
            (area.x + area.width).saturating_sub(x)
        } else {
            u16::try_from(u32::from(room) * u32::from(*share) / 100).unwrap_or(room)
        };
        parts.push(Rect { x, width, ..area });
        x += width + 1;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{ProcKey, SockId},
        store::PeerKey,
        ui::view::Filter,
    };

    fn at(width: u16, height: u16) -> Option<Layout> {
        let say = Sayings { notice: true, ..Sayings::default() };
        layout(&View::new((width, height), Filter::default()), (width, height), say)
    }

    #[test]
    fn the_overview_fits_80_by_24_with_every_state() {
        let layout = at(80, 24).expect("large enough");
        let states = layout.slot(Pane::States).expect("on the overview");
        assert_eq!(states.rows(), TcpState::ALL.len());
        let processes = layout.slot(Pane::Processes).expect("on the overview");
        assert!(processes.rows() >= 3, "{processes:?}");
    }

    #[test]
    fn findings_take_few_lines_and_nothing_jumps_when_they_come_and_go() {
        let at = |height, findings, verdict| {
            verdicts(told_lines(height), Sayings { verdict, findings, ..Sayings::default() })
        };
        assert_eq!([0, 1, 2, 9].map(|n| at(24, n, false)), [(0, true), (1, false), (2, false), (2, false)]);
        assert_eq!([0, 1, 2].map(|n| at(24, n, true)), [(0, true), (1, true), (2, false)]);
        assert_eq!([0, 1, 9].map(|n| at(16, n, true)), [(0, true), (1, false), (1, false)]);
        assert_eq!([3, 9].map(|n| at(45, n, false)), [(3, false), (3, false)]);
        for size in [(60, 16), (80, 24), (120, 40), (160, 45)] {
            let panes = |findings, verdict| {
                let view = View::new(size, Filter::default());
                let say = Sayings { verdict, findings, ..Sayings::default() };
                let slots = layout(&view, size, say).expect("large enough").slots;
                slots.into_iter().filter(|slot| slot.pane != Pane::Findings).collect::<Vec<_>>()
            };
            let calm = panes(0, false);
            assert!(
                [(1, false), (1, true), (2, true), (9, false)].iter().all(|(n, v)| panes(*n, *v) == calm)
            );
        }
    }

    /// Every page that there is, but for the story of a finding, which needs one.
    fn pages() -> Vec<Screen> {
        let process = ProcKey { pid: 1, start_ticks: 2 };
        let peer = |side| PeerKey { ip: std::net::Ipv4Addr::LOCALHOST.into(), port: 80, side };
        let closer = [
            Screen::Process(process),
            Screen::ProcessEvidence(process),
            Screen::Peer(peer(Side::Client)),
            Screen::Peer(peer(Side::Server)),
            Screen::PeerEvidence(peer(Side::Client)),
            Screen::Socket(SockId { netns: 1, cookie: 2 }),
        ];
        Screen::VIEWS.into_iter().chain(closer).collect()
    }

    /// Panics if something lies outside of the terminal, on something else, or has no room.
    fn check(layout: &Layout, size: (u16, u16), at: &str) {
        let screen = Rect::new(0, 0, size.0, size.1);
        let lines = [Some(layout.header), layout.notice, layout.verdict, layout.filter, Some(layout.footer)];
        let lines = lines.into_iter().flatten();
        let places: Vec<Rect> = lines.chain(layout.slots.iter().map(|slot| slot.area)).collect();
        for (i, place) in places.iter().enumerate() {
            assert_eq!(place.intersection(screen), *place, "{at}");
            assert!(places[..i].iter().all(|other| !other.intersects(*place)), "{at}: {places:?}");
        }
        for slot in &layout.slots {
            let inner = slot.inner();
            assert!(inner.width > 0 && inner.height > 0, "{at}: {slot:?}");
        }
    }

    #[test]
    fn panes_neither_overlap_nor_leave_the_terminal_at_any_size() {
        let some = Sayings {
            notice: true,
            verdict: true,
            findings: 3,
            story: 9,
            failures: 4,
            limits: 7,
            traced: true,
        };
        let sayings =
            [Sayings::default(), some, Sayings { findings: 40, failures: 7, verdict: false, ..some }];
        for screen in pages() {
            for (filter, say) in [("", sayings[0]), ("port:1", sayings[1]), ("", sayings[2])] {
                let filter = Filter { text: filter.to_owned(), ..Filter::default() };
                let mut view = View::new((80, 24), filter);
                view.enter(screen.clone());
                for size in (60..=200).flat_map(|width| (16..=60).map(move |height| (width, height))) {
                    let layout = layout(&view, size, say).expect("large enough");
                    check(&layout, size, &format!("{screen:?} {size:?}"));
                }
            }
        }
    }

    #[test]
    fn what_matters_is_there_at_every_size() {
        for (size, panes) in [
            ((60, 16), vec![Pane::Destinations, Pane::States, Pane::Processes]),
            ((60, 34), vec![Pane::States, Pane::Destinations, Pane::Processes, Pane::Peers]),
            ((160, 45), vec![Pane::Trend, Pane::PortTrend, Pane::Closes, Pane::Peers]),
            ((200, 60), vec![Pane::Trend, Pane::PortTrend, Pane::Sockets]),
        ] {
            let layout = at(size.0, size.1).expect("large enough");
            for pane in panes {
                assert!(layout.slot(pane).is_some(), "{size:?} {pane:?}");
            }
            assert_eq!(layout.slot(Pane::Sockets).is_some(), size.1 >= 55, "{size:?}");
        }
    }

    #[test]
    fn a_terminal_that_is_too_small_has_no_layout() {
        assert_eq!(at(59, 24), None);
        assert_eq!(at(80, 15), None);
    }
}
