#!/usr/bin/env python3
"""A node of many small tenants: made, idle, restarted, read and written at random. Prints the memory and the
descriptors of the node at each step, how long an opening takes, and a first commit beside a warm one.

Usage: tenants.py PROGRAM [--tenants 100000] [--rows 50] [--files 20000] [--reads 20000] [--clients 16] [--json FILE]

Starts a server of PROGRAM (a tradewind) on a free port of 127.0.0.1 with a folder of its own under TMPDIR, under
`ulimit -n FILES`, and ends it. 100,000 tenants take some 3 GB of disk.
"""

import argparse
import http.client
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

JSON = {"Content-Type": "application/json"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Node:
    def __init__(self, program, folder, files):
        self.program, self.folder, self.files = program, folder, files
        self.port = free_port()
        self.process = None

    def start(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (self.files, self.files))

        began = time.monotonic()
        self.process = subprocess.Popen(
            [self.program, "serve", "--name", "n1", "--listen", f"127.0.0.1:{self.port}", "--data", self.folder],
            stdout=subprocess.PIPE, stderr=open(self.folder + ".log", "ab"), preexec_fn=limit)
        line = self.process.stdout.readline().decode()
        if not line.startswith("ready"):
            with open(self.folder + ".log", encoding="utf-8", errors="replace") as log:
                sys.exit(f"the server did not start ({line!r}, status {self.process.poll()}):\n" + "".join(log.readlines()[-5:]))
        while True:
            try:
                if call(self.port, "GET", "/health")[0] == 200:
                    return time.monotonic() - began
            except OSError:
                pass
            time.sleep(0.001)

    def stop(self, how=signal.SIGTERM):
        began = time.monotonic()
        self.process.send_signal(how)
        self.process.wait()
        return time.monotonic() - began

    def memory_mb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            fields = dict(line.split(":", 1) for line in status)
        return int(fields["VmRSS"].split()[0]) / 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def metric(self, name):
        text = call(self.port, "GET", "/metrics")[1]
        for line in text.splitlines():
            if line.startswith(name + " "):
                return int(float(line.split()[1]))
        return 0


class Client:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def call(self, method, path, body=None):
        self.connection.request(method, path, None if body is None else json.dumps(body), JSON)
        answer = self.connection.getresponse()
        text = answer.read()
        return answer.status, text

    def sql(self, tenant, *statements):
        requests = [{"type": "execute", "stmt": {"sql": sql}} for sql in statements] + [{"type": "close"}]
        status, text = self.call("POST", f"/db/{tenant}/v3/pipeline", {"requests": requests})
        if status != 200:
            raise RuntimeError(f"{tenant}: HTTP {status} {text[:300]}")
        value = json.loads(text)
        for result in value["results"]:
            if result["type"] != "ok":
                raise RuntimeError(f"{tenant}: {result}")
        return value["results"]


def call(port, method, path, body=None):
    client = Client(port)
    status, text = client.call(method, path, body)
    client.connection.close()
    return status, text.decode()


def in_parallel(clients, work):
    """Runs work(client number) in threads; the first failure ends the program."""
    failures = []

    def run(number):
        try:
            work(number)
        except Exception as error:  # noqa: BLE001
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(part * len(values)))]


def figures(latencies):
    return {"count": len(latencies), "p50_ms": round(1e3 * percentile(latencies, 0.50), 3),
            "p99_ms": round(1e3 * percentile(latencies, 0.99), 3), "max_ms": round(1e3 * max(latencies), 3)}


