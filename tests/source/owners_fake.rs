//! Owners on made-up trees.

use std::{collections::BTreeMap, fs};

use proptest::prelude::*;
use twtop::{
    model::{Held, TcpState},
    source::Reach,
};

use crate::fake_proc::{FakeProc, pids, scan, table, table_in};

#[test]
fn a_socket_belongs_to_all_who_hold_it() {
    let proc = FakeProc::new();
    proc.process(10, b"parent", 1, &[100, 101, 100]);
    proc.process(11, b"child", 2, &[100]);
    let mut sockets = table(&[(1, 100), (2, 101), (3, 0)]);
    let owners = scan(&mut proc.scanner(), &mut sockets);
    assert_eq!(pids(&owners, &sockets, 0), Ok(vec![10, 11]));
    assert_eq!(pids(&owners, &sockets, 1), Ok(vec![10]));
    assert_eq!(pids(&owners, &sockets, 2), Err(Held::Queue), "without an inode the parser's word stays");
    assert_eq!((owners.scan.processes, owners.scan.denied), (2, 0));
    assert_eq!(owners.processes.len(), 2);
}

#[test]
fn what_is_known_of_a_process_comes_from_its_files_whatever_they_hold() {
    let proc = FakeProc::new();
    proc.process(10, b"a) S 1 (\n\x1b[31m\xff", 77, &[100]);
    let id = "0123456789abcdef".repeat(4);
    fs::write(proc.dir(10).join("cgroup"), format!("0::/system.slice/docker-{id}.scope\n"))
        .expect("writable");
    fs::write(proc.dir(10).join("cmdline"), b"/bin/x\0--evil\n\xff\0").expect("writable");
    fs::write(proc.dir(10).join("limits"), "Max open files            64        128       files\n")
        .expect("writable");
    let mut sockets = table(&[(1, 100)]);
    let owners = scan(&mut proc.scanner(), &mut sockets);
    let seen = &owners.processes[0];
    assert_eq!(seen.process.key.start_ticks, 77);
    assert_eq!(seen.process.name, "a) S 1 (\n\x1b[31m\u{fffd}");
    assert_eq!(seen.process.command, "/bin/x --evil\n\u{fffd}");
    assert_eq!(seen.process.container.as_deref(), Some("0123456789ab"));
    assert_eq!((seen.process.uid, seen.process.user.as_str()), (4242, "4242"));
    assert_eq!((seen.fds, seen.fd_limit), (Some(2), Some(64)));
}

#[test]
fn odd_entries_are_passed_over() {
    let proc = FakeProc::new();
    proc.process(10, b"x", 1, &[100]);
    for (fd, target) in
        [(20, "/tmp/socket:[101]"), (21, "socket:[99999999999]"), (22, "pipe:[100]"), (23, "socket:[]")]
    {
        proc.link(10, fd, target);
    }
    fs::write(proc.dir(10).join("fd/not-a-number"), "").expect("writable");
    fs::write(proc.dir(10).join("fd/30"), "not a link").expect("writable");
    fs::create_dir(proc.path().join("11")).expect("writable");
    fs::write(proc.path().join("12"), "no directory").expect("writable");
    fs::create_dir(proc.path().join("99999999999")).expect("writable");
    let mut sockets = table(&[(1, 100), (2, 101)]);
    let (owners, _) = {
        let mut scanner = proc.scanner();
        scanner.before().expect("readable");
        scanner.after(&mut sockets)
    };
    assert_ne!(pids(&owners, &sockets, 1), Ok(vec![10]));
}

#[test]
fn a_process_that_has_gone_holds_nothing() {
    let proc = FakeProc::new();
    proc.process(10, b"old", 1, &[100]);
    proc.process(11, b"other", 1, &[]);
    let mut scanner = proc.scanner();
    let mut sockets = table(&[(1, 100)]);
    let owners = scan(&mut scanner, &mut sockets);
    assert_eq!(pids(&owners, &sockets, 0), Ok(vec![10]));
    proc.exit(10);
    let owners = scan(&mut scanner, &mut sockets);
    assert_eq!(pids(&owners, &sockets, 0), Err(Held::Gone));
    assert!(owners.processes.is_empty());
}

