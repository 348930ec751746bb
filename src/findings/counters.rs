//! What the kernel's counters of TCP tell when they move, and where more is said of it.

use std::{collections::HashMap, sync::LazyLock};

/// A counter that tells somebody something.
#[derive(Debug, PartialEq, Eq)]
pub struct Counter {
    /// Its name, as `nstat` prints it.
    pub name: &'static str,
    /// Whether its moving is a sign of trouble rather than of work.
    pub trouble: bool,
    /// What it counts, or what it is a sign of.
    pub meaning: &'static str,
    /// The topic of [`super::Topic`] that says more; empty for none.
    pub topic: &'static str,
}

impl Counter {
    /// Every counter that is explained.
    pub const ALL: &'static [Self] = TABLE;

    /// The counter of that name; `None` for one that nobody acts on.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        static NAMED: LazyLock<HashMap<&str, &Counter>> =
            LazyLock::new(|| TABLE.iter().map(|counter| (counter.name, counter)).collect());
        NAMED.get(name).copied()
    }
}

const fn work(name: &'static str, meaning: &'static str, topic: &'static str) -> Counter {
    Counter { name, trouble: false, meaning, topic }
}

const fn trouble(name: &'static str, meaning: &'static str, topic: &'static str) -> Counter {
    Counter { name, trouble: true, meaning, topic }
}

