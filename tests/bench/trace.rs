//! What the trace costs a connection: CPU of both ends with and without it, in turn, on loopback. Needs root.
//!
//! `cargo bench --bench trace`; nothing is sent but within a network namespace of its own (`unshare --net`).

use std::{
    env,
    error::Error,
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::Command,
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use twtop::source::trace::Tracer;

const ROUNDS: usize = 61;
const CONNECTIONS: u32 = 1000;
const INSIDE: &str = "TWTOP_BENCH_INSIDE";

fn main() -> Result<(), Box<dyn Error>> {
    if env::var_os(INSIDE).is_none() {
        // A namespace of its own, so that the ports used are nobody else's.
        let me = env::current_exe()?;
        let script = "ip link set lo up && exec \"$0\"";
        let status =
            Command::new("unshare").args(["--net", "sh", "-c", script]).arg(me).env(INSIDE, "1").status()?;
        return if status.success() { Ok(()) } else { Err("the bench failed".into()) };
    }
    let listener = TcpListener::bind("127.0.0.1:0")?;
    connections(&listener)?;
    let [mut without, mut with, mut reader] = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        without.push(us(connections(&listener)?));
        let mut tracer = Tracer::start(None)?;
        // The first batch comes after the tracer has looked at all processes, which is done once.
        tracer.take().ok_or("the tracer does not answer")?;
        let before = cpu(ClockId::ProcessCPUTime);
        let path = connections(&listener)?;
        tracer.take().ok_or("the tracer does not answer")?;
        let all = cpu(ClockId::ProcessCPUTime).saturating_sub(before);
        with.push(us(path));
        reader.push(us(all.saturating_sub(path)));
    }
    let more = without.iter().zip(&with).map(|(without, with)| with - without).collect();
    let [without, with, reader, more] = [without, with, reader, more].map(median);
    let mut out = io::stdout().lock();
    writeln!(out, "connection, both ends, no trace   {without:6.2} us of CPU")?;
    writeln!(out, "connection, both ends, traced     {with:6.2} us of CPU, {more:+.2} us (median of pairs)")?;
    writeln!(out, "reading and naming, other thread  {reader:6.2} us of CPU a connection")?;
    Ok(())
}

/// Opens, accepts and closes; yields the CPU this thread used, which on loopback includes both ends' softirqs.
fn connections(listener: &TcpListener) -> io::Result<Duration> {
    let to = listener.local_addr()?;
    let before = cpu(ClockId::ThreadCPUTime);
    for _ in 0..CONNECTIONS {
        let mut client = TcpStream::connect(to)?;
        let (mut server, _) = listener.accept()?;
        client.write_all(b"x")?;
        server.read_exact(&mut [0])?;
        drop(client);
        let _ = server.read(&mut [0])?;
    }
    Ok(cpu(ClockId::ThreadCPUTime).saturating_sub(before))
}

fn cpu(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Microseconds a connection.
fn us(all: Duration) -> f64 {
    all.as_secs_f64() * 1e6 / f64::from(CONNECTIONS)
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}
