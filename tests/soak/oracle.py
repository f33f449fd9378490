"""The oracle: knows from outside what the host owes, and says whether it is done.

    ledger = Ledger(directory / "ledger.jsonl")     # what was promised: fsynced before it counts
    ...                                             # driver.py sends and writes it; faults happen
    verdict = judge(Oracle(world, ledger), driver)  # all at rest, a fresh event of each kind, then the verdict
    assert not verdict.findings, verdict            # what is wrong, in words

It believes the ledger (what got a 2xx), the sandbox (what happened at the vendors) and asks the host only what
it says of each obligation. After any faults:

  each obligation     is there as exactly one event with what the webhook said, and its jobs are done,
                      or there are none since it is filtered, or parked or dead with a reason (see excuse)
  no effect           without a job, no job without an event, no event without a webhook that was sent
  none twice          no booking, no message; not for a webhook that was sent twice either
  payload             the booking or message at the vendor carries what the webhook said
  the vendors' own    webhooks that were answered with 2xx are events, too
  a webhook without   2xx may be there or not, but wholly and once

A webhook is owed from its 2xx on. Nothing here sleeps but between two looks at a condition.
"""
import json
import os
import threading
import time
from collections import Counter, defaultdict

DONE, FILTERED, PARKED = "done", "filtered", "parked"
OPEN = ("ready", "queued", "waiting")
PATIENCE_S = float(os.environ.get("PATIENCE_S", "20")) * 3
PAUSE_S = 0.02  # between two looks


class Obligation:
    """One webhook and what it must lead to.

    kind     call, idle, text, booking, noise (driver.py makes them)
    token    unique; stands in the payload, so an effect can be traced to it
    event    (type, key of data, value): how its event is found; None for noise
    says     {path of data: value}: what the event must carry
    fate     DONE, FILTERED (an event, no job) or PARKED (a webhook that cannot be read)
    pipeline, effect   DONE: whose job it is, and what must be at the vendor: see effect_of()
    """

    def __init__(self, kind, token, connection, body, event=None, says=None, fate=DONE, pipeline=None,
                 effect=None):
        self.kind, self.token, self.connection, self.body = kind, token, connection, body
        self.event, self.says, self.fate = event, says or {}, fate
        self.pipeline, self.effect = pipeline, effect
        self.acks = 0  # how many 2xx it got: senders repeat
        self.repeat = False  # sent once more after its 2xx
        self.refused = None  # the status, if it was neither 2xx nor "later"

    def __str__(self):
        return f"{self.kind} {self.token}"


class Ledger:
    """The driver's memory, one JSON line for each sending and each 2xx. A 2xx counts when it is on disk here."""

    def __init__(self, path):
        self.file = open(path, "ab")
        self.lock = threading.Lock()
        self.obligations = {}

    def _write(self, sync, **line):
        self.file.write(json.dumps(line).encode() + b"\n")
        self.file.flush()
        if sync:
            os.fsync(self.file.fileno())

    def promise(self, owed):
        """Before it is sent for the first time."""
        with self.lock:
            self.obligations[owed.token] = owed
            self._write(False, sent=owed.token, kind=owed.kind, connection=owed.connection,
                        body=owed.body.decode("utf-8", "backslashreplace"))

    def acknowledge(self, owed):
        with self.lock:
            self._write(True, acknowledged=owed.token)
            owed.acks += 1

    def refuse(self, owed, status):
        with self.lock:
            self._write(False, refused=owed.token, status=status)
            owed.refused = status

    def all(self):
        with self.lock:
            return list(self.obligations.values())

    def close(self):
        self.file.close()


class Verdict:
    def __init__(self):
        self.findings = []  # sentences; empty: the promise was kept
        self.counts = Counter()

    def wrong(self, text):
        self.findings.append(text)

    def __str__(self):
        counts = ", ".join(f"{n} {name}" for name, n in sorted(self.counts.items()))
        shown = self.findings[:40]
        more = [f"… and {len(self.findings) - 40} more"] if len(self.findings) > 40 else []
        return "\n".join([counts, *shown, *more])


def unknown_only(job):
    """The excuse by default: a message that may have left, of which nobody can ask (WhatsApp has no look-up)."""
    return job["state"] == "parked" and job.get("fail") == "unknown"


def dig(data, path):
    for name in path.split("."):
        data = data.get(name) if isinstance(data, dict) else None
    return data


def effect_of(row):
    """A booking or an outgoing message of the sandbox as what it says, to be compared with Obligation.effect."""
    if "wamid" not in row:
        return {"start_ms": row["start_ms"], "name": row["attendee"]["name"],
                "phone": row["attendee"].get("phoneNumber")}
    facts = row["facts"]
    if row["type"] == "text":
        return {"to": row["person"], "text": facts["text"]["body"]}
    said = [p for c in facts["template"]["components"] for p in c.get("parameters", [])]
    effect = {"to": row["person"], "template": facts["template"]["name"]}
    if said and "parameter_name" in said[0]:
        return {**effect, "name": next(p["text"] for p in said if p["parameter_name"] == "anrede_name")}
    return {**effect, "params": [p["text"] for p in said]}


