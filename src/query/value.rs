//! The values of the filter language: numbers, durations, sizes, addresses, names.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net};

use super::{
    ast::{Number, Pattern, Place, Term},
    keys::{Amount, CLAIMS, FAMILIES, Kind, Names, SIDES, STATES, TIMERS, lookup, nearest},
};

/// Units of time in microseconds, the smallest first.
pub(super) const DURATIONS: [(&str, u64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// Units of size in bytes.
const SIZES: [(&str, u64); 10] = [
    ("b", 1),
    ("k", 1 << 10),
    ("kb", 1 << 10),
    ("kib", 1 << 10),
    ("m", 1 << 20),
    ("mb", 1 << 20),
    ("mib", 1 << 20),
    ("g", 1 << 30),
    ("gb", 1 << 30),
    ("gib", 1 << 30),
];

/// One value of a list, as it was written.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// Where it begins, bytes from the start of the filter.
    pub(super) at: usize,
    /// What stands before it: `>`, `>=`, `<`, `<=`, `=`, or nothing.
    pub(super) sign: &'static str,
    /// The text without quotes.
    pub(super) text: String,
    /// Whether it was quoted.
    pub(super) quoted: bool,
}

/// What is wrong with a value, and where.
pub(super) type Wrong = (usize, String);

/// The term that a key and its values make.
pub(super) fn term(kind: Kind, values: &[Written]) -> Result<Term, Wrong> {
    Ok(match kind {
        Kind::Port(end) => Term::Port(end, numbers(values, port, "a port")?),
        Kind::Amount(amount) => Term::Amount(amount, amounts(amount, values)?),
        Kind::Address(end) => Term::Address(end, places(values)?),
        Kind::Text(key) => Term::Text(key, values.iter().map(pattern).collect::<Result<_, _>>()?),
        Kind::State => Term::State(named(STATES, "state", values)?),
        Kind::Side => Term::Side(named(SIDES, "side", values)?),
        Kind::Evidence => Term::Evidence(named(CLAIMS, "kind of evidence", values)?),
        Kind::Family => Term::Family(named(FAMILIES, "family", values)?),
        Kind::Timer => Term::Timer(named(TIMERS, "timer", values)?),
    })
}

fn amounts(amount: Amount, values: &[Written]) -> Result<Vec<Number>, Wrong> {
    match amount {
        Amount::Rtt => numbers(values, |text| duration(text, 1_000), "a time such as 100ms"),
        _ if amount.is_duration() => {
            numbers(values, |text| duration(text, 1_000_000), "a time such as 30s or 5m")
        }
        _ if amount.is_size() => numbers(values, size, "a size in bytes such as 0 or 64KiB"),
        _ => numbers(values, |text| digits(text)?.parse().ok(), "a whole number"),
    }
}

fn numbers(values: &[Written], read: impl Fn(&str) -> Option<u64>, what: &str) -> Result<Vec<Number>, Wrong> {
    values.iter().map(|value| number(value, &read, what)).collect()
}

fn number(value: &Written, read: &impl Fn(&str) -> Option<u64>, what: &str) -> Result<Number, Wrong> {
    let get = |text: &str| read(text).ok_or_else(|| (value.at, format!("`{text}` is not {what}")));
    let text = value.text.as_str();
    Ok(match value.sign {
        ">" => Number::Above(get(text)?),
        ">=" => Number::AtLeast(get(text)?),
        "<" => Number::Below(get(text)?),
        "<=" => Number::AtMost(get(text)?),
        _ => match text.split_once('-') {
            None => Number::Is(get(text)?),
            Some((low, high)) => {
                let (from, to) = (get(low)?, get(high)?);
                if from > to {
                    return Err((value.at, format!("the range ends before it begins; write {high}-{low}")));
                }
                Number::Between(from, to)
            }
        },
    })
}

/// Digits alone: `parse` would let a plus sign pass.
fn digits(text: &str) -> Option<&str> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then_some(text)
}

pub(super) fn port(text: &str) -> Option<u64> {
    digits(text)?.parse::<u16>().ok().map(u64::from)
}

/// A time in microseconds: parts with units, such as `1m30s` or `1.5s`, or a plain number of `unit`s.
fn duration(text: &str, unit: u64) -> Option<u64> {
    if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return scaled(text, unit);
    }
    let mut rest = text;
    let mut total = 0_u64;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (figure, after) = rest.split_at(number);
        let end = after.find(|c: char| !c.is_alphabetic() && c != 'µ').unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        let name = if matches!(name, "µs" | "μs") { "us" } else { name };
        let (_, scale) = DURATIONS.iter().find(|(known, _)| *known == name)?;
        total = total.checked_add(scaled(figure, *scale)?)?;
        rest = after;
    }
    Some(total)
}

