//! What the person has chosen to see. Only [`super::update()`] changes it.

use std::{net::IpAddr, sync::Arc};

use super::{
    course::Course, export::Exportable, mark::Mark, playhead::Playhead, prompt::Prompt, recent::Recent,
    scene::Look, settings::Settings, story::Story,
};
use crate::{
    findings::Key,
    model::{Endpoint, ProcKey, SockId, TcpState},
    query::{Query, Sort},
    store::PeerKey,
};

/// A page of the screen: one of the views, or a closer look at one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Screen {
    /// What is wrong, states, ports, processes and peers.
    Overview,
    /// All sockets.
    Sockets,
    /// All processes.
    Processes,
    /// All peers.
    Peers,
    /// All destinations and the ports they take.
    Ports,
    /// All that is wrong.
    Findings,
    /// Counters, settings and limits.
    Kernel,
    /// One process.
    Process(ProcKey),
    /// One peer.
    Peer(PeerKey),
    /// One socket.
    Socket(SockId),
    /// What the claims about one process rest on.
    ProcessEvidence(ProcKey),
    /// What the claims about the owners of connections with one peer rest on.
    PeerEvidence(PeerKey),
    /// One finding.
    Finding(Key),
    /// One counter, setting or limit.
    Explained(Matter),
}

/// What a row of the kernel's view is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Matter {
    /// A counter, by its name.
    Counter(Arc<str>),
    /// A setting, by its name.
    Setting(Arc<str>),
    /// A limit, by its name.
    Limit(&'static str),
}

impl Screen {
    /// The views that have a number, in its order.
    pub const VIEWS: [Self; 7] = [
        Self::Overview,
        Self::Sockets,
        Self::Processes,
        Self::Peers,
        Self::Ports,
        Self::Findings,
        Self::Kernel,
    ];

    /// The view with that number, from 1.
    #[must_use]
    pub fn numbered(number: u8) -> Option<Self> {
        let index = usize::from(number).checked_sub(1)?;
        Self::VIEWS.get(index).cloned()
    }

    /// The page of what it is about: its own, but for a page of evidence.
    #[must_use]
    pub fn subject(&self) -> Self {
        match self {
            Self::ProcessEvidence(key) => Self::Process(*key),
            Self::PeerEvidence(key) => Self::Peer(*key),
            page => page.clone(),
        }
    }

    /// The pane that has the focus at first.
    pub(super) const fn first_focus(&self) -> Pane {
        match self {
            Self::Sockets | Self::Peer(_) => Pane::Sockets,
            Self::Overview | Self::Processes | Self::Socket(_) => Pane::Processes,
            Self::Peers | Self::Process(_) => Pane::Peers,
            Self::ProcessEvidence(_) | Self::PeerEvidence(_) => Pane::Facts,
            Self::Ports => Pane::Destinations,
            Self::Findings => Pane::Findings,
            Self::Finding(_) => Pane::Story,
            Self::Kernel => Pane::Counters,
            Self::Explained(_) => Pane::Explained,
        }
    }
}

/// A part of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pane {
    /// The histogram of states.
    States,
    /// Ephemeral ports and the destinations that take them.
    Destinations,
    /// Closes over time.
    Closes,
    /// The states over time.
    Trend,
    /// The ports of one destination over time, and what will become of them.
    PortTrend,
    /// How long connections lived.
    Lives,
    /// Processes.
    Processes,
    /// Peers.
    Peers,
    /// Sockets.
    Sockets,
    /// Counters.
    Counters,
    /// Settings.
    Settings,
    /// Limits.
    Limits,
    /// Calls of `connect()` that failed.
    Failures,
    /// What is known of the one thing that the page is about.
    Facts,
    /// What is wrong.
    Findings,
    /// All about one finding.
    Story,
    /// All about one counter, setting or limit.
    Explained,
}

impl Pane {
    /// Every pane whose rows can be selected.
    pub const TABLES: [Self; 10] = [
        Self::States,
        Self::Destinations,
        Self::Processes,
        Self::Peers,
        Self::Sockets,
        Self::Counters,
        Self::Settings,
        Self::Limits,
        Self::Failures,
        Self::Findings,
    ];

    /// Whether its rows can be selected.
    #[must_use]
    pub const fn is_table(self) -> bool {
        !matches!(
            self,
            Self::Closes
                | Self::Trend
                | Self::PortTrend
                | Self::Lives
                | Self::Facts
                | Self::Story
                | Self::Explained
        )
    }

