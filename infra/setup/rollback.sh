#!/bin/sh
# The code of every function as it was before the last deployment or push; again, and it is the newer one again. Settings
# of functions go along, as they are part of a version; other resources stay as they are.
set -eu
cd "$(dirname "$0")/../.."
. infra/setup/lib.sh

need_stage rollback
need_account
moved=0
for function in $(functions_of_stage); do
    live=$(alias_of "$function" live)
    before=$(alias_of "$function" before)
    case $before in "" | "$live") continue ;; esac
    set_alias "$function" live "$before"
    set_alias "$function" before "$live"
    say "$function: $live -> $before"
    moved=$((moved + 1))
done
[ "$moved" -gt 0 ] || fail "there is no version before; nothing was changed"
