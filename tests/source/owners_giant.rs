//! Owners of so many sockets that not every link is read each time, on made-up trees: a descriptor that was passed
//! on, and whose number was used again, must not keep its old owner.

use twtop::source::OwnerScanner;

use crate::fake_proc::{FakeProc, pids, scan, table_of};

/// More sockets than are verified in one sample, held by so many that no other rule applies.
const MANY: u32 = 5000;

const GIANT: u32 = 10;
const OTHER: u32 = 11;

/// A giant with sockets from 10,000 on and another process, seen twice.
struct Scene {
    proc: FakeProc,
    scanner: OwnerScanner,
}

impl Scene {
    fn new(others: &[u32]) -> Self {
        let proc = FakeProc::new();
        proc.process(GIANT, b"giant", 1, &(10_000..10_000 + MANY).collect::<Vec<_>>());
        proc.process(OTHER, b"other", 1, others);
        let scanner = proc.scanner();
        let mut scene = Self { proc, scanner };
        assert_eq!(scene.holders(&[10_000]), [vec![GIANT]]);
        assert_eq!(scene.holders(&[10_000]), [vec![GIANT]]);
        scene
    }

    /// Who is said to hold those, in a sample in which all sockets of the giant and `more` are there.
    fn holders(&mut self, of: &[u32]) -> Vec<Vec<u32>> {
        let mut inodes: Vec<u32> = of.to_vec();
        inodes.extend((10_000..10_000 + MANY).filter(|inode| !of.contains(inode)));
        let mut sockets = table_of(inodes);
        let owners = scan(&mut self.scanner, &mut sockets);
        (0..of.len()).map(|index| pids(&owners, &sockets, index).unwrap_or_default()).collect()
    }

    /// The giant's descriptor on socket 10,000 + `n`.
    fn fd(n: u32) -> u32 {
        n + 3
    }
}

#[test]
fn what_a_giant_passes_on_is_not_its_own_any_more() {
    let mut scene = Scene::new(&[]);
    for n in 0..50 {
        scene.proc.link(OTHER, 100 + n, &format!("socket:[{}]", 10_000 + n));
        scene.proc.link(GIANT, Scene::fd(n), &format!("socket:[{}]", 20_000 + n));
    }
    let all: Vec<u32> = (0..50).flat_map(|n| [10_000 + n, 20_000 + n]).collect();
    let want: Vec<_> = (0..50).flat_map(|_| [vec![OTHER], vec![GIANT]]).collect();
    assert_eq!(scene.holders(&all), want);
}

#[test]
fn an_unnoticed_giant_is_asked_as_soon_as_somebody_else_holds_its_socket() {
    let mut scene = Scene::new(&[]);
    scene.proc.link(OTHER, 100, "socket:[10007]");
    // Nothing else speaks against the giant: the number of its descriptors is what it was, and all it opened is a file.
    scene.proc.link(GIANT, Scene::fd(7), "/dev/null");
    assert_eq!(scene.holders(&[10_007, 10_008]), [vec![OTHER], vec![GIANT]]);
}

#[test]
fn a_giant_that_opens_more_is_not_trusted_for_what_it_passed_on() {
    let mut scene = Scene::new(&[]);
    scene.proc.link(OTHER, 100, "socket:[10007]");
    scene.proc.link(GIANT, Scene::fd(7), "socket:[20007]");
    scene.proc.link(GIANT, 9000, "socket:[20008]");
    let holders = scene.holders(&[10_007, 20_007, 20_008]);
    assert_eq!(holders, [vec![OTHER], vec![GIANT], vec![GIANT]]);
}

#[test]
fn a_shared_socket_that_a_giant_drops_unnoticed_is_found_out_in_a_few_samples() {
    let mut scene = Scene::new(&[14_000]);
    assert_eq!(scene.holders(&[14_000]), [vec![GIANT, OTHER]]);
    scene.proc.link(GIANT, Scene::fd(4000), "/dev/null");
    let found = (0..5).map(|_| scene.holders(&[14_000])).last();
    assert_eq!(found, Some(vec![vec![OTHER]]));
}

#[test]
fn a_giant_whose_pid_is_used_again_leaves_nothing_behind() {
    let mut scene = Scene::new(&[]);
    scene.proc.exit(GIANT);
    scene.proc.process(GIANT, b"new", 2, &[10_001]);
    assert_eq!(scene.holders(&[10_000, 10_001]), [vec![], vec![GIANT]]);
}

#[test]
fn a_small_holder_that_let_go_is_asked_as_soon_as_somebody_else_holds_the_socket() {
    let proc = FakeProc::new();
    let holders = 10..=40_u32;
    // Many processes that share one socket with a fork of theirs, so that verification in turn would take several samples.
    for pid in holders.clone() {
        proc.process(pid, b"parent", 1, &(pid * 1000..pid * 1000 + 100).collect::<Vec<_>>());
        proc.process(pid + 100, b"child", 1, &[pid * 1000]);
    }
    let mut scanner = proc.scanner();
    let table = || table_of(holders.clone().flat_map(|pid| pid * 1000..pid * 1000 + 100));
    for _ in 0..2 {
        let mut sockets = table();
        let owners = scan(&mut scanner, &mut sockets);
        assert_eq!(pids(&owners, &sockets, 0), Ok(vec![10, 110]));
    }
    for pid in holders.clone() {
        proc.link(pid, 3, "/dev/null");
    }
    proc.process(300, b"third", 1, &holders.clone().map(|pid| pid * 1000).collect::<Vec<_>>());
    let mut sockets = table();
    let owners = scan(&mut scanner, &mut sockets);
    for (place, pid) in holders.enumerate() {
        assert_eq!(pids(&owners, &sockets, place * 100), Ok(vec![pid + 100, 300]));
    }
}

#[test]
fn a_giant_is_read_in_part_and_nothing_is_missed() {
    let mut scene = Scene::new(&[]);
    // One more, one less, and one that took another's place.
    scene.proc.link(GIANT, 9000, "socket:[1]");
    scene.proc.close(GIANT, Scene::fd(0));
    scene.proc.link(GIANT, Scene::fd(1), "socket:[2]");
    let all: Vec<u32> = (10_002..10_000 + MANY).chain([1, 2]).collect();
    let mut sockets = table_of(all.clone());
    let owners = scan(&mut scene.scanner, &mut sockets);
    assert!((0..all.len()).all(|index| pids(&owners, &sockets, index) == Ok(vec![GIANT])));
}
