//! The last line: a message, what is wrong with what is typed, or which keys do what now.

use ratatui::{buffer::Buffer, layout::Rect};

use super::{
    Theme,
    command::{Command, Scope, TABLE},
    export::Exportable,
    layout::Layout,
    pen::{Pen, clear},
    prompt::Prompt,
    scene::Scene,
    text::{width, wrap},
    view::{Message, Mode, Screen, View},
};
use crate::{model::text::printable, query::QueryError};

/// A message takes at most so many lines.
const LINES: usize = 6;
/// From this width on there is room for more than names.
const WIDE: u16 = 80;

/// A key and what it does.
struct Hint {
    command: Command,
    label: String,
    title: &'static str,
    /// Where it stands in the line.
    x: u16,
}

/// Draws the last line.
pub(super) fn draw(buffer: &mut Buffer, layout: &Layout, scene: &Scene<'_>) {
    let theme = scene.theme;
    let mut pen = Pen::new(buffer, layout.footer, 0);
    match &scene.view.mode {
        Mode::Filter(prompt) | Mode::Palette(prompt) if prompt.error.is_some() => {
            point_at(&mut pen, scene, prompt);
        }
        Mode::Filter(_) => {
            let does = [("Enter", "apply"), ("Tab", "complete"), ("Up", "earlier"), ("Esc", "leave")];
            keys(&mut pen, &does, theme);
            pen.put("port:443 proc:nginx ! or ( )", theme.dim());
        }
        Mode::Names(_) => {
            keys(&mut pen, &[("Enter", "apply"), ("Esc", "leave")], theme);
            pen.put_cut("words of a name or a meaning, such as: listen full", theme.dim(), theme);
        }
        Mode::Palette(_) => keys(&mut pen, &[("Enter", "run"), ("Tab", "choose"), ("Esc", "leave")], theme),
        Mode::Export(offered) => export(&mut pen, offered, theme),
        _ => match &scene.view.message {
            Some(told) => message(buffer, layout.footer, told, theme),
            None => hints(&mut pen, scene),
        },
    }
}

/// Keys with what they do, as far as they fit.
fn keys(pen: &mut Pen<'_>, keys: &[(&str, &str)], theme: &Theme) {
    pen.skip(1);
    for (key, does) in keys {
        if usize::from(pen.room()) <= width(key) + width(does) {
            return;
        }
        pen.put(key, theme.key());
        pen.put(&format!(" {does}"), theme.head());
        pen.skip(2);
    }
}

/// The question what to write to a file.
fn export(pen: &mut Pen<'_>, offered: &[Exportable], theme: &Theme) {
    let wide = pen.room() >= WIDE;
    pen.put(" Export ", theme.mark());
    let labels: Vec<(String, &str)> = offered
        .iter()
        .map(|what| (what.key().to_string(), if wide { what.title() } else { what.name() }))
        .chain([("Esc".to_owned(), "leave")])
        .collect();
    let labels: Vec<(&str, &str)> = labels.iter().map(|(key, does)| (&**key, *does)).collect();
    keys(pen, &labels, theme);
}

/// A sentence, over the lines above the last one if it needs them.
fn message(buffer: &mut Buffer, footer: Rect, message: &Message, theme: &Theme) {
    let style = if message.failure { theme.alarm() } else { theme.strong() };
    let text = printable(&message.text);
    if width(&text) + 2 <= usize::from(footer.width) {
        Pen::new(buffer, footer, 0).put(&format!(" {text} "), style);
        return;
    }
    let mut lines = wrap(&text, usize::from(footer.width).saturating_sub(2));
    if lines.len() > LINES {
        lines.truncate(LINES);
        lines[LINES - 1].push_str(theme.glyphs.ellipsis);
    }
    let above = u16::try_from(lines.len()).unwrap_or(1).saturating_sub(1);
    let area = Rect { y: footer.y.saturating_sub(above), height: above + 1, ..footer };
    clear(buffer, area);
    for (y, line) in (0..).zip(&lines) {
        Pen::new(buffer, area, y).put_cut(&format!(" {line} "), style, theme);
    }
}

/// What is wrong with a line, under the character where it is.
fn point_at(pen: &mut Pen<'_>, scene: &Scene<'_>, prompt: &Prompt) {
    let Some(QueryError { column, message }) = &prompt.error else { return };
    let theme = scene.theme;
    let caret = theme.glyphs.caret;
    let before: String = prompt.line.value().chars().take(*column).collect();
    let at = 1 + width(&before);
    let room = usize::from(pen.room());
    let needed = width(message) + 2;
    if at + needed <= room {
        pen.skip(u16::try_from(at).unwrap_or(0));
        pen.put(&format!("{caret} "), theme.warning());
        pen.put(message, theme.warning());
    } else if at > needed && at < room {
        pen.skip(u16::try_from(at - needed).unwrap_or(0));
        pen.put(message, theme.warning());
        pen.put(&format!(" {caret}"), theme.warning());
    } else if *column == 0 {
        pen.put_cut(&format!(" {caret} {message}"), theme.warning(), theme);
    } else {
        pen.put_cut(&format!("Character {}: {message}", column + 1), theme.warning(), theme);
    }
}

