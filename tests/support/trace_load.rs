//! Makes connections for the tests of the trace, and says who closed which. Roles, by the first argument:
//!
//! `serve FAMILY first|second LIFE_MS`, `connect FAMILY first|second LIFE_MS PORT COUNT RATE`: the two ends; `first` closes.
//! `hold PORT COUNT`: connections that stay until the process ends. `fail`: connections that fail. `brief PORT`: one connection, closed at once.
//! `child PORT`, `shutdown PORT`, `exec PORT`, `pass PORT PATH`, `receive PATH`: a connection that others hold too.
//!
//! Lines on the output are `port N`, `ready`, `done`, `pid N` (of a child), and `closed LOCAL_PORT PEER_PORT NANOSECONDS_SINCE_BOOT`.

use std::{
    env,
    io::{self, BufWriter, IoSlice, IoSliceMut, Read as _, Write as _},
    mem::MaybeUninit,
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::{
            net::{UnixListener, UnixStream},
            process::CommandExt as _,
        },
    },
    process::{Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::Duration,
};

use rustix::{
    net::{
        RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, recvmsg, sendmsg,
    },
    time::{ClockId, clock_gettime},
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> Outcome {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["serve", family, turn, life] => serve(family, turn == "first", millis(life)?),
        ["connect", family, turn, life, port, count, rate] => {
            connect(to(family, port.parse()?), turn == "first", millis(life)?, count.parse()?, rate.parse()?)
        }
        ["hold", port, count] => hold(port.parse()?, count.parse()?),
        ["brief", port] => {
            drop(open(port.parse()?)?);
            Ok(())
        }
        ["fail"] => fail(),
        ["shutdown", port] => shutdown(port.parse()?),
        ["child", port] => child(port.parse()?),
        ["exec", port] => exec(port.parse()?),
        ["pass", port, path] => pass(port.parse()?, path),
        ["receive", path] => receive(path),
        _ => Err(format!("no such role: {words:?}").into()),
    }
}

fn millis(text: &str) -> Result<Duration, std::num::ParseIntError> {
    text.parse().map(Duration::from_millis)
}

fn now() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn to(family: &str, port: u16) -> SocketAddr {
    match family {
        "v4" => ([127, 0, 0, 1], port).into(),
        "v6" => (std::net::Ipv6Addr::LOCALHOST, port).into(),
        _ => (std::net::Ipv4Addr::LOCALHOST.to_ipv6_mapped(), port).into(),
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// Until the other end of standard input is closed.
fn wait() -> io::Result<()> {
    io::copy(&mut io::stdin().lock(), &mut io::sink()).map(drop)
}

/// A listener for `family`; that of mapped addresses is `::`.
fn listen(family: &str) -> io::Result<TcpListener> {
    let listener = match family {
        "v4" => TcpListener::bind("127.0.0.1:0")?,
        "v6" => TcpListener::bind("[::1]:0")?,
        _ => TcpListener::bind("[::]:0")?,
    };
    rustix::net::listen(&listener, 4096)?;
    Ok(listener)
}

fn serve(family: &str, first: bool, life: Duration) -> Outcome {
    let listener = listen(family)?;
    say(&format!("port {}", listener.local_addr()?.port()))?;
    let own = listener.try_clone()?;
    let (sender, receiver) = channel();
    let finisher = thread::spawn(move || finish(&receiver, first, life));
    let accepting = thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if sender.send((now(), stream)).is_err() {
                return;
            }
        }
    });
    wait()?;
    // This wakes whoever waits for a connection.
    rustix::net::shutdown(&own, rustix::net::Shutdown::Both)?;
    accepting.join().map_err(|_| "the accepting thread panicked")?;
    finisher.join().map_err(|_| "the closing thread panicked")??;
    say("done")?;
    Ok(())
}

fn connect(to: SocketAddr, first: bool, life: Duration, count: u32, rate: f64) -> Outcome {
    let (sender, receiver) = channel();
    let finisher = thread::spawn(move || finish(&receiver, first, life));
    let start = now();
    for n in 0..count {
        let due = start + Duration::from_secs_f64(f64::from(n) / rate);
        thread::sleep(due.saturating_sub(now()));
        let stream = TcpStream::connect(to)?;
        sender.send((now(), stream))?;
    }
    drop(sender);
    finisher.join().map_err(|_| "the closing thread panicked")??;
    say("done")?;
    wait()?;
    Ok(())
}

