#!/usr/bin/env python3
"""One-row reads by key and durable one-row updates a second: a node of Tradewind beside MariaDB and PostgreSQL from Debian's
packages, all in one run, one after the other in each round. Each server has one processor and its clients have the other.

Usage: peers.py PROGRAM REQUEST_RATES [--before PROGRAM] [--clients 64] [--rows 200000] [--seconds 8] [--rounds 3]

PROGRAM is a tradewind; REQUEST_RATES the client of bench/request_rates.cc; --before another tradewind to compare with. The
peers' clients are sysbench (oltp_point_select, oltp_update_non_index) and pgbench (prepared statements), over TCP. Every
server syncs before it answers: MariaDB with innodb_flush_log_at_trx_commit=1, PostgreSQL with synchronous_commit=on, which
are their defaults. Prints each round, the medians, and what they are to the better peer. Servers run on free ports of
127.0.0.1 with data in a temporary folder (TMPDIR), and are ended by their own pid. Ends with 1 when an aim is missed.
"""

import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

AIMS = {"update": 2.0, "read": 2.5}  # Times the better peer.
POSTGRES = "/usr/lib/postgresql/15/bin/"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_port(port, process, name):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.05)
    sys.exit(f"peers: {name} does not answer on port {port}")


class Server:
    """One database server, pinned to the first processor; its clients get the last."""

    def __init__(self, name, folder):
        processors = sorted(os.sched_getaffinity(0))
        self.name, self.folder = name, folder
        self.server_pin, self.client_pin = ["taskset", "-c", str(processors[0])], ["taskset", "-c", str(processors[-1])]
        self.port, self.process = free_port(), None
        os.makedirs(folder)

    def start(self, command, **options):
        with open(f"{self.folder}/log", "ab") as log:
            self.process = subprocess.Popen(self.server_pin + command, stdout=log, stderr=log, **options)
        await_port(self.port, self.process, self.name)

    def client(self, command, **options):
        done = subprocess.run(self.client_pin + command, capture_output=True, text=True, check=False, **options)
        if done.returncode != 0:
            sys.exit(f"peers: {' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done.stdout

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait()


class Tradewind(Server):
    def __init__(self, name, folder, program, rates):
        super().__init__(name, folder)
        self.rates, self.url = rates, f"http://127.0.0.1:{self.port}"
        self.start([program, "serve", "--name", "n1", "--data", folder + "/data", "--listen", f"127.0.0.1:{self.port}"])
        request = urllib.request.Request(self.url + "/v1/tenants", b'{"name":"rates","node":"n1"}',
                                         {"content-type": "application/json"})
        deadline = time.monotonic() + 60
        while True:  # It listens a moment before it serves.
            try:
                urllib.request.urlopen(request).close()
                return
            except urllib.error.HTTPError as error:
                if error.code != 503 or time.monotonic() > deadline:
                    sys.exit(f"peers: {name}: {error.read().decode()}")

    def measure(self, options):
        text = self.client([self.rates, self.url, "rates", str(options.clients), str(options.seconds), str(options.rows)])
        rate = {}
        for name, key in (("point read", "read"), ("durable write", "update")):
            found = re.search(rf"{name}\s+(\d+) a second.*failed (\d+)", text)
            if not found or found[2] != "0":
                sys.exit(f"peers: {self.name}: {text}")
            rate[key] = float(found[1])
        return rate


class MariaDb(Server):
    def __init__(self, folder, options):
        super().__init__("MariaDB", folder)
        subprocess.run(["mariadb-install-db", "--no-defaults", f"--datadir={folder}/data", "--skip-test-db", "--user=root",
                        "--auth-root-authentication-method=normal"], check=True, stdout=subprocess.DEVNULL)
        self.start(["mariadbd", "--no-defaults", f"--datadir={folder}/data", f"--port={self.port}", "--user=root",
                    "--bind-address=127.0.0.1", f"--socket={folder}/socket", "--innodb-flush-log-at-trx-commit=1",
                    "--innodb-buffer-pool-size=256M", "--max-connections=300"])
        subprocess.run(["mariadb", "--no-defaults", "-h127.0.0.1", f"-P{self.port}", "-uroot", "-e",
                        "CREATE DATABASE sbtest; CREATE USER b@127.0.0.1 IDENTIFIED BY 'b'; GRANT ALL ON sbtest.* TO b@127.0.0.1"],
                       check=True)
        self.sysbench("oltp_point_select", options, "prepare")

    def sysbench(self, test, options, action):
        return self.client(["sysbench", test, "--mysql-host=127.0.0.1", f"--mysql-port={self.port}", "--mysql-user=b",
                            "--mysql-password=b", "--tables=1", f"--table-size={options.rows}", f"--threads={options.clients}",
                            f"--time={options.seconds}", "--rand-type=uniform", action])

    def measure(self, options):
        rate = {}
        for key, test in (("read", "oltp_point_select"), ("update", "oltp_update_non_index")):
            rate[key] = float(re.search(r"transactions:\s+\d+\s+\((\d+\.?\d*) per sec", self.sysbench(test, options, "run"))[1])
        return rate


class PostgreSql(Server):
    SCRIPTS = {"read": "SELECT abalance FROM pgbench_accounts WHERE aid = :aid;",
               "update": "UPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;"}

    def __init__(self, folder, options):
        super().__init__("PostgreSQL", folder)
        as_user = {}
        if os.getuid() == 0:  # It refuses to run as root.
            shutil.chown(folder, "postgres")
            as_user = {"user": "postgres", "extra_groups": []}
        subprocess.run([POSTGRES + "initdb", "-D", folder + "/data", "-U", "b", "-A", "trust"], check=True,
                       stdout=subprocess.DEVNULL, cwd="/", **as_user)
        self.start([POSTGRES + "postgres", "-D", folder + "/data", "-p", str(self.port), "-h", "127.0.0.1", "-k", folder,
                    "-c", "max_connections=300", "-c", "shared_buffers=256MB"], cwd="/", **as_user)
        deadline = time.monotonic() + 60
        while subprocess.run([POSTGRES + "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False).returncode:
            if time.monotonic() > deadline:
                sys.exit("peers: PostgreSQL is not ready after a minute")
            time.sleep(0.05)
        self.pgbench("-i", "-q", "-s", str(max(options.rows // 100_000, 1)))
        for key, sql in self.SCRIPTS.items():
            with open(f"{options.folder}/{key}.sql", "w", encoding="ascii") as file:
                file.write(f"\\set aid random(1, {options.rows})\n{sql}\n")

    def pgbench(self, *flags):
        return self.client(["pgbench", "-h", "127.0.0.1", "-p", str(self.port), "-U", "b", *flags, "postgres"])

    def measure(self, options):
        rate = {}
        for key in self.SCRIPTS:
            text = self.pgbench("-n", "-M", "prepared", "-c", str(options.clients), "-j", "1", "-T", str(options.seconds),
                                "-f", f"{options.folder}/{key}.sql")
            rate[key] = float(re.search(r"tps = (\d+\.?\d*)", text)[1])
        return rate


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("program")
    parser.add_argument("rates")
    parser.add_argument("--before")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    options.folder = tempfile.mkdtemp(prefix="tradewind-peers-")
    os.chmod(options.folder, 0o755)
    servers = []
    try:
        servers.append(Tradewind("Tradewind", options.folder + "/now", options.program, options.rates))
        if options.before:
            servers.append(Tradewind("before", options.folder + "/before", options.before, options.rates))
        servers.append(MariaDb(options.folder + "/mariadb", options))
        servers.append(PostgreSql(options.folder + "/postgresql", options))
        rates = {server.name: {"read": [], "update": []} for server in servers}
        print(f"{options.clients} clients, {options.rows} rows, {options.seconds} s each; a second:")
        for turn in range(options.rounds):
            for server in servers:
                measured = server.measure(options)
                for key, rate in measured.items():
                    rates[server.name][key].append(rate)
                print(f"round {turn + 1}   {server.name:12} reads {measured['read']:9,.0f}   updates {measured['update']:9,.0f}",
                      flush=True)
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(options.folder, ignore_errors=True)

    median = {name: {key: statistics.median(values) for key, values in of.items()} for name, of in rates.items()}
    for name, of in median.items():
        print(f"median    {name:12} reads {of['read']:9,.0f}   updates {of['update']:9,.0f}")
    missed = 0
    for key, aim in AIMS.items():
        better = max(median["MariaDB"][key], median["PostgreSQL"][key])
        ratio = median["Tradewind"][key] / better
        print(f"{key}: {ratio:.2f} times the better peer (aim {aim})")
        missed += ratio < aim
        if options.before:
            pairs = [now / then for now, then in zip(rates["Tradewind"][key], rates["before"][key])]
            print(f"{key}: {statistics.median(pairs):.2f} times as many as before (pairs: "
                  f"{', '.join(f'{pair:.2f}' for pair in pairs)})")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
