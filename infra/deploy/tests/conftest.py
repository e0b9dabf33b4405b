"""The account and the stage in it, which all tests here share: to bring one up takes longer than any of them.

Each test has phones of its own. Those that change what is live (test_versions.py) leave a stage that works, and the last
file takes it down; infra/deploy/test_deploy.sh names the files in their order.
"""

import signal
import tempfile
from pathlib import Path

import aws_server
import parts
import pytest
from stage import Stage

# Ended from outside, as by Ctrl-C: pytest stops, and what was started is ended.
signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: a whole deployment of its own; `make test-deploy` runs it, CI does not")


@pytest.fixture(scope="session")
def stage(request):
    """A stage that `make deploy` has brought up in an empty account. Where it has not, there is nothing to test."""
    with tempfile.TemporaryDirectory(prefix="badge-") as name:
        folder = Path(name)
        for part in ("aws", "cache", "emulator", "tree"):
            (folder / part).mkdir()
        sink = parts.Sink()
        try:
            with (
                parts.cache(folder / "cache") as cache,
                parts.emulator(folder / "emulator") as emulator,
                aws_server.running(folder / "aws"),
            ):
                stage = Stage(folder / "tree", emulator, cache, sink, folder / "aws")
                is_up, stage.first = stage.make("deploy")
                if not is_up:
                    request.session.shouldfail = "no stage came up"
                    pytest.fail(stage.first, pytrace=False)
                yield stage
        finally:
            sink.close()
