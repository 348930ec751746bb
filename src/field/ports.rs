//! What is left of the local ports, in words.

use super::format;
use crate::store::{DestinationPorts, DestinationRow, Forecast, PortsLeft};

/// What is left: a number, or an interval with `dash` between its ends: `25,051`, `3,120-8,400`.
#[must_use]
pub fn left(left: &PortsLeft, dash: &str) -> String {
    let (min, max) = (format::grouped(left.min.into()), format::grouped(left.max.into()));
    if left.min == left.max { max } else { format!("{min}{dash}{max}") }
}

/// What is left as one figure, and whether it is the most that it can be. Where little is in doubt it is the least: a few
/// connections that are told of a sample later would make it another one each second.
#[must_use]
pub fn left_figure(ports: &DestinationPorts) -> (u32, bool) {
    let PortsLeft { min, max, doubt } = ports.left;
    let is_little = !doubt.bound_unlisted && (max - min) * LITTLE <= ports.usable;
    if is_little { (min, false) } else { (max, true) }
}

/// One in so many of the ports is little.
const LITTLE: u32 = 100;

/// What becomes of a destination's ports: `full in 41s`, `settles at 63%`, `falls to 5%`, `steady`; `None` if nothing is
/// foretold.
#[must_use]
pub fn forecast(row: &DestinationRow) -> Option<String> {
    match row.forecast? {
        Forecast::Full { in_s } if in_s <= 0.0 => Some("full".to_owned()),
        // Nobody waits for milliseconds, and the forecast does not know them.
        Forecast::Full { in_s } if in_s < 1.0 => Some("full within 1s".to_owned()),
        Forecast::Full { in_s } => Some(format!("full in {}", format::seconds(in_s))),
        Forecast::Settles { .. } => {
            let (now, then) = (row.ports?.percent()?, settles_percent(row)?);
            let percent = format::percent(then);
            Some(match then - now {
                change if change >= NOTABLE => format!("settles at {percent}"),
                change if change <= -NOTABLE => format!("falls to {percent}"),
                _ => "steady".to_owned(),
            })
        }
    }
}

/// A change by fewer percent of the ports is none: rates go up and down by as much.
const NOTABLE: f64 = 5.0;

/// At how many percent of the usable ports a destination settles; `None` if it is not foretold to.
#[must_use]
pub fn settles_percent(row: &DestinationRow) -> Option<f64> {
    let (Forecast::Settles { held }, ports) = (row.forecast?, row.ports?) else { return None };
    let gone = f64::from(ports.usable - ports.capacity + held.min(ports.capacity));
    (ports.usable > 0).then(|| gone * 100.0 / f64::from(ports.usable))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::Endpoint,
        store::{DestinationPorts, Doubt},
    };

    fn row(forecast: Option<Forecast>) -> DestinationRow {
        let left = PortsLeft { min: 120, max: 500, doubt: Doubt::default() };
        let ports = DestinationPorts {
            left,
            capacity: 900,
            usable: 1000,
            blocked: 400,
            slow: None,
            crowded: false,
            holds_s: 62.0,
        };
        let ip = std::net::Ipv4Addr::LOCALHOST.into();
        DestinationRow {
            source: ip,
            peer: Endpoint::new(ip, 80),
            taken: 0,
            time_wait: 0,
            opened: 0,
            closed: 0,
            ports: Some(ports),
            forecast,
            change: None,
        }
    }

    #[test]
    fn left_is_a_number_or_an_interval() {
        let mut of = PortsLeft { min: 3120, max: 8400, doubt: Doubt::default() };
        assert_eq!(left(&of, "–"), "3,120–8,400");
        of.min = 8400;
        assert_eq!(left(&of, "–"), "8,400");
    }

    #[test]
    fn little_doubt_is_not_told() {
        let mut ports = row(None).ports.expect("known");
        assert_eq!(left_figure(&ports), (500, true));
        ports.left.min = 490;
        assert_eq!(left_figure(&ports), (490, false));
        ports.left.doubt.bound_unlisted = true;
        assert_eq!(left_figure(&ports), (500, true));
    }

    #[test]
    fn a_forecast_is_read_aloud() {
        let words = |forecast| super::forecast(&row(forecast));
        assert_eq!(words(None), None);
        assert_eq!(words(Some(Forecast::Full { in_s: 0.0 })).as_deref(), Some("full"));
        assert_eq!(words(Some(Forecast::Full { in_s: 41.2 })).as_deref(), Some("full in 41s"));
        assert_eq!(words(Some(Forecast::Full { in_s: 0.296 })).as_deref(), Some("full within 1s"));
        // What nobody can have counts as used.
        for (held, said) in [(530, "settles at 63%"), (0, "falls to 10%"), (440, "steady"), (360, "steady")] {
            assert_eq!(words(Some(Forecast::Settles { held })).as_deref(), Some(said));
        }
    }
}
