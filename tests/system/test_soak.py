"""Faults under load, judged by the oracle of tests/soak: the short versions of `./dev soak`. And the oracle
itself: it sees what it should.

SEED=… repeats a run.
"""
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from world import a_world, request as send

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "soak"))
import clock  # noqa: E402
import damage  # noqa: E402
import disk  # noqa: E402
import disk_faults  # noqa: E402
import kill  # noqa: E402
import office  # noqa: E402
import power  # noqa: E402
from driver import KINDS, Driver  # noqa: E402
from oracle import Ledger, Oracle, judge  # noqa: E402

SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))


@pytest.fixture
def soaked(request):
    """An office that is not started."""
    print(f"SEED={SEED}")
    with a_world(office.make, lambda: getattr(request.node, "failed", True)) as made:
        yield made


# ---- The oracle sees what it should ------------------------------------------------------------------

class Judged:
    """A world at rest after one webhook of each kind, to be lied about."""

    def __init__(self, world):
        self.world = world
        self.ledger = Ledger(world.directory / "ledger.jsonl")
        self.driver = Driver(world, self.ledger, SEED)
        self.oracle = Oracle(world, self.ledger)
        self.good = judge(self.oracle, self.driver)

    def owed(self, kind):
        return next(o for o in self.ledger.all() if o.kind == kind)

    def findings(self):
        """The first words of what is found now."""
        return sorted({f.split(":")[0] for f in self.oracle.verdict().findings})


def test_the_oracle_sees_what_is_wrong(soaked):
    office.start(soaked)
    it = Judged(soaked)
    assert not it.good.findings, it.good
    assert it.good.counts["owed"] == len(KINDS) and it.good.counts["filtered"] == it.good.counts["parked"] == 1
    assert it.good.counts["done"] == it.good.counts["effects"] == 4  # a call, its confirmation, a text, a booking

    for kind in KINDS:  # a webhook that got its 2xx and is not there
        lost = it.driver.make(kind)
        it.ledger.promise(lost)
        assert it.findings() == [], "what was only sent is not owed"
        it.ledger.acknowledge(lost)
        assert it.findings() == ["LOST"], kind
        del it.ledger.obligations[lost.token]

    for kind in ("call", "text", "booking"):  # one that is there and was never sent
        it.ledger.obligations, kept = {o.token: o for o in it.ledger.all() if o.kind != kind}, it.ledger.obligations
        it.ledger.obligations |= {o.token: o for o in [it.driver.make(kind)]}
        assert it.findings() == ["NO CAUSE"], kind
        it.ledger.obligations = kept

    for kind in ("call", "text", "booking"):  # an effect, or an event, that says something else
        owed = it.owed(kind)
        owed.effect["name"], kept = "somebody else", dict(owed.effect)
        assert it.findings() == ["CHANGED"], kind
        owed.effect = kept
    path, value = next(iter(it.owed("text").says.items()))
    it.owed("text").says[path] = value + " "
    assert it.findings() == ["CHANGED"]
    it.owed("text").says[path] = value

    it.owed("idle").fate, it.owed("idle").pipeline = "done", "book"
    assert it.findings() == ["JOBS"]
    it.owed("idle").fate = "filtered"
    it.owed("text").fate = "filtered"
    assert it.findings() == ["NOT FILTERED"]
    it.owed("text").fate = "done"
    it.ledger.refuse(it.owed("text"), 401)
    assert it.findings() == ["REFUSED"]


def send_ourselves(world, message):
    """At the vendor's, past the host."""
    facts = message["facts"]
    body = json.dumps({**facts, "messaging_product": "whatsapp"}).encode()
    status, answer, _ = send(world.sandbox_port, "POST", "/whatsapp/v25.0/106000000000001/messages", body, {
        "Content-Type": "application/json", "Authorization": "Bearer EAAsandbox"})
    assert status == 200, answer


def test_the_oracle_sees_effects_that_nobody_owes(soaked):
    office.start(soaked)
    soaked.settings(whatsapp_statuses=["read"])
    it = Judged(soaked)
    assert not it.good.findings, it.good
    text = next(m for m in soaked.messages() if m["type"] == "text")
    send_ourselves(soaked, text)
    it.oracle.settle()
    assert it.findings() == ["EFFECTS", "TWICE"], "a message went out twice"


