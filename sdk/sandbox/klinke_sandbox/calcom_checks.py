"""What Cal.com v2 asks of a booking, of a slots query and of a list query."""
import re

from .calcom import TRIGGERS, is_number
from .clock import DATE_ONLY, DAY, is_zone, parse

BOOKING_KEYS = {"start", "attendee", "eventTypeId", "eventTypeSlug", "username", "teamSlug",
                "organizationSlug", "bookingFieldsResponses", "guests", "location", "metadata",
                "lengthInMinutes", "emailVerificationCode", "routing", "recurrenceCount",
                "instant", "allowConflicts", "allowBookingOutOfBounds", "skipBookingLimits",
                "meetingUrl"}
ATTENDEE_KEYS = {"name", "email", "timeZone", "phoneNumber", "language"}
PHONE = re.compile(r"\+[1-9]\d{6,14}\Z")
MAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+\Z")
SLOT_KEYS = {"start", "end", "eventTypeId", "eventTypeSlug", "username", "usernames", "teamSlug",
             "organizationSlug", "timeZone", "duration", "format", "bookingUidToReschedule"}
LIST_KEYS = {"status", "attendeeEmail", "attendeeName", "bookingUid", "eventTypeId",
             "eventTypeIds", "teamId", "teamsIds", "afterStart", "beforeEnd", "afterCreatedAt",
             "beforeCreatedAt", "afterUpdatedAt", "beforeUpdatedAt", "sortStart", "sortEnd",
             "sortCreated", "sortUpdatedAt", "take", "skip", "limit", "cursor"}
SORTS = {"sortStart": "start_ms", "sortEnd": "end_ms", "sortCreated": "created_ms",
         "sortUpdatedAt": "updated_ms"}
SPANS = (("afterStart", "start_ms", 1), ("beforeEnd", "end_ms", -1),
         ("afterCreatedAt", "created_ms", 1), ("beforeCreatedAt", "created_ms", -1),
         ("afterUpdatedAt", "updated_ms", 1), ("beforeUpdatedAt", "updated_ms", -1))


# ---- bookings -------------------------------------------------------------------------------


def booking_body(body):
    """Faults in the form of class-validator: [{property, constraints, value?}]."""
    errors = []

    def fault(name, rule, text):
        errors.append({"property": name, "constraints": {rule: text}})

    for key in sorted(set(body) - BOOKING_KEYS):
        fault(key, "whitelistValidation", f"property {key} should not exist")
    if not is_instant(body.get("start")):
        fault("start", "isDateString", "start must be a valid ISO 8601 date string")
    check_attendee(body.get("attendee"), fault)
    check_selector(body, fault)
    check_metadata(body.get("metadata", {}), fault)
    if not isinstance(body.get("bookingFieldsResponses", {}), dict):
        fault("bookingFieldsResponses", "isObject", "bookingFieldsResponses must be an object")
    guests = body.get("guests", [])
    if not isinstance(guests, list) or not all(is_mail(guest) for guest in guests):
        fault("guests", "isEmail", "each value in guests must be an email")
    if "lengthInMinutes" in body and not is_number(body["lengthInMinutes"]):
        fault("lengthInMinutes", "isNumber", "lengthInMinutes must be a number")
    return errors


def is_mail(value):
    return isinstance(value, str) and bool(MAIL.match(value))


def is_instant(value):
    try:
        parse(value)
        return True
    except ValueError:
        return False


def check_attendee(attendee, fault):
    if not isinstance(attendee, dict):
        fault("attendee", "isObject", "attendee must be an object")
        return
    for key in sorted(set(attendee) - ATTENDEE_KEYS):
        fault("attendee", "whitelistValidation", f"attendee.property {key} should not exist")
    if not isinstance(attendee.get("name"), str) or not attendee["name"]:
        fault("attendee", "isString", "attendee.name must be a string")
    zone = attendee.get("timeZone")
    if not isinstance(zone, str) or not is_zone(zone):
        fault("attendee", "isTimeZone", "attendee.timeZone must be a valid IANA time-zone")
    if not attendee.get("email") and not attendee.get("phoneNumber"):
        fault("attendee", "isDefined", "attendee.at least one of email and phoneNumber is needed")
    if attendee.get("email") and not is_mail(attendee["email"]):
        fault("attendee", "isEmail", "attendee.email must be an email")
    phone = attendee.get("phoneNumber")
    if phone and not (isinstance(phone, str) and PHONE.match(phone)):
        fault("attendee", "isPhoneNumber", "attendee.phoneNumber must be a valid phone number "
                                           "in E.164 form")


def check_selector(body, fault):
    if "eventTypeId" in body:
        if not is_number(body["eventTypeId"]):
            fault("eventTypeId", "isInt", "eventTypeId must be an integer number")
    elif not body.get("eventTypeSlug") or not (body.get("username") or body.get("teamSlug")):
        fault("eventTypeId", "isDefined", "Either eventTypeId or eventTypeSlug + username or "
                                          "eventTypeSlug + teamSlug must be provided")


