#!/bin/sh
# rustc for crates of the workspace, with counters that libFuzzer reads: the flags of cargo-fuzz, without a sanitizer,
# which would need a nightly toolchain. Cargo calls it as RUSTC_WORKSPACE_WRAPPER, so that other crates are shared with
# every other build. What cargo itself runs while it builds has no libFuzzer to link to.
case " $* " in
*" --crate-name build_script_"* | *" --crate-name ___ "*) exec "$@" ;;
esac
exec "$@" -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares
