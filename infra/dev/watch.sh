#!/bin/sh
# Runs the stage, and at each change of a file rebuilds and tells it to reload (SIGHUP). A build that fails leaves
# the running stage as it is. A change of the stage's own program starts it again.
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
        echo "The build failed; the stage goes on with the last good one" >&2
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
