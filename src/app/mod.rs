//! The wiring: the only place that knows everyone.
//!
//! The sampler runs on a thread of its own (`sampler`); the screen's loop (`screen`) owns history and view;
//! `snapshot` prints one report, `diagnose` what was found, `explain` what a word means,
//! `generate` the configuration file. Errors end up here, on standard error, in one or two lines.

mod clipboard;
mod diagnose;
mod encode;
mod explain;
mod export_file;
mod export_part;
mod generate;
mod pace;
mod sampler;
mod screen;
mod sgr;
mod snapshot;
mod socket_codec;
mod terminal;

pub use socket_codec::SOCKET_CODEC;

use std::{
    error::Error,
    io::{self, Write as _},
    process::ExitCode,
};

use crate::{
    cli::{Action, Common, Invocation, NetnsArg},
    source::{LiveConfig, NetnsChoice, SourceError, TraceStart},
};

/// Done.
const EXIT_DONE: u8 = 0;
/// `diagnose` found something at warning or above.
const EXIT_FOUND: u8 = 1;
/// Something went wrong: bad arguments, no permission, a file that cannot be written.
const EXIT_ERROR: u8 = 2;

/// Why twtop could not do what it was asked.
#[derive(Debug, thiserror::Error)]
enum RunError {
    /// The kernel cannot be asked.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The terminal cannot be taken over, or went away.
    #[error("the terminal: {0}; for a report run `twtop snapshot`")]
    Terminal(#[source] io::Error),
    /// The runtime cannot start.
    #[error("starting the event loop: {0}")]
    Runtime(#[source] io::Error),
    /// The sampler's thread cannot start.
    #[error("starting the sampler: {0}")]
    Thread(#[source] io::Error),
    /// The report cannot be written.
    #[error("{place}: {error}")]
    Write {
        /// Standard output or the file's name, printable.
        place: String,
        /// Why.
        error: io::Error,
    },
    /// There is nothing of that name to explain.
    #[error("there is no topic '{asked}'; {near}`twtop explain` lists them")]
    NoTopic {
        /// What was typed, printable.
        asked: String,
        /// What may have been meant, empty or with a space at its end.
        near: String,
    },
    /// The only look failed.
    #[error("the kernel gave no socket table: {0}")]
    NoTable(String),
    /// The sampler ended by itself.
    #[error("the sampler stopped")]
    SamplerStopped,
}

/// Does what was asked and says how it ended.
#[must_use]
pub fn run(invocation: Invocation) -> ExitCode {
    let done = match invocation.action {
        Action::Screen => screen::run(&invocation.common),
        Action::Diagnose(plan) => diagnose::run(&invocation.common, &plan),
        Action::Generate(plan) => generate::run(&plan).map(|()| EXIT_DONE),
        Action::Explain(topic) => explain::run(topic.as_deref()).map(|()| EXIT_DONE),
        Action::Snapshot(plan) => snapshot::run(&invocation.common, &plan).map(|()| EXIT_DONE),
    };
    match done {
        Ok(code) => code.into(),
        Err(RunError::Write { error, .. }) if error.kind() == io::ErrorKind::BrokenPipe => EXIT_DONE.into(),
        Err(error) => report(&error),
    }
}

/// Tells an error on standard error and yields the exit code for it.
#[must_use]
pub fn report(error: &dyn Error) -> ExitCode {
    // With standard error closed there is nobody left to tell.
    let _ = writeln!(io::stderr(), "twtop: {error}");
    EXIT_ERROR.into()
}

/// How to sample, as the options say; with a trace that begins at `trace`, if they want one.
fn sampling_config(common: &Common, trace: TraceStart) -> LiveConfig {
    let netns = match &common.netns {
        NetnsArg::Own => NetnsChoice::SelfNs,
        NetnsArg::Pid(pid) => NetnsChoice::Pid(*pid),
        NetnsArg::Name(name) => NetnsChoice::Name(name.clone()),
    };
    LiveConfig {
        netns,
        interval: common.interval,
        budget: common.budget,
        trace: if common.trace { trace } else { TraceStart::Never },
        ..LiveConfig::default()
    }
}
