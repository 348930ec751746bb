//! Numbers, texts, times and addresses as bytes. Numbers take as many bytes as they need, seven bits in each.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    time::Duration,
};

use jiff::Timestamp;

use super::error::{PackError, Result, Trouble};

/// Small numbers stay small, whichever their sign.
pub(super) const fn zigzag(n: i64) -> u64 {
    ((n << 1) ^ (n >> 63)).cast_unsigned()
}

/// The inverse of [`zigzag`].
pub(super) const fn unzigzag(n: u64) -> i64 {
    (n >> 1).cast_signed() ^ -(n & 1).cast_signed()
}

/// Bytes that are being written.
#[derive(Debug, Default)]
pub(super) struct Out {
    bytes: Vec<u8>,
}

impl Out {
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    #[inline]
    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    #[inline]
    pub(super) fn number(&mut self, mut n: u64) {
        while n >= 0x80 {
            self.bytes.push(n.to_le_bytes()[0] | 0x80);
            n >>= 7;
        }
        self.bytes.push(n.to_le_bytes()[0]);
    }

    pub(super) fn count(&mut self, n: usize) {
        self.number(n as u64);
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.byte(flag.into());
    }

    /// A number that may not be there.
    pub(super) fn optional(&mut self, n: Option<u64>) {
        self.flag(n.is_some());
        self.number(n.unwrap_or_default());
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes with their length before them.
    pub(super) fn block(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.bytes(bytes);
    }

    pub(super) fn text(&mut self, text: &str) {
        self.block(text.as_bytes());
    }

    /// A text that may not be there.
    pub(super) fn optional_text(&mut self, text: Option<&str>) {
        self.flag(text.is_some());
        self.text(text.unwrap_or_default());
    }

    pub(super) fn texts(&mut self, texts: &[String]) {
        self.count(texts.len());
        for text in texts {
            self.text(text);
        }
    }

    pub(super) fn duration(&mut self, time: Duration) {
        self.number(time.as_secs());
        self.number(time.subsec_nanos().into());
    }

    pub(super) fn timestamp(&mut self, time: Timestamp) {
        self.number(zigzag(time.as_second()));
        self.number(zigzag(time.subsec_nanosecond().into()));
    }

    /// An address, which says of which family it is.
    pub(super) fn address(&mut self, ip: IpAddr) {
        self.flag(ip.is_ipv6());
        self.bare_address(ip);
    }

    /// An address whose family is told elsewhere.
    pub(super) fn bare_address(&mut self, ip: IpAddr) {
        match ip {
            IpAddr::V4(ip) => self.bytes(&ip.octets()),
            IpAddr::V6(ip) => self.bytes(&ip.octets()),
        }
    }
}

/// Bytes that are being read.
#[derive(Debug, Clone, Copy)]
pub(super) struct In<'a> {
    bytes: &'a [u8],
    /// How far `bytes` is from the beginning of all.
    at: usize,
}

