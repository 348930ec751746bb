"""What runs on pay-web-04 and around it during the incident: `services.py ROLE`, or a role by the name of the script.

INCIDENT_BEGAN is the time since boot at which the recording began; what a role does depends on the seconds since then.
"""

import os
import signal
import socket
import struct
import sys
import threading
import time

BEGAN = float(os.environ.get("INCIDENT_BEGAN", 0))
SCRIPTS = {"app.py": "payments", "report-gen": "reports", "settle.py": "settlement"}
held = []


def second():
    return time.clock_gettime(time.CLOCK_BOOTTIME) - BEGAN


def paced(rate_at, call):
    """Calls as often as `rate_at` says for the second, evenly; whatever goes wrong is left behind."""
    due = second()
    while True:
        rate = rate_at(second())
        if rate <= 0:
            time.sleep(0.1)
            due = second()
            continue
        due += 1 / rate
        time.sleep(max(0.0, due - second()))
        try:
            call()
        except OSError:
            pass


def connect(host, port, source=None, timeout=5):
    return socket.create_connection((host, port), timeout, (source, 0) if source else None)


def listen(host, port):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(512)
    return listener


def serve(host, port, answer):
    """A thread for each connection, which ends when the client closes or `answer` says so."""

    def talk(connection):
        with connection:
            try:
                while connection.recv(4096):
                    if not answer(connection):
                        break
            except OSError:
                pass

    listener = listen(host, port)
    while True:
        threading.Thread(target=talk, args=(listener.accept()[0],), daemon=True).start()


def payments():
    """Four connections to Redis that are kept; and, from second 30 on, one to the database for each payment."""
    cache = [connect("127.0.0.1", 6379) for _ in range(4)]

    def look_up():
        connection = cache.pop(0)
        connection.sendall(b"PING\r\n")
        connection.recv(64)
        cache.append(connection)

    def pay():
        with connect("10.0.3.9", 5432) as connection:
            connection.sendall(b"select 1;")
            connection.recv(64)

    def load(now):
        return 0 if now < 30 else 15 if now < 60 else 30 if now < 90 else 60 if now < 110 else 100

    threading.Thread(target=paced, args=(lambda _: 20, look_up), daemon=True).start()
    paced(load, pay)


def reports():
    """From second 50 on, asks a search service that closes after an answer, and never closes in turn."""

    def ask():
        connection = connect("10.0.3.21", 9200)
        held.append(connection)
        connection.sendall(b"GET /_search HTTP/1.0\r\n\r\n")

    paced(lambda now: 2 if now >= 50 else 0, ask)


def settlement():
    """From second 70 on, tries once a second to reach a partner that does not answer; each attempt waits for 20 s."""

    def attempt():
        try:
            connect("10.0.7.40", 8443, timeout=20).close()
        except OSError:
            pass

    paced(lambda now: 1 if now >= 70 else 0, lambda: threading.Thread(target=attempt, daemon=True).start())


def database():
    serve("10.0.3.9", 5432, lambda connection: connection.sendall(b"1") is None)


def search():
    def answer(connection):
        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n{}")
        return False

    serve("10.0.3.21", 9200, answer)


def get(connection, path=b"/"):
    connection.sendall(b"GET %s HTTP/1.1\r\nHost: pay\r\n\r\n" % path)
    return connection.recv(65536)


def browsers():
    """Forty clients at eight addresses that keep their connections; every fourth request goes to the ledger."""
    kept = [connect("10.0.3.4", 80, "203.0.113.%d" % (10 + n % 8)) for n in range(40)]
    kept += [connect("2001:db8:8f:1::4", 80, "2001:db8:8f:2::19") for _ in range(3)]
    count = 0

    def ask():
        nonlocal count
        count += 1
        connection = kept.pop(0)
        get(connection, b"/ledger" if count % 4 == 0 else b"/")
        kept.append(connection)

    paced(lambda _: 20, ask)


def terminals():
    """From second 40 on, old card terminals that are not offered keep-alive: nginx closes each connection first."""

    def pay():
        with connect("10.0.3.4", 8081, "198.51.100.%d" % (20 + int(second() * 10) % 12)) as connection:
            get(connection)
            connection.recv(64)

    paced(lambda now: 6 if now >= 40 else 0, pay)


def scanner():
    """From second 80 to 100, somebody who resets a connection every other second."""

    def probe():
        connection = connect("10.0.3.4", 80, "198.51.100.77")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    paced(lambda now: 0.5 if 80 <= now < 100 else 0, probe)


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
# Whatever happens to who started it.
signal.alarm(300)
role = sys.argv[1] if len(sys.argv) > 1 else SCRIPTS[os.path.basename(sys.argv[0])]
roles = (payments, reports, settlement, database, search, browsers, terminals, scanner)
{one.__name__: one for one in roles}[role]()
