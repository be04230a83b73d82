#!/usr/bin/env python3
"""Moves of a large tenant under load at no throttle, at fixed rates, and at the pace of the controller, side by side.

Usage: pace.py TRADEWIND [--size 2GB] [--rate 700] [--drain-tenants 300] [--json FILE] [--quick]

Two nodes, where root allows it in network namespaces of their own, joined by a link of 1 Gbit/s with 0.2 ms of delay
(tc netem); else on loopback. Besides the tenant that moves, each node has a neighbour under the same load. Every case
is one run of "tradewind bench"; a table at the end compares them with the aims.

The host of a virtual machine may give its processors to others, which latency shows and no controller can help. So a
case waits until it does not, is run again when it did in more than a tenth of the seconds, and is judged by the windows
without; the table also has the same figures of all windows, and the share of the seconds that are left out. Everything
that this makes lies in a temporary folder, which it removes with the namespaces. Exit code 1 when a request failed or
a move did not end well.
"""

import argparse
import concurrent.futures
import json
import math
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from host import AwakeProcessors, Host, WarmMemory, memory_folder, settle
from nodes import Cluster, Net, say

WINDOW_S = 3  # As Slacker's: a sliding window, one step a second. What the nodes measure looks back as far.
WARM_UP_S = 2
SETTLE_S = 5  # Of a move, until the controller is expected to hold the setpoint.
FEWEST_WINDOWS = 5  # That the host left alone: of fewer nothing is said, and all are taken.
MOST_STOLEN_SECONDS = 0.1  # A case with a larger share is run again, and of its runs the one with the least counts.
MOST_RUNS = 3


def numbers(text, unit=1):
    return [int(number) * unit for number in text.split(",") if number]


def sliding(values):
    """Means over windows of WINDOW_S values; the values themselves when there are fewer."""
    return [statistics.mean(values[at:at + WINDOW_S]) for at in range(len(values) - WINDOW_S + 1)] or values


def windows(results, name, first, last):
    """p95 over sliding windows of WINDOW_S seconds, by points of one second; from `first` to `last`."""
    timeline = results["timeline"] if name is None else next(t for t in results["tenants"] if t["name"] == name)["timeline"]
    values = [p["p95_ms"] for p in timeline if first <= p["t"] and p["t"] + 1 <= last and p["p95_ms"] is not None]
    return sliding(values)


def sensed_seconds(move, first, last):
    """What the nodes measured, by seconds: the worse end's p95, from a request's arrival to its answer, of WINDOW_S seconds."""
    seconds = {}
    for sample in move["samples"]:
        if sample["p95_ms"] is not None and first <= sample["t"] <= last:
            seconds.setdefault(int(sample["t"]), []).append(sample["p95_ms"])
    return {second: statistics.mean(seconds[second]) for second in sorted(seconds)}


def size_bytes(text):
    return float(text[:-2]) * {"KB": 1e3, "MB": 1e6, "GB": 1e9}[text[-2:]]


def mean(values):
    return statistics.mean(values) if values else math.nan


def against(setpoint_ms, p95s):
    return {"error": mean(p95s) / setpoint_ms - 1, "over_20": mean([p95 > 1.2 * setpoint_ms for p95 in p95s])}


class Case:
    """One run, and what is to be said of it."""

    def __init__(self, name, setpoint_ms=None):
        self.name, self.setpoint_ms, self.results = name, setpoint_ms, None

    def figures(self, host):
        move = self.results["moves"][0]
        first, last = move["from_t"], move["to_t"] or self.results["duration_s"]
        settled = first + SETTLE_S if last - first > 2 * SETTLE_S else first
        began = self.results["started_at"] / 1000 + WARM_UP_S
        disturbed = lambda second: host.disturbed(began + second)
        seconds = sensed_seconds(move, settled, last)
        of_all = list(seconds.values())
        quiet = [p95 for second, p95 in seconds.items() if not disturbed(second)]
        judged = quiet if len(quiet) >= FEWEST_WINDOWS else of_all
        seen = windows(self.results, None, settled, last)
        figures = {"case": self.name, "move_s": last - first, "setpoint_ms": self.setpoint_ms,
                   "p95_mean_ms": mean(judged), "p95_median_ms": statistics.median(judged) if judged else math.nan,
                   "p95_sd_ms": statistics.pstdev(judged) if judged else math.nan,
                   "rate": mean([s["sent_bytes_per_s"] for s in move["samples"]
                                 if s["t"] > settled and s["sent_bytes_per_s"]
                                 and (judged is of_all or not disturbed(s["t"]))]),
                   "windows": len(judged), "quiet_windows": len(quiet),
                   "stolen": mean([disturbed(second) for second in seconds]), "client_p95_ms": mean(seen),
                   "failed": self.results["totals"]["failed"], "aborted": self.results["totals"]["aborted"],
                   "ok": self.results["ok"]}
        if self.setpoint_ms:
            figures |= against(self.setpoint_ms, judged)
            figures |= {f"{key}_of_all": value for key, value in against(self.setpoint_ms, of_all).items()}
            limits = [s["limited_by"] for s in move["samples"] if s["t"] > settled]
            figures["limited_by_setpoint"] = sum(l == "setpoint" for l in limits) / max(len(limits), 1)
        else:  # Of its own mean: what nobody controls.
            figures["over_20"] = against(figures["p95_mean_ms"], judged)["over_20"]
        for tenant in self.results["tenants"]:
            if tenant["name"].startswith("near"):
                figures[tenant["name"]] = mean(windows(self.results, tenant["name"], settled, last))
        return figures

    def held_again_after(self, step, until):
        """Seconds from a step of the load until the last window that is more than 20 % over the setpoint has ended; None when
        that is not so `until` the next step, or when the move had ended."""
        seconds = sensed_seconds(self.results["moves"][0], step, until)
        if not seconds:
            say(f"the move had ended before the step of the load at {step} s: choose a larger --size")
            return None
        over = [second + 1 - step for second, p95 in seconds.items() if p95 > 1.2 * self.setpoint_ms]
        after = max(over, default=0)
        return None if after >= max(seconds) + 1 - step else after


