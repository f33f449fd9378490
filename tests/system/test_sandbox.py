"""The sandbox of the vendors, seen from outside: a process, its HTTP side, its webhooks.

Uses no part of klinke. Every wait is for a condition, never for time to pass.
"""
import hashlib
import hmac
import http.client
import json
import signal
import socket
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from sandbox_kit import NUMBER, PROGRAM, Sandbox, box, check_retell_signature, listener  # noqa: F401

BERLIN = ZoneInfo("Europe/Berlin")


def thursday(hour, minute=0, weeks=1):
    """A Thursday at least a week ahead, wall clock of Berlin, as a UTC text."""
    today = datetime.now(BERLIN).date()
    day = today + timedelta(days=(3 - today.weekday()) % 7 + 7 * weeks)
    moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=BERLIN)
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def booking(start, kind=310456, **more):
    return {"eventTypeId": kind, "start": start, "metadata": {"ref": "hold-7f31"},
            "attendee": {"name": "Marlene Vogt", "email": "marlene.vogt@example.org",
                         "phoneNumber": "+493023125042", "timeZone": "Europe/Berlin",
                         "language": "de"}, **more}


def v1_booking(start, **more):
    return {"eventTypeId": 310456, "start": start, "timeZone": "Europe/Berlin", "language": "de",
            "metadata": {}, "responses": {"name": "Marlene Vogt", "email": "m@example.org"}, **more}


def starts(answer):
    return [slot["start"] for day in answer["data"].values() for slot in day]


# ---- Cal.com v2 -----------------------------------------------------------------------------


def test_slots_are_keyed_by_local_date_and_carry_the_offset(box):
    box.control("/clock", {"now": "2027-03-20T09:00:00Z"})
    status, answer = box.slots("eventTypeId=310456&start=2027-03-26&end=2027-03-29"
                               "&timeZone=Europe/Berlin")
    assert status == 200
    assert sorted(answer["data"]) == ["2027-03-26", "2027-03-29"]  # the weekend is closed
    assert answer["data"]["2027-03-26"][0] == {"start": "2027-03-26T08:00:00.000+01:00"}
    assert answer["data"]["2027-03-29"][0] == {"start": "2027-03-29T08:00:00.000+02:00"}


def test_date_keys_follow_the_asked_zone(box):
    box.control("/clock", {"now": "2027-03-20T09:00:00Z"})
    _, answer = box.slots("eventTypeId=310456&start=2027-03-22&end=2027-03-22&timeZone=Asia/Tokyo")
    assert set(answer["data"]) == {"2027-03-22", "2027-03-23"}
    _, utc = box.slots("eventTypeId=310456&start=2027-03-22&end=2027-03-22")
    assert utc["data"]["2027-03-22"][0] == {"start": "2027-03-22T07:00:00.000Z"}


def test_an_end_at_midnight_means_the_end_of_that_day(box):
    box.control("/clock", {"now": "2027-03-20T09:00:00Z"})
    asked = "eventTypeId=310456&start=2027-03-22T00:00:00Z&end={}&format=range"
    _, midnight = box.slots(asked.format("2027-03-23T00:00:00Z"))
    _, one_later = box.slots(asked.format("2027-03-23T00:00:01Z"))
    assert set(midnight["data"]) == {"2027-03-22", "2027-03-23"}
    assert set(one_later["data"]) == {"2027-03-22"}
    first = midnight["data"]["2027-03-22"][0]
    assert first == {"start": "2027-03-22T07:00:00.000Z", "end": "2027-03-22T07:45:00.000Z"}


@pytest.mark.parametrize("query, status", [
    ("start=2027-03-22&end=2027-03-23", 400),
    ("eventTypeId=310456&start=2027-03-22", 400),
    ("eventTypeId=310456&start=2027-03-22&end=2027-03-23&apiKey=x", 400),
    ("eventTypeId=310456&start=2027-03-22&end=2027-03-23&timeZone=Berlin", 400),
    ("eventTypeId=1&start=2027-03-22&end=2027-03-23", 404),
    ("eventTypeId=310460&start=2027-03-22&end=2027-03-23", 400),
    ("eventTypeSlug=prophylaxe-45&username=jana-petersen&start=2027-03-22&end=2027-03-23", 200),
    ("eventTypeSlug=kontrolle-30&teamSlug=lindenhof&start=2027-03-22&end=2027-03-23", 200),
])
def test_slots_check_their_query(box, query, status):
    assert box.slots(query)[0] == status


def test_a_wrong_known_version_is_a_404_that_looks_like_a_wrong_path(box):
    status, answer = box.slots("eventTypeId=310456&start=2027-03-22&end=2027-03-23", "2024-08-13")
    assert status == 404
    assert answer["error"]["message"].startswith("Cannot GET /v2/slots")
    assert answer["error"]["code"] == "NotFoundException"


@pytest.mark.parametrize("version", [None, "v2", '"2024-08-13"'])
def test_a_missing_or_unknown_version_is_the_old_contract(box, version):
    status, answer = box.v2("POST", "/bookings", booking(thursday(8)), version)
    assert status == 400
    assert "responses must be an object" in answer["error"]["message"]


def test_the_community_edition_knows_no_new_versions_and_no_teams(box):
    box.control("/settings", {"calcom_edition": "diy"}, "PUT")
    assert box.v2("POST", "/bookings", booking(thursday(8)), "2026-02-25")[0] == 400
    assert box.v2("GET", "/teams/880/memberships")[0] == 404
    assert box.v2("POST", "/bookings", booking(thursday(8)))[0] == 201


