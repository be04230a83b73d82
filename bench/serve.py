#!/usr/bin/env python3
"""What serving costs, each ratio from one run, side by side.

    bench/serve.py build/tradewind build/request_rates [--rounds 3] [--seconds 4] [--rows 10000000] [--sockets 10000]
                   [--cores 1] [--only reads|tls|cursor|sockets]

  reads    point reads of 100-byte rows by 64 connections, over HTTP and over WebSocket, beside /health on the same server;
           medians of the rounds
  tls      the same reads from two servers, one of which speaks TLS, in turns
  cursor   a result of so many rows by one cursor: its rate beside that at which the sqlite3 shell writes them as JSON, and the
           most memory that the server had more than before
  sockets  so many WebSockets, each after one statement, and what one costs the server

Exits with 1 when a bound of docs/bounds.md, section "Serving", does not hold. Needs sqlite3 and curl, and for the sockets as many
open files in each process as there are, and 1,600.
"""
import argparse
import json
import os
import re
import resource
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
READ = "SELECT id, name, amount FROM big"


class Server:
    def __init__(self, program, folder, cores, more=(), ca=""):
        self.folder, self.ca = folder, ca
        self.log = open(os.path.join(folder, "log"), "w")
        self.command = [program, "serve", "--name", "n1", "--listen", "127.0.0.1:0", "--data",
                        os.path.join(folder, "n1"), "--cores", str(cores), *more]
        self.start()
        self.post("/v1/tenants", {"name": "bench"})

    def start(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.url = self.process.stdout.readline().split()[2]
        host, port = self.url.split("//")[1].split(":")
        self.address = (host, int(port))

    def post(self, path, body, timeout=600):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"content-type": "application/json"})
        trust = ssl.create_default_context(cafile=self.ca) if self.ca else None
        with urllib.request.urlopen(request, timeout=timeout, context=trust) as answer:
            return answer.read()

    def sql(self, text):
        answer = json.loads(self.post("/db/bench/v1/execute", {"stmt": {"sql": text}}))
        return answer["result"]

    def memory_kb(self, field="VmRSS"):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(rf"^{field}:\s+(\d+)", status.read(), re.MULTILINE).group(1))

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def restart(self):
        """What it has taken so far is given back."""
        self.stop()
        self.start()
        self.sql("SELECT 1")


def rates_of(servers, rates, options):
    """For each server the medians of the rounds, a second each."""
    found = [{} for _ in servers]
    for _ in range(options.rounds):
        for server, of_server in zip(servers, found):
            out = subprocess.run([rates, server.url, "bench", "64", str(options.seconds), "100000", server.ca], check=True,
                                 capture_output=True, text=True).stdout
            for name, rate, failed in re.findall(r"^(.+?)\s+(\d+) a second.*failed (\d+)$", out, re.MULTILINE):
                if int(failed):
                    sys.exit(f"serve.py: {failed} requests of {name} have failed")
                of_server.setdefault(name, []).append(int(rate))
    return [{name: statistics.median(all_of) for name, all_of in of_server.items()} for of_server in found]


def reads(server, rates, options):
    rate, = rates_of([server], rates, options)
    http = rate["point read"] / rate["/health"]
    web_socket = rate["WebSocket read"] / rate["point read"]
    print(f"/health {rate['/health']:.0f} a second, point reads over HTTP {rate['point read']:.0f}, over WebSocket "
          f"{rate['WebSocket read']:.0f}; HTTP is {http:.2f} of /health, WebSocket {web_socket:.2f} of HTTP")
    return [("point reads over HTTP, of /health", http, http >= 0.65),
            ("point reads over WebSocket, of HTTP", web_socket, web_socket > 1)]


