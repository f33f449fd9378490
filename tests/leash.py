"""leash.py SECONDS COMMAND...: runs a stage of the suite; nothing it started outlives it.

Ends as COMMAND does, with 124 if it took longer than SECONDS, with 125 if it left processes running
(which are named and killed). Their parents may be long gone: this process is their reaper.
"""
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
GRACE_S = 10  # for those whose parent was just killed, and who see that themselves


def children():
    """Pids whose parent we are by now."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = stat.read_text(errors="replace").rsplit(")", 1)[1].split()[:2]
        except OSError:
            continue
        if int(parent) == os.getpid() and state not in "ZX":
            found.append(int(stat.parent.name))
    return found


def reap():
    """Takes everyone who has ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def name(pid):
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ")
        return words.decode(errors="replace")[:200]
    except OSError:
        return "(ended)"


def kill_all():
    """A killed one's children become ours: until none is left."""
    while young := children():
        for pid in young:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.01)
        reap()


def stragglers():
    """Who is still there after the time of grace."""
    end = time.monotonic() + GRACE_S
    while (left := children()) and time.monotonic() < end:
        time.sleep(0.02)
        reap()
    return left


def interrupted(number, _frame):
    kill_all()
    sys.exit(128 + number)


def main():
    seconds, command = float(sys.argv[1]), sys.argv[2:]
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, interrupted)
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)  # a suite that is killed takes all along
    stage = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        status = stage.wait(seconds)
    except subprocess.TimeoutExpired:
        print(f"leash: not finished after {seconds:.0f} s: {' '.join(command)}", flush=True)
        kill_all()
        return 124
    left = stragglers()
    for pid in left:
        print(f"leash: left running: {pid} {name(pid)}", flush=True)
    kill_all()
    return status if status or not left else 125


if __name__ == "__main__":
    sys.exit(main())