def check_metadata(metadata, fault):
    if not isinstance(metadata, dict) or len(metadata) > 50:
        fault("metadata", "isObject", "Metadata must be an object with at most 50 keys")
        return
    for key, value in metadata.items():
        if len(key) > 40:
            fault("metadata", "keyLength", f"Metadata key '{key}' exceeds 40 characters")
        if not isinstance(value, str) or len(value) > 500:
            fault("metadata", "valueLength", f"Metadata value for key '{key}' must be a string of "
                                             "at most 500 characters")


# ---- queries --------------------------------------------------------------------------------


def unknown_keys(request, allowed):
    unknown = [key for key, _ in request.pairs if key not in allowed]
    if unknown:
        raise ValueError(", ".join(f"property {key} should not exist" for key in unknown))


def slots_query(request):
    """from, to (last permitted start), zone, range, minutes, ignore and the selector's keys."""
    unknown_keys(request, SLOT_KEYS)
    query = request.query
    for key in ("start", "end"):
        if not is_instant(query.get(key)):
            raise ValueError(f"{key} must be a valid ISO 8601 date string")
    zone = query.get("timeZone", "UTC")
    if not is_zone(zone):
        raise ValueError("timeZone must be a valid IANA time-zone")
    if query.get("format", "time") not in ("time", "range"):
        raise ValueError("slot format must be either 'range' or 'time'")
    by_id, by_slug = "eventTypeId" in query, "eventTypeSlug" in query
    if by_id == by_slug or (by_slug and ("username" in query) == ("teamSlug" in query)):
        raise ValueError("exactly one of eventTypeId, eventTypeSlug + username or "
                         "eventTypeSlug + teamSlug must be given")
    return {**query, "from": parse(query["start"]), "to": end_of(query["end"]), "zone": zone,
            "range": query.get("format") == "range",
            "minutes": int(query["duration"]) if "duration" in query else None,
            "ignore": query.get("bookingUidToReschedule")}


def end_of(text):
    """A date, and also an explicit midnight, means 23:59:59 of that day."""
    end = parse(text)
    if DATE_ONLY.match(text) or end % DAY == 0:
        end += DAY - 1000
    return end


def spans(query):
    """Tests (booking -> bool) of the after… and before… parameters."""
    for name, column, sign in SPANS:
        if name in query:
            limit = parse(query[name])
            yield lambda b, c=column, s=sign, x=limit: (b[c] - x) * s >= 0


def has_status(booking, wanted, now):
    live = booking["status"] == "accepted"
    return ("upcoming" in wanted and live and booking["end_ms"] >= now
            or "past" in wanted and live and booking["end_ms"] < now
            or "cancelled" in wanted and booking["status"] in ("cancelled", "rejected")
            or "unconfirmed" in wanted and booking["status"] == "pending")


def list_query(request, now):
    """fits (booking -> bool), key and descending for the order, skip, take."""
    unknown_keys(request, LIST_KEYS)
    query = request.query
    tests = list(spans(query))
    if "status" in query:
        wanted = query["status"].split(",")
        wrong = set(wanted) - {"upcoming", "recurring", "past", "cancelled", "unconfirmed"}
        if wrong:
            raise ValueError(f"Invalid status {min(wrong)}. Allowed: upcoming, recurring, past, "
                             "cancelled, unconfirmed")
        tests.append(lambda b: has_status(b, wanted, now))
    if "attendeeEmail" in query:
        tests.append(lambda b: b["attendee"]["email"] == query["attendeeEmail"])
    if "attendeeName" in query:
        tests.append(lambda b: b["attendee"]["name"] == query["attendeeName"])
    if "bookingUid" in query:
        tests.append(lambda b: b["uid"] == query["bookingUid"])
    kinds = query.get("eventTypeIds") or query.get("eventTypeId")
    if kinds:
        tests.append(lambda b: str(b["event_type"]) in kinds.split(","))
    sort = next((name for name in SORTS if name in query), "sortStart")
    take, skip = int(query.get("take", 100)), int(query.get("skip", 0))
    if not 1 <= take <= 250 or skip < 0:
        raise ValueError("take must be 1 to 250, skip must not be less than 0")
    return {"fits": lambda b: all(test(b) for test in tests), "skip": skip, "take": take,
            "key": lambda b: (b[SORTS[sort]], b["id"]), "descending": query.get(sort) == "desc"}


# ---- webhooks -------------------------------------------------------------------------------


def field_errors(body):
    errors = []
    if not str(body.get("subscriberUrl", "")).startswith(("http://", "https://")):
        errors.append("subscriberUrl must be a URL address")
    if not isinstance(body.get("active"), bool):
        errors.append("active must be a boolean value")
    triggers = body.get("triggers")
    if not isinstance(triggers, list) or set(triggers) - set(TRIGGERS):
        errors.append("each value in triggers must be one of the known triggers")
    if "payloadTemplate" in body and not isinstance(body["payloadTemplate"], str):
        errors.append("payloadTemplate must be a string")
    return errors
