"""Short versions of `./dev soak provider`, `plugin`, `overload` and `backlog`: see tests/soak/README.md.

SEED=… repeats a run.
"""
from test_soak import SEED, soaked  # noqa: F401, pylint: disable=unused-import
import plugin
import provider


def kept(verdict):
    assert not verdict.findings, verdict
    return verdict.counts


def test_providers_that_fail_under_load(soaked):
    counts = kept(provider.run(soaked, SEED, 1, provider.SHORT, length_s=0.1, scale=20000, kinds=provider.SHORT_KINDS))
    assert counts["callers"] >= len(provider.SHORT) and counts["done"] > 4


def test_plugins_that_misbehave_under_load(soaked):
    counts = kept(plugin.run(soaked, SEED, 1, plugin.SHORT, length_s=1))
    assert counts["deaths"] >= 5 and counts["poisonous jobs"] >= 2 and counts["parked"] >= 6
