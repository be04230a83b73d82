#!/usr/bin/env python3
"""What a neighbour feels beside everything that could hold a node's core: its p50, p99 and longest wait, beside what
they are alone in the same run, the node's longest turn by its own count, and its peak of memory.

Usage: neighbour.py PROGRAM PROBE [--only TEXT] [--seconds 4] [--json FILE] [--no-judgement]

PROGRAM is a tradewind, PROBE the neighbour_probe beside it. A folder of data is made once; for each input a node
starts on a copy of it, a neighbour reads points of its own tenant for a second alone, and then while the input runs
(for --seconds at least). Fails when a turn was longer than 20 ms of processor time, an input does not end (a statement
is ended after 60 s), or the neighbour's p50 is more than twice what it is alone. A turn is measured in processor time,
and is little disturbed by what else the machine does; the waits are.
"""

import argparse
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from neighbour_inputs import INPUTS  # noqa: E402

LONGEST_TURN_MS = 20
P50_RATIO = 2


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# The node has one processor, and whoever sends to it the others: else a client that the node's answer wakes may have to
# wait on the node's own processor for as long as the system lets a busy process go on, some milliseconds.
PROCESSORS = sorted(os.sched_getaffinity(0))
NODE = PROCESSORS[:1]
CLIENTS = PROCESSORS[1:] or PROCESSORS


def pin(processors):
    os.sched_setaffinity(0, processors)


