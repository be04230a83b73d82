#!/usr/bin/env python3
"""Moves of a large tenant under load at no throttle, at fixed rates, and at the pace of the controller, side by side.

Usage: pace.py TRADEWIND [--size 2GB] [--rate 400] [--drain-tenants 300] [--json FILE] [--quick]

Two nodes, where root allows it in network namespaces of their own, joined by a link of 1 Gbit/s with 0.2 ms of delay
(tc netem); else on loopback. Besides the tenant that moves, each node has a neighbour under the same load. Every case
is one run of "tradewind bench"; a table at the end compares them with the aims.

The host of a virtual machine may give its processors to others, which latency shows and no controller can help. So a
case waits until it does not, and is run again, up to five times in all, until it has twenty windows in which it did not; it
is judged by these windows of all its runs. The table also has the same figures of all windows, and of how many it is judged.
Everything that this makes lies in a temporary folder, which it removes with the namespaces. Exit code 1 when a request failed
or a move did not end well.
"""

import argparse
import concurrent.futures
import json
import math
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from cases import ENOUGH_WINDOWS, WARM_UP_S, Case, Step, Windows, by_seconds
from host import AwakeProcessors, Host, WarmMemory, memory_folder, settle
from nodes import Cluster, Net, say

MOST_RUNS = 5  # Of a case, for windows that the host left alone.


def numbers(text, unit=1):
    return [int(number) * unit for number in text.split(",") if number]


def size_bytes(text):
    return float(text[:-2]) * {"KB": 1e3, "MB": 1e6, "GB": 1e9}[text[-2:]]


def table(rows):
    head = ["case", "setpoint", "p95 mean", "sd", "error", "> 20 % over", "of all:", "", "MB/s", "client's p95", "near n1", "near n2",
            "move s", "failed", "windows"]
    lines = [head]
    for row in rows:
        number = lambda key, form="{:.1f}": form.format(row[key]) if row.get(key) is not None else "-"
        lines.append([row["case"], number("setpoint_ms"), number("p95_mean_ms"), number("p95_sd_ms"),
                      number("error", "{:+.0%}"), number("over_20", "{:.0%}"), number("error_of_all", "{:+.0%}"),
                      number("over_20_of_all", "{:.0%}"), f"{row['rate'] / 1e6:.0f}" if row.get("rate") else "-",
                      number("client_p95_ms"), number("near1"), number("near2"), number("move_s"),
                      f"{row['failed']}+{row['aborted']}", f"{row['windows']} of {row['of_windows']}"])
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines)


def best_fixed(fixed, p95):
    """The fastest rate that keeps this p95, of those without a controller: between the fastest that does and the next, on
    logarithms. None when even the slowest does not."""
    points = sorted((row["rate"], row["p95_mean_ms"]) for row in fixed)
    kept = [at for at, (_, measured) in enumerate(points) if measured <= p95]
    if not kept:
        return None
    slow, low = points[kept[-1]]
    if kept[-1] + 1 == len(points):
        return slow
    fast, high = points[kept[-1] + 1]
    share = math.log(p95 / low) / math.log(high / low)
    return math.exp(math.log(slow) * (1 - share) + math.log(fast) * share)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tradewind")
    parser.add_argument("--size", default="2GB")
    parser.add_argument("--rate", type=float, default=400, help="transactions a second, over three tenants")
    parser.add_argument("--workload", default="ycsb-b")
    parser.add_argument("--operations", type=int, default=10, help="of each transaction, as in Slacker's load")
    parser.add_argument("--drain-tenants", type=int, default=300)
    parser.add_argument("--warm-up-pages", default="hot", help="before the hand-over: none, hot or all")
    parser.add_argument("--folder", help="where the nodes keep their data; default: in memory if it has room, so that what is "
                        "measured is the link and not the disk's other users")
    parser.add_argument("--json", help="write all figures here")
    parser.add_argument("--reports", help="keep the report of each case in this folder")
    parser.add_argument("--quick", action="store_true", help="one fixed rate and one setpoint, no drain")
    parser.add_argument("--fixed", help="the fixed rates in MB/s, such as 20,50,80,110")
    parser.add_argument("--setpoints", help="how far from the idle to the unthrottled p95 in %%, such as 40,60,80")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # By way of what cleans up.
    net = Net()
    memory = None if options.folder else memory_folder(size_bytes(options.size))
    folder = tempfile.mkdtemp(prefix="tradewind-pace-", dir=options.folder or memory)
    cluster, awake, host = None, AwakeProcessors(), Host()
    try:
        if memory:
            say("touching the memory that the copies will need")
            WarmMemory(folder, int(2.2 * size_bytes(options.size)) + WarmMemory.AHEAD)
        cluster = Cluster(os.path.abspath(options.tradewind), net, folder)
        return measure(options, cluster, net, folder, host)
    finally:
        if cluster:
            cluster.stop()
        awake.stop()
        host.stop()
        net.remove()
        shutil.rmtree(folder, ignore_errors=True)


