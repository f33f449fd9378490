"""Steps that wait for their time, what calls them off, and polls that find what webhooks have lost."""
import time
from datetime import datetime, timedelta, timezone

import pytest

from world import CALLER, instant

TEXT = "rueckruf"


def reminder(world, at, cancel_on="booking.cancelled, booking.rescheduled"):
    """One pipeline: a booking is made, and at that time a message goes out."""
    world.ini.drop("pipeline")
    world.ini.drop("mapping")
    pairs = [("on", "booking.created"),
             ("step", f"whatsapp.send template=termin_erinnerung to='{CALLER}' params=(json_array('A', 'B', 'C'))"
              .replace(f"'{CALLER}'", CALLER)),
             ("at", at)]
    if cancel_on:
        pairs.append(("cancel_on", cancel_on))
    world.ini.add("pipeline remind", *pairs)
    return world


def book(world, slot=None):
    """At the desk; the uid."""
    slot = slot or world.slot()
    return world.control("/calcom/bookings", {"eventTypeId": 310455, "start": slot.isoformat()})["uid"]


def waiting(world, n=1):
    return world.wait(lambda: len(world.jobs("waiting")) == n and world.jobs("waiting"), f"{n} jobs wait")


def ms(moment):
    return moment.timestamp() * 1000


# ---- at = ----------------------------------------------------------------------------------------------

def test_a_step_waits_for_its_time(world):
    reminder(world, "start - 24h").start()
    slot = world.slot()
    uid = book(world, slot)
    job, = waiting(world)
    assert instant(job["due"]) == slot - timedelta(hours=24)
    assert job["subject"] == f"booking:{uid}" and not world.messages()


def test_a_time_that_has_passed_is_now(world):
    reminder(world, "start - 60d").start()
    book(world)
    world.wait(lambda: world.jobs("done"), "it is sent at once")
    assert len(world.messages()) == 1


def test_it_runs_when_its_time_has_come(world):
    reminder(world, "event ->> 'time' + 1500ms").start()
    book(world)
    job, = waiting(world)
    world.wait(lambda: world.jobs("done"), "it is sent")
    message, = world.messages()
    assert message["at_ms"] >= ms(instant(job["due"]))
    assert message["at_ms"] < ms(instant(job["due"])) + 1500


def test_it_waits_through_kill_9(world):
    reminder(world, "event ->> 'time' + 2s").start()
    book(world)
    due = instant(waiting(world)[0]["due"])
    world.kill_host()
    world.start_host()
    job, = waiting(world)
    assert instant(job["due"]) == due and not world.messages()
    world.wait(lambda: world.jobs("done"), "it is sent")
    message, = world.messages()
    assert message["at_ms"] >= ms(due)


def test_what_came_due_while_nobody_was_there(world):
    reminder(world, "event ->> 'time' + 500ms").start()
    book(world)
    due = instant(waiting(world)[0]["due"])
    world.kill_host()
    world.wait(lambda: datetime.now(timezone.utc) > due, "its time passes")
    world.start_host()
    world.wait(lambda: world.jobs("done"), "it is sent after the start")
    assert len(world.messages()) == 1


def test_at_without_an_instant_is_for_a_person(world):
    reminder(world, "data ->> 'title'").start()
    book(world)
    job, = world.wait(lambda: world.jobs("parked"), "it is parked")
    assert job["fail"] == "bad input" and "klinke.ini" in job["reason"] and "instant" in job["reason"]


# ---- cancel_on = -----------------------------------------------------------------------------------------

def test_a_cancelled_booking_needs_no_reminder(world):
    reminder(world, "start - 24h").start()
    uid, other = book(world), book(world)
    waiting(world, 2)
    world.control(f"/calcom/bookings/{uid}/cancel", {"reason": "krank"})
    dropped = world.wait(lambda: world.jobs("dropped"), "its reminder is dropped")
    assert [j["subject"] for j in dropped] == [f"booking:{uid}"]
    assert "booking.cancelled" in dropped[0]["reason"]
    assert [j["subject"] for j in world.jobs("waiting")] == [f"booking:{other}"]
    assert not world.messages()


def test_a_rescheduled_booking_is_reminded_of_its_new_time(world):
    world = reminder(world, "start - 24h")
    world.ini["pipeline remind"]["on"] = "booking.created, booking.rescheduled"
    world.start()
    old = book(world)
    waiting(world)
    slot = world.slot()
    new = world.control(f"/calcom/bookings/{old}/reschedule", {"start": slot.isoformat()})
    world.wait(lambda: [j["subject"] for j in world.jobs("dropped")] == [f"booking:{old}"], "the old one is dropped")
    job, = waiting(world)
    assert job["subject"] != f"booking:{old}" and instant(job["due"]) == slot - timedelta(hours=24)
    assert new


def test_cancelled_while_the_host_was_away(world):
    reminder(world, "start - 24h").start()
    uid = book(world)
    waiting(world)
    world.kill_host()
    world.control(f"/calcom/bookings/{uid}/cancel", {})
    world.start_host()
    world.wait(lambda: world.jobs("dropped"), "the webhook comes again, and drops it")
    assert not world.jobs("waiting")


