//! Dumps of TCP sockets over `NETLINK_SOCK_DIAG`. Needs no privilege.

use std::{io, time::Duration};

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP},
    inet::{ExtensionFlags, InetRequest, SocketId, StateFlags},
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_SOCK_DIAG};
use rustix::{
    io::Errno,
    net::{
        RecvFlags,
        sockopt::{Timeout, set_socket_timeout},
    },
};
use zerocopy::IntoBytes;

pub use crate::wire::inet_diag::Dump;
use crate::{
    model::SocketTable,
    wire::{
        cookies::CookieSet,
        inet_diag::{self, CompatRequest, Decoder, MessageHeader, Progress, TCPDIAG_GETSOCK, Tally},
    },
};

/// The kernel caps the datagrams of a dump at 32 KiB (`netlink_recvmsg()` in `net/netlink/af_netlink.c`).
const BUFFER_LEN: usize = 32 * 1024;

/// Longer than any datagram takes: the kernel fills one in the very call that receives it.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A socket for dumps of one network namespace: that of the thread that opened it.
#[derive(Debug)]
pub struct SockDiag {
    socket: Socket,
    buffer: Box<[u64]>,
    seen: CookieSet,
    sequence: u32,
    /// The request whose answers have not all been received.
    unfinished: Option<u32>,
    /// Whether this kernel may answer for both families in one pass.
    one_pass: bool,
}

/// How a dump went that was not refused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DumpReport {
    /// The kernel said that the table changed in a way that may hide or repeat sockets.
    pub interrupted: bool,
    /// The kernel ran out of room and dropped messages.
    pub overrun: bool,
    /// Messages and attributes that made no sense, and were skipped.
    pub malformed: u64,
    /// Sockets that the kernel reported again, and that were dropped.
    pub duplicates: u64,
    /// Whether every socket that the kernel had to report is in the table: the dump came to its end and dropped nothing.
    pub complete: bool,
}

/// Why a dump broke off. The table holds what came before.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The kernel answered with an error.
    #[error("the kernel refused the dump of sockets: {0}")]
    Refused(io::Error),
    /// The kernel did not answer.
    #[error("the kernel did not answer within {} s", TIMEOUT.as_secs())]
    Timeout,
    /// The kernel dropped messages (`ENOBUFS`), and the end of the dump with them.
    #[error("the kernel dropped messages of the dump for want of room")]
    Overrun,
}

/// One request.
#[derive(Debug, Clone, Copy)]
enum Ask {
    BothFamilies(Dump),
    Family(u8, Dump),
}

