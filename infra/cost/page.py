"""Writes docs/cost.md: the text of page.md with what the figures, the prices and the template come to.

    page.py            writes it
    page.py --check    fails when it is not what it should be, or a function has another memory size than follows
    page.py --take     takes the figures of logs/bench.json (`make bench TLS=1`) into measured.json first
"""

import json
import re
import sys
import tomllib
from pathlib import Path

from bill import FOLDER, GB, LEAST_CACHE_GB, MILLION, PARTS, Bill
from stack import DAYS, HOURS, ROOT, Stack, yaml_parse

PAGE = ROOT / "docs" / "cost.md"
ENDPOINTS = ["register", "login", "user_index", "logout"]
USERS = [10_000, 100_000, 1_000_000]
# What the page is about. A service that has removed one of them has no page.
SIGN_IN = {"veri_code", "send_sms", "register", "login"}
TAKEN = ["init_cpu_ms", "first_cpu_us", "warm_cpu_us", "peak_mib"]


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def count(number):
    return f"{number:,.0f}" if number >= 100 or number == int(number) else f"{number:,.1f}"


def per_million(bill, stack):
    rows = {f"`{name}`": bill.request(stack, name) for name in ENDPOINTS if name in stack.functions()}
    rows["a code, without its message: `veri_code` and `send_sms`"] = code = bill.code(stack)
    for name, what in {"register": "a registration and its code", "login": "a sign-in and its code"}.items():
        rows[what] = {part: usd + code[part] for part, usd in bill.request(stack, name).items()}
    sums = {what: f"**{sum(parts.values()):.2f}**" for what, parts in rows.items()}
    cells = [[what, *(f"{usd:.2f}" for usd in parts.values()), sums[what]] for what, parts in rows.items()]
    return table(["a million of", *PARTS, "together"], cells)


def idle(bill, stack):
    lines = [line for line in bill.idle(stack) if line["amount"]]
    rows = [[one["what"], count(one["amount"]), f"{one['usd']:.2f}", f"{one['usd'] - one['given']:.2f}"] for one in lines]
    rows.append(["**together**", "", *(f"**{usd:.2f}**" for usd in totals(bill, stack))])
    return table([f"`{stack.stage}`", "how many", "price", "with the allowances"], rows)


# Settings of [deploy] that are off at first, each with what it needs to be on.
SETTINGS = {
    "watch_all": {"watch_all": True},
    "tracing": {"tracing": True},
    "flow_logs": {"flow_logs": True},
    "budget_usd": {"budget_usd": 20, "alarm_email": "a@example.com"},
    "domain": {"domain": "api.example.com", "certificate": "arn:"},
    "front": {"domain": "origin.example.com", "certificate": "arn:", "front": "api.example.com"},
    "backup_bucket": {"protected": True, "backup_bucket": "bucket", "backup_account": "000000000000"},
}


def settings(bill):
    """What each setting adds to an idle month of `test` without allowances, and what it costs by use."""
    template = yaml_parse((ROOT / "infra/front.yaml").read_text())
    rules = len(template["Resources"]["WebAcl"]["Properties"]["Rules"])
    own = {"front": bill.usd("waf_acl") + rules * bill.usd("waf_rule")}
    front_request = sum(bill.usd(price) for price in ("waf_request", "cloudfront_request", "cloudfront_function"))
    by_use = {
        "watch_all": "",
        "tracing": f"{0.05 * bill.usd('trace'):.2f} a million requests beyond one a second",
        "flow_logs": f"{bill.usd('log_gb'):.2f} a GB of refused connections",
        "budget_usd": "",
        "domain": "",
        "front": f"{front_request:.2f} a million requests",
        "backup_bucket": f"{DAYS * bill.usd('dynamodb_export_gb'):.2f} a month for each GB of users and audit, and the other account's storage",
    }
    conf = tomllib.loads((ROOT / "conf/test.toml").read_text())
    bare = {name: conf["deploy"][name] for name in ("log_days",)}
    http = conf["http"] | {"own_origins": ["https://api.example.com"]}
    without, _ = totals(bill, Stack("test", conf=conf | {"deploy": bare}))
    rows = []
    for name, on in SETTINGS.items():
        whole, _ = totals(bill, Stack("test", conf=conf | {"deploy": bare | on, "http": http}))
        rows.append([f"`{name}`", f"{whole - without + own.get(name, 0):.2f}", by_use[name]])
    return table(["setting", "an idle month", "by use"], rows)


