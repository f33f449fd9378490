"""Answers that get lost, refusals, outages, wrong keys: what may have happened is looked up or parked,
never sent again on a guess; what was not taken goes out later, without a storm."""
import json
import time
from datetime import timedelta

import pytest

from world import CALLER, TENANT, instant

BOOK = {"vendor": "calcom_v2", "method": "POST", "path": "/calcom/v2/bookings"}
SEND = {"vendor": "whatsapp", "method": "POST", "path": "*/messages"}
TIMEOUT_MS = 400

LOST = {  # it happened, and nobody hears of it
    "close_after": {"close_after": True},
    "500 acted": {"status": 500, "act": True},
    "too late": {"delay_ms": TIMEOUT_MS + 300},
    "truncated": {"truncate": True},
    "not JSON": {"non_json": True},
    "10 MB": {"huge": True},
    "drips": {"slow_drip_ms": 100},
}
NOTHING = {  # it did not happen, which nobody hears of either
    "close_before": {"close_before": True},
    "500 not acted": {"status": 500},
    "502 of a proxy": {"status": 502, "body": "<html>Bad Gateway</html>"},
}


def cases(table):
    return pytest.mark.parametrize("fault", table.values(), ids=table.keys())


@pytest.fixture
def office(world):
    for name in ("calendar", "whatsapp"):
        world.ini[f"connection {name}"]["timeout"] = f"{TIMEOUT_MS}ms"
    return world.start()


def the_job(world, pipeline):
    found = [j for j in world.jobs() if j.get("pipeline", "").endswith("/" + pipeline)]
    assert len(found) <= 1
    return found[0] if found else None


def in_state(world, pipeline, state):
    """The only job of that pipeline once it is in that state; a state it cannot leave ends the waiting."""
    def look():
        job = the_job(world, pipeline)
        if job and job["state"] != state:
            assert job["state"] not in ("dead", "dropped", "done"), job
        return job if job and job["state"] == state else None
    return world.wait(look, f"{pipeline} is {state}")


def asked(world, fault):
    """How often the sandbox was asked for what the fault is about."""
    return len(world.requests(path=fault["path"], method=fault["method"]))


def outcomes(world, job, name):
    return [a["outcome"] for a in world.show(job["id"])["attempts"]
            if a["kind"] == "step" and a["name"] == name]


# ---- Booking: the provider can be asked --------------------------------------------------------------

@cases(LOST)
def test_booking_is_looked_up(office, fault):
    office.fault(event="BOOKING_CREATED", lose=True)  # only the look-up can tell
    office.fault(**BOOK, **fault)
    office.ring()
    job = in_state(office, "book", "done")
    assert len(office.bookings()) == 1 and asked(office, BOOK) == 1
    # what came in one piece and makes no sense, the plugin itself compares with the calendar
    assert outcomes(office, job, "calendar.book")[-1] == ("done" if "non_json" in fault else "done, looked up")
    assert len(office.requests(path="/calcom/v2/bookings", method="GET")) >= 1
    assert "outcome_unknown" not in job


@cases(NOTHING)
def test_booking_is_sent_again_only_when_it_was_absent_twice(office, fault):
    office.fault(**BOOK, **fault)
    office.ring()
    job = in_state(office, "book", "done")
    assert len(office.bookings()) == 1
    methods = [r["method"] for r in office.requests(path="/calcom/v2/bookings")]
    assert methods == ["POST", "GET", "GET", "POST"]
    assert outcomes(office, job, "calendar.book") == ["absent", "absent", "done"]
    first, second = (r["at_ms"] for r in office.requests(path="/calcom/v2/bookings", method="GET"))
    assert second - first >= TIMEOUT_MS, "between two looks lies the request's timeout"


