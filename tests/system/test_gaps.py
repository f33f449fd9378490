"""klinke gaps: what the vendors have and never told is found, and brought in once."""
import json
import sqlite3
import time
from datetime import datetime, timedelta, timezone

from world import CALLER, EVENT_TYPE, TENANT

LOST = {"vendor": "retell", "event": "call_*", "lose": True, "count": 0}


def ten_minutes_ago(world):
    """The vendors' clock goes after: what is younger than a minute is left to its webhook."""
    now = datetime.now(timezone.utc) - timedelta(minutes=10)
    world.control("/clock", {"now": f"{now:%Y-%m-%dT%H:%M:%SZ}"})


def lose_everything(world):
    world.fault(**LOST)
    world.fault(vendor="calcom", event="*", lose=True, count=0)


def come_back(world):
    world.clear_faults()
    world.control("/clock", {"now": None})


def all_gone(world):
    return not any(h["state"] in ("pending", "sending") for h in world.hooks())


def gaps(world, *arguments):
    """(exit code, answer)."""
    done = world.klinke("gaps", "--json", *arguments, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)


def found(answer):
    return sorted((g["kind"], g["id"], g["what"], g["fetched"]) for g in answer["gaps"])


def desk_booking(world, slot):
    made = world.control("/calcom/bookings", {
        "eventTypeId": int(EVENT_TYPE), "start": slot.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "name": "Max Muster", "email": "max@example.org"})
    return made["uid"]


def count(world, type_, subject):
    return len(world.events(type_, subject=subject))


def test_what_never_came_is_found_and_fetched_once(world):
    world.start()
    ten_minutes_ago(world)
    assert gaps(world) == (0, {"gaps": [], "problems": [], "looked": 2, "unread": 0, "open": 0})
    lose_everything(world)
    call, uid = world.ring(), desk_booking(world, world.slot())
    world.wait(lambda: all_gone(world), "every webhook is lost")
    told = world.klinke("gaps", check=False).stdout
    assert told.count("never came") == 2 and "open: 2; klinke gaps --fetch brings in" in told
    code, answer = gaps(world)
    assert code == 1 and answer["open"] == 2 and not answer["problems"]
    assert found(answer) == [("booking", uid, "never came", False), ("call", call, "never came", False)]
    assert all(g["tenant"] == TENANT for g in answer["gaps"])
    assert world.events() == [] and world.bookings()[0]["uid"] == uid and len(world.bookings()) == 1

    come_back(world)
    code, answer = gaps(world, "--fetch")
    assert code == 0 and answer["open"] == 0
    assert found(answer) == [("booking", uid, "never came", True), ("call", call, "never came", True)]
    # pipelines ran: the caller's appointment was made; the desk's has no phone to be confirmed to
    world.wait(lambda: world.settled(2, 1), "the call's pipeline books and confirms")
    assert count(world, "call.ended", f"call:{call}") == count(world, "call.analyzed", f"call:{call}") == 1
    assert count(world, "booking.created", f"booking:{uid}") == 1
    assert gaps(world, "--fetch")[0] == 0
    assert count(world, "call.ended", f"call:{call}") == count(world, "booking.created", f"booking:{uid}") == 1
    assert len(world.bookings()) == 2 and len(world.messages()) == 1
    table = world.klinke("gaps").stdout
    assert table == "no gaps; asked for their lists: 2 connections\n"


def test_what_stands_here_and_not_there_is_told(world):
    world.ini.drop("pipeline")
    world.start()
    ten_minutes_ago(world)
    uids = [desk_booking(world, world.slot()) for _ in range(2)]
    world.wait(lambda: len(world.events("booking.created")) == 2, "both are known")
    lose_everything(world)
    world.control(f"/calcom/bookings/{uids[0]}/cancel", {"reason": "krank"})
    world.wait(lambda: all_gone(world), "its webhook is lost")
    code, answer = gaps(world)
    assert (code, found(answer)) == (1, [("booking", uids[0], "stands here, and not there", False)])
    code, answer = gaps(world, "--fetch")
    assert (code, found(answer)) == (0, [("booking", uids[0], "stands here, and not there", True)])
    assert len(world.events("booking.cancelled")) == 1
    assert gaps(world)[0] == 0
    # the calendar has lost the other one altogether: nobody can fetch that
    world.control("/reset", {})
    for _ in range(2):
        code, answer = gaps(world, "--fetch")
        assert (code, found(answer)) == (1, [("booking", uids[1], "stands here, and is not in its list", False)])


