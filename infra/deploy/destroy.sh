#!/bin/sh
# Deletes a stage with all that it stores. Of prod, users, secrets and failed events stay, and it needs CONFIRM.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh

need_stage destroy
if [ "$STAGE" = prod ] && [ "${CONFIRM-}" != "badge-prod" ]; then
    fail "this deletes prod; to confirm, type: make destroy STAGE=prod CONFIRM=badge-prod"
fi
need_account
"$AWS" cloudformation delete-stack --stack-name "badge-$STAGE"
"$AWS" cloudformation wait stack-delete-complete --stack-name "badge-$STAGE" ||
    fail "the stack badge-$STAGE is not gone; its events in the console say why"
if [ "$STAGE" = prod ]; then
    say "What prod stores stays: the table badge-prod-users, the queue badge-prod-failed-events, the secrets badge/prod/*"
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
