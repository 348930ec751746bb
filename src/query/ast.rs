//! What a filter means, as a tree, and how the tree is written down again.

use std::fmt::{self, Display, Write as _};

use ipnet::IpNet;

use super::{
    keys::{self, Amount, End, Kind, TextKey},
    parse,
};
use crate::model::{Evidence, Side, TcpState, Timer, Unknown};

/// A filter's tree. Made by [`Expr::not`], [`Expr::and`] and [`Expr::or`] alone, which keep it in the one form
/// that its text has: no negation of a negation, no `and` directly in an `and`.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expr {
    /// The term holds.
    Term(Term),
    /// It does not hold.
    Not(Box<Self>),
    /// All hold; two or more.
    And(Vec<Self>),
    /// One or more hold; two or more.
    Or(Vec<Self>),
}

impl Expr {
    /// The opposite of `inner`.
    pub(super) fn not(inner: Self) -> Self {
        match inner {
            Self::Not(inner) => *inner,
            inner => Self::Not(Box::new(inner)),
        }
    }

    /// `parts` joined by `and`; there is one or more.
    pub(super) fn and(parts: Vec<Self>) -> Self {
        Self::join(parts, Self::And, |part| match part {
            Self::And(parts) => Ok(parts),
            other => Err(other),
        })
    }

    /// `parts` joined by `or`; there is one or more.
    pub(super) fn or(parts: Vec<Self>) -> Self {
        Self::join(parts, Self::Or, |part| match part {
            Self::Or(parts) => Ok(parts),
            other => Err(other),
        })
    }

    fn join(
        parts: Vec<Self>,
        make: fn(Vec<Self>) -> Self,
        open: impl Fn(Self) -> Result<Vec<Self>, Self>,
    ) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match open(part) {
                Ok(inner) => flat.extend(inner),
                Err(other) => flat.push(other),
            }
        }
        if flat.len() == 1 { flat.remove(0) } else { make(flat) }
    }
}

/// One condition on a socket. The values of a list are alternatives.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Term {
    /// A bare word.
    Word(Word),
    /// Ports.
    Port(End, Vec<Number>),
    /// Addresses.
    Address(End, Vec<Place>),
    /// A whole number, a size or a duration.
    Amount(Amount, Vec<Number>),
    /// A text of the owner.
    Text(TextKey, Vec<Pattern>),
    /// States.
    State(Vec<TcpState>),
    /// Which end is ours; `None` for those that are no connection.
    Side(Vec<Option<Side>>),
    /// What the claim about the owner rests on, or why there is none.
    Evidence(Vec<Claim>),
    /// IPv4 (mapped included) or IPv6.
    Family(Vec<Ip>),
    /// Which timer runs.
    Timer(Vec<Timer>),
}

/// A word without a key: part of an owner's name or of an address, or a state.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Word {
    pub(super) text: String,
    /// The states that it names; mostly none.
    pub(super) states: &'static [TcpState],
    /// Whether it has only characters that addresses have.
    pub(super) may_be_address: bool,
}

impl Word {
    pub(super) fn new(text: String) -> Self {
        let of_address = |b: u8| b.is_ascii_hexdigit() || matches!(b, b'.' | b':');
        Self {
            states: keys::lookup(keys::STATES, &text).unwrap_or(&[]),
            may_be_address: text.bytes().all(of_address),
            text,
        }
    }
}

/// A condition on a number. Durations are in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    /// Exactly it; of a duration, within its unit.
    Is(u64),
    /// From the first to the second, both included.
    Between(u64, u64),
    /// `>`
    Above(u64),
    /// `>=`
    AtLeast(u64),
    /// `<`
    Below(u64),
    /// `<=`
    AtMost(u64),
}

impl Number {
    /// Whether `n` fits; `unit` is how far above an exact value one still is at it, 1 for whole numbers.
    #[inline]
    pub(super) fn holds(self, n: u64, unit: u64) -> bool {
        match self {
            Self::Is(value) => n >= value && n - value < unit,
            Self::Between(low, high) => (low..=high).contains(&n),
            Self::Above(value) => n > value,
            Self::AtLeast(value) => n >= value,
            Self::Below(value) => n < value,
            Self::AtMost(value) => n <= value,
        }
    }
}

/// An address, a network, a port, or an address and a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The network, a whole one for a single address; `None` for any. Never IPv4-mapped.
    pub(super) net: Option<IpNet>,
    /// The port, `None` for any.
    pub(super) port: Option<u16>,
}

/// A condition on a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pattern {
    /// It is known, whatever it is.
    Any,
    /// It has this in it, in the way of its key.
    Like(String),
    /// It is this.
    Is(String),
}

/// What a claim rests on, or why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claim {
    /// This kind of evidence.
    Rests(Evidence),
    /// Unknown for this reason.
    Lacks(Unknown),
}

/// What travels on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ip {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Term(term) => term.fmt(f),
            Self::Not(inner) => {
                f.write_char('!')?;
                inner.fmt_within(f, matches!(**inner, Self::Term(_)))
            }
            Self::And(parts) => Self::fmt_joined(f, parts, " ", |part| !matches!(part, Self::Or(_))),
            Self::Or(parts) => Self::fmt_joined(f, parts, " or ", |_| true),
        }
    }
}

