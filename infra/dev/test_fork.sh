#!/bin/sh
# In copies of this clone: makes a fork, changes the original by an endpoint and a job, brings that into the fork, checks and
# uses the fork, removes the endpoint and the job again, and adds a field of the profile. FULL=1 runs the whole `make test` of the fork.
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh
: "${CARGO_TARGET_DIR:?}"

NAME=zebra
SERVICE=$(sed -n 's/^service = "\(.*\)"/\1/p' infra/dev/names.toml)

# Files of a new copy are newer than everything that was built, so cargo builds its workspace again. In CI that is the last
# step, and the next clone builds its own.
if [ -n "${CI-}" ]; then rm -f "$CARGO_TARGET_DIR/last-clone"; else CARGO_TARGET_DIR=$CARGO_TARGET_DIR/fork; fi
export CARGO_TARGET_DIR PYTHONDONTWRITEBYTECODE=1
export GIT_AUTHOR_NAME="$NAME" GIT_AUTHOR_EMAIL="$NAME@localhost" GIT_COMMITTER_NAME="$NAME" GIT_COMMITTER_EMAIL="$NAME@localhost"

tools=$PWD/.tools
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
original=$folder/original fork=$folder/fork

# Most of the time goes into compiling, so what each copy compiles is not optimized; cargo finds this file above the copies. `make
# test` counts instructions, which are those of optimized code.
if [ -z "${FULL-}" ]; then
    mkdir "$folder/.cargo"
    printf '[profile.dev.package.%s]\nopt-level = 0\n' shared local >"$folder/.cargo/config.toml"
fi

verb() { make --no-print-directory "$@"; }

# With changes that are not committed yet.
commit=$(git stash create)
git clone --quiet --local --no-checkout . "$original"
git -C "$original" checkout --quiet -B main "${commit:-$(git rev-parse HEAD)}"
git clone --quiet --local "$original" "$fork"
for copy in "$original" "$fork"; do ln -s "$tools" "$copy/.tools"; done

say "A fork, with a setting of its own"
cd "$fork"
verb fork NAME="$NAME" PREFIX="$NAME/user"
sed -i 's/^alarm_email = ""/alarm_email = "ops@example.com"/' conf/test.toml
git commit --quiet --all --message "Send alarms to ops"

say "The original goes on: an endpoint, a job, and a setting beside its name"
cd "$original"
verb new-endpoint NAME=ping METHOD=GET ROUTE=/ping
verb new-job NAME=tick SCHEDULE='cron(30 4 * * ? *)'
sed -i "/^issuer = /{n;s/^ttl_secs = .*/ttl_secs = 1100/}" conf/test.toml
git add --all
git commit --quiet --message "Add ping and tick"

say "The fork takes that over"
cd "$fork"
git fetch --quiet
verb upgrade FROM=origin/main
for setting in 'alarm_email = "ops@example.com"' 'ttl_secs = 1100'; do
    grep -q "^$setting" conf/test.toml || fail "$setting is lost"
done
# `x-<name>-…` are extensions of OpenAPI, which keep their names.
if git grep -nw "$SERVICE" -- conf functions infra shared docs/openapi.yaml docs/examples | grep -v "x-$SERVICE"; then
    fail "the lines above still have the old name"
fi

verb lint-texts
cargo fmt --all --check
cargo check ${CI:+--locked} --quiet --workspace --all-targets --features shared/fuzz,local/fuzz
if [ -n "${FULL-}" ]; then
    verb test
else
    cargo test ${CI:+--locked} --workspace --test tidy --test template --test needs
    # CI has just run them under the other name, and they take minutes to compile.
    [ -n "${CI-}" ] || cargo test --workspace --test api -- readme:: ping:: tick::
fi

say "Back to what it was"
verb remove-endpoint NAME=ping
verb remove-job NAME=tick
git add --all
git diff --cached --exit-code --stat HEAD~1 -- . ':!conf' ':!infra/dev/names.toml' || fail "the lines above are left of ping and tick"

say "Without an endpoint of the original"
verb remove-endpoint NAME=logout
verb lint-texts
cargo test ${CI:+--locked} --workspace --test tidy --test template --test needs
infra/dev/test_field.sh "$fork"
say "The fork is as it should be"
