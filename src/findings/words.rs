//! Figures and names as findings word them.

use std::{net::IpAddr, time::Duration};

use crate::model::{Endpoint, Process, program, text::printable};

/// A figure to two significant digits: a sentence is to stay as it is while the figure of the evidence moves.
pub(super) fn about(n: f64) -> f64 {
    if n == 0.0 || !n.is_finite() {
        return n;
    }
    let unit = 10_f64.powf(n.abs().log10().floor() - 1.0);
    (n / unit).round() * unit
}

/// A rate for a sentence: `0.4/s`, `4.5/s`, `13/s`, `340/s`.
pub(super) fn rate(per_s: f64) -> String {
    let per_s = about(per_s);
    if per_s < 10.0 { format!("{per_s:.1}/s") } else { format!("{per_s:.0}/s") }
}

/// A time for a sentence, to two digits, spelt as in a table as far as it is short: `600µs`, `3.1ms`, `41s`, `12m`, `2.5h`.
pub(super) fn duration(time: Duration) -> String {
    let s = about(time.as_secs_f64());
    match s {
        _ if s < 0.000_999_5 => format!("{:.0}µs", s * 1e6),
        _ if s < 0.009_95 => format!("{:.1}ms", s * 1000.0),
        _ if s < 0.999_5 => format!("{:.0}ms", s * 1000.0),
        _ if s < 9.95 => format!("{s:.1}s"),
        _ if s < 119.5 => format!("{s:.0}s"),
        _ if s < 7170.0 => format!("{:.0}m", s / 60.0),
        _ => format!("{:.1}h", s / 3600.0),
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
        assert_eq!([0.44, 4.52, 12.6, 47.8, 346.2].map(rate), ["0.4/s", "4.5/s", "13/s", "48/s", "350/s"]);
        assert_eq!(
            [12, 700, 3_140, 90_000, 720_000, 9_000_000].map(millis),
            ["12ms", "700ms", "3.1s", "90s", "12m", "2.5h"]
        );
        assert_eq!(
            [602, 996, 1_234].map(|us| duration(Duration::from_micros(us))),
            ["600µs", "1.0ms", "1.2ms"]
        );
        assert_eq!(
            [0.0, 0.0123, 47.8, 1_234.0].map(|n| format!("{:.3}", about(n))),
            ["0.000", "0.012", "48.000", "1200.000"]
        );
        assert_eq!([many(1, "socket"), many(2, "socket")], ["1 socket", "2 sockets"]);
    }
}
