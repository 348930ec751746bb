//! The command table: the names in the palette and in the configuration file, the keymap, the help page and the hints in the
//! footer are all made from it.

use crossterm::event::KeyCode;

pub use super::key::Key;

/// What a key can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// Leave twtop.
    Quit,
    /// Show or leave the help page.
    Help,
    /// Leave what was entered last; with nothing to leave, clear the filter.
    Back,
    /// Look closer at the selected row.
    Enter,
    /// Say what the claim about the selected row's owner rests on.
    Why,
    /// Select the next row.
    Down,
    /// Select the row before.
    Up,
    /// Select the first row.
    First,
    /// Select the last row.
    Last,
    /// One page on.
    PageDown,
    /// One page back.
    PageUp,
    /// Half a page on.
    HalfDown,
    /// Half a page back.
    HalfUp,
    /// Give the focus to the next pane.
    NextPane,
    /// Give the focus to the pane before.
    PreviousPane,
    /// Show a view by its number, from 1.
    View(u8),
    /// Type a filter.
    Filter,
    /// Sort by the next column.
    Sort,
    /// Sort by the column before.
    SortBack,
    /// Turn the order round.
    Reverse,
    /// Hold the picture, or let it go on.
    Pause,
    /// One sample back.
    Earlier,
    /// One sample forward.
    Later,
    /// One minute back.
    MinuteEarlier,
    /// One minute forward.
    MinuteLater,
    /// Show the newest moment again.
    Live,
    /// Mark the moment shown, to compare others with it.
    Mark,
    /// Forget the mark.
    ForgetMark,
    /// Show only what changed since the mark, or everything again.
    OnlyChanged,
    /// Give the whole screen to the pane that has the focus.
    Zoom,
    /// Write what is seen to a file.
    Export,
    /// Type a command.
    Palette,
    /// Copy what lists the selected row with `ss`.
    Copy,
    /// Copy what lists with `ss` what the filter keeps.
    CopyFilter,
    /// Draw everything anew.
    Redraw,
    /// Stop, as other programs do on Ctrl-Z.
    Suspend,
}

/// Where a command belongs on the help page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// Views and panes.
    Views,
    /// Moving within a table.
    Moving,
    /// Choosing what is shown.
    Choosing,
    /// The program itself.
    Program,
}

/// Where a command does something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Wherever no text is being typed.
    Everywhere,
    /// Where the pane that has the focus is a table.
    Tables,
    /// Where there is more than one pane.
    Panes,
    /// After something was entered, or with a filter set.
    Entered,
    /// While a moment is held.
    Held,
    /// While there is a mark.
    Marked,
}

/// One command with everything a person is told about it.
#[derive(Debug)]
pub struct Entry {
    /// The command.
    pub command: Command,
    /// What the palette and the configuration file call it; stays as it is for good.
    pub name: &'static str,
    /// The keys that ask for it, unless the person chose others ([`super::keymap::Keymap`]).
    pub keys: &'static [Key],
    /// One or two words for the footer.
    pub title: &'static str,
    /// One sentence for the help page.
    pub help: &'static str,
    /// Its place on the help page.
    pub group: Group,
    /// Where it does something.
    pub scope: Scope,
    /// Its place among the footer's hints, the most useful first; 0 for none.
    pub hint: u8,
}

impl Command {
    /// The command that undoes it, where a hint tells of both at once.
    #[must_use]
    pub const fn opposite(self) -> Option<Self> {
        match self {
            Self::Earlier => Some(Self::Later),
            Self::MinuteEarlier => Some(Self::MinuteLater),
            _ => None,
        }
    }

    /// What the palette and the configuration file call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::View(number) => view_name(number),
            Self::NextPane => "next-pane",
            Self::PreviousPane => "previous-pane",
            Self::Zoom => "zoom",
            Self::Enter => "enter",
            Self::Why => "why",
            Self::Back => "back",
            Self::Down => "down",
            Self::Up => "up",
            Self::First => "first",
            Self::Last => "last",
            Self::PageDown => "page-down",
            Self::PageUp => "page-up",
            Self::HalfDown => "half-down",
            Self::HalfUp => "half-up",
            Self::Filter => "filter",
            Self::Sort => "sort",
            Self::SortBack => "sort-back",
            Self::Reverse => "reverse",
            Self::Pause => "pause",
            Self::Earlier => "earlier",
            Self::Later => "later",
            Self::MinuteEarlier => "minute-earlier",
            Self::MinuteLater => "minute-later",
            Self::Live => "live",
            Self::Mark => "mark",
            Self::ForgetMark => "forget-mark",
            Self::OnlyChanged => "only-changed",
            Self::Export => "export",
            Self::Palette => "palette",
            Self::Copy => "copy",
            Self::CopyFilter => "copy-filter",
            Self::Help => "help",
            Self::Redraw => "redraw",
            Self::Suspend => "suspend",
            Self::Quit => "quit",
        }
    }
}

/// The names of the views, in the order of their numbers.
pub const VIEWS: [&str; 7] = ["overview", "sockets", "processes", "peers", "ports", "findings", "kernel"];

