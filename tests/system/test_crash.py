"""The story once, and then with kill -9 of everybody at any moment: in the end exactly one booking
and one message for each call, whatever died.

Moments are chosen by what has happened at the vendors, and at random; the seed is printed.
SEED=… repeats a run, ROUNDS=… makes it longer.
"""
import os
import random
import time

import pytest

from hooks_kit import call_body, retell_headers
from world import CALLER, EVENT_TYPE, TENANT, descendants, instant

ROUNDS = int(os.environ.get("ROUNDS", "25"))
SEED = int(os.environ.get("SEED", time.time_ns() % 1000000))
PLUGINS = ["retell", "calcom_v2", "whatsapp", "fields"]
BOOK = {"vendor": "calcom_v2", "method": "POST", "path": "/calcom/v2/bookings"}
SEND = {"vendor": "whatsapp", "method": "POST", "path": "*/messages"}


@pytest.fixture
def dice():
    print(f"SEED={SEED}")
    return random.Random(SEED)


@pytest.fixture
def office(world):
    """Running; no breaker, since here half of all requests may fail and nobody is to be spared."""
    for name in ("phone", "calendar", "whatsapp"):
        world.ini[f"connection {name}"]["breaker_rate"] = 101
        world.ini[f"connection {name}"]["retry_max_tries"] = 50
    return world.start()


# ---- The story, whole ------------------------------------------------------------------------------

def outcomes(story):
    return [(a["kind"], a["name"], a["outcome"]) for a in story["attempts"]]


def test_story_is_told_by_the_store(office):
    slot = office.slot()
    call = office.ring("Jana Berger", slot=slot)
    office.wait(lambda: office.settled(1, 1) and office.events("message.read"), "the story ends")

    types = [e["type"] for e in reversed(office.events())]
    assert sorted(types) == sorted(["call.started", "call.ended", "call.analyzed", "booking.created",
                                    "message.sent", "message.delivered", "message.read"])
    analyzed = office.events("call.analyzed")[0]
    assert analyzed["subject"] == f"call:{call}" and analyzed["tenant"] == TENANT
    assert analyzed["source"] == f"{TENANT}/phone" and analyzed["data"]["from"] == CALLER

    booking, = office.bookings()
    assert booking["attendee"]["name"] == "Jana Berger" and booking["start_ms"] == slot.timestamp() * 1000
    booked, = [j for j in office.jobs() if j["pipeline"].endswith("/book")]
    assert (booked["state"], booked["tries"], booked["event"]) == ("done", 0, analyzed["id"])
    assert booking["metadata"]["klinke_key"] == booked["key"], "our key is how a booking is found again"

    story = office.show(call)
    assert sorted(e["type"] for e in story["events"]) == sorted(types), "from the first ring to the message being read"
    assert outcomes(story) == [("step", "map booking", "done"),
                               ("request", "book", "answered"),
                               ("step", "calendar.book", "done"),
                               ("request", "send", "answered"),
                               ("step", "whatsapp.send", "done")]
    mapped, asked, done, _, _ = story["attempts"]
    assert instant(mapped["output"]["start"]) == slot and mapped["output"]["phone"] == CALLER
    assert asked["status"] == 201 and asked["input"]["eventTypeId"] == int(EVENT_TYPE)
    assert done["output"]["uid"] == booking["uid"] and done["output"]["status"] == "booked"
    assert all(i["state"] == "done" for i in story["inbox"])

    # Whichever end one takes hold of, it is one story.
    created, = office.events("booking.created")
    for end in (booking["uid"], created["id"], office.events("message.read")[0]["id"]):
        story = office.show(end)
        assert [j["id"] for j in story["jobs"]] == [j["id"] for j in office.show(call)["jobs"]]
        assert {e["correlation"] for e in story["events"]} == {analyzed["correlation"]}
    sent = [a for a in story["attempts"] if a["name"] == "whatsapp.send"][-1]
    message, = office.messages()
    assert sent["output"]["message_id"] == message["wamid"]
    for type_ in ("message.sent", "message.delivered", "message.read"):
        event, = office.events(type_)
        assert event["data"]["message_id"] == message["wamid"] and event["regarding"] == message["opaque"]
    assert office.metrics()["klinke_jobs_done_total"] == 2


def test_a_senders_trace_goes_on(office):
    """W3C Trace Context: our correlation is the trace that the webhook came with."""
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    for call, header in (("traced", f"00-{trace}-00f067aa0ba902b7-01"), ("broken", "00-zz")):
        body = call_body(call)
        assert office.hook("phone", body, {**retell_headers(body), "traceparent": header})[0] == 204
    office.wait(lambda: len(office.events("call.ended")) == 2, "both are told")
    seen = {e["subject"]: e["correlation"].replace("-", "") for e in office.events("call.ended")}
    assert seen["call:traced"] == trace
    assert seen["call:broken"] == next(e["inbox"] for e in office.events("call.ended")
                                       if e["subject"] == "call:broken").replace("-", "")
    assert len(office.show("4bf92f35-77b3-4da6-a3ce-929d0e0e4736")["events"]) == 1


