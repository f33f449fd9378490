"""A damaged file: pages overwritten, bytes flipped, the end cut off, while the host is stopped. The next start says so, names
the remedy and leaves the file as it is; or what is damaged is nothing that counts, and everything is there. In no
case does the host begin with less than it had and say nothing. Then the file is put back, and the promise holds."""
import random
import re
import time

import office
from driver import Driver
from oracle import Ledger, Oracle, judge

ROUNDS, BATCH = 100, 25
RATE, LOAD_S = 40, 1
PAGE = 4096


def page(dice, data):
    """One page is noise."""
    at = dice.randrange(len(data) // PAGE) * PAGE
    data[at:at + PAGE] = dice.randbytes(PAGE)


def zeros(dice, data):
    """Some pages never reached the disk."""
    for _ in range(dice.randint(1, 8)):
        at = dice.randrange(len(data) // PAGE) * PAGE
        data[at:at + PAGE] = bytes(PAGE)


def swapped(dice, data):
    """Two pages are in each other's place."""
    a, b = (dice.randrange(len(data) // PAGE) * PAGE for _ in range(2))
    data[a:a + PAGE], data[b:b + PAGE] = data[b:b + PAGE], data[a:a + PAGE]


def beginning(dice, data):
    data[:dice.randint(1, 100)] = dice.randbytes(1)


def cut(dice, data):
    del data[dice.randrange(1, len(data)):]


KINDS = [page, page, zeros, swapped, beginning, cut]


class Rows:
    """How much there is, as the host tells it; or the words in which it says that it cannot."""

    def __init__(self, world):
        self.count, self.said = {}, ""
        for what in ("events", "jobs", "calls"):
            done = world.klinke(what, "--json", "--limit", "100000", check=False)
            self.count[what] = len(done.stdout.splitlines())
            self.said += done.stderr

    def fewer(self, before):
        return any(self.count[what] < before.count[what] for what in self.count)


def put_back(world, good):
    for name in ("klinke.db-wal", "klinke.db-shm", "damage.note", "integrity.note"):
        (world.state / name).unlink(missing_ok=True)
    (world.state / "klinke.db").write_bytes(good)


def is_over(world):
    """Ready, or ended."""
    return world.host.poll() is not None or world._answers(world.host, world.port, "/livez")


def look(world, kind, bad, before):
    """A sentence if the host did not keep its word about this file."""
    begun = len(world.log())
    world.launch_host()
    world.wait(lambda: is_over(world), f"it starts or ends: {kind}")
    said = world.log()[begun:]
    if world.host.poll() is not None:
        if world.host.returncode < 0 or not re.search(r"damaged|not a database|not a store|differs|is not one", said):
            return f"UNCLEAR: {kind}: ended with {world.host.returncode}: {said[-600:]}"
        if "klinke.db" not in said and "the store" not in said:
            return f"UNCLEAR: {kind}: does not say what: {said[-600:]}"
        if (world.state / "klinke.db").read_bytes() != bad:
            return f"CHANGED: {kind}: the file is not as it was found"
        return ""
    now = Rows(world)
    said = world.log()[begun:] + now.said
    world.kill_host()
    if now.fewer(before) and "damaged" not in said:
        return f"LOST: {kind}: there were {before.count}, there are {now.count}, and nothing is said: {said[-600:]}"
    return ""


def run(world, seed, rounds):
    """One store, damaged so many times; and the verdict when it is put back. The world is running then."""
    dice, ledger = random.Random(seed), Ledger(world.directory / "ledger.jsonl")
    office.start(world)
    with Driver(world, ledger, seed, RATE) as driver:
        time.sleep(LOAD_S)  # of load
    oracle = Oracle(world, ledger)
    oracle.settle()
    before = Rows(world)
    assert world.stop_host() == 0
    good, found, refused = (world.state / "klinke.db").read_bytes(), [], 0
    for _ in range(rounds):
        bad, kind = bytearray(good), dice.choice(KINDS)
        kind(dice, bad)
        put_back(world, bad)
        found.append(look(world, kind.__name__, bad, before))
        refused += world.host.returncode > 0
        put_back(world, good)
    world.start_host()
    verdict = judge(oracle, driver)
    verdict.findings += [sentence for sentence in found if sentence]
    verdict.counts["refused starts"] = refused
    return verdict
