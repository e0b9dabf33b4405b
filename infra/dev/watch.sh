#!/bin/sh
# Runs the local emulator; when a file changes, rebuilds and makes it reload (SIGHUP). It goes on as it is when a build fails,
# and restarts when its own program has changed.
set -eu
cd "$(dirname "$0")/../.."
: "${CARGO_TARGET_DIR:?}" "${PORT:=9600}" "${STAGE:=local}"

program="$CARGO_TARGET_DIR/debug/local"
seen=$(mktemp)
stage=

stop() {
    if [ -n "$stage" ]; then
        kill "$stage" 2>/dev/null || true
        wait "$stage" 2>/dev/null || true
        stage=
    fi
}
trap 'stop; rm -f "$seen" "$seen.program"' EXIT
trap 'exit 0' INT TERM

start() {
    touch "$seen.program"
    "$program" --port "$PORT" --stage "$STAGE" &
    stage=$!
}

changed() {
    [ -n "$(find functions shared conf infra/template.yaml infra/local/src infra/local/Cargo.toml Cargo.toml \
        -newer "$seen" 2>/dev/null)" ]
}

start
while kill -0 "$stage" 2>/dev/null; do
    sleep 1
    changed || continue
    touch "$seen"
    echo "Changed: building" >&2
    if ! cargo build --quiet --workspace --bins; then
        echo "The build failed; the emulator goes on with the last good one" >&2
    elif [ -n "$(find "$program" -newer "$seen.program")" ]; then
        stop
        start
    else
        kill -HUP "$stage"
    fi
done
code=0
wait "$stage" || code=$?
stage=
exit "$code"