impl Expr {
    fn fmt_joined(
        f: &mut fmt::Formatter<'_>,
        parts: &[Self],
        between: &str,
        bare: impl Fn(&Self) -> bool,
    ) -> fmt::Result {
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                f.write_str(between)?;
            }
            part.fmt_within(f, bare(part))?;
        }
        Ok(())
    }

    fn fmt_within(&self, f: &mut fmt::Formatter<'_>, bare: bool) -> fmt::Result {
        if bare { self.fmt(f) } else { write!(f, "({self})") }
    }
}

impl Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) if parse::is_bare_word(&word.text) => f.write_str(&word.text),
            Self::Word(word) => quoted(f, &word.text),
            Self::Port(end, ports) => list(f, Kind::Port(*end), ports, Display::fmt),
            Self::Address(end, places) => list(f, Kind::Address(*end), places, Display::fmt),
            Self::Amount(amount, numbers) => {
                list(f, Kind::Amount(*amount), numbers, |number, f| number.fmt_as(f, *amount))
            }
            Self::Text(key, patterns) => list(f, Kind::Text(*key), patterns, Display::fmt),
            Self::State(states) => list(f, Kind::State, states, |state, f| dashed(f, state.name())),
            Self::Side(sides) => {
                list(f, Kind::Side, sides, |side, f| f.write_str(side.map_or("none", Side::name)))
            }
            Self::Evidence(claims) => list(f, Kind::Evidence, claims, |claim, f| match claim {
                Claim::Rests(evidence) => f.write_str(evidence.name()),
                Claim::Lacks(why) => dashed(f, why.name()),
            }),
            Self::Family(ips) => list(f, Kind::Family, ips, |ip, f| {
                f.write_str(match ip {
                    Ip::V4 => "ipv4",
                    Ip::V6 => "ipv6",
                })
            }),
            Self::Timer(timers) => list(f, Kind::Timer, timers, |timer, f| f.write_str(timer.name())),
        }
    }
}

fn list<T>(
    f: &mut fmt::Formatter<'_>,
    kind: Kind,
    items: &[T],
    each: impl Fn(&T, &mut fmt::Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    write!(f, "{}:", kind.key().name)?;
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            f.write_char(',')?;
        }
        each(item, f)?;
    }
    Ok(())
}

/// A name in lower case, `-` for `_` and spaces: `time-wait`.
fn dashed(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    name.chars().try_for_each(|c| match c {
        '_' | ' ' => f.write_char('-'),
        c => f.write_char(c.to_ascii_lowercase()),
    })
}

impl Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_with(f, |n, f| n.fmt(f))
    }
}

impl Number {
    fn fmt_as(&self, f: &mut fmt::Formatter<'_>, amount: Amount) -> fmt::Result {
        if amount.is_duration() { self.fmt_with(f, duration) } else { self.fmt(f) }
    }

    fn fmt_with(
        self,
        f: &mut fmt::Formatter<'_>,
        each: impl Fn(u64, &mut fmt::Formatter<'_>) -> fmt::Result,
    ) -> fmt::Result {
        let (sign, n) = match self {
            Self::Is(n) => ("", n),
            Self::Between(low, high) => {
                each(low, f)?;
                ("-", high)
            }
            Self::Above(n) => (">", n),
            Self::AtLeast(n) => (">=", n),
            Self::Below(n) => ("<", n),
            Self::AtMost(n) => ("<=", n),
        };
        f.write_str(sign)?;
        each(n, f)
    }
}

/// Microseconds in the greatest unit that they are a whole number of.
fn duration(micros: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (unit, scale) = super::value::DURATIONS
        .iter()
        .rev()
        .find(|(_, scale)| micros != 0 && micros.is_multiple_of(*scale))
        .unwrap_or(&("s", 1_000_000));
    write!(f, "{}{unit}", micros / scale)
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let net = self.net.map_or_else(
            || "*".to_owned(),
            |net| {
                let whole = net.prefix_len() == net.max_prefix_len();
                if whole { net.addr().to_string() } else { net.to_string() }
            },
        );
        match (self.port, self.net) {
            (None, _) => f.write_str(&net),
            (Some(port), Some(IpNet::V6(_))) => write!(f, "[{net}]:{port}"),
            (Some(port), _) => write!(f, "{net}:{port}"),
        }
    }
}

impl Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_char('*'),
            Self::Like(text) => value(f, text),
            Self::Is(text) => {
                f.write_char('=')?;
                value(f, text)
            }
        }
    }
}

/// `text` as it is written after a key, in quotes if it must be.
pub(super) fn written(text: &str) -> String {
    Pattern::Like(text.to_owned()).to_string()
}

fn value(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    if parse::is_bare_value(text) { f.write_str(text) } else { quoted(f, text) }
}

/// Text in double quotes, with escapes for quotes, backslashes and whatever does not print.
fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    f.write_char('"')?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(f, "\\{c}")?,
            ' ' => f.write_char(c)?,
            c if c.is_control() || c.is_whitespace() => write!(f, "\\u{{{:x}}}", u32::from(c))?,
            c => f.write_char(c)?,
        }
    }
    f.write_char('"')
}
