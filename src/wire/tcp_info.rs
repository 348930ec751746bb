//! `struct tcp_info` (`include/uapi/linux/tcp.h`), of whatever length the kernel sends.

use crate::model::TcpInfo;

/// The length that every kernel since 2.6 sends: up to and with `tcpi_total_retrans`.
pub const OLDEST_LEN: usize = 104;

// Offsets of fields. The struct only ever grows at its end.
const OPTIONS: usize = 5;
const RTO: usize = 8;
const UNACKED: usize = 24;
const LAST_DATA_SENT: usize = 44;
const LAST_DATA_RECV: usize = 52;
const RTT: usize = 68;
const RTTVAR: usize = 72;
const SND_CWND: usize = 80;
const TOTAL_RETRANS: usize = 100;
const BYTES_ACKED: usize = 120;
const BYTES_RECEIVED: usize = 128;
const BYTES_SENT: usize = 200;
const SND_WND: usize = 228;

/// Reads a `tcp_info`. Fields that lie beyond the end of `bytes` are `None`; what a newer kernel appends is
/// ignored. `None` if `bytes` is shorter than [`OLDEST_LEN`].
#[must_use]
pub fn parse(bytes: &[u8]) -> Option<TcpInfo> {
    let oldest: &[u8; OLDEST_LEN] = bytes.first_chunk()?;
    let u32_of = |offset| u32_at(oldest, offset);
    Some(TcpInfo {
        rtt_us: u32_of(RTT)?,
        rttvar_us: u32_of(RTTVAR)?,
        rto_us: u32_of(RTO)?,
        cwnd: u32_of(SND_CWND)?,
        retransmits: u32_of(TOTAL_RETRANS)?,
        unacked: u32_of(UNACKED)?,
        last_sent_ms: u32_of(LAST_DATA_SENT)?,
        last_received_ms: u32_of(LAST_DATA_RECV)?,
        options: oldest[OPTIONS],
        bytes_sent: u64_at(bytes, BYTES_SENT).or_else(|| u64_at(bytes, BYTES_ACKED)),
        bytes_received: u64_at(bytes, BYTES_RECEIVED),
        send_window: u32_at(bytes, SND_WND),
    })
}

#[inline]
fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().copied().map(u32::from_ne_bytes)
}

#[inline]
fn u64_at(bytes: &[u8], offset: usize) -> Option<u64> {
    bytes.get(offset..)?.first_chunk().copied().map(u64::from_ne_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that count up, so that every field tells where it was read.
    fn counting(length: usize) -> Vec<u8> {
        (0..=u8::MAX).cycle().take(length).collect()
    }

    fn word(offset: u8) -> u32 {
        u32::from_ne_bytes([offset, offset + 1, offset + 2, offset + 3])
    }

    fn long(offset: u8) -> u64 {
        u64::from_ne_bytes(std::array::from_fn(|i| offset + u8::try_from(i).expect("below 8")))
    }

    #[test]
    fn nothing_is_read_from_less_than_the_oldest_kernel_sends() {
        for length in [0, 1, 50, OLDEST_LEN - 1] {
            assert_eq!(parse(&counting(length)), None, "{length}");
        }
    }

    #[test]
    fn every_length_yields_the_fields_it_holds() {
        let oldest = TcpInfo {
            rtt_us: word(68),
            rttvar_us: word(72),
            rto_us: word(8),
            cwnd: word(80),
            retransmits: word(100),
            unacked: word(24),
            last_sent_ms: word(44),
            last_received_ms: word(52),
            options: 5,
            bytes_sent: None,
            bytes_received: None,
            send_window: None,
        };
        // Linux 4.1 brought bytes_acked and bytes_received, 4.19 bytes_sent, 5.4 snd_wnd.
        let since_4_1 = TcpInfo { bytes_sent: Some(long(120)), bytes_received: Some(long(128)), ..oldest };
        let since_4_19 = TcpInfo { bytes_sent: Some(long(200)), ..since_4_1 };
        let since_5_4 = TcpInfo { send_window: Some(word(228)), ..since_4_19 };
        let cases = [
            (104, oldest),
            (127, oldest),
            (136, since_4_1),
            (192, since_4_1),
            (207, since_4_1),
            (208, since_4_19),
            (231, since_4_19),
            (232, since_5_4),
            (280, since_5_4),
            (400, since_5_4),
        ];
        for (length, expected) in cases {
            assert_eq!(parse(&counting(length)), Some(expected), "{length}");
        }
    }
}
