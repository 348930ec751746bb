//! What a whole sample costs, as a ratio to what cannot be avoided.
//!
//! `cargo bench --bench sample -- [--tw N]... [--established N] [--rounds N]` fills a network namespace with N
//! `TIME_WAIT`s (100,000, then 1,000,000) and there measures processor time, in turns:
//!
//! - R: a bare receive loop over the kernel's dump of both families, nothing parsed;
//! - dump: the same parsed and kept, each cookie once;
//! - sample: the dump with owners when none is new, counters, settings;
//! - whole: the sample folded and counted, all that the sampler's thread does;
//! - `ss -tan` with its output thrown away.
//!
//! Absolute times depend on the machine's mood; the ratios of medians of one run do not. It fails when the whole is more
//! than 1.5 R at any size.

use std::{
    fs,
    io::{self, Write as _},
    process::{Command, ExitCode, Stdio},
    time::Duration,
};

use clap::Parser;
use rustix::process::{Pid, WaitId, WaitIdOptions};
use twtop::{
    model::SocketTable,
    source::{
        clock,
        live::{LiveConfig, LiveSource},
        sock_diag::{Dump, SockDiag},
    },
    store::Ledger,
};

#[path = "../support/generator.rs"]
mod generator;

/// The most that the whole may cost, in R.
const GOAL: f64 = 1.5;

#[derive(Debug, Parser)]
struct Args {
    /// `TIME_WAIT` sockets; may be given several times.
    #[arg(long, visible_alias = "time-wait")]
    tw: Vec<u32>,
    /// `ESTABLISHED` sockets beside them.
    #[arg(long, default_value_t = 0)]
    established: u32,
    /// Processes that hold those.
    #[arg(long, default_value_t = 10)]
    processes: u32,
    /// How often each thing is measured.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(5..=100))]
    rounds: u32,
    /// Set by itself once it runs in the namespace.
    #[arg(long, hide = true)]
    inside: bool,
    /// Set by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match if args.inside { measure(&args) } else { lead(&args) } {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs this program in a namespace for each size of table; says whether each reached the goal.
fn lead(args: &Args) -> io::Result<bool> {
    let sizes = if args.tw.is_empty() { &[100_000, 1_000_000] } else { &args.tw[..] };
    let own = std::env::current_exe()?;
    let mut all = true;
    for size in sizes {
        let mut load = Command::new(generator::path());
        load.args(["--time-wait", &size.to_string(), "--established", &args.established.to_string()]);
        // Two processes make TIME_WAITs as fast as more would; what is established is held by many.
        let processes = if args.established > 0 { args.processes } else { 2 };
        load.args(["--processes", &processes.to_string(), "--deadline", "55", "--"]);
        load.arg(&own).args(["--inside", "--rounds", &args.rounds.to_string()]);
        all &= load.status()?.success();
    }
    Ok(all)
}

/// Processor times of each kind, one a round.
#[derive(Debug, Default)]
struct Times {
    receive: Vec<Duration>,
    dump: Vec<Duration>,
    sample: Vec<Duration>,
    whole: Vec<Duration>,
    ss: Vec<Duration>,
}

/// Measures in this namespace; says whether the goal was reached.
fn measure(args: &Args) -> io::Result<bool> {
    let mut diag = SockDiag::open()?;
    let mut table = SocketTable::new();
    let config = LiveConfig { budget: 0.0, ..LiveConfig::default() };
    let mut source = LiveSource::new(&config).map_err(io::Error::other)?;
    let mut ledger = Ledger::new();
    let first = thread_time(|| ledger.fold(source.sample()));

    // The first dump finds out which request this kernel answers; the drain then sends the same.
    dump(&mut diag, &mut table);
    let mut times = Times::default();
    let mut sockets = Vec::new();
    for _ in 0..args.rounds {
        let (receiving, bytes) = thread_time(|| diag.drain());
        bytes?;
        times.receive.push(receiving);
        times.dump.push(thread_time(|| dump(&mut diag, &mut table)).0);
        let (sampling, sample) = thread_time(|| source.sample());
        let (folding, moment) = thread_time(|| ledger.fold(sample));
        times.sample.push(sampling);
        times.whole.push(sampling + folding);
        sockets.push(moment.sample.sockets.len());
        times.ss.push(ss()?);
    }
    report(&mut io::stdout().lock(), first.0, &mut times, &sockets)
}

fn dump(diag: &mut SockDiag, table: &mut SocketTable) {
    table.clear();
    let report = diag.dump(table, Dump::All).expect("the kernel answers");
    assert!(report.complete, "{report:?}");
}

/// Processor time of `ss -tan`, from its entry in `/proc` after it ended and before it is forgotten.
fn ss() -> io::Result<Duration> {
    let mut child = Command::new("ss").arg("-tan").stdout(Stdio::null()).spawn()?;
    let pid = Pid::from_child(&child);
    rustix::process::waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    let text = fs::read_to_string(format!("/proc/{}/schedstat", child.id()))?;
    child.wait()?;
    let nanoseconds = text.split_whitespace().next().and_then(|n| n.parse().ok());
    nanoseconds.map(Duration::from_nanos).ok_or_else(|| io::Error::other("no time in schedstat"))
}

fn thread_time<T>(work: impl FnOnce() -> T) -> (Duration, T) {
    let before = clock::thread_cpu();
    let result = work();
    (clock::thread_cpu().saturating_sub(before), result)
}

/// Prints the medians; says whether the goal was reached.
fn report(
    out: &mut impl io::Write,
    first: Duration,
    times: &mut Times,
    sockets: &[usize],
) -> io::Result<bool> {
    let fewest = sockets.iter().min().copied().unwrap_or(0);
    let most = sockets.iter().max().copied().unwrap_or(0);
    let receive = median(&mut times.receive);
    let count = u32::try_from(most).expect("fewer sockets than 2^32").max(1);
    writeln!(out, "\n{most} sockets, {fewest} at the end; medians of {} rounds", sockets.len())?;
    writeln!(out, "  {:<34} {:>10} {:>10} {:>8}", "processor time of", "ms", "ns/socket", "x R")?;
    let ss = median(&mut times.ss);
    let whole = median(&mut times.whole);
    let rows = [
        ("R: receive and throw away", receive),
        ("dump: the same parsed, kept", median(&mut times.dump)),
        ("sample: + owners, counters", median(&mut times.sample)),
        ("whole: + fold, count", whole),
        ("whole, the first one", first),
        ("ss -tan", ss),
    ];
    for (name, time) in rows {
        let each = (time / count).as_nanos();
        let ratio = time.as_secs_f64() / receive.as_secs_f64();
        writeln!(out, "  {name:<34} {:>10.1} {each:>10} {ratio:>8.2}", time.as_secs_f64() * 1e3)?;
    }
    writeln!(out, "  whole / ss -tan: {:.2}", whole.as_secs_f64() / ss.as_secs_f64())?;
    writeln!(out, "  peak RSS: {}", peak_rss()?)?;
    let ratio = whole.as_secs_f64() / receive.as_secs_f64();
    let reached = ratio <= GOAL;
    if !reached {
        writeln!(out, "  too much: the whole is {ratio:.2} R, above {GOAL} R")?;
    }
    Ok(reached)
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// The most memory that this process ever had resident, as the kernel writes it.
fn peak_rss() -> io::Result<String> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.unwrap_or("unknown").trim().to_owned())
}