def measure(options, cluster, net, folder, host):
    say(f"link: {net.link}; data in {folder}; filling {options.size}")
    common = ["bench", "--workload", options.workload, "--operations-per-transaction", str(options.operations),
              "--record-bytes", "1000", "--workers", "128"]
    for tenant, node, size in (("shop", "n1", options.size), ("near1", "n1", "50MB"), ("near2", "n2", "50MB")):
        subprocess.run([cluster.program, *common, "--load-only", "--tenant", tenant, "--node", node, "--size", size,
                        "--server", cluster.url], check=True, stdout=subprocess.DEVNULL)
    owner = ["n1"]
    load = common + ["--tenant", "shop", "--tenant", "near1", "--tenant", "near2", "--records", "50000", "--seed", "7"]

    def run(case, pace, steps=None, enough=None):
        def once():
            to = "n2" if owner[0] == "n1" else "n1"
            arguments = load + ["--warm-up", f"{WARM_UP_S}s", "--duration", "900s", "--until-moved", "--after", "4s",
                                "--move", f"shop:{to}@6s", "--warm-up-pages", options.warm_up_pages] + pace
            arguments += ["--steps", steps] if steps else ["--rate", str(options.rate)]
            case.add(cluster.call(*arguments, *titled(options, case)))
            owner[0] = to

        until_enough(once, enough or case.has_enough, host, folder)
        figures = case.figures()
        say(f"{case.name}: p95 {figures['p95_mean_ms']:.2f} ms, {figures['rate'] / 1e6:.0f} MB/s, move {figures['move_s']:.1f} s; "
            f"{figures['runs']} runs, {figures['windows']} of {figures['of_windows']} windows")
        return figures

    idle = idle_p95(cluster, host, folder, load + ["--rate", str(options.rate)])
    rows = [run(Case("no throttle", host), ["--move-rate", "none"])]
    full = max(rows[0]["p95_median_ms"], 1.5 * idle)
    say(f"p95: {idle:.2f} ms idle, {full:.2f} ms unthrottled")
    fixed = [run(Case(f"{rate} MB/s", host), ["--move-rate", f"{rate}MB/s"])
             for rate in numbers(options.fixed or ("50" if options.quick else "20,50,80,110"))]
    rows += fixed
    paced = []
    for share in numbers(options.setpoints or ("50" if options.quick else "40,60,80"), 0.01):
        setpoint = idle * (full / idle) ** share
        paced.append(run(Case(f"setpoint {share:.0%}", host, setpoint), ["--setpoint", f"{setpoint * 1000:.0f}us"]))
    rows += paced
    if not options.quick:
        setpoint = idle * math.sqrt(full / idle)
        up, down = 13, 21
        stepped = Case("load steps by half", host, setpoint)
        steps = [Step(stepped, up, down), Step(stepped, down, down + (down - up))]
        rows.append(run(stepped, ["--setpoint", f"{setpoint * 1000:.0f}us"],
                        f"{options.rate}@0s,{options.rate * 1.5}@{up}s,{options.rate}@{down}s",
                        lambda: stepped.has_enough() and all(step.left_alone() for step in steps)))
        rows.append(drain(options, cluster, folder, host, setpoint))
    print(table(rows))
    print(judge(idle, full, rows[:1] + fixed, paced))
    if not options.quick:
        print("after the steps of the load at most 20 % over the setpoint again "
              + " and ".join(step.held_again_after() for step in steps) + " (aim 5 s)")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"link": net.link, "idle_p95_ms": idle, "unthrottled_p95_ms": full,
                       "cases": rows}, file, indent=1)
    return 0 if all(row["ok"] for row in rows) else 1


