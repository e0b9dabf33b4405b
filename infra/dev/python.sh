#!/bin/sh
# Python tools of the checks into .tools/venv, and PyJWT 1.7.1, which the old service used, into .tools/pyjwt1.
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh

REQUIREMENTS=infra/dev/requirements.txt
PYJWT1=PyJWT==1.7.1
VENV=.tools/venv
STAMP=.tools/python.stamp

has python3 || fail "python3 is missing; on Debian or Ubuntu type: sudo apt-get install python3"
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "the checks need Python 3.11 or later, and python3 here is $(python3 --version 2>&1)"

# The stamp names what is installed and where: a moved folder or another python3 makes it anew.
mkdir -p .tools
wanted="$(cksum <"$REQUIREMENTS") $PYJWT1 $(cd .tools && pwd -P) $(python3 -c 'import sys; print(sys.executable, sys.version_info[:3])')"
[ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$wanted" ] && exit

say "Unpacking the Python tools of the checks into .tools (half a minute)"
rm -rf .tools/pyjwt1 "$STAMP"
venv "$VENV"
pip install --requirement "$REQUIREMENTS" || fail "pip could not install $REQUIREMENTS; the lines above say why"
pip install --no-deps --target .tools/pyjwt1 "$PYJWT1" || fail "pip could not install $PYJWT1; the lines above say why"
printf '%s\n' "$wanted" >"$STAMP"