class Node:
    """A server with its data in the folder; `options` are further ones of serve. It has one processor, unless told otherwise."""

    def __init__(self, program, folder, name="n1", options=(), processors=NODE):
        self.name, self.port = name, free_port()
        self.log = open(os.path.join(folder, "log"), "ab")
        self.process = subprocess.Popen(
            [program, "serve", "--name", name, "--listen", f"127.0.0.1:{self.port}", "--data",
             os.path.join(folder, "data"), *options], stdout=self.log, stderr=self.log,
            preexec_fn=lambda: pin(processors))
        for _ in range(400):
            try:
                if self.call("GET", "/health")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise SystemExit("the node does not start; see " + self.log.name)

    def call(self, method, path, body=None, timeout=300):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def sql(self, tenant, *statements, timeout=300):
        """Runs them in one pipeline; the errors."""
        requests = [{"type": "execute", "stmt": {"sql": sql}} for sql in statements] + [{"type": "close"}]
        status, text = self.call("POST", f"/db/{tenant}/v2/pipeline", json.dumps({"requests": requests}), timeout)
        if status != 200:
            return [text.decode()[:200]]
        return [r["error"]["code"] for r in json.loads(text)["results"] if r["type"] == "error"]

    def longest_turn(self):
        """Milliseconds and what it was; nothing of a program that does not measure it."""
        found = re.search(r'^tradewind_longest_turn_seconds\{by="([^"]*)"\} (\S+)',
                          self.call("GET", "/metrics")[1].decode(), re.MULTILINE)
        return (float(found[2]) * 1e3, found[1]) if found else (None, "")

    def peak_mb(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return int(re.search(r"VmHWM:\s+(\d+)", status.read())[1]) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        return self.process.returncode


def make_data(program, folder, rows):
    os.makedirs(folder)
    node = Node(program, folder)
    tenants = ["neighbour", "attack"] + [f"many{number}" for number in range(20)]
    for tenant in tenants:
        node.call("POST", "/v1/tenants", json.dumps({"name": tenant}))
    errors = node.sql(
        "neighbour", "CREATE TABLE rows(id INTEGER PRIMARY KEY, body BLOB)",
        "INSERT INTO rows WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c WHERE x<10000) "
        "SELECT x, randomblob(100) FROM c")
    errors += node.sql("attack", "CREATE TABLE big(id INTEGER PRIMARY KEY, a INT, b TEXT)",
                       "CREATE TABLE blobs(id INTEGER PRIMARY KEY, body BLOB)")
    for first in range(0, rows, 500_000):
        errors += node.sql(
            "attack", "INSERT INTO big WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM c "
            f"WHERE x<{min(500_000, rows - first)}) SELECT {first}+x, random()%1000000, hex(randomblob(8)) FROM c")
    node.stop()
    if errors:
        raise SystemExit(f"the data cannot be made: {errors}")


def probe(args, node, seconds, kind="read"):
    done = subprocess.run([args.probe, str(node.port), "neighbour", str(seconds), kind], stdout=subprocess.PIPE,
                          check=True)
    return json.loads(done.stdout)


def measure(args, data, one):
    folder = tempfile.mkdtemp(prefix="neighbour-")
    try:
        shutil.copytree(os.path.join(data, "data"), os.path.join(folder, "data"))
        node = Node(args.program, folder)
        try:
            for tenant in ("attack", "neighbour"):
                node.sql(tenant, "SELECT count(*) FROM sqlite_schema")
            if one.before:
                one.before(node)
            alone = probe(args, node, 1)
            turn_before = node.longest_turn()[0] or 0
            over = threading.Event()
            notes = []

            def run():
                try:
                    notes.append(one.run(node, over))
                except Exception as error:  # The node may be gone.
                    notes.append(f"{type(error).__name__}: {error}")

            attack = threading.Thread(target=run, daemon=True)
            attack.start()
            beside = []
            until = time.monotonic() + args.seconds
            while time.monotonic() < until or (attack.is_alive() and not one.endless and time.monotonic() < until + 60):
                beside.append(probe(args, node, 1))
                if not attack.is_alive() and len(beside) >= 2:
                    break
            over.set()
            turn, by = node.longest_turn()
            peak = node.peak_mb()
            attack.join(20)
            # A short input is felt in its own second; the quiet ones after it say nothing.
            felt = max(beside, key=lambda second: second["p50"])
            return {
                "input": one.name, "alone_p50": alone["p50"], "alone_p99": alone["p99"], "alone_longest": alone["longest"],
                "p50": felt["p50"], "p99": max(s["p99"] for s in beside), "longest": max(s["longest"] for s in beside),
                "failed": sum(s["failed"] for s in beside),
                "turn_ms": turn, "turn_by": by if turn and turn > turn_before else "(before)", "peak_mb": peak,
                "ended": not attack.is_alive(), "note": str(notes[0] if notes else "went on"),
            }
        finally:
            node.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def judge(row):
    faults = []
    if row["turn_ms"] is not None and row["turn_ms"] > LONGEST_TURN_MS:
        faults.append("turn")
    if row["p50"] > P50_RATIO * row["alone_p50"]:
        faults.append("p50")
    if not row["ended"]:  # A statement is ended after 60 s.
        faults.append("no end")
    return faults


def show(row):
    turn = "-" if row["turn_ms"] is None else f"{row['turn_ms']:.1f}"
    return (f"{row['input'][:52]:<52} {row['alone_p50']:7.0f} {row['p50']:9.0f} {row['p50'] / row['alone_p50']:6.1f} "
            f"{row['p99'] / 1e3:9.1f} {row['longest'] / 1e3:9.1f} {row['longest'] / row['alone_longest']:7.1f} {turn:>8} "
            f"{row['peak_mb']:7.0f}  {row['turn_by']:<16} {','.join(judge(row)):<9} {row['note'][:60]}")


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    arguments.add_argument("program")
    arguments.add_argument("probe")
    arguments.add_argument("--only", default="")
    arguments.add_argument("--seconds", type=float, default=4)
    arguments.add_argument("--rows", type=int, default=2_000_000)
    arguments.add_argument("--json")
    arguments.add_argument("--data", help="a folder to keep the data in, and to find it again")
    arguments.add_argument("--no-judgement", action="store_true")
    args = arguments.parse_args()
    pin(CLIENTS)
    folder = args.data or tempfile.mkdtemp(prefix="neighbour-data-")
    data = os.path.join(folder, "made")
    try:
        if not os.path.isdir(data):
            make_data(args.program, data, args.rows)
        print(f"{'input':<52} {'alone':>7} {'p50 us':>9} {'ratio':>6} {'p99 ms':>9} {'longest':>9} {'ratio':>7} "
              f"{'turn ms':>8} {'peak MB':>7}  by", flush=True)
        rows = []
        for one in INPUTS:
            if not re.search(args.only, one.name):
                continue
            try:
                rows.append(measure(args, data, one))
                print(show(rows[-1]), flush=True)
            except (OSError, subprocess.CalledProcessError, http.client.HTTPException) as error:
                print(f"{one.name[:52]:<52} the node did not answer: {error}", flush=True)
                rows.append(None)
    finally:
        if not args.data:
            shutil.rmtree(folder, ignore_errors=True)
    if args.json:
        with open(args.json, "w") as file:
            json.dump(rows, file, indent=1)
    faults = [row["input"] if row else "?" for row in rows if row is None or judge(row)]
    if faults and not args.no_judgement:
        print(f"{len(faults)} of {len(rows)} inputs hold the core, or slow the neighbour down: {', '.join(faults)}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
