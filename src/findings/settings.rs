//! What the kernel sets its TCP settings to by itself.

/// Defaults that depend neither on memory nor on how the kernel was built, of kernels since Linux 5.4. Limits that
/// depend on memory, and the congestion control that the distribution chose, are not among them.
const DEFAULTS: &[(&str, &str)] = &[
    ("fs.nr_open", "1048576"),
    ("net.core.somaxconn", "4096"),
    ("net.ipv4.ip_autobind_reuse", "0"),
    ("net.ipv4.ip_local_port_range", "32768 60999"),
    ("net.ipv4.ip_local_reserved_ports", ""),
    ("net.ipv4.ip_nonlocal_bind", "0"),
    ("net.ipv4.ip_unprivileged_port_start", "1024"),
    ("net.ipv4.tcp_abort_on_overflow", "0"),
    ("net.ipv4.tcp_fin_timeout", "60"),
    ("net.ipv4.tcp_keepalive_intvl", "75"),
    ("net.ipv4.tcp_keepalive_probes", "9"),
    ("net.ipv4.tcp_keepalive_time", "7200"),
    ("net.ipv4.tcp_mtu_probing", "0"),
    ("net.ipv4.tcp_orphan_retries", "0"),
    ("net.ipv4.tcp_retries1", "3"),
    ("net.ipv4.tcp_retries2", "15"),
    ("net.ipv4.tcp_rfc1337", "0"),
    ("net.ipv4.tcp_syn_retries", "6"),
    ("net.ipv4.tcp_synack_retries", "5"),
    ("net.ipv4.tcp_syncookies", "1"),
    ("net.ipv4.tcp_timestamps", "1"),
    ("net.ipv4.tcp_tw_reuse", "2"),
    ("net.ipv4.tcp_tw_reuse_delay", "1000"),
    ("net.netfilter.nf_conntrack_tcp_timeout_established", "432000"),
    ("net.netfilter.nf_conntrack_tcp_timeout_time_wait", "120"),
];

/// What the kernel sets `name` to by itself; `None` where that is not the same everywhere.
#[must_use]
pub fn default_of(name: &str) -> Option<&'static str> {
    DEFAULTS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}

/// Whether `text` names the setting, as a word of its own, with what stands before its last dot or without.
#[must_use]
pub fn mentions(text: &str, name: &str) -> bool {
    let short = name.rsplit('.').next().unwrap_or(name);
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '.' | '_'));
    words.map(|word| word.trim_end_matches('.')).any(|word| word == name || word == short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::findings::Topic;

    #[test]
    fn the_texts_tell_the_same_defaults() {
        for (name, default) in DEFAULTS {
            let topic = Topic::named(name).unwrap_or_else(|| panic!("{name} is not explained"));
            let told = match *default {
                "" => "(none",
                // The text says what 0 stands for.
                "0" if name.ends_with("orphan_retries") => "(0 means 8)",
                default => &format!("({default}"),
            };
            assert!(topic.line.contains(told), "{name}: {default}: {}", topic.line);
        }
        assert_eq!(default_of("net.ipv4.tcp_mem"), None);
    }

    #[test]
    fn a_setting_is_named_as_a_word_of_its_own() {
        let text = "net.ipv4.tcp_tw_reuse is 0; see tcp_retries2.";
        assert!(mentions(text, "net.ipv4.tcp_tw_reuse") && mentions(text, "net.ipv4.tcp_retries2"));
        assert!(!mentions(text, "net.ipv4.tcp_tw_reuse_delay") && !mentions(text, "net.ipv4.tcp_retries1"));
    }
}
