"""What an operator must learn although no job waits for a person: callers who are turned away, a key that is refused, a
vendor that is down, a plugin that does not load. Each is told as an event, and where else one looks."""
import re
import signal
import subprocess
import sys
from pathlib import Path

from desk_kit import Call, answering, spoken
from hooks_kit import retell_headers
from test_care import doctor, findings
from test_events import data_of, faults
from world import CALLER, KLINKE, PLUGINS, SECRETS, TENANT, request

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "soak"))
from clock import Clock  # noqa: E402

CALENDAR = f"{TENANT}/calendar"
PAUSED = f'klinke_connection_paused{{connection="{CALENDAR}"}}'


def told(world, type_):
    """The data of the host's events of a type, held against its schema."""
    found = [data_of(world, e) for e in world.events(type_)]
    assert not [f for data in found for f in faults(type_, data)], found
    assert not found or faults(type_, {**found[0], "reason": 1}), "a known-bad event passes"
    return found


def lines(world, message):
    return [line for line in world.log().splitlines() if f'msg="{message}"' in line]


def failures(world):
    return {re.search('reason="([^"]+)"', k).group(1): v for k, v in world.metrics().items()
            if k.startswith(f'klinke_desk_failures_total{{tenant="{TENANT}"')}


def overview(world):
    """The page that one sees first."""
    bearer = {"Authorization": f"Bearer {SECRETS['KLINKE_ADMIN_TOKEN']}"}
    return request(world.port, "GET", "/", headers=bearer)[1].decode()


def alarm(world, type_):
    """A pipeline that acts on such an event."""
    world.ini.add(f"pipeline on-{type_.replace('.', '-')}", on=type_, step="phone.test")


def acted(world, type_):
    return world.wait(lambda: world.jobs("done", pipeline=f"agency/on-{type_.replace('.', '-')}"), "a pipeline acts on it")


def check(world, slot):
    return Call(world).ask("check_availability", **slot)["availability_checked"]


# ---- Callers who are turned away -----------------------------------------------------------------------

def test_callers_turned_away_for_an_event_type_that_is_not_there(world):
    answering(world)
    world.ini["service kontrolle"]["event_type"] = "999999"
    alarm(world, "calendar.failed")
    world.start()
    assert findings(doctor(world), "callers")[0]["result"] == "ok"
    slot = spoken(world.slot())
    assert not any([check(world, slot) for _ in range(3)])
    assert not Call(world).ask("book_appointment", name="Jana Berger", **slot)["booked"]
    assert failures(world)["gone"] >= 4
    acted(world, "calendar.failed")
    data, = told(world, "calendar.failed")
    assert (data["connection"], data["event_type"], data["fail"]) == (CALENDAR, "999999", "gone")
    line, = lines(world, "a calendar cannot serve callers")
    event, = world.events("calendar.failed")
    assert f"tenant={TENANT}" in line and f"correlation={event['correlation']}" in line
    warned, = findings(doctor(world), "callers")
    assert warned["result"] == "warn" and f"klinke call {CALENDAR}.event_types" in warned["remedy"], warned
    assert not world.rows("dead"), "no person has to decide anything"


def test_more_of_the_same_is_counted_and_told_an_hour_later(world):
    clock = Clock(world)
    answering(world)
    world.ini["service kontrolle"]["event_type"] = "999999"
    world.start()
    slot = spoken(world.slot())
    assert not any([check(world, slot) for _ in range(3)])
    assert failures(world) == {"gone": 3}
    world.wait(lambda: len(world.events("calendar.failed")) == 1, "the first is told at once")
    clock.travel(3700)
    world.wait(lambda: len(world.events("calendar.failed")) == 2, "and the others then")
    assert sorted(d["count"] for d in told(world, "calendar.failed")) == [1, 2]
    assert findings(doctor(world), "callers")[0]["text"].count(" 3 times ") == 1


def test_callers_turned_away_by_a_calendar_that_is_down(world):
    answering(world)
    world.start()
    slot = spoken(world.slot())
    world.fault(vendor="calcom_v2", path="*/v2/slots*", status=500, body={}, count=0)
    assert not check(world, slot)
    world.wait(lambda: world.events("calendar.failed"), "it is told")
    assert [d["fail"] for d in told(world, "calendar.failed")] == ["broken"] and failures(world) == {"broken": 1}
    assert f"klinke call {CALENDAR}.test" in findings(doctor(world), "callers")[0]["remedy"]


