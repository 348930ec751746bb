//! What the sockets of a filter or of a page did since it was set or entered: the past that no history holds.

use std::{collections::VecDeque, sync::Arc};

use super::{
    scene::Data,
    view::{Screen, View},
};
use crate::{
    model::Stamp,
    query::Query,
    store::{Activity, Moment, Series},
};

/// The counts of one selection over time, from when it was first seen.
#[derive(Debug, Clone)]
pub(super) struct Recent {
    screen: Screen,
    query: Query,
    number: u64,
    /// When each of the values was noted, the newest last.
    stamps: VecDeque<Stamp>,
    activity: Activity,
}

impl Recent {
    fn push(&mut self, data: &Data<'_>) {
        let sample = &data.moment.sample;
        let elapsed = self.stamps.back().map(|newest| sample.stamp.seconds_since(newest));
        self.activity.push_counts(&data.selection.aggregate, elapsed);
        if self.stamps.len() == Series::CAPACITY {
            self.stamps.pop_front();
        }
        self.stamps.push_back(sample.stamp);
        self.number = sample.number;
    }
}

/// Adds what `data` shows now, once a sample. Another filter or page begins anew.
pub(super) fn note(view: &mut View, data: &Data<'_>) {
    if !data.selection.is_of(view, data.moment) {
        return;
    }
    let (screen, query) = (subject(view), &view.filter.query);
    if query.is_all() && !screen.is_closer() {
        view.recent = None;
        return;
    }
    let Moment { sample, .. } = &**data.moment;
    let same = |recent: &&mut Arc<Recent>| recent.screen == screen && recent.query == *query;
    match view.recent.as_mut().filter(same) {
        Some(recent) if recent.number >= sample.number => {}
        Some(recent) => Arc::make_mut(recent).push(data),
        None => {
            let (stamps, activity) = (VecDeque::new(), Activity::default());
            let mut recent = Recent { screen, query: query.clone(), number: 0, stamps, activity };
            recent.push(data);
            view.recent = Some(Arc::new(recent));
        }
    }
}

/// What was noted of the page on screen, through the filter in force, and how many samples newer than the one of
/// `stamp` that goes on; nothing if that one was not noted.
pub(super) fn activity<'a>(view: &'a View, stamp: &Stamp) -> Option<(&'a Activity, usize)> {
    let recent = view.recent.as_ref()?;
    if recent.screen != subject(view) || recent.query != view.filter.query {
        return None;
    }
    let behind = recent.stamps.iter().rev().position(|noted| noted == stamp)?;
    Some((&recent.activity, behind))
}

/// How many samples newer than the one of `stamp` were noted, if that one was.
pub(super) fn behind(view: &View, stamp: &Stamp) -> Option<usize> {
    activity(view, stamp).map(|(_, behind)| behind)
}

/// The page, as far as it decides which sockets are counted.
fn subject(view: &View) -> Screen {
    let screen = &view.page().screen;
    if screen.is_closer() { screen.subject() } else { Screen::Overview }
}
