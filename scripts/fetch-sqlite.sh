#!/usr/bin/env bash
# Fetches the source of the SQLite that is built into Tradewind, as a package of the npm registry ships it: the
# unchanged amalgamation. Nothing of the package is run. Does nothing when the files are there and are the right ones.
#
# Leaves build-sqlite/sqlite3.c and build-sqlite/sqlite3.h. To take another version change the package and the
# three lines after it, then run src/sqlite's tests: one of them knows the version.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

package=better-sqlite3@12.11.1
inside=package/deps/sqlite3
sums="60d2f39a3726cd6b9021da6f4e868608d66fbb6528a9f513dc8ffcc640493422  build-sqlite/sqlite3.c
9e69a1353a4288450b0d5239ede11fc7f1f4c8e5eb07491fc8317eacb5b7de7e  build-sqlite/sqlite3.h"

is_right() {
  sha256sum --check --status <<<"$sums" 2>/dev/null
}

is_right && exit 0
mkdir -p build-sqlite
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "fetch-sqlite: npm pack $package" >&2
npm pack "$package" --ignore-scripts --silent --pack-destination "$work" >/dev/null || {
  echo "fetch-sqlite: $package cannot be fetched; to build with Debian's SQLite: cmake -DTRADEWIND_SQLITE=system" >&2
  exit 1
}
tar --extract --gzip --file "$work"/*.tgz --directory "$work" "$inside/sqlite3.c" "$inside/sqlite3.h"
mv "$work/$inside/sqlite3.c" "$work/$inside/sqlite3.h" build-sqlite/
touch build-sqlite/sqlite3.c build-sqlite/sqlite3.h  # Packages carry no time that a build could go by.
is_right || {
  echo "fetch-sqlite: what $package holds is not what it should; build-sqlite/ is kept to look at" >&2
  exit 1
}
