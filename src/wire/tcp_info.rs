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
