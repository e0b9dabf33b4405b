#!/bin/sh
# The code of every function as it was before the last deployment or push; again, and it is the newer one again. Settings
# of functions go along, as they are part of a version; other resources stay as they are.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh

need_stage rollback
need_account
moved=$(functions_of_stage | at_once 1 exchange)
[ -n "$moved" ] || fail "there is no version before; nothing was changed"
say "$moved"
