//! A sample, less what it has in common with others: those are parts, which it refers to by number.

use std::sync::Arc;

use super::{
    bytes::{In, Out, unzigzag, zigzag},
    error::{Result, Trouble},
    events,
    keep::{Keep, Shelf},
    parts::{self, PartId},
    sockets,
};
use crate::model::{
    Cost, Counters, Fault, FaultKind, Limit, Limits, OwnerScan, ProcessSeen, Sample, Stamp, TraceBatch,
    TraceLoss, TraceTally, TracedProcess,
};

/// A sample as bytes, and the parts that it is the first to refer to. Neither is compressed: see [`super::seal`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// To be kept with their numbers: this sample and later ones refer to them.
    pub parts: Vec<(PartId, Vec<u8>)>,
    /// The sample. It can be read whenever the parts that it refers to are on the [`Shelf`].
    pub sample: Vec<u8>,
}

/// Packs samples in the order of time. It remembers which parts it has given out.
#[derive(Debug, Default)]
pub struct Packer {
    keep: Keep,
    /// Counters are written as differences to these.
    base: Counters,
}

impl Packer {
    /// One that has given out nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Packs the next sample.
    pub fn pack(&mut self, sample: &Sample) -> Packed {
        let mut out = Out::default();
        self.write_head(&mut out, sample);
        self.write_figures(&mut out, sample);
        sockets::write(&mut out, &sample.sockets);
        Packed { parts: self.keep.end_sample(), sample: out.into_bytes() }
    }

    /// The parts that it refers to, so that they can be found without reading on.
    fn write_head(&mut self, out: &mut Out, sample: &Sample) {
        let Sample { host, privileges, sysctls, counters, processes, trace, .. } = sample;
        self.refer(out, parts::host(host));
        self.refer(out, parts::privileges(privileges));
        self.refer(out, parts::sysctls(sysctls));
        if !self.base.iter().map(|(name, _)| name).eq(counters.iter().map(|(name, _)| name)) {
            self.base = counters.clone();
        }
        let base = parts::counters(&self.base);
        self.refer(out, base);
        out.count(processes.len());
        for seen in processes {
            self.refer(out, parts::process(&seen.process));
        }
        let traced = trace.as_deref().map_or(&[][..], |batch| &batch.processes);
        out.count(traced.len());
        for process in traced {
            self.refer(out, parts::traced(process));
        }
    }

    /// All that is of this sample alone, but for its sockets.
    fn write_figures(&self, out: &mut Out, sample: &Sample) {
        let Sample { stamp, netns, number, complete, processes, holders, scan, counters, .. } = sample;
        out.duration(stamp.since_boot);
        out.timestamp(stamp.wall);
        out.number(*netns);
        out.number(*number);
        out.flag(*complete);
        out.number(scan.processes.into());
        out.number(scan.denied.into());
        write_cost(out, &sample.cost);
        write_limits(out, &sample.limits);
        write_faults(out, &sample.faults);
        for ((_, value), (_, base)) in counters.iter().zip(self.base.iter()) {
            out.number(zigzag(value.wrapping_sub(base).cast_signed()));
        }
        write_processes(out, processes);
        write_holders(out, holders);
        out.flag(sample.trace.is_some());
        if let Some(batch) = &sample.trace {
            write_batch(out, batch);
        }
    }

    fn refer(&mut self, out: &mut Out, part: Out) {
        out.number(self.keep.number(part.into_bytes()).0);
    }
}

/// The parts that a packed sample refers to, without reading the rest of it.
///
/// # Errors
/// If it does not begin as a sample does.
pub fn parts_of(sample: &[u8]) -> Result<Vec<PartId>> {
    let head = Head::read(&mut In::new(sample))?;
    Ok(head.common.into_iter().chain(head.processes).chain(head.traced).collect())
}

/// The parts at the head of a sample.
struct Head {
    /// Host, privileges, settings, counters.
    common: [PartId; 4],
    processes: Vec<PartId>,
    traced: Vec<PartId>,
}

