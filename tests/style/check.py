#!/usr/bin/env python3
"""The house rules of docs/hacking.md that a machine can hold: include arrows between the folders of src/, what only one
folder may touch, banned constructs with what to use instead, the shape of a file, and what nothing uses (dead.py).

Usage: check.py ROOT. Prints one line a violation, as file:line: what; exits 1 when there is any.
self_test.py shows each rule a sample that it must refuse.
"""

import pathlib
import re
import sys

from dead import dead
from sources import CPP, code_only, source_files

# folder of src/ -> the folders that it may include (besides its own). docs/architecture.md has the picture.
ARROWS = {
    "base": set(),
    "runtime": {"base"},
    "net": {"base", "runtime"},
    "auth": {"base"},
    "pace": {"base", "runtime"},
    "sql": {"base", "runtime"},
    "sqlite": {"base", "runtime", "sql"},
    "outside": {"base", "runtime", "sqlite"},
    "catalog": {"base", "runtime", "net", "sql", "sqlite"},
    "tenant": {"base", "runtime", "sql", "sqlite"},
    "move": {"base", "runtime", "net", "pace", "catalog", "tenant"},
    "zephyr": {"base", "runtime", "pace", "sqlite", "tenant", "move"},
    "hrana": {"base", "runtime", "net", "sql", "sqlite", "tenant"},
    "mysql": {"base", "runtime"},
    "mariadb": {"base", "runtime", "tenant", "mysql"},
    "slacker": {"base", "runtime", "pace", "tenant", "move", "mysql", "mariadb"},
    "gateway": {"base", "runtime", "net", "auth", "pace", "sql", "sqlite", "catalog", "tenant", "move", "hrana", "mysql", "mariadb"},
    "balance": {"base", "runtime", "net", "catalog", "move", "gateway"},
    "admin": {"base", "runtime", "net", "pace", "sql", "sqlite", "catalog", "tenant", "move", "mariadb", "gateway", "balance"},
    "node": {"base", "runtime", "net", "auth", "pace", "sql", "sqlite", "catalog", "tenant", "move", "zephyr", "mariadb", "slacker", "gateway", "balance", "admin"},
    "load": {"base", "runtime", "net", "sql", "mysql"},
    "report": {"base"},
    "cli": {"base", "runtime", "net", "auth", "pace", "sql", "outside", "load", "report"},
    "program": {"base", "runtime", "net", "auth", "catalog", "node", "cli"},
}

MOST_LINES = 600

# (pattern in an include's path, places that may have it, why)
ONLY_IN = [
    (r"sqlite3(ext)?\.h$", ("src/sqlite/", "src/outside/", "bench/"), "only sqlite/ and outside/ speak to SQLite"),
    (r"^CLI/", ("src/cli/arguments.cc",), "only cli/arguments.cc speaks to CLI11, which takes long to compile"),
    (r"boost/beast", ("src/net/",), "only net/ speaks HTTP and WebSocket"),
    (r"boost/asio", ("src/runtime/",), "only runtime/ has an event loop; see runtime/core.h"),
    (r"boost/context", ("src/runtime/",), "only runtime/ switches stacks; see runtime/fiber.h"),
    (r"^(sys/(socket|epoll|eventfd|timerfd|uio)|netinet/|arpa/|netdb\.h|poll\.h|pthread\.h)", ("src/runtime/", "bench/"),
     "sockets and threads are reached through runtime::Core"),
]

