"""What Cal.com v1 and v2 share: who may ask, the rate headers, and the webhooks."""
import time

from . import calcom_shapes as shapes
from .calcom_roles import Roles
from .calendar import Calendar, Refused
from .clock import iso
from .web import dump

WITHOUT_METADATA = ("BOOKING_CANCELLED", "BOOKING_REJECTED")
TRIGGERS = ("BOOKING_CREATED", "BOOKING_RESCHEDULED", "BOOKING_CANCELLED", "BOOKING_REQUESTED",
            "BOOKING_REJECTED", "BOOKING_PAYMENT_INITIATED", "BOOKING_PAID",
            "BOOKING_NO_SHOW_UPDATED", "MEETING_STARTED", "MEETING_ENDED", "RECORDING_READY",
            "RECORDING_TRANSCRIPTION_GENERATED", "INSTANT_MEETING", "OOO_CREATED",
            "FORM_SUBMITTED", "FORM_SUBMITTED_NO_EVENT", "AFTER_HOSTS_CAL_VIDEO_NO_SHOW",
            "AFTER_GUESTS_CAL_VIDEO_NO_SHOW", "DELEGATION_CREDENTIAL_ERROR",
            "ROUTING_FORM_FALLBACK_HIT", "WRONG_ASSIGNMENT_REPORT")


class Rate:
    """Requests of one key in the last minute. In memory: a restart forgives."""

    def __init__(self, limit):
        self.limit = limit
        self.seen = {}

    def take(self, who):
        """(remaining or -1 when it is one too many, seconds until the oldest is forgotten)."""
        now = time.monotonic()
        recent = [t for t in self.seen.get(who, []) if t > now - 60]
        reset = int(60 - (now - recent[0])) + 1 if recent else 60
        if len(recent) >= self.limit:
            self.seen[who] = recent
            return -1, reset
        self.seen[who] = recent + [now]
        return self.limit - len(recent) - 1, reset


