//! Sockets of each state, made with plain system calls.

use std::{
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6},
    os::fd::OwnedFd,
};

use rustix::{
    io::Errno,
    net::{AddressFamily, RecvFlags, Shutdown, SocketFlags, SocketType, ipproto, sockopt},
};

use crate::{
    args::{Closer, Family},
    namespace::{BLACK_HOLE_SOURCE, BLACK_HOLE_V4, LOCAL_V6},
    plan::{EPHEMERAL_LOW, ListenerPlan, Plan},
};

/// Both ends of a connection.
#[derive(Debug)]
pub(crate) struct Pair {
    /// The end that connected.
    pub(crate) client: OwnedFd,
    /// The end that accepted.
    pub(crate) server: OwnedFd,
}

/// Makes connections to its own listeners, each with a 4-tuple that it has not used before.
#[derive(Debug)]
pub(crate) struct Maker {
    index: u32,
    destinations: u32,
    closer: Closer,
    lines: Vec<Line>,
    made: u32,
}

#[derive(Debug)]
struct Line {
    plan: ListenerPlan,
    listener: Option<OwnedFd>,
}

impl Maker {
    /// A maker with its listeners open.
    pub(crate) fn open(plan: &Plan) -> io::Result<Self> {
        let lines = plan
            .listeners
            .iter()
            .map(|plan| Ok(Line { listener: Some(listen(plan)?), plan: plan.clone() }))
            .collect::<io::Result<_>>()?;
        Ok(Self { index: plan.index, destinations: plan.destinations, closer: plan.closer, lines, made: 0 })
    }

    /// Opens those listeners that only help, if they are closed.
    pub(crate) fn open_helpers(&mut self) -> io::Result<()> {
        for line in self.lines.iter_mut().filter(|line| line.listener.is_none()) {
            line.listener = Some(listen(&line.plan)?);
        }
        Ok(())
    }

    /// Closes those listeners that only help.
    pub(crate) fn close_helpers(&mut self) {
        for line in self.lines.iter_mut().filter(|line| !line.plan.keep) {
            line.listener = None;
        }
    }

    /// The listeners that were asked for.
    pub(crate) fn listeners(&self) -> impl Iterator<Item = &OwnedFd> {
        self.lines.iter().filter(|line| line.plan.keep).filter_map(|line| line.listener.as_ref())
    }

    /// The next connection.
    pub(crate) fn pair(&mut self) -> io::Result<Pair> {
        let count = u32::try_from(self.lines.len()).expect("at most 1,003 listeners");
        let line = &self.lines[(self.made % count) as usize];
        let turn = self.made / count;
        self.made += 1;
        let to = self.index * 1_024 + turn % self.destinations;
        let destination = SocketAddr::new(address(line.plan.family, to), line.plan.port);
        let client = socket(line.plan.family)?;
        if self.closer == Closer::Server {
            // The client's end vanishes, and its port would be picked again: a SYN that meets the server's
            // TIME_WAIT takes it over. So each port is named, once for each destination.
            let range = u32::from(u16::MAX - EPHEMERAL_LOW);
            let offset = u16::try_from(turn / self.destinations % range).expect("less than 65,536");
            sockopt::set_socket_reuseaddr(&client, true)?;
            bind(&client, line.plan.family, None, EPHEMERAL_LOW + offset)?;
        }
        connect(&client, line.plan.family, destination)?;
        let listener = line.listener.as_ref().expect("helpers are open while connections are made");
        let server = rustix::net::accept_with(listener, SocketFlags::CLOEXEC)?;
        Ok(Pair { client, server })
    }

    /// Closes `pair` in the order that leaves one `TIME_WAIT` at the end that closes first.
    pub(crate) fn close(&self, pair: Pair) -> io::Result<()> {
        let (first, second) = match self.closer {
            Closer::Client => (pair.client, pair.server),
            Closer::Server => (pair.server, pair.client),
        };
        drop(first);
        wait_for_end(&second)
    }
}

/// Waits until the other end has closed: closing both at once could leave two `TIME_WAIT`s.
pub(crate) fn wait_for_end(fd: &OwnedFd) -> io::Result<()> {
    let mut byte = [0_u8; 1];
    match rustix::net::recv(fd, &mut byte, RecvFlags::empty()) {
        Ok((0, _)) => Ok(()),
        Ok(_) => Err(io::Error::other("data on a connection that carries none")),
        Err(e) => Err(e.into()),
    }
}

