"""What the contract says of parameters, written down a second time, to hold the service's own reading against it.

A verdict is True (accepted), False (refused) or None: left to a library whose rules are not repeated here.
"""

import datetime
import json
import re
import unicodedata

BODY_LIMIT = 64 * 1024
# The Unicode property White_Space; Python's own `strip` takes more.
WHITE_SPACE = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


# The Unicode property Bidi_Control.
DIRECTION = set(map(chr, [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]))
# Default_Ignorable_Code_Point beyond format characters, and blanks that no property tells.
IGNORABLE = {0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2065, 0x3164, 0xFFA0, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)}
IGNORABLE |= {*range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000)}
BLANK = {0x2800, 0x1D159, 0x13441, 0x13442}


def read_json(body):
    """Reads JSON as RFC 8259 has it, behind a byte order mark; Python's reader takes NaN as well."""

    def refuse(constant):
        raise ValueError(constant)

    return json.loads(body.decode("utf-8").removeprefix("\ufeff"), parse_constant=refuse)


def is_readable(value):
    """Whether a value is one that other readers than Python's can hold: no half of a surrogate pair, no overflow."""
    if isinstance(value, str):
        return not any(0xD800 <= ord(c) < 0xE000 for c in value)
    if isinstance(value, (int, float)):
        return abs(value) < 2**1024
    if isinstance(value, dict):
        return all(is_readable(key) and is_readable(part) for key, part in value.items())
    return all(map(is_readable, value)) if isinstance(value, list) else True


def is_given(value):
    return bool(value)


def is_whole(value):
    """An integer by its value, as JSON Schema has it; with a point or an exponent, of at most fifteen digits."""
    is_float = isinstance(value, float) and value.is_integer() and abs(value) < 10**15
    return is_float or (isinstance(value, int) and not isinstance(value, bool))


def is_format(c):
    return unicodedata.category(c) == "Cf" or ord(c) in IGNORABLE


def is_visible(c):
    code = ord(c)
    is_noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    hidden = unicodedata.category(c) in ("Cc", "Zs", "Zl", "Zp", "Mn", "Me") or is_format(c) or code in BLANK
    return not (hidden or is_noncharacter)


def is_new(c):
    """Whether a character is of a later version of Unicode than Python's, perhaps."""
    return unicodedata.category(c) == "Cn"


def short_text(limit):
    def verdict(value):
        if not isinstance(value, str):
            return False
        trimmed = value.strip(WHITE_SPACE)
        if not 1 <= len(trimmed) <= limit or any(unicodedata.category(c) == "Cc" or c in DIRECTION for c in trimmed):
            return False
        return True if any(is_visible(c) and not is_new(c) for c in trimmed) else None if any(map(is_new, trimmed)) else False

    return verdict


def gender(value):
    return (is_whole(value) and value in (1, 2)) or value in ("1", "2")


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
    if not isinstance(value, str):
        return False
    dropped = [c for c in value if c in WHITE_SPACE or unicodedata.category(c) == "Pd" or c == "\u2212" or is_format(c)]
    kept = [c for c in value if c not in dropped]
    return None if any(map(is_new, kept)) else len(kept) == 6 and all(unicodedata.category(c) == "Nd" for c in kept)


def limit(value):
    if re.fullmatch("[1-9][0-9]?|100", value):
        return True
    # A sign or blanks before a number are for the number's reader to judge.
    return None if re.fullmatch(r"[\s+0]*[0-9]+\s*", value) else False


def area(value):
    return short_text(16)(str(int(value)) if is_whole(value) and value > 0 else value)


FIELDS = {
    "user_name": short_text(32),
    "gender": gender,
    "birth_day": birth_day,
    "phone": phone,
    "veri_code": veri_code,
    "province": area,
    "city": area,
    "restore": lambda value: isinstance(value, bool),
}
REQUIRED = {
    "veri_code": ["phone"],
    "login": ["phone", "veri_code"],
    "register": ["user_name", "gender", "birth_day", "phone", "veri_code"],
}
OPTIONAL = {"register": ["province", "city"], "login": ["restore"]}
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
        given = read_json(body)
    except RecursionError:
        return None
    except ValueError:
        given = None
    if not isinstance(given, dict):
        return None if code == 11001 and msg in NOT_AN_OBJECT else "the body is not a JSON object"

    absent = [name for name in REQUIRED[operation] if not is_given(given.get(name))]
    if absent:
        return None if code == 11001 and msg in missing(operation, absent) else f"missing are {absent}"

    names = REQUIRED[operation] + OPTIONAL.get(operation, [])
    shown = {name: given[name] for name in names if is_given(given.get(name))}
    verdicts = {name: is_readable(value) and FIELDS[name](value) for name, value in shown.items()}
    reasons = data if code == 11001 and isinstance(data, dict) else {}
    refused = [name for name in names if name in reasons]
    if code == 11001 and msg not in invalid(refused):
        return f"{msg!r} does not name {refused}"
    for name, verdict in verdicts.items():
        if verdict is not None and verdict == (name in refused):
            return f"{name} should {'not ' if verdict else ''}be refused"
    return None if set(reasons) <= set(verdicts) else f"{list(reasons)} were refused, of {list(verdicts)}"