const fn view_name(number: u8) -> &'static str {
    let index = number.wrapping_sub(1) as usize;
    if index < VIEWS.len() { VIEWS[index] } else { "" }
}

impl Group {
    /// Every group, in the order of the help page.
    pub const ALL: [Self; 4] = [Self::Views, Self::Moving, Self::Choosing, Self::Program];

    /// Its heading.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Views => "Views",
            Self::Moving => "Moving",
            Self::Choosing => "Choosing",
            Self::Program => "Program",
        }
    }
}

/// The entry of a command.
#[must_use]
pub fn entry(command: Command) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.command == command)
}

const fn row(
    command: Command,
    keys: &'static [Key],
    title: &'static str,
    help: &'static str,
    (group, scope, hint): (Group, Scope, u8),
) -> Entry {
    Entry { command, name: command.name(), keys, title, help, group, scope, hint }
}

use Command as C;
use Group::{Choosing, Moving, Program, Views};
use Scope::{Entered, Everywhere, Held, Marked, Panes, Tables};

/// Every command.
pub static TABLE: &[Entry] = &[
    row(
        C::View(1),
        &[Key::char('1')],
        "overview",
        "What is wrong, states, ports, processes and peers on one screen.",
        (Views, Everywhere, 8),
    ),
    row(C::View(2), &[Key::char('2')], "sockets", "All sockets.", (Views, Everywhere, 0)),
    row(
        C::View(3),
        &[Key::char('3')],
        "processes",
        "All processes that own a socket.",
        (Views, Everywhere, 0),
    ),
    row(C::View(4), &[Key::char('4')], "peers", "All services talked to or from.", (Views, Everywhere, 0)),
    row(
        C::View(5),
        &[Key::char('5')],
        "ports",
        "Ephemeral ports taken, by destination.",
        (Views, Everywhere, 0),
    ),
    row(
        C::View(6),
        &[Key::char('6')],
        "findings",
        "What is wrong, who causes it and what to do.",
        (Views, Everywhere, 0),
    ),
    row(
        C::View(7),
        &[Key::char('7')],
        "kernel",
        "The kernel's counters, settings and limits.",
        (Views, Everywhere, 0),
    ),
    row(
        C::NextPane,
        &[Key::code(KeyCode::Tab)],
        "pane",
        "Give the focus to the next pane.",
        (Views, Panes, 4),
    ),
    row(
        C::PreviousPane,
        &[Key::code(KeyCode::BackTab)],
        "pane before",
        "Give the focus to the pane before.",
        (Views, Panes, 0),
    ),
    row(
        C::Zoom,
        &[Key::char('z')],
        "expand",
        "Give the whole screen to the pane that has the focus, or take it back.",
        (Views, Panes, 13),
    ),
    row(
        C::Enter,
        &[Key::code(KeyCode::Enter)],
        "open",
        "Look closer at the selected process, peer, socket, finding, counter, setting or limit.",
        (Moving, Tables, 3),
    ),
    row(
        C::Why,
        &[Key::char('w')],
        "why",
        "Say what the claims about the selected process, peer or socket rest on, and what would tell more.",
        (Moving, Tables, 11),
    ),
    row(
        C::Back,
        &[Key::code(KeyCode::Esc)],
        "back",
        "Leave what was entered; with nothing left to leave, clear the filter.",
        (Moving, Entered, 2),
    ),
    row(
        C::Down,
        &[Key::char('j'), Key::code(KeyCode::Down)],
        "down",
        "Select the next row.",
        (Moving, Tables, 0),
    ),
    row(
        C::Up,
        &[Key::char('k'), Key::code(KeyCode::Up)],
        "up",
        "Select the row before.",
        (Moving, Tables, 0),
    ),
    row(C::First, &[Key::char('g')], "first", "Select the first row.", (Moving, Tables, 0)),
    row(
        C::Last,
        &[Key::char('G'), Key::code(KeyCode::End)],
        "last",
        "Select the last row.",
        (Moving, Tables, 0),
    ),
    row(C::PageDown, &[Key::code(KeyCode::PageDown)], "page down", "Go one page down.", (Moving, Tables, 0)),
    row(C::PageUp, &[Key::code(KeyCode::PageUp)], "page up", "Go one page up.", (Moving, Tables, 0)),
    row(C::HalfDown, &[Key::ctrl('d')], "half a page down", "Go half a page down.", (Moving, Tables, 0)),
    row(C::HalfUp, &[Key::ctrl('u')], "half a page up", "Go half a page up.", (Moving, Tables, 0)),
    row(
        C::Filter,
        &[Key::char('/'), Key::char('f'), Key::code(KeyCode::F(3)), Key::code(KeyCode::F(4))],
        "filter",
        "Type a filter that every pane obeys: port:443 state:time-wait proc:nginx peer:10.0.0.0/8. In the kernel's view: words \
         of a name or a meaning.",
        (Choosing, Everywhere, 5),
    ),
    row(
        C::Sort,
        &[Key::char('s'), Key::code(KeyCode::F(6)), Key::char('>'), Key::code(KeyCode::Right)],
        "sort",
        "Sort by the next column.",
        (Choosing, Tables, 6),
    ),
    row(
        C::SortBack,
        &[Key::char('<'), Key::code(KeyCode::Left)],
        "sort back",
        "Sort by the column before.",
        (Choosing, Tables, 0),
    ),
    row(C::Reverse, &[Key::char('S')], "reverse", "Turn the order round.", (Choosing, Tables, 0)),
    row(
        C::Pause,
        &[Key::char(' '), Key::char('p')],
        "pause",
        "Hold the picture, or let it go on. Sampling goes on meanwhile.",
        (Choosing, Everywhere, 7),
    ),
    row(
        C::Earlier,
        &[Key::char('[')],
        "step",
        "Go back by one sample: the whole screen shows that moment, and a cursor in the curves where it lies.",
        (Choosing, Held, 15),
    ),
    row(
        C::Later,
        &[Key::char(']')],
        "step on",
        "Go forward by one sample; beyond the newest, back to live.",
        (Choosing, Held, 0),
    ),
    row(C::MinuteEarlier, &[Key::char('{')], "minute", "Go back by a minute.", (Choosing, Held, 16)),
    row(C::MinuteLater, &[Key::char('}')], "minute on", "Go forward by a minute.", (Choosing, Held, 0)),
    row(
        C::Live,
        &[Key::code(KeyCode::Home)],
        "live",
        "Show the newest moment again, whatever was held.",
        (Choosing, Held, 17),
    ),
    row(
        C::Mark,
        &[Key::char('m')],
        "mark",
        "Mark the moment shown: from then on every pane tells what changed since, or before.",
        (Choosing, Everywhere, 20),
    ),
    row(
        C::OnlyChanged,
        &[Key::char('c')],
        "changed only",
        "Show only what changed since the mark, or everything again.",
        (Choosing, Marked, 18),
    ),
    row(C::ForgetMark, &[Key::char('M')], "forget mark", "Forget the mark.", (Choosing, Marked, 19)),
    row(
        C::Export,
        &[Key::char('e')],
        "export",
        "Write the table, the whole sample or a finding to a new file, as far as the filter keeps it; asks which.",
        (Choosing, Everywhere, 12),
    ),
    row(
        C::Copy,
        &[Key::char('y')],
        "copy",
        "Copy a command line of ss that lists what the selected row is about.",
        (Choosing, Tables, 14),
    ),
    row(
        C::CopyFilter,
        &[Key::char('Y')],
        "copy filter",
        "Copy a command line of ss that lists what the filter keeps.",
        (Choosing, Everywhere, 0),
    ),
    row(
        C::Palette,
        &[Key::char(':')],
        "commands",
        "Type a command by its name, such as sort tw, view peers, filter port:443 or export finding.",
        (Program, Everywhere, 10),
    ),
    row(
        C::Help,
        &[Key::char('?'), Key::char('h'), Key::code(KeyCode::F(1))],
        "help",
        "Show or leave this page.",
        (Program, Everywhere, 1),
    ),
    row(C::Redraw, &[Key::ctrl('l')], "redraw", "Draw everything anew.", (Program, Everywhere, 0)),
    row(
        C::Suspend,
        &[Key::ctrl('z')],
        "suspend",
        "Go to the background; fg brings twtop back.",
        (Program, Everywhere, 0),
    ),
    row(
        C::Quit,
        &[Key::char('q'), Key::code(KeyCode::F(10)), Key::ctrl('c')],
        "quit",
        "Leave twtop.",
        (Program, Everywhere, 9),
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_asks_for_two_things() {
        let keys: Vec<Key> = TABLE.iter().flat_map(|entry| entry.keys).copied().collect();
        for (i, key) in keys.iter().enumerate() {
            assert!(!keys[..i].contains(key), "{} is bound twice", key.label());
        }
    }

    #[test]
    fn every_command_has_a_name_of_its_own_that_can_be_typed() {
        for entry in TABLE {
            let plain = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(!entry.name.is_empty() && entry.name.chars().all(plain), "{:?}", entry.command);
            assert_eq!(TABLE.iter().filter(|other| other.name == entry.name).count(), 1, "{}", entry.name);
        }
        assert_eq!(VIEWS.len(), crate::ui::view::Screen::VIEWS.len());
    }

    #[test]
    fn every_command_can_be_asked_for_and_is_explained() {
        for entry in TABLE {
            assert!(!entry.keys.is_empty(), "{:?}", entry.command);
            assert!(entry.help.ends_with('.'), "{}", entry.help);
            assert_eq!(TABLE.iter().filter(|other| other.command == entry.command).count(), 1);
        }
    }

    #[test]
    fn no_two_hints_claim_the_same_place() {
        let mut hints: Vec<u8> = TABLE.iter().map(|entry| entry.hint).filter(|&hint| hint > 0).collect();
        hints.sort_unstable();
        assert!(hints.windows(2).all(|pair| pair[0] != pair[1]), "{hints:?}");
    }
}
