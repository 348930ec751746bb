//! The lines that say what should follow:
//!
//! ```text
//! expect a held 7,8 client opened           evidence, owners or reason, side (or -), flags: all of them
//! expect ended a seen 7 client closed       of a connection that is in no state any more; "ended 2" counts them
//! expect opener a 7                         who opened it, by the trace; or "none"
//! expect closes-named 3                     over all samples so far, by the trace; or "none"
//! expect coverage entries=6010 attributed=5996 nameless=0 lost=0 before_start=14 untold=0 exact_at=72     or "none"
//! expect lifetimes process 7 count=3 p50=0.003 p99=1      or "peer 10.0.0.2:443", or "none"; within a quarter
//! expect failures 7 10.0.0.2:443 no_port=1 other=2        over the last minute
//! expect total sockets=3 opened=1 closed=0 ports=2
//! expect process 7 sockets=2 time_wait=1 opened=0 closed=0 name=nginx      or "process 7 absent"
//! expect peer 10.0.0.2:443 client sockets=1 closed=0 owners=7
//! expect destination 10.0.0.1 10.0.0.2:443 taken=2 time_wait=1
//! expect left 10.0.0.1 10.0.0.2:443 13-14 REASON        ports for it, a number or an interval with all its reasons
//! expect forecast 10.0.0.1 10.0.0.2:443 settles=60     ports; or "full=12", seconds; within 5 %
//! expect rate closed 5                      opened, accepted, closed, time_wait; or "none"
//! expect counter TcpRetransSegs 3
//! expect observed total …                   total, process, peer, rate over all samples so far
//! expect series TIME_WAIT 0 1 2             the newest values of the history
//! expect closes 2 3 estimated=59
//! expect change TIME_WAIT 5 1.5             change per second over so many samples
//! expect risen CLOSE_WAIT 12                seconds after boot; or "none"
//! expect finding ID warning pid=7 peer=10.0.0.2 port=443 side=client closed_first_per_s=50
//!                                           pid=none, processes=4, since=95, sure=likely, says=MaxIdle; figures within 5 %
//! expect finding ID absent                  "first ID": the worst of all
//! expect finding calm                       nothing at warning or above; "nothing" for nothing at all
//! ```

use std::{fmt::Debug, net::IpAddr};

use twtop::{
    model::{Endpoint, Side, Stamp},
    store::{Aggregate, ConnectFailure, Forecast, Moment, Owned, PeerKey, PeerRow, Rates},
};

use super::{World, endpoint, key, known_state, parse};

type Checked = Result<(), String>;

impl World {
    /// Checks one expectation of the newest moment.
    pub(crate) fn expect(&mut self, words: &[&str]) -> Checked {
        let moment = self.moment.clone().ok_or("before the first tick")?;
        match words {
            ["ended", count] => same("ended", &moment.ended.len(), &parse(count)?),
            ["ended", label, rest @ ..] => {
                let cookie = self.cookie(label);
                let found = moment.iter_ended().find(|owned| owned.socket.row().cookie == cookie);
                link(&found.ok_or("did not end")?, rest)
            }
            ["opener", label, who] => {
                let cookie = self.cookie(label);
                let owned = find(&moment, cookie).ok_or("no such socket")?;
                let opener = owned.attribution.opener.as_ref();
                let found = opener.map_or_else(|| "none".to_owned(), |process| process.key.pid.to_string());
                same("opener", &found.as_str(), who)
            }
            ["closes-named", count] => {
                let named = self.observation.as_ref().expect("begun with the first moment").named_closes;
                let found = named.map_or_else(|| "none".to_owned(), |count| count.to_string());
                same("closes named", &found.as_str(), count)
            }
            ["coverage", words @ ..] => coverage(&moment, words),
            ["lifetimes", words @ ..] => lifetimes(&moment, words),
            ["failures", pid, peer, words @ ..] => {
                let (pid, peer) = (parse::<u32>(pid)?, endpoint(peer)?);
                let traced = moment.trace.as_ref().ok_or("no trace")?;
                let same = |failed: &&ConnectFailure| {
                    failed.peer == peer && failed.process.as_ref().is_some_and(|by| by.key.pid == pid)
                };
                let failed = traced.window.failures.iter().find(same).ok_or("no such failures")?;
                each(words, |name| {
                    let count = if name == "no_port" { failed.no_port } else { failed.other };
                    u32::try_from(count).ok()
                })
            }
            ["counter", name, value] => {
                let index = moment.sample.counters.iter().position(|(known, _)| &**known == *name);
                rate(moment.counter_rates[index.ok_or("no such counter")?], value)
            }
            ["observed", "rate", which, value] => {
                let observed = self.observation.as_ref().expect("begun with the first moment");
                rate(of_rates(&observed.rates, which)?, value)
            }
            ["observed", rest @ ..] => {
                let observed = self.observation.as_ref().expect("begun with the first moment");
                counted(&observed.aggregate, rest)
            }
            ["rate", which, value] => rate(of_rates(&moment.rates, which)?, value),
            ["left", source, peer, figure, reasons @ ..] => {
                left(&moment, (parse(source)?, endpoint(peer)?), figure, reasons)
            }
            ["forecast", source, peer, word] => forecast(&moment, (parse(source)?, endpoint(peer)?), word),
            ["finding", rest @ ..] => self.expect_finding(rest),
            ["series" | "closes" | "change" | "risen", ..] => self.expect_history(words),
            ["total" | "process" | "peer" | "destination", ..] => counted(&moment.totals, words),
            [label, rest @ ..] => {
                let cookie = self.cookie(label);
                link(&find(&moment, cookie).ok_or("no such socket")?, rest)
            }
            [] => Err("expect what?".to_owned()),
        }
    }