def test_booking_has_the_documented_shape_and_takes_the_slot(box, listener):
    start = thursday(8, 45)
    status, answer = box.v2("POST", "/bookings", booking(start))
    assert status == 201
    made = answer["data"]
    assert (made["status"], made["duration"], made["metadata"]) == ("accepted", 45,
                                                                    {"ref": "hold-7f31"})
    assert made["start"] == start[:-1] + ".000Z"
    assert made["attendees"][0]["phoneNumber"] == "+493023125042"
    assert box.v2("GET", "/bookings/" + made["uid"])[1]["data"] == made
    day = start[:10]
    _, free = box.slots(f"eventTypeId=310456&start={day}&end={day}")
    assert made["start"] not in starts(free) and len(starts(free)) > 5
    event = json.loads(listener.wait(1, "/calcom")[0][2])
    assert event["triggerEvent"] == "BOOKING_CREATED"
    assert event["payload"]["uid"] == made["uid"]
    assert event["payload"]["metadata"] == {"ref": "hold-7f31"}
    assert event["payload"]["responses"]["email"]["value"] == "marlene.vogt@example.org"


@pytest.mark.parametrize("how, status, text", [
    ("400", 400, "User either already has booking at this time or is not available"),
    ("409", 409, "booking_conflict_error"), ("500", 500, "Internal server error")])
def test_a_taken_slot_is_refused_in_the_vendors_words(box, how, status, text):
    box.control("/settings", {"calcom_taken": how}, "PUT")
    start = thursday(8)
    assert box.v2("POST", "/bookings", booking(start))[0] == 201
    got, answer = box.v2("POST", "/bookings", booking(start))
    assert (got, answer.get("message") or answer["error"]["message"]) == (status, text)
    assert box.control("/effects")["counts"]["bookings"] == 1


@pytest.mark.parametrize("change, status, text", [
    ({"title": "x"}, 400, "property title should not exist"),
    ({"end": "2027-01-01T00:00:00Z"}, 400, "property end should not exist"),
    ({"eventTypeId": "310456"}, 400, "eventTypeId must be an integer"),
    ({"eventTypeId": 1}, 404, "Event type with id 1 not found"),
    ({"start": "Donnerstag"}, 400, "start must be a valid ISO 8601"),
    ({"start": "2020-01-01T10:00:00Z"}, 400, "Attempting to book a meeting in the past"),
    ({"metadata": {"n": 3}}, 400, "must be a string"),
    ({"attendee": {"name": "x", "timeZone": "Europe/Berlin"}}, 400, "email and phoneNumber"),
    ({"attendee": {"name": "x", "timeZone": "Berlin", "email": "a@b.de"}}, 400, "IANA"),
    ({"attendee": {"name": "x", "timeZone": "Europe/Berlin", "phoneNumber": "030 12"}}, 400,
     "E.164"),
    ({"lengthInMinutes": 60}, 400, "fixed length"),
    ({"location": {"type": "phone"}}, 400, "not available for this event type"),
    ({"eventTypeId": 310460}, 400, "parent managed event type that can't be booked"),
    ({"eventTypeId": 310455}, 400, "Missing required booking field response: versicherung"),
    ({"eventTypeId": 310455, "bookingFieldsResponses": {"versicherung": "keine"}}, 400,
     "Invalid option"),
])
def test_a_faulty_booking_is_refused_with_a_reason(box, change, status, text):
    got, answer = box.v2("POST", "/bookings", booking(thursday(8), **{}) | change)
    assert got == status and text in answer["error"]["message"], answer
    assert box.control("/effects")["counts"]["bookings"] == 0


def test_too_short_a_notice_is_out_of_bounds(box):
    start = thursday(8)
    box.control("/things/event_type/310456", {"notice": 60 * 24 * 60}, "PUT")
    status, answer = box.v2("POST", "/bookings", booking(start))
    assert status == 400 and "can't be booked at the \"start\" time" in answer["error"]["message"]


def test_a_repeated_round_robin_booking_gives_back_the_first(box, listener):
    body = booking(thursday(8), 310455, bookingFieldsResponses={"versicherung": "privat"})
    first, second = box.v2("POST", "/bookings", body), box.v2("POST", "/bookings", body)
    assert (first[0], second[0]) == (201, 201)
    assert first[1]["data"]["uid"] == second[1]["data"]["uid"]
    box.control("/hooks/wait", {})
    assert len(listener.below("/calcom")) == 1


def test_round_robin_has_as_many_places_as_dentists(box):
    body = booking(thursday(8), 310455, bookingFieldsResponses={"versicherung": "privat"})
    uids = set()
    for person in ("a", "b"):
        body["attendee"]["email"] = person + "@example.org"
        uids.add(box.v2("POST", "/bookings", body)[1]["data"]["hosts"][0]["id"])
    assert uids == {5012, 5013}
    body["attendee"]["email"] = "c@example.org"
    status, answer = box.v2("POST", "/bookings", body)
    assert status == 400 and answer["error"]["message"].startswith("One of the hosts either")


