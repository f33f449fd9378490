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
    """world.ini may be changed before world.start(). After a test that passed the host must stop on TERM
    with 0, whatever it is at; everything else is killed."""
    assert KLINKE.exists(), f"{KLINKE} is not built; KLINKE_BUILD names another build directory"
    made = World(tempfile.mkdtemp(prefix="klinke-"))  # short: a socket's path has 107 characters
    failed, code, complaints = True, None, []
    try:
        yield made
        failed = getattr(request.node, "failed", True)
    finally:
        if failed:
            print(made.tell())
        elif made.host and made.host.poll() is None:
            code = made.stop_host()
        made.close()
        complaints, log = made.complaints(), made.log()
        made.forget()
    assert not complaints, "\n".join(complaints)
    assert code in (None, 0), f"the host ended with {code} on TERM:\n{log[-3000:]}"