    fn expect_history(&self, words: &[&str]) -> Checked {
        let totals = self.history.totals();
        match words {
            ["series", name, values @ ..] => {
                let series = totals.state(known_state(name)?).ok_or("never seen")?;
                let values = values.iter().map(|value| parse(value).map(Some));
                let values: Vec<Option<f32>> = values.collect::<Result<_, _>>()?;
                same("series", &series.last(values.len()).collect(), &values)
            }
            ["closes", values @ .., estimated] => {
                let values = values.iter().map(|value| parse(value).map(Some));
                let values: Vec<Option<f32>> = values.collect::<Result<_, _>>()?;
                same("closes", &self.history.closes().last(values.len()).collect(), &values)?;
                let estimated = estimated.strip_prefix("estimated=").ok_or("estimated=N")?;
                same("estimated", &self.history.closes_estimated(), &parse(estimated)?)
            }
            ["change", name, samples, value] => {
                let change = totals.change_per_s(known_state(name)?, parse(samples)?);
                rate(change.map(f64::from), value)
            }
            ["risen", name, value] => {
                let since = self.history.risen_since(known_state(name)?);
                rate(since.map(|since: Stamp| since.since_boot.as_secs_f64()), value)
            }
            _ => Err("no such expectation".to_owned()),
        }
    }
}

fn coverage(moment: &Moment, words: &[&str]) -> Checked {
    let traced = moment.trace.as_ref();
    if words == ["none"] {
        return same("trace", &traced.is_some(), &false);
    }
    let coverage = traced.ok_or("no trace")?.coverage;
    each(words, |name| {
        let figure = match name {
            "entries" => coverage.entries,
            "attributed" => coverage.attributed,
            "nameless" => coverage.nameless,
            "lost" => coverage.lost,
            "before_start" => coverage.before_start,
            "untold" => coverage.untold,
            "exact_at" => coverage.exact_at.as_secs(),
            _ => return None,
        };
        u32::try_from(figure).ok()
    })
}

/// How long the connections of a process or a peer lived, as its row tells.
fn lifetimes(moment: &Moment, words: &[&str]) -> Checked {
    let totals = &moment.totals;
    let (found, words) = match words {
        ["process", pid, words @ ..] => {
            let pid: u32 = parse(pid)?;
            let row = totals.processes.iter().find(|row| row.process.key.pid == pid).ok_or("no such row")?;
            (&row.lifetimes, words)
        }
        ["peer", peer, words @ ..] => {
            let peer = endpoint(peer)?;
            let of_it = |row: &&PeerRow| (row.key.ip, row.key.port) == (peer.ip, peer.port);
            (&totals.peers.iter().find(of_it).ok_or("no such row")?.lifetimes, words)
        }
        _ => return Err("lifetimes of what?".to_owned()),
    };
    if words == ["none"] {
        return same("lifetimes", &found.is_some(), &false);
    }
    let found = found.as_ref().ok_or("none known")?;
    for word in words {
        let (name, expected) = word.split_once('=').ok_or("name=number")?;
        let expected: f64 = parse(expected)?;
        if name == "count" {
            same("count", &found.count(), &parse(word.trim_start_matches("count="))?)?;
            continue;
        }
        let share = if name == "p50" { 0.5 } else { 0.99 };
        let life = found.quantile(share).ok_or("too long to say")?.as_secs_f64();
        if (life / expected - 1.0).abs() > 0.25 {
            return Err(format!("{name}: found {life}"));
        }
    }
    Ok(())
}

fn find(moment: &Moment, cookie: u64) -> Option<Owned<'_>> {
    moment.iter().find(|owned| owned.socket.row().cookie == cookie)
}

fn link(owned: &Owned<'_>, words: &[&str]) -> Checked {
    let attribution = owned.attribution;
    let pids = attribution.owners.iter().map(|owner| match owner.key.start_ticks {
        1 => owner.key.pid.to_string(),
        start => format!("{}@{start}", owner.key.pid),
    });
    let owners = || pids.collect::<Vec<_>>().join(",");
    let who = attribution.unknown.map_or_else(owners, |reason| reason.name().replace(' ', "-"));
    let mut found = vec![attribution.evidence.name().to_owned(), who];
    found.push(owned.link.side().map_or("-", Side::name).to_owned());
    found.extend(owned.link.opened().then(|| "opened".to_owned()));
    found.extend(owned.link.closed().then(|| "closed".to_owned()));
    same("link", &found.join(" "), &words.join(" "))
}

