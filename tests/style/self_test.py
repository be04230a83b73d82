#!/usr/bin/env python3
"""Shows each house rule a sample that it must refuse, and one like it that it must let pass."""

import unittest

import check
from sources import code_only

HEADER = "// What this is for.\n#pragma once\n"


def complaints(path, text):
    return [violation.what for violation in check.check_file(path, text)]


class HouseRules(unittest.TestCase):
    def refuses(self, path, text, what):
        found = complaints(path, text)
        self.assertTrue(any(what in complaint for complaint in found), f"{path}: {text!r}: only {found}")

    def allows(self, path, text):
        self.assertEqual(complaints(path, text), [])

    def test_arrows_point_one_way(self):
        self.refuses("src/base/a.cc", '#include "runtime/core.h"\n', "base may not include runtime")
        self.refuses("src/tenant/a.cc", '#include "cluster/catalog.h"\n', "tenant may not include cluster")
        self.refuses("src/cluster/a.h", HEADER + '#include "net/http.h"\n', "cluster may not include net")
        self.refuses("src/hrana/a_test.cc", '#include "net/http.h"\n', "hrana may not include net")
        self.refuses("src/node/a.cc", '#include "cli/args.h"\n', "node may not include cli")
        self.refuses("src/cli/a.cc", '#include "sqlite/connection.h"\n', "cli may not include sqlite")
        self.allows("src/cli/a.cc", '#include "sqlite/value.h"\n')
        self.allows("src/cluster/a.cc", '#include "sqlite/connection.h"\n#include "cluster/catalog.h"\n')
        self.allows("src/move/a.cc", '#include "tenant/tenant.h"\n#include "cluster/catalog.h"\n')
        self.allows("src/node/a.cc", '#include "net/http.h"\n#include "hrana/pipeline.h"\n')

    def test_every_arrow_is_held(self):
        for folder, may in check.ARROWS.items():
            for other in check.ARROWS:
                text = f'#include "{other}/x.h"\n'
                if other == folder or other in may:
                    self.allows(f"src/{folder}/a.cc", text)
                else:
                    self.refuses(f"src/{folder}/a.cc", text, f"{folder} may not include {other}")

    def test_arrows_have_no_circle(self):
        def reach(folder, seen):
            self.assertNotIn(folder, seen, "circle")
            for other in check.ARROWS[folder]:
                reach(other, seen | {folder})

        for folder in check.ARROWS:
            reach(folder, set())

    def test_includes_are_named_from_src(self):
        self.refuses("src/base/a.cc", '#include "result.h"\n', "must be named from src/")
        self.refuses("src/base/a.cc", '#include "../base/result.h"\n', "must be named from src/")
        self.refuses("src/tools/a.cc", "int x;\n", "not in the table")

    def test_pages_take_no_markup_and_load_nothing(self):
        self.refuses("src/cli/report/page/a.js", "// What.\nnode.innerHTML = name;\n", "banned in a page")
        self.refuses("src/cli/report/page/a.js", '// What.\nfetch("/v1/moves");\n', "banned in a page")
        self.allows("src/cli/report/page/a.js", "// What.\nnode.textContent = name;\n")
        self.allows("tests/report/a.js", 'import { x } from "./page.js";\n')

    def test_libraries_stay_in_their_folder(self):
        self.refuses("src/tenant/a.cc", "#include <sqlite3.h>\n", "only sqlite/")
        self.refuses("src/node/a.cc", "#include <boost/beast/http.hpp>\n", "only net/")
        self.refuses("src/net/a.cc", "#include <boost/asio.hpp>\n", "only runtime/")
        self.refuses("sim/a.cc", "#include <boost/asio/io_context.hpp>\n", "only runtime/")
        self.refuses("src/tenant/a.cc", "#include <boost/context/fiber.hpp>\n", "only runtime/")
        self.refuses("src/move/a.cc", "#include <sys/socket.h>\n", "runtime::Core")
        self.allows("bench/a.cc", "#include <sys/socket.h>\n")
        self.allows("src/sqlite/a_test.cc", "#include <sqlite3.h>\n")
        self.allows("src/net/a.cc", "#include <boost/beast/http.hpp>\n")
        self.allows("src/runtime/a.cc", "#include <boost/asio.hpp>\n")

    def test_banned_constructs(self):
        for text, what in [
            ("co_await x;", "co_await"),
            ("co_return 1;", "co_return"),
            ("std::thread t([] {});", "std::thread"),
            ("std::this_thread::sleep_for(x);", "sleep_for"),
            ("auto t = std::chrono::steady_clock::now();", "steady_clock"),
            ("auto t = std::chrono::system_clock::now();", "system_clock"),
            ("int f = ::open(path, 0);", "::open"),
            ("int f = ::socket(1, 2, 3);", "::socket"),
            ("std::ofstream out(path);", "std::ofstream"),
            ("std::random_device seed;", "std::random_device"),
            ("  throw Oops();", "throw"),
            ("class TenantManager {};", "TenantManager"),
            ("struct MoveHelper {};", "MoveHelper"),
            ("int PageUtil();", "PageUtil"),
        ]:
            self.refuses("src/node/a.cc", text + "\n", what)
        self.refuses("src/runtime/a.cc", "co_await x;\n", "co_await")
        self.refuses("src/node/a_test.cc", "std::this_thread::sleep_for(x);\n", "sleep_for")
        self.refuses("sim/a.cc", "auto t = std::chrono::steady_clock::now();\n", "steady_clock")
        self.allows("src/runtime/a.cc", "std::thread t([] {});\nauto n = std::chrono::steady_clock::now();\n")
        self.allows("src/node/a.cc", "runtime::SleepFor(x);\ndouble utilization = 0;\nauto f = disk::open(p);\n")

    def test_comments_and_strings_are_not_code(self):
        self.allows("src/node/a.cc", '// no co_await here\nauto s = "std::thread";\n/* steady_clock\n */\n')
        self.allows("src/node/a.cc", 'auto s = R"(::open(x) " // )";\n')
        self.refuses("src/node/a.cc", 'auto s = "//"; co_await x;\n', "co_await")
        self.refuses("src/node/a.cc", "int n = 1'000; co_await x; int m = 2'000;\n", "co_await")
        self.assertEqual(code_only("a /* 1\n2 */ b\n").count("\n"), 2)

    def test_shape_of_a_file(self):
        self.refuses("src/base/a.h", "// What.\nint x;\n", "#pragma once")
        self.refuses("src/base/a.h", "#pragma once\n", "opens with a comment")
        self.refuses("src/base/a.cc", "int x;\n" * 601, "601 lines")
        self.refuses("tests/a.py", "import os\n", "opens with a comment")
        self.allows("src/base/a.h", HEADER)
        self.allows("src/base/a.cc", "\n" * 600)

    def test_names_of_files(self):
        self.refuses("src/base/string_utils.cc", "", "name its subject")
        self.refuses("src/base/helper.cc", "", "name its subject")
        self.allows("src/base/units.cc", "")

    def test_open_ends(self):
        for word in ("TO" + "DO", "FIX" + "ME"):
            self.refuses("src/base/a.cc", f"// {word}: later\n", "open end")


if __name__ == "__main__":
    unittest.main()
