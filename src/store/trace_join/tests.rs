use super::*;
use crate::model::{Family, ProcKey, Side};

const NETNS: u64 = 1;
const ELSEWHERE: u64 = 2;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn process(pid: u32, kernel: bool) -> Arc<TracedProcess> {
    let key = ProcKey { pid, start_ticks: 1 };
    Arc::new(TracedProcess { key, exact: true, name: format!("p{pid}"), command: None, uid: None, kernel })
}

fn ends(last: u8) -> (Endpoint, Endpoint) {
    (Endpoint::new([10, 0, 0, last].into(), 40_000), Endpoint::new([10, 0, 1, 1].into(), 80))
}

/// A trace that began at 0 s, of processes 0 to 3 (3 is a kernel thread).
struct Scene {
    join: TraceJoin,
    batch: TraceBatch,
}

impl Scene {
    fn new() -> Self {
        let processes = (0..4).map(|pid| process(pid, pid == 3)).collect();
        Self { join: TraceJoin::new(NETNS, 100), batch: TraceBatch { processes, ..TraceBatch::default() } }
    }

    fn event(&mut self, at: u64, kind: TraceKind, who: Option<u32>, netns: Option<u64>) -> &mut Self {
        let (local, peer) = ends(1);
        let task = who.map(|pid| TraceTask { pid, tid: pid, process: Some(pid).filter(|&p| p < 4), netns });
        self.batch.events.push(TraceEvent {
            at: ms(at),
            cpu: 0,
            kind,
            family: Family::V4,
            local,
            peer,
            began: None,
            side: Some(Side::Client),
            task,
        });
        self
    }

    fn opened(&mut self, at: u64, who: u32) -> &mut Self {
        self.event(at, TraceKind::Opened, Some(who), Some(NETNS))
    }

    fn closed(&mut self, at: u64, who: u32) -> &mut Self {
        self.event(at, TraceKind::Closed, Some(who), Some(NETNS))
    }

    fn through(&mut self, through: u64) -> &mut Self {
        self.batch.through = ms(through);
        self.join.push(&self.batch);
        self.batch.events.clear();
        self.batch.losses.clear();
        self
    }

    fn closer(&self, seen: Sighting) -> Result<u32, TraceGap> {
        let (local, peer) = ends(1);
        self.join.closer(local, peer, &seen).map(|cause| cause.process.key.pid)
    }

    fn opener(&self, seen: Sighting) -> Result<u32, TraceGap> {
        let (local, peer) = ends(1);
        self.join.opener(local, peer, &seen).map(|cause| cause.process.key.pid)
    }
}

fn time_wait(entered: u64, seen: u64) -> Sighting {
    Sighting { begin: ms(seen), end: ms(seen + 10), phase: Phase::TimeWait(ms(entered)) }
}

fn phase(phase: Phase, seen: u64) -> Sighting {
    Sighting { begin: ms(seen), end: ms(seen + 10), phase }
}

#[test]
fn opener_and_closer_are_different_facts() {
    let mut scene = Scene::new();
    scene.opened(1000, 0).closed(2000, 1).through(5000);
    assert_eq!(scene.closer(time_wait(2001, 4000)), Ok(1));
    assert_eq!(scene.opener(time_wait(2001, 4000)), Ok(0));
    assert_eq!(scene.closer(phase(Phase::Closing, 4000)), Ok(1));
    assert_eq!(scene.opener(phase(Phase::Open, 1500)), Ok(0));
}

#[test]
fn the_other_direction_is_another_socket() {
    let mut scene = Scene::new();
    scene.closed(2000, 1).through(5000);
    let (local, peer) = ends(1);
    assert_eq!(scene.join.closer(peer, local, &time_wait(2001, 4000)), Err(TraceGap::Missing));
}

#[test]
fn a_tuple_used_again_belongs_to_whoever_closed_it_last() {
    let mut scene = Scene::new();
    scene.opened(1000, 0).closed(1001, 0).opened(2500, 1).closed(2501, 1).through(5000);
    assert_eq!(scene.closer(time_wait(2501, 4000)), Ok(1));
    assert_eq!(scene.closer(time_wait(1001, 2000)), Ok(0), "seen before it was used again");
}

#[test]
fn without_a_record_of_openings_the_last_close_counts_too() {
    let mut scene = Scene::new();
    scene.closed(1000, 0).closed(2500, 1).through(5000);
    assert_eq!(scene.closer(time_wait(2501, 4000)), Ok(1));
}

#[test]
fn an_older_close_does_not_answer_for_a_newer_connection() {
    let mut scene = Scene::new();
    scene.closed(1000, 0).opened(2500, 1).through(5000);
    assert_eq!(scene.closer(time_wait(2600, 4000)), Err(TraceGap::Missing));
}

#[test]
fn a_close_after_the_entry_is_not_its_cause() {
    let mut scene = Scene::new();
    scene.closed(2000, 1).through(5000);
    assert_eq!(scene.closer(time_wait(1000, 1500)), Err(TraceGap::Missing));
}

#[test]
fn two_within_the_error_of_the_clock_are_ambiguous_unless_they_agree() {
    let mut scene = Scene::new();
    scene.closed(2000, 0).closed(2008, 1).through(5000);
    let during = Sighting { begin: ms(1990), end: ms(2100), phase: Phase::TimeWait(ms(2004)) };
    assert_eq!(scene.closer(during), Err(TraceGap::Ambiguous));
    let mut scene = Scene::new();
    scene.closed(2000, 1).closed(2008, 1).through(5000);
    assert_eq!(scene.closer(during), Ok(1));
}

