"""Power cuts: the host dies, and so does everything that it had not synced (or only half of it, or out of order).
Below SQLite: its log, its file, the key store, and the directories that hold their names. Then the host starts on
what is left. Some stores are cut already while they are made."""
import random

import office
from driver import Driver
from drive import Drive
from oracle import Ledger, Oracle, judge

ROUNDS, BATCH = 300, 25
RATE = 40
RECORDS = (1, 500)     # writes, syncs and names until the cut: about one second of load
FIRST_RECORDS = (1, 90)  # of the first start


def first_start(drive, dice):
    """Cut in the middle: nothing was acknowledged, so nothing must stay, but it must be able to start."""
    for _ in range(dice.randint(0, 3)):
        drive.launch(dice.randint(*FIRST_RECORDS))
        drive.cut()


def run(world, seed, rounds):
    """One store through so many cuts, and the verdict. The world is running then."""
    dice, ledger = random.Random(seed), Ledger(world.directory / "ledger.jsonl")
    drive = Drive(world, dice)
    world.start_sandbox()
    office.open_calendar(world)
    first_start(drive, dice)
    drive.launch()
    world.wait_for_host()
    office.begin(world)
    world.host.kill()
    drive.cut()
    with Driver(world, ledger, seed, RATE) as driver:
        for _ in range(rounds):
            drive.launch(dice.randint(*RECORDS))
            drive.cut()
        drive.launch()
        world.wait_for_host()
    verdict = judge(Oracle(world, ledger), driver)
    if "log is damaged" in world.log():
        verdict.findings.append("ALARM: what a power cut leaves in the log was taken for damage")
    verdict.counts["unsynced"] = drive.lost
    return verdict
