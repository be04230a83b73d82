#!/usr/bin/env bash
# Installs what building and testing Tradewind needs on Debian 12, without asking. When everything is there it changes
# nothing, needs no network and takes well under a second, so `make` calls it every time.
#
# Usage: install-dependencies.sh           for `make build` and `make test`
#        install-dependencies.sh program   only for the program, as `make demo` builds it
#        install-dependencies.sh model     only for `make model`: the model checker, and the C compiler that it needs
#        install-dependencies.sh fuzz      for `make fuzz`, beside what the build needs
#        install-dependencies.sh languages for `make test-languages`: Go, Rust and Python, if they are not there from elsewhere
#        install-dependencies.sh peers     for `make bench-peers`: the servers to compare with, and their clients
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# ccache and mold are here because what is compiled and linked without them would be made once more with them.
program_packages=(
  build-essential cmake ninja-build ccache mold pkg-config
  libboost1.81-dev libboost-context1.81-dev libboost-json1.81-dev libboost-url1.81-dev
  libssl-dev libexpected-dev libxxhash-dev libjemalloc-dev libzstd-dev libfmt-dev libspdlog-dev libcli11-dev
  libedit-dev libtomlplusplus-dev
)
mariadb_packages=(mariadb-server-core mariadb-client-core mariadb-client mariadb-backup)
test_packages=(
  clang-format-14 python3 libsqlite3-dev libgtest-dev libgmock-dev libbenchmark-dev chromium-headless-shell
  "${mariadb_packages[@]}" sysbench zsh
)
model_packages=(spin gcc libc6-dev python3)
fuzz_packages=(clang-14 libclang-rt-14-dev)
languages_packages=(python3-venv ca-certificates)
peers_packages=(mariadb-server-core mariadb-client-core sysbench postgresql-15)
oldest_node=18

die() {
  echo "install-dependencies: $*" >&2
  exit 1
}

is_installed() {
  [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Node.js runs the tests with real clients. A machine may have it from elsewhere: any recent one will do.
node_is_recent() {
  local version
  version=$(node --version 2>/dev/null) || return 1
  version=${version#v}
  [ "${version%%.*}" -ge "$oldest_node" ]
}

# Prints those of the packages named that are not installed.
missing_of() {
  local package
  for package in "$@"; do
    is_installed "$package" || echo "$package"
  done
}

# Installs the packages named; nothing when there are none.
install_packages() {
  local missing=("$@")
  [ ${#missing[@]} -gt 0 ] || return 0

  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "not root and no sudo; as root run: apt-get install ${missing[*]}"
    as_root=(sudo)
  fi
  echo "install-dependencies: installing ${missing[*]}" >&2
  local apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get --yes --quiet)
  # The package lists may be missing (a fresh container) or stale: fetch them only when the first try fails.
  "${apt[@]}" install --no-install-recommends "${missing[@]}" 2>/dev/null && return 0
  "${apt[@]}" update
  "${apt[@]}" install --no-install-recommends "${missing[@]}"
}

# The packages named, and npm, which brings SQLite.
install_build_packages() {
  local missing
  missing=$(missing_of "$@")
  node_is_recent || missing+=" nodejs"
  command -v npm >/dev/null || missing+=" npm"
  install_packages $missing
}

# The libraries from npm that the tests in a folder use, exactly as its lock file says.
install_npm_libraries() {
  local folder=$1
  [ -f "$folder/package-lock.json" ] || return 0
  [ "$folder/package-lock.json" -nt "$folder/node_modules/.package-lock.json" ] || return 0
  echo "install-dependencies: npm ci in $folder" >&2
  npm ci --prefix "$folder" --no-audit --no-fund
  touch "$folder/node_modules/.package-lock.json"
}

command -v dpkg-query >/dev/null || die "this is not Debian; see the packages at the top of $0"
case "${1:-}" in
  model)
    install_packages $(missing_of "${model_packages[@]}")
    ;;
  fuzz)
    "$0"
    install_packages $(missing_of "${fuzz_packages[@]}")
    ;;
  languages)
    missing=$(missing_of "${languages_packages[@]}")
    command -v go >/dev/null || missing+=" golang-go"
    command -v cargo >/dev/null || missing+=" cargo"
    install_packages $missing
    ;;
  peers)
    install_packages $(missing_of "${peers_packages[@]}")
    ;;
  mariadb)
    install_packages $(missing_of "${mariadb_packages[@]}")
    ;;
  program)
    install_build_packages "${program_packages[@]}"
    scripts/fetch-sqlite.sh
    ;;
  "")
    install_build_packages "${program_packages[@]}" "${test_packages[@]}"
    install_npm_libraries tests/clients
    install_npm_libraries tests/mysql
    install_npm_libraries tests/report
    scripts/fetch-sqlite.sh
    ;;
  *) die "unknown part '$1': program, mariadb, model, fuzz, languages, peers, or nothing" ;;
esac
