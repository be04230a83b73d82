#!/usr/bin/env python3
"""What all threads of a process share, found where it cannot hide: in the writable data of the libraries of src/. A node
has a thread for each core, so each such variable must be one that several threads may use, and say here why it is.

Usage: shared_state.py ROOT BUILD_FOLDER. Prints one line a variable that is not listed, and one an entry that names none
(any more); exits 1 when there is any. SQLite's own are not looked at: it is compiled to be used by several threads,
each connection by one at a time.
"""

import pathlib
import re
import subprocess
import sys

THREAD = "each thread has its own"
CONSTANT = "written before there are other threads, or by its initializer, and only read from then on"

# variable -> why several threads may use it
SHARED = {
    # base/
    "tradewind::Memory()::pool": "counters, each an atomic; a bound that is exceeded by what is taken at once is its design",
    "tradewind::MemoryOf(tradewind::MemoryKind)::kinds": "counters, each an atomic",
    "tradewind::TemporarySpace()::pool": "counters, each an atomic",
    "malloc_conf": CONSTANT,
    "tradewind::log::(anonymous namespace)::chosen_format": CONSTANT,
    "tradewind::planted_bug": "set by a test before there is a second thread; else only read",
    # runtime/
    "tradewind::runtime::Core::of_thread_": THREAD,
    "tradewind::runtime::(anonymous namespace)::current_fiber": THREAD,
    # net/
    "tradewind::net::(anonymous namespace)::kKinds": CONSTANT,
    "tradewind::net::ClusterSecret::Prove(unsigned long, std::span<std::basic_string_view<char, std::char_traits<char> > const,"
    " 18446744073709551615ul>) const::mac": "a method of OpenSSL, which only counts who refers to it, by an atomic",
    "tradewind::net::(anonymous namespace)::Begin(tradewind::net::(anonymous namespace)::Agreed&, ssl_ctx_st*)::method": CONSTANT,
    # sqlite/
    "tradewind::sqlite::(anonymous namespace)::lent_budget": THREAD,
    "tradewind::sqlite::(anonymous namespace)::mutexes_held": THREAD,
    "tradewind::sqlite::(anonymous namespace)::stores": THREAD + ": a store is opened and used on its tenant's core",
    "tradewind::sqlite::(anonymous namespace)::next_id": THREAD + ", beside the table of stores",
    "tradewind::sqlite::(anonymous namespace)::Connections()::kept": "under its mutex",
    "tradewind::sqlite::(anonymous namespace)::NextNumber()::last": "an atomic",
    "tradewind::sqlite::(anonymous namespace)::system_allocator": CONSTANT,
    "tradewind::sqlite::(anonymous namespace)::allocator": CONSTANT,
    "tradewind::sqlite::(anonymous namespace)::page_cache": CONSTANT,
    "tradewind::sqlite::(anonymous namespace)::mutexes": CONSTANT,
    "tradewind::sqlite::(anonymous namespace)::kWalMethods": CONSTANT,
    "tradewind::sqlite::(anonymous namespace)::kJournalMethods": CONSTANT,
    "tradewind::sqlite::VfsCalls::kTemporaryMethods": CONSTANT,
    "tradewind::sqlite::CommitLog::MakeRoom(unsigned long)::kZeros": CONSTANT,
    "tradewind::sqlite::InitializeSqlite()::once": "a once_flag",
    "tradewind::sqlite::InitializeSqlite()::{lambda()#1}::operator()() const::vfs": CONSTANT,
    # tenant/
    "tradewind::tenant::admission_observer": "set by a simulation, which has one thread; else only read",
    # catalog/
    "tradewind::catalog::(anonymous namespace)::kKinds": CONSTANT,
    "tradewind::catalog::(anonymous namespace)::kOperations": CONSTANT,
    # outside/ and cli/, whose programs have one core
    "tradewind::outside::(anonymous namespace)::interrupted_file": "of a command, which has one core",
    "tradewind::cli::MemberAt(boost::json::value const&, std::basic_string_view<char, std::char_traits<char> >)::kNull": CONSTANT,
}
# A constant that the compiler may put where constants are, or not.
MAY_BE_READ_ONLY = {name for name, why in SHARED.items() if why == CONSTANT}

_WRITABLE = re.compile(r"^\.(data|bss|tdata|tbss)(?!\.rel\.ro)(\.|$)")
# Headers of libraries bring their own along; guards and thread-local guards are the compiler's.
_OTHERS = re.compile(r"^(guard variable|DW\.ref|TLS|__tls_guard|std::|boost::|fmt::|spdlog::|CLI::|testing::|\.)|^_ZG")


def variables(archive):
    """The names of what is writable in it."""
    listing = subprocess.run(["objdump", "--syms", "--demangle", "--wide", str(archive)], capture_output=True, text=True, check=True)
    for line in listing.stdout.split("\n"):
        # ADDRESS FLAGS SECTION<tab>SIZE [.hidden ]NAME
        before, tab, after = line.partition("\t")
        if not tab:
            continue
        fields = before.split()
        if not _WRITABLE.match(fields[-1]) or fields[-2] == "d":
            continue
        name = after.split(" ", 1)[1].strip().removeprefix(".hidden ").replace("[abi:cxx11]", "")
        if not _OTHERS.match(name):
            yield name


def main(root, build):
    archives = [path for path in sorted(pathlib.Path(build, "src").glob("*/libtw_*.a"))
                if pathlib.Path(root, "src", path.parent.name).is_dir()]  # Not one of a folder that is no more.
    if not archives:
        print(f"there are no libraries under {build}/src: build first")
        return 1
    found = {name: archive.name for archive in archives for name in variables(archive)}
    wrong = [f"{archive}: {name}: say in tests/style/shared_state.py why several threads may use it"
             for name, archive in found.items() if name not in SHARED]
    built = {archive.parent.name for archive in archives}
    if {"base", "runtime", "net", "sqlite", "catalog", "outside", "cli"} <= built:
        wrong += [f"tests/style/shared_state.py: {name}: there is no such variable"
                  for name in SHARED if name not in found and name not in MAY_BE_READ_ONLY]
    print("\n".join(wrong + [f"{len(archives)} libraries, {len(found)} variables, {len(wrong)} violations"]))
    return 1 if wrong else 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: shared_state.py ROOT BUILD_FOLDER")
    sys.exit(main(sys.argv[1], sys.argv[2]))
