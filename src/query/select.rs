//! A filter applied to a whole moment.

use super::{
    Query,
    ast::{Expr, Term, Word},
    eval,
};
use crate::store::{Aggregate, Attribution, Moment, Owned};

/// The part of a moment that a filter keeps.
#[derive(Debug, Clone)]
pub struct Selection {
    /// The sockets that it keeps, counted.
    pub aggregate: Aggregate,
    /// Which they are: indices into the moment's sockets, in the order of the dump.
    pub rows: Vec<u32>,
}

/// Counts and lists the sockets of `moment` that `query` keeps.
#[must_use]
pub fn select(moment: &Moment, query: &Query) -> Selection {
    if query.is_all() {
        let rows = (0..moment.links.len()).map(index32).collect();
        return Selection { aggregate: moment.totals.clone(), rows };
    }
    select_of(moment, query, |_| true)
}

/// As [`select()`], of those sockets of which `within` says yes as well. Connections that ended are counted.
#[must_use]
pub fn select_of(moment: &Moment, query: &Query, within: impl Fn(&Owned<'_>) -> bool) -> Selection {
    let mut matcher = query.matcher();
    let mut keep = |socket: &Owned<'_>| within(socket) && matcher.matches(socket);
    let kept = moment.iter().enumerate().filter(|(_, socket)| keep(socket));
    let rows = kept.map(|(index, _)| index32(index)).collect();
    Selection { aggregate: Aggregate::of(moment, keep), rows }
}

fn index32(index: usize) -> u32 {
    u32::try_from(index).expect("fewer than 2^32 sockets")
}

/// A filter made ready for the sockets of one moment, see [`Query::matcher`].
#[derive(Debug, Clone)]
pub struct Matcher<'q> {
    root: Option<Node<'q>>,
    memo: Memo,
}

impl<'q> Matcher<'q> {
    pub(super) fn new(root: Option<&'q Expr>) -> Self {
        let mut slots = 0;
        let root = root.map(|root| Node::of(root, &mut slots));
        Self { root, memo: Memo { slots, answers: Vec::new() } }
    }

    /// Whether the filter keeps `socket`, one of the moment that this matcher is for.
    #[inline]
    pub fn matches(&mut self, socket: &Owned<'_>) -> bool {
        let memo = &mut self.memo;
        self.root.as_ref().is_none_or(|root| root.matches(socket, memo))
    }
}

/// A filter's tree, with a place to remember each answer that the owner alone decides.
#[derive(Debug, Clone)]
enum Node<'q> {
    Owner(usize, &'q Term),
    Name(usize, &'q Word),
    Shown(&'q Word),
    Socket(&'q Term),
    Not(Box<Self>),
    And(Vec<Self>),
    Or(Vec<Self>),
}

impl<'q> Node<'q> {
    fn of(expr: &'q Expr, slots: &mut usize) -> Self {
        let mut slot = || {
            *slots += 1;
            *slots - 1
        };
        match expr {
            Expr::Term(Term::Word(word)) => Self::Or(vec![Self::Name(slot(), word), Self::Shown(word)]),
            Expr::Term(term) if term.is_of_owner() => Self::Owner(slot(), term),
            Expr::Term(term) => Self::Socket(term),
            Expr::Not(inner) => Self::Not(Box::new(Self::of(inner, slots))),
            Expr::And(parts) => Self::And(parts.iter().map(|part| Self::of(part, slots)).collect()),
            Expr::Or(parts) => Self::Or(parts.iter().map(|part| Self::of(part, slots)).collect()),
        }
    }

    fn matches(&self, socket: &Owned<'_>, memo: &mut Memo) -> bool {
        match self {
            Self::Owner(slot, term) => {
                memo.get(*slot, socket, |attribution| term.of_owner(attribution).unwrap_or(false))
            }
            Self::Name(slot, word) => memo.get(*slot, socket, |owner| eval::word_names(word, owner)),
            Self::Shown(word) => eval::word_shows(word, socket),
            Self::Socket(term) => term.of_socket(socket),
            Self::Not(inner) => !inner.matches(socket, memo),
            Self::And(parts) => parts.iter().all(|part| part.matches(socket, memo)),
            Self::Or(parts) => parts.iter().any(|part| part.matches(socket, memo)),
        }
    }
}

/// Answers by attribution and slot.
#[derive(Debug, Clone)]
struct Memo {
    slots: usize,
    answers: Vec<Option<bool>>,
}

impl Memo {
    #[inline]
    fn get(&mut self, slot: usize, socket: &Owned<'_>, answer: impl FnOnce(&Attribution) -> bool) -> bool {
        let index = socket.link.attribution() * self.slots + slot;
        if index >= self.answers.len() {
            self.answers.resize((index + 1).next_power_of_two(), None);
        }
        *self.answers[index].get_or_insert_with(|| answer(socket.attribution))
    }
}
