"""Adds an optional field `nickname` to the profile, as docs/adding-endpoints.md describes it: a line of the table, its
description, and the test of the table. Run in a copy of this repository; infra/dev/test_field.sh does."""

import re
import sys
from pathlib import Path

NAME = "nickname"


def change(path, *changes):
    """Replaces each pattern, which must be there."""
    text = Path(path).read_text()
    for pattern, new in changes:
        text, count = re.subn(pattern, new, text, flags=re.M)
        if not count:
            sys.exit(f"error: {path} has nothing like {pattern}")
    Path(path).write_text(text)


change(
    "shared/src/models/profile.rs",
    (r"FIELDS: \[ProfileField; (\d+)\]", lambda found: f"FIELDS: [ProfileField; {int(found[1]) + 1}]"),
    (r'^(    optional\("city", .*\n)', rf'\1    optional("{NAME}", Kind::Text {{ max: 32 }}, Role::User),\n'),
    (r'"city":""\}', rf'"city":"","{NAME}":""}}'),
)
change(
    "docs/openapi.yaml",
    # Samples of rows, requests and replies.
    (r'^( +)(city: "\d+")$', rf'\1\2\n\1{NAME}: ""'),
    # Schemas of rows, and of what is sent.
    (r"^(        )(city: \{.*)$", rf"\1\2\n\1{NAME}: {{ type: string, maxLength: 32 }}"),
    (r"^(        )(city: \*area)$", rf"\1\2\n\1{NAME}: &{NAME} {{ type: string, minLength: 1, maxLength: 32 }}"),
    (r"^(        )(city: \*clearable)$", rf"\1\2\n\1{NAME}: {{ type: [string, 'null'], maxLength: 32 }}"),
    (r"(required: \[|^        \[)(.*province, city), phone", rf"\1\2, {NAME}, phone"),
)
