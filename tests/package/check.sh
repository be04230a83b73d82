#!/usr/bin/env bash
# Makes the .deb, unpacks it into a folder of its own, and looks whether what is in it works there.
# Usage: check.sh BUILD_FOLDER
set -euo pipefail
build=$(realpath "$1")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

fail() {
  echo "package: $*" >&2
  exit 1
}

(cd "$build" && cpack -G DEB -B "$root/made" >"$root/log" 2>&1) || fail "it was not made: $(tail -20 "$root/log")"
deb=$(echo "$root"/made/tradewind_*.deb)
[ -f "$deb" ] || fail "there is no .deb: $(ls "$root/made")"
dpkg-deb --field "$deb" Depends | grep -q libboost-context || fail "it does not say what it needs"
[ "$(dpkg-deb --info "$deb" conffiles)" = /etc/tradewind/tradewind.toml ] || fail "an update would replace the settings"

dpkg -x "$deb" "$root/tree"
tree=$root/tree
version=$("$tree/usr/bin/tradewind" --version)
[ "$version" = "tradewind $(dpkg-deb --field "$deb" Version)" ] || fail "the program says '$version'"
"$tree/usr/bin/tradewind" config check "$tree/etc/tradewind/tradewind.toml" || fail "it does not start with its own settings"
for file in lib/systemd/system/tradewind.service usr/share/bash-completion/completions/tradewind \
  usr/share/zsh/vendor-completions/_tradewind usr/share/doc/tradewind/docs/operations.md; do
  [ -s "$tree/$file" ] || fail "there is no $file"
done
bash -n "$tree/usr/share/bash-completion/completions/tradewind" || fail "bash cannot read its completions"
if command -v systemd-analyze >/dev/null; then
  unit=$root/tradewind.service
  sed "s,/usr/bin/tradewind,$tree/usr/bin/tradewind," "$tree/lib/systemd/system/tradewind.service" >"$unit"
  said=$(systemd-analyze verify --man=no "$unit" 2>&1 | grep -F tradewind.service || true)
  [ -z "$said" ] || fail "systemd does not understand the unit: $said"
fi
echo "$(basename "$deb"): $version"
