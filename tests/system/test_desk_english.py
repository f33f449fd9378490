"""An office whose callers speak English: whatever they do, they hear English."""
import json
import re

import pytest

from desk_kit import Call, answering, local, warm
from world import TENANT

# Words that English has not, and letters; a result with one of them has German in it.
GERMAN = re.compile(r"[äöüÄÖÜß]|\b(ich|sie|ihr|ihnen|ihre|wir|uns|der|den|dem|das|und|oder|ist|nicht|nichts|noch|bei|um|"
                    r"auf|zu|leider|heute|morgen|uhr|termin|termine|minuten|euro|gebucht|montag|dienstag|mittwoch|"
                    r"donnerstag|freitag|samstag|sonntag|januar|februar|juni|juli|oktober|dezember)\b", re.IGNORECASE)
NEVER_MIND = "I cannot look that up just now."


@pytest.fixture
def desk(world):
    answering(world, hold="5m")
    world.ini[f"tenant {TENANT}"]["name"] = "Linden Dental"
    world.ini[f"tenant {TENANT}"]["language"] = "en"
    world.ini["service kontrolle"]["title"] = "Check-up"
    world.ini["service kontrolle"]["aliases"] = "check, examination"
    world.ini["branch mitte"]["title"] = "Linden Dental Mitte"
    for head, section in world.ini.sections.items():
        if head.startswith("pipeline"):
            section["fallback"] = NEVER_MIND
    world.start()
    warm(world)
    return world


def when(slot):
    """"Thursday, 26 November at 4:30 pm", without "today," or "tomorrow,"."""
    at = local(slot.isoformat())
    return f"{at:%A}, {at.day} {at:%B} at {at.hour % 12 or 12}:{at:%M} {'am' if at.hour < 12 else 'pm'}"


def said(slot):
    """As an English caller says it."""
    at = local(slot.isoformat())
    return {"requested_date": f"{at.day} {at:%B}", "requested_time": f"{at.hour % 12 or 12}:{at:%M} {at:%p}".lower()}


def ask(call, name, /, **args):
    answer = call.ask(name, **args)
    found = GERMAN.search(json.dumps(answer, ensure_ascii=False))
    assert not found, (found.group(), answer)
    return answer


def test_from_the_ring_to_the_cancellation(desk):
    call = Call(desk)
    slot, other = desk.slot(), desk.slot()
    variables = call.ring()["dynamic_variables"]
    assert not GERMAN.search(json.dumps(variables, ensure_ascii=False)), variables
    assert re.fullmatch(r"\w+day, \d+ \w+ \d{4}", variables["today"]), variables

    answer = ask(call, "check_availability", **said(slot))
    assert answer["requested_slot_available"] is True, answer
    assert answer["say"] == f"Yes, {when(slot)} is free. Shall I book it for you?"

    assert ask(call, "book_appointment", **said(slot))["say"] == "What name may I put the appointment under?"
    answer = ask(call, "book_appointment", name="Ann Miller", **said(slot))
    assert answer["booked"] is True, answer
    assert answer["say"] == f"Your appointment is booked: {when(slot)}."

    answer = ask(call, "find_appointments")
    assert answer["say"].startswith(f"You have one appointment: {when(slot)}, Check-up"), answer

    at = said(other)
    answer = ask(call, "reschedule_appointment", new_date=at["requested_date"], new_time=at["requested_time"])
    assert answer["rescheduled"] is True, answer
    assert answer["say"] == f"Your appointment has been moved: {when(other)}."

    answer = ask(call, "cancel_appointment")
    assert answer["cancelled"] is True, answer
    assert answer["say"] == f"Your appointment is cancelled: {when(other)}."


def test_the_other_functions(desk):
    call = Call(desk)
    answer = ask(call, "list_services")
    assert re.fullmatch(r"We offer: Check-up, 30 minutes, 45 euros\.", answer["say"]), answer
    answer = ask(call, "request_callback", reason="toothache", preferred_time="tomorrow morning")
    assert answer["say"].startswith("I have noted that we will call you back on the number ending in "), answer
    desk.wait(lambda: ask(Call(desk), "find_appointments")["say"] == "I find no upcoming appointment under your number.",
              "the calendar has answered in time")


@pytest.mark.parametrize("args", [
    {"requested_date": "31 June"}, {"requested_date": "tomorrow", "requested_time": "25 o'clock"},
    {"requested_date": "yesterday"}, {"service": "oil change"}, {"staff": "Bob Builder"},
    {"customer_preferences": "🦷🎈 🕘"}, {"slot": "2026-13-01T10:00:00Z"}, {"requested_date": {"year": 2026}}, {}])
def test_nonsense_is_answered_in_english(desk, args):
    for name in ("check_availability", "book_appointment", "reschedule_appointment", "cancel_appointment"):
        assert not ask(Call(desk), name, **args).get("booked")


def test_a_calendar_that_is_away(desk):
    slot = desk.slot()
    desk.ini["pipeline book-appointment"]["within"] = "1s"
    desk.reload()
    desk.fault(vendor="calcom_v2", method="POST", path="*/v2/bookings", status=503, body={}, count=0)
    answer = ask(Call(desk), "book_appointment", name="Ann Miller", **said(slot))
    assert not answer["booked"], answer
