//! From a key that was pressed to what it asks for.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::InputRequest;

use super::command::{Command, Entry, Key, TABLE};
use crate::query::nearest_name;

/// Which keys ask for which command: those of the command table, but where the person chose others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keymap {
    /// In the order of the command table.
    keys: Vec<(Command, Vec<Key>)>,
}

/// Always leaves the program, whatever the configuration says: nobody is to be locked in.
const WAY_OUT: Key = Key::ctrl('c');

/// Why a command cannot have a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindError {
    /// There is no such command; the name that may have been meant.
    NoCommand(Option<&'static str>),
    /// The text is no key, at that place in the list; why.
    NoKey(usize, &'static str),
    /// The key at that place in the list belongs to that command already, by the same file.
    Taken(usize, &'static str),
}

impl Default for Keymap {
    fn default() -> Self {
        Self { keys: TABLE.iter().map(|entry| (entry.command, entry.keys.to_vec())).collect() }
    }
}

impl Keymap {
    /// The command that a key asks for while no text is being typed.
    #[must_use]
    pub fn command(&self, event: &KeyEvent) -> Option<Command> {
        if event.kind == KeyEventKind::Release {
            return None;
        }
        // A terminal may or may not report Shift beside a capital letter; the letter says it already.
        let modifiers = event.modifiers.difference(KeyModifiers::SHIFT);
        let pressed = Key { code: event.code, modifiers };
        self.keys.iter().find(|(_, keys)| keys.contains(&pressed)).map(|(command, _)| *command)
    }

    /// The keys that ask for `command`, the first one to be told first; none if it has none.
    #[must_use]
    pub fn keys(&self, command: Command) -> &[Key] {
        self.keys.iter().find(|(other, _)| *other == command).map_or(&[], |(_, keys)| keys)
    }

    /// What the key is called that is told to a person who wants `command`.
    #[must_use]
    pub fn label(&self, command: Command) -> Option<String> {
        self.keys(command).first().map(|key| key.label())
    }

    /// The keys of `command` as they are called, one space apart; empty if it has none.
    #[must_use]
    pub fn labels(&self, command: Command) -> String {
        self.keys(command).iter().map(|key| key.label()).collect::<Vec<_>>().join(" ")
    }

    /// The names of all commands.
    pub fn names() -> impl Iterator<Item = &'static str> + Clone {
        TABLE.iter().map(|entry| entry.name)
    }

    /// Every command's name, the keys that it has by default, and what it does.
    pub fn defaults() -> impl Iterator<Item = (&'static str, Vec<String>, &'static str)> {
        TABLE.iter().map(|entry| (entry.name, entry.keys.iter().map(|key| key.label()).collect(), entry.help))
    }

    /// The keymap in which each command that is named has those keys and no others. A key that another command
    /// has by default is taken from it; one that two names claim is an error.
    ///
    /// # Errors
    /// The index of the first binding that cannot be, and why.
    pub fn bound(bindings: &[(&str, Vec<&str>)]) -> Result<Self, (usize, BindError)> {
        let mut chosen: Vec<(&'static Entry, Vec<Key>)> = vec![];
        for (index, (name, labels)) in bindings.iter().enumerate() {
            let binding = binding(name, labels, &chosen).map_err(|error| (index, error))?;
            chosen.push(binding);
        }
        let mut map = Self::default();
        for (_, keys) in &mut map.keys {
            keys.retain(|key| !chosen.iter().any(|(_, taken)| taken.contains(key)));
        }
        for (entry, chosen) in chosen {
            let slot = map.keys.iter_mut().find(|(command, _)| *command == entry.command);
            if let Some((_, keys)) = slot {
                *keys = chosen;
            }
        }
        for (_, keys) in map.keys.iter_mut().filter(|(command, _)| *command == Command::Quit) {
            keys.retain(|key| *key != WAY_OUT);
            keys.push(WAY_OUT);
        }
        Ok(map)
    }
}

/// The command of that name and its keys, if nobody among `chosen` has them.
fn binding(
    name: &str,
    labels: &[&str],
    chosen: &[(&'static Entry, Vec<Key>)],
) -> Result<(&'static Entry, Vec<Key>), BindError> {
    let entry = TABLE
        .iter()
        .find(|entry| entry.name == name)
        .ok_or_else(|| BindError::NoCommand(nearest_name(name, Keymap::names())))?;
    let mut keys = vec![];
    for (index, label) in labels.iter().enumerate() {
        let key = Key::parse(label).map_err(|why| BindError::NoKey(index, why))?;
        if key == WAY_OUT && entry.command != Command::Quit {
            return Err(BindError::NoKey(index, "always leaves twtop"));
        }
        let owner = chosen.iter().find(|(_, taken)| taken.contains(&key)).map(|(other, _)| other.name);
        let owner = owner.or_else(|| keys.contains(&key).then_some(entry.name));
        if let Some(owner) = owner {
            return Err(BindError::Taken(index, owner));
        }
        keys.push(key);
    }
    Ok((entry, keys))
}

/// What a key does to the line that is being typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// Change the line or move in it.
    Line(InputRequest),
    /// Put the next or the last of what is offered into the line.
    Choose {
        /// The next.
        forward: bool,
    },
    /// Put what was typed earlier into the line.
    Recall {
        /// Further back.
        back: bool,
    },
    /// Take the line.
    Accept,
    /// Leave it as it was before.
    Cancel,
}

/// What a key asks for while a line is being typed, with the keys of a shell's line editor.
#[must_use]
pub fn edit(event: &KeyEvent) -> Option<Edit> {
    use InputRequest as R;
    if event.kind == KeyEventKind::Release {
        return None;
    }
    let ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
    let alt = event.modifiers.contains(KeyModifiers::ALT);
    Some(Edit::Line(match event.code {
        KeyCode::Enter => return Some(Edit::Accept),
        KeyCode::Esc => return Some(Edit::Cancel),
        KeyCode::Char('c' | 'g') if ctrl => return Some(Edit::Cancel),
        KeyCode::Tab => return Some(Edit::Choose { forward: true }),
        KeyCode::BackTab => return Some(Edit::Choose { forward: false }),
        KeyCode::Up => return Some(Edit::Recall { back: true }),
        KeyCode::Down => return Some(Edit::Recall { back: false }),
        KeyCode::Char('p') if ctrl => return Some(Edit::Recall { back: true }),
        KeyCode::Char('n') if ctrl => return Some(Edit::Recall { back: false }),
        KeyCode::Char('a') if ctrl => R::GoToStart,
        KeyCode::Char('e') if ctrl => R::GoToEnd,
        KeyCode::Char('b') if ctrl => R::GoToPrevChar,
        KeyCode::Char('f') if ctrl => R::GoToNextChar,
        KeyCode::Char('u') if ctrl => R::DeleteFromStart,
        KeyCode::Char('k') if ctrl => R::DeleteTillEnd,
        KeyCode::Char('w') if ctrl => R::DeletePrevWord,
        KeyCode::Char('d') if ctrl => R::DeleteNextChar,
        KeyCode::Char('h') if ctrl => R::DeletePrevChar,
        KeyCode::Char('y') if ctrl => R::Yank,
        KeyCode::Char('b') if alt => R::GoToPrevWord,
        KeyCode::Char('f') if alt => R::GoToNextWord,
        KeyCode::Char(c) if !ctrl && !alt => R::InsertChar(c),
        KeyCode::Backspace if alt => R::DeletePrevWord,
        KeyCode::Backspace => R::DeletePrevChar,
        KeyCode::Delete => R::DeleteNextChar,
        KeyCode::Left if ctrl => R::GoToPrevWord,
        KeyCode::Right if ctrl => R::GoToNextWord,
        KeyCode::Left => R::GoToPrevChar,
        KeyCode::Right => R::GoToNextChar,
        KeyCode::Home => R::GoToStart,
        KeyCode::End => R::GoToEnd,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(code: KeyCode, modifiers: KeyModifiers) -> KeyEvent {
        KeyEvent::new(code, modifiers)
    }

    fn command(event: &KeyEvent) -> Option<Command> {
        Keymap::default().command(event)
    }

    #[test]
    fn keys_ask_for_their_commands() {
        let table = [
            (KeyCode::Char('q'), KeyModifiers::NONE, Command::Quit),
            (KeyCode::Char('c'), KeyModifiers::CONTROL, Command::Quit),
            (KeyCode::Char('G'), KeyModifiers::SHIFT, Command::Last),
            (KeyCode::BackTab, KeyModifiers::SHIFT, Command::PreviousPane),
            (KeyCode::Char('d'), KeyModifiers::CONTROL, Command::HalfDown),
            (KeyCode::Char('3'), KeyModifiers::NONE, Command::View(3)),
            (KeyCode::F(1), KeyModifiers::NONE, Command::Help),
        ];
        for (code, modifiers, expected) in table {
            assert_eq!(command(&press(code, modifiers)), Some(expected));
        }
        assert_eq!(command(&press(KeyCode::Char('d'), KeyModifiers::NONE)), None);
        assert_eq!(command(&press(KeyCode::Char('q'), KeyModifiers::ALT)), None);
    }

    #[test]
    fn a_released_key_asks_for_nothing() {
        let mut event = press(KeyCode::Char('q'), KeyModifiers::NONE);
        event.kind = KeyEventKind::Release;
        assert_eq!(command(&event), None);
        assert_eq!(edit(&event), None);
    }

    #[test]
    fn letters_are_text_while_a_line_is_typed() {
        let q = press(KeyCode::Char('q'), KeyModifiers::NONE);
        assert_eq!(edit(&q), Some(Edit::Line(InputRequest::InsertChar('q'))));
        assert_eq!(edit(&press(KeyCode::Esc, KeyModifiers::NONE)), Some(Edit::Cancel));
    }

    fn bound(bindings: &[(&str, &[&str])]) -> Result<Keymap, (usize, BindError)> {
        Keymap::bound(&bindings.iter().map(|(name, keys)| (*name, keys.to_vec())).collect::<Vec<_>>())
    }

    #[test]
    fn a_chosen_key_replaces_the_others_and_is_taken_from_who_had_it() {
        let map = bound(&[("sort", &["e", "F5"]), ("export", &["Ctrl-E"]), ("why", &[])]).expect("sound");
        let on = |code, modifiers| map.command(&press(code, modifiers));
        assert_eq!(on(KeyCode::Char('e'), KeyModifiers::NONE), Some(Command::Sort));
        assert_eq!(on(KeyCode::F(5), KeyModifiers::NONE), Some(Command::Sort));
        assert_eq!(on(KeyCode::Char('s'), KeyModifiers::NONE), None);
        assert_eq!(on(KeyCode::Char('e'), KeyModifiers::CONTROL), Some(Command::Export));
        assert_eq!(on(KeyCode::Char('w'), KeyModifiers::NONE), None);
        assert_eq!((map.label(Command::Sort).as_deref(), map.label(Command::Why)), (Some("e"), None));
        // Not named, so it only loses the key that was taken.
        let map = bound(&[("sort", &["p"])]).expect("sound");
        assert_eq!(map.labels(Command::Pause), "Space");
    }

    #[test]
    fn there_is_always_a_way_out() {
        for keys in [&["x"][..], &[], &["Ctrl-C", "x"]] {
            let map = bound(&[("quit", keys)]).expect("sound");
            let out = press(KeyCode::Char('c'), KeyModifiers::CONTROL);
            assert_eq!(map.command(&out), Some(Command::Quit), "{keys:?}");
        }
        assert_eq!(bound(&[("quit", &["x"])]).expect("sound").labels(Command::Quit), "x Ctrl-C");
        assert!(matches!(bound(&[("why", &["ctrl-c"])]), Err((0, BindError::NoKey(0, _)))));
    }

    #[test]
    fn what_cannot_be_bound_is_told_with_its_place() {
        assert_eq!(bound(&[("soert", &["x"])]), Err((0, BindError::NoCommand(Some("sort")))));
        assert!(matches!(bound(&[("why", &["x", "Hyper-X"])]), Err((0, BindError::NoKey(1, _)))));
        let twice = bound(&[("why", &["x"]), ("sort", &["y", "x"])]);
        assert_eq!(twice, Err((1, BindError::Taken(1, "why"))));
        assert_eq!(bound(&[("why", &["x", "x"])]), Err((0, BindError::Taken(1, "why"))));
    }

    #[test]
    fn binding_every_command_as_it_is_changes_nothing() {
        let labels: Vec<Vec<String>> =
            TABLE.iter().map(|entry| entry.keys.iter().map(|key| key.label()).collect()).collect();
        let bindings: Vec<(&str, Vec<&str>)> = TABLE
            .iter()
            .zip(&labels)
            .map(|(entry, labels)| (entry.name, labels.iter().map(String::as_str).collect()))
            .collect();
        assert_eq!(Keymap::bound(&bindings), Ok(Keymap::default()));
    }
}
