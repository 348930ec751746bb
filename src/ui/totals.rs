//! What a page shows of a moment whose sockets are no longer kept: the rows of its totals that it is about.

use super::{
    scene::Look,
    view::{Screen, View},
};
use crate::{
    findings::Finding,
    model::Unknown,
    store::{Aggregate, DestinationRow, Moment, PeerKey},
};

/// What `screen` shows of the totals of `moment`. Which sockets one process has with one peer they do not tell.
pub(super) fn aggregate(screen: &Screen, moment: &Moment) -> Aggregate {
    let totals = &moment.totals;
    match screen.subject() {
        Screen::Process(key) => {
            let row = totals.processes.iter().find(|row| row.process.key == key);
            row.map_or_else(Aggregate::default, |row| Aggregate {
                states: row.states,
                evidence: row.evidence,
                time_wait_evidence: row.time_wait_evidence,
                opened: row.opened,
                closed: row.closed,
                processes: vec![row.clone()],
                ..Aggregate::default()
            })
        }
        Screen::Peer(key) => {
            let row = totals.peers.iter().find(|row| row.key == key);
            let towards = |row: &&DestinationRow| is_towards(row, &key);
            row.map_or_else(Aggregate::default, |row| Aggregate {
                states: row.states,
                evidence: row.evidence,
                opened: row.opened,
                closed: row.closed,
                peers: vec![row.clone()],
                destinations: totals.destinations.iter().filter(towards).cloned().collect(),
                ..Aggregate::default()
            })
        }
        Screen::Socket(_) | Screen::Finding(_) => Aggregate::default(),
        _ => totals.clone(),
    }
}

/// Whether the totals of `moment` tell what `screen` shows. Of the past only the rows with the most sockets are kept: of one that
/// is missing nothing is known, unless they are all there.
pub(super) fn knows(screen: &Screen, moment: &Moment) -> bool {
    let totals = &moment.totals;
    match screen.subject() {
        Screen::Process(key) => {
            moment.digest.is_none_or(|digest| digest.processes_omitted == 0)
                || totals.processes.iter().any(|row| row.process.key == key)
        }
        Screen::Peer(key) => totals.peers_omitted == 0 || totals.peers.iter().any(|row| row.key == key),
        Screen::Socket(_) | Screen::Finding(_) => false,
        _ => true,
    }
}

fn is_towards(row: &DestinationRow, key: &PeerKey) -> bool {
    (row.peer.ip, row.peer.port) == (key.ip, key.port)
}

/// Sockets without an owner, by reason, as far as that was kept.
pub(super) fn unknown(screen: &Screen, moment: &Moment) -> [u32; Unknown::ALL.len()] {
    if screen.is_closer() { Default::default() } else { moment.unknown }
}

/// The findings about what the page is about. Which sockets they are about is not known any more.
pub(super) fn findings(view: &View, look: &Look) -> Vec<u32> {
    let screen = view.page().screen.subject();
    let is_shown = |finding: &Finding| match &screen {
        Screen::Process(key) => finding.subject.processes.iter().any(|process| process.key == *key),
        Screen::Peer(key) => (finding.subject.peer, finding.subject.port) == (Some(key.ip), Some(key.port)),
        Screen::Socket(_) | Screen::Finding(_) => false,
        _ => true,
    };
    (0..).zip(look.findings.iter()).filter(|(_, finding)| is_shown(finding)).map(|(index, _)| index).collect()
}
