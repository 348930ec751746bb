//! What seldom changes, written once and referred to by samples.

use std::sync::Arc;

use super::{
    bytes::{In, Out},
    error::{Result, Trouble},
};
use crate::model::{
    Counters, Host, Privileges, ProcKey, Process, Runtime, RuntimeKind, Sysctls, TracedProcess,
};

/// The number by which samples refer to a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartId(pub u64);

/// Something that samples have in common.
#[derive(Debug, Clone)]
pub(super) enum Part {
    Host(Arc<Host>),
    Privileges(Arc<Privileges>),
    Sysctls(Arc<Sysctls>),
    /// The names of counters, with the values that they had when the part was made.
    Counters(Arc<Counters>),
    Process(Arc<Process>),
    Traced(Arc<TracedProcess>),
}

const RUNTIMES: [RuntimeKind; 7] = [
    RuntimeKind::Go,
    RuntimeKind::Nginx,
    RuntimeKind::Haproxy,
    RuntimeKind::Envoy,
    RuntimeKind::Java,
    RuntimeKind::Node,
    RuntimeKind::Python,
];

pub(super) fn host(host: &Host) -> Out {
    let mut out = begin(1);
    out.text(&host.name);
    out.text(&host.kernel);
    out.optional(host.hz.map(u64::from));
    out
}

pub(super) fn privileges(privileges: &Privileges) -> Out {
    let mut out = begin(2);
    out.flag(privileges.complete);
    out.texts(&privileges.missing);
    out.texts(&privileges.trace_missing);
    out.text(&privileges.hint);
    out
}

pub(super) fn sysctls(sysctls: &Sysctls) -> Out {
    let mut out = begin(3);
    out.count(sysctls.len());
    for (name, value) in sysctls {
        out.text(name);
        out.text(value);
    }
    out
}

pub(super) fn counters(counters: &Counters) -> Out {
    let mut out = begin(4);
    out.count(counters.iter().len());
    for (name, value) in counters.iter() {
        out.text(name);
        out.number(value);
    }
    out
}

pub(super) fn process(process: &Process) -> Out {
    let Process { key, started, name, command, uid, user, container, runtime } = process;
    let mut out = begin(5);
    write_key(&mut out, *key);
    out.timestamp(*started);
    out.text(name);
    out.text(command);
    out.number((*uid).into());
    out.text(user);
    out.optional_text(container.as_deref());
    let kind = runtime.as_ref().and_then(|runtime| RUNTIMES.iter().position(|kind| *kind == runtime.kind));
    out.count(kind.map_or(0, |kind| kind + 1));
    out.optional_text(runtime.as_ref().and_then(|runtime| runtime.version.as_deref()));
    out
}

pub(super) fn traced(process: &TracedProcess) -> Out {
    let TracedProcess { key, exact, name, command, uid, kernel } = process;
    let mut out = begin(6);
    write_key(&mut out, *key);
    out.flag(*exact);
    out.text(name);
    out.optional_text(command.as_deref());
    out.optional(uid.map(u64::from));
    out.flag(*kernel);
    out
}

fn begin(kind: u8) -> Out {
    let mut out = Out::default();
    out.byte(kind);
    out
}

fn write_key(out: &mut Out, key: ProcKey) {
    out.number(key.pid.into());
    out.number(key.start_ticks);
}

impl Part {
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let mut input = In::new(bytes);
        let part = match input.byte("kind of a part")? {
            1 => Self::Host(Arc::new(read_host(&mut input)?)),
            2 => Self::Privileges(Arc::new(read_privileges(&mut input)?)),
            3 => Self::Sysctls(Arc::new(read_sysctls(&mut input)?)),
            4 => Self::Counters(Arc::new(read_counters(&mut input)?)),
            5 => Self::Process(Arc::new(read_process(&mut input)?)),
            6 => Self::Traced(Arc::new(read_traced(&mut input)?)),
            other => return Err(input.error("kind of a part", Trouble::Unknown(other.into()))),
        };
        input.end("a part")?;
        Ok(part)
    }
}

fn read_host(input: &mut In<'_>) -> Result<Host> {
    let (name, kernel) = (input.text("host's name")?.to_owned(), input.text("kernel's release")?.to_owned());
    Ok(Host { name, kernel, hz: narrow(input, "timer interrupts")? })
}

fn read_privileges(input: &mut In<'_>) -> Result<Privileges> {
    Ok(Privileges {
        complete: input.flag("privileges")?,
        missing: input.texts("missing privileges")?,
        trace_missing: input.texts("missing privileges of the trace")?,
        hint: input.text("hint")?.to_owned(),
    })
}

fn read_sysctls(input: &mut In<'_>) -> Result<Sysctls> {
    let count = input.count("settings")?;
    let pair = |_| Ok((input.text("setting's name")?.to_owned(), input.text("setting")?.to_owned()));
    (0..count).map(pair).collect()
}

fn read_counters(input: &mut In<'_>) -> Result<Counters> {
    let count = input.count("counters")?;
    let pair = |_| Ok((input.text("counter's name")?.into(), input.number("counter")?));
    Ok(Counters::new((0..count).map(pair).collect::<Result<_>>()?))
}

fn read_process(input: &mut In<'_>) -> Result<Process> {
    Ok(Process {
        key: read_key(input)?,
        started: input.timestamp("process's start")?,
        name: input.text("process's name")?.to_owned(),
        command: input.text("command line")?.to_owned(),
        uid: input.narrow("user id")?,
        user: input.text("user's name")?.to_owned(),
        container: input.optional_text("container")?.map(str::to_owned),
        runtime: read_runtime(input)?,
    })
}

fn read_runtime(input: &mut In<'_>) -> Result<Option<Runtime>> {
    let number: usize = input.narrow("runtime")?;
    let kind = match number.checked_sub(1) {
        None => None,
        Some(index) => {
            let kind = RUNTIMES.get(index).copied();
            Some(kind.ok_or(input.error("runtime", Trouble::Unknown(number as u64)))?)
        }
    };
    let version = input.optional_text("runtime's version")?.map(str::to_owned);
    Ok(kind.map(|kind| Runtime { kind, version }))
}

fn read_traced(input: &mut In<'_>) -> Result<TracedProcess> {
    Ok(TracedProcess {
        key: read_key(input)?,
        exact: input.flag("whether the start is exact")?,
        name: input.text("process's name")?.to_owned(),
        command: input.optional_text("command line")?.map(str::to_owned),
        uid: narrow(input, "user id")?,
        kernel: input.flag("whether it is the kernel's")?,
    })
}

fn read_key(input: &mut In<'_>) -> Result<ProcKey> {
    Ok(ProcKey { pid: input.narrow("process id")?, start_ticks: input.number("process's start")? })
}

/// A number of 32 bits that may not be there.
pub(super) fn narrow(input: &mut In<'_>, what: &'static str) -> Result<Option<u32>> {
    let number = input.optional(what)?.map(u32::try_from).transpose();
    number.map_err(|_| input.error(what, Trouble::TooLarge))
}
