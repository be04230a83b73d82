#!/usr/bin/env python3
"""Shows each house rule a sample that it must refuse, and one like it that it must let pass."""

import unittest
import unittest.mock

import check
from dead import dead
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
        self.refuses("src/tenant/a.cc", '#include "catalog/catalog.h"\n', "tenant may not include catalog")
        self.refuses("src/catalog/a.h", HEADER + '#include "move/phase.h"\n', "catalog may not include move")
        self.refuses("src/hrana/a_test.cc", '#include "move/phase.h"\n', "hrana may not include move")
        self.refuses("src/node/a.cc", '#include "cli/args.h"\n', "node may not include cli")
        self.refuses("src/cli/a.cc", '#include "sqlite/connection.h"\n', "cli may not include sqlite")
        self.refuses("src/cli/a.cc", '#include "node/node.h"\n', "cli may not include node")
        self.allows("src/cli/a.cc", '#include "sql/value.h"\n')
        self.allows("src/catalog/a.cc", '#include "sqlite/connection.h"\n#include "catalog/catalog.h"\n')
        self.allows("src/move/a.cc", '#include "tenant/tenant.h"\n#include "catalog/catalog.h"\n')
        self.allows("src/gateway/a.cc", '#include "net/http.h"\n#include "hrana/pipeline.h"\n')

    def test_tests_have_an_end(self):
        self.refuses("tests/x/a.test.js", '// T.\nimport { test } from "node:test";\n', "bounded_test.js")
        self.allows("tests/x/a.test.js", '// T.\nimport { test } from "../clients/bounded_test.js";\n')
        self.allows("tests/clients/bounded_test.js", '// T.\nimport * as unbounded from "node:test";\n')

    def test_pages_name_what_is_there(self):
        files = {"src/base/log.cc": "void Say() {}", "bench/x.py": ""}

        def complaints_of(line):
            return [violation.what for violation in check.check_page_of_docs("docs/a.md", line, files.get)]

        self.assertEqual(complaints_of("| it is said | `base/log.cc` (`Say`), `bench/x.py` |"), [])
        self.assertEqual(complaints_of("`base/log.h`, `base/log.cc` (`Say`)"), ["there is no file base/log.h"])
        self.assertEqual(complaints_of("in `base/log.cc` (`Says`, `Say`)"), ["there is no Says in base/log.cc"])

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
        self.refuses("src/report/page/a.js", "// What.\nnode.innerHTML = name;\n", "banned in a page")
        self.refuses("src/report/page/a.js", '// What.\nfetch("/v1/moves");\n', "banned in a page")
        self.allows("src/report/page/a.js", "// What.\nnode.textContent = name;\n")
        self.allows("tests/report/a.js", 'import { x } from "./page.js";\n')

    def test_libraries_stay_in_their_folder(self):
        self.refuses("src/tenant/a.cc", "#include <sqlite3.h>\n", "only sqlite/")
        self.refuses("src/node/a.cc", "#include <boost/beast/http.hpp>\n", "only net/")
        self.refuses("src/net/a.cc", "#include <boost/asio.hpp>\n", "only runtime/")
        self.refuses("sim/a.cc", "#include <boost/asio/io_context.hpp>\n", "only runtime/")
        self.refuses("src/tenant/a.cc", "#include <boost/context/fiber.hpp>\n", "only runtime/")
        self.refuses("src/cli/a.cc", "#include <CLI/CLI.hpp>\n", "only cli/arguments.cc")
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


