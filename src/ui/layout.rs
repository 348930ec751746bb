//! Where everything goes: pure arithmetic on the size of the terminal.

use ratatui::layout::Rect;

use super::view::{Mode, Page, Pane, Screen, View};
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
}

/// A pane and its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// Which pane.
    pub pane: Pane,
    /// Its place, title and frame included.
    pub area: Rect,
}

/// The places of one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The first line.
    pub header: Rect,
    /// The line that says what is missing, if anything is.
    pub notice: Option<Rect>,
    /// The line that says what piles up, if anything does.
    pub verdict: Option<Rect>,
    /// The panes of the page.
    pub slots: Vec<Slot>,
    /// The filter, when set or being typed.
    pub filter: Option<Rect>,
    /// The last line.
    pub footer: Rect,
    /// How panes are set apart.
    pub chrome: Chrome,
}

impl Chrome {
    /// What a pane at `area` has for its content.
    #[must_use]
    pub fn inner(self, area: Rect) -> Rect {
        let (left, top, right, bottom) = match self {
            Self::Rule => (0, 1, 0, 0),
            Self::Frame => (2, 1, 2, 1),
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
        }
    }
}

/// What there is to say below the header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sayings {
    /// Something is missing from the picture.
    pub notice: bool,
    /// Something piles up.
    pub verdict: bool,
    /// How many lines the list of failed `connect()` calls wants; 0 for none.
    pub failures: u16,
    /// There is a trace, which has more to say of a process or a peer.
    pub traced: bool,
}

/// The places of a frame of `view` on `size` cells (width, height). `None` if that is too small.
#[must_use]
pub fn layout(view: &View, (width, height): (u16, u16), say: Sayings) -> Option<Layout> {
    if width < MINIMUM.0 || height < MINIMUM.1 {
        return None;
    }
    let filtering = matches!(view.mode, Mode::Filter(..)) || !view.filter.text.is_empty();
    let chrome = if height >= 32 { Chrome::Frame } else { Chrome::Rule };
    let line = |y| Rect::new(0, y, width, 1);
    let page = view.page();
    let verdict = say.verdict && page.screen == Screen::Overview && !page.zoomed && height >= VERDICT_HEIGHT;
    let notices = 1 + u16::from(say.notice);
    let top = notices + u16::from(verdict);
    let bottom = 1 + u16::from(filtering);
    let body = Rect::new(0, top, width, height - top - bottom);
    Some(Layout {
        header: line(0),
        notice: say.notice.then(|| line(1)),
        verdict: verdict.then(|| line(notices)),
        slots: slots(page, body, chrome, height, say),
        filter: filtering.then(|| line(height - 2)),
        footer: line(height - 1),
        chrome,
    })
}

impl Layout {
    /// The place of a pane, if it is on the page.
    #[must_use]
    pub fn slot(&self, pane: Pane) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.pane == pane)
    }

    /// How many rows of its table a pane shows; what lies above the rows differs by pane.
    #[must_use]
    pub fn rows(&self, slot: &Slot) -> usize {
        let inner = self.chrome.inner(slot.area);
        usize::from(inner.height.saturating_sub(other_lines(slot.pane, inner)))
    }
}

/// The lines of a pane that are not rows of its table.
#[must_use]
pub fn other_lines(pane: Pane, inner: Rect) -> u16 {
    let titles = 1;
    match pane {
        Pane::States | Pane::Closes | Pane::Failures | Pane::Facts => 0,
        Pane::Destinations => ports_head(inner) + titles,
        Pane::Processes => titles + coverage_line(inner),
        Pane::Peers | Pane::Sockets | Pane::Counters => titles,
    }
}

