"""Which version is live: after a second deployment, a push, a rollback, and what does not work.

Settings are part of a function's package, so another time-to-live of codes is another `veri_code`, and clients see it.
"""

from contextlib import contextmanager

FIRST_S = 300


@contextmanager
def ttl(bed, seconds):
    """Settings with another time-to-live of codes; those of before come back, and what was deployed stays."""
    old, new = f"[veri_code]\nttl_secs = {FIRST_S}", f"[veri_code]\nttl_secs = {seconds}"
    bed.set_conf(old, new)
    yield
    bed.set_conf(new, old)


@contextmanager
def broken(bed):
    """Settings with which no function starts."""
    bed.set_conf("[veri_code]\n", "[veri_code]\nno_such_key = 1\n")
    yield
    bed.set_conf("[veri_code]\nno_such_key = 1\n", "[veri_code]\n")


def lives_for(bed):
    return bed.ask(bed.phone())["expires_in"]


def test_a_second_deployment_changes_nothing(bed):
    live = bed.versions()
    assert "Nothing would change" in bed.done("diff")
    assert "No changes to deploy" in bed.done("deploy")
    assert bed.versions() == live
    assert bed.versions("before") == {}, "the way back is to what is live"
    is_done, told = bed.make("rollback")
    assert not is_done and "there is no version before" in told


def test_a_push_makes_one_function_live_and_a_rollback_goes_back(bed):
    before = bed.versions()
    with ttl(bed, 240):
        bed.done("push", FN="veri_code")
    after = bed.versions()
    assert {name for name in after if after[name] != before[name]} == {"veri_code"}
    assert lives_for(bed) == 240
    bed.done("rollback")
    assert (bed.versions(), lives_for(bed)) == (before, FIRST_S)


def test_a_push_that_does_not_work_goes_back_by_itself(bed):
    live = bed.versions()
    with broken(bed):
        is_done, told = bed.make("push", FN="user_index")
    assert not is_done and "its code is again the one before" in told
    assert bed.versions() == live
    assert bed.index()["code"] == 10006


def test_a_deployment_makes_every_function_live_and_a_rollback_goes_back(bed):
    before = bed.versions()
    with ttl(bed, 180):
        bed.done("deploy")
    after = bed.versions()
    assert all(after[name] != before[name] for name in before), (before, after)
    assert lives_for(bed) == 180
    bed.done("rollback")
    assert (bed.versions(), lives_for(bed)) == (before, FIRST_S)


def test_a_deployment_that_does_not_work_goes_back_by_itself(bed):
    live = bed.versions()
    with broken(bed):
        is_done, told = bed.make("deploy")
    assert not is_done and "its code is again the one before" in told
    assert (bed.versions(), lives_for(bed)) == (live, FIRST_S)
