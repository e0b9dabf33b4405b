#!/bin/sh
# Copies one user from a restored table (FROM) over the row of the stage's users' table.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh

need_stage "restore-user PHONE=+8613800138000 FROM=badge-${STAGE:-test}-users-restored"
case ${PHONE-} in
+[1-9]*) ;;
*) fail "which phone? type it whole: make restore-user PHONE=+8613800138000 FROM=badge-$STAGE-users-restored STAGE=$STAGE" ;;
esac
[ -n "${FROM-}" ] || fail "from which table? type: make restore-user PHONE=$PHONE FROM=badge-$STAGE-users-restored STAGE=$STAGE"
need_account
# Personal data, which must not stay.
row=$(mktemp)
trap 'rm -f "$row"' EXIT
"$AWS" dynamodb get-item --table-name "$FROM" --key "{\"phone\": {\"S\": \"$PHONE\"}}" --consistent-read \
    --query Item --output json >"$row" || fail "$FROM was not read; the line above says why"
grep -q '"phone"' "$row" || fail "$FROM has no user with that phone"
"$AWS" dynamodb put-item --table-name "badge-$STAGE-users" --item "file://$row" >/dev/null ||
    fail "the user was not written; the line above says why"
say "restored. Its rights are those of then; end what was opened since: make end-sessions PHONE=$PHONE STAGE=$STAGE"
