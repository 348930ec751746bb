//! What changed since the mark, of what the page is about.

use std::fmt::Write as _;

use super::{super::Went, Context, Fact};
use crate::{field::format, model::TcpState, ui::baseline::SocketThen};

/// So many states are told of, those that changed most.
const STATES: usize = 6;

/// Where one of the moments has no sockets any more.
const UNKNOWN: &str = "not known: there are totals only";

/// By how much the sockets of each state became more or fewer.
pub(super) fn states(context: &Context<'_>) -> Option<Fact> {
    let selection = context.data.selection;
    let baseline = selection.baseline.as_deref()?;
    let change = |state| Some((state, baseline.state(selection, state)?));
    let Some(mut changes) = TcpState::ALL.into_iter().map(change).collect::<Option<Vec<_>>>() else {
        let unknown = Fact::new(label(context), UNKNOWN);
        return Some(unknown.styled(context.theme().warning()));
    };
    changes.retain(|(_, by)| *by != 0);
    changes.sort_by_key(|(_, by)| std::cmp::Reverse(by.abs()));
    let part =
        |(state, by): &(TcpState, i64)| format!("{} {}", format::signed(*by, format::grouped), state.name());
    let parts: Vec<_> = changes.iter().take(STATES).map(part).collect();
    let mut text = if parts.is_empty() { "as many in each state".to_owned() } else { parts.join(", ") };
    if let Some((opened, closed)) = meanwhile(context) {
        let _ = write!(text, "; {opened} opened, {closed} closed");
    }
    Some(Fact::new(label(context), text))
}

/// How many connections began and ended between the two moments, as far as all of that time was followed.
fn meanwhile(context: &Context<'_>) -> Option<(String, String)> {
    let Went { activity, behind, marked } = context.followed()?;
    let marked = marked?;
    let (older, newer) = (behind.max(marked), behind.min(marked));
    let amount =
        |rates| Some(format!("{:.0}", activity.amount(rates, older, newer).filter(|_| older > newer)?));
    Some((amount(&activity.opened)?, amount(&activity.closed)?))
}

/// Whether a socket was there, and in which state.
pub(super) fn socket(context: &Context<'_>, cookie: u64, state: TcpState) -> Option<Fact> {
    let baseline = context.data.selection.baseline.as_deref()?;
    let text = match baseline.socket(cookie, state) {
        None => UNKNOWN.to_owned(),
        Some(SocketThen::New) => "new: not there at the mark".to_owned(),
        Some(SocketThen::Was(then)) => format!("was in {} at the mark", then.name()),
        Some(SocketThen::Same) => "in the same state".to_owned(),
    };
    Some(Fact::new(label(context), text))
}

/// Whether what changed did so since the mark, or will do so by then.
fn label(context: &Context<'_>) -> &'static str {
    if context.data.is_before_mark() { "until mark" } else { "since mark" }
}
