#!/bin/sh
# Makes a recorded release live: TO, or the one before the newest. It sets every function, whatever is live now, so it can be
# typed again; settings of functions go along, as they are part of a version, and other resources stay as they are.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh

need_stage rollback
need_account
need_bucket
[ -n "${LOCKED-}" ] || take_lock rollback
mkdir -p target/lambda
id=${TO:-$(releases before)}
wanted=target/lambda/release.$STAGE
releases versions "$id" >"$wanted.all"
functions_of_stage | sort >"$wanted.functions"
# A function that came later stays as it is, and of one that is gone there is nothing to set.
: >"$wanted"
while read -r function version; do
    if grep -qx "$function" "$wanted.functions"; then
        echo "$function $version" >>"$wanted"
    else
        say "$function of that release is no longer in the stage"
    fi
done <"$wanted.all"
while read -r function; do
    grep -q "^$function " "$wanted" || say "$function is not in that release and stays as it is"
done <"$wanted.functions"
make_live "$wanted" ||
    fail "the lines above name the functions that are not of release $id; type: make rollback TO=$id STAGE=$STAGE"
releases mark "$id" live
say "Release $id is live"
