//! The `query` tier: the filter language, matching, selecting and sorting.

mod scene;

use std::sync::Arc;

use proptest::prelude::*;
use scene::{Scene, Spec, detail, nobody, process};
use twtop::{
    field::{Context, Row, SocketRows, find, state_key},
    model::{Evidence, Process, Side, TcpInfo, TcpState, Timer, Unknown},
    query::{Query, Sort, select, sort, sort_rows, sort_window},
    store::{Moment, ProcessRow},
};

fn parse(text: &str) -> Query {
    Query::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// A filter as it prints.
fn printed(text: &str) -> String {
    parse(text).to_string()
}

/// The cookies of the sockets that a filter keeps.
fn kept(moment: &Moment, text: &str) -> Vec<u64> {
    let query = parse(text);
    let one_by_one: Vec<u64> =
        moment.iter().filter(|s| query.matches(s)).map(|s| s.socket.row().cookie).collect();
    let mut matcher = query.matcher();
    let together: Vec<u64> =
        moment.iter().filter(|s| matcher.matches(s)).map(|s| s.socket.row().cookie).collect();
    assert_eq!(one_by_one, together, "{text}");
    one_by_one
}

/// Seven sockets of every kind:
/// 1 established to 10.0.0.9:443 by nginx (pid 10); 2 time-wait by nginx, 20 s old; 3 time-wait of one of
/// two candidates (nginx 10, redis 20); 4 listener on 80, held by nginx 10 and its child 11; 5 close-wait over
/// IPv6 by redis; 6 established, mapped IPv4, denied; 7 bound, by Java in a container.
fn everything() -> Moment {
    let mut scene = Scene::default();
    let (nginx, child, redis) = (process(10, "nginx"), process(11, "nginx"), process(20, "redis-server"));
    let java = Arc::new(Process {
        container: Some("0123456789ab".to_owned()),
        runtime: None,
        uid: 0,
        user: "root".to_owned(),
        command: "java -jar \"shop & co.jar\"".to_owned(),
        ..(*process(30, "Java")).clone()
    });
    let held = scene.attribute(Evidence::Held, &[&nginx]);
    let seen = scene.attribute(Evidence::Seen, &[&nginx]);
    scene.told(held, Some(&child), None);
    scene.told(seen, Some(&nginx), Some(&redis));
    let either = scene.attribute(Evidence::Candidates, &[&nginx, &redis]);
    let shared = scene.attribute(Evidence::Held, &[&nginx, &child]);
    let store = scene.attribute(Evidence::Held, &[&redis]);
    let virtual_machine = scene.attribute(Evidence::Held, &[&java]);
    scene.attributions.push(nobody(Unknown::Denied));
    let denied = u32::try_from(scene.attributions.len() - 1).expect("few");

    scene.socket(&Spec { attribution: held, timer: (Timer::Keepalive, 900), ..Spec::default() });
    scene.socket(&Spec { local: "10.0.0.5:40001", attribution: seen, ..Spec::time_wait(40_000) });
    scene.socket(&Spec {
        local: "10.0.0.5:80",
        peer: "192.168.1.7:51000",
        attribution: either,
        side: Some(Side::Server),
        ..Spec::time_wait(59_000)
    });
    scene.socket(&Spec {
        local: "0.0.0.0:80",
        peer: "0.0.0.0:0",
        state: TcpState::Listen,
        attribution: shared,
        side: None,
        ..Spec::default()
    });
    let slow = TcpInfo {
        rtt_us: 250_000,
        retransmits: 3,
        last_sent_ms: 600_000,
        last_received_ms: 400_000,
        ..TcpInfo::default()
    };
    scene.socket(&Spec {
        local: "[2001:db8::5]:6379",
        peer: "[2001:db8::9]:60000",
        state: TcpState::CloseWait,
        attribution: store,
        side: Some(Side::Server),
        detail: Some(twtop::model::Detail { recv_q: 70_000, tcp: Some(slow), ..detail(8) }),
        ..Spec::default()
    });
    scene.socket(&Spec {
        local: "[::ffff:127.0.0.1]:8080",
        peer: "[::ffff:127.0.0.1]:52000",
        attribution: denied,
        side: Some(Side::Server),
        detail: Some(twtop::model::Detail { uid: 1000, ..detail(9) }),
        ..Spec::default()
    });
    scene.socket(&Spec {
        local: "10.0.0.5:8443",
        peer: "0.0.0.0:0",
        state: TcpState::BoundInactive,
        attribution: virtual_machine,
        side: None,
        detail: Some(twtop::model::Detail { uid: 0, tcp: None, ..detail(10) }),
        ..Spec::default()
    });
    scene.moment()
}

#[test]
fn each_key_keeps_what_it_says() {
    let moment = everything();
    let all = [1, 2, 3, 4, 5, 6, 7];
    let cases: &[(&str, &[u64])] = &[
        ("", &all),
        ("  ", &all),
        ("port:443", &[1, 2]),
        ("port:80,443", &[1, 2, 3, 4]),
        ("443", &[1, 2]),
        ("40000-40001", &[1, 2]),
        ("lport:80", &[3, 4]),
        ("sport=80", &[3, 4]),
        ("dport:>=51000", &[3, 5, 6]),
        ("port>=60000", &[5]),
        ("port!=443", &[3, 4, 5, 6, 7]),
        ("lport:<80", &[]),
        ("lport:<=80", &[3, 4]),
        ("pid:10", &[1, 2, 4]),
        ("pid:11", &[4]),
        ("pid:20", &[5]),
        ("candidate:20", &[3]),
        ("maybe:REDIS", &[3]),
        ("candidate:*", &[3]),
        ("proc:NGI", &[1, 2, 4]),
        ("proc:=nginx", &[1, 2, 4]),
        ("proc:=ngin", &[]),
        ("proc:=java", &[]),
        ("proc==Java", &[7]),
        ("proc:*", &[1, 2, 3, 4, 5, 7]),
        ("nginx", &[1, 2, 4]),
        ("cmd:'shop & co'", &[7]),
        ("user:www-data", &[1, 2, 3, 4, 5]),
        ("user:www", &[]),
        ("uid:0", &[7]),
        ("uid:1000", &[6]),
        ("user:33", &[1, 2, 3, 4, 5]),
        ("container:0123", &[7]),
        ("container:0123456789abcdef", &[7]),
        ("container:123", &[]),
        ("!container:*", &[1, 2, 3, 4, 5, 6]),
        ("state:time-wait", &[2, 3]),
        ("state:TIME_WAIT,CloseWait", &[2, 3, 5]),
        ("time-wait", &[2, 3]),
        ("ESTAB", &[1, 6]),
        ("state:bound", &[7]),
        ("state:connected", &[1, 2, 3, 5, 6]),
        ("state:all", &all),
        ("side:client", &[1, 2]),
        ("side:server", &[3, 5, 6]),
        ("side:none", &[4, 7]),
        ("evidence:seen", &[2]),
        ("owner:known", &[1, 2, 4, 5, 7]),
        ("owner:unknown", &[6]),
        ("owner:denied", &[6]),
        ("reason:denied", &[6]),
        ("state:cw", &[5]),
        ("port", &[]),
        ("family:6", &[5]),
        ("family:inet", &[1, 2, 3, 4, 6, 7]),
        ("inode:8", &[5]),
        ("cookie:2-3", &[2, 3]),
        ("age:>10s", &[2]),
        ("age:20s", &[2]),
        ("age:<10", &[3]),
        ("idle:>5m", &[5]),
        ("rtt:>100ms", &[5]),
        ("rtt:1", &[1, 6]),
        ("rtt:>=0", &[1, 5, 6]),
        ("recvq:>0", &[5]),
        ("recvq:>=64KiB", &[5]),
        ("recvq:0", &[1, 4, 6, 7]),
        ("retrans:>0", &[5]),
        ("timer:keepalive", &[1]),
        ("addr:10.0.0.0/24", &[1, 2, 3, 7]),
        ("peer:10.0.0.0/8", &[1, 2]),
        ("peer:10.0.0.9:443", &[1, 2]),
        ("peer:10.0.0.9:80", &[]),
        ("local:[2001:db8::5]:6379", &[5]),
        ("peer:2001:db8::/32", &[5]),
        ("2001:db8::9", &[5]),
        ("10.0.0.9", &[1, 2]),
        (":8443", &[7]),
        ("0.0.9", &[1, 2]),
        ("db8", &[5]),
        ("localhost", &[]),
        ("addr:localhost", &[6]),
        ("local:::ffff:127.0.0.1", &[6]),
        ("local::80", &[3, 4]),
        ("local:*:80", &[3, 4]),
        ("state:tw proc:nginx", &[2]),
        ("state:tw and !proc:nginx", &[3]),
        ("state:tw && not proc:nginx", &[3]),
        ("pid:20 or port:80", &[3, 4, 5]),
        ("pid:20||port:80&family:4", &[3, 4, 5]),
        ("(pid:20 | port:80) family:4", &[3, 4]),
        ("!(pid:20 OR port:80)", &[1, 2, 6, 7]),
        ("!!pid:20", &[5]),
    ];
    for (text, cookies) in cases {
        assert_eq!(kept(&moment, text), *cookies, "{text}");
    }
}

/// The third socket is that of nginx 10 or redis 20, not known which.
#[test]
fn who_opened_and_who_closed_are_different_questions() {
    let moment = everything();
    let cases: [(&str, &[u64]); 7] = [
        ("opener:nginx", &[1, 2]),
        ("opener:11", &[1]),
        ("opened-by:=redis-server", &[]),
        ("closer:redis", &[2]),
        ("closer:20", &[2]),
        ("closed_by:*", &[2]),
        ("!closer:* opener:*", &[1]),
    ];
    for (filter, expected) in cases {
        assert_eq!(kept(&moment, filter), expected, "{filter}");
    }
}

#[test]
fn a_process_is_meant_by_the_name_that_is_shown() {
    let mut scene = Scene::default();
    let app = Arc::new(Process {
        command: "/usr/bin/python3 -u /srv/App.py".to_owned(),
        ..(*process(10, "python3")).clone()
    });
    let nginx = process(20, "nginx");
    let held = scene.attribute(Evidence::Held, &[&app]);
    scene.told(held, Some(&app), Some(&app));
    let other = scene.attribute(Evidence::Held, &[&nginx]);
    let either = scene.attribute(Evidence::Candidates, &[&app, &nginx]);
    scene.socket(&Spec { attribution: held, ..Spec::default() });
    scene.socket(&Spec { local: "10.0.0.5:40001", attribution: other, ..Spec::default() });
    scene.socket(&Spec { local: "10.0.0.5:40002", attribution: either, ..Spec::default() });
    let moment = scene.moment();
    for filter in [
        "proc:app.py",
        "proc:python3",
        "proc:\"python3 app\"",
        "proc:=App.py",
        "proc:=python3",
        "proc:=\"python3 App.py\"",
        "opener:app.py",
        "closer:app.py",
        "app.py",
    ] {
        assert_eq!(kept(&moment, filter), [1], "{filter}");
    }
    assert_eq!(kept(&moment, "candidate:app.py"), [3]);
    assert_eq!(
        kept(&moment, "proc:=app or proc:srv"),
        [0_u64; 0],
        "a part is not the whole, a path is not shown"
    );
}

#[test]
fn candidates_count_where_all_of_them_fit() {
    let moment = everything();
    assert_eq!(kept(&moment, "pid:10"), [1, 2, 4]);
    assert_eq!(kept(&moment, "pid:10 or candidate:10"), [1, 2, 3, 4]);
    assert_eq!(kept(&moment, "pid:10,20"), [1, 2, 3, 4, 5]);
    assert_eq!(kept(&moment, "proc:nginx,redis"), [1, 2, 3, 4, 5]);
    assert_eq!(kept(&moment, "candidate:nginx candidate:redis"), [3]);
}

#[test]
fn what_is_not_known_fits_no_comparison() {
    let moment = everything();
    assert_eq!(kept(&moment, "recvq:>=0"), [1, 4, 5, 6, 7]);
    assert_eq!(kept(&moment, "!recvq:>=0"), [2, 3]);
    assert_eq!(kept(&moment, "age:>=0"), [2, 3]);
}

#[test]
fn a_filter_prints_in_one_spelling() {
    let cases = [
        ("sport = 80", None),
        ("sport=80", Some("lport:80")),
        ("Process:NGINX", Some("proc:NGINX")),
        ("st:TIME_WAIT", Some("state:time-wait")),
        ("(a b) c", Some("a b c")),
        ("(a or b) c", Some("(a or b) c")),
        ("a or (b c)", Some("a or b c")),
        ("not (a and b)", Some("!(a b)")),
        ("age>90s", Some("age:>90s")),
        ("age:1m30s", Some("age:90s")),
        ("rtt:>0.5", Some("rtt:>500us")),
        ("peer:10.1.2.3/8", Some("peer:10.0.0.0/8")),
        ("peer:::ffff:10.0.0.1", Some("peer:10.0.0.1")),
        ("recvq:>=64K", Some("recvq:>=65536")),
        ("'or'", Some("\"or\"")),
        ("port", Some("\"port\"")),
        ("'user' nginx", Some("\"user\" nginx")),
        ("reason:denied", Some("evidence:denied")),
        ("\"443\"", Some("\"443\"")),
        ("proc:'a b'", Some("proc:\"a b\"")),
        ("proc:\"\\u{1b}[2J\"", Some("proc:\"\\u{1b}[2J\"")),
        ("port:443", Some("port:443")),
        ("", Some("")),
    ];
    for (text, expected) in cases {
        match expected {
            Some(expected) => assert_eq!(printed(text), expected, "{text}"),
            None => assert!(Query::parse(text).is_err(), "{text}"),
        }
    }
}

#[test]
fn errors_say_where_and_what() {
    let cases = [
        ("prot:443", 0, "there is no key `prot`; did you mean port?"),
        ("port:443 sate:x", 9, "there is no key `sate`; did you mean state?"),
        ("state:timewiat", 6, "there is no state `timewiat`; did you mean time-wait?"),
        ("port:", 5, "a value is missing after port"),
        ("port:99999", 5, "`99999` is not a port"),
        ("port:+1", 5, "`+1` is not a port"),
        ("port:90-80", 5, "the range ends before it begins; write 80-90"),
        ("peer:10.0.0", 5, "`10.0.0` is not an address"),
        ("peer:443", 5, "`443` is not an address; for a port write port:443"),
        ("age:>ten", 4, "`ten` is not a time"),
        ("proc:>a", 5, "`>` compares numbers, and this is text"),
        ("(port:1", 0, "this parenthesis is never closed"),
        ("port:1)", 6, "this parenthesis was never opened"),
        ("port:1 or", 9, "a condition is missing here"),
        ("or port:1", 0, "a condition is missing before this"),
        ("a && && b", 5, "a condition is missing before this"),
        ("()", 1, "a condition is missing before this"),
        ("!", 1, "a condition is missing here"),
        ("proc:\"a", 5, "this quote is never closed"),
        ("proc:'\\q'", 6, "there is no such escape"),
        ("é proc:é port:x", 14, "`x` is not a port"),
        ("side:both", 5, "there is no side `both`; use one of client, server, none"),
        ("a,b", 1, "`,` does not fit here"),
        ("tw port 8080", 3, "a colon is missing; did you mean port:8080?"),
        ("dport 443 nginx", 0, "a colon is missing; did you mean dport:443?"),
        ("dst port 8080", 0, "a colon is missing; did you mean rport:8080?"),
        ("src host 10.0.0.1", 0, "a colon is missing; did you mean local:10.0.0.1?"),
        ("host ::1", 0, "a colon is missing; did you mean host:::1?"),
        ("(state tw)", 1, "a colon is missing; did you mean state:tw?"),
        ("user root", 0, "a colon is missing; did you mean user:root?"),
    ];
    for (text, column, message) in cases {
        let error = Query::parse(text).expect_err(text);
        assert_eq!(error.column, column, "{text}: {error}");
        assert!(error.message.starts_with(message), "{text}: {error}");
    }
    let error = Query::parse("port:x").expect_err("not a port");
    assert_eq!(error.to_string(), "`x` is not a port (at character 6)");
}

/// Words that are keys as well, without a value of theirs after them.
#[test]
fn a_key_may_be_a_word() {
    for text in ["port", "port nginx", "host or 443", "host port:80", "user !443", "port (443)", "local 80"] {
        assert!(Query::parse(text).is_ok(), "{text}");
    }
}

/// What titles of columns say, people write.
#[test]
fn titles_of_columns_are_states() {
    let titles: &[(&str, TcpState)] = &[
        ("TW", TcpState::TimeWait),
        ("CW", TcpState::CloseWait),
        ("EST", TcpState::Established),
        ("SYN_S", TcpState::SynSent),
        ("SS", TcpState::SynSent),
        ("SYN_R", TcpState::SynRecv),
        ("SR", TcpState::SynRecv),
        ("FW1", TcpState::FinWait1),
        ("FIN_W2", TcpState::FinWait2),
        ("FW2", TcpState::FinWait2),
        ("L_ACK", TcpState::LastAck),
        ("LA", TcpState::LastAck),
    ];
    let meant = |text: &str| parse(&format!("state:{text}")).to_string();
    for (title, state) in titles {
        assert_eq!(meant(title), meant(state.name()), "{title}");
    }
    for state in TcpState::ALL {
        let field = find::<ProcessRow>(state_key(state)).expect("a column for each state");
        assert_eq!(meant(field.title), meant(state.name()), "{}", field.title);
    }
}

#[test]
fn depth_and_length_are_bounded() {
    let deep = format!("{}a{}", "(".repeat(100_000), ")".repeat(100_000));
    assert!(Query::parse(&deep).expect_err("too long").message.contains("4096 bytes"));
    let nested = format!("{}a{}", "(".repeat(65), ")".repeat(65));
    let error = Query::parse(&nested).expect_err("too deep");
    assert_eq!((error.column, error.message.contains("64 deep")), (64, true));
    let fits = format!("{}a{}", "(!".repeat(64), ")".repeat(64));
    assert_eq!(printed(&fits), "a");
    assert_eq!(printed(&format!("{}a", "!".repeat(4001))), "!a");
}

/// Conditions that are right.
const CONDITIONS: &[&str] = &[
    "port:443",
    "lport:1-9",
    "sport>5",
    "peer:10.0.0.0/8",
    "addr:[::1]:1",
    "pid:1,>=2,3-4",
    "proc:=a",
    "proc:\"x y\"",
    "cmd:'\\u{7f}'",
    "user:root",
    "state:tw,listen",
    "side:none",
    "evidence:denied,held",
    "family:6",
    "timer:off",
    "inode:<5",
    "age:>1m30s",
    "idle<=2d",
    "rtt:0.25",
    "recvq:>=1KiB",
    "container:*",
    "candidate:*",
    "opener:12,curl",
    "closer:='x y'",
    "nginx",
    "443",
    "10.0.0.1",
    "::1",
    "\"and\"",
    "state!=closed",
    ":80",
    "a-b",
    "_",
    "local:*:80",
    "peer:[2001:db8::/32]:443",
    "addr:localhost",
    "command:a,'b,c',=\"*\"",
    "state:all",
    "'not'",
    "proc:\"*\"",
];

/// Filters that are right, in every spelling.
fn filter() -> impl Strategy<Value = String> {
    let condition = proptest::sample::select(CONDITIONS).prop_map(str::to_owned);
    condition.prop_recursive(5, 40, 4, |inner| {
        let joined = |signs: &'static [&'static str]| {
            let parts = proptest::collection::vec(inner.clone(), 2..5);
            (parts, proptest::sample::select(signs)).prop_map(|(parts, sign)| parts.join(sign))
        };
        prop_oneof![
            joined(&[" ", " and ", " AND ", "&&", " & "]),
            joined(&[" or ", "||", " | ", " OR "]),
            inner.clone().prop_map(|text| format!("({text})")),
            inner.clone().prop_map(|text| format!("!( {text} )")),
            inner.clone().prop_map(|text| format!("not {text}")),
        ]
    })
}

