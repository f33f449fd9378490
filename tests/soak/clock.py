"""The wall clock: the whole world's goes on in leaps, over hours, days, both changes of the clock in Berlin, and 2038; the
host's alone is set wrong by hours and put right again. Reminders go out once and not before their time, what waits for
a delay does not wait for the leap as well, and a signature is as old as it is."""
import mmap
import random
import struct
import time
from datetime import datetime, timedelta, timezone

import office
from driver import Driver
from hooks_kit import booking_body, retell_headers
from oracle import DONE, Ledger, Obligation, Oracle, unknown_only
from world import BERLIN, wait

ROUNDS, BATCH = 60, 12
RATE = 15
MOMENT_S = (0.1, 0.8)
SKEW_MS = 1000  # sandbox and host are not set at the same moment
REMINDER, VISIT = "termin_erinnerung", 310456  # an event type whose bookings are reminded of, not confirmed
BEFORE_H = 24
# Places where calendars and counters break, seconds before they do.
EDGES = [datetime(2027, 3, 28, 0, 59, 58), datetime(2027, 10, 31, 0, 59, 58), datetime(2028, 2, 28, 23, 59, 58),
         datetime(2038, 1, 19, 3, 14, 6), datetime(2044, 10, 30, 0, 59, 58), datetime(2106, 2, 7, 6, 28, 14)]


