#!/bin/sh
# Builds the functions as they are shipped, for Lambda's ARM processors, and packs them: target/lambda/<function>.zip.
# With names, those alone. With BUILT_IN=<folder> nothing is built: what this machine has built there is packed for an
# emulator of AWS that runs it here (`make test-deploy`). With MARKED=1 packages differ from all before. With PROOF=1 the
# profile `proof` is built, in target/proof, and not packed (`make test-arm` in CI).
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh

for name; do
    ls -d functions/*/"$name" >/dev/null 2>&1 || fail "there is no function $name in functions/"
done
# Packages of a build before, as a pipeline promotes them from one stage to the next; after a deployment that failed they have
# to be marked, so that they are packed again.
if [ -n "${PREBUILT-}" ]; then
    for folder in functions/*/*; do
        [ -f "target/lambda/${folder##*/}.zip" ] || fail "target/lambda/${folder##*/}.zip is missing, and PREBUILT=1 builds nothing"
    done
    [ -z "${MARKED-}" ] || python3 infra/deploy/pack.py --remark
    exit
fi
if [ -n "${BUILT_IN-}" ]; then
    for folder in functions/*/${1:-*}; do
        name=${folder##*/}
        mkdir -p "target/lambda/$name"
        strip -o "target/lambda/$name/bootstrap" "$BUILT_IN/$name"
    done
    exec python3 infra/deploy/pack.py --here ${MARKED:+--mark} ${1:+"$1"}
fi

# The whole workspace without the emulator, also for one function: features are unified over what is built together.
what=--bins
[ $# = 0 ] || what=$(printf -- '--bin %s ' "$@")
if [ -n "${PROOF-}" ]; then profile=proof folder=target/proof; else profile=release folder=target/lambda; fi
# shellcheck disable=SC2086 # words
build_functions aarch64-unknown-linux-musl --profile $profile $what --lambda-dir "$PWD/$folder"
[ -n "${PROOF-}" ] || python3 infra/deploy/pack.py ${MARKED:+--mark} ${1:+"$1"}