# ---- What must hold in the end ---------------------------------------------------------------------

def runs(world):
    """Jobs of pipelines: not the polls."""
    return [j for j in world.jobs() if j.get("pipeline")]


def is_quiet(world):
    status = world.status()
    return not (status["webhooks_waiting"] or status["jobs"]["ready"] or status["jobs"]["queued"]
                or any(h["state"] in ("pending", "sending") for h in world.hooks()))


def act_as_person(world, calls):
    """WhatsApp cannot be asked. If somebody died after the mark on disk and before the message was taken,
    only a person can see that there is none, and sends it again. What was taken must not come to that:
    its status has closed it."""
    made = lambda: [b for b in world.bookings() if b["status"] == "accepted"]
    world.wait(lambda: len(made()) == len(calls) and len(runs(world)) == 2 * len(calls) and is_quiet(world),
               "everything that goes by itself is over", 30)
    taken = {m["opaque"] for m in world.messages()}
    for job in world.jobs("parked"):
        assert job["fail"] == "unknown" and job["pipeline"].endswith("/confirm"), job
        assert job["key"] not in taken, "the status of a message that was sent did not close its job"
        print("sent again by a person:", job["id"])
        world.klinke("dead", "retry", "--resend", job["id"])


def end_well(world, calls, person=False):
    """Each of the calls has one booking and one message, and nobody has to look at anything; or only at
    what nobody but a person can know."""
    n = len(calls)
    if person:
        act_as_person(world, calls)
    world.wait(lambda: world.settled(n, n), f"{n} bookings, {n} messages, nothing left to do", 30)
    counts = world.effects()["counts"]
    assert (counts["bookings"], counts["live_bookings"], counts["double_bookings"]) == (n, n, 0)
    assert (counts["messages_out"], counts["repeated_messages"]) == (n, 0)
    world.wait(lambda: all(j["state"] == "done" for j in world.jobs()), "all jobs are done")
    assert len(runs(world)) == 2 * n
    for type_ in ("call.started", "call.ended", "call.analyzed"):
        assert sorted(e["subject"] for e in world.events(type_)) == sorted(f"call:{c}" for c in calls)
    made = sorted(e["data"]["uid"] for e in world.events("booking.created"))
    assert made == sorted(b["uid"] for b in world.bookings())
    webhooks_are_done(world)


def webhooks_are_done(world):
    """Nothing that was answered with 2xx is missing or unread. Only Cal.com gives up, after a refusal."""
    delivered = [h for h in world.hooks() if h["state"] == "delivered"]
    assert all(h["vendor"] == "calcom" and h["last"] == "503" for h in world.hooks() if h not in delivered)
    stored = world.inbox()
    assert len(stored) >= len(delivered)
    assert {i["state"] for i in stored} == {"done"}


# ---- Moments -----------------------------------------------------------------------------------------
# Each returns at its moment in the story of a call that is ringing; n bookings were there before.

def requested(world, path):
    return len(world.requests(path=path, method="POST"))


def call_was_told(world, n):
    world.wait(lambda: sum(h["event"] == "call_analyzed" and h["state"] == "delivered"
                           for h in world.hooks()) > n, "call_analyzed is taken")


def booking_is_asked_for(world, n):
    """The calendar has the request and thinks; it will book."""
    world.wait(lambda: not world.faults_left(), "the calendar is asked")


def booking_is_made(world, n):
    """It has booked, and its answer drips."""
    world.wait(lambda: len(world.bookings()) > n, "the calendar books")


def message_is_asked_for(world, n):
    world.wait(lambda: not world.faults_left(), "the messenger is asked")


def message_is_sent(world, n):
    """It has gone out, and the answer drips."""
    world.wait(lambda: len(world.messages()) > n, "the messenger sends")


def status_is_told(world, n):
    world.wait(lambda: any(h["event"].startswith("status.") and h["state"] == "delivered"
                           for h in world.hooks()[-4:]), "a status is taken")


MOMENTS = [
    (call_was_told, None),
    (booking_is_asked_for, {**BOOK, "delay_ms": 150}),
    (booking_is_made, {**BOOK, "slow_drip_ms": 5}),
    (message_is_asked_for, {**SEND, "delay_ms": 150}),
    (message_is_sent, {**SEND, "slow_drip_ms": 30}),
    (status_is_told, None),
]
TAKEN = (message_is_asked_for, message_is_sent, status_is_told)  # the messenger has it: no person is needed


