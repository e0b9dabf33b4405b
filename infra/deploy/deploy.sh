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
[ "${1-}" = --diff ] || prepare_stack
MARKED=${RETRY-} infra/deploy/build.sh

# Code goes to Lambda by a bucket, one for all stages of the account and the region.
bucket="badge-code-$ACCOUNT-$REGION"
if ! "$AWS" s3api head-bucket --bucket "$bucket" >/dev/null 2>&1; then
    "$AWS" s3 mb "s3://$bucket" >/dev/null || fail "the bucket $bucket could not be made; the line above says why"
fi

sed 's|CodeUri: ../target/lambda/\(.*\)/$|CodeUri: \1.zip|' infra/template.yaml >target/lambda/template.yaml
"$AWS" cloudformation package --template-file target/lambda/template.yaml --s3-bucket "$bucket" \
    --output-template-file target/lambda/packaged.yaml >/dev/null

stack() {
    set -- "$@" --parameter-overrides
    while IFS= read -r parameter; do set -- "$@" "$parameter"; done <target/lambda/parameters
    "$AWS" cloudformation deploy --stack-name "badge-$STAGE" --template-file target/lambda/packaged.yaml \
        --s3-bucket "$bucket" --capabilities CAPABILITY_IAM --tags project=badge "stage=$STAGE" \
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

before=target/lambda/before.$STAGE
: >"$before"
case $(stack_state) in "" | REVIEW_IN_PROGRESS) ;; *) live_versions >"$before" ;; esac
stack || {
    print_failures
    fail "the stack badge-$STAGE was not deployed; the lines above say why. Type the same again once that is mended"
}
remember "$before"
smoke || {
    [ -s "$before" ] || fail "the stage is up and does not work; there is no version before to go back to"
    infra/deploy/rollback.sh
    fail "the stage did not work, so its code is again the one before; settings and resources are the new ones"
}
output Url
