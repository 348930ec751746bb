//! What other programs say about the sockets of a namespace.

use std::collections::{BTreeMap, BTreeSet};

use super::namespace::Namespace;

/// Sockets by state, under the kernel's names, as `ss` counts them. Bound sockets are not listed, or count as `CLOSE` (iproute2
/// that knows `-B`).
pub(crate) fn ss_states(namespace: &Namespace) -> BTreeMap<String, u64> {
    let mut states = BTreeMap::new();
    for line in namespace.output("ss", &["-H", "-t", "-a", "-n"]).lines() {
        let word = line.split_whitespace().next().expect("a line begins with the state");
        *states.entry(kernel_name(word).to_owned()).or_default() += 1;
    }
    states
}

/// Sockets whose addresses `ss` shows as IPv6 that is not mapped IPv4, listeners left out.
pub(crate) fn ss_ipv6(namespace: &Namespace) -> usize {
    let text = namespace.output("ss", &["-H", "-t", "-n", "-6", "state", "connected"]);
    text.lines().filter(|line| !line.contains("[::ffff:")).count()
}

/// The PIDs that hold each TCP socket, by the inode of the socket, as `lsof` sees them.
pub(crate) fn lsof_holders(namespace: &Namespace) -> BTreeMap<u64, BTreeSet<u64>> {
    let mut holders: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
    let mut pid = 0;
    // One field a line: p a process, d the "device" of a file, which for a socket is its inode.
    for line in namespace.output("lsof", &["-nP", "-iTCP", "-F", "pd"]).lines() {
        let (field, value) = line.split_at(1);
        match field {
            "p" => pid = value.parse().expect("a PID"),
            "d" => {
                holders.entry(value.parse().expect("an inode")).or_default().insert(pid);
            }
            _ => {}
        }
    }
    holders
}

/// A counter of `/proc/net/snmp` or `/proc/net/netstat`.
pub(crate) fn counter(namespace: &Namespace, group: &str, name: &str) -> u64 {
    let text = namespace.output("cat", &["/proc/net/snmp", "/proc/net/netstat"]);
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(group)?.strip_prefix(": "));
    let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
    let mut pairs = names.split(' ').zip(values.split(' '));
    let value = pairs.find(|(n, _)| *n == name).expect("a counter that every kernel has").1;
    value.parse().expect("a number")
}

fn kernel_name(ss: &str) -> &str {
    match ss {
        "ESTAB" => "ESTABLISHED",
        "SYN-SENT" => "SYN_SENT",
        "SYN-RECV" => "SYN_RECV",
        "FIN-WAIT-1" => "FIN_WAIT1",
        "FIN-WAIT-2" => "FIN_WAIT2",
        "TIME-WAIT" => "TIME_WAIT",
        "UNCONN" => "CLOSE",
        "CLOSE-WAIT" => "CLOSE_WAIT",
        "LAST-ACK" => "LAST_ACK",
        other => other,
    }
}
