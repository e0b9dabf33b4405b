#!/bin/sh
# The dependency audit: cargo-deny, as deny.toml says. With --install it is only installed. Clones share it, because it
# takes minutes to build. With --advisories it looks for known vulnerabilities instead: their database is on the network,
# where CI cannot reach it, so `make lint` does not include that.
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
case ${1-} in
--install) exit ;;
--advisories)
    "$deny" fetch db || fail "no advisory was checked: the database cannot be fetched, and the lines above say why"
    say "Dependencies: advisories"
    exec "$deny" --locked check advisories
    ;;
esac

say "Dependencies: bans, licenses, sources"
"$deny" --locked check --hide-inclusion-graph bans licenses sources
