//! The order of a table: by the next column, by one that was named or clicked, and the other way round.

use super::{
    columns,
    scene::Data,
    update::{Effect, place},
    view::{Message, Pane, View},
};
use crate::query::Sort;

/// Sorts the pane that has the focus by its next column, or by the one before if not `forward`; beyond the last and the
/// first one as at first.
pub(super) fn step(view: &mut View, data: Option<Data<'_>>, forward: bool) -> Vec<Effect> {
    let pane = view.page().focus;
    let Some(layout) = place(view, data) else { return vec![] };
    let width = layout.slot(pane).map_or(0, |slot| slot.table_width(view.size.0));
    let keys = columns::sort_keys(view.settings.columns(pane), width, data.as_ref());
    if keys.is_empty() {
        let text = match pane {
            Pane::States => "States keep their places, so that each is found at once.",
            _ => "There is nothing here to sort.",
        };
        view.message = Some(Message { text: text.to_owned(), failure: false });
        return vec![];
    }
    let here = view.page().table(pane).sort.and_then(|sort| keys.iter().position(|key| *key == sort.key));
    let next = match (here, forward) {
        (None, true) => Some(0),
        (None, false) => Some(keys.len() - 1),
        (Some(here), true) => Some(here + 1).filter(|next| *next < keys.len()),
        (Some(here), false) => here.checked_sub(1),
    };
    let sort = next.map(|i| Sort { key: keys[i], descending: columns::starts_descending(pane, keys[i]) });
    put(view, pane, sort)
}

/// Sorts `pane` by that column, or if it is already, the other way round.
pub(super) fn by(view: &mut View, pane: Pane, key: &'static str) -> Vec<Effect> {
    let sort = match view.page().table(pane).sort.or(columns::default_mark(pane)) {
        Some(sort) if sort.key == key => Sort { key, descending: !sort.descending },
        _ => Sort { key, descending: columns::starts_descending(pane, key) },
    };
    put(view, pane, Some(sort))
}

/// Turns the order of the pane that has the focus round.
pub(super) fn reverse(view: &mut View) -> Vec<Effect> {
    let pane = view.page().focus;
    let Some(first) = columns::default_sort(pane) else { return vec![] };
    let sort = view.page().table(pane).sort.unwrap_or(first);
    put(view, pane, Some(Sort { descending: !sort.descending, ..sort }))
}

fn put(view: &mut View, pane: Pane, sort: Option<Sort>) -> Vec<Effect> {
    view.page_mut().table_mut(pane).sort = sort;
    let text = match sort {
        Some(sort) => {
            let way = if sort.descending { "the greatest first" } else { "the least first" };
            format!("Sorted by {}, {way}.", columns::name(pane, sort.key))
        }
        None => "Sorted as at first: the worst first.".to_owned(),
    };
    view.message = Some(Message { text, failure: false });
    vec![Effect::Select]
}