def test_concurrent_bookings_of_one_slot_leave_one(box):
    start, results = thursday(9, 30), []

    def book():
        results.append(box.v2("POST", "/bookings", booking(start))[0])

    threads = [threading.Thread(target=book) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [201] + [400] * 7


def test_a_reservation_hides_the_slot_but_locks_nothing(box):
    start = thursday(8)
    asked = f"eventTypeId=310456&start={start[:10]}&end={start[:10]}"
    shown = start[:-1] + ".000Z"
    body = {"eventTypeId": 310456, "slotStart": start, "reservationDuration": 10}
    assert box.v2("POST", "/slots/reservations", body, "2024-09-04", None)[0] == 401
    status, held = box.v2("POST", "/slots/reservations", body, "2024-09-04")
    assert status == 201 and held["data"]["reservationDuration"] == 10
    assert shown not in starts(box.slots(asked)[1])
    assert box.v2("POST", "/slots/reservations", body, "2024-09-04")[0] == 422
    uid = held["data"]["reservationUid"]
    assert box.v2("DELETE", "/slots/reservations/" + uid, version="2024-09-04")[0] == 200
    assert shown in starts(box.slots(asked)[1])
    box.v2("POST", "/slots/reservations", body, "2024-09-04")
    assert box.v2("POST", "/bookings", booking(start))[0] == 201


def test_reservations_expire(box):
    start = thursday(8, weeks=3)
    box.v2("POST", "/slots/reservations", {"eventTypeId": 310456, "slotStart": start}, "2024-09-04")
    later = datetime.now(timezone.utc) + timedelta(minutes=6)
    box.control("/clock", {"now": later.isoformat()})
    _, free = box.slots(f"eventTypeId=310456&start={start[:10]}&end={start[:10]}")
    assert start[:-1] + ".000Z" in starts(free)


def test_rescheduling_makes_a_new_uid_and_frees_the_old_time(box, listener):
    old_start, new_start = thursday(8), thursday(9, 30)
    uid = box.v2("POST", "/bookings", booking(old_start))[1]["data"]["uid"]
    status, answer = box.v2("POST", f"/bookings/{uid}/reschedule",
                            {"start": new_start, "reschedulingReason": "verhindert"})
    made = answer["data"]
    assert status == 201 and made["rescheduledFromUid"] == uid and made["uid"] != uid
    old = box.v2("GET", "/bookings/" + uid)[1]["data"]
    assert (old["status"], old["rescheduledToUid"]) == ("cancelled", made["uid"])
    assert box.v2("POST", "/bookings", booking(old_start))[0] == 201
    status, answer = box.v2("POST", f"/bookings/{uid}/reschedule", {"start": new_start})
    assert status == 400 and made["uid"] in answer["error"]["message"]
    listener.wait(3, "/calcom")  # webhooks may overtake each other
    moved = next(e for e in listener.events("/calcom") if e["triggerEvent"] == "BOOKING_RESCHEDULED")
    assert moved["payload"]["rescheduleUid"] == uid and moved["payload"]["uid"] == made["uid"]


def test_the_host_cancels_only_with_a_reason(box, listener):
    uid = box.v2("POST", "/bookings", booking(thursday(8)))[1]["data"]["uid"]
    status, answer = box.v2("POST", f"/bookings/{uid}/cancel", {})
    assert (status, answer) == (400, {"statusCode": 400, "message":
                                      "Cancellation reason is required when you are the host"})
    status, answer = box.v2("POST", f"/bookings/{uid}/cancel", {"cancellationReason": "krank"})
    assert status == 200 and answer["data"]["status"] == "cancelled"
    again = box.v2("POST", f"/bookings/{uid}/cancel", {"cancellationReason": "krank"})
    assert again[0] == 400 and "already" in again[1]["error"]["message"]
    listener.wait(2, "/calcom")
    gone = next(e for e in listener.events("/calcom") if e["triggerEvent"] == "BOOKING_CANCELLED")
    assert gone["payload"]["cancellationReason"] == "krank" and "metadata" not in gone["payload"]


def test_a_type_with_confirmation_is_requested_then_decided(box, listener):
    body = booking(thursday(8), 310458, bookingFieldsResponses={"versicherung": "privat"})
    uid = box.v2("POST", "/bookings", body)[1]["data"]["uid"]
    assert box.v2("GET", "/bookings?status=unconfirmed")[1]["data"][0]["uid"] == uid
    assert box.v2("POST", f"/bookings/{uid}/confirm", {})[1]["data"]["status"] == "accepted"
    status, answer = box.v2("POST", f"/bookings/{uid}/confirm", {})
    assert status == 400 and answer["error"]["code"] == "TRPCError"
    body["start"] = thursday(9)
    other = box.v2("POST", "/bookings", body)[1]["data"]["uid"]
    box.control(f"/calcom/bookings/{other}/reject", {"reason": "Praxis geschlossen"})
    listener.wait(4, "/calcom")
    names = [(e["triggerEvent"], e["payload"]["uid"]) for e in listener.events("/calcom")]
    assert sorted(names) == sorted([("BOOKING_REQUESTED", uid), ("BOOKING_CREATED", uid),
                                    ("BOOKING_REQUESTED", other), ("BOOKING_REJECTED", other)])


def test_listing_filters_and_pages(box):
    for minute in (0, 45):
        box.v2("POST", "/bookings", booking(thursday(8, minute)))
    box.control("/calcom/bookings", {"eventTypeId": 310456, "start": thursday(9, 30)})
    mine = "/bookings?attendeeEmail=marlene.vogt%40example.org&eventTypeId=310456"
    status, answer = box.v2("GET", mine + "&take=1&skip=1&sortStart=asc")
    assert status == 200 and len(answer["data"]) == 1
    assert answer["data"][0]["start"] == thursday(8, 45)[:-1] + ".000Z"
    page = answer["pagination"]
    assert (page["totalItems"], page["currentPage"], page["hasNextPage"]) == (2, 1, False)
    start = thursday(8)
    exact = f"&afterStart={start}&beforeEnd={thursday(8, 45)}"
    assert len(box.v2("GET", mine + exact)[1]["data"]) == 1
    assert box.v2("GET", "/bookings?status=accepted")[0] == 400
    assert box.v2("GET", "/bookings?take=251")[0] == 400
    assert len(box.v2("GET", "/bookings?afterUpdatedAt=2020-01-01T00:00:00Z")[1]["data"]) == 3


def test_keys_are_checked_and_public_paths_need_none(box):
    assert box.v2("GET", "/me", key=None)[0] == 401
    status, answer = box.v2("GET", "/me", key="cal_live_wrong")
    assert status == 401 and answer["error"]["message"] == "CustomThrottlerGuard - Invalid API Key"
    assert box.v2("GET", "/me")[1]["data"]["timeZone"] == "Europe/Berlin"
    assert box.v2("POST", "/bookings", booking(thursday(8)), key=None)[0] == 201


def test_rate_headers_count_down_and_429_is_enforced_on_request(box):
    key = {"Authorization": "Bearer cal_live_sandbox"}
    left = [int(box.call("GET", "/calcom/v2/me", headers=key)[2]["X-RateLimit-Remaining-Default"])
            for _ in range(2)]
    assert left == [119, 118]
    box.control("/settings", {"calcom_rate_enforced": True}, "PUT")
    statuses = [box.v1("GET", "/me")[0] for _ in range(31)]
    assert statuses == [200] * 30 + [429]


def test_registered_webhooks_get_what_they_asked_for(box, listener):
    hook = {"subscriberUrl": listener.url + "/extra", "active": True,
            "triggers": ["BOOKING_CANCELLED"], "secret": "s2"}
    assert box.v2("POST", "/webhooks", hook)[0] == 201
    assert box.v2("POST", "/webhooks", hook)[0] == 409
    assert box.v2("POST", "/webhooks", hook | {"triggers": ["BOOKING_CONFIRMED"]})[0] == 400
    uid = box.v2("POST", "/bookings", booking(thursday(8)))[1]["data"]["uid"]
    box.control(f"/calcom/bookings/{uid}/cancel", {})
    _, headers, body, _ = listener.wait(1, "/extra")[0]
    assert json.loads(body)["triggerEvent"] == "BOOKING_CANCELLED"
    expected = hmac.new(b"s2", body, hashlib.sha256).hexdigest()
    assert headers["x-cal-signature-256"] == expected


def test_flat_and_odd_webhooks_of_calcom(box, listener):
    uid = box.v2("POST", "/bookings", booking(thursday(8)))[1]["data"]["uid"]
    box.control("/hooks/wait", {})
    for verb in ("meeting-ended", "no-show"):
        box.control(f"/calcom/bookings/{uid}/{verb}", {})
        box.control("/hooks/wait", {})
    box.control("/calcom/ping", {})
    listener.wait(4, "/calcom")
    _, ended, absent, ping = listener.events("/calcom")
    assert ended["uid"] == uid and "payload" not in ended
    assert absent["payload"]["bookingUid"] == uid and "uid" not in absent["payload"]
    assert ping["triggerEvent"] == "PING" and "uid" not in ping["payload"]


# ---- Cal.com v1 -----------------------------------------------------------------------------


def test_v1_books_lists_and_cancels_in_its_own_shapes(box):
    start = thursday(8)
    status, made = box.v1("POST", "/bookings", v1_booking(start))
    assert status == 200 and made["status"] == "ACCEPTED" and "booking" not in made
    assert box.v1("GET", f"/bookings/{made['id']}")[1]["booking"]["uid"] == made["uid"]
    assert len(box.v1("GET", "/bookings?attendeeEmail=m%40example.org")[1]["bookings"]) == 1
    assert box.v1("GET", "/bookings?attendeeEmail=n%40example.org")[1] == {"bookings": []}
    status, answer = box.v1("POST", "/bookings", v1_booking(start))
    assert (status, answer["message"]) == (400, "no_available_users_found_error")
    status, gone = box.v1("DELETE", f"/bookings/{made['id']}/cancel?cancellationReason=krank")
    assert status == 200 and gone["bookingUid"] == made["uid"] and gone["success"] is True
    assert box.v2("GET", "/bookings/" + made["uid"])[1]["data"]["cancellationReason"] == "krank"


def test_v1_slots_stand_in_the_asked_zone(box):
    box.control("/clock", {"now": "2027-03-20T09:00:00Z"})
    _, answer = box.v1("GET", "/slots?eventTypeId=310456&startTime=2027-03-30T00:00:00%2B02:00"
                              "&endTime=2027-03-30T23:59:59%2B02:00&timeZone=Europe/Berlin")
    assert answer["slots"]["2027-03-30"][0] == {"time": "2027-03-30T08:00:00+02:00"}
    _, answer = box.v1("GET", "/slots?eventTypeId=310456&startTime=2027-03-30T00:00:00Z"
                              "&endTime=2027-03-30T23:59:59Z")
    assert answer["slots"]["2027-03-30"][0] == {"time": "2027-03-30T06:00:00Z"}


@pytest.mark.parametrize("change, text", [
    ({"metadata": None}, "'metadata': Required"), ({"metadata": {"n": 1}}, "Expected string"),
    ({"eventTypeId": "310456"}, "Expected number"),
    ({"responses": {"name": "x"}}, "'responses,email': Required"),
    ({"responses": {"name": "x", "email": ""}}, "{email}error_required_field"),
    ({"end": "2040-01-01T10:00:00Z"}, "Invalid event length"), ({"language": 3}, "'language'")])
def test_v1_refuses_with_its_own_words(box, change, text):
    status, answer = box.v1("POST", "/bookings", v1_booking(thursday(8)) | change)
    assert status == 400 and text in answer["message"]


def test_v1_books_by_phone_where_the_type_hides_the_address(box):
    body = v1_booking(thursday(8), responses={"name": "M", "email": "",
                                              "attendeePhoneNumber": "+493023125042"})
    assert box.v1("POST", "/bookings", body)[0] == 400
    box.control("/things/event_type/310456", {"phone_only": True}, "PUT")
    status, made = box.v1("POST", "/bookings", body)
    assert status == 200 and made["attendees"][0]["email"] == "493023125042@sms.cal.com"


def test_v1_reschedules_by_booking_again(box):
    made = box.v1("POST", "/bookings", v1_booking(thursday(8)))[1]
    _, moved = box.v1("POST", "/bookings", v1_booking(thursday(9, 30), rescheduleUid=made["uid"]))
    assert moved["fromReschedule"] == made["uid"] and moved["id"] != made["id"]
    assert box.v1("GET", f"/bookings/{made['id']}")[1]["booking"]["status"] == "CANCELLED"


def test_v1_key_is_in_the_query_and_masked_in_the_record(box):
    assert box.call("GET", "/calcom/v1/me")[1] == {"message": "No apiKey provided"}
    assert box.call("GET", "/calcom/v1/me?apiKey=no")[:2] == (401, {"error":
                                                              "Your API key is not valid."})
    assert box.v1("GET", "/me")[1]["user"]["id"] == 5012
    assert box.v1("GET", "/event-types")[1]["event_types"][0]["length"] == 45
    record = json.dumps(box.control("/requests?vendor=calcom_v1"))
    assert "cal_live_sandbox" not in record and "***" in record



# ---- Cal.com: whose key it is ---------------------------------------------------------------


def uids(answer, name):
    return {b["uid"] for b in answer[1][name]}


@pytest.fixture
def three(box):
    """Uids of a booking of each dentist, and of Dr. Petersen's own type."""
    first, second = (box.v2("POST", "/bookings", booking(
        thursday(8), 310455, attendee={"name": "P", "email": f"{n}@example.org", "timeZone": "UTC"},
        bookingFieldsResponses={"versicherung": "privat"}))[1]["data"] for n in "ab")
    assert [b["hosts"][0]["id"] for b in (first, second)] == [5012, 5013]
    own = box.v2("POST", "/bookings", booking(thursday(13)))[1]["data"]
    return first["uid"], second["uid"], own["uid"]


def test_a_key_lists_what_its_account_was_given_and_what_its_teams_were(box, three):
    first, second, own = three
    assert uids(box.v2("GET", "/bookings"), "data") == {first, second, own}
    assert uids(box.v2("GET", "/teams/880/bookings"), "data") == {first, second}
    assert uids(box.v1("GET", "/bookings"), "bookings") == {first, own}
    box.control("/things/user/5012", {"role": "MEMBER"}, "PUT")
    assert uids(box.v2("GET", "/bookings"), "data") == {first, own}
    assert box.v2("GET", "/teams/880/bookings")[0] == 403


def test_a_members_key_sees_less(box, three):
    _, second, _ = three
    box.control("/settings", {"calcom_account": 5013}, "PUT")
    assert box.v2("GET", "/me")[1]["data"]["id"] == box.v1("GET", "/me")[1]["user"]["id"] == 5013
    assert uids(box.v2("GET", "/bookings"), "data") == uids(box.v1("GET", "/bookings"), "bookings") == {second}
    assert box.v2("GET", "/event-types/310455", version="2024-06-14")[0] == 200
    assert box.v2("GET", "/event-types/310456", version="2024-06-14")[0] == 403
    assert box.v2("GET", "/event-types", version="2024-06-14")[1]["data"] == []
    assert box.v1("GET", "/event-types")[1]["event_types"] == []


def test_an_administrator_of_the_server_sees_all_in_v1(box, three):
    box.control("/settings", {"calcom_account": 5013}, "PUT")
    box.control("/things/user/5013", {"admin": True}, "PUT")
    assert box.v1("GET", "/me")[1]["user"]["role"] == "ADMIN"
    assert uids(box.v1("GET", "/bookings"), "bookings") == set(three)


# ---- WhatsApp -------------------------------------------------------------------------------

REMINDER = {"type": "template", "biz_opaque_callback_data": "out-816", "template": {
    "name": "termin_erinnerung", "language": {"code": "de"}, "components": [
        {"type": "body", "parameters": [{"type": "text", "text": t} for t in ("A", "B", "C")]},
        {"type": "button", "sub_type": "quick_reply", "index": "1",
         "parameters": [{"type": "payload", "payload": "ab.4711"}]}]}}


def test_a_template_is_accepted_and_its_statuses_come_back_signed(box, listener):
    status, answer = box.send(REMINDER)
    assert status == 200 and answer["messages"][0]["message_status"] == "accepted"
    assert answer["contacts"] == [{"input": "+491713920042", "wa_id": "491713920042"}]
    for _, headers, body, _ in listener.wait(3, "/whatsapp"):
        digest = hmac.new(b"0123456789abcdef" * 2, body, hashlib.sha256).hexdigest()
        assert headers["x-hub-signature-256"] == "sha256=" + digest
    told = [e["entry"][0]["changes"][0]["value"]["statuses"][0]
            for e in listener.events("/whatsapp")]
    assert {s["status"] for s in told} == {"sent", "delivered", "read"}
    assert {(s["id"], s["biz_opaque_callback_data"]) for s in told} == {
        (answer["messages"][0]["id"], "out-816")}


def test_free_text_needs_an_open_window(box, listener):
    text = {"type": "text", "text": {"body": "Gern."}}
    status, answer = box.send(text)
    assert (status, answer["error"]["code"]) == (400, 131047)
    box.control("/whatsapp/inbound", {"from": "491713920042", "text": "Kann ich kommen?"})
    assert box.send(text)[0] == 200
    box.control("/clock", {"now": (datetime.now(timezone.utc) + timedelta(hours=25)).isoformat()})
    assert box.send(text)[1]["error"]["code"] == 131047


def test_inbound_bodies_are_escaped_like_the_vendors(box, listener):
    box.control("/whatsapp/inbound", {"from": "491713920042", "name": "Jörg",
                                      "text": "Grüße 👍 https://praxis.example/t"})
    body = listener.wait(1, "/whatsapp")[0][2]
    assert b'"body":"Gr\\u00fc\\u00dfe \\ud83d\\udc4d https:\\/\\/praxis.example\\/t"' in body
    value = json.loads(body)["entry"][0]["changes"][0]["value"]
    assert value["messages"][0]["text"]["body"] == "Grüße 👍 https://praxis.example/t"
    assert value["metadata"]["phone_number_id"] == "106000000000001"


def test_buttons_and_lists_come_back_as_they_were_tapped(box, listener):
    box.control("/whatsapp/inbound", {"from": "491713920042", "context": "wamid.X",
                                      "button": {"payload": "ab.4711", "text": "Absagen"}})
    listener.wait(1, "/whatsapp")
    box.control("/whatsapp/inbound", {"from": "491713920042", "withhold_number": True,
                                      "list_reply": {"id": "sl.1", "title": "08:30 Uhr"}})
    listener.wait(2, "/whatsapp")
    button, tapped = [e["entry"][0]["changes"][0]["value"]["messages"][0]
                      for e in listener.events("/whatsapp")]
    assert button["button"]["payload"] == "ab.4711" and button["context"]["id"] == "wamid.X"
    assert tapped["interactive"] == {"type": "list_reply",
                                     "list_reply": {"id": "sl.1", "title": "08:30 Uhr"}}
    assert "from" not in tapped and tapped["from_user_id"].startswith("DE.")


def template(**change):
    return {"type": "template", "template": {**REMINDER["template"], **change}}


@pytest.mark.parametrize("body, code", [
    ({"messaging_product": "sms", "type": "text"}, 100),
    ({"to": "", "type": "text", "text": {"body": "x"}}, 131008),
    ({"type": "poll"}, 131051), ({"type": "text"}, 131008),
    ({"type": "text", "text": {"body": "x" * 4097}}, 131009),
    (template(name="gibt_es_nicht"), 132001), (template(language={"code": "en"}), 132001),
    (template(name="pausiert"), 132015), (template(components=[]), 132000),
    (template(name="termin_bestaetigung", components=[{"type": "body", "parameters": [
        {"type": "text", "text": t} for t in "ABCD"]}]), 132012),
    ({"type": "interactive", "interactive": {"type": "button", "body": {"text": "?"}, "action": {
        "buttons": [{"type": "reply", "reply": {"id": "1", "title": "x" * 21}}]}}}, 131009),
    ({"type": "interactive", "interactive": {"type": "list", "body": {"text": "?"}, "action": {
        "button": "Zeit", "sections": [{"rows": [{"id": str(i), "title": "t"} for i in
                                                 range(11)]}]}}}, 131009),
])
def test_messages_are_refused_with_the_vendors_codes(box, body, code):
    status, answer = box.send(body)
    assert status >= 400 and answer["error"]["code"] == code, answer
    assert box.control("/effects")["counts"]["messages_out"] == 0


def test_wrong_token_and_wrong_number_id(box):
    body = {"messaging_product": "whatsapp", "to": "+491713920042", **REMINDER}
    wrong = box.call("POST", NUMBER + "/messages", body, {"Authorization": "Bearer no"})
    assert (wrong[0], wrong[1]["error"]["code"]) == (401, 190)
    lost = box.call("POST", "/whatsapp/v25.0/493023125010/messages", body,
                    {"Authorization": "Bearer EAAsandbox"})
    assert (lost[0], lost[1]["error"]["code"]) == (400, 33)


def test_a_number_without_whatsapp_fails_later(box, listener):
    assert box.send(REMINDER | {"to": "+491713920043"})[0] == 200
    told = json.loads(listener.wait(1, "/whatsapp")[0][2])["entry"][0]["changes"][0]["value"]
    assert told["statuses"][0]["status"] == "failed" and "contacts" not in told
    assert told["statuses"][0]["errors"][0]["code"] == 131026


def test_a_number_without_plus_gets_the_offices_country_code(box):
    _, answer = box.send(REMINDER | {"to": "491713920042"})
    assert answer["contacts"][0]["wa_id"] == "49491713920042"


def test_templates_mark_as_read_and_handshake(box):
    key = {"Authorization": "Bearer EAAsandbox"}
    base = "/whatsapp/v25.0/102000000000001/message_templates"
    page = box.call("GET", base + "?limit=3", headers=key)[1]
    rest = box.call("GET", f"{base}?limit=3&after={page['paging']['cursors']['after']}",
                    headers=key)[1]
    names = [t["name"] for t in page["data"] + rest["data"]]
    assert names == ["termin_bestaetigung", "termin_erinnerung", "rueckruf", "pausiert"]
    got = box.control("/whatsapp/inbound", {"from": "491713920042", "text": "?"})
    assert box.send({"status": "read", "message_id": got["id"]}) == (200, {"success": True})
    assert box.send({"status": "read", "message_id": "wamid.no"})[0] == 400
    assert box.control("/whatsapp/verify", {})["verified"] is True
    assert box.control("/whatsapp/verify", {"verify_token": "falsch"})["status"] == 403


# ---- faults ---------------------------------------------------------------------------------

BOOK = {"vendor": "calcom_v2", "method": "POST", "path": "/calcom/v2/bookings"}


def test_an_ordered_status_acts_not_unless_told(box):
    box.control("/faults", BOOK | {"status": 503, "body": "upstream"})
    assert box.v2("POST", "/bookings", booking(thursday(8))) == (503, "upstream")
    assert box.control("/effects")["counts"]["bookings"] == 0
    box.control("/faults", BOOK | {"status": 500, "body": {"statusCode": 500}, "act": True})
    assert box.v2("POST", "/bookings", booking(thursday(8))) == (500, {"statusCode": 500})
    assert box.control("/effects")["counts"]["bookings"] == 1
    assert box.v2("POST", "/bookings", booking(thursday(8, 45)))[0] == 201


@pytest.mark.parametrize("fault, bookings", [("close_before", 0), ("close_after", 1)])
def test_a_closed_line_leaves_the_outcome_open(box, fault, bookings):
    box.control("/faults", BOOK | {fault: True})
    with pytest.raises((http.client.HTTPException, OSError)):
        box.v2("POST", "/bookings", booking(thursday(8)))
    assert box.control("/effects")["counts"]["bookings"] == bookings
    record = box.control("/requests?path=bookings")["requests"]
    assert len(record) == 1 and record[0]["status"] == 0 and fault in record[0]["fault"]


def test_half_a_body_html_and_a_huge_body(box):
    box.control("/faults", {"path": "/calcom/v2/me", "truncate": True})
    with pytest.raises(http.client.IncompleteRead):
        box.v2("GET", "/me")
    box.control("/faults", {"path": "/calcom/v2/me", "non_json": True})
    assert box.v2("GET", "/me")[1].startswith("<html>")
    box.control("/faults", {"path": "/calcom/v2/me", "huge": True})
    assert len(box.v2("GET", "/me")[1]["filler"]) == 10 * 1024 * 1024


def test_delay_and_slow_drip_take_their_time(box):
    box.control("/faults", {"path": "/calcom/v2/me", "delay_ms": 150})
    box.control("/faults", {"path": "/calcom/v2/me", "slow_drip_ms": 5})
    for least in (0.15, 0.1):
        begun = time.monotonic()
        assert box.v2("GET", "/me")[0] == 200
        assert time.monotonic() - begun >= least
    assert [fault["left"] for fault in box.control("/faults")["faults"]] == [0, 0]


SLOTS = "eventTypeId=310456&start=2027-03-22&end=2027-03-23"


def test_slots_can_be_too_slow_for_a_caller_while_the_rest_is_not(box):
    box.control("/faults", {"path": "/calcom/v2/slots*", "delay_ms": 10_000, "count": 0})
    with pytest.raises(TimeoutError):
        box.call("GET", "/calcom/v2/slots?" + SLOTS, headers={"cal-api-version": "2024-09-04"}, timeout=0.3)
    assert box.v2("GET", "/me")[0] == 200
    assert box.v2("POST", "/bookings", booking(thursday(8)))[0] == 201
    box.control("/faults", method="DELETE")
    assert box.slots(SLOTS)[0] == 200


def test_slots_can_be_dead_or_rubbish(box):
    box.control("/faults", {"path": "/calcom/v2/slots*", "close_before": True})
    with pytest.raises((http.client.HTTPException, OSError)):
        box.slots(SLOTS)
    for fault, text in (({"non_json": True}, "<html>"), ({"status": 200, "body": "[1,"}, "[1,")):
        box.control("/faults", {"path": "/calcom/v2/slots*", **fault})
        status, answer = box.slots(SLOTS)
        assert status == 200 and answer.startswith(text)
    box.control("/faults", {"path": "/calcom/v2/slots*", "status": 200, "body": {"data": 7}})
    assert box.slots(SLOTS) == (200, {"data": 7})
    assert box.slots(SLOTS)[1]["status"] == "success"


def test_slots_show_bookings_holds_and_what_is_given_back(box):
    """Every way a slot goes and comes, as a listing sees it."""
    start, shown = thursday(8), thursday(8)[:-1] + ".000Z"
    asked = f"eventTypeId=310456&start={start[:10]}&end={start[:10]}"

    def offered():
        return shown in starts(box.slots(asked)[1])
    assert offered()
    hold = {"eventTypeId": 310456, "slotStart": start, "reservationDuration": 10}
    held = box.v2("POST", "/slots/reservations", hold, "2024-09-04")[1]["data"]["reservationUid"]
    assert not offered()
    uid = box.v2("POST", "/bookings", booking(start))[1]["data"]["uid"]
    box.v2("DELETE", "/slots/reservations/" + held, version="2024-09-04")
    assert not offered(), "the booking stays when the hold goes"
    moved = box.v2("POST", f"/bookings/{uid}/reschedule", {"start": thursday(9, 30)})[1]["data"]["uid"]
    assert offered()
    assert box.v2("POST", "/bookings", booking(start))[0] == 201
    assert not offered()
    box.v2("POST", f"/bookings/{moved}/cancel", {"cancellationReason": "krank"})
    assert thursday(9, 30)[:-1] + ".000Z" in starts(box.slots(asked)[1])


def test_a_fault_can_be_skipped_repeated_and_cleared(box):
    box.control("/faults", {"path": "/calcom/v2/me", "status": 429, "skip": 1, "count": 2})
    assert [box.v2("GET", "/me")[0] for _ in range(4)] == [200, 429, 429, 200]
    box.control("/faults", {"path": "/calcom/v2/me", "status": 429, "count": 0})
    assert [box.v2("GET", "/me")[0] for _ in range(3)] == [429] * 3
    box.control("/faults", method="DELETE")
    assert box.v2("GET", "/me")[0] == 200


def test_a_nonsensical_fault_is_refused(box):
    for rule in ({}, {"vendor": "retell"}, {"delay": 5}, {"event": "*", "status": 500}):
        assert box.call("POST", "/_control/faults", rule)[0] == 400


def test_webhooks_twice_at_one_moment_lost_or_wrongly_signed(box, listener):
    box.control("/faults", {"vendor": "calcom", "event": "BOOKING_CREATED", "twice": True})
    box.v2("POST", "/bookings", booking(thursday(8)))
    first, second = listener.wait(2, "/calcom")
    assert first[2] == second[2]
    booked = [h for h in box.control("/hooks")["hooks"] if h["event"] == "BOOKING_CREATED"]
    assert len(booked) == 2 and booked[0]["due_ms"] == booked[1]["due_ms"]
    box.control("/faults", {"event": "BOOKING_CREATED", "lose": True})
    box.v2("POST", "/bookings", booking(thursday(8, 45)))
    box.control("/faults", {"event": "call_started", "wrong_signature": True})
    box.control("/retell/call", {"events": ["call_started"]})
    _, headers, body, _ = listener.wait(1, "/retell")[0]
    with pytest.raises(AssertionError):
        check_retell_signature(headers, body)
    box.control("/hooks/wait", {})
    assert len(listener.below("/calcom")) == 2


# ---- webhooks again, and after a crash ------------------------------------------------------


def test_retell_tries_three_times_and_then_gives_up(box, listener):
    listener.answers = [500] * 9
    box.control("/retell/call", {"events": ["call_ended"]})
    box.control("/hooks/wait", {})
    assert len(listener.below("/retell")) == 3
    hook = box.control("/hooks")["hooks"][0]
    assert (hook["state"], hook["tries"], hook["last"]) == ("dropped", 3, "500")


def test_calcom_looks_at_no_status(box, listener):
    listener.answers = [500]
    box.v2("POST", "/bookings", booking(thursday(8)))
    box.control("/hooks/wait", {})
    assert [h["state"] for h in box.control("/hooks")["hooks"]] == ["dropped"]


def test_whatsapp_comes_again_until_it_is_taken(box, listener):
    listener.answers = [500, 503]
    box.control("/whatsapp/inbound", {"from": "491713920042", "text": "?"})
    bodies = {body for _, _, body, _ in listener.wait(3, "/whatsapp")}
    assert len(bodies) == 1
    box.control("/hooks/wait", {})
    assert box.control("/hooks")["hooks"][0]["state"] == "delivered"


def test_kill_and_restart_lose_nothing(tmp_path, listener):
    """Bookings, ordered faults and an undelivered webhook survive kill -9."""
    box = Sandbox(tmp_path / "state", listener)
    try:
        uid = box.v2("POST", "/bookings", booking(thursday(8)))[1]["data"]["uid"]
        box.control("/hooks/wait", {})
        box.control("/faults", {"path": "/calcom/v2/me", "status": 503})
        box.control("/faults", {"event": "message.*", "delay_ms": 700})
        sent = box.control("/whatsapp/inbound", {"from": "491713920042", "text": "noch da?"})
        assert not listener.below("/whatsapp")
        box.kill()
        box.start()
        assert box.v2("GET", "/bookings/" + uid)[1]["data"]["uid"] == uid
        assert box.v2("POST", "/bookings", booking(thursday(8)))[0] == 400
        assert [box.v2("GET", "/me")[0] for _ in range(2)] == [503, 200]
        assert sent["id"].encode() in listener.wait(1, "/whatsapp")[0][2]
    finally:
        box.kill()


def test_a_booking_answered_before_the_kill_is_there_after_it(tmp_path, listener):
    """Kills in the midst of a stream of bookings: every 201 that came is still known."""
    box = Sandbox(tmp_path / "state", listener)
    try:
        confirmed = []

        def stream():
            for week in range(1, 40):
                try:
                    status, answer = box.v2("POST", "/bookings", booking(thursday(8, weeks=week)))
                except (OSError, http.client.HTTPException):
                    return
                assert status == 201
                confirmed.append(answer["data"]["uid"])
        worker = threading.Thread(target=stream)
        worker.start()
        while len(confirmed) < 5:
            assert worker.is_alive() or len(confirmed) >= 5
            time.sleep(0.001)
        box.kill()
        worker.join()
        box.start()
        for uid in confirmed:
            assert box.v2("GET", "/bookings/" + uid)[0] == 200
    finally:
        box.kill()


# ---- the sandbox itself ---------------------------------------------------------------------


def test_one_connection_serves_many_requests_also_chunked(box):
    with socket.create_connection(("127.0.0.1", box.port), timeout=5) as line:
        stream = line.makefile("rb")
        raw = json.dumps(booking(thursday(8))).encode()
        head = (b"POST /calcom/v2/bookings HTTP/1.1\r\nHost: x\r\ncal-api-version: 2024-08-13\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n")
        chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(raw), raw)
        for expected in (b"201", b"400"):
            line.sendall(head + chunks)
            assert expected in stream.readline()
            length = 0
            while (row := stream.readline().strip()):
                if row.lower().startswith(b"content-length:"):
                    length = int(row.split(b":")[1])
            assert len(stream.read(length)) == length


