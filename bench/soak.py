#!/usr/bin/env python3
"""Everything that could hold, fill or use up a node, going on at once on two nodes, beside a bank that moves between
them: what of the bank failed, and what memory and descriptors are afterwards, beside what they were before.

Usage: soak.py PROGRAM [--seconds 600] [--attackers 4] [--seed 1] [--memory 2GB] [--idle-tenants 3000]

Each attacker runs one input of bench/neighbour_inputs.py after the other against a tenant of its own, which it makes
anew each time. Beside them: clients that do not read their answers, bodies that do not end, clients that go away in
the middle of a query, a reader that stays while others write, and many small tenants that are touched at random.
Fails when a request of the bank failed or its books are wrong, when a node has ended, or when memory or descriptors
are not about where they were before.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from neighbour import PROCESSORS, Node  # noqa: E402
from neighbour_inputs import ENDLESS, INPUTS  # noqa: E402

ROWS = 200_000
GROWN_MB = 128  # What memory may be more afterwards: caches of tenants, stacks of fibers, fragments.
GROWN_DESCRIPTORS = 64


class Server(Node):
    def __init__(self, program, folder, name, memory, join=None):
        os.makedirs(os.path.join(folder, name))
        super().__init__(program, os.path.join(folder, name), name,
                         ["--memory", memory, *(["--join", join] if join else [])], PROCESSORS)
        self.url = f"http://127.0.0.1:{self.port}"

    def make(self, tenant):
        self.call("POST", "/v1/tenants", json.dumps({"name": tenant, "node": self.name}))

    def memory_mb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            fields = dict(line.split(":", 1) for line in status)
        return int(fields["VmRSS"].split()[0]) // 1024, int(fields["VmHWM"].split()[0]) // 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def metric(self, start):
        found = [line for line in self.call("GET", "/metrics")[1].decode().splitlines() if line.startswith(start)]
        return found[0] if found else ""


class Target:
    """A node, as an input sees it, whose tenant `attack` is the attacker's own."""

    def __init__(self, server, tenant):
        self.server, self.tenant, self.port = server, tenant, server.port

    def call(self, method, path, body=None, timeout=300):
        return self.server.call(method, path.replace("/db/attack/", f"/db/{self.tenant}/"), body, timeout)

    def sql(self, tenant, *statements, timeout=300):
        return self.server.sql(self.tenant if tenant == "attack" else tenant, *statements, timeout=timeout)


class Attacks:
    def __init__(self, servers, args):
        self.servers, self.args = servers, args
        self.over = threading.Event()
        self.threads = []
        self.done = 0

    def start(self, work, *arguments):
        def quietly():
            while not self.over.is_set():
                try:
                    work(*arguments)
                except (OSError, ValueError, KeyError, http.client.HTTPException):  # Refused, or ended at its limit.
                    time.sleep(0.1)

        self.threads.append(threading.Thread(target=quietly, daemon=True))
        self.threads[-1].start()

    def attack(self, number, chance):
        server = chance.choice(self.servers)
        one = chance.choice(INPUTS)
        tenant = f"attack{number}"
        server.make(tenant)
        target = Target(server, tenant)
        try:
            server.sql(tenant, "CREATE TABLE big(id INTEGER PRIMARY KEY, a INT, b TEXT)",
                       "CREATE TABLE blobs(id INTEGER PRIMARY KEY, body BLOB)",
                       "INSERT INTO big WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c "
                       f"WHERE x<{ROWS}) SELECT x, random()%1000000, hex(randomblob(8)) FROM c")
            if one.before:
                one.before(target)
            over = threading.Event()
            if one.endless:
                threading.Timer(5, over.set).start()
            one.run(target, over)
            self.done += 1
        finally:
            server.call("DELETE", f"/v1/tenants/{tenant}")

    def hold(self, connections):
        self.over.wait(20)
        for connection in connections:
            connection.close()

    def connect(self, server, request):
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(request)
        return connection

    def message(self, body, length=None):
        head = "POST /db/side/v2/pipeline HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        return (head + f"Content-Length: {length or len(body)}\r\n\r\n").encode() + body

    def not_reading(self, server):
        body = json.dumps({"requests": [{"type": "execute", "stmt": {"sql": "SELECT hex(randomblob(2000000))"}}] * 4})
        self.hold([self.connect(server, self.message(body.encode())) for _ in range(20)])

    def unfinished(self, server):
        self.hold([self.connect(server, self.message(b"x" * 4_000_000, 60_000_000)) for _ in range(20)])

    def vanishing(self, server):
        body = json.dumps({"requests": [{"type": "execute", "stmt": {"sql": ENDLESS}}]}).encode()
        connections = [self.connect(server, self.message(body)) for _ in range(20)]
        time.sleep(0.2)
        for connection in connections:
            connection.close()

    def reader_that_stays(self, server):
        baton = None

        def read(*requests):
            body = json.dumps({"baton": baton, "requests": [{"type": "execute", "stmt": {"sql": sql}} for sql in requests]})
            return json.loads(server.call("POST", "/db/side/v2/pipeline", body)[1])["baton"]

        baton = read("BEGIN", "SELECT count(*) FROM log")
        until = time.monotonic() + 30
        while time.monotonic() < until and not self.over.is_set():
            server.sql("side", "INSERT INTO log VALUES(randomblob(1000000))")
            baton = read("SELECT count(*) FROM log")
            time.sleep(0.1)
        server.sql("side", "DELETE FROM log")

    def touch(self, server, chance):
        server.sql(f"idle{chance.randrange(self.args.idle_tenants)}", "SELECT count(*) FROM t")


