#!/bin/sh
# In a copy of this clone, or in the one that is named: adds a field to the profile as docs/adding-endpoints.md says, and runs
# the tests of what shows it. Outside of CI these are the tests of the routes too, which take minutes to compile.
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh

copy=${1-}
if [ -z "$copy" ]; then
    copy=$(mktemp -d)
    trap 'rm -rf "$copy"' EXIT
    trap 'exit 130' INT TERM
    # With changes that are not committed yet.
    commit=$(git stash create)
    git clone --quiet --local --no-checkout . "$copy"
    git -C "$copy" checkout --quiet "${commit:-$(git rev-parse HEAD)}"
    ln -s "$PWD/.tools" "$copy/.tools"
    export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$PWD/target}/field"
fi
cd "$copy"

say "A field of the profile"
git add --all
PYTHONDONTWRITEBYTECODE=1 python3 infra/dev/add_field.py
touched=$(git diff --name-only | tr '\n' ' ')
[ "$touched" = "docs/openapi.yaml shared/src/models/profile.rs " ] || fail "a field touches $touched"
PYTHONDONTWRITEBYTECODE=1 .tools/venv/bin/python infra/api-docs/build.py --check
cargo fmt --all
cargo check ${CI:+--locked} --quiet --workspace
# As a workspace, so that third-party crates keep their features and are not built again.
cargo test ${CI:+--locked} --quiet --workspace --lib -- models:: db:: accounts:: http::
[ -n "${CI-}" ] || cargo test --workspace --test api -- me:: register:: user_index:: own_sessions:: admin:: import::
