# The commands of a developer; each installs what it needs first. docs/hacking.md lists the finer ones.
JOBS ?= $(shell nproc)
CLANG_FORMAT ?= clang-format-14
export CTEST_PARALLEL_LEVEL ?= $(JOBS)

# How much `make test-long` does: seeds of the simulated swarm, for each kind of fault alone and for all at once;
# seconds of each race and of each fuzz target.
SEEDS ?= 100
RACE_SECONDS ?= 20
FUZZ_SECONDS ?= 60

.PHONY: build test test-languages sim test-long fuzz unit asan tsan demo model format setup clean package test-upgrade bench-move bench-drain bench-pace bench-neighbour bench-tenants bench-peers bench-soak bench-cores bench-serve bench-mariadb demo-mariadb
.DEFAULT_GOAL := build

setup:
	@scripts/install-dependencies.sh

# Leaves the program at build/tradewind.
build: setup
	@cmake --preset dev
	@cmake --build --preset dev --parallel $(JOBS)

# Everything (formatting and house rules included), then the unit tests again with AddressSanitizer and
# UndefinedBehaviorSanitizer, and those of more than one thread with ThreadSanitizer.
test: build
	@ctest --preset dev
	@$(MAKE) --no-print-directory asan
	@$(MAKE) --no-print-directory tsan

# Clients in Go, Python and Rust, built from their registries' packages; the first time takes some minutes.
test-languages: build
	@scripts/install-dependencies.sh languages
	@tests/languages/build.sh
	@TRADEWIND_BINARY=build/tradewind node --test --test-reporter=spec tests/languages/languages.test.js

# As many seeds of the simulated swarm as SEEDS says, from SEED on; stops at the first that fails, and tells its story.
SEED ?= 1
sim: setup
	@cmake --preset dev
	@cmake --build --preset dev --parallel $(JOBS) --target sim_swarm
	@build/sim_swarm --seeds $(SEEDS) --seed $(SEED) --jobs $(JOBS)

# What finds faults by chance, for an hour or so: many seeds of the simulated swarm; clients of the same names through real nodes; tables that come and go under moves; attacks; clients in other languages; the fuzz targets.
test-long: build
	@TRADEWIND_SEED=1000 TRADEWIND_SEEDS=$(SEEDS) build/sim_swarm
	@TRADEWIND_ATTACKS=2000 build/sqlite_test --gtest_filter='*Attack*'
	@TRADEWIND_RACE_SECONDS=$(RACE_SECONDS) TRADEWIND_BINARY=build/tradewind node --test tests/races/names.test.js
	@TRADEWIND_KILLS=all TRADEWIND_BINARY=build/tradewind node --test tests/mysql/killing.test.js
	@TRADEWIND_RACE_MOVES=200 TRADEWIND_BINARY=build/tradewind node --test tests/races/schema.test.js
	@$(MAKE) --no-print-directory test-languages
	@$(MAKE) --no-print-directory test-upgrade
	@$(MAKE) --no-print-directory fuzz

# Today's program in one cluster with that of an earlier commit, which is built first (build-previous/).
test-upgrade: build
	@JOBS=$(JOBS) tests/upgrade/build_previous.sh
	@TRADEWIND_SEED=1000 TRADEWIND_UPGRADE_MOVES=10 TRADEWIND_BINARY=build/tradewind TRADEWIND_PREVIOUS=build-previous/tradewind \
	  node --test tests/upgrade/rolling.test.js

# Each parser of bytes from outside, for a while.
fuzz:
	@scripts/install-dependencies.sh fuzz
	@cmake --preset fuzz
	@cmake --build --preset fuzz --parallel $(JOBS)
	@for target in build-fuzz/fuzz_*; do echo "$$target"; \
	  "$$target" -max_total_time=$(FUZZ_SECONDS) -verbosity=0 -artifact_prefix=build-fuzz/ || exit 1; done

unit: build
	@ctest --preset unit

asan: setup
	@cmake --preset asan
	@cmake --build --preset asan --parallel $(JOBS)
	@ctest --preset asan

tsan: setup
	@cmake --preset tsan
	@cmake --build --preset tsan --parallel $(JOBS)
	@ctest --preset tsan

