#!/bin/sh
# Prints the key by which messages to the SMS provider `http` are signed, for the provider.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh

need_stage sms-key
need_account
"$AWS" secretsmanager get-secret-value --secret-id "badge/$STAGE/sms" --query SecretString --output text |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["key"])'
