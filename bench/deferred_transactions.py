#!/usr/bin/env python3
"""Deferred transactions that read and then write, while their tenant moves there and back: how many fail, and
what the wait for them adds to a move.

Usage: deferred_transactions.py PROGRAM [--moves 100] [--transactions 1000] [--clients 3] [--longest 0.2]

Starts two servers of PROGRAM (a tradewind) on free ports of 127.0.0.1 with folders of their own, and ends them.
Each client has rows of its own, so no transaction conflicts with another by itself, but for the one write turn:
SQLite tells a reader that wants to write after somebody else has (BUSY without an extended code; counted apart,
and run again as clients do).
"""

import argparse
import collections
import http.client
import json
import random
import shutil
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


def call(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, None if body is None else json.dumps(body), JSON)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text) if text[:1] in b"{[" else text.decode()


class Failed(Exception):
    pass


class Stream:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.baton = None

    def run(self, *statements):
        requests = [{"type": "execute", "stmt": {"sql": sql}} for sql in statements]
        body = json.dumps({"baton": self.baton, "requests": requests})
        self.connection.request("POST", "/db/shop/v3/pipeline", body, JSON)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            self.baton = None
            raise Failed(f"HTTP {answer.status} {text.decode()[:200]}")
        value = json.loads(text)
        self.baton = value["baton"]
        for result in value["results"]:
            if result["type"] == "error":
                error = result["error"]
                raise Failed(f"{error['code']} {error.get('extended_code', '')}".strip())
        return value["results"]


class Load:
    def __init__(self, ports, options):
        self.options = options
        self.ports = ports
        self.lock = threading.Lock()
        self.outcomes = collections.Counter()
        self.conflicts = 0
        self.longest = 0.0
        self.stop = False

    def client(self, index):
        choose = random.Random(index)
        stream = Stream(self.ports[index % 2])
        while not self.stop:
            began = time.monotonic()
            try:
                stream.run("BEGIN", f"SELECT n FROM t WHERE id = {index}")
                time.sleep(choose.uniform(0, self.options.longest))
                stream.run(f"UPDATE t SET n = n + 1 WHERE id = {index}")
                stream.run("COMMIT")
                outcome = "committed"
            except Failed as failed:
                outcome = str(failed)
                try:
                    stream.run("ROLLBACK")
                except Failed:
                    stream.baton = None
            with self.lock:
                if outcome == "SQLITE_BUSY":
                    self.conflicts += 1
                else:
                    self.outcomes[outcome] += 1
                    self.longest = max(self.longest, time.monotonic() - began)
            time.sleep(choose.uniform(0, 0.02))


def quantile(values, share):
    values = sorted(values)
    return values[int(share * (len(values) - 1))] if values else float("nan")


def measure(options, folder):
    ports = [free_port(), free_port()]
    servers = []
    for name, port in zip(("n1", "n2"), ports):
        command = [options.program, "serve", "--name", name, "--listen", f"127.0.0.1:{port}", "--data",
                   f"{folder}/{name}"]
        if name == "n2":
            command += ["--join", f"http://127.0.0.1:{ports[0]}"]
        with open(f"{folder}/{name}.log", "w", encoding="utf-8") as log:
            servers.append(subprocess.Popen(command, stdout=log, stderr=log))
        for _ in range(200):
            try:
                if call(port, "GET", "/health")[0] == 200:
                    break
            except OSError:
                pass
            time.sleep(0.05)
    try:
        run(options, ports)
    finally:
        for server in servers:
            server.terminate()
        for server in servers:
            server.wait()


def run(options, ports):
    call(ports[0], "POST", "/v1/tenants", {"name": "shop", "node": "n1"})
    setup = Stream(ports[0])
    setup.run("CREATE TABLE t(id INTEGER PRIMARY KEY, n)", "CREATE TABLE bulk(id INTEGER PRIMARY KEY, v)",
              "INSERT INTO bulk WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 3000) "
              "SELECT x, randomblob(1000) FROM c")
    for index in range(options.clients):
        setup.run(f"INSERT INTO t VALUES ({index}, 0)")
    load = Load(ports, options)
    clients = [threading.Thread(target=load.client, args=(index,)) for index in range(options.clients)]
    for client in clients:
        client.start()
    receipts = []
    share = options.transactions / options.moves
    for move in range(options.moves):
        status, receipt = call(ports[0], "POST", "/v1/moves",
                               {"tenant": "shop", "to": ("n2", "n1")[move % 2], "rate_bytes_per_s": 0})
        if status >= 300:
            sys.exit(f"a move does not start: {receipt}")
        while receipt["phase"] not in ("done", "cancelled"):
            time.sleep(0.01)
            receipt = call(ports[0], "GET", f"/v1/moves/{receipt['id']}")[1]
        receipts.append(receipt)
        while sum(load.outcomes.values()) < share * (move + 1):
            time.sleep(0.005)
    load.stop = True
    for client in clients:
        client.join()
    ended = sum(load.outcomes.values())
    failed = ended - load.outcomes["committed"]
    print(f"{len(receipts)} moves, {sum(r['phase'] == 'done' for r in receipts)} done; {ended} transactions, "
          f"{failed} failed ({100 * failed / ended:.2f} %), {load.conflicts} conflicts by themselves")
    for outcome, count in load.outcomes.most_common():
        print(f"  {count:6} {outcome}")
    print(f"  the longest took {load.longest:.2f} s")
    for name in ("quiet_ms", "relief_ms"):
        values = [receipt[name] for receipt in receipts if receipt.get(name) is not None]
        print(f"  {name:12} p50 {quantile(values, 0.5):7.1f}  p95 {quantile(values, 0.95):7.1f}  "
              f"max {quantile(values, 1):7.1f}")
    values = [receipt["phases"]["handover_ms"] for receipt in receipts if receipt["phases"]["handover_ms"]]
    print(f"  {'handover_ms':12} p50 {quantile(values, 0.5):7.1f}  p95 {quantile(values, 0.95):7.1f}  "
          f"max {quantile(values, 1):7.1f}")
    committed = load.outcomes["committed"]
    total = int(setup_sum(ports[0]))
    print(f"  {total} increments are in the table, {committed} were acknowledged")
    if total != committed:
        sys.exit(1)


def setup_sum(port):
    return Stream(port).run("SELECT sum(n) FROM t")[0]["response"]["result"]["rows"][0][0]["value"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--moves", type=int, default=100)
    parser.add_argument("--transactions", type=int, default=1000)
    parser.add_argument("--clients", type=int, default=3)
    parser.add_argument("--longest", type=float, default=0.2, help="seconds between the read and the write")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="tradewind-deferred-")
    try:
        measure(options, folder)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
