#!/bin/sh
# The code of the function FN alone, in seconds, by `cargo lambda deploy`. Its settings are the template's, so they stay as they
# are. The new version is asked by its number first; clients get it only if it answers.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh

need_stage push
[ -n "${FN-}" ] || fail "which function? type: make push FN=login STAGE=$STAGE"
ls -d functions/*/"$FN" >/dev/null 2>&1 || fail "there is no function $FN in functions/"
need_account
need_bucket
need_cargo_lambda
take_lock "push FN=$FN"
infra/deploy/build.sh "$FN"
if [ -n "${PREBUILT-}" ]; then
    python3 -m zipfile --extract "target/lambda/$FN.zip" "target/lambda/$FN"
    chmod +x "target/lambda/$FN/bootstrap"
fi

function="badge-$STAGE-$FN"
versions=target/lambda/versions.$STAGE
live_versions >"$versions"
releases adopt "$versions"
# Without `--alias`, which would move as soon as the code is uploaded. cargo-lambda writes the time of the build into its zip, so
# the version of the same code by the next `make deploy` is another one.
deployed=$(cargo lambda deploy --binary-name "$FN" --lambda-dir "$PWD/target/lambda" --output-format json "$function") ||
    fail "$function did not take its code; the line above says why"
# Its progress goes the same way as the JSON.
version=$(printf '%s\n' "$deployed" | sed -n 's/^ *"version": "\([0-9]*\)".*/\1/p')
[ -n "$version" ] || fail "cargo-lambda names no version: $deployed"
"$AWS" lambda wait published-version-active --function-name "$function" --qualifier "$version"
answers "$FN" "$version" || fail "version $version of $function does not work; the one that was live still is"
grep -v "^$function " "$versions" >"$versions.new" || true
echo "$function $version" >>"$versions.new"
last=$(releases current)
id=$(releases record "push $FN" "$versions.new")
set_alias "$function" live "$version" || fail "version $version of $function is there, and not live"
smoke || {
    releases mark "$id" failed
    LOCKED=1 TO=$last infra/deploy/rollback.sh
    fail "the stage did not work with it, so its code is again the one before"
}
releases mark "$id" live
say "$function is version $version, release $id"
