//! A frame as an SVG: a grid of cells of a fixed size, so that a picture of the screen is made by the program
//! itself and is the same bytes every time.

use std::fmt::Write as _;

use ratatui::{
    buffer::{Buffer, Cell},
    style::{Color, Modifier},
};
use unicode_width::UnicodeWidthStr as _;

use super::theme::{Ground, indexed_rgb};

/// Width and height of a cell, in hundredths of a pixel: whole numbers print the same everywhere.
const CELL: (u32, u32) = (843, 1800);
/// Space around the grid, pixels.
const MARGIN: u32 = 14;
/// Where the baseline of text lies below the top of its cell, hundredths of a pixel.
const BASELINE: u32 = 1360;

/// How a run of cells looks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    fg: String,
    bg: Option<String>,
    bold: bool,
}

/// What the terminal of the picture has set for itself.
struct Terminal {
    foreground: &'static str,
    background: &'static str,
    /// Dim text of no colour.
    dim: &'static str,
    /// The sixteen colours, black first, the bright ones last.
    sixteen: [&'static str; 16],
}

/// A common dark one.
static DARK: Terminal = Terminal {
    foreground: "#d7dae0",
    background: "#14171c",
    dim: "#7a808c",
    sixteen: [
        "#14171c", "#c4473f", "#7fb069", "#e3b341", "#3f76c9", "#a86cc1", "#3fa7b5", "#a4abb8", //
        "#565d6b", "#ff7b72", "#a5d48e", "#f5d67b", "#79b0ff", "#d7a3ec", "#76d5e3", "#ffffff",
    ],
};

/// A common light one.
static LIGHT: Terminal = Terminal {
    foreground: "#1f2328",
    background: "#ffffff",
    dim: "#6e7781",
    sixteen: [
        "#24292f", "#cf222e", "#116329", "#9a6700", "#0969da", "#8250df", "#1b7c83", "#6e7781", //
        "#57606a", "#a40e26", "#1a7f37", "#7d5600", "#218bff", "#a475f9", "#3192aa", "#8c959f",
    ],
};

/// The frame in `buffer` as the text of an SVG, in a terminal with that background.
#[must_use]
pub fn svg(buffer: &Buffer, ground: Ground) -> String {
    let terminal = match ground {
        Ground::Dark => &DARK,
        Ground::Light => &LIGHT,
    };
    let background = terminal.background;
    let area = buffer.area;
    let (width, height) = (grid(area.width, CELL.0), grid(area.height, CELL.1));
    let (full_width, full_height) = (width / 100 + 2 * MARGIN, height / 100 + 2 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{full_width}\" height=\"{full_height}\" \
         viewBox=\"0 0 {full_width} {full_height}\">\n\
         <style>text{{font-family:'DejaVu Sans Mono','Menlo','Consolas',monospace;font-size:14px;\
         }}.b{{font-weight:bold}}</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{background}\"/>\n\
         <g transform=\"translate({MARGIN} {MARGIN})\">\n"
    );
    for y in 0..area.height {
        line(&mut svg, buffer, y, terminal);
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// The runs of one line. Blocks and lines are drawn as shapes: a font may leave gaps between them.
fn line(svg: &mut String, buffer: &Buffer, y: u16, terminal: &Terminal) {
    let width = buffer.area.width;
    let mut x = 0;
    while x < width {
        let look = look(&buffer[(x, y)], terminal);
        let start = x;
        let mut text = String::new();
        while x < width && self::look(&buffer[(x, y)], terminal) == look {
            let symbol = buffer[(x, y)].symbol();
            let kind = |text: &str| (is_shape(text), is_dots(text));
            if !text.is_empty() && kind(symbol) != kind(&text) {
                break;
            }
            text.push_str(symbol);
            x += cells(symbol);
        }
        run(svg, (start, y), x - start, &text, &look);
    }
}

fn cells(symbol: &str) -> u16 {
    u16::try_from(symbol.width()).unwrap_or(1).max(1)
}

fn run(svg: &mut String, (x, y): (u16, u16), cells: u16, text: &str, look: &Look) {
    let (left, top) = (grid(x, CELL.0), grid(y, CELL.1));
    if let Some(bg) = &look.bg {
        let (width, height) = (grid(cells, CELL.0), CELL.1);
        rect(svg, (left, top), (width, height), bg);
    }
    if text.trim().is_empty() {
        return;
    }
    if is_dots(text) {
        dots(svg, (left, top), text, &look.fg);
        return;
    }
    if is_shape(text) {
        for (i, symbol) in (0_u16..).zip(text.chars()) {
            shape(svg, (left + grid(i, CELL.0), top), symbol, &look.fg);
        }
        return;
    }
    // Renderers fold runs of spaces into one, so words further apart than that are set one by one.
    let words = text.split("  ");
    let mut column = x;
    for words_of_one in words {
        let trimmed = words_of_one.trim();
        if !trimmed.is_empty() {
            let lead = words_of_one.len() - words_of_one.trim_start().len();
            let start = column + u16::try_from(lead).unwrap_or(0);
            word(svg, (grid(start, CELL.0), top + BASELINE), trimmed, look);
        }
        column += u16::try_from(words_of_one.width()).unwrap_or(0) + 2;
    }
}

fn word(svg: &mut String, (x, y): (u32, u32), text: &str, look: &Look) {
    let class = if look.bold { " class=\"b\"" } else { "" };
    let length = px(grid(cells(text), CELL.0));
    let (x, y, fill, text) = (px(x), px(y), &look.fg, escaped(text));
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" textLength=\"{length}\" fill=\"{fill}\"{class}>{text}</text>"
    );
}

/// Whether text consists of characters that are drawn as shapes.
fn is_shape(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '\u{2580}'..='\u{258f}' | '─' | '│' | '╭' | '╮' | '╰' | '╯' | '┃'))
}

