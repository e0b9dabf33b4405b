"""What `make cost` counts, and what it refuses."""

import json
import re

import page
import pytest
from bill import Bill
from stack import ROOT, Stack, runs_a_month, yaml_parse

TEMPLATE = """
Parameters: {Stage: {Type: String}, LogDays: {Type: Number, Default: 30}}
Conditions: {IsProd: !Equals [!Ref Stage, prod], IsNot: !Not [!Condition IsProd]}
Globals: {Function: {MemorySize: 128}}
Resources:
  Api:
    Type: AWS::Serverless::HttpApi
    Properties: {AccessLogSettings: {Format: "0123456789"}}
  Job:
    Type: AWS::Serverless::Function
    Properties:
      CodeUri: ../target/lambda/daily/
      MemorySize: 256
      Policies:
        - Statement:
            - {Effect: Allow, Action: secretsmanager:GetSecretValue, Resource: [!Ref A, !Ref B]}
      Events:
        On: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(2 hours)}}
        Off: {Type: ScheduleV2, Properties: {ScheduleExpression: rate(1 minute), State: DISABLED}}
  Plain: {Type: AWS::CloudWatch::Alarm, Properties: {MetricName: one}}
  Sum:
    Type: AWS::CloudWatch::Alarm
    Properties: {Metrics: [{MetricStat: {}}, {MetricStat: {}}, {Expression: SUM(METRICS())}]}
  OfProd: {Type: AWS::SecretsManager::Secret, Condition: IsProd, Properties: {}}
  OfOthers: {Type: AWS::SecretsManager::Secret, Condition: IsNot, Properties: {}}
  OfAll: {Type: AWS::SecretsManager::Secret, Properties: {}}
"""


def stack(more="", stage="test"):
    return Stack(stage, template=yaml_parse(TEMPLATE + more))


def idle(of, what):
    return next(line for line in Bill().idle(of) if line["what"] == what)


def test_what_a_stage_has_is_counted_by_its_conditions():
    assert [idle(stack(stage=stage), "secrets")["amount"] for stage in ("test", "prod")] == [2, 2]
    assert len(stack("  One: {Type: AWS::SNS::Topic, Condition: IsProd, Properties: {}}").of("AWS::SNS::Topic")) == 0


def test_an_alarm_costs_by_the_metrics_in_it():
    line = idle(stack(), "metrics under alarm")
    assert (line["amount"], round(line["usd"], 2), round(line["given"], 2)) == (3, 0.3, 0.3)


def test_settings_say_what_they_add():
    rows = {line.split(" | ")[0].strip("| "): line.split(" | ")[1] for line in page.settings(Bill()).splitlines()[2:]}
    assert rows["`tracing`"] == rows["`budget_usd`"] == "0.00"
    # The web ACL, three rules, and the secret with the front's key.
    assert rows["`front`"] == "8.40"


def test_only_schedules_that_are_on_start_something():
    assert stack().runs() == {"daily": 365}
    assert runs_a_month("cron(0 0 * * ? *)") == pytest.approx(30.4, abs=0.1)
    with pytest.raises(SystemExit, match="how often"):
        runs_a_month("cron(0 0 1 * ? *)")


def test_memory_and_secrets_are_those_of_the_function():
    assert stack().functions() == {"daily": 256}
    assert stack().secrets_of("daily") == 2


@pytest.mark.parametrize(
    ("kind", "properties", "refusal"),
    [("AWS::EC2::NatGateway", "{}", "has no price"), ("AWS::EC2::VPCEndpoint", "{VpcEndpointType: Interface}", "gateway")],
)
def test_what_nobody_has_thought_about_is_refused(kind, properties, refusal):
    with pytest.raises(SystemExit, match=refusal):
        stack(f"  New: {{Type: {kind}, Properties: {properties}}}")


def bill(cpu_us=131.0, spent=None, **assumed):
    """`login` and a floor of 31 us and of 1 ms in Lambda; what is assumed is round."""
    backends = {"steps": 0, "redis": 0, "dynamodb": 0, "http": 0, "read_units": 0.0, "write_units": 0.0}
    floor = {"init_cpu_ms": 1.0, "first_cpu_us": 31.0, "warm_cpu_us": 31.0}
    own = {"init_cpu_ms": 2.0, "first_cpu_us": cpu_us, "warm_cpu_us": cpu_us}
    return Bill(
        prices={"lambda_gb_s": {"usd": 0.00001}},
        assumed={
            "floor": {"init_ms": {"128": 10.0, "256": 10.0}, "first_ms": {"128": 1.0, "256": 1.0}},
            "core": {"memory_mb": 1280, "slower": 2.0},
            "wait_ms": {"cache": 1.0, "dynamodb": 5.0, "call": 50.0, "init": 30.0},
            "traffic": {"cold_share": 0.0},
            "bound_ms": {"warm": 100, "cold": 300},
        }
        | assumed,
        measured={"functions": {"hello": floor, "login": own}},
        baseline={"functions": {"login": {"spent": backends | (spent or {})}}},
    )


