"""Providers that fail in every way the internet knows, one after the other, under load and with callers on the line.
Afterwards everything was delivered, in its order, and nobody was stormed. Settings of retries and breakers are the
real ones with time made so many times as fast: an hour of errors is a quarter of a minute."""
import json
import random
import threading
import time

import line
import office
from driver import Driver
from front import Front, Trap
from oracle import DONE, Ledger, Obligation, Oracle, judge, unknown_only
from hooks_kit import message_body

ROUNDS, BATCH = 8, 1  # each round is every fault once, in an order of its own
RATE = 12             # webhooks per second
SCALE = 240           # so much faster goes the time of retries and breakers
CONCURRENCY, LIMIT = 4, 30  # requests side by side, and per second, of each credential
RETRY_AFTER_S = 1
TIMEOUT_S = 5
VENDORS = {"calendar": "calcom_v2", "whatsapp": "whatsapp"}
ASKED = ({"vendor": "calcom_v2", "path": "*"}, {"vendor": "whatsapp", "path": "*/messages"})

# What the sandbox does, what the front does, what the name server says.
FAULTS = {
    "dead": {"front": "dead"},
    "reset": {"front": "reset"},
    "mute": {"front": "mute"},
    "slow": {"rule": {"delay_ms": 400}},
    "storm of 429": {"rule": {"status": 429, "headers": {"Retry-After": str(RETRY_AFTER_S)}, "body": {}}},
    "5xx": {"rule": {"status": 503}},
    "5xx, done all the same": {"rule": {"status": 500, "act": True}},
    "closed mid-body": {"front": "cut"},
    "no TLS": {"front": "garbage"},
    "another's certificate": {"front": "name"},
    "nobody's certificate": {"front": "stranger"},
    "redirect to a private address": {"rule": {"status": 302, "body": "", "headers": {"Location": None}}},
    "name server fails": {"name": "again"},
    "no such name": {"name": "none"},
    "name of a private address": {"name": "127.0.0.66"},
    "too late": {"rule": {"delay_ms": None}},
}
# For the suite: no booking whose outcome is unknown, since that is looked up twice, a timeout apart.
SHORT_KINDS = {"text": 6, "booking": 2, "idle": 2, "noise": 1}
SHORT = ("mute", "storm of 429", "5xx", "closed mid-body", "nobody's certificate", "redirect to a private address")
LOUD = ("reset", "no TLS", "another's certificate", "nobody's certificate")  # what is tried can be counted at the front


class Series:
    """Some people who write one text after the other: what they get must come in that order."""

    def __init__(self, driver, people=3):
        self.driver, self.people = driver, [f"+49174000{n:04}" for n in range(people)]
        self.count, self.stopping = 0, threading.Event()
        self.thread = threading.Thread(target=self._work, daemon=True)

    def _work(self):
        while not self.stopping.wait(0.1):
            self.count += 1
            number = self.people[self.count % len(self.people)]
            token, text = f"s{self.driver.seed}x{self.count}x", f"Nummer {self.count}"
            self.driver.send(Obligation(
                "series", token, "whatsapp", message_body(f"wamid.{token}", text, number[1:]),
                ("message.received", "message_id", f"wamid.{token}"), {"text": text, "from": number}, DONE, "echo",
                {"to": number[1:], "text": f"Wir haben gelesen: {text}"}))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()

    def judge(self, world, verdict):
        """Who was let go since nobody knows what became of it (the vendor may still be at it) has no place in the order."""
        vague = {json.loads(r["body"])["text"]["body"] for r in world.requests(vendor="whatsapp", path="*/messages")
                 if r["fault"] and "Nummer" in r["body"]}
        for number in self.people:
            said = [int(m["facts"]["text"]["body"].rpartition(" ")[2]) for m in world.messages()
                    if m["direction"] == "out" and m["person"] == number[1:] and m["type"] == "text"
                    and m["facts"]["text"]["body"] not in vague]
            verdict.counts["in order"] += len(said)
            if said != sorted(said):
                verdict.wrong(f"ORDER: {number} got {said}")


