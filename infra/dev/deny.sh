#!/bin/sh
# The dependency audit: cargo-deny, as deny.toml says. With --install it is only installed. Clones share it, because it
# takes minutes to build.
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh
: "${BADGE_TOOLS:?}"

VERSION=0.20.2

deny="$BADGE_TOOLS/bin/cargo-deny"
if [ "$("$deny" --version 2>/dev/null)" != "cargo-deny $VERSION" ]; then
    say "Building cargo-deny $VERSION (some minutes, once)"
    # In a target folder of its own: sharing ours would lock it for all that time.
    env -u CARGO_TARGET_DIR cargo install --quiet --locked --root "$BADGE_TOOLS" --force "cargo-deny@$VERSION" ||
        fail "could not build cargo-deny"
fi
[ "${1-}" = --install ] && exit

say "Dependencies: bans, licenses, sources"
"$deny" --locked check --hide-inclusion-graph bans licenses sources

# The advisories come from a repository on the network, which not every machine reaches.
if "$deny" fetch db >/dev/null 2>&1; then
    say "Dependencies: advisories"
    "$deny" --locked check advisories
else
    say "Dependencies: advisories not checked, their database cannot be reached from here"
fi
