//! Scenarios as text: what the kernel says sample by sample, and what should follow from it.
//!
//! ```text
//! ports 32768 60999              the local port range; "reserved 8080,9000-9010"; "fin-timeout 30"; "sysctl NAME VALUE"
//! interval 2                     the interval in force, seconds
//! tick 10.5 incomplete dump=0.2  a sample, so many seconds after boot; "unprivileged": capabilities are missing
//! process 7 php-fpm start=3 fds=5/1024    more about a process (holders need no line)
//! a ESTABLISHED 10.0.0.1:40000 10.0.0.2:443 held=7,8
//! b TIME_WAIT [::1]:40000 [::1]:443 left=59.5
//! l LISTEN 0.0.0.0:80 held=7 v6only mapped interface=2
//! counter TcpActiveOpens 5
//! limit nf_conntrack 90 100      how many of how many
//! tick 11.5 traced=10 lost=3     with a trace that began then and lost so many records since the tick before
//! trace 7 opened 10.0.0.1:40000 10.0.0.2:443 at=11.2      or "closed", "no-port", "refused": what the trace told
//! trace 7 closed 10.0.0.1:40000 10.0.0.2:443 at=11.3 life=0.1     how long it lived; "-" for a process not told;
//!                                "bound" or "unbound": whether it had its port before it connected; times=9: so many, the local port (with "clients": the peer's) counted up
//! repeat 10                      the lines up to "end" so often, {n*5+1} being a sum with n from 0
//! end
//! expect …                       see `expect.rs`
//! ```
//!
//! `c*50` are 50 sockets whose local port counts up (the peer's with `clients`), by `step=2`. Words of a socket beside those above:
//! `idle=3` (seconds since it sent or received), `recvq=100`, `sendq=100` (of a listener:
//! its backlog), `timer=keepalive` or `persist`, `resent=9` (segments since it began, beside `idle`), `retrans=2`, and `rate=50`: of many, one
//! came every 1/50 s, the last just now (a `TIME_WAIT` or `FIN_WAIT2` entered it then, for 60 s).
//!
//! A socket's first word stands for its cookie. `held=` takes PIDs (`7@3`: started 3 clock ticks after boot) or `denied`,
//! `kernel`, `gone`, `queue`; a line without it is a mini-socket. `#` begins a comment.

mod expect;
mod findings;
mod repeat;

use std::{collections::BTreeMap, net::SocketAddr, str::FromStr, sync::Arc, time::Duration};

use jiff::Timestamp;
use twtop::{
    findings::Watch,
    model::{
        Cost, Counters, Detail, Endpoint, Family, Held, Host, Limit, Limits, NewSocket, OwnerScan,
        Privileges, ProcKey, Process, ProcessSeen, Runtime, RuntimeKind, Sample, Side, SocketTable, Stamp,
        Sysctls, TcpInfo, TcpState, Timer, TraceBatch, TraceEvent, TraceKind, TraceLoss, TraceTask,
        TracedProcess,
    },
    store::{History, Ledger, Moment, Observation},
};

/// The network namespace of every sample.
const NETNS: u64 = 4_026_531_840;

/// A world that a scenario describes line by line.
#[derive(Default)]
pub(crate) struct World {
    sysctls: Sysctls,
    interval: Duration,
    cookies: BTreeMap<String, u64>,
    samples: u64,
    next: Option<Draft>,
    ledger: Ledger,
    history: History,
    watch: Watch,
    /// Over all samples so far.
    pub(crate) observation: Option<Observation>,
    moment: Option<Arc<Moment>>,
    expectations: usize,
}

/// A sample being described.
pub(crate) struct Draft {
    at: Duration,
    complete: bool,
    privileged: bool,
    dump: Duration,
    sockets: SocketTable,
    processes: Vec<ProcessSeen>,
    holders: Vec<Box<[u32]>>,
    counters: Vec<(Arc<str>, u64)>,
    limits: Limits,
    trace: Option<TraceBatch>,
}

