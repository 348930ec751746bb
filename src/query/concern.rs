//! Which findings are about what a filter keeps.

use super::Query;
use crate::{
    findings::{Finding, Subject},
    model::Side,
    store::{Moment, Owned},
};

/// Whether `finding` is about some of the sockets `rows` of `moment`: one of them is behind it. Where none of the moment is
/// behind it (connections that were reset leave nothing), it is enough that one is its subject's. What is about the
/// host as a whole, and has no filter, concerns everybody.
#[must_use]
pub fn concerns(moment: &Moment, rows: &[u32], finding: &Finding) -> bool {
    let behind = match Query::parse(&finding.filter) {
        Ok(behind) if !behind.is_all() => behind,
        _ => return true,
    };
    let mut meant = behind.matcher();
    if sockets(moment, rows).any(|socket| meant.matches(&socket)) {
        return true;
    }
    if !sockets(moment, rows).any(|socket| is_of(&finding.subject, &socket)) {
        return false;
    }
    !moment.iter().any(|socket| meant.matches(&socket))
}

fn sockets<'a>(moment: &'a Moment, rows: &'a [u32]) -> impl Iterator<Item = Owned<'a>> {
    rows.iter().filter_map(|row| moment.get(*row as usize))
}

/// Whether a socket is of those whom the finding is about, and of the service.
fn is_of(subject: &Subject, socket: &Owned<'_>) -> bool {
    let owners = &socket.attribution.owners;
    let whose = subject.processes.is_empty()
        || owners.iter().any(|owner| subject.processes.iter().any(|process| process.key == owner.key));
    let side = socket.link.side();
    let port = match side {
        Some(Side::Server) => socket.socket.local().port,
        _ => socket.socket.peer().port,
    };
    whose
        && subject.side.is_none_or(|ours| side == Some(ours))
        && subject.port.is_none_or(|service| port == service)
        && subject.peer.is_none_or(|ip| subject.side == Some(Side::Server) || socket.socket.peer().ip == ip)
}
