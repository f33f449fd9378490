"""Cal.com API v2, as far as an office's integration uses it. Base path /calcom/v2."""
from . import calcom_shapes as shapes
from .calcom import Rate
from .calendar import Refused
from .calcom_checks import booking_body, field_errors, list_query, slots_query
from .clock import MINUTE, at, iso, parse
from .web import Answer, Router

FIVE = ("2024-04-15", "2024-06-11", "2024-06-14", "2024-08-13", "2024-09-04")
NEWER = ("2026-02-25", "2026-05-01", "2026-06-12")
BOOKINGS = {"versions": ("2024-08-13", "2026-02-25"), "old": True}
LISTING = {"versions": ("2024-08-13", "2026-05-01"), "old": True}
TYPES = {"versions": ("2024-06-14", "2026-06-12"), "old": True}
SCHEDULES = {"versions": ("2024-06-11",), "old": True}
SLOTS = {"versions": ("2024-09-04",)}
PUBLIC = {"public": True}
NAMES = {400: "BadRequestException", 401: "UnauthorizedException", 403: "ForbiddenException",
         404: "NotFoundException", 409: "ConflictException", 422: "UnprocessableEntityException",
         429: "ThrottlerException"}
WORDS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
         409: "Conflict", 422: "Unprocessable Entity", 429: "Too Many Requests"}

router = Router()


def bare(status, message):
    """Shape B: thrown below the API layer, without the envelope."""
    return Answer(status, {"statusCode": status, "message": message})


def ok(data, status=200, **more):
    return Answer(status, {"status": "success", "data": data, **more})


