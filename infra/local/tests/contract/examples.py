"""Checks that docs/openapi.yaml agrees with itself: each example is what its schema says and has a message of the table of
codes, each reply that a route can give has an example, in English too where its message is translated, the table lists every
code, and client generators can read each schema.

    examples.py docs/openapi.yaml
"""

import re
import sys

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

import description
import parameters


class Schemas:
    def __init__(self, document):
        self.registry = Registry().with_resource("doc:", DRAFT202012.create_resource(document))

    def fit(self, reference, value):
        return Draft202012Validator({"$ref": "doc:" + reference["$ref"]}, registry=self.registry).is_valid(value)


class Checker:
    def __init__(self, document):
        self.document = document
        self.bodies, self.replies = Schemas(document), Schemas(description.strict(document))
        self.messages = description.Messages(document)
        self.faults = []

    def route(self, name, operation):
        for media in operation.get("requestBody", {"content": {}})["content"].values():
            if not self.bodies.fit(media["schema"], media["example"]):
                self.faults.append(f"{name}: the example of the request does not fit its schema")
        for media in operation["responses"]["200"]["content"].values():
            examples = {key: description.resolve(self.document, one)["value"] for key, one in media["examples"].items()}
            self.examples(name, description.resolve(self.document, media["schema"])["oneOf"], examples)

    def examples(self, name, schemas, examples):
        for key, example in examples.items():
            if sum(self.replies.fit(schema, example) for schema in schemas) != 1:
                self.faults.append(f"{name}: the example {key} does not fit exactly one schema")
            if not self.messages.languages(example["code"], example["msg"])[key.endswith("_en")]:
                self.faults.append(f"{name}: the message of the example {key} is not in the table of codes")
            if fault := parameters.message_fault(example):
                self.faults.append(f"{name}: the example {key}: {fault}")
            if re.search(r"[^\x00-\x7f]", example["msg"]) and key + "_en" not in examples:
                self.faults.append(f"{name}: the example {key} has no English twin {key}_en")
        for schema in schemas:
            if not any(self.replies.fit(schema, example) for example in examples.values()):
                self.faults.append(f"{name}: no example of {schema['$ref']}")

    def code_of(self, schema):
        schema = description.resolve(self.document, schema)
        return description.resolve(self.document, schema.get("properties", {}).get("code", {}))

    def table(self):
        known = set()
        for schema in self.document["components"]["schemas"].values():
            code = self.code_of(schema)
            known.update(code.get("enum", []), [code["const"]] if "const" in code else [])
        for code in self.messages.codes() ^ known:
            self.faults.append(f"code {code} is not both in the table and in a schema")

    def schemas(self):
        """Finds what a client generator refuses, or gives a type that is of no use."""
        components = self.document["components"]
        found = [(f"schemas.{name}", schema) for name, schema in components["schemas"].items()]
        for kind in ["parameters", "headers"]:
            found += [(f"{kind}.{name}", one["schema"]) for name, one in components[kind].items()]
        while found:
            name, schema = found.pop()
            if "$ref" in schema:
                continue
            if "type" not in schema and "oneOf" not in schema:
                self.faults.append(f"{name} has no type")
            if len({type(value) for value in schema.get("enum", [])}) > 1:
                self.faults.append(f"{name}: values of its enum are of several types")
            if "msg" in name.split(".")[-1:] and {"const", "enum", "pattern"} & schema.keys():
                self.faults.append(f"{name}: a message can change")
            if any("properties" in branch for branch in schema.get("oneOf", [])):
                self.faults.append(f"{name}: an object of its oneOf has no name; put it into components.schemas")
            codes = [self.code_of(branch) for branch in schema.get("oneOf", [])]
            if any(code and "const" not in code for code in codes[:-1]):
                self.faults.append(f"{name}: a reply whose code is no constant is not the last")
            found += [(f"{name}.{key}", value) for key, value in schema.get("properties", {}).items()]
            inner = {key: schema.get(key) for key in ["items", "additionalProperties"]}
            found += [(f"{name}.{key}", value) for key, value in inner.items() if isinstance(value, dict)]
            found += [(f"{name}.oneOf", branch) for branch in schema.get("oneOf", [])]


def main(path):
    with open(path, encoding="utf-8") as file:
        checker = Checker(yaml.safe_load(file))
    for path, operations in checker.document["paths"].items():
        for method, operation in operations.items():
            checker.route(f"{method.upper()} {path}", operation)
    checker.table()
    checker.schemas()
    sys.exit("\n".join(checker.faults) or None)


if __name__ == "__main__":
    main(sys.argv[1])
