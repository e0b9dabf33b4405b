"""Builds the API pages: docs/openapi.yaml in both languages, with the limits of conf/ and the samples of docs/examples.

    build.py FOLDER RENDERER    writes the pages, with a copy of the renderer's script beside them
    build.py --check            only reports what does not match
"""

import hashlib
import html
import json
import re
import shutil
import sys
from pathlib import Path

import yaml

from limits import markdown, what_rows_stop
from overlay import translate
from samples import missing, samples

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
EXAMPLES = ROOT / "docs/examples"
LIMITS = "<!-- limits"
WORDS = {
    "en": {
        "language": "en",
        "title": "badge: API reference",
        "other": "zh",
        "switch": "中文",
        "no_script": "This page needs JavaScript. The API description:",
    },
    "zh": {
        "language": "zh-CN",
        "title": "badge：API 参考",
        "other": "en",
        "switch": "English",
        "no_script": "本页需要 JavaScript。接口描述文件：",
    },
}


# SnakeYAML, and so OpenAPI Generator, reads no file with more.
MOST_ALIASES = 50


def read(name):
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def load(name):
    return yaml.safe_load(read(name))


class Pages:
    def __init__(self):
        english, overlay = load("openapi.yaml"), load("openapi.zh.yaml")
        chinese, self.faults = translate(english, overlay)
        aliases = sum(isinstance(event, yaml.AliasEvent) for event in yaml.parse(read("openapi.yaml")))
        if aliases > MOST_ALIASES:
            self.faults.append(f"docs/openapi.yaml has {aliases} aliases, and OpenAPI Generator reads at most {MOST_ALIASES}")
        self.documents = {"en": json.loads(json.dumps(english)), "zh": chinese}
        self.stops = {"en": what_rows_stop((ROOT / "docs/abuse.md").read_text()), "zh": overlay["x-badge-limits"]}
        self.faults += missing(EXAMPLES, {operation["operationId"] for operation in operations(english)})
        self.faults += self.stale_limits()

    def stale_limits(self):
        english, chinese = self.stops["en"], dict(self.stops["zh"])
        digest = hashlib.sha256("\n".join(english.values()).encode()).hexdigest()[:8]
        if chinese.pop("x-badge-english") != digest:
            yield f"docs/abuse.md: the last column has changed; update x-badge-limits and set x-badge-english: {digest}"
        for name in english.keys() ^ chinese.keys():
            yield f"x-badge-limits: the row {name} is missing here or in docs/abuse.md"

    def document(self, language):
        """The description for a page in that language."""
        document = self.documents[language]
        info, table = document["info"], markdown(ROOT / "conf", self.stops[language], language)
        lines = info["description"].splitlines()
        info["description"] = "\n".join(table if line.startswith(LIMITS) else line for line in lines)
        codes = samples(EXAMPLES)
        for operation in operations(document):
            operation["x-codeSamples"] = codes[operation["operationId"]]
            for media in operation["responses"]["200"]["content"].values():
                media["examples"] = in_language(media["examples"], language, document["components"]["examples"])
        return document


def operations(document):
    return [operation for path in document["paths"].values() for operation in path.values()]


def in_language(examples, language, shared):
    """The examples in the page's language, each named by its code and message."""
    chosen = {}
    for key, example in examples.items():
        if key.endswith("_en") and key.removesuffix("_en") in examples:
            continue
        example = examples.get(f"{key}_en", example) if language == "en" else example
        if "$ref" in example:
            example = shared[example["$ref"].rsplit("/", 1)[1]]
        envelope = example["value"]
        chosen[key] = {"summary": f"{envelope['code']} {envelope['msg']}", "value": envelope}
    return chosen


def write(pages, folder, renderer):
    """Replaces the folder as a whole: a running emulator serves either the old pages or the new ones."""
    fresh = folder.with_name(f"{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    page = (HERE / "index.html.in").read_text(encoding="utf-8")
    for language, words in WORDS.items():
        (fresh / language).mkdir(parents=True)
        text = re.sub(r"@(\w+)@", lambda found: html.escape(words[found[1]]), page)
        (fresh / language / "index.html").write_text(text, encoding="utf-8")
        document = json.dumps(pages.document(language), ensure_ascii=False)
        (fresh / language / "openapi.json").write_text(document, encoding="utf-8")
    for file in [HERE / "page.js", HERE / "page.css", renderer]:
        shutil.copy(file, fresh / file.name)
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def main():
    pages = Pages()
    if pages.faults:
        sys.exit("\n".join(f"error: {fault}" for fault in pages.faults))
    if sys.argv[1:] != ["--check"]:
        write(pages, *map(Path, sys.argv[1:]))


if __name__ == "__main__":
    main()
