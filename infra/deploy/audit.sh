#!/bin/sh
# Reads the templates with AWS's SAM command line, and what SAM makes of it with checkov, which looks for what is usual and
# missing (infra/deploy/checkov.yaml has what is missing on purpose). Both take minutes to install, and seconds to run.
set -eu
cd "$(dirname "$0")/../.."
. infra/deploy/lib.sh

# tool NAME PACKAGE VERSION: sets TOOL to its program, and gets it where that version is not there.
tool() {
    folder=.tools/$1-$3
    TOOL=$folder/bin/$1
    [ -x "$TOOL" ] && return
    say "$1 $3 is missing: installing $2 into $folder (some minutes, 300 MB)"
    venv "$folder"
    pip install "$2==$3" || fail "could not install $2 from PyPI"
}

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

tool sam aws-sam-cli 1.170.0
say "Template: sam validate --lint"
SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 "$TOOL" validate --lint --template infra/template.yaml

tool checkov checkov 3.3.30
say "What SAM makes of it: checkov"
.tools/venv/bin/python infra/deploy/translate.py infra/template.yaml >"$made/template.json"
for file in "$made/template.json" infra/front.yaml infra/deploy/role.yaml infra/deploy/backup.yaml; do
    "$TOOL" --config-file infra/deploy/checkov.yaml --file "$file"
done