impl SockDiag {
    /// Opens a socket in the calling thread's network namespace. It stays with that namespace and works from any thread.
    ///
    /// # Errors
    /// The kernel has no `NETLINK_SOCK_DIAG`, or descriptors have run out.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            socket: connect()?,
            buffer: vec![0; BUFFER_LEN / size_of::<u64>()].into(),
            seen: CookieSet::new(),
            sequence: 0,
            unfinished: None,
            one_pass: true,
        })
    }

    /// Appends to `table` the sockets that the kernel reports for `dump`, but none whose cookie is there already:
    /// whatever dumps fill a table, it holds each cookie once.
    ///
    /// Dump [`Dump::BoundInactive`] first and [`Dump::All`] into the same table after it: a socket that connects or
    /// listens in between is then reported twice and kept once, where the other order could miss it.
    ///
    /// # Errors
    /// See [`DumpError`]; `table` then holds what came before.
    pub fn dump(&mut self, table: &mut SocketTable, dump: Dump) -> Result<DumpReport, DumpError> {
        self.dump_up_to(table, dump, usize::MAX)
    }

    /// As [`SockDiag::dump`] of [`Dump::All`], but stops once `table` holds `max_sockets` or somewhat more. Listeners come
    /// first, then connections in the order of a hash, so that a prefix is a random sample of them.
    ///
    /// A dump that is given up blocks its socket, so a new one is opened: call this in the network namespace that
    /// the first was opened in. The report is not complete unless the sockets were fewer.
    ///
    /// # Errors
    /// See [`DumpError`].
    pub fn dump_prefix(
        &mut self,
        table: &mut SocketTable,
        max_sockets: usize,
    ) -> Result<DumpReport, DumpError> {
        self.dump_up_to(table, Dump::All, max_sockets)
    }

    /// Asks for all sockets of both families just as [`SockDiag::dump`] of [`Dump::All`] would, and only receives the
    /// answer: what the kernel's part costs. Returns the bytes received. Benches measure against it; nothing is learnt
    /// from it, so dump once before: that tells whether this kernel answers for both families in one pass.
    ///
    /// # Errors
    /// The request could not be sent, or no answer came in time. A refusal counts as an answer.
    pub fn drain(&mut self) -> io::Result<u64> {
        let both = [Ask::BothFamilies(Dump::All)];
        let each = [AF_INET, AF_INET6].map(|family| Ask::Family(family, Dump::All));
        self.settle()?;
        let mut bytes = 0;
        for ask in if self.one_pass { &both[..] } else { &each[..] } {
            self.ask(*ask)?;
            bytes += self.settle()?;
        }
        Ok(bytes)
    }

    fn dump_up_to(
        &mut self,
        table: &mut SocketTable,
        dump: Dump,
        max_sockets: usize,
    ) -> Result<DumpReport, DumpError> {
        self.settle().map_err(receive_error)?;
        self.seen.clear();
        for row in table.rows() {
            self.seen.insert(row.cookie);
        }
        if self.one_pass {
            let report = self.pass(Ask::BothFamilies(dump), table, max_sockets);
            match report {
                Err(DumpError::Refused(error)) if means_unknown(&error) => self.one_pass = false,
                _ => return report,
            }
        }
        let v4 = self.pass(Ask::Family(AF_INET, dump), table, max_sockets)?;
        if table.len() >= max_sockets {
            // Nobody knows of the other family.
            return Ok(DumpReport { complete: false, ..v4 });
        }
        let v6 = self.pass(Ask::Family(AF_INET6, dump), table, max_sockets)?;
        Ok(v4.and(v6))
    }

    /// One request and its answers.
    fn pass(
        &mut self,
        ask: Ask,
        table: &mut SocketTable,
        max_sockets: usize,
    ) -> Result<DumpReport, DumpError> {
        let sequence = self.ask(ask).map_err(DumpError::Refused)?;
        let mut decoder = Decoder::new(table, &mut self.seen, ask.dump(), sequence);
        let mut overrun = false;
        loop {
            let datagram = match receive(&self.socket, &mut self.buffer) {
                Ok(datagram) => datagram,
                Err(error) => match receive_error(error) {
                    // What was dropped is lost, but the dump goes on.
                    DumpError::Overrun if !overrun => {
                        overrun = true;
                        continue;
                    }
                    DumpError::Timeout if overrun => return Err(DumpError::Overrun),
                    error => return Err(error),
                },
            };
            let progress = decoder.decode(datagram);
            if progress != Progress::More {
                self.unfinished = None;
            }
            let report = DumpReport::new(decoder.tally(), overrun);
            match progress {
                Progress::Refused(number) => {
                    return Err(DumpError::Refused(io::Error::from_raw_os_error(number)));
                }
                Progress::Done => return Ok(report),
                Progress::More if decoder.sockets() >= max_sockets => {
                    self.reopen().map_err(DumpError::Refused)?;
                    return Ok(DumpReport { complete: false, ..report });
                }
                Progress::More => {}
            }
        }
    }

    fn ask(&mut self, ask: Ask) -> io::Result<u32> {
        self.sequence = self.sequence.wrapping_add(1);
        self.socket.send(&ask.to_bytes(self.sequence), 0)?;
        self.unfinished = Some(self.sequence);
        Ok(self.sequence)
    }

    /// Receives what is left of the last request, because the kernel runs one dump a socket at a time. Returns the bytes.
    fn settle(&mut self) -> io::Result<u64> {
        let mut bytes = 0;
        while let Some(sequence) = self.unfinished {
            let datagram = receive(&self.socket, &mut self.buffer)?;
            bytes += datagram.len() as u64;
            if inet_diag::ends(datagram, sequence) {
                self.unfinished = None;
            }
        }
        Ok(bytes)
    }

    fn reopen(&mut self) -> io::Result<()> {
        self.socket = connect()?;
        self.unfinished = None;
        Ok(())
    }
}

impl DumpReport {
    /// The report of a pass that came to its end.
    fn new(tally: Tally, overrun: bool) -> Self {
        let overrun = overrun || tally.overrun;
        let Tally { malformed, duplicates, interrupted, .. } = tally;
        let complete = !overrun && malformed == 0;
        Self { interrupted, overrun, malformed, duplicates, complete }
    }

    /// The report of two passes.
    fn and(self, other: Self) -> Self {
        Self {
            interrupted: self.interrupted || other.interrupted,
            overrun: self.overrun || other.overrun,
            malformed: self.malformed + other.malformed,
            duplicates: self.duplicates + other.duplicates,
            complete: self.complete && other.complete,
        }
    }
}

