#!/usr/bin/env python3
"""What a MariaDB tenant's users feel while it moves, and beside it what other ways of moving an instance cost.

    bench/mariadb.py build/tradewind [--size 1GB] [--load 40] [--seconds 10] [--folder FOLDER] [--report FOLDER]
                     [--only open|rate|setpoint|mean|replica|stop]

Two nodes on this machine; the load of `tradewind bench --workload oltp`, open loop, over sessions through both.

  open      no throttle
  rate      three fixed rates: an eighth, a quarter and a half of what the open one reached
  setpoint  the controller at two setpoints, 1.6 and 2.4 times the p95 of before at the nodes
  mean      Slacker as published: the mean as its signal, at 1.6 times what it was before at the nodes
  replica   by hand: a backup without a throttle, a replica of it, promoted; clients are sent away and connect again
  stop      stop-and-copy: nothing is taken while the instance is copied

Prints for each: p95 before, and in each of the move's phases; the pause; the longest that anyone waited; what failed. The
first line is of whole transactions, at the clients; the second of requests, at the nodes, which is what a setpoint is for:
a transaction is some twenty of them.
Exits with 1 if a move through Tradewind failed a request.
"""
import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

PHASES = ["snapshot", "prepare", "catch-up", "hand-over", "finish"]


def say(text):
    print(text, flush=True)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Cluster:
    def __init__(self, program, folder):
        self.program, self.folder = program, folder
        self.nodes, self.mysql, self.url, self.urls = {}, {}, None, []
        os.environ["XDG_STATE_HOME"] = os.path.join(folder, "state")
        for name in ("n1", "n2"):
            self.mysql[name] = free_port()
            command = [program, "serve", "--name", name, "--listen", "127.0.0.1:0", "--data", os.path.join(folder, name),
                       "--cores", "1", "--mysql-listen", f"127.0.0.1:{self.mysql[name]}"]
            if self.url:
                command += ["--join", self.url]
            node = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=open(os.path.join(folder, name + ".log"), "w"), text=True)
            self.nodes[name] = node
            url = node.stdout.readline().split()[2]
            self.url = self.url or url
            self.urls.append(url)

    def call(self, *words):
        out = subprocess.run([self.program, *words, "--server", self.url, "-o", "json"], check=True, capture_output=True, text=True)
        return json.loads(out.stdout)

    def owner(self):
        return self.call("tenant", "show", "crm")["owner"]

    def requests(self):
        """What the nodes count of MySQL's requests: how many took at most so many ms, all of them, and their sum in ms."""
        within, count, total = {}, 0, 0
        for url in self.urls:
            with urllib.request.urlopen(url + "/metrics") as answer:
                text = answer.read().decode()
            for name, labels, value in re.findall(r"^tradewind_request_seconds_(bucket|count|sum){(.*)} (\S+)$", text, re.MULTILINE):
                if 'kind="mysql"' not in labels:
                    continue
                if name == "bucket":
                    at = float(re.search(r'le="([^"]+)"', labels)[1]) * 1000
                    within[at] = within.get(at, 0) + float(value)
                elif name == "count":
                    count += float(value)
                else:
                    total += float(value) * 1000
        return within, count, total

    def server_port(self):
        """The owner's own server."""
        with open(os.path.join(self.folder, self.owner(), "tenants", "crm.mariadb", "process")) as process:
            return int(process.read().split()[3])

    def stop(self):
        for node in reversed(list(self.nodes.values())):
            node.terminate()
            node.wait()