# (pattern in code, places that may have it, what to use instead). Places are prefixes, or suffixes that begin with '*'.
BANNED = [
    (r"\bco_(await|return|yield)\b", (), "fibers (runtime/fiber.h); GCC 12 breaks stackless coroutines"),
    (r"\bstd::(jthread|thread|async)\b(?!::)", ("src/runtime/", "bench/"), "Core::Spawn or Core::RunOffCore"),
    (r"\b(sleep_for|sleep_until|usleep|nanosleep)\b|(?<![\w.>])sleep\s*\(", ("src/runtime/",),
     "runtime::SleepFor; in tests wait for a condition"),
    (r"\b(steady_clock|system_clock|high_resolution_clock)\b|\b(gettimeofday|clock_gettime)\s*\(",
     ("src/runtime/", "bench/"), "Core::Now or Core::UnixMilliseconds"),
    (r"(?<!\w)::(open|openat|creat|socket|connect|accept4?|pread|pwrite|fsync|fdatasync|unlink|rename)\s*\(",
     ("src/runtime/",), "Core::disk() and Core::network()"),
    (r"\bstd::[io]?fstream\b|\b(std::)?fopen\s*\(", ("src/runtime/", "src/cli/", "src/program/", "bench/", "tests/", "*_test.cc"),
     "Core::disk()"),
    (r"\bstd::random_device\b|(?<![\w.>:])s?rand\s*\(", ("src/runtime/", "bench/"), "Core::FillRandom"),
    (r"\bthrow\b", ("*_test.cc", "src/base/out_of_memory.cc"), "Result<T>; exceptions end at their library"),
    (r"\b\w*(Manager|Helper|Util(s|ity|ities)?)(?![a-z])\w*", (), "a noun of the domain"),
]


# The pages of src/report show names and messages that anybody may have chosen.
_MARKUP = re.compile(r"\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|fetch|XMLHttpRequest|import)\b")


class Violation:
    def __init__(self, path, line, what):
        self.path, self.line, self.what = path, line, what

    def __str__(self):
        return f"{self.path}:{self.line}: {self.what}"


def allowed(path, places):
    return any(path.endswith(p[1:]) if p.startswith("*") else path.startswith(p) for p in places)


def includes(code):
    """(line, path, is quoted) of each include."""
    for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*(<[^>\n]+>|"[^"\n]+")', code, re.MULTILINE):
        yield code.count("\n", 0, match.start()) + 1, match.group(1)[1:-1], match.group(1)[0] == '"'


def check_arrows(path, code):
    parts = path.split("/")
    if parts[0] != "src" or len(parts) < 3:
        return
    folder = parts[1]
    if folder not in ARROWS:
        yield Violation(path, 1, f"src/{folder} is not in the table of folders (tests/style/check.py)")
        return
    for line, target, quoted in includes(code):
        if not quoted:
            continue
        to = target.split("/")[0]
        if "/" not in target or ".." in target or to not in ARROWS:
            yield Violation(path, line, f'"{target}" must be named from src/, as in "base/result.h"')
        elif to != folder and to not in ARROWS[folder]:
            yield Violation(path, line, f'{folder} may not include {to} ("{target}")')


def check_only_in(path, code):
    for line, target, _ in includes(code):
        for pattern, places, why in ONLY_IN:
            if re.search(pattern, target) and not allowed(path, places):
                yield Violation(path, line, f"{target} may not be included here: {why}")


def check_banned(path, code):
    for number, line in enumerate(code.split("\n"), 1):
        if line.lstrip().startswith("#include"):
            continue
        for pattern, places, instead in BANNED:
            match = re.search(pattern, line)
            if match and not allowed(path, places):
                yield Violation(path, number, f"'{match.group(0).strip()}' is banned here; use {instead}")


def check_shape(path, text):
    lines = text.count("\n")
    if lines > MOST_LINES:
        yield Violation(path, lines, f"{lines} lines; a file over {MOST_LINES} is usually two subjects")
    if path.endswith(".h"):
        if not re.search(r"^#pragma once$", text, re.MULTILINE):
            yield Violation(path, 1, "a header needs #pragma once")
        if not re.match(r"//\s*\S", text):
            yield Violation(path, 1, "a header opens with a comment that says what it is for")
    if path.endswith(".py") and not re.match(r'(#![^\n]*\n)?("""|#)\s*\S', text):
        yield Violation(path, 1, "a script opens with a comment that says what it is for")