impl World {
    /// Plays a scenario and yields the world as it is then; panics with the line where it goes wrong.
    pub(crate) fn played(text: &str) -> Self {
        let mut world = Self::default();
        for (number, line) in repeat::unrolled(text) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let Err(why) = world.line(&words) {
                panic!("line {number}: {line}\n{why}");
            }
        }
        world.fold();
        world
    }

    /// How many expectations held.
    pub(crate) fn expectations(&self) -> usize {
        self.expectations
    }

    fn line(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            [] => {}
            ["ports", low, high] => self.sysctl("ip_local_port_range", format!("{low} {high}")),
            ["reserved", list] => self.sysctl("ip_local_reserved_ports", (*list).to_owned()),
            ["fin-timeout", length] => self.sysctl("tcp_fin_timeout", (*length).to_owned()),
            ["sysctl", name, value] => drop(self.sysctls.insert((*name).to_owned(), (*value).to_owned())),
            ["interval", length] => self.interval = seconds(length)?,
            ["tick", at, rest @ ..] => {
                self.fold();
                self.next = Some(Draft::new(seconds(at)?, rest)?);
            }
            ["expect", rest @ ..] => {
                self.fold();
                self.expectations += 1;
                self.expect(rest)?;
            }
            ["counter", name, value] => self.draft()?.counters.push((Arc::from(*name), parse(value)?)),
            ["limit", name, value, max] => {
                let limit = Limit { value: parse(value)?, max: parse(max)? };
                self.draft()?.limits.insert(known_limit(name)?.into(), limit);
            }
            ["trace", who, what, local, peer, rest @ ..] => {
                let ends = (endpoint(local)?, endpoint(peer)?);
                let who = if *who == "-" { None } else { Some(key(who)?) };
                self.draft()?.events(who, what, ends, rest)?;
            }
            ["process", who, rest @ ..] => {
                let draft = self.draft()?;
                let index = draft.process(key(who)?);
                draft.describe(index, rest)?;
            }
            [label, state, local, rest @ ..] => {
                let (label, count): (_, u32) = match label.split_once('*') {
                    Some((label, count)) => (Some(label), parse(count)?),
                    None => (None, 1),
                };
                for n in 0..count {
                    let cookie = match label {
                        Some(label) => self.cookie(&format!("{label}{n}")),
                        None => self.cookie(words[0]),
                    };
                    self.draft()?.socket(cookie, state, local, rest, (n, count))?;
                }
            }
            _ => return Err("no such line".to_owned()),
        }
        Ok(())
    }

    fn sysctl(&mut self, name: &str, value: String) {
        self.sysctls.insert(format!("net.ipv4.{name}"), value);
    }

    fn draft(&mut self) -> Result<&mut Draft, String> {
        self.next.as_mut().ok_or_else(|| "outside of a tick, or after its expectations".to_owned())
    }

    /// The cookie that a label stands for.
    pub(crate) fn cookie(&mut self, label: &str) -> u64 {
        let next = 1000 + self.cookies.len() as u64;
        *self.cookies.entry(label.to_owned()).or_insert(next)
    }

    /// Folds the sample that was described, if there is one.
    fn fold(&mut self) {
        let Some(draft) = self.next.take() else { return };
        let sample = draft.sample(self.samples, self.interval, self.sysctls.clone());
        self.samples += 1;
        let moment = Arc::new(self.ledger.fold(sample));
        check_invariants(&moment);
        self.history.push(&moment);
        self.watch.push(&moment, &self.history);
        match &mut self.observation {
            Some(observation) => observation.extend_whole(Arc::clone(&moment)),
            None => self.observation = Some(Observation::begin_whole(Arc::clone(&moment))),
        }
        self.moment = Some(moment);
    }
}

impl Draft {
    fn new(at: Duration, options: &[&str]) -> Result<Self, String> {
        let mut draft = Self {
            at,
            complete: true,
            privileged: true,
            dump: Duration::ZERO,
            sockets: SocketTable::new(),
            processes: Vec::new(),
            holders: Vec::new(),
            counters: Vec::new(),
            limits: Limits::new(),
            trace: None,
        };
        for option in options {
            match option.split_once('=') {
                None if *option == "incomplete" => draft.complete = false,
                None if *option == "unprivileged" => draft.privileged = false,
                Some(("dump", value)) => draft.dump = seconds(value)?,
                Some(("traced", value)) => {
                    draft.trace =
                        Some(TraceBatch { since: seconds(value)?, through: at, ..TraceBatch::default() });
                }
                Some(("lost", value)) => {
                    let loss = TraceLoss {
                        from: at.saturating_sub(Duration::from_secs(1)),
                        to: at,
                        records: parse(value)?,
                    };
                    draft.trace.as_mut().ok_or("lost by which trace?")?.losses.push(loss);
                }
                _ => return Err(format!("no such option: {option}")),
            }
        }
        Ok(draft)
    }