def test_what_computes_is_stretched_by_memory_and_what_waits_is_not():
    one = bill(spent={"steps": 3, "redis": 2, "dynamodb": 1})
    # 5 ms and twice 1 ms of waiting; 0.1 ms more than the floor, twice as slow, a tenth of a core.
    assert one.warm_ms("login", 128) == pytest.approx(1 + 7 + 2)
    assert one.warm_ms("login", 256) == pytest.approx(1 + 7 + 1)
    # And an init of twice the floor's, and its connections.
    assert one.cold_ms("login", 128) == pytest.approx(20 + 30 + 10)


def test_each_invocation_is_rounded_up_to_a_millisecond():
    one = bill(cpu_us=131.5)
    assert one.warm_ms("login", 128) == pytest.approx(3.01)
    assert one.compute("login", 128, cold=0.0) == pytest.approx(0.004 * 0.125 * 1_000_000 * 0.00001)
    assert one.compute("login", 128, cold=0.5) == pytest.approx((0.004 + 0.024) / 2 * 0.125 * 1_000_000 * 0.00001)


def test_the_cheapest_memory_is_taken_that_answers_in_time():
    assert bill().cheapest("login") == 128
    assert bill(bound_ms={"warm": 2.5, "cold": 300}).cheapest("login") == 256
    assert bill(bound_ms={"warm": 0.5, "cold": 300}).cheapest("login") is None


def test_a_page_that_is_out_of_date_and_a_dear_stage_are_told(tmp_path, monkeypatch):
    whole = Bill()
    text = page.page(whole)
    monkeypatch.setattr(page, "PAGE", tmp_path / "cost.md")
    page.PAGE.write_text(text)
    assert list(page.complaints(whole, text)) == []
    page.PAGE.write_text(text.replace("prod", "prad", 1))
    monkeypatch.setitem(whole.assumed, "most_idle_usd", {"test": 5.0})
    assert [re.sub(r"\d+\.\d+", "N", one) for one in page.complaints(whole, text)] == [
        "docs/cost.md is not what the figures, the prices and the template give; type: make cost",
        "an idle month of test costs N, more than N",
    ]


def test_a_function_that_is_new_waits_for_its_figures():
    new = stack("  New: {Type: AWS::Serverless::Function, Properties: {CodeUri: ../target/lambda/new/, Policies: []}}")
    assert "| `new` |  |  |  |  | not measured |" in page.memory(Bill(), new)


def test_figures_without_tls_are_not_taken(tmp_path, monkeypatch):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/bench.json").write_text(json.dumps({"tls": "none", "held": None}))
    monkeypatch.setattr(page, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match="TLS=1"):
        page.take()


def test_the_figures_of_functions_and_of_the_floor_are_taken(tmp_path, monkeypatch):
    figures = {figure: {"value": 1.234, "ratio": 2.0, "to_peer": None} for figure in page.TAKEN}
    row = figures | {"record": {"spent": {}, "log_bytes": 5, "answer_bytes": 6}, "missed_targets": []}
    names = Stack("prod").functions().keys()
    rows = [figures | {"name": name, "record": None} for name in ("hello", "peer")] + [row | {"name": name} for name in names]
    report = {"date": "2026-11-26", "cores": 2, "load": "0 0 0", "runs": 1, "warm": 50, "tls": "stores", "held": None, "rows": rows}
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/bench.json").write_text(json.dumps(report))
    (tmp_path / "measured.json").write_text(json.dumps({"cache": {"session_bytes": 1}}))
    monkeypatch.setattr(page, "ROOT", tmp_path)
    monkeypatch.setattr(page, "FOLDER", tmp_path)
    page.take()
    taken = json.loads((tmp_path / "measured.json").read_text())
    assert taken["functions"].keys() == {"hello", *names} and taken["cache"] == {"session_bytes": 1}
    assert taken["functions"]["login"] == dict.fromkeys(page.TAKEN, 1.23) | {"log_bytes": 5, "answer_bytes": 6}


def test_the_metrics_that_are_paid_for_are_those_that_jobs_write():
    names = Bill().assumed["metrics"]
    watch = (ROOT / "shared/src/jobs/cache_health.rs").read_text().split("#[cfg(test)]")[0]
    assert sorted(re.findall(r'Metric::\w+\("(\w+)"', watch)) == sorted(names["cache_watch"] + names["with_snapshots"])
    figures = (ROOT / "shared/src/jobs/daily_stats.rs").read_text()
    always = re.search(r"const ALWAYS.*?\[(\".*?)\];", figures)[1]
    inserted = re.findall(r'stats\.insert\("(\w+)"', figures)
    assert sorted(re.findall(r'"(\w+)"', always) + inserted) == sorted(names["daily"])
