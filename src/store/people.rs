//! Processes and sets of processes, each kept once and numbered.

use std::{hash::BuildHasher, sync::Arc};

use foldhash::fast::FixedState;
use hashbrown::{HashMap, HashTable};

use crate::model::{ProcKey, Process, Runtime, Sample, Stamp, TracedProcess};

/// The number of a set of one or more processes. It holds until [`People::compact`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SetId(u32);

impl SetId {
    pub(super) const fn number(self) -> u32 {
        self.0
    }

    pub(super) const fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// Everybody who held a socket that is still remembered. Hosts start processes all the time, so what
/// nothing refers to any more is thrown away now and then.
#[derive(Debug, Default)]
pub(super) struct People {
    processes: Vec<Arc<Process>>,
    by_key: HashMap<ProcKey, u32, FixedState>,
    sets: Vec<Box<[u32]>>,
    by_members: HashTable<u32>,
    hasher: FixedState,
    /// How many sets or processes were left by the last compaction.
    settled: usize,
}

impl People {
    /// So many new sets or processes are let in before a compaction is worth its while.
    const SLACK: usize = 1024;

    /// Takes note of the processes of a sample. Yields the set for each of `sample.holders`, `None` for
    /// one without a known member.
    pub(super) fn meet(&mut self, sample: &Sample) -> Vec<Option<SetId>> {
        let numbers: Vec<u32> = sample.processes.iter().map(|seen| self.number(&seen.process)).collect();
        let known = |&member: &u32| numbers.get(member as usize).copied();
        sample.holders.iter().map(|members| self.set(members.iter().filter_map(known).collect())).collect()
    }

    /// The set of the one process that the trace names. One that a sample knows is that; of others the
    /// sample's `stamp` tells when they started, and `user` finds the name of a user.
    pub(super) fn traced(
        &mut self,
        traced: &TracedProcess,
        stamp: Stamp,
        user: impl FnOnce(u32) -> Option<String>,
    ) -> SetId {
        let key = traced.key;
        // The start that the fork record tells may be one tick late.
        let early = ProcKey { start_ticks: key.start_ticks.saturating_sub(1), ..key };
        let keys = if traced.exact { [key, key] } else { [key, early] };
        let known = keys.iter().find_map(|key| self.by_key.get(key).copied());
        let number = known.unwrap_or_else(|| self.number(&Arc::new(process(traced, stamp, user))));
        self.set(vec![number]).expect("one member")
    }

    /// The set of everybody in `sets`; `None` if there is nobody.
    pub(super) fn union(&mut self, sets: &[SetId]) -> Option<SetId> {
        match sets {
            [] => None,
            [one] => Some(*one),
            _ => self.set(sets.iter().flat_map(|&set| self.members(set).iter().copied()).collect()),
        }
    }

    /// Those of `set` whose key passes; `None` if that is nobody.
    pub(super) fn subset(&mut self, set: SetId, mut passes: impl FnMut(ProcKey) -> bool) -> Option<SetId> {
        if self.keys(set).all(&mut passes) {
            return Some(set);
        }
        let members = self.members(set).iter().copied();
        self.set(members.filter(|&n| passes(self.processes[n as usize].key)).collect())
    }

    /// Who is in `set`.
    pub(super) fn keys(&self, set: SetId) -> impl Iterator<Item = ProcKey> {
        self.members(set).iter().map(|&n| self.processes[n as usize].key)
    }

    /// Whether `set` is one process.
    pub(super) fn is_one(&self, set: SetId) -> bool {
        self.members(set).len() == 1
    }

    /// The processes of `set`, by PID.
    pub(super) fn owners(&self, set: SetId) -> Vec<Arc<Process>> {
        let process = |&n: &u32| Arc::clone(&self.processes[n as usize]);
        let mut owners: Vec<_> = self.members(set).iter().map(process).collect();
        owners.sort_by_key(|process| process.key);
        owners
    }

    /// How many sets there are; their numbers lie below.
    pub(super) fn len(&self) -> usize {
        self.sets.len()
    }

    /// Whether so much is new since the last compaction that another should be made.
    pub(super) fn is_crowded(&self) -> bool {
        self.sets.len().max(self.processes.len()) > 2 * self.settled + Self::SLACK
    }

    /// Forgets every set for which `used` says no, and the processes that are in no set. Yields the new
    /// number of each old set that stays.
    pub(super) fn compact(&mut self, used: impl Fn(SetId) -> bool) -> Vec<Option<SetId>> {
        let old = std::mem::take(self);
        let mut renumbered = Vec::with_capacity(old.sets.len());
        for (number, members) in (0..).zip(&old.sets) {
            let kept = used(SetId(number)).then(|| {
                let members = members.iter().map(|&n| self.number(&old.processes[n as usize])).collect();
                self.set(members).expect("a set has members")
            });
            renumbered.push(kept);
        }
        self.settled = self.sets.len().max(self.processes.len());
        renumbered
    }

    fn members(&self, set: SetId) -> &[u32] {
        &self.sets[set.0 as usize]
    }

    /// The number of a process. What it is called may change (`exec`): the newest name stays.
    fn number(&mut self, process: &Arc<Process>) -> u32 {
        let Self { processes, by_key, .. } = self;
        let number = *by_key.entry(process.key).or_insert_with(|| {
            processes.push(Arc::clone(process));
            index32(processes.len() - 1)
        });
        let kept = &mut processes[number as usize];
        if !Arc::ptr_eq(kept, process) {
            *kept = Arc::clone(process);
        }
        number
    }

    fn set(&mut self, mut members: Vec<u32>) -> Option<SetId> {
        members.sort_unstable();
        members.dedup();
        if members.is_empty() {
            return None;
        }
        let Self { sets, by_members, hasher, .. } = self;
        let hash = hasher.hash_one(&members[..]);
        let same = |&n: &u32| *sets[n as usize] == members[..];
        let entry = by_members.entry(hash, same, |&n| hasher.hash_one(&sets[n as usize][..]));
        let number = *entry
            .or_insert_with(|| {
                sets.push(members.into_boxed_slice());
                index32(sets.len() - 1)
            })
            .get();
        Some(SetId(number))
    }
}

fn process(traced: &TracedProcess, stamp: Stamp, user: impl FnOnce(u32) -> Option<String>) -> Process {
    let name = |uid: u32| user(uid).unwrap_or_else(|| uid.to_string());
    let command = traced.command.clone().unwrap_or_default();
    Process {
        key: traced.key,
        started: stamp.wall_at(traced.key.started_since_boot().min(stamp.since_boot)),
        runtime: Runtime::of_names(&traced.name, &command),
        name: traced.name.clone(),
        command,
        uid: traced.uid.unwrap_or(Process::NO_UID),
        user: traced.uid.map(name).unwrap_or_default(),
        container: None,
    }
}

fn index32(n: usize) -> u32 {
    u32::try_from(n).expect("compaction keeps the sets few")
}
