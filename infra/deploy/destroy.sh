#!/bin/sh
# Deletes a stage with all that it stores, also one of which pieces are missing already. Of a protected one, users, the audit,
# secrets and failed events stay, and it needs CONFIRM.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh
. infra/deploy/stack.sh

need_stage destroy
is_protected=$(python3 infra/deploy/parameters.py "$STAGE" | grep -x "Protected=true" || true)
if [ -n "$is_protected" ] && [ "${CONFIRM-}" != "badge-$STAGE" ]; then
    fail "this deletes $STAGE, which is protected; to confirm, type: make destroy STAGE=$STAGE CONFIRM=badge-$STAGE"
fi
need_account
"$AWS" cloudformation delete-stack --stack-name "badge-$STAGE"
"$AWS" cloudformation wait stack-delete-complete --stack-name "badge-$STAGE" || {
    print_failures
    fail "the stack badge-$STAGE is not gone; the lines above say why"
}
if [ -n "$is_protected" ]; then
    say "What $STAGE stores stays: the tables badge-$STAGE-users and -audit, the queues badge-$STAGE-failed-events and -changes, the secrets badge/$STAGE/*"
    exit
fi

# gone WHAT CODE COMMAND...: runs a command that deletes; that there is nothing to delete (an error with CODE) is as good.
left=
gone() {
    what=$1 code=$2
    shift 2
    error=$("$@" 2>&1 >/dev/null) && return
    case $error in
    *"$code"*) ;;
    *)
        say "$what was not deleted: $error"
        left=1
        ;;
    esac
}

# The template keeps these on every stage, because a mistake in it must not empty one.
for table in users audit; do
    gone "the table badge-$STAGE-$table" ResourceNotFoundException \
        "$AWS" dynamodb delete-table --table-name "badge-$STAGE-$table"
done
for failed in events changes; do
    name=badge-$STAGE-failed-$failed
    queue=$("$AWS" sqs get-queue-url --queue-name "$name" --query QueueUrl --output text 2>/dev/null || true)
    [ -z "$queue" ] || gone "the queue $name" NonExistentQueue "$AWS" sqs delete-queue --queue-url "$queue"
done
for secret in jwt veri_code sms; do
    gone "the secret badge/$STAGE/$secret" ResourceNotFoundException \
        "$AWS" secretsmanager delete-secret --secret-id "badge/$STAGE/$secret" --force-delete-without-recovery
done
[ -z "$left" ] || fail "not all of $STAGE is gone; fix what the lines above say and run the command again"
say "The stage $STAGE is gone"
