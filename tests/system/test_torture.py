"""A call that fails once, of the host or of any library in it, costs at most an answer: the process lives, nothing
that was acknowledged is lost or happens twice, and the next request works. Short version of `./dev soak torture`.

SEED=… repeats a run, ROUNDS=… makes it longer.
"""
import os
import random
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "soak"))
from torture import HOST, KINDS, ZYGOTE, Torture  # noqa: E402

SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
ROUNDS = int(os.environ.get("ROUNDS", "7"))
MOST = {"malloc": 400, "read": 60, "recv": 80, "write": 80, "send": 60, "wait": 100, "open": 20, "accept": 12,
        "fsync": 12, "mmap": 6}  # about how many there are in a scenario
RELOAD = 3000                    # allocations of one
FEW = 2                          # of others, and of the zygote's


@pytest.fixture
def torture():
    print(f"SEED={SEED}")
    made = Torture(SEED)
    yield made
    made.close()


def suffer(torture, name, kinds, role=HOST):
    """One store; random calls fail in it."""
    dice = random.Random(f"{SEED} {name}")
    torture.open(name)
    for _ in range(ROUNDS // 2 if name == "start" else ROUNDS):
        kind = dice.choice(kinds)
        torture.round(kind, dice.randint(1, FEW if role == ZYGOTE else MOST.get(kind, FEW)), dice.randrange(1000),
                      role)
    torture.close()
    assert not torture.findings, "\n".join(torture.findings)
    assert torture.fired, "no call has failed: nothing was tried"


@pytest.mark.parametrize("name", ["story", "caller", "operator"])
def test_a_call_that_fails_costs_an_answer_at_most(torture, name):
    suffer(torture, name, ["malloc"] * 8 + KINDS[1:])


def test_a_reload_that_lacks_memory_says_so_and_does_not_spoil_the_next(torture):
    torture.open("operator")
    world, dice = torture.world, random.Random(f"{SEED} reload")
    refused = 0
    for nth in dice.sample(range(1, RELOAD), 3 * ROUNDS):
        world.table.arm("malloc", nth, 0)
        answer = world.ask("reload") or {}
        world.table.disarm()
        assert "error" not in answer or answer["error"]["text"], f"{nth}: an error without a word"
        refused += "error" in answer
        assert "error" not in world.ask("reload"), f"{nth}: {answer}"
    assert refused


def test_a_worker_comes_back_although_the_zygote_lacks_something(torture):
    suffer(torture, "crew", ["malloc", "fork", "recv", "send", "read", "wait"], ZYGOTE)


def test_a_start_that_lacks_something_ends_with_a_sentence_or_succeeds(torture):
    suffer(torture, "start", ["malloc"] * 4 + ["open", "descriptor", "read", "write", "fsync", "thread", "mmap", "epoll"])
