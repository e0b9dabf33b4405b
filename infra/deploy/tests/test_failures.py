"""Deployments that fail and are typed again: the first one of a stage, and an update."""

import re
from contextlib import contextmanager

import pytest
import yaml
from stage import STAGE

SECOND = "again"
# A resource that the emulator refuses to make, after those whose names would be taken.
BROKEN = {
    "Type": "AWS::CloudWatch::Alarm",
    "DependsOn": ["UsersTable", "JwtSecret", "FailedEventsQueue"],
    "Properties": {"Metrics": [{"Id": "a", "Expression": "1"}], "ComparisonOperator": "LessThanThreshold", "EvaluationPeriods": 1},
}


@contextmanager
def broken_template(stage):
    file = stage.folder / "infra/template.yaml"
    text = file.read_text()
    template = yaml.safe_load(text)
    template["Resources"]["Broken"] = BROKEN
    file.write_text(yaml.safe_dump(template, sort_keys=False, width=1000))
    try:
        yield
    finally:
        file.write_text(text)


def make_second(stage, verb):
    return stage.run("make", "--no-print-directory", verb, f"STAGE={SECOND}")


def tables(stage):
    return [name for name in stage.aws("dynamodb").list_tables()["TableNames"] if name.startswith(f"badge-{SECOND}-")]


@pytest.mark.slow
def test_a_first_deployment_that_failed_can_be_typed_again(stage):
    conf = (stage.folder / f"conf/{STAGE}.toml").read_text()
    conf = re.sub(r"\[\[veri_code\.test_numbers\]\]\n(\w+ = .*\n)+", "", conf)
    conf = conf.replace(f"badge/{STAGE}/", f"badge/{SECOND}/").replace(f"badge-{STAGE}", f"badge-{SECOND}")
    second = stage.folder / f"conf/{SECOND}.toml"
    second.write_text(conf)
    try:
        with broken_template(stage):
            is_done, output = make_second(stage, "deploy")
        assert not is_done and "Broken (AWS::CloudWatch::Alarm)" in output, output
        assert tables(stage) == [], "the next deployment would find its names taken"
        is_done, output = make_second(stage, "deploy")
        assert is_done and "deleting what is left of it" in output, output
        assert len(tables(stage)) >= 2
        is_done, output = make_second(stage, "destroy")
        assert is_done and f"The stage {SECOND} is gone" in output, output
        assert tables(stage) == []
    finally:
        second.unlink()


@pytest.mark.slow
def test_an_update_that_failed_can_be_typed_again(stage):
    before = stage.versions()
    old, new = "[veri_code]\nttl_secs = 300", "[veri_code]\nttl_secs = 150"
    stage.set_conf(old, new)
    with broken_template(stage):
        is_done, output = stage.make("deploy")
    assert not is_done and "Broken (AWS::CloudWatch::Alarm)" in output, output
    assert stage.index()["code"] == 10006, "the stage serves as before"
    stage.done("deploy")
    after = stage.versions()
    assert all(after[name] != before[name] for name in before), (before, after)
    assert stage.ask(stage.phone())["expires_in"] == 150
    stage.set_conf(new, old)
    stage.done("deploy")
    assert stage.ask(stage.phone())["expires_in"] == 300
