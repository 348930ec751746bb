//! Random mixtures of sockets over a small range, what is said to be left, and what really is.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    ops::Range,
    os::fd::OwnedFd,
};

use rustix::{io::Errno, net::sockopt};
use twtop::{
    model::{Endpoint, Family, NewSocket, Sample, TcpState, Timer},
    source::{LiveConfig, LiveSource, TraceStart},
    store::{Ledger, Moment, PortsLeft},
};

use crate::sockets::{self, Kind, SERVICES};

/// Which of the two limits is tried out, and by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// `connect()` to one destination.
    Connect,
    /// As before, with the trace on while everything is made.
    Traced,
    /// `bind()` to port 0 of one address.
    Bind,
}

/// How many cases there were, and in how many of them a number was foretold, not an interval.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) cases: u64,
    pub(crate) exact: u64,
    /// In how many a number is foretold by one who knows which sockets were bound before they connected.
    pub(crate) exact_if_told: u64,
    /// How many cases have nothing that cannot be known under the trace.
    pub(crate) plain: u64,
    /// In how many of those a number is foretold.
    pub(crate) exact_plain: u64,
    /// In how many cases it is not known of some port whether a connection was bound to it.
    pub(crate) maybe_bound: u64,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cases")?;
        self.all().into_iter().try_for_each(|count| write!(f, " {count}"))
    }
}

impl Tally {
    /// Reads what `Display` writes.
    pub(crate) fn read(line: &str) -> Option<Self> {
        let words = line.strip_prefix("cases ")?.split(' ').map(|word| word.parse().ok());
        Some(Self::of(words.collect::<Option<Vec<u64>>>()?.try_into().ok()?))
    }

    pub(crate) fn add(&mut self, other: Self) {
        let (mine, theirs) = (self.all(), other.all());
        *self = Self::of(std::array::from_fn(|n| mine[n] + theirs[n]));
    }

    fn all(self) -> [u64; 6] {
        [self.cases, self.exact, self.exact_if_told, self.plain, self.exact_plain, self.maybe_bound]
    }

    fn of([cases, exact, exact_if_told, plain, exact_plain, maybe_bound]: [u64; 6]) -> Self {
        Self { cases, exact, exact_if_told, plain, exact_plain, maybe_bound }
    }
}

/// Numbers that look random (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u16) -> u16 {
        u16::try_from(self.next() % u64::from(end)).expect("below 65,536")
    }

    fn one_in(&mut self, n: u16) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::from(self.below(u16::try_from(of.len()).expect("few")))]
    }
}

/// Where a connection goes, with which kind of socket.
#[derive(Debug, Clone, Copy)]
struct Destination {
    kind: Kind,
    to: SocketAddr,
    source: IpAddr,
}

/// Every destination that there is a route and a listener for: addresses of 127/8 and others, and a route that picks
/// another source.
fn destinations() -> Vec<Destination> {
    let v4 = [
        ("127.0.0.1", "127.0.0.1"),
        ("127.0.0.2", "127.0.0.1"),
        ("127.8.0.2", "127.9.0.1"),
        ("10.9.0.1", "10.9.0.1"),
        ("10.9.0.2", "10.9.0.2"),
    ];
    let v6 = [("::1", "::1"), ("fd74:7770::1", "fd74:7770::1")];
    let of = |kinds: &'static [Kind], pairs: &[(&str, &str)]| {
        let pairs: Vec<(IpAddr, IpAddr)> =
            pairs.iter().map(|(to, from)| (to.parse().expect("ip"), from.parse().expect("ip"))).collect();
        let all = SERVICES.into_iter().flat_map(move |port| {
            pairs.clone().into_iter().flat_map(move |(to, source)| {
                kinds.iter().map(move |&kind| Destination { kind, to: SocketAddr::new(to, port), source })
            })
        });
        all.collect::<Vec<_>>()
    };
    [of(&[Kind::V4, Kind::Mapped], &v4), of(&[Kind::V6], &v6)].concat()
}

/// What decides about `TIME_WAIT`s.
#[derive(Debug, Clone, Copy)]
struct Settings {
    reuse: u16,
    timestamps: bool,
    delay_ms: u32,
}

/// One mixture.
struct Mixture {
    dice: Dice,
    low: u16,
    size: u16,
    /// What was made, for the report of a failure.
    made: Vec<String>,
    open: Vec<OwnedFd>,
    /// Listeners inside the range, and those that accepted from them.
    listeners: Vec<OwnedFd>,
    services: [OwnedFd; 2],
    settings: Settings,
    /// Whether a connection was accepted from a listener that no sample saw.
    accepted_unseen: bool,
    /// Ports of connections that nobody else can have although `sock_diag` does not tell, and an address on them.
    hidden: Vec<(IpAddr, u16)>,
}

