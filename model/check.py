#!/usr/bin/env python3
"""Checks the model of the move protocol (move.pml and what it includes) with Spin, and that
every wrong reading of it fails.

Usage: check.py                  all configurations, then all wrong readings; what `make model` runs
       check.py NAME...          only these wrong readings
       check.py --replay NAME    the shortest counterexample of a wrong reading, one action a line
       check.py --long           only two failures and two requests: some gigabytes and minutes

Exits 1 when the protocol has an error in any configuration, or when a wrong reading passes or fails elsewhere
than it should. One search at a time, at most MEMORY_MB.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import time

FOLDER = pathlib.Path(__file__).resolve().parent
MODEL = "move.pml"
MEMORY_MB = 6000
STUCK = "stuck"  # A run ends, but not with one owner and one copy.
CYCLE = "cycle"  # A run never ends.
NODES = {"1": "S", "2": "D"}  # Spin's process numbers.

# Depth first over all states. Safety stores a 64-bit hash of each state (hash-compact: two states that share
# one would hide the second; at ten million states the chance is below one in a hundred thousand). The search
# for cycles keeps whole states: with hash-compact Spin 6.5.2 reports cycles that are none. Neither is a
# bitstate search.
SAFETY = ["-O2", "-DSAFETY", "-DHC4"]
CYCLES = ["-O2", "-DNP", "-DCOLLAPSE"]
SHORTEST = ["-O1", "-DSAFETY", "-DHC4", "-DBFS"]

# (what is on, definitions, how)
CONFIGURATIONS = [
    ("1 failure, 1 request, a reader", {"FAILURES": 1, "REQUESTS": 1, "READERS": 1}, SAFETY),
    ("1 failure, 2 requests", {"FAILURES": 1, "REQUESTS": 2}, SAFETY),
    ("2 failures, 1 request", {"FAILURES": 2, "REQUESTS": 1, "REPEATS": 1}, SAFETY),
    ("1 failure, 1 request, sums that differ", {"FAILURES": 1, "REQUESTS": 1, "MISMATCHES": 1}, SAFETY),
    ("1 failure, 1 request: every run ends", {"FAILURES": 1, "REQUESTS": 1}, CYCLES),
]
LONG = [("2 failures, 2 requests", {"FAILURES": 2, "REQUESTS": 2}, SAFETY)]

# name: (step of the protocol, how it must fail, failures, requests, cancels, writers, readers). The bounds
# are about the least that show it. What the reading is, is said beside its -DWRONG_ in the model.
READINGS = {
    "UNSYNC": ("1, 7", "I4_transactions_are_whole", 1, 0, 0, 1, 0),
    "FORGETCANCEL": ("1", STUCK, 1, 0, 0, 0, 0),
    "LATEREFUSE": ("2", "I2_newest_version_is_read", 0, 1, 0, 1, 0),
    "WARMFREE": ("2", "I2_newest_version_is_read", 0, 1, 0, 1, 0),
    "READYVOL": ("3", "I5_another_copy_is_complete", 1, 1, 1, 0, 0),
    "OLDLIST": ("3, 10", "I5_another_copy_is_complete", 1, 1, 1, 0, 0),
    "NOFROZEN": ("3, 10", "R_the_map_is_that_of_the_journal", 2, 0, 1, 0, 0),
    "OLDOFFER": ("3", "I2_the_owner_has_a_copy", 2, 1, 0, 0, 0),
    "OLDREVERSE": ("3, 10", STUCK, 1, 0, 1, 0, 0),
    "EARLYOWN": ("4", "I1_only_the_owner_starts", 1, 1, 0, 0, 0),
    "DROPREADY": ("4", "I2_the_owner_has_a_copy", 1, 1, 0, 0, 0),
    "NOJOURNAL": ("5", "I1_only_the_owner_starts", 1, 1, 0, 0, 0),
    "FAILEDENTRY": ("5", "R_the_journal_is_settled", 2, 0, 0, 0, 0),
    "GIVEUP": ("5", "I1_only_the_owner_starts", 1, 1, 0, 0, 0),
    "CASFAIL": ("5", "I1_only_the_owner_starts", 1, 1, 0, 0, 0),
    "LOSTCANCEL": ("5", "I1_only_the_owner_starts", 1, 1, 1, 0, 0),
    "MARKAFTER": ("7", "I2_newest_version_is_read", 0, 1, 0, 1, 0),
    "UNHAND": ("7", "I2_newest_version_is_read", 1, 1, 0, 1, 0),
    "TRUSTSENT": ("7", "I2_everything_sent_arrived", 1, 0, 0, 0, 0),
    "RESETWAL": ("7", "I3_reader_sees_one_snapshot", 0, 0, 0, 1, 1),
    "MAPFIRST": ("8", "I5_another_copy_is_complete", 1, 0, 0, 0, 0),
    "LATEPUSH": ("8", "I2_newest_version_is_read", 0, 2, 0, 0, 0),
    "DONEVOL": ("9", "I5_another_copy_is_complete", 1, 0, 0, 0, 0),
    "DELEARLY": ("9", STUCK, 0, 0, 1, 0, 0),
    "READERDELETE": ("9", "I5_no_reader_is_open", 0, 0, 0, 0, 1),
    "RETRYSUM": ("9", "I5_the_sums_are_equal", 0, 0, 0, 0, 0),
    "SUMVOL": ("9", "I5_the_sums_are_equal", 1, 0, 0, 0, 0),
    "DONEONCE": ("9", STUCK, 1, 0, 0, 0, 0),
    "DONERACE": ("9, 10", "I1_the_sender_knows_its_swap", 0, 0, 1, 0, 0),
    "REVERSEONCE": ("10", STUCK, 1, 0, 1, 0, 0),
    "REVUNSYNC": ("10", "I5_another_copy_is_complete", 1, 1, 1, 0, 0),
    "DIRTYVOL": ("8, 10", "I5_another_copy_is_complete", 1, 1, 1, 0, 0),
    "NOREVCLEAR": ("10", "I5_another_copy_is_complete", 0, 1, 1, 0, 0),
    "OLDTX": ("10", "I2_newest_version_is_read", 0, 2, 1, 1, 0),
    "READERSTAYS": ("10", "I3_reader_sees_one_snapshot", 0, 1, 1, 0, 1),
    "NOABORT": ("10", STUCK, 0, 1, 1, 0, 0),
    "FROZENDROP": ("10", STUCK, 1, 0, 1, 0, 0),
    "LOOP": ("11", CYCLE, 0, 1, 0, 0, 0),
}


class Search:
    """One run of Spin over the model, in a folder of its own."""

    def __init__(self, folder, definitions, how, stuck_counts=True):
        self.folder = folder
        self.definitions = [f"-D{name}={value}" for name, value in definitions.items()]
        if SHORTEST == how:
            self.definitions.append("-DSHORTEST")
        for part in FOLDER.glob("*.pml"):
            (folder / part.name).write_text(part.read_text())
        self.run(["spin", *self.definitions, "-a", MODEL])
        self.run(["gcc", "-w", *how, f"-DMEMLIM={MEMORY_MB}", "-o", "pan", "pan.c"])
        arguments = ["-m200000"] + (["-l"] if how is CYCLES else []) + ([] if stuck_counts else ["-E"])
        started = time.monotonic()
        self.output = self.run(["./pan", *arguments])
        self.seconds = time.monotonic() - started
        self.states = int(float(self.number(r"([\d.e+]+) states, stored")))
        self.depth = int(self.number(r"depth reached (\d+)"))
        self.errors = int(self.number(r"errors: (\d+)"))
        self.memory_mb = float(self.number(r"([\d.]+)\s+total actual memory usage"))
        incomplete = re.search(r"not completed|max search depth too small|out of memory", self.output)
        if self.errors == 0 and incomplete:
            sys.exit(f"the search did not complete:\n{self.output}")

    def run(self, command):
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0 and command[0] != "./pan":
            sys.exit(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def number(self, pattern):
        found = re.search(pattern, self.output)
        if not found:
            sys.exit(f"no '{pattern}' in the answer of pan:\n{self.output}")
        return found.group(1)

    def failure(self):
        """The name of what failed, or None."""
        if re.search(r"pan:\d+: invalid end state", self.output):
            return STUCK
        if re.search(r"pan:\d+: non-progress cycle", self.output):
            return CYCLE
        named = re.search(r"assertion violated .*\|\|\s*(\w+)\)", self.output)
        return named.group(1) if named else ("something else" if self.errors else None)

    def replay(self):
        """The actions of the counterexample."""
        action = {}  # (file, line): the macro, or the option of the environment.
        for part in FOLDER.glob("*.pml"):
            current = current_option = ""
            for number, line in enumerate(part.read_text().split("\n"), 1):
                opening = re.match(r"(?:inline|proctype) (\w+)", line)
                if opening:
                    current = opening.group(1)
                if current == "environment" and line.strip().startswith(":: d_step"):
                    current_option = line.strip()
                action[part.name, number] = current_option if current == "environment" else current
        last = None
        pattern = re.compile(r"\s*(\d+):\s+proc\s+(\d+) \((\S+?):1\) (\w+\.pml):(\d+) \(state \d+\)\s+\[")
        trail = self.run(["spin", *self.definitions, "-t", "-p", MODEL])
        for line in trail.split("\n"):
            if "START OF CYCLE" in line:
                yield "-- from here on for ever"
            step = pattern.match(line)
            if not step or step.group(3) == ":init:" or step.group(1) == last:
                continue
            last, process, name, part, number = step.groups()
            yield f"{last:>4} {NODES.get(process, name):12} {action[part, int(number)]}"


def search_reading(folder, name):
    _, expected, failures, requests, cancels, writers, readers = READINGS[name]
    definitions = {"FAILURES": failures, "REQUESTS": requests, "CANCELS": cancels, "WRITERS": writers,
                   "REPEATS": int(name == "LATEPUSH"), "MISMATCHES": int(name in ("RETRYSUM", "SUMVOL")),
                   f"WRONG_{name}": 1}
    if readers:
        definitions["READERS"] = 1
    return Search(folder, definitions, CYCLES if expected == CYCLE else SHORTEST, expected == STUCK)


def check_configurations(configurations):
    print(f"{'configuration':40}{'states':>12}{'depth':>7}{'errors':>8}{'seconds':>9}{'MB':>7}")
    right = True
    for title, definitions, how in configurations:
        with tempfile.TemporaryDirectory() as folder:
            search = Search(pathlib.Path(folder), definitions, how)
        print(f"{title:40}{search.states:12,}{search.depth:7}{search.errors:8}{search.seconds:9.1f}"
              f"{search.memory_mb:7.0f}", flush=True)
        if search.errors:
            print(f"  the protocol fails: {search.failure()}")
            right = False
    return right


def check_readings(names):
    print(f"{'wrong reading':15}{'step':8}{'seconds':>8}  result")
    right = True
    for name in names:
        step, expected = READINGS[name][:2]
        with tempfile.TemporaryDirectory() as folder:
            search = search_reading(pathlib.Path(folder), name)
        failure = search.failure()
        if failure == expected:
            result = f"fails as it should: {expected}"
        else:
            result = f"MUST FAIL with {expected}, but " + (f"fails with {failure}" if failure else "passes")
            right = False
        print(f"{name:15}{step:8}{search.seconds:8.1f}  {result}", flush=True)
    return right


def main(arguments):
    model = "".join(part.read_text() for part in FOLDER.glob("*.pml"))
    in_model = set(re.findall(r"WRONG_([A-Z]+)", model))
    if in_model != set(READINGS):
        sys.exit(f"only the model or only this script names {sorted(in_model ^ set(READINGS))}")
    unknown = [name for name in arguments if not name.startswith("--") and name not in READINGS]
    if unknown:
        sys.exit(f"no such wrong reading: {', '.join(unknown)}")
    if arguments[:1] == ["--replay"]:
        for name in arguments[1:]:
            with tempfile.TemporaryDirectory() as folder:
                search = search_reading(pathlib.Path(folder), name)
                print(f"{name}: {search.failure()}")
                print("\n".join(search.replay()))
        return 0
    if arguments == ["--long"]:
        return 0 if check_configurations(LONG) else 1
    if arguments:
        return 0 if check_readings(arguments) else 1
    started = time.monotonic()
    right = check_configurations(CONFIGURATIONS)
    print()
    right = check_readings(READINGS) and right
    print(f"\n{'all as it should be' if right else 'FAILED'}, {time.monotonic() - started:.0f} seconds")
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
