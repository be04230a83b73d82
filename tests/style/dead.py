"""Finds what a header of src/ declares and nothing uses: functions, methods, constants, enumerators, types, fields,
macros, and whole headers. What only tests use is dead, too, unless a comment beside it says that it is for tests.

It goes by names. A name counts as used where it stands for anything but a declaration or a definition, in any file but a
test, so one that several classes have hides the dead among them; and it relies on clang-format: in a .cc what stands
at the first column is a definition, and what a function does is indented.
"""

import re
from collections import defaultdict

_PROXY = "the proxy for MariaDB's clients in gateway/, and mariadb/ (issue 19)"

_INSTANCES = "the hand-over of MariaDB tenants, and their backup (issue 19)"

# header, or header and name -> what will use it. What is used now, or gone, must leave this list.
STILL_TO_COME = {
    "src/mariadb/instance.h AwaitStart": _INSTANCES,
    "src/mariadb/instance.h IsReadOnly": _INSTANCES,
    "src/mysql/answer.h changes_complete": _PROXY,
    "src/mysql/request.h wants_cursor": _PROXY,
}

# name -> who uses it, where no name can be seen.
USED_UNSEEN = {
    "rep": "std::chrono, of a clock",
    "is_steady": "std::chrono, of a clock",
}

_TOKEN = re.compile(r"[A-Za-z_]\w*")
_NO_TYPE = {
    "return", "else", "case", "new", "delete", "throw", "goto", "sizeof", "operator", "and", "or", "not", "do", "in",
    "typename", "if", "while", "for", "switch", "using", "namespace", "co_return", "public", "private", "protected",
}
_NO_NAME = _NO_TYPE | {
    "override", "const", "noexcept", "final", "default", "static_assert", "decltype", "alignof", "alignas", "requires",
    "void", "bool", "int", "char", "auto", "template", "class", "struct", "enum", "true", "false", "nullptr", "this",
    "defined", "explicit", "constexpr", "static", "inline", "virtual", "friend", "mutable", "unsigned", "double", "float",
}  # fmt: skip
_TYPE = re.compile(r"\b(?:class|struct|enum(?:\s+class)?)\s+(?:alignas\([^)]*\)\s*)?([A-Z]\w*)\b(?=[^;()]*?[{;])")
_FUNCTION = re.compile(r"(?<![\w.])(~?[A-Za-z_]\w*)\s*\(")
_CONSTANT = re.compile(r"\bconstexpr\b[^=;{(]*?\b(k[A-Z]\w*)\s*(?:\[[^\]]*\]\s*)?[={]")
_ENUMERATOR = re.compile(r"(?<![\w:.])(k[A-Z]\w*)\s*(?=[,=}]|$)")
_FIELD = re.compile(r"^[ \t]+(?!using|return|friend|else|public|private)[\w:<>,*&\s]*?[\w>*&]\s+\**&?([a-z]\w*)(?=\s*(?:;|=[^=]|\{))", re.MULTILINE)
_MACRO = re.compile(r"^#\s*define\s+(\w+)", re.MULTILINE)
_USING = re.compile(r"\busing\s+(\w+)\s*=")


def is_test(path):
    """Tests, and what is there for tests alone."""
    name = path.rsplit("/", 1)[-1]
    return (not path.startswith(("src/", "bench/", "fuzz/"))
            or name.endswith("_test.cc") or name.startswith("test_") or name.endswith("_fixture.h"))


def _body(code, start):
    """The end of the braces that open at or behind start, before the next semicolon; start if there are none."""
    opening = re.compile(r"[{;]").search(code, start)
    if not opening or opening.group(0) == ";":
        return start
    depth = 0
    for brace in re.compile(r"[{}]").finditer(code, opening.start()):
        depth += 1 if brace.group(0) == "{" else -1
        if depth == 0:
            return brace.end()
    return len(code)


def _word_before(code, at):
    """The last character before a name that is no white space, and the word that ends there."""
    text = code[max(0, at - 80) : at].rstrip()
    word = re.search(r"(\w+)$", text)
    return (text[-1:] or ";"), (word.group(1) if word else "")


def _declares_function(code, at):
    """Whether the name at `at`, which stands before a parenthesis, is declared there and not called."""
    last, word = _word_before(code, at)
    if word:
        return word not in _NO_TYPE and not word.isdigit()
    if last in "&*>":
        before = code[max(0, at - 80) : at].rstrip().rstrip("&*>").rstrip()
        return bool(re.search(r"[\w>]$", before)) and not code[max(0, at - 2) : at].endswith("->")
    return False