class DeadDeclarations(unittest.TestCase):
    def dead_in(self, files):
        """Of {path: text}, each header included by some program and its own .cc: the sentences."""
        program = "".join(f'#include "{path[4:]}"\n' for path in files if path.endswith(".h"))
        read = {path: (text, code_only(text)) for path, text in {"src/node/program.cc": program, **files}.items()}
        return [what for _, _, what in dead(read)]

    def is_dead(self, name, declaration, **others):
        found = self.dead_in({"src/base/a.h": HEADER + declaration, **self.named(others)})
        self.assertTrue(any(f" {name} is used" in what for what in found), f"{declaration!r}: only {found}")

    def lives(self, declaration, **others):
        self.assertEqual(self.dead_in({"src/base/a.h": HEADER + declaration, **self.named(others)}), [])

    def named(self, others):
        names = {"source": "src/base/a.cc", "user": "src/net/b.cc", "test": "src/base/a_test.cc", "swarm": "sim/swarm.cc"}
        return {names[key]: text for key, text in others.items()}

    def test_functions(self):
        self.is_dead("Open", "int Open(int number);\n")
        self.is_dead("Open", "int Open(int number);\n", source="int Open(int number) {\n  return number;\n}\n")
        self.is_dead("Open", "const std::vector<int>& Open();\n")
        self.is_dead("Open", "template <typename T>\nResult<T> Open(T what);\n")
        self.is_dead("Open", "inline int Open() { return 1; }\n")
        self.lives("int Open(int number);\n", user="int Other() {\n  return Open(1);\n}\n")
        self.lives("int Open(int number);\n", source="int Open(int n) {\n  return n;\n}\nint x = Open(3);\n")

    def test_methods(self):
        declaration = "class File {\n public:\n  int Read();\n  bool empty() const { return true; }\n};\n"
        source = "int File::Read() {\n  return 1;\n}\n"
        uses = "void Use(File& file) {\n  if (file.empty()) return;\n}\n"
        self.is_dead("Read", declaration, source=source, user=uses)
        self.is_dead("empty", declaration, source=source, user="void Use(File& file) {\n  file.Read();\n}\n")
        self.lives(declaration, source=source, user="void Use(File& file) {\n  if (file.empty()) file.Read();\n}\n")

    def test_overridden_methods_live_by_calls_of_the_first(self):
        declaration = "struct Base {\n  virtual int Read() = 0;\n};\nstruct Derived : Base {\n  int Read() override;\n};\n"
        source = "int Derived::Read() {\n  return 1;\n}\n"
        self.is_dead("Read", declaration, source=source, user="void Use(Derived& file) {\n}\nBase b;\n")
        self.lives(declaration, source=source, user="void Use(Derived& file, Base& base) {\n  base.Read();\n}\n")

    def test_constants_enumerators_fields_macros(self):
        self.is_dead("kMost", "inline constexpr size_t kMost = 3;\n")
        self.is_dead("kTable", "inline constexpr std::array<int, 2> kTable{1, 2};\n")
        self.is_dead("kSecond", "enum class Kind { kFirst, kSecond };\n", user="void Use(Kind kind) {\n  kind == Kind::kFirst;\n}\n")
        self.is_dead("tries", "struct Options {\n  int tries = 3;\n};\n", user="Options options;\n")
        self.is_dead("TW_TWICE", "#define TW_TWICE(x) x x\n")
        self.lives("inline constexpr size_t kMost = 3;\nstatic_assert(kMost < 4);\n")
        self.lives("struct Options {\n  int tries = 3;\n};\n", user="int Use(Options options) {\n  return options.tries;\n}\n")

    def test_types(self):
        self.is_dead("File", "class File {\n public:\n  File(const File&) = delete;\n  ~File();\n};\n", source="File::~File() = default;\n")
        self.is_dead("Handler", "using Handler = std::function<void()>;\n")
        self.lives("class File {\n public:\n  ~File();\n};\n", source="File::~File() = default;\n", user="void Use(File&) {\n}\n")

    def test_what_tests_alone_use_says_so(self):
        test = "TEST(A, B) {\n  Open(1);\n}\n"
        self.is_dead("Open", "int Open(int number);\n", test=test)
        self.is_dead("Open", "int Open(int number);\n", swarm=test)
        self.lives("// For tests.\nint Open(int number);\n", test=test)
        self.lives("int Open(int number);  // For tests.\n", test=test)
        self.is_dead("Open", "// For tests.\nint Open(int number);\n")

    def test_headers(self):
        def dead_headers(files):
            return [path for path, _, what in dead({path: (text, code_only(text)) for path, text in files.items()}) if "header" in what]

        alone = {"src/base/a.h": HEADER, "src/base/a.cc": '#include "base/a.h"\n', "src/base/a_test.cc": '#include "base/a.h"\n'}
        self.assertEqual(dead_headers(alone), ["src/base/a.h"])
        self.assertEqual(dead_headers({**alone, "src/net/b.cc": '#include "base/a.h"\n'}), [])
        self.assertEqual(dead_headers({**alone, "src/base/a.h": "// For tests.\n#pragma once\n"}), [])

    def test_what_is_still_to_come_is_on_the_list_until_it_is_used(self):
        with unittest.mock.patch.dict("dead.STILL_TO_COME", {"src/base/a.h Open": "issue 1"}):
            self.lives("int Open(int number);\n")
            found = self.dead_in({"src/base/a.h": HEADER + "int Open(int n);\n", "src/net/b.cc": "int x = Open(1);\n"})
            self.assertTrue(any("take it out of STILL_TO_COME" in what for what in found), found)
            self.is_dead("Close", "int Open(int number);\nint Close(int number);\n")


if __name__ == "__main__":
    unittest.main()
