#!/bin/sh
# Builds the stage and the functions as they are shipped, and loads them: each kind of request in KIND (all without it), in
# ROUNDS blocks of REQUESTS. With BASE=<commit>, the stage and the functions of that commit take turns with these; with
# CONSOLE=<view>, a stage with that view of its console open in a browser takes turns with one without.
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh
: "${CARGO_TARGET_DIR:?}" "${REQUESTS:=1000}" "${ROUNDS:=3}"

here=$CARGO_TARGET_DIR/bench/stage
base=$CARGO_TARGET_DIR/bench/stage-base
mkdir -p "$here" "$base"

# build FOLDER TARGET BINARIES: the emulator and the functions of the tree in FOLDER, built in TARGET, into BINARIES. The emulator
# is built apart, so that no function's crate gets features that it is not shipped with.
build() {
    # shellcheck disable=SC2086
    (cd "$1" && CARGO_TARGET_DIR=$2 cargo build --release $FUNCTIONS_ALONE --bins &&
        CARGO_TARGET_DIR=$2 cargo build --release --package local --bins)
    for name in local $(basename -a functions/*/*); do cp "$2/release/$name" "$3/"; done
}

if [ -n "${BASE-}" ]; then
    tree_of "$BASE"
    build "$tree" "$CARGO_TARGET_DIR/base" "$base"
fi
build . "$CARGO_TARGET_DIR" "$here"
cargo build --package bench
# shellcheck disable=SC2086
"$CARGO_TARGET_DIR/debug/bench" stage --bin-dir "$here" ${BASE:+--base "$base"} ${CONSOLE:+--console "$CONSOLE"} \
    --requests "$REQUESTS" --rounds "$ROUNDS" ${KIND-}
