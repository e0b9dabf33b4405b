#!/bin/sh
# Builds the emulator and the functions as they are shipped, and loads them: each kind of request in KIND, in ROUNDS blocks of
# REQUESTS. With BASE=<commit>, the emulator and the functions of that commit take turns with these.
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh
: "${CARGO_TARGET_DIR:?}" "${REQUESTS:=1000}" "${ROUNDS:=3}" "${KIND:=fallback veri_code register login user_index}"

here=$CARGO_TARGET_DIR/bench/stage
base=$CARGO_TARGET_DIR/bench/stage-base
mkdir -p "$here" "$base"

# build FOLDER TARGET BINARIES: the emulator and the functions of the tree in FOLDER, built in TARGET, into BINARIES. The emulator
# is built apart, so that no function's crate gets features that it is not shipped with.
build() {
    (
        cd "$1"
        export CARGO_TARGET_DIR="$2"
        # shellcheck disable=SC2046 # words
        build_here "$3" $(basename -a functions/*/*)
        cargo build --release --package local --bins
        cp --remove-destination "$2/release/local" "$3/"
    )
}

if [ -n "${BASE-}" ]; then
    tree_of "$BASE"
    build "$tree" "$CARGO_TARGET_DIR/base" "$base"
fi
build . "$CARGO_TARGET_DIR" "$here"
cargo build --package bench
# shellcheck disable=SC2086
"$CARGO_TARGET_DIR/debug/bench" stage ${BASE:+--base "$base"} --requests "$REQUESTS" --rounds "$ROUNDS" "$here" $KIND
