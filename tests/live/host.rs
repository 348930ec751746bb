//! Hosts of our own, each a network namespace and a PID namespace, and the programs that run there.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio},
    sync::OnceLock,
    thread,
    time::Duration,
};

use rustix::{
    process::{Pid, Signal, kill_process},
    time::{ClockId, clock_gettime},
};

/// How often a state is looked at that nobody announces.
const LOOK: Duration = Duration::from_millis(20);
/// Nothing that is waited for takes so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// The time since boot.
pub(super) fn now() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).expect("below 10^9"))
}

/// Looks until `done`.
pub(super) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = now() + PATIENCE;
    while !done() {
        assert!(now() < deadline, "waited in vain for {what}");
        thread::sleep(LOOK);
    }
}

/// A host that is gone, with all its processes, when this is, or when the test dies.
#[derive(Debug)]
pub(super) struct Host {
    keeper: Child,
    /// Its end is the end of the host.
    _orders: ChildStdin,
    /// The first process of its PID namespace, as this host numbers it.
    init: u32,
}

impl Host {
    /// A host with loopback only.
    pub(super) fn new() -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "--pid", "--fork", "--kill-child", "sh", "-c"]);
        command.arg("ip link set lo up && echo ready && read line");
        let mut keeper =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("unshare starts");
        let orders = keeper.stdin.take().expect("its input is a pipe");
        let mut answers = BufReader::new(keeper.stdout.take().expect("its output is a pipe"));
        let mut line = String::new();
        answers.read_line(&mut line).expect("its output is readable");
        assert_eq!(line, "ready\n");
        let init = child_of(keeper.id()).expect("unshare has forked");
        Self { keeper, _orders: orders, init }
    }

    /// Two hosts with a wire between them: [`LEFT`] and [`RIGHT`].
    pub(super) fn pair() -> (Self, Self) {
        let (left, right) = (Self::new(), Self::new());
        let peer = right.init.to_string();
        left.ip(&["link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", &peer]);
        for (host, address) in [(&left, LEFT), (&right, RIGHT)] {
            host.ip(&["address", "add", &format!("{address}/24"), "dev", "wire"]);
            host.ip(&["link", "set", "wire", "up"]);
        }
        (left, right)
    }

    /// Runs `ip` with these words.
    pub(super) fn ip(&self, words: &[&str]) {
        let output = self.output("ip", words);
        assert!(output.status.success(), "ip {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Changes a setting below `net.ipv4`.
    pub(super) fn set(&self, name: &str, value: &str) {
        let script = format!("echo '{value}' > /proc/sys/net/ipv4/{name}");
        assert!(self.output("sh", &["-c", &script]).status.success(), "{name} can be set");
    }

    fn enter(&self, namespaces: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg("--target").arg(self.init.to_string()).args(namespaces).arg("--");
        command
    }

    /// Runs a command to its end in the network of this host, among the processes of ours.
    pub(super) fn output(&self, program: &str, words: &[&str]) -> Output {
        self.enter(&["--net"]).arg(program).args(words).output().expect("nsenter starts")
    }

    /// The same among the processes of this host.
    pub(super) fn output_inside(&self, program: &str, words: &[&str]) -> Output {
        self.enter(&["--net", "--pid"]).arg(program).args(words).output().expect("nsenter starts")
    }

    /// Starts a program.
    pub(super) fn run(&self, program: impl AsRef<Path>, words: &[&str]) -> Program {
        let mut command = self.enter(&["--net", "--pid"]);
        command.arg(program.as_ref()).args(words);
        Program::start(command)
    }

    /// Starts a role of the Go program, and waits until it is at work.
    pub(super) fn go(&self, words: &[&str]) -> Program {
        self.run(go_program(), words).ready()
    }

    /// Starts a role of the Python program, and waits until it is at work.
    pub(super) fn python(&self, words: &[&str]) -> Program {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live/tcp.py");
        self.run("/usr/bin/python3", &[&[script], words].concat()).ready()
    }

    /// Starts a server that says nothing, and waits until it listens on `port`.
    pub(super) fn server(&self, port: u16, program: &str, words: &[&str]) -> Program {
        let server = self.run(program, words);
        until(&format!("{program} to listen on {port}"), || self.listens(port));
        server
    }

    /// Starts nginx with these lines in its `http` block; its files are in `directory`.
    pub(super) fn nginx(&self, directory: &Path, port: u16, http: &str) -> Program {
        let root = directory.display();
        let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {root}/{name};\n"))
            .concat();
        let text = format!(
            "daemon off; worker_processes 1; pid {root}/pid; error_log {root}/error;\n\
             events {{ worker_connections 512; }}\nhttp {{\naccess_log off;\n{paths}{http}\n}}\n"
        );
        let file = directory.join("nginx.conf");
        fs::write(&file, text).expect("the directory can be written to");
        fs::write(directory.join("index.html"), "here\n").expect("the directory can be written to");
        let file = file.to_str().expect("a plain path");
        self.server(port, "nginx", &["-p", directory.to_str().expect("a plain path"), "-c", file])
    }

    /// The lines of both tables of sockets: local port, remote port, state; all hexadecimal.
    fn sockets(&self) -> Vec<(u16, u16, String)> {
        let port = |field: &str| u16::from_str_radix(&field[field.len() - 4..], 16).expect("hexadecimal");
        let read = |file| fs::read_to_string(format!("/proc/{}/net/{file}", self.init)).expect("readable");
        let line = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            (port(fields[1]), port(fields[2]), fields[3].to_owned())
        };
        ["tcp", "tcp6"].map(read).iter().flat_map(|text| text.lines().skip(1).map(line)).collect()
    }

    fn listens(&self, port: u16) -> bool {
        self.sockets().iter().any(|(local, _, state)| *local == port && state == "0A")
    }

    /// How many sockets are in a state, a number as `/proc/net/tcp` has it.
    pub(super) fn count(&self, state: &str) -> usize {
        self.sockets().iter().filter(|(_, _, is)| is == state).count()
    }

    /// The sum of some of the kernel's counters, named as `TcpExt:TW` or `Tcp:ActiveOpens`.
    pub(super) fn counter(&self, names: &[&str]) -> u64 {
        let read = |file| fs::read_to_string(format!("/proc/{}/net/{file}", self.init)).expect("readable");
        let text = ["snmp", "netstat"].map(read).concat();
        let lines: Vec<&str> = text.lines().collect();
        let counters = lines.chunks(2).flat_map(|pair| {
            let (group, _) = pair[0].split_once(':').expect("a group");
            let pairs = pair[0].split_whitespace().zip(pair[1].split_whitespace()).skip(1);
            pairs.map(move |(name, value)| (format!("{group}:{name}"), value))
        });
        let wanted = counters.filter(|(name, _)| names.contains(&&**name));
        wanted.map(|(_, value)| value.parse::<u64>().expect("a number")).sum()
    }

    /// The kernel's exact count of entries into `TIME_WAIT`.
    pub(super) fn entries(&self) -> u64 {
        self.counter(&["TcpExt:TW", "TcpExt:TWKilled"])
    }

    /// Waits until so many entered `TIME_WAIT`.
    pub(super) fn await_entries(&self, wanted: u64) {
        until("connections to close", || self.entries() >= wanted);
    }
}