def test_what_only_a_caller_must_hear_is_no_alarm(world):
    answering(world)
    world.start()
    slot = world.slot()
    for _ in range(2):  # somebody else has that time, with each of the two who treat
        world.control("/calcom/bookings", {"eventTypeId": 310455, "start": slot.isoformat()})
    assert not Call(world).ask("book_appointment", name="Jana Berger", **spoken(slot))["booked"]
    assert not failures(world) and not world.events("calendar.failed")


# ---- What somebody has waited for ----------------------------------------------------------------------

def test_what_somebody_waited_for_and_heard_is_no_dead_letter(world):
    world.start()
    world.fault(vendor="calcom_v2", path="/calcom/v2/me*", status=500, body={}, count=0)
    answer = world.call(f"{CALENDAR}.test", check=False)
    assert (answer["state"], answer["fail"]) == ("dropped", "broken") and answer["reason"]
    job = world.job(answer["job"])
    assert (job["state"], job["fail"], job["reason"]) == ("dropped", "broken", answer["reason"])
    assert "klinke call: it failed: broken: " in world.klinke("call", f"{CALENDAR}.test", check=False).stderr
    assert not world.rows("dead") and not world.events("job.dead") and not lines(world, "job dead")
    job = world.call_unheard(f"{CALENDAR}.test")
    world.wait(lambda: [j["id"] for j in world.jobs("dead")] == [job], "what nobody has heard waits for a person")
    line, = lines(world, "job dead")
    assert f"correlation={job}" in line and world.events("job.dead"), "a person's operation is its own beginning"


def test_what_was_not_heard_or_may_have_happened_is_for_a_person(world):
    world.ini["connection calendar"]["timeout"] = "60s"
    world.start()
    world.fault(vendor="calcom_v2", path="/calcom/v2/me*", status=500, body={}, count=0)
    world.sandbox.send_signal(signal.SIGSTOP)  # so it has no end before
    person = subprocess.Popen([str(KLINKE), "call", f"{CALENDAR}.test"], env=world.environment, stderr=subprocess.DEVNULL)
    world.wait(lambda: world.jobs(op="test"), "it has begun")
    person.kill()
    person.wait()
    world.sandbox.send_signal(signal.SIGCONT)
    job, = world.wait(lambda: world.jobs("dead", op="test"), "it waits for a person")
    world.klinke("dead", "drop", job["id"])
    world.fault(vendor="whatsapp", method="POST", close_after=True)
    answer = world.call(f"{TENANT}/whatsapp.send", {"to": CALLER, "text": "Hallo"}, check=False)
    assert (answer["state"], answer["fail"]) == ("parked", "unknown"), answer
    assert [r["id"] for r in world.rows("dead")] == [answer["job"]]


# ---- The log is a log ----------------------------------------------------------------------------------

def test_all_that_the_host_says_is_a_line_of_the_log_and_what_is_about_a_job_has_its_correlation(world):
    world.ini["connection phone"]["api_key"] = "key_sandbox"
    world.ini.drop("pipeline")
    world.ini.add("pipeline wrong", on="call.ended", step="phone.call call_id=no-such-call")
    world.start()
    warned = [line for line in world.log().splitlines() if "is a secret" in line]
    assert warned and all(" level=warn " in line and f"place={world.file}:" in line for line in warned), warned
    world.ring()
    job, = world.wait(lambda: world.jobs("parked"), "there is no such call")
    line, = lines(world, "job parked")
    assert f"job={job['id']}" in line and f"correlation={job['correlation']}" in line
    assert job["correlation"] in {i["id"] for i in world.inbox()}
    assert all(re.match(r"time=\S+ level=\w+ msg=", line) for line in world.log().splitlines()), world.log()


# ---- Connections and plugins ---------------------------------------------------------------------------

