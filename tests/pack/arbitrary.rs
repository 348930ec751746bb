//! Samples of every kind, most of which no kernel would tell.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use proptest::{collection::vec, option, prelude::*, sample::select};
use twtop::model::{
    Cost, Counters, Detail, Endpoint, Family, Fault, FaultKind, Held, Host, Limit, NewSocket, OwnerScan,
    Privileges, ProcKey, Process, ProcessSeen, Runtime, RuntimeKind, Sample, Side, SocketTable, Stamp,
    TcpInfo, TcpState, Timer, TraceBatch, TraceEvent, TraceKind, TraceLoss, TraceTally, TraceTask,
    TracedProcess,
};

fn any_ip(family: Family) -> BoxedStrategy<IpAddr> {
    match family {
        Family::V6 => {
            // Few, so that some are the same.
            prop_oneof![
                (0..3_u128).prop_map(Ipv6Addr::from_bits),
                any::<u128>().prop_map(Ipv6Addr::from_bits)
            ]
            .prop_map(IpAddr::V6)
            .boxed()
        }
        Family::V4 | Family::Mapped => {
            prop_oneof![(0..3_u32).prop_map(Ipv4Addr::from_bits), any::<u32>().prop_map(Ipv4Addr::from_bits)]
                .prop_map(IpAddr::V4)
                .boxed()
        }
    }
}

fn any_family() -> impl Strategy<Value = Family> {
    select(vec![Family::V4, Family::V6, Family::Mapped])
}

fn any_end(family: Family) -> impl Strategy<Value = Endpoint> {
    (any_ip(family), prop_oneof![Just(0), Just(443), any::<u16>()])
        .prop_map(|(ip, port)| Endpoint::new(ip, port))
}

fn any_new() -> impl Strategy<Value = NewSocket> {
    any_family().prop_flat_map(|family| {
        let state = select(TcpState::ALL.to_vec());
        let timer = (0_u8..5).prop_map(Timer::from_kernel);
        let cookie = prop_oneof![0..50_u64, any::<u64>()];
        (cookie, any_end(family), any_end(family), state, timer, any::<u8>(), any::<u32>()).prop_map(
            move |(cookie, local, peer, state, timer, retransmits, expires_ms)| NewSocket {
                cookie,
                family,
                local,
                peer,
                state,
                timer,
                retransmits,
                expires_ms,
            },
        )
    })
}

fn any_tcp() -> impl Strategy<Value = TcpInfo> {
    let counts = (option::of(any::<u64>()), option::of(any::<u64>()), option::of(any::<u32>()));
    (any::<[u32; 8]>(), any::<u8>(), counts).prop_map(
        |(n, options, (bytes_sent, bytes_received, send_window))| TcpInfo {
            rtt_us: n[0],
            rttvar_us: n[1],
            rto_us: n[2],
            cwnd: n[3],
            retransmits: n[4],
            unacked: n[5],
            last_sent_ms: n[6],
            last_received_ms: n[7],
            options,
            bytes_sent,
            bytes_received,
            send_window,
        },
    )
}

fn any_held(holders: u32) -> BoxedStrategy<Held> {
    let others = select(vec![Held::Denied, Held::Kernel, Held::Gone, Held::Queue]);
    if holders == 0 {
        return others.boxed();
    }
    prop_oneof![(0..holders).prop_map(Held::By), others].boxed()
}

fn any_detail(holders: u32) -> impl Strategy<Value = Detail> {
    let options = (option::of(any::<u32>()), option::of(any::<bool>()), option::of(any_tcp()));
    (any::<[u32; 5]>(), any::<u64>(), any_held(holders), options).prop_map(
        |(n, cgroup, held, (mark, v6only, tcp))| Detail {
            inode: n[0],
            uid: n[1],
            recv_q: n[2],
            send_q: n[3],
            interface: n[4],
            mark,
            cgroup,
            v6only,
            held,
            tcp,
        },
    )
}