def titled(options, case):
    title = f"{case.name}, run {len(case.runs) + 1}" if case.runs else case.name
    if not options.reports:
        return ["--title", title]
    os.makedirs(options.reports, exist_ok=True)
    return ["--title", title, "--report", os.path.join(options.reports, re.sub(r"[^\w%]+", "-", title) + ".html")]


def until_enough(once, enough, host, folder):
    for _ in range(MOST_RUNS):
        settle(folder)
        host.wait_until_quiet()
        once()
        if enough():
            return


def sensed_p95(net):
    """What the worse node measures now."""
    worst = 0
    for number in (1, 2):
        with urllib.request.urlopen(f"http://{net.address(number)}/metrics") as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith("tradewind_request_latency_seconds") and 'signal="p95"' in line:
                    worst = max(worst, float(line.split()[-1]) * 1e3)
    return worst


def idle_p95(cluster, host, folder, arguments):
    """The same while nothing moves: the median over some seconds of the load that the host left alone."""
    windows = Windows()

    def once():
        with concurrent.futures.ThreadPoolExecutor() as beside:
            load = beside.submit(cluster.call, *arguments, "--warm-up", "5s", "--duration", "25s")
            time.sleep(6)
            values = []
            while not load.done():
                values.append((time.time(), sensed_p95(cluster.net)))
                time.sleep(0.2)
            load.result()
        for second, p95 in list(by_seconds(values).items())[:-1]:  # The load may end within the last.
            windows.add(p95, not host.disturbed(second))

    until_enough(once, lambda: len(windows.quiet) >= ENOUGH_WINDOWS, host, folder)
    return statistics.median(windows.judged)


def drain(options, cluster, folder, host, setpoint):
    common = ["bench", "--workload", options.workload, "--operations-per-transaction", str(options.operations),
              "--record-bytes", "1000", "--records", "200", "--tenants", str(options.drain_tenants), "--prefix", "small",
              "--workers", "128"]
    subprocess.run([cluster.program, *common, "--load-only", "--node", "n1", "--server", cluster.url], check=True,
                   stdout=subprocess.DEVNULL)
    case = Case(f"drain of {options.drain_tenants}", host, setpoint)

    def once():
        node = f"n{len(case.runs) % 2 + 1}"  # There and back.
        case.add(cluster.call(*common, "--rate", str(options.rate), "--warm-up", f"{WARM_UP_S}s", "--duration", "900s",
                              "--until-moved", "--after", "4s", "--drain", f"{node}@6s",
                              "--setpoint", f"{setpoint * 1000:.0f}us", *titled(options, case)))
        cluster.call("node", "undrain", node)

    until_enough(once, case.has_enough, host, folder)
    figures = case.figures()
    say(f"{case.name}: p95 {figures['p95_mean_ms']:.2f} ms, {figures['move_s']:.1f} s")
    return figures


def judge(idle, full, unpaced, paced):
    lines = [f"\np95 idle {idle:.2f} ms, unthrottled {full:.2f} ms ({full / idle:.1f} times)"]
    for row in paced:
        best = best_fixed(unpaced, row["p95_mean_ms"])
        longer = f"{best / row['rate']:.2f} times as long as the best fixed rate of this p95" if best else "no fixed rate keeps this p95"
        # A setpoint above what the link and the disks allow is not reached, nor need it be: then it is as fast as without one.
        held = abs(row["error"]) <= 0.05 or row["error"] < 0 and row["rate"] >= 0.95 * unpaced[0]["rate"]
        met = held and row["over_20"] < 0.10 and (best is None or best <= 1.15 * row["rate"])
        lines.append(f"{row['case']}: error {row['error']:+.1%} (aim 5 %), {row['over_20']:.0%} of windows more than 20 % over "
                     f"(aim 10 %), {longer} (aim 1.15): {'met' if met else 'MISSED'}")
    lines.append("at a fixed rate, where nothing but the host and chance acts, "
                 + ", ".join(f"{row['over_20']:.0%}" for row in unpaced[1:])
                 + " of the windows are more than 20 % over their own mean")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
