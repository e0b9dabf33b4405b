#!/bin/sh
# Checks for what `make run` needs and cannot get itself: cargo, and a C compiler (for SQLite, and as the linker).
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh

if ! has cargo; then
    [ -x "$HOME/.cargo/bin/cargo" ] && fail "cargo is installed but not on PATH; type: . \"\$HOME/.cargo/env\""
    fail "Rust is missing; type: curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"
fi
cargo --version >/dev/null 2>&1 ||
    fail "cargo does not start with this repository's toolchain (rust-toolchain.toml); type: rustup toolchain install"

has cc || case $(uname -s) in
Darwin) fail "a C compiler is missing; type: xcode-select --install" ;;
*) fail "a C compiler is missing; on Debian or Ubuntu type: sudo apt-get install gcc libc6-dev" ;;
esac
