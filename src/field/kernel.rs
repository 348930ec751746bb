//! The kernel's side of it: counters, settings and limits, each as rows with their metrics.

mod counters;
mod limits;
mod settings;

pub use counters::{COUNTERS, CounterRow};
pub use limits::{LIMITS, LimitRow};
pub use settings::{SETTINGS, SettingRow};

use super::{Context, Field, Identity, Row, Value};

/// Rows of the kernel's view are borrowed, and told apart by their names.
macro_rules! row {
    ($row:ident, $fields:ident) => {
        impl Row for $row {
            type Ref<'a> = &'a Self;
            type Get = for<'a> fn(&'a Self, &Context) -> Value<'a>;

            fn fields() -> &'static [Field<Self>] {
                $fields
            }

            fn value<'a>(get: Self::Get, row: Self::Ref<'a>, context: &Context) -> Value<'a> {
                get(row, context)
            }

            fn identity(row: &Self) -> Identity {
                by_name(&row.name)
            }
        }
    };
}

row!(CounterRow, COUNTERS);
row!(SettingRow, SETTINGS);
row!(LimitRow, LIMITS);

/// The first 40 bytes of a name: none of the kernel's is longer than that and begins like another.
fn by_name(name: &str) -> Identity {
    let mut bytes = [0; 40];
    let kept = name.len().min(bytes.len());
    bytes[..kept].copy_from_slice(&name.as_bytes()[..kept]);
    let (high, rest) = bytes.split_at(16);
    let (low, last) = rest.split_at(16);
    let wide = |part: &[u8]| part.iter().fold(0_u128, |sum, byte| sum << 8 | u128::from(*byte));
    (wide(high), wide(low), last.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    use super::by_name;

    #[test]
    fn names_are_told_apart_and_in_order() {
        let names = ["TcpExtTW", "TcpExtTWKilled", "net.netfilter.nf_conntrack_tcp_timeout_established"];
        let ids = names.map(by_name);
        assert!(ids[0] < ids[1] && ids[1] < ids[2]);
        assert_ne!(by_name("net.ipv4.tcp_tw_reuse"), by_name("net.ipv4.tcp_tw_reuse_delay"));
        assert_ne!(
            by_name("net.netfilter.nf_conntrack_tcp_timeout_established"),
            by_name("net.netfilter.nf_conntrack_tcp_timeout_time_wait")
        );
    }
}
