//! What the kernel's tracepoint tells of the incident.

use std::{sync::Arc, time::Duration};

use twtop::model::{
    Endpoint, Family, ProcessSeen, Side, TraceBatch, TraceEvent, TraceKind, TraceTask, TracedProcess,
};

use crate::incident::{NETNS, stamp};

/// The events since the sample before, not yet handed over.
#[derive(Default)]
pub(crate) struct Told {
    events: Vec<TraceEvent>,
}

impl Told {
    /// A connection of `holder` that was opened so long before the sample of `second`.
    pub(crate) fn opened(&mut self, holder: u32, ends: (Endpoint, Endpoint), second: u32, ago: Duration) {
        self.push(TraceKind::Opened, Some(holder), ends, before(second, ago), None);
    }

    /// A connection that `holder` closed first just before the sample of `second`, after it had lived for `life`, if
    /// that is known; `None` for a process that was gone before anybody could look.
    pub(crate) fn closed(
        &mut self,
        holder: Option<u32>,
        ends: (Endpoint, Endpoint),
        second: u32,
        life: Option<Duration>,
    ) {
        self.push(TraceKind::Closed, holder, ends, before(second, Duration::from_millis(2)), life);
    }

    /// A call of `connect()` that failed.
    pub(crate) fn failed(
        &mut self,
        kind: TraceKind,
        holder: u32,
        ends: (Endpoint, Endpoint),
        (second, ago): (u32, Duration),
    ) {
        self.push(kind, Some(holder), ends, before(second, ago), None);
    }

    fn push(
        &mut self,
        kind: TraceKind,
        holder: Option<u32>,
        (local, peer): (Endpoint, Endpoint),
        at: Duration,
        life: Option<Duration>,
    ) {
        let task = TraceTask { pid: 1, tid: 1, process: holder, netns: Some(NETNS) };
        let began = life.map(|life| at.saturating_sub(life));
        let side = began.map(|_| Side::Client);
        // A server's end has no port of `connect()`'s choice.
        let bound = (began.is_some() || kind != TraceKind::Closed).then_some(false);
        let (cpu, family, task) = (0, Family::V4, Some(task));
        self.events.push(TraceEvent { at, cpu, kind, family, local, peer, began, side, bound, task });
    }

    /// What was told up to the sample of `second`; holders are indices into `processes`.
    pub(crate) fn batch(&mut self, second: u32, processes: &[ProcessSeen]) -> TraceBatch {
        let traced = |seen: &ProcessSeen| {
            let process = &seen.process;
            Arc::new(TracedProcess {
                key: process.key,
                exact: true,
                name: process.name.clone(),
                command: Some(process.command.clone()),
                uid: Some(process.uid),
                kernel: false,
            })
        };
        let mut events = std::mem::take(&mut self.events);
        events.sort_by_key(|event| event.at);
        TraceBatch {
            events,
            processes: processes.iter().map(traced).collect(),
            since: before(0, Duration::from_millis(300)),
            through: stamp(second).since_boot,
            ..TraceBatch::default()
        }
    }
}

fn before(second: u32, ago: Duration) -> Duration {
    stamp(second).since_boot.saturating_sub(ago)
}
