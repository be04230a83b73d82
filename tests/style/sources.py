"""Finds the files that the house rules are about, and reads C++ as the rules need it."""

import pathlib
import re

FOLDERS = ("src", "sim", "bench", "tests", "fuzz")
CPP = (".h", ".cc")


def source_files(root, suffixes):
    """Every file below the source folders with one of the suffixes, as paths relative to root, sorted."""
    found = []
    for folder in FOLDERS:
        for path in sorted((pathlib.Path(root) / folder).rglob("*")):
            if path.suffix in suffixes and "node_modules" not in path.parts and path.is_file():
                found.append(path.relative_to(root))
    return found


# Raw strings first, then what can hide a comment sign, then comments.
_NOT_CODE = re.compile(
    r'R"(?P<mark>[^()\s\\]{0,16})\(.*?\)(?P=mark)"'
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|(?<![0-9a-fA-F])'(?:[^'\\\n]|\\.)+'"
    r"|//[^\n]*|/\*.*?\*/",
    re.DOTALL,
)


def code_only(text):
    """C++ with comments blanked and string literals emptied; the lines keep their numbers. An include keeps its path."""

    def blank(match):
        piece = match.group(0)
        line_start = text.rfind("\n", 0, match.start()) + 1
        if text[line_start : match.start()].lstrip().startswith("#include"):
            return piece if piece.startswith('"') else "\n" * piece.count("\n")
        return ('""' if piece[0] in '"R' else "") + "\n" * piece.count("\n")

    return _NOT_CODE.sub(blank, text)