class Street:
    """The office's way to its vendors, and everything that can be wrong with it."""

    def __init__(self, world, scale):
        self.world, self.scale = world, scale
        self.window_ms, self.open_ms = max(1000, 60000 / scale), max(100, 30000 / scale)
        self.front, self.trap = Front(world.directory, world.sandbox_port), Trap()
        self.far_trap = Trap("127.0.0.66", self.front.port)
        self.names = world.directory / "names"
        self.resolve("127.0.0.1")
        self.episodes = []  # (fault, begin, end) in ms of the wall clock, as the sandbox stamps requests
        self._furnish()

    def _furnish(self):
        world = self.world
        world.preload = {"LD_PRELOAD": office.shim(world, "names"), "KLINKE_NAMES": str(self.names),
                         "KLINKE_CA": str(self.front.authority)}
        world.ini["host"]["allow_private"] = f"127.0.0.1:{self.front.port}"
        for name in (*VENDORS, "phone"):
            section = world.ini[f"connection {name}"]
            path = section["base_url"].split("/", 3)[3]
            section["base_url"] = f"https://{name}.vendor.test:{self.front.port}/{path}"
            section["timeout"] = f"{TIMEOUT_S}s"
            section["concurrency"], section["rate"], section["burst"] = CONCURRENCY, f"{LIMIT}/s", LIMIT
            section["breaker_rate"], section["breaker_volume"] = 50, 10
            section["breaker_window"], section["breaker_open"] = f"{self.window_ms:.0f}ms", f"{self.open_ms:.0f}ms"
            section["retry_base"], section["retry_cap"] = (f"{max(1, ms // self.scale)}ms" for ms in (2000, 900000))
            del section["retry_max_tries"]
        line.furnish(world)

    def resolve(self, word):
        made = self.names.with_suffix(".new")
        made.write_text("".join(f"{name}.vendor.test {word}\n" for name in (*VENDORS, "phone")))
        made.rename(self.names)

    def break_(self, fault, callers):
        how = FAULTS[fault]
        rule = dict(how.get("rule") or {})
        if "Location" in rule.get("headers", {}):
            rule["headers"] = {"Location": f"http://127.0.0.1:{self.trap.port}/"}
        if "delay_ms" in rule:
            rule["delay_ms"] = rule["delay_ms"] or (TIMEOUT_S * 1000 + 300)
        for what in ASKED if rule else ():
            self.world.fault(**what, **rule, count=0)
        if "name" in how:
            self.rename(how["name"], callers)
        self.front.turn(how.get("front", "pass"))

    def mend(self, fault, callers):
        self.world.clear_faults()
        self.resolve("127.0.0.1")  # what was wrong is not remembered
        self.front.turn("pass")

    def rename(self, word, callers):
        """Where a name led it remembers for a minute, unless that was refused: so it starts anew."""
        self.resolve(word)
        with callers.patient():
            self.world.restart_host()

    def is_open(self):
        """A circuit of the two vendors'."""
        return any(value for name, value in self.world.metrics().items()
                   if name.startswith(('klinke_lane_open{lane="calcom_v2', 'klinke_lane_open{lane="whatsapp')))

    def episode(self, fault, length_s, callers):
        """One fault for so long; at its end somebody asks, and is answered before anything is mended. It ends when
        all circuits are closed again."""
        begun, taken = time.time() * 1000, dict(self.front.accepted)
        self.break_(fault, callers)
        time.sleep(length_s)
        callers.ask()
        way = self.front.way
        self.mend(fault, callers)
        self.episodes.append((fault, begun, time.time() * 1000, self.front.accepted[way] - taken[way]))
        self.world.wait(lambda: not self.is_open(), f"after {fault} the circuits close again", 30)