impl<'a> In<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The bytes that are left.
    pub(super) const fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many bytes are left.
    pub(super) const fn left(&self) -> usize {
        self.bytes.len()
    }

    /// An error in what was just read, or is about to be.
    pub(super) const fn error(&self, what: &'static str, trouble: Trouble) -> PackError {
        PackError { what, at: self.at, trouble }
    }

    #[inline]
    pub(super) fn byte(&mut self, what: &'static str) -> Result<u8> {
        let (&byte, rest) = self.bytes.split_first().ok_or(self.error(what, Trouble::Cut))?;
        (self.bytes, self.at) = (rest, self.at + 1);
        Ok(byte)
    }

    #[inline]
    pub(super) fn number(&mut self, what: &'static str) -> Result<u64> {
        let mut n = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte(what)?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(self.error(what, Trouble::TooLarge));
            }
            n |= bits << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(self.error(what, Trouble::TooLarge))
    }

    /// A number of a narrower type.
    pub(super) fn narrow<T: TryFrom<u64>>(&mut self, what: &'static str) -> Result<T> {
        let n = self.number(what)?;
        T::try_from(n).map_err(|_| self.error(what, Trouble::TooLarge))
    }

    /// How many things follow, each of which takes a byte at least: room may be made for so many.
    pub(super) fn count(&mut self, what: &'static str) -> Result<usize> {
        let n = self.narrow(what)?;
        if n > self.left() {
            return Err(self.error(what, Trouble::Cut));
        }
        Ok(n)
    }

    pub(super) fn flag(&mut self, what: &'static str) -> Result<bool> {
        match self.byte(what)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.error(what, Trouble::Unknown(other.into()))),
        }
    }

    pub(super) fn optional(&mut self, what: &'static str) -> Result<Option<u64>> {
        let is_there = self.flag(what)?;
        let n = self.number(what)?;
        Ok(is_there.then_some(n))
    }

    pub(super) fn bytes(&mut self, count: usize, what: &'static str) -> Result<&'a [u8]> {
        let (bytes, rest) = self.bytes.split_at_checked(count).ok_or(self.error(what, Trouble::Cut))?;
        (self.bytes, self.at) = (rest, self.at + count);
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, what: &'static str) -> Result<[u8; N]> {
        let (&bytes, rest) = self.bytes.split_first_chunk().ok_or(self.error(what, Trouble::Cut))?;
        (self.bytes, self.at) = (rest, self.at + N);
        Ok(bytes)
    }

    /// Bytes with their length before them, to be read on their own.
    pub(super) fn block(&mut self, what: &'static str) -> Result<Self> {
        let count = self.count(what)?;
        let at = self.at;
        Ok(Self { bytes: self.bytes(count, what)?, at })
    }

    pub(super) fn text(&mut self, what: &'static str) -> Result<&'a str> {
        let block = self.block(what)?;
        std::str::from_utf8(block.bytes).map_err(|_| block.error(what, Trouble::NotText))
    }

    pub(super) fn optional_text(&mut self, what: &'static str) -> Result<Option<&'a str>> {
        let is_there = self.flag(what)?;
        let text = self.text(what)?;
        Ok(is_there.then_some(text))
    }

    pub(super) fn texts(&mut self, what: &'static str) -> Result<Vec<String>> {
        let count = self.count(what)?;
        (0..count).map(|_| Ok(self.text(what)?.to_owned())).collect()
    }

    pub(super) fn duration(&mut self, what: &'static str) -> Result<Duration> {
        let (seconds, nanos) = (self.number(what)?, self.number(what)?);
        duration(seconds, nanos).ok_or(self.error(what, Trouble::TooLarge))
    }

    pub(super) fn timestamp(&mut self, what: &'static str) -> Result<Timestamp> {
        let (seconds, nanos) = (unzigzag(self.number(what)?), unzigzag(self.number(what)?));
        let time = i32::try_from(nanos).ok().and_then(|nanos| Timestamp::new(seconds, nanos).ok());
        time.ok_or(self.error(what, Trouble::TooLarge))
    }

    pub(super) fn address(&mut self, what: &'static str) -> Result<IpAddr> {
        let is_v6 = self.flag(what)?;
        self.bare_address(is_v6, what)
    }

    pub(super) fn bare_address(&mut self, is_v6: bool, what: &'static str) -> Result<IpAddr> {
        if is_v6 {
            Ok(Ipv6Addr::from(self.array::<16>(what)?).into())
        } else {
            Ok(Ipv4Addr::from(self.array::<4>(what)?).into())
        }
    }

    /// All was read.
    pub(super) fn end(&self, what: &'static str) -> Result<()> {
        match self.left() {
            0 => Ok(()),
            left => Err(self.error(what, Trouble::Spare(left))),
        }
    }
}

/// A time of its parts, if they are those of one.
pub(super) fn duration(seconds: u64, nanos: u64) -> Option<Duration> {
    let nanos = u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(seconds, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_at_their_bounds_come_back() {
        for n in [0, 1, 127, 128, 16_383, 16_384, u64::from(u32::MAX), i64::MAX as u64, u64::MAX] {
            let mut out = Out::default();
            out.number(n);
            let bytes = out.into_bytes();
            let mut input = In::new(&bytes);
            assert_eq!(input.number("n"), Ok(n));
            assert_eq!(input.end("n"), Ok(()));
            assert_eq!(unzigzag(zigzag(n.cast_signed())), n.cast_signed());
        }
    }

    #[test]
    fn a_number_of_more_than_64_bits_is_an_error() {
        for last in [2, 0x80] {
            let mut bytes = [0xff; 10];
            bytes[9] = last;
            let error = In::new(&bytes).number("n").expect_err("too large");
            assert_eq!(error.to_string(), "n, byte 10: too large");
        }
    }

    #[test]
    fn a_count_is_held_against_what_is_there() {
        let mut out = Out::default();
        out.number(1 << 40);
        let bytes = out.into_bytes();
        let error = In::new(&bytes).count("sockets").expect_err("nothing follows");
        assert_eq!(error.trouble, Trouble::Cut);
    }
}
