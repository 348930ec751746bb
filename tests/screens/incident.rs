//! A scripted incident: what the kernel of a made-up host says, second by second.
//!
//! A payments service opens a database connection for every request and closes it first; from second 45 on it
//! gets three times as many requests. A report generator forgets to close what its peer has closed.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use twtop::model::{
    Cost, Counters, Detail, Endpoint, Family, Held, Host, NewSocket, OwnerScan, Privileges, ProcKey, Process,
    ProcessSeen, Sample, SocketTable, Stamp, TcpInfo, TcpState, Timer, TraceKind,
};

use crate::{kernel, told::Told};

/// 2026-11-05T09:30:00Z, the first sample.
const START: i64 = 1_793_871_000;
pub(crate) const NETNS: u64 = 4_026_531_840;
const TIME_WAIT_S: u32 = 61;

/// Who holds a socket: an index into the processes.
const NGINX: u32 = 0;
const PAYMENTS: u32 = 1;
pub(crate) const REPORT: u32 = 2;
const SSHD: u32 = 3;
const POSTGRES: u32 = 4;
const HOSTILE: u32 = 5;
/// The set of both web servers' workers.
const WORKERS: u32 = 6;

struct Connection {
    cookie: u64,
    family: Family,
    local: Endpoint,
    peer: Endpoint,
    state: TcpState,
    held: Held,
    /// When it leaves its state, seconds from the start; `u32::MAX` for never.
    until: u32,
}

/// The host.
pub(crate) struct Incident {
    second: u32,
    cookie: u64,
    port: u16,
    connections: Vec<Connection>,
    opened: u64,
    accepted: u64,
    time_waits: u64,
    /// Whether twtop may read everything.
    pub(crate) root: bool,
    /// Whether nobody does anything.
    pub(crate) quiet: bool,
    /// What the tracepoint tells as well, if it does.
    pub(crate) told: Option<Told>,
    /// Whether a second worker of the web server listens too, so that either may have accepted.
    pub(crate) shared: bool,
}

impl Incident {
    pub(crate) fn new() -> Self {
        let mut incident = Self {
            second: 0,
            cookie: 100,
            port: 32_768,
            connections: vec![],
            opened: 120_000,
            accepted: 880_000,
            time_waits: 450_000,
            root: true,
            quiet: false,
            told: None,
            shared: false,
        };
        incident.standing();
        // The minute before the first sample left its TIME_WAITs behind.
        for age in 1..TIME_WAIT_S {
            for _ in 0..load(0) {
                let until = TIME_WAIT_S - age;
                incident.dial(PAYMENTS, v4(10, 0, 3, 9, 5432), TcpState::TimeWait, until);
            }
        }
        incident
    }

    /// The sample of the next second.
    pub(crate) fn sample(&mut self) -> Sample {
        let mut sample = self.describe();
        let batch = self.told.as_mut().map(|told| told.batch(self.second, &sample.processes));
        sample.trace = batch.map(Arc::new);
        self.pass();
        sample
    }

    /// The incident, of which the tracepoint tells as well.
    pub(crate) fn traced() -> Self {
        Self { told: Some(Told::default()), ..Self::new() }
    }

    /// A host that has only just started: a kernel, and nobody who talks.
    pub(crate) fn nothing() -> Self {
        let mut incident = Self::new();
        incident.connections.clear();
        incident
    }

    /// Everything that `holder` has goes at once.
    pub(crate) fn end(&mut self, holder: u32) {
        self.connections.retain(|connection| connection.held != Held::By(holder));
        self.quiet = true;
    }

