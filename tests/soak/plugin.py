"""Bad plugins beside good ones, under load: each mode of tests/plugins/rogue.c is a plugin of its own, with its own
connection and pipeline, and does what it must not in one of its functions. It may lose its worker or the call; never
the host, a neighbour, or one of the webhooks that others or itself have acknowledged. A webhook or job that is poison,
so that each worker which touches it dies, is parked after its second kill; one that fails without killing, at once.
"""
import http.client
import json
import os
import random
import shlex
import shutil
import subprocess
import threading
import time

import office
from driver import Driver
from hooks_kit import SIGN
from oracle import DONE, FILTERED, PARKED, Ledger, Obligation, Oracle, judge, unknown_only
from world import TENANT, TOP, descendants

ROUNDS, BATCH = 20, 4
RATE = 10      # webhooks per second to the good plugins
ROGUE_S = 0.3  # and every so often one to some rogue
EVERY = 9      # each so many calls a rogue does it, whatever it was called with
POISON = 0.1   # of what it gets makes it do it always
DEADLY = ("crash", "abort", "exit", "loop", "leak", "bomb", "socket", "write", "exec", "kill", "noise", "patch", "overflow")
LYING = ("file", "sizes", "large", "nulls", "utf8", "huge", "alloc", "type")
HARMLESS = ("file",)  # it is refused, and the call goes on
TIMEOUT_MS = 500
SHORT = (("crash", "normalize"), ("loop", "step"), ("leak", "normalize"), ("bomb", "normalize"), ("socket", "step"),
         ("sizes", "normalize"), ("utf8", "normalize"), ("huge", "normalize"))


class Rogue:
    def __init__(self, mode, where):
        self.mode, self.where, self.deadly = mode, where, mode in DEADLY
        self.name = f"rogue_{mode}_{where}"


def furnish(world, rogues):
    plugins = world.directory / "plugins"
    plugins.mkdir()
    world.ini["host"]["plugins"] += f" {plugins}"
    made = world.directory / "rogue.so"
    subprocess.run([*shlex.split(os.environ.get("CC", "cc")), "-O1", "-shared", "-fPIC", "-fvisibility=hidden", "-I",
                    TOP / "sdk" / "include", TOP / "tests" / "plugins" / "rogue.c", "-o", made], check=True)
    for rogue in rogues:
        shutil.copy(made, plugins / f"{rogue.name}.so")
        world.ini.add(f"connection {rogue.name}", tenant=TENANT, plugin=rogue.name, mode=rogue.mode, where=rogue.where,
                      every=EVERY if rogue.deadly else 0, worker_timeout=f"{TIMEOUT_MS}ms")
        world.ini.add(f"pipeline {rogue.name}", ("on", "thing.happened"),
                      ("when", f"data ->> 'rogue' = '{rogue.name}' and data ->> 'to' is not null"),
                      ("step", f"{rogue.name}.act text=(data ->> 'text')"),
                      ("step", "whatsapp.send to=(data ->> 'to') text=(data ->> 'text')"))
        SIGN[rogue.name] = lambda body: {"Content-Type": "application/json"}


