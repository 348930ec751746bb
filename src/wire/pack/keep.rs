//! Who remembers the parts: one on the side that writes, one on the side that reads.

use std::{collections::BTreeMap, sync::Arc};

use hashbrown::HashMap;

use super::{
    error::Result,
    parts::{Part, PartId},
};
use crate::model::{Counters, Host, Privileges, Process, Sysctls, TracedProcess};

/// The parts given out, by their bytes. One that no sample referred to for long is forgotten: it is given out again, under
/// another number, if it comes back. So memory is bounded whatever number of processes come and go.
#[derive(Debug, Default)]
pub(super) struct Keep {
    given: HashMap<Vec<u8>, Given, foldhash::fast::FixedState>,
    next: u64,
    /// Samples so far.
    samples: u64,
    /// Given out for the first time with the sample that is being packed.
    fresh: Vec<(PartId, Vec<u8>)>,
}

#[derive(Debug)]
struct Given {
    id: PartId,
    /// The last sample that referred to it.
    used: u64,
}

impl Keep {
    /// How many samples a part is remembered that none refers to.
    const SAMPLES: u64 = 120;

    /// The number of a part.
    pub(super) fn number(&mut self, bytes: Vec<u8>) -> PartId {
        if let Some(given) = self.given.get_mut(&bytes) {
            given.used = self.samples;
            return given.id;
        }
        let id = PartId(self.next);
        self.next += 1;
        self.fresh.push((id, bytes.clone()));
        self.given.insert(bytes, Given { id, used: self.samples });
        id
    }

    /// The sample is packed: yields the parts that are new with it.
    pub(super) fn end_sample(&mut self) -> Vec<(PartId, Vec<u8>)> {
        self.samples += 1;
        let samples = self.samples;
        self.given.retain(|_, given| samples - given.used <= Self::SAMPLES);
        std::mem::take(&mut self.fresh)
    }
}

/// The parts at hand for reading samples.
#[derive(Debug, Clone, Default)]
pub struct Shelf {
    parts: BTreeMap<PartId, Part>,
}

impl Shelf {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Puts a part there, under the number that it was given out with.
    ///
    /// # Errors
    /// If the bytes are not those of a part.
    pub fn put(&mut self, id: PartId, bytes: &[u8]) -> Result<()> {
        self.parts.insert(id, Part::read(bytes)?);
        Ok(())
    }

    pub(super) fn host(&self, id: PartId) -> Option<&Arc<Host>> {
        if let Part::Host(host) = self.parts.get(&id)? { Some(host) } else { None }
    }

    pub(super) fn privileges(&self, id: PartId) -> Option<&Arc<Privileges>> {
        if let Part::Privileges(privileges) = self.parts.get(&id)? { Some(privileges) } else { None }
    }

    pub(super) fn sysctls(&self, id: PartId) -> Option<&Arc<Sysctls>> {
        if let Part::Sysctls(sysctls) = self.parts.get(&id)? { Some(sysctls) } else { None }
    }

    pub(super) fn counters(&self, id: PartId) -> Option<&Counters> {
        if let Part::Counters(counters) = self.parts.get(&id)? { Some(counters) } else { None }
    }

    pub(super) fn process(&self, id: PartId) -> Option<&Arc<Process>> {
        if let Part::Process(process) = self.parts.get(&id)? { Some(process) } else { None }
    }

    pub(super) fn traced(&self, id: PartId) -> Option<&Arc<TracedProcess>> {
        if let Part::Traced(process) = self.parts.get(&id)? { Some(process) } else { None }
    }
}