fn hints(pen: &mut Pen<'_>, scene: &Scene<'_>) {
    let theme = scene.theme;
    let start = pen.room();
    for hint in hinted(scene.view, start, theme.glyphs.dash) {
        pen.skip(hint.x.saturating_sub(start - pen.room()));
        pen.put(&hint.label, theme.key());
        pen.put(&format!(" {}", hint.title), theme.head());
    }
}

/// The hints that fit into `room` cells, each with its place.
fn hinted(view: &View, room: u16, dash: &str) -> Vec<Hint> {
    let helping = matches!(view.mode, Mode::Help(_));
    let wanted = |command| !helping || matches!(command, Command::Help | Command::Back | Command::Quit);
    let shown = TABLE.iter().filter(|entry| entry.hint > 0 && wanted(entry.command));
    let mut entries: Vec<_> = shown.filter(|entry| applies(entry.scope, view)).collect();
    // Who holds a moment wants to go from it to others, and who marked one to see what changed.
    entries.sort_by_key(|entry| (!matches!(entry.scope, Scope::Held | Scope::Marked), entry.hint));
    let (mut hints, mut x) = (vec![], 1);
    for entry in entries {
        let Some(label) = key(entry.command, view, dash) else { continue };
        let title = title(entry.command, entry.title, view);
        let cells = u16::try_from(width(&label) + 1 + width(title)).unwrap_or(u16::MAX);
        if room.saturating_sub(x) < cells {
            continue;
        }
        hints.push(Hint { command: entry.command, label, title, x });
        x += cells + 2;
    }
    hints
}

/// The key of a command; of the views the first and the last one's.
fn key(command: Command, view: &View, dash: &str) -> Option<String> {
    let keymap = &view.settings.keymap;
    let last = u8::try_from(Screen::VIEWS.len()).ok()?;
    let key = keymap.label(command);
    // There and back are told together.
    if let (Some(back), Some(onward)) = (&key, command.opposite().and_then(|onward| keymap.label(onward))) {
        return Some(format!("{back} {onward}"));
    }
    let (Command::View(_), Some(last)) = (command, keymap.label(Command::View(last))) else { return key };
    Some(format!("{}{dash}{last}", key?))
}

/// The command whose hint is at `x` of the last line.
pub(super) fn command_at(view: &View, x: u16) -> Option<Command> {
    // Every dash is one cell wide.
    let hints = hinted(view, view.size.0, "-").into_iter();
    let width = |hint: &Hint| u16::try_from(width(&hint.label) + 1 + width(hint.title)).unwrap_or(0);
    let hint = hints.into_iter().find(|hint| (hint.x..hint.x + width(hint)).contains(&x))?;
    Some(match hint.command {
        Command::View(_) => Command::View(view.next_number()),
        command => command,
    })
}

/// What a command would do now, where its name alone would mislead.
fn title(command: Command, title: &'static str, view: &View) -> &'static str {
    match command {
        Command::Help | Command::Back if matches!(view.mode, Mode::Help(_)) => "leave help",
        Command::Pause if view.is_held() => "go on",
        Command::View(_) => "views",
        Command::OnlyChanged if view.mark.as_ref().is_some_and(|mark| mark.only_changed) => "show all",
        Command::Zoom if view.page().zoomed => "shrink",
        Command::Back if view.depth() == 0 && !view.page().zoomed => "clear filter",
        _ => title,
    }
}

fn applies(scope: Scope, view: &View) -> bool {
    let page = view.page();
    let helping = matches!(view.mode, Mode::Help(_));
    match scope {
        Scope::Everywhere => true,
        Scope::Tables => !helping && page.focus.is_table() && !matches!(page.screen, Screen::Socket(_)),
        Scope::Panes => {
            let many = matches!(
                page.screen,
                Screen::Overview
                    | Screen::Process(_)
                    | Screen::Peer(_)
                    | Screen::Ports
                    | Screen::Finding(_)
                    | Screen::Kernel
            );
            !helping && many
        }
        Scope::Held => !helping && view.is_held(),
        Scope::Marked => !helping && view.mark.is_some(),
        Scope::Entered => helping || view.depth() > 0 || page.zoomed || view.is_narrowed(),
    }
}
