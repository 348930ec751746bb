//! What could be written next.

use std::borrow::Cow;

use super::{
    ast,
    keys::{CLAIMS, FAMILIES, KEYS, Key, Kind, Names, SIDES, STATES, TIMERS},
};

/// At most so many values of a key are offered.
const VALUES: usize = 100;

/// A text that could stand at the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// Where the part that it replaces begins, in characters; it ends at the cursor.
    pub start: usize,
    /// The text to put there.
    pub text: String,
    /// What it means; empty for a value that speaks for itself.
    pub doc: Cow<'static, str>,
}

/// A value that a key would find something with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The value, without quotes. Anybody may have chosen it.
    pub value: String,
    /// What it finds.
    pub doc: String,
}

/// What could be written at `cursor`, in characters.
pub(super) fn completions(text: &str, cursor: usize, seen: &dyn Fn(&str) -> Vec<Seen>) -> Vec<Completion> {
    let before: Vec<char> = text.chars().take(cursor).collect();
    match place(&before) {
        Place::Word(start) => keys(&before[start..].iter().collect::<String>(), start, seen),
        Place::Value { key, start } => {
            let part = unquoted(&before[start..]);
            Key::find(&key).map_or_else(Vec::new, |key| values(key, &part, start, seen))
        }
        Place::Quoted => vec![],
    }
}

/// What is being written at the end of a text.
enum Place {
    /// A word from there on, which may become a key.
    Word(usize),
    /// A value of a key, from there on.
    Value { key: String, start: usize },
    /// A word in quotes.
    Quoted,
}

fn place(before: &[char]) -> Place {
    let (mut word, mut value, mut quote) = (0, None, None);
    let mut key = String::new();
    let mut at = 0;
    while let Some(&c) = before.get(at) {
        match (c, quote) {
            ('\\', Some(_)) => at += 1,
            (c, Some(open)) if c == open => quote = None,
            ('"' | '\'', None) => quote = Some(c),
            ('!', None) if before.get(at + 1) == Some(&'=') => {}
            (c, None) if c.is_whitespace() || matches!(c, '(' | ')' | '|' | '&' | '!') => {
                (word, value) = (at + 1, None);
            }
            (':' | '=' | '<' | '>', None) if value.is_none() => {
                key = before[word..at].iter().filter(|c| **c != '!').collect();
                value = Some(at + 1);
            }
            // A sign in front of the value, as in `proc:=nginx`.
            ('=' | '<' | '>', None) if value == Some(at) => value = Some(at + 1),
            (',', None) if value.is_some() => value = Some(at + 1),
            _ => {}
        }
        at += 1;
    }
    match value {
        Some(start) => Place::Value { key, start },
        None if quote.is_some() => Place::Quoted,
        None => Place::Word(word),
    }
}

/// A value as far as it is written, without its quotes.
fn unquoted(part: &[char]) -> String {
    let Some((open, rest)) = part.split_first().filter(|(c, _)| matches!(c, '"' | '\'')) else {
        return part.iter().collect();
    };
    rest.iter().filter(|c| **c != '\\' && *c != open).collect()
}

/// The keys that begin with `part`, then the names of processes that have it in them.
fn keys(part: &str, start: usize, seen: &dyn Fn(&str) -> Vec<Seen>) -> Vec<Completion> {
    let folded = part.to_ascii_lowercase();
    let fits = |key: &&Key| key.names().any(|name| name.starts_with(&folded));
    let make = |key: &Key| Completion { start, text: format!("{}:", key.name), doc: key.doc.into() };
    let mut found: Vec<Completion> = KEYS.iter().filter(fits).map(make).collect();
    if let Some(key) = Key::find("proc").filter(|_| !part.is_empty()) {
        let named = values(key, part, start, seen).into_iter();
        found.extend(named.map(|one| Completion { text: format!("{}:{}", key.name, one.text), ..one }));
    }
    found
}

