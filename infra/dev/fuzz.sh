#!/bin/sh
# Fuzzes every target of infra/fuzz, one after the other, and prints a table. Each gets RUNS executions, or what it does
# in SECONDS if that is less; SEED chooses the mutations, so the same seed and RUNS do the same again. TARGET=phone does
# one alone. At the first crash it stops and says where the input lies.
#
# libFuzzer is guided by coverage: of the workspace's own crates, and of what they instantiate of others. So only they
# are built once more.
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh
: "${CARGO_TARGET_DIR:?}" "${RUNS:=1000000}" "${SECONDS_EACH:=600}" "${SEED:=1}" "${TARGET:=}"

command -v c++ >/dev/null 2>&1 || fail "libFuzzer needs a C++ compiler; on Debian or Ubuntu type: apt-get install g++"

say "Building the targets with coverage"
RUSTC_WORKSPACE_WRAPPER=$PWD/infra/dev/rustc_cov.sh cargo build --quiet --package fuzz --features libfuzzer
folder=$CARGO_TARGET_DIR/fuzz
fuzz=$CARGO_TARGET_DIR/debug/fuzz

row='%-10s %12s %8s %8s %9s %6s\n'
# shellcheck disable=SC2059 # It is a format.
printf "$row" target executions seconds exec/s coverage seed
total=0
for target in ${TARGET:-$("$fuzz" 2>/dev/null)}; do
    corpus=$folder/corpus/$target crashes=$folder/crashes/$target log=$folder/$target.log
    rm -rf "$corpus"
    mkdir -p "$corpus" "$crashes"
    "$fuzz" -runs="$RUNS" -max_total_time="$SECONDS_EACH" -seed="$SEED" -timeout=10 -print_final_stats=1 \
        -artifact_prefix="$crashes/" "$corpus" >"$log" 2>&1 || {
        grep -A 1 -e ' panicked at ' -e 'ERROR: libFuzzer' -e 'Test unit written' "$log" >&2
        fail "$target failed; its whole output is in $log; once more: $fuzz <the file with the input>"
    }
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    seconds=$(sed -n 's/^Done .* in \(.*\) second(s)$/\1/p' "$log")
    coverage=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
    # shellcheck disable=SC2059
    printf "$row" "$target" "$runs" "$seconds" "$((runs / (seconds ? seconds : 1)))" "$coverage" "$SEED"
    total=$((total + runs))
done
echo "$total executions, no crash"