/// The addresses of [`Host::pair`].
pub(super) const LEFT: &str = "10.77.0.1";
pub(super) const RIGHT: &str = "10.77.0.2";

impl Drop for Host {
    fn drop(&mut self) {
        // The first process dies with it, and all others of the namespace with that.
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// A program on a host, killed when this is dropped.
#[derive(Debug)]
pub(super) struct Program {
    nsenter: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Program {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut nsenter = command.spawn().expect("nsenter starts");
        let orders = nsenter.stdin.take().expect("its input is a pipe");
        let answers = BufReader::new(nsenter.stdout.take().expect("its output is a pipe"));
        Self { nsenter, orders, answers }
    }

    fn ready(mut self) -> Self {
        assert_eq!(self.line(), "ready", "the program is at work");
        self
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("its output is readable");
        line.trim_end().to_owned()
    }

    /// Its PID: nsenter stays, and has it as its child.
    pub(super) fn pid(&self) -> u32 {
        child_of(self.nsenter.id()).expect("the program runs")
    }

    /// The PIDs of its children.
    pub(super) fn workers(&self) -> Vec<u32> {
        children_of(self.pid())
    }

    /// How many connections it has made so far, by its own count.
    pub(super) fn made(&mut self) -> u64 {
        writeln!(self.orders).expect("the program listens");
        self.line().parse().expect("a count")
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a PID");
        kill_process(pid, signal).expect("the program runs");
    }

    /// Kills it.
    pub(super) fn end(mut self) {
        self.signal(Signal::KILL);
        self.nsenter.wait().expect("a child can be waited for");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let pid = child_of(self.nsenter.id()).and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
        if let Some(pid) = pid {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.nsenter.kill();
        let _ = self.nsenter.wait();
    }
}

fn children_of(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(|pid| pid.parse().expect("a PID")).collect()
}

fn child_of(pid: u32) -> Option<u32> {
    children_of(pid).first().copied()
}

/// The Go program, built once.
fn go_program() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let path = directory.join("live-http");
        let mut build = Command::new("go");
        build
            .arg("build")
            .arg("-o")
            .arg(&path)
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/live/http.go"));
        build.env("GOCACHE", directory.join("go-cache")).env("GOFLAGS", "-mod=mod");
        build.env("GOPATH", directory.join("go-path"));
        build.env("GOPROXY", "off").env("GOTOOLCHAIN", "local");
        let output = build.output().expect("go starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        path
    })
}
