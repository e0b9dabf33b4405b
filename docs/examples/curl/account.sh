#!/bin/sh
# Signs up, signs in, lists users and signs out: sh account.sh
set -eu

# region client
BADGE=http://127.0.0.1:9600/local/iwc/badge
BADGE=${BADGE_URL:-$BADGE}
PHONE=13800138000
# endregion

# region veri_code
# The same request, sent twice, is one message with
# -H "Idempotency-Key: $(uuidgen)"
curl -sS "$BADGE/user/veri_code" \
  -d "{\"phone\": \"$PHONE\"}"
# endregion
echo

# region register
printf 'Code: ' && read -r CODE
curl -sS "$BADGE/user/register" -d @- <<END
{
  "user_name": "张三",
  "gender": 1,
  "birth_day": "1990-01-02",
  "phone": "$PHONE",
  "veri_code": "$CODE"
}
END
# endregion
echo

# To sign in takes a code of its own.
printf 'Wait for a minute, then press Enter: ' && read -r _
curl -sS "$BADGE/user/veri_code" -d "{\"phone\": \"$PHONE\"}"
echo

# region login
printf 'Code: ' && read -r CODE
curl -sS -c cookies "$BADGE/user/login" \
  -d "{\"phone\": \"$PHONE\", \"veri_code\": \"$CODE\"}"
# endregion
echo

# region user_index
# The token will do in the place of the cookie:
# -H "Authorization: Bearer $TOKEN"
curl -sS -b cookies -c cookies "$BADGE/user/index?limit=20"
# endregion
echo

# region user_me
curl -sS -b cookies -c cookies "$BADGE/user/me"
# endregion
echo

# region user_update
# null clears an optional field.
curl -sS -b cookies -c cookies "$BADGE/user/update" -d '{"user_name": "李四", "city": null}'
# endregion
echo

# region user_token
curl -sS -b cookies -c cookies -X POST "$BADGE/user/token"
# endregion
echo

# region user_sessions
curl -sS -b cookies -c cookies "$BADGE/user/sessions"
# endregion
echo

# region end_sessions
curl -sS -b cookies -c cookies "$BADGE/user/end_sessions" -d '{"others": true}'
# endregion
echo

# region user_export
curl -sS -b cookies -c cookies "$BADGE/user/export"
# endregion
echo

# region admin_user
# For admins; others get 10007.
curl -sS -b cookies -c cookies -G "$BADGE/admin/user" --data-urlencode "phone=$PHONE"
# endregion
echo

# region admin_update
curl -sS -b cookies -c cookies "$BADGE/admin/update" -d '{"phone": "13900139000", "reset_tries": true}'
# endregion
echo

# region admin_audit
# Who changed what of a user.
USER_ID=$(curl -sS -b cookies "$BADGE/user/index?limit=1" |
  sed -E 's/^.*"id":"([^"]+)".*$/\1/')
curl -sS -b cookies -c cookies \
  "$BADGE/admin/audit?id=$USER_ID&limit=20"
# endregion
echo

# region change_phone
# Both phones receive a code by veri_code.
change_phone() {
  curl -sS -b cookies -c cookies "$BADGE/user/change_phone" \
    -d "{\"phone\": \"$1\", \"veri_code\": \"$2\", \"old_veri_code\": \"$3\"}"
}
# endregion

# region delete_account
# A login with "restore": true restores it.
delete_account() {
  curl -sS -b cookies -c cookies "$BADGE/user/delete" -d "{\"veri_code\": \"$1\"}"
}
# endregion

# region logout
curl -sS -b cookies -c cookies -X POST "$BADGE/user/logout"
# endregion
echo
