"""The driver: plays the vendors' side under load, signs like they do, and writes down what it is owed.

    with Driver(world, ledger, seed, rate=20) as driver:   # threads send until the block ends
        ...                                                # faults
    driver.fresh()                                         # afterwards: does a new event still pass?

Like a vendor it sends a webhook again, with the same body and a new signature, until it gets a 2xx; unlike one
it also sends some again that got it. Each payload is unique and made from the seed: the same seed makes the
same webhooks in the same order, though not at the same moments.
"""
import http.client
import random
import threading
import time
from datetime import datetime, timedelta

import office  # noqa: F401, finds the harness
from hooks_kit import SIGN, booking_body, call_body, message_body
from oracle import DONE, FILTERED, PARKED, Obligation
from world import BERLIN

KINDS = {"call": 5, "text": 6, "booking": 2, "idle": 2, "noise": 1}  # how often, in relation
REPEATED = 0.1     # of what got its 2xx is sent once more
LATER = (429, 500, 502, 503, 504)
PAUSE_S = 0.02     # before it is sent again; vendors are more patient
WORDS = ["Grüße", "naïve", "\"quoted\"", "back\\slash", "Zahn 🦷", "тест", "null", "'); DROP", "%s%n", "{{1}}",
         "a\nb", "½ Stunde", "¿qué?", "漢字", "‮rtl", "\u0001x", "🏳️‍🌈", "&amp;", "<b>", "7,50 €"]


class Driver:
    def __init__(self, world, ledger, seed, rate=20, threads=4, kinds=None):
        """rate: webhooks per second of all threads; kinds: as KINDS, to leave some out."""
        self.world, self.ledger, self.seed = world, ledger, seed
        self.dice = random.Random(seed)
        self.rate, self.kinds = rate, kinds or KINDS
        self.lock = threading.Lock()
        self.count = self.slots = 0
        self.stopping = threading.Event()
        self.faults = []  # exceptions of the threads: a mistake of ours
        self.today = datetime.now(BERLIN).replace(hour=0, minute=0, second=0, microsecond=0)
        self.threads = [threading.Thread(target=self._work, name=f"driver {i}") for i in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """What is on its way gets its answer, or is left alone after one more try."""
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        assert not self.faults, self.faults

    def _work(self):
        try:
            while not self.stopping.wait(len(self.threads) / self.rate):
                self.send(self.make())
        except Exception as fault:  # a thread that dies quietly would make the load a lie
            self.faults.append(repr(fault))

    # ---- sending

    def send(self, owed, tries=None):
        """Sends until a 2xx, a refusal, the end, or that many tries. True: acknowledged."""
        if owed.token not in self.ledger.obligations:
            self.ledger.promise(owed)
        while not self._once(owed):
            tries = None if tries is None else tries - 1
            if self.stopping.is_set() or tries == 0 or owed.refused:
                return False
            time.sleep(PAUSE_S)
        if owed.repeat:
            self._once(owed)
        return True

    def headers(self, owed):
        """Signed anew for each try."""
        return SIGN[owed.connection](owed.body)

    def is_later(self, owed, status):
        """Is it to be sent again after this status?"""
        return status in LATER

    def _once(self, owed):
        try:
            status, _, _ = self.world.hook(owed.connection, owed.body, self.headers(owed))
        except (OSError, http.client.HTTPException):
            return False
        if 200 <= status < 300:
            self.ledger.acknowledge(owed)
            return True
        if not self.is_later(owed, status):
            self.ledger.refuse(owed, status)
        return False

    # ---- making

    def make(self, kind=None):
        """The next obligation; kind: of KINDS, by chance if None."""
        with self.lock:
            kind = kind or self.dice.choices(list(self.kinds), list(self.kinds.values()))[0]
            self.count += 1
            owed = getattr(self, "_" + kind)(f"k{self.seed}x{self.count}x")
            owed.repeat = self.dice.random() < REPEATED
            return owed

    def _words(self, most):
        return " ".join(self.dice.choices(WORDS, k=self.dice.randint(1, most)))

    def _number(self):
        return f"+4917{self.dice.randint(10**8, 10**9 - 1)}"

    def _slot(self):
        """A start that nobody else gets: half hours from 6 to 22."""
        day, half_hour = divmod(self.slots, 2 * (office.CLOSES - office.OPENS))
        self.slots += 1
        at = self.today + timedelta(days=3 + day, hours=office.OPENS, minutes=30 * half_hour)
        return at

    def _call(self, token):
        start, number = self._slot(), self._number()
        name = f"Kunde {token} O'Neill-Müller"
        custom = {"appointment_requested": True, "_name": name,
                  "_datum__termin": start.strftime("%d.%m.%Y"), "_uhrzeit__termin": start.strftime("%H:%M")}
        body = call_body(token, "call_analyzed", from_number=number, call_analysis={
            "custom_analysis_data": custom, "call_summary": self._words(30)})
        return Obligation("call", token, "phone", body, ("call.analyzed", "call_id", token),
                          {"fields.name": name, "from": number}, DONE, "book",
                          {"start_ms": int(start.timestamp() * 1000), "name": name, "phone": number})

    def _idle(self, token):
        body = call_body(token, "call_analyzed", from_number=self._number(), call_analysis={
            "custom_analysis_data": {"appointment_requested": False}, "call_summary": self._words(30)})
        return Obligation("idle", token, "phone", body, ("call.analyzed", "call_id", token), {}, FILTERED)

    def _text(self, token):
        number, text = self._number(), f"{token} {self._words(60)}"
        body = message_body(f"wamid.{token}", text, number[1:], f"Person {token}")
        return Obligation("text", token, "whatsapp", body, ("message.received", "message_id", f"wamid.{token}"),
                          {"text": text, "from": number}, DONE, "echo",
                          {"to": number[1:], "text": f"Wir haben gelesen: {text}"})

    def _booking(self, token):
        number, name = self._number(), f"Gast {token}"
        body = booking_body(token, attendees=[{"name": name, "email": f"{token}@example.com",
                                               "timeZone": "Europe/Berlin", "phoneNumber": number}])
        return Obligation("booking", token, "calendar", body, ("booking.created", "uid", token),
                          {"attendee.name": name, "attendee.phone": number}, DONE, "confirm",
                          {"to": number[1:], "template": "termin_bestaetigung", "name": name})

    def _noise(self, token):
        """Signed, and nothing that can be read."""
        return Obligation("noise", token, "whatsapp", f"unreadable {token} {self._words(5)} {{".encode(), fate=PARKED)

    # ---- afterwards

    def fresh(self):
        """One of each kind passes now. Call it at rest, and settle afterwards."""
        self.stopping.clear()
        for kind in self.kinds:
            owed = self.make(kind)
            assert self.send(owed, tries=50), f"after the faults: {owed} got no 2xx"
