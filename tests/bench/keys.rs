//! How soon a key is answered while the kernel dumps a large table.
//!
//! `cargo bench --bench keys -- [--tw N] [--keys N]` runs the screen in a terminal in a namespace of N `TIME_WAIT`s
//! (200,000), presses a key at random moments, and measures the time until the screen shows its answer. It also
//! tells how long the first full frame took. It fails
//! when the 99th percentile is above 16 ms.

use std::{
    io::{self, Write as _},
    process::{Command, ExitCode},
    thread,
    time::{Duration, Instant},
};

use clap::Parser;

#[path = "../support/generator.rs"]
mod generator;
#[expect(dead_code, reason = "this needs a part of what the tests need")]
#[path = "../support/pty.rs"]
mod pty;

use pty::Pty;

/// The longest that the 99th percentile may be: one frame of a display at 60 Hz.
const GOAL: Duration = Duration::from_millis(16);

#[derive(Debug, Parser)]
struct Args {
    /// `TIME_WAIT` sockets.
    #[arg(long, visible_alias = "time-wait", default_value_t = 200_000)]
    tw: u32,
    /// How many keys are pressed; the table lives 60 s.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(20..=1000))]
    keys: u32,
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

fn lead(args: &Args) -> io::Result<bool> {
    let mut load = Command::new(generator::path());
    load.args(["--time-wait", &args.tw.to_string(), "--"]).arg(std::env::current_exe()?);
    load.args(["--inside", "--tw", &args.tw.to_string(), "--keys", &args.keys.to_string()]);
    Ok(load.status()?.success())
}

/// Opens and closes the help, whose whole screen differs from every other.
fn measure(args: &Args) -> io::Result<bool> {
    // With all of a core to itself, so that a dump is nearly always under way.
    let arguments = ["--interval", "0.1", "--budget", "100"];
    let (mut pty, first_frame) = start(&arguments);
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut times = Vec::new();
    for n in 0..args.keys {
        thread::sleep(Duration::from_millis(random.below(100)));
        let opens = n % 2 == 0;
        times.push(answer(&mut pty, if opens { "?" } else { "\x1b" }, opens));
    }
    pty.press("q");
    pty.wait_for_end();
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    let mut out = io::stdout().lock();
    writeln!(out, "\n{} keys over {} TIME_WAITs, ms until the answer was on screen", times.len(), args.tw)?;
    writeln!(out, "  first full frame {:.1} ms after the start", first_frame.as_secs_f64() * 1e3)?;
    writeln!(out, "  median {:.2}   p90 {:.2}   p99 {:.2}   most {:.2}", at(50), at(90), at(99), at(100))?;
    Ok(at(99) <= GOAL.as_secs_f64() * 1e3)
}

/// The screen with its first full frame, and how long that took.
#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn start(arguments: &[&str]) -> (Pty, Duration) {
    let started = Instant::now();
    let mut pty = Pty::start(env!("CARGO_BIN_EXE_twtop"), arguments, (120, 40));
    pty.wait_for("a full frame", |screen| {
        let text = screen.contents();
        ["TIME_WAIT", "CLOSE_WAIT", "ESTABLISHED", "Processes", "Peers"]
            .iter()
            .all(|word| text.contains(word))
    });
    (pty, started.elapsed())
}

#[expect(clippy::disallowed_methods, reason = "a bench measures real time")]
fn answer(pty: &mut Pty, key: &str, opens: bool) -> Duration {
    let pressed = Instant::now();
    pty.press(key);
    pty.wait_for("an answer", |screen| screen.contents().contains("leave help") == opens);
    pressed.elapsed()
}

/// A xorshift generator: the moments need not be good random numbers, only unlike the sampler's rhythm.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}
