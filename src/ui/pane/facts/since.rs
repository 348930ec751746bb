//! What changed since the mark, of what the page is about.

use super::{Context, Fact};
use crate::{
    field::format,
    model::TcpState,
    ui::{baseline::SocketThen, mark},
};

/// So many states are told of, those that changed most.
const STATES: usize = 6;

/// By how much the sockets of each state became more or fewer.
pub(super) fn states(context: &Context<'_>) -> Option<Fact> {
    let selection = context.data.selection;
    let baseline = selection.baseline.as_deref()?;
    let change = |state| Some((state, baseline.state(selection, state)?));
    let Some(mut changes) = TcpState::ALL.into_iter().map(change).collect::<Option<Vec<_>>>() else {
        let text = said(context, "not known: there are totals only");
        return Some(Fact::new("mark", text?).styled(context.theme().warning()));
    };
    changes.retain(|(_, by)| *by != 0);
    changes.sort_by_key(|(_, by)| std::cmp::Reverse(by.abs()));
    let part =
        |(state, by): &(TcpState, i64)| format!("{} {}", format::signed(*by, format::grouped), state.name());
    let parts: Vec<_> = changes.iter().take(STATES).map(part).collect();
    let text = if parts.is_empty() { "as many in each state".to_owned() } else { parts.join(", ") };
    Some(Fact::new("mark", said(context, &text)?))
}

/// Whether a socket was there, and in which state.
pub(super) fn socket(context: &Context<'_>, cookie: u64, state: TcpState) -> Option<Fact> {
    let baseline = context.data.selection.baseline.as_deref()?;
    let text = match baseline.socket(cookie, state) {
        None => "not known: there are totals only".to_owned(),
        Some(SocketThen::New) => "new: it was not there then".to_owned(),
        Some(SocketThen::Was(then)) => format!("it was in {} then", then.name()),
        Some(SocketThen::Same) => "in the same state then".to_owned(),
    };
    Some(Fact::new("mark", said(context, &text)?))
}

/// The same with when the mark was.
fn said(context: &Context<'_>, text: &str) -> Option<String> {
    let mark = context.data.selection.baseline.as_deref()?.stamp();
    Some(format!("{}: {text}", mark::title(&context.data.moment.sample.stamp, mark)))
}