def test_booking_is_closed_by_its_webhook(office):
    """The look-up finds nobody at home; the webhook tells it all the same."""
    office.fault(vendor="calcom_v2", method="GET", path="/calcom/v2/bookings", status=503, count=0)
    office.fault(event="BOOKING_CREATED", delay_ms=500)
    office.fault(**BOOK, close_after=True)
    office.ring()
    job = in_state(office, "book", "done")
    assert outcomes(office, job, "calendar.book")[-1] == "done, an event told"
    office.wait(lambda: office.settled(1, 1), "the message goes out")
    assert asked(office, BOOK) == 1


def test_a_look_up_that_fails_is_tried_again(office):
    """An outage is no reason to trouble a person: nothing is known, so it looks again later."""
    office.fault(event="BOOKING_CREATED", lose=True)
    office.fault(vendor="calcom_v2", method="GET", path="/calcom/v2/bookings", status=503, count=3)
    office.fault(**BOOK, close_after=True)
    office.ring()
    job = in_state(office, "book", "done")
    assert outcomes(office, job, "calendar.book")[-1] == "done, looked up"
    assert asked(office, BOOK) == 1 and len(office.bookings()) == 1
    assert len(office.requests(path="/calcom/v2/bookings", method="GET")) == 4


def test_a_look_up_that_is_redirected_is_tried_again(office):
    """A proxy or a page to log in has answered, not the calendar."""
    away = {"status": 302, "body": "", "headers": {"Location": "http://127.0.0.1:9/login"}}
    office.fault(event="BOOKING_CREATED", lose=True)
    office.fault(vendor="calcom_v2", method="GET", path="/calcom/v2/bookings", count=2, **away)
    office.fault(**BOOK, act=True, **away)
    office.ring()
    job = in_state(office, "book", "done")
    assert outcomes(office, job, "calendar.book")[-1] == "done, looked up"
    assert asked(office, BOOK) == 1 and len(office.bookings()) == 1


def test_a_refusal_is_no_riddle(office):
    """A slot that somebody else has is refused once, and nothing is repeated."""
    slot = office.slot()
    office.control("/calcom/bookings", {"eventTypeId": 310455, "start": slot.isoformat(), "name": "A"})
    office.control("/calcom/bookings", {"eventTypeId": 310455, "start": slot.isoformat(), "name": "B"})
    office.ring(slot=slot)
    job = in_state(office, "book", "parked")
    assert job["fail"] == "conflict" and asked(office, BOOK) == 1
    assert len(office.bookings()) == 2


# ---- Booking: is what the key does not see not there? --------------------------------------------------

OWN_TYPE, COLLEAGUE = "310457", 5013


def books(world, kind):
    world.ini["mapping booking"]["event_type"] = f"text, required : '{kind}'"


def parked_with_the_remedy(world, *words):
    job = in_state(world, "book", "parked")
    assert job["fail"] == "unknown" and job["outcome_unknown"]
    for word in ("look there whether it was made", *words):
        assert word in job["reason"]
    return job


@pytest.mark.parametrize("fault, made", [({"close_after": True}, 1), ({"close_before": True}, 0)])
def test_booking_that_a_members_key_cannot_see_is_not_made_twice(office, fault, made):
    """Of a round robin a member sees what the member was given; a second look would see no more."""
    office.settings(calcom_account=COLLEAGUE)
    office.fault(event="BOOKING_CREATED", lose=True)
    office.fault(**BOOK, **fault)
    office.ring()
    job = parked_with_the_remedy(office, "use the key of an owner or admin of the team", "scope = team")
    assert asked(office, BOOK) == 1 and len(office.bookings()) == made
    assert outcomes(office, job, "calendar.book") == [], "neither absent nor done"
    lists = office.requests(path="/calcom/v2/*bookings", method="GET")
    assert [r["path"] for r in lists] == ["/calcom/v2/bookings"], "nothing is asked that the key may not read"


