//! A filter as a command line of `ss` (iproute2), for somebody who has no twtop at hand.
//!
//! `ss` knows states, ports and addresses, joined in any way, but for states, which stand before all else. What it
//! cannot be asked is left out, in such a way that it lists more and never less, and the command says so beside
//! itself. One thing it cannot be asked any other way: of a process it keeps the lines that name it, and `ss` names
//! nobody for a socket that was closed; the command says that too. No text of the filter goes into the line: it is made
//! of states, addresses and numbers alone, so that it is safe to paste whatever somebody named a process.

use std::fmt::{self, Display, Write as _};

use ipnet::IpNet;

use super::{
    ast::{Expr, Number, Place, Term},
    keys::{Amount, End},
};
use crate::model::TcpState;

/// A command line that lists what a filter keeps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SsCommand {
    /// The line, safe to paste into a shell.
    pub line: String,
    /// In what it lists something else than the filter keeps, each a sentence without its stop.
    pub notes: Vec<String>,
}

/// How much `ss` is to tell of each socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Telling {
    /// Its addresses, its state and who holds it.
    Short,
    /// Everything that the kernel says.
    Everything,
}

/// Why there is no command line for a filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoCommand {
    /// Nothing can pass it.
    #[error("no socket can pass that filter")]
    Nothing,
    /// It asks for what `ss` does not know.
    #[error("ss does not list sockets that are only bound")]
    OnlyBound,
}

/// The command line for the filter `root`.
pub(super) fn command(root: Option<&Expr>, telling: Telling) -> Result<SsCommand, NoCommand> {
    let mut left_out = vec![];
    let (mut kept, mut pids) = (Kept::ALL, None);
    for part in conjuncts(root) {
        let held_by = if pids.is_none() { only_pids(part) } else { None };
        if held_by.is_some() {
            pids = held_by;
        } else {
            kept = kept.and(translate(part, false, &mut left_out));
        }
    }
    let mut notes = vec![];
    let states = kept.states.words(&mut notes)?;
    let mut line = String::from("ss -tan");
    if kept.states != States::of(&[TcpState::TimeWait]) {
        line.push('p');
    }
    if telling == Telling::Everything {
        line.push_str("oie");
    }
    line.push_str(&states);
    if let Some(test) = &kept.test {
        // Infallible: it is written into memory.
        let _ = write!(line, " '{test}'");
    }
    match pids {
        // None of the lines would have a name to look for.
        Some(_) if kept.states.is_within(States::CLOSED) => {
            notes.push("ss cannot tell whose these are: all are listed".to_owned());
        }
        Some(pids) => {
            line.push_str(&grep(&pids));
            notes.push(
                "ss names a process only while it holds the socket, and never for a TIME_WAIT".to_owned(),
            );
        }
        None => {}
    }
    if !left_out.is_empty() {
        notes.push(format!("it lists more: ss cannot be asked for {}", left_out.join(", ")));
    }
    Ok(SsCommand { line, notes })
}

/// The conditions all of which must hold.
fn conjuncts(root: Option<&Expr>) -> &[Expr] {
    match root {
        None => &[],
        Some(Expr::And(parts)) => parts,
        Some(other) => std::slice::from_ref(other),
    }
}

/// The processes, if `expr` asks for no more than that one of them owns the socket.
fn only_pids(expr: &Expr) -> Option<Vec<u64>> {
    let Expr::Term(Term::Amount(Amount::Pid, numbers)) = expr else { return None };
    let one = |number: &Number| match number {
        Number::Is(pid) => Some(*pid),
        _ => None,
    };
    numbers.iter().map(one).collect()
}

/// Keeps the lines of what `ss` lists that name one of the processes.
fn grep(pids: &[u64]) -> String {
    match pids {
        [pid] => format!(" | grep 'pid={pid},'"),
        pids => {
            let pids: Vec<String> = pids.iter().map(u64::to_string).collect();
            format!(" | grep -E 'pid=({}),'", pids.join("|"))
        }
    }
}

/// A set of states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct States(u16);

impl States {
    const ALL: Self = Self::of(&TcpState::ALL);
    /// Those that `ss` knows; the newest versions alone know of sockets that are only bound.
    const LISTABLE: Self = Self(Self::ALL.0 & !Self::of(&[TcpState::BoundInactive]).0);

    /// Those of sockets that their process has closed, all or most of them: `ss` names nobody for one.
    const CLOSED: Self = Self::of(&[
        TcpState::TimeWait,
        TcpState::FinWait1,
        TcpState::FinWait2,
        TcpState::LastAck,
        TcpState::Closing,
    ]);

    const fn of(states: &[TcpState]) -> Self {
        let (mut set, mut i) = (0, 0);
        while i < states.len() {
            set |= 1 << states[i].number();
            i += 1;
        }
        Self(set)
    }

