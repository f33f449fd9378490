"""The caller is on the line: what is free, booked, moved and cancelled while somebody waits for the answer."""
import json

import pytest

from desk_kit import FALLBACK, GRACE_MS, OTHER, Call, answering, local, spoken, together, warm
from world import CALLER, EVENT_TYPE, TENANT


@pytest.fixture
def desk(world):
    answering(world, hold="5m").start()
    return world


def bookings_at(world, slot):
    return [b for b in world.bookings() if b["status"] == "accepted" and b["start_ms"] == slot.timestamp() * 1000]


def fill(world, slot):
    """Somebody else has that time, with each of the two who treat."""
    for _ in range(2):
        world.control("/calcom/bookings", {"eventTypeId": int(EVENT_TYPE), "start": slot.isoformat()})


def book(call, slot, **more):
    return call.ask("book_appointment", name="Jana Berger", **spoken(slot), **more)


# ---- The phone rings ------------------------------------------------------------------------------------

def test_the_inbound_webhook_is_answered_with_agent_and_texts(desk):
    answer = Call(desk).ring()
    assert answer["override_agent_id"] == "agent_mitte"
    variables = answer["dynamic_variables"]
    assert variables and all(isinstance(v, str) for v in variables.values()), variables
    assert variables["caller_known"] == "false"
    reads = desk.wait(lambda: desk.jobs("done", op="slots"), "the days ahead are read")
    assert len(reads) == 1
    assert len(desk.requests("calcom_v2")) <= 2


def test_a_withheld_number_is_answered_too(desk):
    answer = Call(desk, caller=None).ring()
    assert answer["dynamic_variables"]["caller_known"] == "false"


# ---- What is free ---------------------------------------------------------------------------------------

def test_a_free_time_is_offered_from_the_mirror(desk):
    warm(desk)
    slot = desk.slot()
    asked = len(desk.requests("calcom_v2", "*slots*"))
    answer = Call(desk).ask("check_availability", **spoken(slot))
    assert answer["requested_slot_available"] is True, answer
    assert answer["availability_checked"] is True
    assert slot.strftime("%H:%M") + " Uhr" in answer["available_slots"]
    assert len(desk.requests("calcom_v2", "*slots*")) == asked, "the mirror knows it"


def test_what_the_mirror_does_not_know_is_asked_while_the_caller_waits(desk):
    slot = desk.slot()
    answer = Call(desk).ask("check_availability", **spoken(slot))
    assert answer["availability_checked"] is True, answer
    assert len(desk.requests("calcom_v2", "*/v2/slots*")) >= 1


def test_one_question_for_all_who_ask_the_same(desk):
    slot = desk.slot()
    before = len(desk.requests("calcom_v2", "*/v2/slots*"))
    desk.fault(vendor="calcom_v2", path="*/v2/slots*", delay_ms=150)
    calls = [Call(desk, caller=f"+4917139200{i:02}") for i in range(8)]
    answers = together(*[lambda c=c: c.ask("check_availability", **spoken(slot)) for c in calls])
    assert all(a["availability_checked"] for a in answers), answers
    assert len(desk.requests("calcom_v2", "*/v2/slots*")) == before + 1


@pytest.mark.parametrize("fault", [{"delay_ms": 10000}, {"close_before": True}, {"status": 503, "body": {}},
                                   {"non_json": True}, {"truncate": True}, {"huge": True}])
def test_a_calendar_that_fails_costs_an_honest_sentence_in_time(desk, fault):
    slot = desk.slot()
    desk.fault(vendor="calcom_v2", path="*/v2/slots*", count=0, **fault)
    call = Call(desk)
    answer = call.ask("check_availability", **spoken(slot))
    assert call.took_ms < 450 + GRACE_MS
    assert answer.get("availability_checked") is not True
    assert not answer.get("available_slots")


