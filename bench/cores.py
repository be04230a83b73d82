#!/usr/bin/env python3
"""What a second core of a node brings, and what it costs (docs/decisions/0008-cores.md).

    bench/cores.py build/tradewind [--pairs 5] [--seconds 5] [--only work|call|scan|change]

work  16 tenants, requests of some milliseconds of SQLite's work each, over 32 connections: how many a second with one core
      and with two, in turn.
call  One client that reads points, of a tenant on the core of its connection and of one on the other core, in turn.
scan  The same client on its tenant's core, alone and while the other core runs an endless scan of another tenant.
change  A tenant that four clients write to is asked 200 times to be where it is, and then changes its core 200 times.
"""
import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time


class Node:
    def __init__(self, program, folder, cores):
        self.process = subprocess.Popen(
            [program, "serve", "--name", "n1", "--listen", "127.0.0.1:0", "--data", folder, "--cores", str(cores)],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = self.process.stdout.readline().split()[2].removeprefix("http://")

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Client:
    def __init__(self, node):
        host, port = node.address.split(":")
        self.connection = http.client.HTTPConnection(host, int(port), timeout=120)

    def call(self, method, path, body):
        self.connection.request(method, path, json.dumps(body), {"content-type": "application/json"})
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path}: {answer.status} {text!r}")
        return json.loads(text)

    def run(self, tenant, *statements):
        requests = [{"type": "execute", "stmt": {"sql": sql}} for sql in statements] + [{"type": "close"}]
        answer = self.call("POST", f"/db/{tenant}/v3/pipeline", {"requests": requests})
        for result in answer["results"]:
            if result["type"] != "ok":
                raise RuntimeError(json.dumps(result))

    def close(self):
        self.connection.close()


ROWS = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<{}) "
        "INSERT INTO t SELECT i, hex(randomblob(50)) FROM n")
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT count(*) FROM n"
SCAN = "SELECT sum(length(v) + unicode(v)) FROM t"
POINT = "SELECT v FROM t WHERE id=7"


def fill(client, tenants, rows):
    for name in tenants:
        client.call("POST", "/v1/tenants", {"name": name})
        client.run(name, "CREATE TABLE t(id INTEGER PRIMARY KEY, v)", ROWS.format(rows))


def measure_work(program, cores, seconds):
    """Requests a second, and milliseconds that one takes alone."""
    tenants = [f"t{number}" for number in range(16)]
    with tempfile.TemporaryDirectory() as folder:
        node = Node(program, folder, cores)
        first = Client(node)
        fill(first, tenants, 35_000)
        began = time.perf_counter()
        for name in tenants:
            first.run(name, SCAN)
        alone = (time.perf_counter() - began) / len(tenants) * 1e3
        done, until = [0] * 32, time.perf_counter() + seconds

        def work(number):
            client = Client(node)
            while time.perf_counter() < until:
                client.run(tenants[number % 16], SCAN)
                done[number] += 1
            client.close()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(32)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        node.stop()
        return sum(done) / seconds, alone


def points(client, tenant, seconds):
    """Microseconds of each of the point reads that one client does in turn, sorted."""
    took, until = [], time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        client.run(tenant, POINT)
        took.append((time.perf_counter() - began) * 1e6)
    return sorted(took)


def show_work(options):
    ratios = []
    for pair in range(options.pairs):
        one, alone = measure_work(options.program, 1, options.seconds)
        two, _ = measure_work(options.program, 2, options.seconds)
        ratios.append(two / one)
        print(f"work  pair {pair + 1}: a request alone {alone:.1f} ms; one core {one:.0f} a second, two {two:.0f}: "
              f"{two / one:.2f} times", flush=True)
    print(f"work  median {statistics.median(ratios):.2f} times (aim 1.8)")


