//! Rates from the kernel's counters.

use super::{CounterRate, Rates};
use crate::model::Counters;

/// The counters of one sample, and what else a rate needs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) counters: &'a Counters,
    /// Sockets in `SYN_SENT`; `None` if the dump was incomplete.
    pub(super) syn_sent: Option<u32>,
}

/// A growth per second.
#[expect(clippy::cast_precision_loss, reason = "a growth of 2^53 between two samples does not happen")]
fn per_second(growth: u64, seconds: f64) -> f64 {
    growth as f64 / seconds
}

/// That many in so many seconds, per second.
pub(super) fn over(growth: Option<u64>, seconds: Option<f64>) -> Option<f64> {
    growth.zip(seconds.filter(|&s| s > 0.0)).map(|(growth, seconds)| per_second(growth, seconds))
}

/// The rates between two readings, `seconds` apart; none of the first reading.
pub(super) fn rates(before: Option<Reading<'_>>, now: Reading<'_>, seconds: Option<f64>) -> Rates {
    let Some((before, seconds)) = before.zip(seconds.filter(|&s| s > 0.0)) else {
        return Rates::default();
    };
    let growth = |name| now.counters.growth(before.counters, name);
    let per_s = |growth| per_second(growth, seconds);
    Rates {
        opened: growth("TcpActiveOpens").map(per_s),
        accepted: growth("TcpPassiveOpens").map(per_s),
        closed: closed(before, now).map(|n| n / seconds),
        time_wait: entries(before.counters, now.counters).map(per_s),
        connect_failures: None,
    }
}

/// How many sockets entered `TIME_WAIT`, or the `FIN_WAIT2` of a closed descriptor, between two readings.
pub(super) fn entries(before: &Counters, now: &Counters) -> Option<u64> {
    let growth = |name| now.growth(before, name);
    growth("TcpExtTW").map(|n| n + growth("TcpExtTWKilled").unwrap_or(0))
}

/// How many connections ended: those begun, less those that failed to, less those that are still there.
/// `TcpActiveOpens` counts at the SYN already, so attempts still under way are taken off as well.
fn closed(before: Reading<'_>, now: Reading<'_>) -> Option<f64> {
    let growth = |name| now.counters.growth(before.counters, name).map(|n| per_second(n, 1.0));
    let level = |reading: Reading<'_>, name| reading.counters.get(name).map(|n| per_second(n, 1.0));
    let begun = growth("TcpActiveOpens")? + growth("TcpPassiveOpens")? - growth("TcpAttemptFails")?;
    let stayed = level(now, "TcpCurrEstab")? - level(before, "TcpCurrEstab")?;
    let attempts = match (before.syn_sent, now.syn_sent) {
        (Some(before), Some(now)) => f64::from(now) - f64::from(before),
        _ => 0.0,
    };
    Some((begun - stayed - attempts).max(0.0))
}

/// The rate of each of `now`'s counters, in their order.
pub(super) fn counter_rates(
    before: Option<Reading<'_>>,
    now: Reading<'_>,
    seconds: Option<f64>,
) -> Vec<CounterRate> {
    let rate = |name: &str| {
        let seconds = seconds.filter(|&s| s > 0.0 && !Counters::is_gauge(name))?;
        Some(per_second(now.counters.growth(before?.counters, name)?, seconds))
    };
    now.counters.iter().map(|(name, _)| rate(name)).collect()
}

/// The rate over two stretches of time, each `(rate, seconds)`; `None` unless both are known.
fn joined(a: (Option<f64>, f64), b: (Option<f64>, f64)) -> Option<f64> {
    Some((a.0? * a.1 + b.0? * b.1) / (a.1 + b.1))
}

/// The rates over two stretches of time that follow each other.
pub(super) fn join_rates(a: (&Rates, f64), b: (&Rates, f64)) -> Rates {
    let join = |of: fn(&Rates) -> Option<f64>| joined((of(a.0), a.1), (of(b.0), b.1));
    Rates {
        opened: join(|r| r.opened),
        accepted: join(|r| r.accepted),
        closed: join(|r| r.closed),
        time_wait: join(|r| r.time_wait),
        connect_failures: join(|r| r.connect_failures),
    }
}

/// As [`join_rates`], for one counter.
pub(super) fn join_counter_rates(a: (CounterRate, f64), b: (CounterRate, f64)) -> CounterRate {
    joined(a, b)
}
