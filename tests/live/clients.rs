//! Clients: what their habits leave behind, and who is named for it.

use super::{
    can_run,
    host::{Host, Program, RIGHT, until},
    report::meter,
};

const LOCAL: Option<&str> = Some("127.0.0.1");
const URL: &str = "http://127.0.0.1:8080/";

/// A host with a server of Go's that keeps connections, and answers 100 bytes after `delay` ms.
fn served(delay: &str) -> (Host, Program) {
    let host = Host::new();
    let server = host.go(&["serve", ":8080", delay, "100"]);
    (host, server)
}

#[test]
fn a_pool_of_two_under_twenty_requests_at_once() {
    let Some(_turn) = can_run() else { return };
    let (host, _server) = served("50");
    let client = host.go(&["burst", URL, "20", "4"]);
    host.await_entries(60);
    let (report, [truth]) = host.diagnose_while(|| [host.entries()]);
    report.only(&["time-wait-client"], &[]);
    let found = report.finding("time-wait-client", &[client.pid()]);
    found.about("client", LOCAL, 8080).rate("closed_first_per_s", truth).advises("MaxIdleConnsPerHost");
    assert!((60.0..90.0).contains(&truth), "18 of 20 are closed, 4 times a second: {truth}");
}

#[test]
fn bodies_that_are_closed_unread() {
    let Some(_turn) = can_run() else { return };
    let (host, _server) = served("0");
    let mut client = host.go(&["unread", URL, "60"]);
    host.await_entries(60);
    let (report, [closed, made]) = host.diagnose_while(|| [host.entries(), client.made()]);
    report.only(&["time-wait-client"], &[]);
    let found = report.finding("time-wait-client", &[client.pid()]);
    found.about("client", LOCAL, 8080).rate("closed_first_per_s", closed).rate("opened_per_s", made);
    found.advises("io.Copy(io.Discard, resp.Body)");
}

#[test]
fn large_bodies_that_are_closed_unread() {
    let Some(_turn) = can_run() else { return };
    let (left, right) = Host::pair();
    // Far more than the client has read when it closes.
    let _server = right.go(&["serve", ":8080", "0", "8000000"]);
    let mut client = left.go(&["unread", "http://10.77.0.2:8080/", "20"]);
    until("requests", || client.made() > 20);
    let (report, [made]) = left.diagnose_while(|| [client.made()]);
    report.only(&["reset-churn"], &["time-wait-client"]);
    let found = report.finding("reset-churn", &[client.pid()]);
    found.about("client", Some(RIGHT), 8080).rate("reset_per_s", made).advises("drain the body");
}

#[test]
fn bodies_that_are_never_closed() {
    let Some(_turn) = can_run() else { return };
    let (host, _server) = served("0");
    let mut client = host.go(&["unclosed", URL, "10"]);
    let (report, [made]) = host.diagnose_while(|| [client.made()]);
    report.only(&["established-leak"], &[]);
    let found = report.finding("established-leak", &[client.pid()]);
    found.about("client", LOCAL, 8080).rate("growth_per_s", made).advises("close every response body");
}

#[test]
fn a_transport_for_each_call() {
    let Some(_turn) = can_run() else { return };
    let (host, _server) = served("0");
    let mut client = host.go(&["transports", URL, "10"]);
    let (report, [made]) = host.diagnose_while(|| [client.made()]);
    report.only(&["established-leak"], &[]);
    let found = report.finding("established-leak", &[client.pid()]);
    found.about("client", LOCAL, 8080).rate("growth_per_s", made).advises("one http.Transport");
}

#[test]
fn a_connection_for_each_operation_of_redis() {
    let Some(_turn) = can_run() else { return };
    let host = Host::new();
    let words = ["--port", "6379", "--save", "", "--appendonly", "no"];
    let _server = host.server(6379, "redis-server", &words);
    let mut client = host.python(&["ping", "127.0.0.1", "6379", "80"]);
    host.await_entries(60);
    let (report, [closed, made]) = host.diagnose_while(|| [host.entries(), client.made()]);
    report.only(&["time-wait-client"], &[]);
    let found = report.finding("time-wait-client", &[client.pid()]);
    found.about("client", LOCAL, 6379).rate("closed_first_per_s", closed).rate("opened_per_s", made);
    found.says("tcp.py").advises("Redis");
}

