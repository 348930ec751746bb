//! The settings that decide how TCP behaves, and the limits that it can run into.

use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};

use super::faults::FaultLog;
use crate::model::{Counters, FaultKind, Limit, Limits, Sysctls};

/// How long settings are taken to stay as they are.
const KEPT: Duration = Duration::from_secs(5);

/// Settings of each network namespace, as paths below `/proc/sys`.
const OF_NAMESPACE: &[&str] = &[
    "net/core/somaxconn",
    "net/ipv4/ip_autobind_reuse",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/ip_local_reserved_ports",
    "net/ipv4/ip_nonlocal_bind",
    "net/ipv4/ip_unprivileged_port_start",
    "net/ipv4/tcp_abort_on_overflow",
    "net/ipv4/tcp_congestion_control",
    "net/ipv4/tcp_fin_timeout",
    "net/ipv4/tcp_keepalive_intvl",
    "net/ipv4/tcp_keepalive_probes",
    "net/ipv4/tcp_keepalive_time",
    "net/ipv4/tcp_max_syn_backlog",
    "net/ipv4/tcp_max_tw_buckets",
    "net/ipv4/tcp_mtu_probing",
    "net/ipv4/tcp_orphan_retries",
    "net/ipv4/tcp_retries1",
    "net/ipv4/tcp_retries2",
    "net/ipv4/tcp_rfc1337",
    "net/ipv4/tcp_rmem",
    "net/ipv4/tcp_syn_retries",
    "net/ipv4/tcp_synack_retries",
    "net/ipv4/tcp_syncookies",
    "net/ipv4/tcp_timestamps",
    "net/ipv4/tcp_tw_reuse",
    "net/ipv4/tcp_tw_reuse_delay",
    "net/ipv4/tcp_wmem",
    "net/netfilter/nf_conntrack_max",
    "net/netfilter/nf_conntrack_tcp_timeout_established",
    "net/netfilter/nf_conntrack_tcp_timeout_time_wait",
];

/// Settings of the whole host. Those of `net` can only be read in its first network namespace.
const OF_HOST: &[&str] = &["fs/file-max", "fs/nr_open", "net/ipv4/tcp_max_orphans", "net/ipv4/tcp_mem"];

/// Reads settings, seldom, and shares them between samples while they do not change.
#[derive(Debug)]
pub struct SysctlReader {
    root: PathBuf,
    host: Sysctls,
    current: Arc<Sysctls>,
    read_at: Option<Duration>,
}

impl Default for SysctlReader {
    fn default() -> Self {
        Self::of("/proc/sys".into())
    }
}

impl SysctlReader {
    /// A reader of files below `root`, which has the form of `/proc/sys`. Reads the host's settings: make it before the thread
    /// enters another network namespace.
    #[must_use]
    pub fn of(root: PathBuf) -> Self {
        let mut reader = Self { root, host: Sysctls::new(), current: Arc::default(), read_at: None };
        let mut host = Sysctls::new();
        reader.collect(OF_HOST, &mut host, &mut FaultLog::default());
        reader.host = host;
        reader
    }

    /// The names of all settings that are read where they are there, as `sysctl` prints them.
    pub fn names() -> impl Iterator<Item = String> {
        OF_NAMESPACE.iter().chain(OF_HOST).map(|path| path.replace('/', "."))
    }

    /// The settings, read in the calling thread's network namespace unless that was done in the last 5 s.
    ///
    /// A setting that this kernel does not have is left out; one that may not be read is a fault.
    pub(super) fn read(&mut self, since_boot: Duration, faults: &mut FaultLog) -> Arc<Sysctls> {
        let due = self.read_at.is_none_or(|at| since_boot.saturating_sub(at) >= KEPT);
        if due {
            self.read_at = Some(since_boot);
            let mut fresh = self.host.clone();
            self.collect(OF_HOST, &mut fresh, faults);
            self.collect(OF_NAMESPACE, &mut fresh, faults);
            if fresh != *self.current {
                self.current = Arc::new(fresh);
            }
        }
        self.current.clone()
    }

