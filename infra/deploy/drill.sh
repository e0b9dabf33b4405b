#!/bin/sh
# The drill of a restore: the users' table as it was some minutes ago, under another name, counted and deleted again. It
# touches nothing that is in use, and says how long the restore took.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh

need_stage drill
need_account
users=badge-$STAGE-users
drill=$users-drill
begin=$(date +%s)
"$AWS" dynamodb restore-table-to-point-in-time --source-table-name "$users" --target-table-name "$drill" \
    --use-latest-restorable-time >/dev/null ||
    fail "nothing is restored; the line above says why (only \`prod\` has recovery to any second)"
trap '"$AWS" dynamodb delete-table --table-name "$drill" >/dev/null' EXIT
say "restoring $users as $drill (minutes to hours)"
"$AWS" dynamodb wait table-exists --table-name "$drill"
took=$(($(date +%s) - begin))
count=$("$AWS" dynamodb scan --table-name "$drill" --select COUNT --limit 1000 --no-paginate --query Count --output text)
[ "$count" -gt 0 ] || fail "$drill is empty"
say "restored in $took s; it has users ($count of its first 1,000 rows were counted). Write the time down"
