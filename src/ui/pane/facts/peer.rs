//! What is known of a peer: both sides of it, the ports that are left for it, and whose its other end is.

use std::fmt::Write as _;

use ratatui::style::Style;

use super::{Context, Fact, connect_failures, found, is_gone, lifetimes, per_second, rising, rows, since};
use crate::{
    field::{format, ports, program},
    model::{Endpoint, Side},
    store::{DestinationRow, PeerKey, PeerRow},
    ui::columns,
};

pub(super) fn facts(context: &Context<'_>, key: &PeerKey) -> (String, Vec<Fact>) {
    let sentence = match key.side {
        Side::Client => "We connect to it.",
        Side::Server => "It connects to our port.",
    };
    let mut facts = found(context);
    facts.extend(ports_left(context, key));
    if let Some(row) = row(context, key) {
        let total = format::grouped(row.states.total().into());
        let (opens, closes) = (per_second(context, row.opened), per_second(context, row.closed));
        facts.push(Fact::new("sockets", format!("{total} connections; opens {opens}, closes {closes}")));
    } else {
        let moment = context.data.moment;
        let text = match moment.digest {
            Some(_) if moment.totals.peers_omitted > 0 => {
                "Of this moment only the peers with the most connections are kept; it is not among them."
            }
            None if !context.scene.view.is_held() => "No connection with it any more.",
            _ => "No connection with it at this moment.",
        };
        let gone = Fact::new("sockets", text);
        facts.push(gone.styled(context.theme().warning()));
    }
    facts.extend(since::states(context));
    facts.push(Fact::new("side", format!("{}: {sentence}", key.side.name())));
    facts.extend(other_sides(context, key));
    facts.extend(own_end(context, key));
    facts.extend(lifetimes(context));
    facts.extend(connect_failures(context, true));
    facts.extend(rising(context));
    (format!("Peer {}", columns::peer(key, 60, context.theme())), facts)
}

/// What is left of the ports for it, from each of our addresses that has the fewest.
fn ports_left(context: &Context<'_>, key: &PeerKey) -> Option<Fact> {
    let theme = context.theme();
    let rows = destinations(context, key).filter(|_| key.side == Side::Client);
    let row = rows.min_by_key(|row| row.ports.map_or(u32::MAX, |ports| ports.left.max))?;
    let mut text = format!("{} taken", format::grouped(row.taken.into()));
    let mut style = Style::new();
    if let Some(ports) = row.ports {
        let at_most = if ports.left.is_exact() { "" } else { theme.glyphs.at_most };
        let left = format::grouped(ports.left.max.into());
        let _ = write!(text, ", {at_most}{left} left");
        style = theme.gauge(ports.percent().unwrap_or(0.0) / 100.0);
    }
    if let Some(forecast) = ports::forecast(row) {
        let _ = write!(text, "; {forecast}");
    }
    Some(Fact::new("ports", text).styled(style))
}

/// Our ways to a peer that we connect to, one for each of our addresses.
fn destinations<'a>(context: &Context<'a>, key: &PeerKey) -> impl Iterator<Item = &'a DestinationRow> {
    let peer = Endpoint::new(key.ip, key.port);
    rows(context, |all| &all.destinations).filter(move |row| row.peer == peer && !is_gone(row.change))
}

/// What else goes on with the same address: other services of it, and what it opens to ours.
fn other_sides(context: &Context<'_>, key: &PeerKey) -> Option<Fact> {
    let others = context.data.moment.totals.peers.iter();
    let others: Vec<_> = others.filter(|row| row.key.ip == key.ip && row.key != *key).collect();
    let part = |row: &&PeerRow| {
        let count = format::grouped(row.states.total().into());
        match row.key.side {
            Side::Client => format!("{count} that we opened to its :{}", row.key.port),
            Side::Server => format!("{count} that it opened to our :{}", row.key.port),
        }
    };
    let mut parts: Vec<_> = others.iter().take(3).map(part).collect();
    parts.extend(others.len().checked_sub(4).map(|more| format!("{} more services", more + 1)));
    (!parts.is_empty()).then(|| Fact::new("also", parts.join("; ")))
}

/// Where the peer is this host itself: whose the other end is, by what the same sample says of that side.
fn own_end(context: &Context<'_>, key: &PeerKey) -> Option<Fact> {
    let totals = &context.data.moment.totals;
    // Of a connection with itself both addresses are the host's own.
    let is_own = |row: &DestinationRow| row.source == key.ip && row.peer.ip == key.ip;
    if !key.ip.is_loopback() && !totals.destinations.iter().any(is_own) {
        return None;
    }
    let side = match key.side {
        Side::Client => Side::Server,
        Side::Server => Side::Client,
    };
    let other = totals.peers.iter().find(|row| row.key == PeerKey { side, ..*key })?;
    let whole = other.processes.iter().map(|process| (process, ""));
    let maybe = other.candidates.iter().map(|process| (process, "?"));
    let named =
        whole.chain(maybe).map(|(it, doubt)| format!("{} {}{doubt}", program::program(it), it.key.pid));
    let named: Vec<_> = named.take(4).collect();
    let who = if named.is_empty() { "a process that is not known".to_owned() } else { named.join(", ") };
    Some(Fact::new("other end", format!("on this host: {who}")))
}

/// The row of a peer, as far as there is one.
pub(super) fn row<'a>(context: &Context<'a>, key: &PeerKey) -> Option<&'a PeerRow> {
    rows(context, |all| &all.peers).find(|row| row.key == *key && !is_gone(row.change))
}