    const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    const fn not(self) -> Self {
        Self(Self::ALL.0 & !self.0)
    }

    fn list(self) -> impl Iterator<Item = TcpState> {
        TcpState::ALL.into_iter().filter(move |state| self.0 & (1 << state.number()) != 0)
    }

    /// What stands before the conditions: the states that are listed, or those that are not if they are fewer.
    fn words(self, notes: &mut Vec<String>) -> Result<String, NoCommand> {
        let listed = Self(self.0 & Self::LISTABLE.0);
        match (self.0, listed.0) {
            (0, _) => return Err(NoCommand::Nothing),
            (_, 0) => return Err(NoCommand::OnlyBound),
            _ => {}
        }
        let hidden = Self(Self::LISTABLE.0 & !listed.0);
        let mut words = String::new();
        if listed.list().count() <= hidden.list().count() {
            listed.list().for_each(|state| words.extend([" state ", name(state)]));
            if self != listed {
                notes.push("ss does not list BOUND_INACTIVE".to_owned());
            }
        } else {
            hidden.list().for_each(|state| words.extend([" exclude ", name(state)]));
        }
        Ok(words)
    }
}

/// A state as `ss` spells it.
const fn name(state: TcpState) -> &'static str {
    match state {
        TcpState::Established => "established",
        TcpState::SynSent => "syn-sent",
        TcpState::SynRecv => "syn-recv",
        TcpState::FinWait1 => "fin-wait-1",
        TcpState::FinWait2 => "fin-wait-2",
        TcpState::TimeWait => "time-wait",
        TcpState::Close | TcpState::BoundInactive => "closed",
        TcpState::CloseWait => "close-wait",
        TcpState::LastAck => "last-ack",
        TcpState::Listen => "listening",
        TcpState::Closing => "closing",
    }
}

/// What a part of a filter keeps: sockets in some states that pass a test.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    states: States,
    /// `None` if all pass.
    test: Option<Test>,
}

impl Kept {
    const ALL: Self = Self { states: States::ALL, test: None };
    const NONE: Self = Self { states: States(0), test: None };

    fn test(test: Test) -> Self {
        Self { states: States::ALL, test: Some(test) }
    }

    /// What both keep.
    fn and(self, other: Self) -> Self {
        let states = States(self.states.0 & other.states.0);
        let test = match (self.test, other.test) {
            (Some(a), Some(b)) => Some(Test::And(vec![a, b])),
            (a, b) => a.or(b),
        };
        Self { states, test }
    }

    /// What one of the two keeps, and whether it is no more than that.
    fn or(self, other: Self) -> (Self, bool) {
        if self == Self::ALL || other.states == States(0) {
            return (self, true);
        }
        if other == Self::ALL || self.states == States(0) {
            return (other, true);
        }
        let exact = self.states == other.states || self.test == other.test;
        let states = States(self.states.0 | other.states.0);
        let test = match (self.test, other.test) {
            (a, b) if a == b => a,
            (Some(a), Some(b)) => Some(Test::Or(vec![a, b])),
            _ => None,
        };
        (Self { states, test }, exact)
    }
}

/// A condition of `ss`.
#[derive(Debug, Clone, PartialEq)]
enum Test {
    One(String),
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
}

impl Test {
    fn any(mut tests: Vec<Self>) -> Self {
        if tests.len() == 1 { tests.remove(0) } else { Self::Or(tests) }
    }

    fn fmt_joined(f: &mut fmt::Formatter<'_>, tests: &[Self], between: &str) -> fmt::Result {
        for (index, test) in tests.iter().enumerate() {
            if index > 0 {
                write!(f, " {between} ")?;
            }
            match test {
                // Joined in the same way: brackets would change nothing.
                Self::And(inner) if between == "and" => Self::fmt_joined(f, inner, "and")?,
                Self::Or(inner) if between == "or" => Self::fmt_joined(f, inner, "or")?,
                Self::And(_) | Self::Or(_) => write!(f, "( {test} )")?,
                test => test.fmt(f)?,
            }
        }
        Ok(())
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(text) => f.write_str(text),
            Self::Not(inner) if matches!(**inner, Self::One(_)) => write!(f, "not {inner}"),
            Self::Not(inner) => write!(f, "not ( {inner} )"),
            Self::And(tests) => Self::fmt_joined(f, tests, "and"),
            Self::Or(tests) => Self::fmt_joined(f, tests, "or"),
        }
    }
}

