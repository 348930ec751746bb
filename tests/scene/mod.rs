//! Moments made by hand.

use std::{net::IpAddr, sync::Arc, time::Duration};

use jiff::Timestamp;
use twtop::{
    model::{
        Cost, Counters, Detail, Endpoint, Evidence, Family, Fault, Host, Limits, NewSocket, OwnerScan,
        Privileges, ProcKey, Process, ProcessSeen, Sample, Side, SocketTable, Stamp, Sysctls, TcpInfo,
        TcpState, Timer, Unknown,
    },
    store::{Aggregate, Attribution, FlowTable, Link, Moment, Rates},
};

/// A moment under construction.
pub(crate) struct Scene {
    pub(crate) sockets: SocketTable,
    pub(crate) links: Vec<Link>,
    pub(crate) attributions: Vec<Attribution>,
    pub(crate) processes: Vec<ProcessSeen>,
    pub(crate) counters: Vec<(Arc<str>, u64)>,
    pub(crate) sysctls: Sysctls,
    pub(crate) limits: Limits,
    pub(crate) faults: Vec<Fault>,
    pub(crate) scan: OwnerScan,
    pub(crate) host: Host,
    pub(crate) privileges: Privileges,
    pub(crate) complete: bool,
}

/// A socket to be put into a scene.
pub(crate) struct Spec {
    pub(crate) local: &'static str,
    pub(crate) peer: &'static str,
    pub(crate) state: TcpState,
    pub(crate) timer: (Timer, u32),
    pub(crate) detail: Option<Detail>,
    pub(crate) attribution: u32,
    pub(crate) side: Option<Side>,
    pub(crate) opened: bool,
    pub(crate) closed: bool,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            sockets: SocketTable::new(),
            links: Vec::new(),
            attributions: vec![nobody(Unknown::BeforeStart)],
            processes: Vec::new(),
            counters: Vec::new(),
            sysctls: Sysctls::new(),
            limits: Limits::new(),
            faults: Vec::new(),
            scan: OwnerScan { processes: 100, denied: 0 },
            host: Host { name: "web-3".to_owned(), kernel: "6.18.2".to_owned(), hz: Some(250) },
            privileges: Privileges {
                complete: true,
                missing: Vec::new(),
                trace_missing: vec![],
                hint: String::new(),
            },
            complete: true,
        }
    }
}

/// An attribution to nobody.
pub(crate) fn nobody(why: Unknown) -> Attribution {
    Attribution {
        evidence: Evidence::Unknown,
        owners: Vec::new(),
        unknown: Some(why),
        opener: None,
        closer: None,
    }
}

/// A process called `name`.
pub(crate) fn process(pid: u32, name: &str) -> Arc<Process> {
    Arc::new(Process {
        key: ProcKey { pid, start_ticks: u64::from(pid) * 100 },
        started: "2026-05-01T11:00:00Z".parse().expect("a time"),
        name: name.to_owned(),
        command: format!("/usr/sbin/{name} -g daemon"),
        uid: 33,
        user: "www-data".to_owned(),
        container: None,
        runtime: None,
    })
}

/// The detail of a socket with a quiet connection.
pub(crate) fn detail(inode: u32) -> Detail {
    Detail {
        inode,
        uid: 33,
        recv_q: 0,
        send_q: 0,
        interface: 0,
        mark: None,
        cgroup: 0,
        v6only: None,
        held: twtop::model::Held::Gone,
        tcp: Some(TcpInfo {
            rtt_us: 1_250,
            last_sent_ms: 5_500,
            last_received_ms: 7_000,
            bytes_sent: Some(1_024),
            bytes_received: None,
            ..TcpInfo::default()
        }),
    }
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            local: "10.0.0.5:40000",
            peer: "10.0.0.9:443",
            state: TcpState::Established,
            timer: (Timer::Off, 0),
            detail: Some(detail(7)),
            attribution: 0,
            side: Some(Side::Client),
            opened: false,
            closed: false,
        }
    }
}