/// Ends the sending side of `fd`: `FIN_WAIT2` here, `CLOSE_WAIT` there.
pub(crate) fn finish_sending(fd: &OwnedFd) -> io::Result<()> {
    Ok(rustix::net::shutdown(fd, Shutdown::Write)?)
}

/// A socket in `SYN_SENT` that stays so: IPv4, mapped or not.
pub(crate) fn syn_sent(family: Family, n: u32) -> io::Result<OwnedFd> {
    let host = u8::try_from(2 + n % 250).expect("at most 251");
    let ip = Ipv4Addr::from_bits(BLACK_HOLE_V4.to_bits() | u32::from(host)).into();
    let fd = socket(family)?;
    rustix::io::ioctl_fionbio(&fd, true)?;
    match connect(&fd, family, SocketAddr::new(ip, 9)) {
        Err(e) if e.raw_os_error() == Some(Errno::INPROGRESS.raw_os_error()) => Ok(fd),
        Err(e) => Err(e),
        Ok(()) => Err(io::Error::other("the black hole answered")),
    }
}

/// A socket that is bound to a port and nothing else.
pub(crate) fn bound(family: Family) -> io::Result<OwnedFd> {
    let fd = socket(family)?;
    bind(&fd, family, Some(address(family, 1)), 0)?;
    Ok(fd)
}

/// Opens a listener on all addresses of its family; a mapped one takes IPv6 as well.
fn listen(plan: &ListenerPlan) -> io::Result<OwnedFd> {
    let fd = socket(plan.family)?;
    sockopt::set_socket_reuseaddr(&fd, true)?;
    if plan.family != Family::V4 {
        sockopt::set_ipv6_v6only(&fd, plan.family == Family::V6)?;
    }
    bind(&fd, plan.family, None, plan.port)?;
    rustix::net::listen(&fd, 4_096)?;
    Ok(fd)
}

fn socket(family: Family) -> io::Result<OwnedFd> {
    let domain = if family == Family::V4 { AddressFamily::INET } else { AddressFamily::INET6 };
    Ok(rustix::net::socket_with(domain, SocketType::STREAM, SocketFlags::CLOEXEC, Some(ipproto::TCP))?)
}

/// The local address with number `n`: in 127/8, or in a network that is all ours.
fn address(family: Family, n: u32) -> std::net::IpAddr {
    match family {
        Family::V4 | Family::Mapped => Ipv4Addr::from_bits(0x7f01_0000 + n).into(),
        Family::V6 => Ipv6Addr::from_bits(LOCAL_V6.to_bits() + 1 + u128::from(n)).into(),
    }
}

/// Binds to `ip` (any, if `None`) and `port`.
fn bind(fd: &OwnedFd, family: Family, ip: Option<std::net::IpAddr>, port: u16) -> io::Result<()> {
    let any = if family == Family::V4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // All of the IPv6 network is routed to us, but only an address on a device can be bound to.
    let ip = if family == Family::V6 { ip.map(|_| Ipv6Addr::LOCALHOST.into()) } else { ip };
    let address = on_wire(family, SocketAddr::new(ip.unwrap_or(any), port));
    Ok(rustix::net::bind(fd, &address)?)
}

fn connect(fd: &OwnedFd, family: Family, to: SocketAddr) -> io::Result<()> {
    Ok(rustix::net::connect(fd, &on_wire(family, to))?)
}

/// `address` as a socket of `family` wants it.
fn on_wire(family: Family, address: SocketAddr) -> SocketAddr {
    match (family, address) {
        (Family::Mapped, SocketAddr::V4(v4)) => {
            SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0).into()
        }
        _ => address,
    }
}

/// The address whose packets come to our listeners and whose answers vanish: number `n` of them.
pub(crate) fn black_hole_peer(n: u32) -> (Ipv4Addr, u16) {
    let host = u32::from(u8::try_from(2 + n % 250).expect("at most 251"));
    let port = 10_000 + u16::try_from(n / 250).expect("at most 1,000 half-open connections");
    (Ipv4Addr::from_bits(BLACK_HOLE_V4.to_bits() | host), port)
}

/// The address that [`black_hole_peer`]s send to.
pub(crate) fn black_hole_target() -> Ipv4Addr {
    BLACK_HOLE_SOURCE
}
