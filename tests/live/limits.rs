//! What runs out: local ports, queues, the `TIME_WAIT`s that the kernel keeps.

use super::{
    can_run,
    host::{Host, LEFT, RIGHT, until},
};

/// 200 local ports, none of which is used again.
fn few_ports(host: &Host) {
    host.set("ip_local_port_range", "40000 40199");
    host.set("tcp_tw_reuse", "0");
}

#[test]
fn connect_runs_out_of_ports() {
    let Some(_turn) = can_run() else { return };
    let (left, right) = Host::pair();
    few_ports(&left);
    let _server = right.go(&["serve", ":8080", "0", "100"]);
    // 180 idle connections, and one that is made for each call: it takes the rest.
    let holder = left.python(&["hold", RIGHT, "8080", "180", "nothing"]);
    let client = left.go(&["each", "http://10.77.0.2:8080/", "20"]);
    left.await_entries(20);
    let report = left.diagnose();
    // bind() has none to give either.
    report.only(&["ephemeral-exhaustion"], &["ephemeral-exhaustion"]);
    // Who holds the most of them. Go tries three times for each call.
    let found = report.finding("ephemeral-exhaustion", &[holder.pid()]);
    found.about("client", Some(RIGHT), 8080).rate("connect_failures_per_s", 60.0);
    found.says(&format!("tcp.py ({}) holds 90 % of 200", holder.pid()));
    found.says(&format!("connect() of live-http ({}) fails", client.pid()));
    found.is("usable", 200.0).is("left_at_most", 0.0);
}

#[test]
fn connect_has_run_out_of_ports_before_anybody_looked() {
    let Some(_turn) = can_run() else { return };
    let (left, right) = Host::pair();
    few_ports(&left);
    let _server = right.go(&["serve", ":8080", "0", "100"]);
    let client = left.go(&["each", "http://10.77.0.2:8080/", "50"]);
    left.await_entries(200);
    let report = left.diagnose();
    report.only(&["ephemeral-exhaustion"], &["ephemeral-exhaustion"]);
    // Nobody knows any more who closed; who suffers is known.
    let found = report.finding("ephemeral-exhaustion", &[client.pid()]);
    found.about("client", Some(RIGHT), 8080).rate("connect_failures_per_s", 150.0).is("time_wait", 200.0);
}

#[test]
fn connect_will_run_out_of_ports_by_time_waits() {
    let Some(_turn) = can_run() else { return };
    let (left, right) = Host::pair();
    left.set("ip_local_port_range", "40000 40999");
    let _server = right.go(&["serve", ":8080", "0", "100"]);
    let mut client = left.go(&["each", "http://10.77.0.2:8080/", "50"]);
    left.await_entries(50);
    let (report, [closed]) = left.diagnose_while(|| [client.made()]);
    report.only(&["ephemeral-exhaustion", "time-wait-client"], &[]);
    report.finding("time-wait-client", &[client.pid()]).rate("closed_first_per_s", closed);
    let found = report.finding("ephemeral-exhaustion", &[client.pid()]);
    found.about("client", Some(RIGHT), 8080).advises("http.Transport");
}

#[test]
fn bind_runs_out_of_ports() {
    let Some(_turn) = can_run() else { return };
    let (left, right) = Host::pair();
    few_ports(&left);
    let _server = right.go(&["serve", ":8080", "0", "100"]);
    let client = left.python(&["bound", RIGHT, "8080", "50", LEFT]);
    until("all ports to be taken", || left.count("01") >= 200);
    let report = left.diagnose();
    report.only(&["ephemeral-exhaustion"], &["ephemeral-exhaustion"]);
    let found = report.finding("ephemeral-exhaustion", &[client.pid()]);
    found.is("left_at_most", 0.0).is("usable", 200.0);
}

#[test]
fn a_server_that_accepts_slowly() {
    let Some(_turn) = can_run() else { return };
    let (left, right) = Host::pair();
    let server = right.python(&["slow", "9000", "5", "2"]);
    let _client = left.python(&["wait", RIGHT, "9000", "20"]);
    until("overflows", || right.counter(&["TcpExt:ListenOverflows"]) > 20);
    let overflows = || [right.counter(&["TcpExt:ListenOverflows"])];
    let (report, [truth]) = right.diagnose_while(overflows);
    report.only(&["accept-queue-overflow"], &[]);
    let found = report.finding("accept-queue-overflow", &[server.pid()]);
    found.says("tcp.py").says("9000");
    found.is("backlog", 5.0);
    // Each client repeats its SYN less and less often: the rate falls and rises.
    let error = (found.figure("overflows_per_s") - truth).abs() / truth;
    assert!(error < 0.2, "in truth {truth}\n{report}");
}

#[test]
fn more_time_waits_than_the_kernel_keeps() {
    let Some(_turn) = can_run() else { return };
    let (left, right) = Host::pair();
    left.set("tcp_max_tw_buckets", "100");
    let _server = right.go(&["serve", ":8080", "0", "100"]);
    let mut client = left.go(&["each", "http://10.77.0.2:8080/", "60"]);
    until("overflows", || left.counter(&["TcpExt:TCPTimeWaitOverflow"]) > 20);
    let counts = || [client.made(), left.counter(&["TcpExt:TCPTimeWaitOverflow"])];
    let (report, [made, overflow]) = left.diagnose_while(counts);
    report.only(&["time-wait-bucket-overflow", "time-wait-client"], &[]);
    let found = report.finding("time-wait-bucket-overflow", &[client.pid()]);
    found.rate("overflow_per_s", overflow).rate("closes_per_s", made);
    // The trace tells of closes that leave nothing behind.
    report.finding("time-wait-client", &[client.pid()]).rate("closed_first_per_s", made);
}

#[test]
fn a_service_where_the_kernel_gives_ports_away() {
    let Some(_turn) = can_run() else { return };
    let host = Host::new();
    let words = ["--port", "40000", "--save", "", "--appendonly", "no"];
    let server = host.server(40000, "redis-server", &words);
    let report = host.diagnose();
    report.only(&[], &["listener-in-ephemeral-range"]);
    report.finding("listener-in-ephemeral-range", &[server.pid()]).advises("ip_local_reserved_ports=40000");
}