def test_booking_that_a_members_key_cannot_see_is_closed_by_its_webhook(office):
    office.settings(calcom_account=COLLEAGUE)
    office.fault(event="BOOKING_CREATED", delay_ms=1500)
    office.fault(**BOOK, close_after=True)
    office.ring()
    parked_with_the_remedy(office)
    job = in_state(office, "book", "done")
    assert outcomes(office, job, "calendar.book")[-1] == "done, an event told"
    assert asked(office, BOOK) == 1 and len(office.bookings()) == 1


@pytest.mark.parametrize("scope", ["user", "team"])
def test_booking_of_an_own_type_is_proven_by_the_own_list(world, scope):
    """The list of a team has nobody's own bookings, whoever reads it."""
    books(world, OWN_TYPE)
    calendar = world.ini["connection calendar"]
    calendar["timeout"], calendar["scope"], calendar["team"] = f"{TIMEOUT_MS}ms", scope, "880"
    world.start()
    world.fault(event="BOOKING_CREATED", lose=True)
    world.fault(**BOOK, close_after=True)
    world.ring()
    job = in_state(world, "book", "done")
    assert outcomes(world, job, "calendar.book")[-1] == "done, looked up"
    assert asked(world, BOOK) == 1 and len(world.bookings()) == 1


def test_booking_of_an_own_type_is_sent_again_when_it_was_absent_twice(world):
    books(world, OWN_TYPE)
    world.ini["connection calendar"]["timeout"] = f"{TIMEOUT_MS}ms"
    world.start()
    world.fault(**BOOK, close_before=True)
    world.ring()
    job = in_state(world, "book", "done")
    assert outcomes(world, job, "calendar.book") == ["absent", "absent", "done"]
    assert asked(world, BOOK) == 2 and len(world.bookings()) == 1
    proofs = [r["path"].rpartition("v2")[2] for r in world.requests(vendor="calcom_v2", method="GET")
              if r["path"].endswith(("/me", OWN_TYPE, "/memberships"))]
    assert proofs == [f"/event-types/{OWN_TYPE}", "/me"] * 2


@pytest.mark.parametrize("key_of, kind, end", [
    ("its owner", OWN_TYPE, "done"), ("an owner of the team", "310455", "parked"),
    ("an administrator", "310455", "done")])
def test_booking_by_v1_is_proven_too(world, key_of, kind, end):
    """v1 shows a key one person's bookings, whoever leads the team; only an administrator of the server sees all."""
    books(world, kind)
    world.ini["mapping booking"].add("email", "text : 'jana.berger@example.org'")
    calendar = world.ini["connection calendar"]
    calendar["plugin"], calendar["timeout"] = "calcom_v1", f"{TIMEOUT_MS}ms"
    calendar["base_url"] = calendar["base_url"].replace("v2", "v1")
    world.start()
    world.control("/things/user/5012", {"admin": key_of == "an administrator"}, "PUT")
    slot = world.slot()
    if kind == "310455":  # so it is given to the colleague
        world.control("/calcom/block", {"user": 5012, "start": slot.isoformat(),
                                        "end": (slot + timedelta(minutes=30)).isoformat()})
    world.fault(event="BOOKING_CREATED", lose=True)
    world.fault(vendor="calcom_v1", method="POST", path="/calcom/v1/bookings", close_after=True)
    world.ring(slot=slot)
    if end == "done":
        assert outcomes(world, in_state(world, "book", end), "calendar.book")[-1] == "done, looked up"
    else:
        parked_with_the_remedy(world, "use the key of an administrator of the server, or calcom_v2")
    assert len(world.requests(path="/calcom/v1/bookings", method="POST")) == 1 and len(world.bookings()) == 1


def test_what_cannot_be_looked_up_is_told_before_anything_goes_wrong(office):
    assert office.call(f"{TENANT}/calendar.test", {"event_type": "310455"})["provable"] is True
    office.settings(calcom_account=COLLEAGUE)
    told = office.call(f"{TENANT}/calendar.test", {"event_type": "310455"})
    assert told["provable"] is False and "scope = team" in told["remedy"]


# ---- Message: the provider cannot be asked --------------------------------------------------------------

