//! The names of findings.

use std::fmt;

/// Every pattern that twtop knows by name. Programs rely on the names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingId {
    /// Our side opens connections and closes them first, often.
    TimeWaitClient,
    /// Our side accepts connections and closes them first, often.
    TimeWaitServer,
    /// Connections end by reset, often.
    ResetChurn,
    /// Open connections grow and are not used.
    EstablishedLeak,
    /// The peer has closed and our process has not.
    CloseWaitLeak,
    /// We have closed and the peer does not.
    FinWait2Pileup,
    /// The peer does not acknowledge our last segment.
    LastAckPileup,
    /// A destination does not answer.
    SynSentPileup,
    /// The application accepts too slowly.
    AcceptQueueOverflow,
    /// More handshakes are begun than there is room for.
    SynQueueOverflow,
    /// A destination is or soon will be out of local ports.
    EphemeralExhaustion,
    /// A service port can be taken by a client.
    ListenerInEphemeralRange,
    /// There are more `TIME_WAIT`s than the kernel keeps.
    TimeWaitBucketOverflow,
    /// A process does not read what came.
    UnreadData,
    /// The path loses segments.
    Retransmits,
    /// The peer does not read what was sent.
    ZeroWindow,
    /// Idle connections whose peer may be gone unnoticed.
    NoKeepalive,
    /// A process is about to run out of descriptors.
    FdLimit,
    /// The table of tracked connections is nearly full.
    ConntrackFull,
    /// There are nearly as many orphans as the kernel keeps.
    OrphanLimit,
}

impl FindingId {
    /// Every pattern.
    pub const ALL: [Self; 20] = [
        Self::TimeWaitClient,
        Self::TimeWaitServer,
        Self::ResetChurn,
        Self::EstablishedLeak,
        Self::CloseWaitLeak,
        Self::FinWait2Pileup,
        Self::LastAckPileup,
        Self::SynSentPileup,
        Self::AcceptQueueOverflow,
        Self::SynQueueOverflow,
        Self::EphemeralExhaustion,
        Self::ListenerInEphemeralRange,
        Self::TimeWaitBucketOverflow,
        Self::UnreadData,
        Self::Retransmits,
        Self::ZeroWindow,
        Self::NoKeepalive,
        Self::FdLimit,
        Self::ConntrackFull,
        Self::OrphanLimit,
    ];

    /// The name that people and programs use, such as `time-wait-client`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TimeWaitClient => "time-wait-client",
            Self::TimeWaitServer => "time-wait-server",
            Self::ResetChurn => "reset-churn",
            Self::EstablishedLeak => "established-leak",
            Self::CloseWaitLeak => "close-wait-leak",
            Self::FinWait2Pileup => "fin-wait2-pileup",
            Self::LastAckPileup => "last-ack-pileup",
            Self::SynSentPileup => "syn-sent-pileup",
            Self::AcceptQueueOverflow => "accept-queue-overflow",
            Self::SynQueueOverflow => "syn-queue-overflow",
            Self::EphemeralExhaustion => "ephemeral-exhaustion",
            Self::ListenerInEphemeralRange => "listener-in-ephemeral-range",
            Self::TimeWaitBucketOverflow => "time-wait-bucket-overflow",
            Self::UnreadData => "unread-data",
            Self::Retransmits => "retransmits",
            Self::ZeroWindow => "zero-window",
            Self::NoKeepalive => "no-keepalive",
            Self::FdLimit => "fd-limit",
            Self::ConntrackFull => "conntrack-full",
            Self::OrphanLimit => "orphan-limit",
        }
    }

    /// Whether it is of a whole namespace or host, whoever is named for it: there is one at a time.
    #[must_use]
    pub const fn is_of_host(self) -> bool {
        matches!(
            self,
            Self::SynQueueOverflow | Self::TimeWaitBucketOverflow | Self::ConntrackFull | Self::OrphanLimit
        )
    }

    /// The pattern of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|id| id.name() == name)
    }
}

impl fmt::Display for FindingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