/// Ends connections in the order in which they began: all live equally long.
fn finish(streams: &Receiver<(Duration, TcpStream)>, first: bool, life: Duration) -> io::Result<()> {
    // Told at the end, when somebody reads: a full pipe must not hold the connections up.
    let mut closed = Vec::new();
    for (began, mut stream) in streams {
        if first {
            thread::sleep((began + life).saturating_sub(now()));
            let (local, peer) = (stream.local_addr()?.port(), stream.peer_addr()?.port());
            stream.shutdown(Shutdown::Write)?;
            closed.push(format!("closed {local} {peer} {}", now().as_nanos()));
        }
        // A FIN, or a reset by an end that was killed.
        let _ = stream.read(&mut [0; 16]);
    }
    let mut out = BufWriter::new(io::stdout());
    closed.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    out.flush()
}

fn open(port: u16) -> io::Result<TcpStream> {
    TcpStream::connect(("127.0.0.1", port))
}

fn hold(port: u16, count: u32) -> Outcome {
    let streams: Vec<TcpStream> = (0..count).map(|_| open(port)).collect::<Result<_, _>>()?;
    say("ready")?;
    wait()?;
    drop(streams);
    Ok(())
}

/// A command that holds the connection as its standard output, until its standard input ends.
fn holder(stream: TcpStream) -> Command {
    let mut command = Command::new("cat");
    command.stdin(Stdio::piped()).stdout(OwnedFd::from(stream));
    command
}

/// Gives a connection to a child and lets go of it.
fn child(port: u16) -> Outcome {
    let mut child = holder(open(port)?).spawn()?;
    say(&format!("pid {}", child.id()))?;
    wait()?;
    drop(child.stdin.take());
    child.wait()?;
    Ok(())
}

/// Shuts a connection down that a child holds too, and leaves the close to the child.
fn shutdown(port: u16) -> Outcome {
    let stream = open(port)?;
    let mut child = holder(stream.try_clone()?).spawn()?;
    say(&format!("pid {}", child.id()))?;
    stream.shutdown(Shutdown::Write)?;
    drop(stream);
    wait()?;
    drop(child.stdin.take());
    child.wait()?;
    Ok(())
}

/// Becomes another program that holds the connection.
fn exec(port: u16) -> Outcome {
    let mut command = holder(open(port)?);
    Err(command.stdin(Stdio::inherit()).exec().into())
}

/// Three refused connections; then four ports for nine connections to one address.
fn fail() -> Outcome {
    for _ in 0..3 {
        assert!(open(1).is_err(), "nobody listens there");
    }
    std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40003")?;
    let listener = TcpListener::bind("127.0.0.1:2")?;
    let streams: Vec<TcpStream> = (0..9).filter_map(|_| open(2).ok()).collect();
    assert_eq!(streams.len(), 4, "there are four ports");
    say("done")?;
    wait()?;
    drop((streams, listener));
    Ok(())
}

fn pass(port: u16, path: &str) -> Outcome {
    let socket = UnixStream::connect(path)?;
    let stream = open(port)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let handed = [stream.as_fd()];
    assert!(control.push(SendAncillaryMessage::ScmRights(&handed)), "there is room for one");
    sendmsg(&socket, &[IoSlice::new(b"x")], &mut control, SendFlags::empty())?;
    drop(stream);
    say("ready")?;
    wait()?;
    Ok(())
}

fn receive(path: &str) -> Outcome {
    let listener = UnixListener::bind(path)?;
    say("ready")?;
    let (socket, _) = listener.accept()?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    recvmsg(&socket, &mut [IoSliceMut::new(&mut [0; 1])], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    // The sender has said that its own copy is closed before the order to end comes.
    wait()?;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(handed) = message {
            handed.for_each(drop);
        }
    }
    say("done")?;
    Ok(())
}