@cases(LOST)
def test_message_is_parked_and_closed_by_its_status(office, fault):
    office.settings(whatsapp_statuses=[])
    office.fault(**SEND, **fault)
    office.ring()
    job = in_state(office, "confirm", "parked")
    assert job["fail"] == "unknown" and job["outcome_unknown"]
    message, = office.wait(office.messages, "it went out")
    office.control("/whatsapp/status", {"id": message["wamid"], "status": "delivered"})
    in_state(office, "confirm", "done")
    assert len(office.messages()) == 1 and asked(office, SEND) == 1


def test_message_whose_status_comes_first(office):
    """The status overtakes the answer, which then is lost."""
    office.settings(whatsapp_status_gap_ms=1)
    office.fault(**SEND, slow_drip_ms=100)
    office.ring()
    in_state(office, "confirm", "done")
    assert len(office.messages()) == 1 and asked(office, SEND) == 1


def test_a_failed_status_tells_that_it_did_not_arrive(office):
    office.settings(whatsapp_statuses=[])
    office.fault(**SEND, close_after=True)
    office.ring()
    in_state(office, "confirm", "parked")
    message, = office.messages()
    office.control("/whatsapp/status", {"id": message["wamid"], "status": "failed", "code": 131026})
    job = office.wait(lambda: [j for j in office.jobs("parked") if j["fail"] != "unknown"],
                      "it is known now")[0]
    assert job["fail"] == "gone" and "131026" in job["reason"]
    assert "outcome_unknown" not in job
    assert asked(office, SEND) == 1


@cases(NOTHING)
def test_message_that_nobody_knows_of_waits_for_a_person(office, fault):
    office.fault(**SEND, **fault)
    office.ring()
    job = in_state(office, "confirm", "parked")
    assert job["fail"] == "unknown" and not office.messages()
    dead = office.rows("dead")
    assert [j["id"] for j in dead] == [job["id"]] and "it may have happened" in dead[0]["advice"]

    office.klinke("dead", "retry", job["id"])  # looks; cannot; parks again
    office.wait(lambda: the_job(office, "confirm")["updated"] != job["updated"]
                and the_job(office, "confirm")["state"] == "parked", "it is parked again")
    assert asked(office, SEND) == 1 and not office.messages()

    office.klinke("dead", "retry", "--resend", job["id"])
    in_state(office, "confirm", "done")
    assert asked(office, SEND) == 2 and len(office.messages()) == 1


def test_drop_lets_it_go(office):
    office.fault(**SEND, close_before=True)
    office.ring()
    job = in_state(office, "confirm", "parked")
    office.klinke("dead", "drop", job["id"], "--reason", "called her instead")
    dropped = office.job(job["id"])
    assert dropped["state"] == "dropped" and "called her instead" in dropped["reason"]
    assert not office.rows("dead") and asked(office, SEND) == 1
    again = office.klinke("dead", "retry", job["id"], check=False)
    assert again.returncode == 1 and "neither dead nor parked" in again.stderr


# ---- Refused for the moment --------------------------------------------------------------------------

SLOTS = {"vendor": "calcom_v2", "method": "GET", "path": "/calcom/v2/slots"}


def asks_for_days(world):
    """A pipeline whose requests can be told apart: what somebody writes is the day that is asked for."""
    world.ini.drop("pipeline")
    world.ini.drop("mapping")
    world.ini.add("pipeline ask", ("on", "message.received"),
                  ("step", "calendar.slots event_type=310455 timezone=Europe/Berlin from=(data ->> 'text') "
                           "to=(strftime('%Y-%m-%dT%H:%M:%SZ', data ->> 'text', '+1 day'))"))


def write(world, day, sender=CALLER[1:]):
    world.control("/whatsapp/inbound", {"from": sender, "text": f"2027-01-{day:02}T00:00:00Z"})


