//! Which moment is on screen, and the commands that go from one to another.

use std::{sync::Arc, time::Duration};

use super::{
    past::Past,
    scene::Look,
    update::Effect,
    view::{Message, View},
};
use crate::{field::format, model::Stamp, store::History};

/// How far a leap goes.
const LEAP: Duration = Duration::from_mins(1);

/// What the screen shows.
#[derive(Debug, Clone, Default)]
pub enum Playhead {
    /// The newest moment.
    #[default]
    Live,
    /// A moment that is held.
    Held(Held),
}

/// A held moment, and what is needed so that its picture stands still while sampling goes on.
#[derive(Debug, Clone)]
pub struct Held {
    /// What is shown.
    look: Look,
    /// The time series up to where they ended when the picture was held: the curves show what came after the
    /// moment up to there.
    history: Arc<History>,
}

/// What there is to show: the newest look, those before it, and the time series up to it.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The newest look; `None` before the first sample.
    pub live: Option<&'a Look>,
    /// It and those before it.
    pub past: &'a Past,
    /// The time series up to it.
    pub history: &'a History,
}

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stride {
    /// To the next sample.
    Sample,
    /// A minute.
    Minute,
}

impl Playhead {
    /// What is held, if anything is.
    #[must_use]
    pub fn held(&self) -> Option<&Look> {
        match self {
            Self::Live => None,
            Self::Held(held) => Some(&held.look),
        }
    }

    /// The time series that belong to what is held.
    #[must_use]
    pub fn history(&self) -> Option<&Arc<History>> {
        match self {
            Self::Live => None,
            Self::Held(held) => Some(&held.history),
        }
    }
}

/// Holds what is on screen (not a newer moment that is still being counted), or lets it go on.
pub(super) fn pause(view: &mut View, shown: Option<Look>, sources: Sources<'_>) -> Vec<Effect> {
    match shown {
        Some(look) if !view.is_held() => hold(view, look, sources),
        _ => go_live(view),
    }
}

/// Shows the newest moment again.
pub(super) fn go_live(view: &mut View) -> Vec<Effect> {
    if !view.is_held() {
        return vec![];
    }
    view.playhead = Playhead::Live;
    vec![Effect::Select]
}

/// Goes back from what is on screen.
pub(super) fn back(
    view: &mut View,
    stride: Stride,
    shown: Option<Look>,
    sources: Sources<'_>,
) -> Vec<Effect> {
    // What is held may still be being counted: then it is not on screen yet.
    let Some(shown) = view.playhead.held().cloned().or(shown) else { return vec![] };
    let (past, now) = (sources.past, shown.moment.sample.stamp);
    let before = || past.before(&now);
    let is_before = |look: &Look| look.moment.sample.stamp.since_boot < now.since_boot;
    let look = match stride {
        Stride::Sample => before(),
        // From a minute that is cut short one still goes back.
        Stride::Minute => past.by(now.since_boot.saturating_sub(LEAP)).filter(is_before).or_else(before),
    };
    let Some(look) = look else {
        say(view, format!("Nothing older is kept: this is {}, the oldest sample.", clock(now)));
        return vec![];
    };
    let at = look.moment.sample.stamp;
    if stride == Stride::Minute && now.since_boot.saturating_sub(at.since_boot) < LEAP {
        say(view, format!("Nothing older is kept: {} is the oldest sample.", clock(at)));
    }
    hold(view, look, sources)
}

/// Goes forward from what is on screen; beyond the newest sample, back to live.
pub(super) fn forward(view: &mut View, stride: Stride, sources: Sources<'_>) -> Vec<Effect> {
    let Some(shown) = view.playhead.held() else {
        say(view, "This is live; nothing newer is there yet.".to_owned());
        return vec![];
    };
    let (past, now) = (sources.past, shown.moment.sample.stamp);
    let next = match stride {
        Stride::Sample => past.after(&now),
        Stride::Minute => past.from(now.since_boot + LEAP),
    };
    match next {
        Some(look) => hold(view, look, sources),
        None => go_live(view),
    }
}

/// Holds `look`. The series stay those that were held, unless they end before it.
fn hold(view: &mut View, look: Look, sources: Sources<'_>) -> Vec<Effect> {
    let at = look.moment.sample.stamp.since_boot;
    let reaches =
        |history: &&Arc<History>| history.stamps().next_back().is_some_and(|end| end.since_boot >= at);
    let history = match view.playhead.history().filter(reaches) {
        Some(history) => Arc::clone(history),
        None => Arc::new(sources.history.clone()),
    };
    view.playhead = Playhead::Held(Held { look, history });
    vec![Effect::Select]
}

fn say(view: &mut View, text: String) {
    view.message = Some(Message { text, failure: false });
}

/// The time of day, UTC as in the header.
fn clock(stamp: Stamp) -> String {
    format::time(stamp.wall).get(11..19).unwrap_or_default().to_owned()
}
