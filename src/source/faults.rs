//! Faults counted since the start.

use std::io;

use crate::model::{Fault, FaultKind};

/// Kinds of faults that are told apart; a further one is counted under the last.
const KINDS: usize = 64;

/// What went wrong, each kind once with its count.
#[derive(Debug, Default)]
pub(super) struct FaultLog(Vec<Fault>);

impl FaultLog {
    /// Counts `times` more faults of `kind` at `place`.
    pub(super) fn count(&mut self, place: &str, kind: FaultKind, times: u64) {
        if times == 0 {
            return;
        }
        if let Some(known) = self.0.iter_mut().find(|known| known.place == place && known.kind == kind) {
            known.count += times;
        } else if self.0.len() < KINDS {
            self.0.push(Fault { place: place.to_owned(), kind, count: times });
        } else if let Some(last) = self.0.last_mut() {
            last.count += times;
        }
    }

    /// Counts a file that could not be read.
    pub(super) fn unreadable(&mut self, place: &str, error: &io::Error) {
        self.count(place, FaultKind::Unreadable(error.to_string()), 1);
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Fault> {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_faults_are_counted_together() {
        let mut log = FaultLog::default();
        log.count("sock_diag", FaultKind::Malformed, 2);
        log.count("sock_diag", FaultKind::Interrupted, 0);
        log.count("sock_diag", FaultKind::Malformed, 1);
        log.unreadable("/proc/net/snmp", &io::Error::from_raw_os_error(13));
        let all = log.all();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0], Fault { place: "sock_diag".to_owned(), kind: FaultKind::Malformed, count: 3 });
        assert_eq!(all[1].count, 1);
    }

    #[test]
    fn an_endless_variety_of_faults_is_bounded() {
        let mut log = FaultLog::default();
        for n in 0..1000 {
            log.count("x", FaultKind::Refused(n.to_string()), 1);
        }
        assert_eq!(log.all().len(), KINDS);
        assert_eq!(log.all().iter().map(|fault| fault.count).sum::<u64>(), 1000);
    }
}