def days_asked(world, status=None):
    """Days of the requests at the calendar, in their order; only those answered so. A day before the
    one that was written: the plugin asks from a little earlier, for the sake of zones."""
    return [int(dict(map(tuple, r["query"]))["start"][8:10]) for r in world.requests(path=SLOTS["path"])
            if status in (None, r["status"])]


def all_done(world, n):
    return world.wait(lambda: len(world.jobs("done")) == n and len(world.jobs()) == n, f"{n} jobs are done")


def test_retry_after_is_honoured(office):
    office.fault(**BOOK, status=429, headers={"Retry-After": "1"}, body={"message": "slow down"})
    office.ring()
    office.wait(lambda: office.settled(1, 1), "booked afterwards")
    first, second = office.requests(path="/calcom/v2/bookings", method="POST")
    assert first["status"] == 429 and second["status"] == 201
    assert 1000 <= second["at_ms"] - first["at_ms"] < 3000


@pytest.mark.parametrize("age, most_s", [("3d", 1.1 * 3600), ("10m", 600)])
def test_retry_after_is_not_honoured_for_ever(world, age, most_s):
    """An instant in place of seconds is 57 years: the booking is tried again, while somebody wants it."""
    world.ini["connection calendar"]["retry_max_age"] = age
    world.start()
    world.fault(**BOOK, status=429, headers={"Retry-After": "1795404974"}, body={"message": "slow down"}, count=0)
    world.ring()
    job, = world.wait(lambda: [j for j in world.jobs("ready") if j.get("fail") == "busy"], "it is put off")
    put_off_s = (instant(job["due"]) - instant(job["created"])).total_seconds()
    assert 60 < put_off_s < most_s + 30  # until it was asked for the first time


def test_a_limit_holds_for_the_whole_lane(world):
    """One 429 stops everybody who uses that credential, not only the one who got it."""
    asks_for_days(world)
    world.start()
    world.fault(**SLOTS, status=429, headers={"Retry-After": "1"})
    for i in range(5):
        write(world, i + 4, f"49171392005{i}")
    all_done(world, 5)
    times = [r["at_ms"] for r in world.requests(path=SLOTS["path"])]
    refused = [r for r in world.requests(path=SLOTS["path"]) if r["status"] == 429]
    assert len(refused) == 1 and len(times) == 6
    late = [t for t in times if t - refused[0]["at_ms"] > 100]
    assert all(t - refused[0]["at_ms"] >= 1000 for t in late)


def test_an_outage_keeps_the_order_and_makes_no_storm(world):
    asks_for_days(world)
    calendar = world.ini["connection calendar"]
    calendar["breaker_volume"], calendar["breaker_open"] = 3, "300ms"
    calendar["retry_base"], calendar["retry_cap"] = "50ms", "100ms"
    calendar["retry_max_tries"] = 1000
    world.start()
    lane = next(k for k in world.metrics() if k.startswith('klinke_lane_open{lane="calcom_v2'))
    world.fault(**SLOTS, status=503, count=0)
    begun = time.monotonic()
    for day in (4, 5, 6, 7):
        write(world, day)
        world.wait(lambda: len(world.events("message.received")) >= day - 3, "it is taken")
    world.wait(lambda: world.metrics()[lane] == 1, "the breaker opens")
    world.wait(lambda: len(days_asked(world)) >= 5, "it probes")
    outage_s = time.monotonic() - begun
    assert set(days_asked(world)) == {3}, "the others wait for the first one"
    # 3 until it opens; then one probe for every 300 ms, which double
    assert len(days_asked(world)) <= 3 + 1 + outage_s / 0.3
    world.clear_faults()
    all_done(world, 4)
    assert days_asked(world, 200) == [3, 4, 5, 6]
    assert world.metrics()[lane] == 0


