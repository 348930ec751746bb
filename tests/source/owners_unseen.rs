//! What is said of sockets that nobody is found to hold while some processes may not be read.

use std::{fs, os::unix::fs::PermissionsExt as _};

use rustix::{
    fs::{Gid, Uid, chown},
    process::geteuid,
};
use twtop::{
    model::{Held, TcpState},
    source::{OwnerScanner, Reach},
};

use crate::{
    fake_proc::{FakeProc, pids, scan, table, table_in},
    owners_real::{become_nobody, become_root_again},
};

/// The user that owns the sockets of [`table`].
const SOCKETS: u32 = 0;

/// Runs `look` on a thread that may read every process of a tree but those numbered 50 and up to `closed` of them.
/// As root no directory is closed to us, so this thread alone becomes somebody else.
fn with_closed(closed: u32, look: impl FnOnce(&FakeProc, OwnerScanner) + Send + 'static) {
    let work = move || {
        let proc = FakeProc::new();
        let mode = fs::Permissions::from_mode;
        fs::set_permissions(proc.path(), mode(0o755)).expect("ours");
        proc.process(10, b"open", 1, &[100]);
        let directories: Vec<_> = (0..closed).map(|n| proc.dir(50 + n).join("fd")).collect();
        for (n, directory) in (0..closed).zip(&directories) {
            proc.process(50 + n, b"closed", 1, &[200 + n]);
            fs::set_permissions(directory, mode(0o000)).expect("ours");
        }
        become_nobody();
        let scanner = proc.scanner();
        look(&proc, scanner);
        become_root_again();
        for directory in directories {
            fs::set_permissions(directory, mode(0o755)).expect("ours");
        }
    };
    std::thread::spawn(work).join().expect("no panic");
}

fn looks(scanner: &mut OwnerScanner, state: TcpState, sockets: &[(u64, u32)]) -> (Vec<Held>, bool) {
    let mut table = table_in(state, sockets);
    let owners = scan(scanner, &mut table);
    let held = (0..sockets.len()).map(|index| pids(&owners, &table, index).expect_err("nobody holds it"));
    (held.collect(), owners.any_denied)
}

#[test]
fn a_process_that_may_not_be_read_is_counted() {
    with_closed(1, |_, mut scanner| {
        let mut sockets = table(&[(1, 100), (2, 200)]);
        let owners = scan(&mut scanner, &mut sockets);
        assert_eq!((owners.scan.processes, owners.scan.denied), (2, 1));
        assert_eq!(pids(&owners, &sockets, 0), Ok(vec![10]));
        assert_eq!(pids(&owners, &sockets, 1), Err(Held::Denied));
        assert!(owners.any_denied);
    });
}

#[test]
fn to_who_sees_nearly_all_a_new_socket_without_a_holder_is_gone_until_it_is_seen_again() {
    with_closed(1, |_, mut scanner| {
        scanner.set_reach(Reach { hidden: false, capable: true, uid: None });
        let old = (1, 900);
        assert_eq!(
            looks(&mut scanner, TcpState::Established, &[old]),
            (vec![Held::Denied], true),
            "at the first look all are new to us, and most are old"
        );
        let (held, _) = looks(&mut scanner, TcpState::Established, &[old, (2, 901)]);
        assert_eq!(held, [Held::Denied, Held::Gone]);
        let (held, _) = looks(&mut scanner, TcpState::Established, &[old, (2, 901), (3, 902)]);
        assert_eq!(held, [Held::Denied, Held::Denied, Held::Gone]);
        let (held, denied) = looks(&mut scanner, TcpState::Established, &[(4, 902)]);
        assert_eq!((held, denied), (vec![Held::Gone], false), "the number was used again");
        let (held, _) = looks(&mut scanner, TcpState::Listen, &[(5, 903)]);
        assert_eq!(held, [Held::Denied], "a listener does not come and go");
    });
}

#[test]
fn to_who_is_denied_many_a_new_socket_is_denied_at_once() {
    with_closed(3, |_, mut scanner| {
        scanner.set_reach(Reach { hidden: false, capable: true, uid: None });
        looks(&mut scanner, TcpState::Established, &[]);
        assert_eq!(looks(&mut scanner, TcpState::Established, &[(1, 900)]), (vec![Held::Denied], true));
    });
}

#[test]
fn an_ordinary_user_is_told_gone_of_own_sockets_alone() {
    let closed_to = |uid| Reach { hidden: false, capable: false, uid: Some(uid) };
    with_closed(1, move |proc, mut scanner| {
        let theirs = fs::metadata(proc.dir(50)).map(|dir| std::os::unix::fs::MetadataExt::uid(&dir));
        let theirs = theirs.expect("readable");
        scanner.set_reach(closed_to(theirs.wrapping_add(1)));
        looks(&mut scanner, TcpState::Established, &[]);
        let (held, _) = looks(&mut scanner, TcpState::Established, &[(1, 900)]);
        assert_eq!(held, [Held::Denied], "another user's socket");
        scanner.set_reach(closed_to(theirs));
        let (held, _) = looks(&mut scanner, TcpState::Established, &[(2, 901)]);
        assert_eq!(held, [Held::Denied], "a process of our own may not be read");
    });
    if !geteuid().is_root() {
        // Giving the closed process to somebody else takes root.
        return;
    }
    let proc = FakeProc::new();
    proc.process(50, b"closed", 1, &[200]);
    chown(proc.dir(50), Some(Uid::from_raw(4243)), Some(Gid::from_raw(4243))).expect("root may");
    let path = proc.path().to_owned();
    let look = move || {
        let mode = fs::Permissions::from_mode;
        fs::set_permissions(&path, mode(0o755)).expect("ours");
        fs::set_permissions(path.join("50/fd"), mode(0o000)).expect("ours");
        become_nobody();
        let mut scanner = OwnerScanner::of(&path).expect("readable");
        scanner.set_reach(closed_to(SOCKETS));
        looks(&mut scanner, TcpState::Established, &[]);
        let (held, _) = looks(&mut scanner, TcpState::Established, &[(1, 900)]);
        assert_eq!(held, [Held::Gone], "our own socket, and every process of ours was read");
        let (held, _) = looks(&mut scanner, TcpState::Established, &[(1, 900)]);
        assert_eq!(held, [Held::Denied], "it is still there: it was passed to somebody else");
        become_root_again();
    };
    std::thread::spawn(look).join().expect("no panic");
}