class Rogues:
    """Sends each rogue what it can read, what makes it act, and now and then its poison."""

    def __init__(self, driver, rogues, seed):
        self.driver, self.rogues, self.dice = driver, rogues, random.Random(seed)
        self.poison, self.unverified, self.count = set(), [], 0
        self.stopping, self.faults = threading.Event(), []
        self.thread = threading.Thread(target=self._work, daemon=True)

    def make(self, rogue, poison):
        self.count += 1
        token = f"r{self.driver.seed}x{self.count}x"
        text = f"{token} {'poison' if poison else 'harmless'}"
        data = {"id": token, "rogue": rogue.name, "text": text}
        fate, pipeline, effect = FILTERED, None, None
        if rogue.where == "step" or self.dice.random() < 0.3:
            data["to"] = f"+49175{self.count:07}"
            fate, pipeline, effect = DONE, rogue.name, {"to": data["to"][1:], "text": text}
        if poison:
            self.poison.add(token)
            if rogue.where == "normalize" and rogue.mode not in HARMLESS:
                fate = PARKED
        return Obligation("rogue", token, rogue.name, json.dumps(data).encode(), ("thing.happened", "id", token),
                          {"text": text}, fate, pipeline, effect)

    def send(self, rogue, poison):
        if rogue.where == "verify" and poison and rogue.mode not in HARMLESS:
            self.send_unverified(self.make(rogue, True))
        else:
            self.driver.send(self.make(rogue, poison), tries=400)

    def send_unverified(self, owed):
        """Nobody can say where it is from: no 2xx, and nothing is kept."""
        try:
            status = self.driver.world.hook(owed.connection, owed.body, {"Content-Type": "application/json"})[0]
        except (OSError, http.client.HTTPException) as fault:
            status = repr(fault)
        self.unverified.append((owed, status))

    def _work(self):
        try:
            while not self.stopping.wait(ROGUE_S / len(self.rogues)):
                self.send(self.dice.choice(self.rogues), self.dice.random() < POISON)
        except Exception as fault:  # a thread that dies quietly would make the load a lie
            self.faults.append(repr(fault))

    def __enter__(self):
        for rogue in self.rogues:  # each meets its poison once, whatever the dice say
            self.send(rogue, True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        assert not self.faults, self.faults

    # ---- the verdict

    def is_poison(self, row):
        return any(token in json.dumps(row) for token in self.poison)

    def excuse(self, job):
        """Poison, or a job whose worker a neighbour has killed twice: both may be."""
        if job["pipeline"].split("/")[-1].startswith("rogue_"):
            return job["state"] == "parked"
        return unknown_only(job)

    def judge(self, world, verdict):
        jobs = {j["subject"].removeprefix("thing:"): j for j in world.jobs() if j.get("subject", "").startswith("thing:")}
        for token in self.poison & set(jobs):
            job = jobs[token]
            rogue = next(r for r in self.rogues if r.name == job["pipeline"].split("/")[-1])
            if rogue.where == "step" and rogue.mode not in HARMLESS:
                verdict.counts["poisonous jobs"] += 1
                if job["state"] != "parked" or rogue.name not in job.get("reason", ""):
                    verdict.wrong(f"POISON: {job}")
        for owed, status in self.unverified:
            verdict.counts["unverified"] += 1
            if status != 503:
                verdict.wrong(f"UNVERIFIED: {owed} got {status}")
        self._judge_blame(world, verdict)

    def _judge_blame(self, world, verdict):
        """The culprits are named, in the log and in the figures, and nobody else is."""
        metrics, log = world.metrics(), world.log()
        for name, died in metrics.items():
            if not name.startswith('klinke_plugin_died_total{plugin="'):
                continue
            plugin = name.split('"')[1]
            rogue = next((r for r in self.rogues if r.name == plugin), None)
            verdict.counts["deaths"] += int(died)
            if died and not (rogue and rogue.deadly):
                verdict.wrong(f"BLAMED: {plugin} died {died:.0f} times")
            if rogue and rogue.deadly and (not died or f"plugin={plugin} " not in log):
                verdict.wrong(f"NOT NAMED: {plugin} died {died:.0f} times, and the log does not say so")
        for plugin in ("retell", "calcom_v2", "whatsapp"):
            if metrics[f'klinke_plugin_up{{plugin="{plugin}"}}'] != 1:
                verdict.wrong(f"DOWN: {plugin}")


def run(world, seed, rounds, modes=None, length_s=6):
    dice = random.Random(seed)
    rogues = [Rogue(*pair) for pair in modes or
              [(mode, dice.choice(("verify", "normalize", "step"))) for mode in (*DEADLY, *LYING)]]
    furnish(world, rogues)
    ledger = Ledger(world.directory / "ledger.jsonl")
    office.start(world)
    host, driver = world.host.pid, Driver(world, ledger, seed, RATE)
    with driver, Rogues(driver, rogues, seed) as mob:
        time.sleep(rounds * length_s)
    oracle = Oracle(world, ledger, mob.excuse, lambda row: row["connection"].split("/")[-1].startswith("rogue_"))
    verdict = judge(oracle, driver)
    mob.judge(world, verdict)
    strays = [p.name for p in descendants(host) if not p.name.startswith(("kl-", "klinke-zygote"))]
    if os.path.exists("/tmp/rogue"):
        verdict.wrong("FILE: a plugin has written one")
    if world.host.poll() is not None or strays:
        verdict.wrong(f"HOST: it ended with {world.host.poll()}, and there are {strays}")
    return verdict
