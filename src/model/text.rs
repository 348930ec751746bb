//! Hostile text made safe to show.

use std::{borrow::Cow, fmt::Write as _};

/// `text` with every character that could move a cursor, hide, reorder or break a line written as an
/// escape (`\n`, `\x1b`, `\u{202e}`). Printable characters, wide ones included, stay.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| !is_dangerous(c)) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            c if c.is_ascii() && is_dangerous(c) => {
                let _ = write!(safe, "\\x{:02x}", u32::from(c));
            }
            c if is_dangerous(c) => {
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(c));
            }
            c => safe.push(c),
        }
    }
    Cow::Owned(safe)
}

/// Control characters (C0, DEL, C1), line and paragraph separators, bidirectional controls,
/// zero-width characters, and characters that no font draws.
fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_spelt_out_and_the_rest_stays() {
        assert_eq!(printable("nginx: worker"), "nginx: worker");
        assert_eq!(printable("a\x1b[31m\nb"), "a\\x1b[31m\\nb");
        assert_eq!(printable("\u{202e}gpj"), "\\u{202e}gpj");
        assert_eq!(printable("名前 \u{fffd}"), "名前 \u{fffd}");
        assert_eq!(printable("\u{9b}31m"), "\\u{9b}31m");
    }
}