/// A table whose sockets are held by some of so many sets.
pub(super) fn any_table(holders: u32) -> impl Strategy<Value = SocketTable> {
    vec((any_new(), option::of(any_detail(holders))), 0..40).prop_map(|rows| {
        let mut table = SocketTable::new();
        for (new, detail) in &rows {
            table.push(new, *detail);
        }
        table
    })
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        select(vec!["", "net.ipv4.tcp_tw_reuse", "nginx: worker", "\u{202e}\n\0名前"])
            .prop_map(str::to_owned),
        any::<String>()
    ]
}

fn any_time() -> impl Strategy<Value = Duration> {
    (prop_oneof![0..100_u64, any::<u64>()], 0..1_000_000_000_u32).prop_map(|(s, ns)| Duration::new(s, ns))
}

fn any_timestamp() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.as_second()..Timestamp::MAX.as_second(), 0..1_000_000_000_i32)
        .prop_map(|(s, ns)| Timestamp::new(s, ns).expect("within bounds"))
}

fn any_key() -> impl Strategy<Value = ProcKey> {
    (any::<u32>(), any::<u64>()).prop_map(|(pid, start_ticks)| ProcKey { pid, start_ticks })
}

fn any_runtime() -> impl Strategy<Value = Runtime> {
    use RuntimeKind::{Envoy, Go, Haproxy, Java, Nginx, Node, Python};
    let kind = select(vec![Go, Nginx, Haproxy, Envoy, Java, Node, Python]);
    (kind, option::of(any_text())).prop_map(|(kind, version)| Runtime { kind, version })
}

fn any_seen() -> impl Strategy<Value = ProcessSeen> {
    let process = (any_key(), any_timestamp(), any_text(), any_text(), any::<u32>(), any_text());
    let more = (option::of(any_text()), option::of(any_runtime()));
    let process =
        (process, more).prop_map(|((key, started, name, command, uid, user), (container, runtime))| {
            Arc::new(Process { key, started, name, command, uid, user, container, runtime })
        });
    (process, option::of(any::<u32>()), option::of(any::<u64>()))
        .prop_map(|(process, fds, fd_limit)| ProcessSeen { process, fds, fd_limit })
}

fn any_fault() -> impl Strategy<Value = Fault> {
    let kind = prop_oneof![
        any_text().prop_map(FaultKind::Refused),
        Just(FaultKind::Malformed),
        Just(FaultKind::Interrupted),
        Just(FaultKind::Overrun),
        any_text().prop_map(FaultKind::Unreadable),
    ];
    (any_text(), kind, any::<u64>()).prop_map(|(place, kind, count)| Fault { place, kind, count })
}

fn any_event(processes: u32) -> impl Strategy<Value = TraceEvent> {
    use TraceKind::{Accepted, Closed, ConnectFailed, Connecting, NoPort, Opened};
    let kind = select(vec![Connecting, Opened, Accepted, Closed, NoPort, ConnectFailed]);
    let process = if processes == 0 { Just(None).boxed() } else { option::of(0..processes).boxed() };
    let task = (any::<u32>(), any::<u32>(), process, option::of(any::<u64>()))
        .prop_map(|(pid, tid, process, netns)| TraceTask { pid, tid, process, netns });
    let side = option::of(select(vec![Side::Client, Side::Server]));
    let rest = (option::of(any_time()), side, option::of(any::<bool>()), option::of(task));
    // Of any family, whatever the family is said to be.
    let ends = (any_family(), any_family()).prop_flat_map(|(a, b)| (any_end(a), any_end(b)));
    (any_time(), any::<u32>(), kind, any_family(), ends, rest).prop_map(
        |(at, cpu, kind, family, (local, peer), (began, side, bound, task))| TraceEvent {
            at,
            cpu,
            kind,
            family,
            local,
            peer,
            began,
            side,
            bound,
            task,
        },
    )
}

