#!/bin/sh
# Lists what the verbs need, what of it this machine has, and the command that adds the rest. Changes nothing. Fails when
# something is missing that `make run` cannot do without.
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh
: "${PORT:=9600}"

# How something is installed here.
case $(uname -s) in
Darwin) install="brew install" ;;
*) install="sudo apt-get install" ;;
esac

bad=0

# tell STATE WHAT [HINT]
tell() { printf '%-8s %-24s %s\n' "$1" "$2" "${3-}"; }

# needs WHAT HINT COMMAND...: `make run` fails without it.
needs() {
    what=$1 hint=$2
    shift 2
    if "$@" >/dev/null 2>&1; then
        tell ok "$what"
    else
        tell MISSING "$what" "type: $hint"
        bad=1
    fi
}

# wants WHAT VERB HINT COMMAND...: that verb needs it.
wants() {
    what=$1 verb=$2 hint=$3
    shift 3
    if "$@" >/dev/null 2>&1; then tell ok "$what"; else tell "-" "$what" "for $verb: $hint"; fi
}

python_is_new() { python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))'; }
has_venv() { python3 -c 'import ensurepip, venv' || python3 -c 'import pip, venv'; }
can_log() { [ ! -e logs ] || [ -w logs ]; }
has_cache() {
    for server in .tools/bin/valkey-server .tools/bin/redis-server valkey-server redis-server; do
        if has "$server"; then return; fi
    done
    return 1
}
is_free() { ! curl --silent --output /dev/null --max-time 1 "http://127.0.0.1:$PORT"; }
has_room() { [ "$(df -Pk . | awk 'NR == 2 { print $4 }')" -gt 8000000 ]; }
has_browser() { has chromium || has chromium-browser || has google-chrome; }
has_credentials() { [ -n "${AWS_PROFILE-}${AWS_ACCESS_KEY_ID-}" ] || [ -f "$HOME/.aws/credentials" ]; }

echo "What make run needs:"
needs "Rust, as pinned" "curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh" cargo --version
needs "a C compiler" "$install gcc libc6-dev" has cc
wants "Redis or Valkey" "make run" "it unpacks one into .tools, or type: $install redis-server" has_cache
wants "port $PORT" "make run" "something listens there; type: make run PORT=$((PORT + 1))" is_free
wants "8 GB of disk" "the first build" "free some, or set CARGO_TARGET_DIR to a folder on another disk" has_room
wants "logs/ to write to" "make run" "it is not yours; type: sudo chown -R \"\$(id -un)\" logs" can_log
echo
echo "What other verbs need:"
wants "Python 3.11" "make test, and every verb but run and watch" "$install python3" python_is_new
wants "pip or Python's venv" "the same" "$install python3-venv" has_venv
wants "valgrind" "instructions in make bench and make guard" "$install valgrind" has valgrind
wants "Chromium" "make test-console" "$install chromium" has_browser
wants "npm" "make docs, make test-clients" "$install npm" has npm
wants "Node" "make test-docs, make test-clients" "$install nodejs" has node
wants "Rust's library for ARM" "make build, make deploy" "rustup target add aarch64-unknown-linux-musl" has_library aarch64-unknown-linux-musl
wants "Rust's library for musl" "make size, make bench" "rustup target add $STATIC_TARGET" has_library "$STATIC_TARGET"
wants "credentials of AWS" "make deploy" "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" has_credentials
[ "$bad" = 0 ] || fail "make run cannot work here yet; the lines marked MISSING say why"
