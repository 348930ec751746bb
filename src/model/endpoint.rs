//! One end of a connection, and which end is ours.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

/// An address and a port. IPv4-mapped IPv6 addresses are IPv4 here; [`super::Family`] remembers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// The address, unspecified (`0.0.0.0`, `::`) for a wildcard.
    pub ip: IpAddr,
    /// The port, host byte order; 0 for none.
    pub port: u16,
}

impl Endpoint {
    /// An endpoint of its two parts.
    #[must_use]
    pub const fn new(ip: IpAddr, port: u16) -> Self {
        Self { ip, port }
    }
}

/// `10.0.0.1:443`, `[2001:db8::1]:443`; a wildcard address or port is `*`, as `ss` writes it.
impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match (self.ip.is_unspecified(), self.port) {
            (false, 0) => format!("{}:*", Bracketed(self.ip)),
            (false, _) => SocketAddr::new(self.ip, self.port).to_string(),
            (true, 0) => "*:*".to_owned(),
            (true, port) if self.ip.is_ipv4() => format!("0.0.0.0:{port}"),
            (true, port) => format!("[::]:{port}"),
        };
        f.pad(&text)
    }
}

struct Bracketed(IpAddr);

impl fmt::Display for Bracketed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => write!(f, "{ip}"),
            IpAddr::V6(ip) => write!(f, "[{ip}]"),
        }
    }
}

/// Which end of a connection is on this host's side of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// We connected.
    Client,
    /// We accepted: the local address and port belong to a listener, now or up to 65 s ago. Where no listener is
    /// known, the peer's port is one that the kernel picks for those who connect, and the local one is not.
    Server,
}

impl Side {
    /// `client` or `server`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}