    /// Whether keys can act on it: its rows can be selected, or it is text that scrolls.
    #[must_use]
    pub const fn takes_focus(self) -> bool {
        self.is_table() || self.is_text()
    }

    /// Whether it is text that scrolls.
    #[must_use]
    pub const fn is_text(self) -> bool {
        matches!(self, Self::Story | Self::Explained)
    }
}

/// What a row is about: what a selection holds on to while rows come, go and change places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowId {
    /// A state.
    State(TcpState),
    /// A source address and a destination.
    Destination(IpAddr, Endpoint),
    /// A process.
    Process(ProcKey),
    /// A peer.
    Peer(PeerKey),
    /// A socket.
    Socket(SockId),
    /// A counter, a setting or a limit.
    Matter(Matter),
    /// Calls of `connect()` that failed: of whom, from where, where to.
    Failure(Option<ProcKey>, IpAddr, Endpoint),
    /// A finding.
    Finding(Key),
}

/// How one table is seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Table {
    /// What is selected; `None` before there was any row.
    pub selected: Option<RowId>,
    /// Where the selected row was when it was last seen.
    pub index: usize,
    /// Whether the selected row was there when it was last looked for.
    pub present: bool,
    /// Whether the person chose that row. Until then the first one is selected, whatever it is about.
    pub held: bool,
    /// Whether another filter was chosen since the selected row was last looked for.
    pub(super) filtered: bool,
    /// The first row shown.
    pub offset: usize,
    /// The order, `None` for the one the rows come in: the worst first.
    pub sort: Option<Sort>,
}

/// A page and how it is seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// What it shows.
    pub screen: Screen,
    /// The pane that keys act on.
    pub focus: Pane,
    /// Whether that pane has the whole page.
    pub zoomed: bool,
    /// The first line shown of text that scrolls.
    pub scroll: usize,
    /// On the page of a finding: what was told of it last.
    pub(super) story: Option<Story>,
    tables: [Table; Pane::TABLES.len()],
}

impl Page {
    /// A page as it is seen at first.
    #[must_use]
    pub fn new(screen: Screen) -> Self {
        let focus = screen.first_focus();
        Self { screen, focus, zoomed: false, scroll: 0, story: None, tables: Default::default() }
    }

    /// How the table in `pane` is seen; a pane without rows has a table that nobody looks at.
    #[must_use]
    pub fn table(&self, pane: Pane) -> &Table {
        &self.tables[Self::slot(pane)]
    }

    /// As [`Page::table`], to change it.
    pub(super) fn refilter(&mut self) {
        self.tables.iter_mut().for_each(|table| table.filtered = true);
    }

    /// How a pane's table is seen.
    pub fn table_mut(&mut self, pane: Pane) -> &mut Table {
        &mut self.tables[Self::slot(pane)]
    }

    fn slot(pane: Pane) -> usize {
        Pane::TABLES.iter().position(|&p| p == pane).unwrap_or(0)
    }
}

/// What keys mean at the moment.
#[derive(Debug, Clone, Default)]
pub enum Mode {
    /// Commands.
    #[default]
    Normal,
    /// The text of a filter is being typed.
    Filter(Prompt),
    /// A command is being typed.
    Palette(Prompt),
    /// Words are being typed that narrow the kernel's tables.
    Names(Prompt),
    /// Which of these is to be written to a file.
    Export(Vec<Exportable>),
    /// The help page, and its first line shown.
    Help(usize),
}

/// The filter in force.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// As typed; empty for none.
    pub text: String,
    /// As understood.
    pub query: Query,
}

/// A sentence in the footer, until the next key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The sentence. May hold outside text.
    pub text: String,
    /// Whether it tells of a failure.
    pub failure: bool,
}

/// Everything the person has chosen.
#[derive(Debug, Clone)]
pub struct View {
    /// Width and height of the terminal, cells.
    pub size: (u16, u16),
    /// Keys, columns and orders, as the configuration has them.
    pub settings: Arc<Settings>,
    /// What keys mean.
    pub mode: Mode,
    /// The filter in force.
    pub filter: Filter,
    /// Words that narrow the kernel's tables, where the filter says nothing; empty for none.
    pub names: String,
    /// Which moment is on screen.
    pub playhead: Playhead,
    /// The moment that others are compared with.
    pub mark: Option<Mark>,
    /// The last message, until the next key.
    pub message: Option<Message>,
    /// Filters that were set before, the newest first.
    pub(super) past_filters: Vec<String>,
    /// What went on since the filter was set or the page was entered.
    pub(super) recent: Option<Arc<Recent>>,
    /// On the page of a socket: the states that it went through.
    pub(super) course: Option<Arc<Course>>,
    /// Up to which sample the lines below the header stay, so that nothing jumps when there is nothing to say for a
    /// moment: of what is missing, and of what piles up.
    pub(super) lines_until: [u64; 2],
    views: [Page; Screen::VIEWS.len()],
    current: usize,
    entered: Vec<Page>,
}

