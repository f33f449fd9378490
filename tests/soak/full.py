"""A disk that is really full: the state directory is a tmpfs of a few megabytes in a mount namespace of our own, and a
file beside the store takes what is left of it, to the last page or but a few; under load, and while the host starts. What
disk.c cannot play: memory that is mapped from a file without room for it, half of a write, room that comes back by itself.
Who may not mount gets a disk that says so (disk_faults.py), and is told."""
import ctypes
import os
import random
import subprocess
import sys
import time

import disk_faults
import office
from driver import Driver
from oracle import Ledger, Oracle, judge

ROUNDS, BATCH = 100, 20
RATE = 30
SIZE_MIB = 16
PAGE = 4096
LASTS_S = (0.05, 1.0)
PAUSE_S = (0.0, 0.5)
ROOM = [0, 0, 0, 1, 2, 8, 32]  # pages that are left
CLONE_NEWNS = 0x20000


def mount_own(path):
    """A tmpfs at that path that only this thread and its children see. False: not allowed here."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        return False
    path.mkdir(mode=0o700, exist_ok=True)
    commands = ["mount", "--make-rprivate", "/"], ["mount", "-t", "tmpfs", "-o", f"size={SIZE_MIB}m,mode=0700", "tmpfs", path]
    return all(subprocess.run(c, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0
               for c in commands)


class Full:
    def __init__(self, world, dice):
        self.world, self.dice, self.starts = world, dice, 0
        self.ballast = world.state / "ballast"

    def fill(self):
        with open(self.ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(PAGE))
            except OSError:
                pass
            file.truncate(max(0, file.tell() - PAGE * self.dice.choice(ROOM)))

    def suffer(self):
        """For a while; until the host ends, if it does."""
        end = time.monotonic() + self.dice.uniform(*LASTS_S)
        while time.monotonic() < end and self.world.host.poll() is None:
            time.sleep(0.01)
        self.ballast.unlink()
        code = self.world.host.poll()
        if code is None:
            return
        said = self.world.log()[-1000:]
        assert code > 0 and said.splitlines()[-1].startswith("klinke run: "), f"ended with {code}: {said}"
        self.starts += 1
        self.world.launch_host()

    def strike(self):
        if self.dice.random() < 0.3:
            self.world.kill_host()
            self.fill()
            self.world.launch_host()
        else:
            self.fill()
        self.suffer()
        self.world.wait_for_host()
        time.sleep(self.dice.uniform(*PAUSE_S))


def run(world, seed, rounds):
    """One store through so many rounds, and the verdict. The world is running then."""
    if not mount_own(world.state):
        print("no tmpfs can be mounted here: a disk that says it is full instead", file=sys.stderr)
        return disk_faults.run(world, seed, rounds)
    try:
        return fill_it(world, seed, rounds)
    finally:
        world.kill_host()
        subprocess.run(["umount", "-l", world.state], check=False)


def fill_it(world, seed, rounds):
    dice, ledger = random.Random(seed), Ledger(world.directory / "ledger.jsonl")
    full = Full(world, dice)
    office.start(world)
    assert os.statvfs(world.state).f_blocks * os.statvfs(world.state).f_frsize == SIZE_MIB << 20
    with Driver(world, ledger, seed, RATE) as driver:
        for _ in range(rounds):
            full.strike()
    verdict = judge(Oracle(world, ledger), driver)
    refused = world.log().count("could not be stored") + world.log().count("not stored")
    verdict.counts["refusals"] = refused
    verdict.counts["starts in vain"] = full.starts
    if not refused + full.starts:
        verdict.findings.append("NOTHING: the disk was never full for the host")
    return verdict