#[test]
fn a_loss_after_the_close_makes_it_doubtful_and_one_before_does_not() {
    for (from, to, expected) in [(2100, 2200, Err(TraceGap::Lost)), (1000, 1900, Ok(1)), (4500, 4600, Ok(1))]
    {
        let mut scene = Scene::new();
        scene.batch.losses.push(TraceLoss { from: ms(from), to: ms(to), records: 1 });
        scene.closed(2000, 1).through(5000);
        assert_eq!(scene.closer(time_wait(3000, 4000)), expected, "lost from {from} to {to} ms");
    }
}

#[test]
fn what_cannot_be_named_says_why() {
    let closed = TraceKind::Closed;
    let mut scene = Scene::new();
    scene.event(2000, closed, Some(3), Some(NETNS)).through(5000);
    assert_eq!(scene.closer(time_wait(2001, 4000)), Err(TraceGap::Kernel));
    let mut scene = Scene::new();
    scene.event(2000, closed, Some(9), Some(NETNS)).through(5000);
    assert_eq!(scene.closer(time_wait(2001, 4000)), Err(TraceGap::Nameless));
    let mut scene = Scene::new();
    scene.event(2000, closed, Some(1), None).through(5000);
    assert_eq!(scene.closer(time_wait(2001, 4000)), Err(TraceGap::Elsewhere));
    let mut scene = Scene::new();
    scene.event(2000, closed, Some(1), Some(ELSEWHERE)).through(5000);
    assert_eq!(scene.closer(time_wait(2001, 4000)), Err(TraceGap::Missing));
    let mut scene = Scene::new();
    scene.event(1000, TraceKind::Accepted, None, None).closed(2000, 1).through(5000);
    assert_eq!(scene.opener(time_wait(2001, 4000)), Err(TraceGap::Remote));
}

#[test]
fn the_time_before_and_the_time_to_come_are_told_apart() {
    let mut scene = Scene::new();
    assert_eq!(scene.closer(time_wait(2001, 4000)), Err(TraceGap::NotYet));
    scene.batch.since = ms(3000);
    scene.through(3500);
    assert_eq!(scene.closer(time_wait(4000, 4100)), Err(TraceGap::NotYet));
    assert_eq!(scene.closer(time_wait(2001, 3400)), Err(TraceGap::BeforeStart));
}

#[test]
fn old_events_are_forgotten_and_what_they_used_is_free() {
    let mut scene = Scene::new();
    for n in 0..150 {
        scene.closed(1000 + n, 1);
    }
    scene.through(5000);
    assert_eq!(scene.join.len(), 100, "its capacity");
    assert_eq!(scene.closer(time_wait(1149, 4000)), Ok(1));
    scene.through(1149 + 70_001);
    assert!(scene.join.is_empty());
    assert_eq!(scene.join.newest.len(), 0);
    assert_eq!(scene.join.processes.find(&process(1, false)), None);
    assert_eq!(scene.closer(time_wait(1149, 4000)), Err(TraceGap::Forgotten));
}

#[test]
fn an_event_is_compact() {
    assert_eq!(size_of::<Slot>(), 32);
}

#[test]
fn a_close_in_another_namespace_leaves_doubt_about_an_older_one_here() {
    let (mut scene, closed) = (Scene::new(), TraceKind::Closed);
    // A server's end whose client used its port again; a process that had moved away closed the second.
    scene.closed(1000, 0).event(3000, closed, Some(1), Some(ELSEWHERE)).through(5000);
    assert_eq!(scene.closer(time_wait(3000, 4000)), Err(TraceGap::Elsewhere));
    assert_eq!(scene.closer(phase(Phase::Closing, 4000)), Err(TraceGap::Elsewhere));
    assert_eq!(scene.closer(time_wait(1000, 2000)), Ok(0), "before that there was no doubt");
}

#[test]
fn the_same_ends_in_another_namespace_take_nothing_away() {
    let (mut scene, closed) = (Scene::new(), TraceKind::Closed);
    scene.opened(1000, 0).closed(2000, 0);
    scene.event(2003, closed, Some(1), Some(ELSEWHERE)).event(3000, closed, Some(1), Some(ELSEWHERE));
    scene.through(5000);
    assert_eq!(scene.closer(time_wait(2000, 4000)), Ok(0));
    assert_eq!(scene.opener(time_wait(2000, 4000)), Ok(0));
    scene.opened(5500, 2).event(5600, closed, Some(1), Some(ELSEWHERE)).through(6000);
    assert_eq!(scene.opener(phase(Phase::Open, 5700)), Ok(2));
}

#[test]
fn who_opened_a_connection_did_not_open_a_later_one_that_was_accepted_with_the_same_ends() {
    let mut scene = Scene::new();
    // The peer closed the first. Its end connects to ours then.
    scene.opened(1000, 0).closed(2000, 1);
    scene.batch.events[1].side = None;
    scene.through(5000);
    assert_eq!(scene.closer(time_wait(2000, 4000)), Ok(1));
    assert_eq!(scene.opener(time_wait(2000, 4000)), Err(TraceGap::BeforeStart));
}
