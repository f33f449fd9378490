"""Cal.com API v1, as self-hosted servers still offer it. Base path /calcom/v1, key in the URL."""
import json

from . import calcom_shapes as shapes
from .calcom import Rate, is_number
from .calendar import Refused
from .clock import MINUTE, at, iso_seconds, is_zone, parse, real_ms
from .web import Answer, Router

TYPE_OF = {"inPerson": "address", "attendeeInPerson": "attendeeAddress", "phone": "attendeePhone",
           "userPhone": "phone", "link": "link", "somewhereElse": "attendeeDefined",
           "conferencing": "organizersDefaultApp"}
BUILT_IN = {"name", "email", "location", "guests", "attendeePhoneNumber", "smsReminderNumber"}

router = Router()


def no(status, message):
    return Answer(status, {"message": message, "data": {"traceId": "trace_6f0c"}})


class CalcomV1:
    def __init__(self, calcom):
        self.calcom = calcom
        self.world = calcom.world
        self.store = calcom.store
        self.calendar = calcom.calendar
        self.roles = calcom.roles
        self.rate = Rate(30)

    # ---- the way in -----------------------------------------------------------------------

    def handle(self, request):
        limit = {}
        try:
            self._check_key(request)
            limit = self._count()
            function, arguments, _ = router.find(request.method, request.path)
            if function is None:
                raise no(405 if arguments else 404, "Method not allowed" if arguments
                         else "Not found")
            answer = function(self, request, **arguments)
        except Answer as refusal:
            answer = refusal
        except ValueError as fault:
            answer = no(400, str(fault))
        answer.headers.update(limit)
        answer.headers["X-Trace-Id"] = "trace_6f0c"
        return answer

    def _check_key(self, request):
        key = request.query.get("apiKey")
        if not key:
            raise Answer(401, {"message": "No apiKey provided"})
        if key != self.world.secret("calcom_key"):
            raise Answer(401, {"error": "Your API key is not valid."})

    def _count(self):
        remaining, reset = self.rate.take("user")
        headers = {"X-RateLimit-Limit": str(self.rate.limit),
                   "X-RateLimit-Remaining": str(max(remaining, 0)),
                   "X-RateLimit-Reset": str(real_ms() + reset * 1000)}  # ms, whatever is documented
        if remaining < 0 and self.world.setting("calcom_rate_enforced"):
            raise Answer(429, {"message": f"Rate limit exceeded. Try again in {reset} seconds."},
                         headers)
        return headers

    # ---- who and what ---------------------------------------------------------------------

    @router.on("GET", "/me")
    def me(self, request):
        user = self.roles.account()
        return Answer(200, {"user": {
            "id": user["id"], "username": user["username"], "name": user["name"],
            "email": user["email"], "emailVerified": None, "bio": None, "avatar": None,
            "timeZone": user["timeZone"], "weekStart": "Monday", "timeFormat": 24,
            "defaultScheduleId": user["schedule"], "locale": user["locale"],
            "role": "ADMIN" if self.roles.is_admin() else "USER"}})

    @router.on("GET", "/event-types")
    def event_types(self, request):
        kinds = [k for k in self.store.things("event_type") if self.roles.owns(k)]
        if "slug" in request.query:
            kinds = [k for k in kinds if k["slug"] == request.query["slug"]]
        return Answer(200, {"event_types": [shapes.v1_event_type(self.store, k) for k in kinds]})

    @router.on("GET", "/event-types/{number}")
    def event_type(self, request, number):
        kind = self._type(number)
        return Answer(200, {"event_type": shapes.v1_event_type(self.store, kind)})

    @router.on("GET", "/teams")
    def teams(self, request):
        return Answer(200, {"teams": self.store.things("team")})

    @router.on("GET", "/teams/{team}/event-types")
    def team_event_types(self, request, team):
        kinds = [k for k in self.store.things("event_type") if str(k["team"]) == team]
        return Answer(200, {"event_types": [shapes.v1_event_type(self.store, k) for k in kinds]})

    @router.on("GET", "/memberships")
    def memberships(self, request):
        if "teamId" in request.query or "userId" in request.query:
            raise no(403, "Forbidden")
        user = self.roles.account()
        return Answer(200, {"memberships": [{"teamId": 880, "userId": user["id"],
                                             "role": user["role"], "accepted": True,
                                             "disableImpersonation": False}]})

    @router.on("GET", "/schedules")
    def schedules(self, request):
        schedule = self.store.thing("schedule", self.roles.account()["schedule"])
        names = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
        rules = [{"id": 1 + i, "eventTypeId": None, "date": None,
                  "days": [names.index(day) for day in rule["days"]],
                  "startTime": rule["startTime"] + ":00", "endTime": rule["endTime"] + ":00"}
                 for i, rule in enumerate(schedule["availability"])]
        return Answer(200, {"schedules": [{
            "id": schedule["id"], "userId": schedule["ownerId"], "name": schedule["name"],
            "timeZone": schedule["timeZone"], "availability": rules}]})

    def _type(self, number):
        kind = self.calendar.event_type(number)
        if kind is None:
            raise no(404, "event_type_not_found_error")
        return kind

    # ---- slots ----------------------------------------------------------------------------

    @router.on("GET", "/slots")
    def slots(self, request):
        query = request.query
        start, end = parse(query.get("startTime")), parse(query.get("endTime"))
        if end <= start:
            raise no(400, "endTime must be after startTime")
        kind = self._asked_type(query)
        zone = query.get("timeZone", "UTC")
        zone = zone if is_zone(zone) else "UTC"
        minutes = int(query["duration"]) if "duration" in query else None
        free = self.calendar.free_starts(kind, start, end, minutes, query.get("rescheduleUid"))
        days = {}
        for slot in free:
            day = at(slot, zone).date().isoformat()
            days.setdefault(day, []).append({"time": iso_seconds(slot, zone)})
        return Answer(200, {"slots": days})

    def _asked_type(self, query):
        if "eventTypeId" in query:
            return self._type(query["eventTypeId"])
        kind = self.calendar.find_type(query.get("eventTypeSlug"), query.get("usernameList"))
        if kind is None:
            raise no(404, "event_type_not_found_error")
        return kind

    # ---- bookings -------------------------------------------------------------------------

    @router.on("POST", "/bookings")
    def book(self, request):
        body = self._object(request)
        kind = self._type(body["eventTypeId"]) if is_number(body.get("eventTypeId")) else None
        if kind is None:
            raise no(400, "invalid_type in 'eventTypeId': Expected number")
        self._check(kind, body)
        if "rescheduleUid" in body:
            return self._rebook(body)
        start = parse(body["start"])
        try:
            made = self.calcom.book(kind, start, self._minutes(kind, body, start),
                                    self._facts(kind, body), body["responses"].get("email"))
        except Refused as refused:
            raise self._not_booked(refused) from None
        return Answer(200, shapes.v1_created(self.calendar, made))

    def _object(self, request):
        try:
            body = request.json({})
        except ValueError:
            raise no(400, "Invalid JSON") from None
        if not isinstance(body, dict):
            raise no(400, "invalid_type: Expected object")
        return body

    def _check(self, kind, body):
        for key in ("start", "timeZone", "language"):
            if not isinstance(body.get(key), str):
                raise no(400, f"invalid_type in '{key}': Required")
        if not is_zone(body["timeZone"]):
            raise no(400, "invalid_string in 'timeZone': Invalid time zone")
        metadata = body.get("metadata")
        if not isinstance(metadata, dict):
            raise no(400, "invalid_type in 'metadata': Required")
        for key, value in metadata.items():
            if not isinstance(value, str):
                raise no(400, f"invalid_type in 'metadata,{key}': Expected string")
        answers = body.get("responses")
        if not isinstance(answers, dict):
            raise no(400, "invalid_type in 'responses': Required")
        for key in ("name", "email"):
            if not isinstance(answers.get(key), (str, dict)):
                raise no(400, f"invalid_type in 'responses,{key}': Required")
            if not answers[key] and not (key == "email" and kind["phone_only"]):
                raise no(400, f"responses - {{{key}}}error_required_field, ")

    def _minutes(self, kind, body, start):
        if "end" not in body:
            return kind["minutes"]
        minutes = (parse(body["end"]) - start) / MINUTE
        if minutes not in (kind["options"] or [kind["minutes"]]):
            raise no(400, "Invalid event length")
        return int(minutes)

    def _facts(self, kind, body):
        answers = body["responses"]
        name = answers["name"]
        if isinstance(name, dict):
            name = " ".join(filter(None, (name.get("firstName"), name.get("lastName"))))
        fields = {key: value for key, value in answers.items() if key not in BUILT_IN}
        missing = self.calcom.missing_answer(kind, fields)
        if missing:
            raise no(400, f"responses - {{{missing}}}error_required_field, ")
        wrong = self.calcom.wrong_answer(kind, fields)
        if wrong:
            raise no(400, wrong)
        phone = answers.get("attendeePhoneNumber") or answers.get("smsReminderNumber")
        host = self.store.thing("user", kind["hosts"][0])
        email = answers["email"] or str(phone).lstrip("+") + "@sms.cal.com"
        return {"attendee": {"name": name, "email": email, "phoneNumber": phone,
                             "timeZone": body["timeZone"], "language": body["language"]},
                "fields": fields, "metadata": body["metadata"],
                "location": self._location(kind, answers.get("location")),
                "guests": answers.get("guests") or [],
                "title": fields.get("title")
                or f"{kind['title']} zwischen {host['name']} und {name}",
                "description": fields.get("notes", "")}

    def _location(self, kind, asked):
        """A plain text is not refused, it silently becomes an empty place: so the vendor."""
        if asked is None:
            return kind["locations"][0]
        if isinstance(asked, str):
            try:
                asked = json.loads(asked)
            except ValueError:
                return {"type": "attendeeDefined", "location": ""}
        value, option = asked.get("value", ""), asked.get("optionValue", "")
        if value.startswith("integrations:"):
            return {"type": "integration", "integration": value.partition(":")[2]}
        if value == "inPerson":
            return kind["locations"][0]
        place = {"type": TYPE_OF.get(value, "attendeeDefined")}
        keys = {"attendeeAddress": "address", "attendeePhone": "phone"}
        key = keys.get(place["type"], "location")
        return {**place, key: option}

    def _rebook(self, body):
        old = self.calendar.booking(body["rescheduleUid"])
        if old is None:
            raise no(404, "booking_not_found_error")
        kind = self.calendar.event_type(old["event_type"])
        try:
            made = self.calcom.reschedule(old, parse(body["start"]),
                                          body["responses"].get("rescheduleReason"),
                                          body.get("rescheduledBy"), self._facts(kind, body))
        except Refused as refused:
            raise self._not_booked(refused) from None
        return Answer(200, shapes.v1_created(self.calendar, made))

    def _not_booked(self, refused):
        texts = {"past": "Attempting to book a meeting in the past.",
                 "notice": "booking_time_out_of_bounds_error",
                 "cancelled": "booking_cancelled_error"}
        return no(400, texts.get(refused.name, "no_available_users_found_error"))

    @router.on("GET", "/bookings")
    def bookings(self, request):
        query = request.query
        emails = [value for key, value in request.pairs if key == "attendeeEmail"]
        found = [b for b in self.calendar.bookings() if self.roles.lists_v1(b)]
        if "dateFrom" in query:
            found = [b for b in found if b["start_ms"] >= parse(query["dateFrom"])]
        if "dateTo" in query:
            found = [b for b in found if b["end_ms"] <= parse(query["dateTo"])]
        if emails:
            found = [b for b in found if b["attendee"]["email"] in emails]
        if query.get("status") == "upcoming":
            found = [b for b in found if b["start_ms"] >= self.world.now_ms()]
        key = "updated_ms" if query.get("sortBy") == "updatedAt" else "created_ms"
        if "sortBy" in query:
            found.sort(key=lambda b: b[key], reverse=query.get("order") == "desc")
        if "page" in query and "take" in query:  # one alone changes nothing
            page, take = int(query["page"]), int(query["take"])
            found = found[(page - 1) * take:page * take]
        return Answer(200, {"bookings": [shapes.v1_booking(self.calendar, b) for b in found]})

    def _booking(self, number):
        booking = self.calendar.booking_by_id(int(number)) if number.isdigit() else None
        if booking is None:
            raise no(404, "Booking not found")
        return booking

    @router.on("GET", "/bookings/{number}")
    def booking(self, request, number):
        found = self._booking(number)
        if not self.roles.reads_v1(found):
            raise no(403, "You are not authorized")
        return Answer(200, {"booking": shapes.v1_booking(self.calendar, found)})

    @router.on("DELETE", "/bookings/{number}/cancel")
    def cancel(self, request, number):
        booking = self._booking(number)
        try:
            self.calcom.cancel(booking, request.query.get("cancellationReason"),
                               request.query.get("cancelledBy"))
        except Refused as refused:
            raise no(400, "This booking has already been cancelled" if refused.name == "cancelled"
                     else "Cannot cancel a booking that has already ended") from None
        return Answer(200, {"success": True, "message": "Booking successfully cancelled.",
                            "onlyRemovedAttendee": False, "bookingId": booking["id"],
                            "bookingUid": booking["uid"]})

    @router.on("DELETE", "/bookings/{number}")
    def cancel_short(self, request, number):
        return self.cancel(request, number)

    # ---- webhooks -------------------------------------------------------------------------

    @router.on("GET", "/webhooks")
    def webhooks(self, request):
        return Answer(200, {"webhooks": [self._hook(h) for h in
                                         self.store.things("calcom_webhook")]})

    @router.on("POST", "/webhooks")
    def add_webhook(self, request):
        body = self._object(request)
        known = {"subscriberUrl", "eventTriggers", "active", "secret", "payloadTemplate",
                 "eventTypeId", "version"}
        for key in sorted(set(body) - known):
            raise no(400, f"Unrecognized key(s) in object: '{key}'")
        for key in ("subscriberUrl", "eventTriggers", "active"):
            if key not in body:
                raise no(400, f"invalid_type in '{key}': Required")
        number = f"9d3f8b55-9a6e-4f3b-b9a4-{self.world.next_id('webhook', 0x2f0f1d7f5e10):012x}"
        hook = {**body, "id": number, "userId": 5012, "triggers": body["eventTriggers"]}
        self.store.keep("calcom_webhook", number, hook)
        return Answer(200, {"webhook": self._hook(hook), "message": "Webhook created successfully"})

    def _hook(self, hook):
        return {"id": hook["id"], "userId": hook["userId"],
                "eventTypeId": hook.get("eventTypeId"),
                "payloadTemplate": hook.get("payloadTemplate"),
                "eventTriggers": hook["triggers"], "version": hook.get("version", "2021-10-20"),
                "appId": None, "subscriberUrl": hook["subscriberUrl"]}
