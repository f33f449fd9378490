"""Short versions of `./dev soak provider`, `plugin`, `overload` and `backlog`: see tests/soak/README.md.

SEED=… repeats a run.
"""
from test_soak import SEED, soaked  # noqa: F401, pylint: disable=unused-import
import backlog
import overload
import plugin
import provider


def kept(verdict):
    assert not verdict.findings, verdict
    return verdict.counts


def test_providers_that_fail_under_load(soaked):
    counts = kept(provider.run(soaked, SEED, 1, provider.SHORT, length_s=0.1, scale=20000, kinds=provider.SHORT_KINDS))
    assert counts["callers"] >= len(provider.SHORT) and counts["done"] > 4


def test_a_lone_booking_outlasts_an_hour_of_errors(soaked):
    """As retries are set when nobody sets them, but 4,000 times as fast."""
    job = provider.lone(soaked, 4000)
    assert job["state"] == "ready" and job["fail"] == "broken" and job["tries"] > 4, job


def test_plugins_that_misbehave_under_load(soaked):
    counts = kept(plugin.run(soaked, SEED, 1, plugin.SHORT, length_s=0.6))
    assert counts["deaths"] >= 5 and counts["poisonous jobs"] >= 2 and counts["parked"] >= 6


def test_more_at_once_than_there_is_room_for(soaked):
    """More connections than webhooks that may be under way: some are refused, nobody who was not is lost."""
    counts = kept(overload.run(soaked, SEED, 1, seconds=1, connections=2600, slow=20, idle=20, times=1, stuck=True))
    assert counts["refused"] > 0 and counts["acknowledged"] > 0
    assert counts["callers"] > counts["callers asked to ask again"]


def test_a_backlog_waits_and_is_in_nobodys_way(soaked):
    counts = kept(backlog.run(soaked, SEED, 1, rows=20000, seconds=1, compare=False, rate=200))
    assert counts["jobs in the backlog"] > 20000
