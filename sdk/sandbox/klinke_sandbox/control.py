"""The control API under /_control/: play the world, order faults, read the effects."""
import json

from .calendar import Refused
from .clock import iso, parse, real_ms
from .retell_live import Live
from .web import Answer, Router
from .whatsapp_checks import Wrong
from .world import SECRETS, SETTINGS

router = Router()
OFFICE = ("cancel", "reject", "reschedule", "confirm", "no-show", "meeting-started",
          "meeting-ended")


class Control:
    def __init__(self, world, vendors):
        self.world = world
        self.store = world.store
        self.calcom = vendors["calcom"]
        self.retell = vendors["retell"]
        self.live = Live(self.retell)
        self.whatsapp = vendors["whatsapp"]

    def handle(self, request):
        function, arguments, _ = router.find(request.method, request.path)
        if function is None:
            return Answer(404, {"error": f"no {request.method} {request.path}; see README.md"})
        try:
            body = request.json({})
            if not isinstance(body, dict):
                raise ValueError("the body must be a JSON object")
            answer = function(self, request, body, **arguments)
            return Answer(200, answer) if not isinstance(answer, Answer) else answer
        except KeyError as missing:
            return Answer(400, {"error": f"missing or unknown: {missing}"})
        except Refused as no:
            return Answer(409, {"error": f"refused: {no.name}", "detail": no.detail})
        except (ValueError, OSError, Wrong) as fault:
            return Answer(400, {"error": f"{type(fault).__name__}: {fault}"})

    # ---- the sandbox itself ---------------------------------------------------------------

    @router.on("GET", "/health")
    def health(self, request, body):
        return {"status": "ok", "now": iso(self.world.now_ms())}

    @router.on("POST", "/reset")
    def reset(self, request, body):
        self.world.reset()
        return {"status": "ok"}

    @router.on("POST", "/clock")
    def clock(self, request, body):
        """{"now": instant} moves the vendors' clock, {"now": null} puts it right again."""
        offset = parse(body["now"]) - real_ms() if body["now"] is not None else 0
        self.store.put("clock_offset_ms", offset)
        return {"now": iso(self.world.now_ms())}

    @router.on("GET", "/settings")
    def settings(self, request, body):
        return {name: self.world.setting(name) for name in SETTINGS}

    @router.on("PUT", "/settings")
    def change_settings(self, request, body):
        for name, value in body.items():
            if name not in SETTINGS:
                raise ValueError(f"no setting {name}; known are {sorted(SETTINGS)}")
            self.store.put("setting." + name, value)
        return self.settings(request, body)

    @router.on("PUT", "/secrets")
    def change_secrets(self, request, body):
        for name, value in body.items():
            if name not in SECRETS:
                raise ValueError(f"no secret {name}; known are {list(SECRETS)}")
            self.store.put("secret." + name, value)
        return {"changed": sorted(body)}

    @router.on("PUT", r"/things/{kind}/(?P<name>.+)")  # a template is name/language
    def put_thing(self, request, body, kind, name):
        """Merges into an event type, template, agent, contact …, or makes a new one."""
        thing = {**(self.store.thing(kind, name) or {}), **body}
        self.store.keep(kind, name, thing)
        return thing

    @router.on("GET", "/things/{kind}")
    def get_things(self, request, body, kind):
        return {"things": self.store.things(kind)}

    # ---- faults and webhooks --------------------------------------------------------------

    @router.on("POST", "/faults")
    def add_fault(self, request, body):
        return {"id": self.world.faults.add(body)}

    @router.on("GET", "/faults")
    def faults(self, request, body):
        return {"faults": self.world.faults.list()}

    @router.on("DELETE", "/faults")
    def clear_faults(self, request, body):
        self.world.faults.clear()
        return {"status": "ok"}

    @router.on("DELETE", "/faults/{number}")
    def clear_fault(self, request, body, number):
        self.world.faults.clear(int(number))
        return {"status": "ok"}

    @router.on("GET", "/hooks")
    def hooks(self, request, body):
        return {"hooks": self.world.hooks.list()}

    @router.on("POST", "/hooks/wait")
    def wait(self, request, body):
        """Until no webhook is pending; 408 with what is left after timeout_ms (10 000)."""
        if self.world.hooks.wait_idle(body.get("timeout_ms", 10_000)):
            return {"idle": True}
        left = [h for h in self.world.hooks.list() if h["state"] in ("pending", "sending")]
        return Answer(408, {"idle": False, "left": left})

    # ---- effects --------------------------------------------------------------------------

    @router.on("GET", "/effects")
    def effects(self, request, body):
        bookings = self.calcom.calendar.bookings()
        rows = self.store.rows("SELECT * FROM message ORDER BY rowid")
        messages = [dict(row, facts=json.loads(row["facts"])) for row in rows]
        sent = [m for m in messages if m["direction"] == "out"]
        live = [b for b in bookings if b["status"] in ("accepted", "pending")]
        return {
            "counts": {"bookings": len(bookings), "live_bookings": len(live),
                       "double_bookings": self._doubles(live), "messages_out": len(sent),
                       "messages_in": len(messages) - len(sent),
                       "repeated_messages": repeats(m["opaque"] for m in sent if m["opaque"]),
                       "calls": len(self.store.things("call")),
                       "requests": self.store.row("SELECT count(*) AS n FROM request")["n"]},
            "bookings": bookings, "messages": messages,
            "reservations": [dict(row) for row in self.store.rows("SELECT * FROM reservation")],
            "live_updates": {c["call_id"]: c["live_updates"] for c in self.store.things("call")
                             if "live_updates" in c}}

    def _doubles(self, live):
        """Live bookings beyond the first of the same event type, attendee and start."""
        return repeats((b["event_type"], b["attendee"]["email"], b["start_ms"]) for b in live)

    @router.on("GET", "/requests")
    def requests(self, request, body):
        """What was received, oldest first. ?vendor= and ?path= (a part of it) narrow it."""
        rows = self.store.rows(
            "SELECT * FROM request WHERE vendor LIKE ? || '%' AND instr(path, ?) ORDER BY id",
            request.query.get("vendor", ""), request.query.get("path", "/"))
        return {"requests": [dict(row, query=json.loads(row["query"]),
                                  headers=json.loads(row["headers"])) for row in rows]}

    # ---- the world acts -------------------------------------------------------------------

    @router.on("POST", "/retell/call")
    def retell_call(self, request, body):
        return self.retell.play(body)

    @router.on("POST", "/retell/inbound")
    def retell_inbound(self, request, body):
        return self.live.ring(body)

    @router.on("POST", "/retell/function")
    def retell_function(self, request, body):
        return self.live.function(body)

    @router.on("POST", "/retell/say")
    def retell_say(self, request, body):
        return self.live.say(body)

    @router.on("POST", "/retell/hangup")
    def retell_hangup(self, request, body):
        return self.live.hang_up(body)

    @router.on("POST", "/whatsapp/inbound")
    def whatsapp_inbound(self, request, body):
        return self.whatsapp.inbound(body)

    @router.on("POST", "/whatsapp/status")
    def whatsapp_status(self, request, body):
        with self.store.write():
            self.whatsapp.status(body["id"], body["status"], body.get("in_ms", 0),
                                 body.get("code", 131026))
        return {"status": "ok"}

    @router.on("POST", "/whatsapp/verify")
    def whatsapp_verify(self, request, body):
        return self.whatsapp.handshake(body.get("verify_token"),
                                       body.get("challenge", "1158201444"))

    @router.on("POST", "/calcom/ping")
    def ping(self, request, body):
        self.calcom.ping()
        return {"status": "ok"}

    @router.on("POST", "/calcom/block")
    def block(self, request, body):
        """{"user", "start", "end"}: time taken without a booking or a webhook."""
        self.calcom.calendar.block(body.get("user", 5012), parse(body["start"]),
                                   parse(body["end"]), body.get("note", ""))
        return {"status": "ok"}

    @router.on("POST", "/calcom/bookings")
    def office_books(self, request, body):
        """{"eventTypeId", "start", "name"?, "email"?, "metadata"?}: booked at the desk."""
        kind = self.calcom.calendar.event_type(body["eventTypeId"])
        if kind is None:
            raise ValueError(f"no event type {body['eventTypeId']}")
        name = body.get("name", "Karl Beispiel")
        facts = {"attendee": {"name": name, "email": body.get("email", "karl@example.org"),
                              "timeZone": "Europe/Berlin", "language": "de",
                              "phoneNumber": body.get("phoneNumber")},
                 "fields": body.get("fields", {"versicherung": "gesetzlich"}),
                 "metadata": body.get("metadata", {}), "location": kind["locations"][0],
                 "guests": [], "title": f"{kind['title']} mit {name}", "description": ""}
        made = self.calcom.book(kind, parse(body["start"]), kind["minutes"], facts)
        return {"id": made["id"], "uid": made["uid"]}

    @router.on("POST", "/calcom/bookings/{uid}/{verb}")
    def office_changes(self, request, body, uid, verb):
        booking = self.calcom.calendar.booking(uid)
        if booking is None:
            raise ValueError(f"no booking {uid}")
        if verb not in OFFICE:
            raise ValueError(f"cannot {verb}; known are {OFFICE}")
        changed = self._office(booking, body, verb)
        return {"id": changed["id"], "uid": changed["uid"], "status": changed["status"]}

    def _office(self, booking, body, verb):
        reason = body.get("reason", "Praxis geschlossen")
        by = self.store.thing("user", booking["hosts"][0])["email"]
        if verb == "cancel":
            return self.calcom.cancel(booking, reason, by, body.get("requestReschedule", False))
        if verb == "reject":
            return self.calcom.reject(booking, reason)
        if verb == "confirm":
            return self.calcom.confirm(booking)
        if verb == "reschedule":
            return self.calcom.reschedule(booking, parse(body["start"]), reason, by)
        if verb == "no-show":
            return self.calcom.no_show(booking, body.get("absent", True))
        return self.calcom.meeting(booking, verb.upper().replace("-", "_"))


def repeats(keys):
    keys = list(keys)
    return len(keys) - len(set(keys))
