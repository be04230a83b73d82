#!/usr/bin/env bash
# Builds the clients of languages.test.js into build/languages, from what go.sum, Cargo.lock and requirements.txt pin. Needs go,
# cargo and python3 with venv; their registries where something is not there yet.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
into=$PWD/build/languages
mkdir -p "$into"

(cd tests/languages/go && go build -o "$into/go" .)
CARGO_TARGET_DIR="$into/rust" cargo build --quiet --locked --manifest-path tests/languages/rust/Cargo.toml
if [ ! "$into/python/requirements.txt" -nt tests/languages/python/requirements.txt ]; then
  python3 -m venv "$into/python"
  "$into/python/bin/pip" install --quiet --disable-pip-version-check -r tests/languages/python/requirements.txt
  cp tests/languages/python/requirements.txt "$into/python/"
fi
