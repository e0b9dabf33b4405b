"""Creates an endpoint or a job: its folder, its places in infra/template.yaml, docs/openapi.yaml and its translation, its
samples in docs/examples, its event in infra/local/events, and its test. What it creates builds, runs in the local emulator
and passes every check. All input is checked before anything is written. remove.py is the way back.

    scaffold.py endpoint NAME METHOD ROUTE
    scaffold.py job NAME SCHEDULE
"""

import json
import re
import subprocess
import sys
from pathlib import Path

TEMPLATE = Path("infra/template.yaml")
DESCRIPTION = Path("docs/openapi.yaml")
TRANSLATION = Path("docs/openapi.zh.yaml")
EXAMPLES = Path("docs/examples")
# What a sample of an endpoint is, before the last one of each program.
SAMPLES = {
    "curl/account.sh": """\
# region @name@
curl -sS -b cookies -c cookies -X @method@ "$BADGE@route@"
# endregion
echo

""",
    "javascript/account.mjs": """\
// region @name@
console.log(await call('@method@', '@route@'));
// endregion

""",
    "python/account.py": """\
# region @name@
print(call("@method@", "@route@"))
# endregion

""",
    "kotlin/Account.kt": """\
    // region @name@
    println(call("@method@", "@route@"))
    // endregion

""",
}
TESTS = Path("infra/local/tests/api")
EVENTS = Path("infra/local/events")
FORMS = Path("infra/dev/scaffold")
PREFIX = "/{stage}/iwc/badge"
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
# Lambda allows 64 characters, of which the prefix of a stage's functions has up to 29.
LONGEST_NAME = 32
# The Rust Reference, "Keywords": strict, reserved and weak.
KEYWORDS = set(
    "as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut pub ref "
    "return self static struct super trait true type unsafe use where while abstract become box do final gen macro override priv "
    "try typeof unsized virtual yield macro_rules raw safe union".split()
)
# What else a function cannot be called, and why.
REFUSED = {
    "a crate of Rust's own": {"alloc", "core", "proc_macro", "std", "test"},
    "a folder of Cargo's in target/": {"build", "deps", "examples", "incremental"},
    "a device of Windows": {"aux", "con", "nul", "prn", *(f"{port}{n}" for port in ["com", "lpt"] for n in range(1, 10))},
    "a name that every function has already": {"main"},
    "the template's word for all other routes": {"default"},
}


def fail(text):
    sys.exit(f"error: {text}")


def check_name(name, example):
    if not name:
        fail(f"NAME is missing; type: {example}")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name) or len(name) > LONGEST_NAME:
        fail(f"NAME is lowercase letters, digits and single underscores, at most {LONGEST_NAME}: {name!r} is not")
    if name in KEYWORDS:
        fail(f"{name} is a keyword of Rust, so no crate can have that name; take another one")
    for reason, names in REFUSED.items():
        if name in names:
            fail(f"{name} is {reason}; take another name")
    if re.search(rf'^name = "{name}"$', Path("Cargo.lock").read_text(), re.M):
        fail(f"there is a crate {name} already, a function or a dependency; take another name")
    if (TESTS / f"{name}.rs").exists() or (TESTS / name).exists():
        fail(f"there is a test {TESTS}/{name} already; take another name")
    if f"\n  {camel(name)}Function:\n" in TEMPLATE.read_text():
        fail(f"{TEMPLATE} has a {camel(name)}Function already; take another name")


def check_route(method, route):
    if method not in METHODS:
        fail(f"METHOD is one of {', '.join(METHODS)}, not {method!r}")
    if not re.fullmatch(r"(/[a-z0-9][a-z0-9_-]*)+", route):
        fail(f"ROUTE is the path after {PREFIX}, in lowercase letters, like /user/avatar: {route!r} is not")
    if f"\n  {route}:\n" in DESCRIPTION.read_text():
        fail(f"{route} has a method already; add the other one by hand, beside the first in {DESCRIPTION}")


def check_schedule(schedule):
    if not re.fullmatch(r"rate\([1-9][0-9]* (minute|hour|day)s?\)|cron\(\S+( \S+){5}\)", schedule):
        fail(f"SCHEDULE is like 'rate(1 hour)' or 'cron(0 3 * * ? *)', not {schedule!r}")


def insert(text, before, addition):
    """`addition` before the line `before` and the comment above that."""
    found = re.search(rf"^(?: *#.*\n)*{re.escape(before)}$", text, re.M)
    if not found:
        fail(f"the line {before!r} is missing; add the new lines by hand")
    return text[: found.start()] + addition + text[found.start() :]


def add_test_module(name):
    path = TESTS / "api.rs"
    text = path.read_text()
    modules = re.findall(r"^mod \w+;$", text, re.M)
    changed = text.replace("\n".join(modules), "\n".join(sorted([*modules, f"mod {name};"])))
    if changed == text:
        fail(f"the modules of {path} are not in one block; add `mod {name};` by hand")
    return path, changed


