#!/bin/sh
# Starts the built stage on a free port, holds docs/openapi.yaml against it with schemathesis, and stops it. The
# requests are the same at each run; another SEED asks others.
set -eu
cd "$(dirname "$0")/../.."
. infra/setup/lib.sh
: "${CARGO_TARGET_DIR:?}"

CONTRACT=infra/local/tests/contract

python=.tools/venv/bin/python
log=$(mktemp)
stage=

stop() {
    if [ -n "$stage" ]; then
        kill "$stage" 2>/dev/null || true
        wait "$stage" 2>/dev/null || true
    fi
    rm -f "$log"
}
trap stop EXIT
trap 'exit 130' INT TERM

port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
BADGE_ORIGIN="http://127.0.0.1:$port"
export BADGE_ORIGIN PYTHONDONTWRITEBYTECODE=1 HYPOTHESIS_STORAGE_DIRECTORY=.tools/hypothesis

"$CARGO_TARGET_DIR/debug/stage" --port "$port" --stage local >"$log" 2>&1 &
stage=$!
until "$python" -c "import urllib.request as u; u.urlopen('$BADGE_ORIGIN/_stage/state', timeout=5)" 2>/dev/null; do
    kill -0 "$stage" 2>/dev/null || { cat "$log" >&2; fail "the stage did not start"; }
    sleep 0.1
done

say "API description against $BADGE_ORIGIN: schemathesis"
code=0
.tools/venv/bin/schemathesis --config-file "$CONTRACT/schemathesis.toml" run docs/openapi.yaml \
    --url "$BADGE_ORIGIN/local/iwc/badge" --seed "${SEED:-1}" || code=$?
[ "$code" != 142 ] || say "error: schemathesis took longer than hooks.py allows" # 128 + SIGALRM
exit "$code"
