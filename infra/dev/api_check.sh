#!/bin/sh
# Starts the built stage on a free port, holds docs/openapi.yaml against it with schemathesis, and stops it. The
# requests are the same at each run; another SEED asks others.
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh
: "${CARGO_TARGET_DIR:?}"

CONTRACT=infra/local/tests/contract

start_stage
export BADGE_ORIGIN="$ORIGIN" PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY=.tools/hypothesis

say "API description against $ORIGIN: schemathesis"
code=0
.tools/venv/bin/schemathesis --config-file "$CONTRACT/schemathesis.toml" run docs/openapi.yaml \
    --url "$ORIGIN/local/iwc/badge" --seed "${SEED:-1}" || code=$?
[ "$code" != 142 ] || say "error: schemathesis took longer than hooks.py allows" # 128 + SIGALRM
exit "$code"
