//! Servers and proxies: who closes first, and who is named for it.

use super::{
    can_run,
    host::{Host, LEFT, Program, RIGHT, until},
};

/// A page that is fetched again and again by one client that keeps its connections.
fn fetched(host: &Host, url: &str) -> Program {
    host.go(&["kept", url, "1", "60"])
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("there is room")
}

#[test]
fn a_server_that_speaks_http_1_0() {
    let Some(_turn) = can_run() else { return };
    let (left, right) = Host::pair();
    let directory = folder();
    let path = directory.path().to_str().expect("a plain path");
    let server = python_web(&right, path);
    let _client = fetched(&left, "http://10.77.0.2:8000/");
    right.await_entries(60);
    // The client closes too, and wins at times: the counters of each host tell how often.
    let (report, [truth]) = right.diagnose_while(|| [right.entries()]);
    report.only(&["time-wait-server"], &[]);
    let found = report.finding("time-wait-server", &[server.pid()]);
    found.about("server", Some(LEFT), 8000).rate("closed_first_per_s", truth).advises("HTTP/1.0");
    let report = left.diagnose();
    report.only(&[], &["time-wait-client"]);
}

/// Python's web server for the files under `path`, on port 8000. Its accept queue is of 5 by itself, which a busy machine
/// fills now and then.
fn python_web(host: &Host, path: &str) -> Program {
    let script = format!(
        "import functools, http.server as web\n\
         web.ThreadingHTTPServer.request_queue_size = 512\n\
         files = functools.partial(web.SimpleHTTPRequestHandler, directory={path:?})\n\
         web.test(files, web.ThreadingHTTPServer, port=8000)"
    );
    host.server(8000, "/usr/bin/python3", &["-c", &script])
}

#[test]
fn both_ends_on_one_host_and_a_client_that_wins_at_times() {
    let Some(_turn) = can_run() else { return };
    let host = Host::new();
    let directory = folder();
    let path = directory.path().to_str().expect("a plain path");
    let server = python_web(&host, path);
    let _client = fetched(&host, "http://127.0.0.1:8000/");
    host.await_entries(60);
    let report = host.diagnose();
    report.only(&["time-wait-server"], &[]);
    report.finding("time-wait-server", &[server.pid()]).about("server", Some("127.0.0.1"), 8000);
}

#[test]
fn without_a_trace_that_tells_the_server_is_named_all_the_same() {
    let Some(_turn) = can_run() else { return };
    let host = Host::new();
    let directory = folder();
    let path = directory.path().to_str().expect("a plain path");
    let server = python_web(&host, path);
    let _client = fetched(&host, "http://127.0.0.1:8000/");
    host.await_entries(60);
    for report in [host.diagnose_untraced(), host.diagnose_misplaced()] {
        report.only(&["time-wait-server"], &[]);
        report.finding("time-wait-server", &[server.pid()]).about("server", Some("127.0.0.1"), 8000);
    }
}

#[test]
fn a_server_that_was_asked_to_close() {
    let Some(_turn) = can_run() else { return };
    let host = Host::new();
    let server = host.go(&["serve", ":8080", "0", "100"]);
    let client = host.go(&["refuse", "http://127.0.0.1:8080/", "60"]);
    host.await_entries(60);
    let report = host.diagnose();
    report.only(&["time-wait-server"], &[]);
    let found = report.finding("time-wait-server", &[server.pid()]);
    found.says(&format!("opened on this host by live-http ({})", client.pid())).advises("Start at live-http");
}

#[test]
fn nginx_without_keepalive() {
    let Some(_turn) = can_run() else { return };
    let (left, right) = Host::pair();
    let directory = folder();
    let root = directory.path().display();
    let http = format!("keepalive_timeout 0; server {{ listen 80; root {root}; }}");
    let server = right.nginx(directory.path(), 80, &http);
    let _client = fetched(&left, "http://10.77.0.2/");
    right.await_entries(60);
    let (report, [truth]) = right.diagnose_while(|| [right.entries()]);
    report.only(&["time-wait-server"], &[]);
    let found = report.finding("time-wait-server", &nginx_pids(&server));
    found.rate("closed_first_per_s", truth).advises("keepalive_timeout");
}

#[test]
fn nginx_that_keeps_connections_for_six_requests() {
    let Some(_turn) = can_run() else { return };
    let (left, right) = Host::pair();
    let directory = folder();
    let root = directory.path().display();
    let http = format!("keepalive_requests 6; server {{ listen 80; root {root}; }}");
    let server = right.nginx(directory.path(), 80, &http);
    let _load = wrk(&left, directory.path(), "http://10.77.0.2/");
    right.await_entries(60);
    let (report, [truth]) = right.diagnose_while(|| [right.entries()]);
    report.only(&["time-wait-server"], &[]);
    let found = report.finding("time-wait-server", &nginx_pids(&server));
    found.rate("closed_first_per_s", truth).advises("keepalive_requests");
}

