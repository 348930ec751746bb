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
    /// Within the range, in order, apart from each other.
    reserved_ranges: Vec<(u16, u16)>,
}

impl PortRange {
    /// The range according to the settings of a sample; `None` if they were not readable.
    #[must_use]
    pub fn from_sysctls(sysctls: &Sysctls) -> Option<Self> {
        let mut ends = sysctls.get("net.ipv4.ip_local_port_range")?.split_whitespace();
        let low: u16 = ends.next()?.parse().ok()?;
        let high: u16 = ends.next()?.parse().ok()?;
        if low > high || ends.next().is_some() {
            return None;
        }
        let reserved_ranges = match sysctls.get("net.ipv4.ip_local_reserved_ports") {
            Some(list) => merged(parse_list(list)?, low, high),
            None => Vec::new(),
        };
        let size = |&(low, high): &(u16, u16)| u32::from(high - low) + 1;
        let reserved = reserved_ranges.iter().map(size).sum();
        let usable = size(&(low, high)) - reserved;
        Some(Self { low, high, reserved, usable, reserved_ranges })
    }

    /// Whether the kernel may pick `port` by itself.
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        let inside = |&(low, high): &(u16, u16)| (low..=high).contains(&port);
        (self.low..=self.high).contains(&port) && !self.reserved_ranges.iter().any(inside)
    }

    /// The ports that the kernel may pick, for many look-ups.
    pub(super) fn to_set(&self) -> PortSet {
        let mut set = PortSet::default();
        (self.low..=self.high).for_each(|port| set.insert(port));
        for &(low, high) in &self.reserved_ranges {
            (low..=high).for_each(|port| set.remove(port));
        }
        set
    }
}

/// Ports and ranges of ports between commas, as `/proc` writes them; `None` if it is anything else.
fn parse_list(list: &str) -> Option<Vec<(u16, u16)>> {
    let range = |item: &str| {
        let (low, high) = item.split_once('-').unwrap_or((item, item));
        Some((low.trim().parse().ok()?, high.trim().parse().ok()?))
    };
    list.split(',').map(str::trim).filter(|item| !item.is_empty()).map(range).collect()
}

/// `ranges` cut to `low..=high`, sorted, those that overlap or touch made one.
fn merged(mut ranges: Vec<(u16, u16)>, low: u16, high: u16) -> Vec<(u16, u16)> {
    ranges.sort_unstable();
    let mut merged: Vec<(u16, u16)> = Vec::new();
    for (from, to) in ranges {
        let (from, to) = (from.max(low), to.min(high));
        match merged.last_mut() {
            _ if from > to => {}
            Some(last) if from <= last.1.saturating_add(1) => last.1 = last.1.max(to),
            _ => merged.push((from, to)),
        }
    }
    merged
}

/// A set of ports: one bit each, 8 KiB.
#[derive(Debug, Clone)]
pub(super) struct PortSet(Box<[u64; 1024]>);

impl Default for PortSet {
    fn default() -> Self {
        Self(Box::new([0; 1024]))
    }
}

impl PortSet {
    #[inline]
    pub(super) fn insert(&mut self, port: u16) {
        self.0[usize::from(port / 64)] |= 1 << (port % 64);
    }

    fn remove(&mut self, port: u16) {
        self.0[usize::from(port / 64)] &= !(1 << (port % 64));
    }

    #[inline]
    pub(super) fn contains(&self, port: u16) -> bool {
        self.0[usize::from(port / 64)] & (1 << (port % 64)) != 0
    }

    /// Keeps the ports for which `keep` says so.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(u16) -> bool) {
        (0..=u16::MAX).filter(|&port| !keep(port)).for_each(|port| self.remove(port));
    }

    /// How many ports there are.
    pub(super) fn count(&self) -> u32 {
        self.0.iter().map(|word| word.count_ones()).sum()
    }

    /// Adds all ports of `other`.
    pub(super) fn insert_all(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(word, more)| *word |= more);
    }

    /// Whether there is a port that is in all three.
    pub(super) fn has_common(&self, second: &Self, third: &Self) -> bool {
        let words = self.0.iter().zip(second.0.iter()).zip(third.0.iter());
        words.into_iter().any(|((a, b), c)| a & b & c != 0)
    }

    /// How many ports are in both.
    pub(super) fn common(&self, other: &Self) -> u32 {
        self.0.iter().zip(other.0.iter()).map(|(a, b)| (a & b).count_ones()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(ports: &str, reserved: Option<&str>) -> Option<PortRange> {
        let mut sysctls = Sysctls::new();
        sysctls.insert("net.ipv4.ip_local_port_range".to_owned(), ports.to_owned());
        if let Some(reserved) = reserved {
            sysctls.insert("net.ipv4.ip_local_reserved_ports".to_owned(), reserved.to_owned());
        }
        PortRange::from_sysctls(&sysctls)
    }

    #[test]
    fn reserved_ports_count_once_and_only_inside_the_range() {
        let plain = range("32768 60999", Some("")).expect("readable");
        assert_eq!((plain.low, plain.high, plain.reserved, plain.usable), (32768, 60999, 0, 28232));

        let list = "8080,32760-32769,40000,39999-40001,40001-40003,60990-65535";
        let cut = range("32768 60999", Some(list)).expect("readable");
        assert_eq!((cut.reserved, cut.usable), (2 + 5 + 10, 28232 - 17));
        for (port, usable) in
            [(8080, false), (32769, false), (32770, true), (40002, false), (40004, true), (60990, false)]
        {
            assert_eq!(cut.contains(port), usable, "{port}");
            assert_eq!(cut.to_set().contains(port), usable, "{port}");
        }
        assert_eq!(cut.to_set().count(), cut.usable);
    }

    #[test]
    fn a_range_may_be_everything_or_one_port() {
        let all = range("1 65535", Some("1-65535")).expect("readable");
        assert_eq!((all.reserved, all.usable), (65535, 0));
        assert_eq!(range("5 5", None).expect("readable").usable, 1);
    }

    #[test]
    fn what_cannot_be_read_is_not_guessed() {
        for ports in ["", "32768", "9 8", "a b", "1 2 3", "1 70000"] {
            assert_eq!(range(ports, None), None, "{ports}");
        }
        assert_eq!(range("1 2", Some("x")), None);
        assert_eq!(PortRange::from_sysctls(&Sysctls::new()), None);
    }
}
