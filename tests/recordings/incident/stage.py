"""Stages the incident and records it: `stage.py CAPTURE FILE`, as root. README.md tells the story.

All of it happens in a mount, a UTS and two network namespaces, which end with this script: on the host, pay-web-04, and in
the network around it. CAPTURE is the program `twtop-capture`.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import time

SECONDS = 125
HOST = "pay-web-04"
# Theirs are /etc/passwd's lines in the mount namespace.
USERS = {"payments": 1101, "ledger": 1102, "reports": 1103, "settlement": 1104}
AROUND = ["10.0.3.9", "10.0.3.12", "10.0.3.21", "198.51.100.77"]
AROUND += ["203.0.113.%d" % n for n in range(10, 18)] + ["198.51.100.%d" % n for n in range(20, 32)]
NGINX = """daemon off; worker_processes 2; user www-data; pid /srv/nginx/pid; error_log /srv/nginx/error;
events { worker_connections 512; }
http {
    access_log off;
    upstream ledger { server 127.0.0.1:8080; keepalive 8; }
    server {
        listen 80; listen [::]:80; root /srv/nginx/www;
        location /ledger { proxy_pass http://ledger; proxy_http_version 1.1; proxy_set_header Connection ""; }
    }
    server { listen 8081; root /srv/nginx/www; keepalive_timeout 0; }
    client_body_temp_path /srv/nginx/a; proxy_temp_path /srv/nginx/b; fastcgi_temp_path /srv/nginx/c;
    uwsgi_temp_path /srv/nginx/d; scgi_temp_path /srv/nginx/e;
}
"""
here = pathlib.Path(__file__).resolve().parent
children = []


def run(*words):
    subprocess.run(words, check=True)


def start(*words, user=None, inside=(), **more):
    words = [*inside, *words]
    child = subprocess.Popen(words, user=user, cwd="/", stdin=subprocess.DEVNULL, **more)
    children.append(child)
    return child


def furnish():
    """The files of the host, in memory and in this mount namespace alone."""
    run("mount", "--make-rprivate", "/")
    run("mount", "-t", "tmpfs", "none", "/srv")
    for name in ("payments", "ledger", "reports", "settlement", "nginx/www", "redis", "around"):
        os.makedirs("/srv/" + name)
    os.chmod("/srv", 0o755)
    shutil.chown("/srv/redis", "redis")
    lines = ["%s:x:%d:%d::/srv/%s:/usr/sbin/nologin\n" % (name, n, n, name) for name, n in USERS.items()]
    pathlib.Path("/srv/passwd").write_text(pathlib.Path("/etc/passwd").read_text() + "".join(lines))
    run("mount", "--bind", "/srv/passwd", "/etc/passwd")
    script = (here / "services.py").read_text()
    for path in ("payments/app.py", "settlement/settle.py", "around/services.py"):
        pathlib.Path("/srv", path).write_text(script)
    report = pathlib.Path("/srv/reports/report-gen")
    report.write_text("#!/usr/bin/python3\n" + script)
    report.chmod(0o755)
    pathlib.Path("/srv/nginx/nginx.conf").write_text(NGINX)
    pathlib.Path("/srv/nginx/www/index.html").write_text("pay here\n")
    build = {**os.environ, "GOPROXY": "off", "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod"}
    source = shutil.copy(here / "ledger.go", "/srv/around/ledger.go")
    words = ["go", "build", "-trimpath", "-o", "/srv/ledger/ledger-api", source]
    subprocess.run(words, check=True, env=build, cwd="/srv/around")


def connect():
    """The wire, with the host at one end and everybody else at the other."""
    far = start("unshare", "--net", "sh", "-c", "ip link set lo up; echo; exec sleep 300", stdout=subprocess.PIPE)
    far.stdout.readline()
    inside = ["nsenter", "--target", str(far.pid), "--net", "--"]
    run("hostname", HOST)
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(far.pid))
    run("ip", "address", "add", "10.0.3.4/24", "dev", "eth0")
    run("ip", "address", "add", "2001:db8:8f:1::4/64", "dev", "eth0", "nodad")
    run(*inside, "ip", "address", "add", "2001:db8:8f:2::19/64", "dev", "eth0", "nodad")
    for address in AROUND:
        run(*inside, "ip", "address", "add", address + "/32", "dev", "eth0")
    for side in ([], inside):
        run(*side, "ip", "link", "set", "eth0", "up")
        run(*side, "ip", "route", "add", "default", "dev", "eth0")
        run(*side, "ip", "-6", "route", "add", "default", "dev", "eth0")
    # Nobody has this card.
    run("ip", "neighbour", "add", "10.0.7.40", "lladdr", "02:00:00:00:07:40", "dev", "eth0")
    pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").write_text("32768 35767")
    return inside


def wait_for(port, inside=()):
    while not subprocess.run([*inside, "ss", "-Hltn", "sport = :%d" % port], capture_output=True).stdout:
        time.sleep(0.05)


def perform(capture, file):
    inside = connect()
    around = ["/usr/bin/python3", "/srv/around/services.py"]
    # Who is called comes before who calls.
    for role, port in (("database", 5432), ("search", 9200)):
        start(*around, role, inside=inside)
        wait_for(port, inside)
    start("/srv/ledger/ledger-api", "rates", "10.0.3.12:8090", inside=inside)
    wait_for(8090, inside)
    redis = ["redis-server", "--port", "6379", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    start(*redis, "--dir", "/srv/redis", user="redis", stdout=subprocess.DEVNULL)
    start("/srv/ledger/ledger-api", user=USERS["ledger"])
    start("nginx", "-p", "/srv/nginx", "-c", "/srv/nginx/nginx.conf", stderr=subprocess.DEVNULL)
    for port in (6379, 8080, 80):
        wait_for(port)
    recorder = start(capture, file, str(SECONDS), "10.0.3.4", "2001:db8:8f:1::4", stdout=subprocess.PIPE)
    recorder.stdout.readline()
    os.environ["INCIDENT_BEGAN"] = "%.3f" % time.clock_gettime(time.CLOCK_BOOTTIME)
    start("/usr/bin/python3", "/srv/payments/app.py", user=USERS["payments"])
    start("/srv/reports/report-gen", user=USERS["reports"])
    start("/usr/bin/python3", "/srv/settlement/settle.py", user=USERS["settlement"])
    for role in ("browsers", "terminals", "scanner"):
        start(*around, role, inside=inside)
    return recorder.wait()


def main():
    if "--inside" not in sys.argv:
        words = ["unshare", "--mount", "--uts", "--net", "/usr/bin/python3", *sys.argv, "--inside"]
        return subprocess.run(words).returncode
    capture, file = (os.path.abspath(path) for path in sys.argv[1:3])
    try:
        furnish()
        return perform(capture, file)
    finally:
        for child in reversed(children):
            child.terminate()
        for child in children:
            child.wait()


sys.exit(main())
