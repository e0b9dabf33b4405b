"""Schedules, as they were deployed: what each would call, and one that really fires."""

import json
import os
import subprocess
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
from stage import STAGE
from parts import ROOT, eventually, free_port, running

JOBS = sorted(path.name for path in (ROOT / "functions/jobs").iterdir())
# The emulator looks at its schedules every ten seconds.
FIRES_S = 30


def schedule(stage, job):
    return stage.aws("scheduler").get_schedule(Name=stage.name(job))


def test_each_schedule_calls_the_alias_of_its_job_and_keeps_what_fails(stage):
    for job in JOBS:
        found = schedule(stage, job)
        target = found["Target"]
        assert target["Arn"].endswith(f":function:{stage.name(job)}:live"), job
        assert target["DeadLetterConfig"]["Arn"].endswith(f":badge-{STAGE}-failed-events"), job
        assert found["State"] == ("DISABLED" if job == "deployed" else "ENABLED"), job


def test_each_expression_is_one_that_fires(stage, tmp_path):
    """The emulator takes any text, and never fires what it cannot read. The local stage refuses all that AWS would."""
    port = free_port()
    command = [Path(os.environ["BUILT_IN"]) / "local", "--port", str(port), "--stage", "local", "--root", ROOT]
    with running("the local stage", command, port, tmp_path / "log"):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stage/state", timeout=10) as state:
            schedules = json.load(state)["schedules"]
    read = {one["name"].removeprefix("badge-local-"): one["expression"] for one in schedules}
    assert read == {job: schedule(stage, job)["ScheduleExpression"] for job in JOBS}


def test_a_schedule_fires_and_its_job_runs_once(stage):
    scheduler = stage.aws("scheduler")
    like = schedule(stage, "daily")
    now = datetime.now(UTC).replace(microsecond=0)
    target = like["Target"]
    # The emulator hands over these words as they are; AWS puts in what they stand for.
    words = {"<aws.scheduler.scheduled-time>": f"{now:%Y-%m-%dT%H:%M:%SZ}", "<aws.scheduler.execution-id>": "once"}
    for word, value in words.items():
        assert word in target["Input"]
        target["Input"] = target["Input"].replace(word, value)
    scheduler.create_schedule(
        Name=f"{like['Name']}-now",
        ScheduleExpression=f"at({now:%Y-%m-%dT%H:%M:%S})",
        Target=target,
        FlexibleTimeWindow=like["FlexibleTimeWindow"],
        ActionAfterCompletion="DELETE",
    )

    def run():
        return [line for line in stage.lines("daily") if line.get("scheduled") == words["<aws.scheduler.scheduled-time>"]]

    lines = eventually("a run of daily", FIRES_S, run)
    assert [line["code"] for line in lines] == [0], lines


@pytest.mark.parametrize("job", ["daily", "deployed"])
def test_a_job_can_be_run_by_hand(stage, job):
    """cache_watch cannot: the emulator holds a serverless cache to be no resource, which its policy names."""
    assert f"{job} at " in stage.done("job", NAME=job)
    assert stage.lines(job)[-1]["code"] == 0
