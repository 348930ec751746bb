//! The filter language, and sorting: which sockets, in which order.
//!
//! # The language
//!
//! A condition is `key:value` (or `key=value`, `key>value`, `key!=value`), or a word alone. Conditions side by
//! side must all hold; of two joined by `or` (`|`, `||`) one must; `!` (`not`) turns a condition around; `and` (`&`, `&&`) may be written out.
//! Parentheses group. Values in a list (`port:80,443`) are alternatives.
//!
//! - Numbers: `443`, `8000-8999`, `>1023`, `>=`, `<`, `<=`. Durations have units (`30s`, `1m30s`, `250ms`), sizes too
//!   (`64KiB`). What is not known fits no comparison.
//! - Addresses: `10.0.0.1`, `10.0.0.0/8`, `10.0.0.1:443`, `[::1]:443`, `:443`, `localhost`. A port fits exactly.
//! - Text: part of it, in any case; `proc:=nginx` is the whole of it, `proc:*` any that is known. A user fits
//!   whole, a container by its beginning. Quotes (`"…"`, `'…'`) take away the meaning of spaces and signs.
//! - States in every spelling in use, and the groups of `ss`: `connected`, `synchronized`, `all`.
//! - Conditions on the owner (`pid`, `proc`, `cmd`, `container`) hold for what is certain. Of several who hold a
//!   socket together it is enough that one fits; of candidates, of which one owns it, all must fit. Where one
//!   of the nginx workers 10 and 11 left a `TIME_WAIT`, `proc:nginx` keeps it, whichever it was, and `pid:10`
//!   does not. `candidate:10` keeps all that 10 may own, and nothing that it owns for sure: the two together
//!   are `pid:10 or candidate:10`.
//!
//! A word alone is part of an owner's name or of the text of an address, or a state. A number alone is a
//! port, an address alone an address. In quotes it is always a word. A key without its colon, with a value
//! after it (`port 443`), is an error rather than two words.

use std::{fmt, str::FromStr};

use crate::store::Owned;

mod ast;
mod complete;
mod concern;
mod eval;
mod failed;
mod keys;
mod parse;
mod select;
mod sort;
mod ss;
mod value;

use ast::Expr;
pub use complete::{Completion, Seen};
pub use concern::concerns;
pub use failed::keeps_failure;
pub use keys::{nearest_name, state_named};
pub use select::{Matcher, Selection, select, select_of};
pub use sort::{Sort, sort, sort_rows, sort_window};
pub use ss::{NoCommand, SsCommand, Telling};

/// A filter over sockets, as written after `/` or `--filter`. The default keeps everything.
///
/// `port:443 pid:123 state:time-wait proc:nginx peer:10.0.0.0/8`; terms side by side must all hold; `or`, `!`, parentheses.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Query {
    root: Option<Expr>,
}

/// Why a filter could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (at character {})", .column + 1)]
pub struct QueryError {
    /// Which character it is about, counted in characters from 0.
    pub column: usize,
    /// What is wrong and what would be right, in one sentence without the position.
    pub message: String,
}

impl Query {
    /// Reads a filter.
    ///
    /// # Errors
    /// Says at which character the text stops making sense, and what is expected there.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        Ok(Self { root: parse::parse(text)? })
    }

    /// Whether the filter keeps everything.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.root.is_none()
    }

    /// Whether the filter keeps `socket`. For many sockets of one moment, [`Query::matcher`] is faster.
    #[must_use]
    pub fn matches(&self, socket: &Owned<'_>) -> bool {
        self.root.as_ref().is_none_or(|root| root.matches(socket))
    }

    /// The filter made ready for the sockets of one moment: what depends on the owner alone is decided
    /// once for each owner. Make a new one for every moment.
    #[must_use]
    pub fn matcher(&self) -> Matcher<'_> {
        Matcher::new(self.root.as_ref())
    }

    /// Every key of the language, with what it means: for help and the manual.
    #[must_use]
    pub fn keys() -> impl ExactSizeIterator<Item = (&'static str, &'static str)> {
        keys::KEYS.iter().map(|key| (key.name, key.doc))
    }

    /// What could be written at `cursor` (in characters): keys, the values of a key that has names, and of any key
    /// the values that are `seen`: what a key of that name finds now, the most frequent first.
    #[must_use]
    pub fn completions(text: &str, cursor: usize, seen: &dyn Fn(&str) -> Vec<Seen>) -> Vec<Completion> {
        complete::completions(text, cursor, seen)
    }

    /// A command line of `ss` that lists what the filter keeps, as far as that can be said.
    ///
    /// # Errors
    /// If `ss` would list none of it.
    pub fn to_ss(&self, telling: Telling) -> Result<SsCommand, NoCommand> {
        ss::command(self.root.as_ref(), telling)
    }
}

/// The filter in its shortest spelling; [`Query::parse`] reads the same filter from it.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.as_ref().map_or(Ok(()), |root| root.fmt(f))
    }
}

impl FromStr for Query {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        Self::parse(text)
    }
}