/// Filters with something in them that does not belong.
fn broken() -> impl Strategy<Value = String> {
    let noise = prop_oneof![
        proptest::sample::select(vec![
            "(", ")", "||", "&&", "!", "\"", "'", "\\", ":", ",", "=", ">", "port:", "é"
        ])
        .prop_map(str::to_owned),
        any::<String>(),
    ];
    (filter(), noise, any::<prop::sample::Index>()).prop_map(|(mut text, noise, place)| {
        let places: Vec<usize> = text.char_indices().map(|(index, _)| index).collect();
        text.insert_str(places[place.index(places.len())], &noise);
        text
    })
}

proptest! {
    #[test]
    fn no_text_is_too_much(text in prop_oneof![any::<String>(), broken()]) {
        match Query::parse(&text) {
            Ok(query) => prop_assert_eq!(Query::parse(&query.to_string()), Ok(query)),
            Err(error) => {
                prop_assert!(error.column <= text.chars().count());
                prop_assert!(!error.message.is_empty());
            }
        }
    }

    #[test]
    fn what_is_read_prints_as_itself(text in filter()) {
        let query = Query::parse(&text);
        prop_assert!(query.is_ok(), "{:?}", query);
        let query = query.expect("just checked");
        prop_assert_eq!(Query::parse(&query.to_string()), Ok(query));
    }

    #[test]
    fn any_text_can_be_quoted(name in "\\PC{1,20}|[ -~]{1,20}|.{1,20}") {
        let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
        for text in [format!("\"{quoted}\""), format!("proc:\"{quoted}\""), format!("cmd:=\"{quoted}\"")] {
            let query = parse(&text);
            prop_assert_eq!(Query::parse(&query.to_string()), Ok(query));
        }
    }
}

