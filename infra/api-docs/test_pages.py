"""What the API pages are made of: the translation, the limits, the samples, the package that the renderer comes in."""

import base64
import copy
import hashlib
import io
import re
import subprocess
import sys
import tarfile

import pytest
import tree_sitter_kotlin
import yaml
from tree_sitter import Language, Parser

import build
import samples
from limits import markdown
from overlay import translate

ENGLISH = {
    "info": {"title": "t", "description": "One.\n| 0 | OK |\n"},
    "paths": {"/a": {"get": {"summary": "Look", "parameters": [{"name": "x", "description": "An x."}]}}},
    "components": {"examples": {"e": {"value": {"description": "goes over the wire"}}}},
}
CHINESE = """
actions:
  - { target: $.info, x-badge-english: "", update: { description: "一。\\n| 0 | OK |\\n" } }
  - { target: "$.paths['/a'].get", x-badge-english: "", update: { summary: 查看 } }
  - { target: "$.paths['/a'].get.parameters[?@.name == 'x']", x-badge-english: "", update: { description: 一个 x。 } }
"""


@pytest.fixture
def overlay():
    """One that fits: each action has the digest that the refusal of the empty one names."""
    found = yaml.safe_load(CHINESE)
    _, faults = translate(ENGLISH, found)
    for action, fault in zip(found["actions"], faults, strict=True):
        action["x-badge-english"] = re.search(r"x-badge-english: (\w{8})$", fault)[1]
    return found


def test_a_translation_takes_the_place_of_every_text_and_of_nothing_else(overlay):
    document, faults = translate(ENGLISH, overlay)
    assert faults == []
    assert document["info"] == {"title": "t", "description": "一。\n| 0 | OK |\n"}
    operation = document["paths"]["/a"]["get"]
    assert operation == {"summary": "查看", "parameters": [{"name": "x", "description": "一个 x。"}]}
    assert document["components"] == ENGLISH["components"]
    assert ENGLISH["paths"]["/a"]["get"]["summary"] == "Look"


def test_a_text_without_a_translation_is_a_fault(overlay):
    document = copy.deepcopy(ENGLISH)
    document["components"]["parameters"] = {"y": {"description": "A y."}}
    assert translate(document, overlay)[1] == ["components.parameters.y.description: no translation of 'A y.'"]


def test_a_translation_of_what_has_gone_is_a_fault(overlay):
    document = copy.deepcopy(ENGLISH)
    del document["paths"]["/a"]["get"]["parameters"]
    assert "there is no such place any more" in translate(document, overlay)[1][0]
    document = copy.deepcopy(ENGLISH)
    del document["paths"]["/a"]["get"]["summary"]
    assert "no text summary to translate" in translate(document, overlay)[1][0]


def test_a_translation_of_what_has_changed_is_a_fault(overlay):
    document = copy.deepcopy(ENGLISH)
    document["paths"]["/a"]["get"]["summary"] = "Look twice"
    [fault] = translate(document, overlay)[1]
    assert "the English has changed" in fault


@pytest.mark.parametrize(("text", "fault"), [("One.\n| 0 | OK |", "not Chinese"), ("一。\n| 1 | OK |", "other codes")])
def test_a_translation_is_chinese_and_has_the_same_codes(overlay, text, fault):
    overlay["actions"][0]["update"]["description"] = text
    assert fault in translate(ENGLISH, overlay)[1][0]


def test_lines_of_chinese_are_joined_without_a_space(overlay):
    overlay["actions"][0]["update"]["description"] = "一行，\n又一行。\n\n- 一项\n- 二项\n\n| 0 | OK |\n"
    document, _ = translate(ENGLISH, overlay)
    assert document["info"]["description"] == "一行，又一行。\n\n- 一项\n- 二项\n\n| 0 | OK |\n"


def test_the_translation_that_make_new_endpoint_writes_fits_what_it_describes():
    forms = build.ROOT / "infra/dev/scaffold"
    text = {name: (forms / f"endpoint.{name}.in").read_text() for name in ["openapi", "overlay"]}
    words = {"name": "ping", "Name": "Ping", "route": "/ping", "verb": "get"}
    text = {name: re.sub(r"@(\w+)@", lambda found: words[found[1]], form) for name, form in text.items()}
    document = yaml.safe_load("paths:\n" + text["openapi"].replace("*headers_with_cookie", "{}"))
    assert translate(document, yaml.safe_load("actions:\n" + text["overlay"]))[1] == []


SETTINGS = """
time_zone = "Asia/Shanghai"
limits = [
    { name = "a", on = "send", key = "phone", window = "%s", max = 1 },
    { name = "b", on = "try", key = "ip", window = "day", max = 2000 },
    { name = "c", on = "send", key = "prefix", window = "1h", max = 3, reserve = 0.3, unproven_free = 1, unproven_max = 2 },
    { name = "d", on = "send", key = "stage", window = "day", max_money = 1000.0, reserve = 0.3 },
    { name = "e", on = "try", key = "device", window = "success", max = 100 },
    { name = "f", on = "send", key = "ip48", window = "10m", max = 120 },
    { name = "g", on = "list", key = "user", window = "1m", max = 60 },
]
[phone]
allowed_regions = ["CN"]
[session]
ttl_secs = 86400
max_age_secs = 2592000
[token]
ttl_secs = 1200
[veri_code]
ttl_secs = 300
tries = 5
[sms]
prices = { CN = 0.045 }
"""


