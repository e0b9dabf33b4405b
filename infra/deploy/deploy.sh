#!/bin/sh
# Creates or updates a stage: resources and settings by infra/template.yaml, code from target/lambda, built anew. Then checks
# that the stage works, and restores the code before if it does not. With --diff it only shows what would change.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh
. infra/deploy/stack.sh

need_stage deploy
mkdir -p target/lambda
python3 infra/deploy/parameters.py "$STAGE" >target/lambda/parameters
need_account
# Code goes to Lambda by a bucket, which also holds the lock and the releases.
need_bucket
[ "${1-}" = --diff ] || {
    take_lock deploy
    prepare_stack
}
MARKED=${RETRY-} infra/deploy/build.sh

hash=$(python3 -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest()[:16])' <target/lambda/parameters)
sed -e 's|CodeUri: ../target/lambda/\(.*\)/$|CodeUri: \1.zip|' -e "s|SETTINGS_HASH: unset|SETTINGS_HASH: h$hash|" \
    infra/template.yaml >target/lambda/template.yaml
"$AWS" cloudformation package --template-file target/lambda/template.yaml --s3-bucket "$BUCKET" \
    --output-template-file target/lambda/packaged.yaml >/dev/null

stack() {
    set -- "$@" --parameter-overrides
    while IFS= read -r parameter; do set -- "$@" "$parameter"; done <target/lambda/parameters
    "$AWS" cloudformation deploy --stack-name "badge-$STAGE" --template-file target/lambda/packaged.yaml \
        --s3-bucket "$BUCKET" --capabilities CAPABILITY_IAM --tags project=badge "stage=$STAGE" \
        --no-fail-on-empty-changeset "$@"
}

if [ "${1-}" = --diff ]; then
    output=$(stack --no-execute-changeset)
    changes=$(printf '%s\n' "$output" | grep -o 'arn:[^ ]*:changeSet/[^ ]*' || true)
    [ -n "$changes" ] || { echo "Nothing would change"; exit; }
    "$AWS" cloudformation describe-change-set --change-set-name "$changes" --output table \
        --query 'Changes[].ResourceChange.[Action,Replacement,LogicalResourceId,ResourceType]'
    exec "$AWS" cloudformation delete-change-set --change-set-name "$changes"
fi

versions=target/lambda/versions.$STAGE
: >"$versions"
case $(stack_state) in
"" | REVIEW_IN_PROGRESS) ;;
*)
    # What somebody has made live by hand is a release too, so that there is a way back to it.
    live_versions >"$versions"
    releases adopt "$versions"
    ;;
esac
stack || {
    print_failures
    fail "the stack badge-$STAGE was not deployed; the lines above say why. Fix the cause and run the command again"
}
stack_versions >"$versions.new"
if cmp -s "$versions" "$versions.new"; then
    smoke || fail "nothing has changed in code, and the stage does not work; type: make logs STAGE=$STAGE"
    output Url
    exit
fi
last=$(releases current)
id=$(releases record deploy "$versions.new")
# CloudFormation moves an alias only if its version is a new one: after a rollback, what is live is mended here.
make_live "$versions.new" || fail "the lines above name the functions that are not of release $id; run the command again"
smoke || {
    releases mark "$id" failed
    [ -n "$last" ] || fail "the stage is up and does not work; there is no release before to go back to"
    LOCKED=1 TO=$last infra/deploy/rollback.sh
    fail "the stage did not work, so its code is again the one before; settings and resources are the new ones"
}
releases mark "$id" live
# The alarm `cache` takes silence for a bad sign, and the first hour would be silent.
[ -n "$last" ] || NAME=cache_watch infra/deploy/job.sh || say "cache_watch failed; its schedule tries again within the hour"
output Url
