//! Which calls of `connect()` that failed a filter keeps.

use std::{net::IpAddr, sync::Arc};

use super::Query;
use crate::{
    model::{Endpoint, Evidence, Family, NewSocket, Side, SocketTable, TcpState, Timer, Unknown},
    store::{Attribution, ConnectFailure, Link, Owned},
};

/// Whether the filter keeps a failed call: whether it would have kept its socket, which is gone. That was in `SYN_SENT`
/// and belonged to the caller, as the trace told.
#[must_use]
pub fn keeps_failure(query: &Query, failure: &ConnectFailure) -> bool {
    if query.is_all() {
        return true;
    }
    let mut table = SocketTable::new();
    let local = Endpoint::new(failure.source, 0);
    let family = match failure.peer.ip {
        IpAddr::V4(_) => Family::V4,
        IpAddr::V6(_) => Family::V6,
    };
    let socket = NewSocket {
        cookie: 0,
        family,
        local,
        peer: failure.peer,
        state: TcpState::SynSent,
        timer: Timer::Off,
        retransmits: 0,
        expires_ms: 0,
    };
    table.push(&socket, None);
    let caller = failure.process.as_ref();
    let attribution = Attribution {
        evidence: if caller.is_some() { Evidence::Traced } else { Evidence::Unknown },
        owners: caller.into_iter().map(Arc::clone).collect(),
        unknown: caller.is_none().then_some(Unknown::Gone),
        opener: caller.map(Arc::clone),
        closer: None,
    };
    let link = Link::new(0, Some(Side::Client), false, false);
    table
        .get(0)
        .is_some_and(|socket| query.matches(&Owned { socket, link, attribution: &attribution, netns: 0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_call_is_kept_by_who_and_where_to() {
        let failure = ConnectFailure {
            process: None,
            source: [0, 0, 0, 0].into(),
            peer: Endpoint::new([10, 0, 0, 2].into(), 443),
            no_port: 2,
            other: 1,
        };
        let kept = |text: &str| keeps_failure(&Query::parse(text).expect("a filter"), &failure);
        assert!(kept("") && kept("rport:443") && kept("peer:10.0.0.0/8 side:client") && kept("!proc:nginx"));
        assert!(!kept("state:time-wait") && !kept("proc:nginx") && !kept("rport:80"));
    }
}
