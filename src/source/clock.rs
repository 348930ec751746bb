//! The clocks. Nothing else in the program asks one: time is data that arrives with a sample or a tick.

use std::time::Duration;

use jiff::Timestamp;
use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

use crate::model::Stamp;

/// Now, on the clock since boot and on the wall.
#[must_use]
pub fn stamp() -> Stamp {
    Stamp { since_boot: since_boot(), wall: wall() }
}

/// Time since boot, suspended time included (`CLOCK_BOOTTIME`): the clock that process start times count on.
#[must_use]
pub fn since_boot() -> Duration {
    duration(clock_gettime(ClockId::Boottime))
}

/// Time since boot, and how much of it the host was suspended: what is to be added to a `CLOCK_MONOTONIC` time.
#[must_use]
pub fn since_boot_and_suspended() -> (Duration, Duration) {
    let [monotonic, boot] =
        [ClockId::Monotonic, ClockId::Boottime].map(|clock| duration(clock_gettime(clock)));
    // Between the two readings lies a moment; a host that never slept has no offset at all.
    let suspended = boot.saturating_sub(monotonic);
    let suspended = if suspended < Duration::from_millis(1) { Duration::ZERO } else { suspended };
    (monotonic + suspended, suspended)
}

/// Processor time that the calling thread has used.
#[must_use]
pub fn thread_cpu() -> Duration {
    duration(clock_gettime(ClockId::ThreadCPUTime))
}

/// Processor time that all threads of this process have used.
#[must_use]
pub fn process_cpu() -> Duration {
    duration(clock_gettime(ClockId::ProcessCPUTime))
}

/// Timer interrupts per second, the kernel's `CONFIG_HZ`; `None` if the kernel does not tell.
///
/// The resolution of the coarse clocks is one tick (`clock_getres(2)`; `LOW_RES_NSEC` in the kernel's vDSO). A system that
/// only imitates Linux may answer with another figure, which is taken for no answer.
#[must_use]
pub fn kernel_hz() -> Option<u32> {
    let tick = duration(clock_getres(ClockId::MonotonicCoarse)).as_nanos();
    // 12 to 1200 are the bounds that the kernel's own sources put on HZ.
    let hz = u32::try_from((1_000_000_000 + tick / 2).checked_div(tick)?).ok()?;
    (12..=1200).contains(&hz).then_some(hz)
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
fn wall() -> Timestamp {
    Timestamp::now()
}

/// Clocks do not run below zero; a negative one would count as zero.
fn duration(time: Timespec) -> Duration {
    Duration::try_from(time).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_run_forwards() {
        let (first, second) = (stamp(), stamp());
        assert!(second.since_boot >= first.since_boot);
        assert!(first.since_boot > Duration::ZERO);
        assert!(process_cpu() >= thread_cpu() || thread_cpu() > Duration::ZERO);
    }

    #[test]
    fn the_tick_is_a_plausible_one() {
        let hz = kernel_hz().expect("Linux tells its tick");
        assert!((12..=1200).contains(&hz), "{hz}");
    }
}
