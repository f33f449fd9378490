"""Power cuts: the host dies, and so does everything that it had not synced (or only half of it, or out of order).
Below SQLite: its log, its file, the key store, and the directories that hold their names. Then the host starts on
what is left. Some stores are cut already while they are made."""
import random
import time

import disk
import office
from driver import Driver
from oracle import Ledger, Oracle, judge

ROUNDS, BATCH = 300, 25
RATE = 40
SYNC_US = 2000         # so that there is a moment between a write and its sync
RECORDS = (1, 500)     # writes, syncs and names until the cut: about one second of load
FIRST_RECORDS = (1, 90)  # of the first start
LONGEST_S = 3          # then it is cut anyway


class Power:
    """A world whose state is on a disk that can lose its power."""

    def __init__(self, world, dice):
        self.world, self.dice = world, dice
        self.journal = world.directory / "power.journal"
        world.preload = {"LD_PRELOAD": office.shim(world, "disk"), "DISK_ROOT": str(world.state),
                         "DISK_JOURNAL": str(self.journal), "DISK_SYNC_US": str(SYNC_US)}
        self.cuts = []  # how each of them was, for who looks for a fault

    def launch(self, records=(0, 0)):
        """Starts the host, and does not wait. It dies at one of these records, by chance."""
        self.world.preload["DISK_CUT"] = str(self.dice.randint(*records))
        self.journal.unlink(missing_ok=True)
        self.disk = disk.Disk(self.world.state)
        self.world.launch_host()

    def cut(self):
        """Waits until the host is gone, and leaves what a disk may have kept."""
        end = time.monotonic() + LONGEST_S
        while self.world.host.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        self.world.kill_host()
        how = self.dice.choice(list(disk.WAYS))
        self.disk.replay(self.journal)
        self.cuts.append((how, self.disk.unsafe()))
        self.disk.cut(self.dice, how)

    def first_start(self):
        """Cut in the middle: nothing was acknowledged, so nothing must stay, but it must be able to start."""
        for _ in range(self.dice.randint(0, 3)):
            self.launch(FIRST_RECORDS)
            self.cut()


def run(world, seed, rounds):
    """One store through so many cuts, and the verdict. The world is running then."""
    dice, ledger = random.Random(seed), Ledger(world.directory / "ledger.jsonl")
    power = Power(world, dice)
    world.start_sandbox()
    office.open_calendar(world)
    power.first_start()
    with Driver(world, ledger, seed, RATE) as driver:
        for _ in range(rounds):
            power.launch(RECORDS)
            power.cut()
        power.launch()
        world.wait_for_host()
    verdict = judge(Oracle(world, ledger), driver)
    verdict.counts["unsynced"] = sum(unsafe for _, unsafe in power.cuts)
    return verdict