impl Ask {
    fn dump(self) -> Dump {
        match self {
            Self::BothFamilies(dump) | Self::Family(_, dump) => dump,
        }
    }

    /// The request as a netlink message.
    fn to_bytes(self, sequence: u32) -> Vec<u8> {
        match self {
            Self::BothFamilies(dump) => both_families(dump, sequence),
            Self::Family(family, dump) => one_family(family, dump, sequence),
        }
    }
}

/// A `TCPDIAG_GETSOCK` request, which `netlink-packet-sock-diag` does not have.
fn both_families(dump: Dump, sequence: u32) -> Vec<u8> {
    let request = CompatRequest {
        extensions: inet_diag::EXT_INFO,
        states: dump.states().into(),
        ..CompatRequest::default()
    };
    let length = size_of::<MessageHeader>() + size_of::<CompatRequest>();
    let header = MessageHeader {
        length: u32::try_from(length).expect("a request is short").into(),
        kind: TCPDIAG_GETSOCK.into(),
        flags: (NLM_F_REQUEST | NLM_F_DUMP).into(),
        sequence: sequence.into(),
        port: 0.into(),
    };
    [header.as_bytes(), request.as_bytes()].concat()
}

/// A `SOCK_DIAG_BY_FAMILY` request.
fn one_family(family: u8, dump: Dump, sequence: u32) -> Vec<u8> {
    let request = InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO,
        // The crate does not name the bit of bound-inactive sockets.
        states: StateFlags::from_bits_retain(dump.states()),
        socket_id: SocketId::new_v4(),
    };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// A blocking socket that hears the kernel alone and gives up after [`TIMEOUT`].
fn connect() -> io::Result<Socket> {
    let socket = Socket::new(NETLINK_SOCK_DIAG)?;
    // Once connected to port 0, the kernel's, no other process can slip its messages in.
    socket.connect(&SocketAddr::new(0, 0))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(TIMEOUT))?;
    Ok(socket)
}

