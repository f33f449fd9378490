"""One booking, one event type, one user as Cal.com v1, v2 and its webhooks print them."""
from .clock import at, iso, iso_seconds

SCHEDULING_V1 = {"roundRobin": "ROUND_ROBIN", "collective": "COLLECTIVE", "managed": "MANAGED"}
LOCATION_V1 = {"address": "inPerson", "attendeeAddress": "attendeeInPerson", "phone": "userPhone",
               "attendeePhone": "phone", "link": "link", "attendeeDefined": "somewhereElse",
               "organizersDefaultApp": "conferencing"}


def location_value(location):
    """The v1 form {value, optionValue} of a v2 location object."""
    kind = location["type"]
    if kind == "integration":
        value = "integrations:" + location["integration"]
    else:
        value = LOCATION_V1.get(kind, kind)
    option = location.get("address") if kind == "attendeeAddress" else None
    option = location.get("phone") if kind == "attendeePhone" else option
    return {"value": value, "optionValue": option or location.get("location") or ""}


def location_text(location):
    for key in ("address", "link", "phone", "location", "integration"):
        if location.get(key):
            return location[key]
    return location["type"]


def responses(booking):
    """Name, e-mail and the answers, flat: the v1 keys."""
    attendee = booking["attendee"]
    flat = {"name": attendee["name"], "email": attendee["email"]}
    if attendee.get("phoneNumber"):
        flat["attendeePhoneNumber"] = attendee["phoneNumber"]
    flat.update(booking["fields"])
    flat["location"] = location_value(booking["location"])
    flat["guests"] = booking["guests"]
    return flat


# ---- v2 -------------------------------------------------------------------------------------


def v2_booking(calendar, booking):
    kind = calendar.event_type(booking["event_type"])
    place = location_text(booking["location"])
    body = {
        "id": booking["id"], "uid": booking["uid"], "title": booking["title"],
        "description": booking["description"] or "",
        "hosts": [v2_host(calendar.store.thing("user", host)) for host in booking["hosts"]],
        "status": booking["status"], "start": iso(booking["start_ms"]),
        "end": iso(booking["end_ms"]), "duration": booking["minutes"],
        "eventTypeId": kind["id"], "eventType": {"id": kind["id"], "slug": kind["slug"]},
        "location": place, "meetingUrl": place, "absentHost": bool(booking.get("absentHost")),
        "createdAt": iso(booking["created_ms"]), "updatedAt": iso(booking["updated_ms"]),
        "metadata": booking["metadata"], "rating": None,
        "icsUid": booking["uid"] + "@Cal.com", "attendees": [v2_attendee(booking)],
        "guests": booking["guests"], "bookingFieldsResponses": v2_answers(booking),
    }
    for key in ("cancellationReason", "cancelledByEmail", "reschedulingReason",
                "rescheduledByEmail", "rescheduledFromUid", "rescheduledToUid"):
        if booking.get(key):
            body[key] = booking[key]
    return body


def v2_answers(booking):
    answers = responses(booking)
    answers.pop("attendeePhoneNumber", None)
    return answers


def v2_host(user):
    return {"id": user["id"], "name": user["name"], "email": user["email"],
            "displayEmail": user["email"], "username": user["username"],
            "timeZone": user["timeZone"]}


def v2_attendee(booking):
    attendee = booking["attendee"]
    body = {"name": attendee["name"], "email": attendee["email"],
            "displayEmail": attendee["email"], "timeZone": attendee["timeZone"],
            "language": attendee.get("language", "en"), "absent": bool(booking.get("absent"))}
    if attendee.get("phoneNumber"):
        body["phoneNumber"] = attendee["phoneNumber"]
    return body


def v2_field(field):
    body = {"type": field["type"], "slug": field["slug"], "label": field["label"],
            "required": field["required"], "hidden": field["hidden"], "isDefault": False}
    if "options" in field:
        body["options"] = field["options"]
    return body


def v2_event_type(store, kind):
    body = {
        "id": kind["id"], "title": kind["title"], "slug": kind["slug"],
        "description": kind["description"], "lengthInMinutes": kind["minutes"],
        "locations": kind["locations"], "bookingFields": [
            {"type": "name", "slug": "name", "label": "", "placeholder": "", "required": True,
             "isDefault": True},
            {"type": "email", "slug": "email", "label": "", "placeholder": "", "required": True,
             "hidden": False, "isDefault": True}] + [v2_field(f) for f in kind["fields"]],
        "minimumBookingNotice": kind["notice"], "beforeEventBuffer": kind["before"],
        "afterEventBuffer": kind["after"], "slotInterval": kind["interval"],
        "disableGuests": True, "recurrence": None, "metadata": {}, "price": 0, "currency": "eur",
        "scheduleId": None, "hidden": False, "bookingRequiresAuthentication": kind["needs_auth"],
    }
    if kind["options"]:
        body["lengthInMinutesOptions"] = kind["options"]
    if kind["confirm"]:
        body["confirmationPolicy"] = {"type": "always", "blockUnconfirmedBookingsInBooker": True}
    body.update(v2_team_part(store, kind) if kind["team"] else v2_owner_part(store, kind))
    return body


