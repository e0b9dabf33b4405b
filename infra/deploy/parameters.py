"""The parameters of infra/template.yaml that conf/STAGE.toml knows, as `Name=value` in lines.

    parameters.py STAGE
"""

import math
import sys
import tomllib
from pathlib import Path


# Settings of [deploy] that are a parameter as they stand. What is left out has the template's default.
SETTINGS = {
    "protected": "Protected",
    "watch_all": "WatchAll",
    "requests_per_second": "RequestsPerSecond",
    "requests_at_once": "RequestsAtOnce",
    "codes_per_second": "CodesPerSecond",
    "codes_at_once": "CodesAtOnce",
    "send_concurrency": "SendConcurrency",
    "concurrency": "Concurrency",
    "cache_gb": "CacheGb",
    "cache_ecpu": "CacheEcpu",
    "cache_url": "CacheUrl",
    "cache_user": "CacheUser",
    "budget_usd": "BudgetUsd",
    "flow_logs": "FlowLogs",
    "canary": "Canary",
    "domain": "DomainName",
    "certificate": "CertificateArn",
    "front": "FrontName",
    "front_key": "FrontKey",
    "backup_bucket": "BackupBucket",
    "backup_account": "BackupAccount",
}


def text(value):
    return str(value).lower() if isinstance(value, bool) else value


def parameters(stage, conf):
    deploy, sms = conf.get("deploy", {}), conf["sms"]
    if "cors_origins" in deploy:
        sys.exit(f"error: cors_origins of conf/{stage}.toml is no longer under [deploy], but under [http]")
    budget = next(limit["max_money"] for limit in conf["limits"] if "max_money" in limit)
    # By the most expensive region, so that an alarm comes too early rather than too late.
    most_expensive = max(sms["prices"][region] for region in conf["phone"]["allowed_regions"])
    if sms["provider"] == "http" and not deploy.get("sms_url"):
        sys.exit(f'error: [sms] of conf/{stage}.toml has the provider "http", so sms_url under [deploy] must say where it is')
    known = set(SETTINGS) | {"alarm_email", "log_days", "sms_url", "tracing"}
    if unknown := set(deploy) - known:
        sys.exit(f"error: [deploy] of conf/{stage}.toml has no setting {', '.join(sorted(unknown))}; there are: {', '.join(sorted(known))}")
    if bool(deploy.get("domain")) != bool(deploy.get("certificate")):
        sys.exit(f"error: [deploy] of conf/{stage}.toml needs both, domain and certificate, or neither")
    if deploy.get("front"):
        if not deploy.get("domain"):
            sys.exit(f"error: [deploy] of conf/{stage}.toml has a front, which needs a domain to call")
        if f"https://{deploy['front']}" not in conf["http"]["own_origins"]:
            sys.exit(f"error: own_origins under [http] of conf/{stage}.toml must have https://{deploy['front']}, the front under [deploy]")
    if bool(deploy.get("backup_bucket")) != bool(deploy.get("backup_account")):
        sys.exit(f"error: [deploy] of conf/{stage}.toml needs both, backup_bucket and backup_account, or neither")
    if deploy.get("backup_bucket") and not deploy.get("protected"):
        sys.exit(f"error: [deploy] of conf/{stage}.toml has a backup_bucket, and exports need protected = true")
    settings = {SETTINGS[name]: text(value) for name, value in deploy.items() if name in SETTINGS}
    return settings | {
        "Tracing": "Active" if deploy.get("tracing") else "Disabled",
        "Stage": stage,
        "TimeZone": conf["time_zone"],
        "SmsPerDay": max(1, int(budget / most_expensive)),
        # One more than the days within which a new one must come, so that there is one at any time.
        "SnapshotDays": math.ceil(conf["cache"].get("snapshot_max_hours", 0) / 24),
        "SmsUrl": deploy.get("sms_url", ""),
        "CorsOrigins": ",".join(conf["http"]["cors_origins"]),
        "AlarmEmail": deploy.get("alarm_email", ""),
        "LogDays": deploy.get("log_days", 30),
    }


if __name__ == "__main__":
    stage = sys.argv[1]
    conf = tomllib.loads(Path(f"conf/{stage}.toml").read_text())
    for name, value in parameters(stage, conf).items():
        print(f"{name}={value}")
