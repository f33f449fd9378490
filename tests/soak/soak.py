"""soak.py FAULT [--seed N] [--rounds N] [--keep]: faults under load, for long. README.md tells which.

A failure is told with its seed and keeps its directory: ledger.jsonl, host.log, the store. Ends with 1 then.
"""
import argparse
import importlib
import shutil
import sys
import tempfile
import time

import office

FAULTS = {"kill": "kill", "power": "power", "disk": "disk_faults", "clock": "clock", "damage": "damage", "full": "full",
          "provider": "provider", "plugin": "plugin", "overload": "overload", "backlog": "backlog"}  # command: module


def one(module, seed, rounds, keep):
    """One store through so many rounds: did the promise hold?"""
    directory, begun, good = tempfile.mkdtemp(prefix="klinke-soak-"), time.monotonic(), False
    world = office.make(directory)
    try:
        verdict = module.run(world, seed, rounds)
        good = not verdict.findings and not world.complaints()
        print(f"seed {seed}, {rounds} rounds, {time.monotonic() - begun:.0f} s: {verdict}", flush=True)
    except AssertionError as fault:
        print(f"seed {seed}, {rounds} rounds: {fault}")
    finally:
        world.close()
    for complaint in world.complaints():
        print(complaint)
    if good and not keep:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        print(f"everything of seed {seed} is kept in {directory}", flush=True)
    return good


def main():
    parse = argparse.ArgumentParser(prog="./dev soak", description=__doc__.splitlines()[0])
    parse.add_argument("fault", choices=FAULTS)
    parse.add_argument("--seed", type=int, default=time.time_ns() % 1000000, help="repeats a run")
    parse.add_argument("--rounds", type=int, help="how many faults; each has its default")
    parse.add_argument("--keep", action="store_true", help="keep the directories of good runs, too")
    asked = parse.parse_args()
    module = importlib.import_module(FAULTS[asked.fault])
    left, seed, bad = asked.rounds or module.ROUNDS, asked.seed, 0
    while left > 0:
        rounds = min(left, module.BATCH)
        bad += not one(module, seed, rounds, asked.keep)
        left, seed = left - rounds, seed + 1
    print(f"soak {asked.fault}: {bad} stores with findings" if bad else f"soak {asked.fault}: nothing lost, nothing twice")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
