"""Faults planted by hand: the test that is there for each one is red with it.

Scripts are changed in the stage's copy of the tree, and a right in the account. Each test puts back what it found.
"""

import json
from contextlib import contextmanager

import pytest
import test_rights
import test_versions
from parts import REGION
from stage import STAGE

A_PUSH_AND_BACK = test_versions.test_a_push_makes_one_function_live_and_a_rollback_goes_back_however_often
ASKED_FIRST = test_versions.test_a_push_that_does_not_work_never_becomes_live
RIGHTS = test_rights.test_a_function_may_do_what_is_listed_and_nothing_else

# Name, script, what stands there, the fault, the test, and what it says.
IN_SCRIPTS = {
    "new versions are not asked": ("lib.sh", '    [ -n "$is_good" ]\n}', "}", ASKED_FIRST, "the one that was live still is"),
    "the alias is not moved": ("push.sh", 'set_alias "$function" live "$version"', "true", A_PUSH_AND_BACK, "set"),
    "the lock is not given back": ("lib.sh", "trap 'releases unlock' EXIT", "true", A_PUSH_AND_BACK, "has been at `make push"),
    "a rollback skips a function": (
        "rollback.sh",
        'releases versions "$id" >"$wanted.all"',
        'releases versions "$id" | grep -v veri_code >"$wanted.all"',
        A_PUSH_AND_BACK,
        "expires_in|veri_code",
    ),
}


@contextmanager
def planted(stage, script, old, new):
    file = stage.folder / "infra/deploy" / script
    text = file.read_text()
    assert text.count(old) == 1, f"{old} is {text.count(old)} times in {script}"
    file.write_text(text.replace(old, new))
    try:
        yield
    finally:
        file.write_text(text)


@pytest.mark.slow
@pytest.mark.parametrize("fault", IN_SCRIPTS)
def test_a_fault_in_a_script_is_red(stage, fault):
    script, old, new, test, said = IN_SCRIPTS[fault]
    before = stage.versions()
    first = stage.current_release()
    with planted(stage, script, old, new), pytest.raises(AssertionError, match=said):
        test(stage)
    stage.aws("s3").delete_object(Bucket=f"badge-code-000000000000-{REGION}", Key=f"releases/{STAGE}/lock")
    stage.done("rollback", TO=first)
    assert stage.versions() == before


@contextmanager
def lacking(stage, function, action):
    """A function whose role may not do one thing that it needs."""
    iam, role = stage.aws("iam"), test_rights.role_of(stage, function).split("/")[-1]
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policies = {name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names}
    name = next(name for name, policy in policies.items() if action in json.dumps(policy))
    without = json.dumps(policies[name]).replace(f'"{action}"', '"dynamodb:ListTables"')
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=without)
    try:
        yield
    finally:
        iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policies[name]))


def test_a_right_that_is_missing_is_red(stage):
    with lacking(stage, "login", "dynamodb:UpdateItem"), pytest.raises(AssertionError, match="UpdateItem"):
        RIGHTS(stage, "login")
    RIGHTS(stage, "login")