/// Runs the cases with these numbers inside a fresh namespace.
pub(crate) fn run(question: Question, seed: u64, cases: Range<u64>) -> Tally {
    sockets::furnish();
    let mut tally = Tally::default();
    for case in cases.clone() {
        // Every case has a range of its own, so nothing that an earlier one left is in the way.
        let place = u16::try_from(case - cases.start).expect("at most 200 cases");
        let case_seed = seed ^ case.wrapping_mul(0x2545_f491_4f6c_dd1d);
        let Case { left, told, found, plain, story } = one(question, case_seed, 10_000 + place * 128);
        let story = || format!("case {case}:\n{}", story.join("\n"));
        assert!((left.min..=left.max).contains(&found), "{found} is not within {left:?}, {}", story());
        // An odd range is the only thing that is not known to one who knows all about the sockets.
        let least = told.max - u32::from(told.doubt.odd_range);
        assert!((least..=told.max).contains(&found), "{found}, but {told:?} if told, {}", story());
        tally.cases += 1;
        tally.exact += u64::from(left.is_exact());
        tally.exact_if_told += u64::from(least == told.max);
        tally.plain += u64::from(plain);
        tally.exact_plain += u64::from(plain && left.is_exact());
        tally.maybe_bound += u64::from(left.doubt.maybe_bound > 0);
    }
    tally
}

/// What came out of a case.
struct Case {
    /// What is left by what `sock_diag` tells.
    left: PortsLeft,
    /// The same if it told as well which sockets were bound before they connected.
    told: PortsLeft,
    /// How many calls found a port.
    found: u32,
    /// See [`Tally::plain`].
    plain: bool,
    story: Vec<String>,
}

fn one(question: Question, seed: u64, base: u16) -> Case {
    let mut mixture = Mixture::new(seed, base);
    let all = destinations();
    let target = mixture.dice.pick(&all);
    // Often everything goes to one destination, as where ports run out.
    let others = if mixture.dice.one_in(2) { vec![target] } else { all };
    mixture.say(format!("target {target:?}"));
    let traced = question == Question::Traced;
    let trace = if traced { TraceStart::BeforeFirst } else { TraceStart::Never };
    let config = LiveConfig { fresh_bound: true, trace, ..LiveConfig::default() };
    let mut source = LiveSource::new(&config).expect("a source");
    let (mut ledger, mut told) = (Ledger::new(), Ledger::new());
    let mut look = || {
        let sample = source.sample();
        assert_eq!(sample.trace.is_some(), traced);
        (ledger.fold(sample.clone()), sample)
    };
    if traced {
        look();
    }
    mixture.connected(target, "alive");
    for _ in 0..mixture.dice.below(24) {
        mixture.add(&others);
    }
    let (mut moment, mut sample) = look();
    let mut told_moment = told.fold(mixture.tell(sample));
    if mixture.dice.one_in(3) && !mixture.listeners.is_empty() {
        mixture.say("listeners closed".to_owned());
        mixture.listeners.clear();
        (moment, sample) = look();
        told_moment = told.fold(mixture.tell(sample));
    }
    // Whether one is old enough to be taken over is a matter of milliseconds.
    while traced && mixture.settings.are_nearly_old_enough(&moment.sample) {
        (moment, sample) = look();
        told_moment = told.fold(mixture.tell(sample));
    }
    let answer = |moment| match question {
        Question::Connect | Question::Traced => left(moment, target),
        Question::Bind => left_to_bind(moment, target),
    };
    let (left, told) = (answer(&moment), answer(&told_moment));
    let found = match question {
        Question::Connect | Question::Traced => mixture.connect_all(target),
        Question::Bind => mixture.bind_all(target),
    };
    mixture.open.drain(..).for_each(sockets::reset);
    let unknown = mixture.accepted_unseen || mixture.settings.reuse_is_unknown(target);
    let plain = traced && mixture.size.is_multiple_of(2) && !unknown;
    Case { left, told, found, plain, story: mixture.made }
}

fn left(moment: &Moment, target: Destination) -> PortsLeft {
    let peer = Endpoint::new(target.to.ip(), target.to.port());
    let mut rows = moment.totals.destinations.iter();
    let row =
        rows.find(|row| row.source == target.source && row.peer == peer).expect("a connection is there");
    row.ports.expect("the range is known").left
}

fn left_to_bind(moment: &Moment, target: Destination) -> PortsLeft {
    let pools = &moment.totals.bind_pools;
    let pool = pools.iter().find(|pool| pool.source == target.source);
    pool.unwrap_or_else(|| panic!("no pool of {}: {pools:?}", target.source)).left
}

impl Settings {
    /// Whether the peer's timestamps decide, which a `TIME_WAIT` does not tell.
    fn reuse_is_unknown(self, target: Destination) -> bool {
        let loopback = target.source.is_loopback() || target.to.ip().is_loopback();
        self.reuse == 1 && self.timestamps && !loopback
    }

