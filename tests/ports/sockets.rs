//! Sockets in every state, made with plain system calls inside a namespace of our own.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    os::fd::OwnedFd,
    process::Command,
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{AddressFamily, RecvFlags, Shutdown, SocketFlags, SocketType, ipproto, sockopt},
};

/// Where our listeners are, below every range: both families, with both kinds of sockets.
pub(crate) const SERVICES: [u16; 2] = [5001, 5002];

/// The kind of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `AF_INET`.
    V4,
    /// `AF_INET6`, to IPv4-mapped addresses.
    Mapped,
    /// `AF_INET6`.
    V6,
}

/// Brings up the loopback device with addresses of several kinds, and routes that choose among them.
pub(crate) fn furnish() {
    let commands = "link set lo up\n\
        address add 10.9.0.1/32 dev lo\n\
        address add 10.9.0.2/32 dev lo\n\
        address add 198.51.100.1/32 dev lo\n\
        address add fd74:7770::1/128 dev lo nodad\n\
        route add 198.51.100.0/24 dev lo\n\
        route replace local 127.8.0.2 dev lo src 127.9.0.1 table local\n";
    for command in commands.lines() {
        let status = Command::new("ip").args(command.split_whitespace()).status().expect("ip runs");
        assert!(status.success(), "ip {command}");
    }
}

/// Sets a setting below `net.ipv4`; one that this kernel does not have is left out.
pub(crate) fn set(name: &str, value: &str) {
    match fs::write(format!("/proc/sys/net/ipv4/{name}"), value) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        result => result.unwrap_or_else(|error| panic!("cannot set {name} to {value:?}: {error}")),
    }
}

pub(crate) fn socket(kind: Kind) -> OwnedFd {
    let domain = if kind == Kind::V4 { AddressFamily::INET } else { AddressFamily::INET6 };
    rustix::net::socket_with(domain, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP))
        .expect("a socket")
}

/// `address` as a socket of that kind wants it.
fn on_wire(kind: Kind, address: SocketAddr) -> SocketAddr {
    match (kind, address) {
        (Kind::Mapped, SocketAddr::V4(v4)) => {
            SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into()
        }
        _ => address,
    }
}

/// The address that stands for all of a kind; that of a mapped socket is for both families.
pub(crate) fn any(kind: Kind) -> IpAddr {
    if kind == Kind::V4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() }
}

pub(crate) fn bind(fd: &OwnedFd, kind: Kind, ip: IpAddr, port: u16) -> rustix::io::Result<()> {
    rustix::net::bind(fd, &on_wire(kind, SocketAddr::new(ip, port)))
}

/// The port that `fd` has.
pub(crate) fn port(fd: &OwnedFd) -> u16 {
    let address: SocketAddr = rustix::net::getsockname(fd).expect("bound").try_into().expect("an address");
    address.port()
}

/// A listener; of kind `Mapped` and on all addresses it takes both families.
pub(crate) fn listener(kind: Kind, ip: IpAddr, port: u16) -> rustix::io::Result<OwnedFd> {
    let fd = socket(kind);
    sockopt::set_socket_reuseaddr(&fd, true)?;
    if kind != Kind::V4 {
        sockopt::set_ipv6_v6only(&fd, kind == Kind::V6)?;
    }
    bind(&fd, kind, ip, port)?;
    rustix::net::listen(&fd, 4096)?;
    Ok(fd)
}

/// Connects, and says whether the kernel found a port: it does not wait for the other end.
pub(crate) fn begin_connect(fd: &OwnedFd, kind: Kind, to: SocketAddr) -> bool {
    rustix::io::ioctl_fionbio(fd, true).expect("a socket");
    match rustix::net::connect(fd, &on_wire(kind, to)) {
        Ok(()) | Err(Errno::INPROGRESS) => true,
        Err(Errno::ADDRNOTAVAIL) => false,
        Err(error) => panic!("connect to {to}: {error}"),
    }
}

/// Connects to a listener of ours and waits until that is done; `None` if there was no port.
pub(crate) fn connect(fd: &OwnedFd, kind: Kind, to: SocketAddr) -> Option<()> {
    match rustix::net::connect(fd, &on_wire(kind, to)) {
        Ok(()) => Some(()),
        Err(Errno::ADDRNOTAVAIL | Errno::ADDRINUSE) => None,
        Err(error) => panic!("connect to {to}: {error}"),
    }
}

pub(crate) fn accept(listener: &OwnedFd) -> OwnedFd {
    rustix::net::accept_with(listener, SocketFlags::CLOEXEC).expect("a connection waits")
}

/// Closes `first`, and `second` once it has heard of that: `first` goes to `TIME_WAIT`.
pub(crate) fn close_in_order(first: OwnedFd, second: &OwnedFd) {
    drop(first);
    wait_for_end(second);
}

/// Waits until the other end has closed.
pub(crate) fn wait_for_end(fd: &OwnedFd) {
    let end = rustix::net::recv(fd, &mut [0_u8; 1], RecvFlags::empty()).expect("a connection");
    assert_eq!(end.0, 0);
}

pub(crate) fn finish_sending(fd: &OwnedFd) {
    rustix::net::shutdown(fd, Shutdown::Write).expect("a connection");
}

/// Closes with a reset: nothing stays.
pub(crate) fn reset(fd: OwnedFd) {
    sockopt::set_socket_linger(&fd, Some(Duration::ZERO)).expect("a socket");
    drop(fd);
}