class Calcom:
    """The state both APIs work on, and the office's own hands (used by the control API)."""

    def __init__(self, world):
        self.world = world
        self.store = world.store
        self.calendar = Calendar(world)
        self.roles = Roles(world, self.calendar)

    # ---- webhooks -----------------------------------------------------------------------

    def subscribers(self, trigger):
        """(url, secret) of everyone who wants it."""
        url = self.world.options.hooks_calcom
        if url:
            yield url, self.world.secret("calcom_webhook_secret")
        for hook in self.store.things("calcom_webhook"):
            if hook["active"] and trigger in hook["triggers"]:
                yield hook["subscriberUrl"], hook.get("secret") or ""

    def tell(self, trigger, payload, in_ms=0):
        created = iso(self.world.now_ms())
        body = dump({"triggerEvent": trigger, "createdAt": created, "payload": payload})
        self.deliver(trigger, body, in_ms)

    def deliver(self, trigger, body, in_ms=0):
        for url, secret in self.subscribers(trigger):
            self.world.hooks.add("calcom", trigger, url, secret, body, in_ms)

    def tell_booking(self, trigger, booking, **more):
        payload = shapes.hook_payload(self.calendar, booking)
        payload.update(more)
        if trigger in WITHOUT_METADATA:  # so in the documented examples
            payload.pop("metadata")
        self.tell(trigger, payload)

    def tell_made(self, booking):
        pending = booking["status"] == "pending"
        self.tell_booking("BOOKING_REQUESTED" if pending else "BOOKING_CREATED", booking)

    # ---- acts with their webhooks ---------------------------------------------------------

    def book(self, kind, start_ms, minutes, facts, repeat_by=None):
        with self.store.write():
            newest = self.store.row("SELECT max(id) AS n FROM booking")["n"] or 0
            made = self.calendar.book(kind, start_ms, minutes, facts, repeat_by)
            if made["id"] > newest:  # else Cal.com gave back the one that was there
                self.tell_made(made)
        return made

    def cancel(self, booking, reason, by=None, requested=False):
        with self.store.write():
            gone = self.calendar.cancel(booking, reason, by)
            self.tell_booking("BOOKING_CANCELLED", gone, cancellationReason=reason or "",
                              cancelledBy=by, requestReschedule=requested)
        return gone

    def reject(self, booking, reason):
        with self.store.write():
            gone = self.calendar.cancel(booking, reason, status="rejected")
            self.tell_booking("BOOKING_REJECTED", gone, rejectionReason=reason or "",
                              startTime=iso(gone["start_ms"]), endTime=iso(gone["end_ms"]))
        return gone

    def confirm(self, booking):
        if booking["status"] != "pending":
            raise Refused("not_pending")
        with self.store.write():
            made = self.calendar.change(booking, "accepted")
            self.tell_booking("BOOKING_CREATED", made)
        return made

    def reschedule(self, booking, start_ms, reason=None, by=None, facts=None):
        owner = self.store.thing("user", booking["hosts"][0])
        with self.store.write():
            made = self.calendar.reschedule(booking, start_ms, reason, by, facts,
                                            auto=by == owner["email"])
            old = {"rescheduleId": booking["id"], "rescheduleUid": booking["uid"],
                   "rescheduleStartTime": iso(booking["start_ms"])[:-5] + "Z",
                   "rescheduleEndTime": iso(booking["end_ms"])[:-5] + "Z", "rescheduledBy": by}
            pending = made["status"] == "pending"
            self.tell_booking("BOOKING_REQUESTED" if pending else "BOOKING_RESCHEDULED", made,
                              **old)
        return made

    def no_show(self, booking, absent=True):
        with self.store.write():
            seen = self.calendar.change(booking, absent=absent)
            email = booking["attendee"]["email"]
            word = "marked" if absent else "unmarked"
            self.tell("BOOKING_NO_SHOW_UPDATED", {
                "message": f"{email} {word} as no-show",
                "attendees": [{"email": email, "noShow": absent}],
                "bookingUid": booking["uid"], "bookingId": booking["id"]})
        return seen

    def meeting(self, booking, trigger):
        """MEETING_STARTED and MEETING_ENDED are flat: no payload, booking's own createdAt."""
        user = self.store.thing("user", booking["hosts"][0])
        flat = shapes.v1_created(self.calendar, booking)
        wanted = ("id", "uid", "userId", "eventTypeId", "title", "startTime", "endTime",
                  "status", "location", "metadata", "attendees")
        body = {"triggerEvent": trigger, **{key: flat[key] for key in wanted},
                "userPrimaryEmail": user["email"], "createdAt": iso(booking["created_ms"]),
                "updatedAt": iso(booking["updated_ms"]), "noShowHost": False,
                "responses": shapes.hook_responses(booking),
                "user": {key: user[key] for key in ("email", "name", "timeZone", "username")}}
        self.deliver(trigger, dump(body))
        return booking

    def ping(self):
        now = iso(self.world.now_ms())
        person = {"timeZone": "Europe/London", "language": {"locale": "en"}, "utcOffset": 0}
        self.tell("PING", {
            "type": "Test", "title": "Test trigger event", "description": "", "startTime": now,
            "endTime": now,
            "attendees": [{"email": "jdoe@example.com", "name": "John Doe", **person}],
            "organizer": {"name": "Cal", "email": "no-reply@cal.com", **person}})

    # ---- checks both APIs make ------------------------------------------------------------

    def missing_answer(self, kind, fields):
        """Slug of the first required custom field that is not answered, or None."""
        for field in kind["fields"]:
            if field["required"] and not fields.get(field["slug"]):
                return field["slug"]
        return None

    def wrong_answer(self, kind, fields):
        """A sentence about the first answer of the wrong kind, or None."""
        kinds = {field["slug"]: field for field in kind["fields"]}
        texts = ("text", "address", "textarea", "phone", "email", "url", "radio", "select")
        for slug, value in fields.items():
            field = kinds.get(slug)
            if field is None or value in (None, ""):
                continue
            if field["type"] in texts and not isinstance(value, str):
                return f"{{{slug}}}invalid_type: expected a text"
            if field["type"] == "number" and not is_number(value):
                return f"{{{slug}}}invalid_number"
            if field["type"] == "boolean" and not isinstance(value, bool):
                return f"{{{slug}}}invalid_type: expected a boolean"
            if field.get("options") and value not in field["options"]:
                return f"Invalid option for booking field {slug}. Allowed: {field['options']}"
        return None


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)