def settled(servers):
    """Memory and descriptors once nothing goes on any more."""
    figures = None
    for _ in range(60):
        before, figures = figures, [(server.memory_mb()[0], server.descriptors()) for server in servers]
        if before and all(abs(a[0] - b[0]) < 2 and a[1] == b[1] for a, b in zip(before, figures)):
            break
        time.sleep(2)
    return figures


def move_there_and_back(program, servers, over, moves):
    at = 0
    while not over.is_set():
        at = 1 - at
        done = subprocess.run([program, "move", "start", "bank", "--to", servers[at].name, "--server", servers[0].url, "--wait"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        moves.append(done.returncode)
        if done.returncode:
            print("a move ended otherwise:", done.stdout.strip()[-300:], flush=True)
        over.wait(5)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("program")
    arguments.add_argument("--seconds", type=int, default=600)
    arguments.add_argument("--attackers", type=int, default=4)
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--memory", default="2GB")
    arguments.add_argument("--idle-tenants", type=int, default=3000)
    args = arguments.parse_args()
    folder = tempfile.mkdtemp(prefix="soak-")
    servers = []
    try:
        servers.append(Server(args.program, folder, "n1", args.memory))
        servers.append(Server(args.program, folder, "n2", args.memory, join=servers[0].url))
        for tenant in ["side", "attack"] + [f"many{number}" for number in range(20)]:
            servers[0].make(tenant)
        servers[0].sql("side", "CREATE TABLE log(x)")
        servers[0].sql("attack", "CREATE TABLE big(id INTEGER PRIMARY KEY, a INT, b TEXT)")
        for number in range(args.idle_tenants):
            servers[number % 2].make(f"idle{number}")
            servers[number % 2].sql(f"idle{number}", "CREATE TABLE t(x)")
        bank = [args.program, "bench", "--server", servers[0].url, "--workload", "bank", "--tenant", "bank", "--records", "1000",
                "--rate", "50"]
        subprocess.run([*bank, "--load-only"], check=True, stdout=subprocess.DEVNULL)
        before = settled(servers)
        print(f"{args.idle_tenants} tenants are made; {args.seconds} s of everything begin", flush=True)

        attacks = Attacks(servers, args)
        over, moves = threading.Event(), []
        result = os.path.join(folder, "bank.json")
        running = subprocess.Popen([*bank, "--duration", f"{args.seconds}s", "--json", result], stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        mover = threading.Thread(target=move_there_and_back, args=(args.program, servers, over, moves))
        mover.start()
        for number in range(args.attackers):
            attacks.start(attacks.attack, number, random.Random(args.seed * 1000 + number))
        for server in servers:
            attacks.start(attacks.not_reading, server)
            attacks.start(attacks.unfinished, server)
            attacks.start(attacks.vanishing, server)
        attacks.start(attacks.reader_that_stays, servers[0])
        attacks.start(attacks.touch, servers[1], random.Random(args.seed))
        output, _ = running.communicate()
        over.set()
        attacks.over.set()
        mover.join()
        until = time.monotonic() + 120  # A statement ends after 60 s at the latest.
        for thread in attacks.threads:
            thread.join(max(0, until - time.monotonic()))
        for number in range(args.attackers):
            servers[0].call("DELETE", f"/v1/tenants/attack{number}")
        print(output.strip(), flush=True)
        with open(result) as file:
            totals = (bank_result := json.load(file))["totals"]

        faults = []
        if totals["failed"] or totals["aborted"] or not bank_result["checks"]["ok"] or running.returncode:
            faults.append("the bank")
        for server, (memory, descriptors) in zip(servers, before):
            if server.process.poll() is not None:
                faults.append(f"{server.name} has ended")
                continue
        after = settled(servers) if not faults or "ended" not in faults[-1] else before
        print("node  MB before  after  peak  descriptors before  after  longest turn")
        for server, (mb, fds), (mb_after, fds_after) in zip(servers, before, after):
            print(f"{server.name:<5} {mb:9}  {mb_after:5}  {server.memory_mb()[1]:4}  {fds:18}  {fds_after:5}  "
                  + server.metric("tradewind_longest_turn_seconds"))
            if mb_after > mb + GROWN_MB:
                faults.append(f"memory of {server.name}")
            if fds_after > fds + GROWN_DESCRIPTORS:
                faults.append(f"descriptors of {server.name}")
        print(f"{attacks.done} inputs, {len(moves)} moves of the bank, {sum(map(bool, moves))} of them ended otherwise; bank: "
              f"{totals['requests']} requests, {totals['failed']} failed, p50 {totals['p50_ms']:.1f} ms, "
              f"p99 {totals['p99_ms']:.1f} ms, longest {totals['max_ms']:.0f} ms")
        print("faults: " + ", ".join(faults) if faults else "all as it should be")
        return 1 if faults else 0
    finally:
        for server in servers:
            print(f"{server.name} ended with {server.stop()}")
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
