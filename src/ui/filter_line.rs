//! The filter while it is being typed: what was typed before, and what could be written next.

use std::{collections::BTreeMap, fmt::Display};

use crossterm::event::KeyEvent;

use super::{
    keymap::{self, Edit},
    prompt::{Offer, Prompt},
    scene::Data,
    update::Effect,
    view::{Filter, Mode, View},
    words,
};
use crate::{
    model::{Side, TcpState, program},
    query::{Query, Seen},
    store::{PeerRow, ProcessRow},
};

/// How many filters are kept.
const PAST: usize = 50;
/// How many rows are looked through for values: the first ones, which have the most.
const ROWS: usize = 5_000;

/// Begins to type a filter. Another term can be typed at once.
pub(super) fn open(view: &mut View, data: Option<Data<'_>>) {
    let space = if view.filter.text.is_empty() { "" } else { " " };
    show(view, format!("{}{space}", view.filter.text), data);
}

fn show(view: &mut View, text: String, data: Option<Data<'_>>) {
    let mut prompt = Prompt::new(text);
    look(&mut prompt, data);
    view.mode = Mode::Filter(prompt);
}

/// A key while a filter is being typed.
pub(super) fn key(view: &mut View, event: &KeyEvent, data: Option<Data<'_>>) -> Vec<Effect> {
    let Mode::Filter(prompt) = &mut view.mode else { return vec![] };
    match keymap::edit(event) {
        None => {}
        Some(Edit::Line(request)) => {
            prompt.edit(request);
            look(prompt, data);
        }
        Some(Edit::Choose { forward }) => {
            if prompt.choose(forward) {
                look(prompt, data);
            } else {
                prompt.error = Query::parse(prompt.line.value()).err();
            }
        }
        Some(Edit::Recall { back }) => {
            prompt.recall(&view.past_filters, back);
            look(prompt, data);
        }
        Some(Edit::Cancel) => view.mode = Mode::Normal,
        Some(Edit::Accept) if prompt.error.is_some() => {}
        Some(Edit::Accept) => {
            let text = prompt.line.value().trim().to_owned();
            return apply(view, text, data);
        }
    }
    vec![]
}

/// Types `text` into the filter.
pub(super) fn paste(prompt: &mut Prompt, text: &str, data: Option<Data<'_>>) {
    prompt.paste(text);
    look(prompt, data);
}

/// Sets the filter, or shows what is wrong with it.
pub(super) fn apply(view: &mut View, text: String, data: Option<Data<'_>>) -> Vec<Effect> {
    let Ok(query) = Query::parse(&text) else {
        show(view, text, data);
        return vec![];
    };
    remember(&mut view.past_filters, &text);
    view.filter = Filter { text, query };
    view.page_mut().refilter();
    view.mode = Mode::Normal;
    vec![Effect::Select]
}

/// Keeps `text` as the newest, once.
fn remember(past: &mut Vec<String>, text: &str) {
    if !text.is_empty() {
        past.retain(|other| other != text);
        past.insert(0, text.to_owned());
        past.truncate(PAST);
    }
}

/// Takes note of what is wrong with the line and of what could be written next.
fn look(prompt: &mut Prompt, data: Option<Data<'_>>) {
    prompt.error = Query::parse(prompt.line.value()).err();
    prompt.offer(offers(prompt.line.value(), prompt.line.cursor(), data));
}

/// What could be written at `cursor` of a filter.
pub(super) fn offers(text: &str, cursor: usize, data: Option<Data<'_>>) -> Vec<Offer> {
    let seen = |key: &str| data.map(|data| seen(&data, key)).unwrap_or_default();
    let found = Query::completions(text, cursor, &seen).into_iter();
    found
        .map(|one| Offer { start: one.start, text: one.text, key: String::new(), doc: one.doc.into_owned() })
        .collect()
}

/// The values that a key of that name finds among the rows of the page, those with the most sockets first.
fn seen(data: &Data<'_>, key: &str) -> Vec<Seen> {
    let aggregate = &data.selection.aggregate;
    let processes = || aggregate.processes.iter().take(ROWS);
    let peers = || aggregate.peers.iter().take(ROWS);
    let of_process = |row: &ProcessRow| row.states.total();
    let of_peer = |row: &PeerRow| row.states.total();
    let port = |side| move |row: &&PeerRow| row.key.side == side;
    match key {
        "proc" | "candidate" | "opener" | "closer" => {
            most(processes().map(|row| (program::program(&row.process), of_process(row))))
        }
        "pid" => processes()
            .map(|row| Seen {
                value: row.process.key.pid.to_string(),
                doc: format!("{}, {}", program::program(&row.process), words::sockets(of_process(row))),
            })
            .collect(),
        "user" => most(processes().map(|row| (&row.process.user, of_process(row)))),
        "container" => {
            most(processes().filter_map(|row| Some((row.process.container.as_ref()?, of_process(row)))))
        }
        "peer" | "addr" => most(peers().map(|row| (row.key.ip, of_peer(row)))),
        "local" => {
            let rows = aggregate.destinations.iter().take(ROWS);
            most(rows.map(|row| (row.source, row.taken)))
        }
        "port" => most(peers().map(|row| (row.key.port, of_peer(row)))),
        "lport" => most(peers().filter(port(Side::Server)).map(|row| (row.key.port, of_peer(row)))),
        "rport" => most(peers().filter(port(Side::Client)).map(|row| (row.key.port, of_peer(row)))),
        "state" => {
            let counted = TcpState::ALL.map(|state| (words::dashed(state.name()), aggregate.states[state]));
            most(counted.into_iter())
        }
        _ => vec![],
    }
}

/// Values with how many sockets each has, the most first. What has no name is none.
fn most<T: Ord + Display>(counted: impl Iterator<Item = (T, u32)>) -> Vec<Seen> {
    let mut sums = BTreeMap::new();
    for (value, count) in counted {
        *sums.entry(value).or_insert(0_u32) += count;
    }
    let mut sums: Vec<(T, u32)> = sums.into_iter().collect();
    sums.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let seen =
        sums.into_iter().map(|(value, count)| Seen { value: value.to_string(), doc: words::sockets(count) });
    seen.filter(|seen| !seen.value.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_is_short_newest_first_and_without_repeats() {
        let mut past = vec![];
        (0..60).for_each(|n| remember(&mut past, &format!("port:{n}")));
        remember(&mut past, "port:30");
        remember(&mut past, "");
        assert_eq!((past.len(), &*past[0], &*past[1]), (PAST, "port:30", "port:59"));
        assert_eq!(past.iter().filter(|text| *text == "port:30").count(), 1);
    }

    #[test]
    fn values_are_summed_and_the_most_comes_first() {
        let values: Vec<_> = most([("b", 1), ("a", 1), ("c", 5), ("b", 2), ("", 9)].into_iter())
            .into_iter()
            .map(|seen| (seen.value, seen.doc))
            .collect();
        let wanted = [("c", "5 sockets"), ("b", "3 sockets"), ("a", "1 socket")];
        assert_eq!(values, wanted.map(|(value, doc)| (value.to_owned(), doc.to_owned())));
    }
}
