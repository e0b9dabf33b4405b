#!/bin/sh
# The code of the function FN alone, in seconds. Its settings are the template's, so they stay as they are. The new version is
# asked by its number first; clients get it only if it answers.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh

need_stage push
[ -n "${FN-}" ] || fail "which function? type: make push FN=login STAGE=$STAGE"
ls -d functions/*/"$FN" >/dev/null 2>&1 || fail "there is no function $FN in functions/"
need_account
need_bucket
take_lock "push FN=$FN"
infra/deploy/build.sh "$FN"

function="badge-$STAGE-$FN"
versions=target/lambda/versions.$STAGE
live_versions >"$versions"
releases adopt "$versions"
version=$("$AWS" lambda update-function-code --function-name "$function" --zip-file "fileb://target/lambda/$FN.zip" \
    --publish --query Version --output text) || fail "$function did not take its code; the line above says why"
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
