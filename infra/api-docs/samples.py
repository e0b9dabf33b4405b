"""The samples of each operation, from docs/examples: a program for each language, of which a region named as the operation
is shown, behind the region `client` that all of them need.
"""

import re
import textwrap
from pathlib import Path

# Name in the picker, name for the highlighter, file below docs/examples.
LANGUAGES = [
    ("curl", "shell", "curl/account.sh"),
    ("JavaScript", "javascript", "javascript/account.mjs"),
    ("Python", "python", "python/account.py"),
    ("Kotlin", "kotlin", "kotlin/Account.kt"),
]
REGION = re.compile(r"^ *(?:#|//) region (\w+)\n(.*?)^ *(?:#|//) endregion$", re.M | re.S)


def regions(path: Path):
    return {name: textwrap.dedent(text).strip("\n") for name, text in REGION.findall(path.read_text())}


def samples(folder: Path):
    """By operation, what `x-codeSamples` takes."""
    found = {}
    for label, highlighter, file in LANGUAGES:
        parts = regions(folder / file)
        client = parts.pop("client")
        for operation, text in parts.items():
            source = f"{client}\n\n{text}"
            found.setdefault(operation, []).append({"lang": highlighter, "label": label, "source": source})
    return found


def missing(folder: Path, operations):
    """Operations without a sample, and samples of no operation, as sentences."""
    for _, _, file in LANGUAGES:
        names = set(regions(folder / file)) - {"client"}
        yield from (f"docs/examples/{file} has no region {name}" for name in sorted(operations - names))
        yield from (f"docs/examples/{file} has a region {name}, which is no operation" for name in sorted(names - operations))
