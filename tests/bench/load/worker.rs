//! One process of the load: it makes its share when told, holds it, and ends when its input does.

use std::{
    collections::VecDeque,
    ffi::{CStr, OsStr},
    io::{self, BufRead as _, Write as _},
    os::{fd::OwnedFd, unix::ffi::OsStrExt as _},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::{io::FdFlags, process::Signal};

use crate::{
    args::Family,
    plan::Plan,
    sockets::{self, Maker, Pair},
    syn,
};

/// Holds the plan in a worker's environment. The arguments are free to be hostile.
pub(crate) const PLAN: &str = "TWTOP_LOAD_PLAN";
/// Marks a process that only holds the listeners it inherited.
const HOLDER: &str = "TWTOP_LOAD_HOLDER";
/// A process name as an attacker would choose it: a formula, then clears the screen, breaks the line.
const HOSTILE_NAME: &CStr = c"=1\x1b[2J\nevil\x07";
/// An argument with a formula, a colour, a change of direction and bytes that are no UTF-8.
pub(crate) const HOSTILE_ARGUMENT: &[u8] = b"=cmd|' /C calc'!A0\x1b[31m\r\n\xe2\x80\xae\xff\xfe\x9b31m,\"";

/// Does what a worker does if this process was started as one, and then does not return an answer of `false`.
pub(crate) fn run_if_asked() -> Result<bool, String> {
    if std::env::var_os(HOLDER).is_some() {
        die_with_parent()?;
        return wait_for_end_of_input().map(|()| true);
    }
    let Ok(plan) = std::env::var(PLAN) else { return Ok(false) };
    let plan: Plan = serde_json::from_str(&plan).map_err(|e| format!("the plan: {e}"))?;
    die_with_parent()?;
    let name = if plan.hostile { HOSTILE_NAME } else { c"load-worker" };
    rustix::thread::set_name(name).map_err(|e| format!("cannot take a name: {e}"))?;
    let failed = |e: io::Error| format!("process {}: {e}", plan.index);
    if plan.rate > 0 {
        churn(&plan).map_err(failed)?;
    } else {
        serve(&plan).map_err(failed)?;
    }
    Ok(true)
}

/// What a worker has made and keeps.
#[derive(Debug)]
struct Worker {
    maker: Maker,
    open: Vec<Pair>,
    kept: Vec<OwnedFd>,
    holders: Vec<Child>,
}

/// Answers each line of input with one line: how many, or the PIDs of the holders.
fn serve(plan: &Plan) -> io::Result<()> {
    let mut worker =
        Worker { maker: Maker::open(plan)?, open: Vec::new(), kept: Vec::new(), holders: Vec::new() };
    let mut answer = io::stdout();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (order, count) = line.split_once(' ').unwrap_or((&line, "0"));
        let count = count.parse().map_err(io::Error::other)?;
        match order {
            "close-wait" => worker.close_wait(plan)?,
            "live" => worker.live(plan)?,
            "time-wait" => worker.time_wait(count)?,
            "close" => worker.close()?,
            _ => return Err(io::Error::other(format!("no such order: {line}"))),
        }
        let holders: Vec<u32> = worker.holders.iter().map(Child::id).collect();
        writeln!(answer, "{holders:?}")?;
        answer.flush()?;
    }
    Ok(())
}

impl Worker {
    fn close_wait(&mut self, plan: &Plan) -> io::Result<()> {
        self.half_closed(plan.close_wait)
    }

