#!/bin/sh
# Builds what is shipped and the floor that it is measured against, and measures: RUNS cold starts and WARM warm requests
# of each function in FN (all without it). With BASE=<commit>, that commit's functions take turns with these. TLS=1 puts
# everything behind TLS, TLS=cache the cache alone; SHARE=14 gives a process a fourteenth of a core after its init.
# With SIZES="100 10000" it is measured how requests fare with so much stored, and a sandbox that serves REQUESTS, instead.
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh
: "${CARGO_TARGET_DIR:?}" "${RUNS:=21}" "${WARM:=400}" "${FN:=$(basename -a functions/*/*)}"

here=$CARGO_TARGET_DIR/bench/here
base=$CARGO_TARGET_DIR/bench/base
mkdir -p "$here" "$base"
# One sandbox of it serves very many requests.
built="$FN ${SIZES:+user_index}"

# build FOLDER TARGET BINARIES: the functions of the tree in FOLDER, built in TARGET, into BINARIES. Another commit has a target
# folder of its own: cargo would take its crates for those of this one.
build() {
    bins=
    for name in $built; do
        [ -d "$1/functions/api/$name" ] || [ -d "$1/functions/tasks/$name" ] || [ -d "$1/functions/jobs/$name" ] || [ -d "$1/functions/streams/$name" ] ||
            fail "there is no function $name"
        bins="$bins --bin $name"
    done
    # As `make build` has it, so that no crate gets features that it is not shipped with.
    # shellcheck disable=SC2086
    (cd "$1" && CARGO_TARGET_DIR=$2 cargo build --release $FUNCTIONS_ALONE $bins)
    for name in $built; do cp "$2/release/$name" "$3/"; done
}

if [ -n "${BASE-}" ]; then
    tree_of "$BASE"
    build "$tree" "$CARGO_TARGET_DIR/base" "$base"
fi
build . "$CARGO_TARGET_DIR" "$here"
cargo build --release --package hello --features floor
cp "$CARGO_TARGET_DIR/release/hello" "$here/"
if [ -n "${SIZES-}" ]; then
    # shellcheck disable=SC2086
    exec "$CARGO_TARGET_DIR/debug/bench" growth --bin-dir "$here" --sizes "$SIZES" --requests "$REQUESTS" --warm "$WARM" $FN
fi
# shellcheck disable=SC2086
"$CARGO_TARGET_DIR/debug/bench" measure --bin-dir "$here" ${BASE:+--base "$base"} ${TLS:+--tls "$TLS"} \
    ${SHARE:+--share "$SHARE"} --runs "$RUNS" --warm "$WARM" $FN