#[test]
fn a_selection_counts_and_lists_the_same_sockets() {
    let moment = everything();
    let selection = select(&moment, &parse("state:tw"));
    assert_eq!(selection.rows, [1, 2]);
    assert_eq!(selection.aggregate.states.total(), 2);
    let all = select(&moment, &Query::default());
    assert_eq!(all.rows, [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(all.aggregate, moment.totals);
}

fn order(moment: &Moment, key: &'static str, descending: bool) -> Vec<u32> {
    let mut rows: Vec<u32> = (0..7).rev().collect();
    sort_rows(moment, &mut rows, Sort { key, descending });
    rows.iter().map(|row| row + 1).collect()
}

#[test]
fn rows_are_sorted_with_ties_by_identity_and_the_unknown_last() {
    let moment = everything();
    assert_eq!(order(&moment, "recv_q", true), [5, 1, 4, 6, 7, 2, 3]);
    assert_eq!(order(&moment, "recv_q", false), [1, 4, 6, 7, 5, 2, 3]);
    assert_eq!(order(&moment, "age_s", true), [2, 3, 1, 4, 5, 6, 7]);
    assert_eq!(order(&moment, "local_endpoint", false), [4, 3, 7, 1, 2, 6, 5]);
    assert_eq!(order(&moment, "process", false), [7, 6, 1, 2, 4, 3, 5]);
    assert_eq!(order(&moment, "no such field", true), [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_window_holds_what_the_whole_order_has_there() {
    let moment = everything();
    for field in SocketRows::fields() {
        for descending in [false, true] {
            let by = Sort { key: field.key, descending };
            let mut whole: Vec<u32> = (0..7).collect();
            sort_rows(&moment, &mut whole, by);
            for (start, end) in [(0, 3), (2, 5), (5, 7), (6, 20), (3, 3), (9, 12)] {
                let mut part: Vec<u32> = (0..7).rev().collect();
                sort_window(&moment, &mut part, by, start..end);
                let (start, end) = (start.min(7), end.min(7));
                assert_eq!(part[start..end], whole[start..end], "{} {start}..{end}", field.key);
            }
        }
    }
}

#[test]
fn processes_are_sorted_by_their_own_fields() {
    let moment = everything();
    let context = Context { sockets: 7, ..Context::default() };
    let mut rows: Vec<&ProcessRow> = moment.totals.processes.iter().collect();
    sort::<ProcessRow>(&mut rows, &context, Sort { key: "pid", descending: true });
    let pids: Vec<u32> = rows.iter().map(|row| row.process.key.pid).collect();
    assert_eq!(pids, [30, 20, 11, 10]);
    sort::<ProcessRow>(&mut rows, &context, Sort { key: "close_wait", descending: true });
    assert_eq!(rows[0].process.key.pid, 20);
    assert_eq!(rows[1].process.key.pid, 10);
}