    fn are_nearly_old_enough(self, sample: &Sample) -> bool {
        let waits = sample.sockets.rows().iter().filter_map(twtop::model::Socket::time_wait_age_ms);
        waits.into_iter().any(|age| age.abs_diff(self.delay_ms) <= 25)
    }
}

impl Mixture {
    fn new(seed: u64, base: u16) -> Self {
        let mut dice = Dice(seed);
        let (low, size) = (base + dice.below(2), [1, 2, 3][usize::from(dice.below(3))]);
        let odd = u16::from(dice.one_in(4));
        let size = if dice.one_in(20) { size } else { 8 + 2 * dice.below(24) + odd };
        let reserved: Vec<String> =
            (0..dice.below(6)).map(|_| (low + dice.below(size)).to_string()).collect();
        // The very small ones keep a port for the first connection.
        let reserved = if size >= 8 && dice.one_in(2) { reserved.join(",") } else { String::new() };
        let decisive = Settings {
            reuse: dice.below(3),
            timestamps: dice.one_in(2),
            // All are too young, or none.
            delay_ms: dice.pick(&[1, 60_000]),
        };
        let settings = [
            ("ip_local_port_range", format!("{low} {}", low + size - 1)),
            ("ip_local_reserved_ports", reserved),
            ("tcp_tw_reuse", decisive.reuse.to_string()),
            ("tcp_timestamps", u8::from(decisive.timestamps).to_string()),
            ("tcp_tw_reuse_delay", decisive.delay_ms.to_string()),
        ];
        for (name, value) in &settings {
            sockets::set(name, value);
        }
        let services = [
            sockets::listener(Kind::Mapped, sockets::any(Kind::Mapped), SERVICES[0]),
            sockets::listener(Kind::Mapped, sockets::any(Kind::Mapped), SERVICES[1]),
        ];
        let services = services.map(|listener| listener.expect("nobody else listens there"));
        let made = vec![format!("{settings:?}")];
        Self {
            dice,
            low,
            size,
            made,
            open: Vec::new(),
            listeners: Vec::new(),
            services,
            settings: decisive,
            accepted_unseen: false,
            hidden: Vec::new(),
        }
    }

    fn say(&mut self, what: String) {
        self.made.push(what);
    }

    fn port(&mut self) -> u16 {
        self.low + self.dice.below(self.size)
    }

    /// Adds something that uses ports.
    fn add(&mut self, destinations: &[Destination]) {
        let destination = self.dice.pick(destinations);
        let fate = self.dice.pick(&["alive", "time wait", "close wait", "fin wait 2", "orphan"]);
        match self.dice.below(16) {
            0 => self.bound(destination),
            1 => drop(self.listener(destination)),
            2 => self.accepted(destination),
            3 => self.bound_first(destination, fate),
            4 => self.unanswered(),
            _ => self.connected(destination, fate),
        }
    }

    /// A connection with a port of the kernel's choice.
    fn connected(&mut self, destination: Destination, fate: &str) {
        let fd = sockets::socket(destination.kind);
        self.go(fd, destination, fate);
    }

    /// A connection whose socket was bound first.
    fn bound_first(&mut self, destination: Destination, fate: &str) {
        let fd = sockets::socket(destination.kind);
        let reuse = self.dice.one_in(2);
        sockopt::set_socket_reuseaddr(&fd, reuse).expect("a socket");
        let port = if self.dice.one_in(2) { self.port() } else { 0 };
        let bound = sockets::bind(&fd, destination.kind, destination.source, port);
        self.say(format!("bind first to {port}, reuse {reuse}: {bound:?}"));
        if bound.is_ok() {
            self.hidden.push((destination.source, sockets::port(&fd)));
            self.go(fd, destination, fate);
        }
    }

    /// The sample as it would be if `sock_diag` told of hidden ports: with a socket on each that is only bound.
    fn tell(&self, mut sample: Sample) -> Sample {
        for (&(ip, port), number) in self.hidden.iter().zip(0..) {
            let is_used = sample.sockets.rows().iter().any(|row| row.local_port == port);
            let family = if ip.is_ipv4() { Family::V4 } else { Family::V6 };
            let none = SocketAddr::new(sockets::any(if ip.is_ipv4() { Kind::V4 } else { Kind::V6 }), 0);
            let new = NewSocket {
                cookie: u64::MAX - number,
                family,
                local: Endpoint::new(ip, port),
                peer: Endpoint::new(none.ip(), 0),
                state: TcpState::BoundInactive,
                timer: Timer::Off,
                retransmits: 0,
                expires_ms: 0,
            };
            if is_used {
                sample.sockets.push(&new, None);
            }
        }
        sample
    }

