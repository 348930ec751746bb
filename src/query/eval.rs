//! Which sockets a filter keeps.

use std::{fmt::Write as _, net::IpAddr, sync::Arc};

use super::{
    ast::{Claim, Expr, Ip, Pattern, Place, Term, Word},
    keys::{Amount, End, TextKey},
};
use crate::{
    model::{Detail, Endpoint, Evidence, Process, program},
    store::{Attribution, Owned},
};

impl Expr {
    /// Whether the filter keeps `socket`.
    pub(super) fn matches(&self, socket: &Owned<'_>) -> bool {
        match self {
            Self::Term(term) => term.matches(socket),
            Self::Not(inner) => !inner.matches(socket),
            Self::And(parts) => parts.iter().all(|part| part.matches(socket)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(socket)),
        }
    }
}

impl Term {
    fn matches(&self, socket: &Owned<'_>) -> bool {
        match self {
            Self::Word(word) => word_names(word, socket.attribution) || word_shows(word, socket),
            term => term.of_owner(socket.attribution).unwrap_or_else(|| term.of_socket(socket)),
        }
    }

    /// Whether the owner alone decides.
    pub(super) fn is_of_owner(&self) -> bool {
        match self {
            Self::Amount(amount, _) => *amount == Amount::Pid,
            Self::Text(key, _) => *key != TextKey::User,
            Self::Evidence(_) => true,
            _ => false,
        }
    }

    /// What the owner alone decides; `None` if the socket does.
    pub(super) fn of_owner(&self, attribution: &Attribution) -> Option<bool> {
        Some(match self {
            Self::Amount(Amount::Pid, pids) => {
                sure(attribution, |process| pids.iter().any(|pid| pid.holds(process.key.pid.into(), 1)))
            }
            Self::Text(TextKey::Candidate, patterns) => {
                let named = |process: &Process| patterns.iter().any(|p| named(p, process));
                attribution.evidence == Evidence::Candidates
                    && attribution.owners.iter().any(|process| named(process))
            }
            Self::Text(TextKey::Opener, patterns) => told(attribution.opener.as_ref(), patterns),
            Self::Text(TextKey::Closer, patterns) => told(attribution.closer.as_ref(), patterns),
            Self::Text(key @ (TextKey::Process | TextKey::Command | TextKey::Container), patterns) => {
                sure(attribution, |process| patterns.iter().any(|p| text_fits(*key, p, process)))
            }
            Self::Evidence(claims) => claims.iter().any(|claim| match claim {
                Claim::Rests(evidence) => attribution.evidence == *evidence,
                Claim::Lacks(why) => attribution.unknown == Some(*why),
            }),
            _ => return None,
        })
    }

    /// What the socket decides, with or without its owner.
    pub(super) fn of_socket(&self, socket: &Owned<'_>) -> bool {
        let row = socket.socket.row();
        match self {
            Self::Port(end, ports) => {
                let fits = |port: u16| ports.iter().any(|n| n.holds(port.into(), 1));
                at(*end, || fits(row.local_port), || fits(row.peer_port))
            }
            Self::Address(end, places) => {
                let fits = |end: Endpoint| places.iter().any(|place| place.holds(end));
                at(*end, || fits(socket.socket.local()), || fits(socket.socket.peer()))
            }
            Self::Amount(amount, numbers) => {
                let unit = amount.unit();
                amount_of(*amount, socket).is_some_and(|n| numbers.iter().any(|number| number.holds(n, unit)))
            }
            Self::Text(_, patterns) => patterns.iter().any(|pattern| user_fits(pattern, socket)),
            Self::State(states) => states.contains(&row.state),
            Self::Side(sides) => sides.contains(&socket.link.side()),
            Self::Family(ips) => {
                let ip = if row.family.name() == "ipv6" { Ip::V6 } else { Ip::V4 };
                ips.contains(&ip)
            }
            Self::Timer(timers) => timers.contains(&row.timer),
            // Decided by the owner, see `of_owner`.
            Self::Evidence(_) | Self::Word(_) => false,
        }
    }
}

fn at(end: End, local: impl FnOnce() -> bool, peer: impl FnOnce() -> bool) -> bool {
    match end {
        End::Local => local(),
        End::Peer => peer(),
        End::Either => local() || peer(),
    }
}

impl Place {
    fn holds(self, end: Endpoint) -> bool {
        self.port.is_none_or(|port| port == end.port) && self.net.is_none_or(|net| net.contains(&end.ip))
    }
}

/// Whether `fits` holds of an owner, for sure: of one of several who hold the socket, or of all who may own it.
fn sure(attribution: &Attribution, fits: impl Fn(&Process) -> bool) -> bool {
    let owners = &attribution.owners;
    let fits = |process: &Arc<Process>| fits(process);
    match attribution.evidence {
        Evidence::Candidates => !owners.is_empty() && owners.iter().all(fits),
        _ => owners.iter().any(fits),
    }
}

