#!/bin/sh
# Imports the users of FILE, the old table `t_user` as MySQL or MariaDB wrote it, into the users' table of STAGE. Without
# WRITE=1 it reads the file alone, and reports what is wrong with which line. On `local` into the running emulator, on any
# other STAGE with the operator's own credentials. RATE is the most writes a second.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh
: "${CARGO_TARGET_DIR:?}" "${STAGE:=local}" "${PORT:=9600}"

[ -n "${FILE-}" ] || fail "which file? type: make import STAGE=$STAGE FILE=users.csv (docs/operations.md says how to export it)"
[ -f "$FILE" ] || fail "there is no file $FILE; type the path of the export: make import STAGE=$STAGE FILE=users.csv"
[ -f "conf/$STAGE.toml" ] || fail "there is no stage $STAGE; there are: $(cd conf && echo *.toml | sed 's/\.toml//g')"
case ${RATE-} in
*[!0-9]*) fail "RATE is the most writes a second; type: make import STAGE=$STAGE FILE=$FILE WRITE=1 RATE=1000" ;;
esac

# Sets the variables by which the program knows who the operator is, as AWS's own tools do: from the environment, a profile,
# or a role.
export_credentials() {
    [ -z "${AWS_ACCESS_KEY_ID-}" ] || [ -z "${AWS_SECRET_ACCESS_KEY-}" ] || return 0
    if [ "$AWS" = .tools/aws/bin/aws ]; then
        # Version 1 of the command line has no verb for it.
        variables=$(.tools/aws/bin/python - <<'PYTHON'
import shlex
import botocore.session

found = botocore.session.get_session().get_credentials().get_frozen_credentials()
names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
for name, value in zip(names, (found.access_key, found.secret_key, found.token)):
    print(f"export {name}={shlex.quote(value or '')}")
PYTHON
        )
    else
        variables=$("$AWS" configure export-credentials --format env)
    fi || fail "your credentials were not found; set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"
    eval "$variables"
}

# Nothing of AWS is asked for a report.
AWS_REGION=${AWS_REGION:-${AWS_DEFAULT_REGION:-local}}
if [ -n "${WRITE-}" ] && [ "$STAGE" = local ]; then
    origin=http://127.0.0.1:$PORT
    AWS_ENDPOINT_URL_DYNAMODB=$(python3 -c "
import json, urllib.request
print(json.load(urllib.request.urlopen('$origin/_stage/state', timeout=10))['dynamodb_url'])" 2>/dev/null) ||
        fail "no emulator listens on $origin; start it with: make run"
    AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_SESSION_TOKEN=
    export AWS_ENDPOINT_URL_DYNAMODB
elif [ -n "${WRITE-}" ]; then
    need_account
    export_credentials
else
    AWS_ACCESS_KEY_ID=none AWS_SECRET_ACCESS_KEY=none
fi
export AWS_REGION AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
export STAGE LAMBDA_TASK_ROOT="$PWD" USERS_TABLE="badge-$STAGE-users"

cargo build --quiet ${CI:+--locked} --package import
exec "$CARGO_TARGET_DIR/debug/import" ${WRITE:+--write} ${RATE:+--rate "$RATE"} "$FILE"
