//! Samples of the running host.

use std::{collections::BTreeSet, error::Error as _, fs, io, marker::PhantomData, sync::Arc, time::Duration};

use super::{
    bound::Bound,
    clock,
    counters::CounterReader,
    faults::FaultLog,
    netns::{self, NetnsChoice, NetnsError},
    owners::OwnerScanner,
    pacer::Pacer,
    privileges::Sight,
    sock_diag::{Dump, DumpError, DumpReport, SockDiag},
    sysctls::SysctlReader,
    trace::{TraceError, Tracer},
};
use crate::{
    model::{Cost, Fault, FaultKind, Host, Privileges, ProcKey, Sample, SocketTable, TraceBatch},
    wire::procfs,
};

/// Where faults of the dump are counted.
pub const SOCK_DIAG: &str = "sock_diag";

/// Where faults of the trace are counted.
pub const TRACE: &str = "trace";

/// What to look at, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveConfig {
    /// Which network namespace.
    pub netns: NetnsChoice,
    /// The time between samples, as long as the budget allows.
    pub interval: Duration,
    /// The share of one core that sampling may take, 0.05 for 5 %; 0 for no bound.
    pub budget: f64,
    /// Whether and when to trace who opens and closes, where that is allowed.
    pub trace: TraceStart,
    /// Whether sockets that are only bound are asked for in every sample, whatever it costs; else they may be up to 5 s old where
    /// asking is dear.
    pub fresh_bound: bool,
}

/// When the trace begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TraceStart {
    /// Never.
    Never,
    /// Before the first sample, so that it tells of all that happens from that sample on. The first sample waits for a
    /// look at every process and thread.
    BeforeFirst,
    /// With the first sample, which does not wait for it.
    AfterFirst,
}

/// Our own namespace, once a second, in 5 % of a core, without the trace.
impl Default for LiveConfig {
    fn default() -> Self {
        Self {
            netns: NetnsChoice::SelfNs,
            interval: Duration::from_secs(1),
            budget: 0.05,
            trace: TraceStart::Never,
            fresh_bound: false,
        }
    }
}