class Clock:
    """The world's time (sandbox, senders) and how wrong the host's is."""

    def __init__(self, world):
        self.world, self.ahead_s, self.wrong_s = world, 0.0, 0.0
        path = world.directory / "clock"
        path.write_bytes(bytes(8))
        with open(path, "r+b") as opened:
            self.memory = mmap.mmap(opened.fileno(), 8)
        world.preload = {"LD_PRELOAD": office.shim(world, "clock"), "CLOCK_FILE": str(path)}

    def now(self):
        return datetime.now(timezone.utc) + timedelta(seconds=self.ahead_s)

    def now_ms(self):
        return int(self.now().timestamp() * 1000)

    def _set(self):
        self.memory[:] = struct.pack("=q", int((self.ahead_s + self.wrong_s) * 1e9))

    def travel(self, seconds):
        """The whole world is later by so much."""
        self.ahead_s += seconds
        self.world.control("/clock", {"now": self.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")})
        self._set()

    def err(self, seconds):
        """The host's clock alone is so wrong; 0: right again."""
        self.wrong_s = seconds
        self._set()


class Traveller(Driver):
    """Signs at the world's time. While the host's clock is wrong Retell's signatures are too old or too new for it: they
    are refused, as they must be, and sent again."""

    def __init__(self, world, ledger, seed, clock):
        super().__init__(world, ledger, seed, RATE, kinds={"call": 3, "text": 4, "booking": 2, "visit": 5, "noise": 1})
        self.clock, self.refused = clock, 0

    def headers(self, owed):
        if owed.connection == "phone":
            return retell_headers(owed.body, at_ms=self.clock.now_ms())
        return super().headers(owed)

    def is_later(self, owed, status):
        """A status after which a webhook is sent again."""
        if owed.connection == "phone" and status == 401:
            self.refused += 1
            return True
        return super().is_later(owed, status)

    def _visit(self, token):
        """Somebody will come in a day and a bit: the reminder is due soon, or in some hours."""
        number, name = self._number(), f"Besuch {token}"
        in_s = self.dice.choice([self.dice.uniform(0.2, 3), self.dice.uniform(0, 8 * 3600), self.dice.uniform(0, 90 * 86400)])
        start = (self.clock.now() + timedelta(hours=BEFORE_H, seconds=in_s)).replace(microsecond=0)
        body = booking_body(token, start=start.strftime("%Y-%m-%dT%H:%M:%SZ"), event_type=VISIT,
                            end=(start + timedelta(minutes=45)).strftime("%Y-%m-%dT%H:%M:%SZ"),
                            attendees=[{"name": name, "email": f"{token}@example.com", "timeZone": "Europe/Berlin",
                                        "phoneNumber": number}])
        owed = Obligation("visit", token, "calendar", body, ("booking.created", "uid", token),
                          {"attendee.name": name}, DONE, "remind",
                          {"to": number[1:], "template": REMINDER,
                           "params": [name, start.astimezone(BERLIN).strftime("%H:%M")]})
        owed.due_ms = int(start.timestamp() * 1000) - BEFORE_H * 3600000
        return owed

    def _slot(self):
        self.today = self.clock.now().astimezone(BERLIN).replace(hour=0, minute=0, second=0, microsecond=0)
        return super()._slot()


def furnish(world):
    """Bookings of VISIT are reminded of, all others confirmed."""
    for kind in ("raw", "transcript", "recording", "call", "metadata"):
        world.ini["host"][f"keep_{kind}"] = "forever"  # years pass here
    confirm = world.ini["pipeline confirm"]
    confirm["when"] = f"data ->> '$.event_type' is not '{VISIT}' and " + confirm["when"]
    world.ini.add("pipeline remind",
                  ("on", "booking.created"),
                  ("when", f"data ->> '$.event_type' = '{VISIT}'"),
                  ("step", f"whatsapp.send template={REMINDER} to=(data ->> '$.attendee.phone') params=("
                           "json_array(data ->> '$.attendee.name', clock(start)))"),
                  ("at", f"start - {BEFORE_H}h"),
                  ("cancel_on", "booking.cancelled, booking.rescheduled"))
    world.control(f"/things/template/{REMINDER}/de", {"components": [
        {"type": "BODY", "text": "{{1}} {{2}}"}]}, "PUT")


def leap(clock, dice, edges):
    """The world goes on by hours, or to just before an edge and past it while everybody looks."""
    if edges and dice.random() < 0.4:
        there = edges.pop(0).replace(tzinfo=timezone.utc)
        clock.travel(max((there - clock.now()).total_seconds(), 1))
        time.sleep(2.5)  # so many seconds it takes to pass
    else:
        clock.travel(dice.choice([1, 60, 3600, 7 * 3600, 26 * 3600, 9 * 86400]) * dice.uniform(0.5, 1))


def err(clock, dice, driver, world):
    """The host's clock is wrong for a moment, in which deliveries fail and are put off; then it is right again."""
    before = driver.refused
    clock.err(dice.choice([-1, 1]) * dice.choice([600, 3600, 5 * 3600, 20 * 3600]))
    fault = world.fault(vendor="whatsapp", method="POST", path="*/messages", status=429, count=4)
    time.sleep(dice.uniform(*MOMENT_S))
    wait(lambda: driver.refused > before, "Retell's signature is refused when it seems too old or too new")
    world.control(f"/faults/{fault['id']}", method="DELETE")
    clock.err(0)


def excuse(job):
    """The world may leap past the time that a caller asked for."""
    return unknown_only(job) or "in_the_past" in job.get("reason", "")


def none_too_early(world, ledger, verdict):
    due = {o.effect["to"]: o.due_ms for o in ledger.all() if o.kind == "visit"}
    for message in world.messages():
        if message["person"] in due and message["at_ms"] < due[message["person"]] - SKEW_MS:
            verdict.wrong(f"TOO EARLY: {due[message['person']] - message['at_ms']} ms: {message}")


def run(world, seed, rounds):
    """One store through leaps of the world (even seeds) or errors of the host's clock (odd ones)."""
    dice, ledger = random.Random(seed), Ledger(world.directory / "ledger.jsonl")
    clock, edges = Clock(world), list(EDGES)
    world.start_sandbox()
    furnish(world)
    office.open_calendar(world)
    world.start_host()
    office.begin(world)
    with Traveller(world, ledger, seed, clock) as driver:
        for _ in range(rounds):
            time.sleep(dice.uniform(*MOMENT_S))  # of load
            if seed % 2:
                err(clock, dice, driver, world)
            else:
                leap(clock, dice, edges)
    verdict = end(Oracle(world, ledger, excuse), driver, clock)
    if seed % 2 == 0:
        none_too_early(world, ledger, verdict)
    verdict.counts["refused signatures"] = driver.refused
    return verdict


def end(oracle, driver, clock):
    """judge(), with a last leap after which every reminder is due."""
    oracle.settle()
    driver.fresh()
    oracle.settle()
    due = [o.due_ms for o in oracle.ledger.all() if o.kind == "visit"]
    clock.travel(max((max(due) - clock.now_ms()) / 1000, 0) + 1)
    wait(lambda: not oracle.world.jobs("waiting"), "every reminder goes out")
    oracle.settle()
    return oracle.verdict()
