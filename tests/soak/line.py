"""Callers on the line, all the time: each asks what is free, from the start of a fault to its end and beyond. Whether
they were answered in time is read from the host's own record: when the question came, when it was answered."""
import http.client
import json
import sqlite3
import threading
from contextlib import contextmanager

import office  # noqa: F401, finds the harness
from desk_kit import FALLBACK, GRACE_MS, OFFICE
from hooks_kit import AGENT, retell_headers
from world import EVENT_TYPE, TENANT

WITHIN_MS = 450


def furnish(world):
    """A desk, and the pipeline that answers."""
    ini = world.ini
    ini.add(f"desk {TENANT}", calendar="calendar", state="BE", refresh="0", fresh="1s", hold="1s")
    ini.add("service kontrolle", tenant=TENANT, title="Kontrolle", duration="30m", event_type=EVENT_TYPE)
    ini.add("branch mitte", tenant=TENANT, title="Praxis Mitte", numbers=OFFICE)
    ini.add("pipeline check-availability", on="call.function", when="data ->> 'name' = 'check_availability'",
            within=f"{WITHIN_MS}ms", step="desk.offer", fallback=FALLBACK)


class Callers:
    """with Callers(world) as callers: …   threads that ask one question after another."""

    def __init__(self, world, threads=2, pause_s=0.02, overloaded=False):
        """overloaded: some may be asked to ask again, at their deadline."""
        self.world, self.pause_s, self.overloaded = world, pause_s, overloaded
        self.lock, self.count, self.asked, self.wrong, self.faults = threading.Lock(), 0, 0, [], []
        self.looked_up, self.put_off, self.away = 0, 0, False
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()
        assert not self.faults, self.faults

    def _work(self):
        try:
            while not self.stopping.wait(self.pause_s):
                self.ask()
        except Exception as fault:  # a thread that dies quietly would make the load a lie
            self.faults.append(repr(fault))

    @contextmanager
    def patient(self):
        """In this block the host is killed and started: a line that is cut is nobody's fault."""
        self.away = True
        yield
        self.away = False

    def body(self):
        with self.lock:
            self.count += 1
            id_ = f"line{self.count}x{id(self)}"
        tool = {"role": "tool_call_invocation", "tool_call_id": f"tool_{id_}", "name": "check_availability",
                "arguments": "{}"}
        return json.dumps({"name": "check_availability", "args": {"customer_preferences": "am liebsten nachmittags"},
                           "call": {"call_id": id_, "call_type": "phone_call", "agent_id": AGENT, "call_status": "ongoing",
                                    "direction": "inbound", "from_number": "+491713920042", "to_number": OFFICE,
                                    "transcript_with_tool_calls": [tool]}}).encode()

    def ask(self):
        """One question; what was said, or None if the line was cut."""
        body, away = self.body(), self.away
        try:
            status, answer, headers = self.world.hook("phone/function", body, retell_headers(body))
        except (OSError, http.client.HTTPException) as fault:
            if not (away or self.away):
                self.wrong.append(f"NO ANSWER: {fault!r}")
            return None
        if self.overloaded and status == 503 and int(headers.get("retry-after", 0)) > 0:
            self.put_off += 1
            return None
        self.asked += 1
        said = json.loads(answer) if status == 200 else {}
        self.looked_up += bool(said.get("availability_checked"))
        if not said.get("say"):
            self.wrong.append(f"NO ANSWER: {status} {answer[:200]!r}")
        return said


def stamps(world):
    """(ms from question to answer) of all that is on record, sorted. GRACE_MS tells an answer at the deadline from one
    that waited for what hangs."""
    with sqlite3.connect(f"file:{world.state}/klinke.db?mode=ro", uri=True) as db:
        return sorted(ms for ms, in db.execute(
            "SELECT a.at_ms - e.received_ms FROM answer a JOIN event e ON e.connection = a.connection AND e.dedupe = a.dedupe"))


def judge(world, callers, verdict):
    """Adds to the verdict what went wrong with the callers."""
    took = stamps(world)
    verdict.counts["callers"] += callers.asked
    verdict.counts["callers for whom the calendar was known"] += callers.looked_up
    verdict.counts["callers past the deadline by the record"] += sum(ms > WITHIN_MS for ms in took)
    verdict.counts["callers asked to ask again"] += callers.put_off
    if callers.put_off > callers.asked:
        verdict.wrong(f"NOT FIRST: {callers.put_off} callers were asked to ask again, {callers.asked} were answered")
    for text in callers.wrong:
        verdict.wrong(text)
    late = [ms for ms in took if ms > WITHIN_MS + GRACE_MS]
    if late:
        verdict.wrong(f"LATE: {len(late)} callers were answered after up to {late[-1]} ms")
    if len(took) < callers.asked:
        verdict.wrong(f"NO RECORD: {callers.asked} callers were answered, {len(took)} answers are on record")
