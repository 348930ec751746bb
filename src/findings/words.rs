//! Figures and names as findings word them.

use std::{net::IpAddr, time::Duration};

use crate::model::{Endpoint, Process, program, text::printable};

/// A rate for a sentence: `0.4/s`, `12.5/s`, `340/s`.
pub(super) fn rate(per_s: f64) -> String {
    if per_s < 100.0 { format!("{per_s:.1}/s") } else { format!("{per_s:.0}/s") }
}

/// A time for a sentence: `3 ms`, `4.1 s`, `12 min`, `2.5 h`.
pub(super) fn duration(time: Duration) -> String {
    let s = time.as_secs_f64();
    match s {
        _ if s < 0.001 => format!("{} µs", time.as_micros()),
        _ if s < 0.01 => format!("{:.1} ms", s * 1000.0),
        _ if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        _ if s < 120.0 => format!("{s:.0} s"),
        _ if s < 7200.0 => format!("{:.0} min", s / 60.0),
        _ => format!("{:.1} h", s / 3600.0),
    }
}

/// As [`duration`], of milliseconds.
pub(super) fn millis(ms: u32) -> String {
    duration(Duration::from_millis(ms.into()))
}

/// So many of a thing: `1 connection`, `7 connections`.
pub(super) fn many(count: u32, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// A process for a sentence: `python3 worker.py (712)`.
pub(super) fn process(process: &Process) -> String {
    format!("{} ({})", printable(&program::program(process)), process.key.pid)
}

/// A service for a sentence: `10.0.0.2:443`, or `port 443` where the address is not one.
pub(super) fn service(ip: Option<IpAddr>, port: u16) -> String {
    ip.map_or_else(|| format!("port {port}"), |ip| Endpoint::new(ip, port).to_string())
}

/// A count as a figure.
#[expect(clippy::cast_precision_loss, reason = "counts are below 2^53")]
pub(super) fn figure(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_read_well() {
        assert_eq!([0.44, 12.5, 340.2].map(rate), ["0.4/s", "12.5/s", "340/s"]);
        assert_eq!(
            [700, 3_000, 90_000, 720_000, 9_000_000].map(millis),
            ["700 ms", "3 s", "90 s", "12 min", "2.5 h"]
        );
        assert_eq!([many(1, "socket"), many(2, "socket")], ["1 socket", "2 sockets"]);
    }
}
