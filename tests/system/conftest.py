"""The fixture `world`: a fresh sandbox and a fresh host for each test, not started yet."""
import pytest

from world import a_world


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.when == "call":
        item.failed = report.failed


@pytest.fixture
def world(request):
    """world.ini may be changed before world.start()."""
    with a_world(failed=lambda: getattr(request.node, "failed", True)) as made:
        yield made
