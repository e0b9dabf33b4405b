#!/bin/sh
# Changes what the user with PHONE (E.164) may do: CHANGE is promote, demote, disable, enable, end_sessions or delete. Each
# ends the sessions and tokens that the user has. On `local` by the control API of the running emulator, on any other STAGE by
# the function `change_rights`, which writes the line of the audit into the log of the functions.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh
: "${CHANGE:=promote}" "${STAGE:=local}" "${PORT:=9600}"

case $CHANGE in
promote) verb=admin ;;
end_sessions) verb=end-sessions ;;
delete) verb=delete-user ;;
*) verb=$CHANGE ;;
esac
case ${PHONE-} in
+[1-9]*[!0-9]* | "" | [!+]* | + | +[!1-9]*) fail "which phone? type it whole: make $verb PHONE=+8613800138000 STAGE=$STAGE" ;;
esac

on_local() {
    python3 - "http://127.0.0.1:$PORT" "$PHONE" "$CHANGE" <<'PYTHON' || exit 1
import json, sys, urllib.error, urllib.request

origin, phone, change = sys.argv[1:]
body = json.dumps({"phone": phone, "change": change}).encode()
try:
    urllib.request.urlopen(urllib.request.Request(f"{origin}/_stage/users/rights", body), timeout=60).close()
except urllib.error.HTTPError as error:
    sys.exit(f"error: {json.load(error)['message']}")
except OSError:
    sys.exit(f"error: no emulator listens on {origin}; start it with: make run")
PYTHON
}

on_aws() {
    need_stage "$verb PHONE=$PHONE"
    need_account
    by=$("$AWS" sts get-caller-identity --query Arn --output text)
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    python3 - "$PHONE" "$CHANGE" "$by" >"$folder/event" <<'PYTHON'
import json, sys, time, uuid

now = int(time.time() * 1000)
task = dict(zip(("phone", "change", "by"), sys.argv[1:]))
print(json.dumps({"task_id": str(uuid.uuid4()), "time_epoch_ms": now, "spawned_at_ms": now, "task": task}))
PYTHON
    AWS_MAX_ATTEMPTS=1 "$AWS" lambda invoke --function-name "badge-$STAGE-change_rights:live" \
        --payload "fileb://$folder/event" --query FunctionError --output text "$folder/answer" >"$folder/error" ||
        fail "badge-$STAGE-change_rights was not invoked; the line above says why"
    [ "$(cat "$folder/error")" = None ] || fail "nothing was changed, or not all: $(cat "$folder/answer")"
}

case $STAGE in
local) on_local ;;
*) on_aws ;;
esac
say "done; sessions and tokens that $PHONE had are worth nothing any more"