/// What `expr` keeps, or what it drops if `negated`; at least that. What is left out is noted as it is written.
fn translate(expr: &Expr, negated: bool, left_out: &mut Vec<String>) -> Kept {
    match (expr, negated) {
        (Expr::Term(term), _) => of_term(term, negated).unwrap_or_else(|| {
            left_out.push(written(expr, negated));
            Kept::ALL
        }),
        (Expr::Not(inner), _) => translate(inner, !negated, left_out),
        (Expr::And(parts), false) | (Expr::Or(parts), true) => {
            parts.iter().fold(Kept::ALL, |kept, part| kept.and(translate(part, negated, left_out)))
        }
        (Expr::Or(parts), false) | (Expr::And(parts), true) => {
            let before = left_out.len();
            let mut exact = true;
            let kept = parts.iter().fold(Kept::NONE, |kept, part| {
                let (kept, sure) = kept.or(translate(part, negated, left_out));
                exact &= sure;
                kept
            });
            // Whatever is left out of an alternative changes all of them.
            if !exact || left_out.len() > before {
                left_out.truncate(before);
                left_out.push(written(expr, negated));
            }
            kept
        }
    }
}

/// `expr`, or its opposite, in the language of filters.
fn written(expr: &Expr, negated: bool) -> String {
    let text = if negated { Expr::not(expr.clone()).to_string() } else { expr.to_string() };
    if matches!(expr, Expr::Or(_)) && !negated { format!("({text})") } else { text }
}

/// What a term keeps or, if `negated`, drops; `None` if `ss` cannot be asked that.
fn of_term(term: &Term, negated: bool) -> Option<Kept> {
    let test = match term {
        Term::State(states) => {
            let states = States::of(states);
            let states = if negated { states.not() } else { states };
            return Some(Kept { states, test: None });
        }
        Term::Port(end, numbers) => of_ports(*end, numbers),
        Term::Address(end, places) => {
            if places.contains(&Place { net: None, port: None }) {
                return Some(if negated { Kept::NONE } else { Kept::ALL });
            }
            of_places(*end, places)?
        }
        _ => return None,
    };
    Some(Kept::test(if negated { Test::Not(Box::new(test)) } else { test }))
}

fn of_ports(end: End, numbers: &[Number]) -> Test {
    let tests = numbers.iter().flat_map(|number| ends(end).iter().map(|(port, _)| of_port(port, *number)));
    Test::any(tests.collect())
}

/// The words for a port and an address of each end.
fn ends(end: End) -> &'static [(&'static str, &'static str)] {
    const LOCAL: (&str, &str) = ("sport", "src");
    const PEER: (&str, &str) = ("dport", "dst");
    match end {
        End::Local => &[LOCAL],
        End::Peer => &[PEER],
        End::Either => &[LOCAL, PEER],
    }
}

fn of_port(port: &str, number: Number) -> Test {
    let one = |sign: &str, n: u64| Test::One(format!("{port} {sign} :{n}"));
    match number {
        Number::Is(n) => one("=", n),
        Number::Between(low, high) => Test::And(vec![one(">=", low), one("<=", high)]),
        Number::Above(n) => one(">", n),
        Number::AtLeast(n) => one(">=", n),
        Number::Below(n) => one("<", n),
        Number::AtMost(n) => one("<=", n),
    }
}

fn of_places(end: End, places: &[Place]) -> Option<Test> {
    let mut tests = vec![];
    for place in places {
        for (port, address) in ends(end) {
            tests.push(Test::One(match place {
                Place { net: None, port: number } => format!("{port} = :{}", number.unwrap_or(0)),
                Place { net: Some(net), port: number } => {
                    let number = number.map(|number| format!(":{number}")).unwrap_or_default();
                    format!("{address} {}{number}", network(net)?)
                }
            }));
        }
    }
    Some(Test::any(tests))
}