def event_of(method, route):
    """The event of a request without a credential: that of the fallback, with a route."""
    event = json.loads((EVENTS / "fallback.json").read_text())
    context = event.pop("requestContext")
    path = (PREFIX + route).replace("{stage}", "local")
    event |= {"routeKey": f"{method} {PREFIX}{route}", "rawPath": path}
    context |= {"http": context["http"] | {"method": method, "path": path}, "routeKey": event["routeKey"]}
    event.pop("isBase64Encoded")
    event |= {"pathParameters": {"stage": "local"}, "requestContext": context, "isBase64Encoded": False}
    return json.dumps(event, indent=2) + "\n"


def endpoint(name, method, route):
    check_name(name, "make new-endpoint NAME=ping METHOD=GET ROUTE=/ping")
    method = method.upper()
    check_route(method, route)
    words = {"name": name, "Name": camel(name), "method": method, "verb": method.lower(), "route": route}
    template = insert(TEMPLATE.read_text(), "  FallbackFunction:", form("endpoint.template", words))
    # The fallback answers all other methods of the path.
    head, fallback = template.split("  FallbackFunction:\n")
    block, rest = fallback.split("\n\n", 1)
    event = (
        f"\n        {camel(name)}:\n          Type: HttpApi\n          Properties: "
        f'{{ ApiId: !Ref Api, Method: ANY, Path: "{PREFIX}{route}" }}'
    )
    template = f"{head}  FallbackFunction:\n{block}{event}\n\n{rest}"
    description = insert(DESCRIPTION.read_text(), "components:", form("endpoint.openapi", words))
    description = insert(description, "  examples:", form("endpoint.reply", words))
    before = "  - target: $.components.securitySchemes"
    translation = insert(TRANSLATION.read_text(), before, form("endpoint.overlay", words))
    changed = [(TEMPLATE, template), (DESCRIPTION, description), (TRANSLATION, translation), *samples(words)]
    changed.append((EVENTS / f"{name}.json", event_of(method, route)))
    write(f"functions/api/{name}", words, "endpoint", changed)
    print(
        f"{method} {route} answers users who are signed in; with Anyone instead of SignedIn it is open to anyone (and x-badge-open in {DESCRIPTION}).\n"
        f"Next: describe in {TESTS}/{name}.rs what it must do, and see that test fail: make test\n"
        f"      then write it in functions/api/{name}/src/main.rs, and its decisions in shared/src/\n"
        f"Undo: make remove-endpoint NAME={name}"
    )


def job(name, schedule):
    check_name(name, "make new-job NAME=report SCHEDULE='rate(1 hour)'")
    check_schedule(schedule)
    zone = "\n            ScheduleExpressionTimezone: !Ref TimeZone" if schedule.startswith("cron") else ""
    words = {"name": name, "Name": camel(name), "schedule": schedule, "zone": zone}
    template = insert(TEMPLATE.read_text(), "  DeployedFunction:", form("job.template", words))
    event = (EVENTS / "daily.json").read_text()
    write(f"functions/jobs/{name}", words, "job", [(TEMPLATE, template), (EVENTS / f"{name}.json", event)])
    print(
        f"{name} runs at {schedule}, once for each time even if its event comes twice (docs/jobs.md). To run it now: make job NAME={name}\n"
        f"Next: describe in {TESTS}/{name}.rs what it must do, and see that test fail: make test\n"
        f"      then write it in functions/jobs/{name}/src/main.rs, and its decisions in shared/src/\n"
        f"Undo: make remove-job NAME={name}"
    )


def camel(name):
    return "".join(word.capitalize() for word in name.split("_"))


def form(name, words):
    return fill((FORMS / f"{name}.in").read_text(), words)


def fill(text, words):
    return re.sub(r"@(\w+)@", lambda found: words[found[1]], text)


def samples(words):
    for file, sample in SAMPLES.items():
        path = EXAMPLES / file
        text = path.read_text()
        # Before the last one, which signs out.
        *_, last = re.findall(r"^ *\S+ region \w+$", text, re.M)
        yield path, insert(text, last, fill(sample, words))


def write(folder, words, kind, changed):
    folder = Path(folder)
    used = [name for name in ["serde_json", "shared"] if f"use {name}::" in form(f"{kind}.rs", words)]
    dependencies = "\n".join(f"{name}.workspace = true" for name in used)
    made = [
        (folder / "Cargo.toml", form("Cargo.toml", words | {"dependencies": dependencies})),
        (folder / "src/main.rs", form(f"{kind}.rs", words)),
        (TESTS / f"{words['name']}.rs", form(f"{kind}_test.rs", words)),
    ]
    for path, text in [*made, *changed, add_test_module(words["name"])]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        print(path)
    # The lock file names every member of the workspace.
    subprocess.run(["cargo", "update", "--workspace", "--offline", "--quiet"], check=True)


if __name__ == "__main__":
    kind, *arguments = sys.argv[1:]
    {"endpoint": endpoint, "job": job}[kind](*arguments)
