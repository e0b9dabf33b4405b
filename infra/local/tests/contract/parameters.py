"""What the contract says of parameters, written down a second time, to hold the service's own reading against it.

A verdict is True (accepted), False (refused) or None: left to a library whose rules are not repeated here.
"""

import datetime
import json
import math
import re
import unicodedata

BODY_LIMIT = 64 * 1024
# The Unicode property White_Space; Python's own `strip` takes more.
WHITE_SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


def strict_json(body):
    """Reads JSON as RFC 8259 has it: Python's reader takes NaN, overflowing numbers and lone surrogates as well."""

    def refuse(constant):
        raise ValueError(constant)

    def number(digits):
        value = float(digits)
        return value if math.isfinite(value) else refuse(digits)

    value = json.loads(body.decode("utf-8"), parse_constant=refuse, parse_float=number)
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def is_given(value):
    return bool(value)


def is_whole(value):
    return isinstance(value, int) and not isinstance(value, bool)


def short_text(limit):
    def verdict(value):
        if not isinstance(value, str):
            return False
        trimmed = value.strip(WHITE_SPACE)
        return 1 <= len(trimmed) <= limit and not any(unicodedata.category(c) == "Cc" for c in trimmed)

    return verdict


def gender(value):
    return True if (is_whole(value) and value in (1, 2)) or value in ("1", "2") else None if value in (1, 2) else False


def birth_day(value):
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return False
    try:
        day = datetime.date.fromisoformat(value)
    except ValueError:
        return False
    yesterday = datetime.datetime.now(datetime.timezone.utc).date() - datetime.timedelta(days=1)
    # Which day it is depends on the stage's time zone.
    return None if abs(day - yesterday).days <= 3 else datetime.date(1900, 1, 1) <= day < yesterday


def phone(value):
    if isinstance(value, str):
        return None
    return None if is_whole(value) and value > 0 else False


def veri_code(value):
    if is_whole(value):
        return 100_000 <= value <= 999_999
    return isinstance(value, str) and bool(re.fullmatch("[0-9]{6}", value))


def limit(value):
    if re.fullmatch("[1-9][0-9]?|100", value):
        return True
    # A sign or blanks before a number are for the number's reader to judge.
    return None if re.fullmatch(r"[\s+0]*[0-9]+\s*", value) else False


def area(value):
    return short_text(16)(str(value) if is_whole(value) and value > 0 else value)


FIELDS = {
    "user_name": short_text(32),
    "gender": gender,
    "birth_day": birth_day,
    "phone": phone,
    "veri_code": veri_code,
    "province": area,
    "city": area,
}
REQUIRED = {
    "veri_code": ["phone"],
    "login": ["phone", "veri_code"],
    "register": ["user_name", "gender", "birth_day", "phone", "veri_code"],
}
OPTIONAL = {"register": ["province", "city"]}
INVALID = re.compile(r"(\w+(?:,\w+)*)参数无效|invalid parameters: (\w+(?:,\w+)*)")
NOT_AN_OBJECT = ["请求体必须是JSON对象", "the request body must be a JSON object"]


def missing(operation, names):
    if operation == "register":
        names = ",".join(names)
        return [f"{names}参数缺失", f"missing parameters: {names}"]
    return [f"{names[0]}参数有缺失", f"missing parameter: {names[0]}"]


def invalid(names):
    return [f"{','.join(names)}参数无效", f"invalid parameters: {','.join(names)}"]


def message_fault(envelope):
    """What is wrong with the message of a reply as to its data: it names the parameters that data has reasons for."""
    if envelope["code"] != 11001:
        return None
    found = INVALID.fullmatch(envelope["msg"])
    named = set((found[1] or found[2]).split(",")) if found else set()
    return None if named == set(envelope["data"]) else f"{envelope['msg']!r} with reasons for {list(envelope['data'])}"


def fault(operation, body, envelope):
    """What is wrong with the reply to this body, or None."""
    code, msg, data = envelope["code"], envelope["msg"], envelope["data"]
    if len(body) > BODY_LIMIT:
        return None if code == 51413 else "a body over the limit was read"
    try:
        given = strict_json(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        return None if code == 11001 and msg in NOT_AN_OBJECT else "the body is not a JSON object"

    absent = [name for name in REQUIRED[operation] if not is_given(given.get(name))]
    if absent:
        return None if code == 11001 and msg in missing(operation, absent) else f"missing are {absent}"

    names = REQUIRED[operation] + OPTIONAL.get(operation, [])
    verdicts = {name: FIELDS[name](given[name]) for name in names if is_given(given.get(name))}
    reasons = data if code == 11001 and isinstance(data, dict) else {}
    refused = [name for name in names if name in reasons]
    if code == 11001 and msg not in invalid(refused):
        return f"{msg!r} does not name {refused}"
    for name, verdict in verdicts.items():
        if verdict is not None and verdict == (name in refused):
            return f"{name} should {'not ' if verdict else ''}be refused"
    return None if set(reasons) <= set(verdicts) else f"{list(reasons)} were refused, of {list(verdicts)}"