#[test]
fn a_process_for_each_operation_of_redis() {
    let Some(_turn) = can_run() else { return };
    let host = Host::new();
    let words = ["--port", "6379", "--save", "", "--appendonly", "no"];
    let _server = host.server(6379, "redis-server", &words);
    let _script = host.run("sh", &["-c", "while redis-cli ping >/dev/null; do sleep 0.03; done"]);
    host.await_entries(30);
    let (report, [closed]) = host.diagnose_while(|| [host.entries()]);
    report.only(&["time-wait-client"], &[]);
    let found = report.the_only("time-wait-client");
    found.about("client", LOCAL, 6379).rate("closed_first_per_s", closed).says("redis-cli");
}

#[test]
fn three_clients_each_at_its_own_rate() {
    let Some(_turn) = can_run() else { return };
    let (host, _server) = served("0");
    let mut clients = ["25", "50", "100"].map(|rate| host.go(&["each", URL, rate]));
    let kept = host.go(&["kept", URL, "4", "20"]);
    host.await_entries(200);
    let (report, truth) = host.diagnose_while(|| clients.each_mut().map(Program::made));
    report.only(&["time-wait-client"; 3], &[]);
    for (client, truth) in clients.iter().zip(truth) {
        assert_ne!(client.pid(), kept.pid());
        let found = report.finding("time-wait-client", &[client.pid()]);
        found.about("client", LOCAL, 8080).rate("closed_first_per_s", truth);
    }
}

#[test]
fn a_client_that_has_exited() {
    let Some(_turn) = can_run() else { return };
    let (host, _server) = served("0");
    let client = host.go(&["each", URL, "100"]);
    let pid = client.pid();
    host.await_entries(100);
    let report = std::thread::scope(|scope| {
        let report = scope.spawn(|| host.diagnose());
        // Half of what is looked at.
        host.await_entries(host.entries() + 600);
        client.end();
        report.join().expect("it reports")
    });
    report.only(&["time-wait-client"], &[]);
    let found = report.finding("time-wait-client", &[pid]);
    let rate = found.about("client", LOCAL, 8080).figure("closed_first_per_s");
    // Of 10 s, it was there for 6 and for as long as the program takes to begin less.
    assert!((50.0..=61.0).contains(&rate), "{report}");
}

#[test]
fn without_the_trace_less_is_said_and_nothing_wrong() {
    let Some(_turn) = can_run() else { return };
    let (host, server) = served("0");
    let clients = ["25", "50"].map(|rate| host.go(&["each", URL, rate]));
    let kept = host.go(&["kept", URL, "4", "20"]);
    host.await_entries(100);
    let (report, [truth]) = meter(|| [host.entries()], || host.diagnose_untraced());
    // Those who live for a millisecond are seen by no look: how many there are is known all the same.
    report.only(&["time-wait-client"], &[]);
    report.the_only("time-wait-client").about("client", LOCAL, 8080).rate("closed_first_per_s", truth);
    let named = report.named();
    assert!(![server.pid(), kept.pid()].iter().any(|pid| named.contains(pid)), "{report}");
    assert!(named.iter().all(|pid| clients.iter().any(|client| client.pid() == *pid)), "{report}");
}

#[test]
fn a_destination_that_does_not_answer() {
    let Some(_turn) = can_run() else { return };
    let (left, _right) = Host::pair();
    // Frames go to a card that nobody has.
    left.ip(&["neighbour", "add", "10.77.0.9", "lladdr", "02:00:00:00:00:09", "dev", "wire"]);
    let client = left.go(&["burst", "http://10.77.0.9/", "2", "2"]);
    let report = left.diagnose();
    report.only(&["syn-sent-pileup"], &[]);
    report
        .finding("syn-sent-pileup", &[client.pid()])
        .about("client", Some("10.77.0.9"), 80)
        .advises("timeout");
}

#[test]
fn a_client_that_does_not_close_what_the_server_has_closed() {
    let Some(_turn) = can_run() else { return };
    let (left, right) = Host::pair();
    let directory = tempfile::tempdir().expect("there is room");
    let _server = right.nginx(directory.path(), 80, "keepalive_timeout 1s; server { listen 80; }");
    let client = left.python(&["forget", RIGHT, "80", "5"]);
    until("closes", || left.count("08") >= 10);
    let report = left.diagnose();
    report.only(&["close-wait-leak"], &[]);
    let found = report.finding("close-wait-leak", &[client.pid()]);
    found.about("client", Some(RIGHT), 80).rate("growth_per_s", 5.0).says("tcp.py").advises("close()");
}