def totals(bill, stack):
    """Without the allowances of an account, and with them."""
    lines = bill.idle(stack)
    return sum(one["usd"] for one in lines), sum(one["usd"] - one["given"] for one in lines)


def memory(bill, stack):
    rows, cold_share = [], bill.assumed["traffic"]["cold_share"]
    for name in stack.functions():
        if not bill.knows(name):
            rows.append([f"`{name}`", *("" for _ in bill.sizes()), "not measured"])
            continue
        cells = []
        for size in bill.sizes():
            warm, cold = bill.warm_ms(name, size), bill.cold_ms(name, size)
            cells.append(f"{warm:.1f} ms, {cold:.0f} ms: {bill.compute(name, size, cold_share):.3f}")
        rows.append([f"`{name}`", *cells, f"{bill.cheapest(name)} MB"])
    return table(["function", *(f"{size} MB" for size in bill.sizes()), "so"], rows)


def beside_cognito(bill, stack):
    rows = []
    for users in USERS:
        ours, theirs = bill.month(stack, users), bill.cognito(users)
        messages = users * bill.assumed["traffic"]["sign_ins_a_month"] * most_expensive_message(stack)
        rows.append([f"{users:,}", f"{ours:,.2f}", f"{theirs:,.2f}", f"{messages:,.0f}"])
    return table(["active users", "badge", "Cognito Essentials", "the messages, with either"], rows)


def most_expensive_message(stack):
    return max(stack.conf["sms"]["prices"][region] for region in stack.conf["phone"]["allowed_regions"])


def price_list(bill):
    rows = []
    for name, one in bill.prices.items():
        if isinstance(one, dict):
            usd = f"{one['usd']:.10f}".rstrip("0").ljust(4, "0")
            seen = f"[here]({one['seen']})" if one["seen"] else "not confirmed"
            rows.append([f"`{name}`", usd, one["per"], f"[AWS]({one['page']})", seen])
    return table(["price", "dollars", "per", "AWS's page", "read"], rows)


def page(bill):
    prod, test = Stack("prod"), Stack("test")
    measured, assumed = bill.measured, bill.assumed

    def sign_in(bill):
        return {part: usd + bill.code(prod)[part] for part, usd in bill.request(prod, "login").items()}

    def dearer(**other):
        """How much more a million sign-ins cost in Lambda's time where something else is assumed."""
        bills = Bill(bill.prices, assumed | other, measured), bill
        there, here = (sign_in(one)["Lambda, by time"] for one in bills)
        return there - here

    percent = {part: 100 * usd / sum(sign_in(bill).values()) for part, usd in sign_in(bill).items()}
    session_bytes = measured["cache"]["session_bytes"]
    return (FOLDER / "page.md").read_text().format(
        prices=bill.prices,
        prices_date=bill.prices["date"],
        region=bill.prices["region"],
        measured=measured,
        floor=assumed["floor"],
        init_ms=[assumed["floor"]["init_ms"][size] for size in ("128", "1024")],
        first_ms=[assumed["floor"]["first_ms"][size] for size in ("128", "1024")],
        core=assumed["core"],
        wait=assumed["wait_ms"],
        bound=assumed["bound_ms"],
        traffic=assumed["traffic"],
        one_cold_in=1 / assumed["traffic"]["cold_share"],
        per_million=per_million(bill, prod),
        message=most_expensive_message(prod),
        million_messages=most_expensive_message(prod) * MILLION,
        million_codes=sum(bill.code(prod).values()),
        by_time_percent=percent["Lambda, by time"],
        front_percent=percent["front"],
        slower_cores=dearer(core=assumed["core"] | {"slower": 2 * assumed["core"]["slower"]}),
        longer_waits=dearer(wait_ms={what: 2 * ms for what, ms in assumed["wait_ms"].items()}),
        session_bytes=session_bytes,
        sessions_paid_for=LEAST_CACHE_GB * GB / session_bytes,
        million_sessions=session_bytes * MILLION / GB * bill.usd("cache_gb_h") * HOURS,
        # Two write units are at most 2 KB.
        million_users=2 * bill.usd("dynamodb_gb"),
        million_users_recover=2 * bill.usd("dynamodb_recovery_gb"),
        # An event is less than 1 KB. What a put or a look at an epoch takes of 128 MB is a twentieth of the price of its invocation.
        million_events=bill.usd("dynamodb_write") + 2.1 * bill.usd("lambda_request"),
        million_events_kept=bill.usd("dynamodb_gb") + bill.usd("dynamodb_recovery_gb"),
        secret_reads=12 * HOURS / MILLION * bill.usd("secret_read"),
        idle_test=idle(bill, test),
        idle_prod=idle(bill, prod),
        beside_cognito=beside_cognito(bill, prod),
        settings=settings(bill),
        memory=memory(bill, prod),
        peak_mib=max(one["peak_mib"] for one in measured["functions"].values()),
        price_list=price_list(bill),
    )


