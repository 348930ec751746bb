//! Owners on the real `/proc`: this process, and others that it starts.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    process,
};

use rustix::{
    process::{Uid, geteuid},
    thread::set_thread_res_uid,
};
use twtop::{
    model::{Held, SocketTable},
    source::{
        OwnerScanner, Owners,
        sock_diag::{Dump, SockDiag},
    },
};

use crate::{
    fake_proc::pids,
    helper::{Helper, alone},
};

/// The calling thread alone gives up root, if it is root. The saved id stays, so that it can go back.
pub(crate) fn become_nobody() {
    if geteuid().is_root() {
        let nobody = Uid::from_raw(65_534);
        set_thread_res_uid(nobody, nobody, Uid::ROOT).expect("root may");
    }
}

pub(crate) fn become_root_again() {
    // Fails where the thread never was root, and nothing needs to be undone there.
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).ok();
}

/// A dump and what the scanner says of it.
struct Look {
    sockets: SocketTable,
    owners: Owners,
}

impl Look {
    fn around(scanner: &mut OwnerScanner, between: impl FnOnce()) -> Self {
        scanner.before().expect("/proc");
        between();
        let mut sockets = SocketTable::new();
        SockDiag::open().expect("sock_diag").dump(&mut sockets, Dump::All).expect("a dump");
        let (owners, searched) = scanner.after(&mut sockets);
        searched.expect("/proc");
        Self { sockets, owners }
    }

    /// Who holds the socket with that local and remote address; `None` if there is no such socket.
    fn holders(&self, local: SocketAddr, peer: Option<SocketAddr>) -> Option<Result<Vec<u32>, Held>> {
        let index = self.sockets.iter().position(|socket| {
            let is = |end: twtop::model::Endpoint, address: SocketAddr| {
                end.ip == address.ip() && end.port == address.port()
            };
            is(socket.local(), local) && peer.is_none_or(|peer| is(socket.peer(), peer))
        })?;
        Some(pids(&self.owners, &self.sockets, index))
    }

    fn name(&self, pid: u32) -> Option<&str> {
        let mut processes = self.owners.processes.iter().map(|seen| &seen.process);
        Some(processes.find(|process| process.key.pid == pid)?.name.as_str())
    }
}

fn scanner() -> OwnerScanner {
    OwnerScanner::new().expect("/proc")
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    (listener, address)
}

#[test]
fn our_own_sockets_are_ours() {
    let _alone = alone();
    let (listener, address) = listen();
    let client = TcpStream::connect(address).expect("it listens");
    let (server, _) = listener.accept().expect("a client");
    let look = Look::around(&mut scanner(), || {});
    let client = client.local_addr().expect("connected");
    let me = Some(Ok(vec![process::id()]));
    assert_eq!(look.holders(address, Some(client)), me);
    assert_eq!(look.holders(client, Some(address)), me);
    assert_eq!(look.holders(address, None), me);
    let seen = look.owners.processes.iter().find(|seen| seen.process.key.pid == process::id()).expect("us");
    assert!(seen.process.command.contains("source"), "{}", seen.process.command);
    assert!(seen.fds.is_some_and(|fds| fds >= 3) && seen.fd_limit.is_some());
    drop(server);
}

#[test]
fn both_ends_belong_to_their_own_process_and_a_fork_shares_them() {
    let _alone = alone();
    let (listener, address) = listen();
    let mut helper = Helper::new();
    helper.run(&format!("exec 3<>/dev/tcp/127.0.0.1/{}", address.port()));
    let (server, client) = listener.accept().expect("a client");
    let mut scanner = scanner();
    let look = Look::around(&mut scanner, || {});
    assert_eq!(look.holders(client, Some(address)), Some(Ok(vec![helper.pid()])));
    assert_eq!(look.holders(address, Some(client)), Some(Ok(vec![process::id()])));
    assert_eq!(look.name(helper.pid()), Some("bash"));

    let fork = helper.fork();
    let mut both = vec![helper.pid(), fork];
    both.sort_unstable();
    let look = Look::around(&mut scanner, || {});
    assert_eq!(look.holders(client, Some(address)), Some(Ok(both)));
    assert_eq!(look.name(fork), Some("cat"));
    drop(server);
}

