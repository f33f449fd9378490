"""A world's state directory on a disk that fails and loses its power when we say so (disk.c, disk.py)."""
import errno
import mmap
import struct
import subprocess
import time

import office
from disk import WAYS, Disk
from world import die_with_parent

SYNC_US = 2000  # so that there is a moment between a write and its sync
LONGEST_S = 3   # to wait for a cut: then it comes anyway
FAULTS = struct.Struct("=5I")  # struct faults of disk.c: chances in a thousand of read, write, sync; errno; happened
KINDS = {"full": errno.ENOSPC, "read-only": errno.EROFS, "unwritable": errno.EIO, "unreadable": errno.EIO,
         "unsynced": errno.EIO, "locked": 0}
# Somebody else who has the database: a backup tool, a person with a shell.
LOCK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
db.execute("BEGIN EXCLUSIVE")
print("locked", end="", flush=True)
sys.stdin.read()
"""


class Drive:
    def __init__(self, world, dice):
        self.world, self.dice = world, dice
        self.journal, file = world.directory / "disk.journal", world.directory / "disk.faults"
        file.write_bytes(bytes(FAULTS.size))
        with open(file, "r+b") as opened:
            self.faults = mmap.mmap(opened.fileno(), FAULTS.size)
        world.preload = {"LD_PRELOAD": office.shim(world, "disk"), "DISK_ROOT": str(world.state),
                         "DISK_JOURNAL": str(self.journal), "DISK_FAULTS": str(file), "DISK_SYNC_US": str(SYNC_US)}
        self.disk, self.lock, self.lost = Disk(world.state), None, 0

    # ---- power

    def launch(self, records=0):
        """Starts the host, and does not wait. It dies with that record from now on; 0: it does not."""
        number = self.disk.number
        self.world.preload |= {"DISK_RECORDS": str(number), "DISK_CUT": str(records and number + records)}
        self.world.launch_host()

    def gone(self):
        """After the host's end, whoever ended it, and before the next launch."""
        if self.journal.exists():  # who was killed at once has not even that
            self.disk.replay(self.journal)
            self.journal.unlink()

    def cut(self):
        """Waits until the host dies of its cut, and leaves what a disk may have kept."""
        end = time.monotonic() + LONGEST_S
        while self.world.host.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        self.world.kill_host()
        self.gone()
        self.lost += self.disk.unsafe()
        self.disk.cut(self.dice, self.dice.choice(list(WAYS)))
        self.disk = Disk(self.world.state)

    # ---- faults

    def happened(self):
        """How many operations have failed."""
        return FAULTS.unpack(self.faults[:])[4]

    def fail(self, kind, often=1000):
        """From now on; kind: of KINDS; often: in a thousand operations."""
        if kind == "locked":
            self.lock = subprocess.Popen(["/usr/bin/python3", "-c", LOCK, self.world.state / "klinke.db"],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=die_with_parent)
            assert self.lock.stdout.read(6) == b"locked"
            return
        chances = {"unreadable": (often, 0, 0), "unsynced": (0, 0, often)}.get(kind, (0, often, 0))
        self.faults[:16] = struct.pack("=4I", *chances, KINDS[kind])

    def mend(self):
        self.faults[:16] = bytes(16)
        if self.lock:
            self.lock.kill()  # closing it would copy the log into the file, past disk.c
            self.lock.communicate()
            self.lock = None
