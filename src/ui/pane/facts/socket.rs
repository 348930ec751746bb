//! Everything that is known of one socket.

use std::fmt::Write as _;

use super::{COMMAND, Context, Fact, found, since};
use crate::{
    field::format,
    model::{Detail, Evidence, Side, SockId, Socket, TcpInfo, TcpState, Timer},
    store::{Owned, Stretch},
    ui::{columns, course, why, words},
};

pub(super) fn facts(context: &Context<'_>, id: SockId) -> Vec<Fact> {
    if !context.data.moment.is_whole() {
        let mut facts = vec![Fact::new("", context.without_sockets()).styled(context.theme().warning())];
        facts.extend(states_so_far(context, id));
        facts.push(Fact::new("cookie", id.cookie.to_string()));
        return facts;
    }
    match context.data.socket(0) {
        Some(socket) if socket.socket.row().cookie == id.cookie => socket_facts(context, &socket),
        _ => {
            let text = if context.scene.view.is_held() {
                "It was not there at this moment."
            } else {
                "It is gone: the kernel no longer lists it."
            };
            let gone = Fact::new("", text);
            let mut facts = vec![gone.styled(context.theme().warning())];
            facts.extend(states_so_far(context, id));
            facts.push(Fact::new("cookie", id.cookie.to_string()));
            facts
        }
    }
}

/// In which states it was seen, and when: `ESTABLISHED 09:30:02-09:30:31, CLOSE_WAIT since 09:30:32`.
fn states_so_far(context: &Context<'_>, id: SockId) -> Option<Fact> {
    let course = course::of(context.scene.view, id, context.data.moment.sample.stamp)?;
    let (last, before) = course.stretches().split_last()?;
    let dash = context.theme().glyphs.dash;
    let range = |Stretch { state, from, to }: &Stretch| match (why::clock(*from), why::clock(*to)) {
        (from, to) if from == to => format!("{} at {from}", state.name()),
        (from, to) => format!("{} {from}{dash}{to}", state.name()),
    };
    let mut parts: Vec<String> = before.iter().map(range).collect();
    let (state, from) = (last.state.name(), why::clock(last.from));
    parts.push(if !course.is_present() {
        range(last)
    } else if before.is_empty() {
        format!("{state}, first seen at {from}")
    } else {
        format!("{state} since {from}")
    });
    Some(Fact::new("so far", parts.join(", ")))
}

fn socket_facts(context: &Context<'_>, owned: &Owned<'_>) -> Vec<Fact> {
    let row = owned.socket.row();
    let state = Fact::new("state", format!("{}: {}", row.state.name(), words::state(row.state)));
    let mut facts = vec![
        state.styled(context.theme().state(row.state)),
        Fact::new("local", owned.socket.local().to_string()),
        Fact::new("peer", owned.socket.peer().to_string()),
    ];
    facts.extend(since::socket(context, row.cookie, row.state));
    facts.extend(states_so_far(context, SockId { netns: owned.netns, cookie: row.cookie }));
    facts.extend(found(context));
    facts.extend(owned.link.side().map(|side| {
        let sentence = match side {
            Side::Client => "client: we connected",
            Side::Server => "server: we accepted",
        };
        Fact::new("side", sentence)
    }));
    facts.extend(owners(context, owned));
    facts.push(timer(row));
    facts.extend(owned.socket.detail().map_or_else(mini, |d| detail(context, row, d)));
    let family = row.family.name();
    facts.push(Fact::new("identity", format!("{family}, cookie {}, netns {}", row.cookie, owned.netns)));
    facts
}

