//! Hosts on which nothing is wrong: nothing is found.

use super::{
    can_run,
    host::{Host, Program, until},
};

/// A busy web server that is right: static pages over kept connections, 2,000 requests a second.
fn web() -> (Host, tempfile::TempDir, [Program; 2]) {
    let host = Host::new();
    let directory = tempfile::tempdir().expect("there is room");
    let root = directory.path().display();
    let server = host.nginx(directory.path(), 80, &format!("server {{ listen 80; root {root}; }}"));
    let script = directory.path().join("delay.lua");
    std::fs::write(&script, "function delay() return 10 end\n").expect("the directory can be written to");
    let script = script.to_str().expect("a plain path").to_owned();
    let load = host.run("wrk", &["-t1", "-c20", "-d15m", "-s", &script, "http://127.0.0.1/"]);
    (host, directory, [server, load])
}

/// A service with a pool of connections to a database, all kept.
fn service() -> (Host, [Program; 4]) {
    let host = Host::new();
    let words = ["--port", "6379", "--save", "", "--appendonly", "no"];
    let database = host.server(6379, "redis-server", &words);
    let pool = host.python(&["pool", "127.0.0.1", "6379", "100"]);
    let server = host.go(&["serve", ":8080", "5", "1000"]);
    let client = host.go(&["kept", "http://127.0.0.1:8080/", "10", "10"]);
    (host, [database, pool, server, client])
}

#[test]
fn an_idle_host() {
    let Some(_turn) = can_run() else { return };
    Host::new().diagnose().only(&[], &[]);
}

#[test]
fn a_busy_web_server() {
    let Some(_turn) = can_run() else { return };
    let (host, _directory, _programs) = web();
    until("requests", || host.counter(&["Tcp:InSegs"]) > 2000);
    // nginx closes after 1,000 requests.
    host.diagnose().only(&[], &["time-wait-server"]);
}

#[test]
fn a_service_that_keeps_its_connections() {
    let Some(_turn) = can_run() else { return };
    let (host, _programs) = service();
    host.diagnose().only(&[], &[]);
}

/// `cargo test --test live -- --ignored`, with `LIVE_SECONDS` for less than ten minutes.
#[test]
#[ignore = "takes ten minutes"]
fn nothing_is_found_in_ten_minutes() {
    let Some(_turn) = can_run() else { return };
    let seconds = std::env::var("LIVE_SECONDS").unwrap_or_else(|_| "600".to_owned());
    let idle = Host::new();
    let (busy, _directory, _web) = web();
    let (kept, _service) = service();
    std::thread::scope(|scope| {
        for (host, quiet) in [(&idle, &[][..]), (&busy, &["time-wait-server"]), (&kept, &[])] {
            let seconds = &seconds;
            scope.spawn(move || host.diagnose_with(&["--for", seconds]).only(&[], quiet));
        }
    });
}
