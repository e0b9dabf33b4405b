"""Checks that docs/openapi.yaml agrees with itself: each example is what its schema says, each reply that a route
can give has an example, in English too where its message is translated, and the table lists every code.

    examples.py docs/openapi.yaml
"""

import re
import sys

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012


class Checker:
    def __init__(self, document):
        self.document = document
        self.registry = Registry().with_resource("doc:", DRAFT202012.create_resource(document))
        self.faults = []

    def resolve(self, node):
        while "$ref" in node:
            target = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def fits(self, schema, value):
        if "$ref" in schema:
            schema = {"$ref": "doc:" + schema["$ref"]}
        return Draft202012Validator(schema, registry=self.registry).is_valid(value)

    def route(self, name, operation):
        body = operation.get("requestBody", {"content": {}})
        for media in body["content"].values():
            if not self.fits(media["schema"], media["example"]):
                self.faults.append(f"{name}: the example of the request does not fit its schema")
        for media in operation["responses"]["200"]["content"].values():
            examples = {key: self.resolve(example)["value"] for key, example in media["examples"].items()}
            self.replies(name, media["schema"]["oneOf"], examples)

    def replies(self, name, schemas, examples):
        for key, example in examples.items():
            if sum(self.fits(schema, example) for schema in schemas) != 1:
                self.faults.append(f"{name}: the example {key} does not fit exactly one schema")
            if re.search(r"[^\x00-\x7f]", example["msg"]) and key + "_en" not in examples:
                self.faults.append(f"{name}: the example {key} has no English twin {key}_en")
        for schema in schemas:
            if not any(self.fits(schema, example) for example in examples.values()):
                self.faults.append(f"{name}: no example of {schema['$ref']}")

    def table(self):
        listed = {int(code) for code in re.findall(r"^\| (\d+) \|", self.document["info"]["description"], re.M)}
        known = set()
        for schema in self.document["components"]["schemas"].values():
            code = schema.get("properties", {}).get("code", {})
            known.update(code.get("enum", []), [code["const"]] if "const" in code else [])
        for code in listed ^ known:
            self.faults.append(f"code {code} is not both in the table and in a schema")


def main(path):
    with open(path, encoding="utf-8") as file:
        checker = Checker(yaml.safe_load(file))
    for path, operations in checker.document["paths"].items():
        for method, operation in operations.items():
            checker.route(f"{method.upper()} {path}", operation)
    checker.table()
    sys.exit("\n".join(checker.faults) or None)


if __name__ == "__main__":
    main(sys.argv[1])