/// The lines of a pane above the rows of its table.
#[must_use]
pub fn lines_above(pane: Pane, inner: Rect) -> u16 {
    match pane {
        Pane::Processes => other_lines(pane, inner) - coverage_line(inner),
        pane => other_lines(pane, inner),
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

fn slots(page: &Page, body: Rect, chrome: Chrome, height: u16, say: Sayings) -> Vec<Slot> {
    if page.zoomed {
        return vec![Slot { pane: page.focus, area: body }];
    }
    let whole = |pane| vec![Slot { pane, area: body }];
    match page.screen {
        Screen::Overview => overview(body, chrome, height),
        Screen::Sockets => whole(Pane::Sockets),
        Screen::Processes => whole(Pane::Processes),
        Screen::Peers => whole(Pane::Peers),
        Screen::Ports => ports(body, chrome, say.failures),
        Screen::Kernel => whole(Pane::Counters),
        Screen::Process(_) => process(body, chrome, say),
        Screen::Peer(_) => peer(body, chrome, say),
        Screen::Socket(_) | Screen::ProcessEvidence(_) | Screen::PeerEvidence(_) => whole(Pane::Facts),
    }
}

/// Lines of the histogram of states with its title or frame.
fn states_lines(chrome: Chrome) -> u16 {
    u16::try_from(TcpState::ALL.len()).unwrap_or(12) + chrome.lines()
}

fn overview(body: Rect, chrome: Chrome, height: u16) -> Vec<Slot> {
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
    slots.into_iter().map(|(pane, area)| Slot { pane, area }).collect()
}

/// The overview on a narrow terminal: one pane below the other.
fn stacked(body: Rect, chrome: Chrome) -> Vec<Slot> {
    let states = states_lines(chrome).min(body.height / 2);
    let (top, rest) = split_height(body, states);
    let (middle, lower) =
        if rest.height >= 10 { split_height(rest, rest.height / 2) } else { split_height(rest, rest.height) };
    let all = [(Pane::States, top), (Pane::Processes, middle), (Pane::Peers, lower)];
    let shown = all.into_iter().filter(|(_, area)| area.height > 0);
    shown.map(|(pane, area)| Slot { pane, area }).collect()
}

/// Destinations, and below them the failed calls where there are any.
fn ports(body: Rect, chrome: Chrome, failures: u16) -> Vec<Slot> {
    let below = if failures == 0 { 0 } else { (failures + chrome.lines()).min(body.height / 2) };
    let (destinations, failures) = split_height(body, body.height - below);
    let mut slots = vec![Slot { pane: Pane::Destinations, area: destinations }];
    if failures.height > 0 {
        slots.push(Slot { pane: Pane::Failures, area: failures });
    }
    slots
}

/// How many more facts the trace adds to a page.
fn told(say: Sayings) -> u16 {
    u16::from(say.traced) + u16::from(say.failures > 0)
}

fn process(body: Rect, chrome: Chrome, say: Sayings) -> Vec<Slot> {
    let (facts, rest) = split_height(body, (7 + told(say) + chrome.lines()).min(body.height / 2));
    let (middle, sockets) = split_height(rest, (rest.height / 2).min(states_lines(chrome)));
    let parts = split_width(middle, &[60, 40]);
    [(Pane::Facts, facts), (Pane::States, parts[0]), (Pane::Peers, parts[1]), (Pane::Sockets, sockets)]
        .map(|(pane, area)| Slot { pane, area })
        .into()
}

fn peer(body: Rect, chrome: Chrome, say: Sayings) -> Vec<Slot> {
    let (facts, rest) = split_height(body, (4 + told(say) + chrome.lines()).min(body.height / 3));
    let (middle, sockets) = split_height(rest, (rest.height / 2).min(states_lines(chrome)));
    let parts = split_width(middle, &[60, 40]);
    [(Pane::Facts, facts), (Pane::States, parts[0]), (Pane::Processes, parts[1]), (Pane::Sockets, sockets)]
        .map(|(pane, area)| Slot { pane, area })
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
        assert_eq!(layout.rows(states), TcpState::ALL.len());
        let processes = layout.slot(Pane::Processes).expect("on the overview");
        assert!(layout.rows(processes) >= 5, "{processes:?}");
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