def table(rows):
    head = ["case", "setpoint", "p95 mean", "sd", "error", "> 20 % over", "of all:", "", "paced", "MB/s", "client's p95", "near n1",
            "near n2", "move s", "failed", "stolen in"]
    lines = [head]
    for row in rows:
        number = lambda key, form="{:.1f}": form.format(row[key]) if row.get(key) is not None else "-"
        lines.append([row["case"], number("setpoint_ms"), number("p95_mean_ms"), number("p95_sd_ms"),
                      number("error", "{:+.0%}"), number("over_20", "{:.0%}"), number("error_of_all", "{:+.0%}"),
                      number("over_20_of_all", "{:.0%}"), number("limited_by_setpoint", "{:.0%}"),
                      f"{row['rate'] / 1e6:.0f}" if row.get("rate") else "-", number("client_p95_ms"), number("near1"), number("near2"), number("move_s"),
                      f"{row['failed']}+{row['aborted']}", number("stolen", "{:.0%}")])
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths)) for line in lines)


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
    parser.add_argument("--rate", type=float, default=700, help="transactions a second, over three tenants")
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
    cluster, awake = None, AwakeProcessors()
    try:
        if memory:
            say("touching the memory that the copies will need")
            WarmMemory(folder, int(2.2 * size_bytes(options.size)) + WarmMemory.AHEAD)
        cluster = Cluster(os.path.abspath(options.tradewind), net, folder)
        return measure(options, cluster, net, folder)
    finally:
        if cluster:
            cluster.stop()
        awake.stop()
        net.remove()
        shutil.rmtree(folder, ignore_errors=True)


def measure(options, cluster, net, folder):
    say(f"link: {net.link}; data in {folder}; filling {options.size}")
    common = ["bench", "--workload", options.workload, "--operations-per-transaction", str(options.operations),
              "--record-bytes", "1000", "--workers", "128"]
    for tenant, node, size in (("shop", "n1", options.size), ("near1", "n1", "50MB"), ("near2", "n2", "50MB")):
        subprocess.run([cluster.program, *common, "--load-only", "--tenant", tenant, "--node", node, "--size", size,
                        "--server", cluster.url], check=True, stdout=subprocess.DEVNULL)
    settle(folder)
    host = Host()
    owner = ["n1"]
    load = common + ["--tenant", "shop", "--tenant", "near1", "--tenant", "near2", "--records", "50000", "--seed", "7"]

    def run_once(case, pace, steps):
        to = "n2" if owner[0] == "n1" else "n1"
        arguments = load + ["--warm-up", f"{WARM_UP_S}s", "--duration", "900s", "--until-moved", "--after", "4s",
                            "--move", f"shop:{to}@6s", "--warm-up-pages", options.warm_up_pages,
                            "--title", case.name] + pace
        arguments += ["--steps", steps] if steps else ["--rate", str(options.rate)]
        if options.reports:
            os.makedirs(options.reports, exist_ok=True)
            arguments += ["--report", os.path.join(options.reports, case.name.replace("/", "-").replace(" ", "-") + ".html")]
        settle(folder)
        host.wait_until_quiet()
        case.results = cluster.call(*arguments)
        owner[0] = to
        figures = case.figures(host)
        say(f"{case.name}: p95 {figures['p95_mean_ms']:.1f} ms, {figures['rate'] / 1e6:.0f} MB/s, move {figures['move_s']:.1f} s, "
            f"processors stolen in {figures['stolen']:.0%} of the seconds")
        return figures

    def run(case, pace, steps=None):
        runs = []
        while len(runs) < MOST_RUNS and all(figures["stolen"] > MOST_STOLEN_SECONDS for figures in runs):
            runs.append(run_once(case, pace, steps))
        best = min(runs, key=lambda figures: figures["stolen"])
        return best | {"runs": len(runs), "ok": all(figures["ok"] for figures in runs)}

    idle = idle_p95(cluster, host, load + ["--rate", str(options.rate)])
    unthrottled = Case("no throttle")
    rows = [run(unthrottled, ["--move-rate", "none"])]
    full = max(rows[0]["p95_median_ms"], 1.5 * idle)
    say(f"p95: {idle:.1f} ms idle, {full:.1f} ms unthrottled")
    fixed = [run(Case(f"{rate} MB/s"), ["--move-rate", f"{rate}MB/s"])
             for rate in numbers(options.fixed or ("50" if options.quick else "20,50,80,110"))]
    rows += fixed
    paced = []
    for share in numbers(options.setpoints or ("50" if options.quick else "40,60,80"), 0.01):
        setpoint = idle * (full / idle) ** share
        paced.append(run(Case(f"setpoint {share:.0%}", setpoint), ["--setpoint", f"{setpoint * 1000:.0f}us"]))
    rows += paced
    if not options.quick:
        setpoint = idle * math.sqrt(full / idle)
        up, down = 13, 21
        stepped = Case("load steps by half", setpoint)
        rows.append(run(stepped, ["--setpoint", f"{setpoint * 1000:.0f}us"],
                        f"{options.rate}@0s,{options.rate * 1.5}@{up}s,{options.rate}@{down}s"))
        steps = [stepped.held_again_after(up, down), stepped.held_again_after(down, down + (down - up))]
        rows.append(drain(options, cluster, folder, host, setpoint))
    print(table(rows))
    print(judge(idle, full, rows[:1] + fixed, paced))
    if not options.quick:
        print("after the steps of the load at most 20 % over the setpoint again "
              + " and ".join(f"not within {down - up} s" if after is None else f"after {after} s" for after in steps)
              + " (aim 5 s)")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"link": net.link, "idle_p95_ms": idle, "unthrottled_p95_ms": full,
                       "cases": rows}, file, indent=1)
    return 0 if all(row["ok"] for row in rows) else 1


