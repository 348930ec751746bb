//! What the trace told, by columns.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use super::{
    bytes::{self, In, Out, unzigzag, zigzag},
    columns::{Column, ColumnsIn, ColumnsOut},
    error::{Result, Trouble},
};
use crate::model::{Endpoint, Family, Side, TraceEvent, TraceKind, TraceTask};

const COLUMNS: [Column; 14] = [
    Column::Plain("what happened"),
    Column::Delta("second of an event"),
    Column::Delta("moment of an event"),
    Column::Plain("processor"),
    Column::Plain("local address"),
    Column::Delta("local port"),
    Column::Plain("peer's address"),
    Column::Delta("peer's port"),
    Column::Plain("seconds of a connection's life"),
    Column::Plain("moment of a connection's beginning"),
    Column::Delta("process id"),
    Column::Plain("thread id"),
    Column::Plain("process of an event"),
    Column::Delta("network namespace"),
];

const KINDS: [TraceKind; 6] = [
    TraceKind::Connecting,
    TraceKind::Opened,
    TraceKind::Accepted,
    TraceKind::Closed,
    TraceKind::NoPort,
    TraceKind::ConnectFailed,
];
const FAMILIES: [Family; 3] = [Family::V4, Family::V6, Family::Mapped];
const SIDES: [Option<Side>; 3] = [None, Some(Side::Client), Some(Side::Server)];
const BOUND: [Option<bool>; 3] = [None, Some(false), Some(true)];

/// Where the choices lie in the first column, each in its digits; flags are above them.
const DIGITS: [u64; 4] = [8, 4, 4, 4];
const BEGAN: u64 = 1 << 9;
const TASK: u64 = 1 << 10;
const PROCESS: u64 = 1 << 11;
const NETNS: u64 = 1 << 12;
const END: u64 = 1 << 13;

/// Writes events.
pub(super) fn write(out: &mut Out, events: &[TraceEvent]) {
    let mut addresses = Vec::new();
    let mut known = BTreeMap::new();
    let mut columns = ColumnsOut::new(&COLUMNS);
    for event in events {
        let mut number = |ip: IpAddr| {
            *known.entry(ip).or_insert_with(|| {
                addresses.push(ip);
                addresses.len() as u64 - 1
            })
        };
        let ends = (number(event.local.ip), number(event.peer.ip));
        columns.push(row(event, ends));
    }
    out.count(addresses.len());
    for ip in addresses {
        out.address(ip);
    }
    columns.finish(out);
}

fn row(event: &TraceEvent, (local, peer): (u64, u64)) -> [u64; COLUMNS.len()] {
    let TraceEvent { at, cpu, kind, family, local: from, peer: to, began, side, bound, task } = *event;
    let choices =
        [place(&KINDS, &kind), place(&FAMILIES, &family), place(&SIDES, &side), place(&BOUND, &bound)];
    let choices = choices.iter().zip(DIGITS).rev().fold(0, |sum, (choice, digits)| sum * digits + choice);
    let flag = |is: bool, bit| if is { bit } else { 0 };
    let process = task.and_then(|task| task.process);
    let netns = task.and_then(|task| task.netns);
    let what = choices
        | flag(began.is_some(), BEGAN)
        | flag(task.is_some(), TASK)
        | flag(process.is_some(), PROCESS)
        | flag(netns.is_some(), NETNS);
    let lived = |began: Duration| zigzag(at.as_secs().wrapping_sub(began.as_secs()).cast_signed());
    let (pid, tid) = task.map_or((0, 0), |task| (task.pid, task.tid));
    [
        what,
        at.as_secs(),
        at.subsec_nanos().into(),
        cpu.into(),
        local,
        from.port.into(),
        peer,
        to.port.into(),
        began.map_or(0, lived),
        began.map_or(0, |began| began.subsec_nanos().into()),
        pid.into(),
        zigzag(i64::from(tid) - i64::from(pid)),
        process.unwrap_or_default().into(),
        netns.unwrap_or_default(),
    ]
}

fn place<T: PartialEq>(all: &[T], one: &T) -> u64 {
    all.iter().position(|other| other == one).unwrap_or_default() as u64
}

/// Reads events, whose processes are among so many.
pub(super) fn read(input: &mut In<'_>, processes: usize) -> Result<Vec<TraceEvent>> {
    let count = input.count("addresses")?;
    let addresses = (0..count).map(|_| input.address("address")).collect::<Result<Vec<_>>>()?;
    let mut columns = ColumnsIn::new(&COLUMNS, input)?;
    let mut events = Vec::new();
    while columns.next()? {
        events.push(event(&columns, &addresses, processes)?);
    }
    Ok(events)
}

fn event(
    columns: &ColumnsIn<'_, { COLUMNS.len() }>,
    addresses: &[IpAddr],
    processes: usize,
) -> Result<TraceEvent> {
    let what: u64 = columns.get(0)?;
    let unknown = || columns.error(0, Trouble::Unknown(what));
    if what >= END {
        return Err(unknown());
    }
    let mut rest = what;
    let [kind, family, side, bound] = DIGITS.map(|digits| {
        let digit = usize::try_from(rest % digits).unwrap_or_default();
        rest /= digits;
        digit
    });
    let end = |ip, port| {
        let ip = addresses.get(columns.get::<usize>(ip)?).ok_or(columns.error(ip, Trouble::TooLarge))?;
        Ok(Endpoint::new(*ip, columns.get(port)?))
    };
    let time = |seconds, column| {
        let nanos = columns.get(column)?;
        bytes::duration(seconds, nanos).ok_or(columns.error(column, Trouble::TooLarge))
    };
    let second: u64 = columns.get(1)?;
    let lived = unzigzag(columns.get(8)?).cast_unsigned();
    let began = time(second.wrapping_sub(lived), 9)?;
    Ok(TraceEvent {
        at: time(second, 2)?,
        cpu: columns.get(3)?,
        kind: *KINDS.get(kind).ok_or_else(unknown)?,
        family: *FAMILIES.get(family).ok_or_else(unknown)?,
        local: end(4, 5)?,
        peer: end(6, 7)?,
        began: (what & BEGAN != 0).then_some(began),
        side: *SIDES.get(side).ok_or_else(unknown)?,
        bound: *BOUND.get(bound).ok_or_else(unknown)?,
        task: if what & TASK != 0 { Some(task(columns, what, processes)?) } else { None },
    })
}

fn task(columns: &ColumnsIn<'_, { COLUMNS.len() }>, what: u64, processes: usize) -> Result<TraceTask> {
    let pid: u32 = columns.get(10)?;
    let tid = unzigzag(columns.get(11)?).checked_add(pid.into()).and_then(|tid| u32::try_from(tid).ok());
    let (process, netns) = (columns.get::<u32>(12)?, columns.get(13)?);
    if what & PROCESS != 0 && process as usize >= processes {
        return Err(columns.error(12, Trouble::TooLarge));
    }
    Ok(TraceTask {
        pid,
        tid: tid.ok_or(columns.error(11, Trouble::TooLarge))?,
        process: (what & PROCESS != 0).then_some(process),
        netns: (what & NETNS != 0).then_some(netns),
    })
}