class Facts:
    """Everything both sides know, at one moment."""

    def __init__(self, world):
        effects = world.effects()
        self.bookings = effects["bookings"]
        self.messages = [m for m in effects["messages"] if m["direction"] == "out"]
        self.hooks = world.hooks()
        self.inbox = world.inbox()
        self.events = world.events()
        self.jobs = world.jobs()
        self.by_event = defaultdict(list)  # pipelines' jobs by the id of their event
        self.by_key = {}
        for job in self.jobs:
            if job.get("pipeline"):
                self.by_event[job.get("event")].append(job)
                self.by_key[job.get("key")] = job  # a job with a caller has none before its step
        self.effects = defaultdict(list)  # by the job's key
        for row in self.bookings:
            self.effects[row["metadata"].get("klinke_key")].append(row)
        for row in self.messages:
            self.effects[row["opaque"]].append(row)
        self.found = defaultdict(list)  # events by type, and by what tells them apart
        for event in self.events:
            self.found[event["type"]].append(event)

    def index(self, type_, path):
        """{value: [events]} of a type."""
        made = defaultdict(list)
        for event in self.found[type_]:
            made[dig(event["data"], path)].append(event)
        return made


class Oracle:
    """excuse(job): True if a job may end parked or dead under the faults at hand; it must have a reason all the
    same, and no effect. Its default forgives only what nobody can know.
    excuse_inbox(row): the same of a stored webhook that is parked and should not be (a poisonous one)."""

    def __init__(self, world, ledger, excuse=unknown_only, excuse_inbox=lambda row: False):
        self.world, self.ledger = world, ledger
        self.excuse, self.excuse_inbox = excuse, excuse_inbox

    # ---- settling

    def at_rest(self):
        """True when nothing more happens by itself: nothing to read, no job to run, no webhook on its way, and
        every booking of the calendar's is known."""
        status = self.world.status()
        if status["webhooks_waiting"] or status["jobs"]["ready"] or status["jobs"]["queued"]:
            return False
        if any(h["state"] in ("pending", "sending") for h in self.world.hooks()):
            return False
        known = {e["data"]["uid"] for e in self.world.events("booking.created")}
        return all(b["uid"] in known for b in self.world.bookings())

    def settle(self, patience_s=None):
        """Waits until all is at rest; no longer than patience_s: then the verdict tells what is not over."""
        end = time.monotonic() + (patience_s or PATIENCE_S)
        # Twice: what is found the first time may have been the end of something that begins another.
        while not (self.at_rest() and self.at_rest()) and time.monotonic() < end:
            time.sleep(PAUSE_S)

    # ---- the verdict

    def verdict(self):
        """Of everything since the ledger began. Call it with the host running and at rest."""
        self.facts, self.result = Facts(self.world), Verdict()
        self._refusals()
        self._obligations()
        self._vendors_hooks()
        self._bookings_are_confirmed()
        self._inbox()
        self._causes()
        return self.result

    def _refusals(self):
        for owed in self.ledger.all():
            if owed.refused:
                self.result.wrong(f"REFUSED: {owed} with {owed.refused}")

    def _obligations(self):
        indexes = {}
        for owed in self.ledger.all():
            self.result.counts["sent"] += 1
            self.result.counts["owed"] += owed.acks > 0
            if owed.fate == PARKED:
                continue  # see _inbox
            type_, path, value = owed.event
            if (type_, path) not in indexes:
                indexes[type_, path] = self.facts.index(type_, path)
            self._obligation(owed, indexes[type_, path][value])

    def _obligation(self, owed, events):
        if not events and owed.acks:
            self.result.wrong(f"LOST: {owed} got 2xx, and there is no event of it")
        if len(events) > 1:
            self.result.wrong(f"TWICE: {owed} is {len(events)} events")
        for event in events[:1]:
            for path, value in owed.says.items():
                if dig(event["data"], path) != value:
                    self.result.wrong(f"CHANGED: {owed}: data.{path} is {dig(event['data'], path)!r}, not {value!r}")
            self._fate(str(owed), event, owed.fate, owed.pipeline, owed.effect)

    def _fate(self, what, event, fate, pipeline, effect):
        jobs = self.facts.by_event[event["id"]]
        if fate == FILTERED:
            self.result.counts["filtered"] += not jobs
            if jobs:
                self.result.wrong(f"NOT FILTERED: {what} has jobs: {jobs}")
            return
        if [j["pipeline"].split("/")[-1] for j in jobs] != [pipeline]:
            self.result.wrong(f"JOBS: {what} should have one of {pipeline}, has {jobs}")
            return
        self._job(what, jobs[0], effect)

    def _job(self, what, job, effect):
        rows = self.facts.effects[job["key"]] if job.get("key") else []  # it has not begun
        if job["state"] == "done":
            self.result.counts["done"] += 1
            if len(rows) != 1:
                self.result.wrong(f"EFFECTS: {what} is done, and happened {len(rows)} times")
            elif effect_of(rows[0]) != effect:
                self.result.wrong(f"CHANGED: {what}: {effect_of(rows[0])} should be {effect}")
        elif job["state"] in ("parked", "dead"):
            self.result.counts[job["state"]] += 1
            if not job.get("reason"):
                self.result.wrong(f"NO REASON: {what}: {job}")
            if not self.excuse(job):
                self.result.wrong(f"GIVEN UP: {what} is {job['state']}: {job.get('fail')}: {job.get('reason')}")
            if rows:  # its webhook (a status, the booking) should have closed it
                self.result.wrong(f"UNSEEN: {what} is {job['state']}, and happened: {rows}")
        else:
            self.result.wrong(f"NOT OVER: {what}: {job}")

    def _vendors_hooks(self):
        """What the vendors told about effects, and got a 2xx for, is an event once."""
        told = {"sent": "message.sent", "delivered": "message.delivered", "read": "message.read"}
        indexes = {name: self.facts.index(type_, "message_id") for name, type_ in told.items()}
        for hook in self.facts.hooks:
            name = hook["event"].removeprefix("status.")
            if hook["vendor"] != "whatsapp" or name not in told or hook["state"] != "delivered":
                continue
            status = json.loads(hook["body"])["entry"][0]["changes"][0]["value"]["statuses"][0]
            n = len(indexes[name][status["id"]])
            self.result.counts["statuses"] += 1
            if n != 1:
                self.result.wrong(f"{'LOST' if not n else 'TWICE'}: {hook['event']} of {status['id']} is {n} events")

    def _bookings_are_confirmed(self):
        """A booking at the vendor's is an obligation itself, whether its webhook came or it was fetched."""
        index = self.facts.index("booking.created", "uid")
        for row in self.facts.bookings:
            events = index[row["uid"]]
            if len(events) != 1:
                self.result.wrong(f"{'LOST' if not events else 'TWICE'}: booking {row['uid']} is {len(events)} events")
                continue
            attendee = row["attendee"]
            self._fate(f"booking {row['uid']}", events[0], DONE, "confirm",
                       {"to": attendee["phoneNumber"].lstrip("+"), "template": "termin_bestaetigung",
                        "name": attendee["name"]})

    def _inbox(self):
        """Each stored webhook is read, or parked with a reason; noise is parked as often as it got a 2xx (or once
        more: a 2xx that did not arrive)."""
        noise = [o for o in self.ledger.all() if o.fate == PARKED]
        parked = [r for r in self.facts.inbox if r["state"] == "parked"]
        meant = Counter()
        for row in parked:
            body = str(self.world.show(row["id"])["inbox"][0].get("body"))
            owner = next((o for o in noise if o.token in body), None)
            if not row.get("reason"):
                self.result.wrong(f"NO REASON: webhook {row['id']}")
            if owner:
                meant[owner.token] += 1
                self.result.counts["parked"] += 1
            elif not self.excuse_inbox(row):
                self.result.wrong(f"UNREAD: webhook {row['id']} is parked: {row.get('reason')}")
        for owed in noise:
            if meant[owed.token] < owed.acks:
                self.result.wrong(f"LOST: {owed} got {owed.acks} 2xx, and {meant[owed.token]} are stored")
        for row in self.facts.inbox:
            if row["state"] == "new":
                self.result.wrong(f"NOT OVER: webhook {row['id']} is not read")

    def _causes(self):
        """No effect without a job, none twice; no event without a webhook that was sent."""
        for key, rows in self.facts.effects.items():
            job = self.facts.by_key.get(key)
            self.result.counts["effects"] += len(rows)
            if not job:
                self.result.wrong(f"NO CAUSE: {rows}")
            if len(rows) > 1:
                self.result.wrong(f"TWICE: {job} happened {len(rows)} times: {rows}")
        for what, n in Counter(json.dumps(effect_of(r), sort_keys=True) for r in
                               self.facts.bookings + self.facts.messages).items():
            if n > 1:
                self.result.wrong(f"TWICE: {n} effects say {what}")
        ours = {o.event for o in self.ledger.all() if o.event}
        theirs = {b["uid"] for b in self.facts.bookings}
        for type_, path in {e[:2] for e in ours}:
            for value, events in self.facts.index(type_, path).items():
                if (type_, path, value) not in ours and not (path == "uid" and value in theirs):
                    self.result.wrong(f"NO CAUSE: {type_} {value}: {events}")


def judge(oracle, driver):
    """After the faults: everything rests, a fresh event of each kind passes, and then the verdict."""
    oracle.settle()
    driver.fresh()
    oracle.settle()
    return oracle.verdict()
