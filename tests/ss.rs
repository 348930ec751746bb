//! The `ss` tier: what is copied as a command line of `ss`, run by a shell against the real one.

#[path = "support/require.rs"]
mod require;

use std::{
    net::{TcpListener, TcpStream},
    process::{Command, Output},
    sync::LazyLock,
};

use proptest::prelude::*;
use twtop::query::{Query, Telling};

fn line(filter: &str) -> String {
    let query = Query::parse(filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
    query.to_ss(Telling::Short).unwrap_or_else(|error| panic!("{filter}: {error}")).line
}

fn run(line: &str) -> Output {
    Command::new("sh").arg("-c").arg(line).output().expect("a shell")
}

/// A socket as `ss` lists it: its own end and the other.
type Ends = (String, String);

/// What the command for `filter` lists of the sockets that have one of `ports`.
fn listed(filter: &str, ports: &[u16]) -> Vec<Ends> {
    let line = line(filter);
    let output = run(&line);
    assert!(output.stderr.is_empty(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let ours = |end: &str| ports.iter().any(|port| end.ends_with(&format!(":{port}")));
    let ends = text.lines().filter_map(|line| {
        let mut ends =
            line.split_whitespace().filter(|word| word.contains(':') && !word.starts_with("users:"));
        Some((ends.next()?.to_owned(), ends.next()?.to_owned()))
    });
    let mut ends: Vec<Ends> = ends.filter(|(local, peer)| ours(local) || ours(peer)).collect();
    ends.sort();
    ends
}

#[test]
fn ss_lists_what_the_filter_keeps() {
    if !require::can_run("ss") {
        return;
    }
    let (v4, v6) = (TcpListener::bind("127.0.0.1:0"), TcpListener::bind("[::1]:0"));
    let (v4, v6) = (v4.expect("a listener"), v6.expect("a listener"));
    let connect = |listener: &TcpListener| {
        let stream = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        (stream, listener.accept().expect("accepted").0)
    };
    let (four, six) = (connect(&v4), connect(&v6));
    let p = v4.local_addr().expect("bound").port();
    let q = v6.local_addr().expect("bound").port();
    let a = four.0.local_addr().expect("bound").port();
    let b = six.0.local_addr().expect("bound").port();
    let pid = std::process::id();

    let end4 = |port: u16| format!("127.0.0.1:{port}");
    let end6 = |port: u16| format!("[::1]:{port}");
    let listen4 = (end4(p), "0.0.0.0:*".to_owned());
    let listen6 = (end6(q), "[::]:*".to_owned());
    let (there4, back4) = ((end4(a), end4(p)), (end4(p), end4(a)));
    let (there6, back6) = ((end6(b), end6(q)), (end6(q), end6(b)));
    for (filter, wanted) in [
        (format!("peer:127.0.0.1:{p}"), vec![&there4]),
        (format!("peer:[::1]:{q}"), vec![&there6]),
        (format!("peer:[::1]:{q} or peer:127.0.0.1:{p}"), vec![&there4, &there6]),
        (format!("local:127.0.0.1:{p} peer:127.0.0.1:{a}"), vec![&back4]),
        (format!("lport:{p}"), vec![&back4, &listen4]),
        (format!("lport:{p},{q} state:listen"), vec![&listen4, &listen6]),
        (format!("lport:{p},{q} !state:listen"), vec![&back4, &back6]),
        (format!("port:{p} !local:127.0.0.0/8"), vec![]),
        (format!("port:{q} local:::1"), vec![&back6, &there6, &listen6]),
        (format!("port:{q} peer:::/64 !lport:{q}"), vec![&there6]),
        (format!("lport:{p}-{p} lport:>={p} lport:<={p} !lport:>{p} !lport:<{p}"), vec![&back4, &listen4]),
        (format!("!(!port:{p} or lport:{p}) state:est"), vec![&there4]),
        (format!("peer:0.0.0.0/0 port:{p} state:est,tw"), vec![&back4, &there4]),
        (format!("port:{p} local:*"), vec![&back4, &there4, &listen4]),
        (format!("pid:{pid} port:{p}"), vec![&back4, &there4, &listen4]),
        (format!("pid:{pid},1 lport:{q}"), vec![&back6, &listen6]),
    ] {
        let mut wanted: Vec<Ends> = wanted.into_iter().cloned().collect();
        wanted.sort();
        assert_eq!(listed(&filter, &[p, q, a, b]), wanted, "{filter}: {}", line(&filter));
    }
}

/// Text that somebody may have called a process to have the one who pastes it run it.
fn hostile() -> impl Strategy<Value = String> {
    let parts = prop::sample::select(vec![
        "'",
        "\"",
        "`",
        "$(exit 3)",
        ";exit 3;",
        "|",
        "&",
        "\n",
        "\\",
        "nginx",
        " ",
        ">",
        "<",
        "#",
        "\u{1b}]52;",
    ]);
    prop::collection::vec(parts, 1..8).prop_map(|parts| parts.concat())
}

fn term() -> impl Strategy<Value = String> {
    let name = hostile().prop_map(|text| format!("proc:={}", quoted(&text)));
    let word = hostile().prop_map(|text| quoted(&text));
    let states = prop::sample::select(vec![
        "tw",
        "cw,est",
        "listen",
        "connected",
        "all",
        "close",
        "fw1,fw2,closing,la,ss,sr",
    ]);
    let places = prop::sample::select(vec![
        "10.0.0.1",
        "10.0.0.0/8",
        "0.0.0.0",
        "0.0.0.0/0",
        "[::1]:443",
        "2001:db8::/32",
        "::",
        "*:80",
        "10.0.0.0/9:5",
    ]);
    let ends = prop::sample::select(vec!["peer", "local", "addr"]);
    let ports = prop::sample::select(vec![
        "lport:80,443",
        "port:1-9",
        "rport:>1023",
        "rport:<=0",
        "lport:<7",
        "port:>=65535",
    ]);
    prop_oneof![
        name,
        word,
        states.prop_map(|states| format!("state:{states}")),
        (ends, places).prop_map(|(end, place)| format!("{end}:{place}")),
        ports.prop_map(str::to_owned),
        (1..99_u32).prop_map(|pid| format!("pid:{pid}")),
    ]
}

fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' | '\\' => format!("\\{c}"),
        c if c.is_control() => format!("\\u{{{:x}}}", u32::from(c)),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

fn filter() -> impl Strategy<Value = String> {
    term().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| format!("!({inner})")),
            prop::collection::vec(inner.clone(), 2..4).prop_map(|parts| format!("({})", parts.join(" "))),
            prop::collection::vec(inner, 2..4).prop_map(|parts| format!("({})", parts.join(" or "))),
        ]
    })
}

/// Asked once: each time it would be said that this was skipped.
static HAS_SS: LazyLock<bool> = LazyLock::new(|| require::can_run("ss"));

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn ss_understands_every_command_and_a_shell_runs_nothing_else(filter in filter()) {
        let query = Query::parse(&filter).unwrap_or_else(|error| panic!("{filter}: {error}"));
        let Ok(command) = query.to_ss(Telling::Everything) else { return Ok(()) };
        let safe = |c: char| c.is_ascii_alphanumeric() || " '()=<>:.[]/,|-".contains(c);
        prop_assert!(command.line.chars().all(safe), "{}", command.line);
        if *HAS_SS {
            let output = run(&command.line);
            prop_assert!(output.stderr.is_empty(), "{}: {}", command.line, String::from_utf8_lossy(&output.stderr));
            // grep that finds nothing says so with 1; nothing that was planted has run.
            prop_assert!(matches!(output.status.code(), Some(0 | 1)), "{}", command.line);
        }
    }
}
