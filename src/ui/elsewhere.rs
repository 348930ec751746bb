//! Keys that mean something in other programs of this kind: what there is here instead.

use crossterm::event::KeyCode;

use super::{
    command::{Command, Key},
    keymap::Keymap,
};

/// What the person may have wanted, in place of "no such key". Asked only for keys that ask for nothing.
pub(super) fn instead(key: Key, keymap: &Keymap) -> Option<String> {
    let label = |command| keymap.label(command);
    match key.code {
        KeyCode::Char('+' | '-' | '=') => {
            Some("The interval is set by --interval, or in the configuration.".to_owned())
        }
        KeyCode::Char('u') => {
            Some(format!("One user's: press {} and type user:NAME.", label(Command::Filter)?))
        }
        KeyCode::Char('t') | KeyCode::F(5) => {
            Some(format!("There is no tree; {} opens a process.", label(Command::Enter)?))
        }
        KeyCode::Char('x' | 'K') | KeyCode::F(9) => Some("twtop ends nothing: it only looks.".to_owned()),
        KeyCode::F(7 | 8) => Some("twtop changes no priority: it only looks.".to_owned()),
        KeyCode::Char('r' | 'i' | 'I') => {
            Some(format!("{} turns the order round.", label(Command::Reverse)?))
        }
        KeyCode::F(2) => Some("The configuration is a file; twtop generate config writes one.".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_other_programs_are_answered_with_the_keys_of_this_one() {
        let keymap = Keymap::default();
        let answers = [
            (Key::char('u'), "One user's: press / and type user:NAME."),
            (Key::char('t'), "There is no tree; Enter opens a process."),
            (Key::code(KeyCode::F(9)), "twtop ends nothing: it only looks."),
        ];
        for (key, answer) in answers {
            assert_eq!(instead(key, &keymap).as_deref(), Some(answer));
            assert!(
                super::super::command::TABLE.iter().all(|entry| !entry.keys.contains(&key)),
                "{}",
                key.label()
            );
        }
        assert_eq!(instead(Key::char('Q'), &keymap), None);
        // Where nothing asks for it any more, it is not recommended.
        let bound = Keymap::bound(&[("filter", vec![])]).expect("sound");
        assert_eq!(instead(Key::char('u'), &bound), None);
    }
}
