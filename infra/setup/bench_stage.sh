#!/bin/sh
# Builds the stage and the functions as they are shipped, and loads them: each kind of request in KIND (all without it), in
# ROUNDS blocks of REQUESTS. With BASE=<commit>, the stage and the functions of that commit take turns with these; with
# CONSOLE=<view>, a stage with that view of its console open in a browser takes turns with one without.
set -eu
cd "$(dirname "$0")/../.."
. infra/setup/lib.sh
: "${CARGO_TARGET_DIR:?}" "${REQUESTS:=1000}" "${ROUNDS:=3}"

here=$CARGO_TARGET_DIR/bench/stage
base=$CARGO_TARGET_DIR/bench/stage-base
mkdir -p "$here" "$base"

# build FOLDER TARGET: the stage and the functions of the tree in FOLDER, into TARGET. The stage is built apart, so that
# no function's crate gets features that it is not shipped with.
build() {
    (cd "$1" && infra/setup/target.sh &&
        cargo_build --release --workspace --exclude local --exclude support --exclude bench --exclude hello --exclude fuzz --bins &&
        cargo_build --release --package local --bins)
    for name in local $(basename -a functions/*/*); do cp "$CARGO_TARGET_DIR/release/$name" "$2/"; done
}

if [ -n "${BASE-}" ]; then
    tree_of "$BASE"
    build "$tree" "$base"
fi
build . "$here"
infra/setup/target.sh
cargo_build --package bench
# shellcheck disable=SC2086
"$CARGO_TARGET_DIR/debug/bench" stage --bin-dir "$here" ${BASE:+--base "$base"} ${CONSOLE:+--console "$CONSOLE"} \
    --requests "$REQUESTS" --rounds "$ROUNDS" ${KIND-}
