#!/bin/sh
# Follows the log lines of the function FN, or of all, from the last ten minutes on, until it is stopped.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh

need_stage "logs FN=login"
need_account
set -- --log-group-name "/badge/$STAGE/functions" --query 'events[].[timestamp,message]' --output text
[ -z "${FN-}" ] || set -- "$@" --filter-pattern "{ \$.function = \"badge-$STAGE-$FN\" }"
since=$(($(date +%s) * 1000 - 600000))
while :; do
    lines=$("$AWS" logs filter-log-events "$@" --start-time "$since")
    if [ -n "$lines" ] && [ "$lines" != None ]; then
        printf '%s\n' "$lines" | cut -f 2-
        since=$(($(printf '%s\n' "$lines" | cut -f 1 | grep -E '^[0-9]+$' | sort -n | tail -n 1) + 1))
    fi
    sleep 2
done
