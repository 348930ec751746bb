//! What the kernel bounds, how near that is, and what happens then.

use std::borrow::Cow;

use super::super::{Field, Value, program::program};
use crate::{
    model::{Endpoint, Limit},
    store::{Change, Moment},
};

type Fields = Field<LimitRow>;

/// From here on a limit is none: the kernel's way to say "as many as you like".
const ENDLESS: u64 = 1 << 60;

/// One limit and how near it is.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitRow {
    /// What it is known by, whoever is nearest to it.
    pub name: &'static str,
    /// What it is called, with whose it is. May hold outside text.
    pub title: String,
    /// How much there is, and how much there can be.
    pub limit: Limit,
    /// How much more there is than at another moment, where that is asked and known.
    pub change: Option<Change>,
    /// What happens when it is reached.
    pub consequence: &'static str,
    /// The topic that says more.
    pub topic: &'static str,
}

/// The limits of [`crate::model::Limits`]: name, title, what happens, topic.
const KNOWN: [(&str, &str, &str, &str); 5] = [
    ("file-nr", "open files", "open(), socket() and accept() fail with ENFILE", "fs.file-max"),
    ("nf_conntrack", "tracked flows", "the first packet of each new flow is dropped", "conntrack-full"),
    ("tcp_max_orphans", "orphans", "those beyond it are reset", "tcp_max_orphans"),
    (
        "tcp_max_tw_buckets",
        "TIME_WAITs",
        "connections skip TIME_WAIT; counts of it are too low",
        "tcp_max_tw_buckets",
    ),
    ("tcp_mem", "TCP memory, pages", "packets are dropped, orphans are reset", "tcp_mem"),
];

impl LimitRow {
    /// Every limit of `moment`: those of the kernel, the fullest accept queue, and the process with the fewest descriptors
    /// left.
    pub fn all(moment: &Moment) -> impl Iterator<Item = Self> {
        let known = KNOWN.iter().filter_map(|&(name, title, consequence, topic)| {
            let limit = *moment.sample.limits.get(name)?;
            Some(Self { name, title: title.to_owned(), limit, change: None, consequence, topic })
        });
        known.chain(accept_queue(moment)).chain(descriptors(moment))
    }

    /// The limit of that name.
    #[must_use]
    pub fn of(moment: &Moment, name: &str) -> Option<Self> {
        Self::all(moment).find(|row| row.name == name)
    }

    /// The most there can be; `None` if there is no end to it.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        Some(self.limit.max).filter(|max| *max < ENDLESS)
    }

    /// How much of it is used, in percent.
    #[must_use]
    pub fn percent(&self) -> f64 {
        percent(self.limit)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share: 52 bits are enough")]
fn percent(limit: Limit) -> f64 {
    match (limit.value, limit.max) {
        (0, _) => 0.0,
        (_, 0) => 100.0,
        (value, max) => value as f64 * 100.0 / max as f64,
    }
}

/// Fullest first; of two that are as full, the one with more in it.
fn fullness(limit: Limit) -> (u128, u64) {
    (u128::from(limit.value) * 1_000_000 / u128::from(limit.max.max(1)), limit.value)
}

/// The listener whose accept queue is the fullest, held against its backlog.
fn accept_queue(moment: &Moment) -> Option<LimitRow> {
    let queues = moment.flows.listeners.iter().filter_map(|&index| {
        let socket = moment.get(index as usize)?.socket;
        let detail = socket.detail()?;
        Some((socket.local(), Limit { value: detail.recv_q.into(), max: detail.send_q.into() }))
    });
    // A backlog of 0 has room for one: full is only what holds something.
    let fullest = |of: &(Endpoint, Limit)| (fullness(of.1), std::cmp::Reverse(of.0.port));
    let (local, limit) = queues.max_by_key(fullest)?;
    Some(LimitRow {
        name: "accept-queue",
        title: format!("accept queue :{}", local.port),
        limit,
        change: None,
        consequence: "connections are dropped: its process accepts too slowly",
        topic: "accept-queue-overflow",
    })
}

/// The process that has the fewest descriptors left, by share.
fn descriptors(moment: &Moment) -> Option<LimitRow> {
    // Of the past these rows are kept, and not all that the sample held.
    let known = moment.totals.processes.iter().filter_map(|row| {
        let limit = Limit { value: row.fds?.into(), max: row.fd_limit? };
        Some((&row.process, limit))
    });
    let (process, limit) = known.max_by_key(|(process, limit)| (fullness(*limit), process.key))?;
    Some(LimitRow {
        name: "descriptors",
        title: format!("descriptors {} {}", process.key.pid, program(process)),
        limit,
        change: None,
        consequence: "its open(), socket() and accept() fail with EMFILE",
        topic: "fd-limit",
    })
}

/// The metrics of a limit.
pub static LIMITS: &[Field<LimitRow>] = &[
    Fields::left("limit", "LIMIT", 22, "What is limited, and whose it is.", |row, _| {
        Value::Text(Cow::Borrowed(&row.title))
    }),
    Fields::right("value", "NOW", 6, "How much there is.", |row, _| Value::Count(row.limit.value)),
    Fields::right("max", "MOST", 6, "How much there can be; none if there is no end to it.", |row, _| {
        row.max().map_or(Value::None, Value::Count)
    }),
    Fields::right("change", "SINCE", 6, "How much more there is than at the mark, or less.", |row, _| {
        row.change.map_or(Value::None, Value::Change)
    })
    .for_people(),
    Fields::right("percent", "FULL", 5, "The one in percent of the other.", |row, _| {
        Value::Percent(row.percent())
    }),
    Fields::left("consequence", "WHEN FULL", 44, "What happens when it is reached.", |row, _| {
        Value::Text(Cow::Borrowed(row.consequence))
    }),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Topic;

    #[test]
    fn every_limit_points_to_a_text() {
        for (name, _, _, topic) in KNOWN {
            assert!(Topic::named(topic).is_some() && Topic::named(name).is_some(), "{name}: {topic}");
        }
        assert!(Topic::named("accept-queue-overflow").is_some() && Topic::named("fd-limit").is_some());
    }

    #[test]
    fn shares_are_right_at_both_ends() {
        let of = |value, max| percent(Limit { value, max });
        assert!(of(0, 0) <= 0.0 && of(0, 9) <= 0.0 && of(1, u64::MAX) > 0.0);
        assert!([of(1, 0), of(9, 9)].iter().all(|share| (share - 100.0).abs() < 1e-9));
        assert!(fullness(Limit { value: 1, max: 0 }) > fullness(Limit { value: 100, max: 128 }));
    }
}
