"""Removes an endpoint or a job from every place that names it: its folder, infra/template.yaml, docs/openapi.yaml and its
translation, the samples in docs/examples, its event in infra/local/events, and its test. What only it used in the
description goes too. What is left, such as a test that calls it, is listed at the end.

    remove.py api NAME
    remove.py jobs NAME
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from scaffold import DESCRIPTION, EVENTS, EXAMPLES, FORMS, PREFIX, SAMPLES, TEMPLATE, TESTS, TRANSLATION, fail, fill

sys.path.insert(0, "infra/api-docs")
from overlay import translate  # noqa: E402

# Answers what no other endpoint does.
NEEDED = {"fallback"}
VERBS = {"api": "make remove-endpoint NAME=ping", "jobs": "make remove-job NAME=report"}


def cut(text, pattern, what):
    """Without the one place of that pattern."""
    changed, count = re.subn(pattern, "", text, flags=re.M)
    if count != 1:
        fail(f"{what} is there {count} times; nothing was changed")
    return changed


def check(kind, name):
    if not name:
        fail(f"NAME is missing; type: {VERBS[kind]}")
    known = sorted(path.name for path in Path("functions", kind).iterdir() if path.name not in NEEDED)
    if name not in known:
        what = "endpoint" if kind == "api" else "job"
        fail(f"there is no {what} {name} to remove; there are: {', '.join(known)}")


def in_template(name, route):
    text = TEMPLATE.read_text()
    # Comments right above a resource are part of it; those of a section have an empty line below.
    block = re.search(
        rf"^(?:  #.*\n)*  (\w+):\n(?:    .*\n|\n(?=    ))*?      FunctionName: !Sub .*-{name}\n(?:    .*\n|\n(?=    ))*\n", text, re.M
    )
    if not block:
        fail(f"{TEMPLATE} has no function {name}; nothing was changed")
    resource = block[1]
    text = text.replace(block[0], "")
    # A user of the cache whom no other function signs in as.
    for user in set(re.findall(r"!Ref (\w+CacheUser)\b", block[0])):
        if f"[MakesCache, !Ref {user}," not in text:
            text = cut(text, rf"^(?:  #.*\n)*  {user}:\n(?:    .*\n)+\n", f"the cache's user of {name}")
            text = cut(text, rf"^        - !Ref {user}\n", f"the cache's user of {name} in its group")
    if route:
        path = re.escape(PREFIX + route)
        text = cut(text, rf'^        \w+:\n          Type: HttpApi\n.* Method: ANY, Path: "{path}" .*\n', f"ANY {route} of the fallback")
        text = re.sub(rf'^        "\w+ {path}": .*\n', "", text, flags=re.M)
        text = re.sub(r"^(?: *#.*\n)?      RouteSettings:\n(?!        )", "", text, flags=re.M)
    if re.search(rf"\b{resource}\b", text):
        fail(f"{TEMPLATE} uses {resource} elsewhere; remove that first")
    return text


def refs(text):
    return set(re.findall(r"#/components/(\w+)/(\w+)", text))


def keep_anchors(removed, text):
    """The first alias of a definition that goes becomes the definition."""
    for found in re.finditer(r"^( *)[\w-]+: &(\w+)(.*)\n((?:\1 +.*\n)*)", removed, re.M):
        indent, anchor, rest, body = found.groups()
        alias = re.search(rf"^( *)([\w-]+): \*{anchor}\n", text, re.M)
        if alias:
            body = re.sub(rf"^{indent}", alias[1], body, flags=re.M)
            text = text.replace(alias[0], f"{alias[1]}{alias[2]}: &{anchor}{rest}\n{body}", 1)
    return text


def take_out(text, block):
    return keep_anchors(block, text.replace(block, "", 1))


def in_description(name):
    """The description without the operation and what only that used; also its method and path."""
    text = DESCRIPTION.read_text()
    operation = re.search(rf"^    (\w+):\n      operationId: {name}\n(?:      .*\n|\n(?=      ))*", text, re.M)
    if not operation:
        fail(f"{DESCRIPTION} has no operation {name}; nothing was changed")
    route = re.findall(r"^  (/\S*):$", text[: operation.start()], re.M)[-1]
    whole = re.search(rf"^  {re.escape(route)}:\n{re.escape(operation[0])}\n(?=  /|\S)", text, re.M)
    # What the next new endpoint will use stays.
    needed = set().union(*(refs(form.read_text()) for form in FORMS.glob("endpoint.*")))
    gone = refs(operation[0])
    text = take_out(text, whole[0] if whole else operation[0])
    while orphans := gone - needed - refs(text):
        gone = set()
        for kind, key in orphans:
            start = text.index(f"\n  {kind}:\n")
            own = rf"    {key}:(?: .*)?\n(?:      .*\n)*"
            # One of two empty lines around it goes with it.
            block = re.compile(rf"(?<=\n\n){own}\n|^{own}", re.M).search(text, start)
            if block:
                gone |= refs(block[0])
                text = take_out(text, block[0])
    return operation[1], route, without_codes(text, text)


def constants(node):
    """Every constant of a schema."""
    if isinstance(node, dict):
        yield from [node["const"]] if "const" in node else node.get("enum", [])
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else []:
        yield from constants(child)


def without_codes(text, description):
    """Without rows of the table of codes that no reply has any more."""
    known = set(constants(yaml.safe_load(description)["components"]["schemas"]))
    return re.sub(r"^ *\| (\d+) \| [A-Z_]+ \|.*\n", lambda row: row[0] if int(row[1]) in known else "", text, flags=re.M)


def in_translation(method, route, description):
    text = without_codes(TRANSLATION.read_text(), description)
    target = re.escape(f"$.paths['{route}'].{method}")
    text = re.sub(rf"^  - target: {target}(?!\w).*\n(?:    .*\n|\n(?=    ))*(?:\n(?=  -))?", "", text, flags=re.M)
    # Other actions may have lost a place, or one of several.
    for fault in translate(yaml.safe_load(description), yaml.safe_load(text))[1]:
        if found := re.fullmatch(r"(.*): there is no such place any more", fault):
            text = re.sub(rf"^  - target: {re.escape(found[1])}\n(?:    .*\n)*", "", text, flags=re.M)
        elif found := re.fullmatch(r"(.*): the English has changed;.* (\w+)", fault):
            text = re.sub(rf'^(  - target: {re.escape(found[1])}\n    x-badge-english: )"\w+"', rf'\1"{found[2]}"', text, flags=re.M)
        else:
            print(f"warning: {TRANSLATION}: {fault}")
    return text


def in_samples(name, method, route):
    for file, sample in SAMPLES.items():
        path = EXAMPLES / file
        text = path.read_text()
        words = {"name": name, "method": method.upper(), "route": route}
        # A sample that was written since ends at its mark; what a shell prints after it goes too.
        shaped = rf"^ *\S+ region {name}\n(?:.*\n)*? *\S+ endregion\n(?:echo\n)?\n?"
        yield path, text.replace(fill(sample, words), "") if fill(sample, words) in text else cut(text, shaped, f"region {name} of {path}")


def main(kind, name):
    check(kind, name)
    changed, route = [], None
    if kind == "api":
        method, route, description = in_description(name)
        changed += [(DESCRIPTION, description), (TRANSLATION, in_translation(method, route, description))]
        changed += in_samples(name, method, route)
    changed.append((TEMPLATE, in_template(name, route)))
    modules = TESTS / "api.rs"
    if (TESTS / f"{name}.rs").exists():
        changed.append((modules, cut(modules.read_text(), rf"^mod {name};\n", f"mod {name} of {modules}")))
    for path, text in changed:
        path.write_text(text)
        print(path)
    for path in [Path("functions", kind, name), TESTS / name]:
        shutil.rmtree(path, ignore_errors=True)
    for path in [TESTS / f"{name}.rs", EVENTS / f"{name}.json"]:
        path.unlink(missing_ok=True)
    # The lock file names every member of the workspace.
    subprocess.run(["cargo", "update", "--workspace", "--offline", "--quiet"], check=True)
    words = [rf'"{name}"', f"`{name}`", rf"\b{name}::", rf"\b(schedules/|NAME=|badge-local-){name}\b", *([rf"{route}\b"] if route else [])]
    # Examples of commands may name what is not there.
    skipped = [":!CHANGELOG.md", ":!Makefile", ":!README*", ":!docs/decisions", ":!docs/cost.md", ":!infra/bench/baseline.json", ":!infra/cost/measured.json", ":!infra/dev"]
    grep = ["git", "grep", "--untracked", "-lE", "|".join(words), "--", ".", *skipped]
    left = subprocess.run(grep, capture_output=True, text=True).stdout.split()
    print(f"{name} is removed; `git diff` shows it, and `git checkout` of these files brings it back.")
    if left:
        print("These still name it; change them, or `make check` fails where they use it:", *left, sep="\n  ")


if __name__ == "__main__":
    main(*sys.argv[1:])