impl Head {
    fn read(input: &mut In<'_>) -> Result<Self> {
        let mut common = [PartId(0); 4];
        for part in &mut common {
            *part = PartId(input.number("a part's number")?);
        }
        let mut list = |what| {
            let count = input.count(what)?;
            (0..count).map(|_| Ok(PartId(input.number("a part's number")?))).collect::<Result<Vec<_>>>()
        };
        let (processes, traced) = (list("processes")?, list("processes of the trace")?);
        Ok(Self { common, processes, traced })
    }
}

impl Shelf {
    /// The sample that was packed as `bytes`.
    ///
    /// # Errors
    /// If a part is missing, or the bytes are not those of a sample.
    pub fn sample(&self, bytes: &[u8]) -> Result<Sample> {
        let mut input = In::new(bytes);
        let Head { common: [host, privileges, sysctls, base], processes, traced } = Head::read(&mut input)?;
        let missing = |part: PartId| input.error("a part", Trouble::MissingPart(part.0));
        let base = self.counters(base).ok_or_else(|| missing(base))?;
        let host = self.host(host).ok_or_else(|| missing(host))?.clone();
        let privileges = self.privileges(privileges).ok_or_else(|| missing(privileges))?.clone();
        let sysctls = self.sysctls(sysctls).ok_or_else(|| missing(sysctls))?.clone();
        let processes = processes.into_iter().map(|id| self.process(id).cloned().ok_or_else(|| missing(id)));
        let processes = processes.collect::<Result<Vec<_>>>()?;
        let traced = traced.into_iter().map(|id| self.traced(id).cloned().ok_or_else(|| missing(id)));
        let traced = traced.collect::<Result<Vec<_>>>()?;

        let input = &mut input;
        let stamp = Stamp { since_boot: input.duration("time since boot")?, wall: input.timestamp("time")? };
        let (netns, number) = (input.number("network namespace")?, input.number("number of the sample")?);
        let complete = input.flag("whether the dump is complete")?;
        let scan = OwnerScan { processes: input.narrow("processes")?, denied: input.narrow("denied")? };
        let (cost, limits, faults) = (read_cost(input)?, read_limits(input)?, read_faults(input)?);
        let counters = read_counters(input, base)?;
        let processes = processes.into_iter().map(|process| {
            let (fds, fd_limit) =
                (parts::narrow(input, "descriptors")?, input.optional("limit of descriptors")?);
            Ok(ProcessSeen { process, fds, fd_limit })
        });
        let processes = processes.collect::<Result<Vec<_>>>()?;
        let holders = read_holders(input, processes.len())?;
        let trace = if input.flag("trace")? { Some(Arc::new(read_batch(input, traced)?)) } else { None };
        let sockets = sockets::read(input, Some(holders.len()))?;
        input.end("a sample")?;
        Ok(Sample {
            stamp,
            netns,
            number,
            sockets,
            complete,
            processes,
            holders,
            scan,
            counters,
            sysctls,
            limits,
            trace,
            faults,
            cost,
            host,
            privileges,
        })
    }
}

fn read_counters(input: &mut In<'_>, base: &Counters) -> Result<Counters> {
    let pair = |(name, base): (&Arc<str>, u64)| {
        let value = base.wrapping_add(unzigzag(input.number("counter")?).cast_unsigned());
        Ok((name.clone(), value))
    };
    Ok(Counters::new(base.iter().map(pair).collect::<Result<_>>()?))
}

fn write_cost(out: &mut Out, cost: &Cost) {
    for time in [cost.cpu, cost.dump, cost.interval] {
        out.duration(time);
    }
    out.number(cost.rss_bytes);
}

fn read_cost(input: &mut In<'_>) -> Result<Cost> {
    Ok(Cost {
        cpu: input.duration("processor time")?,
        dump: input.duration("time of the dump")?,
        interval: input.duration("interval")?,
        rss_bytes: input.number("resident memory")?,
    })
}

fn write_limits(out: &mut Out, limits: &Limits) {
    out.count(limits.len());
    for (name, limit) in limits {
        out.text(name);
        out.number(limit.value);
        out.number(limit.max);
    }
}

