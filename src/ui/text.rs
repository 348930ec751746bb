//! Text made to fit: safe to show, and measured in cells rather than bytes.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::model::text::printable;

/// The width of `text` in cells.
#[must_use]
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// `text`, which anybody may have chosen, made printable and at most `width` cells wide, with `ellipsis` where its
/// end was cut off.
#[must_use]
pub(super) fn fit<'a>(text: &'a str, width: usize, ellipsis: &str) -> Cow<'a, str> {
    let safe = printable(text);
    if safe.width() <= width {
        return safe;
    }
    let mut cut = take(safe.chars(), width.saturating_sub(ellipsis.width()));
    if width >= ellipsis.width() {
        cut.push_str(ellipsis);
    }
    Cow::Owned(cut)
}

/// As [`fit`], and no figure stands right before the cut: one cannot see whether all of it is there.
#[must_use]
pub(super) fn fit_figures<'a>(text: &'a str, width: usize, ellipsis: &str) -> Cow<'a, str> {
    let safe = printable(text);
    if safe.width() <= width {
        return safe;
    }
    let room = width.saturating_sub(ellipsis.width());
    let mut cut = take(safe.chars(), room);
    cut.truncate(before_figure(&cut));
    if width >= ellipsis.width() {
        cut.push_str(ellipsis);
    }
    Cow::Owned(cut)
}

/// Where the figure begins that stands at the end of `text`, such as `12.3`, `1,234`, `09:30` or `10.0.0.1`; of an address
/// whose port is cut, where the port begins.
fn before_figure(text: &str) -> usize {
    let is_of_figure = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | ':');
    let start = text.trim_end_matches(is_of_figure).len();
    match text[start..].rfind(':') {
        Some(colon) if text[start..start + colon].contains('.') => start + colon + 1,
        _ => start,
    }
}

/// As [`fit`], with the middle cut out: names of one family begin alike and end differently.
#[must_use]
pub(super) fn fit_middle<'a>(text: &'a str, width: usize, ellipsis: &str) -> Cow<'a, str> {
    let safe = printable(text);
    if safe.width() <= width {
        return safe;
    }
    let Some(room) = width.checked_sub(ellipsis.width()) else { return Cow::Borrowed("") };
    let end: String = take(safe.chars().rev(), room / 2).chars().rev().collect();
    let start = take(safe.chars(), room - end.width());
    Cow::Owned(format!("{start}{ellipsis}{end}"))
}

/// An address or a name followed by something that must stay whole (a port): cuts the front part only.
/// `None` if the end alone does not fit.
#[must_use]
pub(super) fn fit_before(front: &str, end: &str, width: usize, ellipsis: &str) -> Option<String> {
    let room = width.checked_sub(end.width())?;
    Some(format!("{}{end}", fit(front, room, ellipsis)))
}

/// `text` filled up with spaces to `width` cells, on the left if `right` aligned. Wider text stays as it is.
#[must_use]
pub(super) fn pad(text: &str, width: usize, right: bool) -> String {
    let fill = " ".repeat(width.saturating_sub(text.width()));
    if right { fill + text } else { text.to_owned() + &fill }
}

/// Words of `text` on lines of at most `width` cells; a longer word is cut over several lines.
#[must_use]
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = vec![];
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.width() + 1 + word.width() > width {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        while line.width() > width {
            let head = take(line.chars(), width);
            if head.is_empty() {
                break;
            }
            line.drain(..head.len());
            lines.push(head);
        }
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// As many of `chars` as fit into `width` cells.
fn take(chars: impl Iterator<Item = char>, width: usize) -> String {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= width
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_a_family_stay_apart() {
        let cut = |name| fit_middle(name, 21, "…").into_owned();
        assert_eq!(cut("nf_conntrack_tcp_timeout_established"), "nf_conntra…stablished");
        assert_eq!(cut("nf_conntrack_tcp_timeout_time_wait"), "nf_conntra…_time_wait");
        assert_eq!(cut("tcp_rmem"), "tcp_rmem");
        assert_eq!(
            (fit_middle("名前名前", 5, "…").into_owned(), fit_middle("ab", 1, "…").into_owned()),
            ("名…前".to_owned(), "…".to_owned())
        );
        assert_eq!(fit_middle("abc", 1, "..."), "");
    }

    #[test]
    fn text_is_cut_by_cells_and_says_so() {
        assert_eq!(fit("postgres", 8, "…"), "postgres");
        assert_eq!(fit("postgres", 7, "…"), "postgr…");
        assert_eq!(fit("名前名前", 5, "…"), "名前…");
        assert_eq!(fit("名前名前", 4, "…"), "名…");
        assert_eq!(fit("abc", 0, "…"), "");
        assert_eq!(fit("a\x1b[2Jb", 20, "…"), "a\\x1b[2Jb");
    }

    #[test]
    fn a_port_is_never_cut() {
        assert_eq!(fit_before("2001:db8::1", ":443", 9, "…").as_deref(), Some("2001…:443"));
        assert_eq!(fit_before("10.0.0.1", ":65535", 5, "…"), None);
    }

    #[test]
    fn a_figure_is_whole_or_not_there() {
        assert_eq!(fit_figures("4096 131072 6291456", 19, "…"), "4096 131072 6291456");
        assert_eq!(fit_figures("4096 131072 6291456", 15, "…"), "4096 131072 …");
        assert_eq!(fit_figures("holds 1,234 sockets", 10, "…"), "holds …");
        assert_eq!(fit_figures("holds 1,234 sockets", 13, "…"), "holds 1,234 …");
        assert_eq!(fit_figures("4096 131072 6291456", 12, "…"), "4096 …");
        assert_eq!(fit_figures("to 10.0.3.9:5432", 15, "…"), "to 10.0.3.9:…");
        assert_eq!(fit_figures("to 10.0.3.9:5432", 11, "…"), "to …");
        assert_eq!(fit_figures("since 09:30:17", 12, "…"), "since …");
        assert_eq!(fit_figures("123456", 3, "…"), "…");
        assert_eq!(fit_figures("abcdef", 3, "~"), "ab~");
    }

    #[test]
    fn words_wrap_and_long_ones_are_cut() {
        assert_eq!(wrap("a bb ccc", 4), ["a bb", "ccc"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("名前", 1), ["名前"]);
    }
}
