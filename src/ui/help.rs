//! The help page, made from the command table and from what the words on screen mean.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    Theme,
    command::{Group, TABLE},
    keymap::Keymap,
    pen::Pen,
    scene::Scene,
    table::scrollbar,
    text::{pad, wrap},
    words,
};
use crate::{
    model::{Evidence, TcpState, text::printable},
    store::Moment,
};

/// Width of the keys and of the words that are explained.
const KEYS: usize = 18;
/// From this width on the page has two columns.
const TWO_COLUMNS: u16 = 120;

/// A line of the page.
enum Line {
    Heading(&'static str),
    Item(String, String),
    Text(String),
    Blank,
}

/// Words on screen that are not explained where they stand.
const WORDS: [(&str, &str); 13] = [
    ("TW CW EST", "Sockets in TIME_WAIT, CLOSE_WAIT and ESTABLISHED; ALL is in any state."),
    ("->X:P", "A peer written with the arrow first: we connect to port P of X."),
    ("X->:P", "One with the arrow in the middle: X connects to our port P."),
    ("TW?", "TIME_WAITs that are this process's or another candidate's, beside those in TW."),
    (
        "grey: at least",
        "Closes before the first sample, read from the TIME_WAITs still there: a lower bound.",
    ),
    (
        "both ends count",
        "Of a connection within this host both ends are ours: it is opened, accepted and ended twice.",
    ),
    ("taken", "Local ports that sockets towards one destination occupy; the limit is per destination."),
    ("LIFE50 LIFE99", "Half, and 99 %, of the connections closed by us in the last minute lived no longer."),
    (
        "attributed",
        "Of the entries into TIME_WAIT since the trace began, by the kernel's exact counter, those whose closer is known.",
    ),
    ("nameless", "Closed by a process that ended before it could be told from others, or by the kernel."),
    (
        "exact in",
        "So long a TIME_WAIT may be left that was entered before the trace began, or while it lost records.",
    ),
    ("cost", "Processor time of the sampler, percent of one core; memory and dump time beside it."),
    ("link", "What goes to the terminal, the mean of ten seconds; with --slow every fourth sample is drawn."),
];

const FILTER: [(&str, &str); 7] = [
    ("port:443", "Either port; lport: and rport: for one side; ranges such as port:8000-8999."),
    ("state:time-wait", "A state, in any spelling in use."),
    ("proc:nginx pid:12", "The owner. Terms side by side must all hold."),
    ("peer:10.0.0.0/8", "The peer's address or network; local: for ours."),
    ("!term", "Not."),
    ("term or term", "Either."),
    ("( )", "Together."),
];

/// How many lines of the page a terminal of `size` (width, height) shows at once.
#[must_use]
pub(super) fn page_lines(size: (u16, u16)) -> usize {
    usize::from(size.1.saturating_sub(2)).max(1)
}

/// How many lines the page has at that width.
#[must_use]
pub(super) fn lines(width: u16, moment: Option<&Moment>, keymap: &Keymap) -> usize {
    let columns = columns(width, moment, keymap);
    columns.iter().map(Vec::len).max().unwrap_or(0)
}

/// Draws the page from line `offset` on.
pub(super) fn draw(
    buffer: &mut Buffer,
    area: Rect,
    offset: usize,
    moment: Option<&Moment>,
    scene: &Scene<'_>,
) {
    let theme = scene.theme;
    let columns = columns(area.width, moment, &scene.view.settings.keymap);
    let longest = columns.iter().map(Vec::len).max().unwrap_or(0);
    let offset = offset.min(longest.saturating_sub(usize::from(area.height)));
    let width = column_width(area.width);
    let places = (0_u16..).map(|i| Rect { x: area.x + i * (width + 1), width, ..area });
    for (column, place) in columns.iter().zip(places) {
        for (y, line) in (0..area.height).zip(column.iter().skip(offset)) {
            draw_line(&mut Pen::new(buffer, place, y), line, theme);
        }
    }
    let track = Rect { x: area.right().saturating_sub(1), width: 1, ..area };
    scrollbar(buffer, track, offset, longest, theme);
}

fn draw_line(pen: &mut Pen<'_>, line: &Line, theme: &Theme) {
    pen.skip(2);
    match line {
        Line::Heading(title) => {
            pen.put(title, theme.strong());
        }
        Line::Item(word, text) => {
            pen.put(&pad(&word.replace("->", theme.glyphs.arrow), KEYS, false), theme.key());
            pen.put_cut(text, theme.text(), theme);
        }
        Line::Text(text) => {
            pen.put(text, theme.text());
        }
        Line::Blank => {}
    }
}

/// The page in one column, or in two where there is room.
fn columns(width: u16, moment: Option<&Moment>, keymap: &Keymap) -> Vec<Vec<Line>> {
    let mut lines = page(column_width(width), moment, keymap);
    if width < TWO_COLUMNS {
        return vec![lines];
    }
    // Break before the section in which the middle lies, so that the first column is not the shorter one.
    let middle = lines.len() / 2;
    let after = lines.iter().skip(middle).position(|line| matches!(line, Line::Blank));
    let second = lines.split_off(after.map_or(lines.len(), |after| middle + after + 1));
    vec![lines, second]
}

fn column_width(width: u16) -> u16 {
    if width < TWO_COLUMNS { width } else { (width - 2) / 2 }
}

fn page(width: u16, moment: Option<&Moment>, keymap: &Keymap) -> Vec<Line> {
    let mut lines = vec![];
    let room = usize::from(width).saturating_sub(KEYS + 4);
    if let Some(privileges) = moment.map(|moment| &moment.sample.privileges).filter(|p| !p.complete) {
        let mut items = vec![];
        if !privileges.missing.is_empty() {
            items.push(("missing", privileges.missing.join(", ")));
        }
        if !privileges.hint.is_empty() {
            items.push(("to see everything", String::new()));
        }
        if !items.is_empty() {
            section(&mut lines, "What is not seen, and how to see it", room, items);
            lines.pop();
            // A command has the whole line, so that it can be copied.
            let hint = wrap(&printable(&privileges.hint), usize::from(width).saturating_sub(4));
            lines.extend(hint.into_iter().map(Line::Text));
            lines.push(Line::Blank);
        }
    }
    for group in Group::ALL {
        let entries = TABLE.iter().filter(|entry| entry.group == group);
        let items = entries.map(|entry| {
            let keys = keymap.labels(entry.command);
            (if keys.is_empty() { "(no key)".to_owned() } else { keys }, entry.help.to_owned())
        });
        section(&mut lines, group.title(), room, items);
    }
    section(&mut lines, "Filter", room, FILTER.map(|(term, text)| (term, text.to_owned())));
    section(&mut lines, "States", room, TcpState::ALL.map(|s| (s.name(), words::state(s).to_owned())));
    section(&mut lines, "Words", room, WORDS.map(|(word, text)| (word, text.to_owned())));
    let kinds = Evidence::ALL.map(|kind| (kind.name(), words::evidence(kind).to_owned()));
    section(&mut lines, "What a claim about an owner rests on", room, kinds);
    lines.pop();
    lines
}

fn section<W: Into<String>>(
    lines: &mut Vec<Line>,
    title: &'static str,
    room: usize,
    items: impl IntoIterator<Item = (W, String)>,
) {
    lines.push(Line::Heading(title));
    for (word, text) in items {
        let mut word: String = word.into();
        let mut parts = wrap(&text, room);
        if parts.is_empty() {
            parts.push(String::new());
        }
        for part in parts {
            lines.push(Line::Item(std::mem::take(&mut word), part));
        }
    }
    lines.push(Line::Blank);
}