def test_a_refused_key_pauses_its_connection_and_is_told_once(world):
    answering(world)
    alarm(world, "connection.failed")
    world.start()
    slot = spoken(world.slot())
    world.fault(vendor="calcom_v2", path="*", status=401, body={"status": "error"}, count=1)
    assert not check(world, slot) and not check(world, slot), "and the second one did not ask"
    acted(world, "connection.failed")
    data, = told(world, "connection.failed")
    assert (data["connection"], data["plugin"], data["fail"]) == (CALENDAR, "calcom_v2", "bad auth")
    metrics = world.metrics()
    assert metrics[PAUSED] == 1 and metrics[PAUSED.replace("calendar", "phone")] == 0
    warned, = findings(doctor(world), "vendors")
    assert warned["result"] == "fail" and CALENDAR in warned["text"] and "klinke reload" in warned["remedy"]
    trouble, = world.status()["troubles"]
    assert trouble["connection"] == CALENDAR and "key is refused" in trouble["trouble"] and trouble["until"], trouble
    page = overview(world)
    assert "Nothing needs you" not in page and f">{CALENDAR}<" in page and "renew the key" in page
    assert len(lines(world, "connection paused: its credential was refused")) == 1
    world.reload()
    assert world.metrics()[PAUSED] == 0 and findings(doctor(world), "vendors")[0]["result"] == "ok"
    assert world.status()["troubles"] == [] and "Nothing needs you" in overview(world)
    assert check(world, slot), "it is asked again"


def test_a_wrong_webhook_secret_is_seen_before_the_calls_are_missed(world):
    """What is refused leaves no row; still page, status and doctor tell it, until a good one comes."""
    world.start()
    assert world.hook("phone", b"{}", {"X-Retell-Signature": "v=1,d=00"})[0] == 401
    trouble, = world.status()["troubles"]
    assert trouble["connection"] == "lindenhof/phone" and trouble["trouble"].startswith("1 webhooks refused"), trouble
    warned, = findings(doctor(world), "webhooks")
    assert warned["result"] == "warn" and "lindenhof/phone" in warned["text"] and "klinke gaps" in warned["remedy"]
    assert "webhooks refused" in overview(world)
    body = b'{"event":"call_started","call":{"call_id":"call_of_the_test"}}'
    assert world.hook("phone", body, retell_headers(body))[0] == 204
    assert world.status()["troubles"] == [] and findings(doctor(world), "webhooks")[0]["result"] == "ok"


def test_more_refused_keys_than_sixteen_do_not_end_each_others_pauses(world):
    names = [f"calendar{i}" for i in range(20)]
    world.ini.drop("pipeline")
    numbers = [f"+4917139200{i}" for i in range(40, 60)]  # calls of their own, for jobs of one call follow each other
    for name, number in zip(names, numbers):
        world.ini.add(f"connection {name}", *world.ini["connection calendar"].pairs)
        world.ini.add(f"pipeline test-{name}", on="call.started", when=f"data ->> 'from' = '{number}'", step=f"{name}.test")
    world.start()
    slot = world.slot()
    world.fault(vendor="calcom_v2", path="*", status=401, body={"status": "error"}, count=0)
    for number in numbers:
        world.ring(number=number, slot=slot)
    world.wait(lambda: len(world.events("connection.failed")) == 20, "each is told")
    metrics = world.metrics()
    assert [metrics[PAUSED.replace("calendar", n)] for n in names] == [1] * 20


def test_a_vendor_that_is_down_is_told_once_however_often_it_is_tried(world):
    world.ini["connection calendar"].pairs += [("breaker_volume", "2"), ("breaker_open", "100ms")]
    alarm(world, "connection.failed")
    world.start()
    world.fault(vendor="calcom_v2", path="*", status=500, body={}, count=0)
    world.wait(lambda: not world.call(f"{CALENDAR}.test", check=False).get("result")
               and world.log().count("state=half-open") > 2, "its breaker has opened again and again")
    acted(world, "connection.failed")
    data, = told(world, "connection.failed")
    assert (data["connection"], data["fail"]) == (CALENDAR, "broken")


def test_a_plugin_that_does_not_load_is_told(world, tmp_path):
    broken = tmp_path / "whatsapp.so"
    broken.write_bytes(b"no plugin")
    world.ini["host"]["plugins"] = " ".join(str(p) for p in [tmp_path, *PLUGINS])
    world.ini.drop("pipeline")
    world.ini.drop("mapping")
    alarm(world, "plugin.failed")
    world.start()
    acted(world, "plugin.failed")
    data, = told(world, "plugin.failed")
    assert data["plugin"] == "whatsapp" and data["reason"]
    assert world.events("plugin.failed")[0]["tenant"] == TENANT, "only this office uses it"
