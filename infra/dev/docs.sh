#!/bin/sh
# Builds the API pages into .tools/docs, where the local emulator finds them. Their renderer is one script of one package of
# npm, got once and held to its hash; nothing of the package is run here.
set -eu
cd "$(dirname "$0")/../.."
. infra/dev/lib.sh

PACKAGE=@scalar/api-reference@1.72.1
INTEGRITY=sha512-XpEJ0rfc/cXbCrR+iC4kK0o/WwX2dTtGQbT049OlPKAHD6IMIFdTeGz2r+M27P2EDWKyUITRm/NzlP8z2pw/Ow==
SCRIPT=package/dist/browser/standalone.js

python=.tools/venv/bin/python
folder=.tools/renderer
export PYTHONDONTWRITEBYTECODE=1

fetch() {
    command -v npm >/dev/null 2>&1 ||
        fail "npm is missing, which brings the pages' renderer; on Debian or Ubuntu type: sudo apt-get install npm"
    say "Getting the pages' renderer, $PACKAGE (10 MB)"
    rm -rf "$folder"
    mkdir -p "$folder"
    packed=$(npm pack --silent --ignore-scripts --pack-destination "$folder" "$PACKAGE") ||
        fail "npm could not get $PACKAGE; the lines above say why"
    "$python" infra/api-docs/unpack.py "$folder/$packed" "$INTEGRITY" "$SCRIPT" "$folder"
    rm "$folder/$packed"
    printf '%s\n' "$INTEGRITY" >"$folder/stamp"
}

[ "$(cat "$folder/stamp" 2>/dev/null)" = "$INTEGRITY" ] || fetch
"$python" infra/api-docs/build.py .tools/docs "$folder/${SCRIPT##*/}"
say "API pages: .tools/docs; with \`make run\` at http://127.0.0.1:${PORT:-9600}/docs/"