fn counted(aggregate: &Aggregate, words: &[&str]) -> Checked {
    match words {
        ["total", rest @ ..] => each(rest, |name| {
            Some(match name {
                "sockets" => aggregate.states.total(),
                "opened" => aggregate.opened,
                "closed" => aggregate.closed,
                "ports" => aggregate.ports_in_use,
                "destinations" => u32::try_from(aggregate.destinations.len()).expect("few"),
                _ => return None,
            })
        }),
        ["process", who, rest @ ..] => {
            let key = key(who)?;
            let row = aggregate.processes.iter().find(|row| row.process.key == key);
            if rest == ["absent"] {
                return same("absent", &row.is_none(), &true);
            }
            let row = row.ok_or("no such row")?;
            each(rest, |name| {
                Some(match name {
                    "sockets" => row.states.total(),
                    "time_wait" => row.time_wait_evidence.iter().sum(),
                    "opened" => row.opened,
                    "closed" => row.closed,
                    "fds" => row.fds?,
                    name => u32::from(name.strip_prefix("name:")? == row.process.name),
                })
            })
        }
        ["peer", peer, side, rest @ ..] => {
            let side = if *side == "server" { Side::Server } else { Side::Client };
            let peer = endpoint(peer)?;
            let key = PeerKey { ip: peer.ip, port: peer.port, side };
            let row = aggregate.peers.iter().find(|row| row.key == key).ok_or("no such row")?;
            let pids = row.processes.iter().map(|process| process.key.pid.to_string());
            let owners = format!("owners={}", pids.collect::<Vec<_>>().join(","));
            let rest: Vec<&str> = rest.iter().copied().filter(|word| *word != owners).collect();
            each(&rest, |name| {
                Some(match name {
                    "sockets" => row.states.total(),
                    "opened" => row.opened,
                    "closed" => row.closed,
                    _ => return None,
                })
            })
        }
        ["destination", source, peer, rest @ ..] => {
            let (source, peer): (IpAddr, _) = (parse(source)?, endpoint(peer)?);
            let mut rows = aggregate.destinations.iter();
            let row = rows.find(|row| row.source == source && row.peer == peer).ok_or("no such row")?;
            each(rest, |name| {
                Some(match name {
                    "taken" => row.taken,
                    "time_wait" => row.time_wait,
                    "opened" => row.opened,
                    _ => return None,
                })
            })
        }
        _ => Err("no such expectation".to_owned()),
    }
}

/// Checks `name=number` words.
fn each(words: &[&str], get: impl Fn(&str) -> Option<u32>) -> Checked {
    for word in words {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("{word}: not name=number"))?;
        same(name, &get(name), &Some(parse(value)?))?;
    }
    Ok(())
}

fn of_rates(rates: &Rates, which: &str) -> Result<Option<f64>, String> {
    Ok(match which {
        "opened" => rates.opened,
        "accepted" => rates.accepted,
        "closed" => rates.closed,
        "time_wait" => rates.time_wait,
        "connect_failures" => rates.connect_failures,
        _ => return Err("no such rate".to_owned()),
    })
}

fn rate(found: Option<f64>, expected: &str) -> Checked {
    match (found, expected) {
        (None, "none") => Ok(()),
        (Some(found), expected) if expected != "none" => {
            let expected: f64 = parse(expected)?;
            if (found - expected).abs() < 1e-3 { Ok(()) } else { Err(format!("found {found}")) }
        }
        (found, _) => Err(format!("found {found:?}")),
    }
}

fn same<T: PartialEq + Debug>(what: &str, found: &T, expected: &T) -> Checked {
    if found == expected { Ok(()) } else { Err(format!("{what}: found {found:?}, expected {expected:?}")) }
}

fn left(moment: &Moment, (source, peer): (IpAddr, Endpoint), figure: &str, reasons: &[&str]) -> Checked {
    let mut rows = moment.totals.destinations.iter();
    let row = rows.find(|row| row.source == source && row.peer == peer).ok_or("no such destination")?;
    let left = row.ports.ok_or("the range is not known")?.left;
    let found = if left.is_exact() { left.max.to_string() } else { format!("{}-{}", left.min, left.max) };
    same("left", &found.as_str(), &figure)?;
    same("reasons", &left.reasons().collect(), &reasons.to_vec())
}

fn forecast(moment: &Moment, (source, peer): (IpAddr, Endpoint), word: &str) -> Checked {
    let mut rows = moment.totals.destinations.iter();
    let row = rows.find(|row| row.source == source && row.peer == peer).ok_or("no such destination")?;
    let found = row.forecast.ok_or("nothing is foretold")?;
    let (name, value) = match found {
        Forecast::Full { in_s } => ("full", in_s),
        Forecast::Settles { held } => ("settles", f64::from(held)),
    };
    let (said, expected) = word.split_once('=').ok_or("name=number")?;
    let expected: f64 = parse(expected)?;
    let close = (value - expected).abs() <= (expected * 0.05).max(0.5);
    if name == said && close { Ok(()) } else { Err(format!("found {found:?}")) }
}
