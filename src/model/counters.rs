//! Counters, settings and limits of a network namespace, under names that can be looked up.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// Counters and gauges at one instant. Names are those of `nstat` (`TcpActiveOpens`, `TcpExtTW`), and
/// `sockstat.TCP.tw`, `sockstat6.TCP6.inuse` for the two sockstat files. Gauges may go down.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters(Vec<(Arc<str>, u64)>);

impl Counters {
    /// Counters of pairs, sorted by name; of a name that occurs twice the last stays.
    #[must_use]
    pub fn new(mut pairs: Vec<(Arc<str>, u64)>) -> Self {
        pairs.reverse();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs.dedup_by(|later, first| later.0 == first.0);
        Self(pairs)
    }

    /// The value of `name`, `None` if this kernel does not have it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<u64> {
        let index = self.0.binary_search_by(|(n, _)| (**n).cmp(name)).ok()?;
        Some(self.0[index].1)
    }

    /// Every name and value, by name.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Arc<str>, u64)> {
        self.0.iter().map(|(name, value)| (name, *value))
    }

    /// By how much `name` grew since `earlier`, `None` if either lacks it or it went down.
    #[must_use]
    pub fn growth(&self, earlier: &Self, name: &str) -> Option<u64> {
        self.get(name)?.checked_sub(earlier.get(name)?)
    }

    /// Whether `name` is a gauge: a level that may go down, and so has no rate.
    #[must_use]
    pub fn is_gauge(name: &str) -> bool {
        name.starts_with("sockstat")
            || matches!(
                name,
                "TcpCurrEstab"
                    | "TcpRtoAlgorithm"
                    | "TcpRtoMin"
                    | "TcpRtoMax"
                    | "TcpMaxConn"
                    | "IpForwarding"
                    | "IpDefaultTTL"
            )
    }
}

/// Settings by their name as `sysctl` prints it (`net.ipv4.tcp_tw_reuse`); values trimmed, tabs as spaces.
pub type Sysctls = BTreeMap<String, String>;

/// A quantity that the kernel or a process bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// In use now.
    pub value: u64,
    /// The most there can be.
    pub max: u64,
}

/// Limits by name: `file-nr`, `tcp_max_tw_buckets`, `tcp_max_orphans`, `tcp_mem` (pages), `nf_conntrack`. A recording
/// may have others.
pub type Limits = BTreeMap<Cow<'static, str>, Limit>;
