//! What the first line says of the page that is on screen.

use vt100::{Color, Screen};

/// The path of pages, such as `overview → process 42`: the words of the first line that have the accent, among tabs or not,
/// without the number of the view.
pub(crate) fn path(screen: &Screen) -> String {
    let accented = |column: u16| {
        let cell = screen.cell(0, column)?;
        let on = cell.bold() && cell.fgcolor() != Color::Default;
        let mark = cell.inverse() || cell.bgcolor() != Color::Default;
        Some(if on && !mark { cell.contents() } else { " " })
    };
    let columns = 0..screen.size().1.get();
    let line: String =
        columns.map(|column| accented(column).filter(|text| !text.is_empty()).unwrap_or(" ")).collect();
    let words: Vec<&str> = line.split_whitespace().collect();
    let number = words.first().is_some_and(|word| word.chars().all(|c| c.is_ascii_digit()));
    words[usize::from(number)..].join(" ")
}