/// Whether text consists of braille.
fn is_dots(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '\u{2800}'..='\u{28ff}'))
}

/// The dots of braille characters, from the cell at `left`, `top` on: points of one path, which is drawn with a round pen.
fn dots(svg: &mut String, (left, top): (u32, u32), text: &str, stroke: &str) {
    // By bit: column and row of the dot within its cell.
    const PLACES: [(u32, u32); 8] = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)];
    let (width, height) = CELL;
    let mut path = String::new();
    for (i, symbol) in (0_u16..).zip(text.chars()) {
        for (bit, (column, row)) in (0_u32..).zip(PLACES) {
            if u32::from(symbol) & 1 << bit != 0 {
                let x = left + grid(i, width) + width * (2 * column + 1) / 4;
                let _ = write!(path, "M{} {}h0", px(x), px(top + height * (2 * row + 1) / 8));
            }
        }
    }
    let _ =
        writeln!(svg, "<path d=\"{path}\" stroke=\"{stroke}\" stroke-width=\"3\" stroke-linecap=\"round\"/>");
}

/// A block or line character in the cell at `left`, `top`.
fn shape(svg: &mut String, (left, top): (u32, u32), symbol: char, fill: &str) {
    let (width, height) = CELL;
    let code = u32::from(symbol);
    match symbol {
        // U+2581 to U+2588: one to eight eighths of the height, from below.
        '\u{2581}'..='\u{2588}' => {
            let filled = height * (code - 0x2580) / 8;
            rect(svg, (left, top + height - filled), (width, filled), fill);
        }
        // U+2589 to U+258F: seven to one eighth of the width, from the left.
        '\u{2589}'..='\u{258f}' => {
            rect(svg, (left, top), (width * (0x2590 - code) / 8, height), fill);
        }
        '─' => rect(svg, (left, top + height / 2 - 50), (width, 100), fill),
        '│' => rect(svg, (left + width / 2 - 50, top), (100, height), fill),
        '┃' => rect(svg, (left + width / 2 - 150, top), (300, height), fill),
        corner => arc(svg, (left, top), corner, fill),
    }
}