fn owners(context: &Context<'_>, owned: &Owned<'_>) -> Vec<Fact> {
    let attribution = owned.attribution;
    let moment = &**context.data.moment;
    let label = if attribution.evidence == Evidence::Candidates { "candidate" } else { "owner" };
    let mut facts: Vec<Fact> =
        attribution.owners.iter().take(4).map(|process| Fact::new(label, why::who(process))).collect();
    if let Some(more) = attribution.owners.len().checked_sub(4).filter(|more| *more > 0) {
        facts.push(Fact::new("", format!("and {more} more")));
    }
    if let [only] = attribution.owners.as_slice() {
        facts.push(Fact::new(COMMAND, only.command.clone()));
    }
    facts.push(Fact::new("evidence", why::evidence(owned, moment)));
    facts.extend(why::opened_by(owned).map(|text| Fact::new("opened by", text)));
    facts.extend(why::closed_by(owned, moment).map(|text| Fact::new("closed by", text)));
    facts.extend(attribution.unknown.map(|reason| {
        let text = format!("{}: {} {}", reason.name(), words::unknown(reason), why::cure(reason, moment));
        Fact::new("why", text).styled(context.theme().warning())
    }));
    facts
}

fn timer(row: &Socket) -> Fact {
    let expires = format::seconds(f64::from(row.expires_ms) / 1000.0);
    let text = match (row.timer, row.time_wait_age_ms()) {
        (Timer::Off, _) => "none runs".to_owned(),
        (_, Some(age)) => {
            format!("entered {} ago, {expires} left", format::seconds(f64::from(age) / 1000.0))
        }
        (timer, None) => format!("{} in {expires}, {} tries so far", timer.name(), row.retransmits),
    };
    Fact::new("timer", text)
}

/// A mini-socket has nothing more.
fn mini() -> Vec<Fact> {
    vec![Fact::new("details", "The kernel has let go of the user, the file and the queues of this socket.")]
}

fn detail(context: &Context<'_>, row: &Socket, detail: &Detail) -> Vec<Fact> {
    let mut file = match detail.inode {
        0 => "no file refers to it".to_owned(),
        inode => format!("inode {inode}"),
    };
    if let Some(uid) = detail.known_uid() {
        let user = columns::user(context.data.moment, uid);
        let name = if user == uid.to_string() { String::new() } else { format!(" ({user})") };
        let _ = write!(file, "; uid {uid}{name}");
    }
    if let Some(mark) = detail.mark.filter(|mark| *mark != 0) {
        let _ = write!(file, "; mark {mark:#x}");
    }
    if detail.interface != 0 {
        let _ = write!(file, "; interface {}", detail.interface);
    }
    if detail.cgroup != 0 {
        let _ = write!(file, "; cgroup {}", detail.cgroup);
    }
    let (receive, send) = (format::grouped(detail.recv_q.into()), format::grouped(detail.send_q.into()));
    let queues = if row.state == TcpState::Listen {
        format!("{receive} connections wait to be accepted, of a backlog of {send}")
    } else {
        format!("{receive} B received and not read, {send} B sent and not acknowledged")
    };
    let mut facts = vec![Fact::new("file", file), Fact::new("queues", queues)];
    // A listener has a tcp_info too, with nothing in it.
    if let Some(tcp) = detail.tcp.as_ref().filter(|_| row.state != TcpState::Listen) {
        facts.extend(path(tcp));
    }
    facts
}

fn path(tcp: &TcpInfo) -> [Fact; 3] {
    let millis = |us: u32| format::seconds(f64::from(us) / 1_000_000.0);
    let ago = |ms: u32| format::seconds(f64::from(ms) / 1000.0);
    let bytes = |n: Option<u64>| n.map_or(format::UNKNOWN.to_owned(), format::bytes);
    let window =
        tcp.send_window.map_or(String::new(), |n| format!(", peer's window {}", format::bytes(n.into())));
    [
        Fact::new(
            "path",
            format!(
                "rtt {}, varies by {}, timeout {}",
                millis(tcp.rtt_us),
                millis(tcp.rttvar_us),
                millis(tcp.rto_us)
            ),
        ),
        Fact::new(
            "segments",
            format!(
                "{} not acknowledged, {} sent again, congestion window {}{window}",
                tcp.unacked, tcp.retransmits, tcp.cwnd
            ),
        ),
        Fact::new(
            "data",
            format!(
                "sent {} (last {} ago), received {} (last {} ago)",
                bytes(tcp.bytes_sent),
                ago(tcp.last_sent_ms),
                bytes(tcp.bytes_received),
                ago(tcp.last_received_ms)
            ),
        ),
    ]
}
