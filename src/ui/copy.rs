//! What is on screen as a command line of `ss`, to be copied.

use super::{
    closer,
    scene::Data,
    update::Effect,
    view::{Message, RowId, Screen, View},
    words,
};
use crate::{
    field::format,
    findings::{Finding, Key},
    model::{Endpoint, Side, SockId, TcpState},
    query::{Query, SsCommand, Telling},
    store::PeerKey,
};

/// What the selected row is about, or what the page is.
pub(super) fn row(view: &mut View, data: Option<Data<'_>>) -> Vec<Effect> {
    let page = view.page();
    let id = match &page.screen {
        Screen::Socket(id) => Some(RowId::Socket(*id)),
        screen if !page.focus.is_table() => subject(screen),
        _ => match closer::selected(view, data) {
            None => return vec![],
            id => id,
        },
    };
    let (Some(id), Some(data)) = (id, data) else { return vec![] };
    let Some((filter, telling)) = filter_of(view, &id, &data) else {
        return say(view, "ss lists sockets, and that is not about any.");
    };
    let unseen = unseen(&id, &data);
    match Query::parse(&filter) {
        Ok(query) => copied(view, &query, telling, unseen),
        Err(error) => say(view, &error.to_string()),
    }
}

/// What the filter keeps.
pub(super) fn filter(view: &mut View) -> Vec<Effect> {
    let query = view.filter.query.clone();
    copied(view, &query, Telling::Short, None)
}

/// Copies the command for `query`; `unseen` is what the command will not list.
fn copied(view: &mut View, query: &Query, telling: Telling, unseen: Option<String>) -> Vec<Effect> {
    match query.to_ss(telling) {
        Ok(mut command) => {
            let held =
                view.is_held().then(|| "ss lists what is there now, not at the moment shown".to_owned());
            command.notes.splice(..0, unseen.into_iter().chain(held));
            vec![Effect::Copy(command)]
        }
        Err(why) => say(view, &format!("Nothing to copy: {why}.")),
    }
}

fn say(view: &mut View, text: &str) -> Vec<Effect> {
    view.message = Some(Message { text: text.to_owned(), failure: true });
    vec![]
}

/// What a page is about, as a row of the table that it was opened from.
fn subject(screen: &Screen) -> Option<RowId> {
    match screen.subject() {
        Screen::Process(key) => Some(RowId::Process(key)),
        Screen::Peer(key) => Some(RowId::Peer(key)),
        Screen::Socket(id) => Some(RowId::Socket(id)),
        Screen::Finding(key) => Some(RowId::Finding(key)),
        _ => None,
    }
}

/// A filter that keeps what a row is about, and how much is wanted of each socket. `None` if that is no socket.
fn filter_of(view: &View, id: &RowId, data: &Data<'_>) -> Option<(String, Telling)> {
    let filter = match id {
        RowId::State(state) => format!("state:{}", words::dashed(state.name())),
        RowId::Destination(source, peer) => format!("local:{source} peer:{}", place(*peer)),
        RowId::Process(key) => format!("pid:{}", key.pid),
        RowId::Peer(PeerKey { ip, port, side: Side::Client }) => {
            format!("peer:{}", place(Endpoint::new(*ip, *port)))
        }
        RowId::Peer(PeerKey { ip, port, side: Side::Server }) => format!("lport:{port} peer:{ip}"),
        RowId::Socket(id) => return Some((of_socket(*id, data)?, Telling::Everything)),
        RowId::Finding(key) => of_finding(view, key, data)?.filter.clone(),
        RowId::Failure(_, _, peer) => format!("peer:{}", place(*peer)),
        RowId::Matter(_) => return None,
    };
    Some(filter).filter(|filter| !filter.is_empty()).map(|filter| (filter, Telling::Short))
}

/// What `ss` will not list of a process: it names nobody for a `TIME_WAIT`.
fn unseen(id: &RowId, data: &Data<'_>) -> Option<String> {
    let RowId::Process(key) = id else { return None };
    let row = data.selection.aggregate.processes.iter().find(|row| row.process.key == *key)?;
    let count = row.states[TcpState::TimeWait];
    (count > 0).then(|| format!("without its {} in TIME_WAIT", format::grouped(count.into())))
}

/// Both ends of a connection, the one end of a listener.
fn of_socket(id: SockId, data: &Data<'_>) -> Option<String> {
    let cookies = data.moment.sample.sockets.rows().iter();
    let row = cookies.enumerate().find(|(_, row)| row.cookie == id.cookie)?.0;
    let socket = data.moment.get(row)?.socket;
    let local = format!("local:{}", place(socket.local()));
    Some(match socket.row().state {
        state @ (TcpState::Listen | TcpState::BoundInactive) => {
            format!("state:{} {local}", words::dashed(state.name()))
        }
        _ => format!("{local} peer:{}", place(socket.peer())),
    })
}

/// An address and a port as a filter reads them; a wildcard is the address that it stands for.
fn place(end: Endpoint) -> String {
    if end.ip.is_ipv6() { format!("[{}]:{}", end.ip, end.port) } else { format!("{}:{}", end.ip, end.port) }
}

/// The finding as it is told now, or on its page was told last.
fn of_finding<'a>(view: &'a View, key: &Key, data: &Data<'a>) -> Option<&'a Finding> {
    let now = data.findings.iter().find(|finding| Key::of(finding) == *key);
    now.or_else(|| view.page().story.as_ref().map(|story| &story.finding))
}

impl SsCommand {
    /// What is said when it was copied: the command itself, for a terminal that copies nothing, and what it does
    /// not say.
    #[must_use]
    pub fn told(&self) -> Message {
        let notes =
            if self.notes.is_empty() { String::new() } else { format!(" ({})", self.notes.join("; ")) };
        Message { text: format!("Copied: {}{notes}", self.line), failure: false }
    }
}