def v2_team_part(store, kind):
    team = store.thing("team", kind["team"])
    hosts = [store.thing("user", host) for host in kind["hosts"]]
    return {"ownerId": None, "teamId": team["id"], "parentEventTypeId": kind["parent"],
            "schedulingType": kind["scheduling"], "assignAllTeamMembers": False,
            "team": {"id": team["id"], "slug": team["slug"], "name": team["name"]},
            "hosts": [{"userId": user["id"], "name": user["name"], "username": user["username"],
                       "avatarUrl": None, "mandatory": kind["scheduling"] == "collective",
                       "priority": "medium"} for user in hosts]}


def v2_owner_part(store, kind):
    user = store.thing("user", kind["hosts"][0])
    return {"ownerId": user["id"],
            "users": [{"id": user["id"], "name": user["name"], "username": user["username"],
                       "avatarUrl": None, "weekStart": "Monday", "brandColor": None,
                       "darkBrandColor": None, "metadata": {}}],
            "bookingUrl": f"https://cal.com/{user['username']}/{kind['slug']}"}


# ---- v1 -------------------------------------------------------------------------------------


def v1_attendee(booking):
    attendee = booking["attendee"]
    return {"id": booking["id"] + 510987, "email": attendee["email"], "name": attendee["name"],
            "timeZone": attendee["timeZone"], "locale": attendee.get("language", "en"),
            "phoneNumber": attendee.get("phoneNumber"), "bookingId": booking["id"],
            "noShow": bool(booking.get("absent"))}


def v1_status(booking):
    return booking["status"].upper()


def v1_created(calendar, booking):
    """The flat object that POST /v1/bookings answers with."""
    user = calendar.store.thing("user", booking["hosts"][0])
    return {
        "id": booking["id"], "uid": booking["uid"], "title": booking["title"],
        "description": booking["description"] or "", "startTime": iso(booking["start_ms"]),
        "endTime": iso(booking["end_ms"]), "status": v1_status(booking),
        "eventTypeId": booking["event_type"], "userId": user["id"],
        "location": location_text(booking["location"]), "metadata": booking["metadata"],
        "responses": v2_answers(booking), "attendees": [v1_attendee(booking)],
        "user": {"uuid": user["uuid"], "email": None, "name": user["name"],
                 "timeZone": user["timeZone"], "username": user["username"]},
        "payment": [], "references": [], "paymentRequired": False, "isDryRun": False,
        "fromReschedule": booking.get("rescheduledFromUid"), "previousBooking": None}


def v1_booking(calendar, booking):
    """The form of GET /v1/bookings and GET /v1/bookings/{id}."""
    user = calendar.store.thing("user", booking["hosts"][0])
    attendee = v1_attendee(booking)
    return {
        "id": booking["id"], "userId": user["id"], "description": booking["description"] or "",
        "eventTypeId": booking["event_type"], "uid": booking["uid"], "title": booking["title"],
        "startTime": iso(booking["start_ms"]), "endTime": iso(booking["end_ms"]),
        "attendees": [{key: attendee[key] for key in ("id", "email", "name", "timeZone",
                                                      "locale")}],
        "user": {"email": user["email"], "name": user["name"], "timeZone": user["timeZone"],
                 "locale": user["locale"]},
        "payment": [], "metadata": booking["metadata"], "status": v1_status(booking),
        "responses": v2_answers(booking), "fromReschedule": booking.get("rescheduledFromUid"),
        "cancelledBy": booking.get("cancelledByEmail"),
        "rescheduledBy": booking.get("rescheduledByEmail"),
        "createdAt": iso(booking["created_ms"])}


