#!/usr/bin/env python3
"""Fails, with the places, when clang-format would change a C++ file. `make format` mends it.

Usage: format_check.py CLANG_FORMAT ROOT
"""

import subprocess
import sys

from sources import CPP, source_files


def main(clang_format, root):
    files = [str(path) for path in source_files(root, CPP)]
    result = subprocess.run([clang_format, "--dry-run", "--Werror", *files], cwd=root)
    if result.returncode != 0:
        print("run: make format")
    return 1 if result.returncode != 0 or not files else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: format_check.py CLANG_FORMAT ROOT")
    sys.exit(main(sys.argv[1], sys.argv[2]))