def test_reset_opens_the_practice_anew(box):
    box.v2("POST", "/bookings", booking(thursday(8)))
    box.control("/settings", {"calcom_taken": "409"}, "PUT")
    box.control("/reset", {})
    assert box.control("/effects")["counts"]["bookings"] == 0
    assert box.control("/settings")["calcom_taken"] == "400"
    assert box.v2("POST", "/bookings", booking(thursday(8)))[0] == 201


def test_keys_can_be_changed_while_it_runs(box, listener):
    box.control("/secrets", {"retell_key": "key_new"}, "PUT")
    assert box.retell("GET", "/get-api-key-info")[0] == 401
    box.control("/retell/call", {"events": ["call_ended"]})
    _, headers, body, _ = listener.wait(1, "/retell")[0]
    stamp = headers["x-retell-signature"].removeprefix("v=").split(",")[0]
    digest = hmac.new(b"key_new", body + stamp.encode(), hashlib.sha256).hexdigest()
    assert headers["x-retell-signature"].endswith(digest)


def test_time_the_office_takes_is_gone_from_the_slots(box):
    box.control("/calcom/block", {"user": 5012, "start": thursday(8), "end": thursday(12)})
    day = thursday(8)[:10]
    _, free = box.slots(f"eventTypeId=310456&start={day}&end={day}&timeZone=Europe/Berlin")
    assert starts(free)[0].partition("T")[2].startswith("13:00")


def test_the_record_of_requests_holds_no_secret(box):
    box.v2("GET", "/me")
    box.send(REMINDER)
    record = json.dumps(box.control("/requests"))
    assert "EAAsandbox" not in record and "cal_live_sandbox" not in record
    assert "out-816" in record


def test_unknown_paths_and_commands_are_named(box):
    assert box.call("GET", "/nowhere")[0] == 404
    assert box.call("POST", "/_control/nonsense", {})[0] == 404
    assert box.call("PUT", "/_control/settings", {"colour": 1})[0] == 400
    assert box.call("POST", "/_control/calcom/bookings/none/cancel", {})[0] == 400


def test_sigterm_ends_it_cleanly(box):
    box.process.send_signal(signal.SIGTERM)
    assert box.process.wait(timeout=5) == 0
    box.start()


def test_a_port_in_use_is_told(box, tmp_path):
    taken = f"127.0.0.1:{box.port}"
    second = subprocess.run([PROGRAM, "--listen", taken, "--state", str(tmp_path / "b")],
                            capture_output=True, text=True, timeout=10)
    assert second.returncode == 1 and "choose another --listen" in second.stderr
