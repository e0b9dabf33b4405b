#!/bin/sh
# Builds the endpoints as they are shipped, and fails when one has grown beyond infra/bench/baseline.json or 3 MB zipped, or
# when functions link aws-lc-sys or more than one rustls. FN names some of them. With --renew, the sizes become the baseline.
# In CI, without Rust's library for musl, no size is compared, and this says so.
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh
: "${CARGO_TARGET_DIR:?}"

# What functions link, without what is built for this machine alone.
# shellcheck disable=SC2086 # words
tree() { cargo tree --quiet $FUNCTIONS_ALONE --edges normal "$@"; }

linked=$(tree --prefix none)
if printf '%s\n' "$linked" | grep -q '^aws-lc-sys '; then
    tree --invert aws-lc-sys >&2
    fail "a function links aws-lc-sys, which costs 27 ms of CPU at its first random draw; the lines above say through what"
fi
versions=$(printf '%s\n' "$linked" | grep -E '^rustls v' | cut -d ' ' -f 2 | sort -u)
[ "$(printf '%s\n' "$versions" | wc -l)" = 1 ] || fail "functions link more than one version of rustls: $versions"

if [ -n "${CI-}" ] && ! has_library "$STATIC_TARGET"; then
    say "size: nothing was compared: Rust's library for $STATIC_TARGET is missing; get it with: rustup target add $STATIC_TARGET"
    exit
fi
names=${FN:-$(basename -a functions/api/*)}
# shellcheck disable=SC2086 # words
build_here "$CARGO_TARGET_DIR/size" $names
# shellcheck disable=SC2086
"$CARGO_TARGET_DIR/debug/bench" size ${1:+"$1"} "$CARGO_TARGET_DIR/size" $names