def test_a_moved_booking_is_one_gap(world):
    world.ini.drop("pipeline")
    world.start()
    ten_minutes_ago(world)
    first, second = world.slot(), world.slot()
    uid = desk_booking(world, first)
    world.wait(lambda: world.events("booking.created"), "it is known")
    lose_everything(world)
    world.control(f"/calcom/bookings/{uid}/reschedule",
                  {"start": second.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")})
    world.wait(lambda: all_gone(world), "its webhook is lost")
    code, answer = gaps(world, "--fetch")
    assert code == 0 and [(g["what"], g["fetched"]) for g in answer["gaps"]] == [("never came", True)]
    assert answer["gaps"][0]["id"] != uid
    assert len(world.events("booking.rescheduled")) == 1 and not world.events("booking.cancelled")
    assert gaps(world)[0] == 0


def test_a_list_that_cannot_be_had_is_no_good_end(world):
    world.start()
    ten_minutes_ago(world)
    world.fault(vendor="retell", path="/retell/v3/list-calls*", status=500, count=0)
    world.fault(vendor="calcom", path="/calcom/v2/bookings*", status=500, count=0)
    code, answer = gaps(world)
    assert code == 1 and not answer["gaps"]
    assert sorted(p["connection"] for p in answer["problems"]) == [f"{TENANT}/calendar", f"{TENANT}/phone"]
    assert (answer["looked"], answer["unread"]) == (2, 2)
    told = world.klinke("gaps", check=False)
    assert told.stdout == "2 of 2 lists could not be read; nothing is known\n", told.stdout
    world.clear_faults()
    world.fault(vendor="retell", path="/retell/v3/list-calls*", status=500, count=0)
    told = world.klinke("gaps", check=False)
    assert told.stdout == ("no gaps in what could be read\n"
                           "1 of 2 lists could not be read; nothing is known of what they have\n"), told.stdout
    world.clear_faults()
    done = world.klinke("gaps", "--since", "400d", check=False)
    assert done.returncode == 1 and "keep_call" in done.stderr
    assert world.klinke("gaps", "--since", "soon", check=False).returncode == 2
    assert world.klinke("gaps", "--tenant", "nobody", check=False).returncode == 1


def test_tenants_see_their_own_gaps_only(world):
    numbers = {TENANT: "+493023125010", "waldhof": "+493055500099"}
    world.ini[f"tenant {TENANT}"]["numbers"] = numbers[TENANT]
    world.ini.add("tenant waldhof", timezone="Europe/Berlin", numbers=numbers["waldhof"])
    del world.ini["connection phone"].pairs[0]  # tenant: it is the agency's now
    world.ini.drop("pipeline")
    world.start()
    ten_minutes_ago(world)
    lose_everything(world)
    calls = {tenant: world.control("/retell/call", {"to_number": number})["call_id"]
             for tenant, number in numbers.items()}
    world.control("/retell/call", {"to_number": "+493099999999"})  # nobody's
    world.wait(lambda: all_gone(world), "every webhook is lost")
    for tenant, call in calls.items():
        code, answer = gaps(world, "--tenant", tenant)
        assert (code, found(answer)) == (1, [("call", call, "never came", False)])
        assert answer["gaps"][0]["tenant"] == tenant
    code, answer = gaps(world, "--fetch", "--tenant", "waldhof")
    assert (code, found(answer)) == (0, [("call", calls["waldhof"], "never came", True)])
    assert {e["tenant"] for e in world.events()} == {"waldhof"}
    code, answer = gaps(world)
    assert code == 1 and {g["tenant"] for g in answer["gaps"]} == {TENANT, "agency"}


def test_the_clock_looks_too_and_leaves_the_past_alone(world):
    world.ini.drop("pipeline")
    world.ini["host"]["find_gaps"] = "500ms"
    world.start()
    ten_minutes_ago(world)
    lose_everything(world)
    old = world.control("/retell/call", {})["call_id"]
    world.wait(lambda: all_gone(world), "its webhooks are lost")
    # first seen now: a call of ten minutes ago is somebody else's story
    found_once = lambda: world.requests("retell", "/retell/v3/list-calls")
    world.wait(found_once, "the clock has looked")
    assert not world.events()
    assert world.stop_host() == 0
    with sqlite3.connect(world.state / "klinke.db") as db:  # as if it were known for a day
        changed = db.execute("UPDATE checkpoint SET value = ? WHERE op = 'gaps'",
                             (str(int((time.time() - 86400) * 1000)),)).rowcount
        assert changed == 2
    db.close()
    world.start_host()
    world.wait(lambda: world.events("call.analyzed", subject=f"call:{old}"), "it is fetched")
    world.wait(lambda: world.metrics().get("klinke_gaps_found_total") == 1, "it is counted")
    assert world.metrics()["klinke_gaps_open"] == 0
    assert "gap closed" in world.log() and CALLER not in world.log()


def test_without_a_host_it_looks_as_well(world):
    world.ini.drop("pipeline")
    world.start()
    ten_minutes_ago(world)
    lose_everything(world)
    call = world.control("/retell/call", {})["call_id"]
    world.wait(lambda: all_gone(world), "its webhooks are lost")
    assert world.stop_host() == 0
    code, answer = gaps(world, "--fetch")
    assert (code, found(answer)) == (0, [("call", call, "never came", True)])
    assert len(world.events("call.analyzed")) == 1