def test_the_oracle_sees_what_is_given_up(soaked):
    """A message that the vendor refuses is parked: unless the fault excuses it, that is a finding."""
    office.start(soaked)
    soaked.fault(vendor="whatsapp", method="POST", path="*/messages", status=400, count=0,
                 body={"error": {"code": 131026, "message": "no", "type": "OAuthException"}})
    it = Judged(soaked)
    assert {f.split(":")[0] for f in it.good.findings} == {"GIVEN UP"}
    assert it.good.counts["parked"] == 1 + 3  # noise, and three messages
    excused = Oracle(soaked, it.ledger, lambda job: job["fail"] == "gone")
    assert not excused.verdict().findings


# ---- The disk that loses power forgets what it may, and nothing else -------------------------------------

WRITES = """
import os
a = os.open("a", os.O_RDWR | os.O_CREAT)
os.pwrite(a, b"1" * 2048, 0)
os.fsync(a)
here = os.open(".", os.O_RDONLY)
os.pwrite(a, b"2" * 2048, 1024)
b = os.open("b", os.O_RDWR | os.O_CREAT)
os.fsync(here)
os.fsync(b)
os.write(b, b"3" * 600)
os.link("b", "c")
os.unlink("a")
"""


def test_a_power_cut_takes_what_was_not_synced(soaked):
    root, journal, dice = soaked.directory / "disk", soaked.directory / "journal", random.Random(SEED)
    root.mkdir()
    made = disk.Disk(root)
    program = WRITES.replace('"."', f'"{root}"')
    for name in "abc":
        program = program.replace(f'"{name}"', f'"{root}/{name}"')
    subprocess.run(["/usr/bin/python3", "-c", program], check=True, env={
        "LD_PRELOAD": office.shim(soaked, "disk"), "DISK_ROOT": str(root), "DISK_JOURNAL": str(journal)})
    made.replay(journal)

    def left(how):
        made.cut(dice, how)
        return {path.name: path.read_bytes() for path in root.iterdir()}

    assert left("nothing") == {"a": b"1" * 2048, "b": b""}
    assert left("all") == {"b": b"3" * 600, "c": b"3" * 600}
    seen = set()
    for _ in range(60):
        files = left(dice.choice(["little", "half", "most", "until"]))
        assert files.get("a", b"1" * 1024)[:1024] == b"1" * 1024, "what was synced is there"
        assert files["b"].strip(b"3").strip(b"\0") == b""
        seen.add((files.get("a", b"")[1024:].count(b"2"), "a" in files, "c" in files, len(files["b"])))
    assert len(seen) > 5, "there are many ways to lose"
    assert any(0 < n < 2048 and n % 512 == 0 for n, *_ in seen), "torn by sectors"


# ---- Faults, shortly -----------------------------------------------------------------------------------

def test_kill_9_under_load(soaked):
    verdict = kill.run(soaked, SEED, 6)
    assert not verdict.findings, verdict
    assert verdict.counts["done"] > 6


def test_power_cuts_under_load(soaked):
    verdict = power.run(soaked, SEED, 6)
    assert not verdict.findings, verdict
    assert verdict.counts["unsynced"], "there was something to lose"
    assert verdict.counts["done"] > 6


def test_a_disk_that_fails_under_load(soaked):
    verdict = disk_faults.run(soaked, SEED, 6)
    assert not verdict.findings, verdict
    assert verdict.counts["done"] > 6


def test_a_disk_that_is_really_full_under_load():
    """A process of its own: it mounts one."""
    soak_py = Path(__file__).resolve().parents[1] / "soak" / "soak.py"
    done = subprocess.run([sys.executable, soak_py, "full", "--seed", str(SEED), "--rounds", "3"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0 and "nothing lost, nothing twice" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("wrong", [False, True], ids=["the world's", "the host's"])
def test_a_clock_that_leaps_under_load(soaked, wrong):
    verdict = clock.run(soaked, 2 * (SEED // 2) + wrong, 2)
    assert not verdict.findings, verdict
    assert verdict.counts["done"] > 6
    assert verdict.counts["refused signatures"] or not wrong


def test_a_damaged_file_is_never_begun_anew(soaked):
    verdict = damage.run(soaked, SEED, 4)
    assert not verdict.findings, verdict
    assert verdict.counts["done"] > 6
