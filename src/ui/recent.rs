//! What the sockets of a filter or of a page did since it was set or entered: the past that no history holds.

use std::sync::Arc;

use super::{
    scene::Data,
    view::{Screen, View},
};
use crate::{
    model::Stamp,
    query::Query,
    store::{Activity, Moment},
};

/// The counts of one selection over time, from when it was first seen.
#[derive(Debug, Clone)]
pub(super) struct Recent {
    screen: Screen,
    query: Query,
    number: u64,
    newest: Stamp,
    activity: Activity,
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
        Some(recent) => {
            let recent = Arc::make_mut(recent);
            let elapsed = sample.stamp.seconds_since(&recent.newest);
            recent.activity.push_counts(&data.selection.aggregate, Some(elapsed));
            (recent.number, recent.newest) = (sample.number, sample.stamp);
        }
        None => {
            let mut activity = Activity::default();
            activity.push_counts(&data.selection.aggregate, None);
            let (number, newest) = (sample.number, sample.stamp);
            view.recent = Some(Arc::new(Recent { screen, query: query.clone(), number, newest, activity }));
        }
    }
}

/// What was noted of the page on screen, through the filter in force.
pub(super) fn activity(view: &View) -> Option<&Activity> {
    let recent = view.recent.as_ref()?;
    (recent.screen == subject(view) && recent.query == view.filter.query).then_some(&recent.activity)
}

/// The page, as far as it decides which sockets are counted.
fn subject(view: &View) -> Screen {
    let screen = &view.page().screen;
    if screen.is_closer() { screen.subject() } else { Screen::Overview }
}