# Installs and builds what the program needs, and nothing for its tests. A build folder that has the tests keeps them.
demo:
	@scripts/install-dependencies.sh program
	@[ -f build/build.ninja ] || cmake --preset demo
	@cmake --build --preset demo --parallel $(JOBS)
	@build/tradewind demo

# The same with a tenant of MariaDB, whose sessions go along.
demo-mariadb:
	@scripts/install-dependencies.sh program
	@scripts/install-dependencies.sh mariadb
	@[ -f build/build.ninja ] || cmake --preset demo
	@cmake --build --preset demo --parallel $(JOBS)
	@build/tradewind demo --engine mariadb

# The move protocol, model-checked with Spin; needs nothing of the build. model/README.md says what is covered.
model:
	@scripts/install-dependencies.sh model
	@python3 model/check.py

# Moves of 100 MB, 1 GB and 4 GB under load and beside the raw limit of this machine; some minutes, and room
# for 10 GB under TMPDIR. Other sizes: make bench-move BENCH_FLAGS="--sizes 50MB --json FILE".
bench-move: build
	@build/move_bench $(BENCH_FLAGS)

# A node of 5,000 tenants of 200 KB is drained under light load; room for 3 GB under TMPDIR.
bench-drain: build
	@build/drain_bench $(BENCH_FLAGS)

# A 2 GB tenant moves under load without a throttle, at fixed rates, and at the pace that latency allows; on a
# shaped link between network namespaces where root allows it. A quarter of an hour or more, and room for 8 GB
# under TMPDIR.
bench-pace: build
	@python3 bench/pace/pace.py build/tradewind $(BENCH_FLAGS)

# A neighbour beside everything that could hold a core: half an hour; others: make bench-neighbour BENCH_FLAGS="--only JSON".
bench-neighbour: build
	@python3 bench/neighbour.py $${TRADEWIND_BINARY:-build/tradewind} build/neighbour_probe $(BENCH_FLAGS)

# What serving costs: point reads over HTTP and WebSocket beside /health, a cursor over ten million rows beside the sqlite3
# shell, ten thousand idle WebSockets. Some minutes.
bench-serve: build
	@python3 bench/serve.py $${TRADEWIND_BINARY:-build/tradewind} build/request_rates $(BENCH_FLAGS)

# A MariaDB tenant of 1 GB moves under load: without a throttle, at fixed rates, by the controller, as Slacker was published;
# and beside it what is done by hand. Some ten minutes.
bench-mariadb: build
	@python3 bench/mariadb.py $${TRADEWIND_BINARY:-build/tradewind} --report build $(BENCH_FLAGS)

# Ten minutes of all of that at once on two nodes, beside a bank that moves: what failed, and what memory and descriptors
# are afterwards.
bench-soak: build
	@python3 bench/soak.py $${TRADEWIND_BINARY:-build/tradewind} $(BENCH_FLAGS)

# 100,000 tenants on one node under ulimit -n 20000: memory and descriptors at each step, what an opening takes, how
# long a restart does. A quarter of an hour and some 3 GB under TMPDIR. Fewer: BENCH_FLAGS="--tenants 5000".
bench-tenants: build
	@python3 bench/tenants.py build/tradewind $(BENCH_FLAGS)

# Reads and durable updates a second of 64 clients, beside MariaDB and PostgreSQL (installed if need be) in the same run;
# some four minutes. Beside an earlier program too: BENCH_FLAGS="--before FILE".
bench-peers: build
	@scripts/install-dependencies.sh peers
	@python3 bench/peers.py build/tradewind build/request_rates $(BENCH_FLAGS)

# What a second core brings and costs; two minutes. One of them: BENCH_FLAGS="--only work".
bench-cores: build
	@python3 bench/cores.py build/tradewind $(BENCH_FLAGS)

# A package for Debian, build/tradewind_VERSION_ARCH.deb: the program, its systemd unit and its settings (docs/operations.md).
package: build
	@cd build && cpack -G DEB | tail -1

format:
	@find $(wildcard src sim bench tests fuzz) -name node_modules -prune -o \( -name '*.h' -o -name '*.cc' \) -print | \
	  xargs --no-run-if-empty $(CLANG_FORMAT) -i

clean:
	@rm -rf build build-release build-asan build-tsan build-fuzz
