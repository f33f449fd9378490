"""The fixture `world`: a fresh sandbox and a fresh host for each test, not started yet."""
import tempfile

import pytest

from world import KLINKE, World


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call":
        item.failed = report.failed


@pytest.fixture
def world(request):
    """world.ini may be changed before world.start(); everything is killed afterwards."""
    assert KLINKE.exists(), f"{KLINKE} is not built; KLINKE_BUILD names another build directory"
    made = World(tempfile.mkdtemp(prefix="klinke-"))  # short: a socket's path has 107 characters
    try:
        yield made
    finally:
        if getattr(request.node, "failed", True):
            print(made.tell())
        made.close()
        complaints = made.complaints()
        made.forget()
    assert not complaints, "\n".join(complaints)
