//! The file as it is by default, with a comment for every key.

use std::fmt::Write as _;

use super::items::{COLUMNS, ITEMS, Item, KEYS, SORT, Section, WORST};
use crate::ui::{keymap::Keymap, settings::Listed};

/// The width of comments.
const WIDTH: usize = 96;

const HEAD: &str = "twtop's configuration. It is read from $XDG_CONFIG_HOME/twtop/config.toml, else from \
                    ~/.config/twtop/config.toml, or from where --config says. What is typed goes before what stands here. \
                    Every line is as it is by default: take away its # to change it.";

/// The text of the file.
#[must_use]
pub fn template() -> String {
    let mut text = String::new();
    comment(&mut text, HEAD);
    for Item { name, meaning, allowed, default, .. } in ITEMS {
        text.push('\n');
        comment(&mut text, meaning);
        comment(&mut text, &format!("It is {}.", allowed()));
        setting(&mut text, name, default);
    }
    section(&mut text, &COLUMNS);
    for table in Listed::ALL {
        let columns: Vec<String> = table.columns().map(|key| format!("\"{key}\"")).collect();
        setting(&mut text, table.name(), &format!("[{}]", columns.join(", ")));
    }
    section(&mut text, &SORT);
    for table in Listed::ALL {
        setting(&mut text, table.name(), &format!("\"{WORST}\""));
    }
    section(&mut text, &KEYS);
    for (name, labels, help) in Keymap::defaults() {
        text.push('\n');
        comment(&mut text, help);
        let labels: Vec<String> = labels.iter().map(|label| format!("{label:?}")).collect();
        setting(&mut text, name, &format!("[{}]", labels.join(", ")));
    }
    text
}

fn section(text: &mut String, Section { name, meaning }: &Section) {
    text.push('\n');
    comment(text, meaning);
    let _ = writeln!(text, "[{name}]");
}

fn setting(text: &mut String, name: &str, value: &str) {
    let _ = writeln!(text, "#{name} = {value}");
}

fn comment(text: &mut String, words: &str) {
    text.push('#');
    let mut column = 1;
    for word in words.split(' ') {
        if column + 1 + word.len() > WIDTH {
            text.push_str("\n#");
            column = 1;
        }
        let _ = write!(text, " {word}");
        column += 1 + word.len();
    }
    text.push('\n');
}
