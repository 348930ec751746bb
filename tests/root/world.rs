//! Network namespaces, and processes within that make connections and tell of them.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::OnceLock,
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use twtop::{
    model::Endpoint,
    store::{Phase, Sighting},
};

pub(super) fn now() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("below 10^9"))
}

/// A process in the namespace that talks to us in lines.
pub(super) struct Actor {
    child: Child,
    pub(super) orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Actor {
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The rest of the next line that begins with `word`; lines before it are passed to `other`.
    pub(super) fn until(&mut self, word: &str, mut other: impl FnMut(&str)) -> String {
        loop {
            let mut line = String::new();
            let read = self.answers.read_line(&mut line).expect("the output is readable");
            assert!(read > 0, "the process ended before it said {word}");
            match line.trim_end().strip_prefix(word) {
                Some(rest) => return rest.trim().to_owned(),
                None => other(line.trim_end()),
            }
        }
    }

    /// Closes its input, which is its order to go on to the end, and waits for that.
    pub(super) fn end(&mut self) {
        self.orders = None;
        self.answers.read_to_end(&mut Vec::new()).expect("the output is readable");
        self.child.wait().expect("a child can be waited for");
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().expect("it has not been waited for");
        self.child.wait().expect("a child can be waited for");
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A network namespace that lives as long as this.
pub(super) struct Namespace {
    pub(super) keeper: Actor,
    pub(super) netns: u64,
}

impl Namespace {
    pub(super) fn new() -> Self {
        // Without reuse by connect(), a client's TIME_WAITs stay to be counted; a FIN that is repeated late, and answered by a
        // reset, would end others (RFC 1337).
        let script = "ip link set lo up && echo 0 > /proc/sys/net/ipv4/tcp_tw_reuse && \
             echo 1 > /proc/sys/net/ipv4/tcp_rfc1337 && echo ready && read line";
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", script]);
        let mut keeper = actor(command);
        keeper.until("ready", |_| {});
        let link = fs::read_link(format!("/proc/{}/ns/net", keeper.pid())).expect("the namespace has a name");
        let text = link.to_string_lossy().into_owned();
        let netns = text.trim_start_matches("net:[").trim_end_matches(']').parse().expect("an inode");
        Self { keeper, netns }
    }

    /// `twtop-trace-load` inside. `nsenter` executes it, so the PID is its own.
    pub(super) fn load(&self, words: &[&str]) -> Actor {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.keeper.pid().to_string()).args(["--net", "--"]).arg(load_path());
        command.args(words);
        actor(command)
    }

    pub(super) fn serve(&self, family: &str, turn: &str, life: &str) -> (Actor, String) {
        let mut server = self.load(&["serve", family, turn, life]);
        let port = server.until("port", |_| {});
        (server, port)
    }

    /// The kernel's exact count of entries into `TIME_WAIT`.
    pub(super) fn entries(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/net/netstat", self.keeper.pid())).expect("readable");
        let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
        let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
        let pairs = names.split_whitespace().zip(values.split_whitespace());
        let sum = pairs.filter(|(name, _)| matches!(*name, "TW" | "TWKilled"));
        sum.map(|(_, value)| value.parse::<u64>().expect("a number")).sum()
    }

    /// Waits until so many entries were counted since `before`, and the other ends have closed too.
    pub(super) fn await_entries(&self, before: u64, wanted: u64) {
        let deadline = now() + Duration::from_secs(20);
        while self.entries() - before < wanted
            || self.lines().iter().any(|line| matches!(state(line), "04" | "05"))
        {
            assert!(now() < deadline, "{} of {wanted} entries into TIME_WAIT", self.entries() - before);
            std::thread::yield_now();
        }
    }

    /// The lines of both tables, without their titles.
    fn lines(&self) -> Vec<String> {
        let read =
            |file| fs::read_to_string(format!("/proc/{}/net/{file}", self.keeper.pid())).expect("readable");
        let tables = ["tcp", "tcp6"].map(read);
        tables.iter().flat_map(|text| text.lines().skip(1)).map(str::to_owned).collect()
    }

    /// Every `TIME_WAIT` in the namespace: its ends, and when it was seen.
    pub(super) fn time_waits(&self) -> Vec<(Endpoint, Endpoint, Sighting)> {
        let begin = now();
        let lines = self.lines();
        let end = now();
        let waits = lines.iter().filter(|line| state(line) == "06").map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (_, left) = fields[5].split_once(':').expect("a timer and its time");
            // Hundredths of a second.
            let left =
                Duration::from_millis(10 * u64::from_str_radix(left, 16).expect("a hexadecimal number"));
            let entered = (end + left).saturating_sub(Duration::from_mins(1));
            (
                endpoint(fields[1]),
                endpoint(fields[2]),
                Sighting { begin, end, phase: Phase::TimeWait(entered) },
            )
        });
        waits.collect()
    }
}

/// The state in a line of `/proc/net/tcp`, hexadecimal.
fn state(line: &str) -> &str {
    line.split_whitespace().nth(3).expect("a state")
}

/// An address of `/proc/net/tcp` or `tcp6`: words of 32 bits in the order of the host.
fn endpoint(text: &str) -> Endpoint {
    let (address, port) = text.split_once(':').expect("an address and a port");
    let port = u16::from_str_radix(port, 16).expect("a hexadecimal port");
    let words: Vec<u8> = (0..address.len() / 8)
        .flat_map(|n| u32::from_str_radix(&address[n * 8..][..8], 16).expect("hexadecimal").to_ne_bytes())
        .collect();
    let ip = match <[u8; 4]>::try_from(&words[..]) {
        Ok(bytes) => IpAddr::V4(Ipv4Addr::from(bytes)),
        Err(_) => Ipv6Addr::from(<[u8; 16]>::try_from(&words[..]).expect("16 bytes")).to_canonical(),
    };
    Endpoint::new(ip, port)
}

fn actor(mut command: Command) -> Actor {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the command starts");
    let orders = child.stdin.take();
    let answers = BufReader::new(child.stdout.take().expect("its output is a pipe"));
    Actor { child, orders, answers }
}

/// The path of `twtop-trace-load`, built if need be: a single test target does not build the examples.
fn load_path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let twtop = PathBuf::from(env!("CARGO_BIN_EXE_twtop"));
        let directory = twtop.parent().expect("a file lies in a directory");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--example", "twtop-trace-load", "--manifest-path"]);
        build.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        if directory.ends_with("release") {
            build.arg("--release");
        }
        // Without a cargo at hand, one that was built before will do.
        let _ = build.status();
        let path = directory.join("examples/twtop-trace-load");
        assert!(path.exists(), "{} is missing: cargo build --example twtop-trace-load", path.display());
        path
    })
}