def with_certificate(folder):
    """What a server takes that speaks TLS, and the file by which clients believe it."""
    certificate, key = os.path.join(folder, "node.pem"), os.path.join(folder, "node.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=n1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    return {"more": ["--tls-cert", certificate, "--tls-key", key], "ca": certificate}


def tls(server, options):
    with tempfile.TemporaryDirectory(prefix="tradewind-serve-tls-") as folder:
        encrypted = Server(options.program, folder, options.cores, **with_certificate(folder))
        try:
            plain, in_tls = rates_of([server, encrypted], options.rates, options)
        finally:
            encrypted.stop()
    http = in_tls["point read"] / plain["point read"]
    web_socket = in_tls["WebSocket read"] / plain["WebSocket read"]
    print(f"point reads in TLS: over HTTP {in_tls['point read']:.0f} a second of {plain['point read']:.0f} ({http:.2f}), over "
          f"WebSocket {in_tls['WebSocket read']:.0f} of {plain['WebSocket read']:.0f} ({web_socket:.2f})")
    return [("point reads in TLS over HTTP, of those without", http, http >= 0.75),
            ("point reads in TLS over WebSocket, of those without", web_socket, web_socket >= 0.75)]


class PeakOf:
    """The most memory that the server has while this lives."""

    def __init__(self, server):
        self.server, self.peak, self.over = server, 0, threading.Event()
        self.thread = threading.Thread(target=self.watch)

    def watch(self):
        while not self.over.wait(0.02):
            self.peak = max(self.peak, self.server.memory_kb())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def fill(server, rows):
    server.sql("CREATE TABLE IF NOT EXISTS big (id INTEGER PRIMARY KEY, name TEXT, amount REAL)")
    have = int(server.sql("SELECT count(*) FROM big")["rows"][0][0]["value"])
    while have < rows:  # A transaction has a bound.
        step = min(1_000_000, rows - have)
        server.sql(f"WITH RECURSIVE c(x) AS (SELECT {have + 1} UNION ALL SELECT x+1 FROM c WHERE x<{have + step}) "
                   "INSERT INTO big SELECT x, 'customer number ' || x, x * 0.25 FROM c")
        have += step


def read_by_curl(server, stdout):
    body = json.dumps({"batch": {"steps": [{"stmt": {"sql": READ}}]}})
    subprocess.run(["curl", "-sf", "-d", "@-", server.url + "/db/bench/v3/cursor", "-H", "content-type: application/json"],
                   input=body.encode(), check=True, stdout=stdout)


def cursor(server, options):
    fill(server, options.rows)
    copy = os.path.join(server.folder, "copy.db")
    subprocess.run([options.program, "tenant", "export", "bench", copy, "--server", server.url], check=True,
                   capture_output=True)
    server.restart()
    shell, ours = [], []
    before = server.memory_kb()
    with PeakOf(server) as watch:
        for _ in range(options.rounds):
            began = time.monotonic()
            subprocess.run(["sqlite3", "-json", copy, READ], stdout=subprocess.DEVNULL, check=True)
            shell.append(time.monotonic() - began)
            began = time.monotonic()
            read_by_curl(server, stdout=subprocess.DEVNULL)
            ours.append(time.monotonic() - began)
        reader = subprocess.Popen(["grep", "-c", '"type":"row"'], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        read_by_curl(server, stdout=reader.stdin)
        if int(reader.communicate()[0]) != options.rows:
            sys.exit("serve.py: the cursor has not given all rows")
    more_mb = (watch.peak - before) / 1024
    ratio = statistics.median(shell) / statistics.median(ours)
    print(f"a cursor over {options.rows} rows: {options.rows / statistics.median(ours):.0f} rows a second, the sqlite3 shell "
          f"{options.rows / statistics.median(shell):.0f}: {ratio:.2f} of it; {more_mb:.1f} MB more memory than before")
    return [("a cursor's rate, of the shell's", ratio, ratio >= 0.5), ("MB for a cursor", more_mb, more_mb < 64)]


def frame(text):
    data = text.encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2, "big")
    return b"\x81" + size + b"\0\0\0\0" + data


def read_frame(sock):
    header = sock.recv(2, socket.MSG_WAITALL)
    size = header[1]
    if size == 126:
        size = int.from_bytes(sock.recv(2, socket.MSG_WAITALL), "big")
    return json.loads(sock.recv(size, socket.MSG_WAITALL))


def open_socket(server):
    sock = socket.create_connection(server.address)
    sock.sendall((f"GET /db/bench HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                  f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: hrana2\r\n\r\n").encode())
    header = b""
    while not header.endswith(b"\r\n\r\n"):
        header += sock.recv(1)
    for message in ({"type": "hello", "jwt": None},
                    {"type": "request", "request_id": 1, "request": {"type": "open_stream", "stream_id": 1}},
                    {"type": "request", "request_id": 2,
                     "request": {"type": "execute", "stream_id": 1, "stmt": {"sql": "SELECT 42"}}}):
        sock.sendall(frame(json.dumps(message)))
        answer = read_frame(sock)
    if answer["response"]["result"]["rows"][0][0]["value"] != "42":
        sys.exit("serve.py: a WebSocket has answered something else")
    return sock


def sockets(server, options):
    warm = [open_socket(server) for _ in range(200)]
    time.sleep(2)
    before = server.memory_kb()
    opened = [open_socket(server) for _ in range(options.sockets)]
    time.sleep(2)
    each_kb = (server.memory_kb() - before) / len(opened)
    for sock in (opened[0], opened[-1], warm[0]):
        sock.sendall(frame(json.dumps({"type": "request", "request_id": 3,
                                       "request": {"type": "execute", "stream_id": 1, "stmt": {"sql": "SELECT 43"}}})))
        if read_frame(sock)["request_id"] != 3:
            sys.exit("serve.py: an idle WebSocket does not answer any more")
    print(f"{len(opened)} idle WebSockets, each after one statement: {each_kb:.1f} KB each")
    for sock in opened + warm:
        sock.close()
    return [("KB for an idle WebSocket", each_kb, each_kb <= 16)]


def allow_files(wanted):
    """Of this process and of the server that it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(wanted, most), max(wanted, most)))
    except ValueError:
        sys.exit(f"serve.py: this needs {wanted} open files, and has {most}: raise the hard limit (ulimit -Hn), or give fewer "
                 "--sockets")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("rates")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--sockets", type=int, default=10_000)
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--only", choices=("reads", "tls", "cursor", "sockets"))
    options = parser.parse_args()
    with_sockets = options.only in (None, "sockets")
    allow_files(1600 + options.sockets if with_sockets else 0)
    checks = []
    with tempfile.TemporaryDirectory(prefix="tradewind-serve-") as folder:
        # The descriptors that tenants do not need are for connections.
        server = Server(options.program, folder, options.cores, more=["--open-tenants", "16"])
        try:
            if with_sockets:
                checks += sockets(server, options)
            if options.only in (None, "reads"):
                checks += reads(server, options.rates, options)
            if options.only in (None, "tls"):
                checks += tls(server, options)
            if options.only in (None, "cursor"):
                checks += cursor(server, options)
        finally:
            server.stop()
    missed = [f"{what}: {figure:.2f}" for what, figure, holds in checks if not holds]
    if missed:
        sys.exit("serve.py: not within its bound: " + "; ".join(missed))


main()
