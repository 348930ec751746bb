//! A stage: the view, the store and a terminal that is only memory, driven by keys and seconds.

use std::sync::{Arc, LazyLock};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Color, Modifier},
};
use twtop::{
    app::SOCKET_CODEC,
    findings::{Finding, Watch},
    model::{Inspected, ProcessLoad, Sample, Stamp},
    store::{History, Ledger},
    ui::{self, Effect, Filter, Input, Link, Look, Palette, Past, Scene, Selection, Sources, Theme, View},
};

use crate::incident::Incident;

/// When the incident is at its height, seconds.
pub(crate) const HEIGHT: u32 = 75;

/// So many bytes the past takes at most, as by default.
pub(crate) const BOUND: usize = 16 << 20;

pub(crate) struct Stage {
    pub(crate) view: View,
    pub(crate) theme: Theme,
    pub(crate) now: Option<Stamp>,
    pub(crate) trouble: Option<&'static str>,
    pub(crate) link: Link,
    pub(crate) effects: Vec<Effect>,
    /// Whether selections are still being taken, as of a large table.
    pub(crate) slow: bool,
    ledger: Ledger,
    history: History,
    pub(crate) past: Past,
    watch: Watch,
    live: Option<Look>,
    selection: Option<Selection>,
    pub(crate) inspected: Option<Inspected>,
}

/// What was told by the height of an incident.
struct Told {
    history: History,
    past: Past,
    live: Look,
}

impl Told {
    fn of(bound: usize, incident: &mut Incident) -> Self {
        let stage = Stage::keeping(bound, incident, HEIGHT, (80, 24));
        Self { history: stage.history, past: stage.past, live: stage.live.expect("samples came") }
    }

    fn stage(&self, width: u16, height: u16) -> Stage {
        Stage::showing(&self.history, &self.past, &self.live, (width, height))
    }
}

impl Stage {
    /// An empty stage before the first sample.
    pub(crate) fn new(width: u16, height: u16) -> Self {
        Self {
            view: View::new((width, height), Filter::default()),
            theme: Theme::new(Palette::Sixteen, false),
            now: None,
            trouble: None,
            link: Link::default(),
            effects: vec![],
            slow: false,
            ledger: Ledger::new(),
            history: History::default(),
            past: Past::new(BOUND).packed_by(SOCKET_CODEC),
            watch: Watch::new(),
            live: None,
            selection: None,
            inspected: None,
        }
    }

    /// A stage on which the incident has gone on for `seconds`.
    pub(crate) fn after(seconds: u32, width: u16, height: u16) -> Self {
        Self::of(&mut Incident::new(), seconds, width, height)
    }

    /// As [`Stage::after`], of an incident that may be told differently.
    pub(crate) fn of(incident: &mut Incident, seconds: u32, width: u16, height: u16) -> Self {
        Self::keeping(BOUND, incident, seconds, (width, height))
    }

    /// As [`Stage::of`], with a past that takes at most `bound` bytes.
    pub(crate) fn keeping(
        bound: usize,
        incident: &mut Incident,
        seconds: u32,
        (width, height): (u16, u16),
    ) -> Self {
        let mut stage = Self::new(width, height);
        stage.past = Past::new(bound).packed_by(SOCKET_CODEC);
        for _ in 0..seconds {
            stage.fold(incident.sample());
        }
        stage.refresh();
        stage
    }

    /// As [`Stage::after`] at the height of the incident, told once for all who do not need what follows.
    pub(crate) fn at_height(width: u16, height: u16) -> Self {
        static TOLD: LazyLock<Told> = LazyLock::new(|| Told::of(BOUND, &mut Incident::new()));
        TOLD.stage(width, height)
    }

    /// As [`Stage::at_height`], with a past that keeps the sockets of the newest sample only.
    pub(crate) fn at_height_with_totals(width: u16, height: u16) -> Self {
        static TOLD: LazyLock<Told> = LazyLock::new(|| Told::of(0, &mut Incident::new()));
        TOLD.stage(width, height)
    }

    /// As [`Stage::at_height`], and the tracepoint tells as well.
    pub(crate) fn traced_at_height(width: u16, height: u16) -> Self {
        static TOLD: LazyLock<Told> = LazyLock::new(|| Told::of(BOUND, &mut Incident::traced()));
        TOLD.stage(width, height)
    }

    /// A stage of that size to which the same samples came; no keys yet.
    pub(crate) fn afresh(&self, size: (u16, u16)) -> Self {
        Self::showing(&self.history, &self.past, self.live.as_ref().expect("samples came"), size)
    }

    fn showing(history: &History, past: &Past, live: &Look, (width, height): (u16, u16)) -> Self {
        let mut stage = Self::new(width, height);
        stage.now = Some(live.moment.sample.stamp);
        stage.history = history.clone();
        stage.past = past.clone();
        stage.live = Some(live.clone());
        stage.refresh();
        stage
    }

    /// Another sample came.
    pub(crate) fn sample(&mut self, sample: Sample) {
        self.fold(sample);
        self.refresh();
    }

    fn fold(&mut self, sample: Sample) {
        self.now = Some(sample.stamp);
        let moment = self.ledger.fold(sample);
        self.history.push(&moment);
        self.watch.push(&moment, &self.history);
        let look = Look { moment: Arc::new(moment), findings: self.watch.findings().into() };
        self.past.push(&look);
        self.live = Some(look);
    }

    fn refresh(&mut self) {
        self.selection = self.view.shown(self.live.as_ref()).map(|look| ui::select(&self.view, look));
        self.input(Input::Refreshed);
    }

    /// The newest look is one by which that was found.
    pub(crate) fn find(&mut self, findings: Vec<Finding>) {
        self.live = self.live.take().map(|look| Look { findings: findings.into(), ..look });
        self.refresh();
    }

