#!/bin/sh
# Builds what is shipped, the floor and the peer that it is measured against, and measures: RUNS cold starts and WARM warm requests
# of each function in FN (all without it). With BASE=<commit>, that commit's functions take turns with these. TLS=1 puts
# everything behind TLS; SHARE=14 gives a process a fourteenth of a core after its init, and needs root.
# With SIZES="100 10000" it is measured how requests fare with so much stored, a sandbox that serves REQUESTS, and a user who signs
# in SIGN_INS times, instead.
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
    for name in $built; do
        ls -d "$1"/functions/*/"$name" >/dev/null 2>&1 || fail "there is no function $name"
    done
    # shellcheck disable=SC2086 # words
    (cd "$1" && export CARGO_TARGET_DIR="$2" && build_here "$3" $built)
}

# share PARTS: makes a control group, of either version, with one part in so many of a core; sets `group` to its folder. The period
# is Lambda's. Source: the kernel's "Control Group v2" and "CFS Bandwidth Control".
share() {
    for above in /sys/fs/cgroup /sys/fs/cgroup/cpu; do
        group=$above/bench-$$
        mkdir "$group" 2>/dev/null || continue
        quota=$((20000 / $1))
        if [ -w "$group/cpu.max" ]; then
            echo "$quota 20000" >"$group/cpu.max"
            return
        elif [ -w "$group/cpu.cfs_quota_us" ]; then
            echo 20000 >"$group/cpu.cfs_period_us"
            echo "$quota" >"$group/cpu.cfs_quota_us"
            return
        fi
        rmdir "$group"
    done
    fail "SHARE needs a control group of the processor, and none can be made here; as root it can"
}

if [ -n "${BASE-}" ]; then
    tree_of "$BASE"
    build "$tree" "$CARGO_TARGET_DIR/base" "$base"
fi
build . "$CARGO_TARGET_DIR" "$here"
# The store is part of every response; DynamoDB is not a development build.
fast="profile.dev.package.dynoxide-rs.opt-level=3 profile.dev.package.libsqlite3-sys.opt-level=3"
# shellcheck disable=SC2046,SC2086 # words
cargo build --workspace --bin bench $(printf -- '--config %s ' $fast)
if [ -n "${SIZES-}" ]; then
    # shellcheck disable=SC2086
    exec "$CARGO_TARGET_DIR/debug/bench" growth --sizes "$SIZES" --requests "$REQUESTS" --warm "$WARM" \
        --sign-ins "${SIGN_INS:-300}" "$here" $FN
fi
# Each by itself, so that no crate gets features of another one, and with glibc and for speed, as cargo does by itself.
export CARGO_PROFILE_RELEASE_OPT_LEVEL=3
cargo build --release --locked --package hello --features floor
cargo build --release --locked --package peer --features peer
cp --remove-destination "$CARGO_TARGET_DIR/release/hello" "$CARGO_TARGET_DIR/release/peer" "$here/"
if [ -n "${SHARE-}" ]; then
    share "$SHARE"
    trap 'rmdir "$group"; [ -z "${tree-}" ] || git worktree remove --force "$tree"' EXIT
fi
# shellcheck disable=SC2086
"$CARGO_TARGET_DIR/debug/bench" measure ${BASE:+--base "$base"} ${TLS:+--tls} ${SHARE:+--group "$group"} \
    --runs "$RUNS" --warm "$WARM" "$here" $FN