def declarations(code):
    """(name, position, kind, end of what belongs to it) of what a header declares."""
    found = []
    enums = []
    for match in _TYPE.finditer(code):
        end = _body(code, match.end())
        if end == match.end():
            continue
        if match.group(0).startswith("enum"):
            enums.append((match.end(), end))
        found.append((match.group(1), match.start(1), "type", end))
    for start, end in enums:
        for match in _ENUMERATOR.finditer(code, code.index("{", start), end):
            found.append((match.group(1), match.start(1), "enumerator", match.end(1)))
    for match in _FUNCTION.finditer(code):
        name = match.group(1)
        if name not in _NO_NAME and not name.startswith("~") and _declares_function(code, match.start(1)):
            found.append((name, match.start(1), "function", match.end(1)))
    for pattern, kind in ((_CONSTANT, "constant"), (_FIELD, "field"), (_MACRO, "macro"), (_USING, "type")):
        for match in pattern.finditer(code):
            if match.group(1) not in _NO_NAME:
                found.append((match.group(1), match.start(1), kind, match.end(1)))
    return found


def _defines(code, at, line_start):
    """Whether a name in a .cc is defined or declared there: it belongs to what begins in the first column."""
    if not code[line_start : line_start + 1].strip() or code[line_start] in "}#":
        return False
    behind = code[at:].split("(", 1)[0]
    head = code[line_start:at]
    return bool(re.fullmatch(r"\w+\s*", behind)) and "=" not in head and "(" not in head or code[at - 2 : at] != "::" and bool(
        re.match(r"\w+::", code[at : at + 80])) and "(" not in head and "=" not in head


def dead(files):
    """(path, line, what) of all that is dead in {path: (text, code)}; paths as in check.py."""
    uses, test_uses = defaultdict(set), defaultdict(set)
    declared = {}
    for path, (_, code) in files.items():
        of_header = declarations(code) if path.startswith("src/") and path.endswith(".h") else []
        if of_header and not is_test(path):
            declared[path] = of_header
        skip = {position for _, position, _, _ in of_header}
        own = defaultdict(list)
        for name, position, kind, end in of_header:
            if kind == "type":
                own[name].append((position, end))
        into = test_uses if is_test(path) else uses
        line_start = 0
        for line in code.split("\n"):
            if not line.lstrip().startswith("#include"):
                for match in _TOKEN.finditer(line):
                    name, at = match.group(0), line_start + match.start()
                    if path in into[name] or at in skip:
                        continue
                    if any(start <= at < end for start, end in own.get(name, ())):
                        continue
                    if re.search(r"\b(class|struct|enum)\s+$", line[: match.start()]) and re.match(r"\s*(final\s*)?;", line[match.end() :]):
                        continue
                    if path.endswith(".cc") and _defines(code, at, line_start):
                        continue
                    into[name].add(path)
            line_start += len(line) + 1
    still_to_come = set()
    for path, of_header in sorted(declared.items()):
        text, code = files[path]
        lines = text.split("\n")
        seen = set()
        for name, position, kind, _ in of_header:
            if name in seen or uses.get(name) or name in USED_UNSEEN:
                continue
            seen.add(name)
            if f"{path} {name}" in STILL_TO_COME:
                still_to_come.add(f"{path} {name}")
                continue
            number = code.count("\n", 0, position) + 1
            if test_uses.get(name):
                if not re.search(r"\btests?\b", "\n".join(_comment_of(lines, number)), re.IGNORECASE):
                    yield path, number, f"{kind} {name} is used by tests alone: remove it, or say beside it that it is for tests"
            else:
                yield path, number, f"{kind} {name} is used nowhere: remove it"
    for path in _dead_headers(files):
        if path in STILL_TO_COME:
            still_to_come.add(path)
        else:
            yield path, 1, "nothing includes this header: remove it, or move what it declares into its .cc"
    for entry in STILL_TO_COME:
        if entry.split(" ")[0] in files and entry not in still_to_come:
            yield entry.split(" ")[0], 1, f"{entry} is used now, or gone: take it out of STILL_TO_COME (tests/style/dead.py)"


def _comment_of(lines, number):
    """A declaration's own lines and the comment above it, and the comment at the head of the file."""
    first = number - 1
    while first > 0 and lines[first - 1].strip().startswith("//"):
        first -= 1
    head = 0
    while head < len(lines) and lines[head].startswith("//"):
        head += 1
    return lines[:head] + [line[line.find("//") :] for line in lines[first:number] if "//" in line]


def _dead_headers(files):
    included = defaultdict(set)
    for path, (_, code) in files.items():
        for match in re.finditer(r'^[ \t]*#[ \t]*include[ \t]*"([^"\n]+)"', code, re.MULTILINE):
            included["src/" + match.group(1)].add(path)
    for path, (text, _) in sorted(files.items()):
        if not path.startswith("src/") or not path.endswith(".h") or is_test(path):
            continue
        users = {user for user in included[path] if user != path[:-2] + ".cc" and not is_test(user)}
        if not users and not (included[path] and re.search(r"\btests?\b", text.split("#pragma once")[0], re.IGNORECASE)):
            yield path