/// One datagram.
fn receive<'a>(socket: &Socket, buffer: &'a mut [u64]) -> io::Result<&'a [u8]> {
    let buffer = buffer.as_mut_bytes();
    let flags = RecvFlags::TRUNC.bits().cast_signed();
    loop {
        match socket.recv(&mut &mut *buffer, flags) {
            // With MSG_TRUNC this is the datagram's own length; the decoder notices what is missing.
            Ok(length) => return Ok(&buffer[..length.min(BUFFER_LEN)]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn receive_error(error: io::Error) -> DumpError {
    match Errno::from_io_error(&error) {
        Some(Errno::AGAIN) => DumpError::Timeout,
        Some(Errno::NOBUFS) => DumpError::Overrun,
        _ => DumpError::Refused(error),
    }
}

/// Whether the kernel refused because it does not know the request.
fn means_unknown(error: &io::Error) -> bool {
    let unknown = [Errno::NOENT, Errno::INVAL, Errno::OPNOTSUPP, Errno::PROTONOSUPPORT];
    Errno::from_io_error(error).is_some_and(|errno| unknown.contains(&errno))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, TcpStream};

    use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};

    use super::*;
    use crate::model::{Family, Held, SocketRef, TcpState};

    /// The live sockets with that local port. Other tests and programs have sockets too, and a listener may share its
    /// port with a `TIME_WAIT` of theirs.
    fn with_port(table: &SocketTable, port: u16) -> Vec<SocketRef<'_>> {
        let here = |socket: &SocketRef<'_>| socket.row().local_port == port && !socket.row().is_mini();
        table.iter().filter(here).collect()
    }

    fn dump(source: &mut SockDiag, what: Dump) -> SocketTable {
        let mut table = SocketTable::new();
        let report = source.dump(&mut table, what).expect("dump");
        assert!(report.complete);
        assert_eq!(report.malformed, 0);
        table
    }

    #[test]
    fn finds_a_listener_and_a_connection_that_nobody_accepted() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let port = listener.local_addr().expect("address").port();
        let client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("connect");
        let table = dump(&mut SockDiag::open().expect("open"), Dump::All);

        let mut here = with_port(&table, port);
        here.sort_by_key(|socket| socket.row().state);
        let [queued, listener] = here[..] else { panic!("{here:?}") };
        assert_eq!(queued.row().state, TcpState::Established);
        assert_eq!(queued.detail().expect("full").held, Held::Queue);
        assert_eq!(queued.peer().port, client.local_addr().expect("address").port());
        assert_eq!(listener.row().state, TcpState::Listen);
        assert_eq!(listener.detail().expect("full").recv_q, 1);
        assert!(listener.detail().expect("full").tcp.is_some());
    }

    #[test]
    fn finds_a_bound_socket_only_when_asked() {
        let (_fd, address) = bound();
        let mut source = SockDiag::open().expect("open");
        assert!(with_port(&dump(&mut source, Dump::All), address.port()).is_empty());
        let bound = dump(&mut source, Dump::BoundInactive);
        let here = with_port(&bound, address.port());
        assert_eq!(here.len(), 1);
        assert_eq!(here[0].row().state, TcpState::BoundInactive);
    }

    #[test]
    fn a_socket_that_went_on_between_two_dumps_is_kept_once() {
        let (fd, address) = bound();
        let mut source = SockDiag::open().expect("open");
        let mut table = SocketTable::new();
        source.dump(&mut table, Dump::BoundInactive).expect("dump");
        rustix::net::listen(&fd, 1).expect("listen");
        let report = source.dump(&mut table, Dump::All).expect("dump");
        assert!(report.duplicates >= 1);
        assert_eq!(with_port(&table, address.port()).len(), 1);
    }

    fn bound() -> (rustix::fd::OwnedFd, std::net::SocketAddr) {
        let fd = socket(AddressFamily::INET, SocketType::STREAM, None).expect("socket");
        bind(&fd, &std::net::SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0)).expect("bind");
        let address = std::net::SocketAddr::try_from(getsockname(&fd).expect("name")).expect("address");
        (fd, address)
    }

    #[test]
    fn two_passes_see_what_one_does() {
        let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).expect("listen");
        let ports = [v4, v6].map(|listener| (listener.local_addr().expect("address").port(), listener));
        let mut source = SockDiag::open().expect("open");
        let one = dump(&mut source, Dump::All);
        source.one_pass = false;
        let two = dump(&mut source, Dump::All);
        for ((port, _), family) in ports.iter().zip([Family::V4, Family::V6]) {
            let (one, two) = (with_port(&one, *port), with_port(&two, *port));
            assert_eq!(one.len(), 1);
            assert_eq!(one[0].row().family, family);
            assert_eq!(one[0].row().cookie, two[0].row().cookie);
            assert_eq!(one[0].detail(), two[0].detail());
        }
    }

    #[test]
    fn answers_to_a_dump_that_was_given_up_are_not_taken_for_the_next() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let port = listener.local_addr().expect("address").port();
        let mut source = SockDiag::open().expect("open");
        source.ask(Ask::BothFamilies(Dump::BoundInactive)).expect("send");
        let table = dump(&mut source, Dump::All);
        assert_eq!(with_port(&table, port)[0].row().state, TcpState::Listen);
    }

    #[test]
    fn errors_are_told_apart() {
        let kind = |errno: Errno| receive_error(errno.into());
        assert!(matches!(kind(Errno::AGAIN), DumpError::Timeout));
        assert!(matches!(kind(Errno::NOBUFS), DumpError::Overrun));
        assert!(matches!(kind(Errno::PERM), DumpError::Refused(_)));
        assert!(means_unknown(&Errno::OPNOTSUPP.into()));
        assert!(!means_unknown(&Errno::BUSY.into()));
    }

    #[test]
    fn a_prefix_of_two_passes_is_not_taken_for_the_whole() {
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let mut source = SockDiag::open().expect("open");
        source.one_pass = false;
        let report = source.dump_prefix(&mut SocketTable::new(), 1).expect("dump");
        assert!(!report.complete);
    }

    #[test]
    fn two_reports_make_one() {
        let good = DumpReport::new(Tally::default(), false);
        assert!(good.and(good).complete);
        let tally = Tally { malformed: 2, duplicates: 1, interrupted: true, overrun: true };
        let bad = DumpReport::new(tally, false);
        let both =
            DumpReport { interrupted: true, overrun: true, malformed: 2, duplicates: 1, complete: false };
        assert_eq!(good.and(bad), both);
        assert!(!DumpReport::new(Tally::default(), true).complete);
    }

    #[test]
    fn a_prefix_leaves_a_socket_that_works() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let port = listener.local_addr().expect("address").port();
        let mut source = SockDiag::open().expect("open");
        let mut table = SocketTable::new();
        let report = source.dump_prefix(&mut table, 1).expect("dump");
        assert!(!report.complete);
        assert!(!table.is_empty());
        assert_eq!(with_port(&dump(&mut source, Dump::All), port).len(), 1);
    }

    #[test]
    fn draining_receives_as_much_as_it_should() {
        let _listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("listen");
        let bytes = SockDiag::open().expect("open").drain().expect("drain");
        // A socket of at least 88 bytes and the end.
        assert!(bytes >= 88 + 20, "{bytes}");
    }
}