/// Why there can be no samples at all.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The network namespace cannot be looked at.
    #[error(transparent)]
    Netns(#[from] NetnsError),
    /// The kernel does not offer `NETLINK_SOCK_DIAG`, or no descriptor is left.
    #[error("cannot ask the kernel for sockets (NETLINK_SOCK_DIAG): {0}")]
    SockDiag(#[source] io::Error),
    /// `/proc` is missing.
    #[error("cannot read /proc: {0}")]
    Proc(#[source] io::Error),
}

/// Takes samples of one network namespace.
///
/// It belongs to the thread that made it: that thread enters the namespace, and reads its counters and settings from
/// within. Give it a thread of its own.
#[derive(Debug)]
pub struct LiveSource {
    netns: u64,
    number: u64,
    diag: SockDiag,
    owners: OwnerScanner,
    counters: CounterReader,
    sysctls: SysctlReader,
    bound: Bound,
    pacer: Pacer,
    /// Processor time of this thread that earlier samples account for.
    charged: Duration,
    faults: FaultLog,
    host: Arc<Host>,
    tracer: Option<Tracer>,
    /// The trace is still to be started.
    trace_later: bool,
    sight: Sight,
    privileges: Arc<Privileges>,
    spare: SocketTable,
    text: Vec<u8>,
    _stays_here: PhantomData<*const ()>,
}

impl LiveSource {
    /// A source of samples as `config` says. The calling thread enters the network namespace and stays there.
    ///
    /// # Errors
    /// If the namespace cannot be entered, or the kernel cannot be asked at all. Everything less is a fault in the samples.
    pub fn new(config: &LiveConfig) -> Result<Self, SourceError> {
        // The settings of the host are out of sight in any but the first namespace: read them before.
        let sysctls = SysctlReader::default();
        let netns = netns::enter(&config.netns)?;
        let mut sight = Sight::find();
        let mut faults = FaultLog::default();
        let mut tracer = None;
        if config.trace == TraceStart::BeforeFirst {
            tracer = start_trace(&mut sight, &mut faults);
            // Once it answers, it knows all tasks. What it tells of the time before the first sample helps nobody.
            let _ = tracer.as_mut().and_then(Tracer::take);
        }
        let mut owners = OwnerScanner::new().map_err(SourceError::Proc)?;
        owners.set_reach(sight.reach());
        Ok(Self {
            netns,
            number: 0,
            diag: SockDiag::open().map_err(SourceError::SockDiag)?,
            owners,
            counters: CounterReader::default(),
            sysctls,
            bound: Bound::new(config.fresh_bound),
            pacer: Pacer::new(config.interval, config.budget),
            charged: clock::thread_cpu(),
            faults,
            tracer,
            trace_later: config.trace == TraceStart::AfterFirst,
            host: Arc::new(host()),
            privileges: Arc::new(sight.privileges(&crate::model::OwnerScan::default(), false, &[])),
            sight,
            spare: SocketTable::new(),
            text: Vec::new(),
            _stays_here: PhantomData,
        })
    }

    /// Looks at everything once. What could not be seen is a fault in the sample.
    pub fn sample(&mut self) -> Sample {
        if let Err(error) = self.owners.before() {
            self.faults.unreadable("/proc", &error);
        }
        let mut sockets = std::mem::take(&mut self.spare);
        sockets.clear();
        let dump_began = clock::since_boot();
        if self.bound.is_due(dump_began, self.pacer.allowance()) {
            self.dump_bound(dump_began);
        }
        let complete = self.dump(&mut sockets, Dump::All);
        let stamp = clock::stamp();
        let counters = self.counters.read(&mut self.faults);
        // The answer is ready by the time that the descriptors are read.
        if let Some(tracer) = &mut self.tracer {
            tracer.ask();
        }

        self.bound.add_to(&mut sockets, &self.owners);
        let (owners, searched) = self.owners.after(&mut sockets);
        self.bound.remember_held(&self.owners);
        if let Err(error) = searched {
            self.faults.unreadable("/proc", &error);
        }
        if let Some(trouble) = self.owners.take_trouble() {
            self.faults.count("/proc/PID/fd", FaultKind::Unreadable(trouble), 1);
        }
        let trace = self.take_trace();
        if let Some(batch) = &trace {
            // Those whose connections are short may hold none when they are looked for.
            self.owners.tell_of(processes_here(batch, self.netns).into_iter());
        }
        let sysctls = self.sysctls.read(stamp.since_boot, &mut self.faults);
        let limits = self.sysctls.limits(&counters, &sysctls, &mut self.faults);
        let privileges = self.sight.privileges(&owners.scan, owners.any_denied, &owners.unreadable);
        if privileges != *self.privileges {
            self.privileges = Arc::new(privileges);
        }
        if std::mem::take(&mut self.trace_later) {
            self.tracer = start_trace(&mut self.sight, &mut self.faults);
        }
        let number = self.number;
        self.number += 1;
        Sample {
            stamp,
            netns: self.netns,
            number,
            sockets,
            complete,
            processes: owners.processes,
            holders: owners.holders,
            scan: owners.scan,
            counters,
            sysctls,
            limits,
            cost: self.cost(stamp.since_boot.saturating_sub(dump_began)),
            faults: self.all_faults(trace.as_deref()),
            trace,
            host: self.host.clone(),
            privileges: self.privileges.clone(),
        }
    }

    /// The time from the beginning of one sample to that of the next, as the budget has it now.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.pacer.interval()
    }

    /// Asks for another interval from the next sample on.
    pub fn set_interval(&mut self, interval: Duration) {
        self.pacer.set_wanted(interval);
    }

    /// Asks for the sockets that are only bound in the next sample, whatever it costs.
    pub fn ask_for_bound(&mut self) {
        self.bound.ask();
    }

    /// Gives back the table of a sample that nobody needs any more: the next sample uses its memory.
    pub fn recycle(&mut self, table: SocketTable) {
        self.spare = table;
    }

    /// Dumps into `table`, counts what went wrong, and says whether it came to its end.
    fn dump(&mut self, table: &mut SocketTable, dump: Dump) -> bool {
        let result = self.diag.dump(table, dump);
        self.note(result)
    }

    /// Dumps the bound sockets; if that fails the last ones stay.
    fn dump_bound(&mut self, now: Duration) {
        let cpu_before = clock::thread_cpu();
        let mut fresh = SocketTable::new();
        let dumped = self.dump(&mut fresh, Dump::BoundInactive).then_some(fresh);
        self.bound.refresh(dumped, now, clock::thread_cpu().saturating_sub(cpu_before));
    }

    fn note(&mut self, result: Result<DumpReport, DumpError>) -> bool {
        match result {
            Ok(report) => {
                self.faults.count(SOCK_DIAG, FaultKind::Malformed, report.malformed);
                self.faults.count(SOCK_DIAG, FaultKind::Interrupted, report.interrupted.into());
                self.faults.count(SOCK_DIAG, FaultKind::Overrun, report.overrun.into());
                report.complete
            }
            Err(DumpError::Overrun) => {
                self.faults.count(SOCK_DIAG, FaultKind::Overrun, 1);
                false
            }
            Err(DumpError::Refused(error)) => {
                self.faults.count(SOCK_DIAG, FaultKind::Refused(error.to_string()), 1);
                false
            }
            Err(error @ DumpError::Timeout) => {
                self.faults.count(SOCK_DIAG, FaultKind::Refused(error.to_string()), 1);
                false
            }
        }
    }

    /// What the trace has to tell of all that happened before now. It never holds a sample up for long.
    fn take_trace(&mut self) -> Option<Arc<TraceBatch>> {
        let batch = self.tracer.as_mut()?.take();
        if batch.is_none() {
            self.faults.count(TRACE, FaultKind::Refused("it did not answer in time".to_owned()), 1);
        }
        batch.map(Arc::new)
    }

    /// The trace counts its own faults since its start.
    fn all_faults(&self, trace: Option<&TraceBatch>) -> Vec<Fault> {
        let mut all = self.faults.all();
        all.extend(trace.into_iter().flat_map(|batch| batch.faults.iter().cloned()));
        all
    }

    /// What this sample cost, and what was made of the one before: all that this thread did since.
    fn cost(&mut self, dump: Duration) -> Cost {
        let rss_bytes = self.rss_bytes();
        let now = clock::thread_cpu();
        let cpu = now.saturating_sub(std::mem::replace(&mut self.charged, now));
        let interval = self.pacer.note(cpu);
        Cost { cpu, dump, interval, rss_bytes }
    }

    fn rss_bytes(&mut self) -> u64 {
        let read = fs::File::open("/proc/self/statm")
            .and_then(|file| super::proc_root::read_to(&file.into(), &mut self.text, 4096));
        match read {
            Ok(()) => procfs::resident_pages(&self.text).unwrap_or(0) * rustix::param::page_size() as u64,
            Err(error) => {
                self.faults.unreadable("/proc/self/statm", &error);
                0
            }
        }
    }
}

/// The processes that opened or closed something in the namespace, and of which it is sure which they are.
fn processes_here(batch: &TraceBatch, netns: u64) -> BTreeSet<ProcKey> {
    let tasks = batch.events.iter().filter_map(|event| event.task.as_ref());
    let here = tasks.filter(|task| task.netns == Some(netns));
    let processes = here.filter_map(|task| batch.processes.get(task.process? as usize));
    processes.filter(|process| process.exact && !process.kernel).map(|process| process.key).collect()
}

/// Starts the trace. One that is not allowed is a privilege that is missing, one that fails otherwise is a fault.
fn start_trace(sight: &mut Sight, faults: &mut FaultLog) -> Option<Tracer> {
    match Tracer::start(None) {
        Ok(tracer) => Some(tracer),
        Err(error) => {
            if !error.is_denied() || !sight.miss_trace() {
                faults.count(TRACE, FaultKind::Refused(with_source(&error)), 1);
            }
            None
        }
    }
}

fn with_source(error: &TraceError) -> String {
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// The host, which does not change while we run (but for its name, which then is the one at our start).
fn host() -> Host {
    let uname = rustix::system::uname();
    Host {
        name: uname.nodename().to_string_lossy().into_owned(),
        kernel: uname.release().to_string_lossy().into_owned(),
        hz: clock::kernel_hz(),
    }
}
