//! The states that the socket on screen went through.

use std::sync::Arc;

use super::{
    past::Past,
    scene::Data,
    view::{Screen, View},
};
use crate::{
    model::{SockId, Stamp},
    store,
};

/// What was seen of one socket, up to one sample.
#[derive(Debug, Clone)]
pub(super) struct Course {
    id: SockId,
    number: u64,
    seen: store::Course,
}

/// Adds what `data` shows now, once a sample. Another socket begins with what the past has of it.
pub(super) fn note(view: &mut View, data: &Data<'_>, past: &Past) {
    let Screen::Socket(id) = view.page().screen else {
        view.course = None;
        return;
    };
    // A moment without sockets says nothing of this one.
    if !data.selection.is_of(view, data.moment) || !data.moment.is_whole() {
        return;
    }
    let moment = &**data.moment;
    let number = moment.sample.number;
    match view.course.as_mut().filter(|course| course.id == id) {
        Some(course) if course.number >= number => {}
        Some(course) => {
            // A filter may keep it from the rows, but not from the world.
            let row = data.socket(0).map(|socket| *socket.socket.row()).filter(|row| row.cookie == id.cookie);
            let course = Arc::make_mut(course);
            match row {
                Some(row) => course.seen.see(moment.sample.stamp, Some(row.state)),
                None if view.filter.query.is_all() => course.seen.see(moment.sample.stamp, None),
                None => {}
            }
            course.number = number;
        }
        None => {
            let mut seen = store::Course::default();
            for sighting in past.sightings(id.cookie, None, number) {
                seen.see(sighting.stamp, sighting.state);
            }
            let row = moment.sample.sockets.rows().iter().find(|row| row.cookie == id.cookie);
            seen.see(moment.sample.stamp, row.map(|row| row.state));
            view.course = Some(Arc::new(Course { id, number, seen }));
        }
    }
}

/// What was seen by `at` of the socket that the page is about.
pub(super) fn of(view: &View, id: SockId, at: Stamp) -> Option<store::Course> {
    view.course.as_ref().filter(|course| course.id == id).map(|course| course.seen.until(at))
}
