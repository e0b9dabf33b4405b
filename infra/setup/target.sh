#!/bin/sh
# Clones share one target folder. Cargo tells the crates of a workspace apart by their place in it, and fresh from
# stale by time, so it would take another clone's build for this clone's. When the folder was last used by
# another clone, the workspace's own crates are built anew; the third-party crates stay. With --clean, always.
set -eu
cd "$(dirname "$0")/../.."
: "${CARGO_TARGET_DIR:?}"

last_clone="$CARGO_TARGET_DIR/badge-clone"
[ "${1-}" != --clean ] && [ -f "$last_clone" ] && [ "$(cat "$last_clone")" = "$PWD" ] && exit

mkdir -p "$CARGO_TARGET_DIR"
for profile in dev release; do
    cargo clean --quiet --workspace --profile "$profile"
done
printf '%s\n' "$PWD" >"$last_clone"
