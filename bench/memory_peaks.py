#!/usr/bin/env python3
"""Peak memory of a server under each kind of request that wants all of it, and how long a neighbour waits meanwhile.

    bench/memory_peaks.py build/tradewind [--seconds 15] [--cap 2500] [--server=--memory=1GB] [ROW ...]

For each row a server of its own is started, with data in a temporary folder, and asked; a row ends with its answers, after the
time, or when the server has taken --cap megabytes (then it is killed). Printed as a table for docs/bounds.md.
"""
import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c) "


class Server:
    def __init__(self, program, folder, extra):
        self.process = subprocess.Popen(
            [program, "serve", "--name", "n1", "--listen", "127.0.0.1:0", "--data", folder + "/n1", *extra],
            stdout=subprocess.PIPE, stderr=open(folder + "/log", "w"), text=True)
        line = self.process.stdout.readline()
        self.url = line.split()[2]
        host, port = self.url.removeprefix("http://").split(":")
        self.address = (host, int(port))
        for name in ("t", "neighbour"):
            self.call("/v1/tenants", {"name": name})
        run(self, "CREATE TABLE t(v)", tenant="neighbour")

    def call(self, path, body, timeout=60):
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(),
                                         {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.read()

    def memory(self, field):
        try:
            for line in open(f"/proc/{self.process.pid}/status"):
                if line.startswith(field + ":"):
                    return int(line.split()[1]) // 1024
        except OSError:
            pass
        return 0

    def connect(self):
        return socket.create_connection(self.address, timeout=60)

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()


def execute(sql):
    return {"type": "execute", "stmt": {"sql": sql}}


def run(server, *sql, tenant="t", timeout=60):
    return server.call(f"/db/{tenant}/v2/pipeline", {"requests": [*map(execute, sql), {"type": "close"}]}, timeout)


def message(body, tenant="t"):
    head = f"POST /db/{tenant}/v2/pipeline HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return (head + f"Content-Length: {len(body)}\r\n\r\n").encode() + body


def pipeline(*requests):
    return json.dumps({"requests": requests}).encode()


def side_by_side(count, work):
    def quiet(at):
        try:
            work(at)
        except (OSError, ValueError, urllib.error.URLError):
            pass
    for at in range(count):
        threading.Thread(target=quiet, args=(at,), daemon=True).start()


def statements(sql, count=1):
    return lambda server: side_by_side(count, lambda _: run(server, sql))


def not_reading(server):
    held = server.held = []
    body = pipeline(*[execute("SELECT hex(randomblob(3500000))")] * 4)

    def one(_):
        connection = server.connect()
        held.append(connection)
        connection.sendall(message(body))
        time.sleep(3600)
    side_by_side(100, one)


def bodies(server):
    def one(_):
        connection = server.connect()
        connection.sendall(message(b"x" * 60_000_000)[:50_000_000])
        time.sleep(3600)
    side_by_side(100, one)


def stored_sql(server):
    text = "SELECT '" + "x" * 1_000_000 + "'"

    def one(_):
        server.call("/db/t/v2/pipeline",
                    {"requests": [{"type": "store_sql", "sql_id": at, "sql": text} for at in range(50)]})
    side_by_side(60, one)


ROWS = {
    "SELECT DISTINCT randomblob": statements(
        "SELECT count(*) FROM (SELECT DISTINCT randomblob(1000) FROM (" + ENDLESS + "SELECT x FROM c))"),
    "ORDER BY randomblob": statements(ENDLESS + "SELECT randomblob(1000) AS b FROM c ORDER BY b LIMIT 1 OFFSET 9000000"),
    "a materialised CTE": statements(
        ENDLESS + ", m AS MATERIALIZED (SELECT randomblob(1000) AS b FROM c) SELECT count(*) FROM m AS p, m AS q"),
    "20 sorts at once": statements(ENDLESS + "SELECT randomblob(1000) AS b FROM c ORDER BY b LIMIT 1 OFFSET 9000000", 20),
    "12 values of 60 MB, 20 at once": statements(
        "SELECT " + " + ".join(f"length(v{at})" for at in range(12)) + " FROM (SELECT "
        + ", ".join(f"zeroblob(60000000) || x'0{at % 10}' AS v{at}" for at in range(12)) + ")", 20),
    "400 rows of 7 MB in a pipeline, 8 at once": lambda server: side_by_side(8, lambda _: server.call(
        "/db/t/v2/pipeline", {"requests": [execute("SELECT hex(randomblob(3500000))")] * 400})),
    "stored SQL, 60 streams with 50 MB each": stored_sql,
    "100 clients that do not read": not_reading,
    "100 bodies that do not end": bodies,
}


def measure(program, name, options):
    with tempfile.TemporaryDirectory() as folder:
        server = Server(program, folder, options.server)
        idle = server.memory("VmRSS")
        began = time.monotonic()
        ROWS[name](server)
        waits, killed, failed, peak = [], "", "", 0
        while time.monotonic() - began < options.seconds:
            peak = max(peak, server.memory("VmHWM"))
            if peak > options.cap:
                killed = f" (killed after {time.monotonic() - began:.0f} s)"
                break
            asked = time.monotonic()
            try:
                run(server, "SELECT count(*) FROM t", tenant="neighbour", timeout=options.seconds)
                waits.append(time.monotonic() - asked)
            except (OSError, urllib.error.URLError) as error:
                failed = f", then {type(error).__name__}"
                waits.append(time.monotonic() - asked)
            time.sleep(0.02)
        longest = f"{max(waits) * 1000:.0f} ms{failed}" if waits else "-"
        server.stop()
        print(f"| {name} | {idle} | {peak}{killed} | {longest} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("rows", nargs="*")
    parser.add_argument("--seconds", type=float, default=15)
    parser.add_argument("--cap", type=int, default=2500, help="megabytes")
    parser.add_argument("--server", action="append", default=[], help="an option of serve, such as --server=--memory=1GB")
    options = parser.parse_args()
    print("| what | MB before | peak MB | longest wait of a neighbour |\n| --- | --- | --- | --- |", flush=True)
    for name in options.rows or ROWS:
        measure(options.program, name, options)


if __name__ == "__main__":
    os.setpgrp()
    sys.exit(main())
