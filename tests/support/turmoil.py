"""An incident in miniature, in the network namespace that it is started in.

`desk` answers each request and closes. `report-gen` asks it, and never closes what that has closed: sixty at once, and two
more a second, until there are three hundred. `courier` opens a connection a second to `store` and closes it.

It ends when its standard input does.
"""

import os
import signal
import socket
import sys
import threading
import time

DESK = ("127.0.0.1", 7001)
STORE = ("127.0.0.1", 7002)
TCP_LINGER2 = 8

held = []


def listener(address):
    one = socket.socket()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    one.bind(address)
    one.listen(128)
    return one


def desk(listening):
    while True:
        connection = listening.accept()[0]
        # What the other side never closes is forgotten here soon, so that nobody has more sockets than that side.
        connection.setsockopt(socket.IPPROTO_TCP, TCP_LINGER2, 1)
        connection.recv(64)
        connection.close()


def store(listening):
    while True:
        with listening.accept()[0] as connection:
            while connection.recv(64):
                connection.sendall(b"kept")


def report():
    while len(held) < 300:
        connection = socket.create_connection(DESK)
        held.append(connection)
        connection.sendall(b"figures")
        connection.recv(64)
        if len(held) > 60:
            time.sleep(0.5)
    signal.pause()


def courier():
    while True:
        with socket.create_connection(STORE) as connection:
            connection.sendall(b"parcel")
            connection.recv(64)
        time.sleep(1)


def end_with_input():
    sys.stdin.buffer.raw.read()
    os._exit(0)


def start(name, work, *listening):
    if os.fork() == 0:
        with open("/proc/self/comm", "w") as comm:
            comm.write(name)
        for one in LISTENING:
            if one not in listening:
                one.close()
        threading.Thread(target=end_with_input, daemon=True).start()
        signal.alarm(300)
        work(*listening)


LISTENING = [listener(DESK), listener(STORE)]
start("desk", desk, LISTENING[0])
start("store", store, LISTENING[1])
start("report-gen", report)
start("courier", courier)
for one in LISTENING:
    one.close()
end_with_input()
