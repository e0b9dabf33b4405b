#!/bin/sh
# Is there what builds the bundle: cargo, and a C compiler (SQLite inside the local stage, the linker)?
set -eu
cd "$(dirname "$0")/../.."
. infra/setup/lib.sh

if ! command -v cargo >/dev/null 2>&1; then
    [ -x "$HOME/.cargo/bin/cargo" ] && fail "cargo is installed but not on PATH; type: . \"\$HOME/.cargo/env\""
    fail "Rust is missing; type: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
fi
cargo --version >/dev/null 2>&1 ||
    fail "cargo does not start with this repository's toolchain (rust-toolchain.toml); type: rustup toolchain install"

if ! command -v cc >/dev/null 2>&1; then
    [ "$(uname -s)" = Darwin ] && fail "a C compiler is missing; type: xcode-select --install"
    can_apt || fail "a C compiler is missing; on Debian or Ubuntu type: sudo apt-get install gcc libc6-dev"
    say "A C compiler is missing: installing gcc"
    apt_install gcc libc6-dev || fail "could not install gcc; type: apt-get install gcc libc6-dev"
fi