    fn go(&mut self, fd: OwnedFd, destination: Destination, fate: &str) {
        let connected = sockets::connect(&fd, destination.kind, destination.to);
        self.say(format!("{fate}: {destination:?} {}", if connected.is_some() { "" } else { "had no port" }));
        if connected.is_none() {
            return;
        }
        let service = usize::from(destination.to.port() == SERVICES[1]);
        let server = sockets::accept(&self.services[service]);
        self.meet(fate, fd, server);
    }

    fn meet(&mut self, fate: &str, client: OwnedFd, server: OwnedFd) {
        match fate {
            "time wait" => sockets::close_in_order(client, &server),
            "close wait" => {
                sockets::finish_sending(&server);
                self.open.extend([client, server]);
            }
            "fin wait 2" => {
                sockets::finish_sending(&client);
                sockets::wait_for_end(&server);
                self.open.extend([client, server]);
            }
            "orphan" => {
                drop(client);
                sockets::wait_for_end(&server);
                self.open.push(server);
            }
            _ => self.open.extend([client, server]),
        }
    }

    /// A socket that is bound and nothing else.
    fn bound(&mut self, destination: Destination) {
        let kind = destination.kind;
        let fd = sockets::socket(kind);
        let reuse = self.dice.one_in(2);
        sockopt::set_socket_reuseaddr(&fd, reuse).expect("a socket");
        if kind != Kind::V4 {
            sockopt::set_ipv6_v6only(&fd, kind == Kind::V6 && self.dice.one_in(2)).expect("a socket");
        }
        let ip = if self.dice.one_in(3) { sockets::any(kind) } else { destination.source };
        let port = if self.dice.one_in(2) { self.port() } else { 0 };
        let bound = sockets::bind(&fd, kind, ip, port);
        self.say(format!("{kind:?} bound to {ip} {port}, reuse {reuse}: {bound:?}"));
        if bound.is_ok() {
            self.open.push(fd);
        }
    }

    /// A listener inside the range.
    fn listener(&mut self, destination: Destination) -> Option<SocketAddr> {
        let (kind, port) = (destination.kind, self.port());
        let ip = if self.dice.one_in(2) { sockets::any(kind) } else { destination.source };
        let listener = sockets::listener(kind, ip, port);
        self.say(format!("{kind:?} listener at {ip} {port}: {:?}", listener.as_ref().err()));
        self.listeners.push(listener.ok()?);
        Some(SocketAddr::new(destination.source, port))
    }

    /// A listener inside the range, and a connection to it, of which either end closes first.
    fn accepted(&mut self, destination: Destination) {
        let Some(to) = self.listener(destination) else { return };
        let client = sockets::socket(destination.kind);
        if sockets::connect(&client, destination.kind, to).is_none() {
            return;
        }
        let server = sockets::accept(self.listeners.last().expect("it was added"));
        let fate = self.dice.pick(&["alive", "time wait", "close wait", "orphan"]);
        let server_first = self.dice.one_in(2);
        self.say(format!("accepted there: {fate}, the server first: {server_first}"));
        let (first, second) = if server_first { (server, client) } else { (client, server) };
        self.meet(fate, first, second);
        if self.dice.one_in(4) {
            self.say("and the listener closed at once".to_owned());
            self.listeners.pop();
            // Of a server that closed second nothing is left.
            if fate != "time wait" || server_first {
                self.hidden.push((to.ip(), to.port()));
                self.accepted_unseen = true;
            }
        }
    }

    /// A connection that nobody answers.
    fn unanswered(&mut self) {
        let to = SocketAddr::from(([198, 51, 100, 2], 9));
        let kind = self.dice.pick(&[Kind::V4, Kind::Mapped]);
        let fd = sockets::socket(kind);
        self.say(format!("{kind:?} unanswered"));
        if sockets::begin_connect(&fd, kind, to) {
            self.open.push(fd);
        }
    }

    /// Connects until there is no port, and counts.
    fn connect_all(&mut self, target: Destination) -> u32 {
        for count in 0.. {
            let fd = sockets::socket(target.kind);
            if !sockets::begin_connect(&fd, target.kind, target.to) {
                return count;
            }
            self.open.push(fd);
        }
        unreachable!("there are not that many ports")
    }

    /// Binds until there is no port, and counts.
    fn bind_all(&mut self, target: Destination) -> u32 {
        let reuse = self.dice.one_in(2);
        self.say(format!("bound with reuse {reuse}"));
        for count in 0.. {
            let fd = sockets::socket(target.kind);
            sockopt::set_socket_reuseaddr(&fd, reuse).expect("a socket");
            match sockets::bind(&fd, target.kind, target.source, 0) {
                Ok(()) => self.open.push(fd),
                Err(Errno::ADDRINUSE) => return count,
                Err(error) => panic!("bind to {}: {error}", target.source),
            }
        }
        unreachable!("there are not that many ports")
    }
}
