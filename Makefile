# The commands of a developer; each installs what it needs first. docs/hacking.md lists the finer ones.
JOBS ?= $(shell nproc)
CLANG_FORMAT ?= clang-format-14
export CTEST_PARALLEL_LEVEL ?= $(JOBS)

.PHONY: build test unit asan demo model format setup clean bench-move bench-drain bench-pace
.DEFAULT_GOAL := build

setup:
	@scripts/install-dependencies.sh

# Leaves the program at build/tradewind.
build: setup
	@cmake --preset dev
	@cmake --build --preset dev --parallel $(JOBS)

# Everything (formatting and house rules included), then the unit tests again with AddressSanitizer and
# UndefinedBehaviorSanitizer.
test: build
	@ctest --preset dev
	@$(MAKE) --no-print-directory asan

unit: build
	@ctest --preset unit

asan: setup
	@cmake --preset asan
	@cmake --build --preset asan --parallel $(JOBS)
	@ctest --preset asan

demo: build
	@build/tradewind demo

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

format:
	@find $(wildcard src sim bench tests fuzz) -name node_modules -prune -o \( -name '*.h' -o -name '*.cc' \) -print | \
	  xargs --no-run-if-empty $(CLANG_FORMAT) -i

clean:
	@rm -rf build build-release build-asan build-fuzz