impl Spec {
    /// A `TIME_WAIT` with that many milliseconds left.
    pub(crate) fn time_wait(left_ms: u32) -> Self {
        Self { state: TcpState::TimeWait, timer: (Timer::TimeWait, left_ms), detail: None, ..Self::default() }
    }
}

/// `10.0.0.1:443`, `[::1]:443`; `[::ffff:10.0.0.1]:443` is a mapped address.
fn endpoint(text: &str) -> (Endpoint, Family) {
    let end: std::net::SocketAddr = text.parse().expect("an address and a port");
    match end.ip() {
        IpAddr::V4(_) => (Endpoint::new(end.ip(), end.port()), Family::V4),
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(v4) => (Endpoint::new(v4.into(), end.port()), Family::Mapped),
            None => (Endpoint::new(end.ip(), end.port()), Family::V6),
        },
    }
}

impl Scene {
    /// Adds an attribution and says its index.
    pub(crate) fn attribute(&mut self, evidence: Evidence, owners: &[&Arc<Process>]) -> u32 {
        let owners = owners.iter().map(|process| Arc::clone(process)).collect();
        self.attributions.push(Attribution { evidence, owners, unknown: None, opener: None, closer: None });
        u32::try_from(self.attributions.len() - 1).expect("few")
    }

    /// What the trace told of the connections of an attribution: who opened and who closed them.
    pub(crate) fn told(
        &mut self,
        attribution: u32,
        opener: Option<&Arc<Process>>,
        closer: Option<&Arc<Process>>,
    ) {
        let told = &mut self.attributions[attribution as usize];
        (told.opener, told.closer) = (opener.cloned(), closer.cloned());
    }

    /// Adds a socket; cookies count from 1.
    pub(crate) fn socket(&mut self, spec: &Spec) {
        let ((local, family), (peer, _)) = (endpoint(spec.local), endpoint(spec.peer));
        let new = NewSocket {
            cookie: self.sockets.len() as u64 + 1,
            family,
            local,
            peer,
            state: spec.state,
            timer: spec.timer.0,
            retransmits: 0,
            expires_ms: spec.timer.1,
        };
        self.sockets.push(&new, spec.detail);
        self.links.push(Link::new(spec.attribution, spec.side, spec.opened, spec.closed));
    }

    /// The moment, counted.
    pub(crate) fn moment(self) -> Moment {
        let wall: Timestamp = "2026-05-01T12:00:00.25Z".parse().expect("a time");
        let counters = Counters::new(self.counters);
        let mut moment = Moment {
            counter_rates: counters.iter().map(|_| None).collect(),
            first_counters: Arc::new(counters.clone()),
            moved: Arc::default(),
            sample: Sample {
                stamp: Stamp { since_boot: Duration::from_hours(24), wall },
                netns: 4_026_531_840,
                number: 0,
                sockets: self.sockets,
                complete: self.complete,
                processes: self.processes,
                holders: Vec::new(),
                scan: self.scan,
                counters,
                sysctls: Arc::new(self.sysctls),
                limits: self.limits,
                faults: self.faults,
                trace: None,
                cost: Cost {
                    cpu: Duration::from_millis(12),
                    dump: Duration::from_micros(8_500),
                    interval: Duration::from_secs(1),
                    rss_bytes: 9_000_000,
                },
                host: Arc::new(self.host),
                privileges: Arc::new(self.privileges),
            },
            links: self.links,
            ended: SocketTable::new(),
            ended_links: Vec::new(),
            attributions: Arc::new(self.attributions),
            elapsed_s: None,
            rates: Rates::default(),
            totals: Aggregate::default(),
            trace: None,
            flows: FlowTable::default(),
            unknown: Default::default(),
            digest: None,
        };
        moment.totals = Aggregate::of(&moment, |_| true);
        moment.unknown = moment.unknown_of(0..moment.links.len());
        moment
    }
}