/// As the kernel counts them; its `Documentation/networking/snmp_counter.rst` tells of most.
const TABLE: &[Counter] = &[
    work("TcpActiveOpens", "connections begun by connect()", ""),
    work("TcpPassiveOpens", "connections that came to a listener", ""),
    trouble("TcpAttemptFails", "handshakes that failed: refused, reset or given up", "SYN_SENT"),
    trouble(
        "TcpEstabResets",
        "open connections that ended at once: by a reset of either side",
        "reset-churn",
    ),
    work("TcpCurrEstab", "ESTABLISHED and CLOSE_WAIT now", "ESTABLISHED"),
    work("TcpInSegs", "segments received, broken ones included", ""),
    work("TcpOutSegs", "segments sent, without those sent again", ""),
    trouble("TcpRetransSegs", "segments sent again: the path loses, or the peer is gone", "retransmits"),
    trouble("TcpInErrs", "broken segments received", ""),
    trouble("TcpInCsumErrors", "segments received with a wrong checksum", ""),
    work("TcpOutRsts", "resets sent: to closed ports, or to end a connection", "reset-churn"),
    trouble("TcpExtSyncookiesSent", "SYNs answered by a cookie: the SYN queue is full", "syn-queue-overflow"),
    work("TcpExtSyncookiesRecv", "connections made from a cookie of ours", "tcp_syncookies"),
    trouble("TcpExtSyncookiesFailed", "answers without a valid cookie", "tcp_syncookies"),
    work("TcpExtEmbryonicRsts", "handshakes that came to a listener and were reset", ""),
    trouble("TcpExtPruneCalled", "receive buffers were full and had to be pruned", "unread-data"),
    trouble("TcpExtRcvPruned", "segments dropped: the receive buffer was full", "unread-data"),
    trouble("TcpExtOfoPruned", "out-of-order segments thrown away for want of buffer", "unread-data"),
    work("TcpExtTW", "entries into TIME_WAIT", "TIME_WAIT"),
    work("TcpExtTWRecycled", "TIME_WAITs taken over by connect()", "tcp_tw_reuse"),
    work("TcpExtTWKilled", "waits of 4 s at most: FIN_WAIT2 with a short tcp_fin_timeout", "tcp_fin_timeout"),
    trouble("TcpExtPAWSActive", "answers to our SYN dropped for an old timestamp", "tcp_timestamps"),
    trouble("TcpExtPAWSEstab", "segments dropped for an old timestamp", "tcp_timestamps"),
    trouble("TcpExtBeyondWindow", "segments dropped: beyond the window we offered", ""),
    work("TcpExtDelayedACKLost", "segments that came again: our late ACK was missed", ""),
    trouble(
        "TcpExtListenOverflows",
        "accept queue full: a process accepts too slowly",
        "accept-queue-overflow",
    ),
    trouble(
        "TcpExtListenDrops",
        "handshakes dropped by a listener, for a full queue or else",
        "accept-queue-overflow",
    ),
    work("TcpExtTCPSackRecovery", "times that SACK told of loss", "retransmits"),
    trouble("TcpExtTCPSACKReneging", "peers that took back what they had acknowledged", ""),
    work("TcpExtTCPSACKReorder", "times that SACK told of another order on the path", "retransmits"),
    work("TcpExtTCPTSReorder", "times that timestamps told of another order on the path", "retransmits"),
    trouble("TcpExtTCPLostRetransmit", "segments sent again that were lost again", "retransmits"),
    work("TcpExtTCPFastRetrans", "segments sent again before a timeout", "retransmits"),
    trouble("TcpExtTCPSlowStartRetrans", "segments sent again after a timeout", "retransmits"),
    trouble("TcpExtTCPTimeouts", "retransmission timeouts: no answer came", "retransmits"),
    work("TcpExtTCPLossProbes", "probes for a lost last segment", "retransmits"),
    work("TcpExtTCPLossProbeRecovery", "losses that such a probe made good", "retransmits"),
    trouble("TcpExtTCPRcvCollapsed", "segments merged to save buffer: a process reads slowly", "unread-data"),
    work("TcpExtTCPDSACKOldSent", "segments that came twice: the peer sends again needlessly", "retransmits"),
    work("TcpExtTCPDSACKRecv", "segments sent twice, as peers tell: needlessly sent again", "retransmits"),
    work("TcpExtTCPSpuriousRTOs", "timeouts that came too early: late, not lost", "retransmits"),
    trouble(
        "TcpExtTCPAbortOnData",
        "closed with SO_LINGER 0, or with data still to come: reset",
        "reset-churn",
    ),
    trouble("TcpExtTCPAbortOnClose", "closed with unread data: the peer got a reset", "reset-churn"),
    trouble("TcpExtTCPAbortOnMemory", "reset for want of memory, or for too many orphans", "orphan-limit"),
    trouble("TcpExtTCPAbortOnTimeout", "given up after too many tries without an answer", "retransmits"),
    work("TcpExtTCPAbortOnLinger", "reset instead of FIN_WAIT2 (a negative TCP_LINGER2)", "FIN_WAIT2"),
    trouble("TcpExtTCPAbortFailed", "resets that could not be sent", ""),
    trouble("TcpExtTCPMemoryPressures", "times that TCP came under memory pressure", "tcp_mem"),
    trouble("TcpExtTCPMemoryPressuresChrono", "milliseconds that TCP was under memory pressure", "tcp_mem"),
    trouble("TcpExtTCPMD5NotFound", "segments dropped: the MD5 signature is missing", ""),
    trouble("TcpExtTCPMD5Unexpected", "segments dropped: an MD5 signature that nobody asked for", ""),
    trouble("TcpExtTCPMD5Failure", "segments dropped: a wrong MD5 signature", ""),
    trouble("TcpExtTCPBacklogDrop", "segments dropped: too many while the process held the socket", ""),
    trouble("TcpExtPFMemallocDrop", "segments dropped: only the kernel's reserve was left", "tcp_mem"),
    trouble("TcpExtTCPMinTTLDrop", "segments dropped: more hops than IP_MINTTL lets pass", ""),
    work("TcpExtTCPDeferAcceptDrop", "ACKs without data passed over (TCP_DEFER_ACCEPT)", ""),
    trouble("TcpExtIPReversePathFilter", "packets dropped by rp_filter: the way back is another", ""),
    trouble(
        "TcpExtTCPTimeWaitOverflow",
        "tcp_max_tw_buckets reached: counts of TIME_WAIT are too low",
        "time-wait-bucket-overflow",
    ),
    trouble("TcpExtTCPReqQFullDoCookies", "SYN queue full, answered by cookies", "syn-queue-overflow"),
    trouble("TcpExtTCPReqQFullDrop", "SYN queue full, SYNs dropped", "syn-queue-overflow"),
    trouble("TcpExtTCPRetransFail", "segments that this host could not send again", "retransmits"),
    work("TcpExtTCPOFOQueue", "segments that came out of order", "retransmits"),
    trouble("TcpExtTCPOFODrop", "out-of-order segments dropped for want of buffer", "unread-data"),
    work("TcpExtTCPChallengeACK", "doubtful segments answered by a challenge", ""),
    trouble("TcpExtTCPSYNChallenge", "SYNs on open connections: a peer forgot, or an attack", ""),
    trouble("TcpExtTCPFastOpenListenOverflow", "Fast Open requests beyond what the listener takes", ""),
    trouble("TcpExtTCPFastOpenActiveFail", "Fast Open refused by the other side, or timed out", ""),
    trouble("TcpExtTCPFastOpenBlackhole", "Fast Open turned off: something on the way swallows it", ""),
    work("TcpExtTCPSpuriousRtxHostQueues", "not sent again: still waiting in our own queues", ""),
    work("TcpExtTCPFromZeroWindowAdv", "a process that had stopped reading goes on", "unread-data"),
    trouble("TcpExtTCPToZeroWindowAdv", "a process stopped reading: our window is closed", "unread-data"),
    trouble(
        "TcpExtTCPSynRetrans",
        "SYNs and their answers sent again: the other end is silent",
        "syn-sent-pileup",
    ),
    work("TcpExtTCPOrigDataSent", "segments of data sent, without those sent again", ""),
    trouble("TcpExtTCPWinProbe", "probes of a closed window: a peer does not read", "zero-window"),
    work("TcpExtTCPKeepAlive", "keepalive probes sent", "tcp_keepalive_time"),
    trouble("TcpExtTCPMTUPFail", "probes of the path's MTU that were too large", "tcp_mtu_probing"),
    work("TcpExtTCPMTUPSuccess", "probes of the path's MTU that went through", "tcp_mtu_probing"),
    work("TcpExtTCPDeliveredCE", "segments that met congestion on the way (ECN)", "retransmits"),
    trouble("TcpExtTCPZeroWindowDrop", "segments dropped: a process does not read", "unread-data"),
    trouble("TcpExtTCPRcvQDrop", "segments dropped: no memory for the receive queue", "tcp_mem"),
    trouble("TcpExtTCPWqueueTooBig", "send queues too large to be split further", ""),
    work("TcpExtTcpTimeoutRehash", "another path tried after a timeout", "retransmits"),
    work("TcpExtTcpDuplicateDataRehash", "another path tried after data that came again", ""),
    work("TcpExtTCPMigrateReqSuccess", "handshakes handed over to another listener", ""),
    trouble("TcpExtTCPMigrateReqFailure", "handshakes lost with the listener that closed", ""),
    work("sockstat.TCP.inuse", "IPv4 sockets, without TIME_WAIT", ""),
    work("sockstat.TCP.orphan", "connections that no process holds, of the whole host", "tcp_max_orphans"),
    work("sockstat.TCP.tw", "TIME_WAITs now", "TIME_WAIT"),
    work("sockstat.TCP.alloc", "TCP sockets of the whole host", ""),
    work("sockstat.TCP.mem", "pages of memory in TCP's queues, of the whole host", "tcp_mem"),
    work("sockstat6.TCP6.inuse", "IPv6 sockets, without TIME_WAIT", ""),
];

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;
    use crate::findings::Topic;

    /// The first lines of `Tcp` and `TcpExt` in `/proc/net/snmp` and `/proc/net/netstat` of Linux 6.18.
    const TCP: &str = "RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs \
        OutSegs RetransSegs InErrs OutRsts InCsumErrors";
    const TCP_EXT: &str = "SyncookiesSent SyncookiesRecv SyncookiesFailed EmbryonicRsts PruneCalled RcvPruned OfoPruned \
        OutOfWindowIcmps LockDroppedIcmps ArpFilter TW TWRecycled TWKilled PAWSActive PAWSEstab BeyondWindow \
        TSEcrRejected PAWSOldAck PAWSTimewait DelayedACKs DelayedACKLocked DelayedACKLost ListenOverflows \
        ListenDrops TCPHPHits TCPPureAcks TCPHPAcks TCPRenoRecovery TCPSackRecovery TCPSACKReneging \
        TCPSACKReorder TCPRenoReorder TCPTSReorder TCPFullUndo TCPPartialUndo TCPDSACKUndo TCPLossUndo \
        TCPLostRetransmit TCPRenoFailures TCPSackFailures TCPLossFailures TCPFastRetrans TCPSlowStartRetrans \
        TCPTimeouts TCPLossProbes TCPLossProbeRecovery TCPRenoRecoveryFail TCPSackRecoveryFail TCPRcvCollapsed \
        TCPBacklogCoalesce TCPDSACKOldSent TCPDSACKOfoSent TCPDSACKRecv TCPDSACKOfoRecv TCPAbortOnData \
        TCPAbortOnClose TCPAbortOnMemory TCPAbortOnTimeout TCPAbortOnLinger TCPAbortFailed TCPMemoryPressures \
        TCPMemoryPressuresChrono TCPSACKDiscard TCPDSACKIgnoredOld TCPDSACKIgnoredNoUndo TCPSpuriousRTOs \
        TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure TCPSackShifted TCPSackMerged TCPSackShiftFallback \
        TCPBacklogDrop PFMemallocDrop TCPMinTTLDrop TCPDeferAcceptDrop IPReversePathFilter TCPTimeWaitOverflow \
        TCPReqQFullDoCookies TCPReqQFullDrop TCPRetransFail TCPRcvCoalesce TCPOFOQueue TCPOFODrop TCPOFOMerge \
        TCPChallengeACK TCPSYNChallenge TCPFastOpenActive TCPFastOpenActiveFail TCPFastOpenPassive \
        TCPFastOpenPassiveFail TCPFastOpenListenOverflow TCPFastOpenCookieReqd TCPFastOpenBlackhole \
        TCPSpuriousRtxHostQueues BusyPollRxPackets TCPAutoCorking TCPFromZeroWindowAdv TCPToZeroWindowAdv \
        TCPWantZeroWindowAdv TCPSynRetrans TCPOrigDataSent TCPHystartTrainDetect TCPHystartTrainCwnd \
        TCPHystartDelayDetect TCPHystartDelayCwnd TCPACKSkippedSynRecv TCPACKSkippedPAWS TCPACKSkippedSeq \
        TCPACKSkippedFinWait2 TCPACKSkippedTimeWait TCPACKSkippedChallenge TCPWinProbe TCPKeepAlive TCPMTUPFail \
        TCPMTUPSuccess TCPDelivered TCPDeliveredCE TCPAckCompressed TCPZeroWindowDrop TCPRcvQDrop TCPWqueueTooBig \
        TCPFastOpenPassiveAltKey TcpTimeoutRehash TcpDuplicateDataRehash TCPDSACKRecvSegs TCPDSACKIgnoredDubious \
        TCPMigrateReqSuccess TCPMigrateReqFailure TCPPLBRehash TCPAORequired TCPAOBad TCPAOKeyNotFound TCPAOGood \
        TCPAODroppedIcmps";

    #[test]
    fn every_counter_is_one_of_a_kernel() {
        let mut known: BTreeSet<String> = TCP.split_whitespace().map(|name| format!("Tcp{name}")).collect();
        known.extend(TCP_EXT.split_whitespace().map(|name| format!("TcpExt{name}")));
        let others = ["TCP.inuse", "TCP.orphan", "TCP.tw", "TCP.alloc", "TCP.mem"];
        known.extend(others.map(|name| format!("sockstat.{name}")));
        known.insert("sockstat6.TCP6.inuse".to_owned());
        let mut seen = BTreeSet::new();
        for counter in Counter::ALL {
            assert!(known.contains(counter.name), "{}", counter.name);
            assert!(seen.insert(counter.name), "{} is told twice", counter.name);
            assert!(counter.meaning.is_ascii() && counter.meaning.len() > 8, "{}", counter.name);
            assert!(counter.meaning.len() <= 66, "{}: {}", counter.name, counter.meaning.len());
            assert!(
                counter.topic.is_empty() || Topic::named(counter.topic).is_some(),
                "{}: {}",
                counter.name,
                counter.topic
            );
        }
    }

    #[test]
    fn every_counter_that_a_finding_rests_on_is_explained() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/findings");
        let mut used = BTreeSet::new();
        for file in fs::read_dir(folder).expect("the folder is there") {
            let path = file.expect("readable").path();
            if path.ends_with("counters.rs") {
                continue;
            }
            let text = fs::read_to_string(path).expect("UTF-8");
            let quoted = text.split('"').skip(1).step_by(2).filter(|word| word.starts_with("Tcp"));
            used.extend(quoted.filter(|word| !word.contains(' ')).map(str::to_owned));
        }
        assert!(used.len() > 8, "{used:?}");
        let missing: Vec<_> = used.iter().filter(|name| Counter::named(name).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
