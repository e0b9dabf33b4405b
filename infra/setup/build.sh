#!/bin/sh
# Builds the functions as they are shipped, for Lambda's ARM processors, and packs them: target/lambda/<function>.zip.
# With a name, that one alone. With BUILT_IN=<folder> nothing is built: what this machine has built there is packed for an
# emulator of AWS that runs it here (`make test-deploy`).
set -eu
cd "$(dirname "$0")/../.."
. infra/setup/lib.sh

TARGET=aarch64-unknown-linux-gnu
TOOLS=$PWD/.tools/lambda

if [ -n "${1-}" ]; then
    ls -d functions/*/"$1" >/dev/null 2>&1 || fail "there is no function $1 in functions/"
fi
if [ -n "${BUILT_IN-}" ]; then
    for folder in functions/*/${1:-*}; do
        name=${folder##*/}
        mkdir -p "target/lambda/$name"
        strip -o "target/lambda/$name/bootstrap" "$BUILT_IN/$name"
    done
    exec python3 infra/setup/pack.py --here ${1:+"$1"}
fi
[ -d "$(rustc --print sysroot)/lib/rustlib/$TARGET" ] ||
    fail "Rust's library for $TARGET is missing; type: rustup target add $TARGET"
if [ ! -x "$TOOLS/bin/cargo-lambda" ]; then
    say "cargo-lambda is missing: installing it and zig into .tools/lambda (some minutes)"
    if ! { python3 -m venv "$TOOLS" &&
        "$TOOLS/bin/pip" install --quiet --disable-pip-version-check cargo-lambda==1.9.2 ziglang==0.17.1; }; then
        fail "could not install cargo-lambda and zig from PyPI"
    fi
fi

# The whole workspace without the stage, also for one function: features are unified over what is built together. In a
# target folder of this clone's own, because infra/setup/target.sh keeps clones apart for this machine's builds only.
if [ -n "${1-}" ]; then what="--bin $1"; else what=--bins; fi
# shellcheck disable=SC2086 # two words
PATH="$TOOLS/bin:$PATH" CARGO_TARGET_DIR="$PWD/target" cargo lambda build --release --arm64 --locked --workspace --exclude local --exclude support --exclude bench --exclude hello --exclude fuzz $what \
    --lambda-dir "$PWD/target/lambda"
python3 infra/setup/pack.py ${1:+"$1"}
