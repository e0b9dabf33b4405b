#!/bin/sh
# The code of the function FN alone, in seconds. Its settings are the template's, so they stay as they are.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh

need_stage push
[ -n "${FN-}" ] || fail "which function? type: make push FN=login STAGE=$STAGE"
ls -d functions/*/"$FN" >/dev/null 2>&1 || fail "there is no function $FN in functions/"
need_account
infra/deploy/build.sh "$FN"

function="badge-$STAGE-$FN"
before=target/lambda/before.$STAGE
live_versions >"$before"
version=$("$AWS" lambda update-function-code --function-name "$function" --zip-file "fileb://target/lambda/$FN.zip" \
    --publish --query Version --output text) || fail "$function did not take its code; the line above says why"
"$AWS" lambda wait published-version-active --function-name "$function" --qualifier "$version"
set_alias "$function" live "$version"
remember "$before"
smoke || {
    infra/deploy/rollback.sh
    fail "the stage did not work with it, so its code is again the one before"
}
say "$function is version $version"
