//! Keys, and how a person writes them: `q`, `Ctrl-D`, `PgUp`, `Space`.

use crossterm::event::{KeyCode, KeyModifiers};

/// A key, alone or with Ctrl.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The key.
    pub code: KeyCode,
    /// Ctrl or nothing; Shift is part of the character.
    pub modifiers: KeyModifiers,
}

/// The keys that have a name, each under the one that is shown first.
const NAMED: [(&str, KeyCode); 21] = [
    ("Space", KeyCode::Char(' ')),
    ("Enter", KeyCode::Enter),
    ("Esc", KeyCode::Esc),
    ("Tab", KeyCode::Tab),
    ("Shift-Tab", KeyCode::BackTab),
    ("Up", KeyCode::Up),
    ("Down", KeyCode::Down),
    ("Left", KeyCode::Left),
    ("Right", KeyCode::Right),
    ("Home", KeyCode::Home),
    ("End", KeyCode::End),
    ("PgUp", KeyCode::PageUp),
    ("PgDn", KeyCode::PageDown),
    ("Insert", KeyCode::Insert),
    ("Delete", KeyCode::Delete),
    ("Backspace", KeyCode::Backspace),
    // What other programs call the same.
    ("Return", KeyCode::Enter),
    ("Escape", KeyCode::Esc),
    ("BackTab", KeyCode::BackTab),
    ("PageUp", KeyCode::PageUp),
    ("PageDown", KeyCode::PageDown),
];

impl Key {
    pub(super) const fn char(c: char) -> Self {
        Self { code: KeyCode::Char(c), modifiers: KeyModifiers::NONE }
    }

    pub(super) const fn ctrl(c: char) -> Self {
        Self { code: KeyCode::Char(c), modifiers: KeyModifiers::CONTROL }
    }

    pub(super) const fn code(code: KeyCode) -> Self {
        Self { code, modifiers: KeyModifiers::NONE }
    }

    /// The key as a person names it: `q`, `Ctrl-D`, `PgUp`, `Space`.
    #[must_use]
    pub fn label(self) -> String {
        let named = NAMED.iter().find(|(_, code)| *code == self.code);
        let name = match self.code {
            _ if let Some((name, _)) = named => (*name).to_owned(),
            KeyCode::Char(c) if self.modifiers == KeyModifiers::CONTROL => c.to_ascii_uppercase().to_string(),
            KeyCode::Char(c) => c.to_string(),
            KeyCode::F(n) => format!("F{n}"),
            other => format!("{other:?}"),
        };
        if self.modifiers == KeyModifiers::CONTROL { format!("Ctrl-{name}") } else { name }
    }

    /// The key that a person writes that way: what [`Key::label`] says, names in any case.
    ///
    /// # Errors
    /// Why there is no such key, as the end of a sentence that begins with what was written.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const UNKNOWN: &str =
            "is no key; write q, Ctrl-D, F1, Space, Enter, Esc, Tab, Shift-Tab, Up, PgDn, Home";
        if let Some((_, code)) = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Ok(Self::code(*code));
        }
        let mut characters = text.chars();
        match (characters.next(), characters.next()) {
            (Some(c), None) if !c.is_control() && !c.is_whitespace() => return Ok(Self::char(c)),
            (Some('f' | 'F'), Some('1'..='9')) => {
                let number = text[1..].parse().ok().filter(|number| (1..=12).contains(number));
                return number
                    .map(|number| Self::code(KeyCode::F(number)))
                    .ok_or("is no key; there are F1 to F12");
            }
            _ => {}
        }
        let ctrl = text.get(..5).filter(|prefix| prefix.eq_ignore_ascii_case("ctrl-")).map(|_| &text[5..]);
        match ctrl.map(str::as_bytes) {
            // A terminal sends the same byte for both, so the one could never be told from the other.
            Some([b'i' | b'I']) => Err("cannot be told from Tab by a terminal"),
            Some([b'm' | b'M']) => Err("cannot be told from Enter by a terminal"),
            Some([letter]) if letter.is_ascii_alphabetic() => {
                Ok(Self::ctrl(char::from(letter.to_ascii_lowercase())))
            }
            Some(_) => Err("is no key; Ctrl goes with a letter"),
            None => Err(UNKNOWN),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_as_it_is_read() {
        let named = NAMED.iter().map(|(_, code)| Key::code(*code));
        let others = [Key::char('q'), Key::char('S'), Key::char('?'), Key::char('é'), Key::ctrl('d')];
        for key in named.chain(others).chain((1..=12).map(|n| Key::code(KeyCode::F(n)))) {
            assert_eq!(Key::parse(&key.label()), Ok(key), "{}", key.label());
        }
    }

    #[test]
    fn names_are_read_in_any_case_and_letters_are_not() {
        assert_eq!(Key::parse("pgup"), Ok(Key::code(KeyCode::PageUp)));
        assert_eq!(Key::parse("CTRL-d"), Ok(Key::ctrl('d')));
        assert_eq!(Key::parse("f"), Ok(Key::char('f')));
        assert_ne!(Key::parse("s"), Key::parse("S"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "", " ", "\t", "qq", "F0", "F13", "F1x", "Ctrl-", "Ctrl-1", "Ctrl-é", "Ctrl-I", "ctrl-m",
            "Alt-x", "\x1b",
        ] {
            assert!(Key::parse(text).is_err(), "{text:?}");
        }
    }
}