    /// Everything that stays.
    fn live(&mut self, plan: &Plan) -> io::Result<()> {
        self.maker.open_helpers()?;
        for _ in 0..plan.established {
            self.open.push(self.maker.pair()?);
        }
        for _ in 0..plan.fin_wait2 {
            let pair = self.maker.pair()?;
            sockets::finish_sending(&pair.client)?;
            sockets::wait_for_end(&pair.server)?;
            self.kept.extend([pair.client, pair.server]);
        }
        let family = |n: u32| plan.families[n as usize % plan.families.len()];
        // The loopback device answers IPv6 that goes nowhere with an error, and IPv4 not at all.
        let silent: Vec<Family> = plan.families.iter().copied().filter(|f| *f != Family::V6).collect();
        for n in 0..plan.syn_sent {
            self.kept.push(sockets::syn_sent(silent[n as usize % silent.len()], n)?);
        }
        for n in 0..plan.bound {
            self.kept.push(sockets::bound(family(n))?);
        }
        self.half_closed(plan.fin_wait2_orphan)?;
        for _ in 0..plan.holders {
            self.holders.push(self.spawn_holder()?);
        }
        if let Some(listener) = plan.listeners.iter().find(|l| l.keep && l.family == Family::V4) {
            syn::send(plan.syn_recv, listener.port)?;
        }
        self.maker.close_helpers();
        Ok(())
    }

    fn time_wait(&mut self, count: u32) -> io::Result<()> {
        self.maker.open_helpers()?;
        for _ in 0..count {
            let pair = self.maker.pair()?;
            self.maker.close(pair)?;
        }
        self.maker.close_helpers();
        Ok(())
    }

    /// Closes what was kept open, in the order that was asked for.
    fn close(&mut self) -> io::Result<()> {
        self.open.drain(..).try_for_each(|pair| self.maker.close(pair))
    }

    /// Connections of which the client's end is closed and the server's end is kept.
    fn half_closed(&mut self, count: u32) -> io::Result<()> {
        self.maker.open_helpers()?;
        for _ in 0..count {
            let pair = self.maker.pair()?;
            drop(pair.client);
            sockets::wait_for_end(&pair.server)?;
            self.kept.push(pair.server);
        }
        self.maker.close_helpers();
        Ok(())
    }

    /// A child that inherits the listeners, and holds them until its input ends with us.
    fn spawn_holder(&self) -> io::Result<Child> {
        let inherit = |on: bool| {
            let flags = if on { FdFlags::empty() } else { FdFlags::CLOEXEC };
            self.maker.listeners().try_for_each(|fd| rustix::io::fcntl_setfd(fd, flags))
        };
        inherit(true)?;
        let child = Command::new("/proc/self/exe")
            .env_remove(PLAN)
            .env(HOLDER, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        inherit(false)?;
        child
    }
}

/// Opens and closes connections at an even pace until the input ends.
#[expect(clippy::disallowed_methods, reason = "this makes load in real time, it observes nothing")]
fn churn(plan: &Plan) -> io::Result<()> {
    let mut maker = Maker::open(plan)?;
    let ended = thread::spawn(wait_for_end_of_input);
    let pace = Duration::from_secs(1) / plan.rate;
    let hold = Duration::from_millis(u64::from(plan.hold));
    let mut open = VecDeque::new();
    let mut due = Instant::now();
    writeln!(io::stdout(), "[]")?;
    while !ended.is_finished() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        open.push_back((due + hold, maker.pair()?));
        while let Some((_, pair)) = open.pop_front_if(|(until, _)| *until <= due) {
            maker.close(pair)?;
        }
        due += pace;
    }
    Ok(())
}

/// Starts a worker with `plan`.
pub(crate) fn spawn(plan: &Plan) -> io::Result<Child> {
    let plan_text = serde_json::to_string(plan).map_err(io::Error::other)?;
    let mut command = Command::new("/proc/self/exe");
    command.env(PLAN, plan_text).stdin(Stdio::piped()).stdout(Stdio::piped());
    if plan.hostile {
        command.arg(OsStr::from_bytes(HOSTILE_ARGUMENT));
    }
    command.spawn()
}

fn die_with_parent() -> Result<(), String> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|e| format!("cannot bind this process's life to its parent's: {e}"))
}

/// Reads the input to its end.
pub(crate) fn wait_for_end_of_input() -> Result<(), String> {
    io::copy(&mut io::stdin().lock(), &mut io::sink()).map(drop).map_err(|e| format!("standard input: {e}"))
}
