//! From the selected row to the page about it.

use super::{
    filter_line,
    scene::Data,
    story::Story,
    update::{Effect, turn},
    view::{Message, Pane, RowId, Screen, View},
    words,
};
use crate::{findings::Key, model::Side, store::PeerKey};

/// Looks closer at the selected row; a state becomes the filter, and a story leads to its sockets.
pub(super) fn enter(view: &mut View, data: Option<Data<'_>>) -> Vec<Effect> {
    if view.page().focus == Pane::Story {
        // On to the sockets behind it.
        let page = view.page_mut();
        if page.story.as_ref().is_some_and(Story::has_sockets) {
            page.focus = Pane::Sockets;
        }
        return vec![];
    }
    let Some(id) = selected(view, data) else { return vec![] };
    let screen = match id {
        RowId::Finding(key) => return open_story(view, key, data),
        RowId::Process(key) => Screen::Process(key),
        RowId::Peer(key) => Screen::Peer(key),
        RowId::Destination(_, peer) | RowId::Failure(None, _, peer) => {
            Screen::Peer(PeerKey { ip: peer.ip, port: peer.port, side: Side::Client })
        }
        RowId::Socket(id) => Screen::Socket(id),
        RowId::State(state) => {
            let term = format!("state:{}", words::dashed(state.name()));
            let text = match view.filter.text.as_str() {
                "" => term,
                set if set == term => String::new(),
                set => format!("({set}) {term}"),
            };
            return filter_line::apply(view, text, data);
        }
        RowId::Failure(Some(caller), ..) => Screen::Process(caller),
        RowId::Matter(matter) => Screen::Explained(matter),
    };
    open(view, screen)
}

/// Says what the claims about the selected row rest on. The page of a socket does.
pub(super) fn why(view: &mut View, data: Option<Data<'_>>) -> Vec<Effect> {
    let Some(id) = selected(view, data) else { return vec![] };
    let screen = match id {
        // Its story says why.
        RowId::Finding(key) => return open_story(view, key, data),
        RowId::Process(key) => Screen::ProcessEvidence(key),
        RowId::Peer(key) => Screen::PeerEvidence(key),
        RowId::Destination(_, peer) => {
            Screen::PeerEvidence(PeerKey { ip: peer.ip, port: peer.port, side: Side::Client })
        }
        RowId::Socket(id) => Screen::Socket(id),
        RowId::Failure(Some(caller), ..) => Screen::ProcessEvidence(caller),
        // Its text says what it is.
        RowId::Matter(matter) => Screen::Explained(matter),
        RowId::State(_) | RowId::Failure(None, ..) => {
            let text = "Select a process, a peer or a socket to be told why.".into();
            view.message = Some(Message { text, failure: false });
            return vec![];
        }
    };
    open(view, screen)
}

/// The selected row of the pane that has the focus; a message if it is gone.
pub(super) fn selected(view: &mut View, data: Option<Data<'_>>) -> Option<RowId> {
    let data = data?;
    let pane = view.page().focus;
    if !pane.is_table() {
        return None;
    }
    let table = view.page().table(pane);
    let id = table.selected.clone()?;
    if !data.selection.is_of(view, data.moment) {
        // The rows at hand are those of before, and so is the selected one.
        view.message = Some(Message { text: "Still counting. Press it again.".into(), failure: false });
        return None;
    }
    if data.position(pane, &id, table.index).is_none() {
        view.message = Some(Message { text: "That row is gone. Select another one.".into(), failure: false });
        return None;
    }
    Some(id)
}

/// Opens the page about a finding, which keeps what is told of it when it has ended.
fn open_story(view: &mut View, key: Key, data: Option<Data<'_>>) -> Vec<Effect> {
    let story = data.and_then(|data| Story::of(&key, &data));
    let effects = open(view, Screen::Finding(key));
    view.page_mut().story = story;
    effects
}

fn open(view: &mut View, screen: Screen) -> Vec<Effect> {
    if view.page().screen == screen {
        return vec![];
    }
    // What was looked at is found again on the way back.
    let pane = view.page().focus;
    view.page_mut().table_mut(pane).held = true;
    turn(view, |view| {
        view.enter(screen);
        true
    })
}
