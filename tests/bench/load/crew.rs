//! The workers as seen by the process that leads them.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout},
    thread,
    time::{Duration, Instant},
};

use crate::{
    args::Args,
    namespace::{self, Counted},
    plan::Plan,
    worker,
};

/// All workers; they end when this is dropped.
#[derive(Debug)]
pub(crate) struct Crew {
    members: Vec<Member>,
    /// PIDs of the processes that only hold listeners.
    pub(crate) holders: Vec<u32>,
    until: Instant,
}

#[derive(Debug)]
struct Member {
    plan: Plan,
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Crew {
    /// Starts the workers.
    #[expect(clippy::disallowed_methods, reason = "this makes load in real time, it observes nothing")]
    pub(crate) fn start(args: &Args) -> Result<Self, String> {
        let until = Instant::now() + args.patience();
        let plans = (0..args.processes).map(|index| Plan::of(args, index));
        let members = plans.map(Member::start).collect::<Result<_, _>>()?;
        Ok(Self { members, holders: Vec::new(), until })
    }

    /// The PIDs of the workers.
    pub(crate) fn pids(&self) -> Vec<u32> {
        self.members.iter().map(|member| member.child.id()).collect()
    }

    /// Makes what `args` asks for, and checks it against the kernel's own count.
    pub(crate) fn build(&mut self, args: &Args) -> Result<(), String> {
        if args.close_wait > 0 {
            // The other ends go first, as orphans that the kernel soon forgets.
            namespace::set_fin_timeout(1)?;
            self.order(|_| "close-wait".to_owned())?;
            self.settle(Counted { mini: 0, full: args.listen + args.close_wait })?;
            namespace::set_fin_timeout(60)?;
        }
        self.order(|_| "live".to_owned())?;
        self.order(|plan| format!("time-wait {}", plan.time_wait))?;
        self.settle(Counted {
            mini: args.time_wait + args.fin_wait2_orphan,
            full: args.listen
                + args.established
                + args.close_wait
                + 2 * args.fin_wait2
                + args.fin_wait2_orphan
                + args.syn_sent,
        })
    }

    /// Closes the established connections: each leaves a `TIME_WAIT`.
    pub(crate) fn close(&mut self) -> Result<(), String> {
        self.order(|_| "close".to_owned())
    }

    /// Gives every worker an order, and waits for all answers.
    fn order(&mut self, order: impl Fn(&Plan) -> String) -> Result<(), String> {
        for member in &mut self.members {
            let line = order(&member.plan);
            writeln!(member.orders, "{line}").map_err(|e| member.failed(&e))?;
        }
        self.holders.clear();
        for member in &mut self.members {
            self.holders.extend(member.answer()?);
        }
        Ok(())
    }

    /// Waits until the kernel counts what was made: ends that closed last take a moment to go.
    #[expect(clippy::disallowed_methods, reason = "this makes load in real time, it observes nothing")]
    fn settle(&self, expected: Counted) -> Result<(), String> {
        loop {
            let counted = namespace::counted()?;
            if counted == expected {
                return Ok(());
            }
            if Instant::now() > self.until {
                return Err(format!("the kernel counts {counted:?}, not {expected:?}"));
            }
            thread::sleep(Duration::from_millis(2));
        }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        for member in &mut self.members {
            // It may have ended by itself.
            let _ = member.child.kill();
        }
        for member in &mut self.members {
            let _ = member.child.wait();
        }
    }
}

impl Member {
    fn start(plan: Plan) -> Result<Self, String> {
        let mut child =
            worker::spawn(&plan).map_err(|e| format!("cannot start process {}: {e}", plan.index))?;
        let orders = child.stdin.take().expect("its input is a pipe");
        let answers = BufReader::new(child.stdout.take().expect("its output is a pipe"));
        Ok(Self { plan, child, orders, answers })
    }

    fn answer(&mut self) -> Result<Vec<u32>, String> {
        let mut line = String::new();
        self.answers.read_line(&mut line).map_err(|e| self.failed(&e))?;
        serde_json::from_str(&line).map_err(|e| self.failed(&io::Error::other(e)))
    }

    fn failed(&self, e: &io::Error) -> String {
        format!("process {} (PID {}) ended early: {e}", self.plan.index, self.child.id())
    }
}

/// The process that opens and closes at an even pace; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Churn(Member);

impl Churn {
    /// Starts it, and returns once it runs.
    pub(crate) fn start(args: &Args) -> Result<Self, String> {
        let mut member = Member::start(Plan::churn(args))?;
        member.answer()?;
        Ok(Self(member))
    }

    /// Its PID.
    pub(crate) fn pid(&self) -> u32 {
        self.0.child.id()
    }
}

impl Drop for Churn {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.child.kill();
        let _ = self.0.child.wait();
    }
}