    /// What stands for as long as the incident lasts.
    fn standing(&mut self) {
        for (port, holder) in [(443, NGINX), (80, NGINX), (22, SSHD), (5432, POSTGRES)] {
            let local = Endpoint::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
            let peer = Endpoint::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
            self.stand(Family::V4, (local, peer), TcpState::Listen, Held::By(holder));
        }
        for client in 0..212_u8 {
            let peer = v4(203, 0, 113, 1 + client % 7, 40_000 + u16::from(client) * 31);
            self.stand(Family::V4, (v4(10, 0, 3, 4, 443), peer), TcpState::Established, Held::By(NGINX));
        }
        for n in 0..24 {
            let local = v4(10, 0, 3, 4, 50_001 + n * 2);
            self.stand(Family::V4, (local, v4(10, 0, 3, 9, 5432)), TcpState::Established, Held::By(PAYMENTS));
        }
        let wildcard = |port| Endpoint::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), port);
        self.stand(Family::V6, (wildcard(22), wildcard(0)), TcpState::Listen, Held::By(SSHD));
        let admin: Ipv6Addr = "2001:db8:8f:2::19".parse().expect("an address");
        let here: Ipv6Addr = "2001:db8:8f:1::4".parse().expect("an address");
        let ends = (Endpoint::new(here.into(), 22), Endpoint::new(admin.into(), 51_844));
        self.stand(Family::V6, ends, TcpState::Established, Held::By(SSHD));
        let metrics = (v4(10, 0, 3, 4, 41_001), v4(10, 0, 9, 2, 9090));
        self.stand(Family::Mapped, metrics, TcpState::Established, Held::By(HOSTILE));
        let bound = (v4(10, 0, 3, 4, 38_111), v4(0, 0, 0, 0, 0));
        self.stand(Family::V4, bound, TcpState::BoundInactive, Held::By(REPORT));
        for n in 0..3 {
            let ends = (v4(10, 0, 3, 4, 47_011 + n * 2), v4(10, 0, 7, 40, 8443));
            self.stand(Family::V4, ends, TcpState::SynSent, Held::By(REPORT));
        }
        for n in 0..2 {
            let ends = (v4(10, 0, 3, 4, 443), v4(198, 51, 100, 23, 61_200 + n));
            self.stand(Family::V4, ends, TcpState::LastAck, Held::Gone);
        }
    }

    /// The web server also talks to a database on this host, and the report to the mail server of a visitor.
    pub(crate) fn within(&mut self) {
        let (ours, theirs) = (v4(127, 0, 0, 1, 39_001), v4(127, 0, 0, 1, 5432));
        self.stand(Family::V4, (ours, theirs), TcpState::Established, Held::By(NGINX));
        self.stand(Family::V4, (theirs, ours), TcpState::Established, Held::By(POSTGRES));
        let mail = (v4(10, 0, 3, 4, 39_003), v4(203, 0, 113, 1, 25));
        self.stand(Family::V4, mail, TcpState::Established, Held::By(REPORT));
    }

    fn stand(&mut self, family: Family, (local, peer): (Endpoint, Endpoint), state: TcpState, held: Held) {
        self.cookie += 1;
        let cookie = self.cookie;
        self.connections.push(Connection { cookie, family, local, peer, state, held, until: u32::MAX });
    }

    fn dial(&mut self, holder: u32, peer: Endpoint, state: TcpState, until: u32) {
        self.cookie += 1;
        self.port = if self.port >= 60_998 { 32_768 } else { self.port + 2 };
        let held = if state == TcpState::TimeWait { Held::Gone } else { Held::By(holder) };
        self.connections.push(Connection {
            cookie: self.cookie,
            family: Family::V4,
            local: v4(10, 0, 3, 4, self.port),
            peer,
            state,
            held,
            until,
        });
    }

    /// One second goes by.
    fn pass(&mut self) {
        self.second += 1;
        let now = self.second;
        self.connections.retain(|c| c.until > now || c.state == TcpState::Established);
        for connection in self.connections.iter_mut().filter(|c| c.until <= now) {
            connection.state = TcpState::TimeWait;
            if let (Held::By(holder), Some(told)) = (connection.held, &mut self.told) {
                let ours = (holder == PAYMENTS).then_some(Duration::from_secs(1));
                told.closed(Some(holder), (connection.local, connection.peer), now, ours);
            }
            connection.held = Held::Gone;
            connection.until = now + TIME_WAIT_S;
            self.time_waits += 1;
        }
        if self.quiet {
            return;
        }
        let dials = load(now);
        self.opened += u64::from(dials);
        for n in 0..dials {
            // Most requests are over before anybody looks; some live long enough to be seen.
            let seen = n % 5 < 3;
            let (state, until) =
                if seen { (TcpState::Established, now + 1) } else { (TcpState::TimeWait, now + TIME_WAIT_S) };
            self.time_waits += u64::from(!seen);
            self.dial(PAYMENTS, v4(10, 0, 3, 9, 5432), state, until);
            self.tell_of_dial(now, n, seen);
        }
        self.visits(now);
        self.tell_of_others(now);
        if now.is_multiple_of(2) {
            self.dial(REPORT, v4(10, 0, 4, 20, 8080), TcpState::CloseWait, u32::MAX);
            self.opened += 1;
        }
        if now.is_multiple_of(9) {
            self.dial(NGINX, v4(10, 0, 5, 17, 9000), TcpState::FinWait2, now + 7);
        }
    }

    /// What the tracepoint tells of request `n` of that second, dialled last.
    fn tell_of_dial(&mut self, now: u32, n: u32, seen: bool) {
        let (Some(told), Some(last)) = (&mut self.told, self.connections.last()) else { return };
        let ends = (last.local, last.peer);
        let life = Duration::from_micros(900 + u64::from(n % 7) * 700);
        told.opened(PAYMENTS, ends, now, Duration::from_millis(2) + life);
        if !seen {
            let nameless = n == 3 && now.is_multiple_of(20);
            told.closed((!nameless).then_some(PAYMENTS), ends, now, Some(life));
        }
    }

    /// What leaves no socket behind. Calls of `connect()` that fail: a service that is down, and in the rush want of a port.
    fn tell_of_others(&mut self, now: u32) {
        let Some(told) = &mut self.told else { return };
        let ago = Duration::from_millis(400);
        // A check of health that ends with a reset: no sample ever sees one.
        let health = (v4(10, 0, 3, 4, 49_000), v4(10, 0, 8, 8, 8080));
        told.opened(WORKERS, health, now, Duration::from_millis(40));
        told.closed(Some(WORKERS), health, now, Some(Duration::from_millis(38)));
        let down = (v4(10, 0, 3, 4, 48_000), v4(10, 0, 7, 40, 8443));
        if now.is_multiple_of(3) {
            told.failed(TraceKind::ConnectFailed, REPORT, down, (now, ago));
        }
        if now >= 60 {
            let database = (v4(0, 0, 0, 0, 0), v4(10, 0, 3, 9, 5432));
            told.failed(TraceKind::NoPort, PAYMENTS, database, (now, ago));
        }
    }

    /// Clients that come to the web server, some of which it turns away first.
    fn visits(&mut self, now: u32) {
        let base = u16::try_from(now % 1_000).unwrap_or(0);
        for n in 0..3_u8 {
            let peer = v4(203, 0, 113, 1 + n, 20_000 + base * 7 + u16::from(n));
            let ends = (v4(10, 0, 3, 4, 443), peer);
            self.stand(Family::V4, ends, TcpState::Established, Held::By(NGINX));
            if let Some(last) = self.connections.last_mut() {
                last.until = now + 4;
            }
        }
        self.accepted += 3;
        if self.shared {
            // Turned away at once: nobody saw who accepted it.
            let ends = (v4(10, 0, 3, 4, 443), v4(198, 51, 100, 7, 30_000 + base));
            self.stand(Family::V4, ends, TcpState::TimeWait, Held::Gone);
            if let Some(last) = self.connections.last_mut() {
                last.until = now + TIME_WAIT_S;
            }
        }
    }

    fn describe(&self) -> Sample {
        let denied = u32::from(!self.root);
        Sample {
            stamp: stamp(self.second),
            netns: NETNS,
            number: self.second.into(),
            sockets: self.table(),
            complete: true,
            processes: Self::processes(),
            holders: (0..6).map(|n| Box::from([n])).chain([Box::from([NGINX, WORKERS])]).collect(),
            scan: OwnerScan { processes: 142, denied: 97 * denied },
            counters: self.counters(),
            sysctls: Arc::new(kernel::sysctls()),
            limits: kernel::limits(),
            faults: vec![],
            trace: None,
            cost: Cost {
                cpu: Duration::from_micros(5_300),
                dump: Duration::from_micros(3_100),
                interval: Duration::from_secs(1),
                rss_bytes: 13_212_000,
            },
            host: Arc::new(Host { name: "pay-web-04".into(), kernel: "6.18.2".into(), hz: Some(250) }),
            privileges: Arc::new(self.privileges()),
        }
    }

    fn privileges(&self) -> Privileges {
        if self.root {
            return Privileges {
                complete: true,
                missing: vec![],
                trace_missing: vec![],
                hint: String::new(),
            };
        }
        Privileges {
            complete: false,
            missing: vec!["CAP_SYS_PTRACE".into(), "CAP_DAC_READ_SEARCH".into()],
            trace_missing: vec![],
            hint: "sudo setcap cap_sys_ptrace,cap_dac_read_search+ep /usr/bin/twtop".into(),
        }
    }

    fn processes() -> Vec<ProcessSeen> {
        let all = [
            (812, "nginx", "nginx: worker process", "www-data", 241, 1_024),
            (4_711, "python3", "/usr/bin/python3 /srv/payments/app.py --workers 4", "payments", 118, 1_024),
            (5_202, "report-gen", "/opt/report/bin/report-gen --daily", "report", 96, 256),
            (640, "sshd", "sshd: /usr/sbin/sshd -D", "root", 9, 1_024),
            (
                955,
                "postgres",
                "/usr/lib/postgresql/17/bin/postgres -D /var/lib/postgresql",
                "postgres",
                61,
                65_536,
            ),
            (7_007, "evil\x1b[2J\n", "evil \u{202e}gnp.exe", "nobody", 4, 1_024),
            (813, "nginx", "nginx: worker process", "www-data", 239, 1_024),
        ];
        let seen = all.into_iter().map(|(pid, name, command, user, fds, limit)| ProcessSeen {
            process: Arc::new(Process {
                key: ProcKey { pid, start_ticks: u64::from(pid) * 100 },
                started: Timestamp::from_second(START - 86_400).expect("in range"),
                name: name.into(),
                command: command.into(),
                uid: uid(pid),
                user: user.into(),
                container: (pid == 4_711).then(|| "3f9c1b2a7d10".into()),
                runtime: None,
            }),
            fds: Some(fds),
            fd_limit: Some(limit),
        });
        seen.collect()
    }

    fn counters(&self) -> Counters {
        let established = self.connections.iter().filter(|c| c.state == TcpState::Established).count();
        let established = u64::try_from(established).unwrap_or(0);
        let pairs = [
            ("TcpActiveOpens", self.opened),
            ("TcpPassiveOpens", self.accepted),
            ("TcpAttemptFails", 31),
            ("TcpCurrEstab", established),
            ("TcpRetransSegs", 5_300 + u64::from(self.second) * 2),
            ("TcpExtTW", self.time_waits),
            ("TcpExtTWKilled", 0),
            ("TcpExtListenOverflows", 0),
        ];
        let others = kernel::counters(self.second.into());
        Counters::new(pairs.into_iter().chain(others).map(|(name, value)| (Arc::from(name), value)).collect())
    }

    fn table(&self) -> SocketTable {
        let mut table = SocketTable::new();
        for connection in &self.connections {
            let mini = connection.state == TcpState::TimeWait;
            let left = connection.until.saturating_sub(self.second).min(60);
            let (timer, expires_ms) = match connection.state {
                TcpState::TimeWait => (Timer::TimeWait, left * 1_000),
                TcpState::Established => (Timer::Keepalive, 41_000),
                TcpState::SynSent | TcpState::LastAck => (Timer::On, 800),
                _ => (Timer::Off, 0),
            };
            let new = NewSocket {
                cookie: connection.cookie,
                family: connection.family,
                local: connection.local,
                peer: connection.peer,
                state: connection.state,
                timer,
                retransmits: u8::from(connection.state == TcpState::SynSent) * 3,
                expires_ms,
            };
            table.push(&new, (!mini).then(|| self.detail(connection)));
        }
        table
    }

    fn detail(&self, connection: &Connection) -> Detail {
        let hidden = !self.root && !matches!(connection.held, Held::By(PAYMENTS) | Held::Gone);
        let listen = connection.state == TcpState::Listen;
        Detail {
            inode: u32::try_from(connection.cookie).unwrap_or(0) + 90_000,
            uid: match connection.held {
                Held::By(holder) => uid([812, 4_711, 5_202, 640, 955, 7_007][holder as usize]),
                _ => 0,
            },
            recv_q: u32::from(connection.state == TcpState::CloseWait),
            send_q: if listen { 511 } else { 0 },
            interface: 0,
            mark: None,
            cgroup: 4_242,
            v6only: None,
            held: match connection.held {
                _ if hidden => Held::Denied,
                Held::By(NGINX) if listen && self.shared => Held::By(WORKERS),
                held => held,
            },
            tcp: Some(TcpInfo {
                rtt_us: 1_234,
                rttvar_us: 210,
                rto_us: 204_000,
                cwnd: 10,
                last_sent_ms: 4_200,
                last_received_ms: 4_300,
                bytes_sent: Some(48_211),
                bytes_received: Some(1_204_551),
                send_window: Some(64_256),
                ..TcpInfo::default()
            }),
        }
    }
}

/// The user of a process.
fn uid(pid: u32) -> u32 {
    match pid {
        812 | 813 => 33,
        640 => 0,
        7_007 => 65_534,
        other => other / 10,
    }
}

/// Requests in a second.
fn load(second: u32) -> u32 {
    let wave = [0, 3, 7, 4, 9, 2, 6, 8, 1, 5][second as usize % 10];
    if second < 45 { 20 + wave } else { 64 + wave * 3 }
}

fn v4(a: u8, b: u8, c: u8, d: u8, port: u16) -> Endpoint {
    Endpoint::new(IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port)
}

/// The stamp of a second.
pub(crate) fn stamp(second: u32) -> Stamp {
    let wall = Timestamp::from_second(START + i64::from(second)).expect("in range");
    Stamp { since_boot: Duration::from_secs(3_000_000 + u64::from(second)), wall }
}