class Bench:
    def __init__(self, options, cluster):
        self.options, self.cluster = options, cluster
        made = cluster.call("tenant", "create", "crm", "--engine", "mariadb", "--node", "n1")
        self.password = os.path.join(cluster.folder, "password")
        with open(self.password, "w") as file:
            file.write(made["password"])
        self.secret = made["password"]
        self.p95 = self.mean = None  # Of requests at the nodes while nothing moves, in ms.

    def run(self, *more, servers=None, duration="30s", name="run", check=True):
        """A run of the load, as its results say."""
        at = servers or [f"127.0.0.1:{port}" for port in self.cluster.mysql.values()]
        results = os.path.join(self.cluster.folder, name + ".json")
        report = os.path.join(self.options.report, f"mariadb-{name}.html")
        command = [self.cluster.program, "bench", "--server", self.cluster.url, "--workload", "oltp", "--tenant", "crm",
                   "--password-file", self.password, "--size", self.options.size, "--record-bytes", "1000",
                   "--rate", str(self.options.load), "--duration", duration, "--json", results, "--report", report,
                   "--title", f"MariaDB: {name}", *sum((["--mysql", one] for one in at), []), *more]
        ran = subprocess.run(command, capture_output=True, text=True)
        if ran.returncode not in (0, 1) or (check and not os.path.exists(results)):
            sys.exit(f"{' '.join(command)}\n{ran.stdout}{ran.stderr}")
        with open(results) as file:
            return json.load(file)

    def fill(self):
        at = [f"127.0.0.1:{port}" for port in self.cluster.mysql.values()]
        subprocess.run([self.cluster.program, "bench", "--server", self.cluster.url, "--workload", "oltp", "--tenant", "crm",
                        "--password-file", self.password, "--size", self.options.size, "--record-bytes", "1000", "--load-only",
                        *sum((["--mysql", one] for one in at), [])], check=True, stdout=subprocess.DEVNULL)

    def calm(self):
        """p95 and mean of requests at the nodes, in ms, while nothing moves."""
        within, count, total = self.cluster.requests()
        self.run(duration=f"{self.options.seconds}s", name="calm")
        more, more_count, more_total = self.cluster.requests()
        wanted, below, at_below = 0.95 * (more_count - count), 0, 0
        for at in sorted(more):
            here = more[at] - within.get(at, 0)
            if here >= wanted:
                break
            below, at_below = here, at
        p95 = at_below + (at - at_below) * (wanted - below) / (here - below) if at != float("inf") else at_below
        return p95, (more_total - total) / (more_count - count)

    def move(self, name, *pace):
        """A move to the other node under load, and what the users felt."""
        to = "n2" if self.cluster.owner() == "n1" else "n1"
        found = self.run("--move", f"crm:{to}@{self.options.seconds}s", "--until-moved", "--after", "5s", *pace, name=name,
                         duration="600s")
        moved = found["moves"][0]
        receipt = moved["receipt"]
        if receipt["phase"] != "done" or not receipt["verified"]:
            sys.exit(f"{name}: the move ended as {json.dumps(receipt)}")
        figures = receipt["phases"]
        begins = moved["from_t"]
        ends = {}
        for phase, figure in (("snapshot", "snapshot_ms"), ("prepare", "prepare_ms"), ("catch-up", "catchup_ms")):
            ends[phase] = begins = begins + figures[figure] / 1000
        # What clients have open is waited for between the catch-up and the pause.
        ends["hand-over"] = moved["from_t"] + (figures["init_ms"] + figures["handover_ms"]) / 1000 + 1
        ends["finish"] = moved["to_t"]
        row = {"name": name, "before": found["windows"]["before"]["p95_ms"], "pause": figures["handover_ms"],
               "longest": found["totals"]["max_ms"], "failed": found["totals"]["failed"], "seconds": moved["to_t"] - moved["from_t"],
               "setpoint": None, "nodes": {"before": self.p95, "setpoint": receipt["setpoint_ms"]}}
        # A point of the timeline is the p95 of a second: of each phase the worst third and the median of its points.
        begins = moved["from_t"]
        for phase in PHASES:
            points = [point["p95_ms"] for point in found["timeline"]
                      if point["p95_ms"] is not None and point["t"] + 1 > begins and point["t"] < ends[phase]]
            row[phase] = statistics.median(points) if points else None
            seen = [sample["p95_ms"] for sample in moved["samples"]
                    if sample["p95_ms"] is not None and sample["t"] >= begins and sample["t"] < ends[phase]]
            row["nodes"][phase] = statistics.median(seen) if seen else None
            begins = ends[phase]
        rates = [sample["sent_bytes_per_s"] for sample in moved["samples"] if sample["sent_bytes_per_s"]]
        row["rate"] = statistics.median(rates) if rates else 0
        self.print(row)
        return row

    def print(self, row):
        def ms(value):
            return "      -" if value is None else f"{value:7.1f}"
        say(f"{row['name']:14} {ms(row['before'])} " + " ".join(ms(row.get(phase)) for phase in PHASES) +
            f" {ms(row['setpoint'])} {ms(row['pause'])} {ms(row['longest'])} {row['seconds']:8.1f} {row['failed']:7.0f}")
        if nodes := row.get("nodes"):
            say(f"{'  at the nodes':14} {ms(nodes['before'])} " + " ".join(ms(nodes[phase]) for phase in PHASES) +
                f" {ms(nodes['setpoint'])}")

    # -- By hand. The instance is the tenant's own, reached at its own port; the copy is nobody's.

    def sql(self, port, text, user="root", password=None):
        words = ["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{port}", f"-u{user}", "-N", "-e", text]
        if password:
            words.append(f"-p{password}")
        return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()

    def copied(self, folder):
        """An instance of one's own to copy from, filled as the tenant is, and how to start another of its copy."""
        source = os.path.join(folder, "source")
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={source}", f"--tmpdir={folder}", "--auth-root-authentication-method=normal",
                        "--skip-test-db"], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return source

    def start_server(self, data, port, number, *more):
        log = data + ".log"
        server = subprocess.Popen(
            ["mariadbd", "--no-defaults", f"--datadir={data}", f"--tmpdir={data}", f"--socket={data}/s", f"--pid-file={data}/pid", f"--port={port}",
             "--bind-address=127.0.0.1", f"--server-id={number}", "--log-bin=binlog", "--binlog-format=ROW", "--log-slave-updates=1",
             "--gtid-strict-mode=1", "--sync-binlog=1", "--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=64M",
             "--innodb-log-file-size=64M", "--max-allowed-packet=64M", "--skip-name-resolve", f"--log-error={log}",
             *(["--user=root"] if os.geteuid() == 0 else []), *more])
        while True:
            if server.poll() is not None:
                sys.exit(f"mariadbd ended: {open(log).read()[-2000:]}")
            try:
                self.sql(port, "SELECT 1")
                return server
            except subprocess.CalledProcessError:
                time.sleep(0.02)

    def backup(self, source, port, to):
        self.tool("--backup", f"--target-dir={to}", f"--datadir={source}", "--host=127.0.0.1", f"--port={port}", "--user=root")
        self.tool("--prepare", f"--target-dir={to}")

    @staticmethod
    def tool(*words):
        ran = subprocess.run(["mariadb-backup", "--no-defaults", *words], capture_output=True, text=True)
        if ran.returncode:
            sys.exit(f"mariadb-backup {' '.join(words)}: {ran.stderr[-2000:]}")

    def by_hand(self, name, stop):
        """A move by the tools alone, of an instance of the same size under the same load."""
        folder = tempfile.mkdtemp(prefix=name, dir=self.cluster.folder)
        source, copy = self.copied(folder), os.path.join(folder, "copy")
        here, there = free_port(), free_port()
        first = self.start_server(source, here, 1)
        second = None
        self.sql(here, f"CREATE DATABASE crm; CREATE USER crm@127.0.0.1 IDENTIFIED BY '{self.secret}'; "
                       "GRANT ALL ON crm.* TO crm@127.0.0.1; CREATE USER r@127.0.0.1 IDENTIFIED BY 'r'; "
                       "GRANT REPLICATION SLAVE ON *.* TO r@127.0.0.1")
        subprocess.run([self.cluster.program, "bench", "--server", self.cluster.url, "--workload", "oltp", "--tenant", "crm",
                        "--password-file", self.password, "--size", self.options.size, "--record-bytes", "1000", "--load-only",
                        "--mysql", f"127.0.0.1:{here}"], check=True, stdout=subprocess.DEVNULL)
        # One address for the clients, which leads to whichever serves.
        switch = Switch(here)
        seconds = self.options.seconds
        command = subprocess.Popen(
            [self.cluster.program, "bench", "--server", self.cluster.url, "--workload", "oltp", "--tenant", "crm", "--password-file",
             self.password, "--size", self.options.size, "--record-bytes", "1000", "--rate", str(self.options.load), "--duration",
             "600s", "--json", os.path.join(folder, "results.json"), "--mysql", f"127.0.0.1:{switch.port}"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds + 2)
        began = time.monotonic()
        if stop:
            paused = time.monotonic()
            switch.cut()
            self.backup(source, here, copy)
        else:
            self.backup(source, here, copy)
        if not stop:
            second = self.start_server(copy, there, 2, "--read-only=1")
            with open(os.path.join(copy, "xtrabackup_binlog_info")) as info:
                position = info.read().split()[2]
            self.sql(there, f"SET GLOBAL gtid_slave_pos='{position}'; CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={here}, "
                            "MASTER_USER='r', MASTER_PASSWORD='r', MASTER_USE_GTID=slave_pos; START SLAVE")
            while True:
                behind = self.sql(there, f"SELECT MASTER_GTID_WAIT('{self.sql(here, 'SELECT @@gtid_binlog_pos')}', 0.05)")
                if behind == "0":
                    break
            paused = time.monotonic()
            self.sql(here, "SET GLOBAL read_only=1; FLUSH TABLES WITH READ LOCK; SELECT 1")
            switch.cut()
            self.sql(there, f"SELECT MASTER_GTID_WAIT('{self.sql(here, 'SELECT @@gtid_binlog_pos')}', 60)")
            self.sql(there, "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only=0")
        else:
            second = self.start_server(copy, there, 2)
        switch.lead_to(there)
        pause = time.monotonic() - paused
        whole = time.monotonic() - began
        time.sleep(5)
        command.send_signal(signal.SIGINT)
        command.wait()
        switch.cut()
        for server in (first, second):
            server.terminate()
            server.wait()
        with open(os.path.join(folder, "results.json")) as file:
            found = json.load(file)
        shutil.rmtree(folder)
        calm = [point for point in found["timeline"] if 0 <= point["t"] < seconds - 1 and point["p95_ms"] is not None]
        copying = [point for point in found["timeline"]
                   if seconds <= point["t"] < seconds + whole - pause and point["p95_ms"] is not None]
        self.print({"name": name, "before": statistics.median(point["p95_ms"] for point in calm),
                    "snapshot": statistics.median(point["p95_ms"] for point in copying) if copying else None,
                    "setpoint": None, "pause": pause * 1000, "longest": found["totals"]["max_ms"], "seconds": whole,
                    "failed": found["totals"]["failed"]})


class Switch:
    """What a proxy that knows nothing of sessions does: passes bytes on to one server, and cuts them."""

    def __init__(self, target):
        self.port = free_port()
        self.listener, self.open = None, set()
        self.lead_to(target)

    def lead_to(self, target):
        listener = socket.create_server(("127.0.0.1", self.port))
        self.listener = listener
        threading.Thread(target=self.serve, args=(listener, target), daemon=True).start()

    def serve(self, listener, target):
        while True:
            try:
                client, _ = listener.accept()
                server = socket.create_connection(("127.0.0.1", target))
            except OSError:
                return
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.open.add(one)
            threading.Thread(target=self.pass_on, args=(client, server), daemon=True).start()
            threading.Thread(target=self.pass_on, args=(server, client), daemon=True).start()

    @staticmethod
    def pass_on(source, to):
        try:
            while data := source.recv(65536):
                to.sendall(data)
        except OSError:
            pass  # It was cut.
        for one in (source, to):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # So was the other end.

    def cut(self):
        """Nobody is let in any more, and who is in is out."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for one in self.open:
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # It has ended.
            one.close()
        self.open.clear()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--size", default="1GB")
    parser.add_argument("--load", type=float, default=40, help="transactions a second")
    parser.add_argument("--seconds", type=int, default=10, help="of load before a move")
    parser.add_argument("--folder", help="where data lies; by default that for temporary files")
    parser.add_argument("--report", default=".", help="a folder for the reports")
    parser.add_argument("--only", action="append", choices=["open", "rate", "setpoint", "mean", "replica", "stop"])
    options = parser.parse_args()
    options.program = os.path.abspath(options.program)
    wanted = options.only or ["open", "rate", "setpoint", "mean", "replica", "stop"]
    folder = tempfile.mkdtemp(prefix="tradewind-mariadb-", dir=options.folder)
    cluster = Cluster(options.program, folder)
    failed = 0
    try:
        bench = Bench(options, cluster)
        bench.fill()
        say(f"{options.size}, {options.load:g} transactions a second. p95 in ms, of the seconds of each phase their median.\n")
        say(f"{'':14} {'before':>7} " + " ".join(f"{phase:>7.7}" for phase in PHASES) +
            f" {'setp.':>7} {'pause':>7} {'longest':>7} {'seconds':>8} {'failed':>7}")
        bench.p95, bench.mean = bench.calm()
        rows = [bench.move("open", "--move-rate", "none")]
        if "rate" in wanted:
            for share, text in ((8, "an eighth"), (4, "a quarter"), (2, "half")):
                rate = max(int(rows[0]["rate"] / share), 1_000_000)
                rows.append(bench.move(f"{rate // 1_000_000}MBs {text}".replace(" ", "-"), "--move-rate", f"{rate}B/s"))
        if "setpoint" in wanted:
            for times in (1.6, 2.4):
                setpoint = bench.p95 * times
                rows.append(bench.move(f"p95-{setpoint:.1f}ms", "--setpoint", f"{setpoint:.2f}ms"))
        if "mean" in wanted:
            rows.append(bench.move("slacker-mean", "--setpoint", f"mean:{bench.mean * 1.6:.2f}ms"))
        failed = sum(row["failed"] for row in rows)
        if "replica" in wanted:
            bench.by_hand("replica", stop=False)
        if "stop" in wanted:
            bench.by_hand("stop-and-copy", stop=True)
        pauses = sorted(row["pause"] for row in rows)
        say(f"\nThe pause at the median: {statistics.median(pauses):.1f} ms (aim 30). Failed requests of Tradewind's: {failed:.0f}.")
    finally:
        cluster.stop()
        shutil.rmtree(folder)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
