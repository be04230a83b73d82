#!/usr/bin/env bash
# Builds the program of an earlier commit beside today's: build-previous/tradewind. It takes as long as a build of all takes,
# once; later calls find it.
# Usage: build_previous.sh [COMMIT]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# The last one before clients could be asked for tokens.
commit=${1:-3ee71ff892562f227be56db3e196a23545d749cd^}
folder=build-previous

commit=$(git rev-parse --verify --quiet "$commit^{commit}") || {
  echo "build_previous: this copy of the repository has no such commit; fetch its history (git fetch --unshallow)" >&2
  exit 1
}
if [ "$(cat "$folder/built" 2>/dev/null)" != "$commit" ]; then
  rm -rf "$folder"
  mkdir -p "$folder/source"
  git archive "$commit" | tar -xf - -C "$folder/source"
  # The same SQLite: no network is needed for it.
  [ ! -d build-sqlite ] || cp -r build-sqlite "$folder/source/build-sqlite"
  cmake -S "$folder/source" -B "$folder/build" -G Ninja -DTRADEWIND_TESTS=OFF -DCMAKE_BUILD_TYPE=RelWithDebInfo \
    -DCMAKE_C_FLAGS_RELWITHDEBINFO="-O2 -DNDEBUG" -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O2 -DNDEBUG" >/dev/null
  cmake --build "$folder/build" --target tradewind --parallel "${JOBS:-$(nproc)}"
  ln -sf build/tradewind "$folder/tradewind"
  echo "$commit" >"$folder/built"
fi