    fn events(
        &mut self,
        who: Option<ProcKey>,
        what: &str,
        (local, peer): (Endpoint, Endpoint),
        words: &[&str],
    ) -> Result<(), String> {
        let (mut at, mut times, mut life, mut clients, mut bound) = (None, 1, None, false, None);
        for word in words {
            match word.split_once('=') {
                None if *word == "clients" => clients = true,
                None if *word == "bound" => bound = Some(true),
                None if *word == "unbound" => bound = Some(false),
                Some(("at", value)) => at = Some(seconds(value)?),
                Some(("times", value)) => times = parse(value)?,
                Some(("life", value)) => life = Some(seconds(value)?),
                _ => return Err(format!("no such word: {word}")),
            }
        }
        let at = at.ok_or("at=SECONDS")?;
        let kind = match what {
            "connecting" => TraceKind::Connecting,
            "opened" => TraceKind::Opened,
            "closed" => TraceKind::Closed,
            "no-port" => TraceKind::NoPort,
            "refused" => TraceKind::ConnectFailed,
            _ => return Err(format!("no such event: {what}")),
        };
        let process = who.map(|key| {
            let known = self.processes.iter().find(|seen| seen.process.key == key);
            let name = known.map_or_else(|| format!("t{}", key.pid), |seen| seen.process.name.clone());
            let command = known.map(|seen| seen.process.command.clone());
            TracedProcess { key, exact: true, name, command, uid: None, kernel: false }
        });
        let batch = self.trace.as_mut().ok_or("by which trace?")?;
        let process = process.map(|traced| {
            batch.processes.push(Arc::new(traced));
            u32::try_from(batch.processes.len() - 1).expect("few processes")
        });
        let pid = who.map_or(u32::MAX, |key| key.pid);
        let task = TraceTask { pid, tid: pid, process, netns: Some(NETNS) };
        let began = life.map(|life| at.saturating_sub(life));
        for n in 0..times {
            batch.events.push(TraceEvent {
                at,
                cpu: 0,
                kind,
                family: if local.ip.is_ipv4() { Family::V4 } else { Family::V6 },
                local: if clients { local } else { counted(local, n) },
                peer: if clients { counted(peer, n) } else { peer },
                began,
                side: began.map(|_| Side::Client),
                bound,
                task: Some(task),
            });
        }
        Ok(())
    }

    fn process(&mut self, key: ProcKey) -> u32 {
        let known = self.processes.iter().position(|seen| seen.process.key == key);
        let index = known.unwrap_or_else(|| {
            let process = Arc::new(process(key, &format!("p{}", key.pid)));
            self.processes.push(ProcessSeen { process, fds: None, fd_limit: None });
            self.processes.len() - 1
        });
        u32::try_from(index).expect("few processes")
    }

    fn describe(&mut self, index: u32, words: &[&str]) -> Result<(), String> {
        let seen = &mut self.processes[index as usize];
        for word in words {
            match word.split_once('=') {
                None => seen.process = Arc::new(process(seen.process.key, word)),
                Some(("command", value)) => {
                    let command = value.replace('_', " ");
                    seen.process = Arc::new(Process { command, ..(*seen.process).clone() });
                }
                Some(("runtime", value)) => {
                    let runtime = Some(runtime(value)?);
                    seen.process = Arc::new(Process { runtime, ..(*seen.process).clone() });
                }
                Some(("fds", value)) => {
                    let (fds, limit) = value.split_once('/').ok_or("fds=N/LIMIT")?;
                    (seen.fds, seen.fd_limit) = (Some(parse(fds)?), Some(parse(limit)?));
                }
                _ => return Err(format!("no such word: {word}")),
            }
        }
        Ok(())
    }

