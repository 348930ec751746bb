//! The states that the socket on screen went through.

use std::sync::Arc;

use super::{
    past::Past,
    scene::Data,
    view::{Screen, View},
};
use crate::{
    model::{Sample, SockId, Stamp},
    store,
};

/// So many samples without a look in between are passed over, as of dumps that broke off. After more of them nobody knows
/// what happened.
const PASSED_OVER: u64 = 4;

/// What was seen of one socket, up to one sample.
#[derive(Debug, Clone)]
pub(super) struct Course {
    id: SockId,
    /// The last sample that was looked at.
    number: Option<u64>,
    seen: store::Course,
}

impl Course {
    /// Sees to it that what comes next, of sample `number`, is not joined to what was seen long before.
    fn turn_to(&mut self, number: u64) {
        if self.number.is_some_and(|seen| number > seen + 1 + PASSED_OVER) {
            self.seen.miss();
        }
        self.number = Some(number);
    }
}

/// Adds what `data` shows now, once a sample, and before it what the past has that was not on screen: all of it for
/// another socket, and what passed while a moment was held.
pub(super) fn note(view: &mut View, data: &Data<'_>, past: &Past) {
    let Screen::Socket(id) = view.page().screen else {
        view.course = None;
        return;
    };
    // A moment without sockets says nothing of this one.
    if !data.selection.is_of(view, data.moment) || !data.moment.is_whole() {
        return;
    }
    let Sample { number, stamp, .. } = data.moment.sample;
    let same = |course: &Arc<Course>| course.id == id;
    if view.course.as_ref().is_some_and(|course| same(course) && course.number >= Some(number)) {
        return;
    }
    let row = data.socket(0).map(|socket| *socket.socket.row()).filter(|row| row.cookie == id.cookie);
    // A filter may keep it from the rows, but not from the world.
    if row.is_none() && !view.filter.query.is_all() {
        return;
    }
    let new = || Course { id, number: None, seen: store::Course::default() };
    let mut course = view.course.take().filter(same).map_or_else(new, Arc::unwrap_or_clone);
    for sighting in past.sightings(id.cookie, course.number, number) {
        course.turn_to(sighting.number);
        course.seen.see(sighting.stamp, sighting.state);
    }
    course.turn_to(number);
    course.seen.see(stamp, row.map(|row| row.state));
    view.course = Some(Arc::new(course));
}

/// What was seen by `at` of the socket that the page is about.
pub(super) fn of(view: &View, id: SockId, at: Stamp) -> Option<store::Course> {
    view.course.as_ref().filter(|course| course.id == id).map(|course| course.seen.until(at))
}
