#!/bin/sh
# Makes the user with PHONE (E.164) an admin, who sees the values of others. It holds from the next sign-in on.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh

need_stage "admin PHONE=+8613800138000"
case ${PHONE-} in
+[1-9]*) ;;
*) fail "which phone? type it whole: make admin PHONE=+8613800138000 STAGE=$STAGE" ;;
esac
need_account
"$AWS" dynamodb update-item --table-name "badge-$STAGE-users" --key "{\"phone\": {\"S\": \"$PHONE\"}}" \
    --condition-expression "attribute_exists(phone) AND is_delete = :no" --update-expression "SET #role = :admin" \
    --expression-attribute-names '{"#role": "role"}' \
    --expression-attribute-values '{":admin": {"S": "admin"}, ":no": {"N": "0"}}' ||
    fail "nobody was made an admin: is there a user with that phone? The line above says why"
say "done; it holds from the next sign-in on"