def v1_event_type(store, kind):
    team = store.thing("team", kind["team"]) if kind["team"] else None
    owner = store.thing("user", kind["hosts"][0]) if kind["hosts"] and not team else None
    fields = [{"name": f["slug"], "type": f["type"], "label": f["label"],
               "required": f["required"], "hidden": f["hidden"], "editable": "user",
               "options": [{"label": o, "value": o} for o in f.get("options", [])]}
              for f in kind["fields"]]
    return {
        "id": kind["id"], "title": kind["title"], "slug": kind["slug"],
        "length": kind["minutes"], "hidden": False, "position": 0,
        "userId": owner["id"] if owner else None, "teamId": kind["team"], "scheduleId": None,
        "requiresConfirmation": kind["confirm"], "minimumBookingNotice": kind["notice"],
        "beforeEventBuffer": kind["before"], "afterEventBuffer": kind["after"],
        "schedulingType": SCHEDULING_V1.get(kind["scheduling"]), "price": 0, "currency": "eur",
        "slotInterval": kind["interval"], "parentId": kind["parent"],
        "description": kind["description"], "locations": [location_value(x) | x
                                                          for x in kind["locations"]],
        "metadata": {"multipleDuration": kind["options"]} if kind["options"] else {},
        "bookingFields": fields or None, "team": {"slug": team["slug"]} if team else None,
        "hosts": [{"userId": host, "isFixed": kind["scheduling"] == "collective",
                   "scheduleId": None} for host in (kind["hosts"] if team else [])],
        "owner": {"id": owner["id"], "username": owner["username"],
                  "timeZone": owner["timeZone"]} if owner else None, "children": []}


# ---- webhooks -------------------------------------------------------------------------------


def offset_minutes(ms, zone):
    return int(at(ms, zone).utcoffset().total_seconds() // 60)


def hook_responses(booking, only=None):
    labels = {"name": "your_name", "email": "email_address", "guests": "additional_guests",
              "location": "location", "notes": "additional_notes",
              "title": "what_is_this_meeting_about"}
    answers = {}
    for key, value in responses(booking).items():
        if only is None or key in only:
            answers[key] = {"label": labels.get(key, key), "value": value,
                            "isHidden": key == "guests"}
    return answers


def hook_people(calendar, booking):
    start = booking["start_ms"]
    user = calendar.store.thing("user", booking["hosts"][0])
    attendee = booking["attendee"]
    guest = {"email": attendee["email"], "name": attendee["name"], "firstName": "",
             "lastName": "", "timeZone": attendee["timeZone"],
             "language": {"locale": attendee.get("language", "en")},
             "utcOffset": offset_minutes(start, attendee["timeZone"])}
    if attendee.get("phoneNumber"):
        guest["phoneNumber"] = attendee["phoneNumber"]
    organizer = {"id": user["id"], "name": user["name"], "email": user["email"],
                 "username": user["username"], "timeZone": user["timeZone"],
                 "language": {"locale": user["locale"]}, "timeFormat": "HH:mm",
                 "utcOffset": offset_minutes(start, user["timeZone"])}
    return {"organizer": organizer, "attendees": [guest]}


def hook_payload(calendar, booking):
    """The standard payload of BOOKING_CREATED, _REQUESTED and _RESCHEDULED."""
    kind = calendar.event_type(booking["event_type"])
    payload = {
        "bookerUrl": "https://cal.com", "title": booking["title"],
        "startTime": iso_seconds(booking["start_ms"]), "endTime": iso_seconds(booking["end_ms"]),
        "additionalNotes": booking["fields"].get("notes", ""), "type": kind["slug"],
        "description": booking["description"] or "", "eventTypeId": kind["id"],
        "schedulingType": SCHEDULING_V1.get(kind["scheduling"]), "seatsPerTimeSlot": None,
        "disableRescheduling": False, "disableCancelling": False,
        **hook_people(calendar, booking), "customInputs": {},
        "responses": hook_responses(booking),
        "userFieldsResponses": hook_responses(booking, [f["slug"] for f in kind["fields"]]),
        "location": location_text(booking["location"]), "destinationCalendar": None,
        "iCalUID": booking["uid"] + "@Cal.com", "iCalSequence": booking.get("sequence", 0),
        "requiresConfirmation": kind["confirm"], "organizationId": None, "uid": booking["uid"],
        "eventTitle": kind["title"], "eventDescription": kind["description"], "price": 0,
        "currency": "eur", "length": booking["minutes"], "bookingId": booking["id"],
        "metadata": booking["metadata"], "status": v1_status(booking)}
    if kind["team"]:
        payload["team"] = hook_team(calendar, kind, booking)
    return payload


def hook_team(calendar, kind, booking):
    team = calendar.store.thing("team", kind["team"])
    others = [calendar.store.thing("user", host) for host in booking["hosts"][1:]]
    return {"id": team["id"], "name": team["name"], "members": [
        {"id": user["id"], "name": user["name"], "email": user["email"],
         "timeZone": user["timeZone"], "language": {"locale": user["locale"]}}
        for user in others]}