def sensed_p95(net):
    """What the worse node measures now."""
    worst = 0
    for number in (1, 2):
        with urllib.request.urlopen(f"http://{net.address(number)}/metrics") as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith("tradewind_request_latency_seconds") and 'signal="p95"' in line:
                    worst = max(worst, float(line.split()[-1]) * 1e3)
    return worst


def idle_p95(cluster, host, arguments):
    """The same while nothing moves: the median over some seconds of the load that the host left alone."""
    quiet, seen = [], []
    for _ in range(MOST_RUNS):
        host.wait_until_quiet()
        with concurrent.futures.ThreadPoolExecutor() as beside:
            load = beside.submit(cluster.call, *arguments, "--warm-up", "5s", "--duration", "15s")
            time.sleep(6)
            values = []
            while not load.done():
                values.append((time.time(), sensed_p95(cluster.net)))
                time.sleep(0.5)
            load.result()
        seen += [p95 for _, p95 in values[:-2]]
        quiet += [p95 for at, p95 in values[:-2] if not host.disturbed(at)]
        if len(quiet) >= 2 * FEWEST_WINDOWS:
            return statistics.median(quiet)
    return statistics.median(seen)


def drain(options, cluster, folder, host, setpoint):
    common = ["bench", "--workload", options.workload, "--operations-per-transaction", str(options.operations),
              "--record-bytes", "1000", "--records", "200", "--tenants", str(options.drain_tenants), "--prefix", "small", "--workers", "128"]
    subprocess.run([cluster.program, *common, "--load-only", "--node", "n1", "--server", cluster.url], check=True,
                   stdout=subprocess.DEVNULL)
    settle(folder)
    host.wait_until_quiet()
    results = cluster.call(*common, "--rate", str(options.rate), "--warm-up", "2s", "--duration", "900s", "--until-moved",
                           "--after", "4s", "--drain", "n1@6s", "--setpoint", f"{setpoint * 1000:.0f}us")
    moves = results["moves"]
    first = min(move["from_t"] for move in moves)
    last = max(move["to_t"] or 0 for move in moves)
    values = windows(results, None, first, last)
    say(f"drain of {len(moves)} tenants: {last - first:.1f} s")
    sensed = list(sensed_seconds({"samples": [s for move in moves for s in move["samples"]]}, first, last).values())
    return {"case": f"drain of {len(moves)}", "move_s": last - first, "setpoint_ms": setpoint,
            "p95_mean_ms": mean(sensed), "p95_sd_ms": statistics.pstdev(sensed), "client_p95_ms": mean(values),
            "error": mean(sensed) / setpoint - 1, "over_20": sum(v > 1.2 * setpoint for v in sensed) / len(sensed),
            "failed": results["totals"]["failed"], "aborted": results["totals"]["aborted"], "ok": results["ok"]}


def judge(idle, full, unpaced, paced):
    lines = [f"\np95 idle {idle:.1f} ms, unthrottled {full:.1f} ms ({full / idle:.1f} times)"]
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
