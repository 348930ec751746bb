//! `twtop-load`: exactly so many TCP sockets of each state, in a network namespace of their own.
//!
//! Once the kernel counts what was asked for, it prints `ready {...}`: the namespace, the processes and the
//! count of every state. Then it runs the command that follows `--`, or obeys its standard input (`close` closes the
//! established connections) until that ends. Its processes die with it.

mod args;
mod crew;
mod namespace;
mod plan;
mod sockets;
mod syn;
mod worker;

use std::{
    io::{self, BufRead as _, Write as _},
    process::{Command, ExitCode},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use clap::Parser as _;
use rustix::process::{Resource, Rlimit};
use serde_json::json;

use crate::{
    args::Args,
    crew::{Churn, Crew},
    plan::Plan,
};

fn main() -> ExitCode {
    match worker::run_if_asked().and_then(|done| if done { Ok(ExitCode::SUCCESS) } else { lead() }) {
        Ok(code) => code,
        Err(message) => {
            // There is nobody to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "twtop-load: {message}");
            ExitCode::from(2)
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this makes load in real time, it observes nothing")]
fn lead() -> Result<ExitCode, String> {
    let args = Args::parse();
    if let Some(why) = args.impossible() {
        return Err(why);
    }
    raise_descriptor_limit(&args)?;
    if !args.here {
        namespace::enter()?;
    }
    let begin = Instant::now();
    let building = watch(&args);
    namespace::furnish()?;
    let mut crew = Crew::start(&args)?;
    crew.build(&args)?;
    drop(building);
    let seconds = begin.elapsed().as_secs_f64();
    let churn = if args.rate > 0 { Some(Churn::start(&args)?) } else { None };
    say(&format!("ready {}", describe(&args, &crew, churn.as_ref(), seconds)?))?;
    match args.command.split_first() {
        Some((program, arguments)) => run(Command::new(program).args(arguments)),
        None => obey(&mut crew),
    }
}

/// Ends this program, and its processes with it, unless what is returned is dropped in time.
fn watch(args: &Args) -> Sender<()> {
    let (building, built) = mpsc::channel();
    // Later than the check that says which counts are wrong.
    let patience = args.patience() + Duration::from_secs(1);
    thread::spawn(move || {
        if built.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
            // There is nobody to tell when standard error is closed.
            let _ = writeln!(io::stderr(), "twtop-load: not all was there after {} s", patience.as_secs());
            std::process::exit(2);
        }
    });
    building
}

/// Raises the soft limit of open files to the hard one; workers inherit it.
fn raise_descriptor_limit(args: &Args) -> Result<(), String> {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    rustix::process::setrlimit(Resource::Nofile, raised).map_err(|e| format!("limit of open files: {e}"))?;
    let needed = Plan::of(args, 0).descriptors();
    match limit.maximum {
        Some(maximum) if needed > maximum => Err(format!(
            "each process would need {needed} descriptors of {maximum}: ask for --processes {} or more",
            u64::from(args.processes) * needed / maximum + 1
        )),
        _ => Ok(()),
    }
}

/// Everything a test needs to know, as JSON.
fn describe(
    args: &Args,
    crew: &Crew,
    churn: Option<&Churn>,
    seconds: f64,
) -> Result<serde_json::Value, String> {
    let netns = namespace::inode().map_err(|e| format!("/proc/self/ns/net: {e}"))?;
    Ok(json!({
        "pid": std::process::id(),
        "netns": netns,
        "workers": crew.pids(),
        "holders": crew.holders,
        "churn": churn.map(Churn::pid),
        "seconds": seconds,
        "states": {
            "ESTABLISHED": args.established,
            "SYN_SENT": args.syn_sent,
            "SYN_RECV": args.syn_recv,
            "FIN_WAIT1": 0,
            "FIN_WAIT2": args.fin_wait2 + args.fin_wait2_orphan,
            "TIME_WAIT": args.time_wait,
            "CLOSE": 0,
            "CLOSE_WAIT": args.close_wait + args.fin_wait2 + args.fin_wait2_orphan,
            "LAST_ACK": 0,
            "LISTEN": args.listen,
            "CLOSING": 0,
            "BOUND_INACTIVE": args.bound,
        },
    }))
}

fn run(command: &mut Command) -> Result<ExitCode, String> {
    let status =
        command.status().map_err(|e| format!("cannot run {}: {e}", command.get_program().display()))?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Does what each line of standard input says, until there is no more.
fn obey(crew: &mut Crew) -> Result<ExitCode, String> {
    for line in io::stdin().lock().lines() {
        match line.map_err(|e| format!("standard input: {e}"))?.as_str() {
            "close" => crew.close()?,
            other => return Err(format!("no such order: {other}; there is only `close`")),
        }
        say("done")?;
    }
    Ok(ExitCode::SUCCESS)
}

fn say(line: &str) -> Result<(), String> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(|e| format!("standard output: {e}"))
}
