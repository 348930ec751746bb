//! The network namespace: entering it, its addresses, routes and settings, and what it counts.

use std::{
    fs,
    io::{self, Write as _},
    net::{Ipv4Addr, Ipv6Addr},
    os::unix::{fs::MetadataExt as _, process::CommandExt as _},
    process::{Command, Stdio},
};

use crate::plan::EPHEMERAL_LOW;

/// Set in the environment once inside.
const INSIDE: &str = "TWTOP_LOAD_INSIDE";
/// Ours; what is sent from it to its network (TEST-NET-2, RFC 5737) vanishes in the loopback device.
pub(crate) const BLACK_HOLE_SOURCE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// Addresses that never answer: the host part is to be added.
pub(crate) const BLACK_HOLE_V4: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 0);
/// All of `fd74:7770::/64` is ours.
pub(crate) const LOCAL_V6: Ipv6Addr = Ipv6Addr::new(0xfd74, 0x7770, 0, 0, 0, 0, 0, 0);

/// Goes on in a fresh network namespace: returns inside it, or does not return at all.
///
/// `unshare(1)` does it, before this program has any thread: with a user namespace unless we may do without.
pub(crate) fn enter() -> Result<(), String> {
    if std::env::var_os(INSIDE).is_some() {
        return Ok(());
    }
    let capable = caps::has_cap(None, caps::CapSet::Effective, caps::Capability::CAP_SYS_ADMIN);
    let how: &[&str] =
        if capable.unwrap_or(false) { &["--net"] } else { &["--user", "--map-root-user", "--net"] };
    let own = std::env::current_exe().map_err(|e| format!("cannot find this program: {e}"))?;
    let mut command = Command::new("unshare");
    command.args(how).arg("--").arg(own).args(std::env::args_os().skip(1)).env(INSIDE, "1");
    Err(format!("cannot run unshare (package util-linux): {}", command.exec()))
}

/// Brings the loopback device up and lays an address, a black hole, a network of our own and settings.
pub(crate) fn furnish() -> Result<(), String> {
    ip(&format!(
        "link set lo up\n\
         address add {BLACK_HOLE_SOURCE}/32 dev lo\n\
         route add {BLACK_HOLE_V4}/24 dev lo\n\
         route add local {LOCAL_V6}/64 dev lo\n"
    ))?;
    let settings = [
        ("ipv4/ip_local_port_range", format!("{EPHEMERAL_LOW} 65535")),
        ("ipv4/tcp_max_tw_buckets", "2000000".to_owned()),
        // A TIME_WAIT that a later connect() takes over would be one too few.
        ("ipv4/tcp_tw_reuse", "0".to_owned()),
        // So would one that a reset ends, the answer to a FIN that a busy machine repeats (RFC 1337).
        ("ipv4/tcp_rfc1337", "1".to_owned()),
        // Half-open connections stay for minutes.
        ("ipv4/tcp_syn_retries", "30".to_owned()),
        ("ipv4/tcp_synack_retries", "30".to_owned()),
        ("ipv4/tcp_max_syn_backlog", "4096".to_owned()),
        ("ipv4/tcp_syncookies", "0".to_owned()),
        ("core/somaxconn", "4096".to_owned()),
    ];
    settings.iter().try_for_each(|(name, value)| set(name, value))
}

/// How long, in seconds, a `FIN_WAIT2` of a closed descriptor lives from now on.
pub(crate) fn set_fin_timeout(seconds: u32) -> Result<(), String> {
    set("ipv4/tcp_fin_timeout", &seconds.to_string())
}

/// The inode of this namespace.
pub(crate) fn inode() -> io::Result<u64> {
    fs::metadata("/proc/self/ns/net").map(|m| m.ino())
}

/// What the kernel counts in this namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    /// Mini-sockets: `TIME_WAIT` and the `FIN_WAIT2` of a closed descriptor.
    pub(crate) mini: u32,
    /// Full sockets that are listening or connected, both families; bound and half-open ones do not count.
    pub(crate) full: u32,
}

/// Reads `sockstat` and `sockstat6`.
pub(crate) fn counted() -> Result<Counted, String> {
    let number = |file: &str, line: &str, key: &str| {
        let path = format!("/proc/self/net/{file}");
        let text = fs::read_to_string(&path).map_err(|e| format!("cannot read {path}: {e}"))?;
        let words = text.lines().find_map(|l| l.strip_prefix(line)).unwrap_or_default();
        let mut words = words.split_whitespace().skip_while(|w| *w != key).skip(1);
        words.next().and_then(|n| n.parse::<u32>().ok()).ok_or_else(|| format!("no {key} in {path}"))
    };
    let full = number("sockstat", "TCP:", "inuse")? + number("sockstat6", "TCP6:", "inuse")?;
    Ok(Counted { mini: number("sockstat", "TCP:", "tw")?, full })
}

fn set(name: &str, value: &str) -> Result<(), String> {
    let path = format!("/proc/sys/net/{name}");
    fs::write(&path, value).map_err(|e| format!("cannot write {value} to {path}: {e}"))
}

fn ip(batch: &str) -> Result<(), String> {
    let failed = |e: io::Error| format!("cannot run ip (package iproute2): {e}");
    let mut child = Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).spawn().map_err(failed)?;
    let mut input = child.stdin.take().expect("its input is a pipe");
    input.write_all(batch.as_bytes()).map_err(failed)?;
    drop(input);
    let status = child.wait().map_err(failed)?;
    if status.success() { Ok(()) } else { Err("ip refused an address or a route".to_owned()) }
}
