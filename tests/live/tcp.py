"""Programs with one habit each over plain TCP: what the live tests watch.

It prints `ready` when it is at work. For each line on its standard input it prints how many connections it has made so
far; at the end of its input it exits.
"""

import os
import signal
import socket
import sys
import threading
import time

made = 0
held = []


def connect(host, port, source=None):
    global made
    connection = socket.socket()
    if source is not None:
        connection.bind((source, 0))
    connection.connect((host, int(port)))
    made += 1
    return connection


def every(per_second, call):
    """Calls at an even pace, without drift."""
    begin = time.monotonic()
    n = 0
    while True:
        time.sleep(max(0.0, begin + n / float(per_second) - time.monotonic()))
        n += 1
        try:
            call()
        except OSError:
            pass


def ping(host, port):
    """One operation of Redis, on a connection of its own."""
    with connect(host, port) as connection:
        connection.sendall(b"PING\r\n")
        connection.recv(64)


def pool(host, port, rate):
    """Operations of Redis over ten connections that are kept."""
    connections = [connect(host, port) for _ in range(10)]

    def ask():
        connection = connections.pop(0)
        connection.sendall(b"PING\r\n")
        connection.recv(64)
        connections.append(connection)

    every(rate, ask)


def get(connection, host):
    connection.sendall(b"GET / HTTP/1.1\r\nHost: %s\r\n\r\n" % host.encode())
    connection.recv(65536)


def forget(host, port):
    """Asks once on a connection, and never looks at it again."""
    connection = connect(host, port)
    held.append(connection)
    get(connection, host)


def listen(port, backlog):
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("", int(port)))
    listener.listen(int(backlog))
    return listener


def deaf(port):
    """Accepts, and neither reads nor closes."""
    listener = listen(port, 128)
    print("ready", flush=True)
    while True:
        held.append(listener.accept()[0])


def slow(port, backlog, per_second):
    """Accepts no more than so often."""
    listener = listen(port, backlog)
    print("ready", flush=True)
    every(per_second, lambda: listener.accept()[0].close())


def leave(port):
    """Closes what it has accepted when SIGUSR1 comes."""
    listener = listen(port, 128)
    signal.signal(signal.SIGUSR1, lambda *_: [one.close() for one in held])
    print("ready", flush=True)
    while True:
        held.append(listener.accept()[0])


def hold(host, port, count, end):
    """Opens so many connections; `end` says what it does with them: nothing, `fin`, or `close`."""
    for _ in range(int(count)):
        connection = connect(host, port)
        held.append(connection)
        if end == "fin":
            connection.shutdown(socket.SHUT_WR)
        elif end == "close":
            connection.close()
    print("ready", flush=True)
    signal.pause()


ROLES = {
    "deaf": deaf,
    "slow": slow,
    "leave": leave,
    "hold": hold,
    # Those that do something so many times a second.
    "ping": lambda host, port, rate: every(rate, lambda: ping(host, port)),
    "pool": pool,
    "forget": lambda host, port, rate: every(rate, lambda: forget(host, port)),
    "drop": lambda host, port, rate: every(rate, lambda: connect(host, port).close()),
    "bound": lambda host, port, rate, source: every(rate, lambda: held.append(connect(host, port, source))),
    "wait": lambda host, port, rate: every(
        rate, lambda: threading.Thread(target=connect, args=(host, port), daemon=True).start()
    ),
}


def orders():
    for _ in sys.stdin:
        print(made, flush=True)
    os._exit(0)


threading.Thread(target=orders, daemon=True).start()
# Whatever happens to who started it.
signal.alarm(15 * 60)
role = ROLES[sys.argv[1]]
if sys.argv[1] not in ("deaf", "slow", "leave", "hold"):
    print("ready", flush=True)
role(*sys.argv[2:])