/// The values of `key` that begin with `part`, then those that have it in them.
fn values(key: &Key, part: &str, start: usize, seen: &dyn Fn(&str) -> Vec<Seen>) -> Vec<Completion> {
    let folded = part.to_lowercase();
    let named = names(key.kind);
    let (part, known): (String, Vec<Seen>) = if named.is_empty() {
        (folded, seen(key.name))
    } else {
        let counted = seen(key.name);
        let doc = |name: &str| counted.iter().find(|seen| seen.value == name).map(|seen| seen.doc.clone());
        let known = named.into_iter().map(|name| (name, doc(name)));
        let known = known.map(|(name, doc)| Seen { value: name.to_owned(), doc: doc.unwrap_or_default() });
        (folded.replace('_', "-"), known.collect())
    };
    let (mut first, mut then) = (vec![], vec![]);
    for Seen { value, doc } in known {
        let text = value.to_lowercase();
        let list = match text.find(&part) {
            Some(0) => &mut first,
            Some(_) => &mut then,
            None => continue,
        };
        list.push(Completion { start, text: ast::written(&value), doc: doc.into() });
    }
    first.append(&mut then);
    first.truncate(VALUES);
    first
}

/// The names of values that a key has, the first of each.
fn names(kind: Kind) -> Vec<&'static str> {
    match kind {
        Kind::State => first(STATES),
        Kind::Side => first(SIDES),
        Kind::Evidence => first(CLAIMS),
        Kind::Family => first(FAMILIES),
        Kind::Timer => first(TIMERS),
        Kind::Port(_) | Kind::Address(_) | Kind::Amount(_) | Kind::Text(_) => Vec::new(),
    }
}

fn first<T>(names: Names<T>) -> Vec<&'static str> {
    names.iter().map(|(known, _)| known[0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Query;

    fn seen(key: &str) -> Vec<Seen> {
        let values: &[&str] = match key {
            "proc" => &["nginx", "my \"app\"", "engine", "a,b", "*"],
            "state" => &["time-wait"],
            _ => &[],
        };
        values.iter().map(|value| Seen { value: (*value).to_owned(), doc: format!("{key}!") }).collect()
    }

    fn texts(text: &str) -> Vec<String> {
        completions(text, text.chars().count(), &seen).into_iter().map(|one| one.text).collect()
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
    fn what_is_seen_is_offered_the_beginning_before_the_middle() {
        assert_eq!(texts("proc:ng"), ["nginx", "engine"]);
        assert_eq!(texts("proc!=ng"), ["nginx", "engine"]);
        assert_eq!(texts("proc:=ng"), ["nginx", "engine"]);
        assert_eq!(texts("port:1 or (ngin"), ["proc:nginx", "proc:engine"]);
        assert_eq!(completions("state:time", 10, &seen)[0].doc, "state!");
    }

    #[test]
    fn a_value_is_quoted_so_that_it_is_read_as_itself() {
        for name in ["my \"app\"", "a,b", "*"] {
            let text = format!("proc:{}", &name[..1]);
            let found = completions(&text, 6, &seen);
            let one = found.iter().find(|one| one.text.starts_with('"')).expect(name);
            let filter = format!("{}{}", text.chars().take(one.start).collect::<String>(), one.text);
            let query = Query::parse(&filter).expect(&filter);
            assert_eq!(query.to_string(), filter);
        }
        // A quote that is open already is replaced with the value.
        let found = completions("proc:\"my ", 9, &seen);
        assert_eq!((found[0].start, found[0].text.as_str()), (5, "\"my \\\"app\\\"\""));
        assert_eq!(texts("\"sta"), [""; 0]);
    }

    #[test]
    fn the_part_to_replace_is_counted_in_characters() {
        let found = completions("proc:\"é\" state:li", 17, &seen);
        assert_eq!((found[0].start, found[0].text.as_str()), (15, "listen"));
    }
}
