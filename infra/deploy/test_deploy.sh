#!/bin/sh
# Proves the deployment without an account: what the template says (tests of infra/local), and then the verbs of the Makefile
# against ministack, an emulator of AWS that holds each function to its policies (infra/deploy/tests). ONLY=<words> runs the
# tests with such names, as pytest's -k takes them.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh
: "${CARGO_TARGET_DIR:?}"

need_aws
need_cargo_lambda
# CI has run them in `make test`.
if [ -z "${ONLY-}${CI-}" ]; then
    say "What the template says: cargo test"
    cargo test --quiet --workspace --test template --test tidy --test setup
fi

say "A deployment on an emulator of AWS: pytest"
export BUILT_IN="$CARGO_TARGET_DIR/debug" PYTHONDONTWRITEBYTECODE=1
python=$PWD/.tools/venv/bin/python
cd infra/deploy/tests
# In this order, and without what pytest would leave in the folder. CI has an hour for everything, so it leaves out those that
# deploy once more.
exec "$python" -m pytest -p no:cacheprovider --quiet --durations=5 ${ONLY:+-k "$ONLY"} ${CI:+-m "not slow"} \
    test_front.py test_messages.py test_schedules.py test_rights.py test_canary.py test_versions.py \
    test_cargo_lambda.py test_failures.py test_faults.py test_end.py