fn any_traced() -> impl Strategy<Value = Arc<TracedProcess>> {
    (any_key(), any::<bool>(), any_text(), option::of(any_text()), option::of(any::<u32>()), any::<bool>())
        .prop_map(|(key, exact, name, command, uid, kernel)| {
            Arc::new(TracedProcess { key, exact, name, command, uid, kernel })
        })
}

fn any_batch() -> impl Strategy<Value = TraceBatch> {
    vec(any_traced(), 0..4).prop_flat_map(|processes| {
        let count = u32::try_from(processes.len()).expect("few");
        let loss = (any_time(), any_time(), any::<u64>()).prop_map(|(from, to, records)| TraceLoss {
            from,
            to,
            records,
        });
        let tally = any::<[u64; 3]>().prop_map(|[matched, read, lost]| TraceTally { matched, read, lost });
        let events = vec(any_event(count), 0..20);
        (events, any_time(), any_time(), vec(loss, 0..3), tally, vec(any_fault(), 0..3)).prop_map(
            move |(events, since, through, losses, tally, faults)| TraceBatch {
                events,
                processes: processes.clone(),
                since,
                through,
                losses,
                tally,
                faults,
            },
        )
    })
}

/// Processes, and sets of them.
fn any_people() -> impl Strategy<Value = (Vec<ProcessSeen>, Vec<Box<[u32]>>)> {
    vec(any_seen(), 0..4).prop_flat_map(|processes| {
        let count = u32::try_from(processes.len()).expect("few");
        let set = vec(0..count.max(1), 0..3)
            .prop_map(move |set| if count == 0 { Box::default() } else { set.into() });
        (Just(processes), vec(set, 0..4))
    })
}

/// Any sample that holds together.
pub(super) fn any_sample() -> impl Strategy<Value = Sample> {
    let host = (any_text(), any_text(), option::of(any::<u32>()))
        .prop_map(|(name, kernel, hz)| Arc::new(Host { name, kernel, hz }));
    let texts = || vec(any_text(), 0..3);
    let privileges =
        (any::<bool>(), texts(), texts(), any_text()).prop_map(|(complete, missing, trace_missing, hint)| {
            Arc::new(Privileges { complete, missing, trace_missing, hint })
        });
    let sysctls = prop::collection::btree_map(any_text(), any_text(), 0..4).prop_map(Arc::new);
    let counters = vec((any_text().prop_map(Arc::from), any::<u64>()), 0..6).prop_map(Counters::new);
    let limit = any::<(u64, u64)>().prop_map(|(value, max)| Limit { value, max });
    let limits = prop::collection::btree_map(any_text().prop_map(Into::into), limit, 0..4);
    let facts = (host, privileges, sysctls, counters, limits, vec(any_fault(), 0..3));
    let cost = (any_time(), any_time(), any_time(), any::<u64>())
        .prop_map(|(cpu, dump, interval, rss_bytes)| Cost { cpu, dump, interval, rss_bytes });
    let scan = any::<(u32, u32)>().prop_map(|(processes, denied)| OwnerScan { processes, denied });
    let stamp = (any_time(), any_timestamp()).prop_map(|(since_boot, wall)| Stamp { since_boot, wall });
    let figures = (stamp, any::<u64>(), any::<u64>(), any::<bool>(), cost, scan);
    let people = any_people().prop_flat_map(|(processes, holders)| {
        let sets = u32::try_from(holders.len()).expect("few");
        (Just((processes, holders)), any_table(sets))
    });
    (facts, figures, people, option::of(any_batch().prop_map(Arc::new))).prop_map(
        |(
            (host, privileges, sysctls, counters, limits, faults),
            (stamp, netns, number, complete, cost, scan),
            ((processes, holders), sockets),
            trace,
        )| Sample {
            stamp,
            netns,
            number,
            sockets,
            complete,
            processes,
            holders,
            scan,
            counters,
            sysctls,
            limits,
            trace,
            faults,
            cost,
            host,
            privileges,
        },
    )
}