def most_within(stamps, length_ms):
    """The most that came within so long."""
    most, first = 0, 0
    for i, at in enumerate(stamps):
        while stamps[first] < at - length_ms:
            first += 1
        most = max(most, i - first + 1)
    return most


def judge_storm(world, street, verdict):
    """Requests against limiter, breaker and Retry-After. Those under way may arrive together: CONCURRENCY of them."""
    def count(what, seen, allowed):
        verdict.counts[what] = max(verdict.counts[what], seen)
        if seen > allowed:
            verdict.wrong(f"STORM: {what}: {seen}, {allowed:.0f} are allowed")

    def until_open(successes, begin, end):
        """It opens at as many failures as successes, and then lets pass one probe at a time."""
        return max(10, successes) + CONCURRENCY + (end - begin) / street.open_ms + 1

    good = {}
    for vendor in VENDORS.values():
        seen = world.requests(vendor=vendor)
        stamps = sorted(r["at_ms"] for r in seen)
        for seconds in (1, 5):
            count(f"requests to {vendor} in {seconds} s", most_within(stamps, seconds * 1000),
                  LIMIT * (seconds + 2))  # a burst, the rate, and what was late on its way
        for fault, begin, end, _ in street.episodes:
            failed = sum(begin <= r["at_ms"] < end and r["status"] in (429, 503) for r in seen)
            good[vendor, begin] = sum(r["status"] < 300 for r in seen if begin - street.window_ms <= r["at_ms"] < begin)
            if fault == "5xx":
                count(f"requests to {vendor} in {fault}", failed, until_open(good[vendor, begin], begin, end))
            if fault == "storm of 429":
                count(f"requests to {vendor} in {fault}", failed, ((end - begin) / (RETRY_AFTER_S * 1000) + 1) * CONCURRENCY)
    for fault, begin, end, taken in street.episodes:
        if fault in LOUD:
            count(f"connections in {fault}", taken, sum(until_open(good[v, begin], begin, end) for v in VENDORS.values()))


def excuse(job):
    """A message that may have left, since the messenger cannot be asked; never a booking, since the calendar can. For a
    person is also a booking that was answered with a redirect and is not in the list."""
    message = job["pipeline"].endswith(("/echo", "/confirm"))
    return (message and unknown_only(job) or "a part of it has happened" in job.get("reason", ""))


def lone(world, scale):
    """One booking in an hour of errors, too few requests for a breaker to open: its job at the end of that hour."""
    Street(world, scale)
    del world.ini["connection calendar"]["poll_bookings"]
    world.ini["connection calendar"]["breaker_rate"] = 101  # whose window cannot be made so short
    office.start(world)
    for what in ASKED:
        world.fault(**what, status=503, count=0)
    driver = Driver(world, Ledger(world.directory / "ledger.jsonl"), 1)
    driver.send(driver.make("call"))
    time.sleep(3600 / scale)  # the hour
    return next(j for j in world.jobs() if j.get("pipeline", "").endswith("/book"))


def run(world, seed, rounds, faults=tuple(FAULTS), length_s=3, scale=SCALE, kinds=None):
    dice = random.Random(seed)
    street, ledger = Street(world, scale), Ledger(world.directory / "ledger.jsonl")
    office.start(world)
    driver = Driver(world, ledger, seed, RATE, kinds=kinds)
    with Series(driver) as series, line.Callers(world) as callers, driver:
        for _ in range(rounds):
            for fault in dice.sample(faults, len(faults)):
                street.episode(fault, max(length_s, 3600 / scale if fault == "5xx" else 0), callers)
    verdict = judge(Oracle(world, ledger, excuse), driver)
    series.judge(world, verdict)
    line.judge(world, callers, verdict)
    judge_storm(world, street, verdict)
    if street.trap.called or street.far_trap.called:
        verdict.wrong("PRIVATE: somebody called an address that is nobody's business")
    return verdict