    fn collect(&self, names: &[&str], into: &mut Sysctls, faults: &mut FaultLog) {
        for name in names {
            match fs::read(self.root.join(name)) {
                Ok(value) => {
                    let value = String::from_utf8_lossy(&value).trim().replace('\t', " ");
                    into.insert(name.replace('/', "."), value);
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => faults.unreadable(&format!("/proc/sys/{name}"), &error),
            }
        }
    }

    /// The limits and how near they are.
    pub(super) fn limits(&self, counters: &Counters, sysctls: &Sysctls, faults: &mut FaultLog) -> Limits {
        let mut limits = Limits::new();
        let setting = |name: &str, word: usize| {
            sysctls.get(name).and_then(|value| value.split_ascii_whitespace().nth(word)?.parse().ok())
        };
        let of_counter = [
            ("tcp_max_tw_buckets", "sockstat.TCP.tw", "net.ipv4.tcp_max_tw_buckets", 0),
            ("tcp_max_orphans", "sockstat.TCP.orphan", "net.ipv4.tcp_max_orphans", 0),
            ("tcp_mem", "sockstat.TCP.mem", "net.ipv4.tcp_mem", 2),
        ];
        for (limit, counter, name, word) in of_counter {
            if let (Some(value), Some(max)) = (counters.get(counter), setting(name, word)) {
                limits.insert(limit.into(), Limit { value, max });
            }
        }
        // Without a maximum there is no such table, and no need to look for its count.
        if let Some(max) = setting("net.netfilter.nf_conntrack_max", 0)
            && let Some([value]) = self.figures("net/netfilter/nf_conntrack_count", faults)
        {
            limits.insert("nf_conntrack".into(), Limit { value, max });
        }
        // Allocated, free (0 since Linux 2.6), the most.
        if let Some([value, _, max]) = self.figures("fs/file-nr", faults) {
            limits.insert("file-nr".into(), Limit { value, max });
        }
        limits
    }

    /// The first `N` figures of a file.
    fn figures<const N: usize>(&self, name: &str, faults: &mut FaultLog) -> Option<[u64; N]> {
        let place = || format!("/proc/sys/{name}");
        match fs::read_to_string(self.root.join(name)) {
            Ok(text) => {
                let words = text.split_ascii_whitespace().map_while(|word| word.parse().ok());
                let figures = words.take(N).collect::<Vec<u64>>().try_into().ok();
                faults.count(&place(), FaultKind::Malformed, u64::from(figures.is_none()));
                figures
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                faults.unreadable(&place(), &error);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().expect("has a parent")).expect("can be made");
            fs::write(path, text).expect("writable");
        }
        dir
    }

    #[test]
    fn values_are_trimmed_and_shared_while_they_stay() {
        let dir = tree(&[
            ("net/ipv4/ip_local_port_range", "32768\t60999\n"),
            ("net/ipv4/ip_local_reserved_ports", "\n"),
            ("net/ipv4/tcp_mem", "1\t2\t3\n"),
        ]);
        let (mut reader, mut faults) = (SysctlReader::of(dir.path().into()), FaultLog::default());
        let first = reader.read(Duration::from_secs(100), &mut faults);
        assert_eq!(first.get("net.ipv4.ip_local_port_range").map(String::as_str), Some("32768 60999"));
        assert_eq!(first.get("net.ipv4.ip_local_reserved_ports").map(String::as_str), Some(""));
        assert_eq!(first.get("net.ipv4.tcp_tw_reuse"), None);

        let port_range = dir.path().join("net/ipv4/ip_local_port_range");
        fs::write(port_range, "1024\t2048\n").expect("writable");
        let kept = reader.read(Duration::from_secs(104), &mut faults);
        assert!(Arc::ptr_eq(&first, &kept));
        let changed = reader.read(Duration::from_secs(105), &mut faults);
        assert_eq!(changed.get("net.ipv4.ip_local_port_range").map(String::as_str), Some("1024 2048"));
        let same = reader.read(Duration::from_secs(110), &mut faults);
        assert!(Arc::ptr_eq(&changed, &same));
        assert!(faults.all().is_empty());
    }

    #[test]
    fn what_only_the_first_namespace_shows_is_kept_in_another() {
        let dir = tree(&[("net/ipv4/tcp_max_orphans", "8192\n")]);
        let mut reader = SysctlReader::of(dir.path().into());
        fs::remove_file(dir.path().join("net/ipv4/tcp_max_orphans")).expect("was there");
        let sysctls = reader.read(Duration::ZERO, &mut FaultLog::default());
        assert_eq!(sysctls.get("net.ipv4.tcp_max_orphans").map(String::as_str), Some("8192"));
    }

    #[test]
    fn limits_come_from_both_sides() {
        let dir = tree(&[
            ("net/ipv4/tcp_max_tw_buckets", "100\n"),
            ("net/ipv4/tcp_mem", "1\t2\t3\n"),
            ("net/netfilter/nf_conntrack_max", "262144\n"),
            ("net/netfilter/nf_conntrack_count", "7\n"),
            ("fs/file-nr", "1234\t0\t99999\n"),
        ]);
        let (mut reader, mut faults) = (SysctlReader::of(dir.path().into()), FaultLog::default());
        let sysctls = reader.read(Duration::ZERO, &mut faults);
        let counters = Counters::new(vec![("sockstat.TCP.tw".into(), 90), ("sockstat.TCP.mem".into(), 2)]);
        let limits = reader.limits(&counters, &sysctls, &mut faults);
        let want = [
            ("file-nr", Limit { value: 1234, max: 99999 }),
            ("nf_conntrack", Limit { value: 7, max: 262_144 }),
            ("tcp_max_tw_buckets", Limit { value: 90, max: 100 }),
            ("tcp_mem", Limit { value: 2, max: 3 }),
        ]
        .map(|(name, limit)| (name.into(), limit));
        assert_eq!(limits.into_iter().collect::<Vec<_>>(), want);
        assert!(faults.all().is_empty());
    }
}
