//! What to make, as typed.

use std::{ffi::OsString, time::Duration};

use clap::{Parser, ValueEnum};
use serde::{Deserialize, Serialize};

/// Makes exactly so many TCP sockets of each state in a network namespace of its own, says when they
/// are there, and takes them down when its standard input closes.
///
/// Counts are of sockets. Both ends of every connection live in the namespace, so `--established` is
/// even; each `FIN_WAIT2` also makes the `CLOSE_WAIT` at its other end, which the line that is printed counts.
#[derive(Debug, Parser)]
#[command(name = "twtop-load", version)]
pub(crate) struct Args {
    /// `TIME_WAIT` sockets, at most 1,000,000.
    #[arg(long, visible_alias = "tw", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub(crate) time_wait: u32,
    /// `ESTABLISHED` sockets, both ends counted.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000_000))]
    pub(crate) established: u32,
    /// `LISTEN` sockets.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000))]
    pub(crate) listen: u32,
    /// `CLOSE_WAIT` sockets whose other end is gone.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=20_000))]
    pub(crate) close_wait: u32,
    /// `FIN_WAIT2` sockets that a process still holds, each with a `CLOSE_WAIT` at the other end.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=20_000))]
    pub(crate) fin_wait2: u32,
    /// `FIN_WAIT2` sockets that nobody holds (they live 60 s), each with a `CLOSE_WAIT` at the other end.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=20_000))]
    pub(crate) fin_wait2_orphan: u32,
    /// `SYN_SENT` sockets towards an address that never answers; IPv4, mapped or not.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=20_000))]
    pub(crate) syn_sent: u32,
    /// `SYN_RECV` sockets, all of them at one listener: at most 1,000, and IPv4.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=1_000), requires = "listen")]
    pub(crate) syn_recv: u32,
    /// Sockets that are bound to a port and nothing else.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=5_000))]
    pub(crate) bound: u32,
    /// Processes that the sockets are spread over.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub(crate) processes: u32,
    /// Address families, in turns.
    #[arg(long, value_enum, value_delimiter = ',', default_value = "v4")]
    pub(crate) families: Vec<Family>,
    /// Which end closes first, and so keeps the `TIME_WAIT`.
    #[arg(long, value_enum, default_value_t = Closer::Client)]
    pub(crate) closer: Closer,
    /// Destination addresses for each process and family; more are taken where the ports would not do.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    pub(crate) destinations: u32,
    /// Processes beside the first that hold the same listeners, as the workers of a forked server do.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=50))]
    pub(crate) holders: u32,
    /// Connections a second that one more process opens and closes from then on, at an even pace.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=5_000))]
    pub(crate) rate: u32,
    /// How long each of those connections stays open, in milliseconds.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=60_000), requires = "rate")]
    pub(crate) hold: u32,
    /// Give the processes names and arguments with escape sequences, line breaks and invalid UTF-8.
    #[arg(long)]
    pub(crate) hostile: bool,
    /// Use the network namespace that this runs in. It must be empty of TCP sockets.
    #[arg(long)]
    pub(crate) here: bool,
    /// Give up when the sockets are not there after so many seconds.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=600))]
    pub(crate) deadline: u32,
    /// A command to run in the namespace once all is there; its exit code is this program's.
    #[arg(last = true)]
    pub(crate) command: Vec<OsString>,
}

/// An address family as the sockets see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Family {
    /// `AF_INET`.
    V4,
    /// `AF_INET6` with IPv6 addresses.
    V6,
    /// `AF_INET6` with IPv4-mapped addresses.
    Mapped,
}

/// The end that closes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum Closer {
    /// The end that connected.
    Client,
    /// The end that accepted.
    Server,
}

impl Args {
    /// How long building may take.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_secs(u64::from(self.deadline))
    }

    /// What is asked for and cannot be, in one sentence.
    pub(crate) fn impossible(&self) -> Option<String> {
        if self.established % 2 == 1 {
            return Some("--established counts both ends of each connection, so it must be even".to_owned());
        }
        if self.syn_sent > 0 && self.families.iter().all(|family| *family == Family::V6) {
            return Some("--syn-sent needs v4 or mapped among --families".to_owned());
        }
        if self.syn_recv > 0 && self.families[0] != Family::V4 {
            return Some("--syn-recv needs v4 as the first of --families".to_owned());
        }
        None
    }
}