    /// What the newest look found.
    pub(crate) fn found(&self) -> &[Finding] {
        self.live.as_ref().map_or(&[], |look| &look.findings)
    }

    /// Something happens; selections are taken anew as the wiring would.
    pub(crate) fn input(&mut self, input: Input) {
        let look = self.view.shown(self.live.as_ref()).cloned();
        let data = look.as_ref().zip(self.selection.as_ref());
        let held = self.view.playhead.history().cloned();
        let history = held.as_deref().unwrap_or(&self.history);
        let data = data.map(|(look, selection)| ui::Data {
            moment: &look.moment,
            findings: &look.findings,
            selection,
            history,
        });
        let sources = Sources { live: self.live.as_ref(), past: &self.past, history: &self.history };
        let effects = ui::update(&mut self.view, input, data, sources);
        let again = effects.iter().any(|effect| matches!(effect, Effect::Select));
        for effect in &effects {
            if let Effect::Inspect(key) = effect {
                self.inspected = Some(Inspected::Running(ProcessLoad {
                    key: *key,
                    cpu_percent: Some(37.5),
                    rss_bytes: 184_549_376,
                    threads: 12,
                }));
            }
        }
        self.effects.extend(effects);
        if again && !self.slow {
            self.refresh();
        }
    }

    /// Something happens to the mouse at `column` and `row`.
    pub(crate) fn mouse(&mut self, kind: MouseEventKind, column: u16, row: u16) {
        let event = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
        self.input(Input::Mouse(event));
    }

    /// A click on the first `text` that is on the screen.
    pub(crate) fn click(&mut self, text: &str) {
        let screen = self.text();
        let found = (0..).zip(screen.lines()).find_map(|(row, line)| Some((row, line.split_once(text)?.0)));
        let (row, before) = found.unwrap_or_else(|| panic!("no {text:?} on\n{screen}"));
        let column = unicode_width::UnicodeWidthStr::width(before);
        let column = u16::try_from(column).expect("on the screen");
        self.mouse(MouseEventKind::Down(MouseButton::Left), column, row);
    }

    /// Types: characters as they are, `<Enter>`, `<Esc>`, `<Tab>`, `<C-d>` for other keys.
    pub(crate) fn keys(&mut self, keys: &str) {
        let mut rest = keys;
        while let Some(first) = rest.chars().next() {
            let end = rest.find('>').filter(|_| first == '<');
            let (name, len) =
                end.map_or((&rest[..first.len_utf8()], first.len_utf8()), |end| (&rest[1..end], end + 1));
            let (code, modifiers) = match name {
                "Enter" => (KeyCode::Enter, KeyModifiers::NONE),
                "Esc" => (KeyCode::Esc, KeyModifiers::NONE),
                "Tab" => (KeyCode::Tab, KeyModifiers::NONE),
                "Home" => (KeyCode::Home, KeyModifiers::NONE),
                "BackTab" => (KeyCode::BackTab, KeyModifiers::NONE),
                "Up" => (KeyCode::Up, KeyModifiers::NONE),
                "Down" => (KeyCode::Down, KeyModifiers::NONE),
                "End" => (KeyCode::End, KeyModifiers::NONE),
                "PgDn" => (KeyCode::PageDown, KeyModifiers::NONE),
                name => {
                    let c = name.chars().last().expect("a key has a name");
                    let ctrl = name.starts_with("C-");
                    (KeyCode::Char(c), if ctrl { KeyModifiers::CONTROL } else { KeyModifiers::NONE })
                }
            };
            self.input(Input::Key(KeyEvent::new(code, modifiers)));
            rest = &rest[len..];
        }
    }

    /// What is on the screen, with its colours.
    pub(crate) fn buffer(&self) -> Buffer {
        let (width, height) = self.view.size;
        let area = Rect::new(0, 0, width, height);
        let mut buffer = Buffer::empty(area);
        ui::render(&mut buffer, area, &self.scene());
        buffer
    }

    /// What is drawn.
    pub(crate) fn scene(&self) -> Scene<'_> {
        Scene {
            view: &self.view,
            live: self.live.as_ref(),
            selection: self.selection.as_ref(),
            history: &self.history,
            past: &self.past,
            inspected: self.inspected.as_ref(),
            theme: &self.theme,
            now: self.now,
            trouble: self.trouble,
            netns: None,
            link: self.link,
        }
    }

    /// What is on the screen as text, one line a row, without spaces at the ends.
    pub(crate) fn text(&self) -> String {
        let buffer = self.buffer();
        let mut text = String::new();
        for y in 0..buffer.area.height {
            let mut skip = 0;
            let mut line = String::new();
            for x in 0..buffer.area.width {
                let symbol = buffer[(x, y)].symbol();
                if skip == 0 {
                    line.push_str(symbol);
                }
                skip = if skip > 0 {
                    skip - 1
                } else {
                    unicode_width::UnicodeWidthStr::width(symbol).saturating_sub(1)
                };
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    /// The line in which the selected row of the focused table is drawn, found by its reversed cells of no colour.
    pub(crate) fn selected_line(&self) -> Option<String> {
        let buffer = self.buffer();
        let selected = |cell: &ratatui::buffer::Cell| {
            cell.fg == Color::Reset && cell.modifier.contains(Modifier::REVERSED)
        };
        let reversed = |y: u16| {
            let cells = (0..buffer.area.width).map(|x| &buffer[(x, y)]);
            let on = cells.filter(|cell| selected(cell));
            let line: String = on.map(ratatui::buffer::Cell::symbol).collect();
            (!line.is_empty()).then_some(line)
        };
        (0..buffer.area.height).find_map(reversed)
    }
}
