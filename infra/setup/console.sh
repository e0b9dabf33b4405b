#!/bin/sh
# The console's browser tests. Playwright goes into .tools/console; the browser is the system's Chromium, which is
# installed where that can be done without asking. Arguments are pytest's; `--open VIEW HOST:PORT` shows that view of a running
# emulator until its input ends, for `make bench-stage CONSOLE=inbox`.
set -eu
cd "$(dirname "$0")/../.."
. infra/setup/lib.sh
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

CHROMIUM=$(find_browser) || {
    can_apt || fail "the browser tests need Chromium; on Debian type: sudo apt-get install chromium"
    say "Chromium is missing: installing it (a minute)"
    apt_install chromium || fail "could not install Chromium; type: apt-get install chromium"
    CHROMIUM=$(find_browser)
}

wanted="$(cksum <"$TESTS/requirements.txt") $PWD $(python3 -c 'import sys; print(sys.executable, sys.version_info[:3])')"
[ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$wanted" ] || {
    say "Installing Playwright into $VENV (half a minute)"
    rm -rf "$VENV" "$STAMP"
    python3 -m venv "$VENV" || fail "python3 can make no virtual environment; on Debian type: sudo apt-get install python3-venv"
    "$VENV/bin/pip" install --quiet --disable-pip-version-check --requirement "$TESTS/requirements.txt" ||
        fail "pip could not install $TESTS/requirements.txt"
    printf '%s\n' "$wanted" >"$STAMP"
}

if [ "${1-}" = --open ]; then
    export CHROMIUM
    exec "$VENV/bin/python" "$TESTS/open.py" "$2" "$3"
fi

LOCAL_BIN="$CARGO_TARGET_DIR/debug/local"
export CHROMIUM LOCAL_BIN PYTHONDONTWRITEBYTECODE=1
say "Browser tests of the console; pictures are in .tools/console-shots"
exec "$VENV/bin/python" -m pytest -p no:cacheprovider -q "$TESTS" "$@"
