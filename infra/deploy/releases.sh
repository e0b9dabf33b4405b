#!/bin/sh
# Lists the releases of a stage, newest first; * is live.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh

need_stage releases
need_account
need_bucket
releases list
