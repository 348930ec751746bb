//! The counters of `/proc/net`: `snmp` and `netstat` (pairs of lines), `sockstat` and `sockstat6`.

/// Calls `each` with group, name and value of every counter in `/proc/net/snmp` or `/proc/net/netstat`.
///
/// Both files hold pairs of lines that begin with the same group, `Tcp: ActiveOpens …` and `Tcp: 84 …`.
/// A value that is not a natural number (`MaxConn` is -1) means none and is left out.
///
/// # Errors
/// [`Malformed`] if lines do not pair up. What came before was delivered.
pub fn paired<'a>(text: &'a str, mut each: impl FnMut(&'a str, &'a str, u64)) -> Result<(), Malformed> {
    let mut lines = text.lines();
    while let Some(header) = lines.next() {
        let (group, names) = header.split_once(':').ok_or(Malformed)?;
        let (same, values) = lines.next().and_then(|line| line.split_once(':')).ok_or(Malformed)?;
        let (names, values) = (names.split_ascii_whitespace(), values.split_ascii_whitespace());
        if group != same || names.clone().count() != values.clone().count() {
            return Err(Malformed);
        }
        for (name, value) in names.zip(values) {
            match value.parse() {
                Ok(value) => each(group, name, value),
                Err(_) if value.parse::<i64>().is_ok() => {}
                Err(_) => return Err(Malformed),
            }
        }
    }
    Ok(())
}

/// Calls `each` with group, name and value of every figure in `/proc/net/sockstat` or `/proc/net/sockstat6`,
/// whose lines read `TCP: inuse 1 orphan 0 tw 0 alloc 1 mem 12`.
///
/// # Errors
/// [`Malformed`] if a line has another form. What came before was delivered.
pub fn sockstat<'a>(text: &'a str, mut each: impl FnMut(&'a str, &'a str, u64)) -> Result<(), Malformed> {
    for line in text.lines() {
        let (group, rest) = line.split_once(':').ok_or(Malformed)?;
        let mut words = rest.split_ascii_whitespace();
        while let Some(name) = words.next() {
            let value = words.next().ok_or(Malformed)?;
            match value.parse() {
                Ok(value) => each(group, name, value),
                Err(_) if value.parse::<i64>().is_ok() => {}
                Err(_) => return Err(Malformed),
            }
        }
    }
    Ok(())
}

/// A text of `/proc/net` that does not have the form it always had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is not of the known form")]
pub struct Malformed;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(
        text: &str,
        parse: impl for<'a> Fn(&'a str, &mut dyn FnMut(&'a str, &'a str, u64)) -> Result<(), Malformed>,
    ) -> (Vec<(String, u64)>, Result<(), Malformed>) {
        let mut all = Vec::new();
        let result = parse(text, &mut |group, name, value| all.push((format!("{group}.{name}"), value)));
        (all, result)
    }

    #[test]
    fn pairs_of_lines_become_names_and_values() {
        let text =
            "Tcp: RtoMin MaxConn ActiveOpens\nTcp: 200 -1 84\nTcpExt: TW\nTcpExt: 18446744073709551615\n";
        let (all, result) = read(text, |text, each| paired(text, each));
        assert_eq!(result, Ok(()));
        let want = [("Tcp.RtoMin", 200), ("Tcp.ActiveOpens", 84), ("TcpExt.TW", u64::MAX)];
        assert_eq!(all, want.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn lines_that_do_not_pair_up_are_refused() {
        for text in ["Tcp: A B\nTcp: 1\n", "Tcp: A\nUdp: 1\n", "Tcp: A\n", "Tcp\n", "Tcp: A\nTcp: x\n"] {
            assert_eq!(read(text, |text, each| paired(text, each)).1, Err(Malformed), "{text:?}");
        }
    }

    #[test]
    fn sockstat_has_names_beside_values() {
        let text = "sockets: used 14\nTCP: inuse 1 orphan 0 tw 5\n";
        let (all, result) = read(text, |text, each| sockstat(text, each));
        assert_eq!(result, Ok(()));
        let want = [("sockets.used", 14), ("TCP.inuse", 1), ("TCP.orphan", 0), ("TCP.tw", 5)];
        assert_eq!(all, want.map(|(name, value)| (name.to_owned(), value)));
        assert_eq!(read("TCP: inuse\n", |text, each| sockstat(text, each)).1, Err(Malformed));
    }

    proptest! {
        #[test]
        fn no_text_makes_them_panic(text in "[A-Za-z:. 0-9\n-]{0,120}") {
            let _ = paired(&text, |_, _, _| {});
            let _ = sockstat(&text, |_, _, _| {});
        }
    }
}