def take():
    report = json.loads((ROOT / "logs/bench.json").read_text())
    if report["tls"] != "stores" or report["held"]:
        sys.exit("error: logs/bench.json is not of `make bench TLS=1`, which is as close to Lambda as can be had here")
    measured = json.loads((FOLDER / "measured.json").read_text())
    functions = {}
    # The peer is no function of the service, and the most expensive row.
    for row in (row for row in report["rows"] if row["name"] != "peer"):
        functions[row["name"]] = {figure: round(row[figure]["value"], 2) for figure in TAKEN}
        if record := row["record"]:
            functions[row["name"]] |= {"log_bytes": record["log_bytes"], "answer_bytes": record["answer_bytes"]}
    if missing := Stack("prod").functions().keys() - functions.keys():
        sys.exit(f"error: logs/bench.json lacks {', '.join(sorted(missing))}; type: make bench TLS=1")
    model = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    measured |= {
        "date": report["date"],
        "command": f"`make bench TLS=1 RUNS={report['runs']} WARM={report['warm']}`",
        "cores": report["cores"],
        "load": report["load"],
        "machine": model[1] if model else "unknown",
        "functions": functions,
    }
    (FOLDER / "measured.json").write_text(json.dumps(measured, indent=2) + "\n")


def complaints(bill, text):
    if not PAGE.exists() or PAGE.read_text() != text:
        yield "docs/cost.md is not what the figures, the prices and the template give; type: make cost"
    for stage, most in bill.assumed["most_idle_usd"].items():
        whole, _ = totals(bill, Stack(stage))
        if whole > most:
            yield f"an idle month of {stage} costs {whole:.2f}, more than {most:.2f}"
    for name, has in Stack("prod").functions().items():
        if bill.knows(name) and (fit := bill.cheapest(name)) != has:
            yield f"{name} has {has} MB in the template, and {fit} MB follow from docs/cost.md"


def main(arguments):
    if arguments not in ([], ["--check"], ["--take"]):
        sys.exit(__doc__)
    if arguments == ["--take"]:
        take()
    if gone := SIGN_IN - Stack("prod").functions().keys():
        print(f"{PAGE.relative_to(ROOT)}: not computed, because there is no {', '.join(sorted(gone))}", file=sys.stderr)
        return
    bill = Bill()
    text = page(bill)
    if arguments != ["--check"]:
        PAGE.write_text(text)
        print(f"{PAGE.relative_to(ROOT)}: written", file=sys.stderr)
    found = list(complaints(bill, text))
    if found:
        sys.exit("\n".join(f"error: {one}" for one in found))


if __name__ == "__main__":
    main(sys.argv[1:])
