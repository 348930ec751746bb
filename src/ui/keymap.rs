//! From a key that was pressed to what it asks for.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use tui_input::InputRequest;

use super::command::{Command, TABLE};

/// The command that a key asks for while no text is being typed.
#[must_use]
pub fn command(event: &KeyEvent) -> Option<Command> {
    if event.kind == KeyEventKind::Release {
        return None;
    }
    // A terminal may or may not report Shift beside a capital letter; the letter says it already.
    let modifiers = event.modifiers.difference(KeyModifiers::SHIFT);
    TABLE
        .iter()
        .find(|entry| entry.keys.iter().any(|key| key.code == event.code && key.modifiers == modifiers))
        .map(|entry| entry.command)
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
}
