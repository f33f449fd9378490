"""A disk that is full, read-only, unreadable, unwritable, fails to sync, or is locked by somebody else; under load,
while the host starts, and with a power cut now and then. Meanwhile nothing is promised that is not on disk; when the
fault is over the host goes on by itself, or it had ended with a sentence and goes on when it is started."""
import random
import time

import office
from driver import Driver
from drive import KINDS, Drive
from oracle import Ledger, Oracle, judge

ROUNDS, BATCH = 200, 20
RATE = 30
LASTS_S = (0.05, 1.0)
PAUSE_S = (0.0, 0.3)  # between two faults
WAYS = {"running": 6, "starting": 2, "power": 2}


def revive(drive, kind):
    """Whoever ended by itself said why, and is started again, as systemd would."""
    code = drive.world.host.poll()
    if code is None:
        return
    said = drive.world.log()[-1000:]
    assert code > 0 and said.splitlines()[-1].startswith("klinke run: "), f"{kind}: ended with {code}: {said}"
    drive.gone()
    drive.launch()


def suffer(drive, dice, kind):
    """For a while; until the host ends, if it does."""
    end = time.monotonic() + dice.uniform(*LASTS_S)
    while time.monotonic() < end and drive.world.host.poll() is None:
        time.sleep(0.01)
    drive.mend()
    revive(drive, kind)


def strike(drive, dice):
    way, kind = dice.choices(list(WAYS), list(WAYS.values()))[0], dice.choice(list(KINDS))
    often = 1000 if kind == "read-only" else dice.choice([30, 300, 1000])
    if way == "power":
        time.sleep(dice.uniform(*PAUSE_S))
        drive.world.host.kill()
        drive.cut()
        drive.launch()
    elif way == "starting":
        drive.world.kill_host()
        drive.gone()
        drive.fail(kind, often)
        drive.launch()
        suffer(drive, dice, f"{kind} at its start")
    else:
        drive.fail(kind, often)
        suffer(drive, dice, kind)
    drive.world.wait_for_host()
    time.sleep(dice.uniform(*PAUSE_S))


def run(world, seed, rounds):
    """One store through so many faults, and the verdict. The world is running then."""
    dice, ledger = random.Random(seed), Ledger(world.directory / "ledger.jsonl")
    drive = Drive(world, dice)
    world.start_sandbox()
    office.open_calendar(world)
    drive.launch()
    world.wait_for_host()
    office.begin(world)
    with Driver(world, ledger, seed, RATE) as driver:
        for _ in range(rounds):
            strike(drive, dice)
    verdict = judge(Oracle(world, ledger), driver)
    verdict.counts["failed operations"] = drive.happened()
    return verdict
