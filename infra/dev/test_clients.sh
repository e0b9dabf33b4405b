#!/bin/sh
# Generates clients of docs/openapi.yaml and uses each against a stage of its own; ONLY names some of them. The one of
# clients/typescript is used in a browser too.
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh
: "${CARGO_TARGET_DIR:?}"

export PYTHONDONTWRITEBYTECODE=1
start_stage
say "Generated clients against $ORIGIN"
# shellcheck disable=SC2086 # names, one word each
.tools/venv/bin/python infra/api-docs/clients/clients.py "$ORIGIN" ${ONLY-}

case " ${ONLY:-badge-client} " in
*" badge-client "*) BADGE_CLIENT=$PWD/.tools/clients/badge-client/client.js infra/dev/console.sh -k test_client_package ;;
esac