/// A size in bytes; units are powers of 1024.
fn size(text: &str) -> Option<u64> {
    let number = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (figure, unit) = text.split_at(number);
    if unit.is_empty() {
        return digits(figure)?.parse().ok();
    }
    let unit = unit.to_ascii_lowercase();
    let (_, scale) = SIZES.iter().find(|(known, _)| *known == unit)?;
    scaled(figure, *scale)
}

/// A decimal number times `scale`, cut to a whole number, exactly. At most nine decimals count.
fn scaled(figure: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = figure.split_once('.').unwrap_or((figure, "0"));
    let whole: u64 = digits(whole)?.parse().ok()?;
    let fraction: String = digits(fraction)?.chars().chain("000000000".chars()).take(9).collect();
    let part = fraction.parse::<u128>().ok()? * u128::from(scale) / 1_000_000_000;
    whole.checked_mul(scale)?.checked_add(u64::try_from(part).ok()?)
}

fn places(values: &[Written]) -> Result<Vec<Place>, Wrong> {
    let mut places = Vec::with_capacity(values.len());
    for value in values {
        plain(value)?;
        if matches!(value.text.as_str(), "localhost" | "loopback") {
            let v4 = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
            places.push(Place { net: Some(v4.into()), port: None });
            places.push(Place { net: Some(IpAddr::V6(Ipv6Addr::LOCALHOST).into()), port: None });
        } else {
            let place = place(&value.text).ok_or_else(|| (value.at, no_address(&value.text)))?;
            places.push(place);
        }
    }
    Ok(places)
}

fn no_address(text: &str) -> String {
    match port(text) {
        Some(port) => {
            format!("`{text}` is not an address; for a port write port:{port}, lport:{port} or rport:{port}")
        }
        None => format!(
            "`{text}` is not an address; expected one such as 10.0.0.1, 10.0.0.0/8, 10.0.0.1:443 or [::1]:443"
        ),
    }
}

/// An address, a network, either with a port, or a port after a colon.
pub(super) fn place(text: &str) -> Option<Place> {
    if let Some(net) = network(text) {
        return Some(Place { net: Some(net), port: None });
    }
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.rsplit_once(']'));
    let (net, rest) = match bracketed {
        Some((inside, rest)) => (Some(network(inside).filter(|_| inside.contains(':'))?), rest),
        None if text == "*" => return Some(Place { net: None, port: None }),
        None => {
            let (before, _) = text.rsplit_once(':')?;
            let any = before.is_empty() || before == "*";
            let net = if any { None } else { Some(network(before)?) };
            // An unbracketed IPv6 address with a port reads as another address, so it never comes here.
            (net, &text[before.len()..])
        }
    };
    match rest {
        "" | ":*" => Some(Place { net, port: None }),
        rest => Some(Place { net, port: Some(u16::try_from(port(rest.strip_prefix(':')?)?).ok()?) }),
    }
}

/// A network, or an address as one; IPv4-mapped ones as IPv4, bits of the host cleared.
fn network(text: &str) -> Option<IpNet> {
    let net: IpNet = match text.parse::<IpAddr>() {
        Ok(ip) => ip.into(),
        Err(_) => text.parse().ok()?,
    };
    let mapped = match net {
        IpNet::V6(net) if net.prefix_len() >= 96 => net.addr().to_ipv4_mapped(),
        _ => None,
    };
    let net = match mapped {
        Some(ip) => Ipv4Net::new(ip, net.prefix_len() - 96).ok()?.into(),
        None => net,
    };
    Some(net.trunc())
}

fn pattern(value: &Written) -> Result<Pattern, Wrong> {
    match value.sign {
        "" if value.text == "*" && !value.quoted => Ok(Pattern::Any),
        "" if value.text.is_empty() => Err((value.at, "the text is empty; write * for any".to_owned())),
        "" => Ok(Pattern::Like(value.text.clone())),
        "=" => Ok(Pattern::Is(value.text.clone())),
        sign => Err((value.at, format!("`{sign}` compares numbers, and this is text"))),
    }
}

fn plain(value: &Written) -> Result<(), Wrong> {
    match value.sign {
        "" | "=" => Ok(()),
        sign => Err((value.at, format!("`{sign}` compares numbers; write only the value"))),
    }
}

fn named<T: Copy + PartialEq>(names: Names<T>, what: &str, values: &[Written]) -> Result<Vec<T>, Wrong> {
    let mut found = Vec::new();
    for value in values {
        plain(value)?;
        let text = value.text.as_str();
        let Some(meant) = lookup(names, text) else {
            let known = names.iter().flat_map(|(known, _)| known.iter().copied());
            let help = match nearest(text, known) {
                Some(name) => format!("did you mean {name}?"),
                None => format!("use one of {}", all(names)),
            };
            return Err((value.at, format!("there is no {what} `{text}`; {help}")));
        };
        for one in meant {
            if !found.contains(one) {
                found.push(*one);
            }
        }
    }
    Ok(found)
}

fn all<T>(names: Names<T>) -> String {
    names.iter().map(|(known, _)| known[0]).collect::<Vec<_>>().join(", ")
}