/// Some sockets of one client, every other one full and held.
pub(super) fn plain_rows(count: u16) -> Vec<(NewSocket, Option<Detail>)> {
    let row = |n: u16| {
        let full = n.is_multiple_of(2);
        let new = NewSocket {
            cookie: 100 + u64::from(n),
            family: Family::V4,
            local: Endpoint::new(Ipv4Addr::new(10, 0, 3, 4).into(), 40_000 + 2 * n),
            peer: Endpoint::new(Ipv4Addr::new(10, 0, 3, 9).into(), 5432),
            state: if full { TcpState::Established } else { TcpState::TimeWait },
            timer: if full { Timer::Off } else { Timer::TimeWait },
            retransmits: 0,
            expires_ms: if full { 0 } else { 40_000 + 13 * u32::from(n) },
        };
        let detail = Detail {
            inode: 7000 + u32::from(n),
            uid: 1000,
            recv_q: 0,
            send_q: 0,
            interface: 0,
            mark: Some(0),
            cgroup: 4242,
            v6only: None,
            held: Held::By(0),
            tcp: Some(TcpInfo { rtt_us: 180, cwnd: 10, bytes_sent: Some(512), ..TcpInfo::default() }),
        };
        (new, full.then_some(detail))
    };
    (0..count).map(row).collect()
}

/// A small sample with one of everything, its sockets in the order of their cookies.
pub(super) fn plain_sample() -> Sample {
    let mut sockets = SocketTable::new();
    for (new, detail) in &plain_rows(8) {
        sockets.push(new, *detail);
    }
    let key = ProcKey { pid: 4021, start_ticks: 5000 };
    let (name, command) = ("python3".to_owned(), "python3 /srv/payments/app.py".to_owned());
    let process = Arc::new(Process {
        key,
        started: Timestamp::UNIX_EPOCH,
        name: name.clone(),
        command: command.clone(),
        uid: 1000,
        user: "payments".to_owned(),
        container: None,
        runtime: Some(Runtime { kind: RuntimeKind::Python, version: Some("3.13.5".to_owned()) }),
    });
    let traced =
        TracedProcess { key, exact: true, name, command: Some(command), uid: Some(1000), kernel: false };
    let task = TraceTask { pid: 4021, tid: 4021, process: Some(0), netns: Some(9) };
    let at = Duration::from_millis(99_100);
    let event = TraceEvent {
        at,
        cpu: 1,
        kind: TraceKind::Closed,
        family: Family::V4,
        local: Endpoint::new(Ipv4Addr::new(10, 0, 3, 4).into(), 40_002),
        peer: Endpoint::new(Ipv4Addr::new(10, 0, 3, 9).into(), 5432),
        began: Some(at.saturating_sub(Duration::from_micros(700))),
        side: Some(Side::Client),
        bound: Some(false),
        task: Some(task),
    };
    Sample {
        stamp: Stamp { since_boot: Duration::from_secs(100), wall: Timestamp::UNIX_EPOCH },
        netns: 9,
        number: 0,
        sockets,
        complete: true,
        processes: vec![ProcessSeen { process, fds: Some(12), fd_limit: Some(1024) }],
        holders: vec![[0].into()],
        scan: OwnerScan { processes: 80, denied: 0 },
        counters: Counters::new(vec![("TcpExtTW".into(), 4)]),
        sysctls: Arc::new([("net.ipv4.tcp_tw_reuse".to_owned(), "2".to_owned())].into()),
        limits: [("file-nr".into(), Limit { value: 900, max: 100_000 })].into(),
        trace: Some(Arc::new(TraceBatch {
            events: vec![event],
            processes: vec![Arc::new(traced)],
            ..TraceBatch::default()
        })),
        faults: vec![],
        cost: Cost::default(),
        host: Arc::new(Host { name: "pay-web-04".to_owned(), kernel: "6.12.0".to_owned(), hz: Some(250) }),
        privileges: Arc::new(Privileges {
            complete: true,
            missing: vec![],
            trace_missing: vec![],
            hint: String::new(),
        }),
    }
}
