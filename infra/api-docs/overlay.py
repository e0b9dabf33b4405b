"""Applies an OpenAPI Overlay 1.0 that translates a description, and tells where the two do not fit: a text that has no
translation, one that has gone, and one that has changed since it was translated.

Of the Overlay Specification this knows `update` with objects, which is all that a translation is made of. Each action has
a digest of the English that it was made from, as `x-badge-english`.
"""

import hashlib
import json
import re

import jsonpath

# Keys whose values people read.
TEXTS = {"summary", "description", "x-displayName"}
# Below these lies what goes over the wire.
WIRE = {"example", "value", "default", "const", "enum"}
CHINESE = re.compile("[\u4e00-\u9fff]")
# The end of a line that the next one goes on with, where Chinese has no space.
BREAK = re.compile("(?<=[\u3001-\u301f\u4e00-\u9fff\uff01-\uff5e])\n(?=[\u3001-\u301f\u4e00-\u9fff\uff01-\uff5e`])")
# A row of the table of codes: code and name.
CODE = re.compile(r"^\| (\d+) \| (\w+) \|", re.M)


def texts(node, path=()):
    """Every text of a description, with the keys that lead to it."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in TEXTS and isinstance(value, str):
                yield (*path, key), value
            elif key not in WIRE:
                yield from texts(value, (*path, key))
    elif isinstance(node, list):
        for at, value in enumerate(node):
            yield from texts(value, (*path, at))


def translate(document, overlay):
    """The document with the overlay applied to it, and what is wrong with the overlay."""
    # By way of JSON, so that what YAML's anchors share is shared no more.
    english, result = (json.loads(json.dumps(document)) for _ in range(2))
    missing, faults = dict(texts(english)), []
    for action in overlay["actions"]:
        target, update = action["target"], action["update"]
        matches = list(jsonpath.finditer(target, english, strict=True))
        if not matches:
            faults.append(f"{target}: there is no such place any more")
        sources = []
        for match in matches:
            for keys, text in leaves(update):
                path = (*match.parts, *keys)
                source = missing.pop(path, None)
                if source is None:
                    faults.append(f"{target}: no text {'.'.join(keys)} to translate, or it is translated twice")
                    continue
                sources.append(source)
                faults += compare(f"{target}: {'.'.join(keys)}", source, text)
                put(result, path, unwrapped(text))
        # A text that stands in many places counts once, so that one more of them does not ask for a new digest.
        digest = hashlib.sha256("\n".join(dict.fromkeys(sources)).encode()).hexdigest()[:8]
        if sources and action.get("x-badge-english") != digest:
            faults.append(
                f"{target}: the English has changed; make the translation say the same, and note x-badge-english: {digest}"
            )
    faults += [f"{'.'.join(map(str, path))}: no translation of {text[:50]!r}" for path, text in missing.items()]
    return result, faults


def leaves(update, path=()):
    for key, value in update.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def compare(where, source, text):
    if not CHINESE.search(text):
        yield f"{where} is not Chinese"
    if CODE.findall(source) != CODE.findall(text):
        yield f"{where} has other codes in its table"
    marks = re.compile("<!-- (\\w+)")
    if marks.findall(source) != marks.findall(text):
        yield f"{where} has not the marks of what `make docs` puts there"


def unwrapped(text):
    """Without the breaks inside of a sentence, which Markdown would show as spaces."""
    return BREAK.sub("", text)


def put(node, path, text):
    for key in path[:-1]:
        node = node[key]
    node[path[-1]] = text
