"""An office whose callers are answered during the call, and the agent who asks for them."""
import json
import threading
import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hooks_kit import AGENT, retell_headers
from world import CALLER, EVENT_TYPE, TENANT

BERLIN = ZoneInfo("Europe/Berlin")
OFFICE = "+493023125010"
OTHER = "+491713920077"
FALLBACK = "Das kann ich gerade nicht nachsehen."
GRACE_MS = 2000  # tells an answer at the deadline from one that waited for what hangs, which takes seconds longer; no figure

FUNCTIONS = {"check_availability": ("offer", "450ms"), "book_appointment": ("book", "8s"),
             "find_appointments": ("find", "450ms"), "reschedule_appointment": ("reschedule", "8s"),
             "cancel_appointment": ("cancel", "8s"), "list_services": ("services", "450ms"),
             "request_callback": ("callback", "450ms")}


def answering(world, **desk):
    """Lets the office of a world answer its callers."""
    ini = world.ini
    ini.drop("pipeline")
    ini.drop("mapping")
    ini.add(f"desk {TENANT}", calendar="calendar", state="BE", **{"refresh": "0", **desk})
    ini.add("service kontrolle", tenant=TENANT, title="Kontrolluntersuchung", aliases="Kontrolle, Vorsorge, Checkup",
            duration="30m", price="45,00 EUR", event_type=EVENT_TYPE)
    ini.add("branch mitte", tenant=TENANT, title="Praxis Mitte", numbers=OFFICE, agent="agent_mitte")
    ini.add("pipeline ring", on="call.inbound", within="1s", step="desk.inbound", fallback=FALLBACK)
    for name, (op, within) in FUNCTIONS.items():
        extra = " fields=(json_object('versicherung', 'gesetzlich'))" if op == "book" else ""
        ini.add(f"pipeline {name.replace('_', '-')}", on="call.function", when=f"data ->> 'name' = '{name}'",
                within=within, step=f"desk.{op}{extra}", fallback=FALLBACK)
    return world


class Call:
    """One call in progress, as the vendor's side sees it."""
    number = 0

    def __init__(self, world, caller=CALLER, to=OFFICE):
        Call.number += 1
        self.world, self.caller, self.to = world, caller, to
        self.id = f"call_desk{time.time_ns()}{Call.number}"
        self.tools = 0

    def envelope(self, **more):
        call = {"call_id": self.id, "call_type": "phone_call", "agent_id": AGENT, "call_status": "ongoing",
                "direction": "inbound", "to_number": self.to, "start_timestamp": int(time.time() * 1000) - 20000,
                **more}
        if self.caller:
            call["from_number"] = self.caller
        return call

    def body(self, name, args):
        self.tools += 1
        tool = {"role": "tool_call_invocation", "tool_call_id": f"tool_{self.id}_{self.tools}", "name": name,
                "arguments": json.dumps(args)}
        return json.dumps({"name": name, "args": args,
                           "call": self.envelope(transcript_with_tool_calls=[tool])}).encode()

    def send(self, body, route="phone/function"):
        began = time.monotonic()
        status, answer, _ = self.world.hook(route, body, retell_headers(body))
        self.took_ms = (time.monotonic() - began) * 1000
        assert status == 200, (status, answer)
        return json.loads(answer)

    def ask(self, name, /, **args):
        """The agent calls a function; what it is told."""
        answer = self.send(self.body(name, args))
        assert answer.get("say"), answer
        return answer

    def ring(self):
        """The inbound webhook; its answer."""
        body = json.dumps({"event": "call_inbound", "call_inbound": {
            "call_id": self.id, "agent_id": AGENT, "to_number": self.to,
            **({"from_number": self.caller} if self.caller else {})}}).encode()
        return self.send(body, "phone/inbound")["call_inbound"]

    def hang_up(self):
        body = json.dumps({"event": "call_ended", "call": self.envelope(
            call_status="ended", end_timestamp=int(time.time() * 1000), disconnection_reason="user_hangup")}).encode()
        status, answer, _ = self.world.hook("phone", body, retell_headers(body))
        assert 200 <= status < 300, answer


def warm(world):
    """The mirror knows what is free: a read of the calendar has been stored."""
    Call(world).ring()
    return world.wait(lambda: world.jobs("done", op="slots"), "the mirror is filled")


def together(*works):
    """Runs them at the same moment; their results in order."""
    results, gate = [None] * len(works), threading.Barrier(len(works))

    def run(i, work):
        gate.wait()
        try:
            results[i] = work()
        except Exception as fault:  # pylint: disable=broad-except
            results[i] = fault
    threads = [threading.Thread(target=run, args=(i, w)) for i, w in enumerate(works)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for r in results:
        if isinstance(r, Exception):
            raise r
    return results


def spoken(slot):
    """Day and time of an instant as a caller would say them."""
    local = slot.astimezone(BERLIN)
    return {"requested_date": local.strftime("%d.%m.%Y"), "requested_time": local.strftime("%H:%M")}


def local(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).astimezone(BERLIN)


def next_monday():
    today = datetime.now(BERLIN).replace(hour=9, minute=0, second=0, microsecond=0)
    return today + timedelta(days=7 - today.weekday())