class Bench:
    def __init__(self, options):
        self.options = options
        self.folder = tempfile.mkdtemp(prefix="tradewind-tenants-")
        self.node = Node(options.program, os.path.join(self.folder, "n1"), options.files)
        self.steps = []

    def name(self, number):
        return f"tenant-{number:06}"

    def note(self, step, **more):
        entry = {"step": step, "memory_mb": round(self.node.memory_mb(), 1), "descriptors": self.node.descriptors(),
                 "open": self.node.metric("tradewind_open_tenants"), **more}
        self.steps.append(entry)
        print("  ".join(f"{key} {value}" for key, value in entry.items()), flush=True)

    def make(self):
        left = list(range(self.options.tenants))
        left.reverse()
        row = "INSERT INTO note (text) WITH RECURSIVE c (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < %d) " \
              "SELECT 'row ' || x || ' ' || hex(randomblob(20)) FROM c" % self.options.rows

        def work(_):
            client = Client(self.node.port)
            while left:
                tenant = self.name(left.pop())
                status, text = client.call("POST", "/v1/tenants", {"name": tenant})
                if status != 201:
                    raise RuntimeError(f"{tenant}: HTTP {status} {text[:300]}")
                client.sql(tenant, "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT)", row)

        began = time.monotonic()
        in_parallel(self.options.clients, work)
        self.note("made", seconds=round(time.monotonic() - began, 1))

    def one_by_one(self, step, count, statement):
        """Of tenants that are most likely closed, by one client: what an opening costs, and the same of an open one."""
        client = Client(self.node.port)
        openings = self.node.metric("tradewind_tenant_openings_total")
        first, second = [], []
        for number in random.sample(range(self.options.tenants), count):
            for latencies in (first, second):
                began = time.monotonic()
                client.sql(self.name(number), statement)
                latencies.append(time.monotonic() - began)
        opened = self.node.metric("tradewind_tenant_openings_total") - openings
        self.note(step, openings=opened, closed=figures(first), open_already=figures(second))

    def at_random(self, step, count, statement):
        latencies = []

        def work(_):
            client = Client(self.node.port)
            for _ in range(count // self.options.clients):
                began = time.monotonic()
                client.sql(self.name(random.randrange(self.options.tenants)), statement)
                latencies.append(time.monotonic() - began)

        began = time.monotonic()
        in_parallel(self.options.clients, work)
        rate = len(latencies) / (time.monotonic() - began)
        self.note(step, requests=figures(latencies), per_second=round(rate))

    def run(self):
        options = self.options
        read = "SELECT text FROM note WHERE id = 7"
        # Always another value: SQLite writes nothing, and nothing is synced, for a row that is the same already.
        write = "UPDATE note SET text = hex(randomblob(9)) WHERE id = 7"
        self.node.start()
        self.note("empty")
        self.make()
        time.sleep(5)
        self.note("idle")
        self.one_by_one("reads, one by one", min(2000, options.reads), read)
        self.one_by_one("commits, one by one", min(1000, options.reads), write)
        self.at_random("reads, many at once", options.reads, read)
        self.at_random("commits, many at once", options.reads // 4, write)
        stopped = self.node.stop()
        started = self.node.start()
        self.note("restarted", stop_s=round(stopped, 2), start_s=round(started, 2))
        time.sleep(5)
        self.note("restarted, idle")
        self.one_by_one("reads after the restart", min(2000, options.reads), read)
        self.one_by_one("commits after the restart", min(1000, options.reads), write)
        self.at_random("reads, many at once", options.reads, read)
        self.node.stop(signal.SIGKILL)
        started = self.node.start()
        self.note("restarted after a kill", start_s=round(started, 2))
        self.one_by_one("reads after the kill", min(2000, options.reads), read)
        disk = subprocess.run(["du", "-sm", self.folder], capture_output=True, text=True, check=True).stdout.split()[0]
        print(f"disk {disk} MB")
        if options.json:
            with open(options.json, "w") as out:
                json.dump({"tenants": options.tenants, "rows": options.rows, "files": options.files,
                           "disk_mb": int(disk), "steps": self.steps}, out, indent=1)

    def end(self):
        if self.node.process and self.node.process.poll() is None:
            self.node.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("program")
    parser.add_argument("--tenants", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=50)
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--reads", type=int, default=20_000)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--json")
    bench = Bench(parser.parse_args())
    try:
        bench.run()
    finally:
        bench.end()


if __name__ == "__main__":
    main()