def show_pairs(what, options, prepare, aim):
    """Points of a client as `prepare(node, client)` says: two tenants, and what goes on beside the second."""
    with tempfile.TemporaryDirectory() as folder:
        node = Node(options.program, folder, 2)
        client = Client(node)
        fill(client, ["a", "b"], 1_000)
        first, second, begin, end = prepare(node, client)
        rows = []
        for pair in range(options.pairs):
            plain = points(client, first, options.seconds)
            begin()
            other = points(client, second, options.seconds)
            end()
            rows.append((plain, other))
            print(f"{what}  pair {pair + 1}: p50 {plain[len(plain) // 2]:.0f} and {other[len(other) // 2]:.0f} us, "
                  f"p99 {plain[len(plain) * 99 // 100]:.0f} and {other[len(other) * 99 // 100]:.0f} us", flush=True)
        p50 = [other[len(other) // 2] - plain[len(plain) // 2] for plain, other in rows]
        p99 = [other[len(other) * 99 // 100] / plain[len(plain) * 99 // 100] for plain, other in rows]
        print(f"{what}  medians: p50 {statistics.median(p50):+.0f} us, p99 {statistics.median(p99):.2f} times ({aim})")
        node.stop()


def other_core(client):
    """Has tenant a on the core of the client's connection, which metrics tell, and tenant b on the other one."""
    def asked():
        client.connection.request("GET", "/metrics")
        text = client.connection.getresponse().read().decode()
        return [float(line.split()[1]) for core in (0, 1) for line in text.splitlines()
                if line.startswith(f'tradewind_requests_total{{core="{core}"}}')]
    before = asked()
    for _ in range(50):
        client.run("a", POINT)
    home = 0 if asked()[0] - before[0] > 25 else 1
    client.call("PATCH", "/v1/tenants/a", {"core": home})
    client.call("PATCH", "/v1/tenants/b", {"core": 1 - home})


def show_call(options):
    def prepare(node, client):
        other_core(client)
        return "a", "b", lambda: None, lambda: None
    show_pairs("call", options, prepare, "aim: at most 20 us more")


def show_scan(options):
    def prepare(node, client):
        other_core(client)
        scans = []

        def begin():
            scan = Client(node)
            scan.connection.connect()
            body = json.dumps({"requests": [{"type": "execute", "stmt": {"sql": ENDLESS}}]})
            scan.connection.request("POST", "/db/b/v3/pipeline", body, {"content-type": "application/json"})
            scans.append(scan)
            time.sleep(0.2)

        def end():
            scans.pop().close()
            time.sleep(0.5)  # Until it is noticed.
        return "a", "a", begin, end
    show_pairs("scan", options, prepare, "aim: p99 under 1.3 times")


def show_change(options):
    with tempfile.TemporaryDirectory() as folder:
        node = Node(options.program, folder, 2)
        client = Client(node)
        fill(client, ["a"], 1_000)
        took, failed, over = [], [], threading.Event()  # When each ended, and its milliseconds.

        def write():
            writer = Client(node)
            while not over.is_set():
                began = time.perf_counter()
                try:
                    writer.run("a", "UPDATE t SET v=v||'' WHERE id=abs(random())%1000")
                except RuntimeError as error:
                    failed.append(error)
                ended = time.perf_counter()
                took.append((ended, (ended - began) * 1e3))
            writer.close()

        threads = [threading.Thread(target=write) for _ in range(4)]
        for thread in threads:
            thread.start()
        def ask(core_of):
            began = time.perf_counter()
            for number in range(200):
                client.call("PATCH", "/v1/tenants/a", {"core": core_of(number)})
                time.sleep(0.05)
            return began, time.perf_counter()

        spans = [ask(lambda _: 0), ask(lambda number: (number + 1) % 2)]
        over.set()
        for thread in threads:
            thread.join()
        node.stop()
        for what, (began, ended) in zip(("none", "200"), spans):
            waits = sorted(wait for at, wait in took if began <= at <= ended)
            p99 = waits[len(waits) * 99 // 100]
            print(f"change  {what} changes, {len(waits)} commits; p50 {waits[len(waits) // 2]:.2f} ms, p99 {p99:.2f} ms, "
                  f"longest {waits[-1]:.2f} ms: {waits[-1] / p99:.1f} times p99 (aim of changes: under 2)")
        print(f"change  {len(failed)} commits failed")
        for error in failed[:3]:
            print("change ", error)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--only", choices=["work", "call", "scan", "change"])
    options = parser.parse_args()
    for name, show in (("work", show_work), ("call", show_call), ("scan", show_scan), ("change", show_change)):
        if options.only in (None, name):
            show(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
