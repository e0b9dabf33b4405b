#!/bin/sh
# Tests what the API pages are made of, then runs the samples of docs/examples as they are against a stage of their own.
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh
: "${CARGO_TARGET_DIR:?}"

for program in node curl; do
    command -v "$program" >/dev/null 2>&1 ||
        fail "$program is missing, which runs samples; on Debian or Ubuntu type: sudo apt-get install nodejs curl"
done
node -e 'process.exit(process.versions.node.split(".")[0] < 18 ? 1 : 0)' ||
    fail "the samples need Node 18 or later, and node here is $(node --version)"

export PYTHONDONTWRITEBYTECODE=1
say "Tests of the API pages: pytest"
.tools/venv/bin/pytest --quiet -p no:cacheprovider infra/api-docs

start_stage
say "Samples against $ORIGIN"
.tools/venv/bin/python infra/api-docs/run.py "$ORIGIN"