/// A rounded corner from the middle of one edge of the cell to the middle of another.
fn arc(svg: &mut String, (left, top): (u32, u32), corner: char, stroke: &str) {
    let (width, height) = CELL;
    let (centre_x, centre_y) = (left + width / 2, top + height / 2);
    let end_x = if matches!(corner, '╭' | '╰') { left + width } else { left };
    let end_y = if matches!(corner, '╭' | '╮') { top + height } else { top };
    let bend_y = if end_y > top { centre_y + 400 } else { centre_y - 400 };
    let _ = writeln!(
        svg,
        "<path d=\"M{x} {end_y}V{bend_y}Q{x} {y} {end_x} {y}\" fill=\"none\" stroke=\"{stroke}\"/>",
        x = px(centre_x),
        y = px(centre_y),
        end_x = px(end_x),
        end_y = px(end_y),
        bend_y = px(bend_y),
    );
}

fn rect(svg: &mut String, (x, y): (u32, u32), (width, height): (u32, u32), fill: &str) {
    let _ = writeln!(
        svg,
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{fill}\" shape-rendering=\"crispEdges\"/>",
        px(x),
        px(y),
        px(width),
        px(height)
    );
}

fn grid(cells: u16, size: u32) -> u32 {
    u32::from(cells) * size
}

/// Hundredths of a pixel as pixels.
fn px(hundredths: u32) -> String {
    match hundredths % 100 {
        0 => format!("{}", hundredths / 100),
        rest => format!("{}.{rest:02}", hundredths / 100),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn look(cell: &Cell, terminal: &Terminal) -> Look {
    let mut fg = colour(cell.fg, terminal).unwrap_or(terminal.foreground.to_owned());
    let mut bg = colour(cell.bg, terminal);
    if cell.modifier.contains(Modifier::DIM) {
        terminal.dim.clone_into(&mut fg);
    }
    if cell.modifier.contains(Modifier::REVERSED) {
        let back = bg.unwrap_or(terminal.background.to_owned());
        bg = Some(fg);
        fg = back;
    }
    Look { fg, bg, bold: cell.modifier.contains(Modifier::BOLD) }
}

/// A colour as the terminal shows it; `None` for its own.
fn colour(colour: Color, terminal: &Terminal) -> Option<String> {
    let number = match colour {
        Color::Reset => return None,
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        Color::Rgb(r, g, b) => return Some(format!("#{r:02x}{g:02x}{b:02x}")),
        Color::Indexed(n) => n,
    };
    Some(match indexed_rgb(number) {
        Some((r, g, b)) => format!("#{r:02x}{g:02x}{b:02x}"),
        None => terminal.sixteen[usize::from(number)].to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use ratatui::{layout::Rect, style::Style};

    use super::*;

    #[test]
    fn text_is_escaped_and_set_on_the_grid() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 6, 1));
        buffer.set_string(1, 0, "<&>", Style::new().fg(Color::Rgb(1, 2, 3)));
        let svg = svg(&buffer, Ground::Dark);
        assert!(svg.contains("&lt;&amp;&gt;"), "{svg}");
        assert!(svg.contains("x=\"8.43\" y=\"13.60\" textLength=\"25.29\" fill=\"#010203\""), "{svg}");
    }

    #[test]
    fn blocks_are_shapes() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 2, 1));
        buffer.set_string(0, 0, "▄x", Style::new());
        let svg = svg(&buffer, Ground::Dark);
        assert!(svg.contains("<rect x=\"0\" y=\"9\" width=\"8.43\" height=\"9\""), "{svg}");
        assert_eq!(svg.matches("<text").count(), 1);
    }

    #[test]
    fn braille_is_dots_on_the_grid() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 3, 1));
        buffer.set_string(0, 0, "⢀⠁x", Style::new());
        let svg = svg(&buffer, Ground::Dark);
        assert!(svg.contains("<path d=\"M6.32 15.75h0M10.53 2.25h0\" "), "{svg}");
        assert_eq!(svg.matches("<text").count(), 1);
    }
}