#[test]
fn a_pid_that_is_used_again_is_another_process() {
    let proc = FakeProc::new();
    proc.process(10, b"old", 1, &[100]);
    let mut scanner = proc.scanner();
    let mut sockets = table(&[(1, 100), (2, 200)]);
    scan(&mut scanner, &mut sockets);
    proc.exit(10);
    proc.process(10, b"new", 2, &[200]);
    let owners = scan(&mut scanner, &mut sockets);
    assert_eq!(pids(&owners, &sockets, 0), Err(Held::Gone));
    assert_eq!(pids(&owners, &sockets, 1), Ok(vec![10]));
    let process = &owners.processes[0].process;
    assert_eq!((process.name.as_str(), process.key.start_ticks), ("new", 2));
}

#[test]
fn a_pid_that_is_used_again_between_scan_and_question_is_not_named() {
    let proc = FakeProc::new();
    proc.process(10, b"old", 1, &[100]);
    let mut scanner = proc.scanner();
    scanner.before().expect("readable");
    // Its descriptors were read; before anyone asks for its name the PID is another's.
    let stat = proc.dir(10).join("stat");
    let text = fs::read_to_string(&stat).expect("text").replace(" 6 0 1 9", " 6 0 2 9");
    fs::write(stat, text).expect("writable");
    let mut sockets = table(&[(1, 100)]);
    let (owners, _) = scanner.after(&mut sockets);
    assert_eq!(pids(&owners, &sockets, 0), Err(Held::Gone));
}

#[test]
fn a_socket_opened_after_the_scan_is_searched_for() {
    let proc = FakeProc::new();
    proc.process(10, b"x", 1, &[100]);
    let mut scanner = proc.scanner();
    scanner.before().expect("readable");
    proc.link(10, 3, "socket:[200]");
    proc.process(11, b"y", 2, &[201]);
    let mut sockets = table(&[(1, 200), (2, 201)]);
    let (owners, searched) = scanner.after(&mut sockets);
    searched.expect("readable");
    assert_eq!(pids(&owners, &sockets, 0), Ok(vec![10]));
    assert_eq!(pids(&owners, &sockets, 1), Ok(vec![11]));
}

#[test]
fn a_descriptor_passed_on_changes_its_owner() {
    let proc = FakeProc::new();
    proc.process(10, b"giver", 1, &[100, 101]);
    proc.process(11, b"taker", 1, &[200]);
    let mut scanner = proc.scanner();
    let mut sockets = table(&[(1, 100), (2, 101), (3, 200)]);
    scan(&mut scanner, &mut sockets);
    proc.close(10, 3);
    proc.link(11, 9, "socket:[100]");
    let owners = scan(&mut scanner, &mut sockets);
    assert_eq!(pids(&owners, &sockets, 0), Ok(vec![11]));
    assert_eq!(pids(&owners, &sockets, 1), Ok(vec![10]));
}

#[test]
fn a_socket_that_moves_to_another_descriptor_keeps_its_owner() {
    let proc = FakeProc::new();
    proc.process(10, b"x", 1, &[100]);
    let mut scanner = proc.scanner();
    let mut sockets = table(&[(1, 100)]);
    scan(&mut scanner, &mut sockets);
    proc.link(10, 9, "socket:[100]");
    proc.close(10, 3);
    let owners = scan(&mut scanner, &mut sockets);
    assert_eq!(pids(&owners, &sockets, 0), Ok(vec![10]));
}

#[test]
fn a_number_used_again_for_another_socket_is_verified() {
    let proc = FakeProc::new();
    proc.process(10, b"x", 1, &[100]);
    let mut scanner = proc.scanner();
    let mut sockets = table(&[(1, 100)]);
    for _ in 0..3 {
        scan(&mut scanner, &mut sockets);
    }
    let mut sockets = table(&[(2, 100)]);
    let owners = scan(&mut scanner, &mut sockets);
    assert_eq!(pids(&owners, &sockets, 0), Ok(vec![10]));
}

