//! What packing a table of sockets costs, and how small it gets, on what a kernel tells.
//!
//! `cargo bench --bench pack -- [--tw N] [--established N] [--rounds N]` fills a network namespace (100,000 `TIME_WAIT`s, then
//! 20,000 `ESTABLISHED`) and there prints medians of processor time. It fails when a `TIME_WAIT` takes more than 4 bytes.

use std::{
    io::{self, Write as _},
    process::{Command, ExitCode},
    time::Duration,
};

use clap::Parser;
use twtop::{
    source::{
        clock,
        live::{LiveConfig, LiveSource},
    },
    wire::pack::{pack_sockets, unpack_sockets},
};

#[path = "../support/generator.rs"]
mod generator;

/// The most bytes for a `TIME_WAIT`.
const GOAL: f64 = 4.0;

#[derive(Debug, Parser)]
struct Args {
    /// `TIME_WAIT` sockets.
    #[arg(long)]
    tw: Option<u32>,
    /// `ESTABLISHED` sockets; both ends of each connection are counted.
    #[arg(long)]
    established: Option<u32>,
    /// How often each thing is measured.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(5..=100))]
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

/// Runs this program in a namespace for each load; says whether each reached the goal.
fn lead(args: &Args) -> io::Result<bool> {
    let loads = match (args.tw, args.established) {
        (None, None) => vec![(100_000, 0), (0, 20_000)],
        (tw, established) => vec![(tw.unwrap_or(0), established.unwrap_or(0))],
    };
    let own = std::env::current_exe()?;
    let mut all = true;
    for (tw, established) in loads {
        let mut load = Command::new(generator::path());
        load.args(["--time-wait", &tw.to_string(), "--established", &established.to_string()]);
        load.args(["--processes", "2", "--deadline", "55", "--"]).arg(&own).arg("--inside");
        load.args(["--tw", &tw.to_string(), "--rounds", &args.rounds.to_string()]);
        all &= load.status()?.success();
    }
    Ok(all)
}

/// Measures in this namespace; says whether the goal was reached.
fn measure(args: &Args) -> io::Result<bool> {
    let config = LiveConfig { budget: 0.0, ..LiveConfig::default() };
    let mut source = LiveSource::new(&config).map_err(io::Error::other)?;
    let sample = source.sample();
    let blob = pack_sockets(&sample.sockets).map_err(io::Error::other)?;
    let count = u32::try_from(sample.sockets.len()).map_err(io::Error::other)?;
    let each = f64::from(u32::try_from(blob.len()).map_err(io::Error::other)?) / f64::from(count.max(1));
    let pack =
        median((0..args.rounds).map(|_| time(|| pack_sockets(&sample.sockets).map(|b| b.len()))).collect());
    let unpack = median((0..args.rounds).map(|_| time(|| unpack_sockets(&blob).map(|t| t.len()))).collect());
    let per_100_000 = |time: Duration| time.as_secs_f64() * 1e3 * 100_000.0 / f64::from(count.max(1));
    let mut out = io::stdout().lock();
    writeln!(out, "\n{count} sockets, of them {} in TIME_WAIT: {} bytes", args.tw.unwrap_or(0), blob.len())?;
    writeln!(out, "  bytes a socket          {each:8.2}")?;
    writeln!(out, "  pack, ms per 100,000    {:8.2}", per_100_000(pack))?;
    writeln!(out, "  unpack, ms per 100,000  {:8.2}", per_100_000(unpack))?;
    Ok(args.tw == Some(0) || each <= GOAL)
}

fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let before = clock::thread_cpu();
    std::hint::black_box(work());
    clock::thread_cpu().saturating_sub(before)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