def test_an_open_breaker_survives_a_restart(world):
    asks_for_days(world)
    calendar = world.ini["connection calendar"]
    calendar["breaker_volume"], calendar["breaker_open"] = 3, "3s"
    calendar["retry_base"], calendar["retry_cap"], calendar["retry_max_tries"] = "20ms", "50ms", 1000
    world.start()
    lane = next(k for k in world.metrics() if k.startswith('klinke_lane_open{lane="calcom_v2'))
    world.fault(**SLOTS, status=503, count=3)
    write(world, 4)
    world.wait(lambda: world.metrics()[lane] == 1, "the breaker opens")
    opened = time.time() * 1000
    world.restart_host()
    assert world.metrics()[lane] == 1
    all_done(world, 1)
    assert world.requests(path=SLOTS["path"])[-1]["at_ms"] - opened >= 2500


def test_a_stop_costs_no_try(world):
    """What waits for its turn when the host stops was not sent: nothing has failed."""
    asks_for_days(world)
    calendar = world.ini["connection calendar"]
    calendar["concurrency"], calendar["retry_max_tries"], calendar["timeout"] = 1, 1, "10s"
    world.start()
    world.fault(**SLOTS, delay_ms=4000)
    write(world, 4)
    world.wait(lambda: not world.faults_left(), "the first is asked")
    write(world, 5, "491713920099")
    world.wait(lambda: len(world.jobs("ready")) == 2, "the second waits for its turn")
    assert world.stop_host() == 0
    world.start_host()
    all_done(world, 2)


# ---- A wrong key ---------------------------------------------------------------------------------------

def key_in_a_file(world, key):
    file = world.directory / "calcom.key"
    file.write_text(key + "\n")
    file.chmod(0o600)
    world.ini["connection calendar"]["api_key"] = f"@{file}"


def test_a_success_ends_the_pause(world):
    """The key is right again at the vendor: who tries by hand need not wait for the pause, and then nobody does."""
    asks_for_days(world)
    world.start()
    world.fault(**SLOTS, status=401, body={"error": "Unauthorized"})
    write(world, 4)
    world.wait(lambda: world.jobs("ready", fail="bad auth"), "the connection is paused")
    world.call(f"{TENANT}/calendar.test")
    world.wait(lambda: world.jobs("done", pipeline="agency/ask"), "the job goes on at once")


def test_a_refused_key_pauses_the_connection(world):
    """Knocking on with a wrong key locks accounts: one request, then silence until the key is mended."""
    key_in_a_file(world, "cal_live_wrong")
    world.start()
    calls = [world.ring()]
    world.wait(lambda: world.jobs("ready", fail="bad auth"), "the key is refused")
    calls += [world.ring(), world.ring()]
    world.wait(lambda: len(world.jobs("ready", fail="bad auth")) == 3, "the others wait, too")
    assert asked(world, BOOK) == 1
    assert "cal_live_wrong" not in world.log() and "connection paused" in world.log()

    key_in_a_file(world, "cal_live_sandbox")
    world.reload()
    world.wait(lambda: world.settled(3, 3), "all are booked with the right key")
    assert asked(world, BOOK) == 4
    assert len(calls) == 3


def test_a_key_under_another_name_serves_also_what_began_before(world):
    """The configuration's text changes with the key; what was refused must not stay with the old one."""
    world.secrets["OLD_KEY"], world.secrets["NEW_KEY"] = "cal_live_wrong", "cal_live_sandbox"
    world.ini["connection calendar"]["api_key"] = "${OLD_KEY}"
    world.start()
    world.ring()
    world.wait(lambda: world.jobs("ready", fail="bad auth"), "the key is refused")
    world.ini["connection calendar"]["api_key"] = "${NEW_KEY}"
    world.reload()
    world.wait(lambda: world.settled(1, 1), "it is booked with the new key")
    assert asked(world, BOOK) == 2


def test_a_refused_key_of_somebody_who_waits_is_told_at_once(world):
    key_in_a_file(world, "cal_live_wrong")
    world.start()
    answer = world.call(f"{TENANT}/calendar.test", check=False)
    assert answer["state"] == "dropped" and answer["fail"] == "bad auth", "told, and no dead letter"
    assert "cal_live_wrong" not in json.dumps(answer)