impl View {
    /// The view at the start, on a terminal of `size` (width, height) and with the filter of the command line.
    #[must_use]
    pub fn new(size: (u16, u16), filter: Filter) -> Self {
        Self {
            size,
            settings: Arc::default(),
            mode: Mode::Normal,
            filter,
            names: String::new(),
            playhead: Playhead::Live,
            mark: None,
            message: None,
            past_filters: vec![],
            recent: None,
            course: None,
            lines_until: [0; 2],
            views: Screen::VIEWS.map(Page::new),
            current: 0,
            entered: vec![],
        }
    }

    /// The view at the start as `settings` want it.
    #[must_use]
    pub fn with_settings(mut self, settings: Arc<Settings>) -> Self {
        self.settings = settings;
        self.views = Screen::VIEWS.map(|screen| self.fresh(screen));
        self.show(self.settings.view);
        self
    }

    /// A page as it is seen at first, its tables in the orders that were chosen.
    fn fresh(&self, screen: Screen) -> Page {
        let mut page = Page::new(screen);
        for pane in Pane::TABLES {
            page.table_mut(pane).sort = self.settings.sort(pane);
        }
        page
    }

    /// The page on screen.
    #[must_use]
    pub fn page(&self) -> &Page {
        self.entered.last().unwrap_or(&self.views[self.current])
    }

    /// The page on screen, to change it.
    pub fn page_mut(&mut self) -> &mut Page {
        self.entered.last_mut().unwrap_or(&mut self.views[self.current])
    }

    /// Whether the page is about the kernel, not about sockets: the filter says nothing there.
    #[must_use]
    pub fn is_of_kernel(&self) -> bool {
        matches!(self.page().screen, Screen::Kernel | Screen::Explained(_))
    }

    /// Whether something is narrowed on the page, or about to be.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        let typing = matches!(self.mode, Mode::Filter(_) | Mode::Names(_) | Mode::Palette(_));
        let set = match self.page().screen {
            Screen::Kernel => !self.names.is_empty(),
            Screen::Explained(_) => false,
            _ => !self.filter.text.is_empty(),
        };
        typing || set
    }

    /// How many pages were entered one from another.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.entered.len()
    }

    /// The pages from the view to the one on screen.
    pub fn trail(&self) -> impl Iterator<Item = &Screen> + '_ {
        std::iter::once(&self.views[self.current]).chain(&self.entered).map(|page| &page.screen)
    }

    /// Shows the view with that number; what was entered is left. False if there is no such view.
    pub(super) fn show(&mut self, number: u8) -> bool {
        let index = usize::from(number).wrapping_sub(1);
        if index >= self.views.len() {
            return false;
        }
        self.current = index;
        self.entered.clear();
        true
    }

    /// The number of the view after the one that is shown, or that what is shown was entered from.
    pub(super) fn next_number(&self) -> u8 {
        u8::try_from((self.current + 1) % self.views.len() + 1).unwrap_or(1)
    }

    /// Enters a closer look.
    pub(super) fn enter(&mut self, screen: Screen) {
        let page = self.fresh(screen);
        self.entered.push(page);
    }

    /// The stories of the pages that were entered.
    pub(super) fn stories_mut(&mut self) -> impl Iterator<Item = &mut Story> + '_ {
        self.entered.iter_mut().filter_map(|page| page.story.as_mut())
    }

    /// Leaves what was entered last. False if nothing was.
    pub(super) fn leave(&mut self) -> bool {
        self.entered.pop().is_some()
    }

    /// What to show: what is held, else the newest.
    #[must_use]
    pub fn shown<'a>(&'a self, live: Option<&'a Look>) -> Option<&'a Look> {
        self.playhead.held().or(live)
    }

    /// Whether a moment is held.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.playhead.held().is_some()
    }
}
