"""What requests, an idle month and memory cost, by what was measured, the prices, and infra/cost/assumed.toml."""

import json
import math
import tomllib

from stack import DAYS, HOURS, ROOT

MILLION = 1_000_000
GB = 1e9
FOLDER = ROOT / "infra" / "cost"
# Of a request, in the order of its way.
PARTS = ["front", "Lambda, by request", "Lambda, by time", "DynamoDB", "cache", "secrets", "logs", "transfer"]
# An ElastiCache Serverless cache of Valkey is billed for no less.
LEAST_CACHE_GB = 0.1


def is_endpoint(name):
    return (ROOT / "functions/api" / name).is_dir()


class Bill:
    def __init__(self, prices=None, assumed=None, measured=None, baseline=None):
        self.prices = prices or tomllib.loads((FOLDER / "prices.toml").read_text())
        self.assumed = assumed or tomllib.loads((FOLDER / "assumed.toml").read_text())
        self.measured = measured or json.loads((FOLDER / "measured.json").read_text())
        baseline = baseline or json.loads((ROOT / "infra/bench/baseline.json").read_text())
        self.spent = {name: one["spent"] for name, one in baseline["functions"].items()}

    def knows(self, name):
        """Whether the function has been measured, which a new one has not."""
        return name in self.spent and name in self.measured["functions"]

    def usd(self, price):
        return self.prices[price]["usd"]

    # ---- time ----

    def waits_ms(self, name):
        """A step in which several are asked waits for the slowest; the rest of the steps wait for the cache."""
        spent, wait = self.spent[name], self.assumed["wait_ms"]
        rest = max(0, spent["steps"] - spent["dynamodb"] - spent["http"])
        return spent["dynamodb"] * wait["dynamodb"] + spent["http"] * wait["call"] + rest * wait["cache"]

    def own_ms(self, name, memory, figure):
        """What it takes without waiting: the floor in Lambda, and what it computes more, with its part of a core."""
        core, floor = self.assumed["core"], self.measured["functions"]["hello"][figure]
        more_ms = max(0.0, self.measured["functions"][name][figure] - floor) / 1000
        share = min(1.0, memory / core["memory_mb"])
        return self.assumed["floor"]["first_ms"][str(memory)] + more_ms * core["slower"] / share

    def warm_ms(self, name, memory):
        return self.own_ms(name, memory, "warm_cpu_us") + self.waits_ms(name)

    def cold_ms(self, name, memory):
        """Init, which has a whole core and is billed since August 2025, and the first request."""
        cpu = {one: self.measured["functions"][one]["init_cpu_ms"] for one in (name, "hello")}
        init = self.assumed["floor"]["init_ms"][str(memory)] * cpu[name] / cpu["hello"]
        asks = any(self.spent[name][backend] for backend in ("redis", "dynamodb", "http"))
        connects = self.assumed["wait_ms"]["init"] if asks else 0
        return init + connects + self.own_ms(name, memory, "first_cpu_us") + self.waits_ms(name)

    def compute(self, name, memory, cold):
        """Of a million invocations, `cold` of which are a sandbox's first."""
        # Lambda rounds each up to a millisecond.
        warm, first = math.ceil(self.warm_ms(name, memory)), math.ceil(self.cold_ms(name, memory))
        seconds = ((1 - cold) * warm + cold * first) / 1000
        return seconds * memory / 1024 * MILLION * self.usd("lambda_gb_s")

    def sizes(self):
        return [int(size) for size in self.assumed["floor"]["first_ms"]]

    def cheapest(self, name):
        """The memory size that follows: the cheapest, and of equals the smallest, that lets nobody wait too long."""
        bound, cold = self.assumed["bound_ms"], self.assumed["traffic"]["cold_share"]
        fit = [
            size
            for size in self.sizes()
            if not is_endpoint(name)
            or (self.warm_ms(name, size) <= bound["warm"] and self.cold_ms(name, size) <= bound["cold"])
        ]
        return min(fit, key=lambda size: (round(self.compute(name, size, cold), 4), size), default=None)

    # ---- requests ----

    def log_usd_a_gb(self, stack):
        return self.usd("log_gb") + self.usd("log_kept_gb") * int(stack.parameters["LogDays"]) / DAYS

    def invocation(self, stack, name, cold=None):
        """A million of one function, without the front."""
        spent, own = self.spent[name], self.measured["functions"][name]
        writes, reads = spent["write_units"], spent["read_units"]
        cold = self.assumed["traffic"]["cold_share"] if cold is None else cold
        line = own["log_bytes"] + self.assumed["log"]["event_bytes"]
        return dict.fromkeys(PARTS, 0.0) | {
            "Lambda, by request": self.usd("lambda_request"),
            "Lambda, by time": self.compute(name, stack.functions()[name], cold),
            "DynamoDB": writes * self.usd("dynamodb_write") + reads * self.usd("dynamodb_read"),
            "cache": self.ecpu(name) * self.usd("cache_ecpu"),
            "secrets": cold * stack.secrets_of(name) * self.usd("secret_read"),
            "logs": line * MILLION / GB * self.log_usd_a_gb(stack),
        }

    def ecpu(self, name):
        """An ECPU is a plain read. A call that keeps the cache busy for longer counts as so many of those."""
        busy = self.measured["cache"]["us"]
        return max(self.spent[name]["redis"], busy.get(name, 0) / busy["plain_read"])

    def request(self, stack, name):
        """A million requests from outside."""
        line = stack.access_line_bytes() + self.assumed["log"]["event_bytes"]
        parts = self.invocation(stack, name)
        parts["front"] = self.usd("api_request")
        parts["logs"] += line * MILLION / GB * self.log_usd_a_gb(stack)
        parts["transfer"] = self.measured["functions"][name]["answer_bytes"] * MILLION / GB * self.usd("transfer_gb")
        return parts

    def code(self, stack):
        """A million codes without the price of their messages: the request, and the task that sends."""
        task = self.invocation(stack, "send_sms")
        return {part: usd + task[part] for part, usd in self.request(stack, "veri_code").items()}

    # ---- a month in which nobody comes ----

    def idle(self, stack):
        """Lines: what, how many, their price, and how much of that the allowances of an empty account would give."""
        lines = []

        def line(what, amount, price, each=1.0):
            """`each` is how many of the price's units one is."""
            usd = amount * each * self.usd(price)
            given = min(usd, self.prices[price].get("free", 0) * self.usd(price))
            lines.append({"what": what, "amount": amount, "usd": usd, "given": given})

        caches = len(stack.of("AWS::ElastiCache::ServerlessCache"))
        line("cache, its least size", caches, "cache_gb_h", LEAST_CACHE_GB * HOURS)
        line("cache, snapshots", caches * int(stack.parameters["SnapshotDays"]), "cache_backup_gb", LEAST_CACHE_GB)
        line("secrets", len(stack.of("AWS::SecretsManager::Secret")), "secret")
        line("metrics under alarm", stack.alarm_metrics(), "alarm_metric")
        hourly, daily = self.metrics(stack)
        line("metrics every hour", hourly, "metric")
        line("metrics once a day", daily, "metric", DAYS / HOURS)
        # Of an account some are free, and a stage has one: it is counted as free whatever else the account has.
        dashboards = len(stack.of("AWS::CloudWatch::Dashboard"))
        beyond = max(0, dashboards - self.prices["dashboard"]["first_free"])
        line("dashboards", dashboards, "dashboard", beyond / max(1, dashboards))
        runs = stack.runs()
        # A sandbox does not live for an hour, so every tick is a cold start.
        for name, count in runs.items():
            if not self.knows(name):
                continue
            parts = self.invocation(stack, name, cold=1.0)
            usd = count / MILLION * sum(parts.values())
            units = sum(parts[part] for part in ("DynamoDB", "cache", "secrets"))
            given = usd - count / MILLION * units
            lines.append({"what": f"runs of `{name}`", "amount": count, "usd": usd, "given": given})
        line("traces", sum(runs.values()) if stack.has_traces() else 0, "trace", 1 / MILLION)
        line("ticks of schedules", sum(runs.values()), "scheduled", 1 / MILLION)
        return lines

    def metrics(self, stack):
        """How many metrics of our own have a number every hour, and once a day."""
        names = self.assumed["metrics"]
        snapshots = names["with_snapshots"] if int(stack.parameters["SnapshotDays"]) else []
        return len(names["cache_watch"] + snapshots), len(names["daily"]) + len(stack.conf["limits"])

    # ---- beside Cognito ----

    def month(self, stack, users):
        """A month of so many users who sign in as often as is assumed, without the messages."""
        sign_in = sum(self.code(stack).values()) + sum(self.request(stack, "login").values())
        idle = sum(one["usd"] for one in self.idle(stack))
        return idle + users * self.assumed["traffic"]["sign_ins_a_month"] / MILLION * sign_in

    def cognito(self, users):
        price = self.prices["cognito_user"]
        return max(0, users - price["free"]) * price["usd"]
