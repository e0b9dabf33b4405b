#!/bin/sh
# The console's browser tests. Playwright goes into .tools/console; the browser is the system's Chromium. Arguments are
# pytest's.
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh
: "${CARGO_TARGET_DIR:?}"

TESTS=infra/local/tests/console
VENV=.tools/console
STAMP=.tools/console.stamp

find_browser() {
    for name in "${CHROMIUM:-chromium}" chromium-browser google-chrome; do
        command -v "$name" && return
    done
    return 1
}

CHROMIUM=$(find_browser) || fail "the browser tests need Chromium; on Debian or Ubuntu type: sudo apt-get install chromium"

mkdir -p .tools
wanted="$(cksum <"$TESTS/requirements.txt") $(cd .tools && pwd -P) $(python3 -c 'import sys; print(sys.executable, sys.version_info[:3])')"
[ "$(cat "$STAMP" 2>/dev/null)" = "$wanted" ] || {
    say "Unpacking Playwright into $VENV (half a minute)"
    rm -f "$STAMP"
    venv "$VENV"
    pip install --requirement "$TESTS/requirements.txt" || fail "pip could not install $TESTS/requirements.txt"
    printf '%s\n' "$wanted" >"$STAMP"
}

LOCAL_BIN="$CARGO_TARGET_DIR/debug/local"
export CHROMIUM LOCAL_BIN PYTHONDONTWRITEBYTECODE=1
say "Browser tests of the console; pictures are in .tools/console-shots"
exec "$VENV/bin/python" -m pytest -p no:cacheprovider -q --numprocesses auto "$TESTS" "$@"
