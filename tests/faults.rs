//! Faults made with real sockets in namespaces of our own, and what `twtop diagnose` says of them: the finding, the process,
//! and nothing else that somebody should act on. Of the `root` tier: the sockets are made by a thread of the test.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::fd::AsFd as _,
    process::{self, Command},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use serde_json::Value;

mod support {
    pub(crate) mod generator;
    #[expect(dead_code, reason = "the namespace here is filled by the test")]
    pub(crate) mod namespace;
    pub(crate) mod require;
}

use support::{namespace::Namespace, require::can_run};

const TWTOP: &str = env!("CARGO_BIN_EXE_twtop");

/// A thread inside of a namespace that makes a fault until it is dropped.
struct Fault {
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Fault {
    /// Runs `begin` inside of `namespace`, and what that yields again and again; returns when `begin` is done.
    fn begin<T: FnMut()>(namespace: &Namespace, begin: impl FnOnce() -> T + Send + 'static) -> Self {
        let place = format!("/proc/{}/ns/net", namespace.ready["pid"]);
        let place = File::open(place).expect("the namespace is there");
        let over = Arc::new(AtomicBool::new(false));
        let (done, made) = mpsc::channel();
        let until = Arc::clone(&over);
        let thread = thread::spawn(move || {
            move_into_link_name_space(place.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("root may enter");
            let mut go_on = begin();
            done.send(()).expect("the test waits");
            while !until.load(Ordering::Relaxed) {
                go_on();
            }
        });
        made.recv().expect("the fault was made");
        Self { over, thread: Some(thread) }
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it is taken once");
        // A panic in it has been printed.
        let _ = thread.join();
    }
}

/// Writes a setting of the namespace, named by its path below `/proc/sys`.
fn set(namespace: &Namespace, setting: &str, value: &str) {
    namespace.output("sh", &["-c", &format!("echo {value} > /proc/sys/{setting}")]);
}

/// What is found at warning or above.
fn found(namespace: &Namespace) -> Vec<Value> {
    let pid = namespace.ready["pid"].to_string();
    let output = Command::new(TWTOP)
        .args(["diagnose", "--for", "6", "-i", "0.5", "--json", "--netns", &pid])
        .output()
        .expect("it starts");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let findings = report["findings"].as_array().expect("findings").clone();
    findings.into_iter().filter(|finding| finding["severity"] != "info").collect()
}

fn figure(finding: &Value, name: &str) -> f64 {
    let figures = finding["evidence"].as_array().expect("figures");
    let figure = figures.iter().find(|figure| figure["name"] == name);
    figure.unwrap_or_else(|| panic!("{name}: {finding}"))["value"].as_f64().expect("a number")
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 8080)).expect("the port is free");
    let place = listener.local_addr().expect("it is bound");
    (listener, place)
}

#[test]
fn a_listener_that_does_not_accept_is_named() {
    if !can_run("root") {
        return;
    }
    let namespace = Namespace::with(&["--listen=3"]);
    set(&namespace, "net/core/somaxconn", "2");
    let _fault = Fault::begin(&namespace, || {
        let (listener, place) = listen();
        let waiting: Vec<_> = (0..3).map(|_| TcpStream::connect(place).expect("there is room")).collect();
        move || {
            let _ = (&listener, &waiting);
            let _ = TcpStream::connect_timeout(&place, Duration::from_millis(300));
        }
    });
    let found = found(&namespace);
    let full = found.iter().find(|finding| finding["id"] == "accept-queue-overflow").expect("found");
    assert_eq!((&full["severity"], &full["confidence"]), (&"critical".into(), &"certain".into()), "{full}");
    assert_eq!(full["subject"]["pid"], process::id(), "{full}");
    assert_eq!((&full["subject"]["port"], &full["subject"]["side"]), (&8080.into(), &"server".into()));
    assert_eq!((figure(full, "waiting"), figure(full, "backlog")), (3.0, 2.0));
    assert!(found.iter().all(|finding| ["accept-queue-overflow", "syn-sent-pileup"].contains(&id(finding))));
}

#[test]
fn a_destination_without_ports_is_named_and_so_is_who_holds_them() {
    if !can_run("root") {
        return;
    }
    let namespace = Namespace::with(&["--listen=3"]);
    set(&namespace, "net/ipv4/ip_local_port_range", "40000 40099");
    let _fault = Fault::begin(&namespace, || {
        let (listener, place) = listen();
        let mut held = Vec::new();
        let error = loop {
            match TcpStream::connect(place) {
                Ok(stream) => held.push(stream),
                Err(error) => break error,
            }
        };
        assert_eq!((held.len(), error.kind()), (100, io::ErrorKind::AddrNotAvailable));
        move || {
            let _ = (&listener, &held);
            TcpStream::connect(place).expect_err("there is none");
            thread::park_timeout(Duration::from_millis(100));
        }
    });
    let found = found(&namespace);
    assert_eq!(found.iter().map(id).collect::<Vec<_>>(), ["ephemeral-exhaustion"], "{found:?}");
    let out = &found[0];
    assert_eq!(
        (&out["severity"], &out["subject"]["pid"]),
        (&"critical".into(), &process::id().into()),
        "{out}"
    );
    assert_eq!((&out["subject"]["peer"], &out["subject"]["port"]), (&"127.0.0.1".into(), &8080.into()));
    assert_eq!((figure(out, "left_at_most"), figure(out, "blocked")), (0.0, 100.0));
}

#[test]
fn a_quiet_namespace_has_nothing_to_act_on() {
    if !can_run("root") {
        return;
    }
    let namespace = Namespace::with(&["--established=50", "--listen=5", "--time-wait=20"]);
    assert_eq!(found(&namespace), Vec::<Value>::new());
}

fn id(finding: &Value) -> &str {
    finding["id"].as_str().expect("a name")
}