/// The master and its worker: both hold the listener.
fn nginx_pids(server: &Program) -> Vec<u32> {
    let mut pids = server.workers();
    pids.push(server.pid());
    pids
}

/// wrk on 8 connections, each of which waits 20 ms between requests.
fn wrk(host: &Host, directory: &std::path::Path, url: &str) -> Program {
    let script = directory.join("delay.lua");
    std::fs::write(&script, "function delay() return 20 end\n").expect("the directory can be written to");
    let script = script.to_str().expect("a plain path");
    host.run("wrk", &["-t1", "-c8", "-d15m", "-s", script, url])
}

/// An upstream in Go, nginx in front of it with these lines in its `location`, and somebody who fetches.
fn proxied(directory: &std::path::Path, keepalive: &str, location: &str) -> (Host, [Program; 3]) {
    let host = Host::new();
    let upstream = host.go(&["serve", ":8080", "0", "100"]);
    let http = format!(
        "upstream go {{ server 127.0.0.1:8080; {keepalive} }}\n\
         server {{ listen 80; location / {{ proxy_pass http://go; {location} }} }}"
    );
    let proxy = host.nginx(directory, 80, &http);
    let client = fetched(&host, "http://127.0.0.1/");
    (host, [upstream, proxy, client])
}

#[test]
fn nginx_as_a_proxy_without_upstream_keepalive() {
    let Some(_turn) = can_run() else { return };
    let directory = folder();
    let (host, [upstream, _proxy, _client]) = proxied(directory.path(), "", "");
    host.await_entries(60);
    let report = host.diagnose();
    // The upstream holds them, and the proxy is the cause; on a busy machine it may also win the race to close.
    report.only_or(&["time-wait-server"], &["time-wait-client"], &[]);
    let found = report.finding("time-wait-server", &[upstream.pid()]);
    found
        .about("server", Some("127.0.0.1"), 8080)
        .says("opened on this host by nginx")
        .advises("proxy_http_version 1.1");
}

#[test]
fn nginx_as_a_proxy_with_upstream_keepalive() {
    let Some(_turn) = can_run() else { return };
    let directory = folder();
    let location = "proxy_http_version 1.1; proxy_set_header Connection \"\";";
    let (host, [_upstream, _proxy, mut client]) = proxied(directory.path(), "keepalive 32;", location);
    until("requests", || client.made() > 0);
    host.diagnose().only(&[], &[]);
}

#[test]
fn a_server_that_does_not_close_what_its_clients_have_closed() {
    let Some(_turn) = can_run() else { return };
    let (left, right) = Host::pair();
    let server = right.python(&["deaf", "9000"]);
    let mut client = left.python(&["drop", RIGHT, "9000", "10"]);
    until("connections", || right.count("08") >= 20);
    let (report, [made]) = right.diagnose_while(|| [client.made()]);
    report.only(&["close-wait-leak"], &[]);
    let found = report.finding("close-wait-leak", &[server.pid()]);
    found.about("server", Some(LEFT), 9000).rate("growth_per_s", made).says("tcp.py").advises("no timeout");
}

#[test]
fn peers_that_do_not_close_what_we_have_closed() {
    let Some(_turn) = can_run() else { return };
    let (left, right) = Host::pair();
    let _server = right.python(&["deaf", "9000"]);
    let client = left.python(&["hold", RIGHT, "9000", "40", "close"]);
    until("closes", || left.count("05") >= 40);
    let report = left.diagnose();
    report.only(&["fin-wait2-pileup"], &[]);
    report.the_only("fin-wait2-pileup").about("client", Some(RIGHT), 9000).advises("CLOSE_WAIT");
    drop(client);
}

#[test]
fn peers_that_went_away_before_the_last_acknowledgement() {
    let Some(_turn) = can_run() else { return };
    let (left, right) = Host::pair();
    let server = right.python(&["leave", "9000"]);
    let _client = left.python(&["hold", RIGHT, "9000", "20", "fin"]);
    until("closes", || right.count("08") >= 20);
    // The peer's address is gone: what is sent to it falls on the floor.
    left.ip(&["address", "flush", "dev", "wire"]);
    right.ip(&["neighbour", "replace", LEFT, "lladdr", "02:00:00:00:00:09", "dev", "wire"]);
    server.signal(rustix::process::Signal::USR1);
    until("last acknowledgements to be missed", || right.count("09") >= 20);
    let report = right.diagnose();
    report.only(&["last-ack-pileup"], &[]);
    report
        .the_only("last-ack-pileup")
        .about("server", Some(LEFT), 9000)
        .advises("Nothing is wrong with the process");
}
