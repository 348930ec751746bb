//! Whole samples of the running host.

use std::{net::TcpListener, os::fd::OwnedFd, process::Command, sync::Arc, time::Duration};

use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, getsockname, listen, socket_with};
use twtop::{
    model::{Held, Sample, TcpState},
    source::{LiveConfig, LiveSource, NetnsChoice},
};

use crate::helper::{Helper, alone};

fn source(netns: NetnsChoice) -> LiveSource {
    LiveSource::new(&LiveConfig { netns, ..LiveConfig::default() }).expect("a source")
}

fn states_on(sample: &Sample, port: u16) -> Vec<TcpState> {
    let on_port = sample.sockets.iter().filter(|socket| socket.local().port == port);
    on_port.map(|socket| socket.row().state).collect()
}

#[test]
fn a_sample_is_whole() {
    let _alone = alone();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    let mut source = source(NetnsChoice::SelfNs);
    let (first, second) = (source.sample(), source.sample());
    assert_eq!((first.number, second.number), (0, 1));
    assert!(first.complete && first.faults.is_empty(), "{:?}", first.faults);
    assert_eq!(states_on(&first, port), [TcpState::Listen]);
    assert!(second.stamp > first.stamp && second.netns == first.netns);
    assert!(first.counters.get("TcpExtTW").is_some() && first.counters.get("sockstat.TCP.tw").is_some());
    assert!(first.sysctls.contains_key("net.ipv4.ip_local_port_range"));
    assert!(Arc::ptr_eq(&first.sysctls, &second.sysctls));
    assert!(first.limits.contains_key("file-nr") && first.limits.contains_key("tcp_max_tw_buckets"));
    assert!(
        first.cost.cpu > Duration::ZERO
            && first.cost.rss_bytes > 1 << 20
            && first.cost.interval >= Duration::from_secs(1)
    );
    assert!(first.host.hz.is_some() && !first.host.kernel.is_empty());
    for sample in [&first, &second] {
        let holders = u32::try_from(sample.holders.len()).expect("few");
        let details = sample.sockets.iter().filter_map(|socket| socket.detail());
        assert!(details.into_iter().all(|detail| !matches!(detail.held, Held::By(set) if set >= holders)));
        assert!(sample.holders.iter().flatten().all(|&member| (member as usize) < sample.processes.len()));
    }
}

/// A socket that is only bound, and its port.
fn bound() -> (OwnedFd, u16) {
    let made =
        socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).expect("a socket");
    bind(&made, &std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    let address: std::net::SocketAddr = getsockname(&made).expect("bound").try_into().expect("an address");
    (made, address.port())
}

#[test]
fn where_asking_is_dear_bound_sockets_are_carried_and_asked_for_on_demand() {
    let _alone = alone();
    let ((one, one_port), (other, other_port)) = (bound(), bound());
    // A budget that nothing is cheap for.
    let mut source =
        LiveSource::new(&LiveConfig { budget: 1e-9, ..LiveConfig::default() }).expect("a source");
    let only_bound = vec![TcpState::BoundInactive];
    for sample in [source.sample(), source.sample()] {
        assert_eq!(states_on(&sample, one_port), only_bound);
        assert_eq!(states_on(&sample, other_port), only_bound);
        let mut sockets = sample.sockets.iter();
        let socket = sockets.find(|socket| socket.local().port == one_port);
        let held = socket.and_then(|socket| socket.detail().copied()).map(|detail| detail.held);
        assert!(matches!(held, Some(Held::By(_))), "{held:?}");
    }
    listen(&one, 1).expect("bound");
    drop(other);
    let (late, late_port) = bound();
    source.ask_for_bound();
    let sample = source.sample();
    assert_eq!(states_on(&sample, one_port), [TcpState::Listen]);
    assert_eq!(states_on(&sample, other_port), []);
    assert_eq!(states_on(&sample, late_port), only_bound);
    drop(late);
}

#[test]
fn who_wants_bound_sockets_fresh_has_them_in_every_sample() {
    let _alone = alone();
    let config = LiveConfig { budget: 1e-9, fresh_bound: true, ..LiveConfig::default() };
    let mut source = LiveSource::new(&config).expect("a source");
    for _ in 0..3 {
        let (made, port) = bound();
        assert_eq!(states_on(&source.sample(), port), [TcpState::BoundInactive]);
        drop(made);
        assert_eq!(states_on(&source.sample(), port), []);
    }
}

#[test]
fn another_namespace_is_seen_from_within() {
    let _alone = alone();
    let mut command = Command::new("unshare");
    command.args(["--net", "--", "bash", "--norc"]);
    if !rustix::process::geteuid().is_root() {
        let required = std::env::var("TWTOP_REQUIRE").unwrap_or_default();
        assert!(!required.split(',').any(|tier| tier == "root"), "entering a network namespace needs root");
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"SKIPPED: another_namespace_is_seen_from_within needs root to enter a network namespace\n",
        );
        return;
    }
    let mut helper = Helper::of(&mut command);
    helper.run("echo 20000 20100 > /proc/sys/net/ipv4/ip_local_port_range");
    let pid = helper.pid();
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let sample = std::thread::spawn(move || source(NetnsChoice::Pid(pid)).sample()).join().expect("no panic");
    assert!(sample.faults.is_empty(), "{:?}", sample.faults);
    assert_eq!(sample.sysctls.get("net.ipv4.ip_local_port_range").map(String::as_str), Some("20000 20100"));
    assert!(sample.sockets.is_empty(), "our listener is not there");
    assert_eq!(sample.counters.get("TcpActiveOpens"), Some(0));
    assert!(sample.limits.contains_key("tcp_max_orphans"), "the host's limits were read before");
    assert_ne!(
        sample.netns,
        twtop::source::netns::current().expect("ours"),
        "this thread stayed where it was"
    );
    drop(listener);
}
