//! The mark: the moment that others are compared with, and the commands about it.

use std::sync::Arc;

use super::{
    baseline::Baseline,
    scene::{Data, Look},
    update::Effect,
    view::{Message, View},
    why::clock,
    words,
};
use crate::model::Stamp;

/// A marked moment.
#[derive(Debug, Clone)]
pub struct Mark {
    /// What was known by then, sockets included as long as it was marked with them: the past may forget it meanwhile.
    pub(super) look: Look,
    /// What of it was compared last.
    pub(super) baseline: Option<Arc<Baseline>>,
    /// Whether only what changed since is shown.
    pub(super) only_changed: bool,
}

/// How much room the header has for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// For how long ago it was.
    Narrow,
    /// For when it was too.
    Middling,
    /// For all there is to say.
    Wide,
}

impl Mark {
    /// When the marked moment was.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.look.moment.sample.stamp
    }

    /// How the moment of `now` lies to it, in as much room as there is: `mark +42s`, `since mark 09:31:02 (+42s)`, and whether
    /// only what changed is shown.
    pub(super) fn told(&self, now: &Stamp, room: Room) -> String {
        let mark = self.stamp();
        let (word, age) = lies(now, &mark);
        let only = if self.only_changed && room == Room::Wide { ", changed only" } else { "" };
        match room {
            Room::Narrow => format!("mark {age}"),
            _ if age == "0s" => format!("at mark {}{only}", clock(mark)),
            _ => format!("{word} mark {} ({age}){only}", clock(mark)),
        }
    }
}

/// Whether `now` is after or before `mark`, and by how much.
fn lies(now: &Stamp, mark: &Stamp) -> (&'static str, String) {
    if now.since_boot < mark.since_boot {
        return ("before", format!("-{}", words::ago(mark.seconds_since(now))));
    }
    let age = words::ago(now.seconds_since(mark));
    ("since", if age == "0s" { age } else { format!("+{age}") })
}

/// How the moment of `now` lies to a mark, for the title of a pane: `since 09:31:02`.
pub(super) fn title(now: &Stamp, mark: Stamp) -> String {
    let (word, _) = lies(now, &mark);
    format!("{word} {}", clock(mark))
}

/// Marks what is on screen.
pub(super) fn set(view: &mut View, shown: Option<Look>) -> Vec<Effect> {
    let Some(look) = shown else {
        say(view, "There is nothing to mark yet.");
        return vec![];
    };
    let only_changed = view.mark.as_ref().is_some_and(|mark| mark.only_changed);
    say(view, &format!("Marked {}: every pane tells what changed since.", clock(look.moment.sample.stamp)));
    view.mark = Some(Mark { look, baseline: None, only_changed });
    vec![Effect::Select]
}

/// Forgets the mark.
pub(super) fn forget(view: &mut View) -> Vec<Effect> {
    let text = match view.mark.take() {
        Some(mark) => format!("The mark at {} is forgotten.", clock(mark.stamp())),
        None => "There is no mark.".to_owned(),
    };
    say(view, &text);
    vec![Effect::Select]
}

/// Shows only what changed since the mark, or everything again.
pub(super) fn toggle_changed(view: &mut View) -> Vec<Effect> {
    let Some(mark) = view.mark.as_mut() else {
        let key = view.settings.keymap.label(super::command::Command::Mark);
        let how = key.map_or_else(String::new, |key| format!(": set one with {key}"));
        say(view, &format!("There is no mark{how}."));
        return vec![];
    };
    mark.only_changed = !mark.only_changed;
    vec![Effect::Select]
}

/// Keeps what was compared, so that it need not be counted again for the next sample.
pub(super) fn keep(view: &mut View, data: &Data<'_>) {
    let Some(mark) = &mut view.mark else { return };
    if let Some(taken) = data.selection.baseline.as_ref().filter(|taken| taken.is_of(mark)) {
        mark.baseline = Some(Arc::clone(taken));
    }
}

fn say(view: &mut View, text: &str) {
    view.message = Some(Message { text: text.to_owned(), failure: false });
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;

    fn at(second: u32) -> Stamp {
        let wall = Timestamp::from_second(second.into()).expect("in range");
        Stamp { since_boot: Duration::from_secs(second.into()), wall }
    }

    #[test]
    fn a_moment_is_after_or_before_the_mark() {
        assert_eq!(lies(&at(142), &at(100)), ("since", "+42s".to_owned()));
        assert_eq!(lies(&at(58), &at(100)), ("before", "-42s".to_owned()));
        assert_eq!(lies(&at(100), &at(100)), ("since", "0s".to_owned()));
        assert_eq!(title(&at(58), at(100)), "before 00:01:40");
    }
}
