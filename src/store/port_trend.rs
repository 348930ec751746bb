//! How the ports of the destinations that matter were used over time.

use std::net::IpAddr;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::{DestinationPorts, DestinationRow, Series, history::count_f32};
use crate::model::Endpoint;

/// One destination over time; both series have one value a sample and end at the newest.
#[derive(Debug, Clone, Default)]
pub struct PortTrend {
    /// Usable ports that a new connection to it could not have, by what is known for sure.
    pub gone: Series,
    /// Ports that the kernel may pick.
    pub usable: Series,
    /// For how many samples it has had no row.
    absent: usize,
}

/// The destinations that have the fewest ports left. One that is followed stays so until it has had no row for two
/// minutes' worth of samples, or there is no room and another has twice as many ports gone.
#[derive(Debug, Clone, Default)]
pub(super) struct PortTrends(HashMap<(IpAddr, Endpoint), PortTrend, FixedState>);

impl PortTrend {
    /// How many percent of the usable ports were gone over time; `None` where that
    /// is not known.
    #[must_use]
    pub fn percent(&self) -> Series {
        let mut percent = Series::default();
        let values = self.gone.last(Series::CAPACITY).zip(self.usable.last(Series::CAPACITY));
        for (gone, usable) in values {
            percent.push(gone.zip(usable).filter(|(_, usable)| *usable > 0.0).map(|(g, u)| g * 100.0 / u));
        }
        percent
    }

    fn push(&mut self, ports: Option<DestinationPorts>) {
        let gone = |ports: DestinationPorts| ports.usable.saturating_sub(ports.left.max);
        self.gone.push(ports.map(gone).map(count_f32));
        self.usable.push(ports.map(|ports| count_f32(ports.usable)));
    }

    fn weight(&self) -> f32 {
        self.gone.newest().unwrap_or(0.0)
    }
}

impl PortTrends {
    /// At most so many are followed.
    pub(super) const MOST: usize = 32;
    /// For so many samples one may have no row.
    const PATIENCE: usize = 120;

    pub(super) fn get(&self, source: IpAddr, peer: Endpoint) -> Option<&PortTrend> {
        self.0.get(&(source, peer))
    }

    /// Adds the newest sample; of one that broke off nothing is known.
    pub(super) fn push(&mut self, rows: &[DestinationRow], complete: bool) {
        let known = |row: &DestinationRow| row.ports.filter(|_| complete);
        self.0.values_mut().for_each(|trend| trend.absent += 1);
        let mut others = Vec::new();
        for row in rows {
            match self.0.get_mut(&(row.source, row.peer)) {
                Some(trend) => {
                    trend.push(known(row));
                    trend.absent = 0;
                }
                None => others.extend(known(row).map(|ports| (row, ports))),
            }
        }
        self.0.values_mut().filter(|trend| trend.absent > 0).for_each(|trend| trend.push(None));
        self.0.retain(|_, trend| trend.absent <= Self::PATIENCE);
        others.sort_by_key(|(row, ports)| (ports.left.max, row.source, row.peer));
        for (row, ports) in others {
            let mut trend = PortTrend::default();
            trend.push(Some(ports));
            if !self.make_room(trend.weight()) {
                break;
            }
            self.0.insert((row.source, row.peer), trend);
        }
    }

    /// Makes room for one of which so many ports are gone, if it is worth it.
    fn make_room(&mut self, gone: f32) -> bool {
        if self.0.len() < Self::MOST {
            return true;
        }
        let least = self.0.iter().min_by(|a, b| a.1.weight().total_cmp(&b.1.weight()).then(b.0.cmp(a.0)));
        let Some((&least, trend)) = least else { return false };
        let worth_it = gone > 2.0 * trend.weight();
        if worth_it {
            self.0.remove(&least);
        }
        worth_it
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::store::{Doubt, PortsLeft};

    const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn peer(port: u16) -> Endpoint {
        Endpoint::new(SOURCE, port)
    }

    fn row(port: u16, gone: u32) -> DestinationRow {
        let left = PortsLeft { min: 0, max: 1000 - gone, doubt: Doubt::default() };
        let ports = DestinationPorts {
            left,
            capacity: 1000,
            usable: 1000,
            blocked: gone,
            slow: None,
            crowded: false,
            holds_s: 62.0,
        };
        DestinationRow {
            source: SOURCE,
            peer: peer(port),
            taken: gone,
            time_wait: 0,
            opened: 0,
            closed: 0,
            ports: Some(ports),
            forecast: None,
            change: None,
        }
    }

    #[test]
    fn what_is_not_known_is_a_gap() {
        let mut uses = PortTrends::default();
        uses.push(&[row(1, 100)], true);
        uses.push(&[row(1, 200)], false);
        uses.push(&[], true);
        uses.push(&[row(1, 500), DestinationRow { ports: None, ..row(2, 900) }], true);
        let percent = uses.get(SOURCE, peer(1)).expect("followed").percent();
        assert_eq!(percent.last(9).collect::<Vec<_>>(), [Some(10.0), None, None, Some(50.0)]);
        assert!(uses.get(SOURCE, peer(2)).is_none(), "nothing is known of it");
    }

    #[test]
    fn the_worst_are_followed_and_those_that_went_make_room() {
        let mut uses = PortTrends::default();
        let many: Vec<_> = (1..40).map(|port| row(port, 100 + u32::from(port))).collect();
        uses.push(&many, true);
        assert_eq!(uses.0.len(), PortTrends::MOST);
        assert!(uses.get(SOURCE, peer(39)).is_some() && uses.get(SOURCE, peer(1)).is_none());
        // Nearly as bad is not worth a past; far worse is.
        uses.push(&[&many[..], &[row(50, 150)]].concat(), true);
        assert!(uses.get(SOURCE, peer(50)).is_none());
        uses.push(&[&many[..], &[row(51, 900)]].concat(), true);
        assert_eq!(uses.get(SOURCE, peer(51)).map(|trend| trend.gone.len()), Some(1));
        assert_eq!(uses.0.len(), PortTrends::MOST);
        (0..=PortTrends::PATIENCE).for_each(|_| uses.push(&[], true));
        assert!(uses.0.is_empty());
    }
}