def check_names(path):
    stem = pathlib.PurePath(path).stem
    if re.search(r"(^|_)(manager|helpers?|utils?|utility|utilities)(_|$)", stem):
        yield Violation(path, 1, "the file's name says nothing; name its subject")


# Put together here so that this file does not hold the words.
_OPEN_ENDS = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]) + r")\b")


def check_open_ends(path, text):
    for number, line in enumerate(text.split("\n"), 1):
        if _OPEN_ENDS.search(line):
            yield Violation(path, number, "an open end: finish it, or let it fail with an error that says so")


def check_page(path, text):
    if not (path.startswith("src/") and path.endswith(".js")):
        return
    for number, line in enumerate(text.split("\n"), 1):
        if match := _MARKUP.search(line):
            yield Violation(path, number, f"'{match.group(0)}' is banned in a page: build elements, and load nothing")


_UNBOUNDED = re.compile(r"""from\s+["']node:test["']""")


def check_bounded(path, text):
    if not path.startswith("tests/") or path == "tests/clients/bounded_test.js":
        return
    if path.endswith((".js", ".mjs")) and (match := _UNBOUNDED.search(text)):
        line = text.count("\n", 0, match.start()) + 1
        yield Violation(path, line, "a test that hangs would have no end; use tests/clients/bounded_test.js")


def check_file(path, text):
    """All violations of one file. `path` is relative to the root, with slashes."""
    found = [*check_names(path), *check_shape(path, text), *check_open_ends(path, text), *check_page(path, text),
             *check_bounded(path, text)]
    if path.endswith(CPP):
        code = code_only(text)
        found += [*check_arrows(path, code), *check_only_in(path, code), *check_banned(path, code)]
    return found


# Files that a page names, one or several, and the functions that it says are in them.
_NAMED = re.compile(r"((?:`[\w.-]+/[\w./-]+\.(?:h|c|cc|py|js|mjs|cmake|sh)`(?:, )?)+)(?: \(((?:`\w+`(?:, )?)+)\))?")


def check_page_of_docs(path, text, read):
    """`read` has the text of the file at a path from the root, or nothing."""
    for number, line in enumerate(text.split("\n"), 1):
        for match in _NAMED.finditer(line):
            named = re.findall(r"`([^`]+)`", match.group(1))
            found = {name: next((t for t in (read(name), read("src/" + name)) if t is not None), None) for name in named}
            for name in named:
                if found[name] is None:
                    yield Violation(path, number, f"there is no file {name}")
            for function in re.findall(r"`(\w+)`", match.group(2) or ""):
                if not any(code and re.search(rf"\b{function}\b", code) for code in found.values()):
                    yield Violation(path, number, f"there is no {function} in {', '.join(named)}")


def check_docs(root):
    """What the pages say is there. Decisions tell what was."""

    def read(name):
        file = root / name
        return file.read_text(encoding="utf-8") if file.is_file() else None

    for page in [root / "README.md", *sorted((root / "docs").glob("*.md"))]:
        yield from check_page_of_docs(page.relative_to(root).as_posix(), page.read_text(encoding="utf-8"), read)


def main(root):
    files = source_files(root, CPP + (".c", ".py", ".mjs", ".js", ".sh"))
    found = []
    read = {}
    for path in files:
        text = (pathlib.Path(root) / path).read_text(encoding="utf-8")
        found += check_file(path.as_posix(), text)
        if path.suffix in CPP + (".c",):
            read[path.as_posix()] = (text, code_only(text))
    found += [Violation(*what) for what in dead(read)]
    found += check_docs(pathlib.Path(root))
    for violation in found:
        print(violation)
    print(f"{len(files)} files, {len(found)} violations")
    return 1 if found or not files else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: check.py ROOT")
    sys.exit(main(sys.argv[1]))
