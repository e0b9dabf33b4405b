#!/bin/sh
# Deletes a stage with all that it stores. Of prod, users, the audit, secrets and failed events stay, and it needs CONFIRM.
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
    say "What prod stores stays: the tables badge-prod-users and -audit, the queues badge-prod-failed-events and -changes, the secrets badge/prod/*"
    exit
fi
# The template keeps these on every stage, because a mistake in it must not empty prod.
for table in users audit; do
    "$AWS" dynamodb delete-table --table-name "badge-$STAGE-$table" >/dev/null
done
for failed in events changes; do
    queue=$("$AWS" sqs get-queue-url --queue-name "badge-$STAGE-failed-$failed" --query QueueUrl --output text)
    "$AWS" sqs delete-queue --queue-url "$queue"
done
for secret in jwt veri_code sms; do
    "$AWS" secretsmanager delete-secret --secret-id "badge/$STAGE/$secret" --force-delete-without-recovery >/dev/null
done
say "The stage $STAGE is gone"
