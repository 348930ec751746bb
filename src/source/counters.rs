//! The counters of the calling thread's network namespace.

use std::{
    fs::File,
    io::{self, Read as _},
    path::PathBuf,
    sync::Arc,
};

use super::faults::FaultLog;
use crate::{
    model::{Counters, FaultKind},
    wire::net_counters::{self, Malformed},
};

/// The files below `/proc/thread-self/net`, how they are written, and what their names begin with.
const FILES: [(&str, Form); 4] = [
    ("snmp", Form::Pairs),
    ("netstat", Form::Pairs),
    ("sockstat", Form::Sockstat("sockstat.")),
    ("sockstat6", Form::Sockstat("sockstat6.")),
];

#[derive(Debug, Clone, Copy)]
enum Form {
    /// Group and name become one word, as `nstat` prints it: `TcpActiveOpens`.
    Pairs,
    /// A prefix, the group, a dot, the name: `sockstat.TCP.tw`.
    Sockstat(&'static str),
}

/// Reads the counters, about 300, in some 60 µs. The names are made once and shared by all samples.
#[derive(Debug)]
pub struct CounterReader {
    dir: PathBuf,
    text: String,
    names: Vec<Arc<str>>,
}

impl Default for CounterReader {
    fn default() -> Self {
        Self::of("/proc/thread-self/net".into())
    }
}

impl CounterReader {
    /// A reader of files in `dir`, which has the form of `/proc/net`.
    #[must_use]
    pub fn of(dir: PathBuf) -> Self {
        Self { dir, text: String::new(), names: Vec::new() }
    }

    /// Reads them all. What cannot be read is a fault; without IPv6 there is no `sockstat6`, which is none.
    pub(super) fn read(&mut self, faults: &mut FaultLog) -> Counters {
        let mut pairs = Vec::with_capacity(self.names.len());
        for (file, form) in FILES {
            let place = || format!("/proc/net/{file}");
            match self.read_file(file, form, &mut pairs) {
                Ok(Ok(())) => {}
                Ok(Err(Malformed)) => faults.count(&place(), FaultKind::Malformed, 1),
                Err(error) if file == "sockstat6" && error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => faults.unreadable(&place(), &error),
            }
        }
        Counters::new(pairs)
    }

    fn read_file(
        &mut self,
        file: &str,
        form: Form,
        pairs: &mut Vec<(Arc<str>, u64)>,
    ) -> io::Result<Result<(), Malformed>> {
        self.text.clear();
        File::open(self.dir.join(file))?.read_to_string(&mut self.text)?;
        let names = &mut self.names;
        Ok(match form {
            Form::Pairs => net_counters::paired(&self.text, |group, name, value| {
                pairs.push((name_at(names, pairs.len(), [group, name, "", ""]), value));
            }),
            Form::Sockstat(prefix) => net_counters::sockstat(&self.text, |group, name, value| {
                pairs.push((name_at(names, pairs.len(), [prefix, group, ".", name]), value));
            }),
        })
    }
}

/// The name made of `parts`, taken from `names` if it is the one at `place` already: the kernel writes the same names
/// in the same order each time.
fn name_at(names: &mut Vec<Arc<str>>, place: usize, parts: [&str; 4]) -> Arc<str> {
    if let Some(known) = names.get(place)
        && is_concatenation(known, parts)
    {
        return known.clone();
    }
    let name: Arc<str> = parts.concat().into();
    names.truncate(place);
    names.push(name.clone());
    name
}

fn is_concatenation(name: &str, parts: [&str; 4]) -> bool {
    let rest = parts.iter().try_fold(name, |rest, part| rest.strip_prefix(part));
    rest.is_some_and(str::is_empty)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn names_are_those_of_nstat_and_are_made_once() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("snmp"), "Tcp: MaxConn ActiveOpens\nTcp: -1 84\n").expect("writable");
        fs::write(dir.path().join("netstat"), "TcpExt: TW\nTcpExt: 5\n").expect("writable");
        fs::write(dir.path().join("sockstat"), "TCP: inuse 1 tw 2\n").expect("writable");
        let (mut reader, mut faults) = (CounterReader::of(dir.path().into()), FaultLog::default());
        let first = reader.read(&mut faults);
        assert_eq!(first.get("TcpActiveOpens"), Some(84));
        assert_eq!(first.get("TcpExtTW"), Some(5));
        assert_eq!(first.get("sockstat.TCP.tw"), Some(2));
        assert_eq!(first.get("TcpMaxConn"), None);
        let second = reader.read(&mut faults);
        assert!(first.iter().zip(second.iter()).all(|((a, _), (b, _))| Arc::ptr_eq(a, b)));
        assert!(faults.all().is_empty());

        fs::write(dir.path().join("netstat"), "TcpExt: TWKilled TW\nTcpExt: 1 6\n").expect("writable");
        let third = reader.read(&mut faults);
        assert_eq!((third.get("TcpExtTW"), third.get("TcpExtTWKilled")), (Some(6), Some(1)));
        assert_eq!(third.get("sockstat.TCP.tw"), Some(2));
    }

    #[test]
    fn what_cannot_be_read_is_a_fault() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join("snmp"), "Tcp: A B\nTcp: 1\n").expect("writable");
        let mut faults = FaultLog::default();
        CounterReader::of(dir.path().into()).read(&mut faults);
        let places: Vec<_> = faults.all().into_iter().map(|fault| fault.place).collect();
        assert_eq!(places, ["/proc/net/snmp", "/proc/net/netstat", "/proc/net/sockstat"]);
    }
}