class CalcomV2:
    def __init__(self, calcom):
        self.calcom = calcom
        self.world = calcom.world
        self.store = calcom.store
        self.calendar = calcom.calendar
        self.roles = calcom.roles
        self.rate = Rate(120)

    # ---- the way in -----------------------------------------------------------------------

    def handle(self, request):
        limit = {}
        try:
            known = self._known_caller(request)
            limit = self._count(request, known)
            function, arguments, facts = router.find(request.method, request.path)
            if function is None:
                raise self._no_route(request)
            self._check_version(request, facts)
            if not known and not facts.get("public"):
                raise Answer(401, self.error(request, 401, "No authentication method provided"))
            answer = function(self, request, **arguments)
        except Answer as refusal:
            answer = refusal
        except ValueError as fault:
            answer = Answer(400, self.error(request, 400, str(fault)))
        answer.headers.update(limit)
        return answer

    def error(self, request, status, message, errors=None):
        path = "/v2" + request.path + ("?" + request.raw_query if request.raw_query else "")
        details = {"message": message, "error": WORDS.get(status, "Error"), "statusCode": status}
        if errors:
            details["errors"] = errors
        return {"status": "error", "timestamp": iso(self.world.now_ms()), "path": path,
                "error": {"code": NAMES.get(status, "InternalServerErrorException"),
                          "message": message, "details": details}}

    def refuse(self, request, status, message, errors=None):
        return Answer(status, self.error(request, status, message, errors),
                      {"X-Request-Id": "req-" + str(self.world.next_id("trace", 1000))})

    def _known_caller(self, request):
        """True with the right key, False without any, 401 with a wrong one."""
        if "authorization" not in request.headers:
            return False
        token = request.bearer() or request.headers["authorization"].strip()
        if token != self.world.secret("calcom_key"):
            raise self.refuse(request, 401, "CustomThrottlerGuard - Invalid API Key")
        return True

    def _count(self, request, known):
        remaining, reset = self.rate.take("key" if known else "anonymous")
        headers = {"X-RateLimit-Limit-Default": str(self.rate.limit),
                   "X-RateLimit-Remaining-Default": str(max(remaining, 0)),
                   "X-RateLimit-Reset-Default": str(reset)}
        if remaining < 0 and self.world.setting("calcom_rate_enforced"):
            text = "CustomThrottlerGuard - Too many requests. Please try again later."
            refusal = self.refuse(request, 429, text)
            refusal.headers.update(headers)
            raise refusal
        return headers

    def _no_route(self, request):
        target = "/v2" + request.path + ("?" + request.raw_query if request.raw_query else "")
        return self.refuse(request, 404, f"Cannot {request.method} {target}")

    def _check_version(self, request, facts):
        """Missing or unknown values select the old contract; known but wrong ones are a 404."""
        hosted = self.world.setting("calcom_edition") == "hosted"
        if not hosted and request.path.startswith(("/teams", "/organizations")):
            raise self._no_route(request)
        version = request.headers.get("cal-api-version")
        if version not in (FIVE + NEWER if hosted else FIVE):
            version = "2024-04-15"
        if "versions" not in facts or version in facts["versions"]:
            return
        if version == "2024-04-15" and facts.get("old"):
            raise self._old_contract(request)
        raise self._no_route(request)

    def _old_contract(self, request):
        """Just enough of 2024-04-15 to show that it is another contract."""
        if request.method != "GET":
            errors = [{"property": name, "constraints": {"isDefined": name + " must be defined"}}
                      for name in ("responses", "timeZone", "language", "metadata")]
            text = ("timeZone must be a string, language must be a string, "
                    "responses must be an object")
            return self.refuse(request, 400, text, errors)
        if request.path.startswith("/event-types"):
            return ok({"eventTypeGroups": [], "profiles": []})
        return ok({"bookings": [], "recurringInfo": [], "nextCursor": None})

    # ---- who and what ---------------------------------------------------------------------

    @router.on("GET", "/me")
    def me(self, request):
        user = self.roles.account()
        return ok({"id": user["id"], "username": user["username"], "email": user["email"],
                   "name": user["name"], "avatarUrl": None, "bio": None, "timeFormat": 24,
                   "defaultScheduleId": user["schedule"], "weekStart": "Monday",
                   "timeZone": user["timeZone"], "organizationId": None})

    def _types(self, team):
        return [kind for kind in self.store.things("event_type") if kind["team"] == team]

    @router.on("GET", "/event-types", **TYPES, **PUBLIC)
    def event_types(self, request):
        allowed = {"username", "eventSlug", "usernames", "orgSlug", "orgId", "sortCreatedAt"}
        self._only(request, allowed)
        kinds = self._types(None)
        if "username" in request.query:
            kinds = [k for k in kinds if self._owner(k) == request.query["username"]]
        else:
            kinds = [k for k in kinds if self.roles.owns(k)]
        if "eventSlug" in request.query:
            kinds = [k for k in kinds if k["slug"] == request.query["eventSlug"]]
        return ok([shapes.v2_event_type(self.store, kind) for kind in kinds])

    def _owner(self, kind):
        return self.store.thing("user", kind["hosts"][0])["username"]

    @router.on("GET", "/event-types/{number}", **TYPES)
    def event_type(self, request, number):
        kind = self._type(request, number)
        if not self.roles.reads_type(kind):
            raise self.refuse(request, 403, "User is not authorized to access this event type")
        return ok(shapes.v2_event_type(self.store, kind))

    def _type(self, request, number):
        kind = self.calendar.event_type(number)
        if kind is None:
            raise self.refuse(request, 404, f"Event type with id {number} not found")
        return kind

    @router.on("GET", "/teams")
    def teams(self, request):
        return ok(self.store.things("team"))

    @router.on("GET", "/teams/{team}/event-types")
    def team_event_types(self, request, team):
        kinds = self._types(self._team(request, team)["id"])
        if "eventSlug" in request.query:
            kinds = [k for k in kinds if k["slug"] == request.query["eventSlug"]]
        return ok([shapes.v2_event_type(self.store, kind) for kind in kinds])

    @router.on("GET", "/teams/{team}/event-types/{number}")
    def team_event_type(self, request, team, number):
        self._team(request, team)
        return ok(shapes.v2_event_type(self.store, self._type(request, number)))

    @router.on("GET", "/teams/{team}/memberships")
    def memberships(self, request, team):
        team = self._team(request, team)
        users = self.store.things("user")
        data = [{"id": user["membership"], "userId": user["id"], "teamId": team["id"],
                 "accepted": True, "role": user["role"],
                 "user": {key: user[key] for key in ("email", "name", "username")}}
                for user in users]
        skip, take = int(request.query.get("skip", 0)), int(request.query.get("take", 250))
        return ok(data[skip:skip + take])

    def _team(self, request, number):
        team = self.store.thing("team", number)
        if team is None:
            raise self.refuse(request, 403, f"User is not a member of the team with id {number}")
        return team

    @router.on("GET", "/schedules", **SCHEDULES)
    def schedules(self, request):
        own = self.roles.account()["id"]
        return ok([s for s in self.store.things("schedule") if s["ownerId"] == own])

    @router.on("GET", "/schedules/default", **SCHEDULES)
    def default_schedule(self, request):
        return ok(self.store.things("schedule")[0])

    @router.on("GET", "/schedules/{number}", **SCHEDULES)
    def schedule(self, request, number):
        found = self.store.thing("schedule", number)
        if found is None:
            raise self.refuse(request, 404, f"Schedule with id {number} not found")
        return ok(found)

    def _only(self, request, allowed):
        """Unknown query keys are refused, as the vendor's validation forbids them."""
        unknown = [key for key, _ in request.pairs if key not in allowed]
        if unknown:
            text = ", ".join(f"property {key} should not exist" for key in unknown)
            raise self.refuse(request, 400, text)

    # ---- slots ----------------------------------------------------------------------------

    @router.on("GET", "/slots", **SLOTS, **PUBLIC)
    def slots(self, request):
        asked = slots_query(request)
        kind = self._selected(request, asked)
        if kind["scheduling"] == "managed":
            raise self.refuse(request, 400, "Event type is the parent managed event type that "
                                            "can't be booked. Use a child event type.")
        free = self.calendar.free_starts(kind, asked["from"], asked["to"], asked["minutes"],
                                         asked["ignore"])
        minutes = asked["minutes"] or kind["minutes"]
        days = {}
        for start in free:
            slot = {"start": iso(start, asked["zone"])}
            if asked["range"]:
                slot["end"] = iso(start + minutes * MINUTE, asked["zone"])
            days.setdefault(at(start, asked["zone"]).date().isoformat(), []).append(slot)
        return Answer(200, {"data": days, "status": "success"})

    def _selected(self, request, asked):
        """The event type named by id, by slug and user, or by slug and team."""
        if asked.get("eventTypeId"):
            return self._type(request, asked["eventTypeId"])
        kind = self.calendar.find_type(asked["eventTypeSlug"], asked.get("username"),
                                       asked.get("teamSlug"))
        if kind is None:
            raise self.refuse(request, 404, f"Event type with slug {asked['eventTypeSlug']} "
                                            "not found")
        return kind

    @router.on("POST", "/slots/reservations", **SLOTS, **PUBLIC)
    def reserve(self, request):
        return self._reserve(request, None, 201)

    def _reserve(self, request, uid, status):
        body = self._body(request)
        unknown = set(body) - {"eventTypeId", "slotStart", "slotDuration", "reservationDuration"}
        if unknown:
            raise self.refuse(request, 400, f"property {min(unknown)} should not exist")
        kind = self._type(request, body.get("eventTypeId"))
        if "reservationDuration" in body and "authorization" not in request.headers:
            raise self.refuse(request, 401, "reservationDuration can only be used for authenticated"
                                            " requests.")
        if not kind["hosts"]:
            raise self.refuse(request, 400, "no hosts: the event type has none")
        minutes = self._length(request, kind, body.get("slotDuration"))
        hold = body.get("reservationDuration", 5)
        try:
            held = self.calendar.reserve(kind, parse(body.get("slotStart")), minutes, hold, uid)
        except Refused as no:
            text = ("This time slot is already reserved by another user."
                    if no.name == "reserved" else
                    f"Can't reserve a slot if the event is already booked. "
                    f"{body['slotStart']} is already booked.")
            raise self.refuse(request, 422, text) from None
        return ok(self._held(held), status)

    def _length(self, request, kind, wanted):
        if wanted is None:
            return kind["minutes"]
        if not kind["options"]:
            raise self.refuse(request, 400, "Can't specify a length: the event type has one "
                                            "fixed length.")
        if wanted not in kind["options"]:
            raise bare(400, "Invalid event length")
        return wanted

    def _held(self, held):
        return {"eventTypeId": held["event_type"], "slotStart": iso(held["start_ms"]),
                "slotEnd": iso(held["end_ms"]),
                "slotDuration": (held["end_ms"] - held["start_ms"]) // MINUTE,
                "reservationUid": held["uid"], "reservationDuration": held["minutes"],
                "reservationUntil": iso(held["until_ms"])}

    @router.on("GET", "/slots/reservations/{uid}", **SLOTS, **PUBLIC)
    def reservation(self, request, uid):
        held = self.calendar.reservation(uid)
        return ok(self._held(held) if held else None)

    @router.on("PATCH", "/slots/reservations/{uid}", **SLOTS, **PUBLIC)
    def change_reservation(self, request, uid):
        return self._reserve(request, uid, 200)

    @router.on("DELETE", "/slots/reservations/{uid}", **SLOTS, **PUBLIC)
    def release(self, request, uid):
        self.calendar.release(uid)
        return Answer(200, {"status": "success"})

    # ---- bookings -------------------------------------------------------------------------

    def _body(self, request):
        try:
            body = request.json({})
        except ValueError as fault:
            raise self.refuse(request, 400, f"Unexpected token in JSON: {fault}") from None
        if not isinstance(body, dict):
            raise self.refuse(request, 400, "The body must be a JSON object")
        return body

    @router.on("POST", "/bookings", **BOOKINGS, **PUBLIC)
    def book(self, request):
        body = self._body(request)
        errors = booking_body(body)
        if errors:
            text = ", ".join(t for e in errors for t in e["constraints"].values())
            raise self.refuse(request, 400, text, errors)
        kind = self._selected(request, body)
        self._check_type(request, kind)
        minutes = self._length(request, kind, body.get("lengthInMinutes"))
        facts = self._facts(request, kind, body)
        attendee = facts["attendee"]
        try:
            made = self.calcom.book(kind, parse(body["start"]), minutes, facts, attendee["email"])
        except Refused as no:
            raise self._not_booked(request, kind, no) from None
        return ok(shapes.v2_booking(self.calendar, made), 201)

    def _check_type(self, request, kind):
        if kind["scheduling"] == "managed":
            raise self.refuse(request, 400, f"Event type with id={kind['id']} is the parent "
                                            "managed event type that can't be booked.")
        if not kind["hosts"]:
            raise self.refuse(request, 422, f"Event type with id={kind['id']} has no hosts.")
        if kind["needs_auth"] and "authorization" not in request.headers:
            raise self.refuse(request, 401, "This event type requires authentication to book.")

    def _facts(self, request, kind, body):
        attendee = dict(body["attendee"])
        attendee.setdefault("language", "en")
        if not attendee.get("email"):
            attendee["email"] = attendee["phoneNumber"].lstrip("+") + "@sms.cal.com"
        fields = {key: "" if value is None else value
                  for key, value in body.get("bookingFieldsResponses", {}).items()}
        missing = self.calcom.missing_answer(kind, fields)
        if missing:
            raise self.refuse(request, 400, f"Missing required booking field response: {missing}")
        wrong = self.calcom.wrong_answer(kind, fields)
        if wrong:
            raise self.refuse(request, 400, wrong)
        host = self.store.thing("user", kind["hosts"][0])
        team = self.store.thing("team", kind["team"]) if kind["team"] else None
        title = f"{kind['title']} zwischen {(team or host)['name']} und {attendee['name']}"
        return {"attendee": attendee, "fields": fields, "metadata": body.get("metadata", {}),
                "location": self._location(request, kind, body.get("location")),
                "guests": body.get("guests", []), "title": fields.get("title") or title,
                "description": fields.get("notes", "")}

    def _location(self, request, kind, asked):
        if asked is None or isinstance(asked, str):  # strings are an old, still accepted form
            return kind["locations"][0]
        for offered in kind["locations"]:
            if offered["type"] == asked.get("type"):
                return {**offered, **asked}
        offered = ", ".join(place["type"] for place in kind["locations"])
        raise self.refuse(request, 400, f"Booking location with type {asked.get('type')} is not "
                                        f"available for this event type. Offered: {offered}")

    def _not_booked(self, request, kind, no):
        if no.name == "past":
            return self.refuse(request, 400, "Attempting to book a meeting in the past.")
        if no.name == "notice":
            return self.refuse(request, 400, "The event type can't be booked at the \"start\" time "
                                             "provided.")
        how = self.world.setting("calcom_taken")
        if how == "409":
            return bare(409, "booking_conflict_error")
        if how == "500":
            return bare(500, "Internal server error")
        who = "One of the hosts either" if kind["team"] else "User either"
        return self.refuse(request, 400, f"{who} already has booking at this time or is not "
                                         "available")

    @router.on("GET", "/bookings", **LISTING)
    def bookings(self, request):
        return self._listed(request, self.roles.lists_v2)

    @router.on("GET", "/teams/{team}/bookings")
    def team_bookings(self, request, team):
        team = self._team(request, team)["id"]
        if not self.roles.leads():
            raise self.refuse(request, 403, f"RolesGuard - user with id={self.roles.account()['id']} "
                                            "does not have the minimum required role=TEAM_ADMIN "
                                            f"within team with id={team}.")
        return self._listed(request, lambda booking: self.calendar.event_type(
            booking["event_type"])["team"] == team)

    def _listed(self, request, may_see):
        asked = list_query(request, self.world.now_ms())
        found = [b for b in self.calendar.bookings() if asked["fits"](b) and may_see(b)]
        found.sort(key=asked["key"], reverse=asked["descending"])
        skip, take = asked["skip"], asked["take"]
        page = found[skip:skip + take]
        left = max(len(found) - skip - len(page), 0)
        return ok([shapes.v2_booking(self.calendar, b) for b in page], pagination={
            "totalItems": len(found), "remainingItems": left, "returnedItems": len(page),
            "itemsPerPage": take, "currentPage": skip // take,
            "totalPages": -(-len(found) // take), "hasNextPage": left > 0,
            "hasPreviousPage": skip > 0})

    def _booking(self, request, uid):
        booking = self.calendar.booking(uid)
        if booking is None:
            raise self.refuse(request, 404, f"Booking with uid={uid} not found")
        return booking

    @router.on("GET", "/bookings/{uid}", **BOOKINGS, **PUBLIC)
    def booking(self, request, uid):
        return ok(shapes.v2_booking(self.calendar, self._booking(request, uid)))

    @router.on("POST", "/bookings/{uid}/reschedule", **BOOKINGS, **PUBLIC)
    def reschedule(self, request, uid):
        body, booking = self._body(request), self._booking(request, uid)
        allowed = {"start", "reschedulingReason", "rescheduledBy", "emailVerificationCode",
                   "seatUid"}
        self._refuse_unknown(request, body, allowed)
        if not isinstance(body.get("start"), str):
            raise self.refuse(request, 400, "start must be a valid ISO 8601 date string")
        try:
            made = self.calcom.reschedule(booking, parse(body["start"]),
                                          body.get("reschedulingReason"), body.get("rescheduledBy"))
        except Refused as no:
            if no.name == "cancelled":
                raise self._not_live(request, booking, "reschedule", no.detail) from None
            kind = self.calendar.event_type(booking["event_type"])
            raise self._not_booked(request, kind, no) from None
        return ok(shapes.v2_booking(self.calendar, made), 201)

    def _not_live(self, request, booking, verb, successor):
        text = f"Can't {verb} booking with uid={booking['uid']}: it has already been " \
               f"{booking['status']}"
        if successor:
            text += f" and rescheduled to uid={successor}"
        return self.refuse(request, 400, text)

    def _refuse_unknown(self, request, body, allowed):
        unknown = sorted(set(body) - allowed)
        if unknown:
            text = ", ".join(f"property {key} should not exist" for key in unknown)
            raise self.refuse(request, 400, text)

    @router.on("POST", "/bookings/{uid}/cancel", **BOOKINGS, **PUBLIC)
    def cancel(self, request, uid):
        body, booking = self._body(request), self._booking(request, uid)
        self._refuse_unknown(request, body, {"cancellationReason", "cancelSubsequentBookings",
                                             "seatUid"})
        host = "authorization" in request.headers
        if host and not body.get("cancellationReason"):
            raise bare(400, "Cancellation reason is required when you are the host")
        owner = self.store.thing("user", booking["hosts"][0])["email"] if host else None
        try:
            gone = self.calcom.cancel(booking, body.get("cancellationReason"), owner)
        except Refused as no:
            if no.name == "ended":
                raise self.refuse(request, 400, "Cannot cancel a booking that has already "
                                                "ended") from None
            raise self._not_live(request, booking, "cancel", None) from None
        return ok(shapes.v2_booking(self.calendar, gone))

    @router.on("POST", "/bookings/{uid}/confirm", **BOOKINGS)
    def confirm(self, request, uid):
        return self._decide(request, uid, self.calcom.confirm)

    @router.on("POST", "/bookings/{uid}/decline", **BOOKINGS)
    def decline(self, request, uid):
        reason = self._body(request).get("reason")
        return self._decide(request, uid, lambda booking: self.calcom.reject(booking, reason))

    def _decide(self, request, uid, act):
        try:
            changed = act(self._booking(request, uid))
        except Refused:
            body = self.error(request, 400, "Bad Request")
            body["error"]["code"] = "TRPCError"
            raise Answer(400, body) from None
        return ok(shapes.v2_booking(self.calendar, changed))

    @router.on("POST", "/bookings/{uid}/mark-absent", **BOOKINGS)
    def mark_absent(self, request, uid):
        body, booking = self._body(request), self._booking(request, uid)
        if booking["start_ms"] > self.world.now_ms():
            raise self.refuse(request, 400, "Booking has not started yet; no-shows can be marked "
                                            "only after its start")
        absent = any(a.get("absent") for a in body.get("attendees", []))
        return ok(shapes.v2_booking(self.calendar, self.calcom.no_show(booking, absent)))

    # ---- webhooks -------------------------------------------------------------------------

    @router.on("GET", "/webhooks")
    def webhooks(self, request):
        return ok(self.store.things("calcom_webhook"))

    @router.on("POST", "/webhooks")
    def add_webhook(self, request):
        body = self._body(request)
        errors = field_errors(body)
        if errors:
            raise self.refuse(request, 400, ", ".join(errors))
        for hook in self.store.things("calcom_webhook"):
            if hook["subscriberUrl"] == body["subscriberUrl"]:
                raise self.refuse(request, 409, "Webhook with this subscriber url already exists "
                                                "for this user")
        number = f"8c2e7a44-9a6e-4f3b-b9a4-{self.world.next_id('webhook', 0x2f0f1d7f5e10):012x}"
        hook = {"id": number, "userId": 5012, "payloadTemplate": None, **body}
        self.store.keep("calcom_webhook", number, hook)
        return ok(hook, 201)

    @router.on("DELETE", "/webhooks/{number}")
    def drop_webhook(self, request, number):
        hook = self.store.thing("calcom_webhook", number)
        if hook is None:
            raise self.refuse(request, 404, f"Webhook with id {number} not found")
        self.store.drop("calcom_webhook", number)
        return ok(hook)
