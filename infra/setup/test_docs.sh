#!/bin/sh
# Tests what the API pages are made of, then runs the samples of docs/examples as they are against a stage of their own.
set -eu
cd "$(dirname "$0")/../.."
. infra/setup/lib.sh
: "${CARGO_TARGET_DIR:?}"

for program in node curl; do
    command -v "$program" >/dev/null 2>&1 ||
        fail "$program is missing, which runs samples; on Debian or Ubuntu type: sudo apt-get install nodejs curl"
done
node -e 'process.exit(process.versions.node.split(".")[0] < 18 ? 1 : 0)' ||
    fail "the samples need Node 18 or later, and node here is $(node --version)"

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

export PYTHONDONTWRITEBYTECODE=1
say "Tests of the API pages: pytest"
.tools/venv/bin/pytest --quiet -p no:cacheprovider infra/pages

port=$("$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
origin="http://127.0.0.1:$port"
"$CARGO_TARGET_DIR/debug/stage" --port "$port" --stage local >"$log" 2>&1 &
stage=$!
until "$python" -c "import urllib.request as u; u.urlopen('$origin/_stage/state', timeout=5)" 2>/dev/null; do
    kill -0 "$stage" 2>/dev/null || { cat "$log" >&2; fail "the stage did not start"; }
    sleep 0.1
done

say "Samples against $origin"
"$python" infra/pages/run.py "$origin"