#[test]
fn an_equal_number_of_descriptors_proves_nothing() {
    let _alone = alone();
    let (listener, address) = listen();
    let mut helper = Helper::new();
    let connect = format!("exec 3<>/dev/tcp/127.0.0.1/{}", address.port());
    helper.run(&connect);
    let (_first, first) = listener.accept().expect("a client");
    let mut scanner = scanner();
    Look::around(&mut scanner, || {});
    // Between the scan and the dump it closes one connection and opens another.
    let mut second = None;
    let look = Look::around(&mut scanner, || {
        helper.run(&format!("exec 3>&-; {connect}"));
        second = Some(listener.accept().expect("a client"));
    });
    let (_second, second) = second.expect("accepted");
    assert_ne!(first, second);
    assert_eq!(look.holders(second, Some(address)), Some(Ok(vec![helper.pid()])));
    assert!(!matches!(look.holders(first, Some(address)), Some(Ok(_))));
}

#[test]
fn an_owner_that_let_go_behind_an_equal_number_is_found_out() {
    let _alone = alone();
    let (listener, address) = listen();
    let mut helper = Helper::new();
    helper.run(&format!("exec 3<>/dev/tcp/127.0.0.1/{}", address.port()));
    let (_server, client) = listener.accept().expect("a client");
    let fork = helper.fork();
    let mut scanner = scanner();
    Look::around(&mut scanner, || {});
    helper.run("exec 3>&-; exec 3</dev/null");
    // Claims are verified in turn; a host with few sockets takes one round.
    let rounds = 1 + Look::around(&mut scanner, || {}).sockets.len() / 50;
    let last = (0..rounds).map(|_| Look::around(&mut scanner, || {})).last().expect("at least one");
    assert_eq!(last.holders(client, Some(address)), Some(Ok(vec![fork])));
}

#[test]
fn a_process_that_was_killed_holds_nothing() {
    let _alone = alone();
    let (listener, address) = listen();
    let mut helper = Helper::new();
    helper.run(&format!("exec 3<>/dev/tcp/127.0.0.1/{}", address.port()));
    let (_server, client) = listener.accept().expect("a client");
    let mut scanner = scanner();
    Look::around(&mut scanner, || {});
    let pid = helper.pid();
    drop(helper);
    let look = Look::around(&mut scanner, || {});
    assert_eq!(look.holders(address, Some(client)), Some(Ok(vec![process::id()])), "our end is still ours");
    assert!(look.owners.processes.iter().all(|seen| seen.process.key.pid != pid));
}

#[test]
fn an_ordinary_user_is_told_what_is_out_of_sight() {
    let _alone = alone();
    let mut helper = Helper::new();
    let (listener, address) = listen();
    helper.run(&format!("exec 3<>/dev/tcp/127.0.0.1/{}", address.port()));
    let (_server, client) = listener.accept().expect("a client");
    if !geteuid().is_root() {
        // Then the helper is ours to see: nothing is out of sight but other users' processes.
        let look = Look::around(&mut scanner(), || {});
        assert!(look.owners.scan.denied > 0);
        return;
    }
    let look = std::thread::spawn(|| {
        become_nobody();
        Look::around(&mut scanner(), || {})
    });
    let look = look.join().expect("no panic");
    assert!(look.owners.scan.denied > 0 && look.owners.scan.denied < look.owners.scan.processes);
    assert_eq!(look.holders(client, Some(address)), Some(Err(Held::Denied)));
    assert_eq!(look.holders(address, Some(client)), Some(Ok(vec![process::id()])), "our own we may see");
    assert!(look.owners.any_denied);
}
