//! JSON that no terminal acts on.

use std::{
    borrow::Cow,
    io::{self, Write},
};

use serde_json::ser::{CompactFormatter, Formatter};

use crate::model::text::printable;

/// Compact JSON in which no character can act on a terminal: those that could are written as `\u` escapes,
/// which readers turn back into the same text.
pub(super) struct Safe;

impl Formatter for Safe {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if matches!(printable(fragment), Cow::Borrowed(_)) {
            return CompactFormatter.write_string_fragment(writer, fragment);
        }
        for c in fragment.chars() {
            let mut utf8 = [0; 4];
            let text = &*c.encode_utf8(&mut utf8);
            if matches!(printable(text), Cow::Borrowed(_)) {
                CompactFormatter.write_string_fragment(writer, text)?;
            } else {
                let mut utf16 = [0; 2];
                for unit in c.encode_utf16(&mut utf16) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::*;

    #[test]
    fn hostile_text_is_escaped_and_comes_back_whole() {
        let hostile = "a\"\\\u{1b}[2J\u{9b}31m\u{202e}\u{e0041}名\u{7f}";
        let mut out = Vec::new();
        hostile.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Safe)).expect("memory");
        let text = String::from_utf8(out).expect("UTF-8");
        assert_eq!(printable(&text), text);
        assert_eq!(serde_json::from_str::<String>(&text).expect("JSON"), hostile);
    }
}
