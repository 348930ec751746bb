//! Samples of the running host.

use std::{fs, io, marker::PhantomData, sync::Arc, time::Duration};

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use super::{
    clock,
    counters::CounterReader,
    faults::FaultLog,
    netns::{self, NetnsChoice, NetnsError},
    owners::OwnerScanner,
    pacer::Pacer,
    privileges::Sight,
    sock_diag::{Dump, DumpError, DumpReport, SockDiag},
    sysctls::SysctlReader,
};
use crate::{
    model::{Cost, FaultKind, Host, Privileges, Sample, SocketTable},
    wire::procfs,
};

/// Bound sockets are dumped in every so manieth sample: the kernel needs as long for a few of them as for half the table.
const BOUND_EVERY: u64 = 5;

/// Where faults of the dump are counted.
pub const SOCK_DIAG: &str = "sock_diag";

/// What to look at, and how often.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveConfig {
    /// Which network namespace.
    pub netns: NetnsChoice,
    /// The time between samples, as long as the budget allows.
    pub interval: Duration,
    /// The share of one core that sampling may take, 0.05 for 5 %; 0 for no bound.
    pub budget: f64,
}

/// Our own namespace, once a second, in 5 % of a core.
impl Default for LiveConfig {
    fn default() -> Self {
        Self { netns: NetnsChoice::SelfNs, interval: Duration::from_secs(1), budget: 0.05 }
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
    faults: FaultLog,
    host: Arc<Host>,
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
        let sight = Sight::find();
        let mut owners = OwnerScanner::new().map_err(SourceError::Proc)?;
        owners.set_reach(sight.reach());
        Ok(Self {
            netns,
            number: 0,
            diag: SockDiag::open().map_err(SourceError::SockDiag)?,
            owners,
            counters: CounterReader::default(),
            sysctls,
            bound: Bound::default(),
            pacer: Pacer::new(config.interval, config.budget),
            faults: FaultLog::default(),
            host: Arc::new(host()),
            privileges: Arc::new(sight.privileges(&crate::model::OwnerScan::default(), false)),
            sight,
            spare: SocketTable::new(),
            text: Vec::new(),
            _stays_here: PhantomData,
        })
    }

    /// Looks at everything once. What could not be seen is a fault in the sample.
    pub fn sample(&mut self) -> Sample {
        let cpu_before = clock::thread_cpu();
        if let Err(error) = self.owners.before() {
            self.faults.unreadable("/proc", &error);
        }
        let mut sockets = std::mem::take(&mut self.spare);
        sockets.clear();
        let dump_began = clock::since_boot();
        if self.number.is_multiple_of(BOUND_EVERY) {
            self.dump_bound();
        }
        let complete = self.dump(&mut sockets, Dump::All);
        let stamp = clock::stamp();
        let counters = self.counters.read(&mut self.faults);

        self.bound.add_to(&mut sockets, &self.owners);
        let (owners, searched) = self.owners.after(&mut sockets);
        self.bound.remember_held(&self.owners);
        if let Err(error) = searched {
            self.faults.unreadable("/proc", &error);
        }
        if let Some(trouble) = self.owners.take_trouble() {
            self.faults.count("/proc/PID/fd", FaultKind::Unreadable(trouble), 1);
        }
        let sysctls = self.sysctls.read(stamp.since_boot, &mut self.faults);
        let limits = self.sysctls.limits(&counters, &sysctls, &mut self.faults);
        let privileges = self.sight.privileges(&owners.scan, owners.any_denied);
        if privileges != *self.privileges {
            self.privileges = Arc::new(privileges);
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
            cost: self.cost(cpu_before, stamp.since_boot.saturating_sub(dump_began)),
            faults: self.faults.all(),
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
    fn dump_bound(&mut self) {
        let mut fresh = SocketTable::new();
        if self.dump(&mut fresh, Dump::BoundInactive) {
            self.bound = Bound { sockets: fresh, held: HashSet::default() };
        }
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

    fn cost(&mut self, cpu_before: Duration, dump: Duration) -> Cost {
        let rss_bytes = self.rss_bytes();
        let cpu = clock::thread_cpu().saturating_sub(cpu_before);
        let interval = self.pacer.note(cpu);
        Cost { cpu, dump, interval, process_cpu: clock::process_cpu(), rss_bytes }
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

/// The bound sockets of the last dump that asked for them, carried from sample to sample.
#[derive(Debug, Default)]
struct Bound {
    sockets: SocketTable,
    /// Inodes of theirs that somebody held in the last sample.
    held: HashSet<u32, FixedState>,
}

impl Bound {
    /// Adds them to `table`, but for those that are there in another state by now, and those whose
    /// last holder has let go of them.
    fn add_to(&self, table: &mut SocketTable, owners: &OwnerScanner) {
        if self.sockets.is_empty() {
            return;
        }
        let mut ours: HashSet<u64, FixedState> = self.sockets.rows().iter().map(|row| row.cookie).collect();
        for row in table.rows() {
            ours.remove(&row.cookie);
        }
        for socket in self.sockets.iter().filter(|socket| ours.contains(&socket.row().cookie)) {
            let inode = socket.detail().map_or(0, |detail| detail.inode);
            if !self.held.contains(&inode) || owners.is_held(inode) {
                table.push_from(socket);
            }
        }
    }

    fn remember_held(&mut self, owners: &OwnerScanner) {
        let inodes = self.sockets.iter().filter_map(|socket| socket.detail()).map(|detail| detail.inode);
        // Added, never taken out: one that was held once and is not any more is closed.
        self.held.extend(inodes.filter(|&inode| owners.is_held(inode)));
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
