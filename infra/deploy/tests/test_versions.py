"""Which version is live: after a second deployment, a push, a rollback, and what does not work.

Settings are part of a function's package, so another time-to-live of codes is another `veri_code`, and clients see it.
"""

import json
import time
from contextlib import contextmanager

import pytest
from parts import REGION
from stage import STAGE

FIRST_S = 300


@contextmanager
def ttl(stage, seconds):
    """Settings with another time-to-live of codes; those of before come back, and what was deployed stays."""
    old, new = f"[veri_code]\nttl_secs = {FIRST_S}", f"[veri_code]\nttl_secs = {seconds}"
    stage.set_conf(old, new)
    try:
        yield
    finally:
        stage.set_conf(new, old)


@contextmanager
def broken(stage):
    """Settings with which no function starts."""
    stage.set_conf("[veri_code]\n", "[veri_code]\nno_such_key = 1\n")
    try:
        yield
    finally:
        stage.set_conf("[veri_code]\nno_such_key = 1\n", "[veri_code]\n")


def lives_for(stage):
    return stage.ask(stage.phone())["expires_in"]


def test_a_second_deployment_changes_nothing(stage):
    live = stage.versions()
    assert "Nothing would change" in stage.done("diff")
    assert "No changes to deploy" in stage.done("deploy")
    assert stage.versions() == live
    is_done, output = stage.make("rollback")
    assert not is_done and "there is no release before" in output
    assert stage.done("releases").count(" live ") == 1, "nothing new is no release"


def test_a_push_makes_one_function_live_and_a_rollback_goes_back_however_often(stage):
    before = stage.versions()
    with ttl(stage, 240):
        stage.done("push", FN="veri_code")
    after = stage.versions()
    assert {name for name in after if after[name] != before[name]} == {"veri_code"}
    assert lives_for(stage) == 240
    for _ in range(2):
        stage.done("rollback")
        assert (stage.versions(), lives_for(stage)) == (before, FIRST_S)
    newest = next(line.split()[0] for line in stage.done("releases").splitlines() if "push veri_code" in line)
    stage.done("rollback", TO=newest)
    assert (stage.versions(), lives_for(stage)) == (after, 240)
    stage.done("rollback")
    assert stage.versions() == before


def test_a_push_that_does_not_work_never_becomes_live(stage):
    live = stage.versions()
    with broken(stage):
        is_done, output = stage.make("push", FN="user_index")
    assert not is_done and "the one that was live still is" in output
    assert stage.versions() == live
    assert stage.index()["code"] == 10006


@pytest.mark.slow
def test_a_deployment_makes_every_function_live_and_a_rollback_goes_back(stage):
    before = stage.versions()
    with ttl(stage, 180):
        stage.done("deploy")
        after = stage.versions()
        assert all(after[name] != before[name] for name in before), (before, after)
        assert lives_for(stage) == 180
        stage.done("rollback")
        assert (stage.versions(), lives_for(stage)) == (before, FIRST_S)
        # What is live is not what the stack says: a deployment of the same code mends it.
        stage.done("deploy")
        assert (stage.versions(), lives_for(stage)) == (after, 180)
        stage.done("rollback")
    assert (stage.versions(), lives_for(stage)) == (before, FIRST_S)


@pytest.mark.slow
def test_a_deployment_that_does_not_work_goes_back_by_itself(stage):
    live = stage.versions()
    with broken(stage):
        is_done, output = stage.make("deploy")
    assert not is_done and "its code is again the one before" in output
    assert (stage.versions(), lives_for(stage)) == (live, FIRST_S)


@pytest.mark.slow
def test_a_rollback_sets_what_it_can_and_is_typed_again(stage):
    before, first = stage.versions(), stage.current_release()
    for function in ("login", "veri_code"):
        stage.done("push", FN=function)
    with stage.throttled("veri_code"):
        is_done, output = stage.make("rollback", TO=first)
    assert not is_done and f"{stage.name('veri_code')} is still" in output and f"make rollback TO={first}" in output
    assert {name for name, version in stage.versions().items() if version != before[name]} == {"veri_code"}
    stage.done("rollback", TO=first)
    assert stage.versions() == before


@pytest.mark.slow
def test_a_setting_that_changes_alone_reaches_every_function(stage):
    before = stage.versions()
    stage.set_conf("log_days = 14", "log_days = 7")
    try:
        stage.done("deploy")
    finally:
        stage.set_conf("log_days = 7", "log_days = 14")
    after = stage.versions()
    assert all(after[name] != before[name] for name in before), (before, after)
    group = stage.aws("logs").describe_log_groups(logGroupNamePrefix=f"/badge/{STAGE}/functions")["logGroups"][0]
    assert group["retentionInDays"] == 7
    stage.done("rollback")
    assert stage.versions() == before


@pytest.mark.slow
def test_a_version_that_somebody_made_live_by_hand_is_a_release_too(stage):
    before = stage.versions()
    client, name = stage.aws("lambda"), stage.name("login")
    client.update_alias(FunctionName=name, Name="live", FunctionVersion="1")
    with ttl(stage, 200):
        stage.done("push", FN="veri_code")
    stage.done("rollback")
    assert stage.versions() == before | {"login": "1"}
    client.update_alias(FunctionName=name, Name="live", FunctionVersion=before["login"])
    assert stage.versions() == before


@pytest.mark.slow
def test_two_deployments_at_once_are_one_and_a_refusal(stage):
    held = {"what": "deploy", "by": "bob", "from": "2026-11-26T12:00:00Z", "until": time.time() + 60}
    bucket = f"badge-code-000000000000-{REGION}"
    lock = {"Bucket": bucket, "Key": f"releases/{STAGE}/lock"}
    stage.aws("s3").put_object(**lock, Body=json.dumps(held))
    for verb in ("deploy", "rollback"):
        is_done, output = stage.make(verb)
        assert not is_done and "bob has been at `make deploy` of this stage" in output
    stage.aws("s3").put_object(**lock, Body=json.dumps(held | {"until": time.time() - 1}))
    stage.done("deploy")
    assert lives_for(stage) == FIRST_S