def test_without_cancel_on_it_stays(world):
    reminder(world, "start - 24h", cancel_on=None).start()
    uid = book(world)
    waiting(world)
    world.control(f"/calcom/bookings/{uid}/cancel", {})
    world.wait(lambda: world.events("booking.cancelled"), "it is cancelled")
    world.wait(lambda: not world.status()["webhooks_waiting"], "and that is read")
    assert len(world.jobs("waiting")) == 1 and not world.jobs("dropped")


# ---- Polls ---------------------------------------------------------------------------------------------------

def long_ago(minutes=5):
    """A call that has been over for a while: polls leave the last minute to the webhooks."""
    now = int(time.time() * 1000)
    return {"start_timestamp": now - (minutes + 2) * 60000, "end_timestamp": now - minutes * 60000}


@pytest.fixture
def polling(world):
    """Polls every second, and has done so once: the first time only marks where we came in."""
    world.ini["connection phone"]["poll_calls"] = "1s"
    world.start()
    world.wait(lambda: world.jobs("done", op="poll_calls"), "the first poll is done")
    return world


def stories(world):
    return [j for j in world.jobs() if j.get("pipeline")]


def polls(world, n):
    """Waits for n more polls to be over."""
    before = len(world.jobs("done", op="poll_calls"))
    world.wait(lambda: len(world.jobs("done", op="poll_calls")) >= before + n, "it polls")


def test_a_poll_finds_a_call_whose_webhooks_were_lost(polling):
    polling.fault(event="call_*", lose=True, count=0)
    call = polling.ring(call=long_ago())
    polling.wait(lambda: polling.settled(1, 1), "booked and told, although nobody rang us")
    assert [e["subject"] for e in polling.events("call.analyzed")] == [f"call:{call}"]
    assert all("inbox" not in e for e in polling.events("call.analyzed"))
    polls(polling, 2)
    assert len(polling.events("call.analyzed")) == 1 and len(stories(polling)) == 2


def test_a_webhook_after_the_poll_is_a_repeat(polling):
    polling.fault(event="call_*", delay_ms=4000, count=0)
    polling.ring(call=long_ago())
    polling.wait(lambda: polling.settled_but_for_hooks(1, 1), "the poll was first")
    assert not polling.inbox_of("phone")
    polling.wait(lambda: len(polling.inbox_of("phone")) == 3, "then come the webhooks")
    polling.wait(lambda: polling.settled(1, 1), "and change nothing")
    for type_ in ("call.ended", "call.analyzed"):
        assert len(polling.events(type_)) == 1
    assert len(stories(polling)) == 2


def test_a_poll_after_the_webhook_is_a_repeat(polling):
    polling.ring(call=long_ago())
    polling.wait(lambda: polling.settled(1, 1), "told by webhook")
    polls(polling, 2)
    assert len(polling.events("call.analyzed")) == 1 and len(stories(polling)) == 2
    assert polling.settled(1, 1)


def test_events_and_mark_of_a_poll_are_one(polling):
    """kill -9 while it reads one call after the other: none is skipped, none is told twice."""
    del polling.ini["pipeline confirm"]  # a message may need a person after a kill, a booking does not
    polling.reload()
    polling.fault(event="call_*", lose=True, count=0)
    polling.fault(vendor="retell", path="/retell/v2/get-call/*", delay_ms=60, count=0)
    calls = [polling.ring(name=f"Rufer {i}", call=long_ago()) for i in range(5)]
    for asked in (1, 3, 6, 9):
        polling.wait(lambda: len(polling.requests(path="/retell/v2/get-call/*")) >= asked, "it is at it")
        polling.restart_host()
    polling.clear_faults()
    polling.wait(lambda: polling.settled(5, 0), "five bookings")
    assert sorted(e["subject"] for e in polling.events("call.analyzed")) == sorted(f"call:{c}" for c in calls)
    polls(polling, 1)
    assert len(polling.bookings()) == 5 and {j["state"] for j in stories(polling)} == {"done"}
    assert len(stories(polling)) == 5


def test_a_restart_does_not_poll_twice_for_one_slot(world):
    world.ini["connection phone"]["poll_calls"] = "1h"
    world.ini["connection calendar"]["poll_bookings"] = "1s"  # shows when the schedule has been looked at
    hour = int(time.time() // 3600)
    world.start()
    world.wait(lambda: world.jobs("done", op="poll_calls"), "the first poll is done")
    world.restart_host()
    seen = len(world.jobs("done", op="poll_bookings"))
    world.wait(lambda: len(world.jobs("done", op="poll_bookings")) >= seen + 2, "it looks at its schedule")
    assert len(world.jobs(op="poll_calls")) <= 1 + int(time.time() // 3600) - hour


def test_a_poll_of_bookings_finds_what_no_webhook_told(world):
    world.ini["connection calendar"]["poll_bookings"] = "1s"
    world.start()
    world.wait(lambda: world.jobs("done", op="poll_bookings"), "the first poll is done")
    world.fault(event="BOOKING_CREATED", lose=True, count=0)
    world.ring()
    world.wait(lambda: world.settled(1, 1), "the confirmation goes out all the same")
    assert len(world.events("booking.created")) == 1
