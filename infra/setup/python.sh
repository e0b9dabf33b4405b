#!/bin/sh
# Python tools of the checks into .tools/venv, and PyJWT 1.7.1, which the old service used, into .tools/pyjwt1.
set -eu
cd "$(dirname "$0")/../.."
. infra/setup/lib.sh

REQUIREMENTS=infra/setup/requirements.txt
PYJWT1=PyJWT==1.7.1
VENV=.tools/venv
STAMP=.tools/python.stamp

command -v python3 >/dev/null 2>&1 || {
    can_apt || fail "python3 is missing; on Debian or Ubuntu type: sudo apt-get install python3 python3-venv"
    say "Python is missing: installing python3"
    apt_install python3 python3-venv || fail "could not install python3; type: apt-get install python3 python3-venv"
}
python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "the checks need Python 3.11 or later, and python3 here is $(python3 --version 2>&1)"

# The stamp names what is installed and where: a moved clone or another python3 makes the folder anew.
wanted="$(cksum <"$REQUIREMENTS") $PYJWT1 $PWD $(python3 -c 'import sys; print(sys.executable, sys.version_info[:3])')"
[ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$wanted" ] && exit

say "Installing the Python tools of the checks into .tools (half a minute)"
rm -rf "$VENV" .tools/pyjwt1 "$STAMP"
mkdir -p .tools
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

# Some systems ship Python without what a complete venv needs (python3-venv); a pip outside can fill a bare one.
if python3 -m venv "$VENV" >/dev/null 2>&1; then
    pip() { "$VENV/bin/python" -m pip "$@"; }
elif can_apt && apt_install python3-venv && python3 -m venv --clear "$VENV" >/dev/null 2>&1; then
    pip() { "$VENV/bin/python" -m pip "$@"; }
elif python3 -m venv --clear --without-pip "$VENV" >/dev/null 2>&1 && python3 -m pip --version >/dev/null 2>&1; then
    pip() { python3 -m pip --python "$VENV/bin/python" "$@"; }
else
    fail "python3 can make no virtual environment; on Debian or Ubuntu type: sudo apt-get install python3-venv"
fi
pip install --quiet --requirement "$REQUIREMENTS" || fail "pip could not install $REQUIREMENTS"
pip install --quiet --no-deps --target .tools/pyjwt1 "$PYJWT1" || fail "pip could not install $PYJWT1"
printf '%s\n' "$wanted" >"$STAMP"
