#!/bin/sh
# Takes a stage down, with all that it has stored. Of prod, users, secrets and failed events stay, and it wants to be told
# twice.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh

need_stage destroy
if [ "$STAGE" = prod ] && [ "${CONFIRM-}" != "badge-prod" ]; then
    fail "this takes prod down; who means it types: make destroy STAGE=prod CONFIRM=badge-prod"
fi
need_account
"$AWS" cloudformation delete-stack --stack-name "badge-$STAGE"
"$AWS" cloudformation wait stack-delete-complete --stack-name "badge-$STAGE" ||
    fail "the stack badge-$STAGE is not gone; its events in the console say why"
if [ "$STAGE" = prod ]; then
    say "What prod has stored is kept: the table badge-prod-users, the queue badge-prod-failed-events, the secrets badge/prod/*"
    exit
fi
# The template keeps these on every stage, because a mistake in it must not empty prod.
"$AWS" dynamodb delete-table --table-name "badge-$STAGE-users" >/dev/null
queue=$("$AWS" sqs get-queue-url --queue-name "badge-$STAGE-failed-events" --query QueueUrl --output text)
"$AWS" sqs delete-queue --queue-url "$queue"
for secret in jwt veri_code sms; do
    "$AWS" secretsmanager delete-secret --secret-id "badge/$STAGE/$secret" --force-delete-without-recovery >/dev/null
done
say "The stage $STAGE is gone"
