//! What could be written next.

use super::keys::{CLAIMS, FAMILIES, KEYS, Key, Kind, Names, SIDES, STATES, TIMERS};

/// A text that could stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Where the part that it replaces begins, in characters; it ends at the cursor.
    pub start: usize,
    /// The text to put there.
    pub text: String,
    /// What it means; empty for a value that speaks for itself.
    pub doc: &'static str,
}

/// What could be written at `cursor`, in characters.
pub(super) fn completions(text: &str, cursor: usize) -> Vec<Completion> {
    let before: Vec<char> = text.chars().take(cursor).collect();
    let breaks = |c: &char| c.is_whitespace() || matches!(c, '(' | ')' | '|' | '&' | '!');
    let start = before.iter().rposition(breaks).map_or(0, |index| index + 1);
    let word: String = before[start..].iter().collect();
    match word.split_once([':', '=']) {
        None => keys(&word, start),
        Some((key, value)) => {
            let part = value.rsplit(',').next().unwrap_or(value);
            let at = before.len() - part.chars().count();
            Key::find(key).map_or_else(Vec::new, |key| values(key.kind, part, at))
        }
    }
}

fn keys(part: &str, start: usize) -> Vec<Completion> {
    let part = part.to_ascii_lowercase();
    let fits = |key: &&Key| key.names().any(|name| name.starts_with(&part));
    let make = |key: &Key| Completion { start, text: format!("{}:", key.name), doc: key.doc };
    KEYS.iter().filter(fits).map(make).collect()
}

fn values(kind: Kind, part: &str, start: usize) -> Vec<Completion> {
    let names = match kind {
        Kind::State => first(STATES),
        Kind::Side => first(SIDES),
        Kind::Evidence => first(CLAIMS),
        Kind::Family => first(FAMILIES),
        Kind::Timer => first(TIMERS),
        Kind::Port(_) | Kind::Address(_) | Kind::Amount(_) | Kind::Text(_) => Vec::new(),
    };
    let part = part.to_ascii_lowercase().replace('_', "-");
    let fits = |name: &&str| name.starts_with(&part);
    let make = |name: &str| Completion { start, text: name.to_owned(), doc: "" };
    names.into_iter().filter(fits).map(make).collect()
}

fn first<T>(names: Names<T>) -> Vec<&'static str> {
    names.iter().map(|(known, _)| known[0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        completions(text, text.chars().count()).into_iter().map(|one| one.text).collect()
    }

    #[test]
    fn keys_and_their_values() {
        assert_eq!(texts("port:443 st"), ["state:"]);
        assert_eq!(texts("!(sta"), ["state:"]);
        assert_eq!(texts("state:time"), ["time-wait"]);
        assert_eq!(texts("state:tw,CLOSE_"), ["close-wait"]);
        assert_eq!(texts("port:"), [""; 0]);
        assert_eq!(texts("nothing:x"), [""; 0]);
        assert_eq!(texts("").len(), KEYS.len());
    }

    #[test]
    fn the_part_to_replace_is_counted_in_characters() {
        let found = completions("proc:\"é\" state:li", 17);
        assert_eq!((found[0].start, found[0].text.as_str()), (15, "listen"));
    }
}
