//! Ports that are used up by `bind()`: the part of `ephemeral-exhaustion` that is about no destination.

use super::{
    Confidence, Finding, FindingId, Severity, Subject, View,
    case::{figure, filter, words_for},
    draft::{draft, percent, texts},
};
use crate::{
    model::TcpState,
    store::{BindPool, PortRange, ProcessRow},
};

/// From this share of the range on, bound sockets of one process are worth acting, percent.
const WARN: f64 = 50.0;
/// From this share on they break something.
const CRITICAL: f64 = 95.0;

/// The process with so many sockets that are only bound that others find no port, if there is one.
pub(super) fn hoarder(view: &View<'_>) -> Option<Finding> {
    let range = range(view)?;
    view.moment.totals.processes.iter().find_map(|row| bound(view, row, &range))
}

/// Addresses at which `bind()` finds no port, though `connect()` may.
pub(super) fn full(view: &View<'_>) -> Vec<Finding> {
    let totals = &view.moment.totals;
    let Some(range) = range(view) else { return Vec::new() };
    // Where connect() finds none either, that is the finding.
    let is_out = |pool: &&BindPool| {
        let from_there = totals.destinations.iter().filter(|row| row.source == pool.source);
        from_there.filter_map(|row| row.ports).any(|ports| ports.left.max == 0)
    };
    let empty = totals.bind_pools.iter().filter(|pool| pool.left.max == 0 && !is_out(pool));
    empty.map(|pool| nothing_to_bind(view, pool, &range)).collect()
}

fn range(view: &View<'_>) -> Option<PortRange> {
    PortRange::from_sysctls(&view.moment.sample.sysctls).filter(|range| range.usable > 0)
}

fn bound(view: &View<'_>, row: &ProcessRow, range: &PortRange) -> Option<Finding> {
    // Told by the count first: the sockets are looked at only where it matters.
    let usable = u64::from(range.usable);
    if percent(row.states[TcpState::BoundInactive].into(), usable) < WARN {
        return None;
    }
    let is_one = |owned: &crate::store::Owned<'_>| {
        owned.socket.row().state == TcpState::BoundInactive
            && range.contains(owned.socket.row().local_port)
            && owned.attribution.owners.iter().any(|owner| owner.key == row.process.key)
    };
    let count = view.moment.iter().filter(is_one).count() as u64;
    let share = percent(count, usable);
    let severity = match share {
        _ if share >= CRITICAL => Severity::Critical,
        _ if share >= WARN => Severity::Warning,
        _ => return None,
    };
    let subject = Subject { processes: vec![row.process.clone()], ..Subject::default() };
    let mut finding = draft(view, FindingId::EphemeralExhaustion, severity, subject);
    finding.summary = format!(
        "{} has bound {count} of {usable} local ports and connects none of them: nobody else can have those",
        words_for(&finding.subject.processes),
    );
    finding.evidence = vec![
        figure("bound_percent", share, "%"),
        figure("bound", super::words::figure(count), "ports"),
        figure("usable", super::words::figure(usable), "ports"),
    ];
    "A port that was given by bind() is taken from connect() to every destination, as long as its socket lives."
        .clone_into(&mut finding.why);
    finding.advice = texts([
        "Do not call bind() before connect(), or bind to an address only, with IP_BIND_ADDRESS_NO_PORT.",
        "Close sockets whose connect() failed or was never made.",
    ]);
    finding.filter = filter(&finding.subject, "bound-inactive");
    Some(finding)
}

/// `bind()` at an address finds no port; whether anybody calls it cannot be seen.
fn nothing_to_bind(view: &View<'_>, pool: &BindPool, range: &PortRange) -> Finding {
    let mut finding = draft(view, FindingId::EphemeralExhaustion, Severity::Info, Subject::default());
    finding.summary =
        format!("bind() at {} has no port left to give; connect() without it may have", pool.source);
    finding.evidence = vec![
        figure("left_to_bind", f64::from(pool.left.max), "ports"),
        figure("usable", f64::from(range.usable), "ports"),
    ];
    "bind() to port 0 before connect() has one pool for all destinations of an address, while connect() alone has one for \
     each. It fails with EADDRINUSE, which no counter shows; programs that do not bind first do not notice."
        .clone_into(&mut finding.why);
    finding.advice = texts([
        "Where a program binds to a source address, let it set IP_BIND_ADDRESS_NO_PORT first (nginx proxy_bind, HAProxy \
         source and Envoy do so by themselves), or give it more source addresses.",
    ]);
    finding.confidence = Confidence::Likely;
    finding.filter = format!("local:{}", pool.source);
    finding
}
