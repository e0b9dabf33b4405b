#!/bin/sh
# Retries every failed event of a stage. On `local` by the control API of the running emulator. On any other STAGE from its
# queue: SQS redrives to queues only and from the dead letters of queues only (API Reference, StartMessageMoveTask), so
# here each message is received, its function invoked asynchronously, and the message deleted once Lambda has taken it.
# Changes that the audit could not write are delivered again by redrive_changes.py.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh
: "${STAGE:=local}" "${PORT:=9600}"

on_local() {
    python3 - "http://127.0.0.1:$PORT" <<'PYTHON' || exit 1
import json, sys, urllib.request

origin = sys.argv[1]
try:
    with urllib.request.urlopen(f"{origin}/_stage/dead_letters/redrive", b"", timeout=600) as answer:
        driven = json.load(answer)
except OSError:
    sys.exit(f"error: no emulator listens on {origin}; start it with: make run")
for event in driven:
    print(f"{event['function']} {event['request_id']}: {event['outcome']}")
failed = sum(event["outcome"] != "ok" for event in driven)
print(f"{len(driven)} redriven, {len(driven) - failed} succeeded")
sys.exit(failed > 0)
PYTHON
}

# From the answer of ReceiveMessage in $1: the event into $1.event; function, receipt and age in lines.
read_message() {
    python3 - "$1" <<'PYTHON'
import json, sys

message = json.load(open(sys.argv[1]))["Messages"][0]
record = json.loads(message["Body"])
attributes = message.get("MessageAttributes", {})
if "TARGET_ARN" in attributes:  # Of EventBridge Scheduler: the body is the event.
    function, event = attributes["TARGET_ARN"]["StringValue"], record
else:  # Of Lambda: a record of the invocation, with the event in it.
    function, event = record["requestContext"]["functionArn"], record["requestPayload"]
json.dump(event, open(sys.argv[1] + ".event", "w"))
print(function, message["ReceiptHandle"], int(message["Attributes"]["SentTimestamp"]) // 1000, sep="\n")
PYTHON
}

on_aws() {
    need_region
    url=$("$AWS" sqs get-queue-url --queue-name "badge-$STAGE-failed-events" --query QueueUrl --output text) ||
        fail "the queue badge-$STAGE-failed-events was not found; the line above says why"
    file=$(mktemp)
    trap 'rm -f "$file" "$file.event"' EXIT
    begin=$(date +%s)
    driven=0
    while :; do
        "$AWS" sqs receive-message --queue-url "$url" --attribute-names SentTimestamp --message-attribute-names All \
            --wait-time-seconds 2 --output json >"$file"
        [ -s "$file" ] || break
        read_message "$file" >"$file.event.lines"
        { read -r function; read -r receipt; read -r sent; } <"$file.event.lines"
        rm -f "$file.event.lines"
        # What fails again comes back as a new message; it is for the next time.
        [ "$sent" -le "$begin" ] || break
        "$AWS" lambda invoke --function-name "$function" --invocation-type Event --payload "fileb://$file.event" \
            /dev/null >/dev/null || fail "$function did not take its event, which stays in the queue"
        "$AWS" sqs delete-message --queue-url "$url" --receipt-handle "$receipt"
        driven=$((driven + 1))
        echo "$function: taken"
    done
    echo "$driven redriven; an event that fails again returns to the queue after its retries"
    python3 infra/deploy/redrive_changes.py "$AWS" "$STAGE"
}

case $STAGE in
local) on_local ;;
*) on_aws ;;
esac