@pytest.mark.parametrize("moment, fault", MOMENTS, ids=[m.__name__ for m, _ in MOMENTS])
def test_kill_the_host_at(office, moment, fault):
    if fault:
        office.fault(**fault)
    call = office.ring()
    moment(office, 0)
    office.restart_host()
    end_well(office, [call], person=moment not in TAKEN)


def test_booking_whose_answer_was_lost_is_looked_up(office):
    """Killed between sending a booking and storing the answer; no webhook tells it meanwhile."""
    office.fault(event="BOOKING_CREATED", delay_ms=1000)
    office.fault(**BOOK, slow_drip_ms=20)
    call = office.ring()
    booking_is_made(office, 0)
    office.kill_host()
    assert len(office.bookings()) == 1
    office.start_host()
    end_well(office, [call])  # the message goes out a second later, so no person is needed
    assert [r["method"] for r in office.requests(path="/calcom/v2/bookings")] == ["POST", "GET"]
    steps = [a["outcome"] for a in office.show(call)["attempts"] if a["name"] == "calendar.book"]
    assert steps == ["done, looked up"]


def test_message_whose_answer_was_lost_is_closed_by_its_status(office):
    office.settings(whatsapp_statuses=[])
    office.fault(**SEND, slow_drip_ms=30)
    call = office.ring()
    message_is_sent(office, 0)
    office.restart_host()
    parked = office.wait(lambda: office.jobs("parked"), "the job is parked")[0]
    assert parked["fail"] == "unknown" and parked["outcome_unknown"]
    message, = office.messages()
    office.control("/whatsapp/status", {"id": message["wamid"], "status": "delivered"})
    office.wait(lambda: office.job(parked["id"])["state"] == "done", "the status closes it")
    assert len(office.messages()) == 1
    steps = [a["outcome"] for a in office.show(parked["id"])["attempts"] if a["name"] == "whatsapp.send"]
    assert steps[-1] == "done, an event told"
    assert call


# ---- At random -----------------------------------------------------------------------------------------

STORY_S = 0.3  # about as long as a story takes


def at_random(dice):
    """A random moment of the story is the thing tested here, so this waits for time and nothing else."""
    time.sleep(dice.uniform(0, STORY_S))


def test_kill_the_host_at_any_moment(office, dice):
    calls = []
    for _ in range(ROUNDS):
        calls.append(office.ring())
        at_random(dice)
        office.restart_host()
    end_well(office, calls, person=True)


def test_kill_any_worker_at_any_moment(office, dice):
    """A plugin that dies often in a row gets a rest, and its webhooks 503. Cal.com never repeats one: that is
    what the poll is for."""
    office.ini["connection calendar"]["poll_bookings"] = "1s"
    office.reload()
    office.wait(lambda: office.jobs("done", op="poll_bookings"), "it has begun to poll")
    calls = []
    for round_ in range(ROUNDS):
        calls.append(office.ring())
        at_random(dice)
        for worker in office.workers(f"kl-{PLUGINS[round_ % len(PLUGINS)]}"[:15]):
            worker.kill()
    end_well(office, calls)


def test_kill_the_sandbox_at_any_moment(office, dice):
    calls = []
    for _ in range(max(ROUNDS // 3, 1)):
        calls.append(office.ring())
        at_random(dice)
        office.restart_sandbox()
    end_well(office, calls, person=True)


def test_kill_everybody_at_any_moment(office, dice):
    calls = []
    for _ in range(max(ROUNDS // 2, 1)):
        calls += [office.ring(), office.ring("Kai Möller")]
        for victim in dice.sample(["host", "worker", "sandbox", "host"], 2):
            at_random(dice)
            if victim == "host":
                office.restart_host()
            elif victim == "sandbox":
                office.restart_sandbox()
            else:
                workers = office.workers()
                if workers:
                    dice.choice(workers).kill()
    end_well(office, calls, person=True)


def test_killed_while_it_starts(office, dice):
    """Also a host that is recovering may be killed."""
    office.fault(**BOOK, slow_drip_ms=20)
    call = office.ring()
    booking_is_made(office, 0)
    office.kill_host()
    for _ in range(8):
        office.launch_host()
        time.sleep(dice.uniform(0, 0.1))  # any moment of the start
        office.kill_host()
    office.start_host()
    end_well(office, [call], person=True)


def test_killed_without_its_zygote(office):
    """The process that workers are forked from dies: another one takes its place, nothing is lost."""
    before = descendants(office.host.pid)
    calls = [office.ring() for _ in range(3)]
    next(p for p in before if p.name == "klinke-zygote").kill()
    calls += [office.ring() for _ in range(3)]
    office.wait(lambda: [p for p in descendants(office.host.pid) if p.name.startswith("kl-")
                         and p.pid not in {old.pid for old in before}], "there are workers again")
    end_well(office, calls)
    assert [p.name for p in descendants(office.host.pid)].count("klinke-zygote") == 1
