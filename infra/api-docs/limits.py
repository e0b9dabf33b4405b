"""The limits of conf/ as people read them, so that no second place knows them. What a row stops is from docs/abuse.md, in
Chinese from the overlay.
"""

import re
import tomllib

WINDOW = re.compile(r"(\d+)([smh])")

WORDS = {
    "en": {
        "head": ["row", "counts", "by", "how much", "what it stops"],
        "on": {"send": "messages", "try": "wrong codes", "list": "pages of `index`", "export": "exports"},
        "key": {
            "phone": "phone, by strangers",
            "device": "phone, by its known devices",
            "prefix": "number without its last 4 digits",
            "block": "number without its last 6 digits",
            "area": "number without its last 8 digits",
            "ip": "address; of IPv6 its /64",
            "ip56": "/56 of an IPv6 address",
            "ip48": "/48 of an IPv6 address",
            "user": "caller",
            "stage": "the stage",
        },
        "span": {"s": "{} s", "m": "{} min", "h": "{} h", "1h": "hour", "1m": "minute"},
        "day": "{max} until midnight ({zone})",
        "success": "{max} until a code is used",
        "sliding": "{max} in any {span}",
        "money": "{max:,.0f} a day, at {price} a message",
        "reserve": ", {share:.0%} of it for known devices alone",
        "unproven": "; for strangers {max} while many of its codes are not used",
        "times": ["what", "how long or how many"],
        "stages": "**Stages: {}**",
        "time": {
            "code": ("a code is good for", "{:,} s"),
            "tries": ("wrong tries that end a code", "{}"),
            "session": ("a session, from its last use", "{:,} s"),
            "age": ("a session in all", "{:,} s"),
            "token": ("a token", "{:,} s"),
            "regions": ("regions whose numbers are taken", "{}"),
        },
    },
    "zh": {
        "head": ["名称", "计数对象", "按什么计", "上限", "防什么"],
        "on": {"send": "短信", "try": "错误的验证码", "list": "`index` 的页", "export": "导出"},
        "key": {
            "phone": "手机号（陌生设备）",
            "device": "手机号（它的已知设备）",
            "prefix": "去掉末 4 位的号段",
            "block": "去掉末 6 位的号段",
            "area": "去掉末 8 位的号段",
            "ip": "来源地址（IPv6 按 /64）",
            "ip56": "IPv6 地址的 /56",
            "ip48": "IPv6 地址的 /48",
            "user": "调用者",
            "stage": "整个环境",
        },
        "span": {"s": "{} 秒", "m": "{} 分钟", "h": "{} 小时"},
        "day": "当日零点（{zone}）前 {max} 次",
        "success": "用掉验证码之前 {max} 次",
        "sliding": "任意 {span}内 {max} 次",
        "money": "每天 {max:,.0f}，每条短信 {price}",
        "reserve": "，其中 {share:.0%} 只留给已知设备",
        "unproven": "；验证码大多无人使用时，陌生设备 {max} 次",
        "times": ["项目", "时长或次数"],
        "stages": "**环境：{}**",
        "time": {
            "code": ("验证码的有效期", "{:,} 秒"),
            "tries": ("输错多少次后验证码作废", "{}"),
            "session": ("会话，自最后一次使用起", "{:,} 秒"),
            "age": ("会话的总时长", "{:,} 秒"),
            "token": ("令牌", "{:,} 秒"),
            "regions": ("接受哪些地区的手机号", "{}"),
        },
    },
}


def table(head, rows):
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def what_rows_stop(text):
    """The last column of the table in docs/abuse.md, by row."""
    return dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", text, re.M))


def markdown(folder, stops, language):
    """Both tables for each group of stages that have the same."""
    groups = {}
    for path in sorted(folder.glob("*.toml")):
        settings = tomllib.loads(path.read_text())
        groups.setdefault(tables(settings, stops, WORDS[language]), []).append(f"`{path.stem}`")
    title = WORDS[language]["stages"]
    return "\n\n".join(f"{title.format(', '.join(stages))}\n\n{text}" for text, stages in groups.items())


def tables(settings, stops, words):
    rows = [
        [f"`{row['name']}`", words["on"][row["on"]], words["key"][row["key"]], amount(row, settings, words), stops[row["name"]]]
        for row in settings["limits"]
    ]
    values = {
        "code": settings["veri_code"]["ttl_secs"],
        "tries": settings["veri_code"]["tries"],
        "session": settings["session"]["ttl_secs"],
        "age": settings["session"]["max_age_secs"],
        "token": settings["token"]["ttl_secs"],
        "regions": ", ".join(settings["phone"]["allowed_regions"]),
    }
    times = [[what, form.format(values[key])] for key, (what, form) in words["time"].items()]
    return table(words["head"], rows) + "\n\n" + table(words["times"], times)


def amount(row, settings, words):
    if "max_money" in row:
        prices = settings["sms"]["prices"]
        price = ", ".join(f"{price} ({region})" if len(prices) > 1 else str(price) for region, price in prices.items())
        return words["money"].format(max=row["max_money"], price=price) + reserve(row, words)
    most = f"{row['max']:,}"
    if row["window"] in ("day", "success"):
        text = words[row["window"]].format(max=most, zone=settings["time_zone"])
    else:
        count, unit = WINDOW.fullmatch(row["window"]).groups()
        form = words["span"].get(row["window"], words["span"][unit])
        text = words["sliding"].format(max=most, span=form.format(count))
    text += reserve(row, words)
    if "unproven_max" in row:
        text += words["unproven"].format(max=f"{row['unproven_max']:,}")
    return text


def reserve(row, words):
    return words["reserve"].format(share=row["reserve"]) if "reserve" in row else ""