/// A network as `ss` reads it. `None` for one that holds the mapped IPv4 addresses too: those are IPv4 to a filter
/// and IPv6 to `ss`.
fn network(net: &IpNet) -> Option<String> {
    let whole = net.prefix_len() == net.max_prefix_len();
    let text = if whole { net.addr().to_string() } else { net.to_string() };
    match net {
        IpNet::V4(_) => Some(text),
        IpNet::V6(net) if net.contains(&std::net::Ipv4Addr::UNSPECIFIED.to_ipv6_mapped()) => None,
        IpNet::V6(_) => Some(format!("[{text}]")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Query;

    fn command(filter: &str) -> SsCommand {
        Query::parse(filter).expect(filter).to_ss(Telling::Short).expect(filter)
    }

    fn exact(filter: &str) -> String {
        let SsCommand { line, notes } = command(filter);
        assert!(notes.is_empty(), "{filter}: {notes:?}");
        line
    }

    #[test]
    fn what_ss_can_be_asked_is_asked() {
        for (filter, line) in [
            ("", "ss -tanp"),
            ("state:time-wait", "ss -tan state time-wait"),
            ("state:tw,cw lport:443", "ss -tanp state time-wait state close-wait 'sport = :443'"),
            ("!state:listen", "ss -tanp exclude listening"),
            ("!state:listen rport:>1023", "ss -tanp exclude listening 'dport > :1023'"),
            ("443", "ss -tanp 'sport = :443 or dport = :443'"),
            ("lport:80,8000-8999", "ss -tanp 'sport = :80 or ( sport >= :8000 and sport <= :8999 )'"),
            ("peer:10.0.0.9:5432", "ss -tanp 'dst 10.0.0.9:5432'"),
            ("peer:[::1]:443,2001:db8::/32", "ss -tanp 'dst [::1]:443 or dst [2001:db8::/32]'"),
            ("peer:10.0.0.0/8 !peer:10.1.0.0/16", "ss -tanp 'dst 10.0.0.0/8 and not dst 10.1.0.0/16'"),
            (
                "!(port:22 or peer:10.0.0.1) lport:1",
                "ss -tanp 'not ( sport = :22 or dport = :22 ) and not dst 10.0.0.1 and sport = :1'",
            ),
            (
                "(lport:1 or rport:2) peer:10.0.0.1",
                "ss -tanp '( sport = :1 or dport = :2 ) and dst 10.0.0.1'",
            ),
            ("peer:*", "ss -tanp"),
            ("peer:*:443", "ss -tanp 'dport = :443'"),
            ("lport:1 or state:all", "ss -tanp"),
            (
                "state:tw lport:1 or state:est lport:1",
                "ss -tanp state time-wait state established 'sport = :1'",
            ),
        ] {
            assert_eq!(exact(filter), line, "{filter}");
        }
    }

    #[test]
    fn what_it_cannot_be_asked_is_named_and_makes_the_list_longer() {
        for (filter, line, left) in [
            ("proc:nginx lport:443", "ss -tanp 'sport = :443'", "proc:nginx"),
            ("!proc:nginx lport:443", "ss -tanp 'sport = :443'", "!proc:nginx"),
            ("proc:nginx or lport:443", "ss -tanp", "(proc:nginx or lport:443)"),
            ("!(proc:nginx lport:443)", "ss -tanp", "!(proc:nginx lport:443)"),
            ("age:>30s state:tw", "ss -tan state time-wait", "age:>30s"),
            (
                "state:tw lport:1 or state:cw lport:2",
                "ss -tanp state time-wait state close-wait 'sport = :1 or sport = :2'",
                "(state:time-wait lport:1 or state:close-wait lport:2)",
            ),
            ("peer:::/0", "ss -tanp", "peer:::/0"),
            ("pid:>5", "ss -tanp", "pid:>5"),
        ] {
            let SsCommand { line: made, notes } = command(filter);
            assert_eq!(made, line, "{filter}");
            assert_eq!(notes, [format!("it lists more: ss cannot be asked for {left}")]);
        }
    }

    #[test]
    fn a_process_is_looked_for_in_what_ss_prints() {
        let SsCommand { line, notes } = command("pid:4711 state:est");
        assert_eq!(line, "ss -tanp state established | grep 'pid=4711,'");
        assert_eq!(notes.len(), 1);
        // The last column is there to be looked at.
        assert_eq!(
            command("pid:1 state:tw,est").line,
            "ss -tanp state time-wait state established | grep 'pid=1,'"
        );
        assert_eq!(command("pid:1,2").line, "ss -tanp | grep -E 'pid=(1|2),'");
        // One pipeline can keep the lines of one list of processes.
        assert!(command("pid:1 pid:2").notes.concat().contains("pid:2"));
    }

    #[test]
    fn of_closed_sockets_all_are_listed_as_ss_names_nobody_for_them() {
        for (filter, line) in [
            ("state:tw pid:1 peer:127.0.0.1:5432", "ss -tan state time-wait 'dst 127.0.0.1:5432'"),
            ("state:tw,fw2 pid:1,2", "ss -tanp state time-wait state fin-wait-2"),
        ] {
            let SsCommand { line: made, notes } = command(filter);
            assert_eq!(made, line);
            assert_eq!(notes, ["ss cannot tell whose these are: all are listed"], "{filter}");
        }
    }

    #[test]
    fn there_is_no_command_for_what_is_never_listed() {
        let none =
            |filter: &str| Query::parse(filter).expect(filter).to_ss(Telling::Short).expect_err(filter);
        assert_eq!(none("state:tw state:cw"), NoCommand::Nothing);
        assert_eq!(none("state:bound"), NoCommand::OnlyBound);
        assert_eq!(command("state:bound,tw").notes, ["ss does not list BOUND_INACTIVE"]);
    }
}