fn text_fits(key: TextKey, pattern: &Pattern, process: &Process) -> bool {
    let text = match key {
        TextKey::Process => return name_fits(pattern, process),
        TextKey::Command => Some(process.command.as_str()),
        _ => process.container.as_deref(),
    };
    let Some(text) = text else { return false };
    match (pattern, key) {
        (Pattern::Any, _) => true,
        (Pattern::Is(whole), _) => text == whole,
        // The id at hand may be longer than the one that is kept, or shorter.
        (Pattern::Like(part), TextKey::Container) => text.starts_with(&**part) || part.starts_with(text),
        (Pattern::Like(part), _) => contains_folded(text, part),
    }
}

/// Whether the trace told of a process, and it is one of those meant.
fn told(process: Option<&Arc<Process>>, patterns: &[Pattern]) -> bool {
    process.is_some_and(|process| patterns.iter().any(|pattern| named(pattern, process)))
}

/// Whether a process is meant by its PID or its name.
fn named(pattern: &Pattern, process: &Process) -> bool {
    match pattern {
        Pattern::Like(part) => match part.parse::<u32>() {
            Ok(pid) => process.key.pid == pid,
            Err(_) => name_has(process, part),
        },
        pattern => name_fits(pattern, process),
    }
}

/// Whether a process is meant by its name: the kernel's, or the one that is shown, which tells the script of an
/// interpreter.
fn name_fits(pattern: &Pattern, process: &Process) -> bool {
    match pattern {
        Pattern::Any => true,
        Pattern::Is(whole) => {
            let script = || program::script(process).is_some_and(|script| script == &**whole);
            process.name == **whole || script() || program::program(process) == **whole
        }
        Pattern::Like(part) => name_has(process, part),
    }
}

/// Whether the name of a process, as it is shown, has `part` in it.
fn name_has(process: &Process, part: &str) -> bool {
    contains_folded(&process.name, part) || contains_folded(&program::program(process), part)
}

fn user_fits(pattern: &Pattern, socket: &Owned<'_>) -> bool {
    let uid = socket.socket.detail().and_then(Detail::known_uid);
    match pattern {
        Pattern::Any => uid.is_some() || !socket.attribution.owners.is_empty(),
        Pattern::Is(user) | Pattern::Like(user) => {
            let number = user.parse::<u32>().ok();
            let owned = |process: &Process| process.user == *user || number == Some(process.uid);
            number.is_some() && uid == number || sure(socket.attribution, owned)
        }
    }
}

fn amount_of(amount: Amount, socket: &Owned<'_>) -> Option<u64> {
    let row = socket.socket.row();
    let detail = || socket.socket.detail();
    Some(match amount {
        Amount::Cookie => row.cookie,
        Amount::Age => u64::from(row.time_wait_age_ms()?) * 1000,
        Amount::Inode => detail()?.inode.into(),
        Amount::RecvQ => detail()?.recv_q.into(),
        Amount::SendQ => detail()?.send_q.into(),
        Amount::Retransmits => socket.tcp()?.retransmits.into(),
        Amount::Rtt => socket.rtt_us()?.into(),
        Amount::Idle => u64::from(socket.last_sent_ms()?.min(socket.last_received_ms()?)) * 1000,
        // Decided by the owner, see `Term::of_owner`.
        Amount::Pid => return None,
    })
}

/// Whether an owner's name has `word` in it.
pub(super) fn word_names(word: &Word, attribution: &Attribution) -> bool {
    sure(attribution, |process| name_has(process, &word.text))
}

/// Whether `word` is the socket's state, or in the text of one of its addresses.
pub(super) fn word_shows(word: &Word, socket: &Owned<'_>) -> bool {
    let shown = |ip| shows(&word.text, ip);
    word.states.contains(&socket.socket.row().state)
        || word.may_be_address && (shown(socket.socket.local().ip) || shown(socket.socket.peer().ip))
}

fn shows(word: &str, ip: IpAddr) -> bool {
    let mut text = String::with_capacity(40);
    write!(text, "{ip}").is_ok() && contains_folded(&text, word)
}

/// Whether `text` has `part` in it, whatever the case of either.
fn contains_folded(text: &str, part: &str) -> bool {
    if text.is_ascii() && part.is_ascii() {
        let (text, part) = (text.as_bytes(), part.as_bytes());
        return part.is_empty() || text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part));
    }
    text.to_lowercase().contains(&part.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::{super::ast::Number, *};

    #[test]
    fn case_does_not_matter() {
        assert!(contains_folded("Nginx: worker", "nGINX"));
        assert!(contains_folded("ÄPFEL", "äpf"));
        assert!(!contains_folded("ng", "nginx"));
    }

    #[test]
    fn an_exact_duration_holds_for_its_unit() {
        let at = Number::Is(30_000_000);
        let inside = [29_999_999, 30_000_000, 30_999_999, 31_000_000].map(|n| at.holds(n, 1_000_000));
        assert_eq!(inside, [false, true, true, false]);
    }
}
