"""What the runs of a case show: of all its windows, and of those in which the machine was left to itself."""

import math
import statistics

from host import RECOVERY_S
from nodes import say

WINDOW_S = 3  # As Slacker's: a sliding window, one step a second. What the nodes measure looks back as far.
WARM_UP_S = 2
SETTLE_S = 5  # Of a move, until the controller is expected to hold the setpoint.
FEWEST_WINDOWS = 5  # That the host left alone: of fewer nothing is said, and all are taken.
ENOUGH_WINDOWS = 20  # With these a case is not run again.


def mean(values):
    return statistics.mean(values) if values else math.nan


def by_seconds(samples):
    """Means of (moment in seconds, value), by whole seconds."""
    seconds = {}
    for moment, value in samples:
        seconds.setdefault(int(moment), []).append(value)
    return {second: statistics.mean(seconds[second]) for second in sorted(seconds)}


def sensed(moves, first, last):
    """What the nodes measured, by seconds: the worse end's p95, from a request's arrival to its answer, of WINDOW_S seconds."""
    return by_seconds((sample["t"], sample["p95_ms"]) for move in moves for sample in move["samples"]
                      if sample["p95_ms"] is not None and first <= sample["t"] <= last)


class Windows:
    """Figures of windows, each with whether the host left it alone."""

    def __init__(self):
        self.of_all, self.quiet = [], []

    def add(self, value, quiet):
        self.of_all.append(value)
        if quiet:
            self.quiet.append(value)

    @property
    def judged(self):
        return self.quiet if len(self.quiet) >= FEWEST_WINDOWS else self.of_all


class Case:
    """Runs of one kind, and what is to be said of them together."""

    def __init__(self, name, host, setpoint_ms=None):
        self.name, self.host, self.setpoint_ms = name, host, setpoint_ms
        self.p95, self.rate, self.client, self.near = Windows(), Windows(), Windows(), {}
        self.runs, self.moved_s = [], []

    def add(self, results):
        self.runs.append(results)
        moves = results["moves"]
        first = min(move["from_t"] for move in moves)
        last = max(move["to_t"] or results["duration_s"] for move in moves)
        self.moved_s.append(last - first)
        settled = first + SETTLE_S if last - first > 2 * SETTLE_S else first
        quiet = lambda second: not self.host.disturbed(self.unix(results, second))
        for second, value in sensed(moves, settled, last).items():
            self.p95.add(value, quiet(second))
        for second, value in by_seconds((sample["t"], sample["sent_bytes_per_s"]) for sample in moves[0]["samples"]
                                        if sample["t"] > settled and sample["sent_bytes_per_s"]).items():
            self.rate.add(value, quiet(second))
        for windows, timeline in [(self.client, results["timeline"])] + [
                (self.near.setdefault(tenant["name"], Windows()), tenant["timeline"])
                for tenant in results["tenants"] if tenant["name"].startswith("near")]:
            for point in timeline:
                if settled <= point["t"] and point["t"] + 1 <= last and point["p95_ms"] is not None:
                    windows.add(point["p95_ms"], quiet(point["t"]))

    @staticmethod
    def unix(results, second):
        return results["started_at"] / 1000 + WARM_UP_S + second

    def has_enough(self):
        return len(self.p95.quiet) >= ENOUGH_WINDOWS

    def figures(self):
        judged = self.p95.judged
        figures = {"case": self.name, "runs": len(self.runs), "move_s": mean(self.moved_s), "setpoint_ms": self.setpoint_ms,
                   "p95_mean_ms": mean(judged), "p95_median_ms": statistics.median(judged) if judged else math.nan,
                   "p95_sd_ms": statistics.pstdev(judged) if judged else math.nan,
                   "windows": len(judged), "of_windows": len(self.p95.of_all), "client_p95_ms": mean(self.client.judged),
                   "failed": sum(run["totals"]["failed"] for run in self.runs),
                   "aborted": sum(run["totals"]["aborted"] for run in self.runs), "ok": all(run["ok"] for run in self.runs)}
        if len(self.runs[0]["moves"]) == 1:  # Of several at a time the rate is that of none.
            figures["rate"] = mean(self.rate.judged)
        if self.setpoint_ms:
            figures |= against(self.setpoint_ms, judged)
            figures |= {f"{key}_of_all": value for key, value in against(self.setpoint_ms, self.p95.of_all).items()}
        else:  # Of its own mean: what nobody controls.
            figures["over_20"] = against(figures["p95_mean_ms"], judged)["over_20"]
        return figures | {name: mean(windows.judged) for name, windows in self.near.items()}


def against(setpoint_ms, p95s):
    return {"error": mean(p95s) / setpoint_ms - 1, "over_20": mean([p95 > 1.2 * setpoint_ms for p95 in p95s])}


class Step:
    """Of the load, within a move, from `at` until the next step: seconds of the run."""

    def __init__(self, case, at, until):
        self.case, self.at, self.until = case, at, until

    def left_alone(self):
        """The runs in which the host took nothing from before the step until the setpoint is to be held again."""
        return [run for run in self.case.runs
                if run["moves"][0]["to_t"] and run["moves"][0]["to_t"] >= self.at + RECOVERY_S
                and not self.case.host.took(Case.unix(run, self.at - WINDOW_S), Case.unix(run, self.at + RECOVERY_S))]

    def held_again_after(self):
        """In words, of the first run in which the host left it alone, or else of the first."""
        runs = self.left_alone()
        if not runs:
            say(f"in no run the host left alone the step of the load at {self.at} s, or all moves had ended: see --size")
        after = self.after((runs or self.case.runs)[0])
        return ("not within " + str(self.until - self.at) if after is None else f"after {after}") + " s" + (
            "" if runs else " (with the host taking processors away)")

    def after(self, run):
        """Seconds until the last window has ended that is more than 20 % over the setpoint, apart from those that the host
        disturbed later; None when that is not so until the next step, or when the move had ended."""
        seconds = {second: p95 for second, p95 in sensed(run["moves"], self.at, self.until).items()
                   if second < self.at + RECOVERY_S or not self.case.host.disturbed(Case.unix(run, second))}
        if not seconds:
            return None
        over = [second + 1 - self.at for second, p95 in seconds.items() if p95 > 1.2 * self.case.setpoint_ms]
        after = max(over, default=0)
        return None if after >= max(seconds) + 1 - self.at else after