#[test]
fn a_socket_that_nobody_holds_is_the_kernels_once_that_is_sure() {
    let proc = FakeProc::new();
    proc.process(10, b"x", 1, &[100]);
    let mut scanner = proc.scanner();
    let mut sockets = table(&[(1, 900)]);
    let first = scan(&mut scanner, &mut sockets);
    assert_eq!(pids(&first, &sockets, 0), Err(Held::Gone), "it may have closed in between");
    for _ in 0..20 {
        let again = scan(&mut scanner, &mut sockets);
        assert_eq!(pids(&again, &sockets, 0), Err(Held::Kernel));
        assert!(!again.any_denied);
    }
    let mut listener = table_in(TcpState::Listen, &[(1, 901)]);
    let owners = scan(&mut scanner, &mut listener);
    assert_eq!(pids(&owners, &listener, 0), Err(Held::Kernel), "a listener does not come and go");
}

#[test]
fn what_may_be_held_out_of_sight_is_denied() {
    let proc = FakeProc::new();
    proc.process(10, b"x", 1, &[100]);
    let mut scanner = proc.scanner();
    scanner.set_reach(Reach { hidden: true, capable: true, uid: Some(0) });
    let mut sockets = table(&[(1, 900), (2, 100)]);
    let owners = scan(&mut scanner, &mut sockets);
    assert_eq!(pids(&owners, &sockets, 0), Err(Held::Denied));
    assert_eq!(pids(&owners, &sockets, 1), Ok(vec![10]));
    assert!(owners.any_denied);
}

#[derive(Debug, Clone)]
enum Step {
    Open(u32, u32, u32),
    Close(u32, u32),
    Exit(u32),
    Scan,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..5_u32, 3..8_u32, 100..110_u32).prop_map(|(pid, fd, inode)| Step::Open(pid, fd, inode)),
        2 => (1..5_u32, 3..8_u32).prop_map(|(pid, fd)| Step::Close(pid, fd)),
        1 => (1..5_u32).prop_map(Step::Exit),
        3 => Just(Step::Scan),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever processes do between samples, a scan says what the tree says.
    #[test]
    fn a_scan_agrees_with_the_tree(steps in proptest::collection::vec(step(), 1..40)) {
        let proc = FakeProc::new();
        let mut scanner = proc.scanner();
        let mut truth = BTreeMap::<u32, BTreeMap<u32, u32>>::new();
        let mut starts = 0;
        for step in steps.into_iter().chain([Step::Scan]) {
            match step {
                Step::Open(pid, fd, inode) => {
                    truth.entry(pid).or_insert_with(|| {
                        starts += 1;
                        proc.process(pid, b"p", starts, &[]);
                        BTreeMap::new()
                    }).insert(fd, inode);
                    proc.link(pid, fd, &format!("socket:[{inode}]"));
                }
                Step::Close(pid, fd) => {
                    if truth.get_mut(&pid).and_then(|fds| fds.remove(&fd)).is_some() {
                        proc.close(pid, fd);
                    }
                }
                Step::Exit(pid) => {
                    if truth.remove(&pid).is_some() {
                        proc.exit(pid);
                    }
                }
                Step::Scan => {
                    let mut sockets = table(&(100..110).map(|inode| (u64::from(inode), inode)).collect::<Vec<_>>());
                    let owners = scan(&mut scanner, &mut sockets);
                    for (index, inode) in (100..110).enumerate() {
                        let want: Vec<u32> =
                            truth.iter().filter(|(_, fds)| fds.values().any(|&held| held == inode)).map(|(&pid, _)| pid).collect();
                        prop_assert_eq!(pids(&owners, &sockets, index).unwrap_or_default(), want, "inode {}", inode);
                    }
                }
            }
        }
    }
}
