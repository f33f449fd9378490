"""kill -9 of the host, of workers, of all of it at once, and of a host that is just starting, at random moments
under load. Every BATCH rounds everything rests, and the oracle judges."""
import random
import time

import office
from driver import Driver
from oracle import Ledger, Oracle, judge, unknown_only
from world import descendants, processes

ROUNDS, BATCH = 1000, 50  # rounds of one store: then a new one, since looking at everything takes longer and longer
RATE = 25  # webhooks per second
MOMENT_S = (0.0, 0.5)  # of load before somebody dies
VICTIMS = {"host": 5, "worker": 3, "workers": 1, "host and workers": 2, "starting": 1}


def excuse(job):
    """A job under which a worker was killed twice is parked on purpose: it may be the poison."""
    return unknown_only(job) or job["state"] == "parked" and job.get("fail") == "plugin"


def excuse_inbox(row):
    return "died on it twice" in row["reason"]


def kill_host(world):
    world.kill_host()
    world.start_host()


def kill_workers(world, dice, all_):
    workers = world.workers()
    for victim in workers if all_ else workers and [dice.choice(workers)]:
        victim.kill()


def kill_all(world, dice):
    """Workers, zygote and host, in any order, as the machine's out-of-memory killer might."""
    family = descendants(world.host.pid)
    victims = family + [p for p in processes() if p.pid == world.host.pid]
    dice.shuffle(victims)
    for victim in victims:
        victim.kill()
    world.host.wait()
    world.wait(lambda: not any(p.alive() for p in family), "all of them are gone")
    world.start_host()


def kill_starting(world, dice):
    """Also who is recovering may be killed."""
    world.kill_host()
    for _ in range(dice.randint(1, 3)):
        world.launch_host()
        time.sleep(dice.uniform(0, 0.06))  # any moment of a start
        world.kill_host()
    world.start_host()


def strike(world, dice):
    victim = dice.choices(list(VICTIMS), list(VICTIMS.values()))[0]
    time.sleep(dice.uniform(*MOMENT_S))  # a random moment is what is tested here
    if victim == "host":
        kill_host(world)
    elif victim == "host and workers":
        kill_all(world, dice)
    elif victim == "starting":
        kill_starting(world, dice)
    else:
        kill_workers(world, dice, victim == "workers")


def run(world, seed, rounds):
    """One store through so many deaths, and the verdict. The world is running then."""
    dice, ledger = random.Random(seed), Ledger(world.directory / "ledger.jsonl")
    office.start(world)
    with Driver(world, ledger, seed, RATE) as driver:
        for _ in range(rounds):
            strike(world, dice)
    return judge(Oracle(world, ledger, excuse, excuse_inbox), driver)