def test_limits_are_those_of_the_settings(tmp_path):
    for stage, window in [("local", "60s"), ("prod", "10m"), ("test", "10m")]:
        (tmp_path / f"{stage}.toml").write_text(SETTINGS % window)
    stops = dict.fromkeys("abcdefg", "what")
    english = markdown(tmp_path, stops, "en")
    for row in [
        "**Stages: `local`**",
        "**Stages: `prod`, `test`**",
        "| `a` | messages | phone, by strangers | 1 in any 60 s | what |",
        "| `a` | messages | phone, by strangers | 1 in any 10 min | what |",
        "| `b` | wrong codes | address; of IPv6 its /64 | 2,000 until midnight (Asia/Shanghai) | what |",
        "3 in any hour, 30% of it for known devices alone; for strangers 2 while many of its codes are not used",
        "1,000 a day, at 0.045 a message, 30% of it for known devices alone",
        "| `e` | wrong codes | phone, by its known devices | 100 until a code is used | what |",
        "| `f` | messages | /48 of an IPv6 address | 120 in any 10 min | what |",
        "| `g` | pages of `index` | caller | 60 in any minute | what |",
        "| a session, from its last use | 86,400 s |",
        "| a session in all | 2,592,000 s |",
    ]:
        assert row in english
    chinese = markdown(tmp_path, stops, "zh")
    assert "| `a` | 短信 | 手机号（陌生设备） | 任意 10 分钟内 1 次 | what |" in chinese
    assert english.count("\n") == chinese.count("\n")


def test_each_operation_has_a_sample_in_each_language_and_a_missing_one_is_a_fault():
    ids = {operation["operationId"] for operation in build.operations(build.load("openapi.yaml"))}
    for found in samples.samples(build.EXAMPLES).values():
        assert [one["label"] for one in found] == ["curl", "JavaScript", "Python", "Kotlin"]
    assert list(samples.missing(build.EXAMPLES, ids)) == []
    assert len(list(samples.missing(build.EXAMPLES, ids | {"no_such_operation"}))) == len(samples.LANGUAGES)
    assert len(list(samples.missing(build.EXAMPLES, ids - {"login"}))) == len(samples.LANGUAGES)


def test_the_kotlin_sample_can_be_parsed_whole_and_in_parts():
    parser = Parser(Language(tree_sitter_kotlin.language()))
    file = build.EXAMPLES / "kotlin/Account.kt"
    for text in [file.read_text(), *samples.regions(file).values()]:
        assert not parser.parse(text.encode()).root_node.has_error, text
    assert parser.parse(b"fun main( {").root_node.has_error


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    renderer = folder / "standalone.js"
    renderer.write_text("// the renderer")
    build.write(build.Pages(), folder / "docs", renderer)
    return folder / "docs"


def test_both_pages_are_whole_and_ask_nobody_else(pages):
    names = sorted(str(path.relative_to(pages)) for path in pages.rglob("*") if path.is_file())
    assert names == ["en/index.html", "en/openapi.json", "page.css", "page.js", "standalone.js", "zh/index.html", "zh/openapi.json"]
    for name in ["en/index.html", "zh/index.html", "page.css", "page.js"]:
        text = (pages / name).read_text()
        assert not re.search("https?:|//[a-z]+[.]", text), name
        assert "@" not in text.replace("@scalar", ""), name


@pytest.mark.parametrize(("language", "missing"), [("en", "missing parameter: phone"), ("zh", "phone参数有缺失")])
def test_a_page_has_limits_samples_and_examples_in_its_language(pages, language, missing):
    document = yaml.safe_load((pages / language / "openapi.json").read_text())
    assert "`cool_down`" in document["info"]["description"]
    assert "<!--" not in document["info"]["description"]
    operation = document["paths"]["/user/veri_code"]["post"]
    assert len(operation["x-codeSamples"]) == len(samples.LANGUAGES)
    examples = operation["responses"]["200"]["content"]["application/json"]["examples"]
    assert not any(key.endswith("_en") for key in examples)
    assert examples["missing"]["summary"] == f"11001 {missing}"


def test_only_the_package_that_is_meant_is_unpacked(tmp_path):
    package = tmp_path / "package.tgz"
    with tarfile.open(package, "w:gz") as archive:
        entry = tarfile.TarInfo("package/a.js")
        entry.size = 3
        archive.addfile(entry, io.BytesIO(b"abc"))
    digest = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()

    def unpack(integrity):
        command = [sys.executable, str(build.HERE / "unpack.py"), str(package), integrity, "package/a.js", str(tmp_path)]
        return subprocess.run(command, check=False, capture_output=True, text=True)

    refused = unpack("sha512-" + "A" * 86 + "==")
    assert refused.returncode == 1
    assert "is not what was agreed to" in refused.stderr
    assert not (tmp_path / "a.js").exists()
    assert unpack(f"sha512-{digest}").returncode == 0
    assert (tmp_path / "a.js").read_bytes() == b"abc"