def test_a_late_answer_still_fills_the_mirror(desk):
    slot = desk.slot()
    desk.fault(vendor="calcom_v2", path="*/v2/slots*", delay_ms=900)
    call = Call(desk)
    assert call.ask("check_availability", **spoken(slot)).get("availability_checked") is not True
    desk.wait(lambda: desk.jobs("done", op="slots"), "the late answer is kept")
    asked = len(desk.requests("calcom_v2", "*/v2/slots*"))
    assert call.ask("check_availability", **spoken(slot))["requested_slot_available"] is True
    assert len(desk.requests("calcom_v2", "*/v2/slots*")) == asked


def test_what_is_offered_is_kept_for_the_call(desk):
    warm(desk)
    slot = desk.slot()
    first, second = Call(desk), Call(desk, caller=OTHER)
    assert first.ask("check_availability", **spoken(slot))["requested_slot_available"] is True
    answer = second.ask("check_availability", **spoken(slot))
    assert answer["requested_slot_available"] is False, answer
    assert answer["alternative_slots"]
    first.hang_up()
    desk.wait(lambda: second.ask("check_availability", **spoken(slot))["requested_slot_available"],
              "hanging up frees what was offered")


def test_a_booking_in_the_calendar_makes_its_day_unknown(desk):
    warm(desk)
    slot = desk.slot()
    fill(desk, slot)
    desk.wait(lambda: len(desk.events("booking.created")) == 2, "the webhooks are read")
    answer = Call(desk).ask("check_availability", **spoken(slot))
    assert answer["requested_slot_available"] is False, answer


# ---- The answer itself ------------------------------------------------------------------------------------

def test_the_same_request_again_gets_the_same_answer(desk):
    warm(desk)
    slot = desk.slot()
    call = Call(desk)
    body = call.body("check_availability", spoken(slot))
    first = call.send(body)
    assert call.send(body) == first
    assert len(desk.events("call.function")) == 1


def test_at_the_same_moment_too(desk):
    slot = desk.slot()
    desk.fault(vendor="calcom_v2", path="*/v2/slots*", delay_ms=150)
    call = Call(desk)
    body = call.body("check_availability", spoken(slot))
    first, second = together(lambda: Call(desk).send(body), lambda: Call(desk).send(body))
    assert first == second
    assert len(desk.events("call.function")) == 1


def test_after_a_restart_too(desk):
    warm(desk)
    slot = desk.slot()
    call = Call(desk)
    body = call.body("book_appointment", {"name": "Jana Berger", **spoken(slot)})
    first = call.send(body)
    desk.kill_host()
    desk.start_host()
    assert call.send(body) == first
    assert len(bookings_at(desk, slot)) == 1


def test_an_unknown_function_is_answered_kindly(desk):
    answer = Call(desk).ask("order_pizza", size="large")
    assert answer["success"] is False


@pytest.mark.parametrize("args", [
    {"requested_date": "2023-06-13", "requested_time": "10:00"}, {"requested_date": "31. Juni"},
    {"requested_date": "morgen", "requested_time": "25 Uhr"}, {"requested_date": "29.03.2027", "requested_time": []},
    {"requested_date": "28.03.2027", "requested_time": "02:30"}, {"service": "Ölwechsel"},
    {"event_type_id": 999999999}, {"customer_preferences": ""}, {"customer_preferences": "x" * 10000},
    {"customer_preferences": "🦷🎈 🕘"}, {"requested_date": {"year": 2026}, "service": 7}, {}])
def test_nonsense_is_answered_and_books_nothing(desk, args):
    for name in ("check_availability", "book_appointment", "reschedule_appointment", "cancel_appointment"):
        answer = Call(desk).ask(name, **args)
        assert not answer.get("booked"), answer
    assert not desk.bookings()


# ---- Booking ------------------------------------------------------------------------------------------------

def test_a_booking_is_confirmed_by_the_calendar(desk):
    warm(desk)
    slot = desk.slot()
    answer = book(Call(desk), slot)
    assert answer["booked"] is True and answer["success"] is True, answer
    assert len(bookings_at(desk, slot)) == 1


