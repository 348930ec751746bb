//! Where everything goes: pure arithmetic on the size of the terminal.

use ratatui::layout::Rect;

use super::view::{Page, Pane, Screen, View};
use crate::model::TcpState;

/// The least width and height that can be used.
pub const MINIMUM: (u16, u16) = (60, 16);

/// From this height on there is a line for what piles up.
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
    let (findings, verdict) = match page.screen {
        Screen::Overview if !page.zoomed => verdicts(height, say),
        _ => (0, false),
    };
    let top = notices + findings + u16::from(verdict);
    let bottom = 1 + u16::from(filtering);
    let body = Rect::new(0, top, width, height - top - bottom);
    let told = Rect::new(0, notices, width, findings);
    let told = (findings > 0).then_some(Slot { pane: Pane::Findings, area: told, chrome: Chrome::Bare });
    let panes = slots(page, body, chrome, height, say).into_iter();
    Some(Layout {
        header: line(0),
        notice: say.notice.then(|| line(1)),
        verdict: verdict.then(|| line(notices + findings)),
        slots: told.into_iter().chain(panes.map(|(pane, area)| Slot { pane, area, chrome })).collect(),
        filter: filtering.then(|| line(height - 2)),
        footer: line(height - 1),
    })
}

/// How many lines of the overview tell of findings, and whether there is one for what piles up, or to say that nothing
/// is wrong: from some height on there is always a line for the one or the other, so that nothing jumps.
fn verdicts(height: u16, say: Sayings) -> (u16, bool) {
    let most = match height {
        0..VERDICT_HEIGHT => 1,
        VERDICT_HEIGHT..28 => 2,
        28..32 => 3,
        32..40 => 4,
        _ => 6,
    };
    let findings = say.findings.min(most);
    let verdict = height >= VERDICT_HEIGHT && (findings == 0 || say.verdict && findings < most);
    (findings, verdict)
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
            Pane::States | Pane::Closes | Pane::Facts | Pane::Story | Pane::Explained => 0,
            Pane::Findings if self.chrome == Chrome::Bare => 0,
            Pane::Destinations => ports_head(inner) + titles,
            Pane::Processes => titles + coverage_line(inner),
            Pane::Peers
            | Pane::Sockets
            | Pane::Counters
            | Pane::Settings
            | Pane::Limits
            | Pane::Failures
            | Pane::Findings => titles,
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

/// The panes of a page and their places.
fn slots(page: &Page, body: Rect, chrome: Chrome, height: u16, say: Sayings) -> Vec<(Pane, Rect)> {
    if page.zoomed {
        return vec![(page.focus, body)];
    }
    let whole = |pane| vec![(pane, body)];
    match page.screen {
        Screen::Overview => overview(body, chrome, height),
        Screen::Sockets => whole(Pane::Sockets),
        Screen::Processes => whole(Pane::Processes),
        Screen::Peers => whole(Pane::Peers),
        Screen::Ports => ports(body, chrome, say.failures),
        Screen::Findings => whole(Pane::Findings),
        Screen::Finding(_) => story(page, body, chrome, say.story),
        Screen::Kernel => kernel(body, chrome, say.limits),
        Screen::Explained(_) => whole(Pane::Explained),
        Screen::Process(_) => process(body, chrome, say),
        Screen::Peer(_) => peer(body, chrome, say),
        Screen::Socket(_) | Screen::ProcessEvidence(_) | Screen::PeerEvidence(_) => whole(Pane::Facts),
    }
}

/// Lines of the histogram of states with its title or frame.
fn states_lines(chrome: Chrome) -> u16 {
    u16::try_from(TcpState::ALL.len()).unwrap_or(12) + chrome.lines()
}

fn overview(body: Rect, chrome: Chrome, height: u16) -> Vec<(Pane, Rect)> {
    if body.width < 76 {
        return stacked(body, chrome);
    }
    // Two lines of processes under their titles are the least worth having.
    let top = states_lines(chrome).min(body.height.saturating_sub(chrome.lines() + 3));
    let (top, rest) = split_height(body, top);
    let mut slots = if body.width >= 120 {
        let parts = split_width(top, &[42, 32, 26]);
        vec![(Pane::States, parts[0]), (Pane::Destinations, parts[1]), (Pane::Closes, parts[2])]
    } else {
        let parts = split_width(top, &[60, 40]);
        let lowest = (parts[1].height / 3).clamp(3, 6);
        let (upper, below) = split_height(parts[1], parts[1].height.saturating_sub(lowest));
        vec![(Pane::States, parts[0]), (Pane::Destinations, upper), (Pane::Closes, below)]
    };
    // The terminal's height decides, so that no pane comes and goes with the lines below the header.
    let (middle, sockets) = if height >= 40 && body.width >= 100 {
        split_height(rest, rest.height * 9 / 20)
    } else {
        split_height(rest, rest.height)
    };
    let parts = split_width(middle, &[60, 40]);
    slots.extend([(Pane::Processes, parts[0]), (Pane::Peers, parts[1])]);
    if sockets.height > 0 {
        slots.push((Pane::Sockets, sockets));
    }
    slots
}

/// The overview on a narrow terminal: one pane below the other.
fn stacked(body: Rect, chrome: Chrome) -> Vec<(Pane, Rect)> {
    let states = states_lines(chrome).min(body.height / 2);
    let (top, rest) = split_height(body, states);
    let (middle, lower) =
        if rest.height >= 10 { split_height(rest, rest.height / 2) } else { split_height(rest, rest.height) };
    let all = [(Pane::States, top), (Pane::Processes, middle), (Pane::Peers, lower)];
    all.into_iter().filter(|(_, area)| area.height > 0).collect()
}

/// Destinations, and below them the failed calls where there are any.
fn ports(body: Rect, chrome: Chrome, failures: u16) -> Vec<(Pane, Rect)> {
    let below = if failures == 0 { 0 } else { (failures + chrome.lines()).min(body.height / 2) };
    let (destinations, failures) = split_height(body, body.height - below);
    let mut slots = vec![(Pane::Destinations, destinations)];
    if failures.height > 0 {
        slots.push((Pane::Failures, failures));
    }
    slots
}

/// From this width on, counters and settings stand side by side.
const SIDE_BY_SIDE: u16 = 140;

/// The limits as few lines, the fullest first; below them what moves, and what is set.
fn kernel(body: Rect, chrome: Chrome, limits: u16) -> Vec<(Pane, Rect)> {
    // Their titles and one row at least, and never more than there are.
    let most = (body.height / 4).max(chrome.lines() + 2);
    let (limits, rest) = split_height(body, (limits.max(1) + 1 + chrome.lines()).min(most));
    let (counters, settings) = if rest.width >= SIDE_BY_SIDE {
        let parts = split_width(rest, &[56, 44]);
        (parts[0], parts[1])
    } else {
        split_height(rest, rest.height.div_ceil(2))
    };
    [(Pane::Limits, limits), (Pane::Counters, counters), (Pane::Settings, settings)].into()
}

/// How many more facts there are on a page: what the trace tells, and what is wrong.
fn told(say: Sayings) -> u16 {
    u16::from(say.traced) + u16::from(say.failures > 0) + say.findings
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

fn process(body: Rect, chrome: Chrome, say: Sayings) -> Vec<(Pane, Rect)> {
    let (facts, rest) = split_height(body, (7 + told(say) + chrome.lines()).min(body.height / 2));
    let (middle, sockets) = split_height(rest, (rest.height / 2).min(states_lines(chrome)));
    let parts = split_width(middle, &[60, 40]);
    [(Pane::Facts, facts), (Pane::States, parts[0]), (Pane::Peers, parts[1]), (Pane::Sockets, sockets)].into()
}

fn peer(body: Rect, chrome: Chrome, say: Sayings) -> Vec<(Pane, Rect)> {
    let (facts, rest) = split_height(body, (4 + told(say) + chrome.lines()).min(body.height / 3));
    let (middle, sockets) = split_height(rest, (rest.height / 2).min(states_lines(chrome)));
    let parts = split_width(middle, &[60, 40]);
    [(Pane::Facts, facts), (Pane::States, parts[0]), (Pane::Processes, parts[1]), (Pane::Sockets, sockets)]
        .into()
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
    use crate::ui::view::Filter;

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
        assert!(processes.rows() >= 4, "{processes:?}");
    }

    #[test]
    fn findings_take_few_lines_and_nothing_jumps_when_the_first_comes() {
        let lines =
            |height, findings, verdict| verdicts(height, Sayings { verdict, findings, ..Sayings::default() });
        assert_eq!(
            [0, 1, 2, 9].map(|n| lines(24, n, false)),
            [(0, true), (1, false), (2, false), (2, false)]
        );
        assert_eq!([0, 1, 2].map(|n| lines(24, n, true)), [(0, true), (1, true), (2, false)]);
        assert_eq!([0, 1, 9].map(|n| lines(16, n, true)), [(0, false), (1, false), (1, false)]);
        assert_eq!([3, 9].map(|n| lines(45, n, false)), [(3, false), (6, false)]);
    }

    #[test]
    fn panes_neither_overlap_nor_leave_the_terminal() {
        for (width, height) in [(60, 16), (75, 20), (80, 24), (119, 31), (160, 45), (300, 100)] {
            let layout = at(width, height).expect("large enough");
            let screen = Rect::new(0, 0, width, height);
            for (i, slot) in layout.slots.iter().enumerate() {
                assert_eq!(slot.area.intersection(screen), slot.area);
                for other in &layout.slots[..i] {
                    assert!(!slot.area.intersects(other.area), "{slot:?} {other:?}");
                }
            }
        }
    }

    #[test]
    fn a_terminal_that_is_too_small_has_no_layout() {
        assert_eq!(at(59, 24), None);
        assert_eq!(at(80, 15), None);
    }
}