    /// Adds a socket, the `n`th of `count` of its kind.
    fn socket(
        &mut self,
        cookie: u64,
        state: &str,
        local: &str,
        words: &[&str],
        (n, count): (u32, u32),
    ) -> Result<(), String> {
        let state = known_state(state)?;
        let mut local = endpoint(local)?;
        let (mut peer, words) = match words {
            [peer, rest @ ..] if !peer.contains('=') && peer.contains(':') => (endpoint(peer)?, rest),
            _ => (Endpoint::new(if local.ip.is_ipv4() { [0; 4].into() } else { [0; 16].into() }, 0), words),
        };
        let clients = words.contains(&"clients");
        let counted = if clients { &mut peer } else { &mut local };
        let step: u32 = words.iter().find_map(|word| word.strip_prefix("step=")).map_or(Ok(1), parse)?;
        counted.port += u16::try_from(n * step).map_err(|e| e.to_string())?;
        let (mut idle, mut resent) = (None, 0);
        let mut new = NewSocket {
            cookie,
            family: if local.ip.is_ipv4() { Family::V4 } else { Family::V6 },
            local,
            peer,
            state,
            timer: Timer::Off,
            retransmits: 0,
            expires_ms: 0,
        };
        let mut detail = empty_detail();
        let mut held = None;
        for word in words {
            match word.split_once('=') {
                None if *word == "mapped" => new.family = Family::Mapped,
                None if *word == "clients" => {}
                Some(("step", _)) => {}
                None if *word == "v6only" => detail.v6only = Some(true),
                Some(("idle", value)) => idle = Some(seconds(value)?),
                Some(("recvq", value)) => detail.recv_q = parse(value)?,
                Some(("retrans", value)) => {
                    (new.timer, new.retransmits) = (Timer::On, parse(value)?);
                }
                Some(("sendq", value)) => detail.send_q = parse(value)?,
                Some(("resent", value)) => resent = parse(value)?,
                Some(("timer", "keepalive")) => new.timer = Timer::Keepalive,
                Some(("timer", "persist")) => new.timer = Timer::Persist,
                Some(("rate", value)) => {
                    let rate: f64 = parse(value)?;
                    let age = Duration::from_secs_f64(f64::from(count - 1 - n) / rate);
                    match state {
                        TcpState::TimeWait | TcpState::FinWait2 => {
                            let left = Duration::from_mins(1).saturating_sub(age);
                            new.timer = Timer::TimeWait;
                            new.expires_ms = u32::try_from(left.as_millis()).expect("a minute");
                        }
                        _ => idle = Some(age),
                    }
                }
                Some(("interface", value)) => detail.interface = parse(value)?,
                Some(("held", value)) => held = Some(self.held(value)?),
                Some(("left", value)) => {
                    new.timer = Timer::TimeWait;
                    new.expires_ms = u32::try_from(seconds(value)?.as_millis()).map_err(|e| e.to_string())?;
                }
                _ => return Err(format!("no such word: {word}")),
            }
        }
        let idle = idle.map(|idle| u32::try_from(idle.as_millis()).expect("not that long"));
        let tcp = idle.map(|idle| TcpInfo {
            last_sent_ms: idle,
            last_received_ms: idle,
            retransmits: resent,
            ..TcpInfo::default()
        });
        let detail = held.map(|held| Detail { held, tcp, ..detail });
        self.sockets.push(&new, detail);
        Ok(())
    }

    fn held(&mut self, value: &str) -> Result<Held, String> {
        Ok(match value {
            "denied" => Held::Denied,
            "kernel" => Held::Kernel,
            "gone" => Held::Gone,
            "queue" => Held::Queue,
            pids => {
                let members = pids.split(',').map(|who| Ok(self.process(key(who)?)));
                let members: Box<[u32]> = members.collect::<Result<_, String>>()?;
                self.holders.push(members);
                Held::By(u32::try_from(self.holders.len() - 1).expect("few holders"))
            }
        })
    }

    fn sample(self, number: u64, interval: Duration, sysctls: Sysctls) -> Sample {
        let cost = Cost { dump: self.dump, interval, ..Cost::default() };
        Sample {
            sockets: self.sockets,
            complete: self.complete,
            privileges: privileges(self.privileged),
            processes: self.processes,
            holders: self.holders,
            counters: Counters::new(self.counters),
            limits: self.limits,
            sysctls: Arc::new(sysctls),
            cost,
            trace: self.trace.map(Arc::new),
            ..empty_sample(number, self.at)
        }
    }
}

/// The limit of that name.
fn known_limit(name: &str) -> Result<&'static str, String> {
    let known = ["file-nr", "nf_conntrack", "tcp_max_orphans", "tcp_max_tw_buckets", "tcp_mem"];
    known.into_iter().find(|known| *known == name).ok_or_else(|| format!("no such limit: {name}"))
}