def test_asking_twice_books_once(desk):
    warm(desk)
    slot = desk.slot()
    call = Call(desk)
    assert book(call, slot)["booked"] is True
    assert book(call, slot)["booked"] is True
    assert len(desk.bookings()) == 1


def test_two_callers_want_the_same_time(desk):
    warm(desk)
    slot = desk.slot()
    first, second = together(lambda: book(Call(desk), slot), lambda: book(Call(desk, caller=OTHER), slot))
    won = [a for a in (first, second) if a["booked"]]
    lost = [a for a in (first, second) if not a["booked"]]
    assert len(won) == 1 and len(lost) == 1, (first, second)
    assert lost[0]["slots"] and " um " in lost[0]["say"], lost
    assert len(bookings_at(desk, slot)) == 1


def test_a_time_that_was_taken_meanwhile_is_not_booked(desk):
    warm(desk)
    slot = desk.slot()
    desk.fault(event="BOOKING_CREATED", lose=True, count=0)
    fill(desk, slot)
    answer = book(Call(desk), slot)
    assert not answer["booked"] and not answer["success"], answer
    assert len(bookings_at(desk, slot)) == 2
    assert not desk.jobs("parked") and not desk.jobs("dead"), "the caller was told; no person is needed"


def test_an_unknown_outcome_is_looked_up_while_the_caller_waits(desk):
    warm(desk)
    slot = desk.slot()
    desk.fault(vendor="calcom_v2", method="POST", path="*/v2/bookings", close_after=True)
    answer = book(Call(desk), slot)
    assert answer["booked"] is True, answer
    assert len(bookings_at(desk, slot)) == 1


def test_what_is_not_known_in_time_is_not_called_booked(desk):
    answering_fast = 'pipeline book-appointment'
    desk.ini[answering_fast]["within"] = "700ms"
    desk.reload()
    warm(desk)
    slot = desk.slot()
    desk.fault(vendor="calcom_v2", method="POST", path="*/v2/bookings", delay_ms=1200)
    call = Call(desk)
    answer = book(call, slot)
    assert call.took_ms < 700 + GRACE_MS
    assert not answer.get("booked"), answer
    assert "vorgemerkt" in answer["say"], answer
    desk.wait(lambda: bookings_at(desk, slot), "it goes on")
    desk.wait(lambda: desk.jobs("done", op="book"), "and is through")
    assert len(bookings_at(desk, slot)) == 1


def test_kill_9_during_a_booking_never_doubles_it(desk):
    warm(desk)
    slot = desk.slot()
    desk.fault(vendor="calcom_v2", method="POST", path="*/v2/bookings", delay_ms=400)
    call = Call(desk)
    body = call.body("book_appointment", {"name": "Jana Berger", **spoken(slot)})

    def ask():
        try:
            return call.send(body)
        except (OSError, AssertionError, ValueError, json.JSONDecodeError):
            return None  # the line is cut
        except Exception:  # http.client's own
            return None

    def kill():
        desk.wait(lambda: desk.requests("calcom_v2", "*/v2/bookings", "POST"), "the calendar is asked")
        desk.kill_host()
    together(ask, kill)
    desk.start_host()
    desk.wait(lambda: not desk.status()["jobs"]["ready"], "what was begun is over")
    desk.wait(lambda: len(bookings_at(desk, slot)) == 1, "the booking that was sent stands")
    again = call.send(body)
    assert again["say"]
    assert len(bookings_at(desk, slot)) == 1


def test_a_calendar_that_is_dead_gets_no_promise_it_cannot_keep(desk):
    warm(desk)
    slot = desk.slot()
    desk.ini["pipeline book-appointment"]["within"] = "1s"
    desk.reload()
    desk.fault(vendor="calcom_v2", method="POST", path="*/v2/bookings", status=503, body={}, count=0)
    call = Call(desk)
    answer = book(call, slot)
    assert call.took_ms < 1000 + GRACE_MS
    assert not answer.get("booked"), answer
    assert not bookings_at(desk, slot)


