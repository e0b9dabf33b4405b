#!/bin/sh
# Where the stage is: its addresses and names, as its stack tells them.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh

need_stage outputs
need_account
"$AWS" cloudformation describe-stacks --stack-name "badge-$STAGE" --output text \
    --query 'Stacks[0].Outputs[].[OutputKey,OutputValue]' ||
    fail "the stage $STAGE is not deployed; type: make deploy STAGE=$STAGE"