/// A sample of nothing.
pub(crate) fn empty_sample(number: u64, at: Duration) -> Sample {
    let wall = Timestamp::UNIX_EPOCH + at;
    let host = Host { name: "host".to_owned(), kernel: "6.18.0".to_owned(), hz: Some(250) };
    Sample {
        stamp: Stamp { since_boot: at, wall },
        netns: NETNS,
        number,
        sockets: SocketTable::new(),
        complete: true,
        processes: Vec::new(),
        holders: Vec::new(),
        scan: OwnerScan::default(),
        counters: Counters::default(),
        sysctls: Arc::default(),
        limits: Limits::new(),
        faults: Vec::new(),
        trace: None,
        cost: Cost::default(),
        host: Arc::new(host),
        privileges: privileges(true),
    }
}

fn privileges(complete: bool) -> Arc<Privileges> {
    let missing = if complete { Vec::new() } else { vec!["CAP_SYS_PTRACE".to_owned()] };
    Arc::new(Privileges { complete, missing, trace_missing: Vec::new(), hint: String::new() })
}

/// A detail that says nothing.
pub(crate) fn empty_detail() -> Detail {
    Detail {
        inode: 0,
        uid: 0,
        recv_q: 0,
        send_q: 0,
        interface: 0,
        mark: None,
        cgroup: 0,
        v6only: None,
        held: Held::Gone,
        tcp: None,
    }
}

/// The same address with a port that is `n` higher.
fn counted(end: Endpoint, n: u16) -> Endpoint {
    Endpoint { port: end.port + n, ..end }
}

/// `go/1.24.2`, or `nginx`.
fn runtime(text: &str) -> Result<Runtime, String> {
    let (kind, version) = text.split_once('/').map_or((text, None), |(kind, version)| (kind, Some(version)));
    let kind = match kind {
        "go" => RuntimeKind::Go,
        _ => RuntimeKind::of_file(kind).ok_or("no such runtime")?,
    };
    Ok(Runtime { kind, version: version.map(str::to_owned) })
}

/// A process called `name`.
pub(crate) fn process(key: ProcKey, name: &str) -> Process {
    Process {
        key,
        started: Timestamp::UNIX_EPOCH,
        name: name.to_owned(),
        command: name.to_owned(),
        uid: 0,
        user: "root".to_owned(),
        container: None,
        runtime: None,
    }
}

/// What holds of every moment.
pub(crate) fn check_invariants(moment: &Moment) {
    let sockets = u32::try_from(moment.sample.sockets.len()).expect("few sockets");
    assert_eq!(moment.links.len(), moment.sample.sockets.len(), "one link a socket");
    assert_eq!(moment.ended_links.len(), moment.ended.len());
    assert_eq!(moment.counter_rates.len(), moment.sample.counters.iter().len());
    let totals = &moment.totals;
    assert_eq!(totals.states.total(), sockets);
    assert_eq!(totals.evidence.iter().sum::<u32>(), sockets, "one evidence a socket");
    let time_wait = totals.states[TcpState::TimeWait];
    assert_eq!(totals.time_wait_evidence.iter().sum::<u32>(), time_wait);
    assert_eq!(totals.ages.iter().sum::<u32>(), time_wait);
    let connections = moment.iter().filter(|owned| owned.link.side().is_some()).count();
    let of_peers: u32 = totals.peers.iter().map(|row| row.states.total()).sum();
    assert_eq!(of_peers as usize, connections, "every connection has one peer");
    for owned in moment.iter().chain(moment.iter_ended()) {
        let state = owned.socket.row().state;
        let nobody = owned.attribution.owners.is_empty();
        assert_eq!(nobody, owned.attribution.unknown.is_some(), "nobody for a reason, somebody for none");
        assert_eq!(owned.link.side().is_some(), state.is_connection());
        assert!(state.is_connection() || !(owned.link.opened() || owned.link.closed()));
    }
}

fn key(text: &str) -> Result<ProcKey, String> {
    let (pid, start) = text.split_once('@').unwrap_or((text, "1"));
    Ok(ProcKey { pid: parse(pid)?, start_ticks: parse(start)? })
}

pub(crate) fn known_state(name: &str) -> Result<TcpState, String> {
    let found = TcpState::ALL.into_iter().find(|state| state.name() == name);
    found.ok_or_else(|| format!("no such state: {name}"))
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    let address: SocketAddr = parse(text)?;
    Ok(Endpoint::new(address.ip(), address.port()))
}

fn seconds(text: &str) -> Result<Duration, String> {
    parse(text).map(Duration::from_secs_f64)
}

fn parse<T: FromStr<Err: ToString>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|e: T::Err| format!("{text}: {}", e.to_string()))
}