# ---- Moving and cancelling ------------------------------------------------------------------------------------

def test_the_caller_moves_the_appointment(desk):
    warm(desk)
    old, new = desk.slot(), desk.slot()
    call = Call(desk)
    assert book(call, old)["booked"] is True
    answer = call.ask("reschedule_appointment", **spoken(new))
    assert answer["success"] is True, answer
    assert len(bookings_at(desk, new)) == 1


def test_the_caller_cancels_the_appointment(desk):
    warm(desk)
    slot = desk.slot()
    call = Call(desk)
    assert book(call, slot)["booked"] is True
    answer = call.ask("cancel_appointment")
    assert answer["success"] is True, answer
    assert not bookings_at(desk, slot)


def test_nobody_else_cancels_it(desk):
    warm(desk)
    slot = desk.slot()
    assert book(Call(desk), slot)["booked"] is True
    for stranger in (Call(desk, caller=OTHER), Call(desk, caller=None)):
        answer = stranger.ask("cancel_appointment", **spoken(slot), phone=CALLER)
        assert answer["success"] is False, answer
    assert len(bookings_at(desk, slot)) == 1


def test_a_withheld_number_cancels_with_name_and_date(desk):
    warm(desk)
    slot = desk.slot()
    assert book(Call(desk), slot)["booked"] is True
    answer = Call(desk, caller=None).ask("cancel_appointment", name="Jana Bärger", **spoken(slot))
    assert answer["success"] is True, answer
    assert not bookings_at(desk, slot)


def test_a_caller_finds_only_own_appointments(desk):
    warm(desk)
    mine, other = desk.slot(), desk.slot()
    assert book(Call(desk), mine)["booked"] is True
    assert book(Call(desk, caller=OTHER), other)["booked"] is True
    say = Call(desk).ask("find_appointments")["say"]
    assert mine.strftime("%H:%M") in say
    assert local(mine.isoformat()).strftime("%H:%M") in say
    assert Call(desk, caller="+491713920099").ask("find_appointments").get("appointments") in (None, [])


# ---- The rest ---------------------------------------------------------------------------------------------------

def test_services_are_told(desk):
    answer = Call(desk).ask("list_services")
    assert "Kontrolluntersuchung" in answer["say"]


def test_a_call_back_is_an_event(desk):
    Call(desk).ask("request_callback", name="Jana Berger", reason="Schmerzen")
    event, = desk.wait(lambda: desk.events("callback.requested"), "the office learns of it")
    assert event["tenant"] == TENANT


def test_a_failure_of_the_pipeline_is_the_fallback(world):
    answering(world)
    world.ini["pipeline check-availability"]["step"] = "desk.offer service=(json_extract('{', '$'))"
    world.start()
    answer = Call(world).ask("check_availability")
    assert answer["say"] == FALLBACK


# ---- By hand ------------------------------------------------------------------------------------------------------

def test_a_person_changes_the_catalogue_and_hears_what_a_caller_would(desk):
    made = desk.call("desk.set_service", {"name": "pzr", "title": "Zahnreinigung", "aliases": ["PZR"], "length_min": 60,
                                          "price_minor": 8900, "currency": "EUR", "event_type": EVENT_TYPE})
    assert made["success"] is True, made
    assert "Zahnreinigung" in Call(desk).ask("list_services")["say"]
    told = desk.call(f"{TENANT}/desk.offer", {"service": "PZR", "customer_preferences": "vormittags"})
    assert told["availability_checked"] is True, told
    desk.reload()
    assert "Zahnreinigung" in Call(desk).ask("list_services")["say"], "what a person made outlives a reload"


def test_an_operation_that_the_desk_has_not(desk):
    assert "did you mean offer?" in desk.klinke("call", f"{TENANT}/desk.ofer", check=False).stderr