fn read_limits(input: &mut In<'_>) -> Result<Limits> {
    let count = input.count("limits")?;
    let pair = |_| {
        let name = input.text("limit's name")?.to_owned();
        Ok((name.into(), Limit { value: input.number("limit in use")?, max: input.number("limit")? }))
    };
    (0..count).map(pair).collect()
}

fn write_faults(out: &mut Out, faults: &[Fault]) {
    out.count(faults.len());
    for Fault { place, kind, count } in faults {
        let (number, why) = match kind {
            FaultKind::Refused(why) => (0, &**why),
            FaultKind::Malformed => (1, ""),
            FaultKind::Interrupted => (2, ""),
            FaultKind::Overrun => (3, ""),
            FaultKind::Unreadable(why) => (4, &**why),
        };
        out.text(place);
        out.byte(number);
        out.text(why);
        out.number(*count);
    }
}

fn read_faults(input: &mut In<'_>) -> Result<Vec<Fault>> {
    let count = input.count("faults")?;
    let fault = |_| {
        let place = input.text("place of a fault")?.to_owned();
        let number = input.byte("kind of a fault")?;
        let why = input.text("reason of a fault")?.to_owned();
        let kind = match number {
            0 => FaultKind::Refused(why),
            1 => FaultKind::Malformed,
            2 => FaultKind::Interrupted,
            3 => FaultKind::Overrun,
            4 => FaultKind::Unreadable(why),
            other => return Err(input.error("kind of a fault", Trouble::Unknown(other.into()))),
        };
        Ok(Fault { place, kind, count: input.number("faults")? })
    };
    (0..count).map(fault).collect()
}

/// What changes of processes.
fn write_processes(out: &mut Out, processes: &[ProcessSeen]) {
    for seen in processes {
        out.optional(seen.fds.map(u64::from));
        out.optional(seen.fd_limit);
    }
}

fn write_holders(out: &mut Out, holders: &[Box<[u32]>]) {
    out.count(holders.len());
    for set in holders {
        out.count(set.len());
        for &process in set {
            out.number(process.into());
        }
    }
}

fn read_holders(input: &mut In<'_>, processes: usize) -> Result<Vec<Box<[u32]>>> {
    let count = input.count("sets of holders")?;
    let set = |_| {
        let count = input.count("holders")?;
        let holder = |_| {
            let holder: u32 = input.narrow("holder")?;
            let is_one = (holder as usize) < processes;
            if is_one { Ok(holder) } else { Err(input.error("holder", Trouble::TooLarge)) }
        };
        (0..count).map(holder).collect()
    };
    (0..count).map(set).collect()
}

fn write_batch(out: &mut Out, batch: &TraceBatch) {
    let TraceBatch { events, processes: _, since, through, losses, tally, faults } = batch;
    out.duration(*since);
    out.duration(*through);
    out.count(losses.len());
    for TraceLoss { from, to, records } in losses {
        out.duration(*from);
        out.duration(*to);
        out.number(*records);
    }
    for figure in [tally.matched, tally.read, tally.lost] {
        out.number(figure);
    }
    write_faults(out, faults);
    events::write(out, events);
}

fn read_batch(input: &mut In<'_>, processes: Vec<Arc<TracedProcess>>) -> Result<TraceBatch> {
    let (since, through) = (input.duration("begin of the trace")?, input.duration("end of the trace")?);
    let count = input.count("losses of the trace")?;
    let loss = |_| {
        let (from, to) = (input.duration("begin of a loss")?, input.duration("end of a loss")?);
        Ok(TraceLoss { from, to, records: input.number("records lost")? })
    };
    let losses = (0..count).map(loss).collect::<Result<_>>()?;
    let tally = TraceTally {
        matched: input.number("records matched")?,
        read: input.number("records read")?,
        lost: input.number("records lost")?,
    };
    let faults = read_faults(input)?;
    let events = events::read(input, processes.len())?;
    Ok(TraceBatch { events, processes, since, through, losses, tally, faults })
}
