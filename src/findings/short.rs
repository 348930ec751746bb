//! What a finding says in a few words, where its sentence has no room: beside whom and where.

use std::time::Duration;

use super::{Finding, FindingId, words};

impl Finding {
    /// What is wrong, without whom it is about and towards whom: `opens and closes 47/s`.
    #[must_use]
    pub fn in_short(&self) -> String {
        let rate = |name| words::rate(self.figure(name).unwrap_or(0.0));
        let count = |name, thing| {
            self.figure(name).map_or_else(|| format!("{thing}s"), |n| words::many(whole(n), thing))
        };
        let used = || format!("{:.0} %", self.figure("used_percent").unwrap_or(0.0));
        match self.id {
            FindingId::TimeWaitClient => format!("opens and closes {}", rate("closed_first_per_s")),
            FindingId::TimeWaitServer => format!("closes first, {}", rate("closed_first_per_s")),
            FindingId::ResetChurn => format!("has resets, {}", rate("reset_per_s")),
            FindingId::EstablishedLeak => format!("leaves {} idle", count("idle", "connection")),
            FindingId::CloseWaitLeak => {
                format!("does not close {}", count("close_wait_quiet", "connection"))
            }
            FindingId::FinWait2Pileup => {
                format!("has {} the peer keeps", count("fin_wait2_over_5_s", "connection"))
            }
            FindingId::LastAckPileup => format!("has {} without answer", count("fin_repeated", "FIN")),
            FindingId::SynSentPileup => format!("has {} without answer", count("syn_repeated", "SYN")),
            FindingId::AcceptQueueOverflow => "accepts too slowly".to_owned(),
            FindingId::SynQueueOverflow => "has no room for more handshakes".to_owned(),
            FindingId::EphemeralExhaustion => self.ports(),
            FindingId::ListenerInEphemeralRange => "listens among the ephemeral ports".to_owned(),
            FindingId::TimeWaitBucketOverflow => "more TIME_WAITs than are kept".to_owned(),
            FindingId::UnreadData => format!("does not read {}", count("unread", "connection")),
            FindingId::Retransmits => match self.evidence.first() {
                Some(first) if first.name == "stalled" => {
                    format!("has {} at a stand", count("stalled", "connection"))
                }
                _ => format!("sends again, {}", rate("resent_per_s")),
            },
            FindingId::ZeroWindow => {
                format!("has {} nobody reads", count("zero_window", "connection"))
            }
            FindingId::NoKeepalive => {
                format!("has {} without keepalive", count("idle_without_keepalive", "connection"))
            }
            FindingId::FdLimit => format!("has {} of the descriptors", used()),
            FindingId::ConntrackFull => format!("conntrack is {} full", used()),
            FindingId::OrphanLimit => format!("{} of the orphans allowed", used()),
        }
    }

    /// The same in as few words as still say it.
    #[must_use]
    pub fn in_fewer_words(&self) -> String {
        let short = self.in_short();
        match short.strip_prefix("opens and ").or(short.split(',').next()) {
            Some(fewer) => fewer.to_owned(),
            None => short,
        }
    }

    /// How it stands with the ports.
    fn ports(&self) -> String {
        let figure = |name| self.figure(name);
        if let Some(bound) = figure("bound") {
            return format!("has bound {}", words::many(whole(bound), "port"));
        }
        match (figure("left_at_most"), figure("full_in"), figure("connect_failures_per_s")) {
            (None, _, None) => "bind() has no port left".to_owned(),
            (Some(left), ..) if left <= 0.0 => "no port is left".to_owned(),
            (_, _, Some(failures)) => format!("finds no port, {}", words::rate(failures)),
            (_, Some(in_s), _) => {
                format!("out of ports in {}", words::duration(Duration::from_secs_f64(in_s.max(0.0))))
            }
            _ => "connect() is slow".to_owned(),
        }
    }

    /// A figure that it rests on.
    fn figure(&self, name: &str) -> Option<f64> {
        self.evidence.iter().find(|figure| figure.name == name).map(|figure| figure.value)
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of sockets")]
fn whole(n: f64) -> u32 {
    n as u32
}
