"""docs/openapi.yaml as the tests read it, which is more strictly than a client does. The description gives a value one
type and leaves replies open and messages free, so that generated clients are easy to use and do not break by an addition.
"""

import json
import re

# A row of the table of codes: code, name, message in Chinese and in English.
ROW = re.compile(r"^\| (\d+) \| \w+ \| (.+?) \| (.+?) \|", re.M)
PLACEHOLDERS = {"names": r"\w+(,\w+)*", "name": r"\w+", "path": ".*", "M": ".*"}


def resolve(document, node):
    while "$ref" in node:
        target = document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        node = target
    return node


def operations(document):
    return [operation for methods in document["paths"].values() for operation in methods.values()]


def strict(document):
    """The document with replies that have no field beyond the named ones, and bodies with all that is accepted."""
    # By way of JSON, so that what YAML's anchors share is shared no more.
    document = json.loads(json.dumps(document))
    for operation in operations(document):
        for media in operation.get("requestBody", {}).get("content", {}).values():
            media["schema"] = widened(document, media["schema"])
        for reply in operation["responses"].values():
            close(document, reply["content"])
    return document


def widened(document, node):
    if isinstance(node, list):
        return [widened(document, item) for item in node]
    if not isinstance(node, dict):
        return node
    node = {key: widened(document, value) for key, value in resolve(document, node).items()}
    also = node.pop("x-badge-also", None)
    return {"oneOf": [node, also]} if also else node


def close(document, node):
    if isinstance(node, list):
        for item in node:
            close(document, item)
    elif isinstance(node, dict):
        node = resolve(document, node)
        if "properties" in node:
            node.setdefault("additionalProperties", False)
        for key, value in node.items():
            if key not in ("example", "examples"):
                close(document, value)


class Messages:
    """The table of codes."""

    def __init__(self, document):
        self.patterns = {}
        for code, chinese, english in ROW.findall(document["info"]["description"]):
            twins = [pattern(chinese), pattern(chinese if english == "the same" else english)]
            self.patterns.setdefault(int(code), []).append(twins)

    def codes(self):
        return self.patterns.keys()

    def languages(self, code, message):
        """Whether it is the Chinese message of the code, and whether it is the English one."""
        twins = self.patterns.get(code, [])
        return tuple(any(re.fullmatch(pair[at], message) for pair in twins) for at in range(2))


def pattern(message):
    parts = re.split(r"\{(\w+)\}", message)
    return "".join(PLACEHOLDERS[part] if at % 2 else re.escape(part) for at, part in enumerate(parts))
