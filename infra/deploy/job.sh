#!/bin/sh
# Runs the job NAME now, as if its schedule had come to TIME (RFC 3339; by default now), and prints the outcome. On `local` by
# the control API of the running emulator, on any other STAGE by the AWS command line.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh
: "${STAGE:=local}" "${PORT:=9600}"

[ -n "${NAME-}" ] || fail "which job? type: make job NAME=daily STAGE=$STAGE"

on_local() {
    origin=http://127.0.0.1:$PORT
    python3 - "$origin" "$NAME" "${TIME-}" <<'PYTHON' || exit 1
import json, sys, urllib.error, urllib.parse, urllib.request

origin, name, time = sys.argv[1:]


def fail(text):
    sys.exit(f"error: {text}")


def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(f"{origin}/_stage/{path}", data), timeout=600) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return {"refused": error.code, **json.load(error)}
    except OSError:
        fail(f"no emulator listens on {origin}; start it with: make run")


fired = ask(f"schedules/{urllib.parse.quote(name, safe='')}", {"time": time} if time else {})
if fired.get("refused") == 404:
    jobs = sorted(one["binary"] for one in ask("state")["functions"] if one["schedules"])
    fail(f"there is no job {name}; there are: {', '.join(jobs)}")
if "refused" in fired:
    fail(fired["message"])
for line in fired["log"]:
    print(line)
attempts = f", {fired['attempts']} attempts" if fired["attempts"] > 1 else ""
print(f"{name} at {fired['time']}: {fired['outcome']}{attempts}")
if fired["outcome"] != "ok":
    fail("its event is in the dead letters; retry it with: make redrive")
PYTHON
}

on_aws() {
    need_region
    time=${TIME:-$(date -u +%Y-%m-%dT%H:%M:%SZ)}
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    # The shape of the schedules' own Input in infra/template.yaml. A run by hand is no schedule's, so it names none.
    printf '{"version":"0","id":"by-hand","detail-type":"Scheduled Event","source":"aws.scheduler","time":"%s","resources":[],"detail":{}}' \
        "$time" >"$folder/event"
    # One whole run is waited for; without a second try of the command line's own, which would be a second delivery.
    AWS_MAX_ATTEMPTS=1 "$AWS" lambda invoke --function-name "badge-$STAGE-$NAME:live" --payload "fileb://$folder/event" \
        --cli-read-timeout 90 --query FunctionError --output text "$folder/answer" >"$folder/error" ||
        fail "badge-$STAGE-$NAME was not invoked; the line above says why"
    [ "$(cat "$folder/error")" = None ] || {
        cat "$folder/answer" >&2
        fail "$NAME at $time failed; an event that is waited for is not tried again, so run the command once more"
    }
    echo "$NAME at $time: ok; its report is in the log: make logs FN=$NAME STAGE=$STAGE"
}

case $STAGE in
local) on_local ;;
*) on_aws ;;
esac
